"""Links between levels as readers see them: by the numbers of vertices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from anyzarr.errors import CorruptDataError, NodeNotFoundError
from anyzarr.vectors._blobs import Ints, starts_of
from anyzarr.vectors._cell_index import CellIndex
from anyzarr.vectors._level import StoredLevel
from anyzarr.vectors._level_links import read_links_to
from anyzarr.vectors._open import open_root
from anyzarr.vectors._results import Result
from anyzarr.vectors._whole import Places, gather_whole

__all__ = ["LevelLinks", "read_level_links"]


@dataclass(frozen=True, eq=False)
class LevelLinks(Result):
    """Links from the vertices of a level to those of another.

    Also answers to keys: ``links["source"]``.

    Attributes
    ----------
    level, target_level
        Numbers of the levels.
    source, target
        For each link the vertex of the level and that of the other, shape ``(M,)``, as numbers
        of vertices in the order in which the level is read whole; ascending by the source.
    """

    level: int
    target_level: int
    source: Ints
    target: Ints

    _keys: ClassVar = ("level", "target_level", "source", "target", "link_count")

    @property
    def link_count(self) -> int:
        """Number of links."""
        return len(self.source)


def read_level_links(
    path: Any,
    level: int = 0,
    *,
    delta: int = 1,
    backend: str | None = None,
    **backend_kwargs: Any,
) -> LevelLinks:
    """Read the links from a level to another: of each vertex, what it has become there.

    Parameters
    ----------
    path, backend, **backend_kwargs
        As for :func:`anyzarr.vectors.open_store`.
    level
        The level.
    delta
        Number of the other level, less that of this one: 1 for the next coarser. Below 0, links
        lead from a vertex to all of which it was made. Links that are only stored at the other
        level are turned round.

    Raises
    ------
    NodeNotFoundError
        There is no such level, or there are no links between the two.
    CorruptDataError
        A link ends at a vertex that is not there.

    Examples
    --------
    >>> from anyzarr.vectors import build_pyramid, read_level_links, write_points
    >>> memory = {}
    >>> _ = write_points(memory, [[1, 1], [8, 2], [1, 2]], chunk_shape=(10, 10), bin_shape=(5, 5))
    >>> build_pyramid(memory, factors=[(1, 1)], cross_level_storage="implicit")
    (1,)
    >>> read_level_links(memory).target.tolist()
    [0, 0, 1]
    """
    root, metadata = open_root(path, "r", backend=backend, **backend_kwargs)
    near = StoredLevel.of(root, metadata, level)
    far = StoredLevel.of(root, metadata, level + delta)
    ends = read_links_to(near, far) if delta else None
    if ends is None and delta:
        turned = read_links_to(far, near)
        ends = None if turned is None else turned.turned()
    if ends is None:
        raise NodeNotFoundError(
            f"{root.url} has no links between the levels {level} and {level + delta}: "
            "build_pyramid writes them with cross_level_storage='implicit' or 'explicit'",
            path=f"{level}/links",
        )
    source, target = _numbers(near, ends.source), _numbers(far, ends.target)
    order = np.lexsort((target, source))
    return LevelLinks(level, level + delta, source[order], target[order])


def _numbers(level: StoredLevel, places: Places) -> Ints:
    """Return the numbers of vertices that lie at some places."""
    gathered = gather_whole(level)
    first = starts_of(gathered.cell_rows)
    cell = CellIndex(gathered.cells).find(places.cells)[places.cell]
    beyond = (cell < 0) | (places.row < 0) | (places.row >= gathered.cell_rows[cell])
    if not beyond.any():
        vertices: Ints = gathered.vertex_of_row()[first[cell] + places.row]
        if not (vertices < 0).any():
            return vertices
    raise CorruptDataError(
        f"links between levels of {level.root.url} end at vertices of level {level.number} that "
        "are not there; make the levels anew with build_pyramid(..., overwrite=True)",
        path=f"{level.number}/links",
    )

"""Links between levels as readers see them: by the numbers of vertices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from anyzarr._nodes import Group
from anyzarr.errors import CorruptDataError, MetadataError, NodeNotFoundError
from anyzarr.vectors._blobs import Ints, starts_of
from anyzarr.vectors._cell_index import CellIndex
from anyzarr.vectors._documents import RootMetadata
from anyzarr.vectors._editions import read_current
from anyzarr.vectors._job import WriteOptions
from anyzarr.vectors._level import StoredLevel
from anyzarr.vectors._level_links import (
    LinkEnds,
    drop_links_to,
    read_links_to,
    write_links_to,
)
from anyzarr.vectors._levels import finished
from anyzarr.vectors._open import open_root
from anyzarr.vectors._results import Result
from anyzarr.vectors._whole import Places, gather_whole
from anyzarr.vectors._write import storage_of

__all__ = ["LevelLinks", "read_level_links", "remove_level_links", "write_level_links"]


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
    ConflictError
        The store is edited all the time.

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
    root, _ = open_root(path, "r", backend=backend, **backend_kwargs)
    return read_current(root, lambda: _linked(root, level, delta))


def _linked(root: Group, level: int, delta: int) -> LevelLinks:
    """Return the links of a level, by the root's documents at hand."""
    metadata = RootMetadata.parse(root.metadata.attributes)
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


def write_level_links(
    path: Any,
    source: npt.ArrayLike,
    target: npt.ArrayLike,
    *,
    level: int = 0,
    delta: int = 1,
    cross_level_storage: Literal["implicit", "explicit"] = "explicit",
    backend: str | None = None,
    **backend_kwargs: Any,
) -> None:
    """Write links from the vertices of a level to those of another, in place of those there are.

    So levels of one's own are linked; :func:`anyzarr.vectors.build_pyramid` links its own.

    Parameters
    ----------
    path, backend, **backend_kwargs
        As for :func:`anyzarr.vectors.open_store`.
    source, target
        For each link the vertex of the level and that of the other, shape ``(M,)``, as numbers of
        vertices in the order in which the level is read whole.
    level, delta
        The level, and the number of the other less that of this one.
    cross_level_storage
        Whether links are also stored at the other level: ``"implicit"`` no, ``"explicit"`` yes.

    Raises
    ------
    NodeNotFoundError
        There is no such level.
    MetadataError
        A link names a vertex that there is not, or joins a level to itself.

    Examples
    --------
    >>> from anyzarr.vectors import Points, add_resolution_level, read_level_links
    >>> from anyzarr.vectors import write_level_links, write_points
    >>> memory = {}
    >>> _ = write_points(memory, [[1, 1], [8, 2], [1, 2]])
    >>> add_resolution_level(memory, Points([[3.0, 1.5]]), scale=2)
    1
    >>> write_level_links(memory, [0, 1, 2], [0, 0, 0])
    >>> read_level_links(memory, 1, delta=-1).target.tolist()
    [0, 1, 2]
    """
    root, metadata = open_root(path, "r+", backend=backend, **backend_kwargs)
    if not delta or cross_level_storage not in ("implicit", "explicit"):
        raise MetadataError(
            f"delta={delta} and cross_level_storage={cross_level_storage!r} are not valid: another "
            "level, and 'implicit' or 'explicit'",
            kind="level_links",
        )
    near = StoredLevel.of(root, metadata, level)
    far = StoredLevel.of(root, metadata, level + delta)
    ends = LinkEnds(_places(near, source), _places(far, target))
    if len(ends.source.cell) != len(ends.target.cell):
        raise MetadataError(
            f"there are {len(ends.source.cell)} sources and {len(ends.target.cell)} targets: a "
            "link has one of each",
            kind="level_links",
        )
    storage = storage_of(near.vertices.metadata, WriteOptions())
    is_consolidated = "consolidated_metadata" in root.metadata.document
    drop_links_to(root, (near.number,), far.number)
    drop_links_to(root, (far.number,), near.number)
    write_links_to(near, far, ends, storage)
    if cross_level_storage == "explicit":
        write_links_to(far, near, ends.turned(), storage)
    told = metadata.raw["zarr_vectors"].get("cross_level_depth", 1)
    depth = told if told == -1 else max(told, abs(delta))
    finished(root, cross_level_storage, depth, consolidate=is_consolidated)


def remove_level_links(path: Any, *, backend: str | None = None, **backend_kwargs: Any) -> None:
    """Remove all links between levels; the levels stay.

    Parameters
    ----------
    path, backend, **backend_kwargs
        As for :func:`anyzarr.vectors.open_store`.
    """
    root, metadata = open_root(path, "r+", backend=backend, **backend_kwargs)
    is_consolidated = "consolidated_metadata" in root.metadata.document
    finished(root, "none", None, consolidate=False)
    for level in metadata.levels:
        drop_links_to(root, metadata.levels, level)
    finished(root, None, None, consolidate=is_consolidated)


def _places(level: StoredLevel, vertices: npt.ArrayLike) -> Places:
    """Return where vertices lie that are given by number."""
    numbers = np.asarray(vertices)
    gathered = gather_whole(level)
    n = len(gathered.positions)
    whole = numbers.ndim == 1 and (numbers.dtype.kind in "iu" or not numbers.size)
    if not whole or ((numbers < 0) | (numbers >= n)).any():
        raise MetadataError(
            f"ends of links at level {level.number} are {numbers.dtype} of the shape "
            f"{numbers.shape}, and must be numbers of vertices in one dimension, from 0 to {n - 1}",
            kind="level_links",
        )
    return Places.of(gathered).of_vertices(numbers.astype(np.int64))


def _numbers(level: StoredLevel, places: Places) -> Ints:
    """Return the numbers of vertices that lie at some places."""
    gathered = gather_whole(level)
    first = starts_of(gathered.cell_rows)
    cell = CellIndex(gathered.cells).find(places.cells)[places.cell]
    beyond = (cell < 0) | (places.row < 0) | (places.row >= gathered.cell_rows[cell])
    if not beyond.any():
        vertices: Ints = gathered.vertices_at(first[cell] + places.row)
        if not (vertices < 0).any():
            return vertices
    raise CorruptDataError(
        f"links between levels of {level.root.url} end at vertices of level {level.number} that "
        "are not there; make the levels anew with build_pyramid(..., overwrite=True)",
        path=f"{level.number}/links",
    )

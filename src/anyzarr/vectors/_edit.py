"""Editing a store: objects that go, and attributes that change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr._nodes import Group
from anyzarr.errors import NodeNotFoundError
from anyzarr.metadata import group_document
from anyzarr.vectors._blobs import Ints
from anyzarr.vectors._documents import RootMetadata
from anyzarr.vectors._edit_objects import drop_fragments, live_rows, put_level, without_objects
from anyzarr.vectors._level import StoredLevel
from anyzarr.vectors._open import open_root, require_known_capabilities
from anyzarr.vectors._relink import RowMap, relink
from anyzarr.vectors._transaction import Transaction, editing

__all__ = ["EditSummary", "delete_objects", "mark_stale", "object_rows", "open_for_edit"]


@dataclass(frozen=True)
class EditSummary:
    """What an edit did.

    Attributes
    ----------
    vertex_count, object_count
        Vertices and objects of level 0 that were changed or removed.
    levels
        The levels that were changed.
    stale_levels
        Levels of detail that still show what was before.
    """

    vertex_count: int
    object_count: int
    levels: tuple[int, ...] = (0,)
    stale_levels: tuple[int, ...] = ()


def open_for_edit(
    path: Any, backend: str | None, backend_kwargs: Mapping[str, Any]
) -> tuple[Group, RootMetadata]:
    """Return root and metadata of a store that can be changed.

    Raises
    ------
    UnsupportedError
        The store uses what is not known here.
    """
    root, metadata = open_root(path, "r+", backend=backend, **backend_kwargs)
    require_known_capabilities(metadata, root.url)
    return root, metadata


def delete_objects(
    path: Any,
    object_ids: npt.ArrayLike,
    *,
    backend: str | None = None,
    **backend_kwargs: Any,
) -> EditSummary:
    """Delete objects: their vertices, what joins them, their attributes and memberships.

    All of it happens at one moment: whoever is cut off leaves the store as it was before or as it
    is after. Rows of vertices stay in their chunks, named by nothing, until
    :func:`anyzarr.vectors.vacuum`. Levels of detail that have the objects lose them, too; others
    are marked as stale.

    Parameters
    ----------
    path, backend, **backend_kwargs
        As for :func:`anyzarr.vectors.open_store`.
    object_ids
        Ids of the objects. All of them must be there.

    Raises
    ------
    NodeNotFoundError
        There is no such object; nothing was deleted.
    ReadOnlyError
        The store does not write.

    Examples
    --------
    >>> from anyzarr.vectors import delete_objects, read_polylines, write_polylines
    >>> memory = {}
    >>> lines = [[[1, 1], [8, 2]], [[4, 9], [5, 5], [6, 3]]]
    >>> _ = write_polylines(memory, lines, object_ids=[3, 7])
    >>> delete_objects(memory, [7])
    EditSummary(vertex_count=3, object_count=1, levels=(0,), stale_levels=())
    >>> read_polylines(memory).object_ids.tolist()
    [3]
    """
    ids = np.unique(np.asarray(object_ids, dtype=np.int64).reshape(-1))
    root, _ = open_for_edit(path, backend, backend_kwargs)
    with editing(root) as tx:
        metadata = RootMetadata.parse(root.metadata.attributes)
        maps: dict[int, RowMap] = {}
        counts: list[int] = []
        levels: list[int] = []
        for number in metadata.levels:
            level = StoredLevel.of(root, metadata, number, objects=True)
            rows = object_rows(level, ids, must=number == 0)
            rows = rows[rows >= 0]
            if not len(rows):
                continue
            cells, n_vertices = drop_fragments(tx, level, rows)
            if len(cells):
                maps[number] = live_rows(tx, level, cells)
            without_objects(tx, level, rows)
            put_level(tx, level.level, level.level.vertex_count - n_vertices)
            counts.append(n_vertices)
            levels.append(number)
        relink(tx, maps)
        stale = mark_stale(tx, metadata, levels) if levels else ()
        if levels:
            tx.commit()
    return EditSummary(sum(counts[:1]), len(ids), tuple(levels), stale)


def object_rows(level: StoredLevel, ids: Ints, *, must: bool) -> Ints:
    """Return the row of each object in the index of a level; -1 where it may be missing, and is."""
    index = level.objects
    rows = np.full(len(ids), -1, np.int64) if index is None else index.rows_of(ids)
    if must and (rows < 0).any():
        raise NodeNotFoundError(
            f"there is no object {int(ids[rows < 0][0])} in {level.root.url}; nothing was changed",
            path=f"{level.number}/object_index",
        )
    return rows


def mark_stale(tx: Transaction, metadata: RootMetadata, levels: list[int]) -> tuple[int, ...]:
    """Let the levels of detail that were not changed say that they are stale; return which."""
    stale = [n for n in metadata.levels if n and n not in levels]
    for number in stale:
        level = StoredLevel.of(tx.root, metadata, number).level
        attributes = level.attributes()
        attributes["zarr_vectors_level"]["stale"] = True
        tx.document(str(number), group_document(attributes=attributes))
    return tuple(stale)

"""The bounds of a store that is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from anyzarr._nodes import Group
from anyzarr.errors import MetadataError
from anyzarr.vectors._cells import CellArray
from anyzarr.vectors._crossing import vertices_met
from anyzarr.vectors._documents import LevelMetadata, RootMetadata
from anyzarr.vectors._edit import open_for_edit
from anyzarr.vectors._gather import gather_rows
from anyzarr.vectors._grid import Bounds
from anyzarr.vectors._level import StoredLevel
from anyzarr.vectors._regrow import cell_arrays, shifted
from anyzarr.vectors._transaction import Transaction, editing

__all__ = ["set_bounds"]


def set_bounds(
    path: Any,
    bounds: Sequence[Sequence[float]],
    *,
    backend: str | None = None,
    **backend_kwargs: Any,
) -> None:
    """Let a store have other bounds: wider ones, or narrower ones that hold all its vertices.

    Vertices stay where they are. Whoever is cut off leaves the store with the bounds of before or
    with those of after.

    Parameters
    ----------
    path, backend, **backend_kwargs
        As for :func:`anyzarr.vectors.open_store`.
    bounds
        Lower and upper corner, both included.

    Raises
    ------
    MetadataError
        A vertex lies outside of the bounds, or they are no bounds of the space; nothing was
        changed.
    ReadOnlyError
        The store does not write.

    Examples
    --------
    >>> from anyzarr.vectors import open_zv, set_bounds, write_points
    >>> memory = {}
    >>> _ = write_points(memory, [[1, 1], [8, 2]], chunk_shape=(5, 5))
    >>> set_bounds(memory, ([-20, 0], [20, 10]))
    >>> open_zv(memory).bounds
    ((-20.0, 0.0), (20.0, 10.0))
    """
    root, _ = open_for_edit(path, backend, backend_kwargs)
    low, high = ([float(edge) for edge in corner] for corner in bounds)
    corners = tuple(low), tuple(high)
    with editing(root) as tx:
        before = RootMetadata.parse(root.metadata.attributes)
        after = replace(before, bounds=corners)
        for number in before.levels:
            _require_within(StoredLevel.of(root, before, number), corners)
        for number in after.levels:
            _cover(tx, after, number)
        tx.commit(lambda stored: replace(stored, bounds=corners))


def _require_within(level: StoredLevel, bounds: Bounds) -> None:
    """Raise if a vertex lies outside; looked at are the cells that are not wholly inside."""
    low, high = np.asarray(bounds)
    edges = np.asarray(level.grid.chunk_shape)
    first = level.cells[:, -level.ndim :] * edges
    at_edge = ((first < low) | (first + edges > high)).any(axis=1)
    positions, _ = gather_rows(level, level.cells[at_edge])
    n_outside = int(np.count_nonzero(~vertices_met(positions, bounds)))
    if n_outside:
        raise MetadataError(
            f"{n_outside} vertices of level {level.number} of {level.root.url} lie outside of the "
            f"bounds {[low.tolist(), high.tolist()]}; delete them before, or give wider bounds",
            kind="out_of_bounds",
        )


def _cover(tx: Transaction, metadata: RootMetadata, number: int) -> None:
    """Let all arrays of a level reach as far as the grid."""
    group = tx.root[str(number)]
    assert isinstance(group, Group)
    level = LevelMetadata.parse(group.metadata.attributes, number)
    grid = metadata.grid(level)
    for node in cell_arrays(group):
        array = CellArray(node.metadata, node.store, node.path)
        found = shifted(array, np.asarray(grid.origin))
        moved = array.metadata if found is None else found[0]
        origin = np.asarray(moved.attributes["chunk_grid_origin"])
        leading = array.ndim - grid.ndim
        end = np.add(grid.origin, grid.shape) - origin[leading:]
        shape = np.maximum(moved.shape[leading:], end)
        shape = [*moved.shape[:leading], *shape.tolist()]
        moved = moved.with_document(shape=shape)
        if found is not None:
            tx.shift(array, moved, found[1])
        elif moved != array.metadata:
            tx.document(tx.relative(array.path), moved.document)

"""Points grouped by the grid cell they lie in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from anyzarr.indexing._types import IntArray, Points

if TYPE_CHECKING:
    from anyzarr.metadata._model import ChunkGrid

__all__ = ["PointCell", "group_points"]


class PointCell(NamedTuple):
    """The elements of one factor of a selection that lie in one cell of its dimensions.

    Attributes
    ----------
    coords, start, stop, source
        Per dimension of the factor: the cell, the bounds of the selected elements, and their
        index relative to ``start``.
    target
        Per axis of the factor in the internal layout: where the elements go.
    is_whole
        Whether every element of the cell is selected.
    """

    coords: tuple[int, ...]
    start: tuple[int, ...]
    stop: tuple[int, ...]
    source: tuple[Any, ...]
    target: tuple[Any, ...]
    is_whole: bool


def group_points(factor: Points, grid: ChunkGrid, axis: int, n_tables: int) -> list[PointCell]:
    """Group points by cell, in C order of the cells and, within a cell, in their own order.

    Parameters
    ----------
    factor
        The points; at least one.
    grid
        The grid.
    axis, n_tables
        Where this factor's index arrays broadcast, among those of all factors of points.
    """
    arrays: Sequence[IntArray] = factor.arrays
    cells = [_cell_of(a, grid, d) for a, d in zip(arrays, factor.dims, strict=True)]
    order = _stable_order(cells)
    if order is not None:
        arrays = [a[order] for a in arrays]
        cells = [c[order] for c in cells]
    begins = _run_starts(cells)
    ends = [*begins[1:].tolist(), arrays[0].size]
    low = [np.minimum.reduceat(a, begins) for a in arrays]
    high = [np.maximum.reduceat(a, begins) + 1 for a in arrays]
    coords = list(zip(*(c[begins].tolist() for c in cells), strict=True))
    starts = list(zip(*(a.tolist() for a in low), strict=True))
    stops = list(zip(*(a.tolist() for a in high), strict=True))
    locals_ = _relative(arrays, low, begins)
    positions = _positions(factor.shape, order, arrays[0].size)
    spread = [1] * n_tables
    spread[axis] = -1
    result = []
    for i, (begin, end) in enumerate(zip(begins.tolist(), ends, strict=True)):
        source = tuple(a[begin:end] for a in locals_)
        target: tuple[Any, ...]
        if order is None and n_tables == 1 and len(factor.shape) == 1:
            target = (slice(begin, end),)
        else:
            target = tuple(p[begin:end].reshape(spread) for p in positions)
        whole = _is_whole(source, coords[i], factor.dims, grid)
        shaped = tuple(a.reshape(spread) for a in source)
        result.append(PointCell(coords[i], starts[i], stops[i], shaped, target, whole))
    return result


def _cell_of(indices: IntArray, grid: ChunkGrid, dim: int) -> IntArray:
    offsets = grid.offsets(dim)
    if offsets is not None:
        return np.searchsorted(np.asarray(offsets, dtype=np.intp), indices, side="right") - 1
    assert grid.chunk_shape is not None
    return indices // grid.chunk_shape[dim]


def _stable_order(cells: Sequence[IntArray]) -> IntArray | None:
    """Return the order that sorts points by cell, or None if they are sorted already."""
    key = cells[0]
    if len(cells) > 1:
        lows = [int(c.min()) for c in cells]
        extents = [int(c.max()) - low + 1 for c, low in zip(cells, lows, strict=True)]
        if math.prod(extents) > np.iinfo(np.intp).max:
            return np.lexsort(tuple(reversed(cells)))
        key = np.zeros(cells[0].shape, dtype=np.intp)
        for c, low, extent in zip(cells, lows, extents, strict=True):
            key *= extent
            key += c
            key -= low
    if (key[1:] >= key[:-1]).all():
        return None
    if key.max() < 2**16:
        key = key.astype(np.uint16)  # numpy sorts these by radix
    return np.argsort(key, kind="stable")


def _run_starts(cells: Sequence[IntArray]) -> IntArray:
    """Return where each run of equal cells begins."""
    changed = cells[0][1:] != cells[0][:-1]
    for c in cells[1:]:
        changed |= c[1:] != c[:-1]
    return np.concatenate(([0], np.flatnonzero(changed) + 1)).astype(np.intp)


def _relative(
    arrays: Sequence[IntArray], low: Sequence[IntArray], begins: IntArray
) -> list[IntArray]:
    """Return indices relative to the bounds of their run."""
    counts = np.diff(begins, append=arrays[0].size)
    return [a - np.repeat(bound, counts) for a, bound in zip(arrays, low, strict=True)]


def _positions(shape: tuple[int, ...], order: IntArray | None, size: int) -> Sequence[IntArray]:
    """Return, per axis of the table of points, where each point stands in it."""
    flat = np.arange(size, dtype=np.intp) if order is None else order
    return (flat,) if len(shape) == 1 else np.unravel_index(flat, shape)


def _is_whole(
    source: tuple[IntArray, ...], coords: tuple[int, ...], dims: tuple[int, ...], grid: ChunkGrid
) -> bool:
    """Return whether the points, relative to their bounds, are all elements of the cell."""
    extents = [_extent(grid, d, c) for d, c in zip(dims, coords, strict=True)]
    volume = math.prod(extents)
    if source[0].size < volume:
        return False
    flat = np.ravel_multi_index(source, extents)
    seen = np.zeros(volume, dtype=np.bool_)
    seen[flat] = True
    return bool(seen.all())


def _extent(grid: ChunkGrid, dim: int, cell: int) -> int:
    offsets = grid.offsets(dim)
    size = grid.shape[dim]
    if offsets is not None:
        return min(offsets[cell + 1], size) - offsets[cell]
    assert grid.chunk_shape is not None
    chunk = grid.chunk_shape[dim]
    return min(chunk, size - cell * chunk)

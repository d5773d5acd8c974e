"""A selection cut along the cells of a grid."""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from anyzarr.abc import Box
from anyzarr.errors import SelectionError
from anyzarr.indexing._grouping import PointCell, group_points
from anyzarr.indexing._types import Part, Plan, Points, Selection, Span

if TYPE_CHECKING:
    from anyzarr.metadata._model import ArrayMetadata, ChunkGrid

__all__ = ["box_parts", "partial_cells", "parts", "plan", "touched"]

# Of one dimension: cell, first and last selected element (+ 1), source, target, whole.
_Cell = tuple[int, int, int, slice, slice, bool]


def parts(selection: Selection, grid: ChunkGrid) -> Iterator[Part]:
    """Iterate over the parts of a selection, one per touched cell, in C order of the cells.

    Parameters
    ----------
    selection
        A resolved selection.
    grid
        The grid to cut along, over the same array shape.

    Returns
    -------
    Iterator[Part]
        Disjoint in their targets, and together the whole selection. Made one at a time.

    Raises
    ------
    SelectionError
        The grid is of another array shape.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.indexing import parts, resolve
    >>> from anyzarr.metadata import ChunkGrid
    >>> grid = ChunkGrid(shape=(10,), chunk_shape=(4,))
    >>> for part in parts(resolve(np.s_[2:10], (10,)), grid):
    ...     print(part.coords, part.box.slices, part.target, part.is_whole)
    (0,) (slice(2, 4, 1),) (slice(0, 2, None),) False
    (1,) (slice(4, 8, 1),) (slice(2, 6, None),) True
    (2,) (slice(8, 10, 1),) (slice(6, 8, None),) True
    """
    _check_grid(selection, grid)
    if selection.is_empty:
        return iter(())
    if selection.box is not None:
        return box_parts(selection.box, grid)
    return _product_parts(selection, grid)


def _check_grid(selection: Selection, grid: ChunkGrid) -> None:
    if selection.shape != grid.shape:
        raise SelectionError(
            f"a selection of an array of shape {selection.shape} cannot be cut along a grid over "
            f"shape {grid.shape}; resolve it for that shape"
        )


def box_parts(box: Box, grid: ChunkGrid) -> Iterator[Part]:
    """Iterate over the parts of a box, one per touched cell, in C order of the cells.

    The same as :func:`parts` of the selection of that box. Only cells that hold selected
    elements are visited, however large the steps.

    Examples
    --------
    >>> from anyzarr.abc import Box
    >>> from anyzarr.indexing import box_parts
    >>> from anyzarr.metadata import ChunkGrid
    >>> grid = ChunkGrid(shape=(100,), chunk_shape=(10,))
    >>> [part.coords for part in box_parts(Box((5,), (100,), (40,)), grid)]
    [(0,), (4,), (8,)]
    """
    ndim = len(box.start)
    if ndim == 0:
        yield Part((), box, (), (), True)
        return
    ones = (1,) * ndim
    rest = [list(_cells(box, grid, dim)) for dim in range(1, ndim)]
    for head in _cells(box, grid, 0):
        for cells in itertools.product((head,), *rest):
            coords, start, stop, source, target, whole = zip(*cells, strict=True)
            yield Part(coords, Box(start, stop, ones), source, target, all(whole))


def _cells(box: Box, grid: ChunkGrid, dim: int) -> Iterator[_Cell]:
    return _span_cells(box.start[dim], box.stop[dim], box.step[dim], grid, dim)


def _span_cells(start: int, stop: int, step: int, grid: ChunkGrid, dim: int) -> Iterator[_Cell]:
    """Iterate over the cells of one dimension that hold elements of a range."""
    size = grid.shape[dim]
    offsets = grid.offsets(dim)
    chunk = 0 if grid.chunk_shape is None else grid.chunk_shape[dim]
    source = slice(None) if step == 1 else slice(None, None, step)
    n_left = max(0, -(-(stop - start) // step))
    done = 0
    while n_left > 0:
        if offsets is None:
            cell = start // chunk
            low = cell * chunk
            high = min(low + chunk, size)
        else:
            cell = bisect_right(offsets, start) - 1
            low, high = offsets[cell], min(offsets[cell + 1], size)
        n = min(n_left, -(-(high - start) // step))
        last = start + (n - 1) * step
        yield cell, start, last + 1, source, slice(done, done + n), n == high - low
        start = last + step
        done += n
        n_left -= n


def _factor_cells(
    factor: Span | Points, grid: ChunkGrid, axis: int, n_tables: int
) -> list[PointCell]:
    if isinstance(factor, Points):
        return group_points(factor, grid, axis, n_tables)
    cells = _span_cells(factor.start, factor.stop, factor.step, grid, factor.dim)
    return [
        PointCell((cell,), (low,), (high,), (source,), (target,), whole)
        for cell, low, high, source, target, whole in cells
    ]


def _product_parts(selection: Selection, grid: ChunkGrid) -> Iterator[Part]:
    """Combine the cells of the factors; each factor is grouped by cell once."""
    factors = selection._factors
    dims, axes = _places(factors)
    ones = (1,) * len(dims)
    for cells in _ordered_cells(factors, grid):
        yield Part(
            tuple(cells[f].coords[j] for f, j in dims),
            Box(
                tuple(cells[f].start[j] for f, j in dims),
                tuple(cells[f].stop[j] for f, j in dims),
                ones,
            ),
            tuple(cells[f].source[j] for f, j in dims),
            tuple(cells[f].target[j] for f, j in axes),
            all(cell.is_whole for cell in cells),
        )


def _ordered_cells(
    factors: tuple[Span | Points, ...], grid: ChunkGrid
) -> Iterator[tuple[PointCell, ...]]:
    n_tables = sum(isinstance(f, Points) for f in factors)
    axis = itertools.count()
    per_factor = [
        _factor_cells(f, grid, next(axis) if isinstance(f, Points) else 0, n_tables)
        for f in factors
    ]
    combined = itertools.product(*per_factor)
    if all(f.dims[-1] - f.dims[0] + 1 == len(f.dims) for f in factors):
        return combined
    # A factor of separated dimensions: the product is not in C order of the cells.
    dims, _ = _places(factors)
    return iter(sorted(combined, key=lambda cells: [cells[f].coords[j] for f, j in dims]))


def _places(
    factors: tuple[Span | Points, ...],
) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Return which factor, and which of its entries, each dimension and each axis has."""
    by_dim = {d: (f, j) for f, factor in enumerate(factors) for j, d in enumerate(factor.dims)}
    dims = [by_dim[d] for d in sorted(by_dim)]
    axes: list[tuple[int, int]] = []
    for f, factor in enumerate(factors):
        n_axes = len(factor.shape) if isinstance(factor, Points) else 1
        entries = [(f, j) for j in range(n_axes)]
        if factor.dims[-1] - factor.dims[0] + 1 != len(factor.dims):
            axes[:0] = entries
        else:
            axes.extend(entries)
    return dims, axes


def touched(selection: Selection, grid: ChunkGrid) -> Iterator[tuple[int, ...]]:
    """Iterate over the cells that hold selected elements, in C order, each once.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.indexing import resolve, touched
    >>> from anyzarr.metadata import ChunkGrid
    >>> grid = ChunkGrid(shape=(10, 10), chunk_shape=(5, 5))
    >>> list(touched(resolve(([9, 0, 9], [0, 9, 1]), (10, 10)), grid))
    [(0, 1), (1, 0)]
    """
    _check_grid(selection, grid)
    if selection.is_empty:
        return iter(())
    if selection.box is not None:
        box = selection.box
        columns: list[Any] = [
            [cell[0] for cell in _cells(box, grid, dim)] for dim in range(len(box.start))
        ]
        return itertools.product(*columns)
    dims, _ = _places(selection._factors)
    return (
        tuple(cells[f].coords[j] for f, j in dims)
        for cells in _ordered_cells(selection._factors, grid)
    )


def partial_cells(selection: Selection, grid: ChunkGrid) -> Iterator[tuple[int, ...]]:
    """Iterate over the cells of which a selection holds some elements and not all.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.indexing import partial_cells, resolve
    >>> from anyzarr.metadata import ChunkGrid
    >>> grid = ChunkGrid(shape=(10, 10), chunk_shape=(5, 5))
    >>> list(partial_cells(resolve(np.s_[:, 2:], (10, 10)), grid))
    [(0, 0), (1, 0)]
    """
    _check_grid(selection, grid)
    if selection.is_empty:
        return iter(())
    if selection.box is None:
        return (part.coords for part in _product_parts(selection, grid) if not part.is_whole)
    box = selection.box
    sides = [list(_cells(box, grid, dim)) for dim in range(len(box.start))]
    if all(cell[-1] for side in sides for cell in side):
        return iter(())
    return (
        tuple(cell[0] for cell in cells)
        for cells in itertools.product(*sides)
        if not all(cell[-1] for cell in cells)
    )


def plan(selection: Selection, metadata: ArrayMetadata) -> Plan:
    """Tell which chunks, and which subchunks, a selection touches.

    Parameters
    ----------
    selection
        A resolved selection.
    metadata
        The array's metadata.

    Returns
    -------
    Plan
        Exactly those that hold selected elements.
    """
    chunks = tuple(touched(selection, metadata.grid))
    if metadata.subchunk_grid == metadata.grid:
        return Plan(chunks, chunks)
    return Plan(chunks, tuple(touched(selection, metadata.subchunk_grid)))

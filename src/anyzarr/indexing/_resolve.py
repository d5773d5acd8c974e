"""One resolver for every kind of selection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from anyzarr.abc import Box
from anyzarr.errors import SelectionError
from anyzarr.indexing._advanced import resolve_joint, resolve_orthogonal
from anyzarr.indexing._items import classify, fill_ellipsis, integer
from anyzarr.indexing._layout import FLIPPED, FULL
from anyzarr.indexing._types import Selection

if TYPE_CHECKING:
    from anyzarr.metadata._model import ChunkGrid

__all__ = ["Mode", "resolve"]

Mode = Literal["numpy", "orthogonal", "vectorized", "block"]


def resolve(
    selection: Any,
    shape: tuple[int, ...],
    *,
    mode: Mode = "numpy",
    grid: ChunkGrid | None = None,
) -> Selection:
    """Resolve a selection against the shape of an array.

    Parameters
    ----------
    selection
        What stands between the brackets: integers, slices with any step, Ellipsis, newaxis,
        boolean masks, integer arrays, or a tuple of these; or an ndsel message (a mapping;
        see :func:`from_ndsel`), which carries its own meaning whatever the mode; or a
        selection already resolved.
    shape
        The array's shape.
    mode
        How index arrays combine. ``"numpy"``: as numpy does. ``"orthogonal"``: each
        dimension by itself. ``"vectorized"``: broadcast against each other, their axes first
        in the result. ``"block"``: integers and slices count the cells of ``grid``.
    grid
        The chunk grid; needed by ``"block"`` only.

    Returns
    -------
    Selection
        Within bounds. A few microseconds for integers and slices; index arrays are never
        made of them.

    Raises
    ------
    SelectionError
        The selection does not fit the array; an ``IndexError`` too.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.indexing import resolve
    >>> resolve(np.s_[..., 10:50:2], (4, 100)).result_shape
    (4, 20)
    >>> resolve(([0, 3], [7, 9]), (4, 100)).result_shape
    (2,)
    >>> resolve(([0, 3], [7, 9]), (4, 100), mode="orthogonal").result_shape
    (2, 2)
    """
    items = selection if isinstance(selection, tuple) else (selection,)
    if mode == "block":
        return _resolve_block(items, shape, grid)
    basic = _resolve_basic(items, shape)
    if basic is not None:
        return basic
    if isinstance(selection, Selection):
        return _same_shape(selection, shape)
    if isinstance(selection, Mapping):
        from anyzarr.indexing._transform import from_ndsel

        return from_ndsel(selection, shape)
    if mode == "numpy":
        return resolve_joint(items, shape, in_place=True)
    if mode == "vectorized":
        return resolve_joint(items, shape, in_place=False)
    if mode == "orthogonal":
        return resolve_orthogonal(items, shape)
    raise SelectionError(
        f"{mode!r} is no selection mode; use 'numpy', 'orthogonal', 'vectorized' or 'block'"
    )


def _same_shape(selection: Selection, shape: tuple[int, ...]) -> Selection:
    if selection.shape != tuple(shape):
        raise SelectionError(
            f"the selection was resolved for shape {selection.shape}, and this array has "
            f"{tuple(shape)}; resolve it anew"
        )
    return selection


def _resolve_basic(items: tuple[Any, ...], shape: tuple[int, ...]) -> Selection | None:
    """Resolve plain integers and slices; None where the general path must look.

    The general path also words the errors, so whatever is out of the ordinary goes there.
    """
    ndim = len(shape)
    starts: list[int] = []
    stops: list[int] = []
    steps: list[int] = []
    lengths: list[int] = []
    view: list[Any] = []
    plain = True
    dim = 0
    has_ellipsis = False
    for position, item in enumerate(items):
        kind = type(item)
        if kind is slice:
            if dim == ndim:
                return None
            try:
                start, stop, step = item.indices(shape[dim])
            except (TypeError, ValueError):
                return None
            dim += 1
            if step == 1:
                if stop < start:
                    stop = start
                lengths.append(stop - start)
                view.append(FULL)
            else:
                count = len(range(start, stop, step))
                lengths.append(count)
                view.append(FULL)
                if count == 0:
                    start = stop = 0
                    step = 1
                else:
                    stop = start + (count - 1) * step
                    if step < 0:
                        start, stop, step = stop, start, -step
                        view[-1] = FLIPPED
                        plain = False
                    stop += 1
                    if count == 1:
                        step = 1
            starts.append(start)
            stops.append(stop)
            steps.append(step)
        elif kind is int or isinstance(item, np.integer):
            if dim == ndim:
                return None
            size = shape[dim]
            index = int(item)
            if index < 0:
                index += size
            if not 0 <= index < size:
                return None
            dim += 1
            starts.append(index)
            stops.append(index + 1)
            steps.append(1)
            view.append(None)
            plain = False
        elif item is None:
            lengths.append(1)
            view.append(0)
            plain = False
        elif item is Ellipsis:
            if has_ellipsis:
                return None
            has_ellipsis = True
            n_after = sum(1 for other in items[position + 1 :] if other is not None)
            full = shape[dim : ndim - n_after] if n_after else shape[dim:]
            dim = max(dim, ndim - n_after)
            _extend(full, starts, stops, steps, lengths, view)
        else:
            return None
    if dim != ndim:
        if has_ellipsis:
            return None
        _extend(shape[dim:], starts, stops, steps, lengths, view)
    box = Box(tuple(starts), tuple(stops), tuple(steps))
    # The Ellipsis keeps the result of indexing an array, not a scalar.
    index_tuple = None if plain else (*view, ...)
    return Selection(shape, tuple(lengths), box, index_tuple)


def _extend(
    full: tuple[int, ...],
    starts: list[int],
    stops: list[int],
    steps: list[int],
    lengths: list[int],
    view: list[Any],
) -> None:
    """Select whole dimensions."""
    for size in full:
        starts.append(0)
        stops.append(size)
        steps.append(1)
        lengths.append(size)
        view.append(FULL)


def _resolve_block(
    items: tuple[Any, ...], shape: tuple[int, ...], grid: ChunkGrid | None
) -> Selection:
    """Resolve integers and slices that count cells; no dimension is dropped."""
    if grid is None:
        raise SelectionError("a block selection counts the cells of a chunk grid; pass grid=")
    counts = grid.grid_shape
    filled, _ = fill_ellipsis([classify(item) for item in items], len(shape))
    slices: list[slice] = []
    for item in filled:
        dim = len(slices)
        if not isinstance(item, int | slice):
            raise SelectionError(
                f"{item!r} is no block index; a block selection takes integers, slices with "
                "step 1 and Ellipsis"
            )
        first, last = _block_range(item, counts[dim], dim)
        edges = _cell_starts(grid, dim, first), _cell_starts(grid, dim, last)
        slices.append(slice(*edges))
    basic = _resolve_basic(tuple(slices), shape)
    assert basic is not None
    return basic


def _block_range(item: int | slice, count: int, dim: int) -> tuple[int, int]:
    """Return the range of cells along one dimension."""
    if isinstance(item, int):
        first = integer(item, count, dim)
        return first, first + 1
    if item.step not in (None, 1):
        raise SelectionError(
            f"{item} of dimension {dim} has step {item.step}; a block selection has step 1, "
            "so select the blocks one by one"
        )
    if item.start is not None:
        first = classify(item.start)
        if not isinstance(first, int):
            raise SelectionError(f"{item} of dimension {dim} must have integer bounds")
        if first != 0 or count:
            integer(first, count, dim)
    try:
        start, stop, _ = item.indices(count)
    except TypeError as error:
        raise SelectionError(f"{item} of dimension {dim} must have integer bounds") from error
    return start, max(start, stop)


def _cell_starts(grid: ChunkGrid, dim: int, cell: int) -> int:
    """Return where a cell starts, or the dimension's size for the one past the last."""
    size = grid.shape[dim]
    offsets = grid.offsets(dim)
    if offsets is not None:
        return min(offsets[cell], size)
    assert grid.chunk_shape is not None
    return min(cell * grid.chunk_shape[dim], size)

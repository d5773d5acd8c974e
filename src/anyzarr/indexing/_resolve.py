"""One resolver for every kind of selection."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from anyzarr.abc import Box
from anyzarr.errors import SelectionError
from anyzarr.indexing._advanced import resolve_joint, resolve_orthogonal
from anyzarr.indexing._from_ndsel import from_ndsel
from anyzarr.indexing._items import classify, fill_ellipsis, integer
from anyzarr.indexing._layout import FLIPPED, FULL
from anyzarr.indexing._types import Selection

if TYPE_CHECKING:
    from anyzarr.metadata._model import ChunkGrid

__all__ = ["Mode", "resolve"]

Mode = Literal["numpy", "orthogonal", "vectorized", "block"]
_MODES = get_args(Mode)


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
    if mode not in _MODES:
        raise SelectionError(
            f"{mode!r} is no selection mode; use 'numpy', 'orthogonal', 'vectorized' or 'block'"
        )
    shape = tuple(shape)
    items = selection if isinstance(selection, tuple) else (selection,)
    if mode != "block":
        basic = _resolve_basic(items, shape)
        if basic is not None:
            return basic
    if isinstance(selection, Selection):
        return _same_shape(selection, shape)
    if isinstance(selection, Mapping):
        return from_ndsel(selection, shape)
    if mode == "numpy":
        return resolve_joint(items, shape, in_place=True)
    if mode == "vectorized":
        return resolve_joint(items, shape, in_place=False)
    if mode == "orthogonal":
        return resolve_orthogonal(items, shape)
    return _resolve_block(items, shape, grid)


def _same_shape(selection: Selection, shape: tuple[int, ...]) -> Selection:
    if selection.shape != tuple(shape):
        raise SelectionError(
            f"the selection was resolved for shape {selection.shape}, and this array has "
            f"{tuple(shape)}; resolve it anew"
        )
    return selection


class _BoxBuilder:
    """Collects a box, and the view that gives a result its layout, item by item."""

    __slots__ = ("is_plain", "lengths", "start", "step", "stop", "view")

    def __init__(self) -> None:
        self.start: list[int] = []
        self.stop: list[int] = []
        self.step: list[int] = []
        self.lengths: list[int] = []
        self.view: list[Any] = []
        self.is_plain = True

    def add(self, start: int, stop: int, step: int, view: slice | None) -> None:
        self.start.append(start)
        self.stop.append(stop)
        self.step.append(step)
        self.view.append(view)

    def add_full(self, sizes: tuple[int, ...]) -> None:
        for size in sizes:
            self.add(0, size, 1, FULL)
        self.lengths.extend(sizes)

    def add_slice(self, item: slice, size: int) -> None:
        start, stop, step = item.indices(size)
        if step == 1:
            if stop <= start:
                start = stop = 0
            self.lengths.append(stop - start)
            self.add(start, stop, 1, FULL)
            return
        count = len(range(start, stop, step))
        self.lengths.append(count)
        if count == 0:
            self.add(0, 0, 1, FULL)
            return
        last = start + (count - 1) * step
        if step > 0:
            self.add(start, last + 1, step if count > 1 else 1, FULL)
        elif count == 1:
            self.add(start, start + 1, 1, FULL)
        else:
            self.add(last, start + 1, -step, FLIPPED)
            self.is_plain = False

    def add_integer(self, item: int | np.integer[Any], size: int) -> bool:
        """Drop a dimension; False where the index is out of bounds."""
        index = int(item)
        if index < 0:
            index += size
        self.is_plain = False
        self.add(index, index + 1, 1, None)
        return 0 <= index < size

    def add_new(self) -> None:
        self.lengths.append(1)
        self.view.append(0)
        self.is_plain = False

    def build(self, shape: tuple[int, ...]) -> Selection:
        box = Box(tuple(self.start), tuple(self.stop), tuple(self.step))
        # The Ellipsis keeps the result of indexing an array, not a scalar.
        view = None if self.is_plain else (*self.view, ...)
        return Selection(shape, tuple(self.lengths), box, view)


def _resolve_basic(items: tuple[Any, ...], shape: tuple[int, ...]) -> Selection | None:
    """Resolve integers, slices, newaxis and one Ellipsis; None for anything else.

    None also for what is wrong: the general path words the errors.
    """
    builder = _BoxBuilder()
    sizes = iter(shape)
    n_left = len(shape)
    ellipsis_seen = False
    try:
        for position, item in enumerate(items):
            if type(item) is slice:
                builder.add_slice(item, next(sizes))
                n_left -= 1
            elif type(item) is int or isinstance(item, np.integer):
                if not builder.add_integer(item, next(sizes)):
                    return None
                n_left -= 1
            elif item is None:
                builder.add_new()
            elif item is Ellipsis and not ellipsis_seen:
                ellipsis_seen = True
                n_after = sum(1 for other in items[position + 1 :] if other is not None)
                n_full = max(0, n_left - n_after)
                builder.add_full(tuple(itertools.islice(sizes, n_full)))
                n_left -= n_full
            else:
                return None
    except (StopIteration, TypeError, ValueError):
        return None
    if n_left:
        builder.add_full(tuple(sizes))
    return builder.build(shape)


def _resolve_block(
    items: tuple[Any, ...], shape: tuple[int, ...], grid: ChunkGrid | None
) -> Selection:
    """Resolve integers and slices that count cells; no dimension is dropped."""
    if grid is None:
        raise SelectionError("a block selection counts the cells of a chunk grid; pass grid=")
    if grid.shape != shape:
        raise SelectionError(
            f"the grid is over shape {grid.shape}, and the array has {shape}; pass the array's own"
        )
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

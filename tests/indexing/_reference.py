"""The simplest way to carry a selection out, and strategies that draw selections."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from anyzarr.indexing import Selection, parts
from anyzarr.metadata._model import ChunkGrid


def numbered(shape: tuple[int, ...]) -> np.ndarray:
    """Return an array in which every element is different."""
    return np.arange(1, math.prod(shape) + 1).reshape(shape)


def read_with(selection: Selection, grid: ChunkGrid, array: np.ndarray) -> np.ndarray:
    """Read through the parts, from blocks that hold no more than each part's box."""
    out = np.zeros(selection.result_shape, array.dtype)
    inner = selection.inner(out)
    assert inner.size == 0 or np.shares_memory(inner, out)
    for part in parts(selection, grid):
        assert (inner[part.target] == 0).all(), "parts overlap"
        inner[part.target] = array[part.box.slices].copy()[part.source]
    assert (out != 0).all(), "parts leave a gap"
    return out


def write_with(
    selection: Selection, grid: ChunkGrid, array: np.ndarray, value: np.ndarray
) -> np.ndarray:
    """Write through the parts; a part said to be whole starts from garbage."""
    result = array.copy()
    inner = selection.inner(np.broadcast_to(value, selection.result_shape))
    for part in parts(selection, grid):
        if part.is_whole:
            assert part.box.slices == tuple(
                slice(e.start, e.stop, 1) for e in grid.extent_of(part.coords)
            )
            block = np.full(part.box.shape, -99, array.dtype)
        else:
            block = result[part.box.slices].copy()
        block[part.source] = inner[part.target]
        result[part.box.slices] = block
    return result


def cells_of(grid: ChunkGrid) -> np.ndarray:
    """Return for every element the number, in C order, of the cell it lies in."""
    result = np.zeros(grid.shape, dtype=np.intp)
    for number, coords in enumerate(grid.coords()):
        result[grid.extent_of(coords)] = number
    return result


@st.composite
def grids(
    draw: st.DrawFn, *, min_dims: int = 0, max_dims: int = 4, min_side: int = 0, max_side: int = 8
) -> ChunkGrid:
    shape = draw(
        npst.array_shapes(min_dims=min_dims, max_dims=max_dims, min_side=1, max_side=max_side)
        if min_dims
        else st.lists(st.integers(min_side, max_side), max_size=max_dims).map(tuple)
    )
    if not shape or draw(st.integers(0, 3)):
        return ChunkGrid(shape, tuple(draw(st.integers(1, n + 2)) for n in shape))
    return ChunkGrid(shape, None, tuple(draw(edges(n)) for n in shape))


@st.composite
def edges(draw: st.DrawFn, size: int) -> tuple[int, ...]:
    """Chunk lengths of a rectilinear dimension; the last chunk may reach past the array."""
    result: list[int] = []
    while sum(result) < size:
        result.append(draw(st.integers(1, 4)))
    return tuple(result)


def integers(size: int) -> st.SearchStrategy[Any]:
    plain = st.integers(-size, size - 1)
    return st.one_of(plain, plain.map(np.int32), plain.map(Indexable))


class Indexable:
    """An object that is an integer by ``__index__`` alone."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __index__(self) -> int:
        return self.value

    def __repr__(self) -> str:
        return f"Indexable({self.value})"


def any_slice(size: int) -> st.SearchStrategy[slice]:
    bound = st.none() | st.integers(-size - 3, size + 3)
    step = st.sampled_from([None, 1, 1, 2, 3, size + 1, -1, -2, -size - 1])
    return st.builds(slice, bound, bound, step)


def index_arrays(size: int, shapes: st.SearchStrategy[tuple[int, ...]]) -> st.SearchStrategy[Any]:
    low = 0 if size == 0 else -size
    dtypes = st.sampled_from([np.int64, np.int8, np.int32])
    signed = dtypes.flatmap(
        lambda dtype: npst.arrays(
            dtype, shapes, elements=st.integers(low, max(size - 1, 0)), fill=st.nothing()
        )
    )
    unsigned = npst.arrays(np.uint64, shapes, elements=st.integers(0, max(size - 1, 0)))
    drawn = st.one_of(signed, signed, unsigned)
    return drawn if size else drawn.filter(lambda a: a.size == 0)


def masks(shape: tuple[int, ...]) -> st.SearchStrategy[np.ndarray]:
    return st.one_of(npst.arrays(np.bool_, shape), st.booleans().map(lambda b: np.full(shape, b)))


@st.composite
def basic_index(draw: st.DrawFn, shape: tuple[int, ...]) -> tuple[Any, ...]:
    """Integers, slices, newaxis and Ellipsis."""
    items = [draw(any_slice(n) if n == 0 else integers(n) | any_slice(n)) for n in shape]
    first, last = sorted((draw(st.integers(0, len(shape))), draw(st.integers(0, len(shape)))))
    if draw(st.booleans()):
        items[first:last] = [Ellipsis]
    else:
        del items[last:]
    return with_new_axes(draw, items)


def with_new_axes(draw: st.DrawFn, items: list[Any]) -> tuple[Any, ...]:
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        items.insert(draw(st.integers(0, len(items))), None)
    return tuple(items)


@st.composite
def numpy_index(draw: st.DrawFn, shape: tuple[int, ...]) -> Any:
    """Everything that numpy takes between brackets, in bounds and broadcastable."""
    common = draw(st.sampled_from([(4,), (3,), (5,), (2, 3), (3, 2), (1,), (0,), ()]))
    # Mostly the full shape; else one that broadcasts to it.
    narrowed = st.sampled_from(
        [common] * 6
        + [
            common[1:],
            (),
            tuple(1 for _ in common),
            (*common[:1], 1)[: len(common)],
            (1, *common[1:]),
        ]
    ).map(lambda s: s[-len(common) :] if common else ())
    items: list[Any] = []
    dim = 0
    seen: set[str] = set()
    kinds = ["array", "array", "array", "list", "slice", "integer", "mask", "flag", "ellipsis"]
    while dim < len(shape) and ("ellipsis" in seen or draw(st.sampled_from([True] * 7 + [False]))):
        kind = draw(st.sampled_from(kinds))
        size = shape[dim]
        if kind == "ellipsis" and kind not in seen:
            items.append(Ellipsis)
            dim += draw(st.integers(0, len(shape) - dim))
            seen.add(kind)
            continue
        if kind == "mask" and kind not in seen:
            ndim = draw(st.integers(1, len(shape) - dim))
            mask = draw(masks(shape[dim : dim + ndim]))
            items.append(mask)
            dim += ndim
            seen.add(kind)
            continue
        if kind == "flag":
            items.append(draw(st.sampled_from([True, np.True_, np.array(True)])))
            continue
        if kind == "integer" and size:
            items.append(draw(integers(size) | st.integers(-size, size - 1).map(np.array)))
        elif kind in ("array", "list") and (size or 0 in common):
            array = draw(index_arrays(size, narrowed if size else st.just(common)))
            items.append(array.tolist() if kind == "list" and array.ndim else array)
        else:
            items.append(draw(any_slice(size)))
        dim += 1
    index = with_new_axes(draw, items)
    return index[0] if len(index) == 1 and draw(st.booleans()) else index


@st.composite
def orthogonal_index(
    draw: st.DrawFn, shape: tuple[int, ...], *, negative_steps: bool = True
) -> tuple[Any, ...]:
    items: list[Any] = []
    for size in shape[: draw(st.integers(0, len(shape)))]:
        kind = draw(st.sampled_from(["slice", "integer", "array", "list", "mask"]))
        if kind == "integer" and size:
            items.append(draw(st.integers(-size, size - 1)))
        elif kind in ("array", "list"):
            array = draw(index_arrays(size, st.integers(0, 6).map(lambda n: (n,))))
            items.append(array.tolist() if kind == "list" else array)
        elif kind == "mask":
            items.append(draw(masks((size,))))
        else:
            positive = any_slice(size).filter(lambda s: negative_steps or (s.step or 1) > 0)
            items.append(draw(positive))
    return tuple(items)


@st.composite
def coordinates(draw: st.DrawFn, shape: tuple[int, ...]) -> tuple[Any, ...]:
    """One index array or integer per dimension, broadcastable; at least one array."""
    common = draw(st.sampled_from([(3,), (5,), (2, 3), (1,), (0,)]))
    items: list[Any] = [draw(index_arrays(n, st.just(common))) for n in shape]
    for dim, size in enumerate(shape[1:], start=1):
        if draw(st.booleans()):
            items[dim] = draw(st.integers(-size, size - 1))
    return tuple(items)


@st.composite
def block_index(draw: st.DrawFn, counts: tuple[int, ...]) -> tuple[Any, ...]:
    items: list[Any] = []
    for count in counts[: draw(st.integers(0, len(counts)))]:
        start = st.none() | st.integers(-count, count - 1)
        stop = st.none() | st.integers(-count, count + 2)
        ranges = st.builds(slice, start, stop, st.sampled_from([None, 1]))
        items.append(draw(st.integers(-count, count - 1) | ranges))
    return tuple(items)


def outer(array: np.ndarray, index: tuple[Any, ...]) -> tuple[tuple[np.ndarray, ...], tuple]:
    """Return an orthogonal index as ``np.ix_`` arrays, and the axes that integers drop."""
    lists, dropped = [], []
    for dim, size in enumerate(array.shape):
        item = index[dim] if dim < len(index) else slice(None)
        if isinstance(item, slice):
            lists.append(np.arange(size)[item])
        elif isinstance(item, int):
            lists.append(np.array([item]))
            dropped.append(dim)
        else:
            given = np.asarray(item)
            lists.append(given if given.dtype == bool else given.astype(np.intp))
    return np.ix_(*lists), tuple(dropped)

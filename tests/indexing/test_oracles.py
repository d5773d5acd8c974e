"""Selections against zarr-python and tensorstore, where their meaning is the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anyzarr.indexing import resolve
from anyzarr.metadata._model import ChunkGrid

from ._reference import (
    block_index,
    coordinates,
    grids,
    masks,
    numbered,
    orthogonal_index,
    read_with,
    write_with,
)

zarr = pytest.importorskip("zarr", reason="zarr-python is not installed")
ts = pytest.importorskip("tensorstore", reason="tensorstore is not installed")
pytestmark = pytest.mark.oracle


def zarr_array(grid: ChunkGrid) -> Any:
    array = zarr.create_array({}, shape=grid.shape, chunks=grid.chunk_shape, dtype="i8")
    array[...] = numbered(grid.shape)
    return array


def regular(**kwargs: Any) -> st.SearchStrategy[ChunkGrid]:
    return grids(min_dims=1, max_dims=3, max_side=7, **kwargs).filter(lambda g: g.is_regular)


def for_zarr(index: Any) -> Any:
    """Return the index with all lists of integers as int64: zarr-python takes no other kinds."""
    if not isinstance(index, tuple):
        return for_zarr((index,))[0]
    arrays = [np.asarray(i) if isinstance(i, list | np.ndarray) else i for i in index]
    return tuple(
        i.astype("i8") if isinstance(i, np.ndarray) and i.dtype.kind != "b" else i for i in arrays
    )


@settings(max_examples=40, deadline=None)
@given(grid=regular(), data=st.data())
def test_zarr_orthogonal(grid: ChunkGrid, data: st.DataObject) -> None:
    index = data.draw(orthogonal_index(grid.shape, negative_steps=False))
    array = zarr_array(grid)
    selection = resolve(index, grid.shape, mode="orthogonal")
    expected = np.asarray(array.oindex[for_zarr(index)])
    np.testing.assert_array_equal(read_with(selection, grid, array[...]), expected, strict=True)
    if any(isinstance(i, list | np.ndarray) and len(np.unique(i)) != len(i) for i in index):
        return  # zarr-python leaves open which value of a repeated index stays
    before = array[...]
    value = -1 - np.arange(expected.size).reshape(expected.shape)
    array.oindex[for_zarr(index)] = value
    np.testing.assert_array_equal(write_with(selection, grid, before, value), array[...])


@settings(max_examples=40, deadline=None)
@given(grid=regular(), data=st.data())
def test_zarr_coordinates(grid: ChunkGrid, data: st.DataObject) -> None:
    index = data.draw(coordinates(grid.shape))
    array = zarr_array(grid)
    selection = resolve(index, grid.shape, mode="vectorized")
    np.testing.assert_array_equal(
        read_with(selection, grid, array[...]), array.vindex[for_zarr(index)], strict=True
    )


@settings(max_examples=25, deadline=None)
@given(grid=regular(), data=st.data())
def test_zarr_masks(grid: ChunkGrid, data: st.DataObject) -> None:
    mask = data.draw(masks(grid.shape))
    array = zarr_array(grid)
    selection = resolve(mask, grid.shape, mode="vectorized")
    np.testing.assert_array_equal(
        read_with(selection, grid, array[...]), array.vindex[mask], strict=True
    )


@settings(max_examples=40, deadline=None)
@given(grid=regular(), data=st.data())
def test_zarr_blocks(grid: ChunkGrid, data: st.DataObject) -> None:
    index = data.draw(block_index(grid.grid_shape))
    array = zarr_array(grid)
    try:
        expected = array.blocks[index]
    except IndexError:
        # An empty range at the very end is out of bounds for zarr-python.
        return
    selection = resolve(index, grid.shape, mode="block", grid=grid)
    np.testing.assert_array_equal(read_with(selection, grid, array[...]), expected, strict=True)


def literal(index: tuple[Any, ...], shape: tuple[int, ...]) -> tuple[Any, ...]:
    """Return the index in coordinates as tensorstore takes them: never from the end."""
    items: list[Any] = []
    for item, size in zip(index, shape, strict=False):
        if isinstance(item, int):
            items.append(item % size)
        elif isinstance(item, slice):
            start, stop, step = item.indices(size)
            count = len(range(start, stop, step))
            if not count:
                items.append(slice(0, 0))
            else:
                end = start + step * count
                items.append(slice(start, end if step == 1 else None, step))
                if step != 1:
                    items[-1] = np.arange(start, end, step)
        else:
            array = np.asarray(item)
            items.append(array if array.dtype == bool else array.astype(np.int64) % max(size, 1))
    return tuple(items)


@settings(max_examples=60, deadline=None)
@given(grid=grids(min_dims=1), data=st.data())
def test_tensorstore_orthogonal(grid: ChunkGrid, data: st.DataObject) -> None:
    index = data.draw(orthogonal_index(grid.shape))
    array = numbered(grid.shape)
    selection = resolve(index, grid.shape, mode="orthogonal")
    expected = ts.array(array).oindex[literal(index, grid.shape)].read().result()
    np.testing.assert_array_equal(read_with(selection, grid, array), expected, strict=True)


@settings(max_examples=60, deadline=None)
@given(grid=grids(min_dims=1), data=st.data())
def test_tensorstore_vectorized(grid: ChunkGrid, data: st.DataObject) -> None:
    index = data.draw(coordinates(grid.shape))
    n_kept = data.draw(st.integers(1, len(index)))
    array = numbered(grid.shape)
    selection = resolve(index[:n_kept], grid.shape, mode="vectorized")
    expected = ts.array(array).vindex[literal(index[:n_kept], grid.shape)].read().result()
    np.testing.assert_array_equal(read_with(selection, grid, array), expected, strict=True)


@pytest.mark.parametrize(
    "index",
    [
        np.s_[:, [0, 1], 3],
        np.s_[[0, 1], :, [2, 3]],
        np.s_[1:3, [[0], [1]], [1, 2, 3]],
        np.s_[:, np.eye(7, 8, dtype=bool)],
    ],
    ids=str,
)
def test_tensorstore_vectorized_with_slices(index: Any) -> None:
    array = numbered((6, 7, 8))
    selection = resolve(index, array.shape, mode="vectorized")
    expected = ts.array(array).vindex[index].read().result()
    result = read_with(selection, ChunkGrid(array.shape, (2, 3, 4)), array)
    np.testing.assert_array_equal(result, expected, strict=True)


@pytest.mark.parametrize(
    "index",
    [
        np.s_[2, 1:3, 0],
        np.s_[..., None, 3],
        np.s_[[0, 5], [1, 2]],
        np.s_[:, [0, 5], [1, 2]],
        np.s_[[0, 5], :, [1, 2]],
        np.s_[[[0], [5]], [1, 2]],
        np.s_[np.eye(6, 7, dtype=bool)],
        np.s_[4:1:-1],
    ],
    ids=str,
)
def test_tensorstore_numpy_style(index: Any) -> None:
    array = numbered((6, 7, 8))
    expected = ts.array(array)[index].read().result()
    result = read_with(resolve(index, array.shape), ChunkGrid(array.shape, (2, 3, 4)), array)
    np.testing.assert_array_equal(result, expected, strict=True)

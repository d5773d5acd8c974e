"""Orthogonal, vectorized and block selections, against numpy."""

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
    outer,
    read_with,
    write_with,
)

SHAPE = (6, 7, 8)
GRID = ChunkGrid(SHAPE, (2, 3, 4))


@settings(max_examples=250, deadline=None)
@given(grid=grids(), data=st.data())
def test_orthogonal(grid: ChunkGrid, data: st.DataObject) -> None:
    index = data.draw(orthogonal_index(grid.shape))
    array = numbered(grid.shape)
    selection = resolve(index, grid.shape, mode="orthogonal")
    ix, dropped = outer(array, index)
    expected = array[ix]
    assert selection.result_shape == expected.squeeze(dropped).shape
    np.testing.assert_array_equal(read_with(selection, grid, array), expected.squeeze(dropped))
    as_numpy = resolve(ix, grid.shape)
    np.testing.assert_array_equal(read_with(as_numpy, grid, array), expected)
    value = -1 - np.arange(expected.size).reshape(expected.shape)
    changed = array.copy()
    changed[ix] = value
    np.testing.assert_array_equal(write_with(as_numpy, grid, array, value), changed)
    np.testing.assert_array_equal(
        write_with(selection, grid, array, value.squeeze(dropped)), changed
    )


@settings(max_examples=150, deadline=None)
@given(grid=grids(min_dims=1), data=st.data())
def test_coordinates(grid: ChunkGrid, data: st.DataObject) -> None:
    index = data.draw(coordinates(grid.shape))
    array = numbered(grid.shape)
    selection = resolve(index, grid.shape, mode="vectorized")
    expected = array[index]
    np.testing.assert_array_equal(read_with(selection, grid, array), expected, strict=True)
    value = -1 - np.arange(expected.size).reshape(expected.shape)
    changed = array.copy()
    changed[index] = value
    np.testing.assert_array_equal(write_with(selection, grid, array, value), changed)


@settings(max_examples=80, deadline=None)
@given(grid=grids(min_dims=1), data=st.data())
def test_masks(grid: ChunkGrid, data: st.DataObject) -> None:
    mask = data.draw(masks(grid.shape))
    array = numbered(grid.shape)
    selection = resolve(mask, grid.shape, mode="vectorized")
    np.testing.assert_array_equal(read_with(selection, grid, array), array[mask], strict=True)
    written = write_with(selection, grid, array, np.array(-1))
    np.testing.assert_array_equal(written, np.where(mask, -1, array))


@settings(max_examples=100, deadline=None)
@given(grid=grids(min_dims=1), data=st.data())
def test_block(grid: ChunkGrid, data: st.DataObject) -> None:
    index = data.draw(block_index(grid.grid_shape))
    array = numbered(grid.shape)
    wanted = np.zeros(grid.shape, dtype=bool)
    cells = np.zeros(grid.grid_shape, dtype=bool)
    cells[tuple(slice(i, i + 1 or None) if isinstance(i, int) else i for i in index)] = True
    for coords in zip(*cells.nonzero(), strict=True):
        wanted[grid.extent_of(tuple(map(int, coords)))] = True
    selection = resolve(index, grid.shape, mode="block", grid=grid)
    assert selection.box is not None
    result = read_with(selection, grid, array)
    np.testing.assert_array_equal(result.ravel(), array[wanted])
    assert result.ndim == array.ndim


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        (np.s_[[0, 5], :, [1, 1]], (2, 7, 2)),
        (np.s_[3, None, [4]], (1, 1, 8)),
        (np.s_[..., 0], (6, 7)),
        (np.s_[:, ::-1, [2, 0]], (6, 7, 2)),
        (np.s_[np.array(2)], (7, 8)),
        (np.s_[[]], (0, 7, 8)),
        (np.ones((6, 7), bool), (42, 8)),
        (np.s_[[1, 0], np.eye(7, 8, dtype=bool)], (2, 7)),
    ],
    ids=str,
)
def test_orthogonal_shapes(index: Any, expected: tuple[int, ...]) -> None:
    assert resolve(index, SHAPE, mode="orthogonal").result_shape == expected


def test_orthogonal_masks_of_several_dimensions_run_along_one_axis() -> None:
    array = numbered(SHAPE)
    mask = array[:, :, 0] % 3 == 0
    selection = resolve((mask, [6, 0, 0]), SHAPE, mode="orthogonal")
    np.testing.assert_array_equal(read_with(selection, GRID, array), array[mask][:, [6, 0, 0]])


@pytest.mark.parametrize(
    ("index", "same_as"),
    [
        (np.s_[:, [0, 1], 3], lambda a: a[:, [0, 1], 3].T),
        (np.s_[:, [[0], [1]], [1, 2, 3]], lambda a: np.moveaxis(a, 0, -1)[[[0], [1]], [1, 2, 3]]),
        (np.s_[[0, 1]], lambda a: a[[0, 1]]),
        (np.s_[2, 3, 4], lambda a: a[2, 3, 4]),
        (np.s_[1:3, ::-1], lambda a: a[1:3, ::-1]),
        (np.s_[[0, 1], ..., [2, 3]], lambda a: a[[0, 1], :, [2, 3]]),
    ],
    ids=lambda value: "" if callable(value) else str(value),
)
def test_vectorized_puts_the_arrays_first(index: Any, same_as: Any) -> None:
    array = numbered(SHAPE)
    result = read_with(resolve(index, SHAPE, mode="vectorized"), GRID, array)
    np.testing.assert_array_equal(result, same_as(array), strict=True)


def test_an_integer_block_keeps_its_dimension() -> None:
    selection = resolve(np.s_[-1, ..., 1], SHAPE, mode="block", grid=GRID)
    assert selection.result_shape == (2, 7, 4)
    assert selection.box is not None
    assert selection.box.slices == np.s_[4:6:1, 0:7:1, 4:8:1]


def test_blocks_of_a_rectilinear_grid() -> None:
    grid = ChunkGrid((10,), None, ((3, 1, 9),))
    selection = resolve(np.s_[1:], (10,), mode="block", grid=grid)
    assert selection.box is not None
    assert selection.box.slices == (slice(3, 10, 1),)


def test_blocks_of_an_empty_dimension() -> None:
    grid = ChunkGrid((0, 4), (2, 2))
    assert resolve(np.s_[:, 1], (0, 4), mode="block", grid=grid).result_shape == (0, 2)

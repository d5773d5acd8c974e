"""mode="numpy" gives what numpy gives: shape, values, and what a write leaves behind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anyzarr.abc import Box
from anyzarr.errors import SelectionError
from anyzarr.indexing import parts, resolve
from anyzarr.metadata._model import ChunkGrid

from ._reference import Indexable, basic_index, grids, numbered, numpy_index, read_with, write_with


def check_against_numpy(grid: ChunkGrid, index: Any) -> None:
    array = numbered(grid.shape)
    try:
        expected = np.asarray(array[index])
    except IndexError:
        # Drawn masks and arrays that cannot be broadcast.
        with pytest.raises(SelectionError):
            resolve(index, grid.shape)
        return
    selection = resolve(index, grid.shape)
    assert selection.result_shape == expected.shape
    assert selection.n_selected == expected.size
    assert selection.is_empty == (expected.size == 0)
    np.testing.assert_array_equal(read_with(selection, grid, array), expected)
    value = -1 - np.arange(expected.size).reshape(expected.shape)
    changed = array.copy()
    changed[index] = value
    np.testing.assert_array_equal(write_with(selection, grid, array, value), changed)
    changed[index] = -7
    np.testing.assert_array_equal(write_with(selection, grid, array, np.array(-7)), changed)


@settings(max_examples=150, deadline=None)
@given(grid=grids(), data=st.data())
def test_basic(grid: ChunkGrid, data: st.DataObject) -> None:
    index = data.draw(basic_index(grid.shape))
    selection = resolve(index, grid.shape)
    assert selection.box is not None
    assert selection.inner(np.empty(selection.result_shape)).shape == selection.box.shape
    check_against_numpy(grid, index)


@settings(max_examples=800, deadline=None)
@given(grid=grids() | grids(min_dims=2) | grids(min_dims=3, max_side=5), data=st.data())
def test_everything(grid: ChunkGrid, data: st.DataObject) -> None:
    check_against_numpy(grid, data.draw(numpy_index(grid.shape)))


CUBE = (5, 6, 7)


@pytest.mark.parametrize(
    "index",
    [
        np.s_[0, :, [1, 2]],
        np.s_[:, 0, [1, 2]],
        np.s_[[0, 1], :, [1, 2]],
        np.s_[[0, 1], [1, 2]],
        np.s_[:, [0, 1], [1, 2]],
        np.s_[None, [0, 1], None, [1, 2]],
        np.s_[[[0], [1]], [[1, 2, 3]]],
        np.s_[[[0], [1]], :, [[1, 2, 3]]],
        np.s_[..., [[0], [1]], [[1, 2, 3]]],
        np.s_[[0, 1], ..., [1, 2]],
        np.s_[[0, 1], [1, 2], [3, 4], ...],
        np.s_[:, [0, 1], ..., 3],
        np.ix_([4, 0, 4], [5, 1], [6, 2, 0]),
        np.ix_([4, 0], [5, 1], [6, 2, 0])[::-1][:0],
        True,
        False,
        np.s_[True, None, 2],
        np.s_[1, True, [0, 1]],
        np.s_[np.array(2)],
        np.s_[np.array(2), [0, 1]],
        np.s_[[]],
        np.s_[:, []],
        np.s_[[], []],
        np.s_[[[]]],
        np.s_[range(3), range(1, 4)],
        (),
        np.s_[...],
        np.s_[Indexable(-1), Indexable(1) : Indexable(5)],
        np.s_[np.uint8(200) - np.uint8(198)],
        np.s_[np.array([0, 4], dtype=np.uint64)],
        np.s_[4:1, 2],
        np.s_[100:, -100:],
        np.s_[::-1, ::-2, -2:-6:-3],
    ],
    ids=str,
)
def test_numpy_agrees(index: Any) -> None:
    array = numbered(CUBE)
    grid = ChunkGrid(CUBE, (2, 3, 4))
    expected = array[index]
    np.testing.assert_array_equal(
        read_with(resolve(index, CUBE), grid, array), expected, strict=True
    )
    changed = array.copy()
    value = -1 - np.arange(expected.size).reshape(expected.shape)
    changed[index] = value
    np.testing.assert_array_equal(
        write_with(resolve(index, CUBE), grid, array, value), changed, strict=True
    )


COLUMN, ROW, OTHER = [[2], [0], [2]], [[4, 0, 1]], [[1], [3], [0]]


@pytest.mark.parametrize(
    "index",
    [
        (COLUMN, ROW, OTHER),
        (slice(None), COLUMN, ROW, OTHER),
        (COLUMN, slice(None), ROW, OTHER),
        (COLUMN, slice(None, None, -2), ROW, slice(1, 3)),
        (slice(None), COLUMN, slice(None), ROW),
        (slice(None), COLUMN, slice(None), OTHER),
        (slice(None), [2, 0, 1], slice(1, None), [1, 3, 0]),
        (1, [2, 0, 1], slice(1, None), [1, 3, 0]),
        (slice(None), [2, 0, 1], 1, [1, 3, 0]),
        (COLUMN, [[4, 0, 1], [0, 0, 2], [3, 1, 1]], slice(None), OTHER),
    ],
    ids=repr,
)
def test_arrays_that_share_some_axes(index: Any) -> None:
    array = numbered((4, 5, 5, 5))
    grid = ChunkGrid(array.shape, (3, 2, 4, 2))
    expected = array[index]
    selection = resolve(index, array.shape)
    np.testing.assert_array_equal(read_with(selection, grid, array), expected, strict=True)
    value = -1 - np.arange(expected.size).reshape(expected.shape)
    changed = array.copy()
    changed[index] = value
    np.testing.assert_array_equal(write_with(selection, grid, array, value), changed)


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_masks_of_leading_dimensions(ndim: int) -> None:
    array = numbered(CUBE)
    mask = array[(...,) + (0,) * (3 - ndim)] % 3 == 0
    grid = ChunkGrid(CUBE, (2, 3, 4))
    np.testing.assert_array_equal(read_with(resolve(mask, CUBE), grid, array), array[mask])


@pytest.mark.parametrize(
    ("index", "shape", "box"),
    [
        (np.s_[3], (5,), Box((3,), (4,), (1,))),
        (np.s_[-1, 1:], (5, 4), Box((4, 1), (5, 4), (1, 1))),
        (np.s_[::-2], (6,), Box((1,), (6,), (2,))),
        (np.s_[::4], (6,), Box((0,), (5,), (4,))),
        (np.s_[2::100], (6,), Box((2,), (3,), (1,))),
        (np.s_[[1, 3, 5]], (6,), Box((1,), (6,), (2,))),
        (np.s_[[5, 4, 3]], (6,), Box((3,), (6,), (1,))),
        (np.s_[[2], [3]], (6, 6), Box((2, 3), (3, 4), (1, 1))),
        (np.array([False, True, True, False]), (4,), Box((1,), (3,), (1,))),
        (np.s_[[1, 3, 4]], (6,), None),
        (np.s_[[1, 1]], (6,), None),
    ],
    ids=str,
)
def test_box(index: Any, shape: tuple[int, ...], box: Box | None) -> None:
    assert resolve(index, shape).box == box


def test_a_grid_of_indices_reads_each_cell_once() -> None:
    selection = resolve(np.ix_([0, 9, 5], [7, 0, 2]), (10, 10))
    found = [part.coords for part in parts(selection, ChunkGrid((10, 10), (5, 5)))]
    assert found == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_inner_writes_through_any_strides() -> None:
    selection = resolve(np.s_[[3, 0, 0], :, ::-1, 1], (4, 3, 5, 2))
    out = np.zeros((5, 3, 3), order="F").transpose(1, 2, 0)[::-1]
    selection.inner(out)[...] = 5
    assert (out == 5).all()


def test_inner_refuses_another_shape() -> None:
    with pytest.raises(SelectionError, match=r"\(3, 2\).*\(2, 3\)"):
        resolve(np.s_[:2], (5, 3)).inner(np.zeros((3, 2)))


def test_resolving_again_changes_nothing() -> None:
    selection = resolve(np.s_[1:3], (5,))
    assert resolve(selection, (5,)) is selection
    with pytest.raises(SelectionError):
        resolve(selection, (6,))


def test_the_callers_arrays_are_left_alone() -> None:
    indices = np.array([-1, 0, -2])
    resolve((indices,), (5,))
    assert indices.tolist() == [-1, 0, -2]

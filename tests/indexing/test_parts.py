"""Parts: exactly the cells that hold selected elements, in order, each with its smallest box."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anyzarr.abc import Box
from anyzarr.errors import SelectionError
from anyzarr.indexing import Part, Plan, box_parts, parts, plan, resolve, touched
from anyzarr.metadata._model import ChunkGrid

from ._reference import (
    basic_index,
    cells_of,
    coordinates,
    grids,
    numbered,
    numpy_index,
    orthogonal_index,
    write_with,
)


def check_parts(index: Any, mode: Any, grid: ChunkGrid, selected: np.ndarray) -> None:
    """Compare with a mask of the selected elements, worked out without a grid."""
    cells = cells_of(grid)
    expected = np.unique(cells[selected])
    selection = resolve(index, grid.shape, mode=mode)
    found = list(parts(selection, grid))
    coords = [part.coords for part in found]
    assert list(touched(selection, grid)) == coords
    numbers = [int(np.ravel_multi_index(c, grid.grid_shape)) if c else 0 for c in coords]
    assert numbers == expected.tolist()
    for part, number in zip(found, numbers, strict=True):
        here = selected & (cells == number)
        bounds = [(int(a.min()), int(a.max()) + 1) for a in np.argwhere(here).T]
        assert part.box == Box(
            tuple(a for a, _ in bounds), tuple(b for _, b in bounds), (1,) * len(bounds)
        )
        assert part.is_whole == bool(selected[cells == number].all())
        assert all(type(n) is int for n in (*part.coords, *part.box.start, *part.box.stop))


def selected_by(index: Any, shape: tuple[int, ...]) -> np.ndarray:
    selected = np.zeros(shape, dtype=bool)
    selected[index] = True
    return selected


@settings(max_examples=100, deadline=None)
@given(grid=grids(), data=st.data())
def test_of_boxes(grid: ChunkGrid, data: st.DataObject) -> None:
    index = data.draw(basic_index(grid.shape))
    check_parts(index, "numpy", grid, selected_by(index, grid.shape))
    box = resolve(index, grid.shape).box
    assert box is not None
    assert [as_values(p) for p in box_parts(box, grid)] == [
        as_values(p) for p in parts(resolve(index, grid.shape), grid)
    ]


def as_values(part: Part) -> tuple[Any, ...]:
    return part.coords, part.box, part.source, part.target, part.is_whole


@settings(max_examples=200, deadline=None)
@given(grid=grids(min_dims=1), data=st.data())
def test_of_numpy_indices(grid: ChunkGrid, data: st.DataObject) -> None:
    index = data.draw(numpy_index(grid.shape))
    try:
        selected = selected_by(index, grid.shape)
    except IndexError:
        return
    check_parts(index, "numpy", grid, selected)


@settings(max_examples=100, deadline=None)
@given(grid=grids(min_dims=1), data=st.data())
def test_of_orthogonal_indices(grid: ChunkGrid, data: st.DataObject) -> None:
    index = data.draw(orthogonal_index(grid.shape))
    along = [
        selected_by(item if isinstance(item, int | slice) or len(item) else [], (n,))
        for item, n in zip(index, grid.shape, strict=False)
        if isinstance(item, list | int | slice | np.ndarray)
    ]
    along += [np.ones(n, dtype=bool) for n in grid.shape[len(index) :]]
    selected = np.ones(grid.shape, dtype=bool)
    for dim, one in enumerate(along):
        selected &= np.expand_dims(one, [d for d in range(selected.ndim) if d != dim])
    check_parts(index, "orthogonal", grid, selected)


@settings(max_examples=80, deadline=None)
@given(grid=grids(min_dims=1), data=st.data())
def test_of_coordinates(grid: ChunkGrid, data: st.DataObject) -> None:
    index = data.draw(coordinates(grid.shape))
    check_parts(index, "vectorized", grid, selected_by(index, grid.shape))


def test_steps_larger_than_chunks_skip_chunks() -> None:
    grid = ChunkGrid((10**12,), (10,))
    found = list(parts(resolve(np.s_[5 :: 10**11], grid.shape), grid))
    assert [part.coords[0] for part in found] == [i * 10**10 for i in range(10)]
    assert all(part.box.shape == (1,) for part in found)


def test_parts_of_a_box_are_made_one_at_a_time() -> None:
    grid = ChunkGrid((10**15, 20), (1, 10))
    first = next(parts(resolve(np.s_[7:, 5:], grid.shape), grid))
    assert first.coords == (7, 0)
    assert first.target == np.s_[0:1, 0:5]


def test_more_cells_than_64_bits_can_count() -> None:
    shape = (2**40, 2**40)
    grid = ChunkGrid(shape, (1, 1))
    index = ([2**40 - 1, 0, 2**40 - 1], [0, 2**40 - 1, 0])
    found = list(parts(resolve(index, shape), grid))
    assert [part.coords for part in found] == [(0, 2**40 - 1), (2**40 - 1, 0)]
    assert [part.target[0].tolist() for part in found] == [[1], [0, 2]]


def test_a_sorted_selection_has_slices_for_targets() -> None:
    grid = ChunkGrid((10, 4), (5, 4))
    found = list(parts(resolve([0, 2, 3, 6, 6], grid.shape), grid))
    assert [part.target for part in found] == [
        np.s_[0:3, 0:4],
        np.s_[3:5, 0:4],
    ]


def test_a_zero_dimensional_array_is_one_whole_part() -> None:
    (part,) = parts(resolve((), ()), ChunkGrid((), ()))
    assert as_values(part) == ((), Box((), (), ()), (), (), True)


def test_nothing_selected_has_no_parts() -> None:
    grid = ChunkGrid((4, 4), (2, 2))
    for index in (np.s_[2:2], np.s_[[]], np.zeros((4, 4), bool), np.s_[False], np.s_[[[]], [[]]]):
        assert list(parts(resolve(index, (4, 4)), grid)) == []


def test_points_of_separated_dimensions_come_in_order_of_cells() -> None:
    grid = ChunkGrid((4, 4, 4), (2, 2, 2))
    found = list(touched(resolve(np.s_[[3, 0], :, [0, 3]], grid.shape), grid))
    assert found == [(0, 0, 1), (0, 1, 1), (1, 0, 0), (1, 1, 0)]


def test_a_grid_over_another_shape_is_refused() -> None:
    selection = resolve(np.s_[:], (4,))
    with pytest.raises(SelectionError):
        parts(selection, ChunkGrid((5,), (2,)))
    with pytest.raises(SelectionError):
        touched(selection, ChunkGrid((5,), (2,)))


class Sharded:
    """As much of an array's metadata as a plan needs."""

    def __init__(self, grid: ChunkGrid, subchunk_grid: ChunkGrid) -> None:
        self.grid = grid
        self.subchunk_grid = subchunk_grid


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_plan(data: st.DataObject) -> None:
    shape = (9, 7)
    metadata: Any = Sharded(ChunkGrid(shape, (4, 6)), ChunkGrid(shape, (2, 3)))
    index = data.draw(numpy_index(shape))
    try:
        selected = selected_by(index, shape)
    except IndexError:
        return
    assert plan(resolve(index, shape), metadata) == Plan(
        chunks_with(selected, metadata.grid), chunks_with(selected, metadata.subchunk_grid)
    )


def chunks_with(selected: np.ndarray, grid: ChunkGrid) -> tuple[tuple[int, ...], ...]:
    return tuple(c for c in grid.coords() if selected[grid.extent_of(c)].any())


def test_plan_without_shards_gives_the_chunks_twice() -> None:
    grid = ChunkGrid((9,), (4,))
    metadata: Any = Sharded(grid, grid)
    assert plan(resolve(np.s_[5], (9,)), metadata) == Plan(((1,),), ((1,),))


def test_duplicates_keep_the_last_value() -> None:
    grid = ChunkGrid((4, 4), (3, 2))
    index = np.s_[[1, 3, 1, 1], [2, 0, 2, 2]]
    array = numbered((4, 4))
    selection = resolve(index, (4, 4))
    inner = selection.inner(np.array([-1, -2, -3, -4]))
    for part in parts(selection, grid):
        block = array[part.box.slices].copy()
        block[part.source] = inner[part.target]
        array[part.box.slices] = block
    assert array[1, 2] == -4
    assert array[3, 0] == -2


@pytest.mark.parametrize("chunks", [(1, 1), (3, 2), (7, 40)])
def test_the_last_of_many_values_stays(chunks: tuple[int, int]) -> None:
    """Long enough for a sort that is not stable to mix equal cells up."""
    rng = np.random.default_rng(5)
    index = (rng.integers(0, 7, 3000), rng.integers(-40, 40, 3000))
    array = numbered((7, 40))
    expected = array.copy()
    expected[index] = -np.arange(3000)
    selection = resolve(index, array.shape)
    result = write_with(selection, ChunkGrid(array.shape, chunks), array, -np.arange(3000))
    np.testing.assert_array_equal(result, expected)

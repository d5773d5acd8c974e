"""The touched cells of a box, against counting every element."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from anyzarr.abc import Box
from anyzarr.engines._cells import cells_of, view
from anyzarr.metadata import ChunkGrid


@st.composite
def grids(draw: st.DrawFn) -> ChunkGrid:
    ndim = draw(st.integers(0, 3))
    if draw(st.booleans()):
        shape = tuple(draw(st.integers(1, 9)) for _ in range(ndim))
        return ChunkGrid(shape, tuple(draw(st.integers(1, 11)) for _ in range(ndim)))
    edges = tuple(
        tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))) for _ in range(ndim)
    )
    shape = tuple(draw(st.integers(sum(e) - e[-1] + 1, sum(e))) for e in edges)
    return ChunkGrid(shape, None, edges)


@st.composite
def grids_and_boxes(draw: st.DrawFn) -> tuple[ChunkGrid, Box]:
    grid = draw(grids())
    start = tuple(draw(st.integers(0, n - 1)) for n in grid.shape)
    stop = tuple(draw(st.integers(a + 1, n)) for a, n in zip(start, grid.shape, strict=True))
    step = tuple(draw(st.integers(1, n + 1)) for n in grid.shape)
    return grid, Box(start, stop, step)


@given(grids_and_boxes())
def test_cells_hold_exactly_the_selected_elements(given_: tuple[ChunkGrid, Box]) -> None:
    grid, box = given_
    array = np.arange(int(np.prod(grid.shape))).reshape(grid.shape)
    out = np.full(box.shape, -1)
    cells = cells_of(box, grid)
    seen = []
    for cell in cells:
        block = array[(*grid.extent_of(cell.coords), ...)]
        part = view(block, cell.within)
        assert part.size > 0
        view(out, cell.target)[...] = part
        assert cell.is_whole == (part.size == block.size)
        seen.append(cell.coords)
    assert np.array_equal(out, array[(*box.slices, ...)])
    assert len(cells) == len(seen)
    assert seen == sorted(set(seen))


def test_cells_of_a_large_grid_are_not_listed() -> None:
    grid = ChunkGrid((10**9, 10**9), (1000, 1000))
    cells = cells_of(Box((0, 0), (10**9, 10**5), (1, 1)), grid)
    assert len(cells) == 10**6 * 100
    assert [c.coords for c in itertools.islice(cells, 2)] == [(0, 0), (0, 1)]


def test_a_box_without_elements_touches_nothing() -> None:
    assert list(cells_of(Box((2,), (2,), (1,)), ChunkGrid((4,), (2,)))) == []

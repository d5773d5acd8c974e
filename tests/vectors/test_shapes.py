"""Trees in depth-first order, paths cut at cells, and what a box meets."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyzarr.errors import MetadataError
from anyzarr.vectors._crossing import faces_met, links_met, vertices_met
from anyzarr.vectors._forest import depth_first, parents_of
from anyzarr.vectors._grid import CellGrid
from anyzarr.vectors._runs import bridges_of, runs_of

COORDINATE = st.integers(-6, 6)


@st.composite
def forests(draw: st.DrawFn) -> list[int]:
    """Return parents, -1 for roots, numbered at random."""
    n = draw(st.integers(0, 30))
    earlier = [draw(st.integers(-1, i - 1)) for i in range(n)]
    number = draw(st.permutations(range(n)))
    parent = [-1] * n
    for i, above in enumerate(earlier):
        parent[number[i]] = -1 if above < 0 else number[above]
    return parent


@given(forests())
def test_depth_first_is_what_a_stack_gives(parent: list[int]) -> None:
    expected: list[int] = []
    stack = [v for v in reversed(range(len(parent))) if parent[v] < 0]
    while stack:
        vertex = stack.pop()
        expected.append(vertex)
        stack.extend(v for v in reversed(range(len(parent))) if parent[v] == vertex)
    forest = depth_first(np.array(parent, np.int64))
    assert forest.order.tolist() == expected
    roots = [v for v in expected if parent[v] < 0]
    for vertex in range(len(parent)):
        above = vertex
        while parent[above] >= 0:
            above = parent[above]
        assert roots[forest.tree[vertex]] == above


def test_a_long_path_is_ordered_without_recursion() -> None:
    n = 100_000
    parent = np.arange(1, n + 1)
    parent[-1] = -1
    assert np.array_equal(depth_first(parent).order, np.arange(n)[::-1])


@pytest.mark.parametrize("parent", [[0], [1, 0], [-1, 2, 3, 1], [1, 2, 0, 0, -1]])
def test_cycles_are_refused(parent: list[int]) -> None:
    with pytest.raises(MetadataError) as caught:
        depth_first(np.array(parent))
    assert caught.value.kind == "skeleton"


def test_a_vertex_of_two_parents_is_refused() -> None:
    with pytest.raises(MetadataError) as caught:
        parents_of(np.array([[2, 0], [2, 1]]), 3)
    assert caught.value.kind == "skeleton"


@given(st.lists(st.lists(st.tuples(COORDINATE, COORDINATE), max_size=8), max_size=5))
def test_runs_lie_in_one_cell_and_follow_each_other(paths: list[list[tuple[int, int]]]) -> None:
    grid = CellGrid.over(((-6.0, -6.0), (6.0, 6.0)), (3.0, 4.0))
    positions = np.array([v for path in paths for v in path], np.float64).reshape(-1, 2)
    offsets = np.concatenate([[0], np.cumsum([len(path) for path in paths])]).astype(np.int64)
    runs = runs_of(grid, positions, offsets)
    expected: list[tuple[int, tuple[int, int]]] = []
    number, bridges, vertex = [], [], 0
    for path_number, path in enumerate(paths):
        for i, (x, y) in enumerate(path):
            cell = (x // 3, y // 4)
            if i == 0 or expected[-1][1] != cell:
                bridges += [[vertex - 1, vertex]] if i else []
                expected.append((path_number, cell))
            number.append(len(expected) - 1)
            vertex += 1
    assert runs.run.tolist() == number
    assert runs.path.tolist() == [path_number for path_number, _ in expected]
    assert bridges_of(runs.run, runs.path).tolist() == bridges


Point = Sequence[Fraction]


def clipped(rim: list[list[Fraction]], low: Sequence[int], high: Sequence[int]) -> bool:
    """Return whether anything is left of a convex rim after cutting it by each plane of the box."""
    for axis in range(len(low)):
        for sign, limit in ((1, -low[axis]), (-1, high[axis])):
            kept: list[list[Fraction]] = []
            for a, b in zip(rim, rim[1:] + rim[:1], strict=True):
                over_a, over_b = sign * a[axis] + limit, sign * b[axis] + limit
                if over_a >= 0:
                    kept.append(a)
                if (over_a > 0 > over_b) or (over_a < 0 < over_b):
                    t = over_a / (over_a - over_b)
                    kept.append([p + t * (q - p) for p, q in zip(a, b, strict=True)])
            rim = kept
    return bool(rim)


def fractions(points: Sequence[Sequence[int]]) -> list[list[Fraction]]:
    return [[Fraction(c) for c in point] for point in points]


@st.composite
def boxes(draw: st.DrawFn, ndim: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    low = [draw(COORDINATE) for _ in range(ndim)]
    return tuple(low), tuple(c + draw(st.integers(0, 5)) for c in low)


@given(st.data(), st.integers(1, 4))
def test_segments_met_by_a_box(data: st.DataObject, ndim: int) -> None:
    point = st.tuples(*[COORDINATE] * ndim)
    segments = data.draw(st.lists(st.tuples(point, point), min_size=1, max_size=10))
    box = data.draw(boxes(ndim))
    ends = np.array(segments, np.float64)
    expected = [clipped(fractions(segment), *box) for segment in segments]
    assert (
        links_met(ends.reshape(-1, ndim), np.arange(ends.size // ndim).reshape(-1, 2), box).tolist()
        == expected
    )
    inside = [
        all(a <= c <= b for a, c, b in zip(box[0], s[0], box[1], strict=True)) for s in segments
    ]
    assert vertices_met(ends[:, 0], box).tolist() == inside


@given(st.data(), st.integers(2, 3))
def test_triangles_met_by_a_box(data: st.DataObject, ndim: int) -> None:
    point = st.tuples(*[COORDINATE] * ndim)
    triangles = data.draw(st.lists(st.tuples(point, point, point), min_size=1, max_size=10))
    box = data.draw(boxes(ndim))
    expected = [clipped(fractions(triangle), *box) for triangle in triangles]
    assert faces_met(np.array(triangles, np.float64), box).tolist() == expected

"""Links in the arrays of a level: written in turns, read for some cells, and damaged."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anyzarr import open_group
from anyzarr.abc import Ragged
from anyzarr.errors import CorruptDataError, MetadataError
from anyzarr.vectors import read_graph, read_mesh, write_graph, write_mesh
from anyzarr.vectors._cell_index import CellIndex
from anyzarr.vectors._gather import gather_cells
from anyzarr.vectors._level import open_level
from anyzarr.vectors._read_links import StoredLinks

Array = npt.NDArray[Any]
BOUNDS = {2: ([-12.0] * 2, [12.0] * 2), 3: ([-12.0] * 3, [12.0] * 3), 1: ([-12.0], [12.0])}


def stored_links(memory: Any) -> StoredLinks:
    found = StoredLinks.open(open_group(memory), 0)
    assert found is not None
    return found


def weights_of(positions: Array, links: Array, weights: Array) -> list[Any]:
    """Return links by the positions of their vertices, each with its weight."""
    return sorted(zip(positions[links].tolist(), weights.tolist(), strict=True))


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    counts=st.lists(st.tuples(st.integers(1, 20), st.integers(0, 20)), min_size=1, max_size=3),
    width=st.integers(3, 5),
    ndim=st.integers(1, 3),
    shards=st.sampled_from([None, 3, "auto"]),
)
def test_links_come_back_with_their_attributes_and_the_order_of_their_vertices(
    seed: int, counts: list[tuple[int, int]], width: int, ndim: int, shards: Any
) -> None:
    rng = np.random.default_rng(seed)
    memory: dict[str, bytes] = {}
    expected = []
    for n, m in counts:
        positions = rng.uniform(-12, 12, (n, ndim))
        links, weights = rng.integers(0, n, (m, width)), rng.random(m)
        write_mesh(
            memory,
            positions,
            links.reshape(m, width),
            chunk_shape=(6.0,) * ndim,
            bounds=BOUNDS[ndim],
            dtype="float64",
            shard_shape=shards,
            face_attributes={"w": weights},
            mode="append",
        )
        expected += weights_of(positions, links, weights)
    mesh = read_mesh(memory)
    assert weights_of(mesh.vertices, mesh.faces, mesh.face_attributes["w"]) == sorted(expected)
    assert stored_links(memory).family.width == width


def graph(n: int = 60, m: int = 200, **options: Any) -> tuple[dict[str, bytes], Array, Array]:
    rng = np.random.default_rng(n)
    memory: dict[str, bytes] = {}
    positions, links = rng.uniform(-12, 12, (n, 2)), rng.integers(0, n, (m, 2))
    write_graph(
        memory, positions, links, chunk_shape=(6.0, 6.0), bounds=BOUNDS[2], dtype="float64",
        link_attributes={"w": np.arange(float(m))}, **options,
    )  # fmt: skip
    return memory, positions, links


def test_links_that_leave_the_cells_read_are_left_out() -> None:
    memory, positions, links = graph()
    level = open_level(memory, 0)
    gathered = gather_cells(level, level.cells[::2])
    found = stored_links(memory).read(gathered.cells, gathered.cell_rows).vertices
    vertices = gathered.vertices_at(found)
    inside = CellIndex(level.cells[::2]).find(level.grid.cells(positions)) >= 0
    expected = positions[links[inside[links].all(axis=1)]]
    assert sorted(gathered.positions[vertices].tolist()) == sorted(expected.tolist())


def test_the_cells_near_a_box_are_those_of_links_that_may_cross_it() -> None:
    memory: dict[str, bytes] = {}
    write_graph(memory, [[-11.0], [11.0]], [[0, 1]], chunk_shape=(6.0,))
    links, grid = stored_links(memory), open_level(memory, 0).grid
    assert links.near(grid, ((0.0,), (1.0,))).tolist() == [[-2], [1]]
    assert links.near(grid, ((12.0,), (13.0,))).tolist() == []


def test_links_are_not_added_to_others() -> None:
    memory, positions, _ = graph()
    more: dict[str, Any] = {"mode": "append", "bounds": None}
    with pytest.raises(MetadataError) as caught:
        write_graph(memory, positions, [[0, 1]], link_attributes={"v": [1.0]}, **more)
    assert caught.value.kind == "link_attributes"
    before = read_graph(memory)
    mesh: dict[str, bytes] = {}
    write_mesh(mesh, positions, [[0, 1, 2]], chunk_shape=(6.0, 6.0))
    with pytest.raises(MetadataError) as caught:
        write_mesh(mesh, positions, [[0, 1, 2, 3]], mode="append")
    assert caught.value.kind == "links"
    assert before.node_count == 60


def first_array(arrays: Any) -> Any:
    return next(array for array in arrays if len(array.nonempty))


def test_a_link_to_no_vertex_is_corrupt() -> None:
    memory, _, _ = graph()
    links = stored_links(memory)
    array = first_array(a for a, o in zip(links.arrays, links.offsets, strict=True) if not o.any())
    array.write(array.nonempty[:1], Ragged.from_lengths(np.array([0, 99], "<i8"), [16]))
    with pytest.raises(CorruptDataError) as caught:
        read_graph(memory)
    assert caught.value.path == array.path
    assert caught.value.chunk_coords == tuple(array.nonempty[0].tolist())


def test_an_attribute_of_too_few_rows_is_corrupt() -> None:
    memory, _, _ = graph()
    array = first_array(stored_links(memory).attributes["w"])
    array.write(array.nonempty[:1], Ragged.from_lengths(np.zeros(0), [0]))
    with pytest.raises(CorruptDataError) as caught:
        read_graph(memory)
    assert caught.value.path == array.path


def test_vertices_in_no_order_are_corrupt() -> None:
    memory, _, _ = graph()
    links = stored_links(memory)
    array = first_array(a for a, o in zip(links.arrays, links.offsets, strict=True) if o.any())
    rows = np.array([1, 0, 2, 0, 0], "<i8")
    array.write(array.nonempty[:1], Ragged.from_lengths(rows, [40]))
    with pytest.raises(CorruptDataError) as caught:
        read_graph(memory)
    assert caught.value.path == array.path


def test_a_level_of_points_has_no_links() -> None:
    from anyzarr.vectors import write_points

    memory: dict[str, bytes] = {}
    write_points(memory, [[1.0, 2.0]])
    assert StoredLinks.open(open_group(memory), 0) is None


@given(st.data(), st.integers(1, 3))
def test_cells_are_found_by_their_coordinates(data: st.DataObject, ndim: int) -> None:
    cell = st.tuples(*[st.integers(-4, 4)] * ndim)
    cells = data.draw(st.lists(cell, unique=True, max_size=20))
    wanted = data.draw(st.lists(cell, max_size=20))
    found = CellIndex(np.array(cells, np.int64).reshape(-1, ndim)).find(
        np.array(wanted, np.int64).reshape(-1, ndim)
    )
    assert found.tolist() == [cells.index(c) if c in cells else -1 for c in wanted]

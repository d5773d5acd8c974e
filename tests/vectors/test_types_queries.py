"""Reading lines, polylines, graphs, skeletons and meshes in part, against all of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anyzarr.errors import MetadataError, NodeExistsError, NodeNotFoundError, SelectionError
from anyzarr.vectors import (
    read_graph,
    read_lines,
    read_mesh,
    read_polylines,
    write_graph,
    write_lines,
    write_mesh,
    write_polylines,
)
from anyzarr.vectors._crossing import faces_met, links_met, vertices_met

Array = npt.NDArray[Any]
Box = tuple[tuple[float, ...], tuple[float, ...]]

SEED = st.integers(0, 2**32)
SOME = settings(max_examples=30, deadline=None)
CHUNKS = (10.0, 7.5)
MODES = st.sampled_from(["intersects", "touches-chunk", "clip"])


def random_box(rng: np.random.Generator, ndim: int = 2) -> Box:
    low = rng.uniform(-25, 20, ndim)
    return tuple(low.tolist()), tuple((low + rng.uniform(0, 12, ndim)).tolist())


def random_paths(rng: np.random.Generator, n: int, ndim: int = 2) -> list[Array]:
    steps = [rng.normal(0, 5, (int(rng.integers(1, 12)), ndim)) for _ in range(n)]
    return [rng.uniform(-20, 20, ndim) + np.cumsum(s, axis=0) for s in steps]


def chunks_of(positions: Array) -> Array:
    return np.floor(positions / np.array(CHUNKS)).astype(np.int64)


def touched(positions: Array, box: Box) -> Array:
    """Return which positions lie in a chunk that a box touches."""
    low, high = np.floor(np.array(box) / np.array(CHUNKS))
    cells = chunks_of(positions)
    return np.all((cells >= low) & (cells <= high), axis=-1)


def runs(path: Array, keep: Array) -> list[Array]:
    """Return the runs of vertices that are kept."""
    places = np.flatnonzero(keep)
    cuts = np.flatnonzero(np.diff(places) != 1) + 1
    return [path[some] for some in np.split(places, cuts) if len(some)]


def same(found: list[Array], expected: list[Array]) -> bool:
    return [a.tolist() for a in found] == [b.tolist() for b in expected]


def path_meets(path: Array, box: Box) -> bool:
    crosses = (
        len(path) > 1
        and links_met(
            path, np.stack([np.arange(len(path) - 1), np.arange(1, len(path))], axis=1), box
        ).any()
    )
    return bool(vertices_met(path, box).any() or crosses)


@SOME
@given(SEED, st.integers(1, 15), MODES, st.sampled_from([None, "auto"]))
def test_polylines_in_a_box(seed: int, n: int, mode: Any, shards: Any) -> None:
    rng = np.random.default_rng(seed)
    paths, box = random_paths(rng, n), random_box(rng)
    memory: dict[str, bytes] = {}
    write_polylines(memory, paths, chunk_shape=CHUNKS, dtype="float64", shard_shape=shards,
                    object_attributes={"i": np.arange(n)})  # fmt: skip
    found = read_polylines(memory, bbox=box, bbox_mode=mode)
    if mode == "touches-chunk":
        ids = [i for i, path in enumerate(paths) if touched(path, box).any()]
        expected = [paths[i] for i in ids]
    else:
        ids = [i for i, path in enumerate(paths) if path_meets(path, box)]
        expected = [paths[i] for i in ids]
    if mode == "clip":
        cropped = [(i, run) for i in ids for run in runs(paths[i], vertices_met(paths[i], box))]
        ids, expected = [i for i, _ in cropped], [run for _, run in cropped]
    assert found.object_ids.tolist() == ids
    assert found.object_attributes["i"].tolist() == ids
    assert same(found.polylines, expected)


@SOME
@given(SEED, st.integers(1, 12))
def test_polylines_by_id_group_and_chunk(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    paths, ids = random_paths(rng, n), rng.permutation(3 * n)[:n]
    groups = {0: ids[: n // 2].tolist(), 1: ids.tolist()}
    columns = {
        "t": [np.arange(float(len(p))) for p in paths],
        "rgb": [p[:, [0, 1, 0]] for p in paths],
    }
    memory: dict[str, bytes] = {}
    write_polylines(memory, paths, chunk_shape=CHUNKS, dtype="float64", object_ids=ids,
                    groups=groups, vertex_attributes=columns)  # fmt: skip
    by_id = dict(zip(ids.tolist(), paths, strict=True))
    assert read_polylines(memory).object_ids.tolist() == sorted(by_id)
    wanted = [*rng.permutation(ids)[:3].tolist(), 10_000]
    found = read_polylines(memory, object_ids=wanted)
    assert found.object_ids.tolist() == wanted[:-1]
    assert same(found.polylines, [by_id[i] for i in wanted[:-1]])
    assert np.array_equal(found.vertex_attributes["rgb"], found.positions[:, [0, 1, 0]])
    first = read_polylines(memory, group_ids=[0], attribute_names=None)
    assert first.object_ids.tolist() == sorted(groups[0])
    assert not first.vertex_attributes
    chunks = np.unique(chunks_of(np.concatenate(paths)), axis=0)[::2]
    cropped = read_polylines(memory, chunks=chunks.tolist(), attribute_names=["t"])
    expected = []
    for path in (by_id[i] for i in sorted(by_id)):
        inside = (chunks_of(path)[:, None] == chunks).all(axis=-1).any(axis=-1)
        expected += runs(path, inside)
    assert same(cropped.polylines, expected)
    assert list(cropped.vertex_attributes) == ["t"]
    assert read_polylines(memory, chunks=[]).polyline_count == 0


@SOME
@given(SEED, st.integers(1, 25), MODES)
def test_lines_in_a_box(seed: int, n: int, mode: Any) -> None:
    rng = np.random.default_rng(seed)
    start = rng.uniform(-20, 20, (n, 1, 2))
    ends = np.concatenate([start, start + rng.normal(0, 8, (n, 1, 2))], axis=1)
    box = random_box(rng)
    memory: dict[str, bytes] = {}
    write_lines(memory, ends, chunk_shape=CHUNKS, dtype="float64")
    meets = links_met(
        ends.reshape(-1, ends.shape[-1]), np.arange(2 * len(ends)).reshape(-1, 2), box
    )
    if mode == "touches-chunk":
        meets = touched(ends, box).any(axis=1)
    elif mode == "clip":
        meets = vertices_met(ends.reshape(-1, 2), box).reshape(-1, 2).all(axis=1)
    found = read_lines(memory, bbox=box, bbox_mode=mode)
    assert np.array_equal(found.endpoints, ends[meets])
    assert found.object_ids.tolist() == np.flatnonzero(meets).tolist()


def rows(*columns: Array) -> list[Any]:
    return sorted(np.column_stack(columns).tolist())


@SOME
@given(SEED, MODES, st.sampled_from(["graph", "skeleton", "mesh"]))
def test_networks_in_a_box(seed: int, mode: Any, kind: str) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 30))
    positions, objects = rng.uniform(-20, 20, (n, 2)), np.sort(rng.integers(0, 6, n))
    width = 3 if kind == "mesh" else 2
    links = rng.integers(0, n, (int(rng.integers(0, 30)), width))
    if kind == "skeleton":
        child = np.flatnonzero(objects[1:] == objects[:-1]) + 1
        links = np.stack([child, child - 1], axis=1)
    # Links within objects, so that an object's links are all that it takes part in.
    links = links[(objects[links] == objects[links][:, :1]).all(axis=1)].reshape(-1, width)
    box = random_box(rng)
    memory: dict[str, bytes] = {}
    common: dict[str, Any] = {"chunk_shape": CHUNKS, "dtype": "float64", "object_ids": objects}
    if kind == "mesh":
        write_mesh(memory, positions, links, **common)
        mesh = read_mesh(memory, bbox=box, bbox_mode=mode)
        got, got_links, got_objects = mesh.vertices, mesh.faces, mesh.object_ids
        meets = faces_met(positions[links], box)
    else:
        write_graph(memory, positions, links, kind=kind, **common)
        graph = read_graph(memory, bbox=box, bbox_mode=mode)
        got, got_links, got_objects = graph.positions, graph.edges, graph.object_ids
        meets = links_met(positions, links, box)
    inside = vertices_met(positions, box)
    hit = touched(positions, box) if mode == "touches-chunk" else inside.copy()
    if mode != "touches-chunk":
        hit[links[meets]] = True
    keep = np.isin(objects, objects[hit])
    if mode == "clip":
        keep &= inside
    assert rows(got, got_objects) == rows(positions[keep], objects[keep])
    assert sorted(got[got_links].tolist()) == sorted(
        positions[links[keep[links].all(axis=1)]].tolist()
    )


@pytest.mark.parametrize("kind", ["graph", "skeleton"])
def test_a_graph_by_id_and_chunk(kind: Any) -> None:
    positions = np.array([[1.0, 1.0], [2.0, 9.0], [12.0, 9.0], [3.0, 3.0], [4.0, 4.0]])
    edges = np.array([[1, 0], [2, 1], [4, 3]])
    memory: dict[str, bytes] = {}
    write_graph(memory, positions, edges, kind=kind, chunk_shape=CHUNKS, object_ids=[7, 7, 7, 2, 2],
                object_attributes={"name": ["b", "a"]}, groups={0: [7]})  # fmt: skip
    found = read_graph(memory, object_ids=[2])
    assert found.positions[found.edges].tolist() == [[[4.0, 4.0], [3.0, 3.0]]]
    assert (found.objects.tolist(), found.object_attributes["name"].tolist()) == ([2], ["b"])
    assert read_graph(memory, group_ids=[0]).edge_count == 2
    cropped = read_graph(memory, chunks=[(0, 0), (0, 1)])
    assert (cropped.node_count, cropped.edge_count) == (4, 2)
    assert read_graph(memory, object_ids=[5])["node_count"] == 0


def test_what_is_appended_comes_after_what_is_there() -> None:
    rng = np.random.default_rng(3)
    parts = [random_paths(rng, 4) for _ in range(3)]
    memory: dict[str, bytes] = {}
    for paths in parts:
        write_polylines(memory, paths, chunk_shape=CHUNKS, bounds=([-90, -90], [90, 90]),
                        dtype="float64", mode="append")  # fmt: skip
    found = read_polylines(memory)
    assert found.object_ids.tolist() == list(range(12))
    assert same(found.polylines, [path for paths in parts for path in paths])
    box = ((-5.0, -5.0), (5.0, 5.0))
    every = [path for paths in parts for path in paths]
    meets = [i for i, path in enumerate(every) if path_meets(path, box)]
    assert read_polylines(memory, bbox=box).object_ids.tolist() == meets


def test_an_id_that_is_there_is_not_written_twice() -> None:
    memory: dict[str, bytes] = {}
    path = np.array([[1.0, 1.0], [2.0, 2.0]])
    write_polylines(memory, [path], object_ids=[5], chunk_shape=CHUNKS)
    with pytest.raises(MetadataError) as caught:
        write_polylines(memory, [path], object_ids=[5], mode="append")
    assert caught.value.kind == "object_ids"
    write_polylines(memory, [path], mode="append")
    assert read_polylines(memory).object_ids.tolist() == [5, 6]


def test_trees_are_appended_to_a_skeleton() -> None:
    memory: dict[str, bytes] = {}
    chain = np.array([[1.0, 1.0], [2.0, 2.0], [12.0, 3.0], [3.0, 3.0]])
    edges = np.array([[1, 0], [2, 1], [3, 2]])
    for k in range(3):
        write_graph(memory, chain + k / 4, edges, kind="skeleton", chunk_shape=CHUNKS,
                    bounds=([0, 0], [20, 20]), mode="append", dtype="float64")  # fmt: skip
    found = read_graph(memory)
    expected = sorted((chain + k / 4)[edge].tolist() for k in range(3) for edge in edges)
    assert sorted(found.positions[found.edges].tolist()) == expected


@pytest.mark.parametrize("kind", ["graph", "skeleton", "mesh"])
def test_the_order_of_the_input_can_be_restored(kind: str) -> None:
    rng = np.random.default_rng(8)
    positions = rng.uniform(-20, 20, (30, 2))
    memory: dict[str, bytes] = {}
    common: dict[str, Any] = {"chunk_shape": CHUNKS, "dtype": "float64", "preserve_order": True}
    if kind == "mesh":
        links = rng.integers(0, 30, (40, 3))
        write_mesh(memory, positions, links, **common)
        mesh = read_mesh(memory)
        order = mesh.vertex_attributes["input_order"]
        got, got_links = mesh.vertices[np.argsort(order)], order[mesh.faces]
    else:
        child = np.arange(1, 30)
        links = np.stack([child, rng.integers(0, child)], axis=1)
        write_graph(memory, positions, links, kind=kind, **common)
        graph = read_graph(memory)
        order = graph.vertex_attributes["input_order"]
        got, got_links = graph.positions[np.argsort(order)], order[graph.edges]
    assert np.array_equal(got, positions)
    assert sorted(got_links.tolist()) == sorted(links.tolist())


BAD_QUERIES: dict[str, dict[str, Any]] = {
    "a box of other dimensions": {"bbox": ([0], [1])},
    "a box of nothing": {"bbox": ([0, np.nan], [1, 1])},
    "an unknown mode": {"bbox": ([0, 0], [1, 1]), "bbox_mode": "inside"},
    "an unknown group": {"group_ids": [3]},
}


@pytest.mark.parametrize("query", BAD_QUERIES)
def test_a_query_that_is_not_valid_is_refused(query: str) -> None:
    memory: dict[str, bytes] = {}
    write_polylines(memory, [np.zeros((2, 2))], chunk_shape=CHUNKS)
    with pytest.raises(SelectionError):
        read_polylines(memory, **BAD_QUERIES[query])


def test_what_is_not_there_is_named() -> None:
    memory: dict[str, bytes] = {}
    write_graph(memory, np.zeros((2, 2)), [[0, 1]], chunk_shape=CHUNKS)
    with pytest.raises(NodeNotFoundError):
        read_graph(memory, level=4)
    with pytest.raises(NodeNotFoundError):
        read_graph(memory, attribute_names=["radius"])


PLANE = np.zeros((3, 2))
BAD_INPUT: dict[str, Any] = {
    "a polyline of one dimension": lambda m: write_polylines(m, [np.zeros(3)]),
    "polylines of several dimensions": lambda m: write_polylines(m, [PLANE, np.zeros((2, 3))]),
    "attributes of other lengths": lambda m: write_polylines(
        m, [PLANE], vertex_attributes={"a": [np.zeros(2)]}
    ),
    "ids that are not distinct": lambda m: write_polylines(m, [PLANE, PLANE], object_ids=[1, 1]),
    "too few ids": lambda m: write_polylines(m, [PLANE, PLANE], object_ids=[1]),
    "a torn polyline": lambda m: write_polylines(m, [PLANE], out_of_bounds="ignore"),
    "lines of three ends": lambda m: write_lines(m, np.zeros((4, 3, 2))),
    "an attribute of lines": lambda m: write_lines(
        m, np.zeros((4, 2, 2)), vertex_attributes={"a": np.zeros(4)}
    ),
    "an edge to nowhere": lambda m: write_graph(m, PLANE, [[0, 3]]),
    "a negative edge": lambda m: write_graph(m, PLANE, [[0, -1]]),
    "edges of three nodes": lambda m: write_graph(m, PLANE, [[0, 1, 2]]),
    "edges that are no whole numbers": lambda m: write_graph(m, PLANE, [[0.5, 1.0]]),
    "faces of two vertices": lambda m: write_mesh(m, PLANE, [[0, 1]]),
    "two parents": lambda m: write_graph(m, PLANE, [[2, 0], [2, 1]], kind="skeleton"),
    "a cycle": lambda m: write_graph(m, PLANE, [[0, 1], [1, 0]], kind="skeleton"),
    "an unknown kind": lambda m: write_graph(m, PLANE, [[0, 1]], kind="tree"),
    "a torn mesh": lambda m: write_mesh(m, PLANE, [[0, 1, 2]], out_of_bounds="ignore"),
    "objects of other vertices": lambda m: write_mesh(m, PLANE, [[0, 1, 2]], object_ids=[0]),
    "NaN": lambda m: write_graph(m, PLANE * np.nan, [[0, 1]]),
    "NaN in a polyline": lambda m: write_polylines(m, [PLANE * np.nan]),
}


@pytest.mark.parametrize("what", BAD_INPUT)
def test_what_cannot_be_written_is_refused_before_anything_is(what: str) -> None:
    memory: dict[str, bytes] = {}
    with pytest.raises(MetadataError):
        BAD_INPUT[what](memory)
    assert not [key for key in memory if "/" in key]


def test_nothing_is_written_over_what_is_there() -> None:
    memory: dict[str, bytes] = {}
    write_mesh(memory, np.eye(3), [[0, 1, 2]], chunk_shape=(1.0,) * 3)
    before = dict(memory)
    with pytest.raises(NodeExistsError):
        write_mesh(memory, np.eye(3), [[0, 1, 2]])
    with pytest.raises(MetadataError):
        write_graph(memory, np.eye(3), [[0, 1]], mode="append")
    assert memory == before
    write_mesh(memory, np.eye(3)[:, ::-1], [[2, 1, 0]], mode="overwrite")
    assert read_mesh(memory).face_count == 1


@pytest.mark.parametrize(
    ("write", "read", "count"),
    [
        (lambda m: write_polylines(m, []), read_polylines, "polyline_count"),
        (lambda m: write_polylines(m, [np.empty((0, 3))]), read_polylines, "polyline_count"),
        (lambda m: write_lines(m, np.empty((0, 2, 3))), read_lines, "line_count"),
        (lambda m: write_graph(m, np.empty((0, 3)), []), read_graph, "node_count"),
        (lambda m: write_graph(m, np.empty((0, 3)), [], kind="skeleton"), read_graph, "node_count"),
        (lambda m: write_mesh(m, np.empty((0, 3)), []), read_mesh, "face_count"),
    ],
)
def test_nothing_can_be_written_and_read(write: Any, read: Any, count: str) -> None:
    memory: dict[str, bytes] = {}
    write(memory)
    assert read(memory)[count] == 0
    assert read(memory, bbox=([0, 0, 0], [1, 1, 1]))[count] == 0

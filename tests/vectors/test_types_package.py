"""Lines, polylines, graphs, skeletons and meshes: what either library writes, the other reads."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from anyzarr import vectors
from anyzarr.vectors._crossing import links_met, vertices_met

pytest.importorskip("zarr_vectors")
from zarr_vectors.core.arrays import (
    list_link_offsets,
    read_all_groupings,
    read_chunk_vertices,
    read_link_attributes,
    read_links,
    read_object_attributes,
    write_links,
)
from zarr_vectors.core.store import get_resolution_level
from zarr_vectors.core.store import open_store as their_open
from zarr_vectors.types import graphs, lines, meshes, polylines

pytestmark = pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")

Array = npt.NDArray[Any]


@contextmanager
def folder() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as path:
        yield str(Path(path) / "store.zarrvectors")


@st.composite
def storage(draw: st.DrawFn) -> dict[str, Any]:
    """Return options that both libraries take."""
    options: dict[str, Any] = {"dtype": draw(st.sampled_from(["float32", "float64"]))}
    if draw(st.booleans()):
        options["shard_shape"] = draw(st.sampled_from([1, 2, 4]))
    else:
        options["shard_shape"] = None
    if draw(st.booleans()):
        options["compressor"] = "zstd"
    return options


def space(ndim: int, bins: bool) -> dict[str, Any]:
    """Return chunks, and bins, of both libraries: edges that are no whole numbers too."""
    options: dict[str, Any] = {"chunk_shape": (10.0, 7.5, 12.0)[:ndim]}
    if bins:
        options["bin_shape"] = (5.0, 2.5, 4.0)[:ndim]
    return options


SEED = st.integers(0, 2**32)
# Without shrinking, which takes minutes where each example writes stores.
FEW = settings(max_examples=4, deadline=None, phases=[Phase.explicit, Phase.generate])


def random_paths(rng: np.random.Generator, n: int, ndim: int, dtype: str) -> list[Array]:
    steps = [rng.normal(0, 4, (int(rng.integers(1, 30)), ndim)) for _ in range(n)]
    return [(rng.uniform(-30, 30, ndim) + np.cumsum(s, axis=0)).astype(dtype) for s in steps]


def level_of(path: str) -> Any:
    return get_resolution_level(their_open(path), 0)


@FEW
@given(SEED, st.integers(1, 12), st.integers(2, 3), st.booleans(), storage())
def test_the_package_reads_our_polylines(
    seed: int, n: int, ndim: int, bins: bool, options: dict[str, Any]
) -> None:
    rng = np.random.default_rng(seed)
    paths = random_paths(rng, n, ndim, options["dtype"])
    weight = rng.random((n, 2))
    with folder() as path:
        vectors.write_polylines(
            path,
            paths,
            **space(ndim, bins),
            **options,
            vertex_attributes={"a": [p[:, 0] for p in paths], "b": [p * 2 for p in paths]},
            object_attributes={"w": weight},
            groups={0: [0], 1: list(range(n))},
        )
        found = polylines.read_polylines(path)
        assert found["object_ids"] == list(range(n))
        for got, expected in zip(found["polylines"], paths, strict=True):
            assert np.array_equal(np.concatenate(got), expected)
        every = np.concatenate(paths)
        assert np.array_equal(found["vertex_attributes"]["a"], every[:, 0])
        assert np.array_equal(found["vertex_attributes"]["b"], every * 2)
        level = level_of(path)
        assert np.array_equal(read_object_attributes(level, "w"), weight)
        assert [list(some) for some in read_all_groupings(level)] == [[0], list(range(n))]
        one = polylines.read_polylines(path, object_ids=[n - 1])
        assert np.array_equal(np.concatenate(one["polylines"][0]), paths[-1])
        assert bridges_of(level, ndim) == crossings(paths, space(ndim, bins)["chunk_shape"])


class Vertices:
    """Vertices of a level as the package reads them, by chunk and row."""

    def __init__(self, level: Any, ndim: int) -> None:
        self.level, self.ndim = level, ndim
        self.dtype = np.dtype(level.read_array_meta("vertices")["dtype"])
        self.chunks: dict[Any, Array] = {}

    def at(self, end: Any) -> tuple[float, ...]:
        chunk, row = end
        if chunk not in self.chunks:
            parts = read_chunk_vertices(self.level, chunk, dtype=self.dtype, ndim=self.ndim)
            self.chunks[chunk] = np.concatenate(parts)
        return tuple(self.chunks[chunk][row].tolist())


def bridges_of(level: Any, ndim: int) -> list[Any]:
    """Return the ends of each link as the package reads them."""
    vertices = Vertices(level, ndim)
    return sorted(tuple(map(vertices.at, link)) for link in read_links(level, delta=0))


def crossings(paths: list[Array], chunk_shape: tuple[float, ...]) -> list[Any]:
    """Return the segments of paths whose ends lie in two chunks."""
    return sorted(
        (tuple(a.tolist()), tuple(b.tolist()))
        for path in paths
        for a, b in itertools.pairwise(path)
        if (np.floor(a / np.array(chunk_shape)) != np.floor(b / np.array(chunk_shape))).any()
    )


@FEW
@given(SEED, st.integers(1, 12), st.integers(2, 3), st.booleans(), storage())
def test_we_read_polylines_of_the_package(
    seed: int, n: int, ndim: int, bins: bool, options: dict[str, Any]
) -> None:
    rng = np.random.default_rng(seed)
    paths = random_paths(rng, n, ndim, options["dtype"])
    weight = rng.random(n)
    with folder() as path:
        polylines.write_polylines(
            path,
            paths,
            **space(ndim, bins),
            **options,
            vertex_attributes={"a": [p[:, 0] for p in paths], "b": [p * 2 for p in paths]},
            object_attributes={"w": weight},
            groups={0: [0], 1: [n - 1, 0] if n > 1 else [0]},
        )
        found = vectors.read_polylines(path)
        assert found.object_ids.tolist() == list(range(n))
        for got, expected in zip(found.polylines, paths, strict=True):
            assert got.dtype == expected.dtype
            assert np.array_equal(got, expected)
        assert np.array_equal(found.vertex_attributes["a"], found.positions[:, 0])
        assert np.array_equal(found.vertex_attributes["b"], found.positions * 2)
        assert np.array_equal(found.object_attributes["w"], weight)
        grouped = vectors.read_polylines(path, group_ids=[1])
        assert sorted(grouped.object_ids.tolist()) == sorted({0, n - 1})
        pieces = vectors.read_polylines(path, pieces=True).polylines
        expected_pieces = polylines.read_polylines(path)["polylines"]
        for mine, other in zip(pieces, expected_pieces, strict=True):
            assert [p.tolist() for p in mine] == [p.tolist() for p in other]


@FEW
@given(SEED, st.integers(1, 40), st.integers(2, 3), storage())
def test_lines_go_both_ways(seed: int, n: int, ndim: int, options: dict[str, Any]) -> None:
    rng = np.random.default_rng(seed)
    start = rng.uniform(-20, 20, (n, 1, ndim))
    ends = np.concatenate([start, start + rng.normal(0, 5, start.shape)], axis=1)
    ends = ends.astype(options["dtype"])
    columns = {"a": rng.random((n, 2)), "b": rng.random((n, 2, 3))}
    weight = rng.random(n)
    with folder() as path:
        vectors.write_lines(
            path,
            ends,
            **space(ndim, False),
            **options,
            vertex_attributes=columns,
            object_attributes={"w": weight},
        )
        found = lines.read_lines(path)
        assert np.array_equal(found["endpoints"], ends)
        for name, column in columns.items():
            assert np.array_equal(found["vertex_attributes"][name].reshape(column.shape), column)
        assert np.array_equal(read_object_attributes(level_of(path), "w"), weight)
    with folder() as path:
        lines.write_lines(
            path,
            ends,
            **space(ndim, False),
            **options,
            vertex_attributes=columns,
            object_attributes={"w": weight},
        )
        mine = vectors.read_lines(path)
        assert np.array_equal(mine.endpoints, ends)
        for name, column in columns.items():
            assert np.array_equal(mine.vertex_attributes[name], column)
        assert np.array_equal(mine.object_attributes["w"], weight)


def joined(positions: Array, links: Array) -> list[list[list[float]]]:
    """Return links by the positions of their vertices, in the order within each link."""
    return sorted(positions[links].tolist())


def sorted_rows(positions: Array, *columns: Array) -> list[list[Any]]:
    parts = [column.reshape(len(positions), -1).astype(np.float64) for column in columns]
    return sorted(np.concatenate([positions.astype(np.float64), *parts], axis=1).tolist())


class Net:
    """Vertices, links and attributes at random."""

    def __init__(self, seed: int, ndim: int, width: int, dtype: str) -> None:
        rng = self.rng = np.random.default_rng(seed)
        n = int(rng.integers(1, 30))
        self.positions = rng.uniform(-13, 13, (n, ndim)).astype(dtype)
        self.links = rng.integers(0, n, (int(rng.integers(0, 16)), width))
        self.objects = np.sort(rng.integers(0, 3, n))
        self.objects = np.unique(self.objects, return_inverse=True)[1].reshape(-1)
        self.weight = rng.random((int(self.objects.max()) + 1, 2))
        self.columns = {"a": rng.random(n), "b": rng.random((n, 3))}
        self.link_columns = {"v": rng.random(len(self.links))}


@FEW
@given(SEED, st.integers(2, 3), st.booleans(), storage())
def test_graphs_go_both_ways(
    seed: int, ndim: int, has_objects: bool, options: dict[str, Any]
) -> None:
    net = Net(seed, ndim, 2, options["dtype"])
    about: dict[str, Any] = {"vertex_attributes": net.columns}
    if len(net.links):
        about["link_attributes"] = net.link_columns
    if has_objects:
        about |= {"object_ids": net.objects, "object_attributes": {"w": net.weight}}
    with folder() as path:
        vectors.write_graph(
            path, net.positions, net.links, **space(ndim, False), **options, **about
        )
        found = graphs.read_graph(path)
        assert joined(found["positions"], found["edges"]) == joined(net.positions, net.links)
        assert sorted_rows(found["positions"]) == sorted_rows(net.positions)
        if has_objects:
            assert np.array_equal(read_object_attributes(level_of(path), "w"), net.weight)
        if len(net.links):
            check_link_attributes(path, net)
    with folder() as path:
        graphs.write_graph(path, net.positions, net.links, **space(ndim, False), **options, **about)
        mine = vectors.read_graph(path)
        check_network(net, mine.positions, mine.edges, mine.vertex_attributes, mine.link_attributes)
        if has_objects:
            check_objects(net, mine.positions, mine.object_ids, mine.object_attributes)


def check_link_attributes(path: str, net: Net) -> None:
    """Check what the package reads of the links' attributes, by the links' vertices."""
    level = level_of(path)
    assert list_link_offsets(level, 0)
    records = read_links(level, delta=0)
    values = read_link_attributes(level, "v", delta=0)
    vertices = Vertices(level, net.positions.shape[1])
    got = sorted(
        ([vertices.at(end) for end in record], float(value))
        for record, value in zip(records, values, strict=True)
    )
    expected = sorted(
        ([tuple(p) for p in net.positions[link].tolist()], float(value))
        for link, value in zip(net.links, net.link_columns["v"], strict=True)
    )
    assert got == expected


def check_network(
    net: Net, positions: Array, links: Array, columns: Any, link_columns: Any
) -> None:
    assert positions.dtype == net.positions.dtype
    rows = sorted_rows(net.positions, net.columns["a"], net.columns["b"])
    assert sorted_rows(positions, columns["a"], columns["b"]) == rows
    assert joined(positions, links) == joined(net.positions, net.links)
    if "v" in link_columns:
        flat = positions[links].reshape(len(links), -1)
        expected = net.positions[net.links].reshape(len(net.links), -1)
        assert sorted_rows(flat, link_columns["v"]) == sorted_rows(expected, net.link_columns["v"])


def check_objects(net: Net, positions: Array, object_ids: Array, attributes: Any) -> None:
    assert sorted_rows(positions, object_ids) == sorted_rows(net.positions, net.objects)
    assert np.array_equal(attributes["w"], net.weight)


@FEW
@given(SEED, st.integers(2, 3), st.integers(3, 4), st.booleans(), storage())
def test_meshes_go_both_ways(
    seed: int, ndim: int, width: int, has_objects: bool, options: dict[str, Any]
) -> None:
    net = Net(seed, ndim, width, options["dtype"])
    about: dict[str, Any] = {"vertex_attributes": net.columns}
    if has_objects:
        about |= {"object_ids": net.objects, "object_attributes": {"w": net.weight}}
    with folder() as path:
        vectors.write_mesh(
            path, net.positions, net.links, **space(ndim, False), **options, **about,
            face_attributes=net.link_columns if len(net.links) else None,
        )  # fmt: skip
        found = meshes.read_mesh(path)
        assert joined(found["vertices"], found["faces"]) == joined(net.positions, net.links)
        if len(net.links):
            check_link_attributes(path, net)
        again = vectors.read_mesh(path)
        check_network(
            net, again.vertices, again.faces, again.vertex_attributes, again.face_attributes
        )
    with folder() as path:
        meshes.write_mesh(path, net.positions, net.links, **space(ndim, False), **options, **about)
        mine = vectors.read_mesh(path)
        check_network(net, mine.vertices, mine.faces, mine.vertex_attributes, {})
        if has_objects:
            check_objects(net, mine.vertices, mine.object_ids, mine.object_attributes)


def random_trees(rng: np.random.Generator, n_trees: int, ndim: int) -> tuple[Array, Array, Array]:
    """Return positions, ``[child, parent]`` edges and the tree of each vertex, parents first."""
    positions, edges, tree = [], [], []
    for number in range(n_trees):
        first = len(tree)
        for k in range(int(rng.integers(1, 20))):
            if k:
                # Mostly the vertex before, so that there are long runs.
                parent = first + (k - 1 if rng.random() < 0.7 else int(rng.integers(0, k)))
                edges.append([len(tree), parent])
                positions.append(positions[parent] + rng.normal(0, 4, ndim))
            else:
                positions.append(rng.uniform(-20, 20, ndim))
            tree.append(number)
    return np.array(positions), np.array(edges, np.int64).reshape(-1, 2), np.array(tree)


def shuffled(
    rng: np.random.Generator, positions: Array, edges: Array, tree: Array
) -> tuple[Array, Array, Array]:
    """Return the same trees with their vertices numbered anyhow."""
    order = rng.permutation(len(tree))
    return positions[order], np.argsort(order)[edges], tree[order]


@FEW
@given(SEED, st.integers(1, 4), st.integers(2, 3), storage())
def test_skeletons_go_both_ways(seed: int, n: int, ndim: int, options: dict[str, Any]) -> None:
    rng = np.random.default_rng(seed)
    positions, edges, tree = random_trees(rng, n, ndim)
    positions = positions.astype(options["dtype"])
    radius = rng.random(len(positions))
    about = {"object_ids": tree, "vertex_attributes": {"r": radius}, "kind": "skeleton"}
    with folder() as path:
        ours = shuffled(rng, positions, edges, tree)
        ours_about = {"object_ids": ours[2], "kind": "skeleton"}
        vectors.write_graph(path, *ours[:2], **space(ndim, False), **options, **ours_about)
        found = graphs.read_graph(path)
        assert joined(found["positions"], found["edges"]) == joined(positions, edges)
        again = vectors.read_graph(path)
        assert joined(again.positions, again.edges) == joined(positions, edges)
    with folder() as path:
        graphs.write_graph(path, positions, edges, **space(ndim, False), **options, **about)
        mine = vectors.read_graph(path)
        assert joined(mine.positions, mine.edges) == joined(positions, edges)
        rows = sorted_rows(positions, radius, tree)
        assert sorted_rows(mine.positions, mine.vertex_attributes["r"], mine.object_ids) == rows
        first = vectors.read_graph(path, object_ids=[0])
        assert sorted_rows(first.positions) == sorted_rows(positions[tree == 0])
        inside = (tree == 0)[edges].all(axis=1)
        assert joined(first.positions, first.edges) == joined(positions, edges[inside])


@FEW
@given(SEED, st.integers(1, 4), storage())
def test_the_package_reads_our_forest_in_one_object(
    seed: int, n: int, options: dict[str, Any]
) -> None:
    rng = np.random.default_rng(seed)
    positions, edges, _ = shuffled(rng, *random_trees(rng, n, 3))
    positions = positions.astype(options["dtype"])
    with folder() as path:
        vectors.write_graph(path, positions, edges, **space(3, False), **options, kind="skeleton")
        found = graphs.read_graph(path)
        assert joined(found["positions"], found["edges"]) == joined(positions, edges)


@pytest.mark.parametrize(
    ("directed", "store"), [(True, "canonical"), (False, "duplicate"), (True, "duplicate")]
)
def test_links_stored_in_other_ways_are_read_once_and_in_order(directed: bool, store: Any) -> None:
    rng = np.random.default_rng(4)
    positions, triangles = rng.uniform(-13, 13, (25, 3)), rng.integers(0, 25, (40, 3))
    with folder() as path:
        vectors.write_mesh(path, positions, [], **space(3, False), dtype="float64")
        level = get_resolution_level(their_open(path, mode="r+"), 0)
        level.delete_subtree("links")
        chunks = np.floor(positions / np.array(space(3, False)["chunk_shape"])).astype(int)
        first = np.unique(chunks, axis=0, return_inverse=True)[1].reshape(-1)
        # Within a chunk vertices keep the order of the input.
        row = [int(np.count_nonzero(first[:i] == first[i])) for i in range(25)]
        ends = [(tuple(map(int, chunk)), k) for chunk, k in zip(chunks, row, strict=True)]
        records = [[ends[v] for v in triangle] for triangle in triangles]
        write_links(level, records, 3, link_width=3, directed=directed, store=store)
        mesh = vectors.read_mesh(path)
        assert joined(mesh.vertices, mesh.faces) == joined(positions, triangles)


def crosses(path: Array, box: Any) -> bool:
    return bool(
        vertices_met(path, box).any()
        or links_met(
            path, np.stack([np.arange(len(path) - 1), np.arange(1, len(path))], axis=1), box
        ).any()
    )


@pytest.mark.parametrize("box", [False, True])
@pytest.mark.parametrize("seed", [0, 1])
def test_paths_whose_chunks_are_divided_by_an_attribute_are_read(seed: int, box: bool) -> None:
    rng = np.random.default_rng(seed)
    paths = random_paths(rng, 6, 2, "float64")
    kinds = [rng.integers(0, 3, len(path)) for path in paths]
    corners = ([-15.0, -15.0], [15.0, 15.0])
    with folder() as path:
        polylines.write_polylines(
            path, paths, **space(2, False), dtype="float64", chunk_by_attribute="kind",
            vertex_attributes={"kind": kinds},
        )  # fmt: skip
        found = vectors.read_polylines(
            path, bbox=corners if box else None, attribute_names=["kind"]
        )
        meets = [number for number, path in enumerate(paths) if crosses(path, corners)]
        assert found.object_ids.tolist() == (meets if box else list(range(6)))
        for number, got in zip(found.object_ids.tolist(), found.polylines, strict=True):
            assert np.array_equal(got, paths[number])
        expected = [kinds[number] for number in found.object_ids.tolist()]
        values = np.concatenate([*expected, np.empty(0, np.int64)])
        assert np.array_equal(found.vertex_attributes["kind"], values)

"""Levels of detail of lines, polylines, graphs, skeletons and meshes: what is made of them."""

from __future__ import annotations

import itertools
import json
import sys
from collections import defaultdict
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anyzarr.errors import MetadataError, MissingDependencyError, UnsupportedError
from anyzarr.vectors import (
    build_pyramid,
    open_store,
    open_zv,
    read_graph,
    read_lines,
    read_mesh,
    read_points,
    read_polylines,
    store_info,
    validate,
    write_graph,
    write_lines,
    write_mesh,
    write_points,
    write_polylines,
)
from anyzarr.vectors._forest import depth_first, parents_of

SEED = st.integers(0, 2**32)
FEW = settings(max_examples=8, deadline=None)
SPACE = {"chunk_shape": (16.0, 16.0, 16.0), "bin_shape": (4.0, 4.0, 4.0)}


def check(memory: Any) -> None:
    report = validate(memory, 5)
    assert (report.errors, report.warnings) == ((), ())


def walk(rng: np.random.Generator, n: int, step: float = 1.5) -> np.ndarray:
    start = rng.uniform(-20, 20, 3)
    return (start + np.cumsum(rng.normal(0, step, (n, 3)), axis=0)).astype("float32")


# ---------------------------------------------------------------------- paths


def resampled_one(path: np.ndarray, value: np.ndarray, edge: float) -> tuple[Any, Any]:
    """Return a path and its attribute as they should be, one vertex after the other."""
    bins = [tuple(row) for row in np.floor(path.astype(float) / edge)]
    runs = [list(run) for _, run in itertools.groupby(range(len(path)), key=bins.__getitem__)]
    if len(runs) == 1 and len(path) > 1:
        runs = [runs[0][:-1], runs[0][-1:]]
    positions = [path[run].mean(axis=0, dtype=float) for run in runs]
    positions[0], positions[-1] = path[0], path[-1]
    return np.array(positions), np.array([value[run].mean(dtype=float) for run in runs])


@FEW
@given(SEED, st.integers(1, 12))
def test_polylines_are_resampled_by_bins_with_their_ends_kept(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    paths = [walk(rng, int(rng.integers(1, 60))) for _ in range(n)]
    values = [rng.random(len(path)) for path in paths]
    memory: dict[str, bytes] = {}
    write_polylines(memory, paths, vertex_attributes={"v": values}, **SPACE)
    assert build_pyramid(memory, factors=[(2, 1)]) == (1,)
    found = read_polylines(memory, level=1, attribute_names="all")
    expected = [resampled_one(p, v, 8.0) for p, v in zip(paths, values, strict=True)]
    assert found.object_ids.tolist() == list(range(n))
    for got, (positions, _) in zip(found.polylines, expected, strict=True):
        np.testing.assert_allclose(got, positions, rtol=1e-5, atol=1e-4)
    for got, path in zip(found.polylines, paths, strict=True):
        assert np.array_equal(got[[0, -1]], path[[0, -1]])
    np.testing.assert_allclose(
        found.vertex_attributes["v"], np.concatenate([v for _, v in expected]), rtol=1e-12
    )
    check(memory)


def test_a_share_of_polylines_is_kept_with_ids_attributes_and_groups() -> None:
    rng = np.random.default_rng(1)
    paths, ids = [walk(rng, 40) for _ in range(20)], np.arange(20) * 5 + 2
    memory: dict[str, bytes] = {}
    write_polylines(memory, paths, object_ids=ids, groups={0: [2, 7, 97], 2: ids[::2]},
                    object_attributes={"w": np.arange(20.0), "t": ["x", "y"] * 10, "n": ids},
                    group_attributes={"name": ["a", "b", "c"]}, **SPACE)  # fmt: skip
    build_pyramid(memory, factors=[(1, 0.5), (2, 4)])
    half, few = (read_polylines(memory, level=level) for level in (1, 2))
    assert (half.polyline_count, few.polyline_count) == (10, 2)
    assert {*few.object_ids} < {*half.object_ids} < {*ids}
    for found in (half, few):
        row = np.searchsorted(ids, found.object_ids)
        assert found.object_attributes["w"].tolist() == row.tolist()
        assert found.object_attributes["n"].tolist() == found.object_ids.tolist()
        assert found.object_attributes["t"].tolist() == [["x", "y"][r % 2] for r in row]
    assert {*read_polylines(memory, level=1, group_ids=[2]).object_ids} == (
        {*ids[::2]} & {*half.object_ids}
    )
    gone = sorted({*ids.tolist()} - {*half.object_ids.tolist()})
    assert read_polylines(memory, level=1, object_ids=gone).polyline_count == 0
    assert open_zv(memory)[2].ids.tolist() == sorted(few.object_ids)
    stored = open_store(memory)
    assert stored["2/object_index"].attrs["num_present"] == 2
    assert stored["2"].attrs["zarr_vectors_level"]["object_sparsity"] == 0.125
    assert stored["2/group_attributes/name"].shape == (3,)
    assert [level.object_count for level in store_info(memory).levels] == [20, 10, 2]
    check(memory)
    build_pyramid(memory, factors=[(1, 0.5)], preserve_object_ids=False, overwrite=True)
    assert read_polylines(memory, level=1).object_ids.tolist() == list(range(10))
    check(memory)


def test_lines_stay_or_become_bundles() -> None:
    rng = np.random.default_rng(2)
    hubs = rng.uniform(0, 60, (6, 3))
    pairs = rng.integers(0, 6, (200, 2))
    ends = (hubs[pairs] + rng.uniform(-1, 1, (200, 2, 3))).astype("float32")
    weight = rng.random(200)
    memory: dict[str, bytes] = {}
    write_lines(memory, ends, object_attributes={"w": weight}, **SPACE)
    build_pyramid(memory, factors=[(2, 0.25)])
    kept = read_lines(memory, level=1)
    assert kept.line_count == 50
    assert np.array_equal(kept.endpoints, ends[kept.object_ids])
    check(memory)
    build_pyramid(memory, factors=[(2, 1)], preserve_object_ids=False, overwrite=True,
                  attribute_rules={"w": "sum"})  # fmt: skip
    bundles: dict[Any, list[int]] = defaultdict(list)
    for line, bins in enumerate(np.floor(ends / 8).reshape(200, 6).tolist()):
        bundles[tuple(bins)].append(line)
    found = read_lines(memory, level=1)
    order = np.lexsort(np.floor(found.endpoints / 8).reshape(-1, 6).T[::-1])
    expected = [bundles[key] for key in sorted(bundles)]
    means = [ends[lines].mean(axis=0, dtype=float) for lines in expected]
    np.testing.assert_allclose(found.endpoints[order], means, rtol=1e-5, atol=1e-4)
    sums = [weight[lines].sum() for lines in expected]
    np.testing.assert_allclose(found.object_attributes["w"][order], sums)
    check(memory)


# ---------------------------------------------------------------------- graphs and skeletons


@FEW
@given(SEED, st.integers(1, 4), st.booleans())
def test_a_graph_has_one_node_per_bin_and_no_edge_twice(
    seed: int, n_objects: int, ids: bool
) -> None:
    rng = np.random.default_rng(seed)
    nodes = rng.uniform(-14, 14, (150, 3)).astype("float32")
    edges = rng.integers(0, 150, (500, 2))
    owner = rng.integers(0, n_objects, 150) * 7
    weight, label = rng.random(500), rng.integers(0, 99, 500)
    memory: dict[str, bytes] = {}
    write_graph(memory, nodes, edges, object_ids=owner, vertex_attributes={"x": nodes[:, 0]},
                link_attributes={"w": weight, "label": label}, **SPACE)  # fmt: skip
    build_pyramid(memory, factors=[(2, 1)], attribute_rules={"w": "sum"}, preserve_object_ids=ids)
    keys = np.floor(nodes / 8).astype(int)
    keys = np.column_stack([keys, owner if ids else np.zeros(150, int)])
    distinct, place = np.unique(keys, axis=0, return_inverse=True)
    place = place.reshape(-1)
    found = read_graph(memory, level=1)
    named = np.column_stack([np.floor(found.positions / 8).astype(int), found.object_ids])
    order = np.lexsort(named.T[::-1])
    assert np.array_equal(named[order], distinct)
    means = [nodes[place == k].mean(axis=0, dtype=float) for k in range(len(distinct))]
    np.testing.assert_allclose(found.positions[order], means, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found.vertex_attributes["x"], found.positions[:, 0], atol=1e-4)
    rank = np.argsort(order)
    expected: dict[frozenset[int], list[int]] = defaultdict(list)
    for number, (a, b) in enumerate(place[edges].tolist()):
        if a != b:
            expected[frozenset((a, b))].append(number)
    got = {frozenset(rank[edge].tolist()): k for k, edge in enumerate(found.edges)}
    assert len(got) == found.edge_count == len(expected)
    assert got.keys() == expected.keys()
    for pair, k in got.items():
        assert found.link_attributes["w"][k] == pytest.approx(weight[expected[pair]].sum())
        assert found.link_attributes["label"][k] in label[expected[pair]]
    check(memory)


@FEW
@given(SEED, st.integers(2, 200), st.integers(1, 3), st.booleans())
def test_skeletons_stay_trees(seed: int, n: int, n_objects: int, ids: bool) -> None:
    rng = np.random.default_rng(seed)
    owner = np.sort(rng.integers(0, n_objects, n))
    parents, places = [-1] * n, np.zeros((n, 3))
    for v in range(n):
        above = [u for u in range(max(0, v - 6), v) if owner[u] == owner[v]]
        if above and rng.random() > 0.05:
            parents[v] = int(rng.choice(above))
            places[v] = places[parents[v]] + rng.normal(0, 2, 3)
    nodes = places.astype("float32")
    edges = np.array([[v, p] for v, p in enumerate(parents) if p >= 0], int).reshape(-1, 2)
    memory: dict[str, bytes] = {}
    write_graph(memory, nodes, edges, kind="skeleton", object_ids=owner,
                vertex_attributes={"r": np.arange(n)}, **SPACE)  # fmt: skip
    build_pyramid(memory, factors=[(2, 1)], preserve_object_ids=ids,
                  attribute_rules={"r": "min"})  # fmt: skip
    bins = [tuple(row) for row in np.floor(nodes.astype(float) / 8)]
    whole = nx.Graph()
    whole.add_nodes_from(range(n))
    whole.add_edges_from((v, p) for v, p in edges.tolist() if bins[v] == bins[p])
    parts = sorted(map(sorted, nx.connected_components(whole)))
    found = read_graph(memory, level=1)
    tree = depth_first(parents_of(found.edges, found.node_count)).tree
    n_trees = parents_of(edges, n)
    assert found.node_count == len(parts)
    assert len(np.unique(tree)) == np.count_nonzero(n_trees < 0)
    assert found.edge_count == len(parts) - np.count_nonzero(n_trees < 0)
    order = np.argsort(found.vertex_attributes["r"])
    assert found.vertex_attributes["r"][order].tolist() == [part[0] for part in parts]
    for k, part in zip(order, parts, strict=True):
        root = [v for v in part if parents[v] < 0]
        where = nodes[root[0]] if root else nodes[part].mean(axis=0, dtype=float)
        np.testing.assert_allclose(found.positions[k], where, rtol=1e-4, atol=1e-4)
    of = {v: k for k, part in enumerate(parts) for v in part}
    links = {(of[v], of[p]) for v, p in edges.tolist() if of[v] != of[p]}
    rank = np.argsort(order)
    assert {(rank[c], rank[p]) for c, p in found.edges.tolist()} == links
    check(memory)


# ---------------------------------------------------------------------- meshes


def sheet(n: int, z: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.meshgrid(np.arange(n, dtype=float), np.arange(n, dtype=float), indexing="ij")
    vertices = np.stack([x, y, z + np.sin(x / 3) * np.cos(y / 4) * 2], axis=-1).reshape(-1, 3)
    a = (np.arange(n - 1)[:, None] * n + np.arange(n - 1)).reshape(-1)
    first, second = np.stack([a, a + n, a + 1], 1), np.stack([a + 1, a + n, a + n + 1], 1)
    return vertices, np.concatenate([first, second])


def rim(faces: np.ndarray) -> set[int]:
    """Return the vertices along edges of a single face."""
    sides = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    edges, count = np.unique(sides, axis=0, return_counts=True)
    return {*edges[count == 1].reshape(-1).tolist()}


def two_sheets() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    parts = [sheet(20), sheet(14, 30.0)]
    vertices = np.concatenate([v for v, _ in parts]).astype("float32")
    faces = np.concatenate([parts[0][1], parts[1][1] + 400])
    return vertices, faces, np.repeat([4, 9], [400, 196])


def test_meshes_are_decimated_object_by_object_and_keep_their_rims() -> None:
    pytest.importorskip("fast_simplification")
    vertices, faces, owner = two_sheets()
    memory: dict[str, bytes] = {}
    write_mesh(memory, vertices, faces, object_ids=owner, chunk_shape=(6,) * 3,
               vertex_attributes={"n": np.arange(len(vertices))},
               face_attributes={"f": np.arange(len(faces))},
               object_attributes={"w": [1.5, 2.5]})  # fmt: skip
    build_pyramid(memory, factors=[(1.5, 1), (1.2, 1)], attribute_rules={"n": "first"})
    before = {4: 722, 9: 338}
    for level, share in ((1, 1.5**-2), (2, 1.5**-2 * 1.2**-2)):
        mesh = read_mesh(memory, level=level)
        assert mesh.object_attributes["w"].tolist() == [1.5, 2.5]
        for number, n_faces in before.items():
            mine = mesh.object_ids[mesh.faces] == number
            assert (mine.all(axis=1) == mine.any(axis=1)).all()
            n_left = np.count_nonzero(mine.all(axis=1))
            assert 0.9 * share * n_faces < n_left < 1.1 * share * n_faces
        old, new = rim(faces), rim(mesh.faces)
        at = {tuple(row) for row in vertices[sorted(old)].tolist()}
        assert {tuple(row) for row in mesh.vertices[sorted(new)].tolist()} == at
        assert (mesh.faces[:, 0] != mesh.faces[:, 1]).all()
        assert (mesh.vertices.min(axis=0) >= vertices.min(axis=0)).all()
        assert (mesh.vertices.max(axis=0) <= vertices.max(axis=0)).all()
        assert len(np.unique(mesh.vertex_attributes["n"])) == mesh.vertex_count
        assert {*mesh.face_attributes["f"]} <= {*range(len(faces))}
        assert len({*mesh.face_attributes["f"]}) == mesh.face_count
        # What is left lies on the surface, about, and faces keep their winding.
        normal = np.cross(*(mesh.vertices[mesh.faces[:, k]] - mesh.vertices[mesh.faces[:, 0]]
                            for k in (1, 2)))  # fmt: skip
        assert (normal[:, 2] > 0).mean() > 0.99
        height = np.sin(mesh.vertices[:, 0] / 3) * np.cos(mesh.vertices[:, 1] / 4) * 2
        away = mesh.vertices[:, 2] - height - 30 * (mesh.object_ids == 9)
        assert np.abs(away).max() < 0.5
    check(memory)


def test_objects_that_share_faces_are_decimated_together() -> None:
    pytest.importorskip("fast_simplification")
    vertices, faces = sheet(16)
    owner = (vertices[:, 0] > 7.5).astype(int)
    memory: dict[str, bytes] = {}
    write_mesh(memory, vertices, faces, object_ids=owner, chunk_shape=(8,) * 3)
    build_pyramid(memory, factors=[(1.4, 1)])
    mesh = read_mesh(memory, level=1)
    assert mesh.face_count < len(faces) * 0.6
    assert len(rim(mesh.faces)) == 60
    check(memory)


@pytest.mark.parametrize("width", [3, 4])
def test_meshes_are_made_coarser_by_bins(width: int) -> None:
    vertices, faces = sheet(20)
    if width == 4:
        a = (np.arange(19)[:, None] * 20 + np.arange(19)).reshape(-1)
        faces = np.stack([a, a + 20, a + 21, a + 1], axis=1)
    memory: dict[str, bytes] = {}
    write_mesh(memory, vertices, faces, chunk_shape=(8,) * 3, bin_shape=(2,) * 3)
    method = "bins" if width == 3 else None
    build_pyramid(memory, factors=[(2, 1)], method=method)
    mesh = read_mesh(memory, level=1)
    _, place = np.unique(np.floor(vertices.astype("f4") / 4), axis=0, return_inverse=True)
    assert mesh.vertex_count == place.max() + 1
    images = [tuple(face) for face in place.reshape(-1)[faces].tolist()]
    turned = {min(tuple(f[k:] + f[:k]) for k in range(width)) for f in images if len({*f}) >= 3}
    assert mesh.face_count == len(turned)
    check(memory)


def test_what_does_not_fit_a_geometry_is_refused_and_changes_nothing() -> None:
    vertices, faces = sheet(6)
    memory: dict[str, bytes] = {}
    write_mesh(memory, vertices, faces, vertex_attributes={"t": ["a"] * 36})
    before = dict(memory)
    with pytest.raises(MetadataError):
        build_pyramid(memory, attribute_rules={"t": "mean"}, method="bins")
    with pytest.raises(MetadataError):
        build_pyramid(memory, attribute_rules={"u": "mean"})
    quads: dict[str, bytes] = {}
    write_mesh(quads, vertices, [[0, 6, 7, 1]])
    with pytest.raises(UnsupportedError):
        build_pyramid(quads, method="decimate")
    kept = {key: value for key, value in memory.items() if not key.startswith("1/")}
    assert kept == before
    document = json.loads(memory["zarr.json"])
    document["attributes"]["zarr_vectors"]["geometry_types"].append("point_cloud")
    memory["zarr.json"] = json.dumps(document).encode()
    with pytest.raises(UnsupportedError):
        build_pyramid(memory)


def test_levels_that_are_to_be_replaced_stay_where_that_fails() -> None:
    vertices, faces = sheet(6)
    memory: dict[str, bytes] = {}
    write_mesh(memory, vertices, faces, vertex_attributes={"t": ["a"] * 36}, chunk_shape=(4,) * 3)
    build_pyramid(memory, factors=[(2, 1)], method="bins")
    before = dict(memory)
    with pytest.raises(MetadataError):
        build_pyramid(memory, attribute_rules={"t": "mean"}, method="bins", overwrite=True)
    assert memory == before


def test_without_the_library_meshes_are_not_decimated(monkeypatch) -> None:
    vertices, faces = sheet(6)
    memory: dict[str, bytes] = {}
    write_mesh(memory, vertices, faces, chunk_shape=(4,) * 3)
    build_pyramid(memory, factors=[(2, 1)], method="bins")
    before = dict(memory)
    monkeypatch.setitem(sys.modules, "fast_simplification", None)
    with pytest.raises(MissingDependencyError, match=r"anyzarr\[meshes\]"):
        build_pyramid(memory, overwrite=True)
    assert memory == before
    assert build_pyramid(memory, method="bins", overwrite=True) == (1,)


def test_empty_stores_have_empty_levels() -> None:
    empty, pairs = np.empty((0, 3)), np.empty((0, 2), int)
    for write, read, data, name in (
        (write_points, read_points, (empty,), "vertex_count"),
        (write_lines, read_lines, (np.empty((0, 2, 3)),), "line_count"),
        (write_polylines, read_polylines, ([],), "polyline_count"),
        (write_graph, read_graph, (empty, pairs), "node_count"),
        (write_mesh, read_mesh, (empty, np.empty((0, 3), int)), "face_count"),
    ):
        memory: dict[str, bytes] = {}
        write(memory, *data, bounds=([0] * 3, [9] * 3), chunk_shape=(3,) * 3)
        assert build_pyramid(memory, factors=[(2, 0.5)], cross_level_storage="explicit") == (1,)
        assert read(memory, level=1)[name] == 0
        check(memory)

"""Neuroglancer precomputed; its own reader of annotations and osteoid's of skeletons are judges."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import anyzarr
from anyzarr.errors import NodeExistsError, UnsupportedError
from anyzarr.vectors import (
    create_store,
    write_graph,
    write_lines,
    write_mesh,
    write_points,
    write_polylines,
)

MICROMETERS = [{"name": name, "type": "space", "unit": "micrometer"} for name in "xyz"]


def reader(folder: Path) -> Any:
    module = pytest.importorskip("neuroglancer.read_precomputed_annotations")
    return module.AnnotationReader(f"file://{folder}/")


@pytest.fixture
def cloud(tmp_path: Path) -> tuple[Path, np.ndarray]:
    rng = np.random.default_rng(4)
    positions = rng.normal(0, 40, (23_000, 3)).astype("f4")
    store = tmp_path / "p.zv"
    bounds = (positions.min(0).tolist(), positions.max(0).tolist())
    create_store(store, axes=MICROMETERS, bounds=bounds, chunk_shape=(50,) * 3)
    write_points(
        store, positions, mode="append", object_ids=np.arange(len(positions)) % 7,
        vertex_attributes={"n": np.arange(len(positions)), "Weight (a)": positions[:, 0] / 3,
                           "rgb": np.full((len(positions), 3), [1, 2, 3], "u1"),
                           "kind": np.where(positions[:, 0] > 0, "soma", "axon"),
                           "small": np.arange(len(positions), dtype="i8") % 5 == 0},
    )  # fmt: skip
    return store, positions


def test_points_are_found_by_place_number_and_object(
    tmp_path: Path, cloud: tuple[Path, np.ndarray]
) -> None:
    store, positions = cloud
    out = tmp_path / "p.precomputed"
    report = anyzarr.convert(store, out)
    assert report.warnings == ()
    info = json.loads((out / "info").read_text())
    assert info["dimensions"] == {name: [1e-6, "m"] for name in "xyz"}
    assert [level["limit"] <= 5000 for level in info["spatial"][:-1]]
    assert len(info["spatial"]) > 1
    assert sum(1 for file in out.rglob("*") if file.is_file()) < 200
    judge = reader(out)

    everything = list(judge.get_within_spatial_bounds())
    by_id = {int(a.id): a for a in everything}
    assert sorted(by_id) == list(range(len(positions)))
    order = [p.id for p in judge.properties]
    assert order == ["p_Weight__a_", "n", "kind", "rgb", "small"]
    n = np.array([by_id[i].props[1] for i in range(len(positions))])
    found = np.array([by_id[i].point for i in range(len(positions))])
    np.testing.assert_array_equal(found, positions[n])
    one = judge.by_id[17]
    np.testing.assert_array_equal(one.point, positions[n[17]])
    values = dict(zip(order, one.props, strict=True))
    assert values["n"] == n[17]
    assert np.float32(values["p_Weight__a_"]) == np.float32(positions[n[17], 0]) / np.float32(3)
    labels = {p["id"]: p.get("enum_labels") for p in info["properties"]}["kind"]
    assert labels[values["kind"]] == ("soma" if positions[n[17], 0] > 0 else "axon")
    assert [[int(i) for i in ids] for ids in one.segments] == [[n[17] % 7]]
    related = judge.relationships["object"][3]
    assert sorted(a.props[1] for a in related) == list(range(3, len(positions), 7))

    low, high = np.array([-10, 0, -30.0]), np.array([30, 20, 5.0])
    inside = judge.get_within_spatial_bounds(lower_bound=low, upper_bound=high)
    expected = ((positions >= low) & (positions <= high)).all(axis=1)
    assert sorted(a.props[1] for a in inside) == np.flatnonzero(expected).tolist()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 60), st.integers(2, 4), st.integers(0, 2**32 - 1), st.sampled_from([3, 9]))
def test_any_lines_are_found_where_they_pass(
    tmp_path_factory: pytest.TempPathFactory, n: int, ndim: int, seed: int, per_cell: int
) -> None:
    from anyzarr.vectors.formats import _precomputed_annotations as module

    rng = np.random.default_rng(seed)
    folder = tmp_path_factory.mktemp("lines")
    ends = rng.integers(-20, 20, (n, 2, ndim)).astype("f4")
    write_lines(folder / "l.zv", ends, object_attributes={"w": np.arange(n)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_PER_CELL", per_cell)
        anyzarr.convert(folder / "l.zv", folder / "l.precomputed")
    judge = reader(folder / "l.precomputed")
    found = {int(a.id): a for a in judge.get_within_spatial_bounds()}
    assert sorted(found) == list(range(n))
    for number, a in found.items():
        row = a.props[0]
        np.testing.assert_array_equal([a.point_a, a.point_b], ends[row], err_msg=str(number))


def test_skeletons_have_places_edges_and_attributes(tmp_path: Path) -> None:
    osteoid = pytest.importorskip("osteoid")
    rng = np.random.default_rng(1)
    nodes = rng.normal(0, 30, (60, 3)).astype("f4")
    child = np.array([i for i in range(60) if i % 20])
    edges = np.stack([child, child - 1 - (child % 20 > 9) * 3], axis=1)
    ids = np.repeat([12, 5, 2**40], 20)
    store = tmp_path / "s.zv"
    bounds = (nodes.min(0).tolist(), nodes.max(0).tolist())
    create_store(store, axes=MICROMETERS, bounds=bounds, chunk_shape=(50,) * 3)
    write_graph(store, nodes, edges, kind="skeleton", mode="append", object_ids=ids,
                vertex_attributes={"radius": np.arange(60) / 8, "type": np.arange(60, dtype="u1"),
                                   "word": ["a"] * 60})  # fmt: skip
    report = anyzarr.convert(store, tmp_path / "s.precomputed")
    assert report.warnings == ("left out the attributes word: precomputed has no place for them",)
    info = json.loads((tmp_path / "s.precomputed" / "info").read_text())
    for number, name in enumerate([12, 5, 2**40]):
        data = (tmp_path / "s.precomputed" / str(name)).read_bytes()
        judge = osteoid.Skeleton.from_precomputed(
            data, segid=name, vertex_attributes=info["vertex_attributes"]
        )
        transform = np.array(info["transform"]).reshape(3, 4)
        expected = nodes[number * 20 : number * 20 + 20].astype("f8") * 1000
        radius = np.asarray(judge.radius).ravel()
        row = (radius * 8).astype(int) - number * 20
        np.testing.assert_allclose(judge.vertices @ transform[:, :3].T, expected[row], rtol=1e-6)
        theirs = {frozenset(pair) for pair in row[judge.edges].tolist()}
        assert theirs == {frozenset((e - number * 20).tolist()) for e in edges[ids[child] == name]}
        np.testing.assert_array_equal(np.asarray(judge.type).ravel(), row + number * 20)


def test_streamlines_are_skeletons(tmp_path: Path) -> None:
    osteoid = pytest.importorskip("osteoid")
    lines = [np.arange(12.0).reshape(4, 3), np.arange(6.0).reshape(2, 3) + 50]
    write_polylines(tmp_path / "t.zv", lines, chunk_shape=(5, 5, 5))
    report = anyzarr.convert(tmp_path / "t.zv", tmp_path / "t.precomputed")
    assert "taken for nanometers" in report.warnings[0]
    for number, line in enumerate(lines):
        data = (tmp_path / "t.precomputed" / str(number)).read_bytes()
        judge = osteoid.Skeleton.from_precomputed(data, vertex_attributes=[])
        np.testing.assert_array_equal(judge.vertices, line)
        assert judge.edges.tolist() == [[i, i + 1] for i in range(len(line) - 1)]


def test_meshes_are_in_nanometers(tmp_path: Path) -> None:
    corners = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0.5]], "f4")
    store = tmp_path / "m.zv"
    create_store(store, axes=MICROMETERS, bounds=([0] * 3, [9] * 3), chunk_shape=(5,) * 3)
    write_mesh(store, np.concatenate([corners, corners + 2]), [[0, 1, 2, 3], [7, 6, 5, 4]],
               object_ids=[3] * 4 + [8] * 4, mode="append")  # fmt: skip
    anyzarr.convert(store, tmp_path / "m.precomputed")
    folder = tmp_path / "m.precomputed"
    assert json.loads((folder / "info").read_text()) == {"@type": "neuroglancer_legacy_mesh"}
    for name, places in ((3, corners), (8, corners + 2)):
        (fragment,) = json.loads((folder / f"{name}:0").read_text())["fragments"]
        data = (folder / fragment).read_bytes()
        (n,) = struct.unpack_from("<I", data)
        vertices = np.frombuffer(data, "<f4", 3 * n, 4).reshape(n, 3)
        faces = np.frombuffer(data, "<u4", offset=4 + 12 * n).reshape(-1, 3)
        assert {*map(tuple, vertices.tolist())} == {*map(tuple, (places * 1000).tolist())}
        assert len(faces) == 2
        area = np.cross(vertices[faces[:, 1]] - vertices[faces[:, 0]],
                        vertices[faces[:, 2]] - vertices[faces[:, 0]])[:, 2]  # fmt: skip
        assert (area > 0).all() == (name == 3)


def test_folders_are_replaced_only_if_they_are_precomputed(tmp_path: Path) -> None:
    write_points(tmp_path / "p.zv", [[1.0, 2.0, 3.0]])
    out = tmp_path / "p.precomputed"
    anyzarr.convert(tmp_path / "p.zv", out)
    with pytest.raises(NodeExistsError):
        anyzarr.convert(tmp_path / "p.zv", out)
    (out / "stale").write_text("x")
    anyzarr.convert(tmp_path / "p.zv", out, overwrite=True)
    assert not (out / "stale").exists()
    with pytest.raises(UnsupportedError):
        anyzarr.convert(out, tmp_path / "q.zv")
    (out / "info").write_text("{}")
    with pytest.raises(NodeExistsError):
        anyzarr.convert(tmp_path / "p.zv", out, overwrite=True)


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    write_points(tmp_path / "p.zv", [[1.0, 2.0, 3.0]], object_ids=[-4])
    write_mesh(tmp_path / "m.zv", [[0.0, 0], [1, 0], [0, 1]], [[0, 1, 2]])
    for name in "pm":
        with pytest.raises(UnsupportedError):
            anyzarr.convert(tmp_path / f"{name}.zv", tmp_path / f"{name}.precomputed")
        assert not (tmp_path / f"{name}.precomputed").exists()

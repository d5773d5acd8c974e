"""Points: what is written is read, by every condition, and what cannot be is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anyzarr.errors import (
    CorruptDataError,
    MetadataError,
    NodeExistsError,
    NodeNotFoundError,
    SelectionError,
    UnsupportedError,
)
from anyzarr.vectors import create_store, open_store, open_zv, read_points, write_points


def cloud(n: int = 400, ndim: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-50, 150, (n, ndim)).astype("float32")


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 1000),
    ndim=st.integers(1, 4),
    bins=st.sampled_from([None, 2, 5]),
    shards=st.sampled_from(["auto", None, 2]),
    with_objects=st.booleans(),
    box=st.lists(st.floats(-80, 200), min_size=8, max_size=8),
)
def test_a_box_is_exact(seed, ndim, bins, shards, with_objects, box) -> None:
    positions = cloud(80, ndim, seed)
    ids = np.random.default_rng(seed).integers(-3, 3, 80)
    store: dict[str, bytes] = {}
    write_points(
        store,
        positions,
        chunk_shape=(60.0,) * ndim,
        bin_shape=None if bins is None else (60.0 / bins,) * ndim,
        shard_shape=shards,
        vertex_attributes={"row": np.arange(80)},
        object_ids=ids if with_objects else None,
    )
    # Corners of boxes lie on points too: both ends belong to the box.
    low, high = np.sort([box[:ndim], positions[0].astype(float)], axis=0)
    inside = np.flatnonzero(((positions >= low) & (positions <= high)).all(axis=1))
    points = read_points(store, bbox=(low, high), attribute_names=["row"])
    assert 0 in inside
    assert sorted(points.vertex_attributes["row"]) == inside.tolist()
    assert np.array_equal(points.positions, positions[points.vertex_attributes["row"]])
    if with_objects:
        chosen = read_points(store, bbox=(low, high), object_ids=[2, -1], attribute_names=["row"])
        row = chosen.vertex_attributes["row"]
        assert sorted(row) == [i for i in inside if ids[i] in (2, -1)]
        assert np.array_equal(chosen.object_ids, ids[row])


def test_attributes_of_any_row_shape_and_type_come_back() -> None:
    n = 50
    rng = np.random.default_rng(0)
    attributes: dict[str, Any] = {
        "scalar": rng.random(n),
        "rgb": rng.integers(0, 255, (n, 3)).astype("uint8"),
        "tensor": rng.random((n, 3, 3)).astype("float32"),
        "flag": rng.random(n) < 0.5,
        "complex": rng.random(n) + 1j,
        "half": rng.random(n).astype("float16"),
        "big": np.arange(n).astype(">i4"),
        "when": np.arange(n).astype("datetime64[s]"),
        "text": rng.choice(["axon", "dendrite", "π"], n),
        "gaps": np.array(["a", None, "b", None, "a"] * 10, dtype=object),
    }
    store: dict[str, bytes] = {}
    write_points(store, cloud(n), vertex_attributes=attributes, preserve_order=True)
    points = read_points(store, attribute_names="all")
    order = points.vertex_attributes["input_order"]
    assert sorted(points.vertex_attributes) == sorted([*attributes, "input_order"])
    for name, column in attributes.items():
        assert np.array_equal(points.vertex_attributes[name], column[order]), name
    assert points.vertex_attributes["tensor"].dtype == "float32"
    assert points.vertex_attributes["when"].dtype == "datetime64[s]"


def test_input_order_can_be_restored() -> None:
    store: dict[str, bytes] = {}
    positions = cloud()
    write_points(store, positions, chunk_shape=(30,) * 3, preserve_order=True)
    points = read_points(store, attribute_names=["input_order"])
    restored = points.positions[np.argsort(points.vertex_attributes["input_order"])]
    assert np.array_equal(restored, positions)


def test_objects_groups_and_chunks_choose() -> None:
    store: dict[str, bytes] = {}
    positions, ids = cloud(), np.arange(400) % 10 * 5
    write_points(
        store,
        positions,
        chunk_shape=(100,) * 3,
        object_ids=ids,
        object_attributes={"w": np.arange(10.0)},
        groups={0: [5, 10], 2: [45]},
        group_attributes={"name": ["a", "b", "c"]},
        vertex_attributes={"row": np.arange(400)},
    )
    points = read_points(store, object_ids=[40, 7, 5, 40], attribute_names=["row"])
    assert points.object_ids.tolist() == [40] * 40 + [5] * 40
    assert np.array_equal(points.object_ids, ids[points.vertex_attributes["row"]])
    assert set(read_points(store, group_ids=[2, 0]).object_ids) == {5, 10, 45}
    assert set(read_points(store, group_ids=[0], object_ids=[10, 45]).object_ids) == {10}
    assert read_points(store, object_ids=[]).vertex_count == 0
    with pytest.raises(SelectionError):
        read_points(store, group_ids=[3])
    some = read_points(store, chunks=[(0, 0, 0), (-1, 0, 1), (99, 0, 0)], attribute_names=["row"])
    cells = np.floor(positions / 100).astype(int)
    wanted = (cells == [0, 0, 0]).all(axis=1) | (cells == [-1, 0, 1]).all(axis=1)
    assert sorted(some.vertex_attributes["row"]) == np.flatnonzero(wanted).tolist()
    everyone = read_points(store, with_object_ids=True, attribute_names=["row"])
    assert np.array_equal(everyone.object_ids, ids[everyone.vertex_attributes["row"]])


def test_results_answer_to_keys() -> None:
    store: dict[str, bytes] = {}
    write_points(store, cloud(10))
    points = read_points(store)
    assert points["vertex_count"] == 10
    assert points.keys() == ["positions", "vertex_attributes", "vertex_count"]
    assert "object_ids" not in points
    assert points.get("object_ids", 5) == 5
    with pytest.raises(KeyError):
        points["faces"]


@pytest.mark.parametrize("shards", ["auto", None, 3, (1, 2, 3)])
def test_appending_keeps_what_is_there(shards) -> None:
    store: dict[str, bytes] = {}
    positions = cloud(300)
    bounds = ([-50] * 3, [150] * 3)
    for part in np.array_split(np.arange(300), 5):
        write_points(
            store,
            positions[part],
            chunk_shape=(100,) * 3,
            bounds=bounds,
            shard_shape=shards,
            vertex_attributes={"row": part, "kind": np.where(part % 7, "a", f"b{part[0]}")},
            object_ids=part % 13,
            object_attributes={"w": np.unique(part % 13) * 2.0},
            groups={0: np.unique(part % 13)[:3]},
            mode="append",
        )
    points = read_points(store, attribute_names="all", with_object_ids=True)
    row = points.vertex_attributes["row"]
    assert sorted(row) == [*range(300)]
    assert np.array_equal(points.positions, positions[row])
    assert np.array_equal(points.object_ids, row % 13)
    one = read_points(store, object_ids=[6], attribute_names=["row"])
    assert sorted(one.vertex_attributes["row"]) == [*range(6, 300, 13)]
    ids = open_store(store)["0/object_index/object_ids"][:]
    assert open_store(store)["0/object_attributes/w"][:].tolist() == (ids * 2).tolist()


def test_bounds_are_kept_ignored_or_grown() -> None:
    store: dict[str, bytes] = {}
    write_points(store, [[1, 1], [9, 9]], chunk_shape=(5, 5), bounds=([0, 0], [10, 10]))
    with pytest.raises(MetadataError) as error:
        write_points(store, [[11, 1]], mode="append")
    assert error.value.kind == "out_of_bounds"
    summary = write_points(store, [[11, 1], [2, 2]], mode="append", out_of_bounds="ignore")
    assert (summary.vertex_count, summary.ignored_count) == (1, 1)
    write_points(store, [[31, 12]], mode="append", out_of_bounds="expand")
    assert read_points(store).vertex_count == 4
    assert open_zv(store).bounds == ((0.0, 0.0), (31.0, 12.0))
    assert read_points(store, bbox=([30, 10], [40, 20])).positions.tolist() == [[31, 12]]


def test_data_is_never_touched_unasked() -> None:
    store: dict[str, bytes] = {}
    write_points(store, cloud(10))
    with pytest.raises(NodeExistsError):
        write_points(store, cloud(10))
    write_points(store, cloud(7), mode="overwrite")
    assert read_points(store).vertex_count == 7
    other: dict[str, bytes] = {}
    open_other = __import__("anyzarr").create_group(other)
    assert open_other.path == ""
    with pytest.raises(NodeExistsError):
        write_points(other, cloud(3))


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"chunk_shape": (0, 1, 1)}, "chunk_shape"),
        ({"chunk_shape": (1, 1)}, "chunk_shape"),
        ({"chunk_shape": (10,) * 3, "bin_shape": (3,) * 3}, "bin_shape"),
        ({"object_ids": [1]}, "object_ids"),
        ({"object_ids": [0.5] * 4}, "object_ids"),
        ({"vertex_attributes": {"a": [1]}}, "attribute_rows"),
        ({"vertex_attributes": {"a/b": [1] * 4}}, "attribute_name"),
        ({"dtype": "int32"}, "dtype"),
        ({"mode": "w"}, "mode"),
        ({"out_of_bounds": "clip"}, "out_of_bounds"),
        ({"object_attributes": {"a": [1]}}, "object_ids"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(options, kind) -> None:
    store: dict[str, bytes] = {}
    with pytest.raises(MetadataError) as error:
        write_points(store, cloud(4), **options)
    assert error.value.kind == kind


def test_what_cannot_be_read_is_named() -> None:
    store: dict[str, bytes] = {}
    write_points(store, cloud(10), vertex_attributes={"a": np.zeros(10)})
    with pytest.raises(NodeNotFoundError):
        read_points(store, level=3)
    with pytest.raises(NodeNotFoundError):
        read_points(store, attribute_names=["b"])
    with pytest.raises(SelectionError):
        read_points(store, bbox=([0, 0], [1, 1]))
    with pytest.raises(NodeNotFoundError):
        read_points({})


def test_unknown_capabilities_are_read_and_not_written_to() -> None:
    store: dict[str, bytes] = {}
    create_store(store, ndim=2, format_capabilities=["telepathy"])
    assert read_points(store).vertex_count == 0
    with pytest.raises(UnsupportedError):
        write_points(store, cloud(3, 2), mode="append")


def test_damaged_cells_are_named(tmp_path) -> None:
    write_points(tmp_path / "a", cloud(50), shard_shape=None, chunk_shape=(100,) * 3)
    [victim] = (tmp_path / "a" / "0" / "vertices" / "c" / "1" / "1").glob("1")
    data = victim.read_bytes()
    payload = data[8:-5]
    victim.write_bytes(data[:4] + len(payload).to_bytes(4, "little") + payload)
    with pytest.raises(CorruptDataError) as error:
        read_points(tmp_path / "a")
    assert error.value.chunk_coords == (0, 0, 0)


def test_what_is_lazy_equals_what_is_read() -> None:
    pytest.importorskip("dask.array")
    store: dict[str, bytes] = {}
    positions = cloud()
    write_points(store, positions, chunk_shape=(20,) * 3, dtype="float64",
                 vertex_attributes={"row": np.arange(400), "text": ["a", "b"] * 200},
                 object_ids=np.arange(400) % 7, groups={1: [3]})  # fmt: skip
    level = open_zv(store)[0]
    assert (level.vertex_count, level.vertices.dtype) == (400, "float64")
    assert sorted(level.attributes) == ["row", "text"]
    box = ([0, 0, 0], [80, 80, 80])
    chosen = level.filter(bbox=box).filter(bbox=([-9, 20, 0], [60, 90, 90]), object_ids=[3, 5])
    chosen = chosen.filter(group_ids=[1])
    row = chosen.compute().vertex_attributes["row"]
    inside = ((positions >= [0, 20, 0]) & (positions <= [60, 80, 80])).all(axis=1)
    assert sorted(row) == np.flatnonzero(inside & (np.arange(400) % 7 == 3)).tolist()
    for part in (level, level.filter(bbox=box), chosen):
        assert np.array_equal(part.to_dask().compute(), part.compute().positions)
        text = part.attributes["text"]
        assert text.to_dask().compute().tolist() == text.compute().tolist()
    assert np.asarray(level.vertices).shape == (400, 3)
    with pytest.raises(KeyError):
        open_zv(store)[1]

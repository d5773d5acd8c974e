"""Points, both ways between us and the zarr-vectors package."""

from __future__ import annotations

import shutil
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anyzarr.vectors import open_store, read_points, validate, write_points

package = pytest.importorskip("zarr_vectors.types.points", reason="needs zarr-vectors")
# zarr-python warns of the data type of the format, which has no specification yet.
pytestmark = pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")

QUICK = settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@st.composite
def clouds(draw: st.DrawFn) -> dict[str, Any]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n, ndim = draw(st.integers(1, 60)), draw(st.sampled_from([2, 3]))
    dtype = draw(st.sampled_from(["float32", "float64"]))
    low = draw(st.sampled_from([-50.0, 0.0, 7.5, -1000.0]))
    edge = draw(st.sampled_from([10.0, 25.0, 64.0]))
    positions = rng.uniform(low, low + 100, (n, ndim)).astype(dtype)
    # Some on the edges of chunks, where they belong to the chunk that begins there.
    snapped = rng.random(n) < 0.2
    positions[snapped] = positions[snapped] // 5 * 5
    options: dict[str, Any] = {
        "positions": positions,
        "dtype": dtype,
        "chunk_shape": (edge,) * ndim,
        "vertex_attributes": {
            "row": np.arange(n),
            "rgb": rng.random((n, 3)).astype("float32"),
            "kind": rng.choice(["soma", "axon"], n),
        },
        "compressor": draw(st.sampled_from([None, "zstd"])),
    }
    if draw(st.booleans()):
        options["object_ids"] = rng.integers(0, 6, n) * 11 - 5
        n_objects = len(np.unique(options["object_ids"]))
        options["object_attributes"] = {"w": rng.random(n_objects)}
        options["groups"] = {0: np.unique(options["object_ids"])[:2].tolist(), 2: [6]}
    elif draw(st.booleans()):
        options["bin_shape"] = (edge / 2,) * ndim
    return options


def check(points: Any, cloud: dict[str, Any]) -> None:
    attributes = points["vertex_attributes"]
    row = attributes["row"].astype(int)
    assert sorted(row) == [*range(len(cloud["positions"]))]
    assert points["positions"].dtype == cloud["dtype"]
    assert np.array_equal(points["positions"], cloud["positions"][row])
    for name, column in cloud["vertex_attributes"].items():
        assert np.array_equal(attributes[name], column[row]), name


@QUICK
@given(cloud=clouds(), shards=st.sampled_from(["auto", None, 2]))
def test_the_package_reads_what_we_write(tmp_path, cloud, shards) -> None:
    path = tmp_path / "ours.zarrvectors"
    shutil.rmtree(path, ignore_errors=True)
    write_points(path, shard_shape=shards, **cloud)
    check(package.read_points(str(path), attribute_names=["row", "rgb", "kind"]), cloud)
    if "object_ids" in cloud:
        ids = np.unique(cloud["object_ids"])[:2]
        theirs = package.read_points(str(path), object_ids=ids.tolist(), attribute_names=["row"])
        row = theirs["vertex_attributes"]["row"]
        assert sorted(row) == np.flatnonzero(np.isin(cloud["object_ids"], ids)).tolist()
        assert np.array_equal(theirs["object_ids"], cloud["object_ids"][row])
        grouped = package.read_points(str(path), group_ids=[0])
        assert grouped["vertex_count"] == len(row)
    else:
        low = cloud["positions"].min(axis=0)
        box = (low.astype(float), low + 40.0)
        theirs = package.read_points(str(path), bbox=box, attribute_names=["row"])
        inside = ((cloud["positions"] >= box[0]) & (cloud["positions"] <= box[1])).all(axis=1)
        assert sorted(theirs["vertex_attributes"]["row"]) == np.flatnonzero(inside).tolist()


@QUICK
@given(cloud=clouds(), shards=st.sampled_from([None, 2]))
def test_we_read_what_the_package_writes(tmp_path, cloud, shards) -> None:
    path = tmp_path / "theirs.zarrvectors"
    shutil.rmtree(path, ignore_errors=True)
    package.write_points(str(path), shard_shape=shards, **cloud)
    check(read_points(path, attribute_names="all"), cloud)
    low = cloud["positions"].min(axis=0)
    box = (low.astype(float), low + 40.0)
    inside = ((cloud["positions"] >= box[0]) & (cloud["positions"] <= box[1])).all(axis=1)
    ours = read_points(path, bbox=box, attribute_names=["row"])
    assert sorted(ours["vertex_attributes"]["row"]) == np.flatnonzero(inside).tolist()
    if "object_ids" in cloud:
        whole = read_points(path, with_object_ids=True, attribute_names=["row"])
        row = whole.vertex_attributes["row"]
        assert np.array_equal(whole.object_ids, cloud["object_ids"][row])
        ids = np.unique(cloud["object_ids"])[:2]
        assert np.array_equal(np.unique(read_points(path, group_ids=[0]).object_ids), ids)


@QUICK
@given(cloud=clouds(), shards=st.sampled_from(["auto", None]))
def test_the_package_reads_what_we_appended_to_its_store(tmp_path, cloud, shards) -> None:
    path = tmp_path / "both.zarrvectors"
    shutil.rmtree(path, ignore_errors=True)
    n = len(cloud["positions"])
    half = np.arange(n) < (n + 1) // 2
    rows = ("positions", "object_ids")
    first = {k: v[half] if k in rows else v for k, v in cloud.items()}
    second = {k: v[~half] if k in rows else v for k, v in cloud.items()}
    for part, mask in ((first, half), (second, ~half)):
        part["vertex_attributes"] = {k: v[mask] for k, v in cloud["vertex_attributes"].items()}
        part.pop("object_attributes", None)
        part.pop("groups", None)
    bounds = (cloud["positions"].min(axis=0).tolist(), cloud["positions"].max(axis=0).tolist())
    if shards is None:
        package.write_points(str(path), bounds=bounds, **first)
    else:
        write_points(path, bounds=bounds, **first)
    write_points(path, mode="append", **second)
    check(read_points(path, attribute_names="all"), cloud)
    theirs = package.read_points(str(path), attribute_names=["row", "rgb", "kind"])
    check(theirs, cloud)
    if "object_ids" in cloud:
        ids = np.unique(cloud["object_ids"])
        theirs = package.read_points(str(path), object_ids=ids.tolist(), attribute_names=["row"])
        assert np.array_equal(
            theirs["object_ids"], cloud["object_ids"][theirs["vertex_attributes"]["row"]]
        )
        assert len(theirs["object_ids"]) == n
    level = open_store(path)["0"].attrs["zarr_vectors_level"]
    assert level["vertex_count"] == n


def test_the_package_reads_attributes_of_objects_and_groups(tmp_path) -> None:
    from zarr_vectors.core.arrays import read_object_attributes
    from zarr_vectors.core.store import get_resolution_level
    from zarr_vectors.core.store import open_store as open_theirs

    path = tmp_path / "a.zarrvectors"
    write_points(
        path,
        np.random.default_rng(0).random((20, 3)),
        chunk_shape=(0.5,) * 3,
        object_ids=np.arange(20) % 3,
        object_attributes={"w": [1.0, 2.0, 3.0], "pair": np.arange(6).reshape(3, 2)},
        groups={1: [0, 2]},
        group_attributes={"q": [5, 6]},
    )
    level = get_resolution_level(open_theirs(str(path)), 0)
    assert read_object_attributes(level, "w").tolist() == [1.0, 2.0, 3.0]
    assert read_object_attributes(level, "pair").tolist() == [[0, 1], [2, 3], [4, 5]]
    assert open_store(path)["0/group_attributes/q"][:].tolist() == [5, 6]


def test_chunks_divided_by_an_attribute_are_read(tmp_path) -> None:
    rng = np.random.default_rng(0)
    positions, path = rng.uniform(0, 200, (300, 3)).astype("f4"), tmp_path / "a.zarrvectors"
    gene = rng.choice(["a", "b", "c"], 300)
    package.write_points(
        str(path),
        positions,
        chunk_shape=(100.0,) * 3,
        vertex_attributes={"row": np.arange(300), "gene": gene},
        chunk_by_attribute="gene",
    )
    points = read_points(path, attribute_names=["row", "gene"])
    row = points.vertex_attributes["row"]
    assert sorted(row) == [*range(300)]
    assert np.array_equal(points.positions, positions[row])
    assert np.array_equal(points.vertex_attributes["gene"], gene[row])
    inside = (positions <= 50).all(axis=1)
    assert read_points(path, bbox=([0] * 3, [50] * 3)).vertex_count == np.count_nonzero(inside)
    assert validate(path, 5).errors == ()

"""Vector stores wherever bytes live: folders, memory, archives, S3, stores of zarr-python."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

import anyzarr
from anyzarr.errors import (
    MetadataError,
    NodeNotFoundError,
    ReadOnlyError,
    StoreError,
    UnsupportedError,
)
from anyzarr.stores import MemoryStore
from anyzarr.vectors import (
    CAP_FRAGMENT_INDEX,
    CAP_SHARED_VERTEX_GROUPS,
    RootMetadata,
    create_store,
    open_store,
    open_zv,
    read_points,
    write_points,
)

POSITIONS = np.random.default_rng(0).uniform(-50, 150, (300, 3)).astype("float32")
ROW = {"row": np.arange(300)}
BOX = ([0, 0, 0], [70, 70, 70])


def check(location, **options) -> None:
    points = read_points(location, attribute_names=["row"], **options)
    row = points.vertex_attributes["row"]
    assert sorted(row) == [*range(300)]
    assert np.array_equal(points.positions, POSITIONS[row])
    boxed = read_points(location, bbox=BOX, **options).vertex_count
    assert boxed == np.count_nonzero(((POSITIONS >= 0) & (POSITIONS <= 70)).all(axis=1))
    assert open_zv(location, **options)[0].filter(bbox=BOX).compute().vertex_count == boxed


def write(location, **options) -> None:
    write_points(location, POSITIONS, chunk_shape=(100,) * 3, vertex_attributes=ROW, **options)


def test_a_folder_by_path_url_and_pipeline(tmp_path) -> None:
    path = tmp_path / "scan.zarrvectors"
    write(path)
    for location in (path, str(path), f"file://{path}", f"{path}|zarr3:"):
        check(location)
    assert sum(len(files) for _, _, files in os.walk(path / "0")) == 8
    assert open_store(path).attrs["ome"]["name"] == "scan"


def test_memory_by_name_dict_and_object() -> None:
    for location in ("memory://vectors", {}, MemoryStore()):
        write(location)
        check(location)


def test_a_memory_store_of_zarr_python_keeps_the_chunk_shape() -> None:
    zarr = pytest.importorskip("zarr")
    store = zarr.storage.MemoryStore()
    write(store)
    check(store)
    assert open_store(store).attrs["zarr_vectors"]["chunk_shape"] == [100.0] * 3
    assert open_store(store)["0/vertices"].shape == (3, 3, 3)


def test_an_archive_made_by_zip_is_read(tmp_path) -> None:
    zarr = pytest.importorskip("zarr")
    path, archive = tmp_path / "scan.zarrvectors", tmp_path / "scan.zarrvectors.zip"
    write(path)
    with zipfile.ZipFile(archive, "w") as packed:
        for file in sorted(path.rglob("*")):
            packed.write(file, file.relative_to(tmp_path))
    check(archive)
    with pytest.raises(ReadOnlyError):
        write_points(archive, POSITIONS, mode="append")
    flat = tmp_path / "flat.zip"
    with zipfile.ZipFile(flat, "w") as packed:
        for file in sorted(path.rglob("*")):
            packed.write(file, file.relative_to(path))
    check(flat)
    check(zarr.storage.ZipStore(flat, mode="r"))


def test_an_archive_is_written_whole(tmp_path) -> None:
    archive = tmp_path / "scan.zarrvectors.zip"
    write(archive)
    assert [p.name for p in tmp_path.iterdir()] == [archive.name]
    check(archive)
    with pytest.raises(MetadataError):
        write_points(tmp_path / "bad.zip", [[np.nan, 0.0]])
    assert [p.name for p in tmp_path.iterdir()] == [archive.name]


def test_s3_takes_the_options_of_its_backend(s3) -> None:
    pytest.importorskip("obstore")
    url = f"s3://{s3.new_bucket()}/scan.zarrvectors"
    options = {"backend": "obstore", **s3.options}
    write(url, **options)
    check(url, **options)
    write_points(url, POSITIONS, vertex_attributes=ROW, mode="append", **options)
    assert read_points(url, **options).vertex_count == 600
    assert open_store(url, **options).backend == "obstore"


def test_a_web_server_that_cannot_list_is_read(tmp_path, web) -> None:
    pytest.importorskip("obstore")
    path, url = tmp_path / "scan.zarrvectors", f"{web}/scan.zarrvectors"
    write(path)
    assert read_points(url, attribute_names=["row"], bbox=BOX).vertex_count > 0
    with pytest.raises(UnsupportedError):
        read_points(url, attribute_names="all")
    open_store(path, mode="r+").consolidate()
    check(url)


def test_a_box_costs_three_rounds_of_requests() -> None:
    store = Counting()
    write(store)
    Counting.rounds = 0
    read_points(store, bbox=BOX, attribute_names=["row"])
    # The root with the documents of level and arrays; then each array's index and its cells, and,
    # in a store that tells no versions, the index again; the root, which tells whether the
    # store was edited meanwhile.
    assert Counting.rounds <= 8


def test_the_environment_names_the_backend(tmp_path, monkeypatch) -> None:
    path = tmp_path / "a"
    monkeypatch.setenv("ZARR_VECTORS_BACKEND", "fsspec")
    pytest.importorskip("fsspec")
    write(path)
    assert open_store(path).backend == "fsspec"
    assert open_store(path, backend="local").backend == "local"
    with anyzarr.config.set(backend="local"):
        assert open_store(path).backend == "local"
    monkeypatch.setenv("ANYZARR_BACKEND", "local")
    assert open_store(path).backend == "fsspec"
    monkeypatch.setenv("ZARR_VECTORS_BACKEND", "zip")
    check(path)  # a path works whatever the environment says
    monkeypatch.setenv("ZARR_VECTORS_BACKEND", "floppy")
    with pytest.raises(StoreError) as error:
        write(tmp_path / "b")
    assert error.value.kind == "unknown_backend"
    assert not (tmp_path / "b").exists()


def test_unknown_backends_are_refused_before_anything_is_created(tmp_path) -> None:
    for create in (write, create_store):
        with pytest.raises(StoreError):
            create(tmp_path / "a", backend="floppy")
        assert not (tmp_path / "a").exists()


@pytest.mark.filterwarnings("ignore")
def test_consolidated_metadata_is_kept_in_step(tmp_path) -> None:
    zarr = pytest.importorskip("zarr")
    path = tmp_path / "scan.zarrvectors"
    write(path)
    root = open_store(path, mode="r+")
    zarr.consolidate_metadata(root.zarr_group.store)
    check(path)
    write_points(path, POSITIONS + np.float32(500), vertex_attributes=ROW, mode="append",
                 out_of_bounds="expand")  # fmt: skip
    document = json.loads((path / "zarr.json").read_bytes())
    known = document["consolidated_metadata"]["metadata"]
    for name, held in known.items():
        stored = json.loads((path / name / "zarr.json").read_bytes())
        assert held["attributes"] == stored["attributes"], name
    assert known["0"]["attributes"]["zarr_vectors_level"]["vertex_count"] == 600
    assert read_points(path).vertex_count == 600
    assert document["attributes"]["zarr_vectors"]["bounds"][1][0] > 500


class Counting(MemoryStore):
    """Counts rounds of requests."""

    rounds = 0

    def get(self, key, byte_range=None):
        Counting.rounds += 1
        return super().get(key, byte_range)

    def get_many(self, requests):
        Counting.rounds += 1
        return super().get_many(requests)


def test_opening_a_consolidated_store_costs_one_request() -> None:
    store = Counting()
    write(store)
    open_store(store, mode="r+").consolidate()
    Counting.rounds = 0
    open_zv(store)[0].vertices  # noqa: B018
    assert Counting.rounds == 1
    # A fact costs another: whether the store has been edited since it was opened.
    open_zv(store)[0].level_metadata  # noqa: B018
    assert Counting.rounds == 3


def test_a_created_store_takes_the_first_write(tmp_path) -> None:
    path = tmp_path / "a.zv"
    root = create_store(path, bounds=([-60] * 3, [160] * 3), chunk_shape=(50,) * 3,
                        axes=["z", "y", "x"], compressor="zstd", dtype="float64", name="scan",
                        bin_shape=(25,) * 3, geometry_types=["point_cloud"])  # fmt: skip
    assert read_points(root).vertex_count == 0
    with pytest.raises(MetadataError) as error:
        write_points(path, POSITIONS, chunk_shape=(100,) * 3)
    assert error.value.kind == "chunk_shape"
    write_points(path, POSITIONS, vertex_attributes=ROW)
    check(path)
    assert read_points(path).positions.dtype == "float64"
    metadata = RootMetadata.parse(open_store(path).attrs)
    assert [axis["name"] for axis in metadata.axes] == ["z", "y", "x"]
    assert (metadata.name, metadata.levels) == ("scan", (0,))
    inner = open_store(path)["0/vertices"].metadata.sharding
    assert [codec.name for codec in inner.codecs] == ["vlen-bytes", "zstd"]


def test_what_is_not_known_is_written_back(tmp_path) -> None:
    path = tmp_path / "a.zv"
    write(path)
    document = json.loads((path / "zarr.json").read_bytes())
    document["attributes"]["zarr_vectors"] |= {"crs": {"epsg": 4326}, "future": [1]}
    document["attributes"] |= {"mine": 1}
    (path / "zarr.json").write_text(json.dumps(document))
    write_points(path, POSITIONS, vertex_attributes=ROW, mode="append")
    attributes = open_store(path).attrs
    assert attributes["mine"] == 1
    assert attributes["zarr_vectors"]["crs"] == {"epsg": 4326}
    assert attributes["zarr_vectors"]["future"] == [1]


def test_capabilities_are_tokens() -> None:
    root = create_store({}, format_capabilities=[CAP_FRAGMENT_INDEX, CAP_SHARED_VERTEX_GROUPS])
    tokens = RootMetadata.parse(root.attrs).format_capabilities
    assert tokens == ("fragment_index", "shared_fragments")


def test_what_is_no_vector_store_is_refused(tmp_path) -> None:
    anyzarr.create_group(tmp_path / "plain")
    for location in (tmp_path / "plain", {"zarr.json": b'{"zarr_format":3,"node_type":"group"}'}):
        with pytest.raises(MetadataError) as error:
            open_store(location)
        assert error.value.kind == "not_vectors"
    with pytest.raises(NodeNotFoundError):
        open_zv(tmp_path / "nothing")
    assert Path(tmp_path / "plain").is_dir()

"""Arrays and groups as objects, checked against numpy and zarr-python."""

from __future__ import annotations

import multiprocessing
import operator
import pickle
import threading

import numpy as np
import pytest

import anyzarr
from anyzarr.errors import (
    MetadataError,
    MissingDependencyError,
    NodeExistsError,
    NodeNotFoundError,
    ReadOnlyError,
    SelectionError,
    UnsupportedError,
)

DATA = np.arange(24, dtype="u2").reshape(4, 6)


@pytest.fixture(params=["memory", "local"])
def location(request, tmp_path):
    return {} if request.param == "memory" else tmp_path / "x.zarr"


def test_create_with_data_and_open(location):
    made = anyzarr.create_array(location, data=DATA, chunks=(2, 2), shards=(4, 4))
    array = anyzarr.open(location)
    assert isinstance(array, anyzarr.Array)
    assert array == made
    assert (array.shape, array.dtype, array.chunks, array.shards) == ((4, 6), "u2", (2, 2), (4, 4))
    assert (array.ndim, array.size, array.nbytes, len(array)) == (2, 24, 48, 4)
    np.testing.assert_array_equal(array[...], DATA, strict=True)
    np.testing.assert_array_equal(np.asarray(array), DATA)
    np.testing.assert_array_equal(list(array), DATA)
    assert array.engine in {"native", "zarrs"}


def test_scalars_where_numpy_has_scalars(location):
    array = anyzarr.create_array(location, data=DATA)
    assert isinstance(array[1, 2], np.uint16)
    assert array[1, 2] == DATA[1, 2]
    assert isinstance(array[..., 1, 2], np.ndarray)


def test_indexers(location):
    array = anyzarr.create_array(location, data=DATA, chunks=(2, 3))
    np.testing.assert_array_equal(array.oindex[[0, 3], [5, 1]], DATA[np.ix_([0, 3], [5, 1])])
    np.testing.assert_array_equal(array.vindex[[0, 3], [5, 1]], DATA[[0, 3], [5, 1]])
    np.testing.assert_array_equal(array.blocks[1, 0], DATA[2:, :3])
    array.oindex[[0, 3], [5, 1]] = [[1, 2], [3, 4]]
    array.vindex[[1, 2], [0, 0]] = 77
    array.blocks[0, 1] = 5
    expected = DATA.copy()
    expected[np.ix_([0, 3], [5, 1])] = [[1, 2], [3, 4]]
    expected[[1, 2], [0, 0]] = 77
    expected[:2, 3:] = 5
    np.testing.assert_array_equal(array[...], expected)


def test_groups_and_members(location):
    root = anyzarr.create_group(location, attributes={"k": 1})
    root.create_array("a/b/c", data=DATA)
    root.create_group("z")
    assert root.keys() == list(root) == ["a", "z"]
    assert len(root) == 2
    assert "a/b/c" in root
    assert "nope" not in root
    assert [name for name, _ in root["a"].groups()] == ["b"]
    assert [name for name, _ in root["a/b"].arrays()] == ["c"]
    assert root.require_group("z") == root["z"]
    assert root.get("nope", 3) == 3
    with pytest.raises(KeyError):
        root["nope"]
    with pytest.raises(NodeExistsError):
        root.create_group("a/b/c/below-an-array")
    with pytest.raises(NodeExistsError):
        root.require_group("a/b/c")
    assert str(root.tree()).splitlines()[1:] == [
        "├── a/",
        "│   └── b/",
        "│       └── c (4, 6) uint16",
        "└── z/",
    ]
    del root["a"]
    assert list(root) == ["z"]


def test_attributes_write_through_and_merge(location):
    one = anyzarr.create_group(location)
    two = anyzarr.open_group(location)
    one.attrs["a"] = 1
    two.attrs["b"] = {"x": [1, 2]}
    assert dict(anyzarr.open(location).attrs) == {"a": 1, "b": {"x": [1, 2]}}
    one.refresh()
    assert one.attrs.asdict() == {"a": 1, "b": {"x": [1, 2]}}
    del two.attrs["a"]
    with pytest.raises(KeyError):
        two.attrs["a"]
    two.attrs.put({"only": True})
    assert dict(one.refresh().attrs) == {"only": True}


def test_what_attributes_give_out_is_a_copy(location):
    group = anyzarr.create_group(location, attributes={"list": [1]})
    group.attrs["list"].append(2)
    group.attrs.asdict()["list"].append(3)
    assert group.attrs["list"] == anyzarr.open(location).attrs["list"] == [1]


def test_threads_changing_attributes_lose_nothing(location):
    group = anyzarr.create_group(location)
    handles = [anyzarr.open_group(location) for _ in range(16)]
    threads = [
        threading.Thread(target=handle.attrs.update, args=({f"k{n}": n},))
        for n, handle in enumerate(handles)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(group.refresh().attrs) == 16


@pytest.mark.parametrize("shards", [None, (4, 4)])
def test_resize_cuts_for_good_and_grows_with_fill(location, shards):
    array = anyzarr.create_array(
        location, shape=(6, 8), dtype="i4", chunks=(2, 2), shards=shards, fill_value=-1
    )
    array[...] = 5
    array.resize((3, 5))
    np.testing.assert_array_equal(array[...], np.full((3, 5), 5))
    array.resize((6, 8))
    expected = np.full((6, 8), -1)
    expected[:3, :5] = 5
    np.testing.assert_array_equal(anyzarr.open(location)[...], expected)
    with pytest.raises(MetadataError):
        array.resize((3,))
    with pytest.raises(MetadataError):
        array.resize((3, -1))


def test_rectilinear_grids_grow_and_are_cut(location):
    grid = {"name": "rectilinear", "configuration": {"kind": "inline", "chunk_shapes": [[2, 3], 4]}}
    document = anyzarr.metadata.array_document(shape=(5, 8), dtype="u1", chunks=(5, 4))
    store = anyzarr.stores.open_store(location, mode="a")
    anyzarr.crud.create_new_array({**document, "chunk_grid": grid}, store)
    array = anyzarr.open(location)
    array[...] = 3
    array.resize((9, 8))
    assert array.chunks == ((2, 3, 3, 3), (4, 4))
    array.append(np.full((1, 8), 4, "u1"))
    expected = np.full((10, 8), 3)
    expected[5:9], expected[9] = 0, 4
    np.testing.assert_array_equal(array[...], expected)
    array.resize((4, 3))
    array.resize((10, 8))
    expected[4:], expected[:, 3:] = 0, 0
    np.testing.assert_array_equal(anyzarr.open(location)[...], expected)


def test_two_handles_append_in_turn(location):
    anyzarr.create_array(location, shape=(0, 3), dtype="i8", chunks=(2, 3))
    handles = [anyzarr.open_array(location) for _ in range(8)]
    threads = [
        threading.Thread(target=handle.append, args=(np.full((3, 3), n),))
        for n, handle in enumerate(handles)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = anyzarr.open(location)[...]
    assert rows.shape == (24, 3)
    assert sorted(rows[::3, 0].tolist()) == list(range(8))
    with pytest.raises(MetadataError):
        handles[0].append(np.zeros((1, 4), "i8"))
    assert anyzarr.open(location).shape == (24, 3)


def test_append_along_another_axis(location):
    array = anyzarr.create_array(location, data=DATA, chunks=(4, 4))
    assert array.append(DATA[:, :1], axis=-1) == (4, 7)
    np.testing.assert_array_equal(array[...], np.concatenate([DATA, DATA[:, :1]], 1))


def test_modes(tmp_path):
    location = tmp_path / "x.zarr"
    with pytest.raises(NodeNotFoundError):
        anyzarr.open_array(location)
    with pytest.raises(NodeNotFoundError):
        anyzarr.open_group(location)
    assert not location.exists()
    made = anyzarr.open_array(location, mode="a", shape=(3,), dtype="u1")
    made[:] = 1
    again = anyzarr.open_array(location, mode="a", shape=(3,), dtype="u1")
    assert again[:].tolist() == [1, 1, 1]
    with pytest.raises(NodeExistsError):
        anyzarr.open_array(location, mode="w-", shape=(3,), dtype="u1")
    with pytest.raises(NodeExistsError):
        anyzarr.create_array(location, shape=(3,), dtype="u1")
    fresh = anyzarr.open_array(location, mode="w", shape=(2,), dtype="u1")
    assert fresh[:].tolist() == [0, 0]
    read_only = anyzarr.open_array(location, mode="r")
    assert read_only.read_only
    for write in (
        lambda: read_only.__setitem__(0, 1),
        lambda: read_only.resize((5,)),
        lambda: read_only.append([1]),
        lambda: read_only.attrs.update(a=1),
    ):
        with pytest.raises(ReadOnlyError):
            write()
    with pytest.raises(MetadataError):
        anyzarr.open_group(location)
    with pytest.raises(MetadataError) as caught:
        anyzarr.open_array(location, mode="rw")
    assert caught.value.kind == "mode"
    anyzarr.create_group(tmp_path / "g")
    with pytest.raises(MetadataError):
        anyzarr.open_array(tmp_path / "g")


def test_bad_creation_writes_nothing(tmp_path):
    location = tmp_path / "x.zarr"
    for options in (
        {"shape": (3,)},
        {"dtype": "u1"},
        {"data": DATA, "shape": (4, 6)},
        {"shape": (3,), "dtype": "no such dtype"},
        {"shape": (-3,), "dtype": "u1"},
        {"shape": (8,), "dtype": "u1", "chunks": (3,), "shards": (4,)},
        {"shape": (8,), "dtype": "u1", "zarr_format": 2, "shards": (4,)},
        {"shape": (8,), "dtype": "u1", "compressors": "no-such-codec"},
        {"shape": (8,), "dtype": "u1", "fill_value": 300},
    ):
        with pytest.raises((MetadataError, UnsupportedError)):
            anyzarr.create_array(location, **options)
        assert not location.exists()
    with pytest.raises(UnsupportedError):
        anyzarr.create_array(location, shape=(3,), dtype="u1", engine="warp")
    assert not location.exists()


def test_url_opens_the_same_node(tmp_path):
    group = anyzarr.create_group(tmp_path / "x.zarr")
    array = group.create_array("a/b", data=DATA)
    assert anyzarr.open(array.url) == anyzarr.open(tmp_path / "x.zarr" / "a" / "b")
    np.testing.assert_array_equal(anyzarr.open(array.url)[...], DATA)
    assert array.name == "b"
    assert group.name == "x.zarr"
    assert (array.backend, array.path, array.zarr_format) == ("local", "a/b", 3)


@pytest.mark.parametrize("engine", [None, "zarr", "tensorstore", "zarrs", "zarrs-python"])
def test_pickled_by_description(tmp_path, engine):
    array = anyzarr.create_array(tmp_path / "x.zarr", data=DATA, engine=engine)
    payload = pickle.dumps(array)
    assert len(payload) < 5000
    again = pickle.loads(payload)
    assert again == array
    assert again.engine == array.engine
    np.testing.assert_array_equal(again[...], DATA)
    group = pickle.loads(pickle.dumps(anyzarr.create_group(tmp_path / "g")))
    assert list(group) == []


def test_worker_processes_reopen(tmp_path):
    array = anyzarr.create_array(tmp_path / "x.zarr", data=DATA)
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        for result in pool.map(operator.itemgetter(...), [array] * 3):
            np.testing.assert_array_equal(result, DATA, strict=True)


def test_to_dask(location):
    array = anyzarr.create_array(location, data=DATA, chunks=(2, 2), shards=(2, 4))
    lazy = array.to_dask()
    assert lazy.chunks == ((2, 2), (4, 2))
    assert lazy.dtype == DATA.dtype
    np.testing.assert_array_equal(lazy.compute(scheduler="synchronous"), DATA)
    np.testing.assert_array_equal(lazy[1:, ::2].compute(scheduler="threads"), DATA[1:, ::2])
    assert array.to_dask(chunks=(4, 6)).npartitions == 1
    before = lazy.sum().compute(scheduler="synchronous")
    array[...] = 0
    assert array.to_dask().sum().compute(scheduler="synchronous") == 0 != before


def test_a_missing_extra_says_how_to_install_it(location, monkeypatch):
    array = anyzarr.create_array(location, data=DATA)
    monkeypatch.setitem(__import__("sys").modules, "dask.array", None)
    with pytest.raises(MissingDependencyError) as caught:
        array.to_dask()
    assert isinstance(caught.value, ImportError)
    assert 'pip install "anyzarr[dask]"' in str(caught.value)


def test_context_managers(location):
    with anyzarr.create_group(location) as group, group.create_array("a", data=DATA) as array:
        array[0] = 1
    assert array[0].tolist() == [1] * 6


def test_native_handle_is_the_engines_own(tmp_path):
    array = anyzarr.create_array(tmp_path / "x.zarr", data=DATA, engine="zarr")
    assert type(array.native_handle).__module__.startswith("zarr.")
    assert array.native_handle.shape == (4, 6)


def test_selection_errors_are_index_errors(location):
    array = anyzarr.create_array(location, data=DATA)
    for selection in (4, (0, 6), (0, 0, 0), [0, 9], "a", 1.5, (..., ...)):
        with pytest.raises(IndexError) as ours:
            array[selection]
        assert isinstance(ours.value, SelectionError)


@pytest.mark.oracle
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_zarr_reads_ours_and_we_read_zarrs(tmp_path, zarr_format):
    zarr = pytest.importorskip("zarr")
    ours = anyzarr.create_group(tmp_path / "ours", attributes={"a": 1}, zarr_format=zarr_format)
    ours.create_array("x/y", data=DATA, chunks=(2, 2), attributes={"b": 2})
    theirs = zarr.open_group(str(tmp_path / "ours"), mode="r")
    assert dict(theirs.attrs) == {"a": 1}
    assert dict(theirs["x/y"].attrs) == {"b": 2}
    np.testing.assert_array_equal(theirs["x/y"][:], DATA)

    root = zarr.create_group(str(tmp_path / "theirs"), zarr_format=zarr_format)
    root.create_array("x/y", data=DATA, chunks=(2, 2))
    np.testing.assert_array_equal(anyzarr.open(tmp_path / "theirs", path="x/y")[:], DATA)


@pytest.mark.oracle
def test_zarr_live_stores_are_locations():
    zarr = pytest.importorskip("zarr")
    store = zarr.storage.MemoryStore()
    anyzarr.create_array(store, name="a", data=DATA)
    np.testing.assert_array_equal(zarr.open_array(store, path="a")[:], DATA)

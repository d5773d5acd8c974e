"""Selections, buffers and concurrent writers through the functional API."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anyzarr import config, crud
from anyzarr.errors import CorruptDataError, MetadataError, SelectionError
from anyzarr.metadata import array_document
from anyzarr.stores import LocalStore, MemoryStore


def array(**options):
    return array_document(**{"shape": (9, 11), "dtype": "int32", "chunks": (4, 3), **options})


SELECTIONS = [
    np.s_[...],
    np.s_[:],
    np.s_[3],
    np.s_[-1, -2],
    np.s_[2:7, 1:10:3],
    np.s_[::-1, ::-4],
    np.s_[8:2:-3, 5],
    np.s_[..., 4],
    np.s_[None, 1:3, None, :],
    np.s_[5:5, :],
    np.s_[[0, 5, 5, -1]],
    np.s_[[0, 2], [1, -1]],
    np.s_[[[0], [2]], [1, 3]],
    np.s_[1:4, [0, 9, 2]],
    np.s_[:, np.arange(11) % 3 == 0],
    np.arange(99).reshape(9, 11) % 4 == 1,
]


@pytest.mark.parametrize("selection", SELECTIONS, ids=repr)
@pytest.mark.parametrize("shards", [None, (8, 6)])
def test_reads_and_writes_as_numpy(engine, selection, shards):
    document, store = array(shards=shards), MemoryStore()
    expected = np.arange(99, dtype="i4").reshape(9, 11)
    crud.write_region(document, store, "a", ..., expected, engine=engine)
    got = crud.read_region(document, store, "a", selection, engine=engine)
    np.testing.assert_array_equal(got, expected[selection], strict=True)
    assert got.flags.writeable
    assert got.flags.c_contiguous

    value = -1 - np.arange(expected[selection].size).reshape(expected[selection].shape)
    crud.write_region(document, store, "a", selection, value, engine=engine)
    expected[selection] = value
    np.testing.assert_array_equal(crud.read_region(document, store, "a"), expected, strict=True)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_out_takes_any_strides(data):
    document, store = array(), MemoryStore()
    expected = np.arange(99, dtype="i4").reshape(9, 11)
    crud.write_region(document, store, "a", ..., expected)
    rows = data.draw(st.slices(9))
    columns = data.draw(st.slices(11))
    wanted = expected[rows, columns]
    buffer = np.zeros((wanted.shape[1] * 2, wanted.shape[0] * 3), "i4")
    out = buffer[::-2, 1::3].T
    assert out.shape == wanted.shape
    result = crud.read_region(document, store, "a", (rows, columns), out=out)
    assert result is out
    np.testing.assert_array_equal(out, wanted)
    assert buffer.sum() == wanted.sum()  # nothing outside was touched


def test_out_may_be_any_buffer():
    document, store = array_document(shape=(4,), dtype="uint8", chunks=(2,)), MemoryStore()
    crud.write_region(document, store, "", ..., [1, 2, 3, 4])
    raw = bytearray(4)
    crud.read_region(document, store, "", out=raw)
    assert raw == bytes([1, 2, 3, 4])


@pytest.mark.parametrize(
    ("out", "kind"),
    [
        (np.zeros((9, 10), "i4"), "out_shape"),
        (np.zeros((9, 11), "i8"), "out_dtype"),
        (np.broadcast_to(np.zeros((), "i4"), (9, 11)), "out_read_only"),
        ([0] * 9, "out_type"),
    ],
)
def test_an_out_that_cannot_take_the_result_is_refused(out, kind):
    with pytest.raises(MetadataError) as caught:
        crud.read_region(array(), MemoryStore(), "a", out=out)
    assert caught.value.kind == kind


@pytest.mark.parametrize(
    ("value", "kind"),
    [(np.zeros((9, 10), "i4"), "value_shape"), (np.zeros((9, 11), "f8"), None), ("text", None)],
)
def test_a_value_that_does_not_fit_writes_nothing(value, kind):
    store = MemoryStore()
    with pytest.raises(MetadataError) as caught:
        crud.write_region(array(), store, "a", ..., value)
    assert kind is None or caught.value.kind == kind
    assert list(store.list()) == []


@pytest.mark.parametrize("selection", [np.s_[9], np.s_[0, 11], np.s_[[0, 9]], np.s_[0, 0, 0]])
def test_out_of_bounds_is_an_index_error(selection):
    with pytest.raises(SelectionError) as caught:
        crud.read_region(array(), MemoryStore(), "a", selection)
    assert isinstance(caught.value, IndexError)
    store = MemoryStore()
    with pytest.raises(IndexError):
        crud.write_region(array(), store, "a", selection, 1)
    assert list(store.list()) == []


def test_chunks_of_fill_value_are_not_stored(engine):
    document, store = array(dtype="float32", fill_value=np.nan), MemoryStore()
    crud.write_region(document, store, "a", ..., np.nan, engine=engine)
    assert list(store.list()) == []
    crud.write_region(document, store, "a", np.s_[0, 0], 1, engine=engine)
    assert [info.key for info in store.list()] == ["a/c/0/0"]
    crud.write_region(document, store, "a", np.s_[0, 0], np.nan, engine=engine)
    assert list(store.list()) == []
    with config.scope(write_empty_chunks=True):
        crud.write_region(document, store, "a", np.s_[:4, :3], np.nan, engine=engine)
    assert [info.key for info in store.list()] == ["a/c/0/0"]


def test_minus_zero_is_not_zero(engine):
    document, store = array(dtype="float64"), MemoryStore()
    crud.write_region(document, store, "a", ..., -0.0, engine=engine)
    assert np.signbit(crud.read_region(document, store, "a", engine=engine)).all()


@pytest.mark.parametrize("shards", [None, (8, 9)])
@pytest.mark.parametrize("where", ["memory", "local"])
def test_threads_that_share_chunks_lose_nothing(engine, shards, where, tmp_path):
    store = MemoryStore() if where == "memory" else LocalStore(str(tmp_path))
    document = array_document(
        shape=(16, 18), dtype="int64", chunks=(4, 3), shards=shards, compressors="zstd"
    )
    expected = 1 + np.arange(16 * 18).reshape(16, 18)
    rows = list(range(16))
    errors = []

    def write(row):
        try:
            crud.write_region(document, store, "a", np.s_[row, ::2], expected[row, ::2])
            crud.write_region(
                document, store, "a", np.s_[row, 1::2], expected[row, 1::2], engine=engine
            )
        except Exception as error:  # noqa: BLE001 - shown below
            errors.append(error)

    threads = [threading.Thread(target=write, args=(row,)) for row in rows]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    np.testing.assert_array_equal(crud.read_region(document, store, "a"), expected)


def test_stores_rooted_at_different_prefixes_share_their_locks(tmp_path):
    document = array_document(shape=(64,), dtype="int64", chunks=(64,), compressors=None)
    outer, inner = LocalStore(str(tmp_path)), LocalStore(str(tmp_path / "a"))

    def write(index):
        store, path = (outer, "a") if index % 2 else (inner, "")
        crud.write_region(document, store, path, index, index + 1)

    threads = [threading.Thread(target=write, args=(index,)) for index in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert crud.read_region(document, outer, "a").tolist() == list(range(1, 65))


def test_a_virtual_view_needs_nothing_in_the_store():
    store = MemoryStore()
    document = array()
    crud.write_region(document, store, "a", ..., np.arange(99).reshape(9, 11))
    view = {**document, "shape": [5, 6]}
    np.testing.assert_array_equal(
        crud.read_region(view, store, "a"), np.arange(99).reshape(9, 11)[:5, :6]
    )


def test_a_corrupt_chunk_is_named(engine):
    document, store = array(compressors="zstd"), MemoryStore()
    crud.write_region(document, store, "a", ..., 7)
    store.put("a/c/1/2", b"garbage")
    with pytest.raises(CorruptDataError) as caught:
        crud.read_region(document, store, "a", engine=engine)
    error = caught.value
    assert (error.key, error.chunk_coords, error.engine) == ("a/c/1/2", (1, 2), engine)
    assert error.store is not None
    crud.read_region(document, store, "a", np.s_[:4, :], engine=engine)  # others still read


def test_empty_and_zero_dimensional_arrays(engine):
    store = MemoryStore()
    scalar = array_document(shape=(), dtype="float32", chunks=())
    crud.write_region(scalar, store, "s", ..., 2.5, engine=engine)
    assert crud.read_region(scalar, store, "s", engine=engine).item() == 2.5
    assert crud.read_region(scalar, store, "s", (), engine=engine).shape == ()
    empty = array_document(shape=(0, 4), dtype="uint8", chunks=(2, 2))
    crud.write_region(empty, store, "e", ..., np.zeros((0, 4), "u1"), engine=engine)
    assert crud.read_region(empty, store, "e", engine=engine).shape == (0, 4)

"""Whole chunks and subchunks, decoded and as stored."""

from __future__ import annotations

import numpy as np
import pytest

from anyzarr import crud
from anyzarr.errors import CorruptDataError, MetadataError, SelectionError, UnsupportedError
from anyzarr.metadata import array_document
from anyzarr.stores import MemoryStore


def array(**options):
    return array_document(
        **{"shape": (5, 7), "dtype": "uint16", "chunks": (2, 3), "fill_value": 9, **options}
    )


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_chunks_include_their_padding(engine, zarr_format):
    document, store = array(zarr_format=zarr_format), MemoryStore()
    value = np.arange(6, dtype="u2").reshape(2, 3)
    crud.write_chunk(document, store, "a", (2, 2), value, engine=engine)
    np.testing.assert_array_equal(
        crud.read_chunk(document, store, "a", (2, 2), engine=engine), value, strict=True
    )
    assert crud.read_region(document, store, "a", engine=engine)[4, 6] == 0
    np.testing.assert_array_equal(
        crud.read_chunk(document, store, "a", (0, 0), engine=engine), np.full((2, 3), 9, "u2")
    )


def test_shards_and_subchunks(engine):
    document, store = array(chunks=(2, 3), shards=(4, 6)), MemoryStore()
    shard = np.arange(24, dtype="u2").reshape(4, 6)
    crud.write_chunk(document, store, "a", (1, 1), shard, engine=engine)
    np.testing.assert_array_equal(
        crud.read_chunk(document, store, "a", (1, 1), engine=engine), shard
    )
    np.testing.assert_array_equal(
        crud.read_subchunk(document, store, "a", (3, 2), engine=engine), shard[2:4, :3]
    )
    np.testing.assert_array_equal(
        crud.read_subchunk(document, store, "a", (0, 0), engine=engine), np.full((2, 3), 9)
    )
    encoded = crud.read_encoded_subchunk(document, store, "a", (3, 2))
    inner = array(shape=(2, 3))
    np.testing.assert_array_equal(crud.decode_chunk(inner, encoded, engine=engine), shard[2:4, :3])
    assert crud.read_encoded_subchunk(document, store, "a", (0, 0)) is None


@pytest.mark.parametrize("compressors", [None, "zstd", "gzip", "blosc-lz4:5"])
def test_encode_and_decode_are_inverse_and_pure(engine, compressors):
    document = array(compressors=compressors)
    value = np.random.default_rng(0).integers(0, 9999, (2, 3)).astype("u2")
    data = crud.encode_chunk(document, value, engine=engine)
    decoded = crud.decode_chunk(document, data, engine=engine)
    np.testing.assert_array_equal(decoded, value, strict=True)
    assert decoded.flags.writeable
    out = np.zeros((3, 2), "u2").T
    assert crud.decode_chunk(document, data, out=out, engine=engine) is out
    np.testing.assert_array_equal(out, value)
    store = MemoryStore()
    crud.write_encoded_chunk(document, store, "a", (0, 1), data)
    assert crud.read_encoded_chunk(document, store, "a", (0, 1)) == data
    np.testing.assert_array_equal(crud.read_chunk(document, store, "a", (0, 1)), value)
    crud.delete_chunk(document, store, "a", (0, 1))
    crud.delete_chunk(document, store, "a", (0, 1))
    assert crud.read_encoded_chunk(document, store, "a", (0, 1)) is None


def test_the_fill_value_rule_of_whole_chunks(engine):
    document, store = array(), MemoryStore()
    full = np.full((2, 3), 9, "u2")
    crud.write_chunk(document, store, "a", (0, 0), full, write_empty_chunks=True, engine=engine)
    assert [info.key for info in store.list()] == ["a/c/0/0"]
    crud.write_chunk(document, store, "a", (0, 0), full, engine=engine)
    assert list(store.list()) == []


def test_bad_coordinates_and_shapes_write_nothing():
    document, store = array(), MemoryStore()
    for coords in [(3, 0), (-1, 0), (0,), (0, 0, 0)]:
        for call in (crud.read_chunk, crud.read_encoded_chunk, crud.delete_chunk):
            with pytest.raises(SelectionError):
                call(document, store, "a", coords)
        with pytest.raises(SelectionError):
            crud.write_chunk(document, store, "a", coords, np.zeros((2, 3), "u2"))
    with pytest.raises(MetadataError) as caught:
        crud.write_chunk(document, store, "a", (2, 2), np.zeros((1, 1), "u2"))
    assert caught.value.kind == "chunk_shape"
    with pytest.raises(MetadataError):
        crud.encode_chunk(document, np.zeros((3, 2), "u2"))
    assert list(store.list()) == []


@pytest.mark.parametrize("data", [b"", b"\x00", b"garbage" * 9])
def test_bytes_that_are_no_chunk_are_corrupt(engine, data):
    for compressors in (None, "zstd", "gzip"):
        with pytest.raises(CorruptDataError):
            crud.decode_chunk(array(compressors=compressors), data, engine=engine)


def test_a_subchunk_inside_other_codecs_has_no_bytes_of_its_own():
    document = array(chunks=(2, 3), shards=(4, 6))
    document["codecs"] = [*document["codecs"], {"name": "gzip", "configuration": {"level": 1}}]
    with pytest.raises(UnsupportedError):
        crud.read_encoded_subchunk(document, MemoryStore(), "a", (0, 0))

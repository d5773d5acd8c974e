"""Metadata made from metadata."""

from __future__ import annotations

import numpy as np
import pytest

from anyzarr.errors import MetadataError, UnsupportedError
from anyzarr.metadata import (
    CodecSpec,
    array_document,
    encode_documents,
    parse_array,
    parse_fill,
    respelled,
    single_chunk,
    subchunk,
    to_document,
    to_v3_equivalent,
)


def test_v3_is_its_own_equivalent(v3):
    assert to_v3_equivalent(parse_array(v3)) == v3


def test_v2_in_v3_terms():
    document = array_document(
        shape=(10, 20),
        dtype=">u2",
        chunks=(5, 10),
        zarr_format=2,
        order="F",
        compressors={"id": "zlib", "level": 2},
        chunk_key_encoding="/",
        fill_value=None,
        attributes={"a": 1},
    )
    assert to_v3_equivalent(parse_array(document)) == {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [10, 20],
        "data_type": "uint16",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [5, 10]}},
        "chunk_key_encoding": {"name": "v2", "configuration": {"separator": "/"}},
        "fill_value": 0,
        "codecs": [
            {"name": "transpose", "configuration": {"order": [1, 0]}},
            {"name": "bytes", "configuration": {"endian": "big"}},
            {"name": "numcodecs.zlib", "configuration": {"level": 2}},
        ],
        "attributes": {"a": 1},
    }


def test_filters_on_bytes_come_after_the_serializer():
    document = array_document(
        shape=(10,),
        dtype="u2",
        zarr_format=2,
        filters=[
            {"id": "delta", "dtype": "<u2", "astype": "<u1"},
            {"id": "shuffle", "elementsize": 2},
        ],
        compressors=None,
    )
    chain = parse_array(document).codecs
    assert [spec.name for spec in chain] == ["numcodecs.delta", "bytes", "numcodecs.shuffle"]
    # delta makes single bytes of it, which have no order
    assert chain[1] == CodecSpec("bytes", {})


@pytest.mark.parametrize(
    ("compressor", "spec"),
    [
        ({"id": "crc32c"}, CodecSpec("crc32c", {})),
        (
            {"id": "crc32c", "location": "start"},
            CodecSpec("numcodecs.crc32c", {"location": "start"}),
        ),
        ({"id": "zstd", "level": 3}, CodecSpec("zstd", {"level": 3, "checksum": False})),
        ({"id": "lz4", "acceleration": 2}, CodecSpec("numcodecs.lz4", {"acceleration": 2})),
        (
            {"id": "blosc", "cname": "zstd", "clevel": 1, "shuffle": -1},
            CodecSpec(
                "blosc",
                {"typesize": 2, "cname": "zstd", "clevel": 1, "shuffle": "shuffle", "blocksize": 0},
            ),
        ),
    ],
)
def test_names_of_v2_codecs_in_v3(compressor, spec):
    document = array_document(shape=(4,), dtype="u2", zarr_format=2, compressors=None)
    assert parse_array({**document, "compressor": compressor}).codecs[-1] == spec


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"dtype": [["a", "<u2"], ["b", ">u2"]], "fill_value": None}, "byte orders"),
        ({"compressor": {"id": "acme"}}, "acme"),
        ({"filters": [{"id": "shuffle"}, {"id": "delta", "dtype": "<u2"}]}, "back into arrays"),
        ({"dtype": ">u2", "filters": [{"id": "delta", "dtype": ">u2"}]}, "big-endian"),
    ],
)
def test_what_v3_cannot_say(changes, what):
    document = array_document(shape=(4,), dtype="u2", zarr_format=2, compressors=None)
    metadata = parse_array({**document, **changes})
    with pytest.raises(UnsupportedError, match=what):
        to_v3_equivalent(metadata)


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(
    ("dtype", "codecs"),
    [
        ("<u2", {"compressors": "auto"}),
        (">u2", {"compressors": None}),
        (">f8", {"compressors": "blosc"}),
        ("?", {"compressors": "gzip"}),
        ("<i4", {"filters": {"id": "delta", "dtype": "<i4"}}),
        ("<i4", {"filters": {"id": "shuffle", "elementsize": 4}, "compressors": "lz4"}),
        ("<i4", {"filters": {"id": "delta", "dtype": "<i4", "astype": "<i2"}}),
        ("<f4", {"filters": {"id": "bitround", "keepbits": 10}}),
        ("<M8[s]", {}),
        ("<U3", {}),
        ("|S3", {}),
        ("|V3", {}),
        ([("a", "<i2"), ("b", "<f4")], {}),
        ("string", {}),
    ],
    ids=str,
)
def test_stored_v2_chunks_read_alike_under_the_equivalent(dtype, codecs, order):
    """zarr-python writes v2; the same bytes under our v3 document give zarr the same values."""
    zarr = pytest.importorskip("zarr", minversion="3.3", reason="needs zarr-python 3.3 or newer")
    buffer = zarr.core.buffer.cpu.Buffer
    document = array_document(
        shape=(5, 7), chunks=(3, 4), dtype=dtype, zarr_format=2, order=order, **codecs
    )
    store = zarr.storage.MemoryStore(
        {key: buffer.from_bytes(value) for key, value in encode_documents(document).items()}
    )
    array = zarr.open_array(store, mode="r+")
    values = np.arange(35).reshape(5, 7)
    if dtype == "string":
        values = values.astype(str)
    elif isinstance(dtype, list):
        values = np.array([(i, i / 2) for i in range(35)], dtype).reshape(5, 7)
    elif dtype == "|V3":
        values = np.array([np.void(bytes([i, 0, 1])) for i in range(35)], dtype).reshape(5, 7)
    elif dtype in ("<U3", "|S3"):
        values = values.astype(dtype)
    array[:] = values.astype(array.dtype)
    # zarr-python has another name for raw bits.
    equivalent = parse_array(to_v3_equivalent(parse_array(document)))
    chunks = {k: v for k, v in store._store_dict.items() if not k.startswith(".z")}
    documents = encode_documents(respelled(equivalent, "zarr-python"))
    chunks |= {key: buffer.from_bytes(value) for key, value in documents.items()}
    read = zarr.open_array(zarr.storage.MemoryStore(chunks), mode="r")
    np.testing.assert_array_equal(read[:], array[:])


def test_single_chunk_of_a_sharded_array_is_a_shard(v3):
    metadata = single_chunk(parse_array(v3))
    assert metadata.shape == metadata.grid.chunk_shape == (5, 10)
    assert metadata.grid.n_chunks == 1
    assert metadata.codecs == parse_array(v3).codecs
    assert metadata.fill_value == 7
    assert metadata.attributes == {}
    assert metadata.dimension_names is None
    assert metadata.chunk_key("", (0, 0)) == "c/0/0"


def test_single_chunk_of_v2_stays_v2(v2):
    metadata = single_chunk(parse_array(v2))
    assert metadata.zarr_format == 2
    assert metadata.shape == metadata.grid.chunk_shape == (5, 10)
    assert metadata.codecs == parse_array(v2).codecs
    assert metadata.dtype == np.dtype(">i4")
    assert metadata.chunk_key("", (0, 0)) == "0.0"


def test_single_chunk_of_a_rectilinear_grid_needs_a_shape():
    metadata = parse_array(array_document(shape=(10,), dtype="u1", chunks=[[3, 7]]))
    assert single_chunk(metadata, (7,)).grid.chunk_shape == (7,)
    with pytest.raises(MetadataError, match="chunk_shape"):
        single_chunk(metadata)


def test_all_chunks_of_one_array_share_one_single_chunk(v3):
    metadata = parse_array(v3)
    longer = metadata.with_document(shape=[1000, 1000], attributes={"b": 2})
    assert single_chunk(metadata) is single_chunk(longer)


def test_subchunks(v3):
    metadata = subchunk(parse_array(v3))
    assert metadata.shape == (10, 20)
    assert metadata.grid == parse_array(v3).subchunk_grid
    assert [spec.name for spec in metadata.codecs] == ["bytes", "zstd"]
    assert subchunk(metadata) is metadata


def test_nested_shards_open_one_by_one():
    inner = {
        "name": "sharding_indexed",
        "configuration": {
            "chunk_shape": [2],
            "codecs": [{"name": "bytes"}],
            "index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}}, "crc32c"],
        },
    }
    document = array_document(
        shape=(32,), dtype="u1", chunks=(4,), shards=(16,), serializer=inner, compressors=None
    )
    metadata = parse_array(document)
    assert metadata.sharding.subchunk_shape == (4,)
    assert subchunk(metadata).sharding.subchunk_shape == (2,)
    assert subchunk(subchunk(metadata)).codecs == (CodecSpec("bytes", {}),)
    assert to_document(metadata) == document


def test_codecs_around_shards_make_the_shard_the_unit(v3):
    v3["codecs"].append({"name": "crc32c"})
    metadata = parse_array(v3)
    assert subchunk(metadata) is metadata


def test_names_of_either_dialect():
    metadata = parse_array(array_document(shape=(4,), dtype="V3", fill_value=b"\x01\x02\x03"))
    core = respelled(metadata, "core")
    assert (core["data_type"], core["fill_value"]) == ("r24", [1, 2, 3])
    again = parse_array(core)
    assert again.data_type == metadata.data_type
    assert respelled(again, "zarr-python") == to_document(metadata)
    assert parse_fill(core["fill_value"], again.data_type) == metadata.fill_value
    texts = parse_array(array_document(shape=(4,), dtype="bytes"))
    assert respelled(texts, "zarr-python")["data_type"] == "variable_length_bytes"
    assert respelled(texts, "core")["data_type"] == "bytes"

"""Documents of new arrays and groups."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyzarr.errors import AnyzarrError, MetadataError, UnsupportedError
from anyzarr.metadata import array_document, group_document, guess_chunks, parse_array

ZSTD = {"name": "zstd", "configuration": {"level": 0, "checksum": False}}
LITTLE = {"name": "bytes", "configuration": {"endian": "little"}}


def build(**changes):
    return array_document(**{"shape": (8, 10), "dtype": "uint16", "chunks": (4, 5), **changes})


def test_the_whole_document():
    assert build(attributes={"a": 1}, dimension_names=["y", None], fill_value=3) == {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [8, 10],
        "data_type": "uint16",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [4, 5]}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": 3,
        "codecs": [LITTLE, ZSTD],
        "attributes": {"a": 1},
        "dimension_names": ["y", None],
    }
    assert build(zarr_format=2, dtype=">u2") == {
        "zarr_format": 2,
        "shape": [8, 10],
        "chunks": [4, 5],
        "dtype": ">u2",
        "fill_value": 0,
        "order": "C",
        "filters": None,
        "compressor": {"id": "zstd", "level": 0},
        "dimension_separator": ".",
        "attributes": {},
    }


def test_shards():
    document = build(shards=(8, 10))
    assert document["chunk_grid"]["configuration"]["chunk_shape"] == [8, 10]
    (codec,) = document["codecs"]
    assert codec["name"] == "sharding_indexed"
    assert codec["configuration"] == {
        "chunk_shape": [4, 5],
        "codecs": [LITTLE, ZSTD],
        "index_codecs": [LITTLE, {"name": "crc32c"}],
        "index_location": "end",
    }


def test_chunks_chosen_for_given_shards_divide_them():
    metadata = parse_array(array_document(shape=(3000, 3000), dtype="u2", shards=(1500, 1000)))
    inner = metadata.sharding.subchunk_shape
    assert 1500 % inner[0] == 0
    assert 1000 % inner[1] == 0
    assert math.prod(inner) * 2 <= 2**20
    assert math.prod(inner) * 2 > 2**17
    document = array_document(shape=(1000, 3000, 3000), dtype="u1", shards=(3, 512, [1024, 2048]))
    metadata = parse_array(document)
    assert metadata.sharding.subchunk_shape == (1, 512, 1024)


def test_shards_that_nothing_sensible_divides_ask_for_chunks():
    for length in (2 * 2147483647, 2**62 - 57):
        with pytest.raises(MetadataError, match="give chunks"):
            array_document(shape=(2**62,), dtype="u1", shards=(length,))
    document = array_document(shape=(2**40,), dtype="u1", shards=(2 * 2147483647,), chunks=(2,))
    assert document["codecs"][0]["configuration"]["chunk_shape"] == [2]


@pytest.mark.parametrize(
    ("short", "spec"),
    [
        ("zstd", ZSTD),
        ("zstd:-3", {"name": "zstd", "configuration": {"level": -3, "checksum": False}}),
        ("gzip", {"name": "gzip", "configuration": {"level": 5}}),
        ("gzip:9", {"name": "gzip", "configuration": {"level": 9}}),
        ("crc32c", {"name": "crc32c"}),
        ("lz4", {"name": "numcodecs.lz4", "configuration": {"acceleration": 1}}),
        ("zlib:2", {"name": "numcodecs.zlib", "configuration": {"level": 2}}),
        ("numcodecs.bz2:2", {"name": "numcodecs.bz2", "configuration": {"level": 2}}),
        ("numcodecs.lzma", {"name": "numcodecs.lzma"}),
    ],
)
def test_short_names(short, spec):
    assert build(compressors=short)["codecs"] == [LITTLE, spec]
    assert build(compressors=[short, "crc32c"])["codecs"] == [LITTLE, spec, {"name": "crc32c"}]


@pytest.mark.parametrize(
    ("short", "dtype", "expected"),
    [
        ("blosc", "u2", ("zstd", 5, "shuffle", 2)),
        ("blosc", "u1", ("zstd", 5, "bitshuffle", 1)),
        ("blosc:1", "f8", ("zstd", 1, "shuffle", 8)),
        ("blosc-lz4", "u2", ("lz4", 5, "shuffle", 2)),
        ("blosc-zstd:1", "u2", ("zstd", 1, "shuffle", 2)),
    ],
)
def test_short_names_of_blosc(short, dtype, expected):
    codec = build(compressors=short, dtype=dtype)["codecs"][-1]
    settings = codec["configuration"]
    found = tuple(settings[k] for k in ("cname", "clevel", "shuffle", "typesize"))
    assert found == expected


def test_v2_codecs_in_either_spelling():
    for compressor in (
        "gzip:3",
        {"id": "gzip", "level": 3},
        [{"name": "gzip", "configuration": {"level": 3}}],
    ):
        document = build(zarr_format=2, compressors=compressor)
        assert document["compressor"] == {"id": "gzip", "level": 3}
        assert build(compressors=compressor)["codecs"][1]["configuration"] == {"level": 3}


@pytest.mark.parametrize("none", [None, [], ()])
def test_no_codecs(none):
    assert build(compressors=none, filters=none)["codecs"] == [LITTLE]
    assert build(zarr_format=2, compressors=none)["compressor"] is None


def test_variable_length_types_get_their_codec():
    assert build(dtype="string")["codecs"][0] == {"name": "vlen-utf8"}
    assert build(dtype=str)["codecs"][0] == {"name": "vlen-utf8"}
    assert build(dtype="bytes")["codecs"][0] == {"name": "vlen-bytes"}
    document = build(dtype="string", zarr_format=2)
    assert (document["dtype"], document["filters"]) == ("|O", [{"id": "vlen-utf8"}])


def test_raw_bits_are_spelled_as_given():
    assert build(dtype="r24")["data_type"] == "r24"
    assert build(dtype="r24")["fill_value"] == [0, 0, 0]
    assert build(dtype="V3")["data_type"]["name"] == "raw_bytes"
    assert build(dtype="V3")["fill_value"] == "AAAA"


@pytest.mark.parametrize(
    ("dtype", "value", "written"),
    [
        ("f4", np.nan, "NaN"),
        ("f4", "NaN", "NaN"),
        ("f4", "0x7fc00001", "0x7fc00001"),
        ("f4", -np.inf, "-Infinity"),
        ("f4", 1, 1.0),
        ("u1", 5.0, 5),
        ("u1", np.uint8(5), 5),
        ("bool", 1, True),
        ("c8", 1 + 2j, [1.0, 2.0]),
        ("M8[s]", 5, 5),
        ("M8[s]", np.datetime64("1970-01-01T00:00:07"), 7),
        ("M8[D]", "1970-01-03", 2),
        ("M8[D]", "NaT", "NaT"),
        ("m8[s]", np.timedelta64(1, "m"), 60),
        ("S4", b"Hi", "SGk="),
        ("U3", "ab", "ab"),
        ("string", "x", "x"),
        ("bytes", b"Hi", "SGk="),
        ("V2", b"\x01\x02", "AQI="),
        ([("a", "i2"), ("b", "f4")], (1, 2.0), {"a": 1, "b": 2.0}),
        ([("a", "i2"), ("b", "f4")], {"a": 1, "b": 2.0}, {"a": 1, "b": 2.0}),
        ([("a", "i2"), ("b", "f4")], 0, {"a": 0, "b": 0.0}),
        ("u1", None, 0),
    ],
    ids=str,
)
def test_fill_values(dtype, value, written):
    assert build(dtype=dtype, fill_value=value)["fill_value"] == written


def test_null_fill_of_v2():
    assert build(zarr_format=2, fill_value=None)["fill_value"] is None


@pytest.mark.parametrize(
    ("encoding", "key"),
    [
        (None, "c/1/0"),
        (".", "c.1.0"),
        ("/", "c/1/0"),
        ({"name": "v2"}, "1.0"),
        ({"name": "v2", "separator": "/"}, "1/0"),
        ({"name": "default", "configuration": {"separator": "."}}, "c.1.0"),
    ],
    ids=str,
)
def test_key_encodings(encoding, key):
    assert parse_array(build(chunk_key_encoding=encoding)).chunk_key("", (1, 0)) == key


@pytest.mark.parametrize(
    "changes",
    [
        {"shape": (-1, 10)},
        {"shape": "ab"},
        {"shape": (1.5, 2)},
        {"shape": None},
        {"chunks": (4,)},
        {"chunks": (0, 5)},
        {"chunks": (-2, 5)},
        {"chunks": "huge"},
        {"chunks": 1.5},
        {"chunks": [[4, 4], []]},
        {"chunks": [[4, 3], 5]},
        {"chunks": [[4, 4], 5], "shards": (8, 10)},
        {"chunks": [[4, 4], 5], "zarr_format": 2},
        {"shards": (6, 10)},
        {"shards": (8,)},
        {"shards": [[4, 2, 2], 10]},
        {"shards": {"shape": (8, 10), "index_location": "middle"}},
        {"shards": {"index_location": "end"}},
        {"shards": (8, 10), "zarr_format": 2},
        {"zarr_format": 4},
        {"zarr_format": 2, "serializer": LITTLE},
        {"zarr_format": 2, "dimension_names": ["y", "x"]},
        {"zarr_format": 2, "compressors": ["zstd", "crc32c"]},
        {"zarr_format": 2, "filters": [{"name": "transpose", "configuration": {"order": [1, 0]}}]},
        {"zarr_format": 2, "chunk_key_encoding": {"name": "default"}},
        {"zarr_format": 2, "order": "A"},
        {"order": "F"},
        {"order": 5},
        {"dimension_names": ["y"]},
        {"dimension_names": "yx"},
        {"dimension_names": [1, 2]},
        {"compressors": "zstandard"},
        {"compressors": "crc32c:3"},
        {"compressors": "gzip-lz4"},
        {"compressors": 5},
        {"compressors": [5]},
        {"compressors": {"level": 3}},
        {"compressors": ["bytes"]},
        {"serializer": "gzip"},
        {"filters": ["zstd"]},
        {"filters": [{"name": "transpose", "configuration": {"order": [0, 2]}}]},
        {"fill_value": 2**16},
        {"fill_value": -1},
        {"fill_value": "x"},
        {"fill_value": [1, 2]},
        {"fill_value": np.nan},
        {"dtype": "string", "fill_value": 5},
        {"dtype": "S2", "fill_value": b"abc"},
        {"dtype": "V2", "fill_value": b"abc"},
        {"dtype": "M8[s]", "fill_value": "x"},
        {"dtype": "nonsense"},
        {"chunk_key_encoding": "-"},
        {"chunk_key_encoding": 5},
        {"attributes": {"a": {1, 2}}},
    ],
    ids=str,
)
def test_wrong_parameters(changes):
    with pytest.raises(MetadataError) as caught:
        build(**changes)
    assert caught.value.kind in ("metadata", "dtype")


@pytest.mark.parametrize(
    "changes",
    [{"dtype": object}, {"dtype": np.longdouble}, {"dtype": "bfloat16", "zarr_format": 2}],
    ids=str,
)
def test_what_zarr_has_no_type_for(changes):
    with pytest.raises(AnyzarrError) as caught:
        build(**changes)
    assert isinstance(caught.value, UnsupportedError)


def test_groups():
    assert group_document(attributes={"a": 1}) == {
        "zarr_format": 3,
        "node_type": "group",
        "attributes": {"a": 1},
    }
    assert group_document(zarr_format=2) == {"zarr_format": 2, "attributes": {}}
    with pytest.raises(MetadataError):
        group_document(attributes={"a": object()})


@pytest.mark.parametrize(
    ("shape", "itemsize", "chunks"),
    [
        ((), 8, ()),
        ((0,), 8, (1,)),
        ((5,), 8, (5,)),
        ((2048, 2048), 1, (1024, 1024)),
        ((512, 512, 3), 1, (512, 512, 3)),
        ((100, 3, 1, 512, 512), 2, (1, 2, 1, 512, 512)),
        ((50, 512, 512), 2, (2, 512, 512)),
        ((10, 2, 1024, 1024), 1, (1, 1, 1024, 1024)),
    ],
)
def test_guessed_chunks(shape, itemsize, chunks):
    assert guess_chunks(shape, itemsize) == chunks


@given(st.lists(st.integers(0, 10**7), max_size=6), st.sampled_from([1, 2, 3, 4, 8, 16, 10**7]))
def test_guessed_chunks_fit(shape, itemsize):
    chunks = guess_chunks(shape, itemsize)
    assert len(chunks) == len(shape)
    assert all(1 <= c <= max(1, n) for c, n in zip(chunks, shape, strict=True))
    assert math.prod(chunks) * itemsize <= max(2**20, itemsize)


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=5), st.sampled_from(["u1", "u2", "f8"]))
def test_chosen_shards_hold_whole_chunks_and_about_64_mib(shape, dtype):
    metadata = parse_array(array_document(shape=shape, dtype=dtype, shards="auto"))
    shard = metadata.grid.chunk_shape
    assert math.prod(shard) * metadata.dtype.itemsize <= 2**26
    for s, c, n in zip(shard, metadata.sharding.subchunk_shape, shape, strict=True):
        assert s % c == 0
        assert s < n + c

"""zarr-python as the judge: what it writes we read alike, and it reads what we build."""

from __future__ import annotations

import itertools
import json
import warnings

import numpy as np
import pytest

from anyzarr.metadata import array_document, encode_documents, merge_v2, parse_array
from anyzarr.metadata._documents import decode_document

zarr = pytest.importorskip("zarr", minversion="3.3", reason="needs zarr-python 3.3 or newer")

pytestmark = pytest.mark.oracle

DTYPES = [
    "bool",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "float16",
    "float32",
    "float64",
    "complex64",
    "complex128",
    ">u2",
    ">f8",
    ">c8",
    ">M8[ms]",
    "datetime64[ns]",
    "datetime64[10s]",
    "datetime64[D]",
    "timedelta64[us]",
    "datetime64",
    "<U5",
    ">U3",
    "S4",
    "V3",
    "V16",
    "string",
    [("a", "<i4"), ("b", "<f8")],
    [("a", "u1"), ("b", [("c", "<u2"), ("d", "S2")])],
]
FILLS = {
    "bool": [True],
    "int8": [-128],
    "uint64": [2**64 - 1],
    "float32": [np.nan, np.inf, -np.inf, -0.0, 0.1],
    "float64": [np.nan, 1e300, -0.0],
    "complex64": [complex(np.nan, -np.inf), 1 - 2j],
    "datetime64[ns]": [np.datetime64(5, "ns"), np.datetime64("NaT", "ns")],
    "<U5": ["abc"],
    "S4": [b"ab"],
    "V3": [b"\x01\x02\x00"],
    "string": ["hello µ"],
}
CASES = [(d, ...) for d in DTYPES] + [(d, f) for d, fills in FILLS.items() for f in fills]


@pytest.fixture(autouse=True)
def _quiet_zarr():
    # zarr-python warns about data types and grids that the specification has not settled.
    with warnings.catch_warnings(), zarr.config.set({"array.rectilinear_chunks": True}):
        warnings.simplefilter("ignore")
        yield


def create(**kwargs):
    """Create an array with zarr-python; return it and its document as anyzarr reads it."""
    store = zarr.storage.MemoryStore()
    array = zarr.create_array(store, **kwargs)
    raw = {key: value.to_bytes() for key, value in store._store_dict.items()}
    if array.metadata.zarr_format == 3:
        return array, decode_document(raw["zarr.json"])
    return array, merge_v2(raw[".zarray"], raw[".zattrs"])


def open_with_zarr(document):
    """Open a document with zarr-python."""
    data = {
        key: zarr.core.buffer.cpu.Buffer.from_bytes(value)
        for key, value in encode_documents(document).items()
    }
    return zarr.open_array(zarr.storage.MemoryStore(data), mode="r")


def bits(value, dtype):
    return value if isinstance(value, str | bytes) else np.asarray(value, dtype).tobytes()


def assert_agree(metadata, array):
    assert metadata.shape == array.shape
    assert metadata.dtype == array.dtype or array.metadata.zarr_format == 3
    if metadata.data_type.name != "string":
        assert metadata.dtype.newbyteorder("=") == array.dtype.newbyteorder("=")
    assert dict(metadata.attributes) == dict(array.attrs)
    expected = array.metadata.fill_value
    if expected is None:
        assert metadata.fill_value is None
    else:
        assert bits(metadata.fill, array.dtype) == bits(expected, array.dtype)
    sharding = metadata.sharding
    assert (metadata.grid.chunk_shape if sharding else None) == array.shards
    assert (sharding.subchunk_shape if sharding else metadata.grid.chunk_shape) == array.chunks
    coords = (1,) * metadata.ndim
    assert metadata.key_encoding.key(coords) == array.metadata.encode_chunk_key(coords)


def default_fill_kwargs(fill):
    return {} if fill is ... else {"fill_value": fill}


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize(("dtype", "fill"), CASES, ids=str)
def test_reads_what_zarr_writes(dtype, fill, zarr_format):
    kwargs = default_fill_kwargs(fill)
    array, document = create(
        shape=(7, 9),
        chunks=(3, 4),
        dtype=dtype,
        zarr_format=zarr_format,
        attributes={"a": [1]},
        **kwargs,
    )
    assert_agree(parse_array(document), array)


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize(("dtype", "fill"), CASES, ids=str)
def test_zarr_reads_what_we_build(dtype, fill, zarr_format):
    kwargs = default_fill_kwargs(fill)
    document = array_document(
        shape=(7, 9),
        chunks=(3, 4),
        dtype=dtype,
        zarr_format=zarr_format,
        attributes={"a": [1]},
        **kwargs,
    )
    array = open_with_zarr(document)
    assert_agree(parse_array(document), array)
    reference, _ = create(
        shape=(7, 9),
        chunks=(3, 4),
        dtype=dtype,
        zarr_format=zarr_format,
        attributes={"a": [1]},
        **kwargs,
    )
    assert array.metadata == reference.metadata


LAYOUTS = [
    {"shape": (), "chunks": ()},
    {"shape": (0, 5), "chunks": (2, 5)},
    {"shape": (10,), "chunks": (3,)},
    {"shape": (10, 10), "chunks": (20, 5)},
    {"shape": (10, 10), "chunks": 4},
    {"shape": (10, 10), "chunks": (-1, 2)},
    {"shape": (10, 10), "chunks": (2, 5), "shards": (4, 10)},
    {"shape": (10, 10), "chunks": (2, 5), "shards": {"shape": (6, 5), "index_location": "start"}},
    {
        "shape": (4, 6),
        "chunks": (2, 3),
        "chunk_key_encoding": {"name": "default", "separator": "."},
    },
    {"shape": (4, 6), "chunks": (2, 3), "chunk_key_encoding": {"name": "v2", "separator": "/"}},
    {"shape": (4, 6), "chunks": (2, 3), "dimension_names": ("y", None)},
]


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_layouts_are_those_of_zarr(layout):
    array, document = create(dtype="uint16", **layout)
    assert_agree(parse_array(document), array)
    built = array_document(dtype="uint16", **layout)
    assert open_with_zarr(built).metadata == array.metadata
    assert parse_array(built).dimension_names == array.metadata.dimension_names


@pytest.mark.parametrize(
    "layout",
    [
        {"chunks": [[1, 3, 3, 3], [5, 5]]},
        {"chunks": [[1, 3, 6], 4]},
        {"chunks": [4, [10]]},
        {"chunks": (1, 5), "shards": [[4, 6], [5, 5]]},
    ],
    ids=str,
)
def test_rectilinear_grids_are_those_of_zarr(layout):
    array, document = create(shape=(10, 10), dtype="uint16", **layout)
    metadata = parse_array(document)
    built = array_document(shape=(10, 10), dtype="uint16", **layout)
    assert built["chunk_grid"] == document["chunk_grid"]
    assert open_with_zarr(built).metadata == array.metadata
    for axis, sizes in enumerate(array.write_chunk_sizes):
        lengths = [
            metadata.grid.extent_of(tuple(k if a == axis else 0 for a in range(2)))[axis]
            for k in range(metadata.grid.grid_shape[axis])
        ]
        assert [s.stop - s.start for s in lengths] == list(sizes)


CODECS_V3 = [
    {"compressors": None},
    {"compressors": {"name": "zstd", "configuration": {"level": 3}}},
    {"compressors": [{"name": "gzip", "configuration": {"level": 1}}, {"name": "crc32c"}]},
    {"compressors": {"name": "blosc", "configuration": {"cname": "lz4", "clevel": 3}}},
    {"filters": [{"name": "transpose", "configuration": {"order": [1, 0]}}]},
    {"serializer": {"name": "bytes", "configuration": {"endian": "big"}}},
]


@pytest.mark.parametrize("codecs", CODECS_V3, ids=str)
@pytest.mark.parametrize("shards", [None, (4, 10)])
def test_codecs_given_as_objects_are_those_of_zarr(codecs, shards):
    kwargs = {"shape": (8, 10), "chunks": (2, 5), "shards": shards, "dtype": "uint16"}
    array, document = create(**kwargs, **codecs)
    built = array_document(**kwargs, **codecs)
    assert open_with_zarr(built).metadata == array.metadata
    assert parse_array(built).codecs == parse_array(document).codecs


def live_codecs():
    import numcodecs

    return [
        {"compressors": zarr.codecs.BloscCodec()},
        {"compressors": zarr.codecs.BloscCodec(cname="lz4", shuffle="noshuffle", typesize=1)},
        {"compressors": [zarr.codecs.GzipCodec(level=2), zarr.codecs.Crc32cCodec()]},
        {"compressors": zarr.codecs.ZstdCodec(level=5, checksum=True)},
        {"compressors": zarr.codecs.numcodecs.LZ4(acceleration=2)},
        {"filters": [zarr.codecs.TransposeCodec(order=(1, 0))]},
        {"filters": [zarr.codecs.numcodecs.Delta(dtype="<u2")]},
        {"serializer": zarr.codecs.BytesCodec(endian="big")},
    ], [
        {"compressors": numcodecs.Blosc("lz4", shuffle=2)},
        {"compressors": numcodecs.GZip(3)},
        {"compressors": numcodecs.Zstd(3, checksum=True)},
        {"compressors": numcodecs.LZMA()},
        {"compressors": None, "filters": [numcodecs.Delta("<u2")]},
        {"compressors": numcodecs.BZ2(2), "filters": [numcodecs.Shuffle(2)]},
    ]


@pytest.mark.parametrize("index", range(8))
def test_live_codecs_of_zarr(index):
    codecs = live_codecs()[0][index]
    array, document = create(shape=(8, 10), chunks=(2, 5), dtype="uint16", **codecs)
    built = array_document(shape=(8, 10), chunks=(2, 5), dtype="uint16", **codecs)
    assert open_with_zarr(built).metadata == array.metadata
    assert parse_array(built).codecs == parse_array(document).codecs


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("separator", [".", "/"])
@pytest.mark.parametrize("index", range(6))
def test_live_codecs_of_numcodecs_in_v2(index, separator, order):
    codecs = live_codecs()[1][index]
    kwargs = {
        "shape": (8, 10),
        "chunks": (2, 5),
        "dtype": "uint16",
        "zarr_format": 2,
        "order": order,
        "chunk_key_encoding": {"name": "v2", "separator": separator},
        "fill_value": None,
    }
    array, document = create(**kwargs, **codecs)
    assert_agree(parse_array(document), array)
    built = array_document(**kwargs, **codecs)
    assert open_with_zarr(built).metadata == array.metadata
    assert parse_array(built).codecs == parse_array(document).codecs


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_zarr_data_types_are_accepted(zarr_format):
    for zdtype in (
        zarr.dtype.UInt16(),
        zarr.dtype.VariableLengthUTF8(),
        zarr.dtype.RawBytes(length=4),
    ):
        array, document = create(shape=(4,), chunks=(2,), dtype=zdtype, zarr_format=zarr_format)
        built = array_document(shape=(4,), chunks=(2,), dtype=zdtype, zarr_format=zarr_format)
        assert open_with_zarr(built).metadata == array.metadata
        assert parse_array(document).data_type == parse_array(built).data_type


@pytest.mark.parametrize(
    ("shape", "shards"),
    list(itertools.product([(100,), (1000, 3000), (5, 2, 300, 700)], [None, "auto"])),
)
def test_chosen_chunks_open_in_zarr(shape, shards):
    built = array_document(shape=shape, dtype="uint16", shards=shards)
    array = open_with_zarr(built)
    assert_agree(parse_array(built), array)


def test_written_json_is_read_alike_by_a_strict_parser():
    built = array_document(shape=(4,), dtype="float32", fill_value=np.nan, attributes={"µ": "ü"})

    def refuse(token):
        raise AssertionError(token)

    text = encode_documents(built)["zarr.json"].decode()
    assert json.loads(text, parse_constant=refuse) == built

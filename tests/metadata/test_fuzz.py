"""Whatever a document holds, only anyzarr's own errors come out."""

from __future__ import annotations

import contextlib
import copy
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anyzarr.errors import AnyzarrError, MetadataError
from anyzarr.metadata import (
    ArrayMetadata,
    array_document,
    as_array_value,
    decode_document,
    dtype_of,
    encode_documents,
    fill_json,
    merge_v2,
    parse,
    parse_data_type,
    parse_fill,
    resized,
    single_chunk,
    subchunk,
    to_document,
    to_v3_equivalent,
)

BYTES = {"name": "bytes", "configuration": {"endian": "little"}}
SEEDS = [
    array_document(shape=(10, 20), dtype="uint16", chunks=(5, 10)),
    array_document(
        shape=(10, 20), dtype="float32", chunks=(5, 5), shards=(10, 10), fill_value=np.nan
    ),
    array_document(shape=(10, 20), dtype="string", chunks=[[3, 7], 6], fill_value="x"),
    array_document(shape=(4,), dtype="datetime64[ns]", attributes={"a": 1}, dimension_names=["t"]),
    array_document(shape=(4, 4), dtype=[("a", "<i2"), ("b", "S3")], filters=None),
    array_document(
        shape=(4, 4),
        dtype="complex64",
        serializer={"name": "bytes", "configuration": {"endian": "big"}},
    ),
    array_document(shape=(4, 4), dtype="r24"),
    array_document(
        shape=(10, 20),
        dtype=">i4",
        chunks=(5, 10),
        zarr_format=2,
        order="F",
        filters={"id": "delta", "dtype": ">i4"},
        compressors="blosc",
    ),
    array_document(shape=(4,), dtype="string", zarr_format=2),
    array_document(
        shape=(4, 4), dtype=[("a", "<i2"), ("b", "S3")], zarr_format=2, compressors=None
    ),
]

words = st.sampled_from(
    [
        "regular",
        "rectilinear",
        "default",
        "v2",
        "bytes",
        "sharding_indexed",
        "transpose",
        "vlen-utf8",
        "zstd",
        "crc32c",
        "uint8",
        "float16",
        "string",
        "bool",
        "r16",
        "struct",
        "numpy.datetime64",
        "bfloat16",
        "NaN",
        "Infinity",
        "0x7fc0",
        "NaT",
        "little",
        "big",
        "C",
        "F",
        "/",
        ".",
        "<u2",
        "|O",
        "<M8[s]",
        "|V4",
        "AAAA",
        "name",
        "configuration",
        "id",
        "inline",
        "end",
        "",
        "int4",
        "complex_bfloat16",
    ]
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-2, 30)
    | st.integers()
    | st.floats()
    | words
    | st.text(max_size=5)
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(words | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=8,
)


def places(value, path=()):
    """Return the path of everything in a document."""
    found = [path]
    if isinstance(value, dict):
        for key, entry in value.items():
            found += places(entry, (*path, key))
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            found += places(entry, (*path, index))
    return found


@st.composite
def mutated(draw):
    document = copy.deepcopy(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(places(document)))
        if not path:
            document[draw(words)] = draw(values)
            continue
        parent = document
        for step in path[:-1]:
            parent = parent[step]
        match draw(st.integers(0, 3)):
            case 0:
                del parent[path[-1]]
            case 1 if isinstance(parent, list):
                parent.insert(path[-1], draw(values))
            case 2:
                source = draw(st.sampled_from(places(document)))
                other = document
                for step in source:
                    other = other[step]
                parent[path[-1]] = copy.deepcopy(other)
            case _:
                parent[path[-1]] = draw(values)
    return document


def same(a, b):
    return json.dumps(a, sort_keys=True) == json.dumps(b, sort_keys=True)


@settings(max_examples=600, deadline=None)
@given(mutated())
def test_parse_raises_only_our_errors_and_keeps_the_document(document):
    try:
        metadata = parse(document)
    except AnyzarrError:
        return
    assert same(to_document(metadata), document)
    if not isinstance(metadata, ArrayMetadata):
        return
    assert metadata.grid.n_chunks >= 0
    assert metadata.subchunk_grid.n_chunks >= 0
    assert metadata.dtype is not None
    for derive in (to_v3_equivalent, single_chunk, subchunk, encode_documents_of, one_longer):
        with contextlib.suppress(AnyzarrError):
            derive(metadata)


def encode_documents_of(metadata):
    encode_documents(to_document(metadata), "a")


def one_longer(metadata):
    resized(metadata, [n + 1 for n in metadata.shape])


@given(st.binary(max_size=60))
def test_decode_raises_only_our_errors(data):
    try:
        document = decode_document(data)
    except MetadataError:
        return
    assert isinstance(document, dict)


@given(st.sampled_from(SEEDS), st.data())
def test_every_truncation_is_refused(document, data):
    encoded = list(encode_documents(document).values())[-1]
    cut = data.draw(st.integers(0, len(encoded) - 1))
    with pytest.raises(MetadataError):
        decode_document(encoded[:cut], key="zarr.json")


DATA_TYPES = [
    "bool",
    "int8",
    "uint64",
    "float16",
    "float32",
    "float64",
    "complex64",
    "complex128",
    "string",
    "bytes",
    "r24",
    {"name": "numpy.timedelta64", "configuration": {"unit": "s", "scale_factor": 2}},
    {"name": "fixed_length_utf32", "configuration": {"length_bytes": 12}},
    {"name": "null_terminated_bytes", "configuration": {"length_bytes": 4}},
    {"name": "struct", "configuration": {"fields": [["a", "int8"], ["b", "float32"]]}},
]


@settings(deadline=None)
@given(st.sampled_from(DATA_TYPES), values, st.sampled_from([2, 3]))
def test_fill_values_are_refused_or_written_back_with_the_same_bits(name, value, zarr_format):
    data_type = parse_data_type(name)
    try:
        scalar = parse_fill(value, data_type, zarr_format)
    except MetadataError:
        return
    again = parse_fill(fill_json(scalar, data_type, 3), data_type, 3)
    if data_type.is_variable_length:
        assert again == scalar
    else:
        assert (
            np.asarray(again, data_type.dtype).tobytes()
            == np.asarray(scalar, data_type.dtype).tobytes()
        )


@settings(deadline=None)
@given(
    st.sampled_from([d for d in DATA_TYPES if isinstance(d, str)] + ["<U3", "|S4", "<M8[s]"]),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
        lambda inner: st.lists(inner, max_size=3),
        max_leaves=5,
    ),
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_values_are_cast_or_refused(dtype, value):
    dtype = dtype_of(dtype)
    try:
        array = as_array_value(value, dtype)
    except MetadataError as error:
        refusal = error.kind
    else:
        refusal = None
        assert array.dtype == dtype
    assert refusal in (None, "dtype")


def test_merge_of_broken_attributes_names_the_key():
    with pytest.raises(MetadataError) as caught:
        merge_v2(b'{"zarr_format": 2}', b"{", path="a")
    assert caught.value.key == "a/.zattrs"


def test_json_tokens_of_zarr_python_are_read():
    document = decode_document(b'{"zarr_format": 2, "fill_value": NaN, "x": -Infinity}')
    assert math.isnan(document["fill_value"])
    assert document["x"] == -math.inf

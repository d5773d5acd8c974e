"""Documents as stored bytes."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from anyzarr.errors import MetadataError
from anyzarr.metadata import (
    array_document,
    decode_document,
    document_keys,
    encode_documents,
    group_document,
    is_array_document,
    merge_v2,
    parse,
    parse_array,
)


def test_v3_is_one_document_in_the_order_of_the_specification(v3):
    encoded = encode_documents(dict(reversed(v3.items())), "a/b")
    assert list(encoded) == ["a/b/zarr.json"]
    text = encoded["a/b/zarr.json"].decode()
    assert list(json.loads(text))[:4] == ["zarr_format", "node_type", "shape", "data_type"]
    assert json.loads(text) == v3
    assert text.startswith('{\n  "zarr_format": 3,')
    assert "µm" in text


def test_encoding_is_the_same_for_the_same_document(v3):
    assert encode_documents(v3) == encode_documents(dict(sorted(v3.items())))


def test_v2_attributes_come_first_so_that_no_node_appears_without(v2):
    encoded = encode_documents(v2, "a")
    assert list(encoded) == ["a/.zattrs", "a/.zarray"]
    assert merge_v2(encoded["a/.zarray"], encoded["a/.zattrs"], path="a") == v2
    del v2["attributes"]
    assert list(encode_documents(v2)) == [".zarray"]
    assert merge_v2(encode_documents(v2)[".zarray"], None) == v2


def test_v2_attributes_that_are_named_as_fields_keep_their_order():
    attributes = {"zeta": 1, "shape": 2, "zarr_format": 3}
    encoded = encode_documents(group_document(zarr_format=2, attributes=attributes))
    assert list(json.loads(encoded[".zattrs"])) == list(attributes)


def test_keys(v2, v3):
    assert document_keys(v3, "a") == ("a/zarr.json",)
    assert document_keys(v2, "a") == ("a/.zattrs", "a/.zarray")
    assert document_keys(group_document(zarr_format=2)) == (".zattrs", ".zgroup")
    for document in (v2, v3, group_document(), group_document(zarr_format=2)):
        assert set(document_keys(document, "x")) == set(encode_documents(document, "x"))


def test_which_documents_are_arrays(v2, v3):
    assert is_array_document(v2)
    assert is_array_document(v3)
    assert not is_array_document(group_document())
    assert not is_array_document(group_document(zarr_format=2))


def test_what_json_lacks_but_a_caller_has_is_converted():
    attributes = {
        "tuple": (1, 2),
        "int": np.int64(3),
        "float": np.float32(0.5),
        "bool": np.bool_(True),
        "array": np.arange(3),
    }
    expected = {"tuple": [1, 2], "int": 3, "float": 0.5, "bool": True, "array": [0, 1, 2]}
    document = group_document(attributes=attributes)
    assert document["attributes"] == expected
    assert (
        json.loads(encode_documents({**document, "attributes": attributes})["zarr.json"])
        == document
    )


@pytest.mark.parametrize("value", [math.nan, math.inf, [1, {"b": -math.inf}]])
def test_v3_refuses_numbers_that_json_lacks(value):
    document = {**group_document(), "attributes": {"a": value}}
    with pytest.raises(MetadataError, match=r"attributes\.a") as caught:
        encode_documents(document)
    assert caught.value.kind == "metadata"


def test_v2_writes_them_as_zarr_python_does():
    document = group_document(zarr_format=2, attributes={"a": math.nan})
    encoded = encode_documents(document)
    assert b"NaN" in encoded[".zattrs"]
    assert math.isnan(decode_document(encoded[".zattrs"])["a"])


@pytest.mark.parametrize(
    ("value", "written"), [(math.nan, "NaN"), (math.inf, "Infinity"), (-math.inf, "-Infinity")]
)
def test_fill_values_that_were_tokens_become_strings(value, written):
    for zarr_format, key in ((3, "zarr.json"), (2, ".zarray")):
        document = array_document(shape=(2,), dtype="f4", zarr_format=zarr_format)
        document["fill_value"] = value
        assert json.loads(encode_documents(document)[key])["fill_value"] == written
        assert np.array_equal(parse_array(document).fill_value, np.float32(value), equal_nan=True)


def test_lone_surrogates_survive():
    document = group_document(attributes={"a": "\ud800"})
    assert decode_document(encode_documents(document)["zarr.json"]) == document


@pytest.mark.parametrize("zarr_format", [None, 1, "3", True])
def test_formats_that_cannot_be_written(zarr_format):
    with pytest.raises(MetadataError, match="zarr_format"):
        encode_documents({"zarr_format": zarr_format})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b'{"zarr_format": 3',
        b"[]",
        b"5",
        b"null",
        b'"x"',
        b"\xff\xfe{}",
        b'{"a": "\xff"}',
        b"{'a': 1}",
        b"\x00" * 10,
        b"[" * 200_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b'{"a": ' + b"9" * 10_000 + b"}",
    ],
    ids=lambda data: repr(data[:12]),
)
def test_bytes_that_hold_no_document(data):
    with pytest.raises(MetadataError) as caught:
        decode_document(data, key="a/zarr.json")
    assert caught.value.kind == "metadata"
    assert caught.value.key == "a/zarr.json"
    assert "a/zarr.json" in str(caught.value)


def test_a_byte_order_mark_is_skipped():
    assert decode_document(b'\xef\xbb\xbf{"zarr_format": 2}') == {"zarr_format": 2}


def test_buffers_are_read():
    for kind in (bytearray, memoryview):
        assert parse(decode_document(kind(b'{"zarr_format": 2}'))).zarr_format == 2

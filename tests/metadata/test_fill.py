"""Fill values keep their bits, in both directions."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from anyzarr.errors import MetadataError
from anyzarr.metadata import (
    array_document,
    default_fill,
    fill_json,
    is_fill,
    parse_array,
    parse_data_type,
    parse_fill,
)
from anyzarr.metadata._dtypes_v2 import v2_data_type

STRUCT = {
    "name": "struct",
    "configuration": {
        "fields": [
            {"name": "a", "data_type": "int16"},
            {
                "name": "b",
                "data_type": {
                    "name": "struct",
                    "configuration": {
                        "fields": [
                            {"name": "c", "data_type": "float32"},
                            {"name": "d", "data_type": "r16"},
                        ]
                    },
                },
            },
        ]
    },
}
NTB = {"name": "null_terminated_bytes", "configuration": {"length_bytes": 4}}
UTF32 = {"name": "fixed_length_utf32", "configuration": {"length_bytes": 12}}
TIME = {"name": "numpy.datetime64", "configuration": {"unit": "s", "scale_factor": 10}}

V3 = [
    ("bool", True, b"\x01"),
    ("int8", -128, b"\x80"),
    ("uint64", 2**64 - 1, b"\xff" * 8),
    ("int32", 5.0, b"\x05\0\0\0"),
    ("float32", "NaN", b"\0\0\xc0\x7f"),
    ("float32", "0x7fc00001", b"\x01\0\xc0\x7f"),
    ("float32", "0xffc00000", b"\0\0\xc0\xff"),
    ("float32", "0x7f800001", b"\x01\0\x80\x7f"),
    ("float32", "Infinity", b"\0\0\x80\x7f"),
    ("float32", "-Infinity", b"\0\0\x80\xff"),
    ("float32", -0.0, b"\0\0\0\x80"),
    ("float32", 1, b"\0\0\x80\x3f"),
    ("float64", "0x7ff8000000000000", struct.pack("<d", math.nan)),
    ("float16", "0x7e00", b"\0\x7e"),
    ("bfloat16", "NaN", b"\xc0\x7f"),
    ("bfloat16", "0x7fc1", b"\xc1\x7f"),
    ("bfloat16", 1.5, b"\xc0\x3f"),
    ("float8_e4m3", "NaN", b"\x7c"),
    ("float8_e3m4", "NaN", b"\x78"),
    ("float8_e5m2", "NaN", b"\x7e"),
    ("float8_e5m2", "Infinity", b"\x7c"),
    ("float8_e4m3fnuz", "NaN", b"\x80"),
    ("float8_e8m0fnu", "NaN", b"\xff"),
    ("float8_e4m3fn", "0xff", b"\xff"),
    ("int4", -8, b"\x08"),
    ("uint2", 3, b"\x03"),
    ("complex64", [1.0, "NaN"], b"\0\0\x80\x3f\0\0\xc0\x7f"),
    ("complex64", ["0x7fc00001", -0.0], b"\x01\0\xc0\x7f\0\0\0\x80"),
    ("complex_float16", [1.0, "-Infinity"], b"\0\x3c\0\xfc"),
    ("complex_bfloat16", [1.0, 2.0], b"\x80\x3f\0\x40"),
    (TIME, "NaT", struct.pack("<q", -(2**63))),
    (TIME, -(2**63), struct.pack("<q", -(2**63))),
    (TIME, 7, struct.pack("<q", 7)),
    ("r24", [1, 2, 255], b"\x01\x02\xff"),
    ("r24", "AQL/", b"\x01\x02\xff"),
    (NTB, "SGk=", b"Hi\0\0"),
    (NTB, "", b"\0\0\0\0"),
    (UTF32, "aµ", "aµ\0".encode("utf-32-le")),
    (STRUCT, {"a": -1, "b": {"c": "NaN", "d": [1, 2]}}, b"\xff\xff\0\0\xc0\x7f\x01\x02"),
    (STRUCT, "//8AAMB/AQI=", b"\xff\xff\0\0\xc0\x7f\x01\x02"),
]


def data_type_of_json(name):
    if isinstance(name, str) and (
        "float8" in name or "bfloat" in name or name in ("int4", "uint2")
    ):
        pytest.importorskip("ml_dtypes", reason="needs ml_dtypes")
    if name in ("complex_float16", "complex_bfloat16"):
        pytest.importorskip("ml_dtypes", minversion="0.6", reason="needs ml_dtypes 0.6 or newer")
    return parse_data_type(name)


def bits(scalar, data_type):
    return np.asarray(scalar, data_type.dtype).tobytes()


@pytest.mark.parametrize(("name", "value", "expected"), V3, ids=str)
def test_v3_values_and_back(name, value, expected):
    data_type = data_type_of_json(name)
    scalar = parse_fill(value, data_type)
    assert bits(scalar, data_type) == expected
    for dialect in ("core", "zarr-python"):
        written = fill_json(scalar, data_type, 3, dialect=dialect)
        assert bits(parse_fill(written, data_type), data_type) == expected


@pytest.mark.parametrize(
    ("name", "value", "written"),
    [
        ("float32", "0x7fc00000", "NaN"),
        ("float32", "0x7fc00001", "0x7fc00001"),
        ("float64", math.inf, "Infinity"),
        ("r24", "AQL/", [1, 2, 255]),
        (TIME, -(2**63), "NaT"),
        ("complex128", [1, "NaN"], [1.0, "NaN"]),
        (NTB, "SGk=", "SGk="),
        ("bytes", [72, 105], "SGk="),
        ("string", "x", "x"),
    ],
    ids=str,
)
def test_how_v3_writes_them(name, value, written):
    data_type = parse_data_type(name)
    assert fill_json(parse_fill(value, data_type), data_type) == written


@pytest.mark.parametrize(
    ("dtype", "value", "expected"),
    [
        ("|b1", 0, False),
        ("|b1", True, True),
        (">u2", 258, 258),
        ("<f4", "NaN", math.nan),
        ("<f4", math.nan, math.nan),
        ("<c8", 0, 0j),
        ("<c8", [1.0, "Infinity"], complex(1, math.inf)),
        ("|S3", "YWI=", b"ab"),
        ("<U3", "ab", "ab"),
        ("|V2", "AQI=", np.void(b"\x01\x02")),
        ("<M8[ns]", "NaT", np.datetime64("NaT", "ns")),
        ("<M8[ns]", 5, np.datetime64(5, "ns")),
    ],
    ids=str,
)
def test_v2_values(dtype, value, expected):
    data_type = v2_data_type(dtype)
    scalar = parse_fill(value, data_type, 2)
    expected = np.asarray(expected, data_type.dtype).tobytes()
    assert bits(scalar, data_type) == expected
    written = fill_json(scalar, data_type, 2)
    assert bits(parse_fill(written, data_type, 2), data_type) == expected


def test_v2_struct_with_big_endian_fields():
    data_type = v2_data_type([["a", ">u2"], ["b", "<u2"]])
    scalar = parse_fill("AQIDBA==", data_type, 2)
    assert scalar["a"] == 0x0102
    assert scalar["b"] == 0x0403
    assert fill_json(scalar, data_type, 2) == "AQIDBA=="


def test_v2_object_strings_take_numbers_as_zarr_python_does():
    assert parse_fill(0, v2_data_type("|O", "vlen-utf8"), 2) == "0"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("bool", 0),
        ("bool", "x"),
        ("bool", None),
        ("uint8", 256),
        ("uint8", -1),
        ("uint8", 1.5),
        ("uint8", True),
        ("int4", 8),
        ("uint2", 4),
        ("float32", True),
        ("float32", None),
        ("float32", "nan"),
        ("float32", [1]),
        ("float32", "0x7fc0"),
        ("float32", "0x7fc0000g"),
        ("float32", "0x+fc00000"),
        ("float32", 10**400),
        ("float4_e2m1fn", "NaN"),
        ("float8_e4m3fn", "Infinity"),
        ("float6_e2m3fn", "-Infinity"),
        ("complex64", 1.0),
        ("complex64", [1.0]),
        ("complex64", [1.0, "x"]),
        (TIME, 1.5),
        (TIME, "2020"),
        (TIME, 2**63),
        ("r24", [1, 2]),
        ("r24", [1, 2, 256]),
        ("r24", "!!!!"),
        ("r24", 0),
        (NTB, "SGVsbG8="),
        (NTB, [1.5]),
        (UTF32, "abcd"),
        (UTF32, 5),
        ("string", 5),
        ("string", "\ud800"),
        ("bytes", "x"),
        (STRUCT, {"a": 1}),
        (STRUCT, {"a": 1, "b": {}}),
        (STRUCT, "AAAA"),
        (STRUCT, [1, 2]),
    ],
    ids=str,
)
def test_values_that_are_none(name, value):
    if isinstance(name, str) and (
        (name[-1].isdigit() and name in ("int4", "uint2")) or "_e" in name
    ):
        pytest.importorskip("ml_dtypes", reason="needs ml_dtypes")
    with pytest.raises(MetadataError) as caught:
        parse_fill(value, parse_data_type(name))
    assert caught.value.kind == "metadata"
    assert "fill_value" in str(caught.value)


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [("u2", 0), ("?", False), ("f4", 0.0), ("string", ""), ("bytes", b""), ("S3", b""), ("c8", 0)],
)
def test_defaults(dtype, expected):
    metadata = parse_array(array_document(shape=(2,), dtype=dtype))
    assert metadata.fill == expected
    assert default_fill(metadata.data_type) == expected


def test_default_of_times_is_not_a_time():
    for dtype in ("M8[s]", "m8[ns]"):
        for zarr_format in (2, 3):
            metadata = parse_array(array_document(shape=(2,), dtype=dtype, zarr_format=zarr_format))
            assert np.isnat(metadata.fill)
    null = array_document(shape=(2,), dtype="M8[s]", zarr_format=2, fill_value=None)
    assert parse_array(null).fill_value is None
    assert np.isnat(parse_array(null).fill)


def test_default_of_a_struct_is_that_of_its_fields():
    metadata = parse_array(array_document(shape=(2,), dtype=[("a", "i2"), ("t", "M8[s]")]))
    assert metadata.fill["a"] == 0
    assert np.isnat(metadata.fill["t"])


# is_fill --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("array", "fill", "expected"),
    [
        (np.zeros((3, 4)), 0.0, True),
        (np.zeros((3, 4)), -0.0, False),
        (np.full((3, 4), np.nan), np.nan, True),
        (np.full((3, 4), -np.nan), np.nan, False),
        (np.zeros((0, 4)), 1.0, True),
        (np.array(5), 5, True),
        (np.zeros(3, "c16"), 0j, True),
        (np.array([0, complex(0, -0.0)]), 0j, False),
        (np.array([b"ab", b"ab"]), b"ab", True),
        (np.array(["ab", "ac"]), "ab", False),
        (np.array(["NaT", "NaT"], "M8[s]"), np.datetime64("NaT", "s"), True),
        (np.array(["a", "a"], object), "a", True),
        (np.array([b"a", b"b"], object), b"a", False),
        (np.zeros(3, "V5"), np.void(b"\0" * 5), True),
        (
            np.zeros(3, [("a", "u1"), ("b", "<f4")]),
            np.zeros((), [("a", "u1"), ("b", "<f4")])[()],
            True,
        ),
        (np.full((3, 3), 258, ">u2"), np.uint16(258), True),
        (np.ones((3, 3), bool), True, True),
    ],
    ids=lambda v: None,
)
def test_is_fill(array, fill, expected):
    assert is_fill(array, fill) is expected


@pytest.mark.skipif(
    not hasattr(np.dtypes, "StringDType"), reason="needs numpy 2, which has strings"
)
def test_is_fill_of_variable_length_strings():
    strings = np.full(3, "x", np.dtypes.StringDType())
    assert is_fill(strings, "x")
    strings[2] = ""
    assert not is_fill(strings, "x")


def test_is_fill_of_ml_dtypes():
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="needs ml_dtypes")
    array = np.full((4, 4), np.nan, ml_dtypes.bfloat16)
    assert is_fill(array, ml_dtypes.bfloat16(np.nan))
    assert not is_fill(np.zeros(4, ml_dtypes.float8_e4m3), ml_dtypes.float8_e4m3(-0.0))


@given(
    npst.arrays(
        st.sampled_from(
            ["u1", "<u2", ">i4", "f2", "f4", ">f8", "c8", "c16", "?", "S3", "U2", "M8[s]"]
        ),
        npst.array_shapes(max_dims=3, max_side=5),
        fill=st.nothing(),
    ),
    st.data(),
)
def test_is_fill_compares_bytes_whatever_the_strides(array, data):
    index = data.draw(npst.basic_indices(array.shape, allow_newaxis=False))
    view = array[index]
    view = view.T if isinstance(view, np.ndarray) else np.asarray(view)
    if view.size and data.draw(st.booleans()):
        view = np.full(view.shape, view.flat[0], view.dtype)
        view = np.ascontiguousarray(view) if data.draw(st.booleans()) else np.asfortranarray(view)
        if data.draw(st.booleans()):
            view.reshape(-1, order="A")[-1:] = np.zeros(1, view.dtype)
    fill = np.zeros((), array.dtype)[()] if not view.size else view.flat[0]
    expected = {np.asarray(v, view.dtype).tobytes() for v in view.flat} <= {
        np.asarray(fill, view.dtype).tobytes()
    }
    assert is_fill(view, fill) == expected


@pytest.mark.parametrize("last", [0, 1])
@pytest.mark.parametrize("dtype", ["u1", "f4", "c16", "V3", "S5"])
def test_is_fill_of_large_arrays_looks_at_the_last_element(dtype, last):
    array = np.zeros((300, 700), dtype)
    if last:
        array[-1, -1] = np.ones(1, "u1").tobytes() * array.itemsize if dtype[0] in "VS" else 1
    fill = np.zeros((), dtype)[()]
    for view in (array, array.T, np.asfortranarray(array), array[::-1, ::-1][::-1, ::-1]):
        assert is_fill(view, fill) == (not last)

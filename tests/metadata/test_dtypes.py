"""Data types: names, numpy dtypes, and what is not held."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from anyzarr.errors import MetadataError, MissingDependencyError, UnsupportedError
from anyzarr.metadata import data_type_json, data_type_of, dtype_of, parse_data_type
from anyzarr.metadata._dtypes import has_byte_order
from anyzarr.metadata._dtypes_v2 import v2_data_type, v2_dtype_json

CORE = {
    "bool": "?",
    "int8": "i1",
    "int16": "i2",
    "int32": "i4",
    "int64": "i8",
    "uint8": "u1",
    "uint16": "u2",
    "uint32": "u4",
    "uint64": "u8",
    "float16": "f2",
    "float32": "f4",
    "float64": "f8",
    "complex64": "c8",
    "complex128": "c16",
    "r8": "V1",
    "r24": "V3",
    "r128": "V16",
}
ML_DTYPES = [
    "bfloat16",
    "float8_e3m4",
    "float8_e4m3",
    "float8_e4m3b11fnuz",
    "float8_e4m3fn",
    "float8_e4m3fnuz",
    "float8_e5m2",
    "float8_e5m2fnuz",
    "float8_e8m0fnu",
    "float6_e2m3fn",
    "float6_e3m2fn",
    "float4_e2m1fn",
    "int2",
    "int4",
    "uint2",
    "uint4",
]


@pytest.mark.parametrize(("name", "code"), list(CORE.items()))
def test_core_types(name, code):
    data_type = parse_data_type(name)
    assert (data_type.name, data_type.dtype) == (name, np.dtype(code))
    assert data_type_of(np.dtype(code)) == data_type
    assert data_type_json(data_type) == name
    assert not data_type.is_variable_length


@pytest.mark.parametrize("name", ML_DTYPES)
def test_ml_dtypes(name):
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="needs ml_dtypes")
    data_type = parse_data_type(name)
    assert data_type.dtype == np.dtype(getattr(ml_dtypes, name))
    assert data_type_of(data_type.dtype) == data_type
    assert data_type_json(data_type) == name
    assert has_byte_order(data_type.dtype) == (name == "bfloat16")


def test_complex_ml_dtypes():
    ml_dtypes = pytest.importorskip(
        "ml_dtypes", minversion="0.6", reason="needs ml_dtypes 0.6 or newer"
    )
    assert parse_data_type("complex_float16").dtype == np.dtype(ml_dtypes.complex32)
    assert data_type_of(np.dtype(ml_dtypes.bcomplex32)).name == "complex_bfloat16"


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("complex_float32", "complex64"),
        ("complex_float64", "complex128"),
        ("variable_length_bytes", "bytes"),
    ],
)
def test_aliases(alias, name):
    assert parse_data_type(alias) == parse_data_type(name)


def test_missing_ml_dtypes_tells_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "anyzarr\[ml-dtypes\]"'):
        parse_data_type("bfloat16")


def test_older_ml_dtypes_tells_what_to_upgrade(monkeypatch):
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="needs ml_dtypes")
    monkeypatch.delattr(ml_dtypes, "float4_e2m1fn")
    with pytest.raises(UnsupportedError, match="pip install --upgrade ml_dtypes"):
        parse_data_type("float4_e2m1fn")


def test_times():
    for name, code in (("numpy.datetime64", "M8"), ("numpy.timedelta64", "m8")):
        spec = {"name": name, "configuration": {"unit": "ns", "scale_factor": 10}}
        assert parse_data_type(spec).dtype == np.dtype(f"{code}[10ns]")
        assert data_type_json(data_type_of(np.dtype(f"{code}[10ns]"))) == spec
        generic = {"name": name, "configuration": {"unit": "generic", "scale_factor": 1}}
        assert parse_data_type(generic).dtype == np.dtype(code)
    greek = {"name": "numpy.datetime64", "configuration": {"unit": "μs", "scale_factor": 1}}
    assert parse_data_type(greek).dtype == np.dtype("M8[us]")


def test_texts_and_bytes():
    strings = np.dtypes.StringDType() if hasattr(np.dtypes, "StringDType") else np.dtype(object)
    assert parse_data_type("string").dtype == strings
    assert parse_data_type("bytes").dtype == np.dtype(object)
    assert parse_data_type("string").is_variable_length
    assert data_type_of("<U3").configuration == {"length_bytes": 12}
    assert data_type_of("S3").configuration == {"length_bytes": 3}
    if strings.kind == "T":
        assert data_type_of(strings).name == "string"


def test_structs_in_both_spellings():
    new = {
        "name": "struct",
        "configuration": {
            "fields": [{"name": "a", "data_type": "int16"}, {"name": "b", "data_type": "r16"}]
        },
    }
    old = {"name": "structured", "configuration": {"fields": [["a", "int16"], ["b", "r16"]]}}
    dtype = np.dtype([("a", "i2"), ("b", "V2")])
    assert parse_data_type(new) == parse_data_type(old) == data_type_of(dtype)
    assert parse_data_type(new).dtype == dtype
    assert data_type_json(data_type_of(dtype)) == new
    raw = {"name": "raw_bytes", "configuration": {"length_bytes": 2}}
    spelled = data_type_json(data_type_of(dtype), dialect="zarr-python")
    assert spelled["configuration"]["fields"][1]["data_type"] == raw


@pytest.mark.parametrize(
    ("dtype", "has"),
    [
        ("u1", False),
        ("u2", True),
        ("?", False),
        ("S4", False),
        ("V4", False),
        ("U1", True),
        ("M8[s]", True),
        ([("a", "u1"), ("b", "S2")], False),
        ([("a", "u1"), ("b", [("c", "f4")])], True),
    ],
)
def test_byte_order_matters_for_units_of_several_bytes(dtype, has):
    assert has_byte_order(np.dtype(dtype)) == has


@pytest.mark.parametrize(
    "typestr",
    ["|b1", "|i1", "<u2", ">u2", ">f8", "<c16", "<M8[ns]", ">m8[10s]", "<M8", "|S3", ">U3", "|V3"],
)
def test_typestrs_keep_their_byte_order(typestr):
    data_type = v2_data_type(typestr)
    assert data_type.dtype.str == typestr
    assert v2_dtype_json(data_type) == typestr


def test_v2_structs():
    spec = [["a", ">u2"], ["b", [["c", "<f4"], ["d", "|S2"]]]]
    data_type = v2_data_type(spec)
    assert data_type.dtype == np.dtype([("a", ">u2"), ("b", [("c", "<f4"), ("d", "S2")])])
    assert v2_dtype_json(data_type) == spec
    with pytest.raises(UnsupportedError, match="arrays themselves"):
        v2_data_type([["a", "<u2", [3]]])


def test_v2_names_of_ml_dtypes():
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="needs ml_dtypes")
    assert v2_data_type("bfloat16").dtype == np.dtype(ml_dtypes.bfloat16)


@pytest.mark.parametrize(
    "dtype",
    [
        object,
        np.longdouble,
        np.dtype([("a", "i2", (2,))]),
        np.dtype([("a", "i1"), ("b", "i4")], align=True),
        np.dtype([("a", object)]),
    ],
    ids=str,
)
def test_numpy_dtypes_without_a_zarr_type(dtype):
    with pytest.raises(UnsupportedError):
        data_type_of(dtype)


@pytest.mark.parametrize("dtype", ["S", "U", "V", "nonsense", 5, "S0"])
def test_what_is_no_dtype(dtype):
    with pytest.raises(MetadataError):
        data_type_of(dtype)


def test_deeply_nested_structs_are_refused():
    spec = "int8"
    v2 = "|i1"
    for _ in range(40):
        spec = {"name": "struct", "configuration": {"fields": [["a", spec]]}}
        v2 = [["a", v2]]
    with pytest.raises(MetadataError, match="nested"):
        parse_data_type(spec)
    with pytest.raises(MetadataError, match="nested"):
        v2_data_type(v2)


def test_dtype_of():
    assert dtype_of("float16") == np.dtype("f2")
    assert dtype_of(np.uint8) == np.dtype("u1")
    assert dtype_of({"name": "raw_bytes", "configuration": {"length_bytes": 2}}) == np.dtype("V2")
    assert dtype_of(">u2") == np.dtype(">u2")
    with pytest.raises(MetadataError):
        dtype_of("nonsense")

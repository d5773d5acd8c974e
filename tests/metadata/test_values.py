"""Values that are written: cast without loss, or refused."""

from __future__ import annotations

import datetime

import numpy as np
import pytest

from anyzarr.errors import MetadataError
from anyzarr.metadata import as_array_value

needs_strings = pytest.mark.skipif(
    not hasattr(np.dtypes, "StringDType"), reason="needs numpy 2, which has strings"
)


@pytest.mark.parametrize(
    ("value", "dtype", "expected"),
    [
        (5, "u1", 5),
        (True, "u1", 1),
        (1, "?", True),
        (2**64 - 1, "u8", 2**64 - 1),
        (5, "f4", 5.0),
        (2**70, "f8", float(2**70)),
        (1.5, "f4", 1.5),
        (1.5, "c8", 1.5 + 0j),
        (np.nan, "f2", np.nan),
        ([1, 2], "u1", [1, 2]),
        (np.arange(5), "i1", np.arange(5)),
        (np.arange(5.0), "f2", np.arange(5.0)),
        (np.array([True]), "f4", [1.0]),
        (np.uint64(7), "i4", 7),
        (np.datetime64(1, "D"), "M8[s]", np.datetime64(86400, "s")),
        (datetime.date(1970, 1, 2), "M8[D]", np.datetime64(1, "D")),
        ("ab", "U3", "ab"),
        (np.array(["ab"], "U9"), "U3", ["ab"]),
        (b"ab", "S3", b"ab"),
        ([], "u2", []),
        ([[], []], "S3", [[], []]),
    ],
    ids=str,
)
def test_values_that_are_kept(value, dtype, expected):
    dtype = np.dtype(dtype)
    array = as_array_value(value, dtype)
    assert array.dtype == dtype
    np.testing.assert_array_equal(array, np.asarray(expected, dtype))


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (300, "u1"),
        (-1, "u1"),
        (2**64, "u8"),
        (1.0, "u1"),
        (np.nan, "i4"),
        (2, "?"),
        (1.0, "?"),
        (1j, "f4"),
        ("5", "u1"),
        ("x", "f4"),
        (None, "f4"),
        (np.arange(5.0), "u2"),
        (np.array([0, 256]), "u1"),
        (np.array([-1, 0], "i1"), "u8"),
        (np.array([1, 2], object), "u1"),
        ([[1], [1, 2]], "u1"),
        ("abcd", "U3"),
        (np.array([b"abcd"]), "S3"),
        (b"\x80", "U3"),
        ({"a": 1}, "u1"),
        (np.zeros(2, [("a", "i1")]), "i1"),
    ],
    ids=str,
)
def test_values_that_would_be_changed(value, dtype):
    with pytest.raises(MetadataError) as caught:
        as_array_value(value, np.dtype(dtype))
    assert caught.value.kind == "dtype"


def test_the_refusal_names_both_types_and_the_remedy():
    with pytest.raises(MetadataError) as caught:
        as_array_value(np.zeros(3, "f8"), np.dtype("u2"))
    for part in ("float64", "uint16", 'astype("uint16")'):
        assert part in str(caught.value)


def test_an_array_of_the_dtype_is_not_copied():
    array = np.zeros((3, 4), "u2")[:, ::2]
    assert as_array_value(array, np.dtype("u2")) is array
    swapped = as_array_value(array, np.dtype(">u2"))
    assert swapped.dtype == np.dtype(">u2")


@needs_strings
def test_variable_length_strings():
    dtype = np.dtypes.StringDType()
    for value in (["a", "bcd"], np.array(["a", "bcd"]), np.array(["a", "bcd"], object)):
        array = as_array_value(value, dtype)
        assert array.dtype == dtype
        assert array.tolist() == ["a", "bcd"]
    assert as_array_value("x", dtype).item() == "x"
    assert as_array_value([], dtype).shape == (0,)
    for value in ([1, 2], [b"a"], np.array(["a", 5], object)):
        with pytest.raises(MetadataError) as caught:
            as_array_value(value, dtype)
        assert caught.value.kind == "dtype"


def test_variable_length_bytes_keep_trailing_zeros():
    dtype = np.dtype(object)
    assert as_array_value([b"a\0", b""], dtype).tolist() == [b"a\0", b""]
    assert as_array_value(b"a\0", dtype).item() == b"a\0"
    assert as_array_value(np.array([b"ab"]), dtype).tolist() == [b"ab"]
    for value in (np.zeros(3), [1, b"a"], np.array([b"a", None], object)):
        with pytest.raises(MetadataError) as caught:
            as_array_value(value, dtype)
        assert caught.value.kind == "dtype"


def test_structs():
    dtype = np.dtype([("a", "i2"), ("b", "f4")])
    assert as_array_value((1, 2.0), dtype).item() == (1, 2.0)
    assert as_array_value([(1, 2.0), (3, 4.0)], dtype).shape == (2,)
    wider = np.array([(1, 2.0)], [("a", "i2"), ("b", "f8")])
    assert as_array_value(wider, dtype).dtype == dtype
    with pytest.raises(MetadataError):
        as_array_value(np.zeros(3), dtype)


def test_raw_bits():
    assert as_array_value(b"ab", np.dtype("V2")).tobytes() == b"ab"


def test_ml_dtypes():
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="needs ml_dtypes")
    bfloat16, int4 = np.dtype(ml_dtypes.bfloat16), np.dtype(ml_dtypes.int4)
    for value in (1, 1.5, np.arange(3), np.zeros(2, "f8"), np.zeros(2, bool)):
        assert as_array_value(value, bfloat16).dtype == bfloat16
    assert as_array_value(np.array([-8, 7]), int4).astype(int).tolist() == [-8, 7]
    assert as_array_value(np.zeros(2, bfloat16), np.dtype("f4")).dtype == np.dtype("f4")
    for value, dtype in (
        (8, int4),
        (1.5, int4),
        ("x", bfloat16),
        (np.zeros(1, bfloat16), np.dtype("u1")),
    ):
        with pytest.raises(MetadataError) as caught:
            as_array_value(value, dtype)
        assert caught.value.kind == "dtype"


def test_protocols_are_taken():
    class Wrapped:
        def __array__(self, dtype=None, copy=None):
            return np.arange(3, dtype="u1")

    assert as_array_value(Wrapped(), np.dtype("u2")).tolist() == [0, 1, 2]
    assert as_array_value(memoryview(b"\x01\x02"), np.dtype("u1")).tolist() == [1, 2]

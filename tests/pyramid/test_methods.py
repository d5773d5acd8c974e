"""Every method: against its definition, native kernels against numpy, and tensorstore."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anyzarr._pyramid import METHODS, _fast, downsample, downsampled_shape, method_of
from anyzarr.errors import UnsupportedError
from anyzarr.testing import assert_identical

Array = np.ndarray[Any, Any]
ORDERED = ["?", "u1", "i1", "u2", "i2", ">u2", "u4", "i4", "u8", "i8", ">i8", "f2", "f4", "f8",
           ">f4"]  # fmt: skip
OTHERS = ["c8", "c16", ">c8"]
SPECIAL = [math.nan, -math.nan, math.inf, -math.inf, 0.0, -0.0, 1.0]


def values_of(rng: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Return elements with ties, extremes, and for floats everything that is special."""
    if dtype.kind == "b":
        return np.asarray(rng.integers(0, 2, shape)).astype("?")
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        if rng.random() < 0.5:
            return np.asarray(rng.integers(0, 4, shape)).astype(dtype)
        native = dtype.newbyteorder("=")
        return np.asarray(rng.integers(info.min, info.max, shape, native, endpoint=True)).astype(
            dtype
        )
    if dtype.kind == "c":
        half = np.dtype(f"f{dtype.itemsize // 2}")
        both = np.empty(shape, dtype)
        both.real, both.imag = values_of(rng, shape, half), values_of(rng, shape, half)
        return both
    some = np.asarray(rng.normal(size=shape) * 10.0 ** rng.integers(-3, 4)).reshape(shape)
    special = rng.choice(SPECIAL, shape)
    return np.asarray(np.where(rng.random(shape) < 0.3, special, some), dtype)


@st.composite
def blocks(draw: st.DrawFn, dtypes: list[str]) -> tuple[Array, tuple[int, ...]]:
    shape = tuple(draw(st.lists(st.integers(0, 7), max_size=4)))
    factors = tuple(draw(st.integers(1, 4)) for _ in shape)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = values_of(rng, shape, np.dtype(draw(st.sampled_from(dtypes))))
    layout = draw(st.sampled_from(["C", "F", "reversed", "strided"]))
    if layout == "reversed":
        return values[(*(slice(None, None, -1) for _ in shape), ...)], factors
    if layout == "strided":
        wide = np.zeros([2 * n for n in shape], values.dtype)
        wide[(*(slice(1, None, 2) for _ in shape), ...)] = values
        return wide[(*(slice(1, None, 2) for _ in shape), ...)], factors
    return np.asarray(values, order=layout), factors


def windows(block: Array, factors: tuple[int, ...]) -> Any:
    for at in np.ndindex(*downsampled_shape(block.shape, factors)):
        where = tuple(slice(i * f, (i + 1) * f) for i, f in zip(at, factors, strict=True))
        yield at, block[(*where, ...)].reshape(-1)


# -- the definitions, in plain Python ---------------------------------------------------------


def in_order(values: Array) -> list[Any]:
    """Sort by value, -0 before 0, NaN last."""
    return sorted(values.tolist(), key=lambda v: (math.isnan(v), v, math.copysign(1, v)))


def middle_of(values: Array) -> Any:
    ordered = in_order(values)
    n = len(ordered)
    low, high = ordered[(n - 1) // 2], ordered[n // 2]
    if n % 2:
        return low
    if values.dtype.kind == "f":
        return (low + high) / 2
    if values.dtype.kind == "b":
        return low and high
    quotient, rest = divmod(low + high, 2)
    return quotient + (rest and quotient % 2)


def most_frequent(values: Array) -> Any:
    counted: list[list[Any]] = []
    for value in in_order(values):
        last = counted[-1][0] if counted else None
        if last is not None and (value == last or (value != value and last != last)):
            counted[-1][1] += 1
        else:
            counted.append([value, 1])
    return max(counted, key=lambda pair: pair[1])[0]


def unless_nan(function: Any) -> Any:
    return lambda v: math.nan if v.dtype.kind == "f" and np.isnan(v).any() else function(v)


DEFINITIONS = {
    "median": unless_nan(middle_of),
    "mode": most_frequent,
    "min": unless_nan(lambda values: in_order(values)[0]),
    "max": unless_nan(lambda values: in_order(values)[-1]),
}


@pytest.mark.parametrize("method", DEFINITIONS)
@given(case=blocks(ORDERED))
@settings(max_examples=80, deadline=None)
def test_numpy_reference_is_the_definition(
    method: str, case: tuple[Array, tuple[int, ...]]
) -> None:
    block, factors = case
    expected = np.empty(downsampled_shape(block.shape, factors), block.dtype)
    for at, values in windows(block, factors):
        expected[at] = DEFINITIONS[method](values)
    if expected.dtype.kind == "f":
        expected[np.isnan(expected)] = np.nan  # whichever came in
    assert_identical(_fast.REFERENCES[method](block, factors), expected)


# -- native kernels -----------------------------------------------------------------------------


@pytest.mark.parametrize("method", _fast.REFERENCES)
@given(case=blocks(ORDERED), threads=st.sampled_from([1, 3]))
@settings(max_examples=120, deadline=None)
def test_native_equals_numpy_to_the_bit(
    method: str, case: tuple[Array, tuple[int, ...]], threads: int
) -> None:
    pytest.importorskip("anyzarr_native")
    block, factors = case
    expected = _fast.REFERENCES[method](block, factors)
    assert_identical(downsample(block, factors, method, threads=threads), expected)
    out = np.empty((*expected.shape, 2), block.dtype)[..., 1]
    downsample(block, factors, method, out, threads)
    assert_identical(out, expected)


@pytest.mark.parametrize("method", _fast.REFERENCES)
def test_the_same_without_native_kernels(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(8)
    block = rng.integers(0, 9, (9, 8, 7)).astype("u2")
    before = downsample(block, (2, 3, 2), method)
    monkeypatch.setattr(_fast, "_native", lambda: None)
    assert_identical(downsample(block, (2, 3, 2), method), before)


@pytest.mark.parametrize("dtype", ORDERED + OTHERS)
@pytest.mark.parametrize("method", METHODS)
def test_dtype_is_kept_or_refused(method: str, dtype: str) -> None:
    kind = np.dtype(dtype)
    how = method_of(method)
    if kind.kind == "c" and method in DEFINITIONS:
        with pytest.raises(UnsupportedError, match="mean"):
            how.require(kind)
        return
    how.require(kind)
    if method != "gaussian":
        block = values_of(np.random.default_rng(1), (5, 4), kind)
        found = downsample(block, (2, 2), how.kernel)
        assert (found.dtype, found.shape) == (kind, (3, 2))


def test_huge_windows_take_the_reference() -> None:
    block = np.full((200, 200), 255, "u1")
    for method in _fast.REFERENCES:
        assert downsample(block, (200, 200), method).tolist() == [[255]]


def test_complex_parts_are_averaged_apart() -> None:
    block = np.array([complex(1, math.inf), 3 + 1j], "c16")
    found = downsample(block, (2,), "mean")
    assert (found.real[0], found.imag[0]) == (2, math.inf)


def test_text_and_dates_can_be_strided_only() -> None:
    for dtype in ("U3", "M8[s]", "V4"):
        block = np.zeros(5, dtype)
        method_of("stride").require(block.dtype)
        assert downsample(block, (2,), "stride").shape == (3,)
        for method in ("mean", "mode", "gaussian"):
            with pytest.raises(UnsupportedError, match="stride"):
                method_of(method).require(block.dtype)


# -- tensorstore --------------------------------------------------------------------------------


@pytest.mark.oracle
@pytest.mark.parametrize("dtype", ["bool", "u1", "i2", "u2", "i4", "u4", "i8", "f4", "f8"])
@pytest.mark.parametrize("factors", [(2, 2), (1, 2), (3, 3), (4, 3)])
def test_equal_to_tensorstore_where_its_rules_are_ours(
    dtype: str, factors: tuple[int, int]
) -> None:
    """Its median of an even number is the lower one; its min, max and median pass over NaN."""
    ts = pytest.importorskip("tensorstore")
    rng = np.random.default_rng(math.prod(factors))
    block = rng.integers(0, 2 if dtype == "bool" else 9, (36, 42)).astype(dtype)
    methods = ["mode", "min", "max", "stride"] + ["median"] * (math.prod(factors) % 2)
    for method in methods:
        expected = ts.downsample(ts.array(block), factors, method).read().result()
        assert_identical(downsample(block, factors, method), np.asarray(expected))

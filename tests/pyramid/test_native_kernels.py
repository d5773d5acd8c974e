"""The native downsampling kernels against plain numpy, bit for bit."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anyzarr._pyramid._kernel import downsampled_shape, mean
from anyzarr.testing import assert_identical

native = pytest.importorskip("anyzarr_native")

Array = np.ndarray[Any, Any]
DTYPES = ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f4", "f8"]


def windows(block: Array, factors: tuple[int, ...]) -> tuple[Array, Any]:
    out = np.empty(downsampled_shape(block.shape, factors), block.dtype)

    def each() -> Any:
        for at in np.ndindex(*out.shape):
            where = tuple(slice(i * f, (i + 1) * f) for i, f in zip(at, factors, strict=True))
            yield at, block[(*where, ...)].reshape(-1)

    return out, each()


def median_of(values: Array) -> Any:
    if values.dtype.kind == "f" and np.isnan(values).any():
        return np.nan
    ordered = np.sort(values)
    n = len(ordered)
    if n % 2:
        return ordered[n // 2]
    low, high = ordered[n // 2 - 1], ordered[n // 2]
    if values.dtype.kind == "f":
        return (float(low) + float(high)) / 2
    return round_half_even(int(low) + int(high), 2)


def round_half_even(total: int, count: int) -> int:
    quotient, rest = divmod(total, count)
    return quotient + (2 * rest > count or (2 * rest == count and quotient % 2 == 1))


def mode_of(values: Array) -> Any:
    found, counts = np.unique(values, return_counts=True)
    return found[np.argmax(counts)]


REFERENCE = {"median": median_of, "mode": mode_of, "min": np.min, "max": np.max}


def expected(block: Array, factors: tuple[int, ...], method: str) -> Array:
    if method == "mean":
        return mean(block, factors)
    if method == "stride":
        return block[tuple(slice(None, None, f) for f in factors)].copy()
    out, each = windows(block, factors)
    for at, values in each:
        out[at] = REFERENCE[method](values)
    return out


def found(block: Array, factors: tuple[int, ...], method: str, threads: int) -> Array:
    out = np.empty(downsampled_shape(block.shape, factors), block.dtype)
    native.downsample(block, out, list(factors), method, block.dtype.str[1:], threads)
    return out


@st.composite
def blocks(draw: st.DrawFn) -> tuple[Array, tuple[int, ...]]:
    ndim = draw(st.integers(0, 4))
    shape = [draw(st.integers(1, 11)) for _ in range(ndim)]
    factors = tuple(draw(st.integers(1, 5)) for _ in range(ndim))
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    if dtype.kind == "f":
        values = (rng.normal(size=shape) * 10.0 ** rng.integers(-3, 6)).astype(dtype)
    elif draw(st.booleans()):
        values = rng.integers(0, 4, shape).astype(dtype)
    else:
        info = np.iinfo(dtype)
        values = rng.integers(info.min, info.max, shape, dtype, endpoint=True)
    values = np.asarray(values, dtype).reshape(shape)
    if draw(st.booleans()):
        return values[(*(slice(None, None, -1) for _ in shape), ...)], factors
    if draw(st.booleans()):
        return np.asarray(values, order="F"), factors
    return values, factors


@pytest.mark.parametrize("method", ["mean", "median", "mode", "min", "max", "stride"])
@settings(max_examples=120, deadline=None)
@given(block=blocks(), threads=st.sampled_from([1, 3]))
def test_equals_plain_numpy(
    method: str, block: tuple[Array, tuple[int, ...]], threads: int
) -> None:
    values, factors = block
    assert_identical(found(values, factors, method, threads), expected(values, factors, method))


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_mean_of_a_large_block_on_several_threads(dtype: str) -> None:
    rng = np.random.default_rng(5)
    values = rng.integers(0, 120, (33, 130, 257)).astype(dtype)
    for factors in itertools.product((1, 2), (2, 3), (2, 5)):
        assert_identical(found(values, factors, "mean", 3), mean(values, factors))


def test_extremes_do_not_overflow() -> None:
    for dtype in DTYPES[:8]:
        info = np.iinfo(dtype)
        for value in (info.min, info.max):
            values = np.full((6, 7), value, dtype)
            assert_identical(found(values, (3, 2), "mean", 1), np.full((2, 4), value, dtype))


def test_nan_spreads() -> None:
    values = np.ones((4, 4))
    values[0, 1] = math.nan
    for method in ("mean", "median", "min", "max"):
        out = found(values, (2, 2), method, 1)
        assert np.isnan(out[0, 0])
        assert np.array_equal(out[1], [1, 1])


@pytest.mark.parametrize(
    ("factors", "method", "dtype"),
    [((2,), "mean", "f8"), ((0, 2), "mean", "f8"), ((2, 2), "sum", "f8"), ((2, 2), "mean", "V8"),
     ((2, 2), "mean", "f4"), ((5, 2), "mean", "f8")],
)  # fmt: skip
def test_what_does_not_fit_is_refused(factors: Any, method: str, dtype: str) -> None:
    with pytest.raises(native.NativeError):
        native.downsample(np.ones((4, 4)), np.ones((2, 2)), factors, method, dtype)

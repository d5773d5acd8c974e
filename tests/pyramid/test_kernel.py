"""Downsampling in memory: exact against exact arithmetic, and against tensorstore."""

from fractions import Fraction
from itertools import product
from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from anyzarr._pyramid import downsampled_shape, mean, stride
from anyzarr.errors import UnsupportedError

INTEGERS = ["bool", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", ">u2", ">i4"]


def window(block, index, factors):
    return block[tuple(slice(i * f, (i + 1) * f) for i, f in zip(index, factors, strict=True))]


def exact_mean(block, factors):
    """Windows averaged with exact fractions; Python rounds a Fraction half to even."""
    out = np.empty(downsampled_shape(block.shape, factors), block.dtype)
    for index in product(*map(range, out.shape)):
        values = window(block, index, factors)
        value = round(Fraction(sum(int(v) for v in values.ravel()), values.size))
        out[index] = bool(value) if block.dtype.kind == "b" else value
    return out


@st.composite
def integer_cases(draw):
    shape = draw(hnp.array_shapes(max_dims=3, max_side=7))
    dtype = np.dtype(draw(st.sampled_from(INTEGERS)))
    factors = tuple(draw(st.integers(1, 4)) for _ in shape)
    return draw(hnp.arrays(dtype, shape)), factors


@given(integer_cases())
@settings(max_examples=300, deadline=None)
def test_integer_means_are_exact(case):
    block, factors = case
    result = mean(block, factors)
    assert result.dtype == block.dtype
    np.testing.assert_array_equal(result, exact_mean(block, factors))


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i4", "u8", "i8"])
def test_extreme_values_do_not_overflow(dtype):
    for value in (np.iinfo(dtype).min, np.iinfo(dtype).max):
        block = np.full((5, 4, 3), value, dtype)
        assert (mean(block, (3, 2, 2)) == value).all()


def test_ties_go_to_even_and_keep_the_brightness():
    assert mean(np.array([0, 1, 1, 2, 2, 3, 3, 4], "u1"), (2,)).tolist() == [0, 2, 2, 4]
    assert mean(np.array([-1, -2, -3, -4], "i2"), (2,)).tolist() == [-2, -4]
    noise = np.random.default_rng(0).integers(0, 1000, (512, 512), "u2")
    assert abs(float(mean(noise, (2, 2)).mean()) - float(noise.mean())) < 0.01


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "c8", "c16"])
def test_float_means(dtype):
    rng = np.random.default_rng(1)
    block = rng.normal(size=(5, 7, 6)).astype(dtype)
    result = mean(block, (2, 3, 2))
    assert result.dtype == block.dtype
    for index in product(*map(range, result.shape)):
        values = window(block, index, (2, 3, 2)).astype(np.result_type(dtype, "f8"))
        tolerance = 1e-3 if dtype == "f2" else 1e-6
        np.testing.assert_allclose(result[index], values.mean(), rtol=tolerance)


def test_not_a_number_spreads_within_its_window_only():
    result = mean(np.array([np.nan, 1, 2, 4], "f4"), (2,))
    assert np.isnan(result[0])
    assert result[1] == 3


def test_large_floats_do_not_overflow():
    assert mean(np.full(2, 6e4, "f2"), (2,))[0] == np.float16(6e4)


@pytest.mark.oracle
@pytest.mark.parametrize("dtype", ["bool", "u1", "i2", "u2", "i4", "u4"])
@pytest.mark.parametrize("factors", [(2, 2), (1, 2), (3, 2), (4, 4)])
def test_equal_to_tensorstore(dtype, factors):
    ts = pytest.importorskip("tensorstore")
    rng = np.random.default_rng(prod(factors))
    block = rng.integers(0, 2 if dtype == "bool" else 100, (33, 41)).astype(dtype)
    for ours, theirs in ((mean, "mean"), (stride, "stride")):
        expected = ts.downsample(ts.array(block), factors, theirs).read().result()
        np.testing.assert_array_equal(ours(block, factors), expected)


def test_nothing_to_do_returns_a_new_equal_array():
    block = np.arange(6, dtype="u2").reshape(2, 3)
    result = mean(block, (1, 1))
    np.testing.assert_array_equal(result, block)
    assert not np.shares_memory(result, block)


def test_input_is_left_alone():
    block = np.arange(64, dtype="i8").reshape(8, 8)
    before = block.copy()
    mean(block, (2, 2))
    np.testing.assert_array_equal(block, before)


def test_text_has_no_mean():
    with pytest.raises(UnsupportedError) as caught:
        mean(np.array(["a", "b"]), (2,))
    assert caught.value.kind == "unsupported"


def test_empty_axes_stay_empty():
    assert mean(np.empty((0, 4), "u2"), (2, 2)).shape == (0, 2)

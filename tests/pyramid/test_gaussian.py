"""The Gaussian: against scipy, against plain sums, and the same however the image is cut."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anyzarr._pyramid import gaussian
from anyzarr._pyramid._gaussian import gaussian_part, reach
from anyzarr.testing import assert_identical

Array = np.ndarray[Any, Any]


def plainly(block: Array, factors: tuple[int, ...]) -> Array:
    """The definition: a weighted mean, all axes at once, of what is there."""
    grids = []
    for n, f in zip(block.shape, factors, strict=True):
        centres = np.arange(-(-n // f)) * f + (f - 1) / 2
        distance = np.arange(n) - centres[:, None]
        weights = np.where(np.abs(distance) <= 4 * f / 3 + 0.5, 1.0, 0.0)
        weights *= np.exp(-0.5 * (distance / (f / 3)) ** 2) if f > 1 else distance == 0
        grids.append(weights / weights.sum(axis=1, keepdims=True))
    out = block.astype("f8")
    for axis, weights in enumerate(grids):
        out = np.moveaxis(np.tensordot(weights, out, (1, axis)), 0, axis)
    return out


@pytest.mark.parametrize("factors", [(2, 2), (1, 2), (3, 4), (5, 1), (7, 6)])
@pytest.mark.parametrize("shape", [(40, 37), (1, 5), (3, 2), (8, 8)])
def test_it_is_a_weighted_mean(shape: tuple[int, int], factors: tuple[int, int]) -> None:
    block = np.random.default_rng(0).normal(size=shape)
    np.testing.assert_allclose(
        gaussian(block, factors), plainly(block, factors), rtol=1e-12, atol=1e-15
    )


@pytest.mark.oracle
@pytest.mark.parametrize("factor", [3, 5, 7])
def test_equal_to_scipy_where_centres_lie_on_elements(factor: int) -> None:
    ndimage = pytest.importorskip("scipy.ndimage")
    block = np.random.default_rng(1).normal(size=(50, 60))

    def blurred(values: Array) -> Array:
        return np.asarray(ndimage.gaussian_filter(values, factor / 3, mode="constant"))

    first = factor // 2
    kept = (slice(first, None, factor),) * 2
    expected = (blurred(block) / blurred(np.ones_like(block)))[kept]
    found = gaussian(block, (factor, factor))[: expected.shape[0], : expected.shape[1]]
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_the_same_bits_however_the_image_is_cut(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.integers(1, 20), min_size=1, max_size=3)))
    factors = tuple(data.draw(st.integers(1, 5)) for _ in shape)
    dtype = data.draw(st.sampled_from(["u1", "i2", "f4", "f8", "c8"]))
    block = (np.random.default_rng(2).normal(size=shape) * 100).astype(dtype)
    whole = gaussian(block, factors)
    part = tuple(sorted(data.draw(st.tuples(*[st.integers(0, n)] * 2))) for n in whole.shape)
    wanted = tuple(slice(a, b) for a, b in part)
    beyond = [before for before, _ in reach(factors)]
    finer = tuple(
        slice(max(0, w.start * f - b), min(n, w.stop * f + b))
        for w, f, b, n in zip(wanted, factors, beyond, shape, strict=True)
    )
    found = gaussian_part(block[finer], [s.start for s in finer], shape, factors, wanted)
    assert_identical(found, whole[wanted])


@pytest.mark.parametrize("dtype", ["?", "u1", "i1", "u2", "i8", "u8", "f2", "f4", ">f4", "c16"])
def test_even_images_stay_even(dtype: str) -> None:
    info = np.iinfo(dtype) if np.dtype(dtype).kind in "iu" else None
    for value in (info.min, info.max) if info else (0, 1):
        block = np.full((9, 10), value, dtype)
        found = gaussian(block, (2, 3))
        assert found.dtype == block.dtype
        np.testing.assert_allclose(found, block[:5, :4], rtol=1e-15)


def test_integers_are_rounded_and_nan_spreads() -> None:
    block = np.array([0, 1] * 8, "u1")
    assert set(gaussian(block, (2,)).tolist()) <= {0, 1}
    values = np.ones(40)
    values[20] = math.nan
    (where,) = np.nonzero(np.isnan(gaussian(values, (2,))))
    assert where.tolist() == [9, 10, 11]

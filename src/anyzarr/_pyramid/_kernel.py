"""Downsampling one block of an array in memory, exactly and the same on every machine.

A window is ``factors`` elements wide and starts at a multiple of ``factors``; windows at the
far edge hold what is there, so the result has ``ceil(n / factor)`` elements per axis. That is
what tensorstore's ``downsample`` does, and iohub through it; the tests compare bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr.errors import UnsupportedError

__all__ = ["downsampled_shape", "mean", "stride", "without_payload"]


def downsampled_shape(shape: Sequence[int], factors: Sequence[int]) -> tuple[int, ...]:
    """Return the shape after downsampling: ``ceil(n / factor)`` per axis."""
    return tuple(-(-n // f) for n, f in zip(shape, factors, strict=True))


def stride(block: npt.NDArray[Any], factors: Sequence[int]) -> npt.NDArray[Any]:
    """Return the first element of each window, as it is."""
    return np.array(block[tuple(slice(None, None, f) for f in factors)], block.dtype)


def without_payload(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Replace each NaN by the one of numpy, in place, so that it is the same on every machine."""
    values[np.isnan(values)] = np.nan
    return values


def mean(block: npt.NDArray[Any], factors: Sequence[int]) -> npt.NDArray[Any]:
    """Return the mean of each window, in the block's dtype.

    Parameters
    ----------
    block
        Booleans, integers, floats or complex numbers; its first element starts a window.
    factors
        Width of a window per axis, each at least 1.

    Returns
    -------
    numpy.ndarray
        A new array of shape ``downsampled_shape(block.shape, factors)``. Integers and booleans
        are summed exactly and rounded to the nearest, ties to even, so that a pyramid does
        not grow brighter from level to level; floats are summed in float64, one axis after
        the other; of complex numbers, the real and the imaginary parts. A window with a NaN,
        or with both infinities, becomes the NaN of numpy.

    Raises
    ------
    UnsupportedError
        The dtype has no mean.
    """
    kind, dtype = block.dtype.kind, block.dtype
    if kind == "b":
        return _integer_mean(block.view(np.uint8), factors).astype(np.bool_)
    if kind in "iu":
        if dtype.itemsize == 8:
            native = block.astype(dtype.newbyteorder("="), copy=False)
            return np.asarray(_wide_integer_mean(native, factors), dtype)
        return _integer_mean(block, factors)
    if kind == "f":
        with np.errstate(over="ignore", invalid="ignore"):
            total = _window_sums(block, factors, np.result_type(dtype, np.float64))
            total /= _counts(block.shape, factors)
            return without_payload(total.astype(dtype, copy=False))
    if kind == "c":
        half = np.dtype(f"{dtype.str[0]}f{dtype.itemsize // 2}")
        parts = block.astype(dtype, order="C")[..., np.newaxis].view(half)
        return np.ascontiguousarray(mean(parts, (*factors, 1))).view(dtype)[..., 0]
    raise UnsupportedError(
        f"a mean pyramid needs numbers, and this array's dtype is {dtype}; use method='stride'"
    )


def _integer_mean(block: npt.NDArray[Any], factors: Sequence[int]) -> npt.NDArray[Any]:
    """Mean of integers of at most 32 bits, whose window sums fit in 64."""
    n = math.prod(factors)
    narrow = block.dtype.itemsize * 8 + n.bit_length() <= 31
    total = _window_sums(block, factors, np.dtype(np.int32 if narrow else np.int64))
    if n & (n - 1) == 0 and _is_whole(block.shape, factors):
        shift = n.bit_length() - 1
        if shift:
            # Half of n, less one where the quotient is even: ties then fall to the even side.
            total += ((total >> shift) & 1) + (n // 2 - 1)
            total >>= shift
        return total.astype(block.dtype)
    counts = _counts(block.shape, factors)
    quotient, rest = np.divmod(total, counts.astype(total.dtype))
    return _round_half_even(quotient, rest, counts).astype(block.dtype)


def _wide_integer_mean(block: npt.NDArray[Any], factors: Sequence[int]) -> npt.NDArray[Any]:
    """Mean of 64-bit integers, whose window sums may not fit in 64: quotients and rests apart."""
    counts = _counts(block.shape, factors)
    per_element = _spread(counts, block.shape, factors).astype(block.dtype)
    quotients, rests = np.divmod(block, per_element)
    rest_sum = _window_sums(rests, factors, block.dtype)
    carry, rest = np.divmod(rest_sum, counts.astype(block.dtype))
    quotient = _window_sums(quotients, factors, block.dtype) + carry
    return _round_half_even(quotient, rest, counts).astype(block.dtype, copy=False)


def _round_half_even(
    quotient: npt.NDArray[Any], rest: npt.NDArray[Any], counts: npt.NDArray[np.int64]
) -> npt.NDArray[Any]:
    """Round ``quotient + rest / counts`` in place, where ``0 <= rest < counts``."""
    doubled = 2 * rest.astype(np.int64)
    up = (doubled > counts) | ((doubled == counts) & (quotient & 1 == 1))
    quotient += up
    return quotient


def _window_sums(
    block: npt.NDArray[Any], factors: Sequence[int], dtype: np.dtype[Any]
) -> npt.NDArray[Any]:
    """Sum each window, one axis after the other; the result is a new array of ``dtype``."""
    total = block
    for axis, factor in enumerate(factors):
        if factor == 1:
            continue
        summed = _phase(total, axis, 0, factor).astype(dtype)
        for offset in range(1, min(factor, total.shape[axis])):
            part = _phase(total, axis, offset, factor)
            head = _along(axis, slice(0, part.shape[axis]))
            np.add(summed[head], part, out=summed[head], dtype=dtype, casting="unsafe")
        total = summed
    return total.astype(dtype) if total is block else total


def _phase(values: npt.NDArray[Any], axis: int, offset: int, step: int) -> npt.NDArray[Any]:
    return values[_along(axis, slice(offset, None, step))]


def _along(axis: int, part: slice) -> tuple[slice, ...]:
    return (slice(None),) * axis + (part,)


def _is_whole(shape: Sequence[int], factors: Sequence[int]) -> bool:
    return all(n % f == 0 for n, f in zip(shape, factors, strict=True))


def _counts(shape: Sequence[int], factors: Sequence[int]) -> npt.NDArray[np.int64]:
    """Return how many elements each window holds, in a shape that broadcasts."""
    counts = np.ones((1,) * len(shape), np.int64)
    for axis, (n, f) in enumerate(zip(shape, factors, strict=True)):
        line = np.full(-(-n // f) if n % f else 1, f, np.int64)
        if n % f:
            line[-1] = n % f
        counts = counts * line.reshape([-1 if i == axis else 1 for i in range(len(shape))])
    return counts


def _spread(
    counts: npt.NDArray[np.int64], shape: Sequence[int], factors: Sequence[int]
) -> npt.NDArray[np.int64]:
    """Repeat the counts of windows for each of their elements."""
    for axis, (n, f) in enumerate(zip(shape, factors, strict=True)):
        if counts.shape[axis] > 1:
            counts = np.repeat(counts, f, axis=axis)[_along(axis, slice(0, n))]
    return counts

"""Downsampling with a Gaussian: each element is a weighted mean of a neighbourhood.

Along an axis with factor ``f`` the standard deviation is ``f / 3`` elements (that of
``skimage.transform.pyramid_reduce``), and elements further than ``4 f / 3 + 1/2`` from the centre
count for nothing (the rule of ``scipy.ndimage``). The centre of an element is the middle of its
window, as that of a mean, so for even factors it lies between two elements. Beyond the edge of
the image there is nothing: the weights of what is there are made to add up to 1. An axis with
factor 1 stays as it is.

Axes are gone through in order, in float64, and within an axis neighbours from first to last: a
result depends on nothing but its neighbourhood, so it is the same however the image is cut.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr._pyramid._kernel import downsampled_shape, without_payload

__all__ = ["gaussian", "gaussian_part", "reach"]

_TRUNCATE = 4.0


def reach(factors: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Return how far beyond its window the neighbourhood of an element goes, per axis.

    Examples
    --------
    >>> from anyzarr._pyramid._gaussian import reach
    >>> reach((1, 2, 3))
    ((0, 0), (2, 2), (3, 3))
    """
    beyond = ((len(_weights(f)) - f) // 2 for f in factors)
    return tuple((n, n) for n in beyond)


@functools.cache
def _weights(factor: int) -> npt.NDArray[np.float64]:
    """Return the weights of the neighbourhood, not yet made to add up to 1."""
    if factor == 1:
        return np.ones(1)
    sigma = factor / 3
    half = (factor - 1) / 2
    beyond = int(_TRUNCATE * sigma + 0.5 - half)
    offsets = np.arange(factor + 2 * beyond) - beyond - half
    return np.asarray([math.exp(-0.5 * (x / sigma) ** 2) for x in offsets.tolist()])


def gaussian(block: npt.NDArray[Any], factors: Sequence[int]) -> npt.NDArray[Any]:
    """Return an image made smaller; it is the whole image, so its edges are those of the block.

    Integers are rounded to the nearest, ties to even; 64-bit ones are exact up to 2**53. A NaN
    spreads to every element whose neighbourhood it is in.
    """
    whole = tuple(slice(0, n) for n in downsampled_shape(block.shape, factors))
    return gaussian_part(block, (0,) * block.ndim, block.shape, factors, whole)


def gaussian_part(
    block: npt.NDArray[Any],
    origin: Sequence[int],
    shape: Sequence[int],
    factors: Sequence[int],
    wanted: Sequence[slice],
) -> npt.NDArray[Any]:
    """Return a part of an image made smaller.

    Parameters
    ----------
    block, origin
        Elements of the image around the part, and the coordinates of the first of them: all
        within :func:`reach` of the windows, where the image has any.
    shape
        Of the image.
    factors
        Per axis.
    wanted
        The part, in elements of the result.
    """
    dtype = block.dtype
    if dtype.kind == "c":
        half = np.dtype(f"{dtype.str[0]}f{dtype.itemsize // 2}")
        parts = block.astype(dtype, order="C")[..., np.newaxis].view(half)
        both = (*wanted, slice(0, 2))
        made = gaussian_part(parts, (*origin, 0), (*shape, 2), (*factors, 1), both)
        return np.ascontiguousarray(made).view(dtype)[..., 0]
    values = block.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        for axis, factor in enumerate(factors):
            if factor > 1:
                values = _along(values, axis, origin[axis], shape[axis], factor, wanted[axis])
        return _as_type(values, dtype)


def _along(
    values: npt.NDArray[Any], axis: int, origin: int, length: int, factor: int, wanted: slice
) -> npt.NDArray[Any]:
    """Filter and downsample along one axis."""
    lines = np.moveaxis(values, axis, 0)
    weights = _weights(factor)
    beyond = (len(weights) - factor) // 2
    firsts = np.arange(wanted.start, wanted.stop) * factor - beyond
    out = np.zeros((len(firsts), *lines.shape[1:]), lines.dtype)
    total = np.zeros(len(firsts))
    for offset, weight in enumerate(weights.tolist()):
        at = firsts + offset
        inside = np.flatnonzero((at >= 0) & (at < length))
        if inside.size:
            there = slice(inside[0], inside[-1] + 1)
            first = int(at[inside[0]]) - origin
            taken = lines[first : first + (inside.size - 1) * factor + 1 : factor]
            out[there] += taken * weight
            total[there] += weight
    out /= total.reshape(-1, *(1,) * (out.ndim - 1))
    return np.moveaxis(out, 0, axis)


def _as_type(values: npt.NDArray[Any], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    if dtype.kind == "b":
        return np.rint(values).astype(np.bool_)
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        rounded = np.rint(values)
        # The largest 64-bit integers are no floats; what is rounded up to 2**63 stays below.
        most = np.nextafter(float(info.max), 0) if float(info.max) > info.max else float(info.max)
        inside = np.clip(rounded, float(info.min), most).astype(dtype)
        return np.where(rounded > most, dtype.type(info.max), inside).astype(dtype, copy=False)
    return without_payload(values.astype(dtype, copy=False))

"""Min, max, median and mode of windows in plain numpy: the reference of the native kernels.

Elements are compared as integers that stand in the same order, which makes every result a matter
of integers: exact, and independent of the order in which a window is gone through. Floats are
ordered by value with -0 below 0, and NaN above all numbers.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr._pyramid._kernel import downsampled_shape, without_payload

__all__ = ["largest", "median", "mode", "smallest"]

Block = npt.NDArray[Any]


def smallest(block: Block, factors: Sequence[int]) -> Block:
    """Return the smallest element of each window; NaN where there is a NaN."""
    nan = _key_of_nan(block.dtype)

    def reduce(keys: Block) -> Block:
        low: Block = keys.min(axis=-1)
        return low if nan is None else np.where(keys.max(axis=-1) == nan, nan, low)

    return _from_keys(_reduced(_to_keys(block), factors, reduce), block.dtype)


def largest(block: Block, factors: Sequence[int]) -> Block:
    """Return the largest element of each window; NaN where there is a NaN."""
    keys = _reduced(_to_keys(block), factors, lambda keys: keys.max(axis=-1))
    return _from_keys(keys, block.dtype)


def median(block: Block, factors: Sequence[int]) -> Block:
    """Return the median of each window; NaN where there is a NaN.

    Of an even number of elements it is the mean of the two in the middle, rounded as
    :func:`anyzarr._pyramid._kernel.mean` rounds.
    """
    dtype, nan = block.dtype, _key_of_nan(block.dtype)

    def reduce(keys: Block) -> Block:
        ordered = np.sort(keys, axis=-1)
        n = ordered.shape[-1]
        low, high = ordered[..., (n - 1) // 2], ordered[..., n // 2]
        middle = low if n % 2 else _middle(low, high, dtype)
        return middle if nan is None else np.where(ordered[..., -1] == nan, nan, middle)

    return _from_keys(_reduced(_to_keys(block), factors, reduce), dtype)


def mode(block: Block, factors: Sequence[int]) -> Block:
    """Return the most frequent element of each window, of several the smallest.

    -0 and 0 are one element, and all NaN are one, larger than every number.
    """
    is_float = block.dtype.kind == "f"

    def reduce(keys: Block) -> Block:
        ordered = np.sort(keys, axis=-1)
        same = np.where(ordered == -1, 0, ordered) if is_float else ordered
        counts = np.zeros(ordered.shape, np.int64)
        for i in range(ordered.shape[-1]):
            counts += same == same[..., i : i + 1]
        first = np.argmax(counts, axis=-1)[..., np.newaxis]
        most: Block = np.take_along_axis(ordered, first, axis=-1)[..., 0]
        return most

    return _from_keys(_reduced(_to_keys(block), factors, reduce), block.dtype)


def _reduced(block: Block, factors: Sequence[int], reduce: Callable[[Block], Block]) -> Block:
    """Reduce each window of a block; ``reduce`` is given them along the last axis."""
    out: Block = np.empty(downsampled_shape(block.shape, factors), block.dtype)
    for where, windows in _windows(block, factors):
        out[where] = reduce(windows)
    return out


def _windows(block: Block, factors: Sequence[int]) -> Iterator[tuple[tuple[slice, ...], Block]]:
    """Yield the windows of a block, those of one size together, and where their results go."""
    axes = []
    for n, f in zip(block.shape, factors, strict=True):
        whole = n // f
        parts = [(slice(0, whole), slice(0, whole * f), f)] if whole else []
        if n % f:
            parts.append((slice(whole, whole + 1), slice(whole * f, n), n % f))
        axes.append(parts)
    for cell in itertools.product(*axes):
        part = np.asarray(block[tuple(source for _, source, _ in cell)])
        widths = [width for _, _, width in cell]
        shape = [n // w for n, w in zip(part.shape, widths, strict=True)]
        split = part.reshape([n for pair in zip(shape, widths, strict=True) for n in pair])
        order = [*range(0, split.ndim, 2), *range(1, split.ndim, 2)]
        windows = split.transpose(order).reshape([*shape, math.prod(widths)])
        yield tuple(target for target, _, _ in cell), windows


def _integer_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.dtype(f"i{dtype.itemsize}")


def _key_of_nan(dtype: np.dtype[Any]) -> Any:
    """Return what stands for NaN, or None where there is no NaN."""
    if dtype.kind != "f":
        return None
    return _to_keys(np.full(1, np.nan, dtype))[0]


def _to_keys(block: Block) -> Block:
    """Return integers in the order of the elements; all NaN become one."""
    if block.dtype.kind == "b":
        return block.view(np.uint8)
    if block.dtype.kind != "f":
        return block.astype(block.dtype.newbyteorder("="), copy=False)
    plain = without_payload(block.astype(block.dtype.newbyteorder("="), order="C"))
    bits = plain.view(_integer_type(plain.dtype))
    return np.where(bits < 0, bits ^ np.iinfo(bits.dtype).max, bits)


def _from_keys(keys: Block, dtype: np.dtype[Any]) -> Block:
    """Return the elements that the integers stand for."""
    if dtype.kind == "b":
        return keys.view(np.bool_)
    if dtype.kind == "f":
        bits = np.where(keys < 0, keys ^ np.iinfo(keys.dtype).max, keys)
        keys = bits.astype(_integer_type(dtype), copy=False).view(dtype.newbyteorder("="))
    return keys.astype(dtype, copy=False)


def _middle(low: Block, high: Block, dtype: np.dtype[Any]) -> Block:
    """Return what stands for the mean of two elements."""
    if dtype.kind == "f":
        native = dtype.newbyteorder("=")
        with np.errstate(over="ignore", invalid="ignore"):
            low, high = (_from_keys(keys, native).astype(np.float64) for keys in (low, high))
            return _to_keys(((low + high) / 2).astype(native))
    odd = low ^ high
    below: Block = (low & high) + (odd >> 1)
    below += odd & below & 1
    return below

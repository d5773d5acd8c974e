"""Selections from ndsel messages."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from anyzarr.errors import SelectionError
from anyzarr.indexing._layout import assemble
from anyzarr.indexing._ndsel import fail, normalize
from anyzarr.indexing._types import Affine, Indexed, IntArray, Map, Selection

__all__ = ["from_ndsel"]


def from_ndsel(message: Mapping[str, Any] | str | bytes, shape: tuple[int, ...]) -> Selection:
    """Resolve an ndsel message against the shape of an array.

    Coordinates are literal: a negative one is out of bounds. Where a message leaves a bound
    out, or gives it as implicit (in brackets), the array's own bounds limit it.

    Parameters
    ----------
    message
        The message, as JSON text or as the object it stands for.
    shape
        The array's shape.

    Raises
    ------
    SelectionError
        The message is not valid (``kind`` as in :func:`normalize`; ``rank_mismatch`` also
        where the array has another number of dimensions), or it selects elements out of
        bounds (``kind="selection"``).

    Examples
    --------
    >>> from anyzarr.indexing import from_ndsel
    >>> from_ndsel({"kind": "box", "inclusive_min": [2, 0], "shape": [3, 4]}, (10, 10)).box
    Box(start=(2, 0), stop=(5, 4), step=(1, 1))
    """
    shape = tuple(shape)
    body = normalize(message)
    output = body["output"]
    if len(output) != len(shape):
        raise fail(
            "rank_mismatch",
            f"the message selects from {len(output)} dimensions, and the array has {len(shape)}",
        )
    lower, upper = _finite_domain(body, shape)
    lengths = tuple(b - a for a, b in zip(lower, upper, strict=True))
    maps = [_map_of(m, shape[d], d, lower, lengths) for d, m in enumerate(output)]
    return assemble(shape, lengths, maps)


def _finite_domain(body: Mapping[str, Any], shape: tuple[int, ...]) -> tuple[list[int], list[int]]:
    """Return the bounds of the input dimensions, the implicit ones limited by the array."""
    lower, upper = [], []
    for k in range(body["input_rank"]):
        low, low_implicit = _read_bound(body["input_inclusive_min"][k])
        high, high_implicit = _read_bound(body["input_exclusive_max"][k])
        for d, m in enumerate(body["output"]):
            if m.get("input_dimension") == k and m["stride"]:
                first, last = _preimage(m["offset"], m["stride"], shape[d])
                low = max(low, first) if low_implicit else low
                high = min(high, last) if high_implicit else high
        if math.isinf(low) or math.isinf(high):
            raise SelectionError(
                f"dimension {k} of the ndsel message is unbounded, and a selection has an end; "
                "give it finite bounds"
            )
        lower.append(int(low))
        upper.append(max(int(low), int(high)))
    return lower, upper


def _read_bound(value: Any) -> tuple[float | int, bool]:
    """Return a bound of the normal form, and whether it is implicit."""
    implicit = isinstance(value, list)
    index = value[0] if implicit else value
    return (float(index) if isinstance(index, str) else index), implicit


def _preimage(offset: int, stride: int, size: int) -> tuple[int, int]:
    """Return the range of input indices ``i`` with ``0 <= offset + stride * i < size``."""
    if stride > 0:
        return -(offset // stride), -((offset - size) // stride)
    first = -((size - 1 - offset) // -stride)
    return first, max(first, offset // -stride + 1)


def _map_of(
    m: Mapping[str, Any], size: int, d: int, lower: Sequence[int], lengths: tuple[int, ...]
) -> Map:
    offset, stride = m["offset"], m.get("stride", 1)
    if "index_array" in m:
        return _indexed_of(m, size, d, lengths)
    if "input_dimension" not in m:
        return Affine(None, _check(offset, offset, size, d))
    axis = m["input_dimension"]
    count = lengths[axis]
    start = offset + stride * lower[axis]
    if count == 0:
        return Affine(axis, 0)
    last = start + stride * (count - 1)
    _check(min(start, last), max(start, last), size, d)
    return Affine(axis, start, stride) if stride else Affine(None, start)


def _check(low: int, high: int, size: int, d: int) -> int:
    if low < 0 or high >= size:
        bad = low if low < 0 else high
        raise SelectionError(
            f"the ndsel message selects index {bad} of dimension {d}, whose size is {size}; "
            "its coordinates count from 0 and are within the array"
        )
    return low


def _indexed_of(m: Mapping[str, Any], size: int, d: int, lengths: tuple[int, ...]) -> Map:
    """Return the map of an index array, which has an axis, maybe of length 1, per input."""
    table = _index_array(m["index_array"], f"output[{d}].index_array")
    if table.size == 0:
        if 0 not in lengths:
            raise fail("invalid_json", f"output[{d}].index_array is empty, and the domain is not")
        return Affine(lengths.index(0), 0)
    if table.ndim != len(lengths):
        raise fail(
            "rank_mismatch",
            f"output[{d}].index_array has {table.ndim} dimensions, and the rank is {len(lengths)}",
        )
    if any(n not in (1, length) for n, length in zip(table.shape, lengths, strict=True)):
        raise fail(
            "invalid_json",
            f"output[{d}].index_array has shape {table.shape}, and the domain {lengths}; each "
            "length is that of the domain, or 1",
        )
    low, high = int(table.min()), int(table.max())
    first, last = (_read_bound(b)[0] for b in m["index_array_bounds"])
    if low < first or high > last:
        raise SelectionError(
            f"output[{d}].index_array has values from {low} to {high}, and its bounds are "
            f"{m['index_array_bounds']}"
        )
    offset, stride = m["offset"], m["stride"]
    ends = sorted((offset + stride * low, offset + stride * high))
    _check(ends[0], ends[1], size, d)
    if stride == 0 or table.size == 1:
        return Affine(None, ends[0])
    axes = tuple(axis for axis, n in enumerate(table.shape) if n != 1)
    kept = tuple(n for n in table.shape if n != 1)
    return Indexed(axes, (offset + stride * table).reshape(kept))


def _index_array(value: Any, where: str) -> IntArray:
    """Return nested lists of integers as an array."""
    shape: list[int] = []
    level = [value]
    while level and isinstance(level[0], list):
        if any(not isinstance(v, list) or len(v) != len(level[0]) for v in level):
            raise fail("invalid_json", f"{where} is ragged, and must be a full table")
        shape.append(len(level[0]))
        level = [entry for v in level for entry in v]
    if not shape:
        raise fail("invalid_json", f"{where} is {value!r}, and must be a list")
    for entry in level:
        if isinstance(entry, bool) or not isinstance(entry, int) or abs(entry) >= 2**63:
            raise fail("invalid_json", f"{where} holds {entry!r}, and must hold 64-bit integers")
    return np.array(level, dtype=np.intp).reshape(shape)

"""Arrays, boxes and buffers for testing engines, and what counts as equal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr.abc import Box

__all__ = ["assert_identical", "odd_buffer", "random_box"]


def assert_identical(found: npt.NDArray[Any], expected: npt.NDArray[Any]) -> None:
    """Assert that two arrays have one shape and dtype, and the same bits.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.testing import assert_identical
    >>> assert_identical(np.array([np.nan]), np.array([np.nan]))
    >>> assert_identical(np.array([0.0]), np.array([-0.0]))
    Traceback (most recent call last):
    ...
    AssertionError: 1 of 1 elements differ, the first at (0,): 0.0, expected -0.0
    """
    assert found.shape == expected.shape, f"shape {found.shape}, expected {expected.shape}"
    assert found.dtype == expected.dtype, f"dtype {found.dtype}, expected {expected.dtype}"
    if found.dtype.kind in "OT":
        same = np.asarray(found == expected)
    else:
        same = _bits(found) == _bits(expected)
    if not same.all():
        where = tuple(int(i) for i in np.argwhere(~same)[0])
        raise AssertionError(
            f"{int((~same).sum())} of {same.size} elements differ, the first at {where}: "
            f"{found[where]}, expected {expected[where]}"
        )


def _bits(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the array with each element as opaque bytes."""
    flat = np.ascontiguousarray(array).reshape(-1)
    raw = flat.view(np.uint8).reshape(flat.size, array.dtype.itemsize)
    words = [row.tobytes() for row in raw]
    opaque: npt.NDArray[Any] = np.empty(len(words), object)
    opaque[:] = words
    return opaque.reshape(array.shape)


def random_box(shape: Sequence[int], rng: np.random.Generator, *, steps: bool) -> Box:
    """Return a box within an array of this shape; not empty unless the array is."""
    start, stop, step = [], [], []
    for n in shape:
        a, b = sorted(rng.integers(0, n + 1, 2).tolist())
        if a == b:
            a, b = (a - 1, b) if a == n else (a, b + 1)
        start.append(a)
        stop.append(b)
        step.append(int(rng.integers(1, n + 1)) if steps and rng.random() < 0.5 else 1)
    return Box(tuple(start), tuple(stop), tuple(step))


def odd_buffer(shape: Sequence[int], dtype: np.dtype[Any], variant: int) -> npt.NDArray[Any]:
    """Return memory of this shape with other than plain strides."""
    plain, last = tuple(shape), len(shape)
    index: Any = ...
    if variant % 4 == 1:
        return np.empty(plain[::-1], dtype).T
    if variant % 4 == 2:
        plain, index = tuple(2 * n for n in shape), (*[slice(None, None, 2)] * last, ...)
    if variant % 4 == 3:
        index = (*[slice(None, None, -1)] * last, ...)
    buffer: npt.NDArray[Any] = np.empty(plain, dtype)[index]
    return buffer

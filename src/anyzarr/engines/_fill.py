"""Whether a chunk holds nothing but the fill value, bit by bit except for NaN."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["fill_array", "is_fill"]

_BITS = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}


def fill_array(fill: Any, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return the fill value as a 0-d array: assigning it keeps NaN payloads, as scalars may not."""
    array = np.empty((), dtype)
    array[()] = fill
    return array


def is_fill(array: npt.NDArray[Any], fill: npt.NDArray[Any]) -> bool:
    """Return whether every element is the fill value.

    Any NaN equals a NaN fill value; ``-0.0`` and ``0.0`` differ.

    Parameters
    ----------
    array
        Any shape and strides.
    fill
        0-d, of the same dtype.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.engines._fill import is_fill
    >>> is_fill(np.array([0.0, -0.0]), np.array(0.0))
    False
    """
    dtype = array.dtype
    if array.size == 0:
        return True
    if dtype.kind in "OTSU":
        return bool(np.all(array == fill))
    if dtype.kind == "c":
        return is_fill(array.real, fill.real) and is_fill(array.imag, fill.imag)
    if dtype.names is None and dtype.type is not np.void and bool(fill != fill):
        return bool(np.all(array != array))
    if dtype.itemsize in _BITS and dtype.names is None:
        bits = _BITS[dtype.itemsize]
        return bool(np.all(array.view(bits) == fill.view(bits)))
    raw = np.frombuffer(array.tobytes(), np.uint8).reshape(-1, dtype.itemsize)
    return bool(np.all(raw == np.frombuffer(fill.tobytes(), np.uint8)))

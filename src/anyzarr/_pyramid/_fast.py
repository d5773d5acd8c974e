"""The mean by the native kernels where they are built, by numpy elsewhere: the same to the bit."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr._optional import is_installed
from anyzarr._pyramid import _kernel

__all__ = ["mean"]

_KINDS = frozenset({"u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f4", "f8"})


@functools.cache
def _native() -> ModuleType | None:
    if not is_installed("anyzarr_native"):
        return None
    import anyzarr_native

    return anyzarr_native


def mean(block: npt.NDArray[Any], factors: Sequence[int]) -> npt.NDArray[Any]:
    """Return the mean of each window; see :func:`anyzarr._pyramid._kernel.mean`."""
    native, kind = _native(), block.dtype.str[1:]
    if native is None or kind not in _KINDS or not block.dtype.isnative or not block.size:
        return _kernel.mean(block, factors)
    out: npt.NDArray[Any] = np.empty(_kernel.downsampled_shape(block.shape, factors), block.dtype)
    # One thread: the regions of a level are made side by side already.
    native.downsample(block, out, list(factors), "mean", kind, 1)
    return out

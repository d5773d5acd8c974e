"""Downsampling by the native kernels where they are built, by numpy elsewhere: the same bits."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr._optional import is_installed
from anyzarr._pyramid import _kernel, _order

__all__ = ["REFERENCES", "downsample"]

Block = npt.NDArray[Any]

REFERENCES: Mapping[str, Callable[[Block, Sequence[int]], Block]] = {
    "mean": _kernel.mean,
    "median": _order.median,
    "mode": _order.mode,
    "min": _order.smallest,
    "max": _order.largest,
    "stride": _kernel.stride,
}
"""What each method is, in plain numpy."""

_KINDS = frozenset({"u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f4", "f8"})
_MOST_IN_WINDOW = 1 << 14  # more of the smallest integers do not add up in 32 bits


@functools.cache
def _native() -> ModuleType | None:
    if not is_installed("anyzarr_native"):
        return None
    import anyzarr_native

    return anyzarr_native


def downsample(
    block: Block, factors: Sequence[int], method: str, out: Block | None = None, threads: int = 1
) -> Block:
    """Return a block made smaller, or fill ``out`` with it.

    Parameters
    ----------
    block
        Its first element starts a window.
    factors
        Width of a window per axis.
    method
        A name in :data:`REFERENCES`.
    out
        Of shape ``downsampled_shape(block.shape, factors)`` and the dtype of the block, with
        any strides.
    threads
        How many to use, the caller's included.
    """
    if out is None:
        out = np.empty(_kernel.downsampled_shape(block.shape, factors), block.dtype)
    native = _native()
    if native is None or math.prod(factors) > _MOST_IN_WINDOW or not block.size:
        out[...] = REFERENCES[method](block, factors)
        return out
    kind, size = block.dtype.kind, block.dtype.itemsize
    if f"{kind}{size}" in _KINDS and block.dtype.isnative:
        native.downsample(block, out, list(factors), method, f"{kind}{size}", threads)
    elif kind == "b":
        views = block.view(np.uint8), out.view(np.uint8)
        native.downsample(*views, list(factors), method, "u1", threads)
    elif method != "stride" and (f"{kind}{size}" in _KINDS or (kind, size) == ("f", 2)):
        # Half precision is exact in double, and is rounded once on the way back.
        wide = np.dtype("f8") if kind == "f" and size == 2 else block.dtype.newbyteorder("=")
        with np.errstate(over="ignore"):
            out[...] = downsample(block.astype(wide), factors, method, threads=threads)
    else:
        out[...] = REFERENCES[method](block, factors)
    return out

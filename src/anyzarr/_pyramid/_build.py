"""Computing the levels of a pyramid, each from the one before."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr._progress import Tracker
from anyzarr._pyramid._fast import downsample
from anyzarr._pyramid._gaussian import gaussian_part, reach
from anyzarr._pyramid._kernel import downsampled_shape
from anyzarr._pyramid._methods import Method, method_of
from anyzarr._pyramid._regions import Readable, Region, Writable, fill
from anyzarr.errors import MetadataError

__all__ = ["downsample_into"]


def downsample_into(
    source: Readable,
    target: Writable,
    factors: Sequence[int],
    *,
    method: str = "mean",
    regions: Iterable[Region] | None = None,
    done: Callable[[Region], None] | None = None,
    memory_bytes: int | None = None,
    tracker: Tracker | None = None,
) -> None:
    """Fill ``target`` with ``source`` made smaller, region by region.

    Parameters
    ----------
    source
        The finer level.
    target
        The coarser level, of shape ``ceil(source.shape / factors)`` and the same dtype.
    factors
        Downsampling factor per axis.
    method
        A name in :data:`METHODS`.
    regions, done
        The stored objects of ``target`` to fill, None: all; called with each that is stored.
    memory_bytes
        About how much memory to take; None: :func:`default_memory`.
    tracker
        Told the bytes of ``target`` that are done.

    Raises
    ------
    MetadataError
        Shapes or dtypes do not fit each other.
    UnsupportedError
        The method is unknown or cannot work on this dtype.

    Notes
    -----
    A block of the target starts at a multiple of its chunk shape, so the block of the source
    it is made from starts at a window, and no window is cut.
    """
    how = method_of(method)
    how.require(source.dtype)
    require_fit(source, target, factors)
    fill(
        target,
        lambda region: made_from(source, factors, how, region),
        regions=regions,
        done=done,
        # The source block, and the sums of its first reduction in a wider type.
        read_bytes_per_element=5 * math.prod(factors) * source.dtype.itemsize // 2,
        memory_bytes=memory_bytes,
        tracker=tracker,
    )


def require_fit(source: Readable, target: Writable, factors: Sequence[int]) -> None:
    """Check that the target can hold the source made smaller.

    Raises
    ------
    MetadataError
        It cannot.
    """
    expected = downsampled_shape(source.shape, factors)
    if tuple(target.shape) != expected or target.dtype != source.dtype:
        raise MetadataError(
            f"a level of shape {tuple(target.shape)} and dtype {target.dtype} cannot hold one of "
            f"shape {tuple(source.shape)} and dtype {source.dtype} made smaller by "
            f"{tuple(factors)}: that has shape {expected} and the same dtype"
        )


def made_from(
    source: Readable, factors: Sequence[int], method: Method, region: Region
) -> npt.NDArray[Any]:
    """Return a region of the level made from ``source``."""
    beyond = reach(factors) if method.kernel == "gaussian" else ((0, 0),) * len(factors)
    finer = tuple(
        slice(max(0, s.start * f - before), min(s.stop * f + after, n))
        for s, f, n, (before, after) in zip(region, factors, source.shape, beyond, strict=True)
    )
    block = np.asarray(source[finer])
    if method.kernel == "gaussian":
        return gaussian_part(block, [s.start for s in finer], source.shape, factors, region)
    return downsample(block, factors, method.kernel)

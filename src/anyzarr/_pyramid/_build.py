"""Computing the levels of a pyramid, each from the one before."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from anyzarr._progress import Tracker
from anyzarr._pyramid import _fast, _kernel
from anyzarr._pyramid._regions import MEMORY_BYTES, Readable, Region, Writable, fill
from anyzarr.errors import MetadataError, UnsupportedError

__all__ = ["METHODS", "Method", "downsample_into", "method_of"]


@dataclass(frozen=True, slots=True)
class Method:
    """A way to make one element of a window.

    Attributes
    ----------
    name
        As given by the user and written as the ``type`` of a multiscale image.
    kernel
        Turns a block into a smaller one, for the given factors.
    centred
        Whether an element of the result lies in the middle of its window.
    description
        What it does, for the metadata.
    """

    name: str
    kernel: Callable[[npt.NDArray[Any], Sequence[int]], npt.NDArray[Any]]
    centred: bool
    description: str


METHODS = {
    method.name: method
    for method in (
        Method("mean", _fast.mean, True, "mean of each window, ties rounded to even"),
        Method("nearest", _kernel.nearest, False, "first element of each window"),
    )
}
"""The downsampling methods, by name."""


def method_of(name: str) -> Method:
    """Return the method with this name.

    Raises
    ------
    UnsupportedError
        There is none.
    """
    try:
        return METHODS[name]
    except KeyError:
        known = ", ".join(sorted(METHODS))
        raise UnsupportedError(
            f"no downsampling method is called {name!r}; the methods are {known}"
        ) from None


def downsample_into(
    source: Readable,
    target: Writable,
    factors: Sequence[int],
    *,
    method: str = "mean",
    memory_bytes: int = MEMORY_BYTES,
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
    memory_bytes
        About how much memory to take.
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
    kernel = method_of(method).kernel
    expected = _kernel.downsampled_shape(source.shape, factors)
    if tuple(target.shape) != expected or target.dtype != source.dtype:
        raise MetadataError(
            f"a level of shape {tuple(target.shape)} and dtype {target.dtype} cannot hold one of "
            f"shape {tuple(source.shape)} and dtype {source.dtype} made smaller by "
            f"{tuple(factors)}: that has shape {expected} and the same dtype"
        )

    def produce(region: Region) -> npt.NDArray[Any]:
        finer = tuple(
            slice(s.start * f, min(s.stop * f, n))
            for s, f, n in zip(region, factors, source.shape, strict=True)
        )
        return kernel(source[finer], factors)

    fill(
        target,
        produce,
        # The source block, and the sums of its first reduction in a wider type.
        read_bytes_per_element=5 * math.prod(factors) * source.dtype.itemsize // 2,
        memory_bytes=memory_bytes,
        tracker=tracker,
    )

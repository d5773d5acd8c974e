"""Filling an array region by region: whole shards written once, memory bounded."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from anyzarr import _parallel
from anyzarr._progress import Tracker

__all__ = [
    "Level",
    "Readable",
    "Region",
    "Writable",
    "blocks_of",
    "cells_of",
    "default_memory",
    "fill",
    "region_size",
    "regions_of",
]

_MEMORY_BYTES, _MEMORY_BYTES_PER_THREAD, _MOST_MEMORY_BYTES = 320 << 20, 64 << 20, 1 << 30
_BLOCK_BYTES = 32 << 20


def default_memory() -> int:
    """Return about how much memory filling an array takes, whatever its size.

    Two shards of the default size with their encoded bytes, and blocks for each thread.
    """
    wanted = _MEMORY_BYTES + _MEMORY_BYTES_PER_THREAD * _parallel.concurrency()
    return min(_MOST_MEMORY_BYTES, wanted)


Region = tuple[slice, ...]
"""Elements of an array, one slice with start and stop per axis, step 1."""


class Readable(Protocol):
    """An array to read from: :class:`anyzarr.Array`, numpy, dask through a wrapper."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    def __getitem__(self, selection: Any, /) -> Any: ...


class Writable(Protocol):
    """An array to fill: :class:`anyzarr.Array`."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    @property
    def chunks(self) -> Any: ...
    @property
    def shards(self) -> tuple[int, ...] | None: ...
    def __setitem__(self, selection: Any, value: Any, /) -> None: ...


class Level(Readable, Writable, Protocol):
    """An array to fill and to read from: :class:`anyzarr.Array`."""

    @property
    def nbytes(self) -> int: ...


def fill(
    target: Writable,
    produce: Callable[[Region], npt.NDArray[Any]],
    *,
    within: Region | None = None,
    regions: Iterable[Region] | None = None,
    done: Callable[[Region], None] | None = None,
    read_bytes_per_element: int | None = None,
    memory_bytes: int | None = None,
    tracker: Tracker | None = None,
) -> None:
    """Fill an array, one stored object (shard, else chunk) at a time, on several threads.

    Each stored object is written exactly once and whole, so nothing is read back and two
    threads never meet in one. As many are in work at a time as memory allows.

    Parameters
    ----------
    target
        The array to fill.
    produce
        Returns the values of a region that lies within one stored object and starts at a
        multiple of the chunk shape, or where ``within`` does. Called from several threads.
    within
        The part to fill, whose edges may lie within stored objects: these are then changed in
        part. None: all of the array.
    regions
        The stored objects to fill, whole; in place of ``within``.
    done
        Called with each of them when it is stored, from several threads.
    read_bytes_per_element
        Bytes ``produce`` holds per element of its result; default the element's size.
    memory_bytes
        Bound on what is held at a time, as long as one stored object fits in it; None:
        :func:`default_memory`.
    tracker
        Told the bytes of each block that is done.
    """
    memory_bytes = memory_bytes or default_memory()
    itemsize = target.dtype.itemsize
    cost = (read_bytes_per_element or itemsize) + itemsize
    unit = target.shards or target.chunks
    unit_bytes = math.prod(map(min, unit, target.shape)) * itemsize
    most_elements = max(1, min(_BLOCK_BYTES, memory_bytes) // cost)
    width = max(1, memory_bytes // max(1, unit_bytes + most_elements * cost))

    def one(region: Region) -> None:
        blocks = list(blocks_of(region, target.chunks, most_elements))
        if len(blocks) == 1:
            target[region] = produce(region)
        else:
            target[region] = _assemble(region, blocks, produce, target.dtype, tracker)
        if tracker is not None and len(blocks) == 1:
            tracker.advance(region_size(region) * itemsize)
        if done is not None:
            done(region)

    limit = min(width, _parallel.concurrency())
    whole = tuple(slice(0, n) for n in target.shape)
    wanted = regions_of(within or whole, unit) if regions is None else regions
    _parallel.for_each(one, wanted, limit=limit)


def _assemble(
    region: Region,
    blocks: Sequence[Region],
    produce: Callable[[Region], npt.NDArray[Any]],
    dtype: np.dtype[Any],
    tracker: Tracker | None,
) -> npt.NDArray[Any]:
    whole = np.empty(tuple(s.stop - s.start for s in region), dtype)
    for block in blocks:
        inner = tuple(
            slice(b.start - r.start, b.stop - r.start) for b, r in zip(block, region, strict=True)
        )
        whole[inner] = produce(block)
        if tracker is not None:
            tracker.advance(region_size(block) * dtype.itemsize)
    return whole


def region_size(region: Region) -> int:
    """Return the number of elements in a region."""
    return math.prod(s.stop - s.start for s in region)


def regions_of(within: Region, unit: Sequence[int]) -> Iterator[Region]:
    """Iterate over the cells of a regular grid in C order, clipped to a region."""
    axes = []
    for s, u in zip(within, unit, strict=True):
        first = s.start // u * u if s.start < s.stop else s.stop
        cells = (slice(a, a + u) for a in range(first, s.stop, max(1, u)))
        axes.append([slice(max(c.start, s.start), min(c.stop, s.stop)) for c in cells])
    return itertools.product(*axes)


def blocks_of(region: Region, chunks: Sequence[int], most_elements: int) -> Iterator[Region]:
    """Cut a region into blocks of whole chunks, the last axes as long as the bound allows.

    A block is never smaller than one chunk, so the bound holds where a chunk fits in it.
    """
    extents = [s.stop - s.start for s in region]
    block = [min(c, n) for c, n in zip(chunks, extents, strict=True)]
    for axis in reversed(range(len(block))):
        if block[axis] == 0:
            continue
        repeats = max(1, most_elements // max(1, math.prod(block)))
        whole = min(extents[axis], block[axis] * repeats)
        block[axis] = whole
        if whole < extents[axis]:
            break
    return cells_of(region, block)


def cells_of(within: Sequence[slice], unit: Sequence[int]) -> Iterator[Region]:
    """Iterate over the cells of a grid that begins where a region does, clipped to it."""
    axes = [
        [slice(a, min(a + u, s.stop)) for a in range(s.start, s.stop, max(1, u))]
        for s, u in zip(within, unit, strict=True)
    ]
    return itertools.product(*axes)

"""Writing lazy dask arrays, a whole stored object at a time, and telling how far it is."""

from __future__ import annotations

import math
import sys
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from anyzarr._interop._dask import stored_blocks
from anyzarr._optional import require
from anyzarr._progress import ProgressCallback, Tracker

if TYPE_CHECKING:
    import dask.array

    from anyzarr.metadata import ArrayMetadata

__all__ = ["is_dask", "write_dask"]


class Fillable(Protocol):
    """What is written to: it is pickled into the tasks."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    @property
    def metadata(self) -> ArrayMetadata: ...
    def __setitem__(self, selection: Any, value: Any) -> None: ...


def is_dask(data: Any) -> bool:
    """Return whether data is a dask array; dask is not loaded to know."""
    module = sys.modules.get("dask.array")
    return module is not None and isinstance(data, module.Array)


def write_dask(
    data: dask.array.Array,
    array: Any,
    *,
    region: Sequence[slice] | None = None,
    progress: ProgressCallback | None = None,
) -> None:
    """Compute a dask array and write it, each stored object by one task.

    Parameters
    ----------
    data
        Of the shape of the array, or of the region.
    array
        What is written to.
    region
        The part to write, one slice with start and stop per dimension; None: all of it.
    progress
        Told the bytes written, from the scheduler's thread.
    """
    da = require("dask.array", extra="dask", purpose="Writing lazy arrays")
    starts = [0 if region is None else part.start for part in region or array.shape]
    blocks = da.rechunk(data, _cut(array, starts, data.shape))
    written = da.map_blocks(
        _Write(array, tuple(starts)),
        blocks,
        dtype=bool,
        chunks=tuple((1,) * len(sizes) for sizes in blocks.chunks),
        meta=np.empty((0,) * blocks.ndim, bool),
        # Never the same name twice: what was written before may be there no longer.
        name=f"anyzarr-write-{uuid.uuid4().hex}",
    )
    sizes = _sizes(written, blocks)
    tracker = Tracker(progress)
    tracker.start("writing", sum(sizes.values()))
    _compute(written, sizes, tracker)


class _Write:
    """Writes a block; called by dask, wherever the block was computed."""

    def __init__(self, array: Fillable, starts: tuple[int, ...]) -> None:
        self._array = array
        self._starts = starts

    def __call__(self, block: Any, block_info: Any = None) -> npt.NDArray[np.bool_]:
        place = block_info[0]["array-location"]
        region = tuple(
            slice(start + int(a), start + int(b))
            for start, (a, b) in zip(self._starts, place, strict=True)
        )
        self._array[region] = block
        return np.ones((1,) * len(region), bool)


def _cut(array: Any, starts: Sequence[int], lengths: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """Return dask's ``chunks`` of a part of an array that are cut where stored objects begin."""
    result = []
    for sizes, start, length in zip(stored_blocks(array), starts, lengths, strict=True):
        edges = np.cumsum((0, *sizes))
        inner = edges[(edges > start) & (edges < start + length)]
        cuts = np.concatenate(([start], inner, [start + length]))
        result.append(tuple(int(n) for n in np.diff(cuts)))
    return tuple(result)


def _sizes(written: dask.array.Array, blocks: dask.array.Array) -> dict[Any, int]:
    """Return the bytes that each task writes, by its key."""
    itemsize = blocks.dtype.itemsize
    return {
        (written.name, *index): itemsize
        * math.prod(sizes[i] for sizes, i in zip(blocks.chunks, index, strict=True))
        for index in np.ndindex(*written.numblocks)
    }


def _compute(written: Any, sizes: dict[Any, int], tracker: Tracker) -> None:
    """Compute, and have a tracker told of tasks that are done.

    A default client of ``distributed`` gives futures, other schedulers call back.
    """
    client = _client()
    if client is not None:
        distributed = require("distributed", extra="cluster", purpose="Writing on a cluster")
        futures = distributed.futures_of(client.persist(written))
        for future in distributed.as_completed(futures):
            future.result()
            tracker.advance(sizes.get(future.key, 0))
        return
    callbacks = require("dask.callbacks", extra="dask", purpose="Writing lazy arrays")

    def done(key: Any, *_: Any) -> None:
        if key in sizes:
            tracker.advance(sizes[key])

    with callbacks.Callback(posttask=done):
        written.compute()


def _client() -> Any:
    """Return the client of ``distributed`` that dask would use, or None."""
    distributed = sys.modules.get("distributed")
    asked = require("dask", extra="dask").config.get("scheduler", None)
    if distributed is None or asked not in {None, "dask.distributed", "distributed"}:
        return None
    try:
        return distributed.get_client()
    except ValueError:
        return None

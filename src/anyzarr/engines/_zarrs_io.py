"""Which reads zarrs does by itself, and which go through our byte layer.

zarrs reads whole chunks (whole shards) faster than we can from Python, and checks all of them.
The rest is ours:

- *parts of chunks*: there zarrs verifies neither ``crc32c`` nor the sizes in a shard's index,
  and what is corrupt must not pass;
- *steps*: zarrs has none;
- *writes*: zarrs' folders are not written all or nothing per key;
- *after a fork*: the threads of zarrs' pool are gone, and waiting for them never ends.
"""

from __future__ import annotations

import asyncio
import atexit
import itertools
import math
import os
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import numpy.typing as npt
import zarrista
from zarrista.store import FilesystemStore

from anyzarr._parallel import concurrency
from anyzarr.abc import Box, Engine, IOCapabilities, Store
from anyzarr.engines._byte_layer import ByteLayerIO
from anyzarr.engines._cells import view
from anyzarr.engines._folders import folder_of
from anyzarr.engines._own_io import OwnIO
from anyzarr.engines._zarrs_codec import guarded, to_numpy, zarrs_document
from anyzarr.metadata import ArrayMetadata

__all__ = ["ZarrsArrayIO"]

_READ_BYTES = 256 << 20
"""Most bytes zarrs decodes in one call: it needs them in memory of its own."""

Reader = Callable[[tuple[slice, ...]], Any]

_forked = False


class ZarrsArrayIO(OwnIO):
    """Chunk data of one array through zarrs; see the module.

    Parameters
    ----------
    engine
        For errors.
    metadata, store, path
        The array.
    by_bytes
        Does what zarrs is not asked to do.
    """

    def __init__(
        self,
        engine: Engine,
        metadata: ArrayMetadata,
        store: Store,
        path: str,
        by_bytes: ByteLayerIO,
    ) -> None:
        super().__init__(engine, metadata, store, path, by_bytes)
        self._handle, self._reader = self._open()

    def _open(self) -> tuple[Any, Reader | None]:
        metadata = self._metadata
        if _forked or metadata.grid.chunk_shape is None or metadata.data_type.is_variable_length:
            return None, None
        root = folder_of(self._store, self._path)
        live = None if root is not None else getattr(self._store, "obstore", None)
        try:
            if root is not None:
                return self._open_local(root)
            return (None, None) if live is None else self._open_obstore(live)
        except Exception:  # noqa: BLE001 - plugin edge: what zarrs cannot open, we can read
            # Such as obstore's memory, credentials from a Python function, or odd node names.
            return None, None

    def _open_local(self, root: str) -> tuple[Any, Reader]:
        document = zarrs_document(self._metadata)
        array = zarrista.Array.from_metadata(document, FilesystemStore(root), "/" + self._path)
        read = array.retrieve_array_subset
        return array, lambda slices: guarded(read, slices, concurrent_target=concurrency())

    def _open_obstore(self, live: Any) -> tuple[Any, Reader]:
        document = zarrs_document(self._metadata)
        array = zarrista.AsyncArray.from_metadata(document, live, "/" + self._path)
        read = array.retrieve_array_subset
        return array, lambda slices: _run(read, slices, concurrent_target=concurrency())

    @property
    def capabilities(self) -> IOCapabilities:
        """Any step; the byte layer where zarrs does not know the store."""
        return IOCapabilities(steps=True, byte_layer=self._reader is None or _forked)

    @property
    def native_handle(self) -> Any:
        """The ``zarrista.Array`` or ``AsyncArray``; None where zarrs does not know the store."""
        return self._handle

    def read(self, box: Box, out: npt.NDArray[Any]) -> None:
        """Fill ``out``; see :class:`anyzarr.abc.ArrayIO`."""
        chunk_shape = self._metadata.grid.chunk_shape
        if self._reader is None or _forked or chunk_shape is None or not box.is_contiguous:
            self._by_bytes.read(box, out)
            return
        inner = _whole_chunks(box, chunk_shape)
        if inner is None:
            self._by_bytes.read(box, out)
            return
        for part in _around(box, inner):
            self._by_bytes.read(part, _part_of(out, box, part))
        for part in _in_pieces(inner, chunk_shape, self._metadata.dtype.itemsize):
            self._read_whole_chunks(self._reader, part, _part_of(out, box, part))

    def _read_whole_chunks(self, reader: Reader, box: Box, out: npt.NDArray[Any]) -> None:
        with self._reading(box, out):
            out[...] = to_numpy(reader(box.slices), self._metadata.dtype)

    def write(self, box: Box, value: npt.NDArray[Any]) -> None:
        """Store ``value``; see :class:`anyzarr.abc.ArrayIO`."""
        self._by_bytes.write(box, value)


def _whole_chunks(box: Box, chunk_shape: tuple[int, ...]) -> Box | None:
    """Return the part of the box that is whole chunks; None if it is not at least two."""
    start = tuple(-(-a // c) * c for a, c in zip(box.start, chunk_shape, strict=True))
    stop = tuple(b // c * c for b, c in zip(box.stop, chunk_shape, strict=True))
    counts = [(b - a) // c for a, b, c in zip(start, stop, chunk_shape, strict=True)]
    if any(n <= 0 for n in counts) or math.prod(counts) < 2:
        return None
    return Box(start, stop, box.step)


def _around(box: Box, inner: Box) -> Iterator[Box]:
    """Cut what of the box is not inside into boxes; no chunk is in two of them.

    Along dimension ``d`` the slabs before and after the inner box take all of the dimensions
    after ``d`` and only the inner box's part of those before.
    """
    for d in range(len(box.start)):
        for a, b in ((box.start[d], inner.start[d]), (inner.stop[d], box.stop[d])):
            if a < b:
                yield Box(
                    (*inner.start[:d], a, *box.start[d + 1 :]),
                    (*inner.stop[:d], b, *box.stop[d + 1 :]),
                    box.step,
                )


def _in_pieces(box: Box, chunk_shape: tuple[int, ...], itemsize: int) -> Iterator[Box]:
    """Cut a box of whole chunks into boxes of whole chunks of bounded size."""
    counts = [(b - a) // c for a, b, c in zip(box.start, box.stop, chunk_shape, strict=True)]
    per_piece = [1] * len(counts)
    room = max(1, _READ_BYTES // max(1, math.prod(chunk_shape) * itemsize))
    for d in reversed(range(len(counts))):
        per_piece[d] = min(counts[d], room)
        room //= per_piece[d]
    steps = [range(0, n, k) for n, k in zip(counts, per_piece, strict=True)]
    for first in itertools.product(*steps):
        start = tuple(a + i * c for a, i, c in zip(box.start, first, chunk_shape, strict=True))
        stop = tuple(
            min(a + k * c, b)
            for a, k, c, b in zip(start, per_piece, chunk_shape, box.stop, strict=True)
        )
        yield Box(start, stop, box.step)


def _part_of(out: npt.NDArray[Any], box: Box, part: Box) -> npt.NDArray[Any]:
    where = tuple(
        slice(a - o, b - o) for a, b, o in zip(part.start, part.stop, box.start, strict=True)
    )
    return view(out, where)


# A loop of our own, in a thread of its own, for zarrs' asynchronous arrays: the caller may be
# inside a running loop, or have none.
_loop: asyncio.AbstractEventLoop | None = None
_loop_lock = threading.Lock()


def _run(work: Callable[..., Coroutine[Any, Any, Any]], *args: Any, **options: Any) -> Any:
    async def awaited() -> Any:
        return await work(*args, **options)

    return guarded(asyncio.run_coroutine_threadsafe(awaited(), _started_loop()).result)


def _started_loop() -> asyncio.AbstractEventLoop:
    global _loop
    with _loop_lock:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            thread = threading.Thread(target=_loop.run_forever, name="anyzarr-zarrs", daemon=True)
            thread.start()
            atexit.register(_stop_loop, _loop, thread)
        return _loop


def _stop_loop(loop: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
    if not _forked:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _after_fork() -> None:
    # zarrista was imported before the fork, or this function would not have been registered.
    global _forked, _loop, _loop_lock
    _forked = "zarrista" in sys.modules
    _loop = None
    _loop_lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

"""The engine ``zarrs-python``: zarr-python with the Rust codec pipeline of zarrs.

The pipeline is set on each array by itself; zarr's global configuration is not changed. It is
used strictly: what it cannot do, this engine declines with the reason, rather than falling back
to Python unseen.

The Rust side reads folders and object stores by itself. Everything else goes through our byte
layer:

- stores it has no driver for (in memory, zip archives, fsspec);
- parts of shards: reading them, it checks neither checksums nor the sizes in the index;
- writes, because it writes files in place: a process that dies would leave half a chunk.

Reading parts of other chunks it is given whole chunks all the same, for the same reason.

Its codecs run on stored chunks only. In the byte layer each chunk is therefore put in a file of
its own, in memory where the system has ``/dev/shm``, for as long as it takes to decode or encode
it. That is correct everywhere and fast nowhere; the engine ``zarrs`` runs the same codecs on
bytes in memory.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from anyzarr._optional import install_command, is_installed
from anyzarr.abc import ArrayIO, Box, ChunkCodec, Engine, IOCapabilities, Store
from anyzarr.engines._byte_layer import ByteLayerIO
from anyzarr.engines._cache import BoundedCache
from anyzarr.engines._choose import cached_codec
from anyzarr.engines._codec_edge import CheckedCodec
from anyzarr.engines._fork_guard import ForkGuard
from anyzarr.engines._own_io import OwnIO
from anyzarr.engines._zarr import decline_metadata, one_shape
from anyzarr.errors import UnsupportedError
from anyzarr.metadata import ArrayMetadata

if TYPE_CHECKING:
    import zarr

__all__ = ["ZarrsPythonArrayIO", "ZarrsPythonEngine"]

_reasons: BoundedCache[str | None] = BoundedCache(256)
_READ_BYTES = 256 << 20
_guard = ForkGuard("zarrs-python", "would wait for ever", ("zarr",))


def _reason(metadata: ArrayMetadata) -> str | None:
    for module in ("zarrs", "zarr"):
        if not is_installed(module):
            return f"the package {module!r} is not installed: {install_command('zarrs-python')}"
    return decline_metadata(metadata) or _reasons.get_or_make(
        metadata.content, lambda: _try_to_compile(metadata)
    )


def _try_to_compile(metadata: ArrayMetadata) -> str | None:
    from anyzarr.engines._zarrs_bridge import why_not

    return why_not(one_shape(metadata))


class ZarrsPythonEngine:
    """zarr-python with zarrs' codec pipeline; see the module."""

    name = "zarrs-python"

    def decline(self, metadata: ArrayMetadata, store: Store) -> str | None:
        """Return why zarrs-python cannot do this array, or None if it can."""
        return _guard.reason or _reason(metadata)

    def open(self, metadata: ArrayMetadata, store: Store, path: str) -> ArrayIO:
        """Return the array's I/O; nothing is looked up in the store."""
        from anyzarr.engines._zarrs_bridge import native_store

        by_bytes = ByteLayerIO(
            metadata, store, path, codec_of=lambda m: cached_codec(self, m), engine_name=self.name
        )
        native = native_store(store) if metadata.grid.is_regular else None
        if native is None:
            return by_bytes
        return ZarrsPythonArrayIO(self, metadata, store, path, native, by_bytes)

    def codec(self, metadata: ArrayMetadata) -> ChunkCodec:
        """Return zarrs' codec chain for one chunk."""
        reason = _reason(metadata)
        if reason is not None:
            raise UnsupportedError(reason, engine=self.name)
        _guard.claim()
        from anyzarr.engines._zarrs_bridge import ChunkCodecInFile

        regular = one_shape(metadata)
        assert regular.grid.chunk_shape is not None
        codec = ChunkCodecInFile(regular)

        return CheckedCodec(
            regular.grid.chunk_shape,
            metadata.dtype,
            decode=_guard.claiming(codec.decode),
            encode=_guard.claiming(codec.encode),
            engine=self.name,
        )


class ZarrsPythonArrayIO(OwnIO):
    """Chunk data of one array: whole chunks are read through zarrs' pipeline; see the module.

    Parameters
    ----------
    engine
        For errors.
    metadata, store, path
        The array.
    native
        The ``zarr.storage`` store that the Rust side rebuilds for itself.
    by_bytes
        Does the rest.
    """

    def __init__(
        self,
        engine: Engine,
        metadata: ArrayMetadata,
        store: Store,
        path: str,
        native: Any,
        by_bytes: ByteLayerIO,
    ) -> None:
        super().__init__(engine, metadata, store, path, by_bytes)
        self._native = native

    @property
    def capabilities(self) -> IOCapabilities:
        """Any step; bytes go through zarrs where it reads."""
        return IOCapabilities(steps=True)

    @functools.cached_property
    def native_handle(self) -> zarr.Array[Any]:
        """The ``zarr.Array`` whose pipeline is zarrs'."""
        return self._array(self._metadata)

    @functools.cached_property
    def _whole_chunks(self) -> zarr.Array[Any]:
        """The array grown to whole chunks, so that its edge chunks are read whole too."""
        grid = self._metadata.grid
        assert grid.chunk_shape is not None
        shape = [n * c for n, c in zip(grid.grid_shape, grid.chunk_shape, strict=True)]
        return self._array(self._metadata.with_document(shape=shape))

    def _array(self, metadata: ArrayMetadata) -> zarr.Array[Any]:
        _guard.claim()
        from anyzarr.engines._zarrs_bridge import new_zarrs_array

        return new_zarrs_array(metadata, self._native, self._path)

    def read(self, box: Box, out: npt.NDArray[Any]) -> None:
        """Fill ``out``; see :class:`anyzarr.abc.ArrayIO`."""
        _guard.claim()
        cover = self._cover(box)
        if cover is None:
            self._by_bytes.read(box, out)
            return
        direct = cover == box and _is_plain(out)
        target = out if direct else np.empty(cover.shape, out.dtype.newbyteorder("="))
        with self._reading(cover, target):
            self._read_chunks(cover, target)
        if not direct:
            within = zip(box.start, box.stop, box.step, cover.start, strict=True)
            out[...] = target[tuple([slice(a - o, b - o, s) for a, b, s, o in within])]

    def _read_chunks(self, cover: Box, target: npt.NDArray[Any]) -> None:
        from anyzarr.engines._zarr_bridge import ndbuffer
        from anyzarr.engines._zarrs_bridge import guarded

        guarded(self._whole_chunks.get_basic_selection, cover.slices, out=ndbuffer(target))

    def _cover(self, box: Box) -> Box | None:
        """Return the whole chunks that hold a box; None where the byte layer reads less."""
        chunk_shape = self._metadata.grid.chunk_shape
        assert chunk_shape is not None
        start = tuple(a // c * c for a, c in zip(box.start, chunk_shape, strict=True))
        stop = tuple(-(-b // c) * c for b, c in zip(box.stop, chunk_shape, strict=True))
        cover = Box(start, stop, (1,) * len(start))
        skips = any(s >= c > 1 for s, c in zip(box.step, chunk_shape, strict=True))
        inside = tuple(map(min, stop, self._metadata.shape))
        is_whole = box == Box(start, inside, cover.step)
        n_bytes = math.prod(cover.shape) * self._metadata.dtype.itemsize
        too_much = not is_whole and n_bytes > _READ_BYTES
        if skips or too_much or (self._metadata.sharding is not None and not is_whole):
            return None
        return cover

    def write(self, box: Box, value: npt.NDArray[Any]) -> None:
        """Store ``value`` through the byte layer; see :class:`anyzarr.abc.ArrayIO`."""
        self._by_bytes.write(box, value)


def _is_plain(array: npt.NDArray[Any]) -> bool:
    return array.flags.c_contiguous and array.flags.aligned and array.dtype.isnative

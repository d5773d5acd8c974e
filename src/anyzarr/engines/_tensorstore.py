"""The engine ``tensorstore``: Google's C++ library.

Its own drivers read folders, S3, Google Cloud Storage and HTTP, and write folders. Everything
else goes through our byte layer, with tensorstore's codecs:

- stores it has no driver for, or whose credentials its driver cannot be given;
- zip archives: its zip driver does not check members against their checksums, so damage would
  pass unseen;
- writes to object stores: its S3 driver cannot make a delete conditional, so a chunk that
  becomes all fill value could take another writer's update with it.

It may not be used in a process forked after its first use: it ends the child there. The engine
declines in such a child, and names the engines that work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from anyzarr import config
from anyzarr._optional import install_command, is_installed, require
from anyzarr.abc import ArrayIO, Box, ChunkCodec, Engine, IOCapabilities, Store
from anyzarr.engines._byte_layer import ByteLayerIO
from anyzarr.engines._cache import BoundedCache
from anyzarr.engines._choose import cached_codec
from anyzarr.engines._codec_edge import CheckedCodec
from anyzarr.engines._fork_guard import ForkGuard
from anyzarr.engines._own_io import OwnIO
from anyzarr.engines._tensorstore_kvstore import kvstore_of
from anyzarr.engines._zarr import one_shape
from anyzarr.errors import UnsupportedError
from anyzarr.metadata import ArrayMetadata

if TYPE_CHECKING:
    import tensorstore as ts

__all__ = ["TensorstoreArrayIO", "TensorstoreEngine"]

_reasons: BoundedCache[str | None] = BoundedCache(256)
_guard = ForkGuard("tensorstore", "would end the process", ("zarr", "zarrs"))


class TensorstoreEngine:
    """tensorstore; see the module."""

    name = "tensorstore"

    def decline(self, metadata: ArrayMetadata, store: Store) -> str | None:
        """Return why tensorstore cannot do this array, or None if it can."""
        if not is_installed("tensorstore"):
            return f"tensorstore is not installed: {install_command('tensorstore')}"
        return _guard.reason or _reason(metadata)

    def open(self, metadata: ArrayMetadata, store: Store, path: str) -> ArrayIO:
        """Return the array's I/O; nothing is looked up in the store."""
        by_bytes = ByteLayerIO(
            metadata, store, path, codec_of=lambda m: cached_codec(self, m), engine_name=self.name
        )
        kvstore = kvstore_of(store, path) if metadata.grid.is_regular else None
        if kvstore is None or (kvstore["driver"] == "http" and metadata.sharding is not None):
            # A server may have no ETags, by which tensorstore finds that a shard was replaced
            # between the reading of its index and of the rest.
            return by_bytes
        return TensorstoreArrayIO(self, metadata, store, path, kvstore, by_bytes)

    def codec(self, metadata: ArrayMetadata) -> ChunkCodec:
        """Return tensorstore's codec chain for one chunk."""
        reason = _reason(metadata)
        if reason is not None:
            raise UnsupportedError(reason, engine=self.name)
        _guard.claim()
        from anyzarr.engines._tensorstore_bridge import ChunkCodecInMemory

        regular = one_shape(metadata)
        codec = ChunkCodecInMemory(regular)
        assert regular.grid.chunk_shape is not None

        return CheckedCodec(
            regular.grid.chunk_shape,
            metadata.dtype,
            decode=_guard.claiming(codec.decode),
            encode=_guard.claiming(codec.encode),
            engine=self.name,
        )


def _reason(metadata: ArrayMetadata) -> str | None:
    return _reasons.get_or_make(metadata.content, lambda: _decline_metadata(metadata))


def _decline_metadata(metadata: ArrayMetadata) -> str | None:
    dtype = metadata.dtype
    if dtype.kind in "OTSU" or dtype.names is not None or dtype.type is np.void:
        return f"tensorstore has no arrays of data type {metadata.data_type.name!r} as one element"
    names = [codec.name for codec in metadata.codecs]
    if "sharding_indexed" in names[:-1]:
        return f"tensorstore allows no codec after 'sharding_indexed' (here {names[-1]!r})"
    require("tensorstore", extra="tensorstore", purpose="The engine 'tensorstore'")
    from anyzarr.engines._tensorstore_bridge import numpy_dtype

    try:
        found = numpy_dtype(one_shape(metadata))
    except ValueError as error:
        return f"tensorstore cannot: {_last_part(error)}"
    expected = np.dtype("i8") if dtype.kind in "mM" else dtype.newbyteorder("=")
    if found != expected:
        return f"tensorstore reads data type {metadata.data_type.name!r} as {found}"
    return None


def _last_part(error: ValueError) -> str:
    """Return what is wrong, without the path of "Error parsing" through the spec."""
    text = " ".join(str(error).split()).partition(" [")[0]
    parts = text.split("Error parsing object member ")
    return parts[-1] if len(parts) > 1 else text


class TensorstoreArrayIO(OwnIO):
    """Chunk data of one array through a ``tensorstore.TensorStore``.

    Parameters
    ----------
    engine
        For errors.
    metadata, store, path
        The array.
    kvstore
        The spec of tensorstore's key-value store for the array's chunks.
    by_bytes
        Writes what tensorstore would write differently.
    """

    def __init__(
        self,
        engine: Engine,
        metadata: ArrayMetadata,
        store: Store,
        path: str,
        kvstore: dict[str, Any],
        by_bytes: ByteLayerIO,
    ) -> None:
        super().__init__(engine, metadata, store, path, by_bytes)
        self._kvstore = kvstore
        self._handles: dict[tuple[bool, int | None], ts.TensorStore] = {}
        self._writes_itself = kvstore["driver"] == "file" and store.capabilities.writable

    @property
    def capabilities(self) -> IOCapabilities:
        """Steps are taken as they are; bytes go through tensorstore."""
        return IOCapabilities(steps=True)

    @property
    def native_handle(self) -> ts.TensorStore:
        """The ``tensorstore.TensorStore``."""
        return self._handle(keep_empty=False)

    def _handle(self, *, keep_empty: bool) -> ts.TensorStore:
        _guard.claim()
        key = (keep_empty, config.get("concurrency"))
        if key not in self._handles:
            from anyzarr.engines._tensorstore_bridge import open_array

            self._handles[key] = open_array(
                self._metadata, self._kvstore, keep_empty=keep_empty, concurrency=key[1]
            )
        return self._handles[key]

    def read(self, box: Box, out: npt.NDArray[Any]) -> None:
        """Fill ``out``; see :class:`anyzarr.abc.ArrayIO`."""
        from anyzarr.engines._tensorstore_bridge import read_into

        with self._reading(box, out):
            read_into(self._handle(keep_empty=False), box, out)

    def write(self, box: Box, value: npt.NDArray[Any]) -> None:
        """Store ``value``; see :class:`anyzarr.abc.ArrayIO`."""
        keep_empty = bool(config.get("write_empty_chunks"))
        if not self._writes_itself:
            self._by_bytes.write(box, value)
            return
        from anyzarr.engines._tensorstore_bridge import write_from

        with self._explaining(box, "write"):
            write_from(self._handle(keep_empty=keep_empty), box, value)

"""The engine ``zarr``: zarr-python, the reference implementation.

It reads and writes by itself, over any backend, through
:func:`anyzarr.stores.to_zarr_store`. What zarr does differently from the rest of us goes
through our byte layer, with zarr's codecs:

- rectilinear chunk grids, which zarr refuses unless its global configuration is changed;
- writes where zarr would drop chunks that are not the fill value to the bit: of complex and
  structured dtypes it takes ``-0.0`` for ``0.0``, with a NaN fill value any NaN for that one, and
  of bytes of variable length those with more zeros at their end;
- sharded arrays in object stores, where zarr reads the index of a shard and then the rest of it,
  though another writer may have replaced it in between;
- sharded arrays with zarr before 3.2, which reads entries of a shard's index that lie outside
  the shard as if nothing was stored. Shards within shards, or within other codecs, it declines,
  and with zarr before 3.4 elements of variable length that are transposed, whose order it mixes up.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from anyzarr import config
from anyzarr._optional import install_command, is_installed, require
from anyzarr.abc import ArrayIO, Box, ChunkCodec, Engine, IOCapabilities, Store
from anyzarr.engines._byte_layer import ByteLayerIO
from anyzarr.engines._cache import BoundedCache
from anyzarr.engines._choose import cached_codec
from anyzarr.engines._chunk_access import is_remote
from anyzarr.engines._codec_edge import CheckedCodec
from anyzarr.engines._own_io import OwnIO
from anyzarr.errors import UnsupportedError
from anyzarr.metadata import ArrayMetadata, single_chunk
from anyzarr.stores import to_zarr_store

if TYPE_CHECKING:
    import zarr

__all__ = ["ZarrArrayIO", "ZarrEngine", "decline_metadata", "one_shape"]

_reasons: BoundedCache[str | None] = BoundedCache(256)


def decline_metadata(metadata: ArrayMetadata) -> str | None:
    """Return why zarr-python cannot read an array with this metadata, or None if it can."""
    if not is_installed("zarr"):
        return f"zarr-python is not installed: {install_command('zarr')}"
    return _reasons.get_or_make(metadata.content, lambda: _try_to_compile(metadata))


def _try_to_compile(metadata: ArrayMetadata) -> str | None:
    require("zarr", extra="zarr", purpose="The engine 'zarr'")
    from anyzarr.engines._zarr_bridge import ZarrCodec

    if _trusts_shard_indexes() and _is_sharded_within(metadata):
        return (
            f"zarr-python {version('zarr')} does not check the index of a shard within another "
            "codec; zarr 3.2 and newer do"
        )
    if _is_before(3, 4) and _transposes_variable_length(metadata):
        return (
            f"zarr-python {version('zarr')} mixes up elements of variable length that a codec "
            "transposes; zarr 3.4 does not"
        )
    try:
        ZarrCodec(one_shape(metadata))
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - plugin edge: zarr's parsers raise what they like
        text = " ".join(str(error).split()) or type(error).__name__
        return f"zarr-python {version('zarr')} cannot: {text}"
    return None


def _is_before(*wanted: int) -> bool:
    return tuple(int(part) for part in version("zarr").split(".")[:2]) < wanted


def _trusts_shard_indexes() -> bool:
    return _is_before(3, 2)


def _transposes_variable_length(metadata: ArrayMetadata) -> bool:
    codecs = [*metadata.codecs, *(metadata.sharding.codecs if metadata.sharding else ())]
    names = {codec.name for codec in codecs}
    return metadata.data_type.is_variable_length and "transpose" in names


def _is_sharded_within(metadata: ArrayMetadata) -> bool:
    sharding = metadata.sharding
    if sharding is None:
        return False
    inner = {codec.name for codec in sharding.codecs}
    return not metadata.is_exclusively_sharded or "sharding_indexed" in inner


def one_shape(metadata: ArrayMetadata) -> ArrayMetadata:
    """Return metadata of a regular grid with the same codecs and dtype: of one chunk if need be."""
    grid = metadata.grid
    if grid.is_regular:
        return metadata
    return single_chunk(metadata, grid.shape_of((0,) * metadata.ndim))


class ZarrEngine:
    """zarr-python, the reference; see the module."""

    name = "zarr"

    def decline(self, metadata: ArrayMetadata, store: Store) -> str | None:
        """Return why zarr-python cannot do this array, or None if it can."""
        return decline_metadata(metadata)

    def open(self, metadata: ArrayMetadata, store: Store, path: str) -> ArrayIO:
        """Return the array's I/O; nothing is looked up in the store."""
        by_bytes = ByteLayerIO(
            metadata, store, path, codec_of=lambda m: cached_codec(self, m), engine_name=self.name
        )
        if not metadata.grid.is_regular:
            return by_bytes
        if metadata.sharding is not None and (is_remote(store) or _trusts_shard_indexes()):
            return by_bytes
        return ZarrArrayIO(self, metadata, store, path, by_bytes)

    def codec(self, metadata: ArrayMetadata) -> ChunkCodec:
        """Return zarr's codec pipeline for one chunk."""
        reason = decline_metadata(metadata)
        if reason is not None:
            raise UnsupportedError(reason, engine=self.name)
        from anyzarr.engines._zarr_bridge import ZarrCodec

        regular = one_shape(metadata)
        codec = ZarrCodec(regular)
        assert regular.grid.chunk_shape is not None
        return CheckedCodec(
            regular.grid.chunk_shape,
            metadata.dtype,
            decode=codec.decode,
            encode=codec.encode,
            engine=self.name,
        )


class ZarrArrayIO(OwnIO):
    """Chunk data of one array through ``zarr.Array``.

    Parameters
    ----------
    engine
        For errors, and for its codec where the byte layer writes.
    metadata, store, path
        The array.
    by_bytes
        Writes what zarr would write differently.
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
        self._arrays: dict[bool, zarr.Array[Any]] = {}

    @property
    def capabilities(self) -> IOCapabilities:
        """Steps are taken as they are; bytes go through zarr."""
        return IOCapabilities(steps=True)

    @property
    def native_handle(self) -> zarr.Array[Any]:
        """The ``zarr.Array``."""
        return self._array(False)

    def _array(self, write_empty_chunks: bool) -> zarr.Array[Any]:
        if write_empty_chunks not in self._arrays:
            from anyzarr.engines._zarr_bridge import new_array

            self._arrays[write_empty_chunks] = new_array(
                self._metadata,
                to_zarr_store(self._store),
                self._path,
                write_empty_chunks=write_empty_chunks,
            )
        return self._arrays[write_empty_chunks]

    def read(self, box: Box, out: npt.NDArray[Any]) -> None:
        """Fill ``out``; see :class:`anyzarr.abc.ArrayIO`."""
        from anyzarr.engines._zarr_bridge import ndbuffer

        with self._reading(box, out):
            self._array(False).get_basic_selection(box.slices, out=ndbuffer(out))

    def write(self, box: Box, value: npt.NDArray[Any]) -> None:
        """Store ``value``; see :class:`anyzarr.abc.ArrayIO`."""
        from anyzarr.engines._zarr_bridge import compares_loosely

        write_empty_chunks = bool(config.get("write_empty_chunks"))
        if compares_loosely(self._metadata) and not write_empty_chunks:
            self._by_bytes.write(box, value)
            return
        if value.dtype.kind == "O" and not value.flags.writeable:
            value = value.copy()  # numcodecs asks for objects as a writable buffer
        with self._explaining(box, "write"):
            self._array(write_empty_chunks).set_basic_selection(box.slices, value)

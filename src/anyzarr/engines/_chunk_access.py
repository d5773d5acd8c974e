"""Keys, codecs and layout of one array's chunks: what reading and writing bytes share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr import config
from anyzarr._parallel import concurrency
from anyzarr.abc import ChunkCodec, Store
from anyzarr.engines._codec_edge import Data, checked_decode, checked_encode, corrupt
from anyzarr.engines._shard_index import ShardLayout
from anyzarr.errors import CorruptDataError
from anyzarr.metadata import ArrayMetadata, single_chunk, subchunk
from anyzarr.stores._base import remote_concurrency

__all__ = ["ChunkAccess", "is_remote"]

CodecOf = Callable[[ArrayMetadata], ChunkCodec]

_LOCAL_BACKENDS = frozenset({"memory", "zip"})
_REMOTE_THREADS = 4
_MAX_SHAPES = 64


def _fill_array(fill: Any, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return the fill value as a 0-d array: assigning it keeps NaN payloads, as scalars may not."""
    array: npt.NDArray[Any] = np.empty((), dtype)
    array[()] = fill
    return array


def is_remote(store: Store) -> bool:
    """Whether a request to the store takes long compared with decoding a chunk."""
    local = store.capabilities.local_root is not None
    return not local and store.spec.backend not in _LOCAL_BACKENDS


class ChunkAccess:
    """The chunks of one array as bytes in a store.

    Parameters
    ----------
    metadata, store, path
        The array.
    codec_of
        The engine's codecs: given the metadata of a one-chunk array, its chunk codec.
    engine
        Name of the engine, for errors.
    """

    def __init__(
        self, metadata: ArrayMetadata, store: Store, path: str, codec_of: CodecOf, engine: str
    ) -> None:
        self.metadata = metadata
        self.store = store
        self.path = path
        self.engine = engine
        self.dtype = metadata.dtype
        self.fill = _fill_array(metadata.fill, metadata.dtype)
        self._codec_of = codec_of
        self._codecs: dict[tuple[int, ...], ChunkCodec] = {}

    def key(self, coords: tuple[int, ...]) -> str:
        """Return the key of a chunk."""
        return self.metadata.chunk_key(self.path, coords)

    @functools.cached_property
    def layout(self) -> ShardLayout | None:
        """How shards are laid out; None where a chunk can only be decoded as a whole."""
        shape, sharding = self.metadata.grid.chunk_shape, self.metadata.sharding
        if shape is None or sharding is None or not self.metadata.is_exclusively_sharded:
            return None
        return ShardLayout.of(shape, sharding)

    @property
    def is_remote(self) -> bool:
        """Whether a request to the store takes long compared with decoding a chunk."""
        return is_remote(self.store)

    @property
    def width(self) -> int:
        """How many batches to work on at once."""
        threads = concurrency()
        if self.is_remote and config.get("concurrency") is None:
            return max(threads, _REMOTE_THREADS)
        return threads

    @property
    def put_width(self) -> int:
        """How many chunks to put at once: waiting for a service takes no processor."""
        return remote_concurrency() if self.is_remote else concurrency()

    def _chunk_codec(self, shape: tuple[int, ...]) -> ChunkCodec:
        codec = self._codecs.get(shape)
        if codec is None:
            if len(self._codecs) >= _MAX_SHAPES:  # a rectilinear grid may have any number
                self._codecs.clear()
            codec = self._codec_of(single_chunk(self.metadata, shape))
            self._codecs[shape] = codec
        return codec

    @functools.cached_property
    def _subchunk_codec(self) -> ChunkCodec:
        return self._codec_of(single_chunk(subchunk(self.metadata)))

    @property
    def subchunk_shape(self) -> tuple[int, ...]:
        """Shape of a subchunk of a shard."""
        assert self.metadata.sharding is not None
        return self.metadata.sharding.subchunk_shape

    def decode_chunk(self, data: Data, coords: tuple[int, ...]) -> npt.NDArray[Any]:
        """Return a whole decoded chunk, edge padding included. May be read-only."""
        shape = self.metadata.grid.shape_of(coords)
        return checked_decode(
            self._chunk_codec(shape),
            data,
            shape=shape,
            dtype=self.dtype,
            store=self.store,
            key=self.key(coords),
            chunk_coords=coords,
            engine=self.engine,
        )

    def decode_subchunk(
        self, data: Data, coords: tuple[int, ...], sub: tuple[int, ...]
    ) -> npt.NDArray[Any]:
        """Return a decoded subchunk of the shard at ``coords``. May be read-only."""
        return checked_decode(
            self._subchunk_codec,
            data,
            shape=self.subchunk_shape,
            dtype=self.dtype,
            store=self.store,
            key=self.key(coords),
            chunk_coords=coords,
            engine=self.engine,
            what=f"subchunk {sub} of the shard",
        )

    def encode_chunk(self, value: npt.NDArray[Any], coords: tuple[int, ...]) -> bytes:
        """Return an encoded chunk."""
        codec = self._chunk_codec(value.shape)
        return self._encode(codec, value, coords)

    def encode_subchunk(self, value: npt.NDArray[Any], coords: tuple[int, ...]) -> bytes:
        """Return an encoded subchunk of the shard at ``coords``."""
        return self._encode(self._subchunk_codec, value, coords)

    def _encode(self, codec: ChunkCodec, value: npt.NDArray[Any], coords: tuple[int, ...]) -> bytes:
        return checked_encode(
            codec,
            np.asarray(value, order="C"),
            store=self.store,
            key=self.key(coords),
            chunk_coords=coords,
            engine=self.engine,
        )

    def corrupt(self, problem: str, coords: tuple[int, ...]) -> CorruptDataError:
        """Return the error for a chunk that cannot be what the metadata says."""
        return corrupt(
            problem,
            store=self.store,
            key=self.key(coords),
            chunk_coords=coords,
            engine=self.engine,
        )

"""The index of a shard: where each subchunk lies (Zarr v3, ``sharding_indexed``)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from anyzarr.abc import ByteRange
from anyzarr.engines._codec_edge import Data
from anyzarr.engines._crc32c import crc32c
from anyzarr.errors import CorruptDataError
from anyzarr.metadata import CodecSpec, ShardingSpec

__all__ = ["EMPTY", "ShardIndex", "ShardLayout"]

EMPTY = 2**64 - 1
"""Offset and size of a subchunk that is not stored."""

_CRC_BYTES = 4


@dataclass(frozen=True)
class ShardIndex:
    """The decoded index of one shard.

    Attributes
    ----------
    entries
        ``(*subchunks, 2)`` of uint64: offset and size in bytes of each subchunk.
    """

    entries: npt.NDArray[np.uint64]

    def range_of(self, coords: tuple[int, ...]) -> tuple[int, int] | None:
        """Return ``[start, stop)`` of a subchunk in its shard, or None if it is not stored.

        Raises
        ------
        CorruptDataError
            Only one of the pair says *not stored*, or the end is past what any object can hold.
        """
        offset, size = (int(n) for n in self.entries[coords])
        if offset == EMPTY and size == EMPTY:
            return None
        if offset + size >= 2**63:
            raise CorruptDataError(
                f"the shard index places subchunk {coords} at offset {offset} with {size} bytes, "
                "which no object can hold"
            )
        return offset, offset + size


@dataclass(frozen=True)
class ShardLayout:
    """How the shards of an array are laid out.

    Attributes
    ----------
    subchunks
        Number of subchunks in a shard, per dimension.
    location
        Where the index is.
    endian
        Byte order of the index.
    n_checksums
        How many CRC-32C values follow the index; one by default.
    """

    subchunks: tuple[int, ...]
    location: Literal["start", "end"]
    endian: Literal["little", "big"]
    n_checksums: int

    @classmethod
    def of(cls, shard_shape: Sequence[int], sharding: ShardingSpec) -> ShardLayout | None:
        """Return the layout, or None if the index has codecs other than bytes and crc32c."""
        bytes_codec, *checksums = sharding.index_codecs or (CodecSpec("bytes"),)
        if bytes_codec.name != "bytes" or any(c.name != "crc32c" for c in checksums):
            return None
        endian: Any = bytes_codec.configuration.get("endian", "little")
        subchunks = tuple(s // c for s, c in zip(shard_shape, sharding.subchunk_shape, strict=True))
        return cls(subchunks, sharding.index_location, endian, len(checksums))

    @property
    def size_bytes(self) -> int:
        """Size of the encoded index."""
        return 16 * math.prod(self.subchunks) + _CRC_BYTES * self.n_checksums

    @property
    def byte_range(self) -> ByteRange:
        """Where the encoded index lies in a shard of unknown size."""
        if self.location == "start":
            return ByteRange(0, self.size_bytes)
        return ByteRange(-self.size_bytes)

    def find(self, shard: Data) -> bytes:
        """Return the encoded index of a whole shard."""
        start, stop = self.byte_range.resolve(len(shard))
        return bytes(shard[start:stop])

    def decode(self, data: bytes) -> ShardIndex:
        """Return the index from its encoded bytes.

        Raises
        ------
        CorruptDataError
            Wrong size or checksum.
        """
        if len(data) != self.size_bytes:
            raise CorruptDataError(
                f"the shard is truncated: its index takes {self.size_bytes} bytes and the shard "
                f"has {len(data)}"
            )
        for _ in range(self.n_checksums):
            data, stored = data[:-_CRC_BYTES], int.from_bytes(data[-_CRC_BYTES:], "little")
            if crc32c(data) != stored:
                raise CorruptDataError(
                    f"the shard index has checksum {crc32c(data):#010x}, stored is {stored:#010x}"
                )
        raw = np.frombuffer(data, self._dtype)
        return ShardIndex(raw.astype(np.uint64, copy=False).reshape(*self.subchunks, 2))

    def encode(self, entries: npt.NDArray[np.uint64]) -> bytes:
        """Return the encoded index."""
        data = entries.astype(self._dtype).tobytes()
        for _ in range(self.n_checksums):
            data += crc32c(data).to_bytes(_CRC_BYTES, "little")
        return data

    @property
    def _dtype(self) -> np.dtype[np.uint64]:
        return np.dtype("<u8" if self.endian == "little" else ">u8")

    def assemble(self, subchunks: dict[tuple[int, ...], Data]) -> bytes:
        """Return the shard of these encoded subchunks, laid out in C order.

        The same subchunks give the same bytes whatever order they were written in.
        """
        entries = np.full((*self.subchunks, 2), EMPTY, np.uint64)
        offset = self.size_bytes if self.location == "start" else 0
        ordered = sorted(subchunks)
        for coords in ordered:
            size = len(subchunks[coords])
            entries[coords] = (offset, size)
            offset += size
        body = [subchunks[coords] for coords in ordered]
        index = self.encode(entries)
        return b"".join([index, *body] if self.location == "start" else [*body, index])

"""Arrays of N5: blocks with a header, big-endian, the first dimension the fastest.

Source: the specification of N5 (github.com/saalfeldlab/n5), version 4.
"""

from __future__ import annotations

import bz2
import itertools
import lzma
import math
import struct
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr import crud
from anyzarr._pyramid import Region
from anyzarr.abc import Store
from anyzarr.errors import AnyzarrError, CorruptDataError, MetadataError, UnsupportedError
from anyzarr.metadata import array_document, parse_array
from anyzarr.readers._lz4_block import decode_lz4_blocks
from anyzarr.stores import join

__all__ = ["N5Array", "is_dataset"]

_DTYPES = {
    "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float32", "float64",
}  # fmt: skip
_MOST_BLOCK_BYTES = 1 << 31
_DEFAULT, _VARYING = 0, 1

Decoder = Callable[[bytes, int], bytes]


def is_dataset(attributes: Mapping[str, Any]) -> bool:
    """Return whether attributes are those of an array."""
    return {"dimensions", "blockSize", "dataType"} <= attributes.keys()


class N5Array:
    """An array of N5, its axes in the order of numpy: the slowest first.

    Parameters
    ----------
    store, path
        Where it is.
    attributes
        Its ``attributes.json``.

    Raises
    ------
    MetadataError
        The attributes contradict each other.
    UnsupportedError
        The type of its elements, or its compression, is not known.
    """

    def __init__(self, store: Store, path: str, attributes: Mapping[str, Any]) -> None:
        self._store = store
        self._path = path
        self.shape = _lengths(attributes, "dimensions", path)[::-1]
        self._block = _lengths(attributes, "blockSize", path)[::-1]
        name = str(attributes["dataType"])
        if name not in _DTYPES:
            raise UnsupportedError(
                f"the array {path or '/'!r} has elements of the type {name!r}; those of an image "
                f"are {', '.join(sorted(_DTYPES))}"
            )
        self.dtype = np.dtype(name)
        self._stored = self.dtype.newbyteorder(">")
        size = math.prod(self._block) * self.dtype.itemsize
        if len(self._block) != len(self.shape) or not 0 < size < _MOST_BLOCK_BYTES:
            raise MetadataError(
                f"the array {path or '/'!r} has dimensions {self.shape[::-1]} in blocks of "
                f"{self._block[::-1]}, which cannot be"
            )
        self._decode = _decoder(attributes, path)

    def __getitem__(self, region: Region) -> npt.NDArray[Any]:
        """Return the elements of a region; what is not stored is 0.

        Raises
        ------
        CorruptDataError
            A block is cut off, or not what the attributes say.
        """
        result: npt.NDArray[Any] = np.zeros([s.stop - s.start for s in region], self.dtype)
        ranges = [
            range(part.start // n, -(-part.stop // n))
            for part, n in zip(region, self._block, strict=True)
        ]
        indices = list(itertools.product(*ranges))
        keys = [join(self._path, "/".join(map(str, index[::-1]))) for index in indices]
        found = self._store.get_many([(key, None) for key in keys])
        for index, key, data in zip(indices, keys, found, strict=True):
            if data is not None:
                self._place(result, region, index, self._decoded(key, data))
        return result

    def _place(
        self,
        result: npt.NDArray[Any],
        region: Region,
        index: tuple[int, ...],
        block: npt.NDArray[Any],
    ) -> None:
        inner, outer = [], []
        for part, i, side, n in zip(region, index, self._block, block.shape, strict=True):
            first = i * side
            low, high = max(part.start, first), min(part.stop, first + n)
            if low >= high:
                return
            inner.append(slice(low - first, high - first))
            outer.append(slice(low - part.start, high - part.start))
        result[tuple(outer)] = block[tuple(inner)]

    def _decoded(self, key: str, data: bytes) -> npt.NDArray[Any]:
        try:
            mode, ndim = struct.unpack_from(">HH", data)
            if mode not in (_DEFAULT, _VARYING) or ndim != len(self.shape):
                raise ValueError(f"its header says mode {mode} and {ndim} dimensions")
            lengths = struct.unpack_from(f">{ndim}I", data, 4)[::-1]
            if any(not 0 < n <= most for n, most in zip(lengths, self._block, strict=True)):
                raise ValueError(f"its header says {lengths[::-1]} elements")
            start = 4 + 4 * ndim + (4 if mode == _VARYING else 0)
            size = math.prod(lengths) * self.dtype.itemsize
            decoded = self._decode(data[start:], size)
            if len(decoded) < size:
                raise ValueError(f"it holds {len(decoded)} bytes instead of {size}")
        except (ValueError, struct.error, zlib.error, OSError, EOFError, lzma.LZMAError) as error:
            raise self._corrupt(key, error) from error
        except AnyzarrError as error:
            raise self._corrupt(key, error.message) from error
        return np.frombuffer(decoded, self._stored, math.prod(lengths)).reshape(lengths)

    def _corrupt(self, key: str, reason: object) -> CorruptDataError:
        return CorruptDataError(
            f"the block {key!r} in {self._store.spec} cannot be decoded: {reason}; get a whole "
            "copy of it",
            store=str(self._store.spec),
            key=key,
        )


def _lengths(attributes: Mapping[str, Any], name: str, path: str) -> tuple[int, ...]:
    value = attributes[name]
    if not isinstance(value, list) or not all(type(n) is int and n >= 0 for n in value):
        raise MetadataError(f"{name} of the array {path or '/'!r} must be whole numbers: {value!r}")
    return tuple(value)


def _decoder(attributes: Mapping[str, Any], path: str) -> Decoder:
    """Return what decodes blocks, to no more than the number of bytes they may have."""
    stated = attributes.get("compression", attributes.get("compressionType", "raw"))
    options = stated if isinstance(stated, Mapping) else {"type": stated}
    kind = options.get("type")
    if kind == "raw":
        return lambda data, size: data
    if kind == "gzip":
        window = zlib.MAX_WBITS if options.get("useZlib") else zlib.MAX_WBITS | 16
        return lambda data, size: zlib.decompressobj(window).decompress(data, size)
    if kind == "bzip2":
        return lambda data, size: bz2.BZ2Decompressor().decompress(data, size)
    if kind == "xz":
        return lambda data, size: lzma.LZMADecompressor().decompress(data, size)
    if kind in {"zstd", "blosc"}:
        return _ours(str(kind))
    if kind == "lz4":
        return lambda data, size: decode_lz4_blocks(data, size, _lz4_block)
    raise UnsupportedError(
        f"the array {path or '/'!r} is compressed with {kind!r}, which cannot be read: write it "
        "anew with gzip, zstd, blosc, lz4, bzip2, xz or raw"
    )


def _lz4_block(data: memoryview, size: int) -> bytes:
    return _ours("numcodecs.lz4")(struct.pack("<I", size) + data, size)


def _ours(codec: str) -> Decoder:
    def decode(data: bytes, size: int) -> bytes:
        document = array_document(shape=size, dtype="uint8", chunks=(size,), compressors=codec)
        values = crud.decode_chunk(parse_array(document), data)
        return np.ascontiguousarray(values).tobytes()

    return decode

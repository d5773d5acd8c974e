"""The engine ``zarrs``: the Rust library zarrs, through the package zarrista.

Whole chunks are read by zarrs itself from local folders and from obstore's stores; everything
else (other stores, parts of chunks, strides, forked processes, every write) goes through our
byte layer, with zarrs decoding the chunks. :mod:`anyzarr.engines._zarrs_io` says why.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr._optional import install_command, is_installed
from anyzarr.abc import ArrayIO, ChunkCodec, Store
from anyzarr.engines._byte_layer import ByteLayerIO
from anyzarr.engines._cache import BoundedCache
from anyzarr.engines._choose import cached_codec
from anyzarr.engines._codec_edge import CheckedCodec
from anyzarr.errors import MetadataError, UnsupportedError
from anyzarr.metadata import ArrayMetadata, CodecSpec, single_chunk

__all__ = ["ZarrsEngine"]

_CODECS = frozenset({
    "blosc", "bytes", "crc32c", "gzip", "numcodecs.shuffle", "sharding_indexed", "transpose",
    "vlen-bytes", "vlen-utf8", "zstd",
})  # fmt: skip
"""The codecs of zarrs that give the reference's values bit for bit.

Others that zarrs has round differently from the reference (``numcodecs.fixedscaleoffset``,
``bitround``) or are experimental there.
"""

_DATA_TYPES = frozenset({
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "float16", "float32", "float64", "bfloat16", "complex64", "complex128",
    "float8_e3m4", "float8_e5m2", "numpy.datetime64", "numpy.timedelta64",
    "fixed_length_utf32", "string", "bytes",
})  # fmt: skip

_reasons: BoundedCache[str | None] = BoundedCache(256)


class ZarrsEngine:
    """zarrs (Rust) through zarrista; see the module."""

    name = "zarrs"

    def decline(self, metadata: ArrayMetadata, store: Store) -> str | None:
        """Return why zarrs cannot do this array, or None if it can."""
        if not is_installed("zarrista"):
            return f"zarrista is not installed: {install_command('zarrs')}"
        return _reasons.get_or_make(metadata.content, lambda: _why_not(metadata))

    def open(self, metadata: ArrayMetadata, store: Store, path: str) -> ArrayIO:
        """Return the array's I/O; nothing is looked up in the store."""
        from anyzarr.engines._zarrs_io import ZarrsArrayIO

        by_bytes = ByteLayerIO(
            metadata, store, path, codec_of=lambda m: cached_codec(self, m), engine_name=self.name
        )
        return ZarrsArrayIO(self, metadata, store, path, by_bytes)

    def codec(self, metadata: ArrayMetadata) -> ChunkCodec:
        """Return zarrs' codec chain for one chunk."""
        reason = self.decline(metadata, _NO_STORE)
        if reason is not None:
            raise UnsupportedError(reason, engine=self.name)
        from anyzarr.engines._zarrs_codec import ZarrsCodec

        codec = ZarrsCodec(metadata)
        return CheckedCodec(
            codec.shape,
            metadata.dtype,
            decode=codec.decode,
            encode=codec.encode,
            engine=self.name,
        )


_NO_STORE: Any = None  # declining does not depend on the store


def _why_not(metadata: ArrayMetadata) -> str | None:
    unknown = sorted(set(_codec_names(metadata.codecs)) - _CODECS)
    if unknown:
        return f"zarrs lacks the codec {unknown[0]!r}, or differs in it from the reference"
    reason = _why_not_data_type(metadata)
    if reason is not None:
        return reason
    from anyzarr.engines._zarrs_codec import ZarrsCodec

    try:
        codec = ZarrsCodec(single_chunk(metadata, _a_chunk_shape(metadata)))
        expected = None if metadata.data_type.is_variable_length else _fill_bytes(metadata)
        found = codec.fill_bytes()
    except (UnsupportedError, MetadataError) as error:
        return f"zarrs cannot: {error.message}"
    except Exception as error:  # noqa: BLE001 - plugin edge: zarrs' parsers raise what they like
        return f"zarrs cannot: {' '.join(str(error).split()) or type(error).__name__}"
    if expected is not None and found != expected:
        return f"zarrs takes the fill value {expected!r} for {found!r}"
    return None


def _a_chunk_shape(metadata: ArrayMetadata) -> tuple[int, ...]:
    grid = metadata.grid
    if grid.edges is not None:
        return tuple(edges[0] if edges else 1 for edges in grid.edges)
    assert grid.chunk_shape is not None
    return grid.chunk_shape


def _why_not_data_type(metadata: ArrayMetadata) -> str | None:
    data_type = metadata.data_type
    raw = data_type.name[:1] == "r" and data_type.name[1:].isdigit()
    if data_type.name not in _DATA_TYPES and not raw:
        return f"zarrs lacks the data type {data_type.name!r}, or differs in it from the reference"
    if data_type.name == "string" and not hasattr(np.dtypes, "StringDType"):
        return "strings through zarrs need numpy 2 or newer"
    if data_type.is_variable_length and metadata.sharding is not None and metadata.fill:
        # It compares the bytes of a whole subchunk with the fill value, repeated.
        return "zarrs loses empty elements of shards beside others that are the fill value"
    return None


def _codec_names(codecs: Iterable[CodecSpec | Mapping[str, Any] | str]) -> Iterator[str]:
    """Yield the names of all codecs of a chain, those inside shards included."""
    for codec in codecs:
        if isinstance(codec, str):
            yield codec
            continue
        if isinstance(codec, CodecSpec):
            name, configuration = codec.name, codec.configuration
        else:
            name, configuration = codec["name"], codec.get("configuration", {})
        yield name
        for chain in ("codecs", "index_codecs"):
            yield from _codec_names(configuration.get(chain, ()))


def _fill_bytes(metadata: ArrayMetadata) -> bytes:
    fill: npt.NDArray[Any] = np.empty((), metadata.dtype.newbyteorder("="))
    fill[()] = metadata.fill
    return fill.tobytes()

"""zarr's codecs where they need a hand; imports zarr and numcodecs, so import it lazily.

numcodecs hands Blosc frames to a decoder that trusts the length in their header: of a truncated
chunk it would decode whatever memory lies behind it. So the length is compared first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numcodecs
from zarr.abc.codec import Codec
from zarr.codecs import BloscCodec, ShardingCodec
from zarr.core.array_spec import ArraySpec
from zarr.core.buffer import Buffer
from zarr.core.metadata import ArrayV2Metadata, ArrayV3Metadata

__all__ = ["hardened"]

_HEADER_BYTES = 16
_LENGTH = slice(12, 16)
_WRITE_ORDER: dict[str, Any] = {"subchunk_write_order": "lexicographic"}


def _check_frame(data: Any) -> None:
    view = memoryview(data).cast("B")
    length = int.from_bytes(view[_LENGTH], "little") if len(view) >= _HEADER_BYTES else -1
    if length != len(view):
        raise ValueError(f"a Blosc frame of {length} bytes was stored as {len(view)} bytes")


class _Blosc(numcodecs.Blosc):  # type: ignore[misc]  # numcodecs is untyped
    """``numcodecs.Blosc`` that decodes frames of the right length only."""

    def decode(self, buf: Any, out: Any = None) -> Any:
        _check_frame(buf)
        return super().decode(buf, out)


class _BloscCodec(BloscCodec):
    """``blosc`` of Zarr v3 that decodes frames of the right length only."""

    def _decode_sync(self, chunk_bytes: Buffer, chunk_spec: ArraySpec) -> Buffer:
        _check_frame(chunk_bytes.as_numpy_array())
        return super()._decode_sync(chunk_bytes, chunk_spec)


def hardened(
    metadata: ArrayV2Metadata | ArrayV3Metadata,
) -> ArrayV2Metadata | ArrayV3Metadata:
    """Return metadata whose codecs check what they decode. The document stays the same."""
    if isinstance(metadata, ArrayV3Metadata):
        return replace(metadata, codecs=_hardened_chain(metadata.codecs))
    filters = metadata.filters
    return replace(
        metadata,
        filters=None if filters is None else tuple(map(_hardened_numcodec, filters)),
        compressor=_hardened_numcodec(metadata.compressor),
    )


def _hardened_numcodec(codec: Any) -> Any:
    if type(codec) is not numcodecs.Blosc:
        return codec
    configuration = codec.get_config()
    configuration.pop("id")
    return _Blosc(**configuration)


def _hardened_chain(codecs: Iterable[Codec]) -> tuple[Codec, ...]:
    return tuple(map(_hardened_codec, codecs))


def _hardened_codec(codec: Codec) -> Codec:
    if isinstance(codec, ShardingCodec):
        # Subchunks in C order, as our byte layer writes them: the same content, the same bytes.
        ordered = {name: value for name, value in _WRITE_ORDER.items() if hasattr(codec, name)}
        return replace(codec, codecs=_hardened_chain(codec.codecs), **ordered)
    if type(codec) is BloscCodec:
        return _BloscCodec(
            typesize=codec.typesize,
            cname=codec.cname,
            clevel=codec.clevel,
            shuffle=codec.shuffle,
            blocksize=codec.blocksize,
        )
    if getattr(codec, "codec_name", None) == "numcodecs.blosc":
        # A cached property: what is set first counts.
        made: Any = codec
        object.__setattr__(made, "_codec", _hardened_numcodec(made._codec))
    return codec

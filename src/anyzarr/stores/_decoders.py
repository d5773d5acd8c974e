"""Decompress streams block by block, so that nobody has to believe what a file says of its size."""

from __future__ import annotations

import importlib
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TypeAlias

from anyzarr._optional import require

__all__ = ["BadStreamError", "Decoder", "gunzip", "unzstd"]

Decoder: TypeAlias = Callable[[Iterable[bytes]], Iterator[bytes]]
"""From the parts of a compressed file to blocks of what was compressed."""

_BLOCK_BYTES: Final = 1 << 20
_GZIP: Final = 31


class BadStreamError(Exception):
    """The bytes are not what they should be; says what is wrong with them."""


def gunzip() -> Decoder:
    """Return a decoder of gzip files. CRC-32 and size of each member are checked by zlib."""
    return _gunzip


def _gunzip(parts: Iterable[bytes]) -> Iterator[bytes]:
    member = None
    members = 0
    for part in parts:
        rest = part
        while rest:
            if member is None:
                if members:
                    rest = rest.lstrip(b"\0")  # padding between members, and after the last
                    if not rest:
                        break
                member, members = zlib.decompressobj(_GZIP), members + 1
            yield from _inflated(member, rest)
            rest = member.unused_data
            member = None if member.eof else member
    if member is not None or not members:
        raise BadStreamError("it is cut short")


def _inflated(member: Any, data: bytes) -> Iterator[bytes]:
    """Yield what some bytes of a member become; ``member.unused_data`` is what comes after it."""
    try:
        while True:
            block = member.decompress(data, _BLOCK_BYTES)
            data = member.unconsumed_tail
            if block:
                yield block
            if member.eof or (not data and len(block) < _BLOCK_BYTES):
                return
    except zlib.error as error:
        raise BadStreamError(str(error)) from error


def unzstd() -> Decoder:
    """Return a decoder of zstd files.

    Raises
    ------
    MissingDependencyError
        Python is older than 3.14, which has zstd, and ``backports.zstd`` is not installed.
    """
    if sys.version_info >= (3, 14):
        zstd: Any = importlib.import_module("compression.zstd")
    else:
        zstd = require("backports.zstd", extra="zstd", purpose="The step 'zstd:' of a URL")

    def decode(parts: Iterable[bytes]) -> Iterator[bytes]:
        return _unzstd(zstd, parts)

    return decode


def _unzstd(zstd: Any, parts: Iterable[bytes]) -> Iterator[bytes]:
    frame = None
    frames = 0
    try:
        for part in parts:
            rest = part
            while rest:
                if frame is None:
                    frame, frames = zstd.ZstdDecompressor(), frames + 1
                block = frame.decompress(rest, _BLOCK_BYTES)
                while block or not (frame.eof or frame.needs_input):
                    yield block
                    block = b"" if frame.eof else frame.decompress(b"", _BLOCK_BYTES)
                rest = frame.unused_data if frame.eof else b""
                frame = None if frame.eof else frame
    except zstd.ZstdError as error:
        raise BadStreamError(str(error)) from error
    if frame is not None or not frames:
        raise BadStreamError("it is cut short")

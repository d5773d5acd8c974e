"""A member of an archive in parts: as it is, or inflated; checked as it goes by."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import NoReturn

from anyzarr.stores._zip_entries import DEFLATED, Entry

__all__ = ["checked", "inflated"]

_STEP = 1 << 18

Corrupt = Callable[[Entry, str], NoReturn]
"""Raises the error of an entry, given what is wrong with it."""


def checked(entry: Entry, pieces: Iterable[bytes], corrupt: Corrupt) -> Iterator[bytes]:
    """Yield the content of a member whose bytes in the archive are given.

    Its size and CRC-32 are checked; of one that is wrong, the last part is not given.
    """
    blocks = inflated(entry, pieces, corrupt) if entry.method == DEFLATED else pieces
    position = crc = 0
    held: bytes | None = None
    for block in blocks:
        if held is not None:
            yield held
        position += len(block)
        crc = zlib.crc32(block, crc)
        if position > entry.size_bytes:
            corrupt(entry, "lies about its size: it inflates to more")
        held = block
    if position != entry.size_bytes:
        corrupt(entry, "lies about its size: it is shorter")
    if crc != entry.crc:
        corrupt(entry, f"has the CRC-32 {crc:08x} instead of {entry.crc:08x}")
    if held is not None:
        yield held


def inflated(entry: Entry, pieces: Iterable[bytes], corrupt: Corrupt) -> Iterator[bytes]:
    """Yield what deflated bytes become, in steps that hold little memory."""
    engine = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for piece in pieces:
            data = piece
            while not engine.eof:
                block = engine.decompress(data, _STEP)
                data = engine.unconsumed_tail
                if not block and not data:
                    break
                yield block
    except zlib.error as error:
        corrupt(entry, f"cannot be inflated ({error})")

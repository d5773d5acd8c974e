"""The members of an archive as one stream of bytes, for a target that takes nothing else."""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence

from anyzarr._ozx._file import See
from anyzarr._ozx._members import Member, Reader, batches, is_large
from anyzarr._ozx._zip64 import local_header

__all__ = ["stream_members"]

_IN_MEMORY_BYTES = 64 << 20
_BLOCK = 1 << 20


def stream_members(
    members: Sequence[Member], reader: Reader, see: See, summed: Callable[[int], None]
) -> Iterator[bytes]:
    """Yield headers and contents in order; tell the CRC-32 of each member as it goes by."""
    for group in batches(members):
        if is_large(group[0]):
            yield from _large(group[0], reader, see, summed)
            continue
        pieces: list[bytes] = []
        for member, content in zip(group, reader.whole(group), strict=True):
            crc = zlib.crc32(content)
            summed(crc)
            if member.is_document:
                see(member.item.key, content)
            pieces += (local_header(member.entry(crc)), content)
        yield b"".join(pieces)


def _large(
    member: Member, reader: Reader, see: See, summed: Callable[[int], None]
) -> Iterator[bytes]:
    # The header has the checksum and comes first, so the content waits for it.
    with tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES, prefix="anyzarr-") as kept:
        crc = 0
        for part in reader.parts(member):
            crc = zlib.crc32(part, crc)
            kept.write(part)
        summed(crc)
        kept.seek(0)
        if member.is_document:
            see(member.item.key, kept.read())
            kept.seek(0)
        yield local_header(member.entry(crc))
        yield from _blocks(kept)


def _blocks(file: tempfile.SpooledTemporaryFile[bytes]) -> Iterator[bytes]:
    while block := file.read(_BLOCK):
        yield block

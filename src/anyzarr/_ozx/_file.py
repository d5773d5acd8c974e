"""Writing members to a file, several at a time: each place is known beforehand.

What is written is what was summed, so that an object that changes meanwhile cannot end up with
a wrong checksum; ``copy_file_range`` would read it a second time, and costs as much.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Sequence

from anyzarr._ozx._members import Member, Reader, batches, is_large
from anyzarr._ozx._zip64 import local_header
from anyzarr._parallel import concurrency, for_each

__all__ = ["UnwritableError", "write_at", "write_members"]

_LEAST_WORKERS = 8  # waiting for a network costs no processor

See = Callable[[str, bytes | memoryview], None]


class UnwritableError(Exception):
    """The archive, whose name is known further up, cannot be written."""

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error


def write_members(
    descriptor: int, members: Sequence[Member], reader: Reader, see: See
) -> list[int]:
    """Write all members where they belong; return the CRC-32 of each.

    Parameters
    ----------
    descriptor
        Of a file open for writing.
    members
        In their order.
    reader
        Reads them.
    see
        Called with key and content of each document, on any thread.
    """
    crcs = [0] * len(members)
    starts: dict[int, int] = {}
    position = 0
    groups = list(batches(members))
    for group in groups:
        starts[group[0].offset] = position
        position += len(group)

    def one(group: Sequence[Member]) -> None:
        first = starts[group[0].offset]
        if is_large(group[0]):
            crcs[first] = _write_large(descriptor, group[0], reader, see)
        else:
            crcs[first : first + len(group)] = _write_batch(descriptor, group, reader, see)

    for_each(one, groups, limit=None if reader.is_local else max(_LEAST_WORKERS, concurrency()))
    return crcs


def _write_batch(descriptor: int, group: Sequence[Member], reader: Reader, see: See) -> list[int]:
    contents = reader.whole(group)
    crcs = [zlib.crc32(content) for content in contents]
    pieces: list[bytes] = []
    for member, content, crc in zip(group, contents, crcs, strict=True):
        if member.is_document:
            see(member.item.key, content)
        pieces += (local_header(member.entry(crc)), content)
    write_at(descriptor, b"".join(pieces), group[0].offset)
    return crcs


def _write_large(descriptor: int, member: Member, reader: Reader, see: See) -> int:
    crc, position = 0, member.data_start
    document = bytearray()
    for part in reader.parts(member):
        crc = zlib.crc32(part, crc)
        write_at(descriptor, part, position)
        position += len(part)
        if member.is_document:
            document += part
    if member.is_document:
        see(member.item.key, bytes(document))
    write_at(descriptor, local_header(member.entry(crc)), member.offset)
    return crc


def write_at(descriptor: int, data: bytes | memoryview, position: int) -> None:
    """Write all of some bytes at a place of a file.

    Raises
    ------
    UnwritableError
        The file system refuses.
    """
    view = memoryview(data)
    while view:
        try:
            n = os.pwrite(descriptor, view, position)
        except OSError as error:
            raise UnwritableError(error) from error
        view, position = view[n:], position + n

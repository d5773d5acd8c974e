"""Writing members to a file, several at a time: each place is known beforehand.

What is written is what was summed, so that an object that changes meanwhile cannot end up with
a wrong checksum; ``copy_file_range`` would read it a second time, and costs as much.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Sequence

from anyzarr._ozx._members import Member, Reader, batches, is_large
from anyzarr._ozx._parts import Checkpoint, Numbered, Parts
from anyzarr._ozx._zip64 import local_header
from anyzarr._parallel import concurrency, for_each

__all__ = ["UnwritableError", "cut_at", "write_at", "write_members"]

_LEAST_WORKERS = 8  # waiting for a network costs no processor

See = Callable[[str, bytes | memoryview], None]


class UnwritableError(Exception):
    """The archive, whose name is known further up, cannot be written."""

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error


def write_members(
    descriptor: int,
    members: Sequence[Member],
    reader: Reader,
    see: See,
    checkpoint: Checkpoint | None = None,
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
    checkpoint
        What is in the file already, and who is told of more; None: nothing, and nobody.
    """
    parts = Parts(list(batches(members)), {} if checkpoint is None else checkpoint.done)
    for _, group in parts.skipped:
        reader.skip(group)

    def one(numbered: Numbered) -> None:
        first, group = numbered
        if is_large(group[0]):
            crcs = [_write_large(descriptor, group[0], reader, see)]
        else:
            crcs = _write_batch(descriptor, group, reader, see)
        part = parts.note(first, crcs)
        if part is not None and checkpoint is not None:
            _sync(descriptor)
            checkpoint.on_part(part.number, parts.crcs_of(part))

    limit = None if reader.is_local else max(_LEAST_WORKERS, concurrency())
    for_each(one, parts.left, limit=limit)
    return parts.crcs


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


def _sync(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        raise UnwritableError(error) from error


def cut_at(descriptor: int, position: int) -> None:
    """Remove what a file has beyond a place.

    Raises
    ------
    UnwritableError
        The file system refuses.
    """
    try:
        os.ftruncate(descriptor, position)
    except OSError as error:
        raise UnwritableError(error) from error


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

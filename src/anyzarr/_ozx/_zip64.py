"""The records of ZIP archives as RFC-9 recommends: ZIP64 throughout, stored entries, fixed bytes.

Python's ``zipfile`` writes ZIP64 records only where sizes demand them, so the few records
needed are made here (APPNOTE.TXT 6.3.10, sections 4.3 and 4.5.3). Every entry has a ZIP64
extra field and the archive ends in the ZIP64 end record and its locator, whatever its size. So
the sizes of all entries tell where each of them lies, before any of them is written.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from anyzarr.errors import StoreError

__all__ = ["Entry", "check_comment", "entry_name", "header_bytes", "local_header", "trailer"]

_VERSION = 45  # 4.5: ZIP64
_MADE_BY = 3 << 8 | _VERSION  # Unix, so that the permissions below are understood
_UTF8 = 1 << 11
_STORED = 0
_TIME, _DATE = 0, (1980 - 1980) << 9 | 1 << 5 | 1  # the earliest the format can say
_PERMISSIONS = 0o100644 << 16
_IN_EXTRA_16, _IN_EXTRA_32 = 0xFFFF, 0xFFFFFFFF
_MOST_NAME_BYTES = _MOST_COMMENT_BYTES = 0xFFFF
_HEADERS_TOGETHER = 4096

_LOCAL = struct.Struct("<4s5H3I2H")
_LOCAL_EXTRA = struct.Struct("<2H2Q")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_CENTRAL_EXTRA = struct.Struct("<2H3Q")
_END64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR = struct.Struct("<4sIQI")
_END = struct.Struct("<4s4H2IH")


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry.

    Attributes
    ----------
    name
        Its name in the archive, UTF-8.
    offset
        Where its local header begins.
    size
        Size in bytes; stored entries are as long in the archive.
    crc
        CRC-32 of its content.
    """

    name: bytes
    offset: int
    size: int
    crc: int


def entry_name(name: str) -> bytes:
    """Return a name as archives hold it.

    Raises
    ------
    StoreError
        It is too long.
    """
    encoded = name.encode()
    if len(encoded) > _MOST_NAME_BYTES:
        raise StoreError(
            f"a name in an archive has at most 65535 bytes, and {name[:40]!r}… has more; shorten "
            "it, or write a folder",
            key=name,
        )
    return encoded


def check_comment(comment: bytes) -> None:
    """Refuse a comment that no archive can hold."""
    if len(comment) > _MOST_COMMENT_BYTES:
        raise StoreError(
            f"an archive comment holds at most 65535 bytes, and this one has {len(comment)}; "
            "shorten it"
        )


def header_bytes(name: bytes) -> int:
    """Return how long the local header of an entry of this name is."""
    return _LOCAL.size + len(name) + _LOCAL_EXTRA.size


def local_header(entry: Entry) -> bytes:
    """Return the header that precedes an entry's content."""
    fixed = _LOCAL.pack(
        b"PK\x03\x04", _VERSION, _UTF8, _STORED, _TIME, _DATE, entry.crc,
        _IN_EXTRA_32, _IN_EXTRA_32, len(entry.name), _LOCAL_EXTRA.size,
    )  # fmt: skip
    extra = _LOCAL_EXTRA.pack(1, _LOCAL_EXTRA.size - 4, entry.size, entry.size)
    return fixed + entry.name + extra


def trailer(entries: Sequence[Entry], comment: bytes) -> Iterator[bytes]:
    """Yield what follows the last entry: the central directory, the end records, the comment."""
    start = size = 0
    if entries:
        last = entries[-1]
        start = last.offset + header_bytes(last.name) + last.size
    for first in range(0, len(entries), _HEADERS_TOGETHER):
        headers = b"".join(map(_central_header, entries[first : first + _HEADERS_TOGETHER]))
        size += len(headers)
        yield headers
    count = len(entries)
    yield _END64.pack(
        b"PK\x06\x06", _END64.size - 12, _MADE_BY, _VERSION, 0, 0, count, count, size, start
    )
    yield _LOCATOR.pack(b"PK\x06\x07", 0, start + size, 1)
    yield _END.pack(
        b"PK\x05\x06", 0, 0, _IN_EXTRA_16, _IN_EXTRA_16, _IN_EXTRA_32, _IN_EXTRA_32, len(comment)
    )
    yield comment


def _central_header(entry: Entry) -> bytes:
    fixed = _CENTRAL.pack(
        b"PK\x01\x02", _MADE_BY, _VERSION, _UTF8, _STORED, _TIME, _DATE, entry.crc,
        _IN_EXTRA_32, _IN_EXTRA_32, len(entry.name), _CENTRAL_EXTRA.size,
        0, 0, 0, _PERMISSIONS, _IN_EXTRA_32,
    )  # fmt: skip
    extra = _CENTRAL_EXTRA.pack(1, _CENTRAL_EXTRA.size - 4, entry.size, entry.size, entry.offset)
    return fixed + entry.name + extra

"""Writing ZIP archives as RFC-9 recommends: ZIP64 throughout, stored entries, fixed bytes.

Python's ``zipfile`` writes ZIP64 records only where sizes demand them, so the few records
needed are written here (APPNOTE.TXT 6.3.10, sections 4.3 and 4.5.3). Every entry has a ZIP64
extra field and the archive ends in the ZIP64 end record and its locator, whatever its size.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from anyzarr.errors import StoreError

__all__ = ["Entry", "Zip64Writer"]

_VERSION = 45  # 4.5: ZIP64
_MADE_BY = 3 << 8 | _VERSION  # Unix, so that the permissions below are understood
_UTF8 = 1 << 11
_STORED = 0
_TIME, _DATE = 0, (1980 - 1980) << 9 | 1 << 5 | 1  # the earliest the format can say
_PERMISSIONS = 0o100644 << 16
_IN_EXTRA_16, _IN_EXTRA_32 = 0xFFFF, 0xFFFFFFFF
_MOST_NAME_BYTES = _MOST_COMMENT_BYTES = 0xFFFF

_LOCAL = struct.Struct("<4s5H3I2H")
_LOCAL_EXTRA = struct.Struct("<2H2Q")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_CENTRAL_EXTRA = struct.Struct("<2H3Q")
_END64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR = struct.Struct("<4sIQI")
_END = struct.Struct("<4s4H2IH")


@dataclass(frozen=True, slots=True)
class Entry:
    """A written entry.

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


class Zip64Writer:
    """Writes entries one after the other to a new, seekable file.

    Parameters
    ----------
    file
        Opened for writing in binary mode, at its beginning.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._entries: list[Entry] = []
        self._names: set[bytes] = set()
        self._position = 0

    def add(self, name: str, parts: Iterable[bytes]) -> Entry:
        """Write an entry whose content arrives in parts; memory holds one part at a time.

        Raises
        ------
        StoreError
            The name is too long, or was added before.
        """
        encoded = self._check_name(name)
        offset = self._position
        header_bytes = _LOCAL.size + len(encoded) + _LOCAL_EXTRA.size
        self._write(bytes(header_bytes))
        size = crc = 0
        for part in parts:
            self._write(part)
            size += len(part)
            crc = zlib.crc32(part, crc)
        entry = Entry(encoded, offset, size, crc)
        # Checksum and size precede the content: go back for them once they are known.
        self._write_at(offset, _local_header(entry))
        self._entries.append(entry)
        self._names.add(encoded)
        return entry

    def finish(self, comment: bytes) -> int:
        """Write the central directory and the end records; return the archive's size."""
        if len(comment) > _MOST_COMMENT_BYTES:
            raise StoreError(
                f"an archive comment holds at most 65535 bytes, and this one has {len(comment)}"
            )
        start = self._position
        for entry in self._entries:
            self._write(_central_header(entry))
        size, count, end64 = self._position - start, len(self._entries), self._position
        self._write(
            _END64.pack(
                b"PK\x06\x06", _END64.size - 12, _MADE_BY, _VERSION, 0, 0, count, count, size, start
            )
        )
        self._write(_LOCATOR.pack(b"PK\x06\x07", 0, end64, 1))
        self._write(
            _END.pack(
                b"PK\x05\x06", 0, 0, _IN_EXTRA_16, _IN_EXTRA_16, _IN_EXTRA_32, _IN_EXTRA_32,
                len(comment),
            )
        )  # fmt: skip
        self._write(comment)
        return self._position

    def _check_name(self, name: str) -> bytes:
        encoded = name.encode()
        if len(encoded) > _MOST_NAME_BYTES:
            raise StoreError(
                f"a name in an archive has at most 65535 bytes, and {name[:40]!r}… has more",
                key=name,
            )
        if encoded in self._names:
            raise StoreError(f"the archive already has an entry {name!r}", key=name)
        return encoded

    def _write(self, data: bytes) -> None:
        with _as_store_error():
            self._file.write(data)
        self._position += len(data)

    def _write_at(self, offset: int, data: bytes) -> None:
        with _as_store_error():
            self._file.seek(offset)
            self._file.write(data)
            self._file.seek(self._position)


@contextmanager
def _as_store_error() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(f"cannot write the archive: {error.strerror or error}") from error


def _local_header(entry: Entry) -> bytes:
    fixed = _LOCAL.pack(
        b"PK\x03\x04", _VERSION, _UTF8, _STORED, _TIME, _DATE, entry.crc,
        _IN_EXTRA_32, _IN_EXTRA_32, len(entry.name), _LOCAL_EXTRA.size,
    )  # fmt: skip
    extra = _LOCAL_EXTRA.pack(1, _LOCAL_EXTRA.size - 4, entry.size, entry.size)
    return fixed + entry.name + extra


def _central_header(entry: Entry) -> bytes:
    fixed = _CENTRAL.pack(
        b"PK\x01\x02", _MADE_BY, _VERSION, _UTF8, _STORED, _TIME, _DATE, entry.crc,
        _IN_EXTRA_32, _IN_EXTRA_32, len(entry.name), _CENTRAL_EXTRA.size,
        0, 0, 0, _PERMISSIONS, _IN_EXTRA_32,
    )  # fmt: skip
    extra = _CENTRAL_EXTRA.pack(1, _CENTRAL_EXTRA.size - 4, entry.size, entry.size, entry.offset)
    return fixed + entry.name + extra

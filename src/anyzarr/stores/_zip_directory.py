"""The central directory of a zip archive: read once, checked, and refused where it lies.

Implements the record layouts of PKWARE's APPNOTE.TXT 6.3.10, sections 4.3 and 4.5.3. The
checks are those that keep a hostile archive from making us read outside it, name anything
outside the store, or allocate what is not there.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from anyzarr.errors import AnyzarrError, CorruptDataError, UnsupportedError
from anyzarr.stores._zip_entries import (
    DEFLATED,
    STORED,
    ArchiveComment,
    Directory,
    Entry,
    is_document,
)

__all__ = ["LOCAL_HEADER", "SPLIT", "DirectoryReader"]

SPLIT: Final = "split-archive"
"""The kind of the errors of archives that are split into parts."""

_END: Final = struct.Struct("<4s4H2LH")
_END64: Final = struct.Struct("<4sQ2H2L4Q")
_LOCATOR64: Final = struct.Struct("<4sLQL")
_CENTRAL: Final = struct.Struct("<4s6H3L5H2L")
LOCAL_HEADER: Final = struct.Struct("<4s5H3L2H")

_END_SIGNATURE: Final = b"PK\x05\x06"
_END64_SIGNATURE: Final = b"PK\x06\x06"
_LOCATOR64_SIGNATURE: Final = b"PK\x06\x07"
_CENTRAL_SIGNATURE: Final = b"PK\x01\x02"
_SIGNATURE_SIGNATURE: Final = b"PK\x05\x05"
"""Of the digital signature that may follow the last entry."""


_MAX_COMMENT = 0xFFFF
_TAIL_BYTES = _MAX_COMMENT + _END.size + _LOCATOR64.size + _END64.size
_FIRST_BYTES = 1 << 16
_FULL16 = 0xFFFF
_FULL32 = 0xFFFFFFFF
_ENCRYPTED_FLAGS = 0x1 | 0x40 | 0x2000
_UTF8_FLAG = 0x800
_ZIP64_EXTRA = 0x0001
# DEFLATE cannot do better than 1032 to 1; a real member seldom does better than 100 to 1.
_MAX_RATIO = 1032
_BOMB_RATIO = 100
_BOMB_BYTES = 1 << 30

Read = Callable[[int, int], bytes]
"""``read(start, stop)``: bytes of the archive."""


@dataclass(frozen=True, slots=True)
class _End:
    """Where the central directory lies, as the records at the end of the archive say."""

    start: int
    size: int
    count: int
    shift: int
    comment: bytes
    is_zip64: bool


class DirectoryReader:
    """Reads and checks the central directory: all of it, or the metadata that it begins with.

    Making one reads the end of the archive, where a short directory lies as a whole.

    Parameters
    ----------
    read
        Returns bytes ``[start, stop)`` of the archive.
    size
        Size of the archive in bytes.
    archive
        Its printable address, for errors.

    Raises
    ------
    CorruptDataError
        It is no zip archive, or is cut short.
    UnsupportedError
        The archive is split into parts.
    """

    def __init__(self, read: Read, size: int, archive: str) -> None:
        self._read = read
        self._size = size
        self._archive = archive
        self._tail_start = max(0, size - _TAIL_BYTES)
        self._tail = read(self._tail_start, size)
        self._end = self._find_end()

    @property
    def comment(self) -> ArchiveComment:
        """What the archive's comment says."""
        return ArchiveComment.parse(self._end.comment)

    def documents(self) -> Directory | None:
        """Return the part of the directory that has the metadata, if that is worth reading alone.

        None where the comment does not say that metadata comes first, and where all of the
        directory has been read already. The part ends with the first entry that is none.
        """
        end = self._end
        if not self.comment.json_first or end.start >= self._tail_start:
            return None
        entries: list[Entry] = []
        size = _FIRST_BYTES
        while True:
            data = self._bytes(end.start, end.start + min(size, end.size))
            entries = [self._moved(entry, end.shift) for entry in self._entries(data, end.count)[0]]
            others = [i for i, entry in enumerate(entries) if not is_document(entry.name)]
            if others or size >= end.size:
                break
            size *= 4
        found = entries[: others[0]] if others else entries
        self._check_layout(entries, end)
        return self._directory(found, (*(entry.offset for entry in entries), end.start))

    def read(self) -> Directory:
        """Return the whole directory.

        Raises
        ------
        CorruptDataError
            It is cut short, or an entry lies; the message names the entry.
        UnsupportedError
            An entry lies in another part of a split archive.
        """
        end = self._end
        entries = self._parse(self._bytes(end.start, end.start + end.size), end)
        self._check_layout(entries, end)
        return self._directory(entries, (*(entry.offset for entry in entries), end.start))

    def _directory(self, entries: Sequence[Entry], boundaries: Iterable[int]) -> Directory:
        files = [entry for entry in entries if entry.name and not entry.name.endswith("/")]
        by_name: dict[str, Entry] = {}
        duplicates: set[str] = set()
        for entry in files:
            if entry.name in by_name:
                duplicates.add(entry.name)
            by_name[entry.name] = entry
        return Directory(
            by_name,
            tuple(entry.name for entry in files),
            self._end.comment,
            self._end.is_zip64,
            len(entries),
            tuple(sorted(duplicates)),
            tuple(sorted(boundaries)),
        )

    # ------------------------------------------------------------------ errors

    def _corrupt(self, problem: str, entry: str | None = None) -> AnyzarrError:
        where = f"the entry {entry!r} of {self._archive}" if entry is not None else self._archive
        return CorruptDataError(
            f"{where} {problem}; get the archive again, or make it anew",
            store=self._archive,
            key=entry,
        )

    def _split(self) -> AnyzarrError:
        return UnsupportedError(
            f"{self._archive} is one part of an archive that is split into several; "
            "join the parts first (zip -s 0 PART.zip --out WHOLE.zip)",
            store=self._archive,
            kind=SPLIT,
        )

    # ------------------------------------------------------------------ the end records

    def _bytes(self, start: int, stop: int) -> bytes:
        if start >= self._tail_start:
            return self._tail[start - self._tail_start : stop - self._tail_start]
        data = self._read(start, stop)
        if len(data) != stop - start:
            raise self._corrupt("is cut short: its central directory is not all there")
        return data

    def _find_end(self) -> _End:
        position = self._end_position()
        (_, disk, cd_disk, here, count, size, start, length) = _END.unpack_from(
            self._tail, position
        )
        comment = self._tail[position + _END.size : position + _END.size + length]
        after = self._tail_start + position
        wide = self._end64(position)
        if wide is not None:
            disk, cd_disk, here, count, size, start, after = wide
        elif disk == cd_disk == _FULL16:
            raise self._split()
        if disk or cd_disk or here != count:
            raise self._split()
        shift = after - size - start
        if shift < 0 or count * _CENTRAL.size > size:
            raise self._corrupt("is cut short or damaged: its central directory does not fit in it")
        return _End(start + shift, size, count, shift, comment, wide is not None)

    def _end_position(self) -> int:
        """Return where in the tail the end record begins.

        A comment may hold what looks like one, so the record counts whose directory ends where
        it begins; where bytes were put in front of the archive, and none does, the last.
        """
        found = self._end_positions()
        for position in found:
            size, start = _END.unpack_from(self._tail, position)[5:7]
            at = max(0, position - _LOCATOR64.size)
            wide = self._tail[at : at + 4] == _LOCATOR64_SIGNATURE
            if wide or start + size == self._tail_start + position:
                return position
        if found:
            return found[0]
        if self._size and self._tail[:4] == b"PK\x07\x08":
            raise self._split()
        raise self._corrupt(
            "is no complete zip archive: it does not end in an end-of-central-directory record"
        )

    def _end_positions(self) -> list[int]:
        tail = self._tail
        found: list[int] = []
        position = len(tail)
        while position > 0:
            position = tail.rfind(_END_SIGNATURE, 0, position + 3)
            if position >= 0 and position + _END.size <= len(tail):
                length = _END.unpack_from(tail, position)[-1]
                if position + _END.size + length == len(tail):
                    found.append(position)
        return found

    def _end64(self, position: int) -> tuple[int, int, int, int, int, int, int] | None:
        at = position - _LOCATOR64.size
        if at < 0 or self._tail[at : at + 4] != _LOCATOR64_SIGNATURE:
            return None
        _, disk, stated, disks = _LOCATOR64.unpack_from(self._tail, at)
        if disk or disks > 1:
            raise self._split()
        # Directly before its locator; where it is said to be, if something was put in front.
        for start in (self._tail_start + at - _END64.size, stated):
            if not 0 <= start <= self._tail_start + at - _END64.size:
                continue
            record = self._bytes(start, start + _END64.size)
            if record[:4] == _END64_SIGNATURE:
                fields = _END64.unpack(record)
                return (*fields[4:10], start)
        raise self._corrupt("has a ZIP64 locator that leads to no ZIP64 record")

    # ------------------------------------------------------------------ entries

    def _parse(self, data: bytes, end: _End) -> list[Entry]:
        entries, position = self._entries(data, end.count)
        if len(entries) != end.count:
            raise self._corrupt(
                f"is damaged: its central directory should have {end.count} entries, "
                f"and {len(entries)} can be read"
            )
        # More entries than are counted would be taken for absent.
        if position != len(data) and data[position : position + 4] != _SIGNATURE_SIGNATURE:
            raise self._corrupt(
                f"is damaged: its central directory goes on after its {end.count} entries"
            )
        return [self._moved(entry, end.shift) for entry in entries] if end.shift else entries

    def _entries(self, data: bytes, count: int) -> tuple[list[Entry], int]:
        """Return the entries that some bytes hold whole, at most so many, and where they end."""
        entries: list[Entry] = []
        position = 0
        while position + _CENTRAL.size <= len(data) and len(entries) < count:
            fields = _CENTRAL.unpack_from(data, position)
            if fields[0] != _CENTRAL_SIGNATURE:
                break
            name_at = position + _CENTRAL.size
            extra_at = name_at + fields[10]
            stop = extra_at + fields[11] + fields[12]
            if stop > len(data):
                break
            entries.append(
                self._entry(fields, data[name_at:extra_at], data[extra_at : extra_at + fields[11]])
            )
            position = stop
        return entries, position

    def _entry(self, fields: tuple[int, ...], raw_name: bytes, extra: bytes) -> Entry:
        flags, method, crc = fields[3], fields[4], fields[7]
        stored, size, disk, offset = fields[8], fields[9], fields[13], fields[16]
        name = self._name(raw_name, flags)
        if _FULL32 in (stored, size, offset) or disk == _FULL16:
            stored, size, offset, disk = self._zip64(extra, stored, size, offset, disk, name)
        if disk:
            raise UnsupportedError(
                f"the entry {name!r} of {self._archive} lies in another part of a split archive; "
                "join the parts first (zip -s 0 PART.zip --out WHOLE.zip)",
                store=self._archive,
                key=name,
                kind=SPLIT,
            )
        entry = Entry(
            name, raw_name, method, bool(flags & _ENCRYPTED_FLAGS), crc, stored, size, offset
        )
        self._check_sizes(entry)
        return entry

    def _zip64(
        self, extra: bytes, stored: int, size: int, offset: int, disk: int, name: str
    ) -> tuple[int, int, int, int]:
        body = self._find_extra(extra, name)
        position = 0

        def take(value: int, full: int, layout: str) -> int:
            nonlocal position
            if value != full:
                return value
            if body is None or position + struct.calcsize(layout) > len(body):
                raise self._corrupt("says its ZIP64 sizes are elsewhere, and they are not", name)
            (value,) = struct.unpack_from(layout, body, position)
            position += struct.calcsize(layout)
            return value

        size = take(size, _FULL32, "<Q")
        stored = take(stored, _FULL32, "<Q")
        offset = take(offset, _FULL32, "<Q")
        disk = take(disk, _FULL16, "<L")
        return stored, size, offset, disk

    def _find_extra(self, extra: bytes, name: str) -> bytes | None:
        position = 0
        while position + 4 <= len(extra):
            kind, length = struct.unpack_from("<2H", extra, position)
            position += 4
            if position + length > len(extra):
                raise self._corrupt("has an extra field that runs over its end", name)
            if kind == _ZIP64_EXTRA:
                return extra[position : position + length]
            position += length
        return None

    def _name(self, raw: bytes, flags: int) -> str:
        try:
            name = raw.decode("utf-8" if flags & _UTF8_FLAG else "cp437")
        except UnicodeDecodeError:
            raise self._corrupt(
                "has a name that is not the UTF-8 it is said to be", raw.decode("latin-1")
            ) from None
        if not name:
            raise self._corrupt("has no name", name)
        while name.startswith("./"):
            name = name[2:]
        body = name.removesuffix("/")
        flat = body.replace("\\", "/")
        drive = len(flat) > 1 and flat[1] == ":" and flat[0].isalpha()
        segments = flat.split("/")
        if flat.startswith("/") or (drive and flat[2:3] in ("", "/")):
            raise self._corrupt("has an absolute name, which would lead outside the archive", name)
        if ".." in segments:
            raise self._corrupt("has '..' in its name, which would lead outside the archive", name)
        if "\0" in body or (body and not {"", "."}.isdisjoint(body.split("/"))):
            raise self._corrupt("has a name with an empty or '.' segment, or a null", name)
        return name

    # ------------------------------------------------------------------ lies

    def _check_sizes(self, entry: Entry) -> None:
        if entry.method == STORED and not entry.is_encrypted:
            if entry.stored_bytes != entry.size_bytes:
                raise self._corrupt(
                    f"lies about its size: stored as it is in {entry.stored_bytes} bytes, "
                    f"it cannot be {entry.size_bytes} bytes long",
                    entry.name,
                )
        elif entry.size_bytes > _MAX_RATIO * entry.stored_bytes + 64 and entry.method == DEFLATED:
            raise self._corrupt(
                f"lies about its size: {entry.stored_bytes} deflated bytes cannot become "
                f"{entry.size_bytes}",
                entry.name,
            )
        elif entry.size_bytes > max(_BOMB_BYTES, _BOMB_RATIO * entry.stored_bytes):
            raise self._corrupt(
                f"looks like a zip bomb: {entry.stored_bytes} bytes would become "
                f"{entry.size_bytes}",
                entry.name,
            )

    def _check_layout(self, entries: list[Entry], end: _End) -> None:
        """Refuse entries that overlap each other or the central directory."""
        free, before = 0, ""
        for entry in sorted(entries, key=lambda e: (e.offset, e.stored_bytes)):
            if entry.offset < free:
                raise self._corrupt(f"overlaps the entry {before!r}", entry.name)
            least = LOCAL_HEADER.size + len(entry.raw_name) + entry.stored_bytes
            free, before = entry.offset + least, entry.name
            if free > end.start:
                raise self._corrupt("lies about its place: it runs past the entries", entry.name)

    def _moved(self, entry: Entry, shift: int) -> Entry:
        return replace(entry, offset=entry.offset + shift)

"""What the central directory of a zip archive says, as values."""

from __future__ import annotations

import bisect
import json
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["DEFLATED", "STORED", "ArchiveComment", "Directory", "Entry", "is_document"]

STORED: Final = 0
DEFLATED: Final = 8


@dataclass(frozen=True, slots=True)
class Entry:
    """One member, as the central directory has it.

    Attributes
    ----------
    name
        Decoded; a key of the store.
    raw_name
        As stored, to compare with the local header.
    method
        0 for stored, 8 for deflated; others cannot be read.
    is_encrypted
        Whether its bytes are encrypted, so that it cannot be read.
    crc
        CRC-32 of the uncompressed bytes.
    stored_bytes, size_bytes
        Size in the archive, and uncompressed.
    offset
        Where its local header begins, counted from the start of the file.
    """

    name: str
    raw_name: bytes
    method: int
    is_encrypted: bool
    crc: int
    stored_bytes: int
    size_bytes: int
    offset: int


@dataclass(frozen=True)
class Directory:
    """What the central directory of an archive says.

    Attributes
    ----------
    entries
        By key, in the order of the directory. Of entries with one name, the last.
    names
        Of all entries, in the order of the directory, duplicates included and folders not.
    comment
        The archive's comment, undecoded.
    is_zip64
        Whether there is a ZIP64 end-of-central-directory record.
    n_entries
        Entries in the directory, directories and duplicates included.
    duplicates
        Names that occur more than once, sorted.
    boundaries
        Where each entry begins, in order, and after them the central directory.
    """

    entries: dict[str, Entry]
    names: tuple[str, ...]
    comment: bytes
    is_zip64: bool
    n_entries: int
    duplicates: tuple[str, ...]
    boundaries: tuple[int, ...]

    def limit(self, entry: Entry) -> int:
        """Return where the next entry, or the central directory, begins."""
        return self.boundaries[bisect.bisect_right(self.boundaries, entry.offset)]


@dataclass(frozen=True, slots=True)
class ArchiveComment:
    """What RFC-9 has in an archive's comment.

    Attributes
    ----------
    version
        The version of OME-Zarr, or None.
    json_first
        Whether it says that no ``zarr.json`` follows the first other entry.
    is_json
        Whether it is a JSON object at all.
    is_misplaced
        Whether ``jsonFirst`` is somewhere else in it, or is neither true nor false. It is not
        believed then.
    """

    version: str | None = None
    json_first: bool = False
    is_json: bool = False
    is_misplaced: bool = False

    @classmethod
    def parse(cls, comment: bytes) -> ArchiveComment:
        """Read a comment; one that is something else says nothing."""
        try:
            document = json.loads(comment) if comment else None
        except (ValueError, RecursionError):
            return cls()
        if not isinstance(document, dict):
            return cls()
        ome = _member(document, "ome")
        directory = _member(_member(ome, "zipFile"), "centralDirectory")
        version, first = ome.get("version"), directory.get("jsonFirst")
        is_misplaced = _occurrences(document, "jsonFirst") > isinstance(first, bool)
        return cls(version if isinstance(version, str) else None, first is True, True, is_misplaced)


def _member(document: dict[str, Any], name: str) -> dict[str, Any]:
    value = document.get(name)
    return value if isinstance(value, dict) else {}


def _occurrences(document: Any, name: str) -> int:
    """Return how often there is a member of this name, anywhere in a JSON document."""
    found, waiting = 0, [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            found += name in value
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    return found


def is_document(name: str) -> bool:
    """Return whether an entry of this name is metadata of Zarr v3."""
    return name.rpartition("/")[2] == "zarr.json"

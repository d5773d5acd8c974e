"""The index of an NDTiff data set: which plane lies where in which file.

Source: the NDTiffStorage format specification, versions 2 and 3.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from anyzarr.errors import CorruptDataError, UnsupportedError
from anyzarr.readers._micromanager import parsed

__all__ = ["INDEX", "Entry", "is_ndtiff_file", "read_index", "read_plane_metadata", "read_summary"]

INDEX = "NDTiff.index"
_FIXED = struct.Struct("<8I")
_HEADER = struct.Struct("<2sHI5I")  # of version 3; version 2 has no minor version
_MARK = 483729
_SUMMARY_MARK = 2355492
# Pixel type: bytes of a sample, samples of a pixel. 10, 11, 12 and 14 bits lie in 16.
_PIXEL_TYPES = {0: (1, 1), 1: (2, 1), 2: (1, 3), 3: (2, 1), 4: (2, 1), 5: (2, 1), 6: (2, 1)}


@dataclass(frozen=True, slots=True)
class Entry:
    """One plane of the index.

    Attributes
    ----------
    place
        Its place along each axis, a number or a name.
    filename
        Of the file, in the folder of the index.
    offset, shape
        Where its samples begin, and (height, width).
    pixel_type
        Code of the format.
    metadata_offset, metadata_length
        Where the JSON about the plane is.
    """

    place: Mapping[str, int | str]
    filename: str
    offset: int
    shape: tuple[int, int]
    pixel_type: int
    metadata_offset: int
    metadata_length: int

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of a sample."""
        return np.dtype(f"<u{_PIXEL_TYPES[self.pixel_type][0]}")

    @property
    def samples(self) -> int:
        """Samples of a pixel: 3 for RGB."""
        return _PIXEL_TYPES[self.pixel_type][1]


def read_index(path: Path) -> tuple[list[Entry], tuple[str, ...]]:
    """Return the entries of an index, and a warning if the acquisition did not end it.

    Raises
    ------
    CorruptDataError
        It ends within an entry, or holds what is none.
    UnsupportedError
        Planes are compressed, or of an unknown type of pixels.
    """
    data = path.read_bytes()
    entries: list[Entry] = []
    start = 0
    while start < len(data):
        # An acquisition that was broken off leaves the rest of the allotted space as zeros.
        if data[start : start + 4] == b"\0\0\0\0":
            return entries, (
                f"the index ends after {len(entries)} planes without having been closed, as when "
                "an acquisition is broken off: these planes were taken",
            )
        try:
            entry, start = _entry(data, start)
        except (struct.error, ValueError, TypeError) as error:
            raise CorruptDataError(
                f"{str(path)!r} is truncated or broken after {len(entries)} planes ({error}); get "
                "a whole copy of the data set",
                key=str(path),
            ) from error
        entries.append(entry)
    return entries, ()


def _entry(data: bytes, start: int) -> tuple[Entry, int]:
    place_bytes, start = _counted(data, start)
    name_bytes, start = _counted(data, start)
    offset, width, height, kind, compression, about, about_length, about_compression = (
        _FIXED.unpack_from(data, start)
    )
    filename = name_bytes.decode()
    if compression or about_compression or kind not in _PIXEL_TYPES:
        raise UnsupportedError(
            f"a plane in {filename!r} has pixel type {kind} and compression {compression}; types "
            "0 to 6 without compression can be read"
        )
    if Path(filename).name != filename or filename in {"", ".", ".."}:
        raise ValueError(f"{filename!r} is no name of a file")
    place = json.loads(place_bytes)
    if not isinstance(place, dict) or not all(type(v) in (int, str) for v in place.values()):
        raise ValueError(f"{place!r} is no place of a plane")
    entry = Entry(place, filename, offset, (height, width), kind, about, about_length)
    return entry, start + _FIXED.size


def _counted(data: bytes, start: int) -> tuple[bytes, int]:
    """Return bytes that come after their number, and where they end."""
    (length,) = struct.unpack_from("<I", data, start)
    end = start + 4 + length
    if end > len(data):
        raise ValueError("an entry is cut off")
    return data[start + 4 : end], end


def is_ndtiff_file(path: Path) -> bool:
    """Return whether a file begins as those of NDTiff do, and their index is beside it."""
    if not (path.parent / INDEX).is_file():
        return False
    with path.open("rb") as file:
        head = file.read(12)
    return len(head) == 12 and struct.unpack("<I", head[8:])[0] == _MARK


def read_summary(path: Path) -> dict[str, Any]:
    """Return the metadata of the acquisition, which is at the head of each of its files.

    Raises
    ------
    CorruptDataError
        The file has none.
    """
    with path.open("rb") as file:
        header = file.read(_HEADER.size)
        if len(header) == _HEADER.size:
            order, _, _, mark, *rest = _HEADER.unpack(header)
            if order == b"II" and mark == _MARK and _SUMMARY_MARK in rest[1:3]:
                place = rest.index(_SUMMARY_MARK, 1)
                length = rest[place + 1]
                file.seek(_HEADER.size - 4 * (2 - place))
                return _document(file.read(length), path)
    raise CorruptDataError(
        f"{str(path)!r} does not begin as a file of NDTiff does; get a whole copy of the data set",
        key=str(path),
    )


def read_plane_metadata(folder: Path, entry: Entry) -> dict[str, Any]:
    """Return what was noted with a plane."""
    path = folder / entry.filename
    with path.open("rb") as file:
        file.seek(entry.metadata_offset)
        text = file.read(entry.metadata_length)
    return _document(text, path) if text else {}


def _document(text: bytes, path: Path) -> dict[str, Any]:
    try:
        return parsed(text)
    except ValueError as error:
        raise CorruptDataError(
            f"the metadata in {str(path)!r} is broken ({error}); get a whole copy of the data set",
            key=str(path),
        ) from error

"""One file of a Micro-Manager stack: its summary, which planes it holds, and where.

Source: the Micro-Manager file formats, "Image file stacks (OME-TIFF)".
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from anyzarr.errors import UnsupportedError
from anyzarr.readers._damage import truncated
from anyzarr.readers._micromanager import parsed

__all__ = ["PageFormat", "Place", "StackFile", "is_stack_file", "read_stack_file"]

_INDEX_MARK = 54773648
_MAP_MARK = 3453623
_SUMMARY_MARK = 2355492
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _DESCRIPTION = 256, 257, 258, 259, 270
_OFFSETS, _SAMPLES, _COUNTS, _SAMPLE_FORMAT, _METADATA = 273, 277, 279, 339, 51123
_NUMBERS = {1: "B", 3: "H", 4: "I"}
_KINDS = {1: "u", 2: "i", 3: "f"}
_LARGEST_MAP_BYTES = 1 << 30


class Place(NamedTuple):
    """The place of a plane in the acquisition, in the order of the file's index."""

    channel: int
    z: int
    time: int
    position: int


@dataclass(frozen=True, slots=True)
class PageFormat:
    """What all planes of an image have in common.

    Attributes
    ----------
    shape
        (height, width).
    dtype
        Of a sample, with the file's byte order.
    samples
        Of a pixel.
    """

    shape: tuple[int, int]
    dtype: np.dtype[Any]
    samples: int


@dataclass(frozen=True, slots=True)
class StackFile:
    """What a file says and holds.

    Attributes
    ----------
    path
        Of the file.
    summary
        The metadata of the acquisition.
    offsets
        Where the pixels of each plane begin.
    page
        The format of its planes.
    first_plane
        What was noted with the first plane.
    ome_xml
        The OME-XML, or None.
    """

    path: Path
    summary: dict[str, Any]
    offsets: dict[Place, int]
    page: PageFormat
    first_plane: dict[str, Any]
    ome_xml: str | None


def is_stack_file(path: Path) -> bool:
    """Return whether a file begins as those of a Micro-Manager stack do."""
    with path.open("rb") as file:
        head = file.read(40)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None or len(head) < 40:
        return False
    version, _, mark = struct.unpack_from(f"{order}HII", head, 2)
    return bool(version == 42 and mark == _INDEX_MARK)


def read_stack_file(path: Path) -> StackFile:
    """Read what a file holds, but for its pixels: one small read per plane.

    Raises
    ------
    CorruptDataError
        It is truncated, or was never completed.
    UnsupportedError
        Its planes are compressed, or of an unknown type of pixels.
    """
    try:
        with path.open("rb") as file:
            return _Reader(file, path).read()
    except (struct.error, ValueError, KeyError, TypeError) as error:
        raise truncated(path, str(error)) from error


class _Reader:
    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file = file
        self._path = path
        self._order = "<" if file.read(2) == b"II" else ">"
        self._size = file.seek(0, 2)

    def read(self) -> StackFile:
        index_mark, index, _, _, _, _, mark, length = self._numbers(8, 8)
        if index_mark != _INDEX_MARK or mark != _SUMMARY_MARK:
            raise ValueError("it does not begin as a Micro-Manager stack does")
        summary = parsed(self._bytes(40, length))
        if not index:
            raise ValueError("its acquisition was broken off before the list of its planes was "
                             "written; Micro-Manager repairs it on opening")  # fmt: skip
        map_mark, n = self._numbers(index, 2)
        if map_mark != _MAP_MARK or n * 20 > min(self._size, _LARGEST_MAP_BYTES):
            raise ValueError("the list of its planes, near its end, is not there")
        entries = np.frombuffer(self._bytes(index + 8, 20 * n), f"{self._order}u4").reshape(n, 5)
        if not n:
            raise ValueError("it lists no plane")
        pages = {Place(*row[:4]): self._page(row[4]) for row in entries.tolist() if row[4]}
        formats = {tags.format for tags in pages.values()}
        if len(formats) != 1:
            raise UnsupportedError(f"the planes of {str(self._path)!r} differ: {formats}")
        first = self._tags(int(entries[:, 4].min()))
        return StackFile(
            self._path,
            summary,
            {place: page.offset for place, page in pages.items()},
            formats.pop(),
            _document(self._text(first, _METADATA)),
            self._text(first, _DESCRIPTION),
        )

    def _bytes(self, start: int, length: int) -> bytes:
        if start + length > self._size:
            raise ValueError(f"what begins at byte {start} ends beyond its {self._size} bytes")
        self._file.seek(start)
        return self._file.read(length)

    def _numbers(self, start: int, n: int) -> tuple[int, ...]:
        return struct.unpack(f"{self._order}{n}I", self._bytes(start, 4 * n))

    def _tags(self, start: int) -> dict[int, tuple[int, int, bytes]]:
        """Return type, count and the value or its place, by the number of the tag."""
        (n,) = struct.unpack(f"{self._order}H", self._bytes(start, 2))
        entries = struct.iter_unpack(f"{self._order}HHI4s", self._bytes(start + 2, 12 * n))
        return {tag: (kind, count, value) for tag, kind, count, value in entries}

    def _number(self, tags: dict[int, tuple[int, int, bytes]], tag: int, default: int) -> int:
        """Return the first value of a tag."""
        if tag not in tags:
            return default
        kind, count, value = tags[tag]
        code = _NUMBERS[kind]
        if count * struct.calcsize(code) > 4:
            (start,) = struct.unpack(f"{self._order}I", value)
            value = self._bytes(start, struct.calcsize(code))
        return int(struct.unpack_from(f"{self._order}{code}", value)[0])

    def _text(self, tags: dict[int, tuple[int, int, bytes]], tag: int) -> str | None:
        if tag not in tags:
            return None
        _, count, value = tags[tag]
        if count > 4:
            value = self._bytes(struct.unpack(f"{self._order}I", value)[0], count)
        return value[:count].rstrip(b"\0").decode("utf-8", "replace")

    def _page(self, start: int) -> _Page:
        tags = self._tags(start)
        bits = self._number(tags, _BITS, 1)
        samples = self._number(tags, _SAMPLES, 1)
        kind = _KINDS.get(self._number(tags, _SAMPLE_FORMAT, 1), "")
        shape = (self._number(tags, _HEIGHT, 0), self._number(tags, _WIDTH, 0))
        compression = self._number(tags, _COMPRESSION, 1)
        if compression != 1 or bits not in {8, 16, 32} or not kind or samples not in {1, 3}:
            raise UnsupportedError(
                f"a plane of {str(self._path)!r} has compression {compression}, {samples} samples "
                f"of {bits} bits; 1 or 3 samples of 8, 16 or 32 bits without compression can be "
                "read"
            )
        if tags[_OFFSETS][1] != 1:
            raise UnsupportedError(f"a plane of {str(self._path)!r} lies in several strips")
        dtype = np.dtype(f"{self._order}{kind}{bits // 8}")
        return _Page(self._number(tags, _OFFSETS, 0), PageFormat(shape, dtype, samples))


class _Page(NamedTuple):
    offset: int
    format: PageFormat


def _document(text: str | None) -> dict[str, Any]:
    """Return what JSON describes; of a plane it says nothing that is needed."""
    try:
        return parsed(text or "{}")
    except ValueError:
        return {}

"""Files of blosc buffers one after the other (``.blc``), read in part.

A buffer of blosc 1 is decoded block by block: those that are wanted are put together to a buffer
of their own. One of blosc 2 is decoded whole, and the last one kept.
Source: the blosc chunk format, versions 1 and 2 of c-blosc.
"""

from __future__ import annotations

import struct
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from anyzarr._optional import require
from anyzarr.readers._damage import truncated

__all__ = ["BloscFiles"]

_HEADER = struct.Struct("<4B3I")
_COPIED = 0x2  # the samples follow the header as they are
_LAST_VERSION_OF_1 = 2


@dataclass(frozen=True, slots=True)
class _Buffer:
    """One buffer: where it begins in its file and in the samples, and its header."""

    offset: int
    start: int
    head: tuple[int, int, int, int]
    n_bytes: int
    block_bytes: int
    stored_bytes: int

    @property
    def end(self) -> int:
        return self.start + self.n_bytes


class BloscFiles:
    """Reads ranges of the samples in such files."""

    def __init__(self) -> None:
        codecs = require("imagecodecs", extra="images", purpose="Reading .blc files")
        self._decode, self._decode2 = codecs.blosc_decode, codecs.blosc2_decode
        self._errors = (codecs.BloscError, codecs.Blosc2Error)
        self._lock = threading.Lock()
        self._last: tuple[Path, int, bytes] | None = None

    def size(self, path: Path) -> int:
        """Return the number of bytes that a file decodes to.

        Raises
        ------
        CorruptDataError
            It is cut off, or not of this kind.
        """
        with path.open("rb") as file:
            buffers = self._buffers(file, path)
        return buffers[-1].end if buffers else 0

    def read(self, path: Path, start: int, out: memoryview) -> None:
        """Read bytes from ``start`` on, as many as there is room for."""
        stop = start + len(out)
        with path.open("rb") as file:
            for buffer in self._buffers(file, path):
                low, high = max(start, buffer.start), min(stop, buffer.end)
                if low >= high:
                    continue
                try:
                    part = self._part(file, path, buffer, low - buffer.start, high - buffer.start)
                except (*self._errors, struct.error, IndexError, ValueError) as error:
                    raise truncated(path, str(error)) from error
                if len(part) != high - low:
                    raise truncated(path, "a buffer decodes to fewer bytes than it says")
                out[low - start : high - start] = part

    def _buffers(self, file: BinaryIO, path: Path) -> list[_Buffer]:
        end = file.seek(0, 2)
        found: list[_Buffer] = []
        offset = start = 0
        while offset < end:
            file.seek(offset)
            header = file.read(_HEADER.size)
            if len(header) < _HEADER.size:
                raise truncated(path, "it ends within a header")
            *head, n_bytes, block_bytes, stored_bytes = _HEADER.unpack(header)
            if stored_bytes < _HEADER.size or not block_bytes or offset + stored_bytes > end:
                raise truncated(
                    path, f"the buffer at byte {offset} has {stored_bytes} bytes, the file {end}"
                )
            version, format_version, flags, item = head
            kind = (version, format_version, flags, item)
            found.append(_Buffer(offset, start, kind, n_bytes, block_bytes, stored_bytes))
            offset, start = offset + stored_bytes, start + n_bytes
        return found

    def _part(
        self, file: BinaryIO, path: Path, buffer: _Buffer, start: int, stop: int
    ) -> memoryview:
        if buffer.head[0] > _LAST_VERSION_OF_1:
            return memoryview(self._whole(file, path, buffer))[start:stop]
        if buffer.head[2] & _COPIED:
            file.seek(buffer.offset + _HEADER.size + start)
            return memoryview(file.read(stop - start))
        n_blocks = -(-buffer.n_bytes // buffer.block_bytes)
        last = -(-stop // buffer.block_bytes)
        # A buffer of the short last block alone would be shorter than its blocks.
        first = max(0, min(start // buffer.block_bytes, n_blocks - 2))
        blocks = memoryview(self._decode(self._cut(file, buffer, n_blocks, first, last)))
        skipped = first * buffer.block_bytes
        return blocks[start - skipped : stop - skipped]

    def _whole(self, file: BinaryIO, path: Path, buffer: _Buffer) -> bytes:
        with self._lock:
            if self._last is None or self._last[:2] != (path, buffer.offset):
                self._last = None
                file.seek(buffer.offset)
                decoded = self._decode2(file.read(buffer.stored_bytes))
                self._last = (path, buffer.offset, decoded)
            return self._last[2]

    def _cut(self, file: BinaryIO, buffer: _Buffer, n_blocks: int, first: int, last: int) -> bytes:
        """Return a buffer of some of the blocks, which may lie in any order."""
        file.seek(buffer.offset + _HEADER.size)
        starts = struct.unpack(f"<{n_blocks}I", file.read(4 * n_blocks))
        ordered = sorted(set(starts))
        head = _HEADER.size + 4 * n_blocks
        if len(ordered) < n_blocks or ordered[0] < head or ordered[-1] >= buffer.stored_bytes:
            raise ValueError("its blocks do not lie within it")
        bounds = dict(zip(ordered, [*ordered[1:], buffer.stored_bytes], strict=True))
        places, blocks, at = [], [], _HEADER.size + 4 * (last - first)
        for start in starts[first:last]:
            file.seek(buffer.offset + start)
            block = file.read(bounds[start] - start)
            places.append(at)
            blocks.append(block)
            at += len(block)
        n_bytes = min(buffer.n_bytes, last * buffer.block_bytes) - first * buffer.block_bytes
        header = _HEADER.pack(*buffer.head, n_bytes, buffer.block_bytes, at)
        return b"".join((header, struct.pack(f"<{len(places)}I", *places), *blocks))

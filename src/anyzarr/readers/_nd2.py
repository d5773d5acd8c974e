"""Nikon ND2 files: each position an image."""

from __future__ import annotations

import itertools
import math
import os
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr._optional import require
from anyzarr._pyramid import Region
from anyzarr.errors import AnyzarrError, UnsupportedError
from anyzarr.ome import Channel
from anyzarr.readers._axis_map import AxisMap, map_given, map_named
from anyzarr.readers._calibration import Calibration, add_size, described, rgb_channels
from anyzarr.readers._damage import unreadable
from anyzarr.readers._image_list import ImageList
from anyzarr.readers._source import ImageSource, ReaderKind, SourceImage
from anyzarr.readers._stored import StoredArray
from anyzarr.readers._well_names import spots_of_names

__all__ = ["ND2", "open_nd2"]

_MAGICS = (b"\xda\xce\xbe\x0a", b"\x00\x00\x00\x0cjP  \r\n\x87\n")
_MOST_DEFLATED = 1100  # zlib makes of a byte 1032 at most
_MOST_ABSENT = 1000  # per plane that is there: more is no acquisition that was stopped
_PIXELS = 4096  # from the start of a frame's chunk: its header and name, and the time it was taken


@dataclass(frozen=True, slots=True)
class _Frames:
    """The frames of a file: planes with all their channels, one value beside the other.

    Attributes
    ----------
    path
        Of the file.
    shape
        Rows, columns, channels.
    dtype
        Of values.
    row_bytes
        From a row to the next.
    offsets
        Where the chunk of each frame begins.
    is_deflated
        Whether frames are compressed by zlib.
    """

    path: Path
    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    row_bytes: int
    offsets: Mapping[int, int]
    is_deflated: bool

    def read(self, number: int, y: slice, x: slice, c: slice) -> npt.NDArray[Any] | None:
        """Return part of a frame, or None if it was never taken."""
        if number not in self.offsets:
            return None
        offset = self.offsets[number]
        n_bytes = self._chunk_bytes(number, offset)
        n = self.shape[2]
        values = slice(x.start * n, x.stop * n)
        if self.is_deflated:
            found = self._inflated(number, offset, n_bytes)[y, values]
        else:
            row = self.row_bytes // self.dtype.itemsize
            stored = StoredArray(self.path, offset + _PIXELS, self.dtype, (self.shape[0], row))
            found = stored.read((y, values))
        return found.reshape(found.shape[0], -1, n)[..., c]

    def _chunk_bytes(self, number: int, offset: int) -> int:
        """Return the size of a chunk's data; refuse an offset where another thing lies."""
        name = f"ImageDataSeq|{number}!".encode()
        with self.path.open("rb", buffering=0) as file:
            file.seek(offset)
            header = file.read(16 + len(name))
            size = file.seek(0, os.SEEK_END)
        n_bytes = int.from_bytes(header[8:16], "little")
        if header[:4] != _MAGICS[0] or header[16:] != name or n_bytes > size - offset:
            raise _broken(self.path, f"its frame {number} is not at byte {offset}")
        return n_bytes

    def _inflated(self, number: int, offset: int, n_bytes: int) -> npt.NDArray[Any]:
        size = self.shape[0] * self.row_bytes
        with self.path.open("rb", buffering=0) as file, _errors_named(self.path):
            file.seek(offset + _PIXELS)
            stream = zlib.decompressobj()
            data = stream.decompress(file.read(n_bytes - 8), size + 1)
        if len(data) != size or not stream.eof:  # at its end is a checksum
            raise _broken(
                self.path, f"its frame {number} decompresses to {len(data)} bytes, and not {size}"
            )
        rows = np.frombuffer(data, np.uint8).reshape(self.shape[0], self.row_bytes)
        return rows.view(self.dtype)


@dataclass(frozen=True, slots=True)
class _OldFrames:
    """The frames of a file of before 2008, which are JPEG 2000 and decoded by nd2.

    Attributes
    ----------
    file
        An open ``nd2.ND2File``.
    path, shape, dtype
        As of :class:`_Frames`.
    """

    file: Any
    path: Path
    shape: tuple[int, int, int]
    dtype: np.dtype[Any]

    def read(self, number: int, y: slice, x: slice, c: slice) -> npt.NDArray[Any]:
        """Return part of a frame."""
        with _errors_named(self.path):
            frame = np.asarray(self.file._rdr.read_frame(number)).reshape(self.shape)
        return frame[y, x, c]


@dataclass(frozen=True, slots=True)
class _Position:
    """One position as an image.

    Attributes
    ----------
    frames
        All frames of the file.
    number
        Returns the number of a frame by its indices along the first axes of the array.
    """

    frames: _Frames | _OldFrames
    number: Callable[..., int]
    axis_map: AxisMap
    description: SourceImage

    def read(self, region: Region) -> npt.NDArray[Any]:
        """Return the elements of a region, in the order of the image's axes."""
        return self.axis_map.read(region, self._stored, self.description.dtype)

    def _stored(self, region: Region) -> npt.NDArray[Any]:
        *outer, y, x, c = region
        out = np.zeros([s.stop - s.start for s in region], self.description.dtype)
        for index in itertools.product(*(range(s.start, s.stop) for s in outer)):
            part = self.frames.read(self.number(*index), y, x, c)
            if part is not None:
                out[tuple(i - s.start for i, s in zip(index, outer, strict=True))] = part
        return out


def open_nd2(path: Path, *, axes: str | None = None) -> ImageSource:
    """Open the positions of an ND2 file, each an image.

    Parameters
    ----------
    path
        The file.
    axes
        Names of the axes that are longer than 1, slowest first and channels last (``"zyxc"``),
        where those of the file are not to be what they are.

    Raises
    ------
    CorruptDataError
        It is no ND2 file, or is cut off.
    UnsupportedError
        It is compressed with loss, or has axes without counterpart.
    MetadataError
        The axes do not fit.
    MissingDependencyError
        nd2 is not installed.
    """
    nd2 = require("nd2", extra="nd2", purpose="Reading ND2 files")
    with _errors_named(path):
        opened = nd2.ND2File(path)
    is_kept = False
    try:
        with _errors_named(path):
            source = _source(opened, path, axes)
        is_kept = source.on_close is not None
        return source
    finally:
        if not is_kept:
            opened.close()


def _source(opened: Any, path: Path, axes: str | None) -> ImageList:
    frames = _frames(opened, path)
    outer = {name: n for name, n in opened.sizes.items() if name not in "CYXS"}
    n_frames = math.prod(outer.values())
    notes = []
    if isinstance(frames, _Frames):
        absent = n_frames - sum(number < n_frames for number in frames.offsets)
        if absent > _MOST_ABSENT * len(frames.offsets):
            raise ValueError(f"{absent} of its {n_frames} planes are not in it")
        if absent:
            notes.append(f"{absent} of {n_frames} planes were never taken, and read as zero")
    n_positions = outer.get("P", 1)
    places = _places(opened)
    spots = spots_of_names([name for name, _ in places])
    rest = [name for name in outer if name != "P"]
    shape = (*(outer[name] for name in rest), *frames.shape)
    axis_map = map_given(axes, shape) if axes else _axis_map(opened, "".join(rest), shape)
    calibration = _calibration(opened)
    images = []
    for position in range(n_positions):
        known = calibration
        if position < len(places):
            name, origin = places[position]
            spot = spots[position] if len(places) == n_positions else None
            known = replace(calibration, name=name, origin=origin, spot=spot)
        about = described(
            axis_map, frames.dtype, known, attributes=_attributes(opened), warnings=notes
        )
        number = partial(_number, tuple(outer.items()), position)
        images.append(_Position(frames, number, axis_map, about))
        notes = []
    if isinstance(frames, _OldFrames):  # of which nd2 makes no OME-XML
        return ImageList(images, (path,), {}, opened.close)
    return ImageList(images, (path,), partial(_documents, path))


def _number(outer: tuple[tuple[str, int], ...], position: int, *index: int) -> int:
    """Return the number of a frame: as all loops count, the first one slowest."""
    rest = iter(index)
    number = 0
    for name, n in outer:
        number = number * n + (position if name == "P" else next(rest))
    return number


def _frames(opened: Any, path: Path) -> _Frames | _OldFrames:
    about = opened.attributes
    shape = int(about.heightPx), int(about.widthPx or 0), int(about.componentCount)
    dtype = np.dtype(opened.dtype)
    if opened.is_legacy:
        return _OldFrames(opened, path, shape, dtype)
    if about.compressionType == "lossy":
        raise UnsupportedError(
            f"{str(path)!r} is compressed with loss, in a way that is not known; save it without "
            "compression in NIS-Elements"
        )
    row_bytes = int(about.widthBytes or 0)
    if min(shape) < 1 or row_bytes < shape[1] * shape[2] * dtype.itemsize:
        raise ValueError(f"its frames are of shape {shape}, in rows of {row_bytes} bytes")
    if row_bytes % dtype.itemsize:
        raise ValueError(f"its rows of {row_bytes} bytes are no whole number of {dtype} values")
    is_deflated = about.compressionType is not None
    # nd2 gives the place of the pixels.
    offsets = {n: at - _PIXELS for n, at in opened._rdr._frame_offsets.items()}
    if is_deflated and shape[0] * row_bytes > _MOST_DEFLATED * path.stat().st_size:
        raise ValueError(f"its frames of shape {shape} are more than the file can hold")
    needed = _PIXELS + (0 if is_deflated else shape[0] * row_bytes)
    size = path.stat().st_size
    for number, at in offsets.items():
        if not 0 <= at <= size - needed:
            raise ValueError(f"its frame {number} is to be at byte {at}, and it holds {size}")
    return _Frames(path, shape, dtype, row_bytes, offsets, is_deflated)


def _axis_map(opened: Any, outer: str, shape: tuple[int, ...]) -> AxisMap:
    """Return the axes of a position: its loops, rows, columns and the values of a pixel."""
    if "c" in outer.lower():
        raise UnsupportedError(
            f"it has loops {outer!r}, one of them over channels; name its axes with axes="
        )
    named = any(channel.channel.name for channel in opened.metadata.channels or ())
    keep = "cyx" if named and not opened.is_rgb else "yx"
    return map_named(f"{outer}YXC", shape, keep=keep)


def _places(opened: Any) -> list[tuple[str, dict[str, float]]]:
    """Return name and stage position of each position, in micrometres."""
    for loop in opened.experiment:
        if loop.type == "XYPosLoop":
            return [
                (
                    point.name or f"Position {i}",
                    {"X": float(point.stagePositionUm.x), "Y": float(point.stagePositionUm.y)},
                )
                for i, point in enumerate(loop.parameters.points)
            ]
    return []


def _calibration(opened: Any) -> Calibration:
    sizes: dict[str, tuple[float, str | None]] = {}
    channels = list(opened.metadata.channels or ())
    if channels:
        volume = channels[0].volume
        known = zip("XYZ", volume.axesCalibration, volume.axesCalibrated, strict=True)
        for letter, size, is_known in known:
            if is_known:
                add_size(sizes, letter, size, "micrometer")
    for loop in opened.experiment:
        if loop.type == "TimeLoop":
            measured = loop.parameters.periodDiff.avg
            add_size(sizes, "T", (measured or loop.parameters.periodMs) / 1000, "second")
    if opened.is_rgb and len(channels) == 1:
        return Calibration(None, sizes, rgb_channels(opened.components_per_channel), True)
    found = tuple(Channel(c.channel.name or None, _color(c.channel.color)) for c in channels)
    return Calibration(None, sizes, found)


def _color(color: Any) -> str:
    return f"{color.r:02X}{color.g:02X}{color.b:02X}"


def _attributes(opened: Any) -> dict[str, Any]:
    """Return what else the file says, in short; all of it is in the OME-XML."""
    return {"nd2": {str(key): str(text) for key, text in opened.text_info.items()}}


def _documents(path: Path) -> dict[str, bytes]:
    nd2 = require("nd2", extra="nd2", purpose="Reading ND2 files")
    with nd2.ND2File(path) as opened:
        return {"OME/METADATA.ome.xml": opened.ome_metadata().to_xml().encode()}


_BROKEN = (
    ValueError, TypeError, KeyError, IndexError, EOFError, OSError, struct.error, zlib.error,
    ArithmeticError, UnboundLocalError, AttributeError,  # nd2's, for a file unlike all it knows
)  # fmt: skip
_broken = partial(unreadable, what="ND2")


@contextmanager
def _errors_named(path: Path) -> Iterator[None]:
    """Name the file in what nd2 raises where it is broken."""
    try:
        yield
    except AnyzarrError:
        raise
    except _BROKEN as error:
        if isinstance(error, PermissionError | FileNotFoundError):
            raise
        raise _broken(path, str(error)) from error


ND2 = ReaderKind("ND2", (".nd2",), _MAGICS[:1], open_nd2)
"""The format, for the registry."""

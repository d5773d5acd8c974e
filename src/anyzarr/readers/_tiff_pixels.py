"""Reading regions of a TIFF series without decoding more than they touch.

A series is either one run of raw samples in the file, or pages cut into
strips or tiles, of which those that meet the region are read and decoded. This needs neither
the whole image nor zarr-python, and works from several threads.
"""

from __future__ import annotations

import itertools
import math
import os
import struct
import threading
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from anyzarr import _parallel
from anyzarr._optional import require
from anyzarr._pyramid import Region
from anyzarr.errors import CorruptDataError, StoreError, UnsupportedError
from anyzarr.readers._stored import StoredArray

__all__ = ["SeriesPixels", "pixels_of"]

_DECODE_ERRORS = (
    ValueError, RuntimeError, NotImplementedError, IndexError, KeyError, TypeError,
    AttributeError, struct.error, zlib.error, ArithmeticError,
)  # fmt: skip


class SeriesPixels(Protocol):
    """The pixels of a series, in the order of its own axes."""

    def read(self, region: Region) -> npt.NDArray[Any]: ...
    def close(self) -> None: ...


def pixels_of(tiff: Any, series: Any) -> SeriesPixels:
    """Return the pixels of a series of an open ``tifffile.TiffFile``.

    Raises
    ------
    CorruptDataError
        The file is shorter than its pixels.
    UnsupportedError
        Its pixels cannot be read region by region.
    """
    if getattr(series, "transform", None) is not None:
        raise UnsupportedError(
            f"the {series.kind or 'TIFF'} images of {tiff.filename!r} must be computed from their "
            "pages as a whole, which is not possible; save them as OME-TIFF first"
        )
    if series.dataoffset is not None and not series.is_multifile:
        return _StoredPixels(tiff, series)
    if series.keyframe.dtype is None:
        raise UnsupportedError(f"the pixel type of {tiff.filename!r} cannot be read by tifffile")
    return _PagedPixels(tiff, series)


class _StoredPixels:
    """Samples that lie in the file as they do in memory."""

    def __init__(self, tiff: Any, series: Any) -> None:
        path = Path(_path_of(tiff))
        dtype = np.dtype(series.dtype).newbyteorder(tiff.byteorder)
        self._array = StoredArray(path, series.dataoffset, dtype, tuple(series.shape))
        self._array.require_bytes(path.stat().st_size)
        self._native = np.dtype(series.dtype).newbyteorder("=")

    def read(self, region: Region) -> npt.NDArray[Any]:
        return self._array.read(region).astype(self._native, copy=False)

    def close(self) -> None:
        """There is nothing open."""


class _PagedPixels:
    """Pages of strips or tiles. A page may be absent: its pixels are then zero."""

    def __init__(self, tiff: Any, series: Any) -> None:
        self._series = series
        self._filename = _path_of(tiff)
        self._tifffile = require("tifffile", extra="images")
        keyframe = series.keyframe
        if keyframe.compression != 1 or keyframe.predictor != 1:
            require("imagecodecs", extra="images", purpose="Reading compressed TIFF files")
        # tifffile loads pages and tags when they are first asked for, with the file's one
        # position: whatever may read the file does so under this lock, and its own.
        self._lock = threading.RLock()
        self._opened: list[Any] = []
        tiff.filehandle.set_lock(True)
        self._keyframe = keyframe
        self._shape5 = _normalised_shape(keyframe)
        self._n_leading = self._count_leading()
        self._native = np.dtype(series.dtype).newbyteorder("=")

    def _count_leading(self) -> int:
        """Return how many axes of the series number its pages; the rest lie within a page."""
        shape, n_pages = self._series.shape, len(self._series.pages)
        page_size = math.prod(self._shape5)
        for n in range(len(shape), -1, -1):
            if math.prod(shape[:n]) == n_pages and math.prod(shape[n:]) == page_size:
                return n
        raise UnsupportedError(
            f"{self._filename!r} has {n_pages} pages of shape {self._keyframe.shape}, which do not "
            f"make up an image of shape {tuple(shape)}"
        )

    def read(self, region: Region) -> npt.NDArray[Any]:
        n = self._n_leading
        leading, within = region[:n], region[n:]
        page_region = self._page_region(within)
        shape = tuple(s.stop - s.start for s in region)
        out = np.zeros(shape, self._native)
        pages = itertools.product(*(range(s.start, s.stop) for s in leading))
        targets = out.reshape(-1, *(s.stop - s.start for s in page_region))
        for target, index in zip(targets, pages, strict=True):
            number = _ravel(index, self._series.shape[:n])
            with self._lock:
                page = self._series.pages[number]
            if page is not None:
                self._read_page(page, page_region, target, number)
        return out

    def _page_region(self, within: Region) -> Region:
        """Return a region of a page as one of (sample plane, depth, length, width, sample)."""
        sizes = self._series.shape[self._n_leading :]
        parts = [s for s, n in zip(within, sizes, strict=True) if n > 1]
        extents = [n for n in sizes if n > 1]
        if extents != [n for n in self._shape5 if n > 1]:
            raise UnsupportedError(
                f"{self._filename!r} has pages of shape {self._keyframe.shape} in an order that is "
                f"not that of its axes {self._series.axes!r}"
            )
        rest = iter(parts)
        return tuple(next(rest) if n > 1 else slice(0, 1) for n in self._shape5)

    def _read_page(self, page: Any, region: Region, target: npt.NDArray[Any], number: int) -> None:
        with self._lock:
            keyframe = page.keyframe if page.keyframe is not None else self._keyframe
            decode = keyframe.decode
            options: dict[str, Any] = {}
            if keyframe.compression in {6, 7, 34892, 33007}:  # the JPEGs share tables
                options = {"jpegtables": page.jpegtables, "jpegheader": keyframe.jpegheader}

        def one(index: int) -> None:
            try:
                data = self._encoded(page, index)
                segment, place, shape = decode(data, index, **options)
            except (*_DECODE_ERRORS, self._tifffile.TiffFileError) as error:
                raise CorruptDataError(
                    f"part {index} of page {number} of {self._filename!r} cannot be decoded: "
                    f"{error}",
                    key=self._filename,
                    chunk_coords=(number, index),
                ) from error
            if segment is not None:
                _copy_overlap(segment, place, shape, region, target)

        _parallel.for_each(one, self._segments(keyframe, region))

    def _segments(self, keyframe: Any, region: Region) -> list[int]:
        """Return the numbers of the strips or tiles that meet a region."""
        sizes = self._shape5[:4]
        if keyframe.is_tiled:
            unit = (1, keyframe.tiledepth, keyframe.tilelength, keyframe.tilewidth)
        else:
            rows = min(keyframe.rowsperstrip or sizes[2], sizes[2])
            unit = (1, 1, max(1, rows), sizes[3])
        grid = tuple(-(-n // u) for n, u in zip(sizes, unit, strict=True))
        touched = (
            range(s.start // u, -(-s.stop // u)) for s, u in zip(region[:4], unit, strict=True)
        )
        return [_ravel(cell, grid) for cell in itertools.product(*touched)]

    def _encoded(self, page: Any, index: int) -> bytes | None:
        if index >= len(page.dataoffsets) or not page.databytecounts[index]:
            return None
        handle = page.parent.filehandle
        with self._lock, handle.lock:
            try:
                if handle.closed:  # a further file of a data set in several
                    handle.open()
                    self._opened.append(handle)
                handle.seek(page.dataoffsets[index])
                data: bytes = handle.read(page.databytecounts[index])
            except OSError as error:
                raise StoreError(
                    f"cannot read {self._filename!r}: {error.strerror or error}", key=self._filename
                ) from error
        if len(data) != page.databytecounts[index]:
            raise ValueError(
                f"the file ends after {len(data)} of its {page.databytecounts[index]} bytes"
            )
        return data

    def close(self) -> None:
        for handle in self._opened:
            handle.close()


def _path_of(tiff: Any) -> str:
    handle = tiff.filehandle
    return os.path.join(str(handle.dirname), str(handle.name))  # noqa: PTH118


def _normalised_shape(keyframe: Any) -> tuple[int, int, int, int, int]:
    """Return (separate sample planes, depth, length, width, samples of a pixel)."""
    samples = keyframe.samplesperpixel
    separate = keyframe.planarconfig == 2 and samples > 1
    return (
        samples if separate else 1,
        keyframe.imagedepth,
        keyframe.imagelength,
        keyframe.imagewidth,
        1 if separate else samples,
    )


def _ravel(index: Sequence[int], shape: Sequence[int]) -> int:
    result = 0
    for i, n in zip(index, shape, strict=True):
        result = result * n + i
    return result


def _copy_overlap(
    segment: npt.NDArray[Any],
    place: Sequence[int],
    shape: Sequence[int],
    region: Region,
    target: npt.NDArray[Any],
) -> None:
    """Copy what a segment and a region share. ``place`` is where the segment is in the page."""
    plane = place[0] - region[0].start
    source: list[slice] = []
    inside: list[slice] = []
    starts = (*place[1:4], 0)
    for start, extent, wanted in zip(starts, shape, region[1:], strict=True):
        low, high = max(start, wanted.start), min(start + extent, wanted.stop)
        if low >= high:
            return
        source.append(slice(low - start, high - start))
        inside.append(slice(low - wanted.start, high - wanted.start))
    target[(plane, *inside)] = segment[tuple(source)]

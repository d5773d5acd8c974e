"""TIFF images: OME-TIFF, ImageJ hyperstacks, RGB and plain stacks."""

from __future__ import annotations

import functools
import struct
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy.typing as npt

from anyzarr._optional import require
from anyzarr._pyramid import Region
from anyzarr.errors import CorruptDataError, StoreError
from anyzarr.ome import Channel
from anyzarr.readers._axis_map import AxisMap
from anyzarr.readers._calibration import RGB_CHANNELS, Calibration, described, rgb_channels
from anyzarr.readers._mmstack import is_stack, open_mmstack
from anyzarr.readers._ndtiff import open_ndtiff
from anyzarr.readers._ndtiff_index import is_ndtiff_file
from anyzarr.readers._source import ImageSource, ReaderKind, SourceImage
from anyzarr.readers._tiff_axes import map_axes
from anyzarr.readers._tiff_chain import check_chain
from anyzarr.readers._tiff_metadata import (
    OmeXml,
    from_aperio,
    from_imagej,
    from_resolution,
)
from anyzarr.readers._tiff_pixels import SeriesPixels, pixels_of
from anyzarr.readers._tiff_set import require_set

__all__ = ["TIFF", "open_tiff"]


class _TiffImage:
    """One series of a file as an image; its pixels are opened when they are first read.

    Parameters
    ----------
    tiff, series
        Of tifffile.
    axis_map
        From the axes of the series to the image's.
    description
        What is known of the image.
    """

    def __init__(self, tiff: Any, series: Any, axis_map: AxisMap, description: SourceImage) -> None:
        self._tiff = tiff
        self._series = series
        self._map = axis_map
        self.description = description
        self._pixels: SeriesPixels | None = None
        self._lock = threading.Lock()

    def read(self, region: Region) -> npt.NDArray[Any]:
        """Return the elements of a region, in the order of the image's axes."""
        return self._map.read(region, self._opened().read, self.description.dtype)

    def _opened(self) -> SeriesPixels:
        with self._lock:
            if self._pixels is None:
                self._pixels = pixels_of(self._tiff, self._series)
            return self._pixels

    def close(self) -> None:
        """Close what was opened for its pixels."""
        if self._pixels is not None:
            self._pixels.close()


class TiffSource:
    """The images of a TIFF file, or of the set of files that it is one of.

    Parameters
    ----------
    tiff
        An open ``tifffile.TiffFile``, which this takes over.
    path
        Of the file.
    axes
        Names of the axes longer than 1, where the file does not name them.
    """

    def __init__(self, tiff: Any, path: Path, axes: str | None) -> None:
        self._tiff = tiff
        self._path = path
        self._axes = axes
        self._all_series = list(tiff.series)
        if not self._all_series:
            raise CorruptDataError(f"{str(path)!r} holds no image", key=str(path))
        self._images: dict[int, _TiffImage] = {}

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._all_series)

    def image(self, index: int) -> SourceImage:
        """Return what the file says about an image."""
        return self._image(index).description

    @property
    def files(self) -> Sequence[Path]:
        """The file, and the others of its set."""
        found = {self._path}
        for series in self._all_series:
            if series.is_multifile:
                found |= {Path(page.parent.filehandle.path) for page in series.pages if page}
        return sorted(found)

    @property
    def documents(self) -> Mapping[str, bytes]:
        """The OME-XML as it stands in the file, where bioformats2raw and its readers have it."""
        text = self._tiff.ome_metadata if self._tiff.is_ome else None
        return {} if text is None else {"OME/METADATA.ome.xml": text.encode()}

    def read(self, index: int, region: Region) -> npt.NDArray[Any]:
        """Return the elements of a region of an image."""
        return self._image(index).read(region)

    def close(self) -> None:
        """Close the file."""
        for image in self._images.values():
            image.close()
        self._tiff.close()

    def _image(self, index: int) -> _TiffImage:
        if index not in self._images:
            self._images[index] = self._describe(index)
        return self._images[index]

    def _describe(self, index: int) -> _TiffImage:
        series = self._all_series[index]
        warnings: list[str] = []
        calibration = self._calibration(index, warnings)
        axis_map = map_axes(series, self._axes, calibration, warnings)
        _warn_about_pages(series, warnings)
        is_extra = index > 0 and bool(self._tiff.is_svs) and series.name != "Baseline"
        image = _describe(series, axis_map, calibration)
        name = series.name if is_extra else image.name
        image = replace(image, name=name, is_extra=is_extra, warnings=tuple(warnings))
        return _TiffImage(self._tiff, series, axis_map, image)

    @functools.cached_property
    def _ome_xml(self) -> OmeXml:
        return OmeXml(self._tiff.ome_metadata)

    def _calibration(self, index: int, warnings: list[str]) -> Calibration:
        tiff, page = self._tiff, self._all_series[index].keyframe
        if tiff.is_ome and tiff.ome_metadata:
            try:
                return self._ome_xml.calibration(index)
            except ValueError as error:
                warnings.append(f"the OME-XML in the file was not used: {error}")
        elif tiff.is_imagej and tiff.imagej_metadata:
            return from_imagej(tiff.imagej_metadata, page)
        elif tiff.is_svs and index == 0:
            return from_aperio(page.description)
        return from_resolution(page)


def open_tiff(path: Path, *, axes: str | None = None) -> ImageSource:
    """Open a TIFF file.

    Parameters
    ----------
    path
        The file.
    axes
        Names of the axes that are longer than 1, in the file's order, such as ``"tzyx"``,
        where the file does not name them, or wrongly.

    Raises
    ------
    CorruptDataError
        It is no TIFF file, or a broken one.
    NodeNotFoundError
        Files of the set that it is one of are missing.
    MissingDependencyError
        tifffile or imagecodecs are not installed.
    """
    if is_ndtiff_file(path):
        return open_ndtiff(path.parent, axes=axes)
    if is_stack(path):
        return open_mmstack(path, axes=axes)
    tifffile = require("tifffile", extra="images", purpose="Reading TIFF files")
    try:
        tiff = tifffile.TiffFile(path)
    except (tifffile.TiffFileError, struct.error) as error:  # the latter: of a header cut off
        raise CorruptDataError(
            f"{str(path)!r} cannot be read as TIFF: {error}; get a whole copy of the file",
            key=str(path),
        ) from error
    except OSError as error:
        raise StoreError(
            f"cannot open {str(path)!r}: {error.strerror or error}", key=str(path)
        ) from error
    try:
        # NDPI has offsets of its own; LSM files beyond 4 GiB have offsets that wrap.
        if not (tiff.is_ndpi or tiff.is_lsm):
            check_chain(path)
        if tiff.is_ome and tiff.ome_metadata:
            require_set(tiff.ome_metadata, path)
        return TiffSource(tiff, path, axes)
    except BaseException:
        tiff.close()
        raise


TIFF = ReaderKind(
    "tiff",
    (".tif", ".tiff", ".tf2", ".tf8", ".btf"),
    (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    open_tiff,
)


def _warn_about_pages(series: Any, warnings: list[str]) -> None:
    absent = sum(page is None for page in series.pages)
    if absent:
        warnings.append(
            f"{absent} of {len(series.pages)} planes are missing from the file and read as zero"
        )
    if series.keyframe.colormap is not None:
        warnings.append("the pixels are numbers of colours in a palette, which was not applied")


def _describe(series: Any, axis_map: AxisMap, calibration: Calibration) -> SourceImage:
    channels, windows = _channels(series, axis_map, calibration)
    known = replace(calibration, channels=channels, windows_are_known=windows)
    return replace(described(axis_map, series.dtype, known), block=_block(series, axis_map))


def _block(series: Any, axis_map: AxisMap) -> tuple[int, ...] | None:
    """Return the shape of a tile or strip, where it must be decoded whole."""
    page = series.keyframe
    if page.compression == 1 and not page.is_tiled:
        return None
    rows = page.tilelength if page.is_tiled else page.rowsperstrip or page.imagelength
    inside = {
        "z": page.tiledepth if page.is_tiled and page.imagedepth > 1 else 1,
        "y": rows,
        "x": page.tilewidth if page.is_tiled else page.imagewidth,
    }
    sizes = zip(axis_map.names, axis_map.shape, strict=True)
    return tuple(max(1, min(inside.get(name, 1), n)) for name, n in sizes)


def _channels(
    series: Any, axis_map: AxisMap, calibration: Calibration
) -> tuple[tuple[Channel, ...] | None, bool]:
    """Return what is known of the channels, and whether their windows are to be kept."""
    if "c" not in axis_map.names:
        return None, False
    index = axis_map.names.index("c")
    n = axis_map.shape[index]
    source = axis_map.sources[index]
    letters = [series.axes[i] for i in source]
    if letters == ["S"] and n in {3, 4}:
        return rgb_channels(n), True
    known = calibration.channels
    samples = series.shape[source[-1]] if source else 1
    if known is not None and letters == ["C", "S"] and samples <= 4 and len(known) * samples == n:
        return tuple(_sample_of(channel, i) for channel in known for i in range(samples)), False
    if known is not None and len(known) == n:
        return known, calibration.windows_are_known
    return None, False


def _sample_of(channel: Channel, index: int) -> Channel:
    label, color = RGB_CHANNELS[index]
    return Channel(label if channel.label is None else f"{channel.label} {label}", color)

"""TIFF images: OME-TIFF, ImageJ hyperstacks, RGB and plain stacks."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr._convert._source import ImageReader, ReaderKind, SourceImage, refuse_series
from anyzarr._convert._tiff_chain import check_chain
from anyzarr._convert._tiff_metadata import (
    Calibration,
    from_imagej,
    from_ome_xml,
    from_resolution,
)
from anyzarr._convert._tiff_pixels import SeriesPixels, pixels_of
from anyzarr._optional import require
from anyzarr._pyramid import Region
from anyzarr.errors import CorruptDataError, MetadataError, StoreError, UnsupportedError
from anyzarr.ome import Axis, Channel, axes_of

__all__ = ["TIFF", "open_tiff"]

_RGB = (("Red", "FF0000"), ("Green", "00FF00"), ("Blue", "0000FF"), ("Alpha", "FFFFFF"))


@dataclass(frozen=True, slots=True)
class _AxisMap:
    """Which axes of a series make up each axis of the image.

    Attributes
    ----------
    names
        Axes of the image in OME-Zarr's order.
    sources
        Per axis of the image, the numbers of the axes of the series it is made of: one as a
        rule, several where they are run together to channels (samples, filters, …).
    sizes
        Shape of the series.
    """

    names: tuple[str, ...]
    sources: tuple[tuple[int, ...], ...]
    sizes: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the image."""
        return tuple(math.prod(self.sizes[i] for i in source) for source in self.sources)


class TiffReader:
    """One image of a TIFF file.

    Parameters
    ----------
    tiff
        An open ``tifffile.TiffFile``, which this takes over.
    pixels
        Of the series, in its own order of axes.
    axis_map
        From the axes of the series to the image's.
    image
        What is known of the image.
    """

    def __init__(
        self, tiff: Any, pixels: SeriesPixels, axis_map: _AxisMap, image: SourceImage
    ) -> None:
        self._tiff = tiff
        self._pixels = pixels
        self._map = axis_map
        self._image = image

    @property
    def image(self) -> SourceImage:
        """What the file says about the image."""
        return self._image

    def read(self, region: Region) -> npt.NDArray[Any]:
        """Return the elements of a region, in the order of the image's axes."""
        merged = [i for i, source in enumerate(self._map.sources) if len(source) > 1]
        if not merged:
            return self._read_plain(region)
        # Axes run together have no slices of their own: one index after the other.
        out = np.empty(tuple(s.stop - s.start for s in region), self._image.dtype)
        for index in itertools.product(*(range(region[i].start, region[i].stop) for i in merged)):
            part = list(region)
            place: list[slice] = [slice(None)] * len(region)
            for axis, i in zip(merged, index, strict=True):
                part[axis] = slice(i, i + 1)
                place[axis] = slice(i - region[axis].start, i - region[axis].start + 1)
            out[tuple(place)] = self._read_plain(tuple(part))
        return out

    def _read_plain(self, region: Region) -> npt.NDArray[Any]:
        wanted = [slice(0, 1)] * len(self._map.sizes)
        for part, source in zip(region, self._map.sources, strict=True):
            if len(source) == 1:
                wanted[source[0]] = part
            elif source:
                sizes = tuple(self._map.sizes[i] for i in source)
                for axis, i in zip(source, np.unravel_index(part.start, sizes), strict=True):
                    wanted[axis] = slice(int(i), int(i) + 1)
        values = self._pixels.read(tuple(wanted))
        first = [source[0] for source in self._map.sources if source]
        rest = [i for i in range(len(wanted)) if i not in first]
        moved = values.transpose(*first, *rest)
        return moved.reshape(tuple(s.stop - s.start for s in region))

    def close(self) -> None:
        """Close the file."""
        self._pixels.close()
        self._tiff.close()


def open_tiff(path: Path, *, series: int | None = None, axes: str | None = None) -> ImageReader:
    """Open one image of a TIFF file.

    Parameters
    ----------
    path
        The file.
    series
        The number of the image in it; None: the first.
    axes
        Names of the axes that are longer than 1, in the file's order, such as ``"tzyx"``,
        where the file does not name them, or wrongly.

    Raises
    ------
    CorruptDataError
        It is no TIFF file, or a broken one.
    UnsupportedError
        There is no such image in it, or it cannot be read region by region.
    MissingDependencyError
        tifffile or imagecodecs are not installed.
    """
    tifffile = require("tifffile", extra="images", purpose="Reading TIFF files")
    try:
        tiff = tifffile.TiffFile(path)
    except tifffile.TiffFileError as error:
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
        return _reader(tiff, path, series, axes)
    except BaseException:
        tiff.close()
        raise


TIFF = ReaderKind(
    "tiff",
    (".tif", ".tiff", ".tf2", ".tf8", ".btf"),
    (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    open_tiff,
)


def _reader(tiff: Any, path: Path, number: int | None, axes: str | None) -> TiffReader:
    all_series = tiff.series
    if not all_series:
        raise CorruptDataError(f"{str(path)!r} holds no image", key=str(path))
    if number is not None and not 0 <= number < len(all_series):
        raise refuse_series(number, len(all_series), path)
    chosen = number or 0
    series = all_series[chosen]
    warnings: list[str] = []
    if number is None and len(all_series) > 1:
        names = ", ".join(f"{i}: {s.name or 'unnamed'}" for i, s in enumerate(all_series[:8]))
        more = ", …" if len(all_series) > 8 else ""
        warnings.append(
            f"{path.name} holds {len(all_series)} images and only the first was converted; "
            f"convert each of the others with series=N ({names}{more})"
        )
    calibration = _calibration(tiff, series, chosen, warnings)
    axis_map = _map_axes(series, axes, calibration, warnings)
    _warn_about_pages(series, warnings)
    image = _describe(tiff, series, axis_map, calibration)
    pixels = pixels_of(tiff, series)
    return TiffReader(tiff, pixels, axis_map, replace(image, warnings=tuple(warnings)))


def _calibration(tiff: Any, series: Any, number: int, warnings: list[str]) -> Calibration:
    page = series.keyframe
    if tiff.is_ome and tiff.ome_metadata:
        try:
            return from_ome_xml(tiff.ome_metadata, number)
        except ValueError as error:
            warnings.append(f"the OME-XML in the file was not used: {error}")
    elif tiff.is_imagej and tiff.imagej_metadata:
        return from_imagej(tiff.imagej_metadata, page)
    return from_resolution(page)


def _warn_about_pages(series: Any, warnings: list[str]) -> None:
    absent = sum(page is None for page in series.pages)
    if absent:
        warnings.append(
            f"{absent} of {len(series.pages)} planes are missing from the file and read as zero"
        )
    if series.keyframe.colormap is not None:
        warnings.append("the pixels are numbers of colours in a palette, which was not applied")


def _map_axes(
    series: Any, given: str | None, calibration: Calibration, warnings: list[str]
) -> _AxisMap:
    letters, sizes = str(series.axes), tuple(int(n) for n in series.shape)
    long = [i for i, n in enumerate(sizes) if n > 1 or letters[i] in "YX"]
    if given is not None:
        names = _given_names(given, letters, sizes, long)
    else:
        names = _guess_names(letters, long, warnings)
    sources = {name: tuple(i for i in long if names[i] == name) for name in "tczyx"}
    named = calibration.channels and calibration.channels[0].label
    kept = [n for n in "tczyx" if sources[n] or (n == "c" and named)]
    if sources["y"] == () or sources["x"] == ():
        raise UnsupportedError(
            f"an image of axes {letters!r} and shape {sizes} has no plane to make an image of"
        )
    return _AxisMap(tuple(kept), tuple(sources[n] for n in kept), sizes)


def _given_names(
    given: str, letters: str, sizes: Sequence[int], long: Sequence[int]
) -> dict[int, str]:
    names = given.lower()
    if len(names) != len(long) or set(names) - set("tczyx") or len(set(names)) != len(names):
        lengths = ", ".join(f"{letters[i]}={sizes[i]}" for i in long)
        raise MetadataError(
            f"axes={given!r} does not name the {len(long)} axes of the image ({lengths}): give "
            "each one of the letters t, c, z, y, x, in this order"
        )
    return dict(zip(long, names, strict=True))


def _guess_names(letters: str, long: Sequence[int], warnings: list[str]) -> dict[int, str]:
    """Return a name per axis: its own, or z, t or channel for those OME-Zarr does not have."""
    names = {i: letters[i].lower() for i in long if letters[i] in "TCZYX"}
    free = [n for n in "zt" if n not in names.values()]
    for i in long:
        if i in names:
            continue
        if letters[i] == "S":
            names[i] = "c"
            continue
        # I and Q: a sequence of planes the file gives no meaning.
        names[i] = free.pop(0) if letters[i] in "IQ" and free else "c"
        meaning = "z" if names[i] == "z" else "time" if names[i] == "t" else "channels"
        warnings.append(
            f"axis {letters[i]} of the file has no counterpart in OME-Zarr and was taken as "
            f"{meaning}; name the axes with axes= if that is wrong"
        )
    return names


def _describe(tiff: Any, series: Any, axis_map: _AxisMap, calibration: Calibration) -> SourceImage:
    known = [calibration.sizes.get(name.upper()) for name in axis_map.names]
    axes = tuple(
        replace(axis, unit=size[1]) if size is not None and axis.type != "channel" else axis
        for axis, size in zip(axes_of(axis_map.names), known, strict=True)
    )
    scale = tuple(
        size[0] if size is not None and axis.type != "channel" else 1.0
        for axis, size in zip(axes, known, strict=True)
    )
    channels, windows = _channels(series, axes, axis_map, calibration)
    return SourceImage(
        calibration.name,
        axis_map.shape,
        np.dtype(series.dtype).newbyteorder("="),
        axes,
        scale,
        channels,
        windows,
        tiff.ome_metadata if tiff.is_ome else None,
    )


def _channels(
    series: Any, axes: Sequence[Axis], axis_map: _AxisMap, calibration: Calibration
) -> tuple[tuple[Channel, ...] | None, bool]:
    """Return what is known of the channels, and whether their windows are to be kept."""
    index = next((i for i, axis in enumerate(axes) if axis.type == "channel"), None)
    if index is None:
        return None, False
    n = axis_map.shape[index]
    source = axis_map.sources[index]
    letters = [series.axes[i] for i in source]
    if letters == ["S"] and n in {3, 4}:
        return tuple(Channel(label, color) for label, color in _RGB[:n]), True
    known = calibration.channels
    samples = series.shape[source[-1]] if source else 1
    if known is not None and letters == ["C", "S"] and samples <= 4 and len(known) * samples == n:
        return tuple(_sample_of(channel, i) for channel in known for i in range(samples)), False
    if known is not None and len(known) == n:
        return known, calibration.windows_are_known
    return None, False


def _sample_of(channel: Channel, index: int) -> Channel:
    label, color = _RGB[index]
    return Channel(label if channel.label is None else f"{channel.label} {label}", color)

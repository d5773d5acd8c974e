"""Zeiss CZI files: each scene an image, put together from its tiles."""

from __future__ import annotations

import itertools
import math
import struct
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr._optional import require
from anyzarr._pyramid import Region
from anyzarr.errors import MetadataError, UnsupportedError
from anyzarr.ome import Channel
from anyzarr.readers._axis_map import AxisMap, map_named
from anyzarr.readers._calibration import Calibration, described, rgb_channels
from anyzarr.readers._czi_metadata import CziXml
from anyzarr.readers._damage import errors_named
from anyzarr.readers._image_list import ImageList
from anyzarr.readers._source import ImageSource, ReaderKind, SourceImage
from anyzarr.readers._well_names import spots_of_names

__all__ = ["CZI", "open_czi"]

_MAGIC = b"ZISRAWFILE"
_LARGEST_TILE_BYTES = 2 << 30


@dataclass(frozen=True, slots=True)
class _Scene:
    """One scene at full resolution.

    Attributes
    ----------
    czifile
        The module.
    image
        A ``czifile.CziImage`` of all dimensions.
    planes
        The tiles of each plane, in the order they lie over one another, by its coordinates: of
        all dimensions but ``Y``, ``X`` and ``S``.
    path
        Of the file, for errors.
    zoom
        Stored pixels per pixel of the coordinates of tiles along (X, Y): not 1 where tiles are of
        super-resolution (PALM), or of part of it (Airyscan).
    """

    czifile: Any
    image: Any
    planes: Mapping[tuple[int, ...], tuple[Any, ...]]
    path: Path
    zoom: tuple[float, float]
    axis_map: AxisMap
    description: SourceImage

    def read(self, region: Region) -> npt.NDArray[Any]:
        """Return the elements of a region, in the order of the image's axes."""
        with _errors_named(self.path):
            return self.axis_map.read(region, self._stored, self.description.dtype)

    def _stored(self, region: Region) -> npt.NDArray[Any]:
        image = self.image
        dims = image.dims
        out = np.zeros([s.stop - s.start for s in region], self.description.dtype)
        part = dict(zip(dims, region, strict=True))
        start = dict(zip(dims, image.start, strict=True))
        x, y = (slice(start[a] + part[a].start, start[a] + part[a].stop) for a in "XY")
        roi, inner = _area(x, y, self.zoom)
        outer = [i for i, name in enumerate(dims) if name not in "YXS"]
        for index in itertools.product(*(range(region[i].start, region[i].stop) for i in outer)):
            key = tuple(image.start[i] + k for i, k in zip(outer, index, strict=True))
            tiles = tuple(tile for tile in self.planes.get(key, ()) if _overlaps(tile, roi))
            if tiles:
                place: list[Any] = [slice(None)] * len(dims)
                for i, k in zip(outer, index, strict=True):
                    place[i] = slice(k - region[i].start, k - region[i].start + 1)
                plane = self._plane(tiles, roi)[inner]
                samples = part.get("S", slice(None))
                out[tuple(place)] = plane[..., samples] if "S" in dims else plane
        return out

    def _plane(self, tiles: tuple[Any, ...], roi: tuple[int, int, int, int]) -> Any:
        for tile in tiles:
            self._require_tile(tile)
        view = self.czifile.CziImage(
            self.image._parent,
            tiles,
            squeeze=False,
            roi=roi,
            pixeltype=self.image.pixeltype,
            storedsize=self.image.storedsize,
        )
        plane = view.asarray(maxworkers=1)
        dims = "YXS" if "S" in view.dims else "YX"
        return plane.reshape(plane.shape[-len(dims) :])

    def _require_tile(self, tile: Any) -> None:
        """Refuse a tile that is not there, or larger than what is there can be."""
        segment = tile.read_segment_data(self.image._parent)
        if not isinstance(segment, self.czifile.CziSubBlockSegmentData):
            raise ValueError(f"the tile at byte {tile.file_position} is not there")
        left = self.path.stat().st_size - segment.data_offset
        decoded = tile.stored_size * tile.dtype.itemsize
        if not 0 <= segment.data_size <= left or decoded > _LARGEST_TILE_BYTES:
            raise ValueError(
                f"the tile at byte {tile.file_position} is of {segment.data_size} bytes, of which "
                f"{decoded} are to be made, and {left} are there"
            )


def _area(
    x: slice, y: slice, zoom: tuple[float, float]
) -> tuple[tuple[int, int, int, int], tuple[slice, slice]]:
    """Return the area of tiles' coordinates that covers stored pixels, and where they are in it."""
    starts, sizes, inner = [], [], []
    for part, factor in zip((x, y), zoom, strict=True):
        first = math.floor(part.start / factor)
        last = math.ceil(part.stop / factor)
        if factor != 1:
            last += math.ceil(1 / factor)  # as starts and sizes are rounded
        starts.append(first)
        sizes.append(last - first)
        offset = part.start - round(first * factor)
        inner.append(slice(offset, offset + part.stop - part.start))
    return (starts[0], starts[1], sizes[0], sizes[1]), (inner[1], inner[0])


def _overlaps(tile: Any, roi: tuple[int, int, int, int]) -> bool:
    x, y = tile.dims.index("X"), tile.dims.index("Y")
    return bool(
        tile.start[x] < roi[0] + roi[2]
        and roi[0] < tile.start[x] + tile.shape[x]
        and tile.start[y] < roi[1] + roi[3]
        and roi[1] < tile.start[y] + tile.shape[y]
    )


def open_czi(path: Path, *, axes: str | None = None) -> ImageSource:
    """Open the scenes of a CZI file, each an image; pyramids and thumbnails in it are left aside.

    Parameters
    ----------
    path
        The file.
    axes
        Must be None: the file names its axes.

    Raises
    ------
    CorruptDataError
        It is no CZI file, is cut off, or was never closed.
    UnsupportedError
        It has dimensions that OME-Zarr does not have, or is one of several files.
    MetadataError
        Axes were named.
    MissingDependencyError
        czifile is not installed.
    """
    if axes is not None:
        raise MetadataError(f"axes={axes!r}: {str(path)!r} names its axes itself; leave it out")
    czifile = require("czifile", extra="czi", purpose="Reading CZI files")
    if not hasattr(czifile, "CziImage"):
        raise UnsupportedError(
            "reading CZI files needs czifile 2026.3 or newer, and that Python 3.12 or newer; "
            'install it there with: pip install "anyzarr[czi]"'
        )
    with _errors_named(path):
        opened = czifile.CziFile(path, squeeze=False)
    try:
        with _errors_named(path):
            return _source(czifile, opened, path)
    except BaseException:
        opened.close()
        raise


def _source(czifile: Any, opened: Any, path: Path) -> ImageSource:
    opened.set_lock(True)
    if not opened.header.directory_position:
        raise ValueError("it has no directory, so that the program that wrote it never closed it")
    text = opened.metadata()
    xml = CziXml(text)
    scenes = opened.scenes
    images = [_scene(czifile, scenes[number], number, len(scenes), xml, path) for number in scenes]
    spots = spots_of_names([xml.well_name(number) for number in scenes])
    images = [
        replace(image, description=replace(image.description, spot=spot))
        for image, spot in zip(images, spots, strict=True)
    ]
    if not images:
        raise ValueError("it holds no image")
    return ImageList(
        images, (path,), {"OME/METADATA.czi.xml": text.encode()} if text else {}, opened.close
    )


def _scene(czifile: Any, image: Any, number: int, n_scenes: int, xml: CziXml, path: Path) -> _Scene:
    image, zoom, notes = _as_stored(image)
    planes = _planes(image, path)
    sizes = dict(image.sizes)
    n_samples = sizes.get("S", 1)
    axis_map = map_named("".join(image.dims), image.shape, keep="cyx" if xml.has_names else "yx")
    are_colours = n_samples in {3, 4}
    channels = xml.channels(image.dtype)
    if are_colours:
        channels = _colours(n_samples, channels if sizes.get("C", 1) > 1 else None)
    has_windows = all(channel.window is not None for channel in channels or ())
    notes += _notes(image, len(planes), are_colours)
    x, y, _, _ = image.bbox
    factors = dict(zip("XY", zoom, strict=True))
    known = {a: (size / factors.get(a, 1.0), unit) for a, (size, unit) in xml.sizes().items()}
    calibration = Calibration(
        xml.scene_name(number) or (f"Scene {number}" if n_scenes > 1 else None),
        known,
        channels,
        windows_are_known=are_colours or has_windows,
        origin={a: p * known[a][0] for a, p in (("X", x), ("Y", y)) if a in known},
    )
    known_image = described(axis_map, image.dtype, calibration, warnings=notes)
    return _Scene(czifile, image, planes, path, zoom, axis_map, known_image)


def _notes(image: Any, n_planes: int, are_colours: bool) -> list[str]:
    notes = []
    expected = math.prod(n for name, n in dict(image.sizes).items() if name not in "YXS")
    if n_planes < expected:
        notes.append(
            f"{expected - n_planes} of {expected} planes are missing from the file and read as zero"
        )
    kinds = sorted({tile.pixel_type.name for tile in image.directory_entries})
    if len(kinds) > 1:
        notes.append(
            f"channels are of several kinds ({', '.join(kinds)}), and all become {image.dtype}"
            + (" in colours" if are_colours else "")
        )
    return notes


def _colours(n_samples: int, channels: tuple[Channel, ...] | None) -> tuple[Channel, ...]:
    """Return the channels of colours: one for each sample, or each sample of each channel."""
    samples = rgb_channels(n_samples)
    if channels is None:
        return samples
    return tuple(
        replace(sample, label=f"{channel.label or i} {sample.label}")
        for i, channel in enumerate(channels)
        for sample in samples
    )


def _as_stored(image: Any) -> tuple[Any, tuple[float, float], list[str]]:
    """Return an image with its pixels as they are stored, how many to one, and what is to be said.

    Tiles of several resolutions are brought to that of their coordinates.
    """
    ratios = {
        tuple(tile.stored_shape[i] / max(1, tile.shape[i]) for i in map(tile.dims.index, "XY"))
        for tile in image.directory_entries
    }
    if ratios == {(1.0, 1.0)}:
        return image, (1.0, 1.0), []
    if len(ratios) > 1:
        return image, (1.0, 1.0), [
            "tiles are of several resolutions, and all are brought to that of the coordinates"
        ]  # fmt: skip
    x, y = ratios.pop()
    return image(storedsize=True), (x, y), []


def _planes(image: Any, path: Path) -> dict[tuple[int, ...], tuple[Any, ...]]:
    found: dict[tuple[int, ...], list[Any]] = defaultdict(list)
    names = [name for name in image.dims if name not in "YXS"]
    for tile in image.directory_entries:
        start = dict(zip(tile.dims, tile.start, strict=True))
        shape = dict(zip(tile.dims, tile.shape, strict=True))
        if any(shape.get(name, 1) != 1 for name in names):
            raise UnsupportedError(
                f"{str(path)!r} holds line scans or spectra (tiles of shape {tile.shape} along "
                f"{tile.dims}), and not planes; export it with the program that wrote it"
            )
        if tile.file_part != 0:
            raise UnsupportedError(
                f"{str(path)!r} is one of several files of an image; save it as one in ZEN"
            )
        found[tuple(start.get(name, 0) for name in names)].append(tile)
    return {key: tuple(tiles) for key, tiles in found.items()}


_BROKEN = (
    ValueError, TypeError, KeyError, IndexError, RuntimeError, EOFError, struct.error,
    ElementTree.ParseError, OSError, ArithmeticError,
    MemoryError,  # czifile believes what sizes a broken file gives
)  # fmt: skip
_errors_named = partial(errors_named, what="CZI", errors=_BROKEN)

CZI = ReaderKind("CZI", (".czi",), (_MAGIC,), open_czi)
"""The format, for the registry."""

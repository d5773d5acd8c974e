"""Zeiss CZI files: each scene an image, put together from its tiles."""

from __future__ import annotations

import itertools
import math
import struct
import xml.etree.ElementTree as ElementTree
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
from anyzarr.readers._axis_map import AxisMap, map_named
from anyzarr.readers._calibration import Calibration, described
from anyzarr.readers._czi_metadata import CziXml
from anyzarr.readers._czi_tiles import (
    MERGED,
    area_of,
    channels_of,
    images_apart,
    overlaps,
    planes_of,
    with_stored_pixels,
)
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
        roi, inner = area_of(x, y, self.zoom)
        outer = [i for i, name in enumerate(dims) if name not in "YXS"]
        for index in itertools.product(*(range(region[i].start, region[i].stop) for i in outer)):
            key = tuple(image.start[i] + k for i, k in zip(outer, index, strict=True))
            tiles = tuple(tile for tile in self.planes.get(key, ()) if overlaps(tile, roi))
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


def open_czi(path: Path, *, axes: str | None = None) -> ImageSource:
    """Open the scenes of a CZI file, each an image; pyramids and thumbnails in it are left aside.

    Views (angles) and blocks of a scene are images apart; illuminations, phases and rotations are
    run together with the channels.

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
    images, wells = [], []
    for number in scenes:
        scene = xml.scene_name(number) or (f"Scene {number}" if len(scenes) > 1 else "")
        for image, part in images_apart(scenes[number]):
            name = " ".join(filter(None, (scene, part))) or None
            images.append(_scene(czifile, image, name, xml, path))
            wells.append(xml.well_name(number))
    spots = spots_of_names(wells)
    images = [
        replace(image, description=replace(image.description, spot=spot))
        for image, spot in zip(images, spots, strict=True)
    ]
    if not images:
        raise ValueError("it holds no image")
    return ImageList(
        images, (path,), {"OME/METADATA.czi.xml": text.encode()} if text else {}, opened.close
    )


def _scene(czifile: Any, image: Any, name: str | None, xml: CziXml, path: Path) -> _Scene:
    image, zoom, notes = with_stored_pixels(image)
    planes = planes_of(image, path)
    keep = "cyx" if xml.has_names else "yx"
    axis_map = map_named("".join(image.dims), image.shape, keep=keep, merged=MERGED.lower())
    are_colours = dict(image.sizes).get("S", 1) > 1
    channels = channels_of(image, xml.channels(image.dtype))
    has_windows = all(channel.window is not None for channel in channels or ())
    notes += _notes(image, len(planes), are_colours)
    x, y, _, _ = image.bbox
    factors = dict(zip("XY", zoom, strict=True))
    known = {a: (size / factors.get(a, 1.0), unit) for a, (size, unit) in xml.sizes().items()}
    calibration = Calibration(
        name,
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


_BROKEN = (
    ValueError, TypeError, KeyError, IndexError, RuntimeError, EOFError, struct.error,
    ElementTree.ParseError, OSError, ArithmeticError,
    MemoryError,  # czifile believes what sizes a broken file gives
)  # fmt: skip
_errors_named = partial(errors_named, what="CZI", errors=_BROKEN)

CZI = ReaderKind("CZI", (".czi",), (_MAGIC,), open_czi)
"""The format, for the registry."""

"""Zeiss CZI files: each scene an image, put together from its tiles."""

from __future__ import annotations

import errno
import itertools
import math
import struct
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr._optional import require
from anyzarr._pyramid import Region
from anyzarr.errors import CorruptDataError, MetadataError, UnsupportedError
from anyzarr.readers._axis_map import AxisMap, map_named
from anyzarr.readers._calibration import Calibration, described, rgb_channels
from anyzarr.readers._czi_metadata import CziXml
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
    """

    czifile: Any
    image: Any
    planes: Mapping[tuple[int, ...], tuple[Any, ...]]
    path: Path
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
        y, x = part["Y"], part["X"]
        roi = (start["X"] + x.start, start["Y"] + y.start, x.stop - x.start, y.stop - y.start)
        outer = [i for i, name in enumerate(dims) if name not in "YXS"]
        for index in itertools.product(*(range(region[i].start, region[i].stop) for i in outer)):
            key = tuple(image.start[i] + k for i, k in zip(outer, index, strict=True))
            tiles = tuple(tile for tile in self.planes.get(key, ()) if _overlaps(tile, roi))
            if tiles:
                place: list[Any] = [slice(None)] * len(dims)
                for i, k in zip(outer, index, strict=True):
                    place[i] = slice(k - region[i].start, k - region[i].start + 1)
                plane = self._plane(tiles, roi)
                samples = part.get("S", slice(None))
                out[tuple(place)] = plane[..., samples] if "S" in dims else plane
        return out

    def _plane(self, tiles: tuple[Any, ...], roi: tuple[int, int, int, int]) -> Any:
        for tile in tiles:
            self._require_tile(tile)
        view = self.czifile.CziImage(
            self.image._parent, tiles, squeeze=False, roi=roi, pixeltype=self.image.pixeltype
        )
        return view.asarray(maxworkers=1)

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
    planes = _planes(image, path)
    sizes = dict(image.sizes)
    n_samples = sizes.get("S", 1)
    axis_map = map_named("".join(image.dims), image.shape, keep="cyx" if xml.has_names else "yx")
    are_colours = n_samples in {3, 4} and sizes.get("C", 1) == 1
    channels = rgb_channels(n_samples) if are_colours else xml.channels(image.dtype)
    has_windows = all(channel.window is not None for channel in channels or ())
    notes = []
    expected = math.prod(n for name, n in sizes.items() if name not in "YXS")
    if len(planes) < expected:
        notes.append(
            f"{expected - len(planes)} of {expected} planes are missing from the file and read as "
            "zero"
        )
    x, y, _, _ = image.bbox
    known = xml.sizes()
    calibration = Calibration(
        xml.scene_name(number) or (f"Scene {number}" if n_scenes > 1 else None),
        known,
        channels,
        windows_are_known=are_colours or has_windows,
        origin={a: p * known[a][0] for a, p in (("X", x), ("Y", y)) if a in known},
    )
    known_image = described(axis_map, image.dtype, calibration, warnings=notes)
    return _Scene(czifile, image, planes, path, axis_map, known_image)


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


@contextmanager
def _errors_named(path: Path) -> Iterator[None]:
    """Name the file in what czifile and its codecs raise where it is broken."""
    try:
        yield
    except (UnsupportedError, CorruptDataError, MetadataError):
        raise
    except _BROKEN as error:
        if isinstance(error, OSError) and error.errno not in {None, errno.EINVAL}:
            raise  # of the disk: an impossible place in the file is EINVAL
        raise CorruptDataError(
            f"{str(path)!r} cannot be read as CZI: {error}; get a whole copy of it",
            key=str(path),
        ) from error


CZI = ReaderKind("CZI", (".czi",), (_MAGIC,), open_czi)
"""The format, for the registry."""

"""Anything else that bioio reads by the plug-ins that are installed; each scene an image."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr._optional import is_installed, require
from anyzarr._pyramid import Region
from anyzarr.errors import AnyzarrError, CorruptDataError, UnsupportedError
from anyzarr.ome import Channel
from anyzarr.readers._axis_map import AxisMap, map_given, map_named
from anyzarr.readers._calibration import (
    Calibration,
    add_size,
    described,
    length_unit,
    rgb_channels,
)
from anyzarr.readers._image_list import ImageList
from anyzarr.readers._source import ImageSource, ReaderKind, SourceImage

__all__ = ["BIOIO", "open_bioio"]


@dataclass(frozen=True, slots=True)
class _Scene:
    """A scene, as a dask array that its plug-in makes.

    Attributes
    ----------
    lock
        Held while pixels are read: plug-ins open and close the file for it, which another thread
        may be reading.
    """

    array: Any
    lock: threading.Lock
    path: Path
    axis_map: AxisMap
    description: SourceImage

    def read(self, region: Region) -> npt.NDArray[Any]:
        """Return the elements of a region, in the order of the image's axes."""
        return self.axis_map.read(region, self._stored, self.description.dtype)

    def _stored(self, region: Region) -> npt.NDArray[Any]:
        with _errors_named(self.path), self.lock:
            return np.asarray(self.array[region].compute(scheduler="synchronous"))


def open_bioio(path: Path, *, axes: str | None = None) -> ImageSource:
    """Open the scenes of a file that a plug-in of bioio reads, each an image.

    Parameters
    ----------
    path
        The file.
    axes
        Names of the axes that are longer than 1, in the order of the plug-in, where they are not to
        be what it calls them.

    Raises
    ------
    CorruptDataError
        The plug-in cannot read the file.
    UnsupportedError
        No plug-in that is installed does, or it has axes without counterpart.
    MetadataError
        The axes do not fit.
    MissingDependencyError
        bioio is not installed.
    """
    bioio = require("bioio", extra="bioio", purpose="Reading files by its plug-ins")
    with _errors_named(path):
        first = bioio.BioImage(path)
        scenes = list(first.scenes)
        lock = threading.Lock()
        images = [_scene(bioio, path, n, scenes, axes, lock) for n in range(len(scenes))]
        return ImageList(images, (path,), _documents(first))


def _scene(
    bioio: Any,
    path: Path,
    number: int,
    scenes: list[str],
    axes: str | None,
    lock: threading.Lock,
) -> _Scene:
    # One of its own for each: which scene an image shows is state.
    image = bioio.BioImage(path)
    image.set_scene(number)
    reader = image.reader  # in the order of the file, and nothing that is brought to five axes
    letters = str(reader.dims.order)
    array = reader.dask_data
    names = [str(name) for name in image.channel_names or ()]
    axis_map = (
        map_given(axes, array.shape)
        if axes is not None
        else map_named(letters, array.shape, keep="cyx" if names else "yx")
    )
    calibration, notes = _calibration(image, scenes[number] if len(scenes) > 1 else path.stem)
    n_samples = dict(zip(letters, array.shape, strict=True)).get("S", 1)
    if n_samples in {3, 4} and len(names) <= 1:
        calibration = Calibration(
            calibration.name, calibration.sizes, rgb_channels(n_samples), True
        )
    else:
        channels = tuple(Channel(name) for name in names)
        calibration = Calibration(calibration.name, calibration.sizes, channels)
    attributes = {"bioio": _plain(image.standard_metadata.to_dict())}
    about = described(
        axis_map, np.dtype(array.dtype), calibration, attributes=attributes, warnings=notes
    )
    return _Scene(array, lock, path, axis_map, about)


def _calibration(image: Any, name: str) -> tuple[Calibration, list[str]]:
    sizes: dict[str, tuple[float, str | None]] = {}
    notes = []
    about = image.dimension_properties
    for letter in "ZYX":
        unit = length_unit(str(getattr(about, letter).unit or ""))
        add_size(sizes, letter, getattr(image.scale, letter), unit or "micrometer")
        if letter in sizes and unit is None:
            sizes[letter] = sizes[letter][0], None
    if any(unit is None for _, unit in sizes.values()):
        notes.append("bioio tells no unit of the voxels' sizes, so none is written")
    interval = image.time_interval
    if interval is not None:
        seconds = interval.total_seconds() if hasattr(interval, "total_seconds") else interval
        add_size(sizes, "T", seconds, "second")
    return Calibration(name, sizes), notes


def _documents(image: Any) -> Mapping[str, bytes]:
    try:
        return {"OME/METADATA.ome.xml": image.ome_metadata.to_xml().encode()}
    except NotImplementedError:
        return {}  # the plug-in makes none


def _plain(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is told, as JSON values."""
    told = {key: value for key, value in found.items() if value is not None}
    return dict(json.loads(json.dumps(told, default=str)))


@contextmanager
def _errors_named(path: Path) -> Iterator[None]:
    try:
        yield
    except (AnyzarrError, FileNotFoundError, PermissionError):
        raise
    except Exception as error:  # the edge to plug-ins, which raise what they like
        if type(error).__name__ == "UnsupportedFileFormatError":
            raise UnsupportedError(
                f"{str(path)!r}: no plug-in of bioio that is installed reads it; install one for "
                "its format (https://github.com/bioio-devs/bioio lists them)"
            ) from error
        raise CorruptDataError(
            f"{str(path)!r} cannot be read by bioio: {error}; get a whole copy of it, or another "
            "plug-in for its format",
            key=str(path),
        ) from error


def _has_plugin(path: Path) -> bool:
    """Return whether a plug-in of bioio is there for a name like this, and no archive."""
    if not is_installed("bioio"):
        return False
    with path.open("rb") as file:
        if file.read(2) == b"PK":
            return False
    plugins = require("bioio.plugins", extra="bioio")
    return path.name.lower().endswith(tuple(plugins.get_plugins(use_cache=True)))


BIOIO = ReaderKind("bioio", (), (), open_bioio, claims_other=_has_plugin)
"""What it reads, for the registry."""

"""HDF5 files: one data set as an image, or what Imaris wrote."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr._pyramid import Region
from anyzarr.errors import CorruptDataError
from anyzarr.ome import default_axes
from anyzarr.readers._axis_map import AxisMap, map_given, map_named
from anyzarr.readers._calibration import Calibration, add_size, described
from anyzarr.readers._hdf5_file import (
    attributes_of,
    data_sets,
    errors_named,
    open_file,
    read_part,
    require_readable,
    split,
)
from anyzarr.readers._image_list import ImageList
from anyzarr.readers._imaris import is_imaris, open_imaris
from anyzarr.readers._source import ImageSource, ReaderKind, SourceImage

__all__ = ["HDF5", "open_hdf5"]

_SUFFIXES = (".h5", ".hdf5", ".hdf", ".he5", ".ims")
_MAGIC = b"\x89HDF\r\n\x1a\n"
_WORDS = {"time": "t", "channel": "c", "channels": "c", **{letter: letter for letter in "tczyx"}}


@dataclass(frozen=True, slots=True)
class _DataSet:
    """A data set as an image."""

    data: Any
    path: Path
    axis_map: AxisMap
    description: SourceImage

    def read(self, region: Region) -> npt.NDArray[Any]:
        """Return the elements of a region, in the order of the image's axes."""
        return self.axis_map.read(region, self._stored, self.description.dtype)

    def _stored(self, region: Region) -> npt.NDArray[Any]:
        return read_part(self.data, region, self.path)


def open_hdf5(path: Path, *, axes: str | None = None) -> ImageSource:
    """Open a data set of an HDF5 file, or an Imaris file.

    Parameters
    ----------
    path
        The file, or a data set in it: ``file.h5/volumes/raw``. Of several data sets the largest is
        taken, with a warning that names the others.
    axes
        Names of the axes of the data set, in its order. By default what its dimensions are
        labelled, what ilastik noted (``axistags``), or ``yx``, ``zyx``, ``czyx`` or ``tczyx``, with
        a warning.

    Raises
    ------
    CorruptDataError
        It is no HDF5 file, is cut off, or refers to files that are not there.
    NodeNotFoundError
        There is no such data set.
    UnsupportedError
        There is nothing of which an image can be made, or it is compressed by a filter that is
        not installed.
    MissingDependencyError
        h5py is not installed.
    """
    file, inner = split(path)
    root = open_file(file)
    try:
        with errors_named(file):
            if not inner and is_imaris(root):
                return open_imaris(root, file, axes=axes)
            return _opened(root, inner, file, axes)
    except BaseException:
        root.close()
        raise


def _opened(root: Any, inner: str, file: Path, axes: str | None) -> ImageSource:
    data, *others = data_sets(root, inner, file)
    notes = []
    if others:
        names = ", ".join(one.name for one in others[:5]) + (", …" if len(others) > 5 else "")
        notes.append(
            f"of {len(others) + 1} data sets the largest was taken, {data.name}; give the path of "
            f"another ({file.name}{others[0].name}) for one of {names}"
        )
    files = require_readable(data, file)
    attributes = attributes_of(data)
    axis_map = _axis_map(data, attributes, axes, notes, file)
    calibration = Calibration(data.name.strip("/"), _sizes(attributes))
    kept = {"hdf5": {"path": data.name, "attributes": attributes}}
    dtype = np.dtype(data.dtype.str)  # without what h5py notes in it
    image = described(axis_map, dtype, calibration, attributes=kept, warnings=notes)
    return ImageList([_DataSet(data, file, axis_map, image)], (file, *files), {}, root.close)


def _axis_map(
    data: Any, attributes: Any, axes: str | None, notes: list[str], file: Path
) -> AxisMap:
    if axes is not None:
        return map_given(axes, data.shape)
    told = _labels(data) or _axistags(attributes, file)
    if told is not None and len(told) == data.ndim:
        return map_named(told, data.shape)
    long = [i for i, n in enumerate(data.shape) if n > 1]
    shown = range(data.ndim) if data.ndim <= 5 else long
    names = "".join(axis.name for axis in default_axes(len(shown)))
    notes.append(
        f"the data set {data.name} names no axes, so they were taken to be {names}; name them "
        "with axes= if that is wrong"
    )
    return map_given(names, data.shape)


def _labels(data: Any) -> str | None:
    """Return a letter per axis where all dimensions are labelled by names that are known."""
    labels = [_WORDS.get(str(dim.label).strip().lower(), "") for dim in data.dims]
    return "".join(labels) if all(labels) else None


def _axistags(attributes: Any, file: Path) -> str | None:
    """Return what vigra and ilastik note: a JSON document with a key per axis."""
    text = attributes.get("axistags")
    if not isinstance(text, str):
        return None
    try:
        return "".join(str(axis["key"]) for axis in json.loads(text)["axes"])
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptDataError(
            f"{str(file)!r} has axistags that cannot be read ({error!r}): {text[:80]!r}; name the "
            "axes with axes=",
            key=str(file),
        ) from error


def _sizes(attributes: Any) -> dict[str, tuple[float, str | None]]:
    """Return what Fiji's and other plugins note: micrometres along z, y and x."""
    sizes: dict[str, tuple[float, str | None]] = {}
    values = attributes.get("element_size_um")
    if isinstance(values, list) and len(values) == 3:
        for letter, value in zip("ZYX", values, strict=True):
            add_size(sizes, letter, value, "micrometer")
    return sizes


def _is_inside(path: Path) -> bool:
    """Return whether a path leads into a file of this format."""
    file, inner = split(path)
    return bool(inner) and HDF5.claims(file)


HDF5 = ReaderKind("HDF5", _SUFFIXES, (_MAGIC,), open_hdf5, claims_pattern=_is_inside)
"""The format, for the registry."""

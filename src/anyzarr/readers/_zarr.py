"""Zarr as a source of images: arrays of any kind, and OME-Zarr of any version."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr import crud
from anyzarr._nodes import Array
from anyzarr._pyramid import Region
from anyzarr.abc import Store
from anyzarr.errors import MetadataError, UnsupportedError
from anyzarr.metadata import parse_array
from anyzarr.ome import (
    Bioformats2RawSeries,
    Image,
    Plate,
    Spot,
    default_axes,
    is_ome,
    open_ome_zarr,
)
from anyzarr.readers._axis_map import AxisMap, map_given
from anyzarr.readers._calibration import Calibration, described
from anyzarr.readers._image_list import ImageList, ReadableImage
from anyzarr.readers._source import ImageSource, SourceImage

__all__ = ["LazyImage", "open_zarr"]

_LETTERS = {"time": "t", "channel": "c", "channels": "c", "depth": "z", "height": "y", "width": "x"}
_DIMENSIONS = "_ARRAY_DIMENSIONS"
_METADATA = "OME/METADATA.ome.xml"


@dataclass(frozen=True, slots=True)
class LazyImage:
    """An image over anything that gives regions when it is indexed.

    Attributes
    ----------
    array
        Indexed by regions, in its own order of axes.
    axis_map
        From its axes to the image's.
    description
        What is known of the image.
    """

    array: Any
    axis_map: AxisMap
    description: SourceImage

    def read(self, region: Region) -> npt.NDArray[Any]:
        """Return the elements of a region, in the order of the image's axes."""
        return self.axis_map.read(region, self._stored, self.description.dtype)

    def _stored(self, region: Region) -> npt.NDArray[Any]:
        return np.asarray(self.array[region], self.description.dtype)


def open_zarr(store: Store, *, axes: str | None = None, engine: str | None = None) -> ImageSource:
    """Open the images of a Zarr hierarchy.

    Parameters
    ----------
    store
        An array of numbers, or OME-Zarr of any version: an image, a plate or a series.
    axes
        Names of the axes of an array, in its order; by default its dimensions' own, or ``yx``,
        ``zyx``, ``czyx``, ``tczyx`` with a warning.
    engine
        What decodes, or None.

    Raises
    ------
    UnsupportedError
        No image can be made of it.
    MetadataError
        The axes do not fit.
    """
    document = crud.read_metadata(store)
    if "shape" in document:
        array = Array(parse_array(document), store, "", engine)
        return ImageList([_of_array(array, axes)], (), {})
    if not is_ome(document.get("attributes") or {}):
        arrays = [name for name, child in crud.list_children(store, "") if "shape" in child]
        found = f"; the arrays {', '.join(map(repr, arrays[:5]))} lie in it" if arrays else ""
        raise UnsupportedError(
            f"{store.spec} is a group, and no OME-Zarr, so it is no image; give the path of an "
            f"array in it{found}"
        )
    if axes is not None:
        raise MetadataError(f"axes={axes!r}: those of OME-Zarr are known; leave it out")
    return _of_ome(store, engine)


def _of_array(array: Array, axes: str | None) -> LazyImage:
    if array.dtype.kind not in "biuf":
        raise UnsupportedError(
            f"the array has elements of the type {array.dtype}, and those of an image are numbers"
        )
    notes: tuple[str, ...] = ()
    names = axes or _stated_axes(array)
    if names is None:
        names = "".join(axis.name for axis in default_axes(array.ndim))
        notes = (f"the array does not name its dimensions t, c, z, y, x, so they were taken to be "
                 f"{names}; name them with axes= if that is wrong",)  # fmt: skip
    axis_map = map_given(names, array.shape)
    known = described(axis_map, array.dtype, Calibration(), warnings=notes)
    return LazyImage(array, axis_map, known)


def _stated_axes(array: Array) -> str | None:
    """Return a letter for each dimension, by its name; None where one has none."""
    names = array.dimension_names or array.attrs.get(_DIMENSIONS)
    if not isinstance(names, list | tuple):
        return None
    letters = [_LETTERS.get(str(name).lower(), str(name).lower()) for name in names]
    fits = len(letters) == array.ndim == len(set(letters)) and set("yx") <= set(letters)
    return "".join(letters) if fits and set(letters) <= set("tczyx") else None


def _of_ome(store: Store, engine: str | None) -> ImageSource:
    node = open_ome_zarr(store, engine=engine)
    if isinstance(node, Plate):
        images = list(_of_plate(node))
    elif isinstance(node, Bioformats2RawSeries):
        images = [_of_image(position) for _, position in node.positions()]
    elif isinstance(node, Image) and node.has_data:
        images = [_of_image(node)]
    else:
        raise UnsupportedError(
            f"{store.spec} is a {type(node).__name__.lower()} of OME-Zarr; give the image, plate "
            "or series to be converted"
        )
    xml = store.get(_METADATA)
    return ImageList(images, (), {} if xml is None else {_METADATA: xml})


def _of_plate(plate: Plate) -> Iterator[ReadableImage]:
    wells = {well.path: well for well in plate.metadata.wells}
    runs = {
        f"{path}/{image.path}": image.acquisition
        for path, well in plate.wells()
        for image in well.metadata.images
    }
    for path, position in plate.positions():
        row, column, name = path.split("/")
        place = wells.get(f"{row}/{column}")
        spot = Spot(
            row,
            column,
            name,
            None if place is None else place.row_index,
            None if place is None else place.column_index,
            acquisition=runs.get(path) or 0,
        )
        image = _of_image(position)
        yield replace(image, description=replace(image.description, spot=spot))


def _of_image(image: Any) -> LazyImage:
    """Return level 0 of an image of OME-Zarr, with what its metadata says."""
    array = image.data
    names = tuple(image.axis_names)
    channels = tuple(image.channels) if any(a.type == "channel" for a in image.axes) else ()
    notes = []
    labels = image.label_names
    if labels:
        notes.append(
            f"the labels {', '.join(labels[:5])} are left out; only the image is converted"
        )
    known = SourceImage(
        image.name,
        tuple(array.shape),
        np.dtype(array.dtype).newbyteorder("="),
        tuple(image.axes),
        tuple(image.get_effective_scale(0)),
        channels or None,
        bool(channels) and all(channel.window is not None for channel in channels),
        translation=tuple(image.get_effective_translation(0)),
        warnings=tuple(notes),
    )
    axis_map = AxisMap(names, tuple((i,) for i in range(len(names))), tuple(array.shape))
    return LazyImage(array, axis_map, known)

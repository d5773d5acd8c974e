"""Images as labelled arrays of xarray, and back: coordinates in physical units."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from anyzarr._nodes import Array, Group
from anyzarr._optional import require
from anyzarr._progress import ProgressCallback, Tracker
from anyzarr.errors import MetadataError
from anyzarr.ome._axes import SPACE_UNITS, TIME_UNITS, Axis, axes_of

if TYPE_CHECKING:
    import xarray

__all__ = ["coordinates_of", "to_datatree", "to_xarray", "write_xarray"]

_ATTRIBUTE = "xarray_attrs"
_HOMES = ("anyzarr", "iohub")
_SPACING_TOLERANCE = 1e-3
_UNITS = {
    **dict.fromkeys(("um", "µm", "μm", "micron", "microns", "micrometers"), "micrometer"),
    **dict.fromkeys(("nm", "nanometers"), "nanometer"),
    **dict.fromkeys(("mm", "millimeters"), "millimeter"),
    **dict.fromkeys(("s", "sec", "seconds"), "second"),
    **dict.fromkeys(("ms", "milliseconds"), "millisecond"),
    **dict.fromkeys(("min", "minutes"), "minute"),
}


class ImageLike(Protocol):
    """What is needed of an image."""

    @property
    def group(self) -> Group: ...
    @property
    def name(self) -> str | None: ...
    @property
    def axes(self) -> tuple[Axis, ...]: ...
    @property
    def channel_names(self) -> list[str]: ...
    @property
    def has_data(self) -> bool: ...
    @property
    def data(self) -> Array: ...
    def __len__(self) -> int: ...
    def __getitem__(self, level: int | str) -> Array: ...
    def get_effective_scale(self, level: int | str = 0) -> list[float]: ...
    def get_effective_translation(self, level: int | str = 0) -> list[float]: ...


def coordinates_of(image: ImageLike, level: int | str = 0) -> dict[Hashable, Any]:
    """Return the coordinates of a level as xarray takes them: by dimension, with units."""
    shape = image[level].shape
    scale, translation = (
        image.get_effective_scale(level),
        image.get_effective_translation(level),
    )
    found: dict[Hashable, Any] = {}
    for index, (axis, n) in enumerate(zip(image.axes, shape, strict=True)):
        if axis.type == "channel":
            names = image.channel_names
            if len(names) == n and all(names):
                found[axis.name] = (axis.name, names)
        else:
            values = translation[index] + scale[index] * np.arange(n)
            found[axis.name] = (axis.name, values, {"units": axis.unit} if axis.unit else {})
    return found


def to_xarray(image: ImageLike, level: int | str = 0) -> xarray.DataArray:
    """Return a level as a lazy labelled array; see :meth:`anyzarr.ome.Image.to_xarray`."""
    xr = require("xarray", extra="xarray", purpose="to_xarray")
    result: xarray.DataArray = xr.DataArray(
        image[level].to_dask(),
        dims=[axis.name for axis in image.axes],
        coords=coordinates_of(image, level),
        name=image.name or "image",
        attrs=_attributes_of(image.group),
    )
    return result


def to_datatree(image: ImageLike) -> xarray.DataTree:
    """Return all levels, ``scale0`` the largest, as a tree of datasets."""
    xr = require("xarray", extra="xarray", purpose="to_datatree")
    levels = {
        f"scale{level}": xr.Dataset({"image": to_xarray(image, level)})
        for level in range(len(image))
    }
    result: xarray.DataTree = xr.DataTree.from_dict(levels, name=image.name)
    return result


def _attributes_of(group: Group) -> dict[str, Any]:
    for home in _HOMES:
        kept = group.attrs.get(home)
        if isinstance(kept, Mapping) and isinstance(kept.get(_ATTRIBUTE), Mapping):
            return dict(kept[_ATTRIBUTE])
    return {}


# -- writing ----------------------------------------------------------------------------------


def write_xarray(
    image: Any,
    data: xarray.DataArray,
    name: str = "0",
    *,
    progress: ProgressCallback | None = None,
    **options: Any,
) -> Array:
    """Write a labelled array; see :meth:`anyzarr.ome.Image.write_xarray`."""
    if image.has_data:
        array = _write_part(image, data, options, progress)
    else:
        array = _create(image, data, name, options, progress)
    if data.attrs:
        _keep_attributes(image.group, data.attrs)
    return array


def _create(
    image: Any,
    data: xarray.DataArray,
    name: str,
    options: dict[str, Any],
    progress: ProgressCallback | None,
) -> Array:
    """Create the image; where it was opened with more channels than the data has, with all."""
    axes = tuple(_axis_of(data, dim) for dim in data.dims)
    spacing = [_spacing(data, dim, axis) for dim, axis in zip(data.dims, axes, strict=True)]
    placed = {
        "scale": [step for _, step in spacing],
        "translation": [first for first, _ in spacing],
        **options,
    }
    number = next((i for i, axis in enumerate(axes) if axis.type == "channel"), None)
    labels = None if number is None else _labels(data, data.dims[number])
    planned = image.channel_names
    if number is None or not planned or labels == planned:
        image.describe_new(axes, labels)
        array: Array = image.create_image(name, data.data, progress=progress, **placed)
        return array
    if labels is None or len(set(labels)) != len(labels) or not set(labels) <= set(planned):
        raise MetadataError(
            f"the channels {labels} are not among the image's {planned}; name them in "
            f"data.coords[{data.dims[number]!r}]"
        )
    image.describe_new(axes, planned)
    shape = tuple(len(planned) if i == number else n for i, n in enumerate(data.shape))
    image.create_zeros(name, shape, data.dtype, **placed)
    return _write_part(image, data, {}, progress)


def _labels(data: xarray.DataArray, dim: Hashable) -> list[str] | None:
    return [str(label) for label in data.coords[dim].values] if dim in data.coords else None


def _axis_of(data: xarray.DataArray, dim: Hashable) -> Axis:
    axis = axes_of([str(dim)])[0]
    stated = data.coords[dim].attrs.get("units") if dim in data.coords else None
    if stated is None or axis.type not in {"space", "time"}:
        return axis
    unit = _UNITS.get(str(stated), str(stated))
    allowed = SPACE_UNITS if axis.type == "space" else TIME_UNITS
    if unit not in allowed:
        raise MetadataError(
            f"the unit {stated!r} of dimension {dim!r} is no unit of {axis.type} that OME-Zarr "
            f"knows; set data.coords[{dim!r}].attrs['units'] to one, such as "
            f"{'micrometer' if axis.type == 'space' else 'second'}"
        )
    return Axis(axis.name, axis.type, unit)


def _spacing(data: xarray.DataArray, dim: Hashable, axis: Axis) -> tuple[float, float]:
    """Return the first coordinate of a dimension, and the distance between coordinates."""
    if axis.type == "channel" or dim not in data.coords:
        return 0.0, 1.0
    values = _numbers(data, dim)
    if len(values) < 2:
        return float(values[0]) if len(values) else 0.0, 1.0
    step = (values[-1] - values[0]) / (len(values) - 1)
    expected = values[0] + step * np.arange(len(values))
    if step <= 0 or np.max(np.abs(values - expected)) > _SPACING_TOLERANCE * step:
        raise MetadataError(
            f"the coordinates of dimension {dim!r} are not evenly spaced and rising, and an image "
            "has one scale per axis; resample the data, or drop the coordinates"
        )
    return float(values[0]), float(step)


def _numbers(data: xarray.DataArray, dim: Hashable) -> npt.NDArray[np.float64]:
    values = np.asarray(data.coords[dim].values)
    if values.dtype.kind == "m":
        values = values / np.timedelta64(1, "s")
    if values.dtype.kind not in "iuf":
        raise MetadataError(
            f"the coordinates of dimension {dim!r} are of dtype {values.dtype}; they must be "
            "numbers (of times: differences to the first, in the axis's unit)"
        )
    return values.astype(np.float64)


def _write_part(
    image: Any,
    data: xarray.DataArray,
    options: dict[str, Any],
    progress: ProgressCallback | None,
) -> Array:
    """Write to the elements of an image that the coordinates name."""
    if options:
        raise MetadataError(f"{sorted(options)} are for a new image; this one has data")
    names = [axis.name for axis in image.axes]
    if [str(dim) for dim in data.dims] != names:
        raise MetadataError(
            f"the dimensions {tuple(data.dims)} are not the image's axes {tuple(names)}; use "
            "data.transpose(...) or expand_dims(...)"
        )
    indices = [_indices(image, data, number) for number in range(len(names))]
    array: Array = image.data
    block = array.metadata.grid.chunk_shape or array.shape
    tracker = Tracker(progress)
    tracker.start("writing", data.nbytes)
    for picked in itertools.product(*(_runs(i, b) for i, b in zip(indices, block, strict=True))):
        place = tuple(np.asarray(index)[part] for index, part in zip(indices, picked, strict=True))
        values = np.asarray(data.data[picked])
        array.oindex[tuple(map(_as_slice, place))] = values
        tracker.advance(values.nbytes)
    return array


def _indices(image: Any, data: xarray.DataArray, number: int) -> npt.NDArray[np.intp]:
    axis, size = image.axes[number], image.data.shape[number]
    dim = data.dims[number]
    if dim not in data.coords:
        if data.sizes[dim] != size:
            raise MetadataError(
                f"dimension {dim!r} has {data.sizes[dim]} elements without coordinates, and the "
                f"image has {size}; give it coordinates that say where they belong"
            )
        return np.arange(size)
    if axis.type == "channel":
        return _channel_indices(image, _labels(data, dim) or [])
    scale = image.get_effective_scale(0)[number]
    exact = (_numbers(data, dim) - image.get_effective_translation(0)[number]) / scale
    rounded = np.round(exact)
    misses = np.abs(exact - rounded) > 0.01
    outside = (rounded < 0) | (rounded >= size)
    if misses.any() or outside.any():
        wrong = data.coords[dim].values[misses | outside][0]
        raise MetadataError(
            f"coordinate {wrong} of dimension {dim!r} is none of the image's: it has {size} "
            f"elements of {scale} from {image.get_effective_translation(0)[number]} on"
        )
    indices: npt.NDArray[np.intp] = rounded.astype(np.intp)
    return indices


def _channel_indices(image: Any, labels: Sequence[str]) -> npt.NDArray[np.intp]:
    known = list(image.channel_names)
    unknown = [label for label in labels if label not in known]
    if unknown:
        raise MetadataError(f"channel {unknown[0]!r} is none of the image's, which are {known}")
    return np.array([known.index(label) for label in labels], np.intp)


def _runs(indices: npt.NDArray[np.intp], block: int) -> list[slice]:
    """Cut indices where they go from one stored object to another, so that each is written once."""
    cells = indices // max(1, block)
    cuts = np.flatnonzero(np.diff(cells)) + 1
    edges = [0, *cuts.tolist(), len(indices)]
    return [slice(a, b) for a, b in itertools.pairwise(edges)]


def _as_slice(indices: npt.NDArray[np.intp]) -> Any:
    if len(indices) and np.array_equal(indices, np.arange(indices[0], indices[0] + len(indices))):
        return slice(int(indices[0]), int(indices[-1]) + 1)
    return indices


def _keep_attributes(group: Group, attributes: Mapping[Any, Any]) -> None:
    kept = group.attrs.get(_HOMES[0])
    mine = dict(kept) if isinstance(kept, Mapping) else {}
    mine[_ATTRIBUTE] = {str(key): _plain(value) for key, value in attributes.items()}
    group.attrs[_HOMES[0]] = mine


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value

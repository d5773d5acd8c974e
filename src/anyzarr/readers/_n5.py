"""N5: its arrays, multi-scale groups, and the folders BigDataViewer writes."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr._pyramid import Region
from anyzarr.abc import Store
from anyzarr.errors import CorruptDataError, MetadataError, UnsupportedError
from anyzarr.ome import default_axes
from anyzarr.readers._axis_map import map_given
from anyzarr.readers._bdv import Setup, read_setups
from anyzarr.readers._calibration import Calibration, described, length_unit, time_unit
from anyzarr.readers._image_list import ImageList
from anyzarr.readers._n5_array import N5Array, is_dataset
from anyzarr.readers._source import ImageSource
from anyzarr.readers._zarr import LazyImage
from anyzarr.stores import join

__all__ = ["is_n5", "open_n5"]

_ATTRIBUTES = "attributes.json"
_SETUP, _TIMEPOINT = re.compile(r"setup(\d+)"), re.compile(r"timepoint(\d+)")
_MOST_DEPTH = 8


def is_n5(store: Store) -> bool:
    """Return whether a store has N5 at its root: attributes that no Zarr has, and no Zarr."""
    keys = (_ATTRIBUTES, "zarr.json", ".zgroup", ".zarray")
    found = store.get_many([(key, None) for key in keys])
    if found[0] is None or any(data is not None for data in found[1:]):
        return False
    attributes = _attributes(store, "")
    return "n5" in attributes or is_dataset(attributes) or "Bigdataviewer" in attributes


def open_n5(store: Store, *, axes: str | None = None, xml: bytes | None = None) -> ImageSource:
    """Open the images of N5.

    A group with levels ``s0``, ``s1``, … is one image, of which ``s0`` is read. The setups of
    BigDataViewer are an image each, with their time points; every other array is one.

    Parameters
    ----------
    store
        With N5 at its root: an array or a group.
    axes
        Names of the axes of its arrays, slowest first (``zyx``, as numpy has them); by default what
        the attributes say, or ``yx``, ``zyx``, … with a warning.
    xml
        The ``dataset.xml`` of BigDataViewer, or None.

    Raises
    ------
    UnsupportedError
        There is no array of which an image can be made.
    CorruptDataError
        Attributes are no JSON.
    MetadataError
        The axes do not fit.
    """
    setups = read_setups(xml) if xml is not None else {}
    images = list(_images(store, "", {}, axes, setups, 0))
    if not images:
        raise UnsupportedError(f"{store.spec} holds no array of N5 to make an image of")
    return ImageList(images, (), {})


def _images(
    store: Store,
    path: str,
    inherited: Mapping[str, Any],
    axes: str | None,
    setups: Mapping[int, Setup],
    depth: int,
) -> Iterator[LazyImage]:
    own = _attributes(store, path)
    if is_dataset(own):
        yield _image(N5Array(store, path, own), path, {**inherited, **own}, axes)
        return
    names = _members(store, path)
    if "s0" in names:
        level = join(path, "s0")
        attributes = {**own, **_attributes(store, level)}
        yield _image(N5Array(store, level, attributes), path, attributes, axes)
        return
    found = sorted(int(match[1]) for name in names if (match := _SETUP.fullmatch(name)))
    if found:
        for number in found:
            yield _setup(store, join(path, f"setup{number}"), axes, setups.get(number, Setup()))
        return
    for name in sorted(names) if depth < _MOST_DEPTH else ():
        yield from _images(store, join(path, name), {}, axes, setups, depth + 1)


def _members(store: Store, path: str) -> set[str]:
    prefixes = store.list_level(f"{path}/" if path else "").prefixes
    return {prefix.rstrip("/").rpartition("/")[2] for prefix in prefixes}


def _attributes(store: Store, path: str) -> dict[str, Any]:
    key = join(path, _ATTRIBUTES)
    data = store.get(key)
    try:
        found = {} if data is None else json.loads(data)
        if not isinstance(found, dict):
            raise TypeError("it is no object")
    except (ValueError, TypeError, RecursionError) as error:
        raise CorruptDataError(
            f"{key!r} in {store.spec} cannot be read as JSON: {error}",
            store=str(store.spec),
            key=key,
        ) from error
    return found


def _image(array: Any, path: str, attributes: Mapping[str, Any], axes: str | None) -> LazyImage:
    notes: tuple[str, ...] = ()
    names = axes or _stated_axes(attributes, len(array.shape))
    if names is None:
        names = "".join(axis.name for axis in default_axes(len(array.shape)))
        notes = (f"N5 does not name the axes of {path or 'the array'!r}, so they were taken to be "
                 f"{names}; name them with axes= if that is wrong",)  # fmt: skip
    axis_map = map_given(names, array.shape)
    letters = names if len(names) == len(array.shape) else None
    sizes, origin = ({}, {}) if letters is None else _placement(attributes, letters)
    name = str(attributes["name"]) if isinstance(attributes.get("name"), str) else None
    known = described(
        axis_map,
        array.dtype,
        Calibration(name or path.rpartition("/")[2] or None, sizes, origin=origin),
        attributes={"n5": dict(attributes)} if attributes else None,
        warnings=notes,
    )
    return LazyImage(array, axis_map, known)


def _stated_axes(attributes: Mapping[str, Any], ndim: int) -> str | None:
    """Return the letters of the axes, slowest first, where the attributes name them."""
    transform = attributes.get("transform")
    if isinstance(transform, Mapping):  # of the OpenOrganelle data: in the order of numpy
        stated = transform.get("axes")
    else:
        stated = attributes.get("axes")
        stated = stated[::-1] if isinstance(stated, list) else None
    if not isinstance(stated, list) or not all(isinstance(name, str) for name in stated):
        return None
    letters = "".join(name.lower()[:1] for name in stated)
    fits = len(letters) == ndim == len(set(letters)) and set("yx") <= set(letters)
    return letters if fits and set(letters) <= set("tczyx") else None


def _placement(
    attributes: Mapping[str, Any], letters: str
) -> tuple[dict[str, tuple[float, str | None]], dict[str, float]]:
    """Return size with unit, and place of the first element, by axis letter."""
    ndim = len(letters)
    transform = attributes.get("transform")
    if isinstance(transform, Mapping):
        scale, units = transform.get("scale"), transform.get("units")
        moved = transform.get("translate")
        return _by_letter(letters, _numbers(scale, ndim), units, _numbers(moved, ndim))
    pixel = attributes.get("pixelResolution")
    if isinstance(pixel, Mapping):
        scale, units = pixel.get("dimensions"), [pixel.get("unit")] * ndim
    else:
        scale, units = pixel or attributes.get("resolution"), attributes.get("units")
        units = units[::-1] if isinstance(units, list) else [attributes.get("unit")] * ndim
    sizes = _numbers(scale, ndim, is_reversed=True)
    factors = _numbers(attributes.get("downsamplingFactors"), ndim, is_reversed=True)
    if sizes is None or factors is None:
        return _by_letter(letters, sizes, units, None)
    shift = [(f - 1) / 2 * s for f, s in zip(factors, sizes, strict=True)]
    return _by_letter(letters, [f * s for f, s in zip(factors, sizes, strict=True)], units, shift)


def _by_letter(
    letters: str, sizes: Sequence[float] | None, units: Any, origin: Sequence[float] | None
) -> tuple[dict[str, tuple[float, str | None]], dict[str, float]]:
    if sizes is None:
        return {}, {}
    known = units if isinstance(units, list) and len(units) == len(letters) else [None] * len(sizes)
    found: dict[str, tuple[float, str | None]] = {}
    for letter, size, unit in zip(letters.upper(), sizes, known, strict=True):
        text = unit if isinstance(unit, str) else None
        if size > 0:
            found[letter] = (size, time_unit(text) if letter == "T" else length_unit(text))
    return found, {} if origin is None else dict(zip(letters.upper(), origin, strict=True))


def _numbers(value: Any, ndim: int, *, is_reversed: bool = False) -> list[float] | None:
    """Return one finite number per axis; lists of spatial axes alone are filled up with 1."""
    if not isinstance(value, list) or not 0 < len(value) <= ndim:
        return None
    if not all(isinstance(n, int | float) and math.isfinite(n) for n in value):
        return None
    numbers = [float(n) for n in value]
    filled = [1.0] * (ndim - len(numbers))
    return [*filled, *numbers[::-1]] if is_reversed else [*filled, *numbers]


@dataclass(frozen=True, slots=True)
class _Times:
    """The volumes of the time points of a setup as one array."""

    volumes: tuple[N5Array, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.volumes), *self.volumes[0].shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.volumes[0].dtype

    def __getitem__(self, region: Region) -> npt.NDArray[Any]:
        time, *rest = region
        parts = [self.volumes[t][tuple(rest)] for t in range(time.start, time.stop)]
        return np.stack(parts)


def _setup(store: Store, path: str, axes: str | None, setup: Setup) -> LazyImage:
    """Return a setup of BigDataViewer: a volume per time point, each with its levels."""
    numbers = sorted(int(m[1]) for n in _members(store, path) if (m := _TIMEPOINT.fullmatch(n)))
    levels = [join(path, f"timepoint{number}/s0") for number in numbers]
    found = [(level, _attributes(store, level)) for level in levels]
    missing = [level for level, attributes in found if not is_dataset(attributes)]
    if missing or not found:
        raise CorruptDataError(
            f"the time point {missing[0] if missing else path + '/timepoint0/s0'!r} of "
            f"BigDataViewer in {store.spec} is missing or incomplete",
            store=str(store.spec),
        )
    volumes = tuple(N5Array(store, level, attributes) for level, attributes in found)
    if len({(v.shape, v.dtype) for v in volumes}) > 1:
        shapes = sorted({v.shape for v in volumes})
        raise MetadataError(
            f"the time points of {path!r} have volumes of several shapes or types ({shapes}); an "
            "image has one"
        )
    attributes = {
        **_attributes(store, path), **_attributes(store, join(path, f"timepoint{numbers[0]}"))
    }  # fmt: skip
    attributes.pop("downsamplingFactors", None)  # of all levels; s0 is not downsampled
    names = "zyx" if len(volumes[0].shape) == 3 else None
    if len(volumes) == 1:
        image = _image(volumes[0], path, attributes, axes or names)
    else:
        names = names and f"t{names}"
        image = _image(_Times(volumes), path, attributes, axes or names)
    return _named(image, setup)


def _named(image: LazyImage, setup: Setup) -> LazyImage:
    """Return an image with what the XML says of its setup."""
    known = image.description
    if setup.name is not None:
        known = replace(known, name=setup.name)
    if setup.sizes:
        unit = length_unit(setup.unit)
        sizes = dict(zip("xyz", setup.sizes, strict=False))
        known = replace(
            known,
            scale=tuple(sizes.get(a.name, s) for a, s in zip(known.axes, known.scale, strict=True)),
            axes=tuple(replace(a, unit=unit) if a.name in sizes else a for a in known.axes),
        )
    return replace(image, description=known)

"""What is to be different from the source: sizes, channels, extent, type of elements."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr._pyramid import Region
from anyzarr.errors import MetadataError
from anyzarr.ome import Axis, Channel, parse_size
from anyzarr.readers import GraySource, ImageSource, SourceImage

__all__ = ["ChangedSource", "Changes", "changed", "parse_changes"]


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to be different from the source, for each of its images.

    Attributes
    ----------
    scale
        Physical size of an element and its unit (None: the source's), by axis.
    channels
        Names of all channels, or None.
    crop
        First element that is taken and the one behind the last, by axis; negative ones count from
        the end, None is an end.
    dtype
        Name of the type of the elements, or None.
    rgb
        What becomes of colour pictures: ``channels`` or ``gray``.
    """

    scale: tuple[tuple[str, float, str | None], ...] = ()
    channels: tuple[str, ...] | None = None
    crop: tuple[tuple[str, int | None, int | None], ...] = ()
    dtype: str | None = None
    rgb: str = "channels"

    def to_document(self) -> dict[str, Any]:
        """Return them as JSON values."""
        return {
            "scale": [list(each) for each in self.scale],
            "channels": None if self.channels is None else list(self.channels),
            "crop": [list(each) for each in self.crop],
            "dtype": self.dtype,
            "rgb": self.rgb,
        }

    @property
    def names(self) -> tuple[str, ...]:
        """The options that ask for them."""
        given = tuple(n for n in ("scale", "channels", "crop", "dtype") if getattr(self, n))
        return given if self.rgb == "channels" else (*given, "rgb")


def parse_changes(
    *,
    scale: Mapping[str, float | str] | None = None,
    channels: Sequence[str] | None = None,
    crop: Mapping[str, Any] | None = None,
    dtype: Any = None,
    rgb: str = "channels",
) -> Changes:
    """Return what the options of a conversion ask for.

    Raises
    ------
    MetadataError
        A value is not valid.
    """
    sizes = ((axis, *_size(axis, size)) for axis, size in (scale or {}).items())
    if isinstance(channels, str):
        raise MetadataError(f"channels={channels!r} must be a list of names, one per channel")
    if rgb not in {"channels", "gray"}:
        raise MetadataError(
            f"rgb={rgb!r} must be 'channels' (red, green and blue are a channel each) or 'gray' "
            "(their brightness)"
        )
    return Changes(
        tuple(sizes),
        None if channels is None else tuple(map(str, channels)),
        tuple((axis, *_range(axis, part)) for axis, part in (crop or {}).items()),
        None if dtype is None else _dtype_name(dtype),
        rgb,
    )


def changed(source: ImageSource, changes: Changes) -> ImageSource:
    """Return the source with changes, or itself if there are none."""
    if changes.rgb == "gray":
        source = GraySource(source)
    return ChangedSource(source, changes) if changes.names else source


class ChangedSource:
    """A source whose images are cropped, of another type, or described otherwise.

    Parameters
    ----------
    source
        Where the pixels come from; closed with this one.
    changes
        What is to be different.
    """

    def __init__(self, source: ImageSource, changes: Changes) -> None:
        self._source = source
        self._changes = changes

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._source)

    def image(self, index: int) -> SourceImage:
        """Return what is known of an image, as it is to be.

        An image that is only about the others is left as it is where the changes do not fit it.

        Raises
        ------
        MetadataError
            The changes do not fit the image.
        """
        try:
            return self.require(index)
        except MetadataError:
            image = self._source.image(index)
            if image.is_extra:
                return image
            raise

    def require(self, index: int) -> SourceImage:
        """Return what is known of an image, as it is to be; raises whatever image it is."""
        image = _with_channel_axis(self._source.image(index), self._changes.channels)
        image = _scaled(image, self._changes.scale)
        starts, stops = self._extent(image)
        lengths = tuple(b - a for a, b in zip(starts, stops, strict=True))
        image = _cropped(image, starts, lengths)
        if self._changes.channels is not None:
            image = _named(image, self._changes.channels)
        return replace(image, dtype=np.dtype(self._changes.dtype or image.dtype))

    def read(self, index: int, region: Region) -> npt.NDArray[Any]:
        """Return the elements of a region, as they are to be.

        Raises
        ------
        MetadataError
            An element does not fit the type asked for.
        """
        before = self._source.image(index)
        image = _with_channel_axis(before, self._changes.channels)
        starts, _ = self._extent(image)
        there = tuple(
            slice(part.start + a, part.stop + a) for part, a in zip(region, starts, strict=True)
        )
        if len(image.shape) > len(before.shape):
            added = _channel_axis(image.axes)
            values = self._source.read(index, there[:added] + there[added + 1 :])
            values = np.expand_dims(values, added)
        else:
            values = self._source.read(index, there)
        dtype = self._changes.dtype
        return values if dtype is None else _cast(values, np.dtype(dtype), image, there)

    @property
    def files(self) -> Sequence[Path]:
        """The files the pixels are read from."""
        return self._source.files

    @property
    def documents(self) -> Mapping[str, bytes]:
        """Original metadata as it stands in the source."""
        return self._source.documents

    def close(self) -> None:
        """Close the source."""
        self._source.close()

    def _extent(self, image: SourceImage) -> tuple[tuple[int, ...], tuple[int, ...]]:
        starts, stops = [0] * len(image.shape), list(image.shape)
        for name, first, last in self._changes.crop:
            axis = _axis(image, name, "crop")
            n = image.shape[axis]
            a = 0 if first is None else first + n * (first < 0)
            b = n if last is None else last + n * (last < 0)
            if not 0 <= a < b <= n:
                asked = f"{'' if first is None else first}:{'' if last is None else last}"
                raise MetadataError(
                    f"crop {name}={asked} takes nothing or more than there is: the axis has {n} "
                    f"elements, so give START:STOP with 0 <= START < STOP <= {n}"
                )
            starts[axis], stops[axis] = a, b
        return tuple(starts), tuple(stops)


def _size(axis: str, size: float | str) -> tuple[float, str | None]:
    number, unit = parse_size(size) if isinstance(size, str) else (float(size), None)
    if not (math.isfinite(number) and number > 0):
        raise MetadataError(f"scale {axis}={size} must be a size above zero")
    return number, unit


def _range(axis: str, part: Any) -> tuple[int | None, int | None]:
    ends = (part.start, part.stop) if isinstance(part, slice) else part
    step = part.step if isinstance(part, slice) else None
    valid = (
        isinstance(ends, Sequence)
        and len(ends) == 2
        and step in {None, 1}
        and all(end is None or isinstance(end, int | np.integer) for end in ends)
    )
    if not valid:
        raise MetadataError(
            f"crop {axis}={part!r} must be the first element and the one behind the last, such as "
            "(10, 20) or slice(10, 20)"
        )
    first, stop = (None if end is None else int(end) for end in ends)
    return first, stop


def _dtype_name(dtype: Any) -> str:
    try:
        found = np.dtype(dtype)
    except TypeError:
        found = None
    if found is None or found.kind not in "buif":
        raise MetadataError(
            f"dtype={dtype!r} is no type for pixels: give one such as uint8, uint16 or float32"
        )
    return str(found.name)


def _axis(image: SourceImage, name: str, what: str) -> int:
    for number, axis in enumerate(image.axes):
        if axis.name == name:
            return number
    names = ", ".join(axis.name for axis in image.axes)
    raise MetadataError(f"{what} {name}=…: the image has no axis {name!r}, only {names}")


def _channel_axis(axes: Sequence[Axis]) -> int:
    return next(i for i, axis in enumerate(axes) if axis.type == "channel")


def _with_channel_axis(image: SourceImage, channels: Sequence[str] | None) -> SourceImage:
    """Return the image with an axis for its only channel, where that is to have a name."""
    if channels is None or any(axis.type == "channel" for axis in image.axes):
        return image
    at = sum(axis.type == "time" for axis in image.axes)

    def with_one(values: Sequence[Any], one: Any) -> tuple[Any, ...]:
        return (*values[:at], one, *values[at:])

    return replace(
        image,
        shape=with_one(image.shape, 1),
        axes=with_one(image.axes, Axis("c", "channel")),
        scale=with_one(image.scale, 1.0),
        translation=None if image.translation is None else with_one(image.translation, 0.0),
    )


def _scaled(image: SourceImage, sizes: Sequence[tuple[str, float, str | None]]) -> SourceImage:
    scale, axes = list(image.scale), list(image.axes)
    for name, size, unit in sizes:
        number = _axis(image, name, "scale")
        scale[number] = size
        if unit is not None:
            axes[number] = replace(axes[number], unit=unit)
    return replace(image, scale=tuple(scale), axes=tuple(axes))


def _cropped(image: SourceImage, starts: Sequence[int], lengths: tuple[int, ...]) -> SourceImage:
    if lengths == image.shape:
        return image
    place = image.translation or (0.0,) * len(image.axes)
    moved = tuple(
        float(p + a * s) if axis.type != "channel" else float(p)
        for p, a, s, axis in zip(place, starts, image.scale, image.axes, strict=True)
    )
    channels = image.channels
    if channels is not None:
        at = _channel_axis(image.axes)
        channels = channels[starts[at] : starts[at] + lengths[at]]
    return replace(image, shape=lengths, translation=moved, channels=channels)


def _named(image: SourceImage, names: Sequence[str]) -> SourceImage:
    n = image.shape[_channel_axis(image.axes)]
    if len(names) != n:
        raise MetadataError(
            f"channels {', '.join(names)}: {len(names)} names for {n} channels; give one for each"
        )
    known = image.channels or (Channel(),) * n
    named = (replace(channel, label=name) for channel, name in zip(known, names, strict=True))
    return replace(image, channels=tuple(named))


def _cast(
    values: npt.NDArray[Any], dtype: np.dtype[Any], image: SourceImage, region: Region
) -> npt.NDArray[Any]:
    """Return elements as another type; floats become the nearest integer."""
    if np.can_cast(values.dtype, dtype, "safe"):
        return values.astype(dtype, copy=False)
    result: npt.NDArray[Any] | None
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            result = values.astype(dtype)
        wrong = np.isinf(result) & np.isfinite(values)
    else:
        rounded = np.rint(values) if values.dtype.kind == "f" else values
        low, high = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        wrong = ~((rounded >= low) & (rounded <= high))
        if rounded.dtype.kind == "f" and high > 1:
            wrong |= rounded >= float(high) + 1  # not told apart from the highest as a float
        result = None if wrong.any() else rounded.astype(dtype)
    if not wrong.any() and result is not None:
        return result
    first = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
    place = [part.start + int(i) for part, i in zip(region, first, strict=True)]
    where = ", ".join(f"{axis.name}={i}" for axis, i in zip(image.axes, place, strict=True))
    raise MetadataError(
        f"the element {values[first]} at {where} does not fit dtype {dtype}: choose a wider one, "
        "or leave dtype out to keep the source's"
    )

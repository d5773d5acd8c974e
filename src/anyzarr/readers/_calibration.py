"""What files say about an image beside its pixels: sizes, units, channels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from anyzarr.ome import Channel, Spot, axes_of
from anyzarr.readers._axis_map import AxisMap
from anyzarr.readers._source import SourceImage

__all__ = [
    "RGB_CHANNELS",
    "Calibration",
    "add_size",
    "described",
    "length_unit",
    "rgb_channels",
    "time_unit",
]

_LENGTHS = {
    "m": "meter", "dm": "decimeter", "cm": "centimeter", "mm": "millimeter",
    "µm": "micrometer", "μm": "micrometer", "um": "micrometer", "micron": "micrometer",
    "microns": "micrometer", "nm": "nanometer", "pm": "picometer", "fm": "femtometer",
    "km": "kilometer", "å": "angstrom", "in": "inch", "inch": "inch", "ft": "foot",
    "yd": "yard", "mi": "mile", "pc": "parsec", "meter": "meter", "millimeter": "millimeter",
    "micrometer": "micrometer", "nanometer": "nanometer", "angstrom": "angstrom",
}  # fmt: skip
_TIMES = {
    "s": "second", "sec": "second", "ms": "millisecond", "µs": "microsecond",
    "μs": "microsecond", "us": "microsecond", "ns": "nanosecond", "min": "minute",
    "h": "hour", "hour": "hour", "d": "day", "second": "second",
}  # fmt: skip

RGB_CHANNELS = (("Red", "FF0000"), ("Green", "00FF00"), ("Blue", "0000FF"), ("Alpha", "FFFFFF"))
"""Labels and colours of the samples of a colour."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """What is known of an image beside its pixels.

    Attributes
    ----------
    name
        The image's name, or None.
    sizes
        Physical size of an element by axis letter (``X Y Z T``), with its unit or None.
    channels
        What is known of the channels, or None.
    windows_are_known
        Whether a person or program chose the contrast windows.
    spot
        The well and field of view it shows, if it is of a plate.
    origin
        Place of the first element by axis letter, in the unit of its size; of axes that have
        a size.
    """

    name: str | None = None
    sizes: Mapping[str, tuple[float, str | None]] = field(default_factory=dict)
    channels: tuple[Channel, ...] | None = None
    windows_are_known: bool = False
    spot: Spot | None = None
    origin: Mapping[str, float] = field(default_factory=dict)


def length_unit(text: str | None) -> str | None:
    """Return the UDUNITS name of a unit of length, or None where it is none."""
    cleaned = (text or "").replace("\\u00B5", "µ").strip()
    return _LENGTHS.get(cleaned.lower())


def time_unit(text: str | None) -> str | None:
    """Return the UDUNITS name of a unit of time, or None where it is none."""
    return _TIMES.get((text or "").strip().lower())


def add_size(
    sizes: dict[str, tuple[float, str | None]], letter: str, value: Any, unit: str | None
) -> None:
    """Note a size if it is a number greater than zero, in a unit that is known."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return
    if math.isfinite(number) and number > 0 and unit is not None:
        sizes[letter] = (number, unit)


def rgb_channels(n: int) -> tuple[Channel, ...]:
    """Return the channels of a colour image of 3 samples, or 4."""
    return tuple(Channel(label, color) for label, color in RGB_CHANNELS[:n])


def described(
    axis_map: AxisMap,
    dtype: np.dtype[Any],
    calibration: Calibration,
    *,
    attributes: Mapping[str, Any] | None = None,
    warnings: Sequence[str] = (),
) -> SourceImage:
    """Return what is known of an image.

    Channels are taken over where there is one per channel of the image, sizes where the image
    has the axis.
    """
    names = axis_map.names
    known = [calibration.sizes.get(name.upper()) if name != "c" else None for name in names]
    axes = tuple(
        axis if size is None else replace(axis, unit=size[1])
        for axis, size in zip(axes_of(names), known, strict=True)
    )
    scale = tuple(1.0 if size is None else size[0] for size in known)
    origin = tuple(calibration.origin.get(name.upper(), 0.0) for name in names)
    shape = axis_map.shape
    channels = calibration.channels
    n = shape[names.index("c")] if "c" in names else 0
    if channels is not None and len(channels) != n:
        channels = None
    are_rgb = tuple(c.label for c in (channels or ())[:3]) == ("Red", "Green", "Blue")
    return SourceImage(
        calibration.name,
        shape,
        np.dtype(dtype).newbyteorder("="),
        axes,
        scale,
        channels,
        calibration.windows_are_known and channels is not None,
        translation=origin if any(origin) else None,
        spot=calibration.spot,
        is_rgb=are_rgb and calibration.windows_are_known,
        attributes=dict(attributes or {}),
        warnings=tuple(warnings),
    )

"""What TIFF files say about their images: OME-XML, descriptions, resolution tags."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from typing import Any

import numpy as np

from anyzarr.ome import Channel, Window
from anyzarr.readers._calibration import Calibration, add_size, length_unit, time_unit
from anyzarr.readers._ome_plate import spots_of

__all__ = ["OmeXml", "from_aperio", "from_imagej", "from_resolution"]

# Printers' resolutions (72, 96, 300, 600, 1200 dpi, …) say nothing about a specimen.
_LARGEST_MEANINGFUL_MICROMETERS = 20.0


class OmeXml:
    """OME-XML, parsed once for all images it describes.

    Raises
    ------
    ValueError
        It is not well-formed, or has entities of its own.
    """

    def __init__(self, text: str) -> None:
        if "<!DOCTYPE" in text or "<!ENTITY" in text:
            raise ValueError("it declares entities, which OME-XML does not have")
        try:
            root = ElementTree.fromstring(text)
        except ElementTree.ParseError as error:
            raise ValueError(f"it is not well-formed: {error}") from None
        self._images = root.findall("{*}Image")
        self._spots = spots_of(root)

    def calibration(self, index: int) -> Calibration:
        """Return what it says of its image number ``index``.

        Raises
        ------
        ValueError
            It has no such image.
        """
        if index >= len(self._images):
            n = len(self._images)
            raise ValueError(f"it describes {n} images, and number {index} was asked for")
        image = self._images[index]
        pixels = image.find("{*}Pixels")
        if pixels is None:
            raise ValueError(f"image {index} has no Pixels element")
        sizes: dict[str, tuple[float, str | None]] = {}
        for letter in "XYZ":
            unit = pixels.get(f"PhysicalSize{letter}Unit", "µm")
            add_size(sizes, letter, pixels.get(f"PhysicalSize{letter}"), length_unit(unit))
        unit_of_time = time_unit(pixels.get("TimeIncrementUnit", "s"))
        add_size(sizes, "T", pixels.get("TimeIncrement"), unit_of_time)
        channels = tuple(_ome_channel(element) for element in pixels.findall("{*}Channel"))
        spot = self._spots.get(image.get("ID", ""))
        return Calibration(image.get("Name"), sizes, channels or None, spot=spot)


def _ome_channel(element: ElementTree.Element) -> Channel:
    color = element.get("Color")
    return Channel(element.get("Name"), None if color is None else _rgba_color(color))


def _rgba_color(text: str) -> str | None:
    """Return six digits for OME-XML's colour, a signed 32-bit RGBA number."""
    try:
        return f"{(int(text) & 0xFFFFFFFF) >> 8:06X}"
    except ValueError:
        return None


def from_imagej(description: Mapping[str, Any], page: Any) -> Calibration:
    """Return what ImageJ's description and the tags beside it say."""
    sizes: dict[str, tuple[float, str | None]] = {}
    unit = length_unit(str(description.get("unit", "")))
    for letter, tag in (("X", "XResolution"), ("Y", "YResolution")):
        add_size(sizes, letter, _per_unit(page, tag), unit)
    add_size(sizes, "Z", description.get("spacing"), unit)
    add_size(sizes, "T", description.get("finterval"), "second")
    colors = [_lut_color(lut) for lut in description.get("LUTs", ())]
    windows = _imagej_windows(description)
    n = max(len(colors), len(windows))
    channels = tuple(
        Channel(
            color=colors[i] if i < len(colors) else None,
            window=windows[i] if i < len(windows) else None,
        )
        for i in range(n)
    )
    return Calibration(None, sizes, channels or None, bool(windows))


def _imagej_windows(description: Mapping[str, Any]) -> list[Window]:
    ranges = list(description.get("Ranges", ()))
    if not ranges and "min" in description and "max" in description:
        ranges = [description["min"], description["max"]]
    pairs = zip(ranges[::2], ranges[1::2], strict=True)
    return [Window(low, high, low, high) for low, high in pairs if high > low]


def _lut_color(lut: Any) -> str | None:
    """Return the brightest colour of a lookup table of shape (3, 256)."""
    table = np.asarray(lut)
    if table.ndim != 2 or table.shape[0] != 3:
        return None
    red, green, blue = (int(v) for v in table[:, -1])
    return f"{red:02X}{green:02X}{blue:02X}"


def from_aperio(description: str) -> Calibration:
    """Return what the description of an Aperio slide says: micrometres per pixel."""
    fields = (field.partition("=") for field in description.split("|"))
    known = {name.strip(): value.strip() for name, _, value in fields}
    sizes: dict[str, tuple[float, str | None]] = {}
    for letter in "XY":
        add_size(sizes, letter, known.get("MPP"), "micrometer")
    return Calibration(None, sizes)


def from_resolution(page: Any) -> Calibration:
    """Return the pixel size by the resolution tags, where it can be one of a specimen."""
    tag = page.tags.get("ResolutionUnit")
    per_unit = {2: 25400.0, 3: 10000.0}.get(int(tag.value) if tag is not None else 0)
    sizes: dict[str, tuple[float, str | None]] = {}
    if per_unit is None:
        return Calibration()
    for letter, name in (("X", "XResolution"), ("Y", "YResolution")):
        size = _per_unit(page, name)
        if size is not None and 0 < size * per_unit <= _LARGEST_MEANINGFUL_MICROMETERS:
            sizes[letter] = (size * per_unit, "micrometer")
    return Calibration(None, sizes if len(sizes) == 2 else {})


def _per_unit(page: Any, name: str) -> float | None:
    """Return the length of a pixel in resolution units, from a tag in pixels per unit."""
    tag = page.tags.get(name)
    value = tag.value if tag is not None else None
    if not isinstance(value, tuple) or len(value) != 2 or not value[0]:
        return None
    return float(value[1]) / float(value[0])

"""What the XML in a CZI file says of its images."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from typing import Any

import numpy as np

from anyzarr.ome import Channel, Window
from anyzarr.readers._calibration import add_size

__all__ = ["CziXml"]

_CHANNELS = ".//Information/Image/Dimensions/Channels/Channel"
_SHOWN = ".//DisplaySetting/Channels/Channel"
_INCREMENT = ".//Information/Image/Dimensions/T/Positions/Interval/Increment"
_PLANNED = ".//TimeSeriesSetup/Interval/TimeSpan"


class CziXml:
    """The metadata of a file, parsed.

    Parameters
    ----------
    text
        The XML, or nothing.

    Raises
    ------
    ElementTree.ParseError
        It is not well-formed.
    """

    def __init__(self, text: str) -> None:
        self._root = ElementTree.fromstring(text) if text else ElementTree.Element("ImageDocument")

    @property
    def has_names(self) -> bool:
        """Whether channels have names."""
        return any(_name(element) for element in self._root.findall(_CHANNELS))

    def channels(self, dtype: np.dtype[Any]) -> tuple[Channel, ...] | None:
        """Return the channels, in the order they are listed, or None if they are not."""
        shown = {element.get("Id"): element for element in self._root.findall(_SHOWN)}
        found = [
            _channel(element, shown.get(element.get("Id")), dtype)
            for element in self._root.findall(_CHANNELS)
        ]
        return tuple(found) or None

    def sizes(self) -> dict[str, tuple[float, str | None]]:
        """Return the size of an element by axis: micrometres, and seconds."""
        sizes: dict[str, tuple[float, str | None]] = {}
        for element in self._root.findall(".//Scaling/Items/Distance"):
            value = _number(element.findtext("Value"))
            if value is not None and element.get("Id") in {"X", "Y", "Z"}:
                # In metres; to 12 digits, as they are no more exact.
                add_size(sizes, str(element.get("Id")), float(f"{value * 1e6:.12g}"), "micrometer")
        if (interval := self._interval()) is not None:
            add_size(sizes, "T", interval, "second")
        return sizes

    def _interval(self) -> float | None:
        """Return the seconds between time points: as they were taken, or else as was planned.

        A plan in another unit than seconds is left: files differ in whether its value is in that
        unit, or in seconds all the same.
        """
        taken = _number(self._root.findtext(_INCREMENT))
        if taken:
            return taken
        span = self._root.find(_PLANNED)
        if span is None or (span.findtext("DefaultUnitFormat") or "s") != "s":
            return None
        return _number(span.findtext("Value"))

    def scene_name(self, number: int) -> str | None:
        """Return the name of a scene, or None."""
        scene = self._scene(number)
        return None if scene is None else scene.get("Name")

    def well_name(self, number: int) -> str | None:
        """Return what names the well of a scene, if anything does: ``P2-D4``, or ``D4``."""
        scene = self._scene(number)
        if scene is None:
            return None
        shape = scene.find("Shape")
        well = (None if shape is None else shape.get("Name")) or scene.findtext("ArrayName")
        name = scene.get("Name")
        return name if well is None or (name or "").endswith(f"-{well}") else well

    def _scene(self, number: int) -> ElementTree.Element | None:
        scenes = self._root.findall(".//Dimensions/S/Scenes/Scene")
        return next((scene for scene in scenes if scene.get("Index") == str(number)), None)


def _name(element: ElementTree.Element) -> str | None:
    return element.get("Name") or element.findtext("Name") or None


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _channel(
    element: ElementTree.Element, shown: ElementTree.Element | None, dtype: np.dtype[Any]
) -> Channel:
    color = element.findtext("Color")
    window = None
    if shown is not None:
        color = shown.findtext("Color") or color
        low, high = _number(shown.findtext("Low")), _number(shown.findtext("High"))
        if low is not None and high is not None and low < high and dtype.kind == "u":
            # Both are parts of what the type can hold.
            top = float(np.iinfo(dtype).max)
            window = Window(0, top, round(low * top), round(high * top))
    return Channel(_name(element), _rgb(color), window=window)


def _rgb(text: str | None) -> str | None:
    """Return six digits for ``#AARRGGBB`` or ``#RRGGBB``."""
    digits = (text or "").lstrip("#")
    if len(digits) not in {6, 8} or set(digits.upper()) - set("0123456789ABCDEF"):
        return None
    return digits[-6:].upper()

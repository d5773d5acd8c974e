"""What all formats of Micro-Manager say in the same words: positions, wells, sizes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from anyzarr.ome import Channel, Spot
from anyzarr.readers._calibration import RGB_CHANNELS
from anyzarr.readers._member import spot_of
from anyzarr.readers._sizes import first_number, number_of

__all__ = [
    "ATTRIBUTE",
    "channel_names",
    "channels_of",
    "hcs_spots",
    "kept",
    "parsed",
    "position_label",
    "sizes_of",
]

ATTRIBUTE = "micro-manager"
"""The attribute of an image that the original metadata is kept under."""

_POSITION_LISTS = ("StagePositions", "InitialPositionList")
_WELL_LABEL = re.compile(r"([A-Z]{1,2})(\d{1,2})-Site_(\d+)")


def hcs_spots(labels: Sequence[str | None]) -> list[Spot | None]:
    """Return the wells and fields that labels of Micro-Manager's HCS site generator name.

    None throughout, unless all of them do: ``A1-Site_0``.
    """
    matches = [_WELL_LABEL.fullmatch(label or "") for label in labels]
    if not all(matches):
        return [None] * len(labels)
    places = (match.groups() for match in matches if match is not None)
    return [spot_of(row, int(column), field) for row, column, field in places]


def channels_of(
    labels: Sequence[str | None], summary: Mapping[str, Any], samples: int = 1
) -> tuple[Channel, ...]:
    """Return channels with the colours that Micro-Manager's summary gives them."""
    colors = summary.get("ChColors")
    known = list(colors) if isinstance(colors, list) and len(colors) == len(labels) else []
    if samples > 1:
        return tuple(
            Channel(name if label is None or len(labels) == 1 else f"{label} {name}", color)
            for label in labels
            for name, color in RGB_CHANNELS[:samples]
        )
    return tuple(
        Channel(label, _color(known[i]) if known else None) for i, label in enumerate(labels)
    )


def channel_names(summary: Mapping[str, Any], n: int) -> list[str | None]:
    """Return the names of so many channels, None for those that the summary does not name."""
    names = summary.get("ChNames")
    if not isinstance(names, list):
        return [None] * n
    known: list[str | None] = [str(name) for name in names[:n]]
    return known + [None] * (n - len(known))


def position_label(position: Any) -> str | None:
    """Return the name of a stage position as versions of Micro-Manager write it."""
    if not isinstance(position, dict):
        return None
    label = position.get("Label", position.get("label"))
    return label if isinstance(label, str) and label else None


def sizes_of(
    summary: Mapping[str, Any], first_plane: Mapping[str, Any]
) -> dict[str, tuple[float | None, str]]:
    """Return size and unit by the name of an axis."""
    pixel = first_number(
        first_plane.get("PixelSizeUm"), summary.get("PixelSize_um"), summary.get("PixelSizeUm")
    )
    interval = number_of(summary.get("Interval_ms"))
    return {
        "t": (None if interval is None else interval / 1000, "second"),
        "z": (number_of(summary.get("z-step_um")), "micrometer"),
        "y": (pixel, "micrometer"),
        "x": (pixel, "micrometer"),
    }


def parsed(text: str | bytes) -> dict[str, Any]:
    """Return the document of a JSON text; numbers that JSON does not have become text.

    Raises
    ------
    ValueError
        It is no JSON.
    """
    document = json.loads(text, parse_constant=str)
    return document if isinstance(document, dict) else {}


def kept(
    summary: Mapping[str, Any], first_plane: Mapping[str, Any], position: int | None
) -> dict[str, Any]:
    """Return what is kept of the metadata among the attributes of a position.

    Of the lists of all stage positions only its own: there may be thousands.
    """
    result = {name: value for name, value in summary.items() if name not in _POSITION_LISTS}
    document: dict[str, Any] = {"summary": result, "first_plane": dict(first_plane)}
    for name in _POSITION_LISTS:
        positions = summary.get(name)
        if isinstance(positions, list) and position is not None and position < len(positions):
            document["stage_position"] = positions[position]
            break
    return {ATTRIBUTE: document}


def _color(value: Any) -> str | None:
    """Return six digits for a colour of Java: a signed number, alpha first."""
    return f"{value & 0xFFFFFF:06X}" if type(value) is int else None

"""What both formats of Micro-Manager say in the same words: positions, wells, sizes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from anyzarr.ome import Channel, Spot
from anyzarr.readers._calibration import RGB_CHANNELS
from anyzarr.readers._member import spot_of

__all__ = [
    "ATTRIBUTE",
    "channels_of",
    "hcs_spots",
    "kept",
    "parsed",
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

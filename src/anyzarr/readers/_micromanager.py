"""What both formats of Micro-Manager say in the same words: positions, wells, sizes."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from anyzarr.ome import Axis, Channel, Spot, axes_of

__all__ = [
    "ATTRIBUTE",
    "axes_with_sizes",
    "channels_of",
    "first_number",
    "hcs_spots",
    "kept",
    "number_of",
    "parsed",
]

ATTRIBUTE = "micro-manager"
"""The attribute of an image that the original metadata is kept under."""

_POSITION_LISTS = ("StagePositions", "InitialPositionList")
_WELL_LABEL = re.compile(r"([A-Z]{1,2})(\d{1,2})-Site_(\d+)")
_RGB = (("Red", "FF0000"), ("Green", "00FF00"), ("Blue", "0000FF"))


def hcs_spots(labels: Sequence[str | None]) -> list[Spot | None]:
    """Return the wells and fields that labels of Micro-Manager's HCS site generator name.

    None throughout, unless all of them do: ``A1-Site_0``.
    """
    matches = [_WELL_LABEL.fullmatch(label or "") for label in labels]
    if not all(matches):
        return [None] * len(labels)
    spots: list[Spot | None] = []
    for match in matches:
        assert match is not None
        row, column, field = match.groups()
        row_index = 0
        for letter in row:
            row_index = row_index * 26 + ord(letter) - ord("A") + 1
        number = int(column)
        spots.append(Spot(row, str(number), field, row_index - 1, max(0, number - 1)))
    return spots


def number_of(value: Any) -> float | None:
    """Return a size, if that is what a value of the metadata is: finite and more than 0."""
    try:
        number = abs(float(value))
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and number > 0 else None


def axes_with_sizes(
    names: str, sizes: Mapping[str, tuple[float | None, str]]
) -> tuple[tuple[Axis, ...], tuple[float, ...]]:
    """Return axes with their units, and the scale; without a size an axis has no unit.

    Parameters
    ----------
    names
        Of the axes, in their order.
    sizes
        Size and unit by the name of an axis.
    """
    axes, scale = [], []
    for axis in axes_of(names):
        size, unit = sizes.get(axis.name, (None, ""))
        axes.append(axis if size is None else Axis(axis.name, axis.type, unit))
        scale.append(1.0 if size is None else size)
    return tuple(axes), tuple(scale)


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
            for name, color in _RGB
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


def first_number(*values: Any) -> float | None:
    """Return the first of some values that is a size, or None."""
    return next((n for n in map(number_of, values) if n is not None), None)


def _color(value: Any) -> str | None:
    """Return six digits for a colour of Java: a signed number, alpha first."""
    return f"{value & 0xFFFFFF:06X}" if type(value) is int else None

"""Values of options that say something for each axis, as they are typed: ``z=16,y=256``."""

from __future__ import annotations

import math
import re
from typing import Any, Final

__all__ = ["by_axis", "check_columns", "check_crop", "check_edges", "check_extents",
           "check_levels", "check_scale", "columns_of", "crop_of", "edges_of", "extents_of",
           "levels_of"]  # fmt: skip

_AXIS: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_PART: Final = re.compile(r"(?P<start>-?[0-9]*):(?P<stop>-?[0-9]*)")


def by_axis(text: str, example: str) -> dict[str, str]:
    """Return the values by axis.

    Raises
    ------
    ValueError
        The text is no list of AXIS=VALUE, or has an axis twice.
    """
    found: dict[str, str] = {}
    for part in text.split(","):
        axis, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not value or not _AXIS.fullmatch(axis):
            raise ValueError(f"{text!r} is not AXIS=VALUE for each axis, such as {example}")
        if axis in found:
            raise ValueError(f"{text!r} has the axis {axis} twice")
        found[axis] = value
    return found


def extents_of(text: str) -> tuple[int, ...] | dict[str, int]:
    """Return ``1,512,512`` as numbers, and ``z=16,y=256`` as numbers by axis."""
    example = "1,512,512 or y=512,x=512"
    if "=" not in text:
        return tuple(_count(part, text, example) for part in text.split(","))
    return {axis: _count(n, text, example) for axis, n in by_axis(text, example).items()}


def _count(part: str, text: str, example: str) -> int:
    if not part.strip().isdecimal() or int(part) < 1:
        raise ValueError(f"{text!r} is not a list of whole numbers such as {example}")
    return int(part)


def crop_of(text: str) -> dict[str, tuple[int | None, int | None]]:
    """Return ``t=0:10,x=100:`` as the two ends by axis; None where there is none."""
    found = {}
    for axis, part in by_axis(text, "t=0:10,x=100:900").items():
        match = _PART.fullmatch(part)
        if match is None or "-" in (match["start"], match["stop"]):
            raise ValueError(f"{axis}={part} is not START:STOP, such as {axis}=10:20")
        start, stop = (int(end) if end else None for end in match.groups())
        found[axis] = (start, stop)
    return found


def levels_of(text: str) -> int | str:
    """Return a number of levels, or ``auto``."""
    if text == "auto":
        return text
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"{text!r} is neither auto nor a number of at least 1")
    return int(text)


def columns_of(text: str) -> dict[str, str]:
    """Return ``x=PosX,y=PosY`` as the column of each role."""
    return by_axis(text, "x=PosX,y=PosY")


def edges_of(text: str) -> tuple[float, ...]:
    """Return ``100,100,50.5`` as lengths, which are above 0."""
    try:
        edges = tuple(float(part) for part in text.split(","))
    except ValueError:
        edges = ()
    if not edges or not all(0 < edge < math.inf for edge in edges):
        raise ValueError(f"{text!r} is not a list of lengths above 0 such as 100,100,50")
    return edges


def check_columns(type_: Any, text: str | None) -> None:
    """Check columns."""
    if text is not None:
        columns_of(text)


def check_edges(type_: Any, text: str | None) -> None:
    """Check lengths of edges."""
    if text is not None:
        edges_of(text)


def check_extents(type_: Any, text: str | None) -> None:
    """Check chunks or shards."""
    if text is not None and text not in {"none", "auto"}:
        extents_of(text)


def check_crop(type_: Any, text: str | None) -> None:
    """Check a part to be taken."""
    if text is not None:
        crop_of(text)


def check_scale(type_: Any, text: str | None) -> None:
    """Check sizes by axis."""
    if text is not None:
        by_axis(text, "z=2.0um,y=0.1um,x=0.1um")


def check_levels(type_: Any, text: str | None) -> None:
    """Check a number of levels."""
    if text is not None:
        levels_of(text)

"""What all sheets are drawn with: colours, the strip on top, the scale bar, text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from anyzarr._view._text import Text, fitted

__all__ = [
    "BACKGROUND",
    "BRIGHT",
    "DARK_RED",
    "EMPTY",
    "LABEL_SIZE",
    "MARGIN",
    "MUTED",
    "STRIP_HEIGHT",
    "ScaleBar",
    "cross_out",
    "draw_strip",
    "write",
]

BACKGROUND = (17, 20, 24)
BRIGHT = (240, 243, 246)
MUTED = (154, 164, 175)
EMPTY = (40, 46, 54)
DARK_RED = (190, 60, 60)
_STRIP = (28, 33, 39)

MARGIN = 16
LABEL_SIZE = 14
STRIP_HEIGHT = 74
_TITLE_SIZE = 22
_DETAIL_SIZE = 15


@dataclass(frozen=True, slots=True)
class ScaleBar:
    """A bar of known length.

    Attributes
    ----------
    fraction
        Its length as a fraction of a tile's width.
    label
        Its length with its unit.
    """

    fraction: float
    label: str


def draw_strip(draw: Any, width: int, title: str, details: str) -> None:
    """Draw the strip on top of a sheet: two lines, cut where they do not fit."""
    draw.rectangle((0, 0, width, STRIP_HEIGHT - 1), fill=_STRIP)
    room = width - 2 * MARGIN
    write(draw, (MARGIN, 12), fitted(title, _TITLE_SIZE, room), BRIGHT)
    write(draw, (MARGIN, 44), fitted(details, _DETAIL_SIZE, room), MUTED)


def cross_out(draw: Any, box: tuple[int, int, int, int]) -> None:
    """Draw the mark of what could not be read into a box: left, top, right, bottom."""
    left, top, right, bottom = box
    draw.rectangle(box, outline=DARK_RED)
    draw.line((left, top, right, bottom), fill=DARK_RED)
    draw.line((left, bottom, right, top), fill=DARK_RED)


def write(draw: Any, at: tuple[float, float], text: Text, color: tuple[int, int, int]) -> None:
    """Draw a line of text with its upper left corner at a point."""
    draw.text(at, text.content, font=text.font, fill=color)

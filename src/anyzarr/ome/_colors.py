"""Colours of channels, told from their names."""

from __future__ import annotations

import re

__all__ = ["color_of", "default_colors"]

_BLUE, _CYAN, _GREEN, _YELLOW = "0000FF", "00FFFF", "00FF00", "FFFF00"
_ORANGE, _RED, _MAGENTA, _WHITE = "FF8000", "FF0000", "FF00FF", "FFFFFF"

_APART = ("00FF00", "FF00FF", "00FFFF", "FFFF00", "FF0000", "0000FF")

# Dyes and proteins first, lines of lasers last: "GFP EX488 EM525" is GFP, "405" is blue.
_NAMES: tuple[tuple[str, str], ...] = (
    (
        r"bright ?field|bf|phase( ?[0-9]+d)?|dic|dpc|trans(mitted|mission)?( light)?|tl|tpmt"
        r"|retardance|orientation|label ?free|gr[ae]y|white|qpi|reflection",
        _WHITE,
    ),
    (r"dapi|hoechst( ?[0-9]+)?|[em]?bfp2?|mtagbfp2?|cascade blue|pacific blue|nucblue|blue", _BLUE),
    (r"[em]?cfp|m?cerulean3?|m?turquoise2?|m?tfp1?|cyan", _CYAN),
    (
        r"[a-z]{0,2}gfp|fitc|fluorescein|m?neongreen|mng|calcein|g?camp[0-9]*[a-z]?|gcamp[0-9]*[a-z]?"
        r"|cy2|mclover3?|emerald|mitotracker green|green|sybr( green)?|yo ?pro",
        _GREEN,
    ),
    (r"[em]?yfp|m?venus|m?citrine|yellow", _YELLOW),
    (r"cy3( ?5)?|tritc|m?orange2?|mko2?|tamra|orange", _ORANGE),
    (
        r"m?cherry2?|m?rfp1?|[em]?rfp|tag ?rfp|tx ?red|texas ?red|ds ?red2?|td ?tomato|m?scarlet3?"
        r"|m?kate2?|m?ruby[0-9]?|rhodamine( [a-z0-9]+)?|propidium iodide|pi|mitotracker red|red"
        r"|m?apple",
        _RED,
    ),
    (
        r"cy5( ?5)?|cy7|far ?red|i?rfp ?(670|713|720)|mirfp( ?[0-9]+)?|sir( ?[a-z]+)?|draq5"
        r"|jf ?64[69]|magenta|apc",
        _MAGENTA,
    ),
)  # fmt: skip
_LINES: tuple[tuple[str, str], ...] = (
    (r"3[5-9]\d|40\d|41\d", _BLUE),
    (r"4[34]\d|45\d", _CYAN),
    (r"4[6-9]\d", _GREEN),
    (r"50\d|51\d|53\d", _YELLOW),
    (r"54\d|55\d", _ORANGE),
    (r"56\d|57\d|58\d|59\d", _RED),
    (r"6[2-9]\d|7\d\d", _MAGENTA),
)
_DYES = r"(alexa( ?fluor)?|af|atto|cf|jf|dylight|dy|ex|em|laser|[a-z])? ?"

_BY_NAME = tuple((re.compile(rf"(?<![a-z0-9])(?:{p})(?![a-z0-9])"), color) for p, color in _NAMES)
_BY_LINE = tuple(
    (re.compile(rf"(?<![a-z0-9]){_DYES}(?:{p}) ?(nm)?(?![a-z0-9])"), color) for p, color in _LINES
)


def color_of(label: str) -> str | None:
    """Return the usual colour of a channel of this name, or None where none is usual.

    >>> from anyzarr.ome._colors import color_of
    >>> color_of("DAPI"), color_of("EGFP-tubulin"), color_of("Alexa Fluor 647"), color_of("A")
    ('0000FF', '00FF00', 'FF00FF', None)
    """
    words = re.sub(r"[^a-z0-9]+", " ", label.lower()).strip()
    found = [
        (match.start(), color) for pattern, color in _BY_NAME
        if (match := pattern.search(words)) is not None
    ]  # fmt: skip
    if found:
        return min(found)[1]
    return next((color for pattern, color in _BY_LINE if pattern.search(words)), None)


def default_colors(n: int) -> tuple[str, ...]:
    """Return colours for so many channels: white for one, else well apart on black.

    >>> from anyzarr.ome._colors import default_colors
    >>> default_colors(2)
    ('00FF00', 'FF00FF')
    """
    return (_WHITE,) if n == 1 else tuple(_APART[i % len(_APART)] for i in range(n))

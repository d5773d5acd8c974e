"""Text on pictures, in a font that has the characters."""

from __future__ import annotations

import functools
import unicodedata
from typing import Any

__all__ = ["Text", "fitted"]

# Pillow's built-in font covers little beyond ASCII; these are on most systems.
_SYSTEM_FONTS = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "LiberationSans-Regular.ttf",
    "Arial.ttf",
    "arial.ttf",
    "Helvetica.ttc",
    "segoeui.ttf",
)
_PLAIN = str.maketrans({"µ": "u", "μ": "u", "×": "x", "–": "-", "—": "-", "−": "-"})


class Text:
    """A line of text with the font to draw it in.

    Parameters
    ----------
    content
        Any text. Line breaks become spaces; characters no installed font has are spelled in
        ASCII as far as possible (``µm`` as ``um``).
    size
        Height of the font in pixels.
    """

    __slots__ = ("content", "font")

    def __init__(self, content: str, size: int) -> None:
        content = " ".join(content.split())
        system = _system_font(size)
        self.font = _default_font(size) if system is None else system
        self.content = _to_ascii(content) if system is None else content

    @property
    def width(self) -> int:
        """Width in pixels."""
        return int(self.font.getlength(self.content) + 0.999)


def fitted(content: str, size: int, width: int) -> Text:
    """Return the text, cut with ``...`` where it is wider than ``width`` pixels."""
    text = Text(content, size)
    while text.width > width and len(content) > 1:
        content = content[: max(1, len(content) - 1 - len(content) // 10)].rstrip()
        text = Text(content + "...", size)
    return text


def _to_ascii(content: str) -> str:
    decomposed = unicodedata.normalize("NFKD", content.translate(_PLAIN))
    kept = "".join(c for c in decomposed if not unicodedata.combining(c))
    return kept.encode("ascii", "replace").decode("ascii")


@functools.lru_cache(maxsize=16)
def _default_font(size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size)


@functools.lru_cache(maxsize=16)
def _system_font(size: int) -> Any:
    from PIL import ImageFont

    for name in _SYSTEM_FONTS:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return None

"""The contact sheet: tiles under a title strip, composed with Pillow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from anyzarr._view._contrast import UInt8
from anyzarr._view._draw import (
    BACKGROUND,
    BRIGHT,
    LABEL_SIZE,
    MARGIN,
    MUTED,
    STRIP_HEIGHT,
    ScaleBar,
    cross_out,
    draw_strip,
    write,
)
from anyzarr._view._text import Text, fitted

__all__ = [
    "Layout",
    "ScaleBar",
    "Tile",
    "compose",
    "largest_scale",
    "lay_out",
    "resized",
    "scale_bar",
]

_GAP = 12
_CAPTION_HEIGHT = 26
_MIN_TILE = 96
_SMALL_TILE = 192
_MIN_WIDTH = 520


@dataclass(frozen=True, slots=True)
class Tile:
    """One picture of the sheet.

    Attributes
    ----------
    picture
        ``(Y, X, 3)`` of uint8.
    label
        The channel's name.
    detail
        What follows the name in a quieter colour, such as the contrast window.
    color
        Colour of the mark before the label, or None for no mark.
    is_broken
        Whether it is crossed out.
    """

    picture: UInt8
    label: str
    detail: str = ""
    color: tuple[int, int, int] | None = None
    is_broken: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """Where tiles go.

    Attributes
    ----------
    columns, rows
        Cells of the grid.
    width, height
        Size of one tile's picture in pixels.
    """

    columns: int
    rows: int
    width: int
    height: int


def lay_out(n_tiles: int, shape: tuple[int, int], screen: tuple[int, int]) -> Layout:
    """Return the grid that shows ``n_tiles`` pictures of ``shape`` (Y, X) largest on a screen.

    Parameters
    ----------
    n_tiles
        Number of pictures.
    shape
        Extent of a picture (height, width) in any unit; only the ratio and, for enlarging
        small pictures, the number of pixels count.
    screen
        Width and height to fill, in pixels. A sheet of very many tiles grows beyond the height
        rather than shrink tiles below 96 pixels.
    """
    layouts = []
    for columns in range(1, n_tiles + 1):
        rows = -(-n_tiles // columns)
        free_x = (screen[0] - 2 * MARGIN - (columns - 1) * _GAP) / columns
        free_y = (screen[1] - STRIP_HEIGHT - 2 * MARGIN - (rows - 1) * _GAP) / rows
        scale = min(free_x / shape[1], (free_y - _CAPTION_HEIGHT) / shape[0])
        scale = max(scale, _MIN_TILE / max(shape))
        scale = min(scale, largest_scale(shape))
        if columns * shape[1] * scale > screen[0] and columns > 1:
            continue
        layouts.append(Layout(columns, rows, _pixels(shape[1] * scale), _pixels(shape[0] * scale)))
    # Among those that show tiles as large: no empty cells, then fewer rows.
    return max(layouts, key=lambda a: (a.width, n_tiles - a.columns * a.rows, a.columns))


def scale_bar(tile_extent: float, unit: str, share: float = 0.25) -> ScaleBar | None:
    """Return a bar of a round length, a ``share`` of the tile's physical width at most.

    Parameters
    ----------
    tile_extent
        Physical width of a tile.
    unit
        Short name of its unit, such as ``µm``.
    share
        Of the tile's width.
    """
    if not (math.isfinite(tile_extent) and tile_extent > 0):
        return None
    wish = tile_extent * share
    power = 10.0 ** math.floor(math.log10(wish))
    length = max(m * power for m in (1, 2, 5) if m * power <= wish)
    return ScaleBar(length / tile_extent, f"{length:g} {unit}")


def compose(
    tiles: Sequence[Tile],
    layout: Layout,
    title: str,
    details: str,
    bar: ScaleBar | None = None,
) -> Any:
    """Return the sheet as a ``PIL.Image`` in RGB.

    Parameters
    ----------
    tiles
        At least one, in reading order.
    layout
        From :func:`lay_out`.
    title, details
        The two lines of the strip on top.
    bar
        Drawn into the last tile.
    """
    from PIL import Image, ImageDraw

    cell = (layout.width + _GAP, layout.height + _CAPTION_HEIGHT + _GAP)
    width = max(_MIN_WIDTH, 2 * MARGIN + layout.columns * cell[0] - _GAP)
    height = STRIP_HEIGHT + 2 * MARGIN + layout.rows * cell[1] - _GAP
    sheet = Image.new("RGB", (width, height), BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    draw_strip(draw, width, title, details)
    for index, tile in enumerate(tiles):
        row, column = divmod(index, layout.columns)
        x, y = MARGIN + column * cell[0], STRIP_HEIGHT + MARGIN + row * cell[1]
        sheet.paste(Image.fromarray(resized(tile.picture, layout.height, layout.width)), (x, y))
        if tile.is_broken:
            cross_out(draw, (x, y, x + layout.width - 1, y + layout.height - 1))
        _draw_caption(draw, tile, x, y + layout.height, layout.width)
        if bar is not None and index == len(tiles) - 1:
            _draw_bar(draw, bar, x, y, layout)
    return sheet


def _draw_caption(draw: Any, tile: Tile, x: int, y: int, width: int) -> None:
    left = x
    if tile.color is not None:
        draw.rounded_rectangle((x, y + 8, x + 11, y + 19), 3, fill=tile.color)
        left += 18
    label = fitted(tile.label, LABEL_SIZE, x + width - left)
    write(draw, (left, y + 5), label, BRIGHT)
    room = x + width - left - label.width - 8
    detail = Text(tile.detail, LABEL_SIZE)
    if tile.detail and detail.width <= room:
        write(draw, (x + width - detail.width, y + 5), detail, MUTED)


def _draw_bar(draw: Any, bar: ScaleBar, x: int, y: int, layout: Layout) -> None:
    length = round(bar.fraction * layout.width)
    right, bottom = x + layout.width - 12, y + layout.height - 12
    text = Text(bar.label, LABEL_SIZE)
    if max(length, text.width) + 24 > layout.width or layout.height < 80:
        return
    centre = min(right - length / 2, right - text.width / 2)
    box = (right - max(length, text.width) - 8, bottom - 30, right + 8, bottom + 8)
    draw.rounded_rectangle(box, 4, fill=BACKGROUND)
    draw.rectangle((right - length, bottom - 4, right, bottom), fill=BRIGHT)
    write(draw, (centre - text.width / 2, bottom - 25), text, BRIGHT)


def resized(picture: UInt8, height: int, width: int) -> UInt8:
    """Return a picture in another size; enlarging keeps pixels square-edged."""
    from PIL import Image

    if picture.shape[:2] == (height, width):
        return picture
    image = Image.fromarray(picture)
    enlarges = width > image.size[0]
    method = Image.Resampling.NEAREST if enlarges else Image.Resampling.HAMMING
    return np.asarray(image.resize((width, height), method))


def largest_scale(shape: tuple[int, int]) -> float:
    """Return the most a picture is enlarged: only thumbnails are, and by whole factors."""
    return float(max(1, _SMALL_TILE // max(shape)))


def _pixels(extent: float) -> int:
    return max(1, round(extent))

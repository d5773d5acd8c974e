"""The sheet of a plate: pictures of its wells as they lie on it, composed with Pillow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from anyzarr._view._contrast import RGB, UInt8
from anyzarr._view._draw import (
    BACKGROUND,
    BRIGHT,
    EMPTY,
    LABEL_SIZE,
    MARGIN,
    MUTED,
    STRIP_HEIGHT,
    ScaleBar,
    cross_out,
    draw_strip,
    write,
)
from anyzarr._view._sheet import largest_scale
from anyzarr._view._text import Text

__all__ = ["Cell", "Legend", "PlateGrid", "compose_plate", "lay_out_plate"]

# A picture; or why there is none: it cannot be read, or the well has no such field of view.
Cell = UInt8 | Literal["broken", "absent"]

_LEGEND_HEIGHT = 34
_NAME_SIZE = 13
_NAME_HEIGHT = 22
_MIN_CELL = 10
_MIN_WIDTH = 520
# Beyond this a plate is no plate but a list, and shown as one.
_LARGEST_SHEET = 5000


@dataclass(frozen=True, slots=True)
class Legend:
    """What one colour stands for.

    Attributes
    ----------
    name, detail
        Of the channel, and its contrast window.
    color
        Of the mark, or None for no mark.
    """

    name: str
    detail: str
    color: RGB | None


@dataclass(frozen=True, slots=True)
class PlateGrid:
    """Where wells go.

    Attributes
    ----------
    rows, columns
        Names.
    height, width
        Size of the picture of one well in pixels.
    gap
        Between wells.
    left
        Room for the names of the rows.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    height: int
    width: int
    gap: int
    left: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the sheet."""
        width = self.left + len(self.columns) * (self.width + self.gap) - self.gap + MARGIN
        height = self.top + len(self.rows) * (self.height + self.gap) - self.gap + MARGIN
        return max(_MIN_WIDTH, width), height

    @property
    def top(self) -> int:
        """Where the first row of wells begins."""
        return STRIP_HEIGHT + _LEGEND_HEIGHT + _NAME_HEIGHT + 4

    def corner(self, row: int, column: int) -> tuple[int, int]:
        """Return the upper left corner of a well."""
        return (
            self.left + column * (self.width + self.gap),
            self.top + row * (self.height + self.gap),
        )


def lay_out_plate(
    rows: Sequence[str], columns: Sequence[str], shape: tuple[int, int], screen: tuple[int, int]
) -> PlateGrid | None:
    """Return where the wells of a plate go; None where it is too large to be drawn as one.

    Parameters
    ----------
    rows, columns
        Names.
    shape
        Of an image (height, width).
    screen
        Width and height to fit, in pixels. Wells are not made smaller than 10 pixels: the sheet
        of a very large plate grows instead.
    """
    left = MARGIN + max(Text(name, _NAME_SIZE).width for name in rows) + 8
    n_rows, n_columns = len(rows), len(columns)
    gap = 6 if n_columns <= 12 else 3 if n_columns <= 24 else 2
    probe = PlateGrid(tuple(rows), tuple(columns), 0, 0, gap, left)
    free_x = (screen[0] - left - MARGIN + gap) / n_columns - gap
    free_y = (screen[1] - probe.top - MARGIN + gap) / n_rows - gap
    scale = min(free_x / shape[1], free_y / shape[0])
    scale = min(max(scale, _MIN_CELL / max(shape)), largest_scale(shape))
    height, width = (max(1, int(n * scale)) for n in shape)
    grid = PlateGrid(tuple(rows), tuple(columns), height, width, gap, left)
    return grid if max(grid.size) <= _LARGEST_SHEET else None


def compose_plate(
    grid: PlateGrid,
    cells: Mapping[tuple[int, int], Cell],
    title: str,
    details: str,
    legend: Sequence[Legend],
    bar: ScaleBar | None = None,
) -> Any:
    """Return the sheet as a ``PIL.Image`` in RGB.

    Parameters
    ----------
    grid
        From :func:`lay_out_plate`.
    cells
        By row and column; the other wells are drawn as empty.
    title, details
        The two lines of the strip on top.
    legend
        The channels.
    bar
        Drawn beside the legend; its length in widths of a well.
    """
    from PIL import Image, ImageDraw

    sheet = Image.new("RGB", grid.size, BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    draw_strip(draw, grid.size[0], title, details)
    _draw_legend(draw, grid, legend, bar)
    _draw_names(draw, grid)
    for row in range(len(grid.rows)):
        for column in range(len(grid.columns)):
            x, y = grid.corner(row, column)
            box = (x, y, x + grid.width - 1, y + grid.height - 1)
            cell = cells.get((row, column))
            if cell is None or isinstance(cell, str):
                _draw_mark(draw, box, cell)
            else:
                sheet.paste(Image.fromarray(cell), (x, y))
    return sheet


def _draw_mark(draw: Any, box: tuple[int, int, int, int], cell: str | None) -> None:
    if cell == "broken":
        cross_out(draw, box)
        return
    radius = max(1, min(8, (box[2] - box[0]) // 6))
    draw.rounded_rectangle(box, radius, outline=EMPTY)
    if cell == "absent":
        middle = (box[1] + box[3]) // 2
        third = (box[2] - box[0]) // 3
        draw.line((box[0] + third, middle, box[2] - third, middle), fill=MUTED)


def _draw_legend(
    draw: Any, grid: PlateGrid, legend: Sequence[Legend], bar: ScaleBar | None
) -> None:
    x, y = MARGIN, STRIP_HEIGHT + 9
    right = grid.size[0] - MARGIN
    if bar is not None:
        right = _draw_bar(draw, grid, bar, right, y)
    for entry in legend:
        name, detail = Text(entry.name, LABEL_SIZE), Text(entry.detail, LABEL_SIZE)
        mark = 0 if entry.color is None else 18
        if x + mark + name.width + 8 + detail.width > right:
            write(draw, (x, y), Text("…", LABEL_SIZE), MUTED)
            return
        if entry.color is not None:
            draw.rounded_rectangle((x, y + 3, x + 11, y + 14), 3, fill=entry.color)
        write(draw, (x + mark, y), name, BRIGHT)
        write(draw, (x + mark + name.width + 8, y), detail, MUTED)
        x += mark + name.width + 8 + detail.width + 26


def _draw_bar(draw: Any, grid: PlateGrid, bar: ScaleBar, right: int, y: int) -> int:
    """Draw the scale bar with its end at ``right``; return where it begins."""
    length = max(1, round(bar.fraction * grid.width))
    text = Text(bar.label, LABEL_SIZE)
    draw.rectangle((right - length, y + 7, right, y + 10), fill=BRIGHT)
    write(draw, (right - length - 8 - text.width, y), text, MUTED)
    return right - length - 8 - text.width - 16


def _draw_names(draw: Any, grid: PlateGrid) -> None:
    names = [Text(name, _NAME_SIZE) for name in grid.columns]
    widest = max((name.width for name in names), default=0) + 6
    for index in _named(len(names), widest, grid.width + grid.gap):
        x, _ = grid.corner(0, index)
        middle = x + (grid.width - names[index].width) / 2
        write(draw, (middle, grid.top - _NAME_HEIGHT), names[index], MUTED)
    for index in _named(len(grid.rows), _NAME_SIZE + 3, grid.height + grid.gap):
        name = Text(grid.rows[index], _NAME_SIZE)
        _, y = grid.corner(index, 0)
        at = (grid.left - 8 - name.width, y + (grid.height - _NAME_SIZE - 3) / 2)
        write(draw, at, name, MUTED)


def _named(n: int, needed: int, pitch: int) -> Iterator[int]:
    """Iterate over the rows or columns whose names fit: all, or every 2nd, 5th, 10th, ..."""
    steps = (f * 10**power for power in range(6) for f in (1, 2, 5))
    step = next((step for step in steps if step * pitch >= needed), max(1, n))
    return iter(range(0, n, step))

"""The sheet of a vector store: what it looks like from each side."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from anyzarr._view._colormap import DENSITY, VALUES, colored
from anyzarr._view._contrast import UInt8
from anyzarr._view._draw import LABEL_SIZE, ScaleBar, write
from anyzarr._view._draw_shapes import DrawingStyle, draw_shapes
from anyzarr._view._raster import Projected
from anyzarr._view._shapes import Painted, paint
from anyzarr._view._sheet import Layout, Tile, compose, lay_out, scale_bar
from anyzarr._view._shown import Look, Preview
from anyzarr._view._source import short_unit
from anyzarr._view._text import Text
from anyzarr._view._vector_source import Drawing, Space, auto_color, read_drawing
from anyzarr.errors import UnsupportedError
from anyzarr.vectors import ZVStore

__all__ = ["render_vectors"]

_MARGIN: Final = 0.03
# A picture is at most so many times as long as wide.
_LONGEST: Final = 6.0
_VIRTUAL: Final = 4096
_PANEL: Final = (23, 27, 33)


@dataclass(frozen=True)
class _View:
    """A side to look from.

    Attributes
    ----------
    across, down, deep
        Columns: which runs to the right, which up or down, and which into the picture.
    signs
        Of ``down`` and ``deep``: 1 where values grow downwards, and towards the viewer.
    """

    across: int
    down: int
    deep: int | None
    signs: tuple[int, int]


def render_vectors(store: ZVStore, target: str, look: Look) -> tuple[Any, Preview]:
    """Return the sheet of a vector store as a ``PIL.Image``, and what it shows.

    Parameters
    ----------
    store
        The store.
    target
        Where the sheet will be written.
    look
        What to show of it: ``level``, ``color``, ``wireframe`` and ``screen`` count.

    Raises
    ------
    UnsupportedError
        There is nothing to show.
    """
    space = Space.of(store.metadata.axes)
    drawing = read_drawing(store, level=look.level, color=look.color)
    positions, low, high = _placed(drawing, space, store.url)
    color = auto_color(drawing) if look.color == "auto" else look.color
    painted = paint(drawing.shapes, "plain" if color == "density" else color, space.axes)
    views = _views(space)
    layout, scale = _layout(views, high - low, look)
    style = DrawingStyle(is_density=color == "density", wireframe=look.wireframe)
    tiles = []
    for view in views:
        at = _projected(view, positions, (low + high) / 2, layout, scale)
        base = np.full((layout.height, layout.width, 3), _PANEL, np.uint8)
        picture = draw_shapes(drawing.shapes, painted, at, base, style)
        tiles.append(Tile(_marked(picture, view, space), *_caption(view, space, low, high)))
    tiles[0] = replace(tiles[0], picture=_with_scale(tiles[0].picture, painted, color))
    unit = short_unit(space.units[space.x]) or ""
    bar = scale_bar(layout.width / scale / space.lengths[space.x], unit)
    details = _details(drawing, store, painted.by or color)
    sheet = compose(tiles, layout, store.metadata.name, details, _trimmed(bar))
    notes = (f"of level {drawing.level}, {drawing.sample} are shown",) if drawing.sample else ()
    shown = Preview(
        target, sheet.width, sheet.height, drawing.level, (), "",
        vectors=(store.metadata.name,), notes=notes,
    )  # fmt: skip
    return sheet, shown


def _views(space: Space) -> tuple[_View, ...]:
    up = 1 if space.is_of_image else -1
    front = _View(space.x, space.y, space.z, (up, -up))
    if space.z is None:
        return (front,)
    side = _View(space.x, space.z, space.y, (up, up))
    return front, side, _View(space.y, space.z, space.x, (up, -up))


def _placed(
    drawing: Drawing, space: Space, url: str
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return positions in one unit, and the corners of the box that holds them."""
    positions = drawing.shapes.positions * space.lengths
    finite = positions[np.isfinite(positions).all(axis=1)]
    if not len(finite):
        raise UnsupportedError(
            f"{url} holds no vertices at level {drawing.level}, so there is nothing to show",
            kind="empty",
        )
    return positions, finite.min(axis=0), finite.max(axis=0)


def _layout(
    views: tuple[_View, ...], size: npt.NDArray[np.float64], look: Look
) -> tuple[Layout, float]:
    """Return where pictures go, and how many pixels a unit has, in all of them."""
    across = max(float(size[view.across]) for view in views)
    down = max(float(size[view.down]) for view in views)
    longest = max(across, down) or 1.0
    across, down = max(across, longest / _LONGEST), max(down, longest / _LONGEST)
    shape = round(down / longest * _VIRTUAL), round(across / longest * _VIRTUAL)
    layout = lay_out(len(views), shape, look.screen)
    room = 1 - 2 * _MARGIN
    return layout, min(layout.width / across, layout.height / down) * room


def _projected(
    view: _View,
    positions: npt.NDArray[np.float64],
    centre: npt.NDArray[np.float64],
    layout: Layout,
    scale: float,
) -> Projected:
    """Return where positions lie in a picture that shows the centre in its middle."""
    local = (positions - centre) * scale
    down, deep = view.signs
    depth = np.zeros(len(local)) if view.deep is None else local[:, view.deep] * deep
    return Projected(
        local[:, view.across] + layout.width / 2,
        local[:, view.down] * down + layout.height / 2,
        depth,
    )


def _caption(
    view: _View, space: Space, low: npt.NDArray[np.float64], high: npt.NDArray[np.float64]
) -> tuple[str, str]:
    """Return the name of a view, and what it spans."""
    lengths = space.lengths
    spans = []
    for axis in (view.across, view.down):
        unit = f" {short_unit(space.units[axis])}" if space.units[axis] else ""
        ends = low[axis] / lengths[axis], high[axis] / lengths[axis]
        spans.append(f"{space.names[axis]} {ends[0]:.4g} – {ends[1]:.4g}{unit}")
    return f"{space.names[view.across]}{space.names[view.down]}", ", ".join(spans)


def _marked(picture: UInt8, view: _View, space: Space) -> UInt8:
    """Return a picture with arrows in its lower left corner that name its axes."""
    from PIL import Image, ImageDraw

    height, width = picture.shape[:2]
    if min(height, width) < 90:
        return picture
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    grey, length, left = (120, 130, 141), 26, 10
    bottom = height - 10 - (length + 6 if view.signs[0] > 0 else 0)
    tip = bottom + length * view.signs[0]
    draw.line((left, bottom, left + length, bottom), fill=grey)
    draw.line((left, bottom, left, tip), fill=grey)
    text = Text(space.names[view.across], LABEL_SIZE - 2)
    write(draw, (left + length + 4, bottom - 8), text, grey)
    text = Text(space.names[view.down], LABEL_SIZE - 2)
    write(draw, (left + 4, min(tip, height - 18) - (4 if view.signs[0] < 0 else 0)), text, grey)
    return np.asarray(image)


def _with_scale(picture: UInt8, painted: Painted, color: str) -> UInt8:
    """Return a picture with the colours of numbers in its upper right corner."""
    from PIL import Image, ImageDraw

    if painted.limits is None and color != "density":
        return picture
    height, width = picture.shape[:2]
    if width < 260 or height < 90:
        return picture
    ends = ("few", "many") if painted.limits is None else [f"{v:.4g}" for v in painted.limits]
    ramp = colored(np.linspace(0, 1, 90), DENSITY if painted.limits is None else VALUES)
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    low, high = (Text(end, LABEL_SIZE - 2) for end in ends)
    right = width - 12 - high.width
    left = right - 6 - len(ramp)
    image.paste(Image.fromarray(np.tile(ramp, (10, 1, 1))), (left, 13))
    write(draw, (right, 10), high, (180, 188, 197))
    write(draw, (left - 6 - low.width, 10), low, (180, 188, 197))
    return np.asarray(image)


def _details(drawing: Drawing, store: ZVStore, told: str) -> str:
    n_vertices, n_objects = drawing.counts
    parts = [
        ", ".join(store.geometry_types) or "vectors",
        f"{n_vertices:,} {'vertex' if n_vertices == 1 else 'vertices'}",
    ]
    if n_objects:
        parts.append(f"{n_objects:,} {'object' if n_objects == 1 else 'objects'}")
    if drawing.n_levels > 1:
        parts.append(f"level {drawing.level} of {drawing.n_levels} shown")
    if drawing.sample:
        parts.append(f"a sample: {drawing.sample}")
    if told != "plain":
        parts.append(f"colour: {told}")
    return "  ·  ".join(parts)


def _trimmed(bar: ScaleBar | None) -> ScaleBar | None:
    return None if bar is None else ScaleBar(bar.fraction, bar.label.strip())

"""Vectors drawn over an image: where they lie in its physical coordinates, and in what is shown."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from anyzarr._view._contrast import UInt8
from anyzarr._view._draw_shapes import DrawingStyle, draw_shapes
from anyzarr._view._planes import Slicing
from anyzarr._view._raster import Projected
from anyzarr._view._shapes import Shapes, paint
from anyzarr._view._shown import Look
from anyzarr._view._slab import in_slab
from anyzarr._view._source import Source
from anyzarr._view._vector_source import Drawing, Space, auto_color, read_drawing
from anyzarr.errors import UnsupportedError
from anyzarr.ome._axes import Axis, metres
from anyzarr.vectors import ZVStore
from anyzarr.vectors._grid import Bounds

__all__ = ["VectorLayer", "VectorOverlay", "overlay_vectors"]

_DIMMED: Final = 0.75


@dataclass(frozen=True)
class VectorLayer:
    """A vector store ready to be drawn over an image.

    Attributes
    ----------
    name
        Its name.
    store
        The store.
    """

    name: str
    store: ZVStore


@dataclass(frozen=True, eq=False)
class VectorOverlay:
    """A picture with vectors over it.

    Attributes
    ----------
    picture
        ``(Y, X, 3)``.
    detail
        How many vertices are in view, and what the colours tell.
    note
        What part of the store was read, in a sentence; empty: all that is in view.
    """

    picture: UInt8
    detail: str
    note: str = ""


@dataclass(frozen=True, eq=False)
class _Frame:
    """What is shown of an image, in the coordinates of a vector store.

    Attributes
    ----------
    columns
        Columns of x and y of the store.
    origin, size
        Along both: where the picture begins, and how long it is.
    slabs
        Column of each axis of which one element is shown: what it spans.
    """

    columns: tuple[int, int]
    origin: tuple[float, float]
    size: tuple[float, float]
    slabs: dict[int, tuple[float, float]]

    def box(self, bounds: Bounds) -> Bounds:
        """Return the box that holds all that is shown, within the bounds of the store."""
        low, high = list(bounds[0]), list(bounds[1])
        spans = {
            c: (o, o + n) for c, o, n in zip(self.columns, self.origin, self.size, strict=True)
        }
        for column, span in {**spans, **self.slabs}.items():
            low[column], high[column] = min(span), max(span)
        return tuple(low), tuple(high)


def overlay_vectors(
    layer: VectorLayer, base: UInt8, source: Source, level: int, cut: Slicing, look: Look
) -> VectorOverlay:
    """Return a picture of an image with vectors drawn over it.

    The picture loses its colours, so that those of the vectors stand out. Where one element of
    an axis is shown, what of the vectors lies in it is drawn, and meshes are cut.

    Parameters
    ----------
    layer
        The vectors.
    base
        The picture, of any size.
    source, level, cut
        What it shows.
    look
        ``color`` counts.

    Raises
    ------
    UnsupportedError
        The vectors have other axes than the image.
    """
    frame = _frame(layer, source, level, cut)
    drawing = read_drawing(
        layer.store, color=look.color, bbox=frame.box(layer.store.metadata.bounds)
    )
    shapes = drawing.shapes
    for column, span in frame.slabs.items():
        shapes = in_slab(shapes, column, span)
    color = look.color
    if color == "auto":
        color = "plain" if drawing.geometry == "point" else auto_color(drawing)
    space = Space.of(layer.store.metadata.axes)
    painted = paint(shapes, "plain" if color == "density" else color, space.axes)
    if color in ("plain", "density"):
        painted = replace(painted, faces=painted.dots[shapes.faces[:, 0]])
    at = _projected(frame, space, shapes, base.shape)
    grey = (base.max(axis=-1, keepdims=True) * np.ones(3) * _DIMMED).astype(np.uint8)
    style = DrawingStyle(wireframe=look.wireframe, is_flat=True)
    picture = draw_shapes(shapes, painted, at, grey, style)
    told = f"{_in_view(at, base.shape):,} vertices in view"
    detail = told if color == "plain" else f"{told}, colour: {color}"
    return VectorOverlay(picture, detail, _note(layer, drawing))


def _note(layer: VectorLayer, drawing: Drawing) -> str:
    if not drawing.sample:
        return ""
    return f"of level {drawing.level} of {layer.name!r}, {drawing.sample} are shown"


def _frame(layer: VectorLayer, source: Source, level: int, cut: Slicing) -> _Frame:
    """Return what is shown of an image, in the coordinates and units of a vector store."""
    names = [str(axis.get("name", "")).lower() for axis in layer.store.metadata.axes]
    shape = source.levels[level].shape
    spans: dict[int, tuple[float, float]] = {}
    slabs: dict[int, tuple[float, float]] = {}
    for axis, name in enumerate(source.axes):
        if name.lower() not in names:
            continue
        column = names.index(name.lower())
        scale, shift = source.scales[level][axis], source.shifts[level][axis]
        ratio = _ratio(source.units[axis], layer.store.metadata.axes[column].get("unit"))
        if axis in source.plane_axes:
            first = (shift - scale / 2) * ratio
            spans[axis] = first, scale * shape[axis] * ratio
        elif axis in cut.index and shape[axis] > 1:
            centre = shift + cut.index[axis] * scale
            slabs[column] = (centre - scale / 2) * ratio, (centre + scale / 2) * ratio
    y, x = source.plane_axes
    if x not in spans or y not in spans:
        raise UnsupportedError(
            f"the vectors have the axes {', '.join(map(repr, names))}, and the picture is of "
            f"{source.axes[y]!r} and {source.axes[x]!r}",
            kind="axes",
        )
    columns = names.index(source.axes[x].lower()), names.index(source.axes[y].lower())
    return _Frame(columns, (spans[x][0], spans[y][0]), (spans[x][1], spans[y][1]), slabs)


def _ratio(unit: str | None, of_vectors: object) -> float:
    """Return how many units of the vectors one of the image is; 1 where either has none."""
    if not unit or not of_vectors:
        return 1.0
    return metres(Axis("x", "space", unit)) / metres(Axis("x", "space", str(of_vectors)))


def _projected(frame: _Frame, space: Space, shapes: Shapes, shape: tuple[int, ...]) -> Projected:
    """Return where vertices lie on the picture; the first slices of the image are the nearest."""
    at = [
        (shapes.positions[:, column] - origin) / size * length
        for column, origin, size, length in zip(
            frame.columns, frame.origin, frame.size, (shape[1], shape[0]), strict=True
        )
    ]
    depth = np.zeros(len(shapes.positions))
    if space.z is not None and space.z not in frame.columns:
        ratio = space.lengths[space.z] / space.lengths[frame.columns[0]]
        depth -= shapes.positions[:, space.z] * ratio * shape[1] / abs(frame.size[0])
    return Projected(at[0], at[1], depth)


def _in_view(at: Projected, shape: tuple[int, ...]) -> int:
    inside: npt.NDArray[np.bool_] = (
        (at.x >= 0) & (at.x <= shape[1]) & (at.y >= 0) & (at.y <= shape[0])
    )
    return int(np.count_nonzero(inside))

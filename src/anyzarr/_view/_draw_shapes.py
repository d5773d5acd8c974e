"""Shapes on a picture: faces with light on them, lines and dots as thick as there is room for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from anyzarr._view._colormap import DENSITY, colored
from anyzarr._view._contrast import UInt8
from anyzarr._view._raster import Canvas, Projected, density
from anyzarr._view._shapes import Painted, Shapes

__all__ = ["DrawingStyle", "draw_shapes"]

# How bright what lies farthest is, and what the light does not reach.
_FAR: Final = 0.45
_AMBIENT: Final = 0.3


@dataclass(frozen=True, slots=True)
class DrawingStyle:
    """How shapes are drawn.

    Attributes
    ----------
    is_density
        Whether colours tell how many vertices there are, and nothing else is drawn.
    wireframe
        Whether the edges of faces are drawn instead of these.
    is_flat
        Whether what is farther is as bright, and faces let half of what is beneath through.
    """

    is_density: bool = False
    wireframe: bool = False
    is_flat: bool = False


def draw_shapes(
    shapes: Shapes, painted: Painted, at: Projected, base: UInt8, style: DrawingStyle
) -> UInt8:
    """Return a picture with shapes drawn over it.

    Parameters
    ----------
    shapes, painted
        What is drawn, and its colours.
    at
        Where vertices lie.
    base
        What lies beneath, ``(Y, X, 3)``.
    style
        How.
    """
    height, width = base.shape[:2]
    if style.is_density:
        held = density(at, height, width)
        return np.where((held > 0)[..., None], colored(held, DENSITY), base)
    canvas = Canvas(height, width)
    light = np.ones(len(at.x), np.float32) if style.is_flat else _faded(at.depth)
    segments, colors = shapes.segments, painted.segments
    if style.wireframe and len(shapes.faces):
        edges = shapes.edges
        segments = np.concatenate([segments, edges])
        colors = np.concatenate([colors, painted.dots[edges[:, 0]]])
    canvas.segments(at, segments, _lit(colors, light[segments].mean(axis=1)))
    loose = shapes.loose
    dots = Projected(at.x[loose], at.y[loose], at.depth[loose])
    canvas.dots(dots, _lit(painted.dots[loose], light[loose]))
    if len(segments) or len(loose):
        canvas.thicken(_radius(at, segments, len(loose), base.shape[:2]))
    if style.wireframe or not len(shapes.faces):
        return canvas.over(base)
    canvas.faces(at, shapes.faces, _lit(painted.faces, _shade(at, shapes.faces)))
    return canvas.over(base, 0.5 if style.is_flat else 1.0)


def _radius(
    at: Projected, segments: npt.NDArray[np.int64], n_dots: int, shape: tuple[int, ...]
) -> float:
    """Return how thick what is drawn gets, in pixels: the thicker, the less there is."""
    ends = np.stack([at.x, at.y], axis=-1)[segments]
    length = np.nansum(np.sqrt(np.square(ends[:, 1] - ends[:, 0]).sum(axis=-1)))
    ink = (float(length) + 6.0 * n_dots) / (shape[0] * shape[1])
    thickness = 1.5 if ink < 0.05 else 1.0 if ink < 0.3 else 0.5
    return thickness * (2 if not len(segments) else 1)


def _faded(depth: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float32]:
    """Return how bright vertices are: what lies nearer is brighter."""
    finite = depth[np.isfinite(depth)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    if high <= low:
        return np.ones(len(depth), np.float32)
    near = np.nan_to_num((depth - low) / (high - low))
    return np.asarray(_FAR + (1 - _FAR) * near, np.float32)


def _shade(at: Projected, faces: npt.NDArray[np.int64]) -> npt.NDArray[np.floating[Any]]:
    """Return how bright faces are under a light above the viewer's left shoulder."""
    corners = np.stack([at.x, at.y, -at.depth], axis=-1)[faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.sqrt(np.square(normal).sum(axis=1, keepdims=True))
    normal = normal / np.where(length > 0, length, 1.0)
    # Both sides are lit: the one that is seen faces the viewer.
    normal = np.where(normal[:, 2:] > 0, -normal, normal)
    light = np.array([-0.4, -0.6, -0.7])
    lambert = np.maximum(normal @ (light / np.sqrt(np.square(light).sum())), 0)
    return np.asarray(_AMBIENT + (1 - _AMBIENT) * lambert)


def _lit(colors: UInt8, light: npt.NDArray[np.floating[Any]]) -> UInt8:
    lit: UInt8 = np.rint(colors * light[:, None]).astype(np.uint8)
    return lit

"""Label images drawn over pictures: each label in its colour, its outline in full."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr._view._contrast import UInt8
from anyzarr._view._planes import Slicing, read_plane
from anyzarr._view._source import Source

__all__ = ["FILLED", "OUTLINED", "LabelLayer", "overlay", "palette_color", "read_labels"]

# Opacity of what lies within the outlines: over an image, and where there is none.
OUTLINED = 0.22
FILLED = 0.65
_GOLDEN = 0.6180339887498949
RGBA = tuple[int, int, int, int]


@dataclass(frozen=True)
class LabelLayer:
    """A label image ready to be drawn.

    Attributes
    ----------
    name
        Of the label image.
    source
        Its levels and axes.
    colors
        Red, green, blue and opacity by label, for those that declare one.
    """

    name: str
    source: Source
    colors: Mapping[float, RGBA] = field(default_factory=dict)


def read_labels(layer: LabelLayer, image: Source, level: int, cut: Slicing) -> npt.NDArray[Any]:
    """Return the labels ``(Y, X)`` of what is shown of an image, at the level that fits best.

    Parameters
    ----------
    layer
        The label image.
    image, level, cut
        What is shown: the level that was read, and what was taken of the other axes.
    """
    y, x = image.plane_axes
    shape = image.levels[level].shape
    best = _nearest_level(layer.source, (shape[y], shape[x]))
    return read_plane(layer.source, best, _matching(layer.source, best, image, level, cut), 0)


def _nearest_level(source: Source, shape: tuple[int, int]) -> int:
    y, x = source.plane_axes

    def distance(level: int) -> int:
        found = source.levels[level].shape
        return abs(found[y] - shape[0]) + abs(found[x] - shape[1])

    return min(range(len(source.levels)), key=distance)


def _matching(source: Source, level: int, image: Source, image_level: int, cut: Slicing) -> Slicing:
    """Return the slicing of a label image that shows the same as ``cut`` of its image."""
    shape, image_shape = source.levels[level].shape, image.levels[image_level].shape
    index: dict[int, int] = {}
    projected = None
    for axis, name in enumerate(source.axes):
        if axis in source.plane_axes or name in {"c", "s"}:
            continue
        there = image.axes.index(name) if name in image.axes else None
        if there is not None and there == cut.projected:
            projected = axis
        elif there is not None and there in cut.index:
            index[axis] = min(cut.index[there] * shape[axis] // image_shape[there], shape[axis] - 1)
        else:
            index[axis] = shape[axis] // 2
    return Slicing(index, projected, "")


def overlay(
    picture: UInt8,
    labels: npt.NDArray[Any],
    colors: Mapping[float, RGBA],
    *,
    fill: float = OUTLINED,
) -> UInt8:
    """Return a picture with labels drawn over it; 0 is the background.

    The picture loses its colours, so that those of the labels stand out.

    Parameters
    ----------
    picture
        ``(Y, X, 3)``.
    labels
        ``(Y, X)`` of whole numbers, of any size: the nearest label is taken for each pixel.
    colors
        By label; the others get one of a palette by their number.
    fill
        Opacity of what lies within the outlines.

    Examples
    --------
    >>> import numpy as np
    >>> labels = np.zeros((5, 5), int); labels[1:4, 1:4] = 7
    >>> drawn = overlay(np.zeros((5, 5, 3), "uint8"), labels, {7: (200, 0, 0, 255)})
    >>> drawn[0, 0].tolist(), drawn[1, 1].tolist(), drawn[2, 2].tolist()
    ([0, 0, 0], [200, 0, 0], [44, 0, 0])
    """
    fitted = _nearest(labels, picture.shape[:2])
    values, inverse = np.unique(fitted, return_inverse=True)
    rgba = np.array([_color(value, colors) for value in values.tolist()], np.float32)
    drawn = rgba[inverse.reshape(fitted.shape)]
    opacity = drawn[..., 3] / 255 * np.where(_outlines(fitted), np.float32(1), np.float32(fill))
    grey = picture.max(axis=-1, keepdims=True).astype(np.float32)
    mixed = grey * (1 - opacity[..., None]) + drawn[..., :3] * opacity[..., None]
    return np.rint(mixed).astype(np.uint8)


def palette_color(label: float) -> RGBA:
    """Return a colour for a label by its number; those of neighbouring numbers lie far apart."""
    number = int(label)
    hue = (number * _GOLDEN) % 1.0
    saturation = (0.75, 0.55, 0.95)[number % 3]
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, 1.0)
    return round(red * 255), round(green * 255), round(blue * 255), 255


def _color(label: float, colors: Mapping[float, RGBA]) -> RGBA:
    if label == 0:
        return 0, 0, 0, 0
    return colors.get(label) or palette_color(label)


def _nearest(labels: npt.NDArray[Any], shape: tuple[int, ...]) -> npt.NDArray[Any]:
    if labels.shape == shape:
        return labels
    rows, columns = (
        ((np.arange(n) + 0.5) * have / n).astype(np.intp)
        for n, have in zip(shape, labels.shape, strict=True)
    )
    nearest: npt.NDArray[Any] = labels[rows[:, None], columns]
    return nearest


def _outlines(labels: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Return where a label meets another, or the background: its own outermost pixels."""
    edge = np.zeros(labels.shape, np.bool_)
    down, right = labels[1:] != labels[:-1], labels[:, 1:] != labels[:, :-1]
    edge[1:] |= down
    edge[:-1] |= down
    edge[:, 1:] |= right
    edge[:, :-1] |= right
    return edge

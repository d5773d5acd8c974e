"""Dots, segments and faces on a canvas: what lies nearer hides what lies behind it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from anyzarr._view._contrast import UInt8

__all__ = ["Canvas", "Projected", "density"]

Float = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.int64]

# Pixels of the canvas per pixel of the picture and axis: lines and edges are smooth.
_FINER: Final = 2
# Work is done in blocks of about so many pixels, so that memory is bounded.
_BLOCK: Final = 1 << 21


class Projected(NamedTuple):
    """Vertices as they lie on a picture.

    Attributes
    ----------
    x, y
        Of the picture, in pixels, from its upper left corner.
    depth
        What is larger is nearer.
    """

    x: Float
    y: Float
    depth: Float


class Canvas:
    """A picture that is drawn on.

    Parameters
    ----------
    height, width
        In pixels.

    Examples
    --------
    >>> import numpy as np
    >>> canvas = Canvas(4, 6)
    >>> at = Projected(np.array([0.0, 6.0]), np.array([2.0, 2.0]), np.zeros(2))
    >>> canvas.segments(at, np.array([[0, 1]]), np.full((1, 3), 200, np.uint8))
    >>> canvas.over(np.zeros((4, 6, 3), np.uint8))[:, 3, 0].tolist()
    [0, 0, 100, 0]
    """

    def __init__(self, height: int, width: int) -> None:
        self._height, self._width = height * _FINER, width * _FINER
        self._depth = np.full(self._height * self._width, -np.inf, np.float32)
        self._color = np.zeros((self._height * self._width, 3), np.uint8)

    def dots(self, at: Projected, colors: UInt8) -> None:
        """Draw vertices as single points; ``colors``: one row for each."""
        for start in range(0, len(at.x), _BLOCK):
            part = slice(start, start + _BLOCK)
            x, y = np.floor(at.x[part] * _FINER), np.floor(at.y[part] * _FINER)
            self._put(x, y, at.depth[part], colors[part])

    def segments(self, at: Projected, ends: Ints, colors: UInt8) -> None:
        """Draw segments between two vertices each; ``colors``: one row for each."""
        x, y = at.x[ends] * _FINER, at.y[ends] * _FINER
        depth = at.depth[ends]
        shown = self._meets(x, y)
        x, y, depth, colors = x[shown], y[shown], depth[shown], colors[shown]
        x, y, depth = _clipped(x, y, depth, self._width, self._height)
        steps = np.maximum(np.abs(np.diff(x)), np.abs(np.diff(y)))[:, 0]
        steps = np.ceil(steps).astype(np.int64) + 1
        for part in _blocks(steps):
            n = steps[part]
            owner = np.repeat(np.arange(len(n)), n)
            along = _counted(n) / np.maximum(n - 1, 1)[owner]
            at_x, at_y, at_depth = (
                column[part][owner, 0] + np.diff(column[part])[owner, 0] * along
                for column in (x, y, depth)
            )
            self._put(np.floor(at_x), np.floor(at_y), at_depth, colors[part][owner])

    def faces(self, at: Projected, corners: Ints, colors: UInt8) -> None:
        """Draw triangles of three vertices each; ``colors``: one row for each."""
        x, y = at.x[corners] * _FINER, at.y[corners] * _FINER
        shown = self._meets(x, y)
        x, y, depth, colors = x[shown], y[shown], at.depth[corners][shown], colors[shown]
        top = np.clip(np.ceil(y.min(axis=1) - 0.5), 0, self._height)
        bottom = np.clip(np.floor(y.max(axis=1) - 0.5), -1, self._height - 1)
        rows = np.maximum(bottom - top + 1, 0).astype(np.int64)
        across = np.minimum(np.ptp(x, axis=1), self._width) + 1
        for part in _blocks(rows * across.astype(np.int64)):
            n = rows[part]
            owner = np.repeat(np.arange(len(n)), n)
            line = top[part][owner] + _counted(n).astype(np.float64)
            self._spans(x[part], y[part], depth[part], colors[part], owner, line)

    def thicken(self, radius: float) -> None:
        """Make all that has been drawn thicker by so many pixels of the picture on each side."""
        reach = round(radius * _FINER)
        depth = self._depth.reshape(self._height, self._width).copy()
        color = self._color.reshape(self._height, self._width, 3).copy()
        nearest, painted = self._depth.reshape(depth.shape), self._color.reshape(color.shape)
        for down in range(-reach, reach + 1):
            for right in range(-reach, reach + 1):
                if 0 < down * down + right * right <= reach * reach + 0.5:
                    to = _shifted(down, self._height), _shifted(right, self._width)
                    source = _shifted(-down, self._height), _shifted(-right, self._width)
                    better = depth[source] > nearest[to]
                    nearest[to][better] = depth[source][better]
                    painted[to][better] = color[source][better]

    def over(self, base: UInt8, opacity: float = 1.0) -> UInt8:
        """Return what has been drawn over a picture ``(Y, X, 3)`` of the canvas' size."""
        shape = (self._height // _FINER, _FINER, self._width // _FINER, _FINER)
        covered = np.isfinite(self._depth).reshape(shape).mean(axis=(1, 3), dtype=np.float32)
        drawn = self._color.reshape(*shape, 3).mean(axis=(1, 3), dtype=np.float32)
        mixed = base * (1 - opacity * covered[..., None]) + opacity * drawn
        picture: UInt8 = np.rint(mixed).astype(np.uint8)
        return picture

    def _meets(self, x: Float, y: Float) -> npt.NDArray[np.bool_]:
        """Return what may be seen, of what has such corners."""
        finite = np.isfinite(x).all(axis=1) & np.isfinite(y).all(axis=1)
        inside_x = (x.max(axis=1) >= 0) & (x.min(axis=1) < self._width)
        inside_y = (y.max(axis=1) >= 0) & (y.min(axis=1) < self._height)
        seen: npt.NDArray[np.bool_] = finite & inside_x & inside_y
        return seen

    def _spans(
        self, x: Float, y: Float, depth: Float, colors: UInt8, owner: Ints, line: Float
    ) -> None:
        """Draw one row of pixels of a triangle for each of ``owner`` and ``line``."""
        left, right = _crossed(x[owner], y[owner], line + 0.5)
        first = np.clip(np.ceil(left - 0.5), 0, self._width)
        n = np.clip(np.ceil(right - 0.5), 0, self._width) - first
        n = np.nan_to_num(np.maximum(n, 0)).astype(np.int64)
        span = np.repeat(np.arange(len(n)), n)
        column = _counted(n).astype(np.float64) + first[span]
        row, face = line[span], owner[span]
        steps = _slopes(x, y, depth)[face]
        value = depth[face, 0] + steps[:, 0] * (column + 0.5 - x[face, 0])
        value += steps[:, 1] * (row + 0.5 - y[face, 0])
        value = np.clip(value, depth.min(axis=1)[face], depth.max(axis=1)[face])
        self._put(column, row, value, colors[face])

    def _put(self, x: Float, y: Float, depth: Float, colors: UInt8) -> None:
        inside = (x >= 0) & (x < self._width) & (y >= 0) & (y < self._height)
        place = (y[inside] * self._width + x[inside]).astype(np.int64)
        depth, colors = depth[inside].astype(np.float32), colors[inside]
        nearer = np.flatnonzero(depth > self._depth[place])
        # Of several at one place the last that is assigned stays: the nearest.
        order = nearer[np.argsort(depth[nearer], kind="stable")]
        self._depth[place[order]] = depth[order]
        self._color[place[order]] = colors[order]


def density(at: Projected, height: int, width: int) -> npt.NDArray[np.float32]:
    """Return how many vertices lie in each pixel, on a scale of logarithms from 0 to 1."""
    inside = (at.x >= 0) & (at.x < width) & (at.y >= 0) & (at.y < height)
    place = np.floor(at.y[inside]).astype(np.int64) * width + np.floor(at.x[inside]).astype(
        np.int64
    )
    counts = np.bincount(place, minlength=height * width).reshape(height, width)
    held = counts[counts > 0]
    if not held.size:
        return np.zeros((height, width), np.float32)
    # Also one vertex is seen, and a few crowded pixels do not make all others dark.
    most = max(float(np.percentile(held, 99.5)), 2.0)
    scaled = np.where(counts > 0, 0.25 + 0.75 * np.log(np.maximum(counts, 1)) / math.log(most), 0)
    return np.minimum(scaled, 1.0).astype(np.float32)


def _clipped(
    x: Float, y: Float, depth: Float, width: int, height: int
) -> tuple[Float, Float, Float]:
    """Return the parts of segments that lie on the canvas; of those beside it a single place."""
    start, stop = np.zeros(len(x)), np.ones(len(x))
    for column, length in ((x, width), (y, height)):
        step = column[:, 1] - column[:, 0]
        moves = step != 0
        first = np.where(moves, -column[:, 0] / np.where(moves, step, 1.0), -np.inf)
        last = np.where(moves, (length - column[:, 0]) / np.where(moves, step, 1.0), np.inf)
        start = np.maximum(start, np.minimum(first, last))
        stop = np.minimum(stop, np.maximum(first, last))
    along = np.stack([start, np.maximum(start, stop)], axis=1)
    x, y, depth = (c[:, :1] + (c[:, 1:] - c[:, :1]) * along for c in (x, y, depth))
    return x, y, depth


def _crossed(x: Float, y: Float, line: Float) -> tuple[Float, Float]:
    """Return where the edges of triangles cross horizontal lines: leftmost and rightmost."""
    left, right = np.full(len(line), np.inf), np.full(len(line), -np.inf)
    for a, b in ((0, 1), (1, 2), (2, 0)):
        crosses = (y[:, a] <= line) != (y[:, b] <= line)
        rise = np.where(crosses, y[:, b] - y[:, a], 1.0)
        place = x[:, a] + (x[:, b] - x[:, a]) * (line - y[:, a]) / rise
        left = np.where(crosses, np.minimum(left, place), left)
        right = np.where(crosses, np.maximum(right, place), right)
    return np.where(np.isfinite(left), left, 0.0), np.where(np.isfinite(right), right, 0.0)


def _slopes(x: Float, y: Float, depth: Float) -> Float:
    """Return how depth grows along x and y on triangles; zero on those seen from their side."""
    (x1, x2), (y1, y2), (d1, d2) = (
        (column[:, 1] - column[:, 0], column[:, 2] - column[:, 0]) for column in (x, y, depth)
    )
    twice_area = x1 * y2 - x2 * y1
    is_flat = np.abs(twice_area) < 1e-9
    twice_area = np.where(is_flat, 1.0, twice_area)
    slopes = np.stack([d1 * y2 - d2 * y1, x1 * d2 - x2 * d1], axis=-1) / twice_area[:, None]
    return np.where(is_flat[:, None], 0.0, slopes)


def _counted(n: Ints) -> Ints:
    """Return 0 to n - 1 for each n, one range after the other."""
    ends = np.cumsum(n)
    total = int(ends[-1]) if len(ends) else 0
    counted: Ints = np.arange(total, dtype=np.int64) - np.repeat(ends - n, n)
    return counted


def _blocks(work: Ints) -> Iterator[slice]:
    """Yield slices of what together is about one block of work."""
    number = np.cumsum(work) // _BLOCK
    starts = np.flatnonzero(np.diff(number, prepend=-1)).tolist()
    for start, stop in itertools.pairwise([*starts, len(work)]):
        yield slice(start, stop)


def _shifted(by: int, length: int) -> slice:
    return slice(max(0, by), length + min(0, by))

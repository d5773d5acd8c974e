"""Which vertices, segments and faces a box meets, its faces included."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr.vectors._grid import Bounds

__all__ = ["faces_met", "segments_met", "vertices_met"]

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def vertices_met(positions: npt.NDArray[Any], box: Bounds) -> Mask:
    """Return which positions lie in the box.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.vectors._crossing import vertices_met
    >>> vertices_met(np.array([[1.0, 2.0], [1.0, 2.1]]), ((0.0, 0.0), (1.0, 2.0))).tolist()
    [True, False]
    """
    low, high = np.asarray(box, np.float64)
    met: Mask = np.all((positions >= low) & (positions <= high), axis=-1)
    return met


def segments_met(start: npt.NDArray[Any], end: npt.NDArray[Any], box: Bounds) -> Mask:
    """Return which segments have a point in the box.

    Parameters
    ----------
    start, end
        Of shape ``(n, D)``.
    box
        Lower and upper corner.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.vectors._crossing import segments_met
    >>> start = np.array([[0.0, 0.0], [0.0, 3.0]])
    >>> segments_met(start, start + 4.0, ((1.0, 1.0), (2.0, 2.0))).tolist()
    [True, False]
    """
    low, high = np.asarray(box, np.float64)
    a, b = np.asarray(start, np.float64), np.asarray(end, np.float64)
    apart: Mask = np.any((np.maximum(a, b) < low) | (np.minimum(a, b) > high), axis=-1)
    met = ~apart
    near = np.flatnonzero(met & ~vertices_met(a, box) & ~vertices_met(b, box))
    met[near] = _slabs(a[near], b[near], low, high)
    return met


def _slabs(a: Floats, b: Floats, low: Floats, high: Floats) -> Mask:
    """Clip each segment by the pair of planes of every axis, and see whether anything is left."""
    along = b - a
    level = along == 0
    step = np.where(level, 1.0, along)
    first, second = (low - a) / step, (high - a) / step
    enter = np.where(level, 0.0, np.minimum(first, second)).max(axis=-1)
    leave = np.where(level, 1.0, np.maximum(first, second)).min(axis=-1)
    met: Mask = np.maximum(enter, 0.0) <= np.minimum(leave, 1.0)
    return met


def faces_met(corners: npt.NDArray[Any], box: Bounds) -> Mask:
    """Return which faces, planar and convex, have a point in the box.

    Two convex bodies are apart if and only if they are so along one of few directions: the normals
    of their faces, and the products of their edges.

    Parameters
    ----------
    corners
        Of shape ``(n, width, D)``, D being 2 or 3, along the rim.
    box
        Lower and upper corner.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.vectors._crossing import faces_met
    >>> face = np.array([[[0.0, 0.0, 0.0], [9.0, 0.0, 0.0], [0.0, 9.0, 0.0]]])
    >>> faces_met(face, ((1.0, 1.0, -1.0), (2.0, 2.0, 1.0))).tolist()
    [True]
    >>> faces_met(face, ((8.0, 8.0, -1.0), (9.0, 9.0, 1.0))).tolist()
    [False]
    """
    low, high = np.asarray(box, np.float64)
    faces = np.asarray(corners, np.float64)
    apart: Mask = np.any((faces.max(axis=1) < low) | (faces.min(axis=1) > high), axis=-1)
    met = ~apart
    near = np.flatnonzero(met)
    if not near.size:
        return met
    centre, half = (low + high) / 2, (high - low) / 2
    around = faces[near] - centre
    kept = np.ones(near.size, np.bool_)
    for direction in _directions(around):
        along = np.einsum("nwd,nd->nw", around, direction)
        reach = np.abs(direction) @ half
        slack = 1e-12 * (np.abs(along).max(axis=1) + reach)
        kept &= (along.min(axis=1) <= reach + slack) & (along.max(axis=1) >= -reach - slack)
    met[near] = kept
    return met


def _directions(faces: Floats) -> list[Floats]:
    """Return the directions, beside those of the axes, along which a face may be apart."""
    edges = np.roll(faces, -1, axis=1) - faces
    width, ndim = faces.shape[1:]
    if ndim == 2:
        return [np.stack([-edges[:, k, 1], edges[:, k, 0]], axis=-1) for k in range(width)]
    axes = np.eye(ndim)
    normal = np.cross(edges[:, 0], edges[:, 1])
    pairs = itertools.product(range(width), range(ndim))
    return [normal, *(np.cross(edges[:, k], axes[axis]) for k, axis in pairs)]

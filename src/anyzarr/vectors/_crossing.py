"""Which vertices, segments and faces a box meets, its faces included."""

from __future__ import annotations

import itertools
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from anyzarr.vectors._blobs import Ints
from anyzarr.vectors._grid import Bounds

__all__ = ["any_of_runs", "faces_met", "links_met", "outside", "runs_met", "vertices_met"]

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Sides = npt.NDArray[np.unsignedinteger]

_BLOCK: Final = 1 << 17
"""How many vertices are looked at at once."""

_NEAR_BLOCK: Final = 1 << 14
"""How many segments are clipped at once, each of which takes some hundreds of bytes."""


def outside(positions: npt.NDArray[Any], box: Bounds) -> Sides:
    """Return for each position of which of the box's sides it lies beyond, as the bits of a number.

    It is 0 for a position in the box. What is no number lies beyond both sides.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.vectors._crossing import outside
    >>> outside(np.array([[1.0, 2.0], [1.0, 2.1], [-1.0, 2.1]]), ((0.0, 0.0), (1.0, 2.0))).tolist()
    [0, 8, 9]
    """
    # A bit for each side: in three dimensions and four a byte holds them.
    kind = np.dtype(np.uint8 if positions.shape[1] <= 4 else np.uint64).type
    sides = np.zeros(len(positions), kind)
    for axis, (low, high) in enumerate(zip(*box, strict=True)):
        column = positions[:, axis]
        # As float64, so that no bound is rounded to the type of the positions.
        for side, is_within in enumerate((column >= np.float64(low), column <= np.float64(high))):
            sides |= (~is_within).astype(kind) << kind(2 * axis + side)
    return sides


def vertices_met(positions: npt.NDArray[Any], box: Bounds) -> Mask:
    """Return which positions lie in the box.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.vectors._crossing import vertices_met
    >>> vertices_met(np.array([[1.0, 2.0], [1.0, 2.1]]), ((0.0, 0.0), (1.0, 2.0))).tolist()
    [True, False]
    """
    met = np.ones(len(positions), np.bool_)
    for axis, (low, high) in enumerate(zip(*box, strict=True)):
        column = positions[:, axis]
        # As float64, so that no bound is rounded to the type of the positions.
        met &= (column >= np.float64(low)) & (column <= np.float64(high))
    return met


def _segments_met(positions: npt.NDArray[Any], sides: Sides, links: Ints, box: Bounds) -> Mask:
    """Return which pairs of positions, given by rows, are ends of a segment that meets a box."""
    first, second = sides[links[:, 0]], sides[links[:, 1]]
    met: Mask = (first == 0) | (second == 0)
    # Those with both ends beyond one side are apart; of the others it is worked out.
    near = np.flatnonzero(~met & ((first & second) == 0))
    for low in range(0, len(near), _NEAR_BLOCK):
        part = near[low : low + _NEAR_BLOCK]
        a, b = (positions[links[part, end]].astype(np.float64) for end in (0, 1))
        met[part] = _slabs(a, b, *np.asarray(box, np.float64))
    return met


def links_met(
    positions: npt.NDArray[Any], links: Ints, box: Bounds, sides: Sides | None = None
) -> Mask:
    """Return which links a box meets: segments of two vertices, faces of more.

    Parameters
    ----------
    positions
        Of the vertices, of shape ``(N, D)``.
    links
        Rows of ``positions``, of shape ``(M, width)``.
    box
        Lower and upper corner.
    sides
        On which sides of the box the positions lie (:func:`outside`), if that is known.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.vectors._crossing import links_met
    >>> ends = np.array([[0.0, 0.0], [0.0, 3.0], [4.0, 4.0]])
    >>> links_met(ends, np.array([[0, 2], [0, 1]]), ((1.0, 1.0), (2.0, 2.0))).tolist()
    [True, False]
    """
    width, ndim = links.shape[1], positions.shape[1]
    if width > 2 and ndim in (2, 3):
        met = np.zeros(len(links), np.bool_)
        for k in range(1, width - 1):
            met |= faces_met(positions[links[:, [0, k, k + 1]]], box)
        return met
    sides = outside(positions, box) if sides is None else sides
    if width == 2:
        return _segments_met(positions, sides, links, box)
    met = np.zeros(len(links), np.bool_)
    # Of faces in other spaces the edges are looked at.
    for k in range(width):
        met |= _segments_met(positions, sides, links[:, [k, k - 1]], box)
    return met


def runs_met(positions: npt.NDArray[Any], starts: Ints, box: Bounds) -> Mask:
    """Return which runs of vertices a box meets: by a vertex, or by a segment from one to the next.

    Blocks of vertices are looked at, so that nothing but the result grows with their number.

    Parameters
    ----------
    positions
        Of the vertices, of shape ``(N, D)``.
    starts
        Run ``i`` is the vertices ``[starts[i], starts[i + 1])``.
    box
        Lower and upper corner.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.vectors._crossing import runs_met
    >>> path = np.array([[0.0, 0.0], [3.0, 3.0], [4.0, 4.0]])
    >>> runs_met(path, np.array([0, 2, 3]), ((1.0, 1.0), (2.0, 2.0))).tolist()
    [True, False]
    """
    touched = np.zeros(len(positions), np.bool_)
    for low in range(0, len(positions), _BLOCK):
        # A block begins with the last vertex of the one before.
        first = max(0, low - 1)
        part = positions[first : low + _BLOCK]
        begins, ends = np.searchsorted(starts, [first + 1, first + len(part)])
        _touch(part, starts[begins:ends] - first, box, touched[first : low + _BLOCK])
    return any_of_runs(touched, starts)


def any_of_runs(marked: Mask, starts: Ints) -> Mask:
    """Return for each run, the rows ``[starts[i], starts[i + 1])``, whether one is marked.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.vectors._crossing import any_of_runs
    >>> any_of_runs(np.array([False, True, False]), np.array([0, 2, 2, 3])).tolist()
    [True, False, False]
    """
    found = np.zeros(len(starts) - 1, np.bool_)
    runs = np.flatnonzero(np.diff(starts))
    if len(runs):
        found[runs] = np.logical_or.reduceat(marked, starts[runs])
    return found


def _touch(positions: npt.NDArray[Any], starts: Ints, box: Bounds, touched: Mask) -> None:
    """Mark vertices in a box, and those to which a segment through it leads within a run."""
    sides = outside(positions, box)
    touched |= sides == 0
    # Segments with an end in the box are known by it, those with both beyond one side are apart.
    passes = ((sides[:-1] & sides[1:]) == 0) & (sides[:-1] != 0) & (sides[1:] != 0)
    passes[starts - 1] = False
    near = np.flatnonzero(passes)
    for low in range(0, len(near), _NEAR_BLOCK):
        part = near[low : low + _NEAR_BLOCK]
        a, b = (positions[part + end].astype(np.float64) for end in (0, 1))
        touched[part[_slabs(a, b, *np.asarray(box, np.float64))] + 1] = True


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

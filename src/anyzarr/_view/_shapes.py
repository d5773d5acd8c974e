"""Vector geometry as what is drawn of it: dots, segments and faces, and their colours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from anyzarr._view._colormap import VALUES, colored, direction_colors, object_colors
from anyzarr._view._contrast import UInt8
from anyzarr.errors import SelectionError
from anyzarr.vectors import Graph, Lines, Mesh, Points, Polylines
from anyzarr.vectors._select import Vectors, column_of

__all__ = ["Painted", "Shapes", "paint", "shapes_of"]

Ints = npt.NDArray[np.int64]
Columns = Mapping[str, npt.NDArray[Any]]

# What nothing tells the colour of: dots and lines, and faces, which are shaded.
_PLAIN: Final = (255, 196, 92)
_SURFACE: Final = (176, 196, 222)


@dataclass(frozen=True, eq=False)
class Shapes:
    """What can be drawn of vectors.

    Attributes
    ----------
    positions
        ``(N, D)``.
    segments, faces
        Vertices of each, ``(M, 2)`` and ``(K, 3)``.
    owner
        Id of the object of each vertex; -1 for none.
    columns
        Attributes by name, one row per vertex.
    """

    positions: npt.NDArray[np.float64]
    segments: Ints
    faces: Ints
    owner: Ints
    columns: Columns

    @property
    def loose(self) -> Ints:
        """The vertices of no segment and no face."""
        used = np.zeros(len(self.positions), np.bool_)
        used[self.segments.reshape(-1)] = True
        used[self.faces.reshape(-1)] = True
        return np.flatnonzero(~used)

    @property
    def edges(self) -> Ints:
        """The edges of faces, each once."""
        pairs = np.concatenate([self.faces[:, [a, b]] for a, b in ((0, 1), (1, 2), (2, 0))])
        return np.unique(np.sort(pairs, axis=1), axis=0)


@dataclass(frozen=True, eq=False)
class Painted:
    """The colours of shapes.

    Attributes
    ----------
    dots, segments, faces
        One row each; ``dots`` by vertex.
    by
        What they tell, for the reader; empty: nothing.
    limits
        The values of the first and of the last colour, where they tell numbers.
    """

    dots: UInt8
    segments: UInt8
    faces: UInt8
    by: str = ""
    limits: tuple[float, float] | None = None


def shapes_of(found: Vectors) -> Shapes:
    """Return what can be drawn of what has been read."""
    positions = np.asarray(column_of(found), np.float64)
    segments, faces = np.empty((0, 2), np.int64), np.empty((0, 3), np.int64)
    if isinstance(found, Mesh):
        n = found.faces.shape[1]
        fans = [found.faces[:, [0, k, k + 1]] for k in range(1, n - 1)]
        faces = np.concatenate([faces, *fans])
    elif isinstance(found, Graph):
        segments = found.edges
    elif isinstance(found, Lines):
        segments = np.arange(2 * found.line_count, dtype=np.int64).reshape(-1, 2)
    elif isinstance(found, Polylines):
        follows = np.ones(len(positions) + 1, np.bool_)
        follows[found.offsets] = False
        after = np.flatnonzero(follows[:-1])
        segments = np.stack([after - 1, after], axis=1)
    owner, of_objects = _objects(found, len(positions))
    columns = {name: column_of(found, name) for name in found.vertex_attributes}
    return Shapes(positions, segments, faces, owner, {**of_objects, **columns})


def _objects(found: Vectors, n: int) -> tuple[Ints, dict[str, npt.NDArray[Any]]]:
    """Return the object of each vertex, and for each vertex the attributes of its object."""
    none = np.full(n, -1, np.int64)
    if isinstance(found, Points):
        return (none if found.object_ids is None else found.object_ids), {}
    if isinstance(found, Graph | Mesh):
        if not len(found.objects):
            return none, {}
        order = np.argsort(found.objects, kind="stable")
        place = order[np.searchsorted(found.objects[order], found.object_ids)]
        return found.object_ids, {name: c[place] for name, c in found.object_attributes.items()}
    lengths = np.full(len(found.object_ids), 2)
    if isinstance(found, Polylines):
        lengths = np.diff(found.offsets)
    place = np.repeat(np.arange(len(lengths)), lengths)
    of_objects = {name: column[place] for name, column in found.object_attributes.items()}
    return found.object_ids[place], of_objects


def paint(shapes: Shapes, color: str, axes: tuple[int, int, int | None]) -> Painted:
    """Return the colours of shapes.

    Parameters
    ----------
    shapes
        What is drawn.
    color
        ``"plain"``, ``"object"``, ``"direction"``, or the name of an attribute.
    axes
        The columns of x, y and z; None: there is no z.

    Raises
    ------
    SelectionError
        The values of the attribute are nothing that colours tell.
    """
    if color == "direction":
        return _by_direction(shapes, axes)
    limits = None
    if color == "plain":
        dots = np.broadcast_to(np.array(_PLAIN, np.uint8), (len(shapes.positions), 3))
        faces = np.broadcast_to(np.array(_SURFACE, np.uint8), (len(shapes.faces), 3))
        return Painted(dots, dots[shapes.segments[:, 0]], faces)
    if color == "object":
        dots = object_colors(shapes.owner)
    else:
        dots, limits = _by_value(color, shapes.columns)
    return Painted(dots, _mixed(dots, shapes.segments), _mixed(dots, shapes.faces), color, limits)


def _mixed(dots: UInt8, corners: Ints) -> UInt8:
    """Return the mean of the colours of the vertices of each shape."""
    total = sum((dots[corners[:, k]].astype(np.uint16) for k in range(1, corners.shape[1])),
                start=dots[corners[:, 0]].astype(np.uint16))  # fmt: skip
    mixed: UInt8 = (total // corners.shape[1]).astype(np.uint8)
    return mixed


def _by_direction(shapes: Shapes, axes: tuple[int, int, int | None]) -> Painted:
    along = shapes.positions[shapes.segments[:, 1]] - shapes.positions[shapes.segments[:, 0]]
    spatial = np.zeros((len(along), 3))
    for channel, axis in enumerate(axes):
        if axis is not None:
            spatial[:, channel] = along[:, axis]
    segments = direction_colors(spatial)
    grey = np.full((len(shapes.positions), 3), 150, np.uint8)
    return Painted(grey, segments, grey[shapes.faces[:, 0]], "direction (x red, y green, z blue)")


def _by_value(name: str, columns: Columns) -> tuple[UInt8, tuple[float, float] | None]:
    """Return the colours of vertices by an attribute, and the values at the ends of the scale."""
    values = np.asarray(columns[name])
    if values.ndim == 2 and values.shape[1] in (3, 4) and values.dtype == np.uint8:
        return values[:, :3], None  # red, green, blue
    if values.ndim != 1:
        raise SelectionError(
            f"color={name!r} has rows of the shape {values.shape[1:]}, which no colour tells; "
            "choose an attribute of single values, or of red, green and blue as uint8"
        )
    if values.dtype.kind not in "biuf":
        _, place = np.unique(values.astype(str), return_inverse=True)
        return object_colors(place.reshape(-1).astype(np.int64)), None
    numbers = values.astype(np.float64)
    held = numbers[np.isfinite(numbers)]
    low, high = np.percentile(held, (1, 99)).tolist() if held.size else (0.0, 0.0)
    numbers[~np.isfinite(numbers)] = np.nan
    scaled = (numbers - low) / ((high - low) or 1.0)
    return colored(scaled, VALUES), (low, high)

"""Meshes of triangles made coarser: decimated, object by object, with their open rims kept."""

from __future__ import annotations

import itertools
import threading
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr._optional import require
from anyzarr.errors import UnsupportedError
from anyzarr.vectors._blobs import Ints, starts_of
from anyzarr.vectors._coarsen import Coarse, Rules, merged
from anyzarr.vectors._geometry import Geometry
from anyzarr.vectors._scatter import stable_order

__all__ = ["decimated"]

_FEWEST_FACES = 4
_LOCK = threading.Lock()
"""The library keeps the mesh that it works on in a global variable."""


def decimated(geometry: Geometry, coarsen: float, rules: Rules) -> Coarse:
    """Return a mesh with fewer faces: one of ``coarsen**2`` of each object.

    Edges collapse in the order of the error that they make (quadrics), into vertices that are
    placed best. Vertices along an open rim stay. Vertices of no face are left out.

    Parameters
    ----------
    geometry
        A mesh of triangles in two or three dimensions.
    coarsen
        How much longer edges become, about.
    rules
        As for :func:`anyzarr.vectors._coarsen.coarsened`.

    Raises
    ------
    UnsupportedError
        Faces are no triangles, or there are more than three dimensions.
    MissingDependencyError
        The library is not installed.
    """
    links = geometry.links
    if links is None or not len(links):
        return Coarse.same(geometry)
    if links.shape[1] != 3 or geometry.ndim not in (2, 3):
        raise UnsupportedError(
            f"faces of {links.shape[1]} corners in {geometry.ndim} dimensions cannot be decimated, "
            "only triangles in two or three: use method='bins'",
            kind="decimate",
        )
    place, positions = _collapsed(geometry, links, coarsen)
    used = np.zeros(geometry.n_vertices, np.bool_)
    used[_distinct_faces(place[links])] = True
    used = used[place]
    numbers = np.unique(place[used])
    kept = Coarse.same(geometry).kept(used)
    target = np.searchsorted(numbers, place[used])
    fewer = replace(merged(kept.geometry, target, rules), positions=positions[numbers])
    return kept.then(Coarse(fewer, target))


def _distinct_faces(faces: Ints) -> Ints:
    a, b, c = faces.T
    found: Ints = faces[(a != b) & (b != c) & (a != c)]
    return found


def _collapsed(
    geometry: Geometry, links: Ints, coarsen: float
) -> tuple[Ints, npt.NDArray[np.float64]]:
    """Return for each vertex the one that it collapses into, and where that lies then."""
    library = require("fast_simplification", extra="meshes", purpose="Decimating a mesh")
    positions = np.zeros((geometry.n_vertices, 3))
    positions[:, : geometry.ndim] = geometry.positions
    place = np.arange(geometry.n_vertices, dtype=np.int64)
    part = _parts(geometry, links)
    of_face = part[links[:, 0]]
    face_order, vertex_order = stable_order(of_face), stable_order(part)
    face_ends = starts_of(np.bincount(of_face, minlength=int(part.max()) + 1))
    vertex_ends = starts_of(np.bincount(part))
    row = np.empty_like(place)
    row[vertex_order] = np.arange(len(row))
    for number, (begin, end) in enumerate(itertools.pairwise(face_ends.tolist())):
        first = int(vertex_ends[number])
        vertices = vertex_order[first : int(vertex_ends[number + 1])]
        faces = _distinct_faces(row[links[face_order[begin:end]]] - first)
        target = max(_FEWEST_FACES, round(len(faces) / coarsen**2))
        if target < len(faces):
            into, where = _decimate(library, positions[vertices], faces, target)
            place[vertices] = vertices[into]
            positions[vertices] = where
    return place, positions[:, : geometry.ndim]


def _decimate(
    library: Any, points: npt.NDArray[np.float64], faces: Ints, target: int
) -> tuple[Ints, npt.NDArray[np.float64]]:
    """Return for each vertex the one that it collapses into, and the positions after that."""
    with _LOCK:
        moved, _, steps = library.simplify(
            points, faces.astype(np.int32), target_count=target, return_collapses=True,
            preserve_border=True,
        )  # fmt: skip
    into = np.arange(len(points), dtype=np.int64)
    into[steps[:, 1]] = steps[:, 0]
    while not np.array_equal(into, further := into[into]):
        into = further
    used = np.unique(_distinct_faces(into[faces]))
    where = points.copy()
    # No vertex leaves the box of what it was made of, so that it stays within the store's bounds.
    where[used] = np.clip(moved, points.min(axis=0), points.max(axis=0))
    return into, where


def _parts(geometry: Geometry, links: Ints) -> Ints:
    """Return for each vertex a part of the mesh: its object, with those that faces join to it."""
    rows = geometry.object_rows
    if rows is None:
        return np.zeros(geometry.n_vertices, np.int64)
    owners = rows[links]
    joined = owners[(owners != owners[:, :1]).any(axis=1)]
    part = np.arange(int(rows.max(initial=0)) + 1)
    while joined.size:
        least = part[joined].min(axis=1)
        before = part.copy()
        np.minimum.at(part, joined, least[:, None])
        part = part[part]
        if np.array_equal(part, before):
            break
    found: Ints = part[rows]
    return found

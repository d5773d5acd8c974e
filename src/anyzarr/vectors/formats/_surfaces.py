"""Meshes as files have them: polygons of any width, colours by channel, one or several objects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from anyzarr.vectors._blobs import Ints, starts_of
from anyzarr.vectors._geometry import Geometry
from anyzarr.vectors.formats._format import FormatOptions, VectorFacts
from anyzarr.vectors.formats._parts import FileSource, as_rows, corrupt, space_axes

__all__ = [
    "MESHES",
    "channels_of",
    "joined_channels",
    "mesh_of",
    "mesh_source",
    "triangles",
    "whole",
]

MESHES: Final = frozenset({"mesh"})

_CHANNELS: Final[Mapping[str, tuple[str, ...]]] = {
    "rgba": ("red", "green", "blue", "alpha"),
    "rgb": ("red", "green", "blue"),
    "normal": ("nx", "ny", "nz"),
}
"""Attributes with several numbers a row, and what files call these."""


def mesh_of(
    path: Path,
    positions: npt.NDArray[Any],
    polygons: npt.NDArray[Any] | Sequence[npt.NDArray[Any]],
    vertex_attributes: Mapping[str, npt.NDArray[Any]],
    face_attributes: Mapping[str, npt.NDArray[Any]],
) -> tuple[Geometry, list[str]]:
    """Return a mesh as a geometry, and warnings.

    Parameters
    ----------
    path
        Of the file, for errors.
    positions
        Of shape ``(V, 3)``.
    polygons
        Rows of ``positions`` along the rim of each face: an array of shape ``(F, L)``, or one for
        each face. Faces that are not all of one width are cut into triangles.
    vertex_attributes, face_attributes
        By name; the vertex attribute ``object_id`` tells objects apart.

    Raises
    ------
    CorruptDataError
        A face names a vertex that there is not, or has fewer than three.
    """
    faces, attributes, told = _of_one_width(path, polygons, face_attributes)
    n = len(positions)
    if faces.size and (faces.min() < 0 or faces.max() >= n):
        wrong = int(faces.max()) if faces.max() >= n else int(faces.min())
        raise corrupt(path, f"a face names the vertex {wrong}, and there are {n}, counted from 0")
    columns = dict(vertex_attributes)
    ids = columns.pop("object_id", np.zeros(n, np.int64)).astype(np.int64)
    object_ids, rows = np.unique(ids, return_inverse=True)
    if not n:
        object_ids = np.empty(0, np.int64)
    geometry = Geometry(
        positions=positions,
        vertex_attributes=columns,
        object_rows=rows.reshape(-1).astype(np.int64),
        object_ids=object_ids,
        links=faces,
        link_attributes=attributes,
    )
    return geometry, told


def _of_one_width(
    path: Path,
    polygons: npt.NDArray[Any] | Sequence[npt.NDArray[Any]],
    attributes: Mapping[str, npt.NDArray[Any]],
) -> tuple[Ints, Mapping[str, npt.NDArray[Any]], list[str]]:
    if isinstance(polygons, np.ndarray) and polygons.ndim == 2:
        widths = np.full(len(polygons), polygons.shape[1])
        flat = polygons.reshape(-1)
    else:
        widths = np.fromiter(map(len, polygons), np.int64, len(polygons))
        flat = np.concatenate([*polygons]) if len(polygons) else np.empty(0, np.int64)
    flat = flat.astype(np.int64)
    if not len(widths):
        return np.empty((0, 3), np.int64), attributes, []
    if widths.min() < 3:
        raise corrupt(path, f"a face has {widths.min()} vertices, and faces have three at least")
    if widths.min() == widths.max():
        return flat.reshape(-1, int(widths[0])), attributes, []
    faces, owner = _fans(flat, widths)
    told = f"faces of {widths.min()} to {widths.max()} vertices were cut into triangles"
    return faces, {name: rows[owner] for name, rows in attributes.items()}, [told]


def _fans(flat: Ints, widths: Ints) -> tuple[Ints, Ints]:
    """Cut polygons into triangles around the first vertex of each; return also whose each is."""
    owner = np.repeat(np.arange(len(widths)), widths - 2)
    step = np.arange(len(owner)) - np.repeat(starts_of(widths - 2)[:-1], widths - 2)
    first = starts_of(widths)[:-1][owner]
    return np.stack([flat[first], flat[first + step + 1], flat[first + step + 2]], axis=1), owner


def triangles(faces: Ints) -> Ints:
    """Return faces of any one width as triangles."""
    if faces.shape[1] == 3:
        return faces
    return _fans(faces.reshape(-1), np.full(len(faces), faces.shape[1]))[0]


def mesh_source(
    path: Path,
    geometry: Geometry,
    told: Iterable[str],
    options: FormatOptions,
    attributes: Mapping[str, Any] | None = None,
    geometry_type: str = "mesh",
) -> FileSource:
    """Return a geometry that has been read as a source."""

    def read() -> Iterator[Geometry]:
        yield geometry

    facts = VectorFacts(
        geometry_type,
        geometry.positions.dtype,
        space_axes(None),
        0,
        None,
        attributes=attributes or {},
        warnings=tuple(told),
    )
    return FileSource(path, facts, read, options)


def joined_channels(columns: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    """Return columns with those that are channels of one attribute put together."""
    left = dict(columns)
    found: dict[str, npt.NDArray[Any]] = {}
    for name, channels in _CHANNELS.items():
        held = [left[channel] for channel in channels if channel in left]
        if len(held) == len(channels) and len({column.dtype for column in held}) == 1:
            found[name] = np.stack(held, axis=1)
            left = {key: column for key, column in left.items() if key not in channels}
    return {**left, **found}


def channels_of(name: str, column: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
    """Return an attribute as columns of one number a row, by the names that files have."""
    if column.ndim == 1:
        return {name: column}
    rows = as_rows(column)
    known = _CHANNELS.get(name, ())
    names = known if len(known) == rows.shape[1] else [f"{name}_{i}" for i in range(rows.shape[1])]
    return {channel: rows[:, i] for i, channel in enumerate(names)}


def whole(parts: Iterable[Geometry]) -> Geometry:
    """Return the one part of a mesh, with faces."""
    (part,) = parts
    faces = np.empty((0, 3), np.int64) if part.links is None else part.links
    return replace(part, links=faces)

"""PLY: meshes and points, with attributes of vertices and faces."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from anyzarr._optional import require
from anyzarr.vectors._geometry import Geometry
from anyzarr.vectors._objects_input import rows_of_objects
from anyzarr.vectors.formats._format import FormatOptions, VectorFormat, VectorSource
from anyzarr.vectors.formats._parts import corrupt, left_out
from anyzarr.vectors.formats._surfaces import channels_of, joined_channels, mesh_of, mesh_source

__all__ = ["PLY", "open_ply", "write_ply"]

_FACES: Final = ("vertex_indices", "vertex_index")
_XYZ: Final = ("x", "y", "z")
_OBJECT: Final = "object_id"
_LIMITS: Final = {"i8": "i4", "u8": "u4"}
"""Types that PLY does not have, and the widest that it has of their kind."""


def _plyfile() -> Any:
    return require("plyfile", extra="meshes", purpose="Reading and writing PLY")


def open_ply(path: Path, options: FormatOptions) -> VectorSource:
    """Open a mesh, or points where there are no faces.

    Properties become attributes of vertices and faces; ``red``, ``green``, ``blue`` (and ``alpha``)
    together ``rgb`` (``rgba``), and ``nx``, ``ny``, ``nz`` ``normal``. Faces that are not all of
    one width become triangles. Comments are kept.

    Raises
    ------
    CorruptDataError
        The file is cut off, is no PLY, or contradicts itself.
    """
    data = _read(path)
    elements = {element.name: element for element in data.elements}
    if "vertex" not in elements:
        raise corrupt(path, "it has no vertices")
    columns = _columns(elements["vertex"], path)
    if not {*_XYZ} <= {*columns}:
        raise corrupt(path, "its vertices have no x, y and z")
    positions = np.stack([columns.pop(name) for name in _XYZ], axis=1)
    told = left_out({*elements} - {"vertex", "face"}, "elements", "a store")
    about = {"ply": {"comments": list(data.comments)}} if data.comments else {}
    columns = joined_channels(columns)
    if "face" not in elements or not len(elements["face"].data):
        return mesh_source(path, _points(positions, columns), told, options, about, "point_cloud")
    face = elements["face"]
    lists = [name for name in _FACES if name in (p.name for p in face.properties)]
    if not lists:
        raise corrupt(path, "its faces have no vertex_indices")
    of_faces = joined_channels(_columns(face, path))
    geometry, more = mesh_of(path, positions, face.data[lists[0]], columns, of_faces)
    return mesh_source(path, geometry, [*told, *more], options, about)


def _points(positions: npt.NDArray[Any], columns: Mapping[str, npt.NDArray[Any]]) -> Geometry:
    attributes = dict(columns)
    ids = attributes.pop(_OBJECT, None)
    objects, rows = (None, None) if ids is None else rows_of_objects(ids, len(positions))
    return Geometry(positions, vertex_attributes=attributes, object_rows=rows, object_ids=objects)


def _read(path: Path) -> Any:
    """Read a file; where all faces are triangles, at once instead of face by face."""
    plyfile = _plyfile()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            lengths = {"face": dict.fromkeys(_FACES, 3)}
            try:
                return plyfile.PlyData.read(str(path), known_list_len=lengths)
            except (plyfile.PlyParseError, ValueError):
                return plyfile.PlyData.read(str(path))
        except (plyfile.PlyParseError, ValueError, UnicodeDecodeError, KeyError) as error:
            raise corrupt(path, str(error)) from error


def _columns(element: Any, path: Path) -> dict[str, npt.NDArray[Any]]:
    """Return the properties that are no lists."""
    plain = [p.name for p in element.properties if "list" not in type(p).__name__.lower()]
    found = {name: np.ascontiguousarray(element.data[name]) for name in plain}
    return {n: c.astype(c.dtype.newbyteorder("="), copy=False) for n, c in found.items()}


def write_ply(
    source: VectorSource, path: Path, options: FormatOptions, advance: Callable[[int], None]
) -> Sequence[str]:
    """Write a mesh, or points, as binary PLY.

    Attributes with several numbers a row become properties ``NAME_0`` on, or those of colours and
    normals. Where there are several objects, the property ``object_id`` tells them apart.
    """
    plyfile = _plyfile()
    parts = list(source.batches())
    lost = _Lost()
    vertices = np.concatenate([lost.table(_vertex_columns(part)) for part in parts])
    elements = [plyfile.PlyElement.describe(vertices, "vertex")]
    for part in parts:
        if part.links is not None:
            faces = {"vertex_indices": part.links, **part.link_attributes}
            elements.append(plyfile.PlyElement.describe(lost.table(faces), "face"))
        lost.names |= {*part.object_attributes}
        advance(part.n_vertices)
    kept = source.facts.attributes.get("ply", {}).get("comments", [])
    comments = [str(line) for line in kept]
    with path.open("wb") as file:
        plyfile.PlyData(elements, byte_order="<", comments=comments).write(file)
    return lost.warnings()


def _vertex_columns(part: Geometry) -> dict[str, npt.NDArray[Any]]:
    columns = {name: part.positions[:, i] for i, name in enumerate(_XYZ)}
    if (
        part.object_rows is not None
        and part.object_ids is not None
        and (part.object_ids != 0).any()
    ):
        columns[_OBJECT] = part.object_ids[part.object_rows]
    return {**columns, **part.vertex_attributes}


class _Lost:
    """Makes tables of what PLY holds, and remembers what it does not."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self._rounded: set[str] = set()

    def table(self, columns: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[Any]:
        """Return columns as an array of records."""
        held: dict[str, npt.NDArray[Any]] = {}
        for name, column in columns.items():
            if name == "vertex_indices":
                held[name] = column.astype("i4" if column.max(initial=0) < 2**31 else "u4")
            elif column.dtype.kind not in "biuf":
                self.names.add(name)
            else:
                held |= {n: self._typed(n, c) for n, c in channels_of(name, column).items()}
        kinds = [(name, c.dtype, c.shape[1:]) for name, c in held.items()]
        rows = np.empty(len(next(iter(held.values()))), np.dtype(kinds))
        for name, column in held.items():
            rows[name] = column
        return rows

    def _typed(self, name: str, column: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return a column of a type that PLY has."""
        kind = column.dtype.newbyteorder("=")
        if kind.kind == "b":
            return column.astype("u1")
        if kind.kind == "f":
            return column.astype("f4") if kind.itemsize == 2 else column
        narrow = _LIMITS.get(kind.str[1:])
        if narrow is None:
            return column
        limits = np.iinfo(narrow)
        if not len(column) or (column.min() >= limits.min and column.max() <= limits.max):
            return column.astype(narrow)
        wide = column.astype("f8")
        if (wide.astype(kind) != column).any():
            self._rounded.add(name)
        return wide

    def warnings(self) -> list[str]:
        """Return what has been lost."""
        told = left_out(self.names, "attributes", "a PLY file")
        if self._rounded:
            names = ", ".join(sorted(self._rounded))
            told.append(f"numbers of {names} are rounded: a PLY file holds integers of 32 bits")
        return told


PLY = VectorFormat("PLY", (".ply",), open_ply, write_ply, frozenset({"mesh", "point_cloud"}))
"""The format, for the registry."""

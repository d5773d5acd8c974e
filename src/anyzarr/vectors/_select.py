"""What a query selects, whatever the geometry is."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from anyzarr.vectors._documents import RootMetadata
from anyzarr.vectors._graphs import Graph, select_graph
from anyzarr.vectors._level import Names, StoredLevel
from anyzarr.vectors._lines import Lines, select_lines
from anyzarr.vectors._meshes import Mesh, select_mesh
from anyzarr.vectors._points import Points, select_points
from anyzarr.vectors._polylines import Polylines, select_polylines
from anyzarr.vectors._query import Query

__all__ = ["Vectors", "column_of", "geometry_of", "select"]

Vectors: TypeAlias = Points | Lines | Polylines | Graph | Mesh

_READ_AS: Final = {
    "line": "line",
    "polyline": "polyline",
    "streamline": "polyline",
    "graph": "graph",
    "skeleton": "graph",
    "mesh": "mesh",
}


def geometry_of(metadata: RootMetadata) -> str:
    """Return what a store is read as: ``line``, ``polyline``, ``graph``, ``mesh``, or ``point``.

    What holds several geometries, or says none, is read as points.
    """
    kinds = {_READ_AS.get(name, "point") for name in metadata.geometry_types}
    return kinds.pop() if len(kinds) == 1 else "point"


def select(level: StoredLevel, query: Query, names: Names) -> Vectors:
    """Return what a query selects of a level, as the geometry of the store."""
    geometry = geometry_of(level.metadata)
    if geometry == "line":
        return select_lines(level, query, names)
    if geometry == "polyline":
        return select_polylines(level, query, names)
    if geometry == "graph":
        return select_graph(level, query, names)
    if geometry == "mesh":
        return select_mesh(level, query, names)
    return select_points(
        level,
        bbox=query.bbox,
        object_ids=query.object_ids,
        group_ids=query.group_ids,
        chunks=query.chunks,
        attribute_names=names,
        with_object_ids=query.names_objects,
    )


def column_of(found: Vectors, name: str | None = None) -> npt.NDArray[Any]:
    """Return the positions, or an attribute, with one row per vertex."""
    if name is None:
        if isinstance(found, Lines):
            return found.endpoints.reshape(-1, found.endpoints.shape[-1])
        return found.vertices if isinstance(found, Mesh) else found.positions
    column: npt.NDArray[Any] = np.asarray(found.vertex_attributes[name])
    return column.reshape(-1, *column.shape[2:]) if isinstance(found, Lines) else column

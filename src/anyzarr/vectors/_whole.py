"""A whole level as one geometry, and where each of its vertices lies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr._nodes import Group
from anyzarr.errors import UnsupportedError
from anyzarr.vectors._attributes import decode_column
from anyzarr.vectors._blobs import Ints
from anyzarr.vectors._cell_index import distinct_cells
from anyzarr.vectors._documents import RootMetadata
from anyzarr.vectors._gather import gather_cells, gather_objects
from anyzarr.vectors._gathered import Gathered
from anyzarr.vectors._geometry import Geometry
from anyzarr.vectors._grid import Coords
from anyzarr.vectors._job import Job
from anyzarr.vectors._level import StoredLevel
from anyzarr.vectors._objects import read_groups
from anyzarr.vectors._read_networks import network_links, network_manifests
from anyzarr.vectors._read_paths import manifests_of_rows

__all__ = ["NETWORKS", "PATHS", "Places", "Whole", "family_of", "gather_whole", "whole_level"]

PATHS = frozenset({"line", "polyline", "streamline"})
NETWORKS = frozenset({"graph", "skeleton", "mesh"})


@dataclass(frozen=True, eq=False)
class Places:
    """Where vertices lie.

    Attributes
    ----------
    cells
        Absolute coordinates of cells, shape ``(C, D)``.
    cell, row
        For each vertex its cell, as a row of ``cells``, and its row in the cell, shape ``(N,)``.
    """

    cells: Coords
    cell: Ints
    row: Ints

    @classmethod
    def of(cls, gathered: Gathered) -> Places:
        """Return where vertices that were read lie."""
        return cls(gathered.cells, gathered.vertex_cell, gathered.vertex_row)

    @classmethod
    def given_by(cls, job: Job) -> Places:
        """Return where a write puts the vertices of its geometry."""
        cell, row = job.scattered.places()
        return cls(job.scattered.cells, cell, row + job.rows[cell])

    def of_vertices(self, vertices: Ints) -> Places:
        """Return where some vertices lie."""
        return Places(self.cells, self.cell[vertices], self.row[vertices])

    def find(self, places: Places) -> Ints:
        """Return the vertex that is at each of some places; -1 where there is none."""
        n = len(self.cells)
        _, key = distinct_cells(np.concatenate([self.cells, places.cells]))
        width = int(max(self.row.max(initial=0), places.row.max(initial=0))) + 1
        known = key[:n][self.cell] * width + self.row
        asked = key[n:][places.cell] * width + places.row
        order = np.argsort(known, kind="stable")
        found = np.full(len(asked), -1, np.int64)
        if len(known):
            near = np.minimum(np.searchsorted(known[order], asked), len(known) - 1)
            there = known[order][near] == asked
            found[there] = order[near[there]]
        return found


@dataclass(frozen=True, eq=False)
class Whole:
    """A level as one geometry.

    Attributes
    ----------
    geometry
        All of it; the vertices of a path follow each other.
    places
        Where its vertices lie.
    fragments
        For each vertex the number, in its cell, of the fragment that it is part of; None where
        that was not asked for.
    """

    geometry: Geometry
    places: Places
    fragments: Ints | None = None

    def ordered(self, geometry: Geometry, order: Ints) -> Whole:
        """Return the whole as another geometry, whose vertices are these, in this order."""
        fragments = None if self.fragments is None else self.fragments[order]
        return Whole(geometry, self.places.of_vertices(order), fragments)


def family_of(metadata: RootMetadata) -> str:
    """Return the type of geometry of a store that holds one.

    Raises
    ------
    UnsupportedError
        It holds none, or several that are stored in different ways.
    """
    types = metadata.geometry_types
    if len(types) == 1 or (types and {*types} <= PATHS):
        return types[0]
    raise UnsupportedError(
        f"the store holds {', '.join(types) or 'no geometry yet'}, and levels are made of one "
        "type of geometry",
        kind="geometry_types",
    )


def gather_whole(
    level: StoredLevel, names: tuple[str, ...] = (), rows: Ints | None = None
) -> Gathered:
    """Return all vertices of a level: points as they are stored, others object by object.

    Parameters
    ----------
    level
        The level.
    names
        Vertex attributes.
    rows
        Rows of the objects, and then points come object by object, too. By default the order is
        that in which the level is read whole.
    """
    index, kind = level.objects, family_of(level.metadata)
    if index is None or (rows is None and kind == "point_cloud"):
        return gather_cells(level, level.cells, names)
    rows = index.present if rows is None else rows
    manifests = network_manifests if kind in NETWORKS else manifests_of_rows
    return gather_objects(level, manifests(level, rows), names)


def whole_level(
    level: StoredLevel, *, objects: bool = True, empty: bool = False, fragments: bool = False
) -> Whole:
    """Return a whole level.

    Parameters
    ----------
    level
        The level.
    objects
        Whether to keep objects apart, where they need not be: those of points.
    empty
        Whether to keep objects without vertices, too.
    fragments
        Whether to tell the fragment of each vertex.
    """
    kind = family_of(level.metadata)
    names = level.attribute_names()
    if kind == "point_cloud" and not objects:
        gathered = gather_cells(level, level.cells, names)
        return _whole(Geometry(gathered.positions, gathered.attributes), gathered, fragments)
    index, order = level.objects, None
    if index is not None:
        rows = np.arange(index.n_objects, dtype=np.int64) if empty else index.present
        order = rows[np.argsort(index.ids[rows], kind="stable")]
    gathered = gather_whole(level, names, order)
    geometry = Geometry(gathered.positions, gathered.attributes)
    if kind in NETWORKS:
        links, columns = network_links(level, gathered, 3 if kind == "mesh" else 2)
        geometry = replace(geometry, links=links, link_attributes=columns)
    if order is not None:
        geometry = _with_objects(level, geometry, gathered.object_of_vertex, order)
    elif kind != "point_cloud":
        none = np.zeros(geometry.n_vertices, np.int64)
        geometry = replace(geometry, object_rows=none, object_ids=none[:1])
    return _whole(geometry, gathered, fragments)


def _whole(geometry: Geometry, gathered: Gathered, fragments: bool) -> Whole:
    return Whole(
        geometry,
        Places.of(gathered),
        gathered.fragment_number[gathered.fragment_of_vertex] if fragments else None,
    )


def _with_objects(level: StoredLevel, geometry: Geometry, owners: Ints, order: Ints) -> Geometry:
    """Return a geometry with its objects, in an order of the rows of the index."""
    index = level.objects
    assert index is not None
    return replace(
        geometry,
        object_rows=owners,
        object_ids=index.ids[order],
        object_attributes=index.attributes(order),
        groups=read_groups(level.root, level.number),
        group_attributes=_group_attributes(level.root, level.number),
    )


def _group_attributes(root: Group, level: int) -> Mapping[str, npt.NDArray[Any]]:
    """Return the attributes of groups by name."""
    path = f"{level}/group_attributes"
    family = root.get_many([path]).get(path)
    return {
        name: decode_column(name, np.asarray(array[:]), array.metadata.attributes)
        for name, array in (family.arrays() if isinstance(family, Group) else ())
    }

"""Reading what is joined by stored links: graphs, skeletons and meshes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from anyzarr.errors import CorruptDataError
from anyzarr.vectors._blobs import Ints
from anyzarr.vectors._crossing import any_of_runs, vertices_met
from anyzarr.vectors._gather import gather_cells, gather_objects
from anyzarr.vectors._gathered import Gathered
from anyzarr.vectors._grid import Bounds, Coords
from anyzarr.vectors._intersect import links_near, objects_met, vertices_touched
from anyzarr.vectors._level import Names, StoredLevel
from anyzarr.vectors._link_attributes import absent
from anyzarr.vectors._manifests import ManifestTable
from anyzarr.vectors._query import Query
from anyzarr.vectors._read_links import StoredLinks
from anyzarr.vectors._read_paths import manifests_of_rows
from anyzarr.vectors._scatter_links import groups_of

__all__ = ["Network", "network_edges", "network_links", "network_manifests", "read_network"]

Columns = Mapping[str, npt.NDArray[Any]]

LinksOf: TypeAlias = Callable[[Gathered, StoredLinks | None], Ints]
"""Returns the links between the vertices that were gathered, stored and implied ones."""

_WITH_BRANCHES = "implicit_sequential_with_branches"


@dataclass(frozen=True, eq=False)
class Network:
    """Vertices and the links between them, as a query selects them.

    Attributes
    ----------
    positions
        Of shape ``(N, D)``.
    vertex_attributes
        By name, of shape ``(N, …)``.
    links
        Rows of ``positions``, of shape ``(M, width)``.
    link_attributes
        By name, of shape ``(M, …)``.
    vertex_objects
        Id of the object of each vertex.
    objects
        Ids of the objects.
    object_attributes
        By name, one row per object.
    """

    positions: npt.NDArray[Any]
    vertex_attributes: Columns
    links: Ints
    link_attributes: Columns
    vertex_objects: Ints
    objects: Ints
    object_attributes: Columns


def read_network(level: StoredLevel, query: Query, attribute_names: Names, width: int) -> Network:
    """Return vertices and links that a query selects.

    Parameters
    ----------
    level
        The level.
    query
        What is asked for. Where it crops (``"clip"``, chunks), links stay that join vertices that
        stay.
    attribute_names
        Attributes of vertices to read.
    width
        Vertices of a link where no link is stored.
    """
    try:
        return _read(level, query, attribute_names, width)
    except CorruptDataError:
        # A write that came between has links to vertices that had not been there: read again.
        level.root.refresh()
        renewed = StoredLevel.of(level.root, level.metadata, level.number, attribute_names)
        return _read(renewed, query, attribute_names, width)


def _read(level: StoredLevel, query: Query, attribute_names: Names, width: int) -> Network:
    """Return what :func:`read_network` returns, of a level that does not change."""
    links, links_of = _links_of(level)
    rows = query.object_rows(level)
    manifests = manifests_of_rows(level, rows)
    box = query.box(level)
    if box is not None:
        mode = "intersects" if query.bbox_mode == "clip" else query.bbox_mode
        bare = None if links is None else links.without_attributes()
        met_by = functools.partial(_fragments_met, links_of)
        met = objects_met(level, bare, met_by, manifests, box, mode)
        rows, manifests = rows[met], manifests.take(met)
    names = level.attribute_names(attribute_names)
    cells = _cells_needed(level, query, links, links_of)
    if level.objects is None:
        gathered = gather_cells(level, level.cells if cells is None else cells, names)
    else:
        gathered = gather_objects(level, _each_once(level, manifests), names, cells)
    found, columns = _joined(gathered, links, links_of, width)
    keep = np.ones(len(gathered.positions), np.bool_)
    if box is not None and (query.bbox_mode == "clip" or level.objects is None):
        touched = vertices_met(gathered.positions, box)
        keep &= touched if query.bbox_mode == "clip" else vertices_touched(gathered, found, box)
    if query.chunks is not None:
        keep &= query.cell_mask(gathered.cells)[gathered.vertex_cell]
    return _network(level, gathered, rows, found, columns, keep)


def _cells_needed(
    level: StoredLevel, query: Query, links: StoredLinks | None, links_of: LinksOf
) -> Coords | None:
    """Return the cells that tell which vertices and links are returned; None: all of objects'."""
    if level.objects is None and query.names_objects:
        return level.cells[:0]
    cells = query.cropping_cells(level)
    box = query.box(level)
    if level.objects is None and box is not None and query.bbox_mode != "clip":
        return links_near(level, level.select(box), links, box)
    if cells is None or links is None or links_of is not _parents:
        return cells
    # A vertex follows the one before it unless a link says otherwise, so that all are needed.
    return links.joined_to(cells)


def network_links(
    level: StoredLevel, gathered: Gathered, width: int
) -> tuple[Ints, dict[str, npt.NDArray[Any]]]:
    """Return the links between vertices that were gathered, and their attributes.

    Parameters
    ----------
    level
        The level.
    gathered
        Vertices of it.
    width
        Vertices of a link where no link is stored.
    """
    links, links_of = _links_of(level)
    return _joined(gathered, links, links_of, width)


def _links_of(level: StoredLevel) -> tuple[StoredLinks | None, LinksOf]:
    """Return the stored links of a level, and what makes links of them and of the order."""
    settled = level.level.fragments_tile
    links = StoredLinks.open(level.root, level.number, settled=settled, nodes=level.nodes)
    return links, _parents if level.metadata.links_convention == _WITH_BRANCHES else _stored


def network_edges(level: StoredLevel, gathered: Gathered, stored: Ints) -> Ints | None:
    """Return all edges where some follow from the order of vertices; None where none do."""
    if level.metadata.links_convention != _WITH_BRANCHES:
        return None
    return _with_implied(gathered, stored, {})[0]


def _fragments_met(
    links_of: LinksOf, gathered: Gathered, links: StoredLinks | None, box: Bounds
) -> npt.NDArray[np.bool_]:
    """Return which fragments a box meets, by a vertex or a link."""
    touched = vertices_touched(gathered, links_of(gathered, links), box)
    return any_of_runs(touched, gathered.fragment_offsets)


def network_manifests(level: StoredLevel, rows: Ints) -> ManifestTable:
    """Return the manifests of objects, in which each fragment belongs to the first that names it.

    Parameters
    ----------
    level
        The level.
    rows
        Rows of the objects in the index.
    """
    return _each_once(level, manifests_of_rows(level, rows))


def _each_once(level: StoredLevel, manifests: ManifestTable) -> ManifestTable:
    """Return manifests in which each fragment belongs to the first that names it."""
    if not level.level.shared_fragments:
        return manifests
    blocks = manifests.expand()
    if not len(blocks.start):
        return blocks
    _, first = groups_of(np.column_stack([blocks.coords, blocks.start]))
    kept = np.sort(first)
    per_object = np.bincount(blocks.object_row[kept], minlength=blocks.n_objects)
    return ManifestTable.of_fragments(per_object, blocks.coords[kept], blocks.start[kept])


def _stored(gathered: Gathered, links: StoredLinks | None) -> Ints:
    return _joined(gathered, links, _stored, 2)[0]


def _parents(gathered: Gathered, links: StoredLinks | None) -> Ints:
    return _joined(gathered, links, _parents, 2)[0]


def _joined(
    gathered: Gathered, links: StoredLinks | None, links_of: LinksOf, width: int
) -> tuple[Ints, dict[str, npt.NDArray[Any]]]:
    """Return the links between vertices that were gathered, and their attributes."""
    if links is None:
        stored, columns = np.empty((0, width), np.int64), {}
    else:
        read = links.read(gathered.cells, gathered.cell_rows)
        stored = gathered.vertices_at(read.vertices)
        whole = (stored >= 0).all(axis=1)
        stored = stored[whole]
        columns = {name: column[whole] for name, column in read.attributes.items()}
    if links_of is not _parents:
        return stored, columns
    return _with_implied(gathered, stored, columns)


def _with_implied(
    gathered: Gathered, stored: Ints, columns: dict[str, npt.NDArray[Any]]
) -> tuple[Ints, dict[str, npt.NDArray[Any]]]:
    """Return the edge of each vertex to its parent: the one before it, or the one stored."""
    n = len(gathered.positions)
    parent = np.where(gathered.follows, np.arange(n) - 1, -1)
    parent[stored[:, 0]] = stored[:, 1]
    child = np.flatnonzero(parent >= 0)
    edges = np.stack([child, parent[child]], axis=1)
    found = {}
    for name, column in columns.items():
        # Edges that are implied have no attributes: those of the package's skeletons.
        full = np.full((n, *column.shape[1:]), absent(column.dtype), column.dtype)
        full[stored[:, 0]] = column
        found[name] = full[child]
    return edges, found


def _network(
    level: StoredLevel,
    gathered: Gathered,
    rows: Ints,
    links: Ints,
    link_attributes: Columns,
    keep: npt.NDArray[np.bool_],
) -> Network:
    """Return the vertices that are kept, and the links between them."""
    vertices: Ints | slice = slice(None)
    owner = gathered.object_of_vertex
    kept_links: Ints | slice = slice(None)
    if not keep.all():
        vertices, kept_links = np.flatnonzero(keep), np.flatnonzero(keep[links].all(axis=1))
        links = (np.cumsum(keep) - 1)[links[kept_links]]
        owner = owner[vertices]
    objects = level.objects
    ids = np.empty(0, np.int64) if objects is None else objects.ids[rows]
    return Network(
        positions=gathered.positions[vertices],
        vertex_attributes={name: c[vertices] for name, c in gathered.attributes.items()},
        links=links,
        link_attributes={name: column[kept_links] for name, column in link_attributes.items()},
        vertex_objects=np.full(len(owner), -1, np.int64) if objects is None else ids[owner],
        objects=ids,
        object_attributes={} if objects is None else objects.attributes(rows),
    )

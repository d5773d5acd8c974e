"""Reading what is a sequence of vertices: lines and polylines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from anyzarr.vectors._blobs import Ints
from anyzarr.vectors._crossing import links_met, runs_met, vertices_met
from anyzarr.vectors._gather import FragmentsOf, gather_fragments
from anyzarr.vectors._gathered import Gathered
from anyzarr.vectors._grid import Bounds
from anyzarr.vectors._intersect import objects_met
from anyzarr.vectors._level import Names, StoredLevel
from anyzarr.vectors._manifests import ManifestTable
from anyzarr.vectors._query import Query
from anyzarr.vectors._read_links import StoredLinks

__all__ = ["Paths", "manifests_of_rows", "read_paths"]


_BLOCK: Final = 1 << 15
"""How many links are looked at at once."""


@dataclass(frozen=True, eq=False)
class Paths:
    """Paths that a query selects.

    Attributes
    ----------
    positions
        Vertices of all paths, one path after the other, of shape ``(N, D)``.
    vertex_attributes
        By name, of shape ``(N, …)``.
    offsets
        Where each path begins, and at last the number of vertices.
    object_ids
        The object of each path.
    object_attributes
        By name, one row per path.
    piece_offsets
        Where each run of vertices of one fragment begins.
    """

    positions: npt.NDArray[Any]
    vertex_attributes: Mapping[str, npt.NDArray[Any]]
    offsets: Ints
    object_ids: Ints
    object_attributes: Mapping[str, npt.NDArray[Any]]
    piece_offsets: Ints


def read_paths(level: StoredLevel, query: Query, attribute_names: Names) -> Paths:
    """Return the paths that a query selects; those without vertices are left out.

    Parameters
    ----------
    level
        The level.
    query
        What is asked for.
    attribute_names
        Attributes of vertices to read.
    """
    rows = query.object_rows(level)
    manifests = manifests_of_rows(level, rows)
    box = query.box(level)
    if box is not None:
        settled = level.level.fragments_tile
        links = StoredLinks.open(level.root, level.number, [], settled=settled, nodes=level.nodes)
        mode = "intersects" if query.bbox_mode == "clip" else query.bbox_mode
        met = objects_met(level, links, _fragments_met, manifests, box, mode)
        rows, manifests = rows[met], manifests.take(met)
    names = level.attribute_names(attribute_names)
    asked = FragmentsOf.objects(manifests, query.cropping_cells(level))
    del manifests  # of many short fragments they are larger than the vertices
    gathered = gather_fragments(level, asked, names)
    del asked
    crops = box is not None and query.bbox_mode == "clip"
    keep = vertices_met(gathered.positions, box) if box is not None and crops else None
    return _cut(level, gathered, rows, keep)


def manifests_of_rows(level: StoredLevel, rows: Ints) -> ManifestTable:
    """Return the manifests of objects by their rows in the index, whose ids come with them."""
    if level.objects is None:
        none = np.empty((0, level.vertices.ndim), np.int64)
        return ManifestTable.of_fragments(np.zeros(len(rows), np.int64), none, none[:, 0])
    return level.objects.manifests_and_ids(rows)


def _fragments_met(
    gathered: Gathered, links: StoredLinks | None, box: Bounds
) -> npt.NDArray[np.bool_]:
    """Return which fragments a box meets, by a vertex, a segment, or a link to another fragment."""
    offsets = gathered.fragment_offsets
    met = runs_met(gathered.positions, offsets, box)
    if links is None or links.family.width != 2 or met.all():
        return met
    # Links between fragments that are met tell nothing new.
    is_unknown = np.zeros(len(gathered.cells), np.bool_)
    is_unknown[gathered.fragment_cell[~met]] = True
    rows = links.read(gathered.cells, gathered.cell_rows, is_unknown).vertices
    ends = gathered.vertices_at(rows)
    for low in range(0, len(ends), _BLOCK):
        _meet_links(gathered, ends[low : low + _BLOCK], box, met)
    return met


def _meet_links(gathered: Gathered, ends: Ints, box: Bounds, met: npt.NDArray[np.bool_]) -> None:
    """Mark the fragments of those links between vertices that a box meets."""
    ends = ends[(ends >= 0).all(axis=1)]
    fragments = np.searchsorted(gathered.fragment_offsets, ends, side="right") - 1
    unknown = ~met[fragments].all(axis=1)
    ends, fragments = ends[unknown], fragments[unknown]
    positions = gathered.positions[ends.reshape(-1)]
    hit = links_met(positions, np.arange(ends.size).reshape(-1, 2), box)
    met[fragments[hit]] = True


def _cut(
    level: StoredLevel, gathered: Gathered, rows: Ints, keep: npt.NDArray[np.bool_] | None
) -> Paths:
    """Return the paths that vertices form: one of each object where all are kept (None)."""
    assert gathered.fragment_object is not None
    positions, columns = gathered.positions, dict(gathered.attributes)
    if keep is None:
        fragment = np.flatnonzero(np.diff(gathered.fragment_offsets))
        at, begins = gathered.fragment_offsets[:-1][fragment], np.zeros(len(fragment), np.bool_)
    else:
        vertices = np.flatnonzero(keep)
        at, begins = np.arange(len(vertices)), np.diff(vertices, prepend=-2) != 1
        fragment = gathered.fragment_of_vertex[vertices]
        positions = positions[vertices]
        columns = {name: column[vertices] for name, column in columns.items()}
    owner = gathered.fragment_object[fragment]
    begins |= np.diff(owner, prepend=-1) != 0
    if gathered.fragment_run is not None:
        begins |= np.diff(gathered.fragment_run[fragment], prepend=-1) != 0
    pieces = begins | (np.diff(fragment, prepend=-1) != 0)
    found, objects = rows[owner[begins]], level.objects
    return Paths(
        positions=positions,
        vertex_attributes=columns,
        offsets=np.append(at[begins], len(positions)).astype(np.int64),
        object_ids=found if objects is None else objects.ids[found],
        object_attributes={} if objects is None else objects.attributes(found),
        piece_offsets=np.append(at[pieces], len(positions)).astype(np.int64),
    )

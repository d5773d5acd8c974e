"""Writing what is joined by stored links: graphs, skeletons and meshes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr.errors import MetadataError
from anyzarr.vectors._blobs import Ints
from anyzarr.vectors._forest import depth_first, parents_of
from anyzarr.vectors._geometry import Geometry, as_columns
from anyzarr.vectors._grid import CellGrid
from anyzarr.vectors._job import Job, Kind, Part, Pieces, WriteOptions, WriteSummary
from anyzarr.vectors._objects_input import (
    Groups,
    as_group_columns,
    as_groups,
    as_positions,
    rows_of_objects,
)
from anyzarr.vectors._objects_write import Documents
from anyzarr.vectors._points import INPUT_ORDER
from anyzarr.vectors._replace import write_geometry
from anyzarr.vectors._target import target_of
from anyzarr.vectors._write_links import link_parts

__all__ = ["GRAPH", "MESH", "SKELETON", "network_geometry", "tree_geometry", "write_network"]


def network_geometry(
    positions: npt.ArrayLike,
    links: npt.ArrayLike,
    *,
    vertex_attributes: Mapping[str, npt.ArrayLike] | None,
    link_attributes: Mapping[str, npt.ArrayLike] | None,
    object_attributes: Mapping[str, npt.ArrayLike] | None,
    object_ids: npt.ArrayLike | None,
    groups: Groups | None,
    group_attributes: Mapping[str, npt.ArrayLike] | None,
    preserve_order: bool,
) -> Geometry:
    """Return vertices and what joins them as a geometry.

    Parameters
    ----------
    positions
        Of shape ``(N, D)``.
    links
        Rows of ``positions``, of shape ``(M, width)``.
    vertex_attributes, link_attributes, group_attributes
        By name, one row per vertex, link and group.
    object_attributes
        By name, one row per object, ascending by id.
    object_ids
        The object of each vertex; None: all are object 0.
    groups
        Ids of objects by the number of the group.
    preserve_order
        Add the row of each vertex as an attribute.

    Raises
    ------
    MetadataError
        Shapes do not fit together, or a link names a vertex that there is not.
    """
    vertices = as_positions(positions)
    rows = _as_links(links, len(vertices))
    columns = dict(as_columns("vertex", vertex_attributes, len(vertices)))
    if preserve_order:
        columns.setdefault(INPUT_ORDER, np.arange(len(vertices), dtype=np.int64))
    of_vertex = np.zeros(len(vertices), np.int64) if object_ids is None else object_ids
    ids, owner = rows_of_objects(of_vertex, len(vertices))
    numbers = as_groups(groups)
    return Geometry(
        positions=vertices,
        vertex_attributes=columns,
        object_rows=owner,
        object_ids=ids,
        object_attributes=as_columns("object", object_attributes, len(ids)),
        groups=numbers,
        group_attributes=as_group_columns(group_attributes, numbers),
        links=rows,
        link_attributes=as_columns("link", link_attributes, len(rows)),
    )


def _as_links(links: npt.ArrayLike, n_vertices: int) -> Ints:
    rows = np.asarray(links)
    if rows.ndim != 2 or (rows.size and rows.dtype.kind not in "iu"):
        raise MetadataError(
            f"links are {rows.dtype} of the shape {rows.shape}, and need to be whole numbers of "
            "the shape (M, width): the vertices that each joins",
            kind="links",
        )
    rows = rows.astype(np.int64, copy=False)
    wrong = ((rows < 0) | (rows >= n_vertices)).any(axis=1)
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        raise MetadataError(
            f"link {first} is {rows[first].tolist()}, and there are vertices 0 to {n_vertices - 1}",
            kind="links",
        )
    return rows


def _links(job: Job) -> tuple[list[Part], Documents]:
    geometry = job.geometry
    assert geometry.links is not None
    width = geometry.links.shape[1]
    return link_parts(job, geometry.links, geometry.link_attributes, width=width)


def _by_object(geometry: Geometry, grid: CellGrid) -> Pieces:
    return Pieces(geometry.object_rows)


def tree_geometry(geometry: Geometry) -> Geometry:
    """Return a skeleton with its vertices in depth-first order, so that few edges are stored.

    Raises
    ------
    MetadataError
        A vertex has several parents, or edges form a cycle.
    """
    edges = geometry.links
    assert edges is not None
    if edges.shape[1] != 2:
        raise MetadataError(
            f"edges of a skeleton have the shape (M, 2), [child, parent], and not {edges.shape}",
            kind="links",
        )
    return geometry.ordered(depth_first(parents_of(edges, geometry.n_vertices)).order)


def _tree_pieces(geometry: Geometry, grid: CellGrid) -> Pieces:
    """Cut vertices, in depth-first order, into pieces of one object and one tree.

    So each root begins a fragment, where no parent is implied.
    """
    assert geometry.links is not None
    assert geometry.object_rows is not None
    is_root = np.ones(geometry.n_vertices, np.bool_)
    is_root[geometry.links[:, 0]] = False
    n_trees = max(1, int(np.count_nonzero(is_root)))
    keys = geometry.object_rows * n_trees + (np.cumsum(is_root) - 1)
    distinct, piece = np.unique(keys, return_inverse=True)
    return Pieces(piece.reshape(-1).astype(np.int64, copy=False), distinct // n_trees)


def _branches(job: Job) -> tuple[list[Part], Documents]:
    """Return the edges that are not implied: those whose child does not follow its parent."""
    geometry = job.geometry
    edges, piece = geometry.links, job.pieces.of_vertex
    assert edges is not None
    assert piece is not None
    if geometry.link_attributes:
        return link_parts(job, edges, geometry.link_attributes)
    cell, row = job.scattered.places()
    child, parent = edges[:, 0], edges[:, 1]
    implied = (cell[child] == cell[parent]) & (piece[child] == piece[parent])
    implied &= row[child] == row[parent] + 1
    return link_parts(job, edges[~implied], {})


GRAPH = Kind("graph", "explicit", _by_object, _links)
"""Every edge is stored."""

MESH = Kind("mesh", "explicit", _by_object, _links)
"""Every face is stored."""

SKELETON = Kind("skeleton", "implicit_sequential_with_branches", _tree_pieces, _branches)
"""A vertex's parent is the one before it in its fragment, unless an edge says otherwise."""


def write_network(
    location: Any,
    geometry: Geometry,
    options: WriteOptions,
    kind: Kind,
    backend: str | None,
    backend_kwargs: dict[str, Any],
) -> WriteSummary:
    """Write vertices and what joins them; no vertex can be left out."""
    if options.out_of_bounds == "ignore":
        raise MetadataError(
            f"out_of_bounds='ignore' would tear a {kind.geometry_type} where vertices are left "
            "out: use 'raise' or 'expand', or cut the data before",
            kind="out_of_bounds",
        )
    with target_of(location, geometry, options, kind, backend, backend_kwargs) as root:
        return write_geometry(root, geometry, options, kind)

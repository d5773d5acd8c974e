"""Levels of one's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr.errors import MetadataError
from anyzarr.vectors._blobs import Ints
from anyzarr.vectors._details import level_kind
from anyzarr.vectors._documents import LevelMetadata, RootMetadata
from anyzarr.vectors._geometry import Geometry
from anyzarr.vectors._graphs import Graph
from anyzarr.vectors._level import StoredLevel
from anyzarr.vectors._levels import (
    as_chunk_scale,
    check_chunks,
    finished,
    options_like,
    scaled_chunks,
    with_places,
    write_new_level,
)
from anyzarr.vectors._lines import Lines
from anyzarr.vectors._meshes import Mesh
from anyzarr.vectors._objects_input import Groups, as_group_columns, as_groups
from anyzarr.vectors._open import open_root
from anyzarr.vectors._points import Points, point_geometry
from anyzarr.vectors._polylines import Polylines
from anyzarr.vectors._select import Vectors, geometry_of
from anyzarr.vectors._whole import family_of
from anyzarr.vectors._write_networks import network_geometry, tree_geometry
from anyzarr.vectors._write_paths import path_geometry

__all__ = ["add_resolution_level"]

_TYPES = {"point": Points, "line": Lines, "polyline": Polylines, "graph": Graph, "mesh": Mesh}


def add_resolution_level(
    path: Any,
    data: Vectors,
    *,
    scale: float | Sequence[float],
    chunk_scale: int | Sequence[int] = 1,
    object_attributes: Mapping[str, npt.ArrayLike] | None = None,
    groups: Groups | None = None,
    group_attributes: Mapping[str, npt.ArrayLike] | None = None,
    coarsening_method: str = "manual",
    object_sparsity: float = 1.0,
    parent_level: int | None = None,
    backend: str | None = None,
    **backend_kwargs: Any,
) -> int:
    """Write a level of detail that was made elsewhere, after those that there are.

    Parameters
    ----------
    path, backend, **backend_kwargs
        As for :func:`anyzarr.vectors.open_store`.
    data
        The level, as the function that reads the geometry of the store returns it, such as
        :class:`anyzarr.vectors.Polylines`; within the bounds of the store. Ids of objects are those
        of level 0.
    scale
        How much larger its bins are than those of level 0, at least as much as those of the level
        before; one number, or one per dimension.
    chunk_scale
        How many chunks of level 0 one of its chunks measures.
    object_attributes
        Of points, whose result has none: by name, one row per object, ascending by id.
    groups, group_attributes
        As for :func:`anyzarr.vectors.write_points`.
    coarsening_method, object_sparsity, parent_level
        What the level says of how it was made: by which method, with which share of the objects,
        and from which level; by default the one before.

    Returns
    -------
    int
        The number of the level.

    Raises
    ------
    MetadataError
        The data are not what the store holds, do not lie within its bounds, or a number is not
        valid.

    Examples
    --------
    >>> from anyzarr.vectors import Points, add_resolution_level, read_points, write_points
    >>> memory = {}
    >>> _ = write_points(memory, [[1, 1], [8, 2], [1, 2]])
    >>> add_resolution_level(memory, Points(read_points(memory).positions[::2]), scale=2)
    1
    >>> read_points(memory, level=1).vertex_count
    2
    """
    root, metadata = open_root(path, "r+", backend=backend, **backend_kwargs)
    before = metadata.levels[-1]
    scales = _as_scale(metadata, scale, before)
    chunks = as_chunk_scale(metadata, chunk_scale)
    check_chunks(metadata, chunks, np.multiply(metadata.bin_shape, scales).tolist())
    numbers = as_groups(groups)
    geometry = replace(
        _geometry(metadata, data, object_attributes),
        groups=numbers,
        group_attributes=as_group_columns(group_attributes, numbers),
    )
    first = StoredLevel.of(root, metadata, 0, objects=True)
    level = LevelMetadata(
        before + 1,
        chunk_shape=scaled_chunks(metadata, chunks),
        object_sparsity=object_sparsity,
        coarsening_method=coarsening_method,
        parent_level=_parent(metadata, parent_level),
    )
    ids = None if first.objects is None else np.sort(first.objects.ids)
    if ids is not None and geometry.object_ids is not None and _all_in(geometry.object_ids, ids):
        geometry = with_places(geometry, ids)
        level = replace(level, preserves_object_ids=True, inherited_num_objects=len(ids))
    options = options_like(first)
    is_consolidated = "consolidated_metadata" in root.metadata.document
    kind = level_kind(family_of(metadata), metadata)
    write_new_level(root, geometry, options, kind, level, scales)
    finished(root, None, None, consolidate=is_consolidated)
    return before + 1


def _all_in(some: Ints, ids: Ints) -> bool:
    return bool(np.isin(some, ids).all())


def _parent(metadata: RootMetadata, parent_level: int | None) -> int:
    parent = metadata.levels[-1] if parent_level is None else parent_level
    if parent not in metadata.levels:
        raise MetadataError(
            f"parent_level={parent_level} is no level; there are {list(metadata.levels)}",
            kind="parent_level",
        )
    return parent


def _as_scale(
    metadata: RootMetadata, scale: float | Sequence[float], before: int
) -> tuple[float, ...]:
    scales = np.broadcast_to(np.asarray(scale, np.float64), (metadata.ndim,))
    finer = metadata.scale_of(before)
    if not (np.isfinite(scales).all() and (scales >= finer).all()):
        raise MetadataError(
            f"scale={scale!r} is not valid: bins are at least as large as those of level {before}, "
            f"{list(finer)} times those of level 0",
            kind="scale",
        )
    found: tuple[float, ...] = tuple(scales.tolist())
    return found


def _geometry(
    metadata: RootMetadata, data: Vectors, object_attributes: Mapping[str, npt.ArrayLike] | None
) -> Geometry:
    """Return data as the geometry that the store holds."""
    expected = _TYPES[geometry_of(metadata)]
    if not isinstance(data, expected):
        raise MetadataError(
            f"the store holds {', '.join(metadata.geometry_types)}, so that a level of it is given "
            f"as {expected.__name__}, and not as {type(data).__name__}",
            kind="geometry_types",
        )
    if isinstance(data, Points):
        ids = data.object_ids
        ids = None if ids is None or (ids < 0).all() else ids
        return point_geometry(data.positions, data.vertex_attributes, ids, object_attributes, None)
    if object_attributes is not None:
        raise MetadataError(
            f"{type(data).__name__} have attributes of objects of their own: give them there",
            kind="object_attributes",
        )
    if isinstance(data, Lines):
        ends, counts = data.endpoints, np.full(len(data.endpoints), 2, np.int64)
        columns = {
            name: np.asarray(column).reshape(-1, *column.shape[2:])
            for name, column in data.vertex_attributes.items()
        }
        ids, attributes = data.object_ids, data.object_attributes
        positions = ends.reshape(-1, ends.shape[-1])
        return path_geometry(positions, counts, columns, attributes, ids, None, None)
    if isinstance(data, Polylines):
        return path_geometry(
            data.positions, np.diff(data.offsets), data.vertex_attributes, data.object_attributes,
            data.object_ids, None, None,
        )  # fmt: skip
    return _network(data, is_tree="skeleton" in metadata.geometry_types)


def _network(data: Graph | Mesh, *, is_tree: bool) -> Geometry:
    """Return a graph, a skeleton or a mesh as a geometry."""
    held = np.unique(data.object_ids)
    order = np.argsort(data.objects, kind="stable")
    rows = order[np.searchsorted(data.objects[order], held)] if len(data.objects) else order
    if isinstance(data, Mesh):
        positions, links, columns = data.vertices, data.faces, data.face_attributes
    else:
        positions, links, columns = data.positions, data.edges, data.link_attributes
    geometry = network_geometry(
        positions,
        links,
        vertex_attributes=data.vertex_attributes,
        link_attributes=columns,
        object_attributes={name: c[rows] for name, c in data.object_attributes.items()},
        object_ids=data.object_ids,
        groups=None,
        group_attributes=None,
        preserve_order=False,
    )
    return tree_geometry(geometry) if is_tree else geometry

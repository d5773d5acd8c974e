"""Writing what is a sequence of vertices: lines and polylines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from anyzarr.errors import MetadataError
from anyzarr.vectors._blobs import Ints, index_ranges, starts_of
from anyzarr.vectors._geometry import Geometry, as_columns
from anyzarr.vectors._grid import CellGrid
from anyzarr.vectors._job import Job, Kind, Part, Pieces, WriteOptions, WriteSummary
from anyzarr.vectors._joined import numbered_anew
from anyzarr.vectors._objects_input import Groups, as_group_columns, as_groups, as_positions
from anyzarr.vectors._objects_write import Documents
from anyzarr.vectors._replace import write_geometry
from anyzarr.vectors._runs import bridges_of, runs_of
from anyzarr.vectors._target import target_of
from anyzarr.vectors._write_links import link_parts

__all__ = ["path_geometry", "path_kind", "polyline_columns", "write_paths"]

Columns = Mapping[str, npt.NDArray[Any]]


def path_kind(geometry_type: str, *, has_ids: bool) -> Kind:
    """Return how paths of a type are written.

    Parameters
    ----------
    geometry_type
        ``"line"``, ``"polyline"`` or ``"streamline"``.
    has_ids
        Whether the caller has given ids; otherwise paths are numbered after those stored.
    """
    return Kind(
        geometry_type=geometry_type,
        links_convention="implicit_sequential",
        cut=_cut,
        links=_bridges,
        admit=_refuse_known if has_ids else numbered_anew,
    )


def _cut(geometry: Geometry, grid: CellGrid) -> Pieces:
    assert geometry.object_rows is not None
    counts = np.bincount(geometry.object_rows, minlength=geometry.n_objects)
    runs = runs_of(grid, geometry.positions, starts_of(counts))
    return Pieces(runs.run, runs.path)


def _bridges(job: Job) -> tuple[list[Part], Documents]:
    run, path = job.pieces.of_vertex, job.pieces.object_of_piece
    assert run is not None
    assert path is not None
    return link_parts(job, bridges_of(run, path), {}, has_intra=False)


def _refuse_known(geometry: Geometry, stored: Ints) -> Geometry:
    known = np.intersect1d(cast("Ints", geometry.object_ids), stored)
    if known.size:
        raise MetadataError(
            f"there is already an object {int(known[0])} in this store: a path is written once and "
            "whole; give other object_ids, or none to number paths after those that are there",
            kind="object_ids",
        )
    return geometry


def _as_ids(object_ids: npt.ArrayLike | None, n_paths: int) -> Ints:
    """Return one id per path, after checking that they are distinct."""
    if object_ids is None:
        return np.arange(n_paths, dtype=np.int64)
    ids = np.asarray(object_ids)
    if ids.shape != (n_paths,) or ids.dtype.kind not in "iu":
        raise MetadataError(
            f"object_ids is {ids.dtype} of the shape {ids.shape}: give one whole number for each "
            f"of {n_paths} paths",
            kind="object_ids",
        )
    if len(np.unique(ids)) != n_paths:
        raise MetadataError("object_ids must be distinct: a path is an object", kind="object_ids")
    return ids.astype(np.int64, copy=False)


def path_geometry(
    positions: npt.NDArray[Any],
    counts: Ints,
    vertex_attributes: Mapping[str, npt.ArrayLike] | None,
    object_attributes: Mapping[str, npt.ArrayLike] | None,
    object_ids: npt.ArrayLike | None,
    groups: Groups | None,
    group_attributes: Mapping[str, npt.ArrayLike] | None,
) -> Geometry:
    """Return paths as a geometry, ordered by their ids.

    Parameters
    ----------
    positions
        Vertices of all paths, of shape ``(N, D)``.
    counts
        Number of vertices of each path.
    vertex_attributes, object_attributes, group_attributes
        By name, one row per vertex, path and group.
    object_ids
        One id per path; by default its number.
    groups
        Ids of paths by the number of the group.

    Raises
    ------
    MetadataError
        Shapes do not fit together, or ids are not distinct.
    """
    positions = as_positions(positions)
    ids = _as_ids(object_ids, len(counts))
    order = np.argsort(ids, kind="stable")
    vertices: Ints | slice = slice(None)
    if (order[1:] < order[:-1]).any():
        vertices = index_ranges(starts_of(counts)[:-1][order], counts[order])
    columns = as_columns("vertex", vertex_attributes, len(positions))
    of_objects = as_columns("object", object_attributes, len(counts))
    numbers = as_groups(groups)
    return Geometry(
        positions=positions[vertices],
        vertex_attributes={name: column[vertices] for name, column in columns.items()},
        object_rows=np.repeat(np.arange(len(counts), dtype=np.int64), counts[order]),
        object_ids=ids[order],
        object_attributes={name: column[order] for name, column in of_objects.items()},
        groups=numbers,
        group_attributes=as_group_columns(group_attributes, numbers),
    )


def polyline_columns(
    polylines: Sequence[npt.ArrayLike],
    vertex_attributes: Mapping[str, Any] | None,
) -> tuple[npt.NDArray[Any], Ints, dict[str, npt.NDArray[Any]]]:
    """Return vertices of all polylines, how many each has, and attributes, one row per vertex.

    Parameters
    ----------
    polylines
        One array of shape ``(N_k, D)`` for each.
    vertex_attributes
        By name, one row per vertex of all polylines, or an array for each polyline.

    Raises
    ------
    MetadataError
        Polylines are not all of shape ``(N_k, D)``, or an attribute does not fit them.
    """
    arrays = [np.asarray(polyline) for polyline in polylines]
    shapes = {array.shape[1:] if array.ndim == 2 else None for array in arrays if array.size}
    if None in shapes or len(shapes) > 1:
        raise MetadataError(
            f"polylines are arrays of shape (N, D) with the same D, and have the shapes "
            f"{sorted({array.shape for array in arrays})[:5]}",
            kind="polylines",
        )
    counts = np.fromiter(map(len, arrays), np.int64, len(arrays))
    held = [array for array in arrays if array.size]
    ndim = held[0].shape[1] if held else 3
    positions = np.concatenate(held) if held else np.empty((0, ndim), np.float32)
    columns = {
        name: _column(name, column, counts) for name, column in (vertex_attributes or {}).items()
    }
    return positions, counts, columns


def _column(name: str, column: Any, counts: Ints) -> npt.NDArray[Any]:
    """Return an attribute, one row per vertex."""
    n_vertices = int(counts.sum())
    if isinstance(column, np.ndarray) and column.dtype != object and len(column) == n_vertices:
        return column
    parts = [np.asarray(part) for part in column]
    lengths = np.fromiter((len(part) if part.ndim else -1 for part in parts), np.int64, len(parts))
    if not np.array_equal(lengths, counts):
        raise MetadataError(
            f"the attribute {name!r} does not fit the polylines: give one row for each of "
            f"{n_vertices} vertices, or for each of {len(counts)} polylines an array with a row "
            "for each of its vertices",
            kind="attribute_rows",
        )
    held = [part for part in parts if len(part)] or parts[:1]
    return np.concatenate(held) if held else np.empty(0)


def write_paths(
    location: Any,
    geometry: Geometry,
    options: WriteOptions,
    kind: Kind,
    backend: str | None,
    backend_kwargs: dict[str, Any],
) -> WriteSummary:
    """Write paths, of which no vertex can be left out."""
    if options.mode == "replace" and kind.admit is numbered_anew:
        raise MetadataError(
            "mode='replace' replaces paths by their ids: give object_ids", kind="object_ids"
        )
    if options.out_of_bounds == "ignore":
        raise MetadataError(
            f"out_of_bounds='ignore' would tear a {kind.geometry_type} where vertices are left "
            "out: use 'raise' or 'expand', or cut the data before",
            kind="out_of_bounds",
        )
    with target_of(location, geometry, options, kind, backend, backend_kwargs) as root:
        return write_geometry(root, geometry, options, kind)

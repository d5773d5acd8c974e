"""Polylines and streamlines."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from anyzarr.vectors._blobs import Ints
from anyzarr.vectors._job import Mode, OutOfBounds, WriteOptions, WriteSummary
from anyzarr.vectors._level import BoundingBox, Names, StoredLevel, read_level
from anyzarr.vectors._objects_input import Groups
from anyzarr.vectors._query import BoxMode, Query
from anyzarr.vectors._read_links import LINK_NODES
from anyzarr.vectors._read_paths import read_paths
from anyzarr.vectors._results import Result
from anyzarr.vectors._storage import ShardShape
from anyzarr.vectors._write_paths import path_geometry, path_kind, polyline_columns, write_paths

__all__ = ["Polylines", "read_polylines", "select_polylines", "write_polylines"]


@dataclass(frozen=True, eq=False)
class Polylines(Result):
    """Polylines as columns; also a mapping of ``polylines``, ``polyline_count`` and the fields.

    Attributes
    ----------
    positions
        Vertices of all polylines, one polyline after the other, of shape ``(N, D)``.
    offsets
        Vertices ``[offsets[i], offsets[i + 1])`` are those of polyline ``i``.
    object_ids
        Id of each polyline. Where polylines have been cropped, several may be of one object.
    vertex_attributes
        By name, of shape ``(N, …)``.
    object_attributes
        By name, one row per polyline.
    piece_offsets
        Where each run of vertices in one chunk begins, and at last the number of vertices.
    in_pieces
        Whether ``polylines`` holds, for each, the list of its pieces.
    """

    positions: npt.NDArray[Any]
    offsets: Ints
    object_ids: Ints
    vertex_attributes: Mapping[str, npt.NDArray[Any]]
    object_attributes: Mapping[str, npt.NDArray[Any]]
    piece_offsets: Ints
    in_pieces: bool = False

    _keys: ClassVar = (
        "polylines",
        "positions",
        "offsets",
        "object_ids",
        "vertex_attributes",
        "object_attributes",
        "polyline_count",
        "vertex_count",
        "ndim",
    )

    @cached_property
    def polylines(self) -> list[Any]:
        """An array of shape ``(N_k, D)`` for each polyline, or the list of its pieces."""
        if not self.in_pieces:
            return np.split(self.positions, self.offsets[1:-1]) if len(self.object_ids) else []
        pieces = np.split(self.positions, self.piece_offsets[1:-1])
        bounds = np.searchsorted(self.piece_offsets, self.offsets)
        return [pieces[a:b] for a, b in itertools.pairwise(bounds.tolist())]

    @property
    def polyline_count(self) -> int:
        """Number of polylines."""
        return len(self.object_ids)

    @property
    def vertex_count(self) -> int:
        """Number of vertices of all polylines."""
        return len(self.positions)

    @property
    def ndim(self) -> int:
        """Number of dimensions of the space."""
        return int(self.positions.shape[1])


def write_polylines(
    path: Any,
    polylines: Sequence[npt.ArrayLike],
    *,
    chunk_shape: Sequence[float] | None = None,
    bin_shape: Sequence[float] | None = None,
    bounds: Sequence[Sequence[float]] | None = None,
    vertex_attributes: Mapping[str, Any] | None = None,
    object_attributes: Mapping[str, npt.ArrayLike] | None = None,
    object_ids: npt.ArrayLike | None = None,
    groups: Groups | None = None,
    group_attributes: Mapping[str, npt.ArrayLike] | None = None,
    dtype: str = "float32",
    geometry_type: Literal["streamline", "polyline"] = "streamline",
    out_of_bounds: OutOfBounds = "raise",
    compressor: Any = None,
    shard_shape: ShardShape = "auto",
    mode: Mode = "create",
    backend: str | None = None,
    **backend_kwargs: Any,
) -> WriteSummary:
    """Write polylines to a new store, or add them to one.

    Parameters
    ----------
    path
        Where: a path, a URL, a pipeline, a store object, a dict of bytes.
    polylines
        One array of shape ``(N_k, D)`` for each.
    chunk_shape, bin_shape
        Edge lengths of chunks, and of the bins that the store names for coarser levels.
    bounds
        Lower and upper corner of what a new store may hold; by default those of the data.
    vertex_attributes
        By name, rows for all vertices, or an array for each polyline; rows may have any shape.
    object_attributes
        By name, one row per polyline.
    object_ids
        A distinct id for each polyline. By default they are numbered, after those in the store.
    groups
        Ids of polylines by the number of the group, from 0.
    group_attributes
        By name, one row per group.
    dtype
        Type of the positions of a new store; ``"float64"`` keeps doubles.
    geometry_type
        ``"streamline"`` or ``"polyline"``: what the store says that they are.
    out_of_bounds
        ``"raise"``, or ``"expand"`` the bounds of the store. No vertex can be left out.
    compressor, shard_shape
        Codecs, and chunks per shard, of a new store.
    mode
        ``"create"`` refuses to touch data, ``"append"`` adds to it, ``"replace"`` puts objects in
        the place of those of the same ids and adds the others, ``"overwrite"`` replaces everything.
    backend, **backend_kwargs
        Where bytes live; see :func:`anyzarr.vectors.open_store`.

    Returns
    -------
    WriteSummary
        What was written.

    Raises
    ------
    NodeExistsError
        There is data, and the mode is ``"create"``.
    MetadataError
        Shapes do not fit together, or the store is another kind of store.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.vectors import read_polylines, write_polylines
    >>> memory = {}
    >>> tract = np.array([[1.0, 1.0], [9.0, 1.0], [12.0, 3.0]])
    >>> _ = write_polylines(memory, [tract, tract + 1], chunk_shape=(5, 5))
    >>> read_polylines(memory, object_ids=[1])["polylines"][0].tolist()
    [[2.0, 2.0], [10.0, 2.0], [13.0, 4.0]]
    """
    positions, counts, columns = polyline_columns(polylines, vertex_attributes)
    geometry = path_geometry(
        positions, counts, columns, object_attributes, object_ids, groups, group_attributes
    )
    options = WriteOptions(
        chunk_shape=chunk_shape,
        bin_shape=bin_shape,
        bounds=bounds,
        dtype=dtype,
        out_of_bounds=out_of_bounds,
        compressor=compressor,
        shard_shape=shard_shape,
        mode=mode,
    )
    kind = path_kind(geometry_type, has_ids=object_ids is not None)
    return write_paths(path, geometry, options, kind, backend, backend_kwargs)


def read_polylines(
    path: Any,
    *,
    level: int = 0,
    bbox: BoundingBox | None = None,
    bbox_mode: BoxMode = "intersects",
    object_ids: npt.ArrayLike | None = None,
    group_ids: npt.ArrayLike | None = None,
    chunks: Iterable[Sequence[int]] | None = None,
    attribute_names: Names = "all",
    pieces: bool = False,
    backend: str | None = None,
    **backend_kwargs: Any,
) -> Polylines:
    """Read polylines, each whole and in order.

    Parameters
    ----------
    path
        Where, or the root group of an open store.
    level
        Resolution level.
    bbox
        Lower and upper corner, both included.
    bbox_mode
        ``"intersects"``: polylines with a vertex in the box or a segment through it;
        ``"touches-chunk"``: those with a vertex in a chunk that the box touches; ``"clip"``: of
        those that intersect, the runs of vertices in the box, each as a polyline.
    object_ids, group_ids
        Ids of polylines, which come in this order, and groups of them. Ids that are not there are
        left out.
    chunks
        Chunks, by their coordinates: runs of vertices in them, each as a polyline.
    attribute_names
        Attributes of vertices to read; ``"all"`` (the default), or None for none.
    pieces
        ``polylines`` holds for each polyline the list of its runs in one chunk.
    backend, **backend_kwargs
        Where bytes live; see :func:`anyzarr.vectors.open_store`.

    Returns
    -------
    Polylines
        Fields are also reached as keys: ``result["polylines"]``.

    Raises
    ------
    NodeNotFoundError
        There is no store, or no such level.
    SelectionError
        A condition is not valid.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.vectors import read_polylines, write_polylines
    >>> memory = {}
    >>> across = np.array([[1.0, 5.0], [19.0, 5.0]])
    >>> _ = write_polylines(memory, [across, across + 20], chunk_shape=(10, 10))
    >>> read_polylines(memory, bbox=([9, 4], [11, 6])).object_ids.tolist()
    [0]
    """
    query = Query(bbox, bbox_mode, object_ids, group_ids, chunks)
    return read_level(
        path,
        level,
        lambda stored: select_polylines(stored, query, attribute_names, pieces),
        attribute_names,
        backend=backend,
        backend_kwargs=backend_kwargs,
        further=() if bbox is None else LINK_NODES,
    )


def select_polylines(
    level: StoredLevel, query: Query, attribute_names: Names, pieces: bool = False
) -> Polylines:
    """Return what a query selects of a level; parameters as of :func:`read_polylines`."""
    found = read_paths(level, query, attribute_names)
    return Polylines(
        positions=found.positions,
        offsets=found.offsets,
        object_ids=found.object_ids,
        vertex_attributes=found.vertex_attributes,
        object_attributes=found.object_attributes,
        piece_offsets=found.piece_offsets,
        in_pieces=pieces,
    )

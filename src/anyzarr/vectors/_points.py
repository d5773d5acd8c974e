"""Points: vertices that nothing joins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from anyzarr.errors import MetadataError
from anyzarr.vectors._crossing import vertices_met
from anyzarr.vectors._gather import gather_cells, gather_objects, gather_rows, owners_of
from anyzarr.vectors._geometry import Column, Geometry, as_columns
from anyzarr.vectors._grid import CellGrid, Coords
from anyzarr.vectors._job import Kind, Mode, OutOfBounds, Pieces, WriteOptions, WriteSummary
from anyzarr.vectors._level import BoundingBox, Names, StoredLevel, read_level
from anyzarr.vectors._objects import members
from anyzarr.vectors._objects_input import (
    Groups,
    as_group_columns,
    as_groups,
    as_positions,
    rows_of_objects,
)
from anyzarr.vectors._replace import write_geometry
from anyzarr.vectors._results import Result
from anyzarr.vectors._storage import ShardShape
from anyzarr.vectors._target import target_of

__all__ = [
    "INPUT_ORDER",
    "POINTS",
    "Points",
    "point_geometry",
    "read_points",
    "select_points",
    "write_points",
]

INPUT_ORDER = "input_order"
"""Name of the attribute that ``preserve_order=True`` writes: the row of the input."""


@dataclass(frozen=True, eq=False)
class Points(Result):
    """Points that were read.

    Also answers to keys: ``points["positions"]``.

    Attributes
    ----------
    positions
        Shape ``(N, D)``.
    vertex_attributes
        The attributes that were asked for, by name, shape ``(N, …)``.
    object_ids
        For each point the id of its object, -1 for none; None: not asked for.
    """

    positions: npt.NDArray[Any]
    vertex_attributes: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    object_ids: npt.NDArray[np.int64] | None = None

    _keys: ClassVar = ("positions", "vertex_attributes", "object_ids", "vertex_count")

    @property
    def vertex_count(self) -> int:
        """Number of points."""
        return len(self.positions)


def _cut(geometry: Geometry, grid: CellGrid) -> Pieces:
    if geometry.object_rows is not None:
        return Pieces(geometry.object_rows)
    if grid.n_bins > 1:
        return Pieces(grid.bin_numbers(geometry.positions), by_number=True)
    return Pieces(by_number=True)


POINTS = Kind("point_cloud", "implicit_sequential", _cut)


def write_points(
    path: Any,
    positions: npt.ArrayLike,
    *,
    chunk_shape: Sequence[float] | None = None,
    bin_shape: Sequence[float] | None = None,
    bounds: Sequence[Sequence[float]] | None = None,
    vertex_attributes: Mapping[str, npt.ArrayLike] | None = None,
    object_ids: npt.ArrayLike | None = None,
    object_attributes: Mapping[str, npt.ArrayLike] | None = None,
    groups: Groups | None = None,
    group_attributes: Mapping[str, npt.ArrayLike] | None = None,
    dtype: str = "float32",
    out_of_bounds: OutOfBounds = "raise",
    compressor: Any = None,
    shard_shape: ShardShape = "auto",
    preserve_order: bool = False,
    chunk_by_attribute: str | None = None,
    mode: Mode = "create",
    backend: str | None = None,
    **backend_kwargs: Any,
) -> WriteSummary:
    """Write points to a vector store.

    Parameters
    ----------
    path
        A path, a URL, a URL pipeline, a live store object, or the root group of a store.
    positions
        Finite numbers, shape ``(N, D)``.
    chunk_shape
        Edge lengths of a chunk. Default: the store's; of a new store cubes of about 50,000 points.
    bin_shape
        Edge lengths of the bins of a chunk, by which its points are sorted; they divide the
        chunk's. Default: none.
    bounds
        Lower and upper corner of what a new store may hold, both included. Default: those of the
        data.
    vertex_attributes
        By name, shape ``(N, …)``: numbers, booleans, times, or text.
    object_ids
        For each point the id of the object that it belongs to, shape ``(N,)``.
    object_attributes
        By name, one row per object, in the order of ascending ids.
    groups
        Ids of objects by the number of the group.
    group_attributes
        By name, one row for each group from 0 on.
    dtype
        Type of the positions of a new store: ``"float32"``, ``"float64"``, ``"float16"``.
    out_of_bounds
        What becomes of points outside of the store's bounds: ``"raise"``, ``"ignore"`` (they are
        left out), or ``"expand"`` (the bounds grow).
    compressor
        Codecs of a new store (``"zstd"``, ``"blosc"``, …). Default: none.
    shard_shape
        Chunks per shard and dimension; ``"auto"``: few objects of up to about 64 MiB; None: every
        chunk is an object of its own.
    preserve_order
        Write the row of each point in the input as the attribute ``"input_order"``.
    chunk_by_attribute
        A vertex attribute (whole numbers, booleans or text) by which chunks of a new store are
        divided, too: points of one value lie in chunks of their own.
    mode
        ``"create"`` refuses to touch data; ``"append"`` adds to a store, or creates it; whatever
        other processes append meanwhile, nothing is lost; ``"replace"`` puts objects in the place
        of those of the same ids, at one moment, and adds the others; ``"overwrite"`` replaces what
        is there.
        Levels of detail stay as they are: see :func:`anyzarr.vectors.build_pyramid`.
    backend, **backend_kwargs
        As for :func:`anyzarr.vectors.open_store`.

    Returns
    -------
    WriteSummary
        What was written.

    Raises
    ------
    NodeExistsError
        There is data, and the mode is ``"create"``; or something that is no vector store.
    MetadataError
        The arguments do not fit each other or the store; positions are not finite; or points
        lie outside of the bounds.
    ReadOnlyError
        The store does not write.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.vectors import read_points, write_points
    >>> memory = {}
    >>> positions = np.random.default_rng(0).uniform(-50, 150, (1000, 3))
    >>> summary = write_points(
    ...     memory, positions, chunk_shape=(100, 100, 100), vertex_attributes={"i": np.arange(1000)}
    ... )
    >>> summary.vertex_count, summary.chunk_count
    (1000, 27)
    >>> inside = read_points(memory, bbox=([0, 0, 0], [20, 20, 20]), attribute_names=["i"])
    >>> np.allclose(inside.positions, positions[inside.vertex_attributes["i"]])
    True
    """
    options = WriteOptions(
        chunk_shape, bin_shape, bounds, dtype, out_of_bounds, compressor, shard_shape, mode,
        chunk_by_attribute,
    )  # fmt: skip
    geometry = point_geometry(
        positions,
        vertex_attributes,
        object_ids,
        object_attributes,
        groups,
        group_attributes,
        preserve_order=preserve_order,
    )
    with target_of(path, geometry, options, POINTS, backend, backend_kwargs) as root:
        return write_geometry(root, geometry, options, POINTS)


def point_geometry(
    values: npt.ArrayLike,
    vertex_attributes: Mapping[str, npt.ArrayLike] | None,
    object_ids: npt.ArrayLike | None,
    object_attributes: Mapping[str, npt.ArrayLike] | None,
    groups: Groups | None,
    group_attributes: Mapping[str, npt.ArrayLike] | None = None,
    *,
    preserve_order: bool = False,
) -> Geometry:
    """Return points as a geometry; parameters as of :func:`write_points`."""
    positions = as_positions(values)
    columns = dict(as_columns("vertex", vertex_attributes, len(positions)))
    if preserve_order:
        columns.setdefault(INPUT_ORDER, np.arange(len(positions), dtype=np.int64))
    ids: Column | None = None
    rows: Column | None = None
    if object_ids is not None:
        ids, rows = rows_of_objects(object_ids, len(positions))
    elif object_attributes:
        raise MetadataError(
            "object_attributes were given, and no object_ids: give for each point the id of its "
            "object",
            kind="object_ids",
        )
    n_objects, numbers = 0 if ids is None else len(ids), as_groups(groups)
    return Geometry(
        positions=positions,
        vertex_attributes=columns,
        object_rows=rows,
        object_ids=ids,
        object_attributes=as_columns("object", object_attributes, n_objects),
        groups=numbers,
        group_attributes=as_group_columns(group_attributes, numbers),
    )


def read_points(
    path: Any,
    *,
    level: int = 0,
    bbox: BoundingBox | None = None,
    object_ids: npt.ArrayLike | None = None,
    group_ids: npt.ArrayLike | None = None,
    chunks: Iterable[Sequence[int]] | None = None,
    attribute_names: Names = None,
    with_object_ids: bool | None = None,
    backend: str | None = None,
    **backend_kwargs: Any,
) -> Points:
    """Read points of a vector store.

    Conditions are combined: a point must meet all of them. Only chunks that may hold such a point
    are fetched, all at once.

    Parameters
    ----------
    path
        As for :func:`write_points`; also a zip archive of a store.
    level
        Number of the level; 0 is full resolution.
    bbox
        Lower and upper corner of a box; points on its faces belong to it.
    object_ids
        Ids of objects. The points come object by object, in this order; ids that the level has
        not are left out.
    group_ids
        Numbers of groups of objects.
    chunks
        Absolute coordinates of chunks, ``floor(position / chunk_shape)``.
    attribute_names
        The attributes to read; ``"all"`` for each there is. Default: none.
    with_object_ids
        Whether to return for each point the id of its object. Default: where objects or groups
        were asked for.
    backend, **backend_kwargs
        As for :func:`anyzarr.vectors.open_store`.

    Raises
    ------
    NodeNotFoundError
        There is no such store, level or attribute.
    SelectionError
        The box does not fit the space, or there is no such group.
    CorruptDataError
        What is stored contradicts itself.

    Examples
    --------
    >>> from anyzarr.vectors import read_points, write_points
    >>> memory = {}
    >>> _ = write_points(memory, [[1, 1], [8, 2], [4, 9]], object_ids=[7, 7, 3])
    >>> read_points(memory, object_ids=[7]).positions.tolist()
    [[1.0, 1.0], [8.0, 2.0]]
    """
    selects = object_ids is not None or group_ids is not None

    def ask(stored: StoredLevel) -> Points:
        return select_points(
            stored,
            bbox=bbox,
            object_ids=object_ids,
            group_ids=group_ids,
            chunks=chunks,
            attribute_names=attribute_names,
            with_object_ids=selects if with_object_ids is None else with_object_ids,
        )

    return read_level(
        path,
        level,
        ask,
        attribute_names,
        objects=selects or bool(with_object_ids),
        backend=backend,
        backend_kwargs=backend_kwargs,
    )


def select_points(
    level: StoredLevel,
    *,
    bbox: BoundingBox | None = None,
    object_ids: npt.ArrayLike | None = None,
    group_ids: npt.ArrayLike | None = None,
    chunks: Iterable[Sequence[int]] | None = None,
    attribute_names: Names = None,
    with_object_ids: bool = False,
) -> Points:
    """Return points of a level; parameters as of :func:`read_points`."""
    names = level.attribute_names(attribute_names)
    cells = level.select(bbox, chunks)
    is_narrowed = bbox is not None or chunks is not None
    if object_ids is not None or group_ids is not None:
        ids = wanted_objects(level, object_ids, group_ids)
        points = _of_objects(level, ids, names, cells if is_narrowed else None)
    elif with_object_ids:
        gathered = gather_cells(level, cells, names)
        owners = owners_of(level, gathered)[gathered.fragment_of_vertex]
        points = Points(gathered.positions, gathered.attributes, owners)
    else:
        points = Points(*gather_rows(level, cells, names))
    if bbox is not None:
        points = _masked(points, vertices_met(points.positions, level.corners(bbox)))
    return points if with_object_ids else Points(points.positions, points.vertex_attributes)


def wanted_objects(
    level: StoredLevel, object_ids: npt.ArrayLike | None, group_ids: npt.ArrayLike | None
) -> npt.NDArray[np.int64]:
    """Return the ids of the objects that are meant, each once, in the order given."""
    if object_ids is None:
        return members(level.root, level.number, () if group_ids is None else group_ids)
    ids = np.asarray(object_ids, dtype=np.int64).reshape(-1)
    _, first = np.unique(ids, return_index=True)
    ids = ids[np.sort(first)]
    if group_ids is not None:
        ids = ids[np.isin(ids, members(level.root, level.number, group_ids))]
    return ids


def _of_objects(
    level: StoredLevel,
    ids: npt.NDArray[np.int64],
    names: tuple[str, ...],
    cells: Coords | None,
) -> Points:
    index = level.objects
    rows = np.empty(0, np.int64) if index is None else index.rows_of(ids)
    ids, rows = ids[: len(rows)][rows >= 0], rows[rows >= 0]
    if index is None or not len(rows):
        nothing = gather_cells(level, level.cells[:0], names)
        return Points(nothing.positions, nothing.attributes, rows)
    gathered = gather_objects(level, index.manifests(rows), names, cells)
    assert gathered.fragment_object is not None
    owners = ids[gathered.fragment_object][gathered.fragment_of_vertex]
    return Points(gathered.positions, gathered.attributes, owners)


def _masked(points: Points, mask: npt.NDArray[np.bool_]) -> Points:
    return Points(
        points.positions[mask],
        {name: rows[mask] for name, rows in points.vertex_attributes.items()},
        None if points.object_ids is None else points.object_ids[mask],
    )

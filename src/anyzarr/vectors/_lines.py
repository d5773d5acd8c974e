"""Line segments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from anyzarr.errors import MetadataError
from anyzarr.vectors._blobs import Ints
from anyzarr.vectors._job import Mode, OutOfBounds, WriteOptions, WriteSummary
from anyzarr.vectors._level import BoundingBox, Names, StoredLevel, read_level
from anyzarr.vectors._objects_input import Groups
from anyzarr.vectors._query import BoxMode, Query
from anyzarr.vectors._read_links import LINK_NODES
from anyzarr.vectors._read_paths import read_paths
from anyzarr.vectors._results import Result
from anyzarr.vectors._storage import ShardShape
from anyzarr.vectors._write_paths import path_geometry, path_kind, write_paths

__all__ = ["Lines", "read_lines", "select_lines", "write_lines"]


@dataclass(frozen=True, eq=False)
class Lines(Result):
    """Line segments as columns; also a mapping of ``line_count`` and the fields.

    Attributes
    ----------
    endpoints
        Both ends of each line, of shape ``(N, 2, D)``.
    object_ids
        Id of each line.
    vertex_attributes
        By name, of shape ``(N, 2, …)``: a row for each end.
    object_attributes
        By name, one row per line.
    """

    endpoints: npt.NDArray[Any]
    object_ids: Ints
    vertex_attributes: Mapping[str, npt.NDArray[Any]]
    object_attributes: Mapping[str, npt.NDArray[Any]]

    _keys: ClassVar = (
        "endpoints",
        "object_ids",
        "vertex_attributes",
        "object_attributes",
        "line_count",
    )

    @property
    def line_count(self) -> int:
        """Number of lines."""
        return len(self.endpoints)


def write_lines(
    path: Any,
    endpoints: npt.ArrayLike,
    *,
    chunk_shape: Sequence[float] | None = None,
    bin_shape: Sequence[float] | None = None,
    bounds: Sequence[Sequence[float]] | None = None,
    vertex_attributes: Mapping[str, npt.ArrayLike] | None = None,
    object_attributes: Mapping[str, npt.ArrayLike] | None = None,
    object_ids: npt.ArrayLike | None = None,
    groups: Groups | None = None,
    group_attributes: Mapping[str, npt.ArrayLike] | None = None,
    dtype: str = "float32",
    out_of_bounds: OutOfBounds = "raise",
    compressor: Any = None,
    shard_shape: ShardShape = "auto",
    mode: Mode = "create",
    backend: str | None = None,
    **backend_kwargs: Any,
) -> WriteSummary:
    """Write line segments to a new store, or add them to one.

    Parameters
    ----------
    path
        Where: a path, a URL, a pipeline, a store object, a dict of bytes.
    endpoints
        Both ends of each line, of shape ``(N, 2, D)``.
    chunk_shape, bin_shape
        Edge lengths of chunks, and of the bins that the store names for coarser levels.
    bounds
        Lower and upper corner of what a new store may hold; by default those of the data.
    vertex_attributes
        By name, of shape ``(N, 2, …)``: a row for each end.
    object_attributes
        By name, one row per line.
    object_ids
        A distinct id for each line. By default they are numbered, after those in the store.
    groups
        Ids of lines by the number of the group, from 0.
    group_attributes
        By name, one row per group.
    dtype
        Type of the positions of a new store; ``"float64"`` keeps doubles.
    out_of_bounds
        ``"raise"``, or ``"expand"`` the bounds of the store. No end can be left out.
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
    >>> from anyzarr.vectors import read_lines, write_lines
    >>> memory = {}
    >>> ends = np.array([[[1.0, 1.0], [9.0, 9.0]], [[2.0, 2.0], [3.0, 3.0]]])
    >>> _ = write_lines(memory, ends, chunk_shape=(5, 5), object_attributes={"length": [11, 1]})
    >>> lines = read_lines(memory, bbox=([5, 5], [6, 6]))
    >>> lines.endpoints.tolist(), lines.object_attributes["length"].tolist()
    ([[[1.0, 1.0], [9.0, 9.0]]], [11])
    """
    ends = np.asarray(endpoints)
    if ends.ndim != 3 or ends.shape[1] != 2:
        raise MetadataError(
            f"endpoints has the shape {ends.shape}, and needs (N, 2, D): both ends of each line",
            kind="endpoints",
        )
    geometry = path_geometry(
        ends.reshape(-1, ends.shape[2]),
        np.full(len(ends), 2, np.int64),
        _by_vertex(vertex_attributes, len(ends)),
        object_attributes,
        object_ids,
        groups,
        group_attributes,
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
    kind = path_kind("line", has_ids=object_ids is not None)
    return write_paths(path, geometry, options, kind, backend, backend_kwargs)


def _by_vertex(
    attributes: Mapping[str, npt.ArrayLike] | None, n_lines: int
) -> dict[str, npt.NDArray[Any]]:
    """Return attributes with one row per end, after checking that they have one."""
    found = {}
    for name, values in (attributes or {}).items():
        column = np.asarray(values)
        if column.shape[:2] != (n_lines, 2):
            raise MetadataError(
                f"the attribute {name!r} has the shape {column.shape}, and needs "
                f"({n_lines}, 2, …): "
                "a row for each end of a line; what belongs to a line as a whole goes into "
                "object_attributes",
                kind="attribute_rows",
            )
        found[name] = column.reshape(-1, *column.shape[2:])
    return found


def read_lines(
    path: Any,
    *,
    level: int = 0,
    bbox: BoundingBox | None = None,
    bbox_mode: BoxMode = "intersects",
    object_ids: npt.ArrayLike | None = None,
    group_ids: npt.ArrayLike | None = None,
    chunks: Iterable[Sequence[int]] | None = None,
    attribute_names: Names = "all",
    backend: str | None = None,
    **backend_kwargs: Any,
) -> Lines:
    """Read line segments.

    Parameters
    ----------
    path
        Where, or the root group of an open store.
    level
        Resolution level.
    bbox
        Lower and upper corner, both included.
    bbox_mode
        ``"intersects"``: lines that pass through the box; ``"touches-chunk"``: those with an end
        in a chunk that the box touches; ``"clip"``: those with both ends in the box.
    object_ids, group_ids
        Ids of lines, which come in this order, and groups of them. Ids that are not there are left
        out.
    chunks
        Chunks, by their coordinates: lines with both ends in them.
    attribute_names
        Attributes of ends to read; ``"all"`` (the default), or None for none.
    backend, **backend_kwargs
        Where bytes live; see :func:`anyzarr.vectors.open_store`.

    Returns
    -------
    Lines
        Fields are also reached as keys: ``result["endpoints"]``.

    Raises
    ------
    NodeNotFoundError
        There is no store, or no such level.
    SelectionError
        A condition is not valid.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.vectors import read_lines, write_lines
    >>> memory = {}
    >>> _ = write_lines(memory, np.array([[[1.0, 1.0], [9.0, 9.0]]]), chunk_shape=(5, 5))
    >>> read_lines(memory)["line_count"]
    1
    """
    query = Query(bbox, bbox_mode, object_ids, group_ids, chunks)
    return read_level(
        path,
        level,
        lambda stored: select_lines(stored, query, attribute_names),
        attribute_names,
        backend=backend,
        backend_kwargs=backend_kwargs,
        further=() if bbox is None else LINK_NODES,
    )


def select_lines(level: StoredLevel, query: Query, attribute_names: Names) -> Lines:
    """Return what a query selects of a level; parameters as of :func:`read_lines`."""
    found = read_paths(level, query, attribute_names)
    # A line that has been cropped to one end is none; of a longer path the ends are its line.
    whole = np.flatnonzero(np.diff(found.offsets) >= 2)
    first, last = found.offsets[:-1][whole], found.offsets[1:][whole] - 1
    ends = np.stack([first, last], axis=1)
    return Lines(
        endpoints=found.positions[ends],
        object_ids=found.object_ids[whole],
        vertex_attributes={n: column[ends] for n, column in found.vertex_attributes.items()},
        object_attributes={name: rows[whole] for name, rows in found.object_attributes.items()},
    )

"""Graphs and skeletons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from anyzarr.errors import MetadataError
from anyzarr.vectors._blobs import Ints
from anyzarr.vectors._job import Mode, OutOfBounds, WriteOptions, WriteSummary
from anyzarr.vectors._level import BoundingBox, Names, StoredLevel, read_level
from anyzarr.vectors._objects_input import Groups
from anyzarr.vectors._query import BoxMode, Query
from anyzarr.vectors._read_links import LINK_NODES
from anyzarr.vectors._read_networks import read_network
from anyzarr.vectors._results import Result
from anyzarr.vectors._storage import ShardShape
from anyzarr.vectors._write_networks import (
    GRAPH,
    SKELETON,
    network_geometry,
    tree_geometry,
    write_network,
)

__all__ = ["Graph", "read_graph", "select_graph", "write_graph"]


@dataclass(frozen=True, eq=False)
class Graph(Result):
    """A graph or skeleton as columns; also a mapping of the counts and the fields.

    Attributes
    ----------
    positions
        Nodes, of shape ``(N, D)``.
    edges
        Rows of ``positions``, of shape ``(M, 2)``; of a skeleton ``[child, parent]``.
    vertex_attributes
        By name, one row per node.
    link_attributes
        By name, one row per edge.
    object_ids
        Id of the object of each node.
    objects
        Ids of the objects.
    object_attributes
        By name, one row per object.
    """

    positions: npt.NDArray[Any]
    edges: Ints
    vertex_attributes: Mapping[str, npt.NDArray[Any]]
    link_attributes: Mapping[str, npt.NDArray[Any]]
    object_ids: Ints
    objects: Ints
    object_attributes: Mapping[str, npt.NDArray[Any]]

    _keys: ClassVar = (
        "positions",
        "edges",
        "vertex_attributes",
        "link_attributes",
        "object_ids",
        "objects",
        "object_attributes",
        "node_count",
        "edge_count",
    )

    @property
    def node_count(self) -> int:
        """Number of nodes."""
        return len(self.positions)

    @property
    def edge_count(self) -> int:
        """Number of edges."""
        return len(self.edges)


def write_graph(
    path: Any,
    positions: npt.ArrayLike,
    edges: npt.ArrayLike,
    *,
    kind: Literal["graph", "skeleton"] = "graph",
    chunk_shape: Sequence[float] | None = None,
    bin_shape: Sequence[float] | None = None,
    bounds: Sequence[Sequence[float]] | None = None,
    vertex_attributes: Mapping[str, npt.ArrayLike] | None = None,
    link_attributes: Mapping[str, npt.ArrayLike] | None = None,
    object_attributes: Mapping[str, npt.ArrayLike] | None = None,
    object_ids: npt.ArrayLike | None = None,
    groups: Groups | None = None,
    group_attributes: Mapping[str, npt.ArrayLike] | None = None,
    dtype: str = "float32",
    out_of_bounds: OutOfBounds = "raise",
    compressor: Any = None,
    shard_shape: ShardShape = "auto",
    preserve_order: bool = False,
    mode: Mode = "create",
    backend: str | None = None,
    **backend_kwargs: Any,
) -> WriteSummary:
    """Write a graph or a skeleton to a new store, or add it to one.

    Parameters
    ----------
    path
        Where: a path, a URL, a pipeline, a store object, a dict of bytes.
    positions
        Nodes, of shape ``(N, D)``.
    edges
        Rows of ``positions``, of shape ``(M, 2)``; of a skeleton ``[child, parent]``.
    kind
        ``"graph"`` stores every edge. ``"skeleton"`` stores trees, their nodes in depth-first order
        and of the edges those that the order does not imply.
    chunk_shape, bin_shape
        Edge lengths of chunks, and of the bins that the store names for coarser levels.
    bounds
        Lower and upper corner of what a new store may hold; by default those of the data.
    vertex_attributes, link_attributes
        By name, one row per node and per edge; rows may have any shape.
    object_attributes
        By name, one row per object, ascending by id.
    object_ids
        The object of each node; by default all are object 0.
    groups
        Ids of objects by the number of the group, from 0.
    group_attributes
        By name, one row per group.
    dtype
        Type of the positions of a new store; ``"float64"`` keeps doubles.
    out_of_bounds
        ``"raise"``, or ``"expand"`` the bounds of the store. No node can be left out.
    compressor, shard_shape
        Codecs, and chunks per shard, of a new store.
    preserve_order
        Write the row of each node in the input as the attribute ``"input_order"``.
    mode
        ``"create"`` refuses to touch data, ``"append"`` adds to it, ``"replace"`` puts objects in
        the place of those of the same ids and adds the others, ``"overwrite"`` replaces everything.
        Nodes of an object that is there are added to it.
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
        Shapes do not fit together, an edge names a node that there is not, a skeleton is not made
        of trees, or the store is another kind of store.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.vectors import read_graph, write_graph
    >>> memory = {}
    >>> nodes = np.array([[1.0, 1.0], [9.0, 9.0], [2.0, 1.0]])
    >>> _ = write_graph(memory, nodes, [[1, 0], [2, 0]], chunk_shape=(5, 5), kind="skeleton")
    >>> tree = read_graph(memory)
    >>> tree.positions[tree.edges].tolist()
    [[[2.0, 1.0], [1.0, 1.0]], [[9.0, 9.0], [1.0, 1.0]]]
    """
    if kind not in ("graph", "skeleton"):
        raise MetadataError(f"kind={kind!r} is not known: use 'graph' or 'skeleton'", kind="kind")
    geometry = network_geometry(
        positions,
        _as_edges(edges),
        vertex_attributes=vertex_attributes,
        link_attributes=link_attributes,
        object_attributes=object_attributes,
        object_ids=object_ids,
        groups=groups,
        group_attributes=group_attributes,
        preserve_order=preserve_order,
    )
    if kind == "skeleton":
        geometry = tree_geometry(geometry)
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
    how = SKELETON if kind == "skeleton" else GRAPH
    return write_network(path, geometry, options, how, backend, backend_kwargs)


def _as_edges(edges: npt.ArrayLike) -> npt.NDArray[Any]:
    rows = np.asarray(edges)
    if not rows.size:
        return np.empty((0, 2), np.int64)
    if rows.ndim != 2 or rows.shape[1] != 2:
        raise MetadataError(
            f"edges has the shape {rows.shape}, and needs (M, 2): the nodes that each joins",
            kind="links",
        )
    return rows


def read_graph(
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
) -> Graph:
    """Read a graph or a skeleton.

    Parameters
    ----------
    path
        Where, or the root group of an open store.
    level
        Resolution level.
    bbox
        Lower and upper corner, both included.
    bbox_mode
        ``"intersects"``: objects with a node in the box or an edge through it, whole;
        ``"touches-chunk"``: objects with a node in a chunk that the box touches; ``"clip"``: the
        nodes in the box, and the edges between them.
    object_ids, group_ids
        Ids of objects, which come in this order, and groups of them. Ids that are not there are
        left out.
    chunks
        Chunks, by their coordinates: nodes in them, and the edges between these.
    attribute_names
        Attributes of nodes to read; ``"all"`` (the default), or None for none.
    backend, **backend_kwargs
        Where bytes live; see :func:`anyzarr.vectors.open_store`.

    Returns
    -------
    Graph
        Fields are also reached as keys: ``result["edges"]``. The order of nodes is that of the
        objects, and in these of the chunks.

    Raises
    ------
    NodeNotFoundError
        There is no store, or no such level.
    SelectionError
        A condition is not valid.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.vectors import read_graph, write_graph
    >>> memory = {}
    >>> nodes = np.array([[1.0, 1.0], [9.0, 9.0], [2.0, 1.0]])
    >>> _ = write_graph(memory, nodes, [[0, 1], [1, 2]], chunk_shape=(5, 5))
    >>> read_graph(memory, bbox=([0, 0], [3, 3]), bbox_mode="clip")["node_count"]
    2
    """
    query = Query(bbox, bbox_mode, object_ids, group_ids, chunks)
    return read_level(
        path,
        level,
        lambda stored: select_graph(stored, query, attribute_names),
        attribute_names,
        backend=backend,
        backend_kwargs=backend_kwargs,
        further=LINK_NODES,
    )


def select_graph(level: StoredLevel, query: Query, attribute_names: Names) -> Graph:
    """Return what a query selects of a level; parameters as of :func:`read_graph`."""
    found = read_network(level, query, attribute_names, 2)
    return Graph(
        positions=found.positions,
        edges=found.links,
        vertex_attributes=found.vertex_attributes,
        link_attributes=found.link_attributes,
        object_ids=found.vertex_objects,
        objects=found.objects,
        object_attributes=found.object_attributes,
    )

"""Meshes."""

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
from anyzarr.vectors._read_networks import read_network
from anyzarr.vectors._results import Result
from anyzarr.vectors._storage import ShardShape
from anyzarr.vectors._write_networks import MESH, network_geometry, write_network

__all__ = ["Mesh", "read_mesh", "select_mesh", "write_mesh"]


@dataclass(frozen=True, eq=False)
class Mesh(Result):
    """A mesh as columns; also a mapping of the counts and the fields.

    Attributes
    ----------
    vertices
        Of shape ``(V, D)``.
    faces
        Rows of ``vertices``, of shape ``(F, L)``, in the order of their winding.
    vertex_attributes
        By name, one row per vertex.
    face_attributes
        By name, one row per face.
    object_ids
        Id of the object of each vertex.
    objects
        Ids of the objects.
    object_attributes
        By name, one row per object.
    """

    vertices: npt.NDArray[Any]
    faces: Ints
    vertex_attributes: Mapping[str, npt.NDArray[Any]]
    face_attributes: Mapping[str, npt.NDArray[Any]]
    object_ids: Ints
    objects: Ints
    object_attributes: Mapping[str, npt.NDArray[Any]]

    _keys: ClassVar = (
        "vertices",
        "faces",
        "vertex_attributes",
        "face_attributes",
        "object_ids",
        "objects",
        "object_attributes",
        "vertex_count",
        "face_count",
    )

    @property
    def vertex_count(self) -> int:
        """Number of vertices."""
        return len(self.vertices)

    @property
    def face_count(self) -> int:
        """Number of faces."""
        return len(self.faces)


def write_mesh(
    path: Any,
    vertices: npt.ArrayLike,
    faces: npt.ArrayLike,
    *,
    chunk_shape: Sequence[float] | None = None,
    bin_shape: Sequence[float] | None = None,
    bounds: Sequence[Sequence[float]] | None = None,
    vertex_attributes: Mapping[str, npt.ArrayLike] | None = None,
    face_attributes: Mapping[str, npt.ArrayLike] | None = None,
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
    """Write a mesh to a new store, or add it to one.

    Parameters
    ----------
    path
        Where: a path, a URL, a pipeline, a store object, a dict of bytes.
    vertices
        Of shape ``(V, D)``.
    faces
        Rows of ``vertices``, of shape ``(F, L)``: triangles, quadrangles and so on, along the rim.
    chunk_shape, bin_shape
        Edge lengths of chunks, and of the bins that the store names for coarser levels.
    bounds
        Lower and upper corner of what a new store may hold; by default those of the data.
    vertex_attributes, face_attributes
        By name, one row per vertex and per face; rows may have any shape.
    object_attributes
        By name, one row per object, ascending by id.
    object_ids
        The object of each vertex; by default all are object 0.
    groups
        Ids of objects by the number of the group, from 0.
    group_attributes
        By name, one row per group.
    dtype
        Type of the positions of a new store; ``"float64"`` keeps doubles.
    out_of_bounds
        ``"raise"``, or ``"expand"`` the bounds of the store. No vertex can be left out.
    compressor, shard_shape
        Codecs, and chunks per shard, of a new store.
    preserve_order
        Write the row of each vertex in the input as the attribute ``"input_order"``.
    mode
        ``"create"`` refuses to touch data, ``"append"`` adds to it, ``"replace"`` puts objects in
        the place of those of the same ids and adds the others, ``"overwrite"`` replaces everything.
        Vertices of an object that is there are added to it.
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
        Shapes do not fit together, a face names a vertex that there is not, or the store is
        another kind of store.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.vectors import read_mesh, write_mesh
    >>> memory = {}
    >>> corners = np.array([[1.0, 1.0, 0.0], [9.0, 1.0, 0.0], [1.0, 9.0, 0.0]])
    >>> _ = write_mesh(memory, corners, [[0, 2, 1]], chunk_shape=(5, 5, 5))
    >>> mesh = read_mesh(memory)
    >>> mesh.vertices[mesh.faces[0]].tolist()
    [[1.0, 1.0, 0.0], [1.0, 9.0, 0.0], [9.0, 1.0, 0.0]]
    """
    geometry = network_geometry(
        vertices,
        _as_faces(faces),
        vertex_attributes=vertex_attributes,
        link_attributes=face_attributes,
        object_attributes=object_attributes,
        object_ids=object_ids,
        groups=groups,
        group_attributes=group_attributes,
        preserve_order=preserve_order,
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
    return write_network(path, geometry, options, MESH, backend, backend_kwargs)


def _as_faces(faces: npt.ArrayLike) -> npt.NDArray[Any]:
    rows = np.asarray(faces)
    if not rows.size:
        return np.empty((0, rows.shape[1] if rows.ndim == 2 else 3), np.int64)
    if rows.ndim != 2 or rows.shape[1] < 3:
        raise MetadataError(
            f"faces has the shape {rows.shape}, and needs (F, L), L being 3 at least: the vertices "
            "along the rim of each",
            kind="links",
        )
    return rows


def read_mesh(
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
) -> Mesh:
    """Read a mesh.

    Parameters
    ----------
    path
        Where, or the root group of an open store.
    level
        Resolution level.
    bbox
        Lower and upper corner, both included.
    bbox_mode
        ``"intersects"``: objects of which a face or a vertex meets the box, whole;
        ``"touches-chunk"``: objects with a vertex in a chunk that the box touches; ``"clip"``: the
        vertices in the box, and the faces between them.
    object_ids, group_ids
        Ids of objects, which come in this order, and groups of them. Ids that are not there are
        left out.
    chunks
        Chunks, by their coordinates: vertices in them, and the faces between these.
    attribute_names
        Attributes of vertices to read; ``"all"`` (the default), or None for none.
    backend, **backend_kwargs
        Where bytes live; see :func:`anyzarr.vectors.open_store`.

    Returns
    -------
    Mesh
        Fields are also reached as keys: ``result["faces"]``. The order of vertices is that of the
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
    >>> from anyzarr.vectors import read_mesh, write_mesh
    >>> memory = {}
    >>> corners = np.array([[1.0, 1.0, 0.0], [9.0, 1.0, 0.0], [1.0, 9.0, 0.0]])
    >>> _ = write_mesh(memory, corners, [[0, 2, 1]], chunk_shape=(5, 5, 5))
    >>> read_mesh(memory, bbox=([3, 3, -1], [4, 4, 1]))["face_count"]
    1
    """
    query = Query(bbox, bbox_mode, object_ids, group_ids, chunks)
    return read_level(
        path,
        level,
        lambda stored: select_mesh(stored, query, attribute_names),
        attribute_names,
        backend=backend,
        backend_kwargs=backend_kwargs,
        further=LINK_NODES,
    )


def select_mesh(level: StoredLevel, query: Query, attribute_names: Names) -> Mesh:
    """Return what a query selects of a level; parameters as of :func:`read_mesh`."""
    found = read_network(level, query, attribute_names, 3)
    return Mesh(
        vertices=found.positions,
        faces=found.links,
        vertex_attributes=found.vertex_attributes,
        face_attributes=found.link_attributes,
        object_ids=found.vertex_objects,
        objects=found.objects,
        object_attributes=found.object_attributes,
    )

"""A handle through which threads and processes add to one store."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from anyzarr.errors import MetadataError
from anyzarr.vectors._geometry import Geometry
from anyzarr.vectors._job import Kind, OutOfBounds, WriteOptions
from anyzarr.vectors._joined import joined, numbered_anew
from anyzarr.vectors._objects_input import Groups
from anyzarr.vectors._open import open_root
from anyzarr.vectors._points import POINTS, point_geometry
from anyzarr.vectors._target import check_target
from anyzarr.vectors._write import write_level
from anyzarr.vectors._write_networks import GRAPH, MESH, SKELETON, network_geometry, tree_geometry
from anyzarr.vectors._write_paths import path_geometry, path_kind, polyline_columns

__all__ = ["ZVWriter"]

_PATHS = frozenset({"line", "polyline", "streamline"})

Rows = Mapping[str, npt.ArrayLike]


class ZVWriter:
    """Adds to a store, from as many threads, processes and hosts as you like.

    Made by :meth:`ZVStore.writer`. It can be sent to other processes (it pickles): each copy writes
    on its own, and they take turns at the store, so that nothing is lost. Within ``with``, what is
    given is kept until there is enough of it, so that chunks are written once and not for each
    batch; what is left is written at the end. Outside of it, everything is written at once.

    Where no ``object_ids`` are given, each polyline, line, graph and mesh is an object of its own,
    whose id no other writer has given.

    Parameters
    ----------
    location, backend, backend_kwargs
        As for :func:`anyzarr.vectors.open_store`.
    buffer_vertices
        How many vertices are kept at most.
    out_of_bounds
        What becomes of vertices outside of the store's bounds: ``"raise"``, ``"ignore"`` (points
        only) or ``"expand"``.

    Examples
    --------
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> import numpy as np
    >>> from anyzarr.vectors import create_store, open_zv, read_points
    >>> memory = {}
    >>> _ = create_store(memory, bounds=([0, 0], [99, 99]), chunk_shape=(50, 50))
    >>> with open_zv(memory).writer() as writer, ThreadPoolExecutor(2) as pool:
    ...     batches = [np.random.default_rng(n).uniform(0, 99, (100, 2)) for n in range(8)]
    ...     _ = list(pool.map(writer.write_points, batches))
    >>> read_points(memory).vertex_count
    800
    """

    def __init__(
        self,
        location: Any,
        *,
        buffer_vertices: int = 1_000_000,
        out_of_bounds: OutOfBounds = "raise",
        backend: str | None = None,
        backend_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        self._options = WriteOptions(mode="append", out_of_bounds=out_of_bounds)
        self._place = location, backend, dict(backend_kwargs or {})
        self._buffer_vertices = buffer_vertices
        self._lock = threading.Lock()
        self._is_buffering = False
        self._kept: list[tuple[Kind, bool, Geometry]] = []

    def __reduce__(self) -> tuple[Any, ...]:
        location, backend, options = self._place
        arguments = self._buffer_vertices, self._options.out_of_bounds, backend, options
        return _rebuilt, (location, *arguments)

    def __enter__(self) -> ZVWriter:
        self._is_buffering = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_buffering = False
        if error is None:
            self.flush()

    def flush(self) -> None:
        """Write what is kept."""
        with self._lock:
            kept, self._kept = self._kept, []
        self._write(kept)

    def write_points(
        self,
        positions: npt.ArrayLike,
        *,
        vertex_attributes: Rows | None = None,
        object_ids: npt.ArrayLike | None = None,
        object_attributes: Rows | None = None,
        groups: Groups | None = None,
    ) -> None:
        """Add points; parameters are those of :func:`anyzarr.vectors.write_points`."""
        geometry = point_geometry(
            positions, vertex_attributes, object_ids, object_attributes, groups
        )
        self._add(POINTS, geometry, has_ids=True)

    def write_lines(
        self,
        endpoints: npt.ArrayLike,
        *,
        object_ids: npt.ArrayLike | None = None,
        object_attributes: Rows | None = None,
        groups: Groups | None = None,
    ) -> None:
        """Add lines; parameters are those of :func:`anyzarr.vectors.write_lines`."""
        lines = np.asarray(endpoints)
        self._paths("line", list(lines), None, object_ids, object_attributes, groups)

    def write_polylines(
        self,
        polylines: Sequence[npt.ArrayLike],
        *,
        vertex_attributes: Mapping[str, Any] | None = None,
        object_ids: npt.ArrayLike | None = None,
        object_attributes: Rows | None = None,
        groups: Groups | None = None,
        geometry_type: Literal["polyline", "streamline"] = "polyline",
    ) -> None:
        """Add polylines; parameters are those of :func:`anyzarr.vectors.write_polylines`."""
        self._paths(
            geometry_type, polylines, vertex_attributes, object_ids, object_attributes, groups
        )

    def _paths(
        self,
        geometry_type: str,
        paths: Sequence[npt.ArrayLike],
        vertex_attributes: Mapping[str, Any] | None,
        object_ids: npt.ArrayLike | None,
        object_attributes: Rows | None,
        groups: Groups | None,
    ) -> None:
        positions, counts, columns = polyline_columns(paths, vertex_attributes)
        geometry = path_geometry(
            positions, counts, columns, object_attributes, object_ids, groups, None
        )
        has_ids = object_ids is not None
        self._add(path_kind(geometry_type, has_ids=has_ids), geometry, has_ids=has_ids)

    def write_graph(
        self,
        positions: npt.ArrayLike,
        edges: npt.ArrayLike,
        *,
        kind: Literal["graph", "skeleton"] = "graph",
        vertex_attributes: Rows | None = None,
        link_attributes: Rows | None = None,
        object_ids: npt.ArrayLike | None = None,
        object_attributes: Rows | None = None,
        groups: Groups | None = None,
    ) -> None:
        """Add a graph or skeleton; parameters are those of :func:`anyzarr.vectors.write_graph`."""
        if kind not in ("graph", "skeleton"):
            raise MetadataError(
                f"kind={kind!r} is not known: use 'graph' or 'skeleton'", kind="kind"
            )
        links = np.asarray(edges).reshape(-1, 2) if not np.size(edges) else np.asarray(edges)
        columns = (vertex_attributes, link_attributes, object_attributes)
        self._network(SKELETON if kind == "skeleton" else GRAPH, positions, links, columns,
                      object_ids, groups)  # fmt: skip

    def write_mesh(
        self,
        vertices: npt.ArrayLike,
        faces: npt.ArrayLike,
        *,
        vertex_attributes: Rows | None = None,
        face_attributes: Rows | None = None,
        object_ids: npt.ArrayLike | None = None,
        object_attributes: Rows | None = None,
        groups: Groups | None = None,
    ) -> None:
        """Add a mesh; parameters are those of :func:`anyzarr.vectors.write_mesh`."""
        links = np.asarray(faces).reshape(-1, 3) if not np.size(faces) else np.asarray(faces)
        columns = (vertex_attributes, face_attributes, object_attributes)
        self._network(MESH, vertices, links, columns, object_ids, groups)

    def _network(
        self,
        kind: Kind,
        positions: npt.ArrayLike,
        links: npt.NDArray[Any],
        columns: tuple[Rows | None, Rows | None, Rows | None],
        object_ids: npt.ArrayLike | None,
        groups: Groups | None,
    ) -> None:
        of_vertices, of_links, of_objects = columns
        geometry = network_geometry(
            positions, links, vertex_attributes=of_vertices, link_attributes=of_links,
            object_attributes=of_objects, object_ids=object_ids, groups=groups,
            group_attributes=None, preserve_order=False,
        )  # fmt: skip
        if kind is SKELETON:
            geometry = tree_geometry(geometry)
        has_ids = object_ids is not None
        if not has_ids:
            kind = replace(kind, admit=numbered_anew)
        self._add(kind, geometry, has_ids=has_ids)

    def _add(self, kind: Kind, geometry: Geometry, *, has_ids: bool) -> None:
        if not has_ids and geometry.groups:
            raise MetadataError(
                "groups were given, and no object_ids, so that nobody knows yet which objects are "
                "meant; give the ids",
                kind="groups",
            )
        added = (kind, has_ids, geometry)
        if not self._is_buffering:
            self._write([added])
            return
        with self._lock:
            self._kept.append(added)
            full = sum(kept.n_vertices for _, _, kept in self._kept) >= self._buffer_vertices
            kept, self._kept = (self._kept, []) if full else ([], self._kept)
        self._write(kept)

    def _write(self, kept: Sequence[tuple[Kind, bool, Geometry]]) -> None:
        """Write what belongs together in one turn."""
        if not kept:
            return
        location, backend, options = self._place
        root, _ = open_root(location, "r+", backend=backend, **options)
        alike: dict[tuple[str, bool], list[tuple[Kind, Geometry]]] = {}
        for kind, has_ids, geometry in kept:
            key = kind.geometry_type, has_ids
            alike.setdefault(key, []).append((kind, geometry))
        for (_, has_ids), some in alike.items():
            if has_ids and some[0][0].geometry_type in _PATHS:
                _require_distinct([geometry for _, geometry in some])
            whole = joined([geometry for _, geometry in some], has_ids=has_ids)
            check_target(root, whole, self._options, some[0][0])
            write_level(root, whole, self._options, some[0][0])


def _require_distinct(paths: Sequence[Geometry]) -> None:
    ids = np.concatenate([path.object_ids for path in paths if path.object_ids is not None])
    if len(np.unique(ids)) != len(ids):
        raise MetadataError(
            "object_ids must be distinct: a path is an object, written once and whole; none of "
            "what was kept has been written",
            kind="object_ids",
        )


def _rebuilt(
    location: Any,
    buffer_vertices: int,
    out_of_bounds: OutOfBounds,
    backend: str | None,
    backend_kwargs: Mapping[str, Any],
) -> ZVWriter:
    return ZVWriter(
        location,
        buffer_vertices=buffer_vertices,
        out_of_bounds=out_of_bounds,
        backend=backend,
        backend_kwargs=backend_kwargs,
    )

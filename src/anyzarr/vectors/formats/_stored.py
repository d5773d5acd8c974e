"""Vector stores as sources: what is read from a store to be written to a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr._nodes import Array, Group
from anyzarr.errors import UnsupportedError
from anyzarr.vectors._attributes import decode_column
from anyzarr.vectors._editions import edition_of, require_current
from anyzarr.vectors._geometry import Geometry
from anyzarr.vectors._level import StoredLevel, open_level
from anyzarr.vectors._objects import read_groups
from anyzarr.vectors._objects_input import rows_of_objects
from anyzarr.vectors._points import select_points
from anyzarr.vectors._query import Query
from anyzarr.vectors._read_networks import read_network
from anyzarr.vectors._read_paths import read_paths
from anyzarr.vectors.formats._format import BATCH_VERTICES, VectorFacts

__all__ = ["SOURCE_KEY", "StoredSource"]

SOURCE_KEY = "anyzarr:source"
"""The attribute of the root that holds what a file said and a store has no place for."""

_PATHS = {"line", "polyline", "streamline"}
_WIDTHS = {"graph": 2, "skeleton": 2, "mesh": 3}


class StoredSource:
    """A level of a vector store.

    Axes named x, y and z are brought into that order, which is that of all formats.

    Parameters
    ----------
    location
        As for :func:`anyzarr.vectors.open_store`.
    level
        Number of the level.
    batch_vertices
        About how many vertices a part has.

    Examples
    --------
    >>> from anyzarr.vectors import write_points
    >>> from anyzarr.vectors.formats import StoredSource
    >>> memory = {}
    >>> _ = write_points(memory, [[1, 2], [3, 4]])
    >>> source = StoredSource(memory)
    >>> source.facts.geometry_type, [part.n_vertices for part in source.batches()]
    ('point_cloud', [2])
    """

    def __init__(
        self, location: Any, *, level: int = 0, batch_vertices: int = BATCH_VERTICES
    ) -> None:
        self._level = open_level(location, level, "all", objects=True)
        self._edition = edition_of(self._level.root)
        self._batch = batch_vertices
        names = [str(axis.get("name", "")).lower() for axis in self._level.metadata.axes]
        is_xyz = {*names} == {*"xyz"[: len(names)]}
        self._order = np.argsort(names) if is_xyz else np.arange(len(names))

    @property
    def level(self) -> StoredLevel:
        """The level that is read."""
        return self._level

    @cached_property
    def facts(self) -> VectorFacts:
        """What the documents say."""
        root, level = self._level.metadata, self._level
        types = root.geometry_types
        if len(types) != 1:
            raise UnsupportedError(
                f"{level.root.url} holds {', '.join(types) or 'nothing'}, and one kind of geometry "
                "goes into a file",
                kind="geometry_type",
            )
        low, high = root.bounds
        extra = level.root.metadata.attributes.get(SOURCE_KEY)
        return VectorFacts(
            geometry_type=types[0],
            dtype=level.dtype,
            axes=tuple(root.axes[i] for i in self._order),
            vertex_count=level.level.vertex_count,
            bounds=(
                tuple(low[i] for i in self._order),
                tuple(high[i] for i in self._order),
            ),
            attributes=dict(extra) if isinstance(extra, dict) else {},
        )

    def batches(self) -> Iterator[Geometry]:
        """Yield points by chunks, paths by objects, and what is joined by links at once.

        Raises
        ------
        ConflictError
            The store was edited meanwhile.
        """
        kind = self.facts.geometry_type
        if kind in _PATHS:
            parts = self._paths()
        elif kind in _WIDTHS:
            parts = self._network(_WIDTHS[kind])
        else:
            parts = self._points()
        for part in parts:
            require_current(self._level.root, self._edition)
            yield self._ordered(part)

    def _ordered(self, part: Geometry) -> Geometry:
        if np.array_equal(self._order, np.arange(len(self._order))):
            return part
        return replace(part, positions=np.ascontiguousarray(part.positions[:, self._order]))

    def _points(self) -> Iterator[Geometry]:
        level = self._level
        cells = level.cells
        per_cell = level.level.vertex_count / max(1, len(cells))
        step = max(1, int(self._batch / max(1.0, per_cell)))
        has_objects = level.objects is not None
        for first in range(0, max(1, len(cells)), step):
            part = cells[first : first + step]
            found = select_points(
                level, chunks=part.tolist(), attribute_names="all", with_object_ids=has_objects
            )
            ids = rows = None
            if found.object_ids is not None:
                ids, rows = rows_of_objects(found.object_ids, found.vertex_count)
            yield Geometry(
                positions=found.positions,
                vertex_attributes=found.vertex_attributes,
                object_rows=rows,
                object_ids=ids,
            )

    def _paths(self) -> Iterator[Geometry]:
        level = self._level
        ids = np.empty(0, np.int64) if level.objects is None else level.objects.ids
        per_object = level.level.vertex_count / max(1, len(ids))
        step = max(1, int(self._batch / max(1.0, per_object)))
        for first in range(0, max(1, len(ids)), step):
            found = read_paths(level, Query(object_ids=ids[first : first + step]), "all")
            is_last = first + step >= len(ids)
            yield Geometry(
                positions=found.positions,
                vertex_attributes=found.vertex_attributes,
                object_rows=np.repeat(np.arange(len(found.object_ids)), np.diff(found.offsets)),
                object_ids=found.object_ids,
                object_attributes=found.object_attributes,
                groups=read_groups(level.root, level.number) if is_last else {},
                group_attributes=self._group_attributes() if is_last else {},
            )

    def _network(self, width: int) -> Iterator[Geometry]:
        level = self._level
        found = read_network(level, Query(), "all", width)
        rows = None
        if len(found.objects):
            place = np.argsort(found.objects, kind="stable")
            rows = place[np.searchsorted(found.objects[place], found.vertex_objects)]
        yield Geometry(
            positions=found.positions,
            vertex_attributes=found.vertex_attributes,
            object_rows=rows,
            object_ids=None if rows is None else found.objects,
            object_attributes=found.object_attributes,
            groups=read_groups(level.root, level.number),
            group_attributes=self._group_attributes(),
            links=found.links,
            link_attributes=found.link_attributes,
        )

    def _group_attributes(self) -> dict[str, npt.NDArray[Any]]:
        family = self._level.root.get(f"{self._level.number}/group_attributes")
        found = {}
        for name, array in family.arrays() if isinstance(family, Group) else ():
            assert isinstance(array, Array)
            values = np.asarray(array[...])
            found[name] = decode_column(name, values, array.metadata.attributes)
        return found

    def close(self) -> None:
        """Nothing is open."""

"""Parts of a level that are chosen now and read when they are computed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from anyzarr._nodes import Group
from anyzarr.metadata import GroupMetadata
from anyzarr.vectors._attributes import row_layout
from anyzarr.vectors._documents import LevelMetadata, RootMetadata
from anyzarr.vectors._editions import edition_of, read_current, require_current
from anyzarr.vectors._grid import Bounds
from anyzarr.vectors._level import BoundingBox, Names, StoredLevel
from anyzarr.vectors._points import wanted_objects
from anyzarr.vectors._query import BoxMode, Query
from anyzarr.vectors._read_links import LINK_NODES
from anyzarr.vectors._select import Vectors, column_of, geometry_of, select

if TYPE_CHECKING:
    import dask.array

__all__ = ["ZVColumn", "ZVLevel", "ZVSelection"]


@dataclass(frozen=True)
class ZVSelection:
    """A part of a level: what meets all conditions.

    Attributes
    ----------
    root, number
        The store, and the level's number.
    bbox, object_ids, group_ids, chunks
        The conditions, as of the function that reads the geometry, such as
        :func:`anyzarr.vectors.read_polylines`; None: no such condition.
    bbox_mode
        What meeting the box is, and whether objects are cropped; points are in it or not.
    attribute_names
        The vertex attributes that are read; None: none.
    """

    root: Group
    number: int
    bbox: Bounds | None = None
    object_ids: tuple[int, ...] | None = None
    group_ids: tuple[tuple[int, ...], ...] = ()
    chunks: tuple[tuple[int, ...], ...] | None = None
    bbox_mode: BoxMode = "intersects"
    attribute_names: Names = "all"

    @property
    def metadata(self) -> RootMetadata:
        """What the root says; after an edit, what it says now."""
        return read_current(self.root, self._at_hand)

    def _at_hand(self) -> RootMetadata:
        return RootMetadata.parse(self.root.metadata.attributes)

    @property
    def geometry(self) -> str:
        """What is read: ``point``, ``line``, ``polyline``, ``graph`` or ``mesh``."""
        return geometry_of(self._at_hand())

    @property
    def _stored(self) -> StoredLevel:
        """The level, by documents that are no older than the root's."""
        held: tuple[GroupMetadata, StoredLevel] | None = self.__dict__.get("_held")
        if held is None or held[0] is not self.root.metadata:
            held = self.root.metadata, self._level()
            self.__dict__["_held"] = held
        return held[1]

    def _level(self) -> StoredLevel:
        named = self.object_ids is not None or bool(self.group_ids)
        has_links = self.geometry in ("graph", "mesh")
        if self.geometry in ("line", "polyline"):
            has_links = self.bbox is not None
        return StoredLevel.of(
            self.root,
            self._at_hand(),
            self.number,
            further=LINK_NODES if has_links else (),
            objects=named or self.geometry != "point",
        )

    def filter(
        self,
        *,
        bbox: BoundingBox | None = None,
        bbox_mode: BoxMode | None = None,
        object_ids: Iterable[int] | None = None,
        group_ids: Iterable[int] | None = None,
        chunks: Iterable[Sequence[int]] | None = None,
        attribute_names: Iterable[str] | None = None,
    ) -> ZVSelection:
        """Return a selection with further conditions; nothing is read.

        Parameters
        ----------
        bbox
            Lower and upper corner of a box, its faces included; of several their intersection.
        bbox_mode
            ``"intersects"`` (the default), ``"touches-chunk"`` or ``"clip"``, as of
            :func:`anyzarr.vectors.read_polylines`; the last one given holds.
        object_ids, group_ids
            Objects, and groups of objects.
        chunks
            Absolute coordinates of chunks.
        attribute_names
            The vertex attributes to read; None: as before, which is all of them.

        Raises
        ------
        SelectionError
            The mode is not known.

        Examples
        --------
        >>> import numpy as np
        >>> from anyzarr.vectors import open_zv, write_polylines
        >>> memory, tract = {}, np.array([[1.0, 5.0], [9.0, 5.0], [19.0, 5.0]])
        >>> _ = write_polylines(memory, [tract, tract + 20], chunk_shape=(10, 10))
        >>> part = open_zv(memory)[0].filter(object_ids=[0]).filter(bbox=([0, 0], [10, 10]))
        >>> part.compute().vertex_count, part.filter(bbox_mode="clip").compute().vertex_count
        (3, 2)
        """
        Query(bbox_mode=bbox_mode or self.bbox_mode)  # refuses a mode that is not known
        wanted = None if chunks is None else [tuple(int(n) for n in cell) for cell in chunks]
        groups = () if group_ids is None else (tuple(int(n) for n in group_ids),)
        return ZVSelection(
            self.root,
            self.number,
            self.bbox if bbox is None else _intersected(self.bbox, bbox),
            _common(self.object_ids, object_ids),
            (*self.group_ids, *groups),
            _common(self.chunks, wanted),
            bbox_mode or self.bbox_mode,
            self.attribute_names if attribute_names is None else tuple(attribute_names),
        )

    @property
    def vertices(self) -> ZVColumn:
        """The positions."""
        return ZVColumn(self, None)

    @property
    def attributes(self) -> Mapping[str, ZVColumn]:
        """The vertex attributes by name."""
        names = read_current(self.root, lambda: self._stored.attribute_names(self.attribute_names))
        return {name: ZVColumn(self, name) for name in names}

    def compute(self, attribute_names: Names = "all") -> Vectors:
        """Read it.

        Parameters
        ----------
        attribute_names
            The vertex attributes to read; ``"all"``: those of the selection; None: none.

        Returns
        -------
        Points | Lines | Polylines | Graph | Mesh
            What the function that reads the geometry returns, with ids where objects are named.
        """
        return read_current(self.root, lambda: self._read(attribute_names))

    def _read(self, attribute_names: Names) -> Vectors:
        names = self.attribute_names if isinstance(attribute_names, str) else attribute_names
        return select(self._stored, self._query, names)

    @property
    def _query(self) -> Query:
        ids = self._objects()
        if self.bbox is not None and np.less(self.bbox[1], self.bbox[0]).any():
            return Query(None, self.bbox_mode, (), None, ())  # boxes with nothing in common
        return Query(self.bbox, self.bbox_mode, ids, None, self.chunks)

    def _objects(self) -> npt.NDArray[np.int64] | None:
        ids = None if self.object_ids is None else np.asarray(self.object_ids, dtype=np.int64)
        for groups in self.group_ids:
            ids = wanted_objects(self._stored, ids, groups)
        return ids

    def to_dask(self) -> dask.array.Array:
        """Return the positions as a dask array; see :meth:`ZVColumn.to_dask`."""
        return self.vertices.to_dask()


@dataclass(frozen=True)
class ZVLevel(ZVSelection):
    """A level of a vector store: all of it, until :meth:`filter` chooses a part.

    Attributes
    ----------
    root, number
        The store, and the level's number.
    """

    @property
    def level_metadata(self) -> LevelMetadata:
        """What the level says of itself."""
        return read_current(self.root, lambda: self._stored.level)

    @property
    def vertex_count(self) -> int:
        """Number of vertices."""
        return self.level_metadata.vertex_count

    @property
    def chunk_shape(self) -> tuple[float, ...]:
        """Edge lengths of a chunk."""
        return read_current(self.root, lambda: self._stored.grid.chunk_shape)

    @property
    def bin_shape(self) -> tuple[float, ...]:
        """Edge lengths of a bin."""
        return read_current(self.root, lambda: self._stored.grid.bin_shape)

    @property
    def chunk_keys(self) -> list[tuple[int, ...]]:
        """Absolute coordinates of the chunks that hold something."""
        cells = read_current(self.root, lambda: self._stored.cells)
        return [tuple(cell) for cell in cells.tolist()]

    @property
    def ids(self) -> npt.NDArray[np.int64]:
        """Ids of the objects in the level."""
        return read_current(self.root, self._ids)

    def _ids(self) -> npt.NDArray[np.int64]:
        objects = self._stored.objects
        return np.empty(0, np.int64) if objects is None else objects.ids[objects.present]


@dataclass(frozen=True)
class ZVColumn:
    """Positions or an attribute of a selection, not read yet.

    Attributes
    ----------
    selection
        Which vertices.
    name
        The attribute; None: the positions.
    """

    selection: ZVSelection
    name: str | None = field(default=None)

    def _layout(self) -> tuple[np.dtype[Any], tuple[int, ...]]:
        level = self.selection._stored
        if self.name is None:
            return level.dtype, (level.ndim,)
        stored = level.array(f"vertex_attributes/{self.name}").attributes
        if stored.get("encoding") == "dictionary":
            return np.dtype(object), ()
        return row_layout(self.name, stored)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values; ``object`` where they are text."""
        return read_current(self.selection.root, self._layout)[0]

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Shape of the value of one vertex."""
        return read_current(self.selection.root, self._layout)[1]

    def compute(self) -> npt.NDArray[Any]:
        """Read the values, one row per vertex."""
        return read_current(self.selection.root, self._read)

    def _read(self) -> npt.NDArray[Any]:
        found = self.selection._read(None if self.name is None else [self.name])
        return column_of(found, self.name)

    def __array__(
        self, dtype: npt.DTypeLike | None = None, copy: bool | None = None
    ) -> npt.NDArray[Any]:
        return np.asarray(self.compute(), dtype=dtype)

    def to_dask(self) -> dask.array.Array:
        """Return the values as a dask array, a block for each run of chunks.

        Lengths of blocks are not known before they are computed, as dask says it (NaN). All blocks
        are of the store as it is now: computing one after an edit raises
        :class:`~anyzarr.errors.ConflictError`. Needs the package dask.
        """
        from anyzarr._optional import require

        module = require("dask.array", extra="dask", purpose="A dask array")
        delayed = require("dask", extra="dask", purpose="A dask array").delayed
        parts = read_current(self.selection.root, self._parts)
        dtype, row_shape = self._layout()
        edition = edition_of(self.selection.root)
        blocks = [
            module.from_delayed(
                delayed(_computed)(part, edition), (np.nan, *row_shape), dtype=dtype, meta=None
            )
            for part in parts
        ]
        if not blocks:
            return module.zeros((0, *row_shape), dtype=dtype)
        return module.concatenate(blocks, allow_unknown_chunksizes=True)

    def _parts(self) -> list[ZVColumn]:
        """Return the column in parts that can be read one by one, in the order of the whole."""
        ids, level = self.selection._objects(), self.selection._stored
        if self.selection.geometry != "point":
            if level.objects is None:
                return [self]
            ids = level.objects.ids if ids is None else ids
        if ids is not None:
            pieces = np.array_split(ids, max(1, len(ids) // _BLOCK_OBJECTS))
            base = replace(self.selection, group_ids=())
            chosen = [
                replace(base, object_ids=tuple(part.tolist())) for part in pieces if len(part)
            ]
        else:
            cells = level.select(self.selection.bbox, self.selection.chunks)
            runs = np.array_split(cells, max(1, len(cells) // _BLOCK_CELLS))
            keys = [tuple(tuple(cell) for cell in run.tolist()) for run in runs if len(run)]
            chosen = [replace(self.selection, chunks=part) for part in keys]
        return [ZVColumn(part, self.name) for part in chosen]


_BLOCK_CELLS = 64
_BLOCK_OBJECTS = 256


def _computed(column: ZVColumn, edition: str) -> npt.NDArray[Any]:
    """Return the values of a part, of the edition of the store that all parts are of."""
    require_current(column.selection.root, edition)
    values = column._read()
    require_current(column.selection.root, edition)
    return values.astype(object) if column._layout()[0].kind == "O" else values


def _intersected(first: Bounds | None, second: BoundingBox) -> Bounds:
    low, high = np.asarray(second, dtype=np.float64)
    if first is not None:
        low, high = np.maximum(low, first[0]), np.minimum(high, first[1])
    return tuple(low.tolist()), tuple(high.tolist())


def _common(first: tuple[Any, ...] | None, second: Iterable[Any] | None) -> tuple[Any, ...] | None:
    """Return what is in both; None stands for everything."""
    if second is None:
        return first
    values = tuple(v.item() if isinstance(v, np.generic) else v for v in second)
    return values if first is None else tuple(v for v in values if v in set(first))

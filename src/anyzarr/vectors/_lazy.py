"""Vector stores without reading: what is chosen now is fetched when it is computed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from anyzarr._nodes import Group
from anyzarr.errors import NodeNotFoundError
from anyzarr.vectors._attributes import row_layout
from anyzarr.vectors._documents import LevelMetadata, RootMetadata
from anyzarr.vectors._grid import Bounds
from anyzarr.vectors._level import BoundingBox, Names, StoredLevel
from anyzarr.vectors._open import open_root
from anyzarr.vectors._points import Points, select_points, wanted_objects

if TYPE_CHECKING:
    import dask.array

__all__ = ["ZVColumn", "ZVLevel", "ZVSelection", "ZVStore", "open_zv"]


def open_zv(path: Any, *, backend: str | None = None, **backend_kwargs: Any) -> ZVStore:
    """Open a vector store for lazy reading; writable or not, a folder, an archive or in memory.

    Parameters
    ----------
    path, backend, **backend_kwargs
        As for :func:`anyzarr.vectors.open_store`.

    Examples
    --------
    >>> from anyzarr.vectors import open_zv, write_points
    >>> memory = {}
    >>> _ = write_points(memory, [[1, 1], [8, 2], [4, 9]], vertex_attributes={"i": [5, 6, 7]})
    >>> store = open_zv(memory)
    >>> store.levels, store.ndim
    ((0,), 2)
    >>> chosen = store[0].filter(bbox=([0, 0], [8, 5]))
    >>> chosen.compute().positions.tolist(), chosen.attributes["i"].compute().tolist()
    ([[1.0, 1.0], [8.0, 2.0]], [5, 6])
    """
    return ZVStore(*open_root(path, "r", backend=backend, **backend_kwargs))


@dataclass(frozen=True)
class ZVStore:
    """A vector store of which nothing but the root's document has been read.

    Indexing gives a level; iterating gives the numbers of the levels.

    Attributes
    ----------
    root
        The root group.
    metadata
        What it says.
    """

    root: Group
    metadata: RootMetadata

    @property
    def url(self) -> str:
        """The store's address."""
        return self.root.url

    @property
    def levels(self) -> tuple[int, ...]:
        """Numbers of the levels; 0 is full resolution."""
        return self.metadata.levels

    @property
    def ndim(self) -> int:
        """Number of dimensions of the space."""
        return self.metadata.ndim

    @property
    def bounds(self) -> Bounds:
        """Lower and upper corner of what the store may hold."""
        return self.metadata.bounds

    @property
    def chunk_shape(self) -> tuple[float, ...]:
        """Edge lengths of a chunk of level 0."""
        return self.metadata.chunk_shape

    @property
    def bin_shape(self) -> tuple[float, ...]:
        """Edge lengths of a bin of level 0."""
        return self.metadata.bin_shape

    @property
    def geometry_types(self) -> tuple[str, ...]:
        """What the store holds."""
        return self.metadata.geometry_types

    def __getitem__(self, level: int) -> ZVLevel:
        """Return a level.

        Raises
        ------
        NodeNotFoundError
            There is none of this number (also a ``KeyError``).
        """
        if level not in self.levels:
            raise NodeNotFoundError(
                f"{self.url} has no level {level}; it has {list(self.levels)}", path=str(level)
            )
        return ZVLevel(self.root, self.metadata, level)

    def __iter__(self) -> Iterator[int]:
        return iter(self.levels)

    def __len__(self) -> int:
        return len(self.levels)


@dataclass(frozen=True)
class ZVSelection:
    """Some vertices of a level: those that meet all conditions.

    Attributes
    ----------
    root, metadata, number
        The store, and the level's number.
    bbox, object_ids, group_ids, chunks
        The conditions, as of :func:`anyzarr.vectors.read_points`; None: no such condition.
    """

    root: Group
    metadata: RootMetadata
    number: int
    bbox: Bounds | None = None
    object_ids: tuple[int, ...] | None = None
    group_ids: tuple[tuple[int, ...], ...] = ()
    chunks: tuple[tuple[int, ...], ...] | None = None

    @cached_property
    def _stored(self) -> StoredLevel:
        return StoredLevel.of(self.root, self.metadata, self.number)

    def filter(
        self,
        *,
        bbox: BoundingBox | None = None,
        object_ids: Iterable[int] | None = None,
        group_ids: Iterable[int] | None = None,
        chunks: Iterable[Sequence[int]] | None = None,
    ) -> ZVSelection:
        """Return a selection with further conditions; nothing is read.

        Parameters
        ----------
        bbox
            Lower and upper corner of a box, its faces included.
        object_ids, group_ids
            Objects, and groups of objects.
        chunks
            Absolute coordinates of chunks.
        """
        corners = self.bbox if bbox is None else _intersected(self.bbox, bbox)
        ids = _common(self.object_ids, object_ids)
        wanted = None if chunks is None else [tuple(int(n) for n in cell) for cell in chunks]
        groups = () if group_ids is None else (tuple(int(n) for n in group_ids),)
        return ZVSelection(
            self.root,
            self.metadata,
            self.number,
            corners,
            ids,
            (*self.group_ids, *groups),
            _common(self.chunks, wanted),
        )

    @property
    def vertices(self) -> ZVColumn:
        """The positions."""
        return ZVColumn(self, None)

    @property
    def attributes(self) -> Mapping[str, ZVColumn]:
        """The vertex attributes by name."""
        return {name: ZVColumn(self, name) for name in self._stored.attribute_names()}

    def compute(self, attribute_names: Names = "all") -> Points:
        """Read the vertices.

        Parameters
        ----------
        attribute_names
            The attributes to read, by default all.
        """
        ids = self._objects()
        return select_points(
            self._stored,
            bbox=self.bbox,
            object_ids=ids,
            chunks=self.chunks,
            attribute_names=attribute_names,
            with_object_ids=ids is not None,
        )

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
    """A level of a vector store: all its vertices, until :meth:`filter` chooses some.

    Attributes
    ----------
    root, metadata, number
        The store, and the level's number.
    """

    @property
    def level_metadata(self) -> LevelMetadata:
        """What the level says of itself."""
        return self._stored.level

    @property
    def vertex_count(self) -> int:
        """Number of vertices."""
        return self.level_metadata.vertex_count

    @property
    def chunk_shape(self) -> tuple[float, ...]:
        """Edge lengths of a chunk."""
        return self._stored.grid.chunk_shape

    @property
    def bin_shape(self) -> tuple[float, ...]:
        """Edge lengths of a bin."""
        return self._stored.grid.bin_shape

    @property
    def chunk_keys(self) -> list[tuple[int, ...]]:
        """Absolute coordinates of the chunks that hold something."""
        return [tuple(cell) for cell in self._stored.cells.tolist()]

    @property
    def ids(self) -> npt.NDArray[np.int64]:
        """Ids of the objects in the level."""
        objects = self._stored.objects
        return np.empty(0, np.int64) if objects is None else objects.ids


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

    @property
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
        return self._layout[0]

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Shape of the value of one vertex."""
        return self._layout[1]

    def compute(self) -> npt.NDArray[Any]:
        """Read the values, one row per vertex."""
        points = self.selection.compute(None if self.name is None else [self.name])
        return points.positions if self.name is None else points.vertex_attributes[self.name]

    def __array__(
        self, dtype: npt.DTypeLike | None = None, copy: bool | None = None
    ) -> npt.NDArray[Any]:
        return np.asarray(self.compute(), dtype=dtype)

    def to_dask(self) -> dask.array.Array:
        """Return the values as a dask array, a block for each run of chunks.

        Lengths of blocks are not known before they are computed, as dask says it (NaN). Needs
        the package dask.
        """
        from anyzarr._optional import require

        module = require("dask.array", extra="dask", purpose="A dask array")
        delayed = require("dask", extra="dask", purpose="A dask array").delayed
        dtype, row_shape = self._layout
        blocks = [
            module.from_delayed(
                delayed(_computed)(part), (np.nan, *row_shape), dtype=dtype, meta=None
            )
            for part in self._parts()
        ]
        if not blocks:
            return module.zeros((0, *row_shape), dtype=dtype)
        return module.concatenate(blocks, allow_unknown_chunksizes=True)

    def _parts(self) -> list[ZVColumn]:
        """Return the column in parts that can be read one by one, in the order of the whole."""
        ids = self.selection._objects()
        if ids is not None:
            pieces = np.array_split(ids, max(1, len(ids) // _BLOCK_OBJECTS))
            base = replace(self.selection, group_ids=())
            chosen = [
                replace(base, object_ids=tuple(part.tolist())) for part in pieces if len(part)
            ]
        else:
            level = self.selection._stored
            cells = level.select(self.selection.bbox, self.selection.chunks)
            runs = np.array_split(cells, max(1, len(cells) // _BLOCK_CELLS))
            keys = [tuple(tuple(cell) for cell in run.tolist()) for run in runs if len(run)]
            chosen = [replace(self.selection, chunks=part) for part in keys]
        return [ZVColumn(part, self.name) for part in chosen]


_BLOCK_CELLS = 64
_BLOCK_OBJECTS = 256


def _computed(column: ZVColumn) -> npt.NDArray[Any]:
    values = column.compute()
    return values.astype(object) if column.dtype.kind == "O" else values


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

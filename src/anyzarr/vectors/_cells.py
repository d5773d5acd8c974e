"""Arrays with one blob per cell of a level: vertices, attributes, fragments, links."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final, TypeAlias
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from anyzarr import crud
from anyzarr.abc import Ragged, Store
from anyzarr.crud._nodes import put_document
from anyzarr.errors import CorruptDataError, MetadataError, UnsupportedError
from anyzarr.metadata import ArrayMetadata, array_document, parse_array
from anyzarr.stores._base import remote_concurrency
from anyzarr.vectors._grid import CellGrid, Coords
from anyzarr.vectors._storage import Storage

__all__ = ["CellArray", "arrays_at_once"]


_KIND = "zv_array"
_NONEMPTY = "nonempty_chunks"
_ORIGIN = "chunk_grid_origin"
_MOST_LISTED = 10_000_000

_listed: Final[WeakKeyDictionary[ArrayMetadata, Coords]] = WeakKeyDictionary()
"""Cells that documents list, as long as anyone has these: they are the same for equal content."""


@dataclass(frozen=True, eq=False)
class CellArray:
    """An array with one blob per cell, and what its document says of the cells.

    A value: methods that change the document return another one, and nothing is stored before
    :meth:`put`.

    Attributes
    ----------
    metadata
        The document, which is authoritative.
    store, path
        Where the array is.
    engine
        The engine to use; None: the first that can.
    is_new
        Whether it is this writer who makes the array.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.abc import Ragged
    >>> from anyzarr.stores import MemoryStore
    >>> from anyzarr.vectors._cells import CellArray
    >>> from anyzarr.vectors._grid import CellGrid
    >>> grid = CellGrid.over(((-5.0,), (9.0,)), (5.0,))
    >>> array = CellArray.new(MemoryStore(), "vertices", grid, "vertices", {"dtype": "float32"})
    >>> cells = np.array([[-1], [1]])
    >>> array.write(cells, Ragged.of([b"ab", b"c"]))
    >>> array = array.with_cells(cells)
    >>> array.put()
    >>> array.nonempty.tolist(), array.read(np.array([[0], [-1]])).to_list()
    ([[-1], [1]], [b'', b'ab'])
    """

    metadata: ArrayMetadata
    store: Store
    path: str
    engine: str | None = None
    is_new: bool = False

    @classmethod
    def new(
        cls,
        store: Store,
        path: str,
        grid: CellGrid,
        kind: str,
        attributes: Mapping[str, Any] | None = None,
        storage: Storage | None = None,
        *,
        cell_bytes: float = 0.0,
        engine: str | None = None,
    ) -> CellArray:
        """Return an array that is not stored yet.

        Parameters
        ----------
        store, path, engine
            As the attributes.
        grid
            The cells.
        kind
            What the array holds, in the words of the format (``"vertices"``, ``"attribute"``, …).
        attributes
            Attributes of the array.
        storage
            Compressor and shards.
        cell_bytes
            How many bytes a cell holds on average, empty ones included, which decides how large
            shards are.
        """
        storage = storage or Storage()
        document = array_document(
            shape=grid.shape,
            dtype="variable_length_bytes",
            chunks=(1,) * grid.ndim,
            shards=storage.shards(grid, cell_bytes),
            compressors=storage.compressor,
            attributes={
                _NONEMPTY: [],
                _ORIGIN: list(grid.origin),
                _KIND: kind,
                **(attributes or {}),
            },
        )
        return cls(parse_array(document), store, path, engine, is_new=True)

    @property
    def attributes(self) -> Mapping[str, Any]:
        """The attributes of the array."""
        return self.metadata.attributes

    @property
    def kind(self) -> str | None:
        """What the array holds, if it says so."""
        return self.attributes.get(_KIND)

    @property
    def ndim(self) -> int:
        """Number of coordinates of a cell."""
        return self.metadata.ndim

    @cached_property
    def origin(self) -> npt.NDArray[np.int64]:
        """Absolute coordinates of the array's first cell."""
        origin = self.attributes.get(_ORIGIN, [0] * self.ndim)
        if len(origin) != self.ndim or not all(isinstance(number, int) for number in origin):
            raise CorruptDataError(
                f"{_ORIGIN!r} of {self.path!r} is {origin!r}, and must be {self.ndim} whole "
                "numbers",
                store=str(self.store.spec),
                path=self.path,
            )
        return np.asarray(origin, dtype=np.int64)

    @cached_property
    def nonempty(self) -> Coords:
        """Absolute coordinates of the cells that hold something, in C order, shape ``(n, D)``.

        Those the document lists; all cells of the array where it lists none.
        """
        listed = self.attributes.get(_NONEMPTY)
        if listed is None:
            return self._all_cells()
        known = _listed.get(self.metadata)
        return _listed.setdefault(self.metadata, self._cells_of(listed)) if known is None else known

    def _cells_of(self, listed: Any) -> Coords:
        cells = _parse_keys(listed, self.ndim)
        if cells is None or not self._holds(cells).all():
            raise CorruptDataError(
                f"{_NONEMPTY!r} of {self.path!r} names something that is no cell of the array; "
                "write the array again, or restore it from a copy",
                store=str(self.store.spec),
                path=self.path,
            )
        ordered = cells[np.lexsort(cells.T[::-1])] if len(cells) else cells
        ordered.flags.writeable = False
        return ordered

    def _all_cells(self) -> Coords:
        shape = self.metadata.shape
        if math.prod(shape) > _MOST_LISTED:
            raise MetadataError(
                f"{self.path!r} does not list its {math.prod(shape)} cells that are not empty "
                f"({_NONEMPTY!r}), and they are too many to try each; read it by bbox or chunks",
                path=self.path,
            )
        return np.indices(shape, dtype=np.int64).reshape(self.ndim, -1).T + self.origin

    def _holds(self, cells: Coords) -> npt.NDArray[np.bool_]:
        local = cells - self.origin
        inside: npt.NDArray[np.bool_] = np.all(
            (local >= 0) & (local < np.asarray(self.metadata.shape, np.int64)), axis=-1
        )
        return inside

    def read(self, cells: Coords) -> Ragged:
        """Return the blobs of cells given by absolute coordinates; those outside are empty.

        Raises
        ------
        CorruptDataError
            A chunk cannot be decoded.
        """
        inside = self._holds(cells)
        if inside.all():
            return self._read(cells - self.origin)
        found = self._read(cells[inside] - self.origin)
        lengths = np.zeros(len(cells), np.int64)
        lengths[inside] = found.lengths
        return Ragged.from_lengths(found.data, lengths)

    def _read(self, local: Coords) -> Ragged:
        if not len(local):
            return Ragged.empty(0)
        return crud.read_ragged(self.metadata, self.store, self.path, local, engine=self.engine)

    def write(self, cells: Coords, blobs: Ragged) -> None:
        """Replace the blobs of cells given by absolute coordinates, each one once.

        The document is not touched: see :meth:`with_cells`.
        """
        if len(cells):
            local = cells - self.origin
            crud.write_ragged(
                self.metadata, self.store, self.path, local, blobs,
                engine=self.engine, is_new=self.is_new,
            )  # fmt: skip

    def with_cells(self, cells: Coords) -> CellArray:
        """Return the array with these cells listed among those that hold something."""
        before = self.nonempty
        listed = np.unique(np.concatenate([before, cells]), axis=0) if len(before) else cells
        return self.listing(listed)

    def listing(self, cells: Coords) -> CellArray:
        """Return the array with these cells, and no others, listed as those that hold something."""
        return self.with_attributes({_NONEMPTY: _keys(cells)})

    def listing_attributes(self, cells: Coords, attributes: Mapping[str, Any]) -> dict[str, Any]:
        """Return the attributes with some replaced, and these cells listed, as no others are."""
        return {**self.attributes, **attributes, _NONEMPTY: _keys(cells)}

    def with_attributes(self, attributes: Mapping[str, Any]) -> CellArray:
        """Return the array with some attributes replaced."""
        merged = {**self.attributes, **attributes}
        return replace(self, metadata=self.metadata.with_attributes(merged))

    def covering(self, grid: CellGrid, cells: Coords) -> CellArray:
        """Return the array with room for a grid, as far as it does not begin before the array.

        Parameters
        ----------
        grid
            The grid of the level.
        cells
            Absolute coordinates of cells that there must be room for.

        Raises
        ------
        UnsupportedError
            A cell lies before the first of the array, whose keys cannot be negative.
        """
        low = cells.min(axis=0, initial=int(self.origin.max()))
        if (low < self.origin).any():
            raise UnsupportedError(
                f"{self.path!r} begins at the cell {self.origin.tolist()}, and there is something "
                f"to be written before it, in {low.tolist()}: arrays do not grow that way; write "
                "the store again with bounds that hold everything",
                path=self.path,
                kind="grid_origin",
            )
        end = np.add(grid.origin, grid.shape) - self.origin
        shape = np.maximum(self.metadata.shape, end).tolist()
        if shape == list(self.metadata.shape):
            return self
        return replace(self, metadata=self.metadata.with_document(shape=shape))

    def put(self) -> None:
        """Store the document; consolidated metadata above is the caller's care."""
        put_document(self.metadata.document, self.store, self.path, is_new=self.is_new)

    def rows(self, cells: Coords, dtype: npt.DTypeLike, row_shape: tuple[int, ...]) -> Rows:
        """Return the rows of a dtype that the blobs of cells are made of.

        Raises
        ------
        CorruptDataError
            A blob is no whole number of rows.
        """
        return self.as_rows(cells, self.read(cells), dtype, row_shape)

    def as_rows(
        self, cells: Coords, blobs: Ragged, dtype: npt.DTypeLike, row_shape: tuple[int, ...]
    ) -> Rows:
        """Return what :meth:`rows` returns, of blobs that have been read."""
        kind = np.dtype(dtype).newbyteorder("<")
        row_bytes = max(1, kind.itemsize * math.prod(row_shape))
        wrong = np.flatnonzero(blobs.lengths % row_bytes)
        if wrong.size:
            cell = tuple(cells[wrong[0]].tolist())
            raise CorruptDataError(
                f"cell {'.'.join(map(str, cell))} of {self.path!r} in {self.store.spec} holds "
                f"{int(blobs.lengths[wrong[0]])} bytes, which are no whole rows of {row_bytes}; "
                "write the cell again, or restore it from a copy",
                store=str(self.store.spec),
                path=self.path,
                chunk_coords=cell,
            )
        offsets = blobs.offsets // row_bytes
        values = np.ascontiguousarray(blobs.data).view(kind).reshape(-1, *row_shape)
        return values.astype(kind.newbyteorder("="), copy=False), offsets


Rows: TypeAlias = tuple[npt.NDArray[Any], npt.NDArray[np.int64]]
"""Rows, and where those of each cell begin, shape ``(n_cells + 1,)``."""


def arrays_at_once(store: Store) -> int:
    """Return how many arrays to read or write at once: many where it is requests that take long.

    Near stores: one, on which all threads work.
    """
    capabilities = store.capabilities
    is_near = capabilities.local_root is not None or capabilities.in_process
    return 1 if is_near else remote_concurrency()


def _keys(cells: Coords) -> list[str]:
    """Return cells as the format lists them: coordinates with dots between, sorted as text."""
    return sorted(".".join(map(str, cell)) for cell in cells.tolist())


def _parse_keys(keys: Any, ndim: int) -> Coords | None:
    """Return what :func:`_keys` made; None if it is not that."""
    if not isinstance(keys, list):
        return None
    if not keys:
        return np.empty((0, ndim), np.int64)
    try:
        numbers = [int(number) for number in ".".join(keys).split(".")]
        return np.asarray(numbers, dtype=np.int64).reshape(len(keys), ndim)
    except (TypeError, ValueError, OverflowError):
        return None

"""Elements of variable length without an object per element."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt

from anyzarr._parallel import for_each
from anyzarr.abc import Engine, Ragged, RaggedArrayIO, Store
from anyzarr.crud._guarded import is_conditional, retrying
from anyzarr.crud._locks import locked
from anyzarr.crud._nodes import normalize_path
from anyzarr.crud._process_locks import exclusive
from anyzarr.crud._regions import read_region, require_writable, write_region
from anyzarr.crud._twins import async_twin
from anyzarr.engines import open_array_io
from anyzarr.errors import MetadataError, SelectionError
from anyzarr.metadata import ArrayMetadata, ChunkGrid, elements_of, parse_array, ragged_of
from anyzarr.stores._base import remote_concurrency

__all__ = [
    "check_distinct",
    "checked_coords",
    "read_ragged",
    "read_ragged_async",
    "write_ragged",
    "write_ragged_async",
]

Document = Mapping[str, Any]

_MOST_IDS: Final = 2**62
_LAST_OF_ASCII: Final = 127


def read_ragged(
    metadata: Document | ArrayMetadata,
    store: Store,
    path: str,
    coords: npt.ArrayLike,
    *,
    engine: str | Engine | None = None,
) -> Ragged:
    """Read elements of variable length.

    Parameters
    ----------
    metadata
        The array's document, of the data type ``bytes`` or ``string``. It is authoritative.
    store, path
        Where the chunks are.
    coords
        The elements: integers of shape ``(n, ndim)``, in any order, repeated ones included.
    engine
        The engine to use; by default the first that can (see :mod:`anyzarr.engines`).

    Returns
    -------
    Ragged
        ``n`` elements, in the order of ``coords``: bytes, of strings in UTF-8. Those never
        written have the fill value, which is empty unless the document says otherwise. May be
        read-only.

    Raises
    ------
    SelectionError
        The coordinates do not fit the array's shape.
    MetadataError
        Elements of the array have a fixed size.
    CorruptDataError
        A chunk cannot be decoded; the error names store, key and chunk.
    UnsupportedError
        No engine can read this array.

    Examples
    --------
    >>> from anyzarr import crud
    >>> from anyzarr.abc import Ragged
    >>> from anyzarr.metadata import array_document
    >>> from anyzarr.stores import MemoryStore
    >>> document = array_document(shape=(2, 3), dtype="bytes", chunks=(1, 1))
    >>> store = MemoryStore()
    >>> crud.write_ragged(document, store, "a", [[0, 2], [1, 0]], Ragged.of([b"ab", b"cde"]))
    >>> crud.read_ragged(document, store, "a", [[1, 0], [1, 1], [0, 2]]).to_list()
    [b'cde', b'', b'ab']
    """
    meta, path = _variable(metadata, path), normalize_path(path)
    where = checked_coords(coords, meta)
    if len(where) == 0:
        return Ragged.empty(0)
    if meta.ndim == 0:
        found = read_region(meta, store, path, (), engine=engine)
        return ragged_of(np.broadcast_to(found, len(where)), meta.data_type)
    _, io = open_array_io(meta, store, path, engine)
    if io.capabilities.ragged:
        return cast(RaggedArrayIO, io).read_ragged(where)
    found = read_region(meta, store, path, tuple(where.T), mode="vectorized", engine=engine)
    return ragged_of(found, meta.data_type)


def write_ragged(
    metadata: Document | ArrayMetadata,
    store: Store,
    path: str,
    coords: npt.ArrayLike,
    ragged: Ragged,
    *,
    engine: str | Engine | None = None,
    is_new: bool = False,
) -> None:
    """Write elements of variable length.

    Each chunk or shard is replaced once, atomically, and keeps its other elements, as
    :func:`write_region` says. One that ends up all fill value is removed likewise.

    Parameters
    ----------
    metadata, store, path, engine
        As for :func:`read_ragged`.
    coords
        The elements: integers of shape ``(n, ndim)``, in any order, each one once.
    ragged
        ``n`` elements, in the order of ``coords``; of strings in UTF-8.
    is_new
        No other process knows of the array yet, so that none need be kept apart.

    Raises
    ------
    SelectionError
        The coordinates do not fit the array's shape, or one is there twice. Nothing was written.
    MetadataError
        There are more or fewer elements than coordinates, they are no strings, or elements of the
        array have a fixed size. Nothing was written.
    ReadOnlyError
        The store does not write.
    """
    meta, path = _variable(metadata, path), normalize_path(path)
    where = checked_coords(coords, meta)
    if len(ragged) != len(where):
        raise MetadataError(
            f"{len(ragged)} elements cannot be written to {len(where)} coordinates; "
            "give one element for each"
        )
    check_distinct(where, meta.shape)
    require_writable(store, path)
    if len(where) == 0:
        return
    _, io = open_array_io(meta, store, path, engine)
    if io.capabilities.ragged and meta.ndim:
        _check_text(ragged, meta)
        ragged_io = cast(RaggedArrayIO, io)
        cells = _cells_of(where, meta.grid)
        with locked(store, cells.keys(meta, path)):
            if cells.is_whole.all() or not is_conditional(store):
                shared = [] if is_new else cells.keys(meta, path, partial=True)
                with exclusive(store, shared):
                    ragged_io.write_ragged(where, ragged)
            else:
                retry = partial(retrying, meta, store, path, engine)
                _write_on_condition(ragged_io, cells, where, ragged, retry)
        return
    values = elements_of(ragged, meta.data_type)
    if meta.ndim == 0:
        write_region(meta, store, path, (), values[0], engine=engine)
        return
    write_region(meta, store, path, tuple(where.T), values, mode="vectorized", engine=engine)


def _variable(metadata: Document | ArrayMetadata, path: str) -> ArrayMetadata:
    meta = parse_array(metadata)
    if not meta.data_type.is_variable_length:
        raise MetadataError(
            f"elements of {path or '/'!r} are {meta.data_type.name}, which have a fixed size; "
            "read and write them with read_region and write_region",
            path=path,
        )
    return meta


def checked_coords(coords: npt.ArrayLike, meta: ArrayMetadata) -> npt.NDArray[np.int64]:
    """Return coordinates of elements, which are refused unless the array has them."""
    where = np.asarray(coords)
    if where.size == 0 and where.ndim == 1:
        where = np.empty((0, meta.ndim), np.int64)
    if where.ndim != 2 or where.shape[1] != meta.ndim or where.dtype.kind not in "iu":
        raise SelectionError(
            f"coordinates are integers of shape (n, {meta.ndim}), one row per element, got "
            f"{where.dtype} of shape {where.shape}"
        )
    outside = ((where < 0) | (where >= np.array(meta.shape, np.int64))).any(axis=1)
    if outside.any():
        row = int(np.flatnonzero(outside)[0])
        raise SelectionError(
            f"coordinates {where[row].tolist()} (row {row}) are outside of the array's shape "
            f"{meta.shape}; they begin with 0"
        )
    return where.astype(np.int64, copy=False)


def check_distinct(where: npt.NDArray[np.int64], shape: tuple[int, ...]) -> None:
    """Refuse coordinates in an array of a shape that are there more than once."""
    if len(where) < 2:
        return
    if math.prod(shape) < _MOST_IDS:
        ids = np.ravel_multi_index(tuple(where.T), shape) if shape else np.zeros(len(where))
        if (ids[1:] > ids[:-1]).all() or len(np.unique(ids)) == len(ids):
            return
    columns = where.T[::-1]
    ordered = where[np.lexsort(tuple(columns))] if where.shape[1] else where
    twice = np.flatnonzero((ordered[1:] == ordered[:-1]).all(axis=1))
    if twice.size:
        raise SelectionError(
            f"coordinates {ordered[int(twice[0])].tolist()} are there more than once; "
            "which of the elements is meant cannot be told"
        )


def _check_text(ragged: Ragged, meta: ArrayMetadata) -> None:
    if meta.data_type.name == "string" and (ragged.data > _LAST_OF_ASCII).any():
        elements_of(ragged, meta.data_type)


@dataclass(frozen=True, slots=True)
class _Cells:
    """The chunks or shards that hold some elements.

    Attributes
    ----------
    coords
        Of each touched cell.
    number
        Per element, the number of its cell.
    is_whole
        Per cell, whether all of its elements are there.
    """

    coords: npt.NDArray[np.int64]
    number: npt.NDArray[np.int64]
    is_whole: npt.NDArray[np.bool_]

    def keys(self, meta: ArrayMetadata, path: str, *, partial: bool = False) -> list[str]:
        chosen = self.coords[~self.is_whole] if partial else self.coords
        return [meta.chunk_key(path, tuple(cell)) for cell in chosen.tolist()]


def _cells_of(where: npt.NDArray[np.int64], grid: ChunkGrid) -> _Cells:
    if math.prod(grid.grid_shape) == 1:
        is_whole = np.array([len(where) == math.prod(grid.shape)])
        return _Cells(
            np.zeros((1, len(grid.shape)), np.int64), np.zeros(len(where), np.int64), is_whole
        )
    cells, sizes = np.empty_like(where), np.empty_like(where)
    for dim, length in enumerate(grid.shape):
        offsets = grid.offsets(dim)
        if offsets is None:
            assert grid.chunk_shape is not None
            edge = grid.chunk_shape[dim]
            cells[:, dim] = where[:, dim] // edge
            starts, stops = cells[:, dim] * edge, (cells[:, dim] + 1) * edge
        else:
            bounds = np.array(offsets, np.int64)
            cells[:, dim] = np.searchsorted(bounds, where[:, dim], side="right") - 1
            starts, stops = bounds[cells[:, dim]], bounds[cells[:, dim] + 1]
        sizes[:, dim] = np.minimum(stops, length) - starts
    if math.prod(grid.grid_shape) < _MOST_IDS:
        ids = np.ravel_multi_index(tuple(cells.T), grid.grid_shape)
        _, first, number = np.unique(ids, return_index=True, return_inverse=True)
    else:
        _, first, number = np.unique(cells, axis=0, return_index=True, return_inverse=True)
    number = number.reshape(-1)
    counts = np.bincount(number, minlength=len(first))
    # A product too large for 64 bits is no number of elements that are there.
    return _Cells(cells[first], number, counts == sizes[first].astype(float).prod(axis=1))


def _write_on_condition(
    io: RaggedArrayIO,
    cells: _Cells,
    where: npt.NDArray[np.int64],
    ragged: Ragged,
    retry: Callable[[Callable[[RaggedArrayIO], None]], None],
) -> None:
    """Write whole chunks as they are, and others only onto what they were made from."""

    def rows(chosen: npt.NDArray[np.intp]) -> tuple[npt.NDArray[np.int64], Ragged]:
        return where[chosen], ragged.take(chosen)

    def one(cell: int) -> None:
        part = rows(np.flatnonzero(cells.number == cell))
        retry(lambda again: again.write_ragged(*part))

    whole = np.flatnonzero(cells.is_whole[cells.number])
    if whole.size:
        io.write_ragged(*rows(whole))
    for_each(one, np.flatnonzero(~cells.is_whole).tolist(), limit=remote_concurrency())


read_ragged_async = async_twin(read_ragged)
write_ragged_async = async_twin(write_ragged)

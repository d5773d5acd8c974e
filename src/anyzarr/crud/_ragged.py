"""Elements of variable length without an object per element."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr.abc import Engine, Ragged, Store
from anyzarr.crud._regions import read_region, write_region
from anyzarr.crud._twins import async_twin
from anyzarr.errors import MetadataError, SelectionError
from anyzarr.metadata import ArrayMetadata, parse_array

__all__ = ["read_ragged", "read_ragged_async", "write_ragged", "write_ragged_async"]

Document = Mapping[str, Any]


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
    meta = _variable(metadata, path)
    where = _checked(coords, meta)
    if len(where) == 0:
        return Ragged.empty(0)
    if meta.ndim == 0:
        found = read_region(meta, store, path, (), engine=engine)
        return _ragged_of(np.broadcast_to(found, len(where)))
    found = read_region(meta, store, path, tuple(where.T), mode="vectorized", engine=engine)
    return _ragged_of(found)


def write_ragged(
    metadata: Document | ArrayMetadata,
    store: Store,
    path: str,
    coords: npt.ArrayLike,
    ragged: Ragged,
    *,
    engine: str | Engine | None = None,
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
    meta = _variable(metadata, path)
    where = _checked(coords, meta)
    if len(ragged) != len(where):
        raise MetadataError(
            f"{len(ragged)} elements cannot be written to {len(where)} coordinates; "
            "give one element for each"
        )
    _check_distinct(where)
    values = _elements(ragged, meta)
    if meta.ndim == 0:
        if len(values):
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


def _checked(coords: npt.ArrayLike, meta: ArrayMetadata) -> npt.NDArray[np.int64]:
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


def _check_distinct(where: npt.NDArray[np.int64]) -> None:
    if len(where) < 2:
        return
    columns = where.T[::-1]
    ordered = where[np.lexsort(tuple(columns))] if where.shape[1] else where
    twice = np.flatnonzero((ordered[1:] == ordered[:-1]).all(axis=1))
    if twice.size:
        raise SelectionError(
            f"coordinates {ordered[int(twice[0])].tolist()} are there more than once; "
            "which of the elements is meant cannot be told"
        )


def _ragged_of(values: npt.NDArray[Any]) -> Ragged:
    if values.dtype.kind == "T":
        return Ragged.of([text.encode() for text in values.tolist()])
    return Ragged.of([v.encode() if isinstance(v, str) else v for v in values.tolist()])


def _elements(ragged: Ragged, meta: ArrayMetadata) -> npt.NDArray[Any]:
    values: npt.NDArray[Any] = np.empty(len(ragged), object)
    parts = ragged.to_list()
    if meta.data_type.name == "bytes":
        values[:] = parts
        return values
    try:
        values[:] = [part.decode() for part in parts]
    except UnicodeDecodeError as error:
        raise MetadataError(
            f"{error.object[:20]!r} is not UTF-8 ({error.reason}), which strings are in",
            kind="dtype",
        ) from None
    return values.astype(meta.dtype)


read_ragged_async = async_twin(read_ragged)
write_ragged_async = async_twin(write_ragged)

"""Read and write any selection of an array, through any engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt

from anyzarr._parallel import for_each
from anyzarr.abc import ArrayIO, Box, Engine, IndexedArrayIO, Store
from anyzarr.crud._buffers import as_out, broadcast_value
from anyzarr.crud._guarded import is_conditional, partial_keys, retrying
from anyzarr.crud._locks import locked
from anyzarr.crud._nodes import normalize_path
from anyzarr.crud._process_locks import exclusive
from anyzarr.crud._twins import async_twin
from anyzarr.engines import open_array_io
from anyzarr.errors import ReadOnlyError
from anyzarr.indexing import Part, Selection, partial_cells, parts, resolve, touched
from anyzarr.metadata import ArrayMetadata, as_array_value, parse_array
from anyzarr.stores._base import remote_concurrency

__all__ = [
    "read_box",
    "read_region",
    "read_region_async",
    "write_region",
    "write_region_async",
]

Mode = Literal["numpy", "orthogonal", "vectorized", "block"]
Document = Mapping[str, Any]


def read_box(io: ArrayIO, meta: ArrayMetadata, box: Box, out: npt.NDArray[Any]) -> None:
    """Fill ``out`` with a box, cutting it up where the engine takes no steps."""
    if box.is_contiguous or io.capabilities.steps:
        io.read(box, out)
    else:
        _gather(io, parts(_selection_of(box, meta), meta.subchunk_grid), out)


def _selection_of(box: Box, meta: ArrayMetadata) -> Selection:
    return resolve(box.slices, meta.shape)


def _gather(io: ArrayIO, pieces: Any, out: npt.NDArray[Any]) -> None:
    def one(part: Part) -> None:
        block = np.empty(part.box.shape, out.dtype)
        io.read(part.box, block)
        out[part.target] = block[part.source]

    for_each(one, pieces)


def read_region(
    metadata: Document | ArrayMetadata,
    store: Store,
    path: str,
    selection: Any = ...,
    *,
    mode: Mode = "numpy",
    out: Any = None,
    engine: str | Engine | None = None,
) -> npt.NDArray[Any]:
    """Read a selection of an array.

    Parameters
    ----------
    metadata
        The array's document. It is authoritative: what the store says is not looked up.
    store, path
        Where the chunks are.
    selection
        What numpy accepts in square brackets: integers, slices with any step, Ellipsis,
        newaxis, boolean masks, integer arrays.
    mode
        How arrays in the selection combine: ``numpy`` (as numpy does), ``orthogonal`` (each
        dimension by itself), ``vectorized`` (coordinates of points), ``block`` (chunk-grid
        coordinates).
    out
        Writable memory of the result's shape and the array's dtype, with any strides, written
        straight into: a numpy array, an object with the buffer protocol, or a tensor that
        speaks DLPack, of the processor. Nothing is allocated for the result then.
    engine
        The engine to use; by default the first that can (see :mod:`anyzarr.engines`).

    Returns
    -------
    numpy.ndarray
        ``out`` (as a numpy array over its memory), or a fresh C-contiguous array. Elements
        never written have the fill value.

    Raises
    ------
    SelectionError
        The selection does not fit the array's shape.
    CorruptDataError
        A chunk cannot be decoded; the error names store, key and chunk.
    UnsupportedError
        No engine can read this array.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr import crud
    >>> from anyzarr.metadata import array_document
    >>> from anyzarr.stores import MemoryStore
    >>> document = array_document(shape=(4, 4), dtype="uint8", chunks=(2, 2))
    >>> store = MemoryStore()
    >>> crud.write_region(document, store, "a", np.s_[1:3, ::2], 7)
    >>> crud.read_region(document, store, "a", np.s_[::-1, 0])
    array([0, 7, 7, 0], dtype=uint8)
    """
    meta = parse_array(metadata)
    path = normalize_path(path)
    chosen = resolve(selection, meta.shape, mode=mode, grid=meta.grid)
    result = (
        np.empty(chosen.result_shape, meta.dtype)
        if out is None
        else as_out(out, chosen.result_shape, meta.dtype)
    )
    if chosen.is_empty:
        return result
    _, io = open_array_io(meta, store, path, engine)
    inner = chosen.inner(result)
    if chosen.box is not None:
        read_box(io, meta, chosen.box, inner)
    elif io.capabilities.indexed:
        cast(IndexedArrayIO, io).read_indexed(chosen.factors, inner)
    else:
        _gather(io, parts(chosen, meta.subchunk_grid), inner)
    return result


def write_region(
    metadata: Document | ArrayMetadata,
    store: Store,
    path: str,
    selection: Any,
    value: Any,
    *,
    mode: Mode = "numpy",
    engine: str | Engine | None = None,
) -> None:
    """Write a selection of an array.

    Each chunk or shard is replaced whole, atomically. Parts of a chunk outside the selection
    keep their values, also when others write to it at once; among whom, is told by
    :func:`write_guarantee`. A chunk that ends up all fill value is removed, unless the setting
    ``write_empty_chunks`` is on, or it was written in part on a condition.

    Parameters
    ----------
    metadata, store, path, selection, mode, engine
        As for :func:`read_region`. If an element is selected twice, its last value counts.
    value
        Anything numpy broadcasts to the selection's shape, of a dtype that casts to the
        array's under the rule ``same_kind``.

    Raises
    ------
    SelectionError
        The selection does not fit the array's shape. Nothing was written.
    MetadataError
        The value has the wrong shape or dtype. Nothing was written.
    ReadOnlyError
        The store does not write.
    """
    meta = parse_array(metadata)
    path = normalize_path(path)
    chosen = resolve(selection, meta.shape, mode=mode, grid=meta.grid)
    values = broadcast_value(as_array_value(value, meta.dtype), chosen.result_shape)
    require_writable(store, path)
    if chosen.is_empty:
        return
    inner = chosen.inner(values)
    keys = (meta.chunk_key(path, coords) for coords in touched(chosen, meta.grid))
    if is_conditional(store):
        with locked(store, keys):
            _write_on_condition(meta, store, path, chosen, inner, engine)
        return
    _, io = open_array_io(meta, store, path, engine)
    with locked(store, keys), exclusive(store, partial_keys(meta, path, chosen)):
        if chosen.box is not None and chosen.box.is_contiguous:
            io.write(chosen.box, inner)
        elif io.capabilities.indexed:
            cast(IndexedArrayIO, io).write_indexed(chosen.factors, inner)
        else:
            _scatter(io, parts(chosen, meta.grid), inner, meta)


def _write_on_condition(
    meta: ArrayMetadata,
    store: Store,
    path: str,
    chosen: Selection,
    inner: npt.NDArray[Any],
    engine: str | Engine | None,
) -> None:
    """Write whole chunks as they are, and others only onto what they were made from."""
    _, io = open_array_io(meta, store, path, engine)
    box = chosen.box
    if (
        box is not None
        and box.is_contiguous
        and next(partial_cells(chosen, meta.grid), None) is None
    ):
        io.write(box, inner)
        return

    def one(part: Part) -> None:
        if part.is_whole:
            _scatter(io, [part], inner, meta)
        else:
            retrying(meta, store, path, engine, lambda io: _scatter(io, [part], inner, meta))

    for_each(one, parts(chosen, meta.grid), limit=remote_concurrency())


def _scatter(io: ArrayIO, pieces: Any, inner: npt.NDArray[Any], meta: ArrayMetadata) -> None:
    """Write scattered elements: each touched chunk is read, changed and written once."""

    def one(part: Part) -> None:
        block = np.empty(part.box.shape, meta.dtype)
        if not part.is_whole:
            io.read(part.box, block)
        block[part.source] = inner[part.target]
        io.write(part.box, block)

    for_each(one, pieces)


def require_writable(store: Store, path: str) -> None:
    """Raise :class:`ReadOnlyError` if the store does not write."""
    if not store.capabilities.writable:
        raise ReadOnlyError(
            f"{path or '/'!r} in {store.spec} cannot be written: the store is read-only; "
            "open it with mode='r+', or convert it to a folder or object store first",
            store=str(store.spec),
            path=path,
        )


read_region_async = async_twin(read_region)
write_region_async = async_twin(write_region)

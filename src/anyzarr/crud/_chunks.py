"""Whole chunks and subchunks, decoded or as stored, and the codecs as pure functions."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr import config
from anyzarr.abc import Box, Engine, Store
from anyzarr.crud._buffers import as_out
from anyzarr.crud._locks import locked
from anyzarr.crud._nodes import normalize_path
from anyzarr.crud._regions import require_writable
from anyzarr.crud._twins import async_twin
from anyzarr.engines import cached_codec, choose, open_array_io, read_stored_subchunk
from anyzarr.errors import MetadataError, SelectionError
from anyzarr.metadata import ArrayMetadata, ChunkGrid, as_array_value, parse_array

__all__ = [
    "decode_chunk",
    "decode_chunk_async",
    "delete_chunk",
    "delete_chunk_async",
    "encode_chunk",
    "encode_chunk_async",
    "read_chunk",
    "read_chunk_async",
    "read_encoded_chunk",
    "read_encoded_chunk_async",
    "read_encoded_subchunk",
    "read_encoded_subchunk_async",
    "read_subchunk",
    "read_subchunk_async",
    "write_chunk",
    "write_chunk_async",
    "write_encoded_chunk",
    "write_encoded_chunk_async",
]

Document = Mapping[str, Any]
Coords = Sequence[int]


def _check_coords(coords: Coords, grid: ChunkGrid, what: str) -> tuple[int, ...]:
    """Return coordinates as a tuple of ints after checking them against a grid."""
    chosen = tuple(int(c) for c in coords)
    if len(chosen) != len(grid.grid_shape) or any(
        not 0 <= c < n for c, n in zip(chosen, grid.grid_shape, strict=False)
    ):
        raise SelectionError(
            f"{what} {chosen} is not in the {what} grid of shape {grid.grid_shape}; "
            "coordinates count from 0 and may not be negative",
            kind="chunk_coords",
        )
    return chosen


@functools.lru_cache(maxsize=128)
def _padded(meta: ArrayMetadata) -> ArrayMetadata:
    """Return the array grown to whole chunks, so that edge padding becomes elements."""
    grid = meta.grid
    if grid.chunk_shape is None:
        assert grid.edges is not None
        shape = tuple(sum(edges) for edges in grid.edges)
    else:
        shape = tuple(n * c for n, c in zip(grid.grid_shape, grid.chunk_shape, strict=True))
    return meta if shape == meta.shape else meta.with_document(shape=list(shape))


def _cell(grid: ChunkGrid, coords: tuple[int, ...]) -> Box:
    origin, shape = grid.origin_of(coords), grid.shape_of(coords)
    stop = tuple(o + n for o, n in zip(origin, shape, strict=True))
    return Box(origin, stop, (1,) * len(origin))


def _read_cell(
    meta: ArrayMetadata,
    store: Store,
    path: str,
    box: Box,
    out: Any,
    engine: str | Engine | None,
) -> npt.NDArray[Any]:
    result = np.empty(box.shape, meta.dtype) if out is None else as_out(out, box.shape, meta.dtype)
    if result.size:
        _, io = open_array_io(_padded(meta), store, normalize_path(path), engine)
        io.read(box, result)
    return result


def read_chunk(
    metadata: Document | ArrayMetadata,
    store: Store,
    path: str,
    chunk_coords: Coords,
    *,
    out: Any = None,
    engine: str | Engine | None = None,
) -> npt.NDArray[Any]:
    """Read a whole chunk, edge padding included; on a sharded array a whole shard.

    Parameters
    ----------
    metadata, store, path, out, engine
        As for :func:`read_region`; ``out`` has the chunk's shape.
    chunk_coords
        The chunk's place in the chunk grid.

    Returns
    -------
    numpy.ndarray
        ``out``, or a fresh array; the fill value where nothing is stored.

    Raises
    ------
    SelectionError
        There is no such chunk in the grid.
    CorruptDataError
        The chunk cannot be decoded.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr import crud
    >>> from anyzarr.metadata import array_document
    >>> from anyzarr.stores import MemoryStore
    >>> document = array_document(shape=(3,), dtype="int16", chunks=(2,), fill_value=-1)
    >>> store = MemoryStore()
    >>> crud.write_chunk(document, store, "", (1,), np.array([5, -1], "int16"))
    >>> crud.read_chunk(document, store, "", (1,))
    array([ 5, -1], dtype=int16)
    """
    meta = parse_array(metadata)
    coords = _check_coords(chunk_coords, meta.grid, "chunk")
    return _read_cell(meta, store, path, _cell(meta.grid, coords), out, engine)


def read_subchunk(
    metadata: Document | ArrayMetadata,
    store: Store,
    path: str,
    subchunk_coords: Coords,
    *,
    out: Any = None,
    engine: str | Engine | None = None,
) -> npt.NDArray[Any]:
    """Read one subchunk (inner chunk) of a sharded array, and nothing else of its shard.

    On an array that is not sharded a subchunk is a chunk. Coordinates are those of the
    subchunk grid of the whole array; see :func:`read_chunk` for the rest.
    """
    meta = parse_array(metadata)
    grid = _padded(meta).subchunk_grid
    coords = _check_coords(subchunk_coords, grid, "subchunk")
    return _read_cell(meta, store, path, _cell(grid, coords), out, engine)


def read_encoded_chunk(
    metadata: Document | ArrayMetadata, store: Store, path: str, chunk_coords: Coords
) -> bytes | None:
    """Return the stored bytes of a chunk (or shard), undecoded; None if it is absent."""
    meta = parse_array(metadata)
    coords = _check_coords(chunk_coords, meta.grid, "chunk")
    return store.get(meta.chunk_key(normalize_path(path), coords))


def read_encoded_subchunk(
    metadata: Document | ArrayMetadata, store: Store, path: str, subchunk_coords: Coords
) -> bytes | None:
    """Return the stored bytes of one subchunk, undecoded; None if it is absent.

    Raises
    ------
    UnsupportedError
        Other codecs stand around ``sharding_indexed``: no byte range is one subchunk then.
    CorruptDataError
        The shard index is damaged.
    """
    meta = parse_array(metadata)
    coords = _check_coords(subchunk_coords, _padded(meta).subchunk_grid, "subchunk")
    if meta.sharding is None:
        return read_encoded_chunk(meta, store, path, coords)
    return read_stored_subchunk(meta, store, normalize_path(path), coords)


def decode_chunk(
    metadata: Document | ArrayMetadata,
    data: bytes | bytearray | memoryview,
    *,
    out: Any = None,
    engine: str | Engine | None = None,
) -> npt.NDArray[Any]:
    """Decode the stored bytes of a whole chunk; no storage is touched.

    Parameters
    ----------
    metadata
        The array's document.
    data
        What :func:`read_encoded_chunk` gives.
    out
        Where to put the chunk; see :func:`read_region`.
    engine
        The engine whose codecs to use.

    Returns
    -------
    numpy.ndarray
        ``out``, or a fresh writable array of the chunk's shape.

    Raises
    ------
    CorruptDataError
        The bytes are not a chunk of this array.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr import crud
    >>> from anyzarr.metadata import array_document
    >>> document = array_document(shape=(4,), dtype="uint8", chunks=(4,), compressors="gzip")
    >>> data = crud.encode_chunk(document, np.arange(4, dtype="uint8"))
    >>> crud.decode_chunk(document, data)
    array([0, 1, 2, 3], dtype=uint8)
    """
    meta = parse_array(metadata)
    decoded = cached_codec(choose(meta, None, engine), meta).decode(data)
    if out is not None:
        result = as_out(out, decoded.shape, meta.dtype)
        result[...] = decoded
        return result
    return decoded if decoded.flags.writeable else decoded.copy()


def encode_chunk(
    metadata: Document | ArrayMetadata, value: Any, *, engine: str | Engine | None = None
) -> bytes:
    """Encode a whole chunk; no storage is touched. The inverse of :func:`decode_chunk`.

    Raises
    ------
    MetadataError
        The value does not have exactly the chunk's shape, or its dtype does not cast.
    """
    meta = parse_array(metadata)
    array = as_array_value(value, meta.dtype)
    if meta.grid.chunk_shape is not None:
        _check_chunk_shape(array, meta.grid.chunk_shape)
    return cached_codec(choose(meta, None, engine), meta).encode(array)


def _check_chunk_shape(value: npt.NDArray[Any], shape: tuple[int, ...]) -> None:
    if value.shape != shape:
        raise MetadataError(
            f"the value has shape {value.shape}, but a chunk here has shape {shape}; "
            "give a whole chunk, edge padding included, or use write_region",
            kind="chunk_shape",
        )


def write_chunk(
    metadata: Document | ArrayMetadata,
    store: Store,
    path: str,
    chunk_coords: Coords,
    value: Any,
    *,
    write_empty_chunks: bool | None = None,
    engine: str | Engine | None = None,
) -> None:
    """Write a whole chunk (or shard), edge padding included. The stored one is not read.

    Parameters
    ----------
    metadata, store, path, engine
        As for :func:`read_region`.
    chunk_coords
        The chunk's place in the chunk grid.
    value
        An array of exactly the chunk's shape.
    write_empty_chunks
        Store a chunk that is all fill value too. Otherwise it is dropped, and a stored one
        deleted. NaN equals NaN here, and 0.0 differs from -0.0.

    Raises
    ------
    MetadataError
        Wrong shape or dtype. Nothing was written.
    """
    meta = parse_array(metadata)
    coords = _check_coords(chunk_coords, meta.grid, "chunk")
    array = as_array_value(value, meta.dtype)
    box = _cell(meta.grid, coords)
    _check_chunk_shape(array, box.shape)
    path = normalize_path(path)
    require_writable(store, path)
    if write_empty_chunks is None:
        write_empty_chunks = bool(config.get("write_empty_chunks"))
    _, io = open_array_io(_padded(meta), store, path, engine)
    with (
        config.scope(write_empty_chunks=write_empty_chunks),
        locked(store, [meta.chunk_key(path, coords)]),
    ):
        io.write(box, array)


def write_encoded_chunk(
    metadata: Document | ArrayMetadata,
    store: Store,
    path: str,
    chunk_coords: Coords,
    data: bytes | bytearray | memoryview,
) -> None:
    """Store bytes as a chunk (or shard), as they are: the caller vouches for them."""
    meta = parse_array(metadata)
    coords = _check_coords(chunk_coords, meta.grid, "chunk")
    key = meta.chunk_key(normalize_path(path), coords)
    with locked(store, [key]):
        store.put(key, data)


def delete_chunk(
    metadata: Document | ArrayMetadata, store: Store, path: str, chunk_coords: Coords
) -> None:
    """Delete the stored chunk (or shard); absent is no error. It reads as the fill value then."""
    meta = parse_array(metadata)
    coords = _check_coords(chunk_coords, meta.grid, "chunk")
    key = meta.chunk_key(normalize_path(path), coords)
    with locked(store, [key]):
        store.delete(key)


read_chunk_async = async_twin(read_chunk)
read_subchunk_async = async_twin(read_subchunk)
read_encoded_chunk_async = async_twin(read_encoded_chunk)
read_encoded_subchunk_async = async_twin(read_encoded_subchunk)
decode_chunk_async = async_twin(decode_chunk)
encode_chunk_async = async_twin(encode_chunk)
write_chunk_async = async_twin(write_chunk)
write_encoded_chunk_async = async_twin(write_encoded_chunk)
delete_chunk_async = async_twin(delete_chunk)

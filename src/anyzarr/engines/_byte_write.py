"""Write chunks and shards as bytes: whole ones without reading, parts by read-modify-write."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr import config
from anyzarr._parallel import for_each
from anyzarr.engines._cells import Cell, Cells, view
from anyzarr.engines._chunk_access import ChunkAccess
from anyzarr.engines._codec_edge import Data
from anyzarr.engines._shard_index import ShardLayout
from anyzarr.engines._shard_read import shard_index, slice_shard, subchunks_of
from anyzarr.errors import CorruptDataError
from anyzarr.metadata import is_fill

__all__ = ["write_chunks"]


def write_chunks(access: ChunkAccess, cells: Cells, value: npt.NDArray[Any]) -> None:
    """Write ``value`` into these cells of the grid, each key all or nothing."""
    keep_empty = bool(config.get("write_empty_chunks"))
    one = _write_chunk if access.layout is None else _write_shard

    def write(cell: Cell) -> None:
        encoded = one(access, cell, view(value, cell.target), keep_empty)
        key = access.key(cell.coords)
        if encoded is None:
            access.store.delete(key)
        else:
            access.store.put(key, encoded)

    for_each(write, cells, limit=1 if len(cells) < 2 else access.put_width)


def _write_chunk(
    access: ChunkAccess, cell: Cell, value: npt.NDArray[Any], keep_empty: bool
) -> bytes | None:
    shape = access.metadata.grid.shape_of(cell.coords)
    stored = None if cell.is_whole else access.store.get(access.key(cell.coords))
    before = None if stored is None else access.decode_chunk(stored, cell.coords)
    chunk = _merged(access, shape, before, cell, value)
    if not keep_empty and is_fill(chunk, access.fill):
        return None
    return access.encode_chunk(chunk, cell.coords)


def _merged(
    access: ChunkAccess,
    shape: tuple[int, ...],
    before: npt.NDArray[Any] | None,
    cell: Cell,
    value: npt.NDArray[Any],
) -> npt.NDArray[Any]:
    """Return the chunk with ``value`` in its place; ``before`` is None where nothing is stored."""
    if value.shape == shape:
        return value
    chunk: npt.NDArray[Any] = np.empty(shape, access.dtype)
    chunk[...] = access.fill if before is None else before
    view(chunk, cell.within)[...] = value
    return chunk


def _write_shard(
    access: ChunkAccess, cell: Cell, value: npt.NDArray[Any], keep_empty: bool
) -> bytes | None:
    layout = access.layout
    assert layout is not None
    stored = None if cell.is_whole else access.store.get(access.key(cell.coords))
    subchunks = {} if stored is None else _stored_subchunks(access, layout, stored, cell)

    def write(sub: Cell) -> None:
        old = None if sub.is_whole else subchunks.get(sub.coords)
        before = None if old is None else access.decode_subchunk(old, cell.coords, sub.coords)
        part = view(value, sub.target)
        chunk = _merged(access, access.subchunk_shape, before, sub, part)
        if not keep_empty and is_fill(chunk, access.fill):
            subchunks.pop(sub.coords, None)
        else:
            subchunks[sub.coords] = access.encode_subchunk(chunk, cell.coords)

    for_each(write, subchunks_of(access, cell))
    return layout.assemble(subchunks) if subchunks else None


def _stored_subchunks(
    access: ChunkAccess, layout: ShardLayout, shard: bytes, cell: Cell
) -> dict[tuple[int, ...], Data]:
    """Return the encoded subchunks of a shard, as views on it."""
    index = shard_index(access, layout, shard, cell)
    found: dict[tuple[int, ...], Data] = {}
    for coords in np.ndindex(*layout.subchunks):
        try:
            span = index.range_of(coords)
        except CorruptDataError as error:
            raise access.corrupt(error.message, cell.coords) from error
        if span is not None:
            found[coords] = slice_shard(access, shard, span, cell.coords, coords)
    return found

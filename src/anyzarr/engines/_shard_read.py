"""Read parts of shards: the index, then the byte ranges of the subchunks that are wanted."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from anyzarr._parallel import for_each
from anyzarr.abc import Box, ByteRange, Request
from anyzarr.engines._cells import Cell, Cells, cells_of, view
from anyzarr.engines._chunk_access import ChunkAccess
from anyzarr.engines._codec_edge import Data
from anyzarr.engines._shard_index import ShardIndex, ShardLayout
from anyzarr.engines._snapshots import Snapshots
from anyzarr.errors import CorruptDataError
from anyzarr.metadata import ChunkGrid

__all__ = ["read_shards", "shard_index", "slice_shard", "subchunks_of"]

_WHOLE_SHARD_BYTES = 64 << 20
"""Shards that decode to more than this are never fetched whole: ranges run in parallel."""

_FETCH_BYTES = 64 << 20
"""Most encoded bytes of subchunks held at once, per thread."""

_FETCH_PIECES = 64


@dataclass(frozen=True, slots=True)
class _Piece:
    """One stored subchunk that is wanted.

    Attributes
    ----------
    shard
        Coordinates of the shard.
    coords
        Coordinates of the subchunk within the shard.
    span
        Its bytes in the shard, ``[start, stop)``.
    within, target
        What of it goes where in the output.
    """

    shard: tuple[int, ...]
    coords: tuple[int, ...]
    span: tuple[int, int]
    within: tuple[slice, ...]
    target: npt.NDArray[Any]


def subchunks_of(access: ChunkAccess, cell: Cell) -> Cells:
    """Return the subchunks that a part of a shard touches, in coordinates within the shard."""
    box = Box(
        tuple(w.start for w in cell.within),
        tuple(w.stop for w in cell.within),
        tuple(w.step for w in cell.within),
    )
    extent = access.metadata.grid.extent_of(cell.coords)
    inside = tuple(e.stop - e.start for e in extent)
    return cells_of(box, ChunkGrid(inside, access.subchunk_shape))


def shard_index(access: ChunkAccess, layout: ShardLayout, data: Data, cell: Cell) -> ShardIndex:
    """Return the index of a shard, from its own bytes or those of the whole shard."""
    try:
        return layout.decode(layout.find(data))
    except CorruptDataError as error:
        raise access.corrupt(error.message, cell.coords) from error


def read_shards(access: ChunkAccess, cells: Sequence[Cell], out: npt.NDArray[Any]) -> None:
    """Fill the parts of ``out`` that lie in these shards, in two rounds of requests."""
    layout = access.layout
    assert layout is not None
    wanted = [subchunks_of(access, cell) for cell in cells]
    first = [_first_request(access, layout, c, len(w)) for c, w in zip(cells, wanted, strict=True)]
    pieces: list[_Piece] = []
    snapshots = Snapshots(access.store)
    found = snapshots.get_many(first)
    for cell, subs, request, data in zip(cells, wanted, first, found, strict=True):
        target = view(out, cell.target)
        if data is None:
            target[...] = access.fill
        elif request[1] is None:
            _place_from_shard(access, layout, data, cell, subs, target)
        else:
            pieces += _stored(access, layout, data, cell, subs, target)
    for_each(lambda group: _fetch(access, snapshots, group), _groups(pieces), limit=access.width)


def _first_request(access: ChunkAccess, layout: ShardLayout, cell: Cell, n_wanted: int) -> Request:
    shape = access.metadata.grid.shape_of(cell.coords)
    fits = math.prod(shape) * access.dtype.itemsize <= _WHOLE_SHARD_BYTES
    whole = fits and 2 * n_wanted > math.prod(layout.subchunks)
    return access.key(cell.coords), None if whole else layout.byte_range


def _stored(
    access: ChunkAccess,
    layout: ShardLayout,
    data: bytes,
    cell: Cell,
    subs: Cells,
    target: npt.NDArray[Any],
) -> Iterator[_Piece]:
    """Yield the wanted subchunks that are stored; fill in the others.

    ``data`` is the whole shard or its encoded index.
    """
    index = shard_index(access, layout, data, cell)
    for sub in subs:
        try:
            span = index.range_of(sub.coords)
        except CorruptDataError as error:
            raise access.corrupt(error.message, cell.coords) from error
        part = view(target, sub.target)
        if span is None:
            part[...] = access.fill
        else:
            yield _Piece(cell.coords, sub.coords, span, sub.within, part)


def _groups(pieces: Sequence[_Piece]) -> Iterator[list[_Piece]]:
    """Cut the pieces into lists of bounded length and size."""
    group: list[_Piece] = []
    held = 0
    for piece in pieces:
        size = piece.span[1] - piece.span[0]
        if group and (len(group) >= _FETCH_PIECES or held + size > _FETCH_BYTES):
            yield group
            group, held = [], 0
        group.append(piece)
        held += size
    if group:
        yield group


def _fetch(access: ChunkAccess, snapshots: Snapshots, group: Sequence[_Piece]) -> None:
    requests: list[Request] = [(access.key(p.shard), ByteRange(*p.span)) for p in group]
    found = snapshots.get_many(requests)

    def place(item: tuple[_Piece, bytes | None]) -> None:
        piece, data = item
        size = piece.span[1] - piece.span[0]
        if data is None or len(data) != size:
            _place_again(access, piece)
            return
        try:
            _place(access, piece, data)
        except CorruptDataError:
            _place_again(access, piece)

    for_each(place, zip(group, found, strict=True), limit=1 if len(group) < 2 else None)


def _place(access: ChunkAccess, piece: _Piece, data: Data) -> None:
    chunk = access.decode_subchunk(data, piece.shard, piece.coords)
    piece.target[...] = view(chunk, piece.within)


def _place_again(access: ChunkAccess, piece: _Piece) -> None:
    """Read the subchunk from one consistent copy of its shard.

    Between reading the index and the subchunk another writer may have replaced the shard; a
    single get of the whole is all of one or all of the other. What fails now is corrupt.
    """
    layout = access.layout
    assert layout is not None
    shard = access.store.get(access.key(piece.shard))
    if shard is None:
        piece.target[...] = access.fill
        return
    try:
        span = layout.decode(layout.find(shard)).range_of(piece.coords)
    except CorruptDataError as error:
        raise access.corrupt(error.message, piece.shard) from error
    if span is None:
        piece.target[...] = access.fill
        return
    data = slice_shard(access, shard, span, piece.shard, piece.coords)
    _place(access, piece, data)


def slice_shard(
    access: ChunkAccess,
    shard: Data,
    span: tuple[int, int],
    coords: tuple[int, ...],
    sub: tuple[int, ...],
) -> memoryview:
    """Return the bytes of a subchunk in a whole shard, without copying."""
    start, stop = span
    if stop > len(shard):
        raise access.corrupt(
            f"the shard index places subchunk {sub} at bytes [{start}, {stop}), past the shard's "
            f"{len(shard)} bytes",
            coords,
        )
    return memoryview(shard)[start:stop]


def _place_from_shard(
    access: ChunkAccess,
    layout: ShardLayout,
    shard: bytes,
    cell: Cell,
    subs: Cells,
    target: npt.NDArray[Any],
) -> None:
    def place(piece: _Piece) -> None:
        data = slice_shard(access, shard, piece.span, piece.shard, piece.coords)
        _place(access, piece, data)

    for_each(place, list(_stored(access, layout, shard, cell, subs, target)))

"""Array I/O over any store for any engine: we move the bytes, the engine decodes them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy.typing as npt

from anyzarr._parallel import for_each
from anyzarr.abc import Box, IOCapabilities, Request, Store
from anyzarr.engines._byte_write import write_chunks
from anyzarr.engines._cells import Cell, Cells, cells_of, view
from anyzarr.engines._chunk_access import ChunkAccess, CodecOf
from anyzarr.engines._shard_read import read_shards
from anyzarr.metadata import ArrayMetadata

__all__ = ["ByteLayerIO"]

_LOCAL_BATCH = 8
_REMOTE_BATCH = 32
_BATCH_BYTES = 64 << 20


class ByteLayerIO:
    """The chunk data of one array, through anyzarr's own store layer.

    This is what gives every engine every store. It fetches only the chunks, and of sharded
    arrays only the subchunks, that hold selected elements: one request for the index of a
    shard, then one batch for the subchunks, which the store merges. Decoding runs on the
    threads of :mod:`anyzarr._parallel`.

    Writes re-encode only the subchunks they touch and copy the other encoded ones; a write
    of a whole chunk or shard reads nothing. Shards are laid out in C order, so the same
    content gives the same bytes. Chunks and subchunks that are all fill value are left out,
    unless ``anyzarr.config.get("write_empty_chunks")``.

    Safe for concurrent readers; writers of one chunk are kept apart by the caller.

    Parameters
    ----------
    metadata, store, path
        The array.
    codec_of
        Given the metadata of an array of one chunk, the engine's codec for that chunk; called
        once per chunk shape. Usually the engine's ``codec``.
    engine_name
        Named in errors.
    native_handle
        The engine's own array object, if there is one.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr import metadata
    >>> from anyzarr.abc import Box
    >>> from anyzarr.engines import ByteLayerIO, get_engine
    >>> from anyzarr.stores import MemoryStore
    >>> doc = metadata.array_document(shape=(4,), dtype="uint8", chunks=(2,))
    >>> meta = metadata.parse_array(doc)
    >>> io = ByteLayerIO(meta, MemoryStore(), "", get_engine("zarr").codec, "zarr")
    >>> io.write(Box((1,), (3,), (1,)), np.array([7, 8], "uint8"))
    >>> out = np.empty(2, "uint8")
    >>> io.read(Box((0,), (4,), (2,)), out)
    >>> out
    array([0, 8], dtype=uint8)
    """

    def __init__(
        self,
        metadata: ArrayMetadata,
        store: Store,
        path: str,
        codec_of: CodecOf,
        engine_name: str,
        *,
        native_handle: Any = None,
    ) -> None:
        self._access = ChunkAccess(metadata, store, path, codec_of, engine_name)
        self._native_handle = native_handle

    @property
    def capabilities(self) -> IOCapabilities:
        """Any step; through the byte layer."""
        return IOCapabilities(steps=True, byte_layer=True)

    @property
    def native_handle(self) -> Any:
        """What was given, or None."""
        return self._native_handle

    def read(self, box: Box, out: npt.NDArray[Any]) -> None:
        """Fill ``out`` with the elements of ``box``; see :class:`anyzarr.abc.ArrayIO`.

        Raises
        ------
        CorruptDataError
            With store, key and chunk.
        """
        access = self._access
        cells = cells_of(box, access.metadata.grid)
        if access.layout is not None:
            each = read_shards
        else:
            each = _read_chunks
        for_each(
            lambda batch: each(access, batch, out),
            _batches(cells, self._batch_size(cells)),
            limit=1 if len(cells) < 2 else access.width,
        )

    def write(self, box: Box, value: npt.NDArray[Any]) -> None:
        """Store ``value`` in ``box``; see :class:`anyzarr.abc.ArrayIO`.

        Raises
        ------
        CorruptDataError
            An existing chunk that is written in part cannot be decoded; it is left as it is.
        """
        write_chunks(self._access, cells_of(box, self._access.metadata.grid), value)

    def _batch_size(self, cells: Cells) -> int:
        access = self._access
        most = _REMOTE_BATCH if access.is_remote else _LOCAL_BATCH
        shape = access.metadata.grid.chunk_shape or (1,)
        chunk_bytes = max(1, math.prod(shape) * access.dtype.itemsize)
        fair = -(-len(cells) // access.width)
        return max(1, min(most, fair, _BATCH_BYTES // chunk_bytes))


def _batches(cells: Cells, size: int) -> Iterator[tuple[Cell, ...]]:
    remaining = iter(cells)
    while batch := tuple(itertools.islice(remaining, size)):
        yield batch


def _read_chunks(access: ChunkAccess, cells: Sequence[Cell], out: npt.NDArray[Any]) -> None:
    requests: list[Request] = [(access.key(cell.coords), None) for cell in cells]
    for cell, data in zip(cells, access.store.get_many(requests), strict=True):
        target = view(out, cell.target)
        if data is None:
            target[...] = access.fill
        else:
            target[...] = view(access.decode_chunk(data, cell.coords), cell.within)

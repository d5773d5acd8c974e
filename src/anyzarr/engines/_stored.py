"""One encoded subchunk, as it lies in its shard."""

from __future__ import annotations

from anyzarr.abc import ByteRange, Store
from anyzarr.engines._codec_edge import corrupt, store_name
from anyzarr.engines._shard_index import ShardLayout
from anyzarr.errors import CorruptDataError, UnsupportedError
from anyzarr.metadata import ArrayMetadata

__all__ = ["read_stored_subchunk"]

Coords = tuple[int, ...]


def read_stored_subchunk(
    metadata: ArrayMetadata, store: Store, path: str, coords: Coords
) -> bytes | None:
    """Return the stored bytes of one subchunk, undecoded; None if it is absent.

    Parameters
    ----------
    metadata, store, path
        A sharded array.
    coords
        In the grid of all subchunks of the array.

    Raises
    ------
    UnsupportedError
        ``sharding_indexed`` is not the only codec, the chunk grid is not regular, or the index
        has unusual codecs: then no range of stored bytes is known to be one subchunk.
    CorruptDataError
        The shard is too short, or its index is damaged.
    """
    layout = _layout(metadata, store, path)
    shard = tuple(c // n for c, n in zip(coords, layout.subchunks, strict=True))
    within = tuple(c % n for c, n in zip(coords, layout.subchunks, strict=True))
    key = metadata.chunk_key(path, shard)
    try:
        return _read(layout, store, key, within)
    except CorruptDataError as error:
        if error.key is not None:
            raise
        raise corrupt(
            error.message, store=store, key=key, chunk_coords=shard, engine=None
        ) from error


def _read(layout: ShardLayout, store: Store, key: str, within: Coords) -> bytes | None:
    index = store.get(key, layout.byte_range)
    if index is None:
        return None
    span = layout.decode(index).range_of(within)
    if span is None:
        return None
    data, again = store.get_many([(key, ByteRange(*span)), (key, layout.byte_range)])
    if again == index and data is not None and len(data) == span[1] - span[0]:
        return data
    # Replaced meanwhile, or corrupt: one copy of the whole shard tells.
    shard = store.get(key)
    if shard is None:
        return None
    span = layout.decode(layout.find(shard)).range_of(within)
    if span is not None and span[1] > len(shard):
        raise CorruptDataError(
            f"the shard index places subchunk {within} at bytes [{span[0]}, {span[1]}), past the "
            f"shard's {len(shard)} bytes"
        )
    return None if span is None else shard[slice(*span)]


def _layout(metadata: ArrayMetadata, store: Store, path: str) -> ShardLayout:
    shape, sharding = metadata.grid.chunk_shape, metadata.sharding
    layout = None
    if metadata.is_exclusively_sharded and sharding is not None and shape is not None:
        layout = ShardLayout.of(shape, sharding)
    if layout is None:
        raise UnsupportedError(
            f"the subchunks of {path or 'the array'!r} have no bytes of their own: that takes a "
            "regular grid, sharding_indexed as the only codec, and an index of bytes and crc32c",
            store=store_name(store),
            path=path,
        )
    return layout

"""``zstd:``: what a zstd file decompresses to (RFC 8878, with any number of frames)."""

from __future__ import annotations

from anyzarr.stores._adapters._gzip import refuse_path
from anyzarr.stores._adapters._source import Opened, UrlSource
from anyzarr.stores._decoded import DecodedStore

__all__ = ["open_step"]


def open_step(source: UrlSource, body: str) -> Opened:
    """Return the decompressed object."""
    refuse_path("zstd", source, body)
    store = DecodedStore(source.as_object(), "zstd")
    return store, store.key

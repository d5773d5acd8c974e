"""``gzip:``: what a gzip file decompresses to (RFC 1952, with any number of members)."""

from __future__ import annotations

from anyzarr.errors import StoreError
from anyzarr.stores._adapters._source import Opened, UrlSource
from anyzarr.stores._decoded import DecodedStore

__all__ = ["open_step", "refuse_path"]


def open_step(source: UrlSource, body: str) -> Opened:
    """Return the decompressed object."""
    refuse_path("gzip", source, body)
    store = DecodedStore(source.as_object(), "gzip")
    return store, store.key


def refuse_path(name: str, source: UrlSource, body: str) -> None:
    """Refuse a path after the colon of a step that gives one object."""
    if body.strip("/"):
        raise StoreError(
            f"'{name}:{body}' after {source} gives a path, and there is one object in what "
            f"is compressed: write '{name}:', and the path after the step that opens the object",
            store=str(source),
            kind="malformed_pipeline",
        )

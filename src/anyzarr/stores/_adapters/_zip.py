"""``zip:`` and ``ozx:``: what lies in an archive."""

from __future__ import annotations

import os
from urllib.parse import unquote

from anyzarr.errors import NodeNotFoundError, StoreError
from anyzarr.stores._adapters._source import Opened, UrlSource
from anyzarr.stores._zip import ZipStore

__all__ = ["archive_of", "open_step"]


def open_step(source: UrlSource, body: str) -> Opened:
    """Return the archive, and the path in it that the step gives."""
    return archive_of(source), unquote(body, errors="surrogateescape").strip("/")


def archive_of(source: UrlSource) -> ZipStore:
    """Return the archive that is left of the step."""
    path = source.local_path
    if path is None:
        return ZipStore(source.as_object())
    if not os.path.lexists(path):
        raise NodeNotFoundError(
            f"there is no archive at {path!r}: check the path",
            store=path,
        )
    if source.options:
        raise StoreError(
            f"the archive {path!r} is a local file and takes no options (got "
            f"{', '.join(sorted(source.options))}): leave them out",
            store=path,
        )
    return ZipStore(path)

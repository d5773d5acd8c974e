"""``icechunk:``: a version of an icechunk repository.

``icechunk:path`` is the branch ``main``; ``icechunk://branch.NAME/path``,
``icechunk://tag.NAME/path`` and ``icechunk://SNAPSHOT/path`` name another version. Neuroglancer
writes ``@`` in place of the two slashes, which is read as well.
"""

from __future__ import annotations

from urllib.parse import unquote

from anyzarr.errors import UnsupportedError
from anyzarr.stores._adapters._source import Opened, UrlSource
from anyzarr.stores._icechunk import IcechunkStore

__all__ = ["open_step"]


def open_step(source: UrlSource, body: str) -> Opened:
    """Return the store of the version, and the path in it."""
    root = source.local_path or source.url
    if "|" in root and source.local_path is None:
        raise UnsupportedError(
            f"'icechunk:' after {source} would read a repository inside of something else, and "
            "icechunk opens folders and object stores by itself: unpack it there",
            store=str(source),
        )
    version, path = "branch.main", body
    if body.startswith(("//", "@")):
        version, _, path = body.removeprefix("//").removeprefix("@").partition("/")
    store = IcechunkStore(root.rstrip("/"), unquote(version), **source.options)
    return store, unquote(path).strip("/")

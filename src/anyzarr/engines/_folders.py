"""The folder that libraries in other languages can be given."""

from __future__ import annotations

from anyzarr.abc import Store

__all__ = ["folder_of"]


def folder_of(store: Store, path: str) -> str | None:
    """Return the folder of a store whose objects are files; None if it has none to be named.

    File names are bytes, and libraries take them as text in UTF-8: what is not, is read and
    written through our store layer.
    """
    root = store.capabilities.local_root
    if root is None or (root.isascii() and path.isascii()):
        return root
    try:
        f"{root}/{path}".encode()
    except UnicodeEncodeError:
        return None
    return root

"""Keys and prefixes: what they may look like, and how they are joined."""

from __future__ import annotations

import functools
from typing import Final

from anyzarr.errors import StoreError

__all__ = [
    "DOCUMENTS",
    "as_prefix",
    "is_document_key",
    "is_key",
    "join",
    "validate_key",
    "validate_prefix",
]

DOCUMENTS: Final = frozenset({"zarr.json", ".zarray", ".zgroup", ".zattrs", ".zmetadata"})
"""Names of metadata documents, of Zarr v2 and v3."""

_BAD_SEGMENTS = frozenset({"", ".", ".."})


@functools.lru_cache(maxsize=4096)
def _is_path(text: str) -> bool:
    return "\0" not in text and _BAD_SEGMENTS.isdisjoint(text.split("/"))


def is_key(key: object) -> bool:
    return isinstance(key, str) and _is_path(key)


def is_document_key(key: str) -> bool:
    """Return whether a key is that of a metadata document rather than of a chunk."""
    return key.rpartition("/")[2] in DOCUMENTS


def validate_key(key: str, *, store: str | None = None) -> str:
    """Return the key unchanged, or refuse it.

    Parameters
    ----------
    key
        ``/``-joined and relative, without empty, ``.`` or ``..`` segments or null characters,
        so that no key can name anything outside its store.
    store
        The store's printable address, for the error.

    Raises
    ------
    StoreError
        With ``kind`` ``invalid_key``.

    Examples
    --------
    >>> from anyzarr.stores import validate_key
    >>> validate_key("image/c/0/0")
    'image/c/0/0'
    """
    if not is_key(key):
        raise StoreError(
            f"{key!r} is not a key of {store or 'a store'}: a key is relative, with '/' between "
            "its segments, none of them empty, '.' or '..'",
            store=store,
            key=str(key),
            kind="invalid_key",
        )
    return key


def validate_prefix(prefix: str, *, store: str | None = None) -> str:
    """Return the prefix unchanged, or refuse it: ``""``, or a key followed by ``/``.

    Raises
    ------
    StoreError
        With ``kind`` ``invalid_key``.
    """
    if prefix == "":
        return prefix
    if not (is_key(prefix[:-1]) and prefix.endswith("/")):
        raise StoreError(
            f"{prefix!r} is not a prefix of {store or 'a store'}: a prefix is '' or ends in '/', "
            "and has no segment that is empty, '.' or '..'",
            store=store,
            key=str(prefix),
            kind="invalid_key",
        )
    return prefix


def as_prefix(path: str) -> str:
    """Return a path as the prefix of what is below it: ``"a/b"`` as ``"a/b/"``, ``""`` as is."""
    path = path.strip("/")
    return f"{path}/" if path else ""


def join(*parts: str) -> str:
    """Join paths, prefixes and names into a key, as strings.

    Examples
    --------
    >>> from anyzarr.stores import join
    >>> join("plate/A/1", "zarr.json"), join("", "zarr.json"), join("a/", "b")
    ('plate/A/1/zarr.json', 'zarr.json', 'a/b')
    """
    return "/".join(stripped for part in parts if (stripped := part.strip("/")))

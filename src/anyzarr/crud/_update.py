"""Changing what is stored, starting from what is stored now, so that no one's change is lost."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal

from anyzarr.abc import ABSENT, Precondition, Store
from anyzarr.crud._nodes import (
    changing,
    encode_node,
    node_lock_key,
    normalize_path,
    read_metadata,
)
from anyzarr.crud._process_locks import exclusive
from anyzarr.crud._twins import async_twin
from anyzarr.errors import ConflictError
from anyzarr.stores import join

__all__ = ["update_attributes", "update_attributes_async"]

Change = Callable[[dict[str, Any]], Mapping[str, Any]]
ZarrFormat = Literal[2, 3]

_ATTEMPTS = 60
_FIRST_PAUSE_SECONDS = 0.005
_LONGEST_PAUSE_SECONDS = 0.5


def update_attributes(
    store: Store, path: str, change: Change, *, zarr_format: ZarrFormat | None = None
) -> dict[str, Any]:
    """Change the attributes of a node, starting from those that are stored now.

    Parameters
    ----------
    store, path
        The node.
    change
        Takes the stored attributes and returns the new ones. It may change what it is given,
        and may be called again where another writer was faster, so it has no other effect.
    zarr_format
        Look for a node of this format only.

    Returns
    -------
    dict
        The node's document with the new attributes.

    Raises
    ------
    NodeNotFoundError
        There is no node at the path.
    ConflictError
        Other writers were faster again and again.
    ReadOnlyError
        The store does not write.

    Notes
    -----
    No change is lost between threads of one process on any store; between processes of one user
    and host on a local folder (an advisory lock outside the dataset); and between any writers
    on a store with conditional puts (S3, GCS, Azure, memory), which all of them must use. Where
    none of this holds (other hosts on a network file system, fsspec's remote file systems), the
    last writer of a document wins.

    Examples
    --------
    >>> from anyzarr import crud
    >>> from anyzarr.metadata import group_document
    >>> from anyzarr.stores import MemoryStore
    >>> store = MemoryStore()
    >>> crud.create_new_group(group_document(attributes={"n": 1}), store)
    >>> document = crud.update_attributes(store, "", lambda stored: {"n": stored["n"] + 1})
    >>> document["attributes"]
    {'n': 2}
    """
    path = normalize_path(path)
    with changing(store, path), exclusive(store, [node_lock_key(path)]):
        return _until_no_conflict(store, path, change, zarr_format)


def _until_no_conflict(
    store: Store, path: str, change: Change, zarr_format: ZarrFormat | None
) -> dict[str, Any]:
    pause = _FIRST_PAUSE_SECONDS
    for attempt in range(_ATTEMPTS):
        try:
            return _once(store, path, change, zarr_format)
        except ConflictError:
            if attempt == _ATTEMPTS - 1:
                raise
        time.sleep(random.uniform(0, pause))
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
    raise AssertionError("the last attempt returns or raises")


def _once(
    store: Store, path: str, change: Change, zarr_format: ZarrFormat | None
) -> dict[str, Any]:
    # The tags come first: what is read after them is as new, or the put finds out.
    tags = _tags(store, path)
    document = read_metadata(store, path, zarr_format=zarr_format)
    document["attributes"] = dict(change(document.get("attributes", {})))
    key = join(path, ".zattrs" if document["zarr_format"] == 2 else "zarr.json")
    store.put(key, encode_node(document, path)[key], precondition=tags.get(key))
    return document


def _tags(store: Store, path: str) -> dict[str, Precondition | None]:
    if not store.capabilities.conditional_put:
        return {}
    tags: dict[str, Precondition | None] = {}
    for name in ("zarr.json", ".zattrs"):
        info = store.head(join(path, name))
        tags[join(path, name)] = ABSENT if info is None else info.etag
    return tags


update_attributes_async = async_twin(update_attributes)

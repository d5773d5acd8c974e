"""Whether the root of a store is the root of a hierarchy."""

from __future__ import annotations

import json

from anyzarr._ozx._order import Contents
from anyzarr.abc import Store
from anyzarr.errors import MetadataError, NodeNotFoundError

__all__ = ["require_root"]


def require_root(store: Store, contents: Contents) -> None:
    """Check that a store's root is a node.

    Raises
    ------
    NodeNotFoundError
        It is not; the message says where the nearest node is.
    MetadataError
        Its document is truncated or not JSON.
    """
    if contents.zarr_format is None:
        raise _no_root(store, contents)
    for item in contents.documents:
        if "/" not in item.key:
            _check_document(store, item.key)


def _check_document(store: Store, key: str) -> None:
    try:
        document = json.loads(store.get(key) or b"")
    except (ValueError, RecursionError) as error:
        reason = str(error)
    else:
        if isinstance(document, dict):
            return
        reason = f"a JSON object is wanted, and this is of type {type(document).__name__}"
    raise MetadataError(
        f"the metadata of the root, {key!r} in {store.spec}, cannot be used: {reason}; restore it, "
        "or write the hierarchy anew",
        store=str(store.spec),
        path="",
        key=key,
    )


def _no_root(store: Store, contents: Contents) -> NodeNotFoundError:
    sentence = f"there is no Zarr node at the root of {store.spec}"
    folders = sorted({item.key.rpartition("/")[0] for item in contents.documents})
    if folders:
        remedy = f"the nearest one is at {folders[0]!r}: give that location instead"
    else:
        remedy = "give the location of a Zarr group or array"
    return NodeNotFoundError(f"{sentence}; {remedy}", store=str(store.spec), path="")

"""``tree``: a hierarchy with everything below a location."""

from __future__ import annotations

from typing import Any

from anyzarr._info._describe import chosen_engine
from anyzarr._nodes import TreeNode, locate, tree_of
from anyzarr.abc import Store
from anyzarr.metadata import ArrayMetadata

__all__ = ["tree"]


def tree(
    location: Any,
    *,
    path: str = "",
    depth: int | None = None,
    engines: bool = False,
    backend: str | None = None,
    **backend_kwargs: Any,
) -> TreeNode:
    """Return the node at a location with all arrays and groups below it.

    Only metadata is read. Children come in natural order: ``2`` before ``10``.

    Parameters
    ----------
    location, path, backend, **backend_kwargs
        As for :func:`anyzarr.info`.
    depth
        How many levels below the node to look at; default all.
    engines
        Whether to tell which engine reads each array.

    Raises
    ------
    NodeNotFoundError
        There is no Zarr array or group there.
    MetadataError
        The metadata of a node is not valid; the message names it.

    Examples
    --------
    >>> import anyzarr
    >>> from anyzarr._info import tree
    >>> store = {}
    >>> group = anyzarr.create_group(store)
    >>> array = group.create_array("a", shape=(3,), dtype="int8")
    >>> [node.path for node in tree(store).walk()]
    ['', 'a']
    """
    store, path = locate(location, path, backend, backend_kwargs)
    name = (path or store.spec.root.rstrip("/")).rpartition("/")[2]
    return tree_of(store, path, name or "/", depth, _engine_of if engines else None)


def _engine_of(metadata: ArrayMetadata, store: Store, path: str) -> str | None:
    return chosen_engine(metadata, store, path).name

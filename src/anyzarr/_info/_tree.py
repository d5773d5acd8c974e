"""``tree``: a hierarchy with everything below a location."""

from __future__ import annotations

from typing import Any

from anyzarr import crud
from anyzarr._info._describe import chunk_shape, shard_shape
from anyzarr._info._image import is_image
from anyzarr._info._models import TreeNode
from anyzarr._info._read import locate
from anyzarr.abc import Store
from anyzarr.metadata import ArrayMetadata, parse
from anyzarr.stores import join

__all__ = ["tree"]


def tree(
    location: Any,
    *,
    path: str = "",
    depth: int | None = None,
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

    Raises
    ------
    NodeNotFoundError
        There is no Zarr array or group there.
    MetadataError
        The metadata of a node is not valid; the message names it.

    Examples
    --------
    >>> import anyzarr
    >>> store = {}
    >>> group = anyzarr.create_group(store)
    >>> array = group.create_array("a", shape=(3,), dtype="int8")
    >>> [node.path for node in anyzarr.tree(store).walk()]
    ['', 'a']
    """
    store, path = locate(location, path, backend, backend_kwargs)
    document = crud.read_metadata(store, path)
    name = path.rpartition("/")[2] or store.spec.root.rstrip("/").rpartition("/")[2]
    return _node(store, path, name or store.spec.root, document, depth)


def _node(
    store: Store, path: str, name: str, document: dict[str, Any], depth: int | None
) -> TreeNode:
    metadata = parse(document)
    if isinstance(metadata, ArrayMetadata):
        return TreeNode(
            name,
            path,
            "array",
            metadata.shape,
            metadata.data_type.name,
            chunk_shape(metadata),
            shard_shape(metadata),
        )
    kind: Any = "image" if is_image(metadata) else "group"
    members = crud.list_children(store, path)
    if depth == 0:
        return TreeNode(name, path, kind, truncated=bool(members))
    below = None if depth is None else depth - 1
    children = tuple(
        _node(store, join(path, child), child, found, below)
        for child, found in sorted(members, key=lambda member: _natural(member[0]))
    )
    return TreeNode(name, path, kind, children=children)


def _natural(name: str) -> tuple[int, int, str]:
    return (0, int(name), name) if name.isascii() and name.isdigit() else (1, 0, name)

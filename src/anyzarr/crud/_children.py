"""The nodes directly below a group, as consolidated metadata or the store has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from anyzarr import metadata as _metadata
from anyzarr.abc import Store
from anyzarr.crud._formats import CONSOLIDATED_V2, told
from anyzarr.crud._formats import V2 as _V2
from anyzarr.crud._formats import V3 as _V3
from anyzarr.crud._nodes import Found, decode_found, normalize_path
from anyzarr.crud._twins import async_twin
from anyzarr.stores import join

__all__ = [
    "child_documents",
    "direct_children",
    "documents_at",
    "list_children",
    "list_children_async",
    "merge_entries",
    "stated_children",
]


def list_children(store: Store, path: str = "") -> list[tuple[str, dict[str, Any]]]:
    """Return the nodes directly below a group, with their documents, sorted by name.

    They come from the group's consolidated metadata where there is one, else from the store,
    fetched together. A prefix without a document is no node. A child whose document cannot
    be read raises: it is never left out.

    Parameters
    ----------
    store, path
        The group. If there is an array at the path the result is empty; a root without a
        document is listed all the same.

    Returns
    -------
    list of (str, dict)
        Name and document of each child.

    Raises
    ------
    MetadataError
        A child has a document that is truncated or not JSON.
    StoreError
        The store cannot list, and there is no consolidated metadata.
    """
    path = normalize_path(path)
    stated = stated_children(store, path)
    return child_documents(store, path) if stated is None else stated


def stated_children(store: Store, path: str) -> list[tuple[str, dict[str, Any]]] | None:
    """Return the nodes directly below as documents of the group name them; None if none does."""
    names = told(store, (_V3, ".zarray", CONSOLIDATED_V2))
    found = dict(zip(names, store.get_many([(join(path, n), None) for n in names]), strict=True))
    v3, zarray, consolidated = map(found.get, (_V3, ".zarray", CONSOLIDATED_V2))
    if zarray is not None and v3 is None:
        return []
    if v3 is not None:
        document = decode_found(store, path, {_V3: v3}) or {}
        if document.get("node_type") == "array":
            return []
        inline = document.get("consolidated_metadata")
        if isinstance(inline, Mapping) and isinstance(inline.get("metadata"), Mapping):
            return direct_children(inline["metadata"])
    if v3 is None and consolidated is not None:
        return direct_children(
            merge_entries(_metadata.decode_document(consolidated).get("metadata", {}))
        )
    return None


def direct_children(entries: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return name and document of the nodes directly below, from those of all by path."""
    return sorted((name, dict(doc)) for name, doc in entries.items() if name and "/" not in name)


def merge_entries(entries: Mapping[str, Any]) -> dict[str, Any]:
    """Merge the flat ``a/.zarray``, ``a/.zattrs`` entries of ``.zmetadata`` into documents."""
    documents: dict[str, Any] = {}
    for key, value in entries.items():
        parent, _, name = key.rpartition("/")
        if parent and name in {".zarray", ".zgroup"}:
            attributes = entries.get(f"{parent}/.zattrs", {})
            documents[parent] = {**value, "attributes": attributes}
    return documents


def child_documents(store: Store, path: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the nodes directly below a group as the store has them, whatever is consolidated."""
    level = store.list_level(f"{path}/" if path else "")
    children = [prefix.rstrip("/") for prefix in level.prefixes]
    documents = documents_at(store, children, (_V3,))
    missing = [child for child in children if child not in documents]
    documents |= documents_at(store, missing, _V2)
    return sorted((child.rpartition("/")[2], doc) for child, doc in documents.items())


def documents_at(
    store: Store,
    paths: Sequence[str],
    names: Iterable[str],
    known: dict[Found, dict[str, Any]] | None = None,
) -> dict[str, dict[str, Any]]:
    """Return the documents at paths, where there are any, from objects of these names.

    With ``known``, what holds the same bytes is decoded once and is one object.
    """
    wanted = told(store, names)
    values = iter(store.get_many([(join(p, name), None) for p in paths for name in wanted]))
    found: dict[str, dict[str, Any]] = {}
    for path in paths:
        data = tuple(next(values) for _ in wanted)
        document = None if known is None else known.get(data)
        if document is None:
            document = decode_found(store, path, dict(zip(wanted, data, strict=True)))
        if document is not None:
            found[path] = document
            if known is not None:
                known[data] = document
    return found


list_children_async = async_twin(list_children)

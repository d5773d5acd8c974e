"""Consolidated metadata: the documents of a hierarchy kept together at its top.

It is a copy, and a copy can be out of date. Ours never is by our own doing: whatever changes a
document drops the copies of it in the groups above first (``changing``). What other programs
leave behind is found by :func:`consolidated_differences`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anyzarr import metadata as _metadata
from anyzarr._parallel import map_ordered
from anyzarr.abc import Store
from anyzarr.crud._children import child_documents, merge_entries
from anyzarr.crud._nodes import (
    node_lock_key,
    normalize_path,
    put_document,
    read_metadata,
    structural_changes,
)
from anyzarr.crud._process_locks import exclusive
from anyzarr.crud._twins import async_twin
from anyzarr.errors import ConflictError, MetadataError
from anyzarr.stores import join

__all__ = [
    "consolidate_metadata",
    "consolidate_metadata_async",
    "consolidated_differences",
    "consolidated_differences_async",
    "node_documents",
    "read_consolidated",
]

_KEY = "consolidated_metadata"
_V2 = ".zmetadata"
_OPTIONAL = frozenset({"attributes", "dimension_names", "storage_transformers"})
_WIDTH = 32
_ATTEMPTS = 5

Documents = dict[str, dict[str, Any]]


def consolidate_metadata(store: Store, path: str = "") -> int:
    """Write the documents of all nodes below a group into the group's own.

    Whoever opens the group then knows the whole hierarchy at once, with one request, also from
    stores that cannot list. In Zarr v3 they stand in ``zarr.json`` under
    ``consolidated_metadata``, as zarr-python writes them; in v2 in ``.zmetadata``.

    Parameters
    ----------
    store, path
        The group.

    Returns
    -------
    int
        How many nodes there are below it.

    Raises
    ------
    MetadataError
        There is an array at the path, or a document below it cannot be read.
    ConflictError
        The hierarchy is being changed again and again.
    ReadOnlyError
        The store does not write.

    Notes
    -----
    What anyzarr changes later it drops from the copies above, so that they are never out of date:
    consolidate when the hierarchy is complete.

    Examples
    --------
    >>> from anyzarr import crud
    >>> from anyzarr.metadata import group_document
    >>> from anyzarr.stores import MemoryStore
    >>> store = MemoryStore()
    >>> for name in ("", "a", "a/b"):
    ...     crud.create_new_group(group_document(), store, name)
    >>> crud.consolidate_metadata(store)
    2
    >>> sorted(crud.read_metadata(store)["consolidated_metadata"]["metadata"])
    ['a', 'a/b']
    """
    path = normalize_path(path)
    for _ in range(_ATTEMPTS):
        before = structural_changes()
        document = _group_document(store, path)
        found = node_documents(store, path)
        if structural_changes() != before:
            continue
        _write(store, path, document, found)
        return len(found)
    raise ConflictError(
        f"the hierarchy at {path or '/'!r} in {store.spec} is being changed while its metadata is "
        "collected; consolidate it when its writers are done",
        store=str(store.spec),
        path=path,
    )


def _group_document(store: Store, path: str) -> dict[str, Any]:
    document = read_metadata(store, path)
    if _metadata.is_array_document(document):
        raise MetadataError(
            f"{path or '/'!r} in {store.spec} is an array; consolidate the group above it",
            kind="not_a_group",
            store=str(store.spec),
            path=path,
        )
    return document


def node_documents(store: Store, path: str) -> Documents:
    """Return the documents of all nodes below a group, by their path relative to it."""
    found: Documents = {}
    groups = [""]
    while groups:
        places = [join(path, group) if group else path for group in groups]
        listed = map_ordered(lambda p: child_documents(store, p), places, limit=_WIDTH)
        below: list[str] = []
        for group, children in zip(groups, listed, strict=True):
            for name, document in children:
                relative = join(group, name) if group else name
                found[relative] = {k: v for k, v in document.items() if k != _KEY}
                if not _metadata.is_array_document(document):
                    below.append(relative)
        groups = below
    return dict(sorted(found.items()))


def _write(store: Store, path: str, document: dict[str, Any], found: Documents) -> None:
    if document["zarr_format"] == 3:
        entry = {"kind": "inline", "must_understand": False, "metadata": found}
        put_document({**document, _KEY: entry}, store, path)
        return
    entries: dict[str, Any] = {}
    for relative, node in {"": document, **found}.items():
        for key, data in _metadata.encode_documents(node, relative).items():
            entries[key] = _metadata.decode_document(data, key=key)
    whole = {"zarr_consolidated_format": 1, "metadata": entries}
    with exclusive(store, [node_lock_key(path)]):
        store.put(join(path, _V2), _metadata.encode_json(whole))


def read_consolidated(store: Store, path: str, document: Mapping[str, Any]) -> Documents | None:
    """Return the consolidated documents below a group, by relative path; None if there are none.

    Parameters
    ----------
    store, path
        The group.
    document
        Its document.
    """
    if document.get("zarr_format") == 3:
        entry = document.get(_KEY)
        found = entry.get("metadata") if isinstance(entry, Mapping) else None
        return dict(found) if isinstance(found, Mapping) else None
    data = store.get(join(path, _V2))
    if data is None:
        return None
    entries = _metadata.decode_document(data, key=join(path, _V2)).get("metadata")
    return merge_entries(entries) if isinstance(entries, Mapping) else None


def consolidated_differences(store: Store, path: str = "") -> list[str] | None:
    """Return where the consolidated metadata of a group is out of date.

    Parameters
    ----------
    store, path
        The group. The store must list.

    Returns
    -------
    list of str, or None
        Relative paths of nodes that are not in it, are gone, or are not as it has them; empty
        if it is right. None if the group has no consolidated metadata.

    Examples
    --------
    >>> from anyzarr import crud
    >>> from anyzarr.metadata import group_document
    >>> from anyzarr.stores import MemoryStore
    >>> store = MemoryStore()
    >>> crud.create_new_group(group_document(), store)
    >>> crud.consolidate_metadata(store)
    0
    >>> store.put("new/zarr.json", store.get("zarr.json")) is None  # by another program
    False
    >>> crud.consolidated_differences(store)
    ['new']
    """
    path = normalize_path(path)
    kept = read_consolidated(store, path, _group_document(store, path))
    if kept is None:
        return None
    now = node_documents(store, path)
    return sorted(name for name in {*kept, *now} if _plain(kept.get(name)) != _plain(now.get(name)))


def _plain(document: Mapping[str, Any] | None) -> Any:
    if document is None:
        return None
    # What is not there and what is there and empty are the same: writers differ in that.
    return {k: v for k, v in document.items() if k != _KEY and (k not in _OPTIONAL or v)}


consolidate_metadata_async = async_twin(consolidate_metadata)
consolidated_differences_async = async_twin(consolidated_differences)

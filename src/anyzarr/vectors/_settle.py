"""Completing a change that has become true: documents of their own, and what is left over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anyzarr import crud
from anyzarr._nodes import Group
from anyzarr._parallel import for_each
from anyzarr.abc import Store
from anyzarr.crud._nodes import encode_node, put_document
from anyzarr.metadata import ArrayMetadata, is_array_document, parse_array
from anyzarr.stores import join
from anyzarr.vectors._constants import EDIT
from anyzarr.vectors._documents import RootMetadata
from anyzarr.vectors._turns import one_writer

__all__ = ["completed", "delete_objects_but", "is_settled", "separator_of", "settle"]


def is_settled(root: Group) -> bool:
    """Return whether nothing is left to be completed, as far as the root's document says."""
    return EDIT not in root.metadata.attributes


def completed(root: Group) -> None:
    """Wait for who is changing the store, and complete the change if nobody does any more."""
    if not is_settled(root):
        levels = RootMetadata.parse(root.metadata.attributes).levels
        with one_writer(root.store, root.path, min(levels, default=0)):
            settle(root.refresh())


def settle(root: Group) -> None:
    """Complete a change that was cut off after it had become true, if there is one.

    The root's document holds what is new. Called under the lock of a level, so that the writer
    of the change is gone. May be cut off, and be repeated.

    Parameters
    ----------
    root
        The store's root, whose document has just been read.
    """
    edit = root.metadata.attributes.get(EDIT)
    if not isinstance(edit, Mapping):
        return
    store, path = root.store, root.path
    documents = {join(path, p): d for p, d in edit["documents"].items()}
    # Not as the functions that change documents do: readers of this process keep to the root's.
    for_each(lambda place: _put(store, place, documents[place]), list(documents))
    for place, document in documents.items():
        if is_array_document(document):
            delete_objects_but(store, place, separator_of(parse_array(document)))
    for removed in edit["removed"]:
        store.delete_prefix(f"{join(path, removed)}/")
    document = crud.read_metadata(store, path)
    document["attributes"] = {k: v for k, v in document["attributes"].items() if k != EDIT}
    if edit["was_consolidated"] and edit["removed"]:
        _forget(document, edit["removed"])
    if not edit["was_consolidated"]:
        document.pop("consolidated_metadata", None)
    put_document(document, store, path)
    root.refresh()


def _put(store: Store, path: str, document: Mapping[str, Any]) -> None:
    for key, data in encode_node(document, path).items():
        store.put(key, data)


def _forget(document: dict[str, Any], removed: list[str]) -> None:
    consolidated = document["consolidated_metadata"]
    kept = {
        path: node
        for path, node in consolidated["metadata"].items()
        if not any(path == gone or path.startswith(f"{gone}/") for gone in removed)
    }
    document["consolidated_metadata"] = {**consolidated, "metadata": kept}


def separator_of(metadata: ArrayMetadata) -> str:
    """Return what stands between the coordinates in the keys of an array's chunks."""
    return metadata.key_encoding.separator


def delete_objects_but(store: Store, path: str, separator: str) -> None:
    """Delete the chunks of an array whose keys are not of its separator."""
    prefix = f"{path}/c"
    keys = [info.key for info in store.list(f"{path}/") if info.key.startswith(prefix)]
    for_each(store.delete, [k for k in keys if k[len(prefix) : len(prefix) + 1] != separator])

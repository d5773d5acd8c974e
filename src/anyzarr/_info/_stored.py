"""How much is stored, counted by listing."""

from __future__ import annotations

from anyzarr._info._models import StoredSize
from anyzarr.abc import Store
from anyzarr.stores._keys import is_document_key

__all__ = ["stored_size"]


def stored_size(store: Store, path: str) -> StoredSize | None:
    """Return number and size of the chunk objects at and below a node; None if unlistable.

    Metadata documents are not counted. Costs one listing of everything below the node.
    """
    if not store.capabilities.listable:
        return None
    n_chunks = n_bytes = 0
    for stored in store.list(f"{path}/" if path else ""):
        if not is_document_key(stored.key):
            n_chunks += 1
            n_bytes += stored.size
    return StoredSize(n_chunks, n_bytes)

"""How much is stored, counted by listing."""

from __future__ import annotations

from anyzarr._info._models import StoredSize
from anyzarr.abc import Store

__all__ = ["stored_size"]

_DOCUMENTS = frozenset({"zarr.json", ".zarray", ".zattrs", ".zgroup", ".zmetadata"})


def stored_size(store: Store, path: str) -> StoredSize | None:
    """Return number and size of the chunk objects at and below a node; None if unlistable.

    Metadata documents are not counted. Costs one listing of everything below the node.
    """
    if not store.capabilities.listable:
        return None
    n_chunks = n_bytes = 0
    for stored in store.list(f"{path}/" if path else ""):
        if stored.key.rpartition("/")[2] not in _DOCUMENTS:
            n_chunks += 1
            n_bytes += stored.size
    return StoredSize(n_chunks, n_bytes)

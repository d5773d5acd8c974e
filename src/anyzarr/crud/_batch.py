"""Many nodes at once: each document is one small read or write, and nothing is done twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from anyzarr._parallel import map_ordered
from anyzarr.abc import ABSENT, Store
from anyzarr.crud._children import documents_at
from anyzarr.crud._formats import require_told
from anyzarr.crud._nodes import Document, encode_node, normalize_path
from anyzarr.errors import ConflictError, NodeExistsError
from anyzarr.stores import join

__all__ = ["create_new_nodes", "read_documents"]

_REMOTE_WRITES = 32


def read_documents(store: Store, paths: Sequence[str]) -> list[Document | None]:
    """Return the document of each node, fetched together; None where there is no node.

    Documents of equal bytes are one object, not to be changed.

    Raises
    ------
    MetadataError
        A node's document is truncated or not JSON; the message names it.
    """
    found = documents_at(store, paths, ("zarr.json",), {})
    missing = [path for path in paths if path not in found]
    if missing:
        found |= documents_at(store, missing, (".zarray", ".zgroup", ".zattrs"), {})
    return [found.get(path) for path in paths]


def create_new_nodes(
    nodes: Iterable[tuple[str, Document]],
    store: Store,
    encoded: dict[int, dict[str, bytes]] | None = None,
) -> None:
    """Write the documents of many new nodes, each level of the hierarchy before the one above.

    Whoever reads meanwhile, or after an interruption, finds nodes whose members are all there.
    Unlike :func:`anyzarr.crud.create_new_group` this drops no consolidated metadata above: who
    names the new nodes in a group above does (:func:`anyzarr.crud.update_attributes`).

    Parameters
    ----------
    nodes
        Path and document of each. Where several nodes share one document object it is checked
        and encoded once.
    store
        The store.
    encoded
        What earlier calls have encoded, by the documents' ``id``: for callers that keep these
        documents.

    Raises
    ------
    NodeExistsError
        A node is there already. It is not changed; others may have been written.
    MetadataError, UnsupportedError
        A document is not valid. Nothing was written.
    """
    levels: dict[int, list[tuple[str, bytes]]] = {}
    encoded = {} if encoded is None else encoded
    kept = [(normalize_path(path), document) for path, document in nodes]
    for path, document in kept:
        require_told(store, document, path)
    for path, document in kept:
        objects = encoded.get(id(document))
        if objects is None:
            objects = encoded[id(document)] = encode_node(document, "")
        level = levels.setdefault(path.count("/") if path else -1, [])
        level.extend((join(path, name), data) for name, data in objects.items())
    in_turn = store.capabilities.local_root is not None or store.spec.backend == "memory"
    for depth in sorted(levels, reverse=True):
        put = _Put(store)
        map_ordered(put, levels[depth], limit=1 if in_turn else _REMOTE_WRITES)


class _Put:
    def __init__(self, store: Store) -> None:
        self._store = store
        spec, capabilities = store.spec, store.capabilities
        # Files are put where there are none with a hard link, exact without a lock.
        exact = capabilities.conditional_put or spec.backend == "local"
        self._guard = ABSENT if exact else None

    def __call__(self, item: tuple[str, bytes]) -> None:
        key, data = item
        guard = None if key.endswith(".zattrs") else self._guard
        try:
            self._store.put(key, data, precondition=guard)
        except ConflictError as error:
            path = key.rpartition("/")[0]
            raise NodeExistsError(
                f"there is already a node at {path or '/'!r} in {self._store.spec}; choose another "
                "path, or delete it first",
                store=str(self._store.spec),
                path=path,
            ) from error

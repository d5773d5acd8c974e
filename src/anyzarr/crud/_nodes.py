"""Documents and hierarchy: what is at a path, below it, and how it gets there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

from anyzarr import metadata as _metadata
from anyzarr._parallel import for_each
from anyzarr.abc import ABSENT, Store
from anyzarr.crud._formats import (
    CONSOLIDATED_V2,
    ZarrFormat,
    format_for,
    names_of,
    refuse_other,
    require_told,
)
from anyzarr.crud._formats import V2 as _V2
from anyzarr.crud._formats import V3 as _V3
from anyzarr.crud._locks import locked
from anyzarr.crud._process_locks import exclusive
from anyzarr.crud._twins import async_twin
from anyzarr.errors import AnyzarrError, NodeNotFoundError
from anyzarr.metadata import ArrayMetadata, GroupMetadata
from anyzarr.stores import join
from anyzarr.stores._archive_location import nearest_node

__all__ = [
    "as_document",
    "changing",
    "decode_found",
    "delete_node",
    "delete_node_async",
    "encode_node",
    "fetch_found",
    "no_node",
    "node_exists",
    "node_lock_key",
    "normalize_path",
    "put_document",
    "put_encoded",
    "read_metadata",
    "read_metadata_async",
    "structural_changes",
    "write_documents",
    "write_metadata",
    "write_metadata_async",
]

Document = Mapping[str, Any]
Found = Sequence[bytes | None]

_changes = 0


def normalize_path(path: str) -> str:
    """Return a node path without leading, trailing or doubled slashes; the root is ``""``.

    Raises
    ------
    NodeNotFoundError
        A segment is ``.`` or ``..``: a path cannot leave its store.
    """
    if not path:
        return ""
    parts = [part for part in path.split("/") if part]
    if any(part in {".", ".."} for part in parts):
        raise NodeNotFoundError(
            f"{path!r} is not a node path: segments '.' and '..' are not allowed; "
            "open the location that holds the node instead",
            path=path,
        )
    return "/".join(parts)


def node_lock_key(path: str) -> str:
    """Return the key whose lock guards the document of the node at ``path``."""
    return join(path, _V3)


def encode_node(metadata: Document | ArrayMetadata | GroupMetadata, path: str) -> dict[str, bytes]:
    """Return what to store for the checked document of a node, by key."""
    return _metadata.encode_documents(as_document(metadata), path)


def as_document(metadata: Document | ArrayMetadata | GroupMetadata) -> dict[str, Any]:
    if isinstance(metadata, ArrayMetadata | GroupMetadata):
        return _metadata.to_document(metadata)
    return _metadata.to_document(_metadata.parse(metadata))


def decode_found(
    store: Store, path: str, found: Mapping[str, bytes | None]
) -> dict[str, Any] | None:
    """Return the document made of the objects found at a path, or None if they make no node."""
    try:
        if (data := found.get(_V3)) is not None:
            return _metadata.decode_document(data, key=join(path, _V3))
        for name in (".zarray", ".zgroup"):
            if (data := found.get(name)) is not None:
                return _metadata.merge_v2(data, found.get(".zattrs"), path=path, name=name)
    except AnyzarrError as error:
        raise _located(error, store, path) from error
    return None


def _located(error: AnyzarrError, store: Store, path: str) -> AnyzarrError:
    where = f"the metadata of {path or '/'!r} in {store.spec}"
    located = type(error)(f"{where} cannot be used: {error.message}", kind=error.kind)
    located.store, located.path, located.key = str(store.spec), path, error.key
    return located


def read_metadata(
    store: Store, path: str = "", *, zarr_format: ZarrFormat | None = None
) -> dict[str, Any]:
    """Return the metadata document of a node.

    Parameters
    ----------
    store
        The store that holds the hierarchy.
    path
        The node's path in it; ``""`` is the root.
    zarr_format
        Look for this format only. By default the one that the store's location told
        (``|zarr3:``), else v3 (``zarr.json``), then v2 (``.zarray`` or ``.zgroup``, with
        ``.zattrs`` as the field ``attributes``).

    Returns
    -------
    dict
        The document with all its fields, known or not; yours to change.

    Raises
    ------
    NodeNotFoundError
        There is no node at the path.
    MetadataError
        There is a document, but it is truncated or not JSON; or the location told another
        format than the node's, or than ``zarr_format``.

    Examples
    --------
    >>> from anyzarr import crud
    >>> from anyzarr.metadata import group_document
    >>> from anyzarr.stores import MemoryStore
    >>> store = MemoryStore()
    >>> crud.create_new_group(group_document(attributes={"who": "me"}), store, "a")
    >>> crud.read_metadata(store, "a")["attributes"]
    {'who': 'me'}
    """
    path = normalize_path(path)
    zarr_format = format_for(store, zarr_format)
    for names in names_of(zarr_format):
        found = fetch_found(store, path, names)
        document = decode_found(store, path, dict(zip(names, found, strict=True)))
        if document is not None:
            return document
    refuse_other(store, path)
    raise no_node(store, path, zarr_format)


def fetch_found(store: Store, path: str, names: Sequence[str]) -> Found:
    """Return the objects of these names at a path."""
    if len(names) == 1:
        return [store.get(join(path, names[0]))]
    return store.get_many([(join(path, name), None) for name in names])


def no_node(store: Store, path: str, zarr_format: ZarrFormat | None) -> NodeNotFoundError:
    """Return the error that there is no node at a path."""
    wanted = f"Zarr v{zarr_format}" if zarr_format else "Zarr"
    nearest = nearest_node(store) if not path else None
    remedy = (
        "check the path: a node is where zarr.json, .zarray or .zgroup is"
        if nearest is None
        else f"the nearest one is at {nearest!r}: give that as the path"
    )
    return NodeNotFoundError(
        f"there is no {wanted} array or group at {path or '/'!r} in {store.spec}; {remedy}",
        store=str(store.spec),
        path=path,
    )


def write_metadata(
    metadata: Document | ArrayMetadata | GroupMetadata, store: Store, path: str = ""
) -> None:
    """Replace (or create) the metadata document of a node.

    Each object is replaced atomically. A v2 document is two objects (``.zarray`` and
    ``.zattrs``), attributes first. Consolidated copies of the document in the groups above
    are dropped, so that none is left stale.

    Parameters
    ----------
    metadata
        A document or parsed metadata; it is checked before anything is written.
    store, path
        Where to write it.

    Raises
    ------
    MetadataError, UnsupportedError
        The document is not valid.
    """
    path = normalize_path(path)
    document = as_document(metadata)
    document = {key: value for key, value in document.items() if key != "consolidated_metadata"}
    with changing(store, path), exclusive(store, [node_lock_key(path)]):
        write_documents(document, store, path)


def put_document(document: Document, store: Store, path: str, *, is_new: bool = False) -> None:
    """Replace the document of a node by one that says the same of it to the groups above.

    Where no other process knows of the node yet, none is kept apart.
    """
    global _changes
    with exclusive(store, [] if is_new else [node_lock_key(path)]):
        write_documents(document, store, path)
    _changes += 1


def put_encoded(
    store: Store, document: Document, encoded: Mapping[str, bytes], *, limit: int | None = None
) -> None:
    """Store documents of nodes of v3 that nobody knows of yet, by path; ``document`` is like all.

    Consolidated metadata above is the caller's care.
    """
    global _changes
    for path in list(encoded)[:1]:
        require_told(store, document, path)
    for_each(lambda node: store.put(join(node[0], _V3), node[1]), encoded.items(), limit=limit)
    _changes += 1


def write_documents(document: Document, store: Store, path: str, *, new: bool = False) -> None:
    require_told(store, document, path)
    documents = _metadata.encode_documents(document, path)
    main = next(key for key in documents if not key.endswith(".zattrs"))
    attributes = join(path, ".zattrs")
    if document["zarr_format"] == 2:
        if attributes in documents:
            store.put(attributes, documents[attributes])
        else:
            store.delete(attributes)
    guard = ABSENT if new and store.capabilities.conditional_put else None
    store.put(main, documents[main], precondition=guard)


def _ancestors(path: str) -> list[str]:
    parts = path.split("/") if path else []
    return ["/".join(parts[:n]) for n in range(len(parts))]


def structural_changes() -> int:
    """Return how often this process has changed the documents of any hierarchy."""
    return _changes


@contextmanager
def changing(store: Store, path: str) -> Iterator[None]:
    """Keep consolidated metadata from becoming untrue while something at a path changes.

    It is dropped before, so that whoever is killed within leaves none that says something else,
    and after, in case it was written meanwhile.
    """
    _drop_consolidated(store, path)
    yield
    _drop_consolidated(store, path)


def _drop_consolidated(store: Store, path: str) -> None:
    """Remove consolidated metadata that becomes untrue, at and above a path."""
    global _changes
    _changes += 1
    groups = [*_ancestors(path), path]
    keys = [join(group, name) for name in (_V3, CONSOLIDATED_V2) for group in groups]
    found = store.get_many([(key, None) for key in keys])
    for group, data in zip(groups, found[: len(groups)], strict=True):
        if data is not None and b'"consolidated_metadata"' in data:
            _drop_inline(store, group)
    for key, data in zip(keys[len(groups) :], found[len(groups) :], strict=True):
        if data is not None:
            store.delete(key)


def _drop_inline(store: Store, group: str) -> None:
    with exclusive(store, [node_lock_key(group)]):
        data = store.get(join(group, _V3))
        if data is None:
            return
        document = _metadata.decode_document(data)
        if document.pop("consolidated_metadata", None) is not None:
            write_documents(document, store, group)


def node_exists(store: Store, path: str) -> bool:
    names = (_V3, ".zarray", ".zgroup")
    return any(v is not None for v in store.get_many([(join(path, n), None) for n in names]))


def delete_node(store: Store, path: str = "") -> None:
    """Delete a node and everything below it.

    Its document goes first, so that an interrupted deletion leaves chunks without an array,
    never an array without its chunks.

    Parameters
    ----------
    store
        The store.
    path
        The node; ``""`` empties the store, whatever it holds.

    Raises
    ------
    NodeNotFoundError
        There is no node at the path.
    ReadOnlyError
        The store does not write.
    """
    path = normalize_path(path)
    with locked(store, [node_lock_key(path)]):
        if path and not node_exists(store, path):
            raise NodeNotFoundError(
                f"there is no node at {path!r} in {store.spec} to delete",
                store=str(store.spec),
                path=path,
            )
        with changing(store, path.rpartition("/")[0]) if path else nullcontext():
            for name in (_V3, *_V2, CONSOLIDATED_V2):
                store.delete(join(path, name))
            store.delete_prefix(f"{path}/" if path else "")


read_metadata_async = async_twin(read_metadata)
write_metadata_async = async_twin(write_metadata)
delete_node_async = async_twin(delete_node)

"""Nodes are created: where none is, or in place of what is there."""

from __future__ import annotations

from anyzarr.abc import Store
from anyzarr.crud._formats import require_told
from anyzarr.crud._locks import locked
from anyzarr.crud._nodes import (
    Document,
    as_document,
    changing,
    node_exists,
    node_lock_key,
    normalize_path,
    write_documents,
)
from anyzarr.crud._twins import async_twin
from anyzarr.errors import ConflictError, NodeExistsError
from anyzarr.metadata import ArrayMetadata, GroupMetadata

__all__ = [
    "create_new_array",
    "create_new_array_async",
    "create_new_group",
    "create_new_group_async",
    "create_overwrite_array",
    "create_overwrite_array_async",
    "create_overwrite_group",
    "create_overwrite_group_async",
]


def _create(
    metadata: Document | ArrayMetadata | GroupMetadata, store: Store, path: str, overwrite: bool
) -> None:
    path = normalize_path(path)
    document = as_document(metadata)
    require_told(store, document, path)  # before anything is deleted
    with locked(store, [node_lock_key(path)]):
        if not overwrite and node_exists(store, path):
            raise _already_there(store, path)
        with changing(store, path):
            if overwrite:
                store.delete_prefix(f"{path}/" if path else "")
            try:
                write_documents(document, store, path, new=not overwrite)
            except ConflictError as error:
                raise _already_there(store, path) from error


def _already_there(store: Store, path: str) -> NodeExistsError:
    return NodeExistsError(
        f"there is already a node at {path or '/'!r} in {store.spec}; "
        "choose another path, or overwrite it on purpose (overwrite=True)",
        store=str(store.spec),
        path=path,
    )


def create_new_group(metadata: Document | GroupMetadata, store: Store, path: str = "") -> None:
    """Write the document of a new group.

    Parameters
    ----------
    metadata
        A group document, as from :func:`anyzarr.metadata.group_document`.
    store, path
        Where the group is to be. Groups above it are not created.

    Raises
    ------
    NodeExistsError
        There is a node at the path. Nothing was written.
    MetadataError
        The document is not valid. Nothing was written.
    """
    _create(metadata, store, path, overwrite=False)


def create_overwrite_group(
    metadata: Document | GroupMetadata, store: Store, path: str = ""
) -> None:
    """Write the document of a group in place of whatever is at the path.

    The old node and everything below it is deleted, but only once the new document has been
    found valid. See :func:`create_new_group`.
    """
    _create(metadata, store, path, overwrite=True)


def create_new_array(metadata: Document | ArrayMetadata, store: Store, path: str = "") -> None:
    """Write the document of a new array; no chunk is written.

    Parameters
    ----------
    metadata
        An array document, as from :func:`anyzarr.metadata.array_document`.
    store, path
        Where the array is to be. Groups above it are not created.

    Raises
    ------
    NodeExistsError
        There is a node at the path. Nothing was written.
    MetadataError, UnsupportedError
        The document is not valid. Nothing was written.

    Examples
    --------
    >>> from anyzarr import crud
    >>> from anyzarr.metadata import array_document
    >>> from anyzarr.stores import MemoryStore
    >>> store = MemoryStore()
    >>> document = array_document(shape=(4, 4), dtype="uint8", chunks=(2, 2))
    >>> crud.create_new_array(document, store, "image")
    >>> [name for name, _ in crud.list_children(store, "")]
    ['image']
    """
    _create(metadata, store, path, overwrite=False)


def create_overwrite_array(
    metadata: Document | ArrayMetadata, store: Store, path: str = ""
) -> None:
    """Write the document of an array in place of whatever is at the path.

    The old node and everything below it is deleted, but only once the new document has been
    found valid. See :func:`create_new_array`.
    """
    _create(metadata, store, path, overwrite=True)


create_new_group_async = async_twin(create_new_group)
create_new_array_async = async_twin(create_new_array)
create_overwrite_group_async = async_twin(create_overwrite_group)
create_overwrite_array_async = async_twin(create_overwrite_array)

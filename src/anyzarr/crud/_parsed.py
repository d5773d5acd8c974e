"""Nodes as parsed metadata: what is stored is decoded once for the same bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from anyzarr import metadata as _metadata
from anyzarr.abc import Store
from anyzarr.crud._children import stated_children
from anyzarr.crud._formats import V2, V3, ZarrFormat, format_for, names_of, refuse_other, told
from anyzarr.crud._nodes import Found, decode_found, fetch_found, no_node, normalize_path
from anyzarr.metadata import ArrayMetadata, GroupMetadata
from anyzarr.stores import join

__all__ = ["StoredNodes", "find_node", "members_of", "nodes_at", "read_node"]

Metadata: TypeAlias = ArrayMetadata | GroupMetadata


def read_node(store: Store, path: str, *, zarr_format: ZarrFormat | None = None) -> Metadata:
    """Return the parsed metadata of a node.

    Raises
    ------
    NodeNotFoundError
        There is no node at the path.
    MetadataError, UnsupportedError, MissingDependencyError
        There is a document, but it cannot be used.
    """
    node = find_node(store, normalize_path(path), zarr_format)
    if node is None:
        refuse_other(store, normalize_path(path))
        raise no_node(store, path, zarr_format)
    return node


def find_node(store: Store, path: str, zarr_format: ZarrFormat | None) -> Metadata | None:
    """Return the parsed metadata at a normalized path; None if there is no node."""
    for names in names_of(format_for(store, zarr_format)):
        node = _parsed(store, path, names, fetch_found(store, path, names))
        if node is not None:
            return node
    return None


def nodes_at(store: Store, paths: Sequence[str], names: Iterable[str]) -> dict[str, Metadata]:
    """Return the parsed metadata at normalized paths, where there is any, fetched together.

    Parameters
    ----------
    store, paths
        Where.
    names
        Of the objects that make a node: those of Zarr v3, or those of v2.
    """
    stored = StoredNodes.fetch(store, paths, names)
    return {path: node for path in paths if (node := stored.node(path)) is not None}


@dataclass(frozen=True, eq=False)
class StoredNodes:
    """What is stored at some paths, fetched together; it is parsed when it is asked for.

    Attributes
    ----------
    store
        Where.
    names
        Of the objects that make a node.
    found
        Their bytes, by the node's path.
    """

    store: Store
    names: tuple[str, ...]
    found: Mapping[str, Found]

    @classmethod
    def fetch(cls, store: Store, paths: Sequence[str], names: Iterable[str] = (V3,)) -> StoredNodes:
        """Return what is stored at normalized paths; parameters as of :func:`nodes_at`."""
        wanted = told(store, names)
        values = iter(store.get_many([(join(p, name), None) for p in paths for name in wanted]))
        return cls(store, wanted, {path: [next(values) for _ in wanted] for path in paths})

    def node(self, path: str) -> Metadata | None:
        """Return the parsed metadata at one of the paths; None if there is no node.

        Raises
        ------
        MetadataError, UnsupportedError, MissingDependencyError
            There is a document, but it cannot be used.
        """
        return _parsed(self.store, path, self.names, self.found[path])


def members_of(store: Store, path: str) -> list[tuple[str, dict[str, Any] | Metadata]]:
    """Return what :func:`anyzarr.crud.list_children` does; what had to be listed is parsed."""
    stated = stated_children(store, path)
    if stated is not None:
        return [*stated]
    level = store.list_level(f"{path}/" if path else "")
    children = [prefix.rstrip("/") for prefix in level.prefixes]
    nodes = nodes_at(store, children, (V3,))
    missing = [child for child in children if child not in nodes]
    nodes |= nodes_at(store, missing, V2)
    return sorted((child.rpartition("/")[2], nodes[child]) for child in nodes)


def _parsed(store: Store, path: str, names: Sequence[str], found: Found) -> Metadata | None:
    """Return the metadata of the objects of these names at a path; None if they make no node."""
    # Attributes alone, which come last, are no node.
    if not found or (found[0] is None and found[1:2] in ([], [None])):
        return None

    def decode() -> dict[str, Any]:
        document = decode_found(store, path, dict(zip(names, found, strict=True)))
        assert document is not None
        return document

    return _metadata.parse_stored(found, decode)

"""The hierarchy as a value, and as a drawing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from anyzarr import crud
from anyzarr.abc import Store
from anyzarr.metadata import ArrayMetadata, parse
from anyzarr.stores import join

__all__ = ["TreeNode", "says_image", "tree_of"]


@dataclass(frozen=True)
class TreeNode:
    """One node of a drawn hierarchy.

    Attributes
    ----------
    name, path
        Its name, and its path in the store.
    kind
        ``array`` or ``group``.
    shape, dtype, chunks, shards
        Of an array; None for a group. ``chunks`` are the subchunks where sharded.
    children
        Direct members, sorted by name with numbers by value; empty below the depth asked for.
    is_image
        Whether it is a group that says it is an OME-Zarr image.
    truncated
        Whether it has members below the depth asked for.
    """

    name: str
    path: str
    kind: Literal["array", "group"]
    shape: tuple[int, ...] | None = None
    dtype: str | None = None
    chunks: tuple[int, ...] | None = None
    shards: tuple[int, ...] | None = None
    children: tuple[TreeNode, ...] = ()
    is_image: bool = False
    truncated: bool = False

    @property
    def label(self) -> str:
        """The node's line in the drawing."""
        if self.kind == "group":
            return f"{self.name}/" if not self.name.endswith("/") else self.name
        return f"{self.name} {self.shape} {self.dtype}"

    def lines(self) -> Iterator[str]:
        """Iterate over the lines of the drawing."""
        yield self.label
        for index, child in enumerate(self.children):
            last = index == len(self.children) - 1
            below = iter(child.lines())
            yield ("└── " if last else "├── ") + next(below)
            yield from (("    " if last else "│   ") + line for line in below)

    def walk(self) -> Iterator[TreeNode]:
        """Iterate over the node and all below it, parents first."""
        yield self
        for child in self.children:
            yield from child.walk()

    def to_dict(self) -> dict[str, Any]:
        """Return the tree as plain JSON values."""
        result: dict[str, Any] = {"name": self.name, "path": self.path, "kind": self.kind}
        if self.kind == "array":
            result |= {
                "shape": list(self.shape or ()),
                "dtype": self.dtype,
                "chunks": None if self.chunks is None else list(self.chunks),
                "shards": None if self.shards is None else list(self.shards),
            }
        else:
            result |= {
                "is_image": self.is_image,
                "truncated": self.truncated,
                "children": [child.to_dict() for child in self.children],
            }
        return result

    def __str__(self) -> str:
        return "\n".join(self.lines())


def tree_of(store: Store, path: str, name: str, max_depth: int | None = None) -> TreeNode:
    """Return the tree of the node at a path, ``max_depth`` levels below it at most."""
    return _node(store, path, name, crud.read_metadata(store, path), max_depth)


def _node(
    store: Store, path: str, name: str, document: Mapping[str, Any], depth: int | None
) -> TreeNode:
    metadata = parse(document)
    if isinstance(metadata, ArrayMetadata):
        return TreeNode(
            name,
            path,
            "array",
            metadata.shape,
            metadata.data_type.name,
            metadata.sharding.subchunk_shape if metadata.sharding else metadata.grid.chunk_shape,
            metadata.grid.chunk_shape if metadata.sharding else None,
        )
    is_image = says_image(metadata.attributes)
    members = crud.list_children(store, path)
    if depth == 0:
        return TreeNode(name, path, "group", is_image=is_image, truncated=bool(members))
    below = None if depth is None else depth - 1
    children = tuple(
        _node(store, join(path, child), child, child_document, below)
        for child, child_document in sorted(members, key=lambda member: _natural(member[0]))
    )
    return TreeNode(name, path, "group", children=children, is_image=is_image)


def says_image(attributes: Mapping[str, Any]) -> bool:
    """Return whether a group's attributes declare a multiscale image, of whatever version."""
    nested = attributes.get("ome")
    ome = nested if isinstance(nested, Mapping) else attributes
    return bool(ome.get("multiscales"))


def _natural(name: str) -> tuple[int, int, str]:
    return (0, int(name), name) if name.isascii() and name.isdigit() else (1, 0, name)

"""The hierarchy as a value, and as a drawing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from anyzarr import crud
from anyzarr.abc import Store
from anyzarr.metadata import ArrayMetadata, parse
from anyzarr.stores import join

__all__ = ["OmeKind", "TreeNode", "ome_kind", "says_image", "tree_of"]

_VECTORS = "zarr_vectors"
"""The attribute of the root of a vector store."""

EngineOf = Callable[[ArrayMetadata, Store, str], str | None]
OmeKind = Literal["plate", "well", "series", "image", "label image", "labels"]


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
    ome_kind
        What a group says it is in OME-Zarr: ``plate``, ``well``, ``series``, ``image``,
        ``label image``, ``labels``, or None.
    truncated
        Whether it has members below the depth asked for.
    vectors
        What a group says of itself as (a level of) a vector store, as in ``vector store:
        streamline`` and ``1,200 vertices``; None of another group.
    engine
        Which engine reads an array, where that was asked for; None also where none can.
    """

    name: str
    path: str
    kind: Literal["array", "group"]
    shape: tuple[int, ...] | None = None
    dtype: str | None = None
    chunks: tuple[int, ...] | None = None
    shards: tuple[int, ...] | None = None
    children: tuple[TreeNode, ...] = ()
    ome_kind: OmeKind | None = None
    truncated: bool = False
    engine: str | None = None
    vectors: str | None = None

    @property
    def is_image(self) -> bool:
        """Whether it is a group that says it is an OME-Zarr image."""
        return self.ome_kind in {"image", "label image"}

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
                "engine": self.engine,
            }
        else:
            result |= {
                "is_image": self.is_image,
                "ome_kind": self.ome_kind,
                "vectors": self.vectors,
                "truncated": self.truncated,
                "children": [child.to_dict() for child in self.children],
            }
        return result

    def __str__(self) -> str:
        return "\n".join(self.lines())


def tree_of(
    store: Store,
    path: str,
    name: str,
    max_depth: int | None = None,
    engine_of: EngineOf | None = None,
) -> TreeNode:
    """Return the tree of the node at a path, ``max_depth`` levels below it at most.

    ``engine_of`` names the engine of an array, from its metadata, store and path.
    """
    document = crud.read_metadata(store, path)
    return _node(store, path, name, document, max_depth, engine_of)


def _node(
    store: Store,
    path: str,
    name: str,
    document: Mapping[str, Any],
    depth: int | None,
    engine_of: EngineOf | None,
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
            engine=engine_of(metadata, store, path) if engine_of else None,
        )
    kind, vectors = ome_kind(metadata.attributes, name), vectors_kind(metadata.attributes)
    members = crud.list_children(store, path)
    if depth == 0:
        return TreeNode(
            name, path, "group", ome_kind=kind, truncated=bool(members), vectors=vectors
        )
    below = None if depth is None else depth - 1
    children = tuple(
        _node(store, join(path, child), child, child_document, below, engine_of)
        for child, child_document in sorted(members, key=lambda member: _natural(member[0]))
    )
    return TreeNode(name, path, "group", children=children, ome_kind=kind, vectors=vectors)


def vectors_kind(attributes: Mapping[str, Any]) -> str | None:
    """Return what a group says of itself as a vector store, or as a level of one, or None."""
    root, level = attributes.get(_VECTORS), attributes.get(f"{_VECTORS}_level")
    if isinstance(root, Mapping):
        kinds = root.get("geometry_types")
        named = ", ".join(map(str, kinds)) if isinstance(kinds, list) else ""
        return f"vector store: {named}" if named else "vector store"
    if isinstance(level, Mapping):
        count = level.get("vertex_count")
        return f"{count:,} vertices" if isinstance(count, int) else None
    return None


def ome_kind(attributes: Mapping[str, Any], name: str) -> OmeKind | None:
    """Return what a group of that name says it is in OME-Zarr, of whatever version, or None."""
    if _VECTORS in attributes:
        return None  # its multiscales are of chunks, not of pixels
    nested = attributes.get("ome")
    ome = nested if isinstance(nested, Mapping) else attributes
    if isinstance(ome.get("plate"), Mapping):
        return "plate"
    if "bioformats2raw.layout" in ome or "bioformats2raw.layout" in attributes:
        return "series"
    if isinstance(ome.get("well"), Mapping):
        return "well"
    if ome.get("multiscales"):
        return "label image" if "image-label" in ome else "image"
    # Before 0.5 nothing but the group's name tells the list from attributes of other programs.
    is_list = isinstance(ome.get("labels"), list) and (ome is nested or name == "labels")
    return "labels" if is_list else None


def says_image(attributes: Mapping[str, Any]) -> bool:
    """Return whether a group's attributes declare a multiscale image, of whatever version."""
    nested = attributes.get("ome")
    ome = nested if isinstance(nested, Mapping) else attributes
    return bool(ome.get("multiscales")) and _VECTORS not in attributes


def _natural(name: str) -> tuple[int, int, str]:
    return (0, int(name), name) if name.isascii() and name.isdigit() else (1, 0, name)

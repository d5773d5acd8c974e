"""Groups: nodes that hold nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from anyzarr import crud
from anyzarr._nodes._array import Array
from anyzarr._nodes._create import create_array_at, create_group_at
from anyzarr._nodes._node import Node
from anyzarr._nodes._tree import TreeNode, tree_of
from anyzarr.abc import Store
from anyzarr.crud._nodes import normalize_path, read_node
from anyzarr.errors import NodeNotFoundError
from anyzarr.metadata import ArrayMetadata, GroupMetadata, parse, parse_group
from anyzarr.stores import join

__all__ = ["Group", "bind"]


class Group(Node):
    """A group of arrays and groups.

    Made by :func:`anyzarr.open_group` and :func:`anyzarr.create_group`. Pickled by
    description. Iterating gives the names of the members.

    Examples
    --------
    >>> import anyzarr
    >>> group = anyzarr.create_group({})
    >>> _ = group.create_array("raw/nuclei", shape=(4, 4), dtype="uint8")
    >>> list(group), "raw/nuclei" in group
    (['raw'], True)
    >>> group["raw/nuclei"].shape
    (4, 4)
    """

    metadata: GroupMetadata

    def __init__(
        self, metadata: GroupMetadata, store: Store, path: str = "", engine: str | None = None
    ) -> None:
        super().__init__(store, path, engine)
        self.metadata = metadata

    def _accept(self, document: dict[str, Any]) -> None:
        self.metadata = parse_group(document)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (
            dict(self.metadata.document),
            self._store,
            self._path,
            self._engine_name,
        )

    def __getitem__(self, path: str) -> Array | Group:
        """Return the member at a path below this group, ``a`` or ``a/b``.

        Raises
        ------
        NodeNotFoundError
            There is none (also a ``KeyError``).
        """
        below = self._below(path)
        return bind(read_node(self._store, below), self._store, below, self._engine_name)

    def _below(self, path: str) -> str:
        relative = normalize_path(path)
        if not relative:
            raise NodeNotFoundError(
                f"{path!r} names no member of {self.url}; give the name of a member", path=path
            )
        return join(self._path, relative)

    def __contains__(self, path: object) -> bool:
        if not isinstance(path, str):
            return False
        try:
            crud.read_metadata(self._store, self._below(path))
        except NodeNotFoundError:
            return False
        return True

    def get(self, path: str, default: Any = None) -> Any:
        """Return the member at a path, or the default if there is none."""
        try:
            return self[path]
        except NodeNotFoundError:
            return default

    def members(self) -> tuple[tuple[str, Array | Group], ...]:
        """Return name and node of each direct member, sorted by name.

        One listing, and the documents fetched together. A member that cannot be read raises;
        it is never left out.
        """
        return tuple(
            (name, bind(document, self._store, join(self._path, name), self._engine_name))
            for name, document in crud.list_children(self._store, self._path)
        )

    def arrays(self) -> Iterator[tuple[str, Array]]:
        """Iterate over the direct members that are arrays."""
        return ((name, node) for name, node in self.members() if isinstance(node, Array))

    def groups(self) -> Iterator[tuple[str, Group]]:
        """Iterate over the direct members that are groups."""
        return ((name, node) for name, node in self.members() if isinstance(node, Group))

    def keys(self) -> list[str]:
        """Return the names of the direct members, sorted."""
        return [name for name, _ in crud.list_children(self._store, self._path)]

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self.keys())

    def __delitem__(self, path: str) -> None:
        """Delete a member and everything below it."""
        crud.delete_node(self._store, self._below(path))

    def create_group(
        self, name: str, *, attributes: Mapping[str, Any] | None = None, overwrite: bool = False
    ) -> Group:
        """Create a group below this one, and the groups on the way that are not there yet.

        Parameters
        ----------
        name
            Its path relative to this group.
        attributes
            User attributes.
        overwrite
            Replace what is there, with everything below it.

        Raises
        ------
        NodeExistsError
            There is a node already, or an array on the way.
        """
        document = create_group_at(
            self._store,
            self._below(name),
            zarr_format=self.zarr_format,
            attributes=attributes,
            overwrite=overwrite,
            base=self._path,
        )
        return Group(parse_group(document), self._store, self._below(name), self._engine_name)

    def require_group(self, name: str) -> Group:
        """Return the group of this name, created if it is not there.

        Raises
        ------
        NodeExistsError
            There is an array of this name.
        """
        node = self.get(name)
        if isinstance(node, Group):
            return node
        return self.create_group(name)

    def create_array(
        self,
        name: str,
        *,
        overwrite: bool = False,
        zarr_format: Literal[2, 3] | None = None,
        **options: Any,
    ) -> Array:
        """Create an array below this group; options as for :func:`anyzarr.create_array`.

        Groups on the way that are not there yet are created.

        Raises
        ------
        NodeExistsError
            There is a node already, or an array on the way.
        """
        metadata = create_array_at(
            self._store,
            self._below(name),
            zarr_format=zarr_format or self.zarr_format,
            overwrite=overwrite,
            engine=self._engine_name,
            base=self._path,
            **options,
        )
        return Array(metadata, self._store, self._below(name), self._engine_name)

    def tree(self, *, max_depth: int | None = None) -> TreeNode:
        """Return the hierarchy from here down; printing it draws it."""
        return tree_of(self._store, self._path, self.name or "/", max_depth)

    def __repr__(self) -> str:
        return f"<Group {self.url}>"


def bind(
    document: Mapping[str, Any] | ArrayMetadata | GroupMetadata,
    store: Store,
    path: str,
    engine: str | None,
) -> Array | Group:
    """Return the node a document describes."""
    metadata = parse(document)
    if isinstance(metadata, ArrayMetadata):
        return Array(metadata, store, path, engine)
    return Group(metadata, store, path, engine)


def _rebuild(document: Mapping[str, Any], store: Store, path: str, engine: str | None) -> Group:
    return Group(parse_group(document), store, path, engine)

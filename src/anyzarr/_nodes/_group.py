"""Groups: nodes that hold nodes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from anyzarr import crud
from anyzarr._nodes._array import Array
from anyzarr._nodes._create import create_array_at, create_group_at
from anyzarr._nodes._known import Known, known_below
from anyzarr._nodes._node import Node
from anyzarr._nodes._tree import TreeNode, tree_of
from anyzarr._optional import require
from anyzarr._url import redact
from anyzarr.abc import Store
from anyzarr.crud._nodes import normalize_path
from anyzarr.crud._parsed import members_of, nodes_at, read_node
from anyzarr.errors import NodeNotFoundError
from anyzarr.metadata import ArrayMetadata, GroupMetadata, parse, parse_group
from anyzarr.stores import join

if TYPE_CHECKING:
    import zarr

__all__ = ["Group", "bind"]

Described: TypeAlias = Mapping[str, Any] | ArrayMetadata | GroupMetadata
"""What a node is: its document, or what has been parsed of it."""


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
        self,
        metadata: GroupMetadata,
        store: Store,
        path: str = "",
        engine: str | None = None,
        *,
        known: Known | None = None,
    ) -> None:
        super().__init__(store, path, engine)
        self.metadata = metadata
        self._known = known
        self._has_looked = known is not None

    def _accept(self, document: dict[str, Any]) -> None:
        self.metadata = parse_group(document)
        self._known, self._has_looked = None, False

    @property
    def _consolidated(self) -> Known | None:
        """What the consolidated metadata of this group, or of one above, says of what is below."""
        if not self._has_looked:
            self._known = known_below(self._store, self._path, self.metadata.document)
            self._has_looked = True
        known = self._known
        return known if known is not None and known.is_current else None

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
        below, known = self._below(path), self._consolidated
        # What it does not name may have been added by a program that left it as it was.
        document = None if known is None else known.document(below)
        if document is None:
            return bind(read_node(self._store, below), self._store, below, self._engine_name)
        return bind(document, self._store, below, self._engine_name, known)

    def _below(self, path: str) -> str:
        relative = normalize_path(path)
        if not relative:
            raise NodeNotFoundError(
                f"{path!r} names no member of {redact(self.url)}; give the name of a member",
                path=path,
            )
        return join(self._path, relative)

    def __contains__(self, path: object) -> bool:
        if not isinstance(path, str):
            return False
        try:
            below, known = self._below(path), self._consolidated
            if known is None or known.document(below) is None:
                crud.read_metadata(self._store, below)
        except NodeNotFoundError:
            return False
        return True

    def get(self, path: str, default: Any = None) -> Any:
        """Return the member at a path, or the default if there is none."""
        try:
            return self[path]
        except NodeNotFoundError:
            return default

    def get_many(self, paths: Iterable[str]) -> dict[str, Array | Group]:
        """Return the members at several paths, by path; those that are not there are left out.

        Their documents are fetched together, or not at all where metadata is consolidated.
        Members in Zarr v2 are found only where it is.

        Examples
        --------
        >>> import anyzarr
        >>> group = anyzarr.create_group({})
        >>> _ = group.create_array("raw/nuclei", shape=(4, 4), dtype="uint8")
        >>> list(group.get_many(["raw", "raw/nuclei", "raw/cells"]))
        ['raw', 'raw/nuclei']
        """
        below = {path: self._below(path) for path in paths}
        known = self._consolidated
        told = {p: None if known is None else known.document(p) for p in below.values()}
        found: dict[str, Described] = {p: doc for p, doc in told.items() if doc is not None}
        missing = [path for path in told if path not in found]
        if missing:
            found |= nodes_at(self._store, missing, ("zarr.json",))
        return {
            path: bind(document, self._store, place, self._engine_name, known)
            for path, place in below.items()
            if (document := found.get(place)) is not None
        }

    @property
    def zarr_group(self) -> zarr.Group:
        """zarr-python's view of this group: over the same store, with the same rights.

        Raises
        ------
        MissingDependencyError
            zarr-python is not installed.

        Examples
        --------
        >>> import anyzarr
        >>> group = anyzarr.create_group({}, attributes={"lab": "Betzig"})
        >>> group.zarr_group.attrs["lab"]
        'Betzig'
        """
        module = require("zarr", extra="zarr", purpose="A group of zarr-python")
        from anyzarr.stores import to_zarr_store

        mode: Literal["r", "r+"] = "r" if self.read_only else "r+"
        view = to_zarr_store(self._store)
        group: zarr.Group = module.open_group(
            view, path=self._path, mode=mode, zarr_format=self.zarr_format
        )
        return group

    def members(self) -> tuple[tuple[str, Array | Group], ...]:
        """Return name and node of each direct member, sorted by name.

        One listing, and the documents fetched together; neither where the metadata of this
        group, or of the one it was opened from, is consolidated. A member that cannot be read
        raises; it is never left out.
        """
        known = self._consolidated
        return tuple(
            (name, bind(document, self._store, join(self._path, name), self._engine_name, known))
            for name, document in self._children()
        )

    def _children(self) -> list[tuple[str, Described]]:
        known = self._consolidated
        if known is not None:
            return [*known.children(self._path)]
        return [*members_of(self._store, self._path)]

    def consolidate(self) -> Group:
        """Write the documents of all nodes below into this group's own; return self.

        Whoever opens the group then knows the whole hierarchy with one request. See
        :func:`anyzarr.crud.consolidate_metadata`.

        Examples
        --------
        >>> import anyzarr
        >>> group = anyzarr.create_group({})
        >>> _ = group.create_array("a/b", shape=(3,), dtype="uint8")
        >>> sorted(group.consolidate().metadata.document["consolidated_metadata"]["metadata"])
        ['a', 'a/b']
        """
        crud.consolidate_metadata(self._store, self._path)
        return self.refresh()

    def arrays(self) -> Iterator[tuple[str, Array]]:
        """Iterate over the direct members that are arrays."""
        return ((name, node) for name, node in self.members() if isinstance(node, Array))

    def groups(self) -> Iterator[tuple[str, Group]]:
        """Iterate over the direct members that are groups."""
        return ((name, node) for name, node in self.members() if isinstance(node, Group))

    def keys(self) -> list[str]:
        """Return the names of the direct members, sorted."""
        return [name for name, _ in self._children()]

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
        return f"<Group {redact(self.url)}>"


def bind(
    document: Described,
    store: Store,
    path: str,
    engine: str | None,
    known: Known | None = None,
) -> Array | Group:
    """Return the node a document describes."""
    metadata = parse(document)
    if isinstance(metadata, ArrayMetadata):
        return Array(metadata, store, path, engine)
    return Group(metadata, store, path, engine, known=known)


def _rebuild(document: Mapping[str, Any], store: Store, path: str, engine: str | None) -> Group:
    return Group(parse_group(document), store, path, engine)

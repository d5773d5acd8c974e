"""A stored level: its documents, fetched together, and what can be asked of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from anyzarr._nodes import Array, Group
from anyzarr.errors import NodeNotFoundError, SelectionError
from anyzarr.stores import join
from anyzarr.vectors._cell_index import CellIndex, distinct_cells
from anyzarr.vectors._cells import CellArray
from anyzarr.vectors._documents import LevelMetadata, RootMetadata
from anyzarr.vectors._editions import edition_of, read_current
from anyzarr.vectors._grid import Bounds, CellGrid, Coords
from anyzarr.vectors._objects import ObjectIndex, object_paths
from anyzarr.vectors._open import open_root_with

__all__ = ["BoundingBox", "Names", "StoredLevel", "open_level", "read_level"]

BoundingBox: TypeAlias = Sequence[Sequence[float]] | npt.NDArray[Any]
Names: TypeAlias = Sequence[str] | Literal["all"] | None

T = TypeVar("T")

_ATTRIBUTES = "vertex_attributes"


@dataclass(frozen=True, eq=False)
class StoredLevel:
    """A level of a store that is there.

    Attributes
    ----------
    root, metadata
        The store.
    level
        What the level says of itself.
    nodes
        Nodes that have been asked for, by path relative to the root; None where there is none.
    """

    root: Group
    metadata: RootMetadata
    level: LevelMetadata
    nodes: dict[str, Array | Group | None]

    @classmethod
    def of(
        cls,
        root: Group,
        metadata: RootMetadata,
        number: int,
        names: Names = None,
        further: Iterable[str] = (),
        *,
        objects: bool = False,
    ) -> StoredLevel:
        """Return a level of an open store.

        Parameters
        ----------
        root, metadata
            The store.
        number
            The level's.
        names
            Vertex attributes that will be read; ``"all"``: each there is.
        further
            Paths of further nodes, relative to the level.
        objects
            Whether objects will be asked for.

        Raises
        ------
        NodeNotFoundError
            There is no such level.
        """
        paths = _paths(number, names, further, objects=objects)
        return cls.among(root, metadata, number, {**dict.fromkeys(paths), **root.get_many(paths)})

    @classmethod
    def among(
        cls,
        root: Group,
        metadata: RootMetadata,
        number: int,
        nodes: dict[str, Array | Group | None],
    ) -> StoredLevel:
        """Return the level whose documents are among nodes that have been fetched."""
        group, vertices = nodes[str(number)], nodes[f"{number}/vertices"]
        if not isinstance(group, Group) or not isinstance(vertices, Array):
            raise NodeNotFoundError(
                f"{root.url} has no level {number}; it has {list(metadata.levels)}",
                path=join(root.path, str(number)),
            )
        level = LevelMetadata.parse(group.metadata.attributes, number)
        return cls(root, metadata, replace(level, level=number), nodes)

    @property
    def number(self) -> int:
        """The level's number."""
        return self.level.level

    @property
    def ndim(self) -> int:
        """Number of dimensions of the space."""
        return self.metadata.ndim

    @cached_property
    def grid(self) -> CellGrid:
        """The cells of the space; arrays may have further coordinates before these."""
        return self.metadata.grid(self.level)

    @cached_property
    def vertices(self) -> CellArray:
        """The positions."""
        return self.array("vertices")

    @cached_property
    def fragments(self) -> CellArray | None:
        """The fragments; None in a store that has none."""
        node = self.node("vertex_fragments")
        return None if node is None else self.array("vertex_fragments")

    def array(self, name: str) -> CellArray:
        """Return an array with one blob per cell, by its path relative to the level.

        Raises
        ------
        NodeNotFoundError
            There is none.
        """
        node = self.node(name)
        if not isinstance(node, Array):
            family, _, last = name.rpartition("/")
            there = self.root.get(f"{self.number}/{family}") if family else None
            names = list(there) if isinstance(there, Group) else []
            raise NodeNotFoundError(
                f"level {self.number} of {self.root.url} has no {family or 'array'} {last!r}"
                + (f"; there are {', '.join(names)}" if names else ""),
                path=join(self.root.path, f"{self.number}/{name}"),
            )
        return CellArray(node.metadata, node.store, node.path)

    def node(self, name: str) -> Array | Group | None:
        """Return the node at a path below the level; None if there is none."""
        self.fetch([name])
        return self.nodes[f"{self.number}/{name}"]

    def fetch(self, names: Iterable[str]) -> None:
        """Fetch together the documents of nodes that have not been, by path below the level."""
        paths = [f"{self.number}/{name}" for name in names]
        missing = [path for path in paths if path not in self.nodes]
        if missing:
            self.nodes.update({**dict.fromkeys(missing), **self.root.get_many(missing)})

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the positions."""
        dtype: np.dtype[Any] = np.dtype(self.vertices.attributes.get("dtype", "float32"))
        return dtype

    @cached_property
    def cells(self) -> Coords:
        """Absolute coordinates of the cells that hold something that counts."""
        return (self.fragments or self.vertices).nonempty

    @cached_property
    def objects(self) -> ObjectIndex | None:
        """The objects; None where there are none."""
        self.fetch(path.partition("/")[2] for path in object_paths(self.number))
        return ObjectIndex.of(self.root, self.number, self.nodes)

    def attribute_names(self, names: Names = "all") -> tuple[str, ...]:
        """Return the names of the vertex attributes that are asked for."""
        if names is None:
            return ()
        if not isinstance(names, str):
            return tuple(names)
        if names != "all":
            raise SelectionError(
                f"attribute_names={names!r} is one text; give a list of names, or 'all'"
            )
        family = self.node(_ATTRIBUTES)
        found = dict(family.members()) if isinstance(family, Group) else {}
        for name, node in found.items():
            self.nodes.setdefault(f"{self.number}/{_ATTRIBUTES}/{name}", node)
        by_chunk = self.level.chunk_attribute_name
        return tuple(found) if by_chunk is None else (*found, by_chunk)

    def select(
        self, bbox: BoundingBox | None = None, chunks: Iterable[Sequence[int]] | None = None
    ) -> Coords:
        """Return the cells that a box meets, of those listed.

        Raises
        ------
        SelectionError
            The box or the chunks do not fit the space.
        """
        cells = self.cells
        if chunks is not None:
            wanted = np.asarray(list(chunks), dtype=np.int64).reshape(-1, cells.shape[1])
            cells = cells[_is_in(cells, wanted)]
        if bbox is not None:
            spatial = cells[:, -self.ndim :]
            cells = cells[self.grid.touching(self.corners(bbox), spatial)]
        return cells

    def corners(self, bbox: BoundingBox) -> Bounds:
        """Return a box as two corners of floats.

        Raises
        ------
        SelectionError
            It is no box of the space.
        """
        corners = np.asarray(bbox, dtype=np.float64)
        if corners.shape != (2, self.ndim) or np.isnan(corners).any():
            raise SelectionError(
                f"bbox={bbox!r} is no box of {self.ndim} dimensions: give its lower and its upper "
                "corner, each of so many numbers"
            )
        low, high = corners.tolist()
        return tuple(low), tuple(high)


def _is_in(cells: Coords, wanted: Coords) -> npt.NDArray[np.bool_]:
    """Return which cells are among others."""
    return CellIndex(distinct_cells(wanted)[0]).find(cells) >= 0


def _paths(number: int, names: Names, further: Iterable[str], *, objects: bool) -> list[str]:
    """Return the paths of the nodes of a level; parameters as of :meth:`StoredLevel.of`."""
    wanted = [] if names is None or isinstance(names, str) else list(names)
    below = ["vertices", "vertex_fragments", *(f"{_ATTRIBUTES}/{name}" for name in wanted)]
    below += [_ATTRIBUTES] if names == "all" else []
    paths = [str(number), *(f"{number}/{name}" for name in [*below, *further])]
    return paths + object_paths(number) if objects else paths


def open_level(
    location: Any,
    number: int,
    names: Names = None,
    *,
    objects: bool = False,
    backend: str | None = None,
    backend_kwargs: Mapping[str, Any] | None = None,
    further: Iterable[str] = (),
) -> StoredLevel:
    """Return a level of the store at a location, whose documents come together with the root's.

    Parameters are those of :meth:`StoredLevel.of`.
    """
    paths = _paths(number, names, further, objects=objects)
    options = backend_kwargs or {}
    root, metadata, found = open_root_with(location, paths, backend=backend, **options)
    if edition_of(root):
        # What came together with the root may be older than the edit that the root tells of.
        found = root.get_many(paths)
    return StoredLevel.among(root, metadata, number, {**dict.fromkeys(paths), **found})


def read_level(
    location: Any,
    number: int,
    ask: Callable[[StoredLevel], T],
    names: Names = None,
    *,
    objects: bool = True,
    backend: str | None = None,
    backend_kwargs: Mapping[str, Any] | None = None,
    further: Iterable[str] = (),
) -> T:
    """Return what is asked of a level, which no edit has changed meanwhile.

    Parameters
    ----------
    location, number, names, objects, backend, backend_kwargs, further
        As of :func:`open_level`.
    ask
        Reads; asked again, of the level with its new documents, where an edit came between.
    """
    wished = tuple(further)
    held = [
        open_level(
            location,
            number,
            names,
            objects=objects,
            backend=backend,
            backend_kwargs=backend_kwargs,
            further=wished,
        )
    ]
    root = held[0].root

    def read() -> T:
        if held:
            return ask(held.pop())
        metadata = RootMetadata.parse(root.metadata.attributes)
        return ask(StoredLevel.of(root, metadata, number, names, wished, objects=objects))

    return read_current(root, read)

"""Vector stores without reading: what is chosen now is fetched when it is computed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from anyzarr._nodes import Group
from anyzarr.errors import NodeNotFoundError
from anyzarr.vectors._documents import RootMetadata
from anyzarr.vectors._editions import read_current
from anyzarr.vectors._grid import Bounds
from anyzarr.vectors._job import OutOfBounds
from anyzarr.vectors._open import open_root
from anyzarr.vectors._selection import ZVLevel
from anyzarr.vectors._writer import ZVWriter

__all__ = ["ZVStore", "open_zv"]


def open_zv(path: Any, *, backend: str | None = None, **backend_kwargs: Any) -> ZVStore:
    """Open a vector store for lazy reading; writable or not, a folder, an archive or in memory.

    Parameters
    ----------
    path, backend, **backend_kwargs
        As for :func:`anyzarr.vectors.open_store`.

    Examples
    --------
    >>> from anyzarr.vectors import open_zv, write_points
    >>> memory = {}
    >>> _ = write_points(memory, [[1, 1], [8, 2], [4, 9]], vertex_attributes={"i": [5, 6, 7]})
    >>> store = open_zv(memory)
    >>> store.levels, store.ndim
    ((0,), 2)
    >>> chosen = store[0].filter(bbox=([0, 0], [8, 5]))
    >>> chosen.compute().positions.tolist(), chosen.attributes["i"].compute().tolist()
    ([[1.0, 1.0], [8.0, 2.0]], [5, 6])
    """
    root, _ = open_root(path, "r", backend=backend, **backend_kwargs)
    return ZVStore(root, (path, backend, backend_kwargs))


@dataclass(frozen=True)
class ZVStore:
    """A vector store of which nothing but the root's document has been read.

    Indexing gives a level; iterating gives the numbers of the levels. Where somebody edits the
    store (deletes or replaces objects, vacuums, rechunks), a read that comes later sees that,
    takes the new documents, and returns what the store holds then; so does every fact that is
    asked for, such as :attr:`bounds`, each of which looks at the root's document for it.

    Attributes
    ----------
    root
        The root group.
    opened
        The location, backend and options with which it was opened.
    """

    root: Group
    opened: tuple[Any, str | None, Mapping[str, Any]] | None = field(default=None, repr=False)

    @property
    def metadata(self) -> RootMetadata:
        """What the root says; after an edit, what it says now."""
        return read_current(self.root, self._at_hand)

    def _at_hand(self) -> RootMetadata:
        return RootMetadata.parse(self.root.metadata.attributes)

    def writer(
        self, *, buffer_vertices: int = 1_000_000, out_of_bounds: OutOfBounds = "raise"
    ) -> ZVWriter:
        """Return a handle through which threads and processes add to the store.

        Parameters
        ----------
        buffer_vertices, out_of_bounds
            As for :class:`ZVWriter`, which has an example.
        """
        location, backend, options = self.opened or (self.root, None, {})
        return ZVWriter(
            location,
            buffer_vertices=buffer_vertices,
            out_of_bounds=out_of_bounds,
            backend=backend,
            backend_kwargs=options,
        )

    @property
    def url(self) -> str:
        """The store's address."""
        return self.root.url

    @property
    def levels(self) -> tuple[int, ...]:
        """Numbers of the levels; 0 is full resolution."""
        return self.metadata.levels

    @property
    def ndim(self) -> int:
        """Number of dimensions of the space."""
        return self._at_hand().ndim

    @property
    def bounds(self) -> Bounds:
        """Lower and upper corner of what the store may hold."""
        return self.metadata.bounds

    @property
    def chunk_shape(self) -> tuple[float, ...]:
        """Edge lengths of a chunk of level 0."""
        return self.metadata.chunk_shape

    @property
    def bin_shape(self) -> tuple[float, ...]:
        """Edge lengths of a bin of level 0."""
        return self.metadata.bin_shape

    @property
    def geometry_types(self) -> tuple[str, ...]:
        """What the store holds."""
        return self.metadata.geometry_types

    def __getitem__(self, level: int) -> ZVLevel:
        """Return a level.

        Raises
        ------
        NodeNotFoundError
            There is none of this number (also a ``KeyError``).
        """
        if level not in self._at_hand().levels and level not in self.levels:
            raise NodeNotFoundError(
                f"{self.url} has no level {level}; it has {list(self.levels)}", path=str(level)
            )
        return ZVLevel(self.root, level)

    def __iter__(self) -> Iterator[int]:
        return iter(self.levels)

    def __len__(self) -> int:
        return len(self.levels)

"""Vector stores without reading: what is chosen now is fetched when it is computed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from anyzarr._nodes import Group
from anyzarr.errors import NodeNotFoundError
from anyzarr.vectors._documents import RootMetadata
from anyzarr.vectors._grid import Bounds
from anyzarr.vectors._open import open_root
from anyzarr.vectors._selection import ZVLevel

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
    return ZVStore(*open_root(path, "r", backend=backend, **backend_kwargs))


@dataclass(frozen=True)
class ZVStore:
    """A vector store of which nothing but the root's document has been read.

    Indexing gives a level; iterating gives the numbers of the levels.

    Attributes
    ----------
    root
        The root group.
    metadata
        What it says.
    """

    root: Group
    metadata: RootMetadata

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
        return self.metadata.ndim

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
        if level not in self.levels:
            raise NodeNotFoundError(
                f"{self.url} has no level {level}; it has {list(self.levels)}", path=str(level)
            )
        return ZVLevel(self.root, self.metadata, level)

    def __iter__(self) -> Iterator[int]:
        return iter(self.levels)

    def __len__(self) -> int:
        return len(self.levels)

"""What arrays and groups have in common: a store, a path, metadata and attributes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Literal, TypeVar

from anyzarr import crud
from anyzarr._nodes._attributes import Attributes
from anyzarr.abc import Store
from anyzarr.crud._regions import require_writable
from anyzarr.metadata import ArrayMetadata, GroupMetadata
from anyzarr.stores import StagedArchive
from anyzarr.stores._base import url_at
from anyzarr.stores._shown import holding_backend

__all__ = ["Node", "creating", "finish"]

Self = TypeVar("Self", bound="Node")


def finish(store: Store, exc: BaseException | None) -> None:
    """Make the archive that a store is to become, or none if there was an exception."""
    if isinstance(store, StagedArchive):
        store.__exit__(None if exc is None else type(exc), exc, None)


@contextmanager
def creating(store: Store, location: Any) -> Iterator[None]:
    """Where creating the first node fails, leave nothing of an archive opened for it."""
    try:
        yield
    except BaseException as error:
        if store is not location:
            finish(store, error)
        raise


class Node(ABC):
    """An array or a group at a path of a store. Holds no open file and no connection.

    As a context manager it gives itself back; there is nothing to close, every write is
    complete when its call returns. A zip archive is the exception: it is there when the node
    that was created at its location is closed.
    """

    metadata: ArrayMetadata | GroupMetadata

    def __init__(self, store: Store, path: str, engine: str | None) -> None:
        self._store = store
        self._path = path
        self._engine_name = engine
        self._makes_archive = False

    @property
    def store(self) -> Store:
        """The store that holds the bytes."""
        return self._store

    @property
    def path(self) -> str:
        """The node's path within the store; ``""`` is the root."""
        return self._path

    @property
    def name(self) -> str:
        """The last segment of the path; of a root, the last segment of the store's address."""
        return (self._path or self._store.spec.root.rstrip("/")).rpartition("/")[2]

    @property
    def backend(self) -> str:
        """The name of the backend: where the bytes live."""
        return holding_backend(self._store)

    @property
    def url(self) -> str:
        """The node's address, as :func:`anyzarr.open` takes it."""
        return url_at(self._store, self._path)

    @property
    def zarr_format(self) -> Literal[2, 3]:
        """The version of the Zarr format."""
        return self.metadata.zarr_format

    @property
    def read_only(self) -> bool:
        """Whether writing is refused."""
        return not self._store.capabilities.writable

    @property
    def attrs(self) -> Attributes:
        """The user attributes; changes are written at once."""
        return Attributes(self)

    def refresh(self: Self) -> Self:
        """Read the metadata again, for what other handles or processes changed; return self."""
        self._accept(crud.read_metadata(self._store, self._path, zarr_format=self.zarr_format))
        return self

    @abstractmethod
    def _accept(self, document: dict[str, Any]) -> None:
        """Take the document as this handle's metadata."""

    def _change_attributes(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        require_writable(self._store, self._path)
        document = crud.update_attributes(
            self._store, self._path, change, zarr_format=self.zarr_format
        )
        self._accept(document)

    def close(self) -> None:
        """Complete the archive that was created with this node; of anything else, do nothing.

        Raises
        ------
        StoreError
            The archive cannot be written; what was written to it is kept, and the error says
            where.
        """
        if self._makes_archive:
            finish(self._store, None)

    def _take_charge(self: Self, location: Any) -> Self:
        """Make this the node whose end is that of its archive, unless the caller has the store."""
        self._makes_archive = self._store is not location
        return self

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._makes_archive:
            finish(self._store, exc)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Node) or type(other) is not type(self):
            return NotImplemented
        return self._store.spec == other._store.spec and self._path == other._path

    def __hash__(self) -> int:
        return hash((type(self).__name__, self._store.spec, self._path))

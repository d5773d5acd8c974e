"""Stores of one object that is made of another one: a part of it, or what it decompresses to."""

from __future__ import annotations

import abc
from collections.abc import Iterator
from typing import Any, NoReturn

from anyzarr.abc import ByteRange, Capabilities, ObjectInfo, Precondition, Store, StoreSpec
from anyzarr.stores._base import BaseStore, address_at

__all__ = ["SingleObjectStore"]


class SingleObjectStore(BaseStore):
    """A store with one object, made of an object of another store. It can only be read.

    Parameters
    ----------
    backend
        Name of the backend that rebuilds the store, from the options ``container`` and ``key``
        and those given here.
    source
        The store and the key of what it is made of.
    step
        The step of a URL pipeline that makes it, with its colon.
    """

    def __init__(self, backend: str, source: tuple[Store, str], step: str, **options: Any) -> None:
        self._container, self._source_key = source
        described = {"container": self._container.spec, "key": self._source_key, **options}
        address = f"{address_at(*source)}|{step}"
        super().__init__(StoreSpec(backend, address, described, read_only=True))

    @property
    def key(self) -> str:
        """The key of the one object."""
        return self._source_key.rpartition("/")[2]

    @property
    def capabilities(self) -> Capabilities:
        """What the store can do."""
        return Capabilities(writable=False)

    def address_at(self, path: str) -> str:
        """Return the address of the object, which is that of the store, or below a prefix."""
        return self.address if path == self.key else super().address_at(path)

    def _why_not_writable(self, key: str | None) -> str:
        return (
            f"{self._label} is made of another object, and can only be read, so {key!r} cannot "
            "be changed: change what it is made of"
        )

    @abc.abstractmethod
    def _read(self, byte_range: ByteRange | None) -> bytes | None:
        """Return the object or a part of it; None if what it is made of is absent."""

    @abc.abstractmethod
    def _look_up(self) -> ObjectInfo | None:
        """Return size and ETag of the object; None if what it is made of is absent."""

    def _get(self, key: str, byte_range: ByteRange | None) -> bytes | None:
        return self._read(byte_range) if key == self.key else None

    def _head(self, key: str) -> ObjectInfo | None:
        return self._look_up() if key == self.key else None

    def _list(self, prefix: str) -> Iterator[ObjectInfo]:
        info = self._look_up() if self.key.startswith(prefix) else None
        return iter(() if info is None else (info,))

    def _put(
        self, key: str, value: bytes | memoryview, precondition: Precondition | None
    ) -> NoReturn:
        raise AssertionError("refused before it gets here")

    def _delete(self, key: str) -> NoReturn:
        raise AssertionError("refused before it gets here")

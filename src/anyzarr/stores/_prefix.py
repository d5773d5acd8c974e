"""The part of a store below a prefix, as a store."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from anyzarr._url import ZarrFormat
from anyzarr.abc import (
    AsyncStore,
    ByteRange,
    Capabilities,
    Level,
    ObjectInfo,
    Precondition,
    Request,
    Store,
    StoreSpec,
)
from anyzarr.stores._base import BaseStore, Results, Versioned, address_at, told_format
from anyzarr.stores._keys import as_prefix, validate_prefix

__all__ = ["SubStore", "at_prefix"]


def at_prefix(store: Store, prefix: str) -> Store:
    """Return a store whose keys are those of ``store`` below a prefix.

    Parameters
    ----------
    store
        Any store. A local, obstore or fsspec store gives one of its own kind.
    prefix
        A path (``"plate/A/1"``), with or without a slash at its end. ``""`` gives ``store``.

    Raises
    ------
    StoreError
        The prefix has an empty, ``.`` or ``..`` segment.

    Examples
    --------
    >>> from anyzarr.stores import MemoryStore, at_prefix
    >>> store = MemoryStore({"plate/A/1/zarr.json": b"{}"})
    >>> at_prefix(store, "plate/A").get("1/zarr.json")
    b'{}'
    """
    prefix = validate_prefix(as_prefix(prefix), store=str(store))
    if not prefix:
        return store
    if not isinstance(store, BaseStore):
        return SubStore(store, prefix)
    return store.at_prefix(prefix).with_zarr_format(store.zarr_format)


class SubStore(BaseStore):
    """A view of a store below a prefix. Use :func:`at_prefix`, which knows shorter ways.

    Parameters
    ----------
    store
        The store that holds the objects.
    prefix
        ``""``, or a key followed by ``/``.
    read_only
        Whether to refuse to write, whatever ``store`` does.
    """

    def __init__(self, store: Store, prefix: str, *, read_only: bool = False) -> None:
        self._store = store
        self._prefix = validate_prefix(prefix, store=str(store))
        inner = store.spec
        super().__init__(
            StoreSpec(
                "prefix",
                f"{inner.root}#{prefix}",
                {"store": inner, "prefix": prefix},
                read_only=read_only or inner.read_only,
                zarr_format=told_format(store),
            )
        )

    @property
    def store(self) -> Store:
        """The store that holds the objects."""
        return self._store

    @property
    def prefix(self) -> str:
        """What every key is put after."""
        return self._prefix

    @property
    def address(self) -> str:
        """Where the objects are, as a URL or URL pipeline."""
        return address_at(self._store, self._prefix.rstrip("/"))

    def address_at(self, path: str) -> str:
        """Return the address of what is at a key, or below a prefix."""
        return address_at(self._store, (self._prefix + path).rstrip("/"))

    @functools.cached_property
    def capabilities(self) -> Capabilities:
        """Those of the store below, with its directory moved to the prefix."""
        return self._derived_capabilities()

    def _derived_capabilities(self) -> Capabilities:
        inner = self._store.capabilities
        root = inner.local_root
        if root is not None and self._prefix:
            root = f"{root.rstrip('/')}/{self._prefix.rstrip('/')}"
        writable = inner.writable and not self._spec.read_only
        return replace(inner, writable=writable, local_root=root)

    def with_read_only(self, read_only: bool) -> SubStore:
        """Return a view of the same objects that refuses, or no longer refuses, to write."""
        if read_only == self._spec.read_only:
            return self
        inner = self._store
        if not read_only and isinstance(inner, BaseStore):
            inner = inner.with_read_only(read_only=False)
        twin = SubStore(inner, self._prefix, read_only=read_only)
        return twin.with_zarr_format(self.zarr_format)

    def at_prefix(self, prefix: str) -> BaseStore:
        """Return a store whose keys are those below the prefix."""
        return SubStore(self._store, self._prefix + prefix, read_only=self._spec.read_only)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SubStore) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    @property
    def _identity(self) -> tuple[Store, str, bool]:
        return self._store, self._prefix, self._spec.read_only

    def __reduce__(self) -> tuple[Any, ...]:
        # Through the store itself, so that one of your own kind need not be registered.
        return _rebuild, (self._store, self._prefix, self._spec.read_only, self.zarr_format)

    def _requests(self, requests: Sequence[Request]) -> list[Request]:
        return [(self._prefix + key, byte_range) for key, byte_range in requests]

    def _info(self, info: ObjectInfo) -> ObjectInfo:
        return replace(info, key=info.key[len(self._prefix) :])

    def _level(self, level: Level) -> Level:
        n = len(self._prefix)
        return Level(tuple(k[n:] for k in level.keys), tuple(p[n:] for p in level.prefixes))

    @property
    def _async(self) -> AsyncStore | None:
        return self._store if isinstance(self._store, AsyncStore) else None

    # Sync: one line each, to the store below.

    def _get(self, key: str, byte_range: ByteRange | None) -> bytes | None:
        return self._store.get(self._prefix + key, byte_range)

    def _get_many(self, requests: Sequence[Request]) -> Results:
        return self._store.get_many(self._requests(requests))

    @property
    def _tells_versions(self) -> bool:
        return isinstance(self._store, BaseStore) and self._store._tells_versions

    def _get_many_with_info(self, requests: Sequence[Request]) -> Versioned:
        if not isinstance(self._store, BaseStore):
            return super()._get_many_with_info(requests)
        found = self._store.get_many_with_info(self._requests(requests))
        return [None if each is None else (each[0], self._info(each[1])) for each in found]

    def _put(
        self, key: str, value: bytes | memoryview, precondition: Precondition | None
    ) -> str | None:
        return self._store.put(self._prefix + key, value, precondition=precondition)

    def _get_stream(self, key: str) -> Iterator[bytes] | None:
        if isinstance(self._store, BaseStore):
            return self._store.get_stream(self._prefix + key)
        return super()._get_stream(key)

    def _put_stream(self, key: str, parts: Iterable[bytes], size_limit: int) -> None:
        if isinstance(self._store, BaseStore):
            self._store.put_stream(self._prefix + key, parts, size_limit=size_limit)
        else:
            super()._put_stream(key, parts, size_limit)

    def _delete(self, key: str) -> None:
        self._store.delete(self._prefix + key)

    def _delete_prefix(self, prefix: str) -> None:
        self._store.delete_prefix(self._prefix + prefix)

    def _head(self, key: str) -> ObjectInfo | None:
        info = self._store.head(self._prefix + key)
        return None if info is None else self._info(info)

    def _list(self, prefix: str) -> Iterator[ObjectInfo]:
        return map(self._info, self._store.list(self._prefix + prefix))

    def _list_level(self, prefix: str) -> Level:
        return self._level(self._store.list_level(self._prefix + prefix))

    # Async: native where the store below has it, else derived by the base class.

    async def _get_async(self, key: str, byte_range: ByteRange | None) -> bytes | None:
        if self._async is None:
            return await super()._get_async(key, byte_range)
        return await self._async.get_async(self._prefix + key, byte_range)

    async def _get_many_async(self, requests: Sequence[Request]) -> Results:
        if self._async is None:
            return await super()._get_many_async(requests)
        return await self._async.get_many_async(self._requests(requests))

    async def _put_async(
        self, key: str, value: bytes | memoryview, precondition: Precondition | None
    ) -> str | None:
        if self._async is None:
            return await super()._put_async(key, value, precondition)
        return await self._async.put_async(self._prefix + key, value, precondition=precondition)

    async def _delete_async(self, key: str) -> None:
        if self._async is None:
            return await super()._delete_async(key)
        return await self._async.delete_async(self._prefix + key)

    async def _delete_prefix_async(self, prefix: str) -> None:
        if self._async is None:
            return await super()._delete_prefix_async(prefix)
        return await self._async.delete_prefix_async(self._prefix + prefix)

    async def _head_async(self, key: str) -> ObjectInfo | None:
        if self._async is None:
            return await super()._head_async(key)
        info = await self._async.head_async(self._prefix + key)
        return None if info is None else self._info(info)

    async def _list_async(self, prefix: str) -> Iterable[ObjectInfo]:
        if self._async is None:
            return await super()._list_async(prefix)
        return tuple(map(self._info, await self._async.list_async(self._prefix + prefix)))

    async def _list_level_async(self, prefix: str) -> Level:
        if self._async is None:
            return await super()._list_level_async(prefix)
        return self._level(await self._async.list_level_async(self._prefix + prefix))


def _rebuild(
    store: Store, prefix: str, read_only: bool, zarr_format: ZarrFormat | None
) -> SubStore:
    return SubStore(store, prefix, read_only=read_only).with_zarr_format(zarr_format)


def open_prefix(root: str, *, store: StoreSpec, prefix: str, read_only: bool = False) -> BaseStore:
    """Rebuild a :class:`SubStore` from its spec."""
    from anyzarr.stores._registry import from_spec

    return SubStore(from_spec(store), prefix, read_only=read_only)

"""What all stores share: checks on the way in, and async derived from sync in one place."""

from __future__ import annotations

import abc
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Self, TypeAlias, TypeVar

from anyzarr import config
from anyzarr._parallel import map_ordered
from anyzarr._streams import ranges_of
from anyzarr._url import ZarrFormat, child_url, format_step, redact
from anyzarr.abc import (
    ABSENT,
    ByteRange,
    Capabilities,
    Level,
    ObjectInfo,
    Precondition,
    Request,
    Store,
    StoreSpec,
)
from anyzarr.errors import AnyzarrError, ConflictError, ReadOnlyError, StoreError, UnsupportedError
from anyzarr.stores._keys import validate_key, validate_prefix

__all__ = [
    "BaseStore",
    "Results",
    "address_at",
    "describe",
    "in_thread",
    "level_of",
    "read_versions",
    "remote_concurrency",
    "told_format",
    "url_at",
    "with_info",
]

T = TypeVar("T")
Results: TypeAlias = list[bytes | None]
"""One result per request; a name, because in a store's body ``list`` is a method."""
Versioned: TypeAlias = list[tuple[bytes, ObjectInfo] | None]
"""The same, each with the size and ETag of the object it was read from."""

_REMOTE_REQUESTS = 64
_ATTEMPTS = 4


def remote_concurrency() -> int:
    """Return how many requests to keep in flight: latency, not the processor, is what binds."""
    return int(config.get("concurrency") or _REMOTE_REQUESTS)


def describe(error: BaseException) -> str:
    """Return what another library's error says, on one line."""
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__


async def in_thread(work: Callable[..., T], *args: Any) -> T:
    """Run blocking work in a thread of the running loop."""
    # Whoever awaits has imported asyncio; ``import anyzarr`` need not pay for it.
    import asyncio

    return await asyncio.to_thread(work, *args)


class BaseStore(abc.ABC):
    """Base of the stores here, and a convenient one for a store of your own.

    A subclass sets up a :class:`~anyzarr.abc.StoreSpec`, says its ``capabilities``, and
    implements ``_get``, ``_put``, ``_delete``, ``_head`` and ``_list``. Keys and prefixes are
    checked and read-only stores refuse to write before these are called. Everything else is
    derived from them and can be overridden where the store does it better; the ``*_async``
    methods run the plain ones in a thread unless their ``_*_async`` hook is overridden.

    Parameters
    ----------
    spec
        From which ``anyzarr.stores.from_spec`` rebuilds the store, which is also how it is
        pickled and compared.

    Examples
    --------
    >>> from anyzarr.stores import MemoryStore
    >>> store = MemoryStore()
    >>> _ = store.put("a/b", b"value")
    >>> store.get("a/b")
    b'value'
    """

    def __init__(self, spec: StoreSpec) -> None:
        self._spec = spec

    # ------------------------------------------------------------------ what it is

    @property
    def spec(self) -> StoreSpec:
        """The description from which the store can be rebuilt anywhere."""
        return self._spec

    @property
    @abc.abstractmethod
    def capabilities(self) -> Capabilities:
        """What the store can do."""

    @property
    def address(self) -> str:
        """Where the objects are: :attr:`url`, whether or not the location told the format."""
        return self._spec.root

    @property
    def url(self) -> str:
        """The location as a URL or URL pipeline that ``open_store`` takes."""
        return url_at(self, "")

    def address_at(self, path: str) -> str:
        """Return the address of what is at a key, or below a prefix."""
        return child_url(self.address, path)

    @functools.cached_property
    def _label(self) -> str:
        return redact(self.address)

    @property
    def zarr_format(self) -> ZarrFormat | None:
        """The format that the location told; None if it told none."""
        return self._spec.zarr_format

    def with_zarr_format(self, zarr_format: ZarrFormat | None) -> Self:
        """Return the same store, told the format of the hierarchy in it."""
        if zarr_format == self._spec.zarr_format:
            return self
        twin = type(self).__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin._spec = replace(self._spec, zarr_format=zarr_format)
        return twin

    def with_read_only(self, read_only: bool) -> Self:
        """Return a store over the same objects that refuses, or no longer refuses, to write."""
        if read_only == self._spec.read_only:
            return self
        twin = type(self).__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin._spec = replace(self._spec, read_only=read_only)
        return twin

    def at_prefix(self, prefix: str) -> BaseStore:
        """Return a store whose keys are those below the prefix."""
        from anyzarr.stores._prefix import SubStore

        return SubStore(self, prefix)

    def close(self) -> None:  # noqa: B027 - most stores hold nothing open
        """Release what the store holds open; it is opened again when needed."""

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._spec == other._spec

    def __hash__(self) -> int:
        return hash(self._spec)

    def __reduce__(self) -> tuple[Any, ...]:
        from anyzarr.stores._registry import from_spec

        return from_spec, (self._spec,)

    def __repr__(self) -> str:
        suffix = ", read_only=True" if self._spec.read_only else ""
        return f"{type(self).__name__}({self._label!r}{suffix})"

    def __str__(self) -> str:
        return self._label

    # ------------------------------------------------------------------ errors

    def _error(
        self, message: str, key: str | None = None, *, cls: type[AnyzarrError] = StoreError
    ) -> AnyzarrError:
        return cls(message, store=self._label, key=key)

    def _conflict(self, key: str, precondition: Precondition) -> AnyzarrError:
        what = (
            "there is an object already, and the write was to happen only if there was none"
            if precondition is ABSENT
            else f"the object no longer has the ETag {precondition!r}"
        )
        return self._error(
            f"{key!r} in {self._label} was not written: {what}; read it again and retry",
            key,
            cls=ConflictError,
        )

    def _require_writable(self, key: str | None) -> None:
        if self._spec.read_only:
            raise self._error(
                f"{self._label} is open read-only, so {key!r} cannot be changed; "
                "open it with mode='r+'",
                key,
                cls=ReadOnlyError,
            )
        if not self.capabilities.writable:
            raise self._error(self._why_not_writable(key), key, cls=ReadOnlyError)

    def _why_not_writable(self, key: str | None) -> str:
        return (
            f"{self._label} cannot be written to, so {key!r} cannot be changed; "
            "write to a folder or an object store"
        )

    def _require_listable(self, prefix: str) -> None:
        if not self.capabilities.listable:
            raise self._error(
                f"{self._label} cannot list its objects (asked for {prefix!r}); "
                "open nodes by their path, or consolidate the metadata",
                prefix,
                cls=UnsupportedError,
            )

    # ------------------------------------------------------------------ operations

    def get(self, key: str, byte_range: ByteRange | None = None) -> bytes | None:
        """Return the object or a part of it; None if it is absent."""
        return self._get(validate_key(key, store=self._label), byte_range)

    def get_many(self, requests: Sequence[Request]) -> Results:
        """Return one result per request, in order; merged and parallel where that pays."""
        for key, _ in requests:
            validate_key(key, store=self._label)
        return self._get_many(requests) if requests else []

    def get_many_with_info(self, requests: Sequence[Request]) -> Versioned:
        """Return each result with the size and ETag of its object.

        Where the store does not say which version it gave, they are looked up before and
        after, until nothing came in between.
        """
        for key, _ in requests:
            validate_key(key, store=self._label)
        return self._get_many_with_info(requests) if requests else []

    def get_stream(self, key: str) -> Iterator[bytes] | None:
        """Return the object in parts of at most some MiB; None if it is absent.

        Whatever checksum the store has of the whole is checked when the last part has been given.

        Raises
        ------
        ConflictError
            The object changed while it was read. Raised by the iterator, as all errors may be.
        """
        return self._get_stream(validate_key(key, store=self._label))

    def put(
        self,
        key: str,
        value: bytes | bytearray | memoryview,
        *,
        precondition: Precondition | None = None,
    ) -> str | None:
        """Replace the object, all or nothing; return its new ETag if the store has them."""
        validate_key(key, store=self._label)
        self._require_writable(key)
        return self._put(key, _as_bytes(value), precondition)

    def put_stream(self, key: str, parts: Iterable[bytes], *, size_limit: int) -> None:
        """Replace the object by bytes that arrive in parts, all or nothing.

        Object stores upload them in several requests (multipart); local files are written under
        another name; elsewhere they are gathered in memory. If ``parts`` raises, the object is
        as it was.

        Parameters
        ----------
        parts
            The bytes.
        size_limit
            A number of bytes that they do not exceed.
        """
        validate_key(key, store=self._label)
        self._require_writable(key)
        self._put_stream(key, parts, size_limit)

    def delete(self, key: str) -> None:
        """Remove the object; absent is no error."""
        validate_key(key, store=self._label)
        self._require_writable(key)
        self._delete(key)

    def delete_prefix(self, prefix: str) -> None:
        """Remove every object below the prefix; nothing there is no error."""
        validate_prefix(prefix, store=self._label)
        self._require_writable(prefix)
        self._delete_prefix(prefix)

    def head(self, key: str) -> ObjectInfo | None:
        """Return size and ETag, or None if the object is absent."""
        return self._head(validate_key(key, store=self._label))

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Iterate over every object below the prefix, in any order."""
        validate_prefix(prefix, store=self._label)
        self._require_listable(prefix)
        return self._list(prefix)

    def list_level(self, prefix: str = "") -> Level:
        """Return the keys and prefixes directly below the prefix, sorted."""
        validate_prefix(prefix, store=self._label)
        self._require_listable(prefix)
        return self._list_level(prefix)

    # ------------------------------------------------------------------ the same, awaited

    async def get_async(self, key: str, byte_range: ByteRange | None = None) -> bytes | None:
        """See :meth:`get`."""
        return await self._get_async(validate_key(key, store=self._label), byte_range)

    async def get_many_async(self, requests: Sequence[Request]) -> Results:
        """See :meth:`get_many`."""
        for key, _ in requests:
            validate_key(key, store=self._label)
        return await self._get_many_async(requests) if requests else []

    async def put_async(
        self,
        key: str,
        value: bytes | bytearray | memoryview,
        *,
        precondition: Precondition | None = None,
    ) -> str | None:
        """See :meth:`put`."""
        validate_key(key, store=self._label)
        self._require_writable(key)
        return await self._put_async(key, _as_bytes(value), precondition)

    async def delete_async(self, key: str) -> None:
        """See :meth:`delete`."""
        validate_key(key, store=self._label)
        self._require_writable(key)
        await self._delete_async(key)

    async def delete_prefix_async(self, prefix: str) -> None:
        """See :meth:`delete_prefix`."""
        validate_prefix(prefix, store=self._label)
        self._require_writable(prefix)
        await self._delete_prefix_async(prefix)

    async def head_async(self, key: str) -> ObjectInfo | None:
        """See :meth:`head`."""
        return await self._head_async(validate_key(key, store=self._label))

    async def list_async(self, prefix: str = "") -> Iterable[ObjectInfo]:
        """See :meth:`list`."""
        validate_prefix(prefix, store=self._label)
        self._require_listable(prefix)
        return await self._list_async(prefix)

    async def list_level_async(self, prefix: str = "") -> Level:
        """See :meth:`list_level`."""
        validate_prefix(prefix, store=self._label)
        self._require_listable(prefix)
        return await self._list_level_async(prefix)

    # ------------------------------------------------------------------ hooks: the minimum

    @abc.abstractmethod
    def _get(self, key: str, byte_range: ByteRange | None) -> bytes | None: ...

    @abc.abstractmethod
    def _put(
        self, key: str, value: bytes | memoryview, precondition: Precondition | None
    ) -> str | None: ...

    @abc.abstractmethod
    def _delete(self, key: str) -> None: ...

    @abc.abstractmethod
    def _head(self, key: str) -> ObjectInfo | None: ...

    @abc.abstractmethod
    def _list(self, prefix: str) -> Iterator[ObjectInfo]: ...

    # ------------------------------------------------------------------ hooks: derived

    def _get_many(self, requests: Sequence[Request]) -> Results:
        return map_ordered(lambda request: self._get(*request), requests)

    @property
    def _tells_versions(self) -> bool:
        """Whether ``_get_many_with_info`` makes no request that ``_get_many`` does not make."""
        return False

    def _get_many_with_info(self, requests: Sequence[Request]) -> Versioned:
        return with_info_around(self, requests)

    def _get_stream(self, key: str) -> Iterator[bytes] | None:
        info = self._head(key)
        if info is None:
            return None
        return ranges_of(info, lambda part: self._get_many_with_info([part])[0], self._label)

    def _put_stream(self, key: str, parts: Iterable[bytes], size_limit: int) -> None:
        self._put(key, b"".join(parts), None)

    def _delete_prefix(self, prefix: str) -> None:
        for info in tuple(self._list(prefix)):
            self._delete(info.key)

    def _list_level(self, prefix: str) -> Level:
        return level_of((info.key for info in self._list(prefix)), prefix)

    async def _get_async(self, key: str, byte_range: ByteRange | None) -> bytes | None:
        return await in_thread(self._get, key, byte_range)

    async def _get_many_async(self, requests: Sequence[Request]) -> Results:
        return await in_thread(self._get_many, requests)

    async def _put_async(
        self, key: str, value: bytes | memoryview, precondition: Precondition | None
    ) -> str | None:
        return await in_thread(self._put, key, value, precondition)

    async def _delete_async(self, key: str) -> None:
        await in_thread(self._delete, key)

    async def _delete_prefix_async(self, prefix: str) -> None:
        await in_thread(self._delete_prefix, prefix)

    async def _head_async(self, key: str) -> ObjectInfo | None:
        return await in_thread(self._head, key)

    async def _list_async(self, prefix: str) -> Iterable[ObjectInfo]:
        return await in_thread(lambda: tuple(self._list(prefix)))

    async def _list_level_async(self, prefix: str) -> Level:
        return await in_thread(self._list_level, prefix)


class UnsteadyError(StoreError):
    """An object is replaced so often that which version was read cannot be told."""


def with_info(store: Store, requests: Sequence[Request]) -> Versioned:
    """Read from any store, each result with the size and ETag of its object."""
    if isinstance(store, BaseStore):
        return store.get_many_with_info(requests)
    return with_info_around(store, requests)


def address_at(store: Store, path: str) -> str:
    """Return the address of what is at a path of any store."""
    if isinstance(store, BaseStore):
        return store.address_at(path)
    return child_url(str(getattr(store, "url", store.spec.root)), path)


def told_format(store: Store) -> ZarrFormat | None:
    """Return the format that the store's location told; None if it told none."""
    return getattr(store.spec, "zarr_format", None)


def url_at(store: Store, path: str) -> str:
    """Return the location of the node at a path, as ``open_store`` takes it."""
    address = address_at(store, path)
    if "|" not in address and address.lower().endswith((".zip", ".ozx")):
        address += "/"  # a folder of this name, and no archive
    told = told_format(store)
    outer, bar, last = address.rpartition("|")
    if told is not None and bar and last.startswith("zarr:"):
        return f"{outer}|zarr{told}:{last.removeprefix('zarr:')}"
    return address + format_step(told)


def with_info_around(store: Store, requests: Sequence[Request]) -> Versioned:
    """Read, and look up before and after what is read from.

    Raises
    ------
    UnsteadyError
        An object is replaced again and again.
    """
    keys = sorted({key for key, _ in requests})

    def look_up() -> list[ObjectInfo | None]:
        return map_ordered(store.head, keys, limit=remote_concurrency())

    before = look_up()
    for _ in range(_ATTEMPTS):
        found = store.get_many(requests)
        now = look_up()
        if now == before:
            infos = dict(zip(keys, now, strict=True))
            pairs = ((data, infos[key]) for (key, _), data in zip(requests, found, strict=True))
            return [None if d is None or info is None else (d, info) for d, info in pairs]
        before, changed = now, [k for k, a, b in zip(keys, before, now, strict=True) if a != b]
    raise UnsteadyError(
        f"{changed[0]!r} in {store} is being replaced again and again while it is read; "
        "try again when its writer is done",
        store=str(store),
        key=changed[0],
    )


def read_versions(
    store: Store, requests: Sequence[Request]
) -> list[tuple[bytes, ObjectInfo | None] | None]:
    """Read; of which version each result is comes along if the store can tell for nothing."""
    if isinstance(store, BaseStore) and store._tells_versions:
        return list(store.get_many_with_info(requests))
    return [None if data is None else (data, None) for data in store.get_many(requests)]


def _as_bytes(value: bytes | bytearray | memoryview) -> bytes | memoryview:
    """Return the value as flat bytes, without a copy where it is contiguous."""
    if isinstance(value, bytes):
        return value
    view = memoryview(value)
    if view.nbytes == 0 or not view.c_contiguous:
        return view.tobytes()
    return view.cast("B")


def level_of(keys: Iterable[str], prefix: str) -> Level:
    """Return what lies directly below the prefix, from all the keys below it."""
    names: set[str] = set()
    prefixes: set[str] = set()
    for key in keys:
        name, slash, _ = key[len(prefix) :].partition("/")
        if slash:
            prefixes.add(f"{prefix}{name}/")
        else:
            names.add(key)
    return Level(tuple(sorted(names)), tuple(sorted(prefixes)))

"""Object stores through obstore: S3, GCS, Azure, HTTP, and its local and memory stores."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NoReturn, TypeAlias

from anyzarr._optional import require
from anyzarr._parallel import map_ordered
from anyzarr._url import child_url, redact
from anyzarr.abc import (
    ByteRange,
    Capabilities,
    Level,
    ObjectInfo,
    Precondition,
    Request,
)
from anyzarr.errors import ConflictError, UnsupportedError
from anyzarr.stores import _live
from anyzarr.stores._base import (
    BaseStore,
    Results,
    Versioned,
    describe,
    in_thread,
    remote_concurrency,
)
from anyzarr.stores._keys import as_prefix
from anyzarr.stores._local_files import is_no_object, prune
from anyzarr.stores._locks import key_lock
from anyzarr.stores._obstore_config import object_store_from_url, spec_of
from anyzarr.stores._obstore_put import Live, info_of, part_bytes, tag_of
from anyzarr.stores._obstore_stream import upload
from anyzarr.stores._ranges import Batch, batches_of
from anyzarr.stores._retry import BadAnswerError, body_pauses

__all__ = ["ObstoreStore"]

_ABSENT_ERRORS: Final = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
_COALESCE_BYTES: Final = 1 << 20
_SERVICES: Final = frozenset({"S3Store", "GCSStore", "AzureStore"})
_VERSIONS: Final = 20
"""How many versions of an object are tried to be read while they are replaced."""
_runtime_pid: int | None = None

_Found: TypeAlias = tuple[Any, ObjectInfo]
"""A buffer, and the object that it is from."""


class ObstoreStore(BaseStore):
    """An object store through obstore.

    Parameters
    ----------
    store
        A live obstore store, or a URL (``s3://``, ``gs://``, ``az://``, ``http://``,
        ``https://``, ``file://``).
    read_only
        Whether to refuse to write.
    **options
        With a URL: what obstore's configuration takes (``region``, ``access_key_id``, …),
        ``client_options``, ``retry_config``, ``credential_provider``; and, as in other
        libraries, ``endpoint_url``, ``anon``, ``key``, ``secret``, ``token``, ``allow_http``.

    Raises
    ------
    MissingDependencyError
        obstore is not installed.
    StoreError
        The URL or an option is not one that obstore knows.

    Notes
    -----
    The asynchronous methods are obstore's own. Puts are atomic. Conditional puts are exact
    where the service has them (S3, GCS, Azure, memory); the local file system has only
    ``ABSENT``, and checks an ETag within this process.

    HTTP servers are read: they need not support ranges, and cannot list.

    obstore cannot be used in a forked child of a process that used it; there, every operation
    raises :class:`~anyzarr.errors.StoreError` instead of waiting for ever.

    Examples
    --------
    >>> import obstore.store
    >>> from anyzarr.stores import ObstoreStore
    >>> store = ObstoreStore(obstore.store.MemoryStore())
    >>> etag = store.put("a/0", b"zero")
    >>> store.get("a/0")
    b'zero'
    """

    def __init__(self, store: Any, *, read_only: bool = False, **options: Any) -> None:
        self._obs = require("obstore", extra="obstore", purpose="An object store")
        self._errors = require("obstore.exceptions", extra="obstore")
        if isinstance(store, str):
            self._object_store = object_store_from_url(store, options)
        else:
            _mark_runtime()
            self._object_store = store
        self._kind = type(self._object_store).__name__
        self._live = Live(self._obs, self._errors, self._object_store, self._kind)
        super().__init__(spec_of(self._object_store, read_only=read_only))

    @property
    def obstore(self) -> Any:
        """The live obstore store. Its root is this store's root."""
        return self._object_store

    @property
    def capabilities(self) -> Capabilities:
        """What the store can do."""
        http = self._kind == "HTTPStore"
        return Capabilities(
            writable=not (http or self._spec.read_only),
            listable=not http,
            conditional_put=self._kind not in ("LocalStore", "HTTPStore"),
            native_async=True,
            local_root=self._local_root,
            in_process=self._kind == "MemoryStore",
        )

    @functools.cached_property
    def _local_root(self) -> str | None:
        prefix = getattr(self._object_store, "prefix", None)
        return str(prefix) if self._kind == "LocalStore" and prefix is not None else None

    def _is_no_object(self, key: str) -> bool:
        """Whether what went wrong is that a directory, or nothing, is where a file was looked for.

        obstore's local store reports these as errors like any other.
        """
        return self._local_root is not None and is_no_object(f"{self._local_root}/{key}")

    def at_prefix(self, prefix: str) -> BaseStore:
        """Return a store of the same kind whose keys are those below the prefix."""
        if self._kind == "MemoryStore" or "token_of" in self._spec.options:
            return super().at_prefix(prefix)
        root = child_url(self._spec.root, prefix.rstrip("/"))
        return ObstoreStore(root, read_only=self._spec.read_only, **self._spec.options)

    # ------------------------------------------------------------------ errors

    def _fail(self, error: BaseException, key: str, doing: str) -> NoReturn:
        names = self._errors
        if isinstance(error, names.PermissionDeniedError | names.UnauthenticatedError):
            remedy = "check the credentials, or pass anon=True for public data"
        elif isinstance(error, PermissionError):
            remedy = "check the permissions"
        else:
            remedy = "check the address, the network and the credentials"
        raise self._error(
            f"cannot {doing} {key!r} in {self._label}: {redact(describe(error))}; {remedy}", key
        ) from error

    def _ready(self, key: str) -> None:
        if _runtime_pid is None:
            _mark_runtime()
        elif _runtime_pid != os.getpid():
            raise self._error(
                f"cannot reach {key!r} in {self._label}: obstore was used before this process was "
                "forked, and its threads do not survive a fork; start workers with 'spawn' or "
                "'forkserver', or open the store with backend='fsspec'",
                key,
            )

    @property
    def _known(self) -> tuple[type[BaseException], ...]:
        return (self._errors.BaseError, OSError, ValueError, NotImplementedError)

    # ------------------------------------------------------------------ get

    def _get(self, key: str, byte_range: ByteRange | None) -> bytes | None:
        found = self._read(key, byte_range)
        return None if found is None else bytes(found[0])

    def _read(self, key: str, byte_range: ByteRange | None) -> _Found | None:
        """Return an object or a part of it, and which object that was; or None."""
        self._ready(key)
        if byte_range is not None and byte_range.start == byte_range.stop:
            return _nothing(self._head(key))
        try:
            return self._fetch(key, byte_range)
        except _ABSENT_ERRORS:
            return None
        except self._known as error:
            if self._is_no_object(key):
                return None
            if byte_range is None or isinstance(error, BadAnswerError):
                self._fail(error, key, "read")
        return self._read_otherwise(key, byte_range)

    def _fetch(self, key: str, byte_range: ByteRange | None) -> _Found:
        """Get what was asked for, again where the answer breaks off."""
        pauses = body_pauses(self._object_store)
        while True:
            result = self._obs.get(self._object_store, key, options=_options(byte_range))
            try:
                return self._checked(result, result.bytes(), key)
            except self._known:
                pause = next(pauses, None)
                if pause is None:
                    raise
            time.sleep(pause)

    def _read_otherwise(self, key: str, byte_range: ByteRange) -> _Found | None:
        """Read a range that was refused: it lies outside the object, or ranges are not known.

        By the object's size, of the version that has this size.
        """
        for _ in range(_VERSIONS):
            info = self._head(key)
            if info is None:
                return None
            start, stop = byte_range.resolve(info.size)
            if start == stop:
                return b"", info
            try:
                found = self._fetch(key, ByteRange(start, stop))
            except _ABSENT_ERRORS:
                return None
            except self._known as error:
                if self._kind == "HTTPStore" and not isinstance(error, BadAnswerError):
                    return self._cut(self._read(key, None), byte_range, info)
                if self._head(key) == info:
                    self._fail(error, key, "read")
                continue
            if found[1] == info or self._kind not in _SERVICES:
                return found
        raise self._error(
            f"{key!r} in {self._label} was replaced {_VERSIONS} times while it was read; "
            "read it when its writers pause",
            key,
            cls=ConflictError,
        )

    def _checked(self, result: Any, data: Any, key: str) -> _Found:
        """Return what an answer holds if it is as long as it says."""
        start, stop = result.range
        if len(data) != stop - start:
            raise BadAnswerError(
                f"the server announced bytes [{start}, {stop}), and sent {len(data)} bytes"
            )
        return data, info_of(self._kind, result.meta, key)

    def _cut(
        self, found: _Found | None, byte_range: ByteRange, before: ObjectInfo
    ) -> _Found | None:
        """Return a part of what should be all of an object."""
        if found is None:
            return None
        data, info = found
        if info.size != before.size:
            error = BadAnswerError(
                f"the server announced {before.size} bytes, and then sent {info.size}"
            )
            self._fail(error, before.key, "read")
        return memoryview(data)[slice(*byte_range.resolve(len(data)))], info

    def _get_many(self, requests: Sequence[Request]) -> Results:
        return [None if each is None else each[0] for each in self._get_many_with_info(requests)]

    @property
    def _tells_versions(self) -> bool:
        return True

    def _get_many_with_info(self, requests: Sequence[Request]) -> Versioned:
        results: Results = [None] * len(requests)
        infos: dict[int, ObjectInfo] = {}

        def read(batch: Batch) -> None:
            _deliver(batch, self._read(batch.key, batch.byte_range), results, infos)

        batches = batches_of(requests, max_gap_bytes=_COALESCE_BYTES)
        map_ordered(read, batches, limit=min(len(batches), remote_concurrency()))
        return [None if d is None else (d, infos[index]) for index, d in enumerate(results)]

    async def _get_async(self, key: str, byte_range: ByteRange | None) -> bytes | None:
        found = await self._read_async(key, byte_range)
        return None if found is None else bytes(found[0])

    async def _read_async(self, key: str, byte_range: ByteRange | None) -> _Found | None:
        self._ready(key)
        if byte_range is not None and byte_range.start == byte_range.stop:
            return _nothing(await self._head_async(key))
        try:
            return await self._fetch_async(key, byte_range)
        except _ABSENT_ERRORS:
            return None
        except self._known as error:
            if self._is_no_object(key):
                return None
            if byte_range is None or isinstance(error, BadAnswerError):
                self._fail(error, key, "read")
        return await in_thread(self._read_otherwise, key, byte_range)

    async def _fetch_async(self, key: str, byte_range: ByteRange | None) -> _Found:
        import asyncio

        pauses = body_pauses(self._object_store)
        options = _options(byte_range)
        while True:
            result = await self._obs.get_async(self._object_store, key, options=options)
            try:
                return self._checked(result, await result.bytes_async(), key)
            except self._known:
                pause = next(pauses, None)
                if pause is None:
                    raise
            await asyncio.sleep(pause)

    async def _get_many_async(self, requests: Sequence[Request]) -> Results:
        import asyncio

        results: Results = [None] * len(requests)
        gate = asyncio.Semaphore(remote_concurrency())

        async def read(batch: Batch) -> None:
            async with gate:
                found = await self._read_async(batch.key, batch.byte_range)
            _deliver(batch, found, results, {})

        batches = batches_of(requests, max_gap_bytes=_COALESCE_BYTES)
        await asyncio.gather(*map(read, batches))
        return results

    # ------------------------------------------------------------------ head, list

    def _head(self, key: str) -> ObjectInfo | None:
        self._ready(key)
        try:
            return info_of(self._kind, self._obs.head(self._object_store, key), key)
        except _ABSENT_ERRORS:
            return None
        except self._known as error:
            if self._is_no_object(key):
                return None
            self._fail(error, key, "look up")

    async def _head_async(self, key: str) -> ObjectInfo | None:
        self._ready(key)
        try:
            meta = await self._obs.head_async(self._object_store, key)
            return info_of(self._kind, meta, key)
        except _ABSENT_ERRORS:
            return None
        except self._known as error:
            if self._is_no_object(key):
                return None
            self._fail(error, key, "look up")

    def _infos(self, batch: Iterable[Any], prefix: str) -> Iterator[ObjectInfo]:
        found = (info_of(self._kind, meta) for meta in batch)
        return (info for info in found if info.key.startswith(prefix))

    def _list(self, prefix: str) -> Iterator[ObjectInfo]:
        self._ready(prefix)
        try:
            for batch in self._obs.list(self._object_store, prefix or None, chunk_size=1000):
                yield from self._infos(batch, prefix)
        except _ABSENT_ERRORS:
            return
        except self._known as error:
            self._fail(error, prefix, "list")

    async def _list_async(self, prefix: str) -> Iterable[ObjectInfo]:
        self._ready(prefix)
        found: list[ObjectInfo] = []
        try:
            stream = self._obs.list(self._object_store, prefix or None, chunk_size=1000)
            async for batch in stream:
                found += self._infos(batch, prefix)
        except _ABSENT_ERRORS:
            return found
        except self._known as error:
            self._fail(error, prefix, "list")
        return found

    def _list_level(self, prefix: str) -> Level:
        self._ready(prefix)
        try:
            return _level(self._obs.list_with_delimiter(self._object_store, prefix or None), prefix)
        except _ABSENT_ERRORS:
            return Level((), ())
        except self._known as error:
            self._fail(error, prefix, "list")

    async def _list_level_async(self, prefix: str) -> Level:
        self._ready(prefix)
        try:
            found = await self._obs.list_with_delimiter_async(self._object_store, prefix or None)
            return _level(found, prefix)
        except _ABSENT_ERRORS:
            return Level((), ())
        except self._known as error:
            self._fail(error, prefix, "list")

    # ------------------------------------------------------------------ put, delete

    def _put(
        self, key: str, value: bytes | memoryview, precondition: Precondition | None
    ) -> str | None:
        self._ready(key)
        if isinstance(precondition, str):
            if self._kind == "LocalStore":
                return self._put_checked(key, value, precondition)
            if self._kind == "GCSStore" and not precondition.isdecimal():
                raise self._conflict(key, precondition)  # no generation of any object
        try:
            return tag_of(self._kind, self._live.put(key, self._own(value), precondition))
        except self._known as error:
            self._put_failed(error, key, precondition)

    async def _put_async(
        self, key: str, value: bytes | memoryview, precondition: Precondition | None
    ) -> str | None:
        is_large = len(value) > part_bytes(0)
        if precondition is not None or (is_large and self._kind in _SERVICES):
            return await in_thread(self._put, key, value, precondition)
        self._ready(key)
        try:
            result = await self._obs.put_async(self._object_store, key, self._own(value))
            return tag_of(self._kind, result)
        except self._known as error:
            self._put_failed(error, key, precondition)

    def _put_stream(self, key: str, parts: Iterable[bytes], size_limit: int) -> None:
        self._ready(key)
        failed: list[BaseException] = []

        def put(arriving: Iterator[bytes]) -> None:
            try:
                self._live.put_parts(key, arriving, size_limit)
            except self._known as error:
                failed.append(error)
                raise

        try:
            upload(parts, put)
        except self._known as error:
            # What is raised while the parts are made is not of this upload.
            if error not in failed:
                raise
            self._fail(error, key, "write")

    def _own(self, value: bytes | memoryview) -> bytes | memoryview:
        # obstore's memory store keeps the caller's buffer, which the caller may change.
        return bytes(value) if self._kind == "MemoryStore" else value

    def _put_checked(self, key: str, value: bytes | memoryview, etag: str) -> str | None:
        with key_lock(self._spec.root, key):
            info = self._head(key)
            if info is None or info.etag != etag:
                raise self._conflict(key, etag)
            return self._put(key, value, None)

    def _put_failed(
        self, error: BaseException, key: str, precondition: Precondition | None
    ) -> NoReturn:
        conflicts = (self._errors.AlreadyExistsError, self._errors.PreconditionError)
        # A service answers an ETag precondition on an absent object with "not found".
        absent = isinstance(precondition, str) and isinstance(error, FileNotFoundError)
        if precondition is not None and (isinstance(error, conflicts) or absent):
            raise self._conflict(key, precondition) from error
        if precondition is not None and isinstance(
            error, NotImplementedError | self._errors.NotSupportedError
        ):
            raise self._error(
                f"{self._label} has no conditional put ({precondition!r} for {key!r}): "
                "write without a precondition",
                key,
                cls=UnsupportedError,
            ) from error
        self._fail(error, key, "write")

    def _delete(self, key: str) -> None:
        self._ready(key)
        try:
            self._live.delete(key)
        except _ABSENT_ERRORS:
            return
        except self._known as error:
            if not self._is_no_object(key):
                self._fail(error, key, "delete")
        self._prune(key)

    async def _delete_async(self, key: str) -> None:
        await in_thread(self._delete, key)

    def _prune(self, key: str) -> None:
        if self._local_root is not None:
            prune(self._local_root, key)

    def _delete_prefix(self, prefix: str) -> None:
        keys = [info.key for info in self._list(prefix)]
        if self._kind in _SERVICES and keys:
            try:
                self._live.delete(keys)
                return
            except _ABSENT_ERRORS:
                pass  # of one, which keeps the others from being removed
            except self._known as error:
                self._fail(error, prefix, "delete")
        map_ordered(self._delete, keys, limit=remote_concurrency())

    async def _delete_prefix_async(self, prefix: str) -> None:
        await in_thread(self._delete_prefix, prefix)


def _nothing(info: ObjectInfo | None) -> _Found | None:
    return None if info is None else (b"", info)


def _deliver(
    batch: Batch, found: _Found | None, results: Results, infos: dict[int, ObjectInfo]
) -> None:
    if found is not None:
        batch.deliver(found[0], results)
        infos.update(dict.fromkeys((member[0] for member in batch.members), found[1]))


def _mark_runtime() -> None:
    global _runtime_pid
    if _runtime_pid is None:
        _runtime_pid = os.getpid()


def _options(byte_range: ByteRange | None) -> dict[str, Any] | None:
    if byte_range is None:
        return None
    if byte_range.start < 0:
        return {"range": {"suffix": -byte_range.start}}
    if byte_range.stop is None:
        return {"range": {"offset": byte_range.start}}
    return {"range": (byte_range.start, byte_range.stop)}


def _level(found: Mapping[str, Any], prefix: str) -> Level:
    keys = (str(meta["path"]) for meta in found["objects"])
    prefixes = (as_prefix(str(path)) for path in found["common_prefixes"])
    return Level(
        tuple(sorted(key for key in keys if key.startswith(prefix))),
        tuple(sorted(path for path in prefixes if path.startswith(prefix) and path != prefix)),
    )


def open_obstore(root: str, *, read_only: bool = False, **options: Any) -> ObstoreStore:
    """Open a URL: the factory of the ``obstore`` backend."""
    token = options.pop("token_of", None)
    if token is not None:
        return ObstoreStore(_live.find(token, root), read_only=read_only)
    return ObstoreStore(root, read_only=read_only, **options)

"""Object stores through obstore: S3, GCS, Azure, HTTP, and its local and memory stores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NoReturn

from anyzarr._optional import require
from anyzarr._parallel import map_ordered
from anyzarr._url import child_url
from anyzarr.abc import Capabilities, Level, ObjectInfo, Precondition
from anyzarr.errors import UnsupportedError
from anyzarr.stores import _live
from anyzarr.stores._base import BaseStore, in_thread, remote_concurrency
from anyzarr.stores._keys import as_prefix
from anyzarr.stores._local_files import prune
from anyzarr.stores._locks import key_lock
from anyzarr.stores._obstore_config import object_store_from_url, spec_of
from anyzarr.stores._obstore_put import Live, info_of, part_bytes, tag_of
from anyzarr.stores._obstore_reads import ABSENT_ERRORS, SERVICES, ObstoreReads, mark_runtime
from anyzarr.stores._obstore_stream import upload

__all__ = ["ObstoreStore"]


class ObstoreStore(ObstoreReads):
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
            mark_runtime()
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

    def at_prefix(self, prefix: str) -> BaseStore:
        """Return a store of the same kind whose keys are those below the prefix."""
        if self._kind == "MemoryStore" or "token_of" in self._spec.options:
            return super().at_prefix(prefix)
        root = child_url(self._spec.root, prefix.rstrip("/"))
        return ObstoreStore(root, read_only=self._spec.read_only, **self._spec.options)

    # ------------------------------------------------------------------ head, list

    def _head(self, key: str) -> ObjectInfo | None:
        self._ready(key)
        try:
            return info_of(self._kind, self._obs.head(self._object_store, key), key)
        except ABSENT_ERRORS:
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
        except ABSENT_ERRORS:
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
        except ABSENT_ERRORS:
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
        except ABSENT_ERRORS:
            return found
        except self._known as error:
            self._fail(error, prefix, "list")
        return found

    def _list_level(self, prefix: str) -> Level:
        self._ready(prefix)
        try:
            return _level(self._obs.list_with_delimiter(self._object_store, prefix or None), prefix)
        except ABSENT_ERRORS:
            return Level((), ())
        except self._known as error:
            self._fail(error, prefix, "list")

    async def _list_level_async(self, prefix: str) -> Level:
        self._ready(prefix)
        try:
            found = await self._obs.list_with_delimiter_async(self._object_store, prefix or None)
            return _level(found, prefix)
        except ABSENT_ERRORS:
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
        if precondition is not None or (is_large and self._kind in SERVICES):
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
        except ABSENT_ERRORS:
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
        if self._kind in SERVICES and keys:
            try:
                self._live.delete(keys)
                return
            except ABSENT_ERRORS:
                pass  # of one, which keeps the others from being removed
            except self._known as error:
                self._fail(error, prefix, "delete")
        map_ordered(self._delete, keys, limit=remote_concurrency())

    async def _delete_prefix_async(self, prefix: str) -> None:
        await in_thread(self._delete_prefix, prefix)


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

"""Any other store of zarr-python (icechunk's, wrappers, an open ZipStore), by its own methods."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator
from typing import Any, NoReturn, TypeVar

from anyzarr.abc import (
    ABSENT,
    ByteRange,
    Capabilities,
    Level,
    ObjectInfo,
    Precondition,
    StoreSpec,
)
from anyzarr.errors import UnsupportedError
from anyzarr.stores import _live
from anyzarr.stores._base import BaseStore, describe
from anyzarr.stores._locks import key_lock

__all__ = ["ZarrStore"]

T = TypeVar("T")
_lock = threading.Lock()
_loop: Any = None
_loop_pid: int | None = None


def _event_loop() -> Any:
    """Return the event loop of this process, in a thread of its own, on which stores are used."""
    global _loop, _loop_pid
    import asyncio

    with _lock:
        if _loop is None or _loop_pid != os.getpid():
            _loop = asyncio.new_event_loop()
            _loop_pid = os.getpid()
            threading.Thread(target=_loop.run_forever, name="anyzarr-loop", daemon=True).start()
        return _loop


class ZarrStore(BaseStore):
    """A store of zarr-python used through its own asynchronous methods.

    For stores that have a backend of their own here (``zarr.storage.LocalStore`` and so on)
    ``open_store`` uses that instead.

    Parameters
    ----------
    store
        Any ``zarr.abc.store.Store``.
    read_only
        Whether to refuse to write, whatever ``store`` does.

    Notes
    -----
    zarr's interface has no ETags: a put cannot depend on one, and ``ABSENT`` is exact within
    this process only. Whether a put is atomic is up to the store.
    """

    def __init__(self, store: Any, *, read_only: bool = False) -> None:
        self._zarr = store
        token = _live.token_of(store)
        super().__init__(
            StoreSpec(
                "zarr-store",
                f"{type(store).__name__}({store})",
                {"token": token},
                read_only=read_only or store.read_only,
            )
        )

    @property
    def zarr_store(self) -> Any:
        """The store of zarr-python."""
        return self._zarr

    @property
    def capabilities(self) -> Capabilities:
        """What the store can do."""
        return Capabilities(
            writable=not self._spec.read_only and self._zarr.supports_writes,
            listable=self._zarr.supports_listing,
            native_async=True,
            atomic_put=False,
        )

    def __eq__(self, other: object) -> bool:
        # By what zarr-python holds to be equal: the token of a copy is another one.
        return (
            isinstance(other, ZarrStore)
            and self._spec.read_only == other._spec.read_only
            and bool(self._zarr == other._zarr)
        )

    def __hash__(self) -> int:
        return hash((type(self._zarr).__qualname__, self._spec.read_only))

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self._zarr, self._spec.read_only)

    def _fail(self, error: BaseException, key: str, doing: str) -> NoReturn:
        cls = {"cls": UnsupportedError} if isinstance(error, NotImplementedError) else {}
        raise self._error(
            f"cannot {doing} {key!r} in {self._label}: {describe(error)}; "
            "see what that store supports",
            key,
            **cls,
        ) from error

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        import asyncio

        return asyncio.run_coroutine_threadsafe(coroutine, _event_loop()).result()

    async def _try(self, key: str, doing: str, call: Callable[[], Coroutine[Any, Any, T]]) -> T:
        try:
            return await call()
        except (OSError, ValueError, NotImplementedError, RuntimeError) as error:
            self._fail(error, key, doing)

    # ------------------------------------------------------------------ awaited

    async def _get_async(self, key: str, byte_range: ByteRange | None) -> bytes | None:
        from zarr.core.buffer import default_buffer_prototype

        prototype = default_buffer_prototype()
        span = None
        if byte_range is not None:
            info = await self._head_async(key)
            if info is None:
                return None
            start, stop = byte_range.resolve(info.size)
            if start == stop:
                return b""
            from zarr.abc.store import RangeByteRequest

            span = RangeByteRequest(start, stop)
        value = await self._try(key, "read", lambda: self._zarr.get(key, prototype, span))
        return None if value is None else bytes(value.to_bytes())

    async def _head_async(self, key: str) -> ObjectInfo | None:
        if not await self._try(key, "look up", lambda: self._zarr.exists(key)):
            return None
        try:
            size = await self._try(key, "look up", lambda: self._zarr.getsize(key))
        except FileNotFoundError:
            return None
        return ObjectInfo(key, int(size))

    async def _put_async(
        self, key: str, value: bytes | memoryview, precondition: Precondition | None
    ) -> str | None:
        from anyzarr.stores._base import in_thread

        if precondition is None:
            await self._store(key, value)
            return None
        return await in_thread(self._put, key, value, precondition)

    async def _store(self, key: str, value: bytes | memoryview) -> None:
        from zarr.core.buffer import default_buffer_prototype

        buffer = default_buffer_prototype().buffer.from_bytes(bytes(value))
        await self._try(key, "write", lambda: self._zarr.set(key, buffer))

    async def _delete_async(self, key: str) -> None:
        if not self._zarr.supports_deletes:
            self._fail(NotImplementedError("it has no deletes"), key, "delete")
        await self._try(key, "delete", lambda: self._zarr.delete(key))

    async def _delete_prefix_async(self, prefix: str) -> None:
        for info in await self._list_async(prefix):
            await self._delete_async(info.key)

    async def _keys(self, prefix: str) -> list[str]:
        return [key async for key in self._zarr.list_prefix(prefix)]

    async def _list_async(self, prefix: str) -> Iterable[ObjectInfo]:
        found = []
        for key in await self._try(prefix, "list", lambda: self._keys(prefix)):
            info = await self._head_async(key)
            if info is not None:
                found.append(info)
        return found

    async def _list_level_async(self, prefix: str) -> Level:
        from anyzarr.stores._base import level_of

        return level_of(await self._try(prefix, "list", lambda: self._keys(prefix)), prefix)

    # ------------------------------------------------------------------ the same, blocking

    def _get(self, key: str, byte_range: ByteRange | None) -> bytes | None:
        return self._run(self._get_async(key, byte_range))

    def _put(
        self, key: str, value: bytes | memoryview, precondition: Precondition | None
    ) -> str | None:
        if isinstance(precondition, str):
            raise self._error(
                f"{self._label} reports no ETags, so {key!r} cannot be written on the condition "
                f"{precondition!r}: write without a precondition",
                key,
                cls=UnsupportedError,
            )
        with key_lock(self._spec.root, key):
            if precondition is ABSENT and self._head(key) is not None:
                raise self._conflict(key, precondition)
            self._run(self._store(key, value))
        return None

    def _delete(self, key: str) -> None:
        self._run(self._delete_async(key))

    def _head(self, key: str) -> ObjectInfo | None:
        return self._run(self._head_async(key))

    def _list(self, prefix: str) -> Iterator[ObjectInfo]:
        return iter(tuple(self._run(self._list_async(prefix))))

    def _list_level(self, prefix: str) -> Level:
        return self._run(self._list_level_async(prefix))


def _rebuild(store: Any, read_only: bool) -> ZarrStore:
    return ZarrStore(store, read_only=read_only)


def open_zarr_store(root: str, *, token: str, read_only: bool = False) -> ZarrStore:
    """Find the store of a spec again."""
    return ZarrStore(_live.find(token, root), read_only=read_only)

"""Calling an fsspec file system: on its loop, again where that helps, with errors of ours."""

from __future__ import annotations

import abc
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Any, Final, NoReturn, TypeVar

from anyzarr._url import redact
from anyzarr.errors import ReadOnlyError
from anyzarr.stores._base import BaseStore, describe
from anyzarr.stores._fsspec_options import library_errors
from anyzarr.stores._fsspec_retry import persisting
from anyzarr.stores._retry import Retry, is_passing

__all__ = ["ABSENT_ERRORS", "FsspecCalls"]

T = TypeVar("T")
ABSENT_ERRORS: Final = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


class FsspecCalls(BaseStore):
    """What the operations of :class:`FsspecStore` have in common."""

    _fs: Any
    _retry: Retry

    @property
    @abc.abstractmethod
    def fs(self) -> Any: ...

    @property
    @abc.abstractmethod
    def is_local(self) -> bool: ...

    @property
    @abc.abstractmethod
    def _turn(self) -> AbstractContextManager[object]: ...

    @property
    @abc.abstractmethod
    def _is_ftp(self) -> bool: ...

    def _fail(self, error: BaseException, key: str, doing: str) -> NoReturn:
        if isinstance(error, NotImplementedError) and doing in ("write", "delete"):
            raise self._error(
                f"cannot {doing} {key!r} in {self._label}: fsspec's {type(self._fs).__name__} "
                "cannot write; copy the data to a folder or an object store",
                key,
                cls=ReadOnlyError,
            ) from error
        remedy = "check the address, the network and the credentials"
        if isinstance(error, PermissionError):
            remedy = "check the permissions or credentials, or pass anon=True for public data"
        elif isinstance(error, OSError) and self.is_local:
            remedy = "check the path, its permissions and the free space"
        raise self._error(
            f"cannot {doing} {key!r} in {self._label}: {redact(describe(error))}; {remedy}", key
        ) from error

    def _run(self, key: str, doing: str, work: Callable[[], T]) -> T | None:
        """Return ``work()``, None if the object is absent; other errors name store and key.

        What may pass is tried again: everything we ask a file system for can be asked for twice.
        """
        pauses = self._retry.pauses()
        absent = () if doing == "write" else ABSENT_ERRORS
        while True:
            try:
                with self._turn:
                    try:
                        return persisting(work)
                    except absent:
                        if self._is_ftp:
                            self.fs.ftp.voidcmd("NOOP")  # any error looks like this to fsspec
                        return None
            except library_errors() as error:
                pause = next(pauses, None) if is_passing(error) else None
                if pause is None:
                    self._fail(error, key, doing)
            time.sleep(pause)

    async def _await(self, key: str, doing: str, start: Callable[[], Awaitable[T]]) -> T | None:
        """Run a coroutine of the file system on the loop it belongs to, and await it here."""
        import asyncio

        pauses = self._retry.pauses()
        while True:
            try:
                return await self._on_its_loop(start)
            except ABSENT_ERRORS:
                return None
            except library_errors() as error:
                pause = next(pauses, None) if is_passing(error) else None
                if pause is None:
                    self._fail(error, key, doing)
            await asyncio.sleep(pause)

    def _on_its_loop(self, start: Callable[[], Awaitable[T]]) -> Awaitable[T]:
        import asyncio

        async def work() -> T:
            return await start()

        return asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work(), self.fs.loop))

    def _wait_for(self, start: Callable[[], Awaitable[T]]) -> T:
        """Run a coroutine on the file system's loop, and wait for it."""
        from fsspec.asyn import sync

        result: T = sync(self.fs.loop, start)
        return result

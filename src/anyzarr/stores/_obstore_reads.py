"""Reading objects through obstore, and what is said where that fails."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Sequence
from typing import Any, Final, NoReturn, TypeAlias

from anyzarr._parallel import map_ordered
from anyzarr._url import redact
from anyzarr.abc import ByteRange, ObjectInfo, Request
from anyzarr.errors import ConflictError
from anyzarr.stores._base import (
    BaseStore,
    Results,
    Versioned,
    describe,
    in_thread,
    remote_concurrency,
)
from anyzarr.stores._local_files import is_no_object
from anyzarr.stores._obstore_put import info_of
from anyzarr.stores._ranges import Batch, batches_of
from anyzarr.stores._retry import BadAnswerError, body_pauses

__all__ = ["ABSENT_ERRORS", "SERVICES", "ObstoreReads", "mark_runtime"]

ABSENT_ERRORS: Final = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
_COALESCE_BYTES: Final = 1 << 20
SERVICES: Final = frozenset({"S3Store", "GCSStore", "AzureStore"})
_VERSIONS: Final = 20
"""How many versions of an object are tried to be read while they are replaced."""
_runtime_pid: int | None = None

_Found: TypeAlias = tuple[Any, ObjectInfo]
"""A buffer, and the object that it is from."""


class ObstoreReads(BaseStore):
    """The reads of :class:`ObstoreStore`, and its errors."""

    _obs: Any
    _errors: Any
    _object_store: Any
    _kind: str

    @functools.cached_property
    def _local_root(self) -> str | None:
        prefix = getattr(self._object_store, "prefix", None)
        return str(prefix) if self._kind == "LocalStore" and prefix is not None else None

    def _is_no_object(self, key: str) -> bool:
        """Whether what went wrong is that a directory, or nothing, is where a file was looked for.

        obstore's local store reports these as errors like any other.
        """
        return self._local_root is not None and is_no_object(f"{self._local_root}/{key}")

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
            mark_runtime()
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
        except ABSENT_ERRORS:
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
            except ABSENT_ERRORS:
                return None
            except self._known as error:
                if self._kind == "HTTPStore" and not isinstance(error, BadAnswerError):
                    return self._cut(self._read(key, None), byte_range, info)
                if self._head(key) == info:
                    self._fail(error, key, "read")
                continue
            if found[1] == info or self._kind not in SERVICES:
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
        except ABSENT_ERRORS:
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


def _nothing(info: ObjectInfo | None) -> _Found | None:
    return None if info is None else (b"", info)


def _deliver(
    batch: Batch, found: _Found | None, results: Results, infos: dict[int, ObjectInfo]
) -> None:
    if found is not None:
        batch.deliver(found[0], results)
        infos.update(dict.fromkeys((member[0] for member in batch.members), found[1]))


def mark_runtime() -> None:
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

"""Reading objects through fsspec: whole or ranges of them, checked where servers may differ."""

from __future__ import annotations

import abc
import functools
from collections.abc import Callable, Sequence
from typing import Final

from anyzarr._parallel import map_ordered
from anyzarr.abc import ByteRange, ObjectInfo, Request
from anyzarr.stores import _fsspec_fetch as checked
from anyzarr.stores._base import Results, Versioned, in_thread, remote_concurrency
from anyzarr.stores._fsspec_calls import ABSENT_ERRORS, FsspecCalls
from anyzarr.stores._fsspec_options import library_errors
from anyzarr.stores._ranges import Batch, batches_of
from anyzarr.stores._retry import BadAnswerError

__all__ = ["FsspecReads"]

_COALESCE_BYTES: Final = 1 << 20


class FsspecReads(FsspecCalls):
    """The reads of :class:`FsspecStore`."""

    _protocols: set[str]

    @abc.abstractmethod
    def _path(self, key: str) -> str: ...

    @functools.cached_property
    def _fetch(self) -> checked.Fetch | None:
        return checked.fetch_of(self._fs)

    @property
    def _tells_versions(self) -> bool:
        return self._fetch is not None

    def _get(self, key: str, byte_range: ByteRange | None) -> bytes | None:
        if self._fetch is None:
            return self._cat(key, byte_range)
        found = self._get_checked(self._fetch, key, byte_range)
        return None if found is None else found[0]

    def _get_checked(
        self, fetch: checked.Fetch, key: str, byte_range: ByteRange | None
    ) -> checked.Found | None:
        if byte_range is not None and byte_range.start == byte_range.stop:
            info = self._head(key)
            return None if info is None else (b"", info)
        path = self._path(key)
        return self._run(
            key, "read", lambda: self._wait_for(lambda: fetch(self.fs, path, key, byte_range))
        )

    def _cat(self, key: str, byte_range: ByteRange | None) -> bytes | None:
        path = self._path(key)
        if byte_range is None:
            data = self._run(key, "read", lambda: self.fs.cat_file(path))
            return None if data is None else bytes(data)
        if self._is_ftp:
            return self._get_rest(key, byte_range)
        span = self._span(
            key, byte_range, self._head(key) if checked.needs_size(byte_range) else None
        )
        if not isinstance(span, tuple):
            return span
        return self._run(key, "read", lambda: self._read_range(path, *span))

    def _get_rest(self, key: str, byte_range: ByteRange) -> bytes | None:
        """Read from a byte to the end, and keep the part that is wanted.

        FTP can begin a transfer anywhere, but not end it: fsspec breaks it off, after which the
        next answer may be another one's.
        """
        info = self._head(key)
        if info is None:
            return None
        start, stop = byte_range.resolve(info.size)
        if start == stop:
            return b""
        data = self._run(key, "read", lambda: self.fs.cat_file(self._path(key), start=start))
        return None if data is None else bytes(data[: stop - start])

    def _span(
        self, key: str, byte_range: ByteRange, info: ObjectInfo | None
    ) -> tuple[int, int | None] | bytes | None:
        """Return the bytes to ask for, or the answer where it is known already."""
        if not checked.needs_size(byte_range):
            return byte_range.start, byte_range.stop
        if info is None:
            return None
        start, stop = byte_range.resolve(info.size)
        return (start, stop) if start < stop else b""

    def _read_range(self, path: str, start: int, stop: int | None) -> bytes:
        try:
            return checked.bounded(self.fs.cat_file(path, start=start, end=stop), start, stop)
        except (*ABSENT_ERRORS, PermissionError, BadAnswerError):
            raise
        except library_errors():
            # A range that begins at or past the end is an error to some, and empty to us.
            self.fs.invalidate_cache(self._fs._parent(path))
            if start >= int(self.fs.info(path)["size"]):
                return b""
            raise

    def _get_many(self, requests: Sequence[Request]) -> Results:
        results: Results = [None] * len(requests)

        def read(batch: Batch) -> None:
            batch.deliver(self._get(batch.key, batch.byte_range), results)

        self._each_batch(read, requests)
        return results

    def _get_many_with_info(self, requests: Sequence[Request]) -> Versioned:
        fetch = self._fetch
        if fetch is None:
            return super()._get_many_with_info(requests)
        results: Results = [None] * len(requests)
        infos: dict[int, ObjectInfo] = {}

        def read(batch: Batch) -> None:
            found = self._get_checked(fetch, batch.key, batch.byte_range)
            if found is not None:
                batch.deliver(found[0], results)
                infos.update((index, found[1]) for index, _ in batch.members)

        self._each_batch(read, requests)
        return [None if d is None else (d, infos[index]) for index, d in enumerate(results)]

    def _each_batch(self, read: Callable[[Batch], None], requests: Sequence[Request]) -> None:
        batches = batches_of(requests, max_gap_bytes=self._gap)
        limit = None if self.is_local else min(len(batches), remote_concurrency())
        map_ordered(read, batches, limit=limit)

    @property
    def _gap(self) -> int:
        """Bytes nobody asked for that are cheaper to read than another request."""
        return 0 if self._protocols & {"file", "local", "memory"} else _COALESCE_BYTES

    async def _get_async(self, key: str, byte_range: ByteRange | None) -> bytes | None:
        if not self.fs.async_impl:
            return await in_thread(self._get, key, byte_range)
        path, fetch = self._path(key), self._fetch
        if fetch is not None and (byte_range is None or byte_range.start != byte_range.stop):
            found = await self._await(key, "read", lambda: fetch(self.fs, path, key, byte_range))
            return None if found is None else found[0]
        if byte_range is None:
            data = await self._await(key, "read", lambda: self.fs._cat_file(path))
            return None if data is None else bytes(data)
        info = await self._head_async(key) if checked.needs_size(byte_range) else None
        span = self._span(key, byte_range, info)
        if not isinstance(span, tuple):
            return span
        return await self._await(key, "read", lambda: self._read_range_async(path, *span))

    async def _read_range_async(self, path: str, start: int, stop: int | None) -> bytes:
        try:
            return checked.bounded(
                await self.fs._cat_file(path, start=start, end=stop), start, stop
            )
        except (*ABSENT_ERRORS, PermissionError, BadAnswerError):
            raise
        except library_errors():
            self.fs.invalidate_cache(self._fs._parent(path))
            if start >= int((await self.fs._info(path))["size"]):
                return b""
            raise

    async def _get_many_async(self, requests: Sequence[Request]) -> Results:
        import asyncio

        gate = asyncio.Semaphore(remote_concurrency())

        results: Results = [None] * len(requests)

        async def read(batch: Batch) -> None:
            async with gate:
                data = await self._get_async(batch.key, batch.byte_range)
            batch.deliver(data, results)

        await asyncio.gather(*map(read, batches_of(requests, max_gap_bytes=self._gap)))
        return results

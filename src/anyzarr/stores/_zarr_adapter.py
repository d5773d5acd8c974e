"""The class behind :func:`anyzarr.stores.to_zarr_store`; imports zarr, so import it lazily."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zarr.abc.store import (
    OffsetByteRequest,
    RangeByteRequest,
    Store,
    SuffixByteRequest,
)
from zarr.core.buffer import Buffer, default_buffer_prototype

from anyzarr.abc import ABSENT, ByteRange
from anyzarr.errors import ConflictError, ReadOnlyError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence

    from zarr.abc.store import ByteRequest
    from zarr.core.buffer import BufferPrototype

__all__ = ["AnyzarrStore"]


class ReadOnlyForZarrError(ReadOnlyError, ValueError):
    """A write through a read-only view; of the class and in the words that zarr looks for."""


class AnyzarrStore(Store):
    """An anyzarr store as zarr-python sees it.

    Both of zarr's surfaces go straight to the store: the asynchronous methods to its
    ``*_async`` twins, the synchronous ones (zarr 3.4's ``get_sync`` and friends) to its plain
    methods, so zarr's fused pipeline needs no event loop.

    Parameters
    ----------
    store
        The anyzarr store: both an ``anyzarr.abc.Store`` and an ``anyzarr.abc.AsyncStore``.
    read_only
        Whether writes are refused; default: whether the store refuses them.

    Raises
    ------
    ReadOnlyError
        ``read_only`` is False and the store cannot be written to.
    """

    def __init__(self, store: Any, *, read_only: bool | None = None) -> None:
        refuses = store.spec.read_only or not store.capabilities.writable
        if read_only is False and refuses:
            raise ReadOnlyError(
                f"{store.spec} is read-only, so it cannot be presented to zarr as writable; "
                "open the location again with mode='r+'",
                store=str(store.spec),
            )
        super().__init__(read_only=refuses if read_only is None else read_only)
        self._inner = store

    @property
    def inner(self) -> Any:
        """The anyzarr store."""
        return self._inner

    def __repr__(self) -> str:
        return f"AnyzarrStore({self._inner!r}, read_only={self.read_only})"

    def __str__(self) -> str:
        return str(self._inner.spec)

    def __eq__(self, value: object) -> bool:
        return (
            isinstance(value, AnyzarrStore)
            and self.read_only == value.read_only
            and bool(self._inner == value._inner)
        )

    def with_read_only(self, read_only: bool = False) -> AnyzarrStore:
        """Return another view of the same store; raises ReadOnlyError if it cannot be writable."""
        return type(self)(self._inner, read_only=read_only)

    # What it can do

    @property
    def supports_writes(self) -> bool:
        return bool(self._inner.capabilities.writable)

    @property
    def supports_deletes(self) -> bool:
        return bool(self._inner.capabilities.writable)

    @property
    def supports_listing(self) -> bool:
        return bool(self._inner.capabilities.listable)

    # Reading

    async def get(
        self,
        key: str,
        prototype: BufferPrototype | None = None,
        byte_range: ByteRequest | None = None,
    ) -> Buffer | None:
        await self._ensure_open()
        return _buffer(await self._inner.get_async(key, _range(byte_range)), prototype)

    def get_sync(
        self,
        key: str,
        *,
        prototype: BufferPrototype | None = None,
        byte_range: ByteRequest | None = None,
    ) -> Buffer | None:
        self._is_open = True
        return _buffer(self._inner.get(key, _range(byte_range)), prototype)

    async def get_partial_values(
        self,
        prototype: BufferPrototype,
        key_ranges: Iterable[tuple[str, ByteRequest | None]],
    ) -> list[Buffer | None]:
        await self._ensure_open()
        requests = [(key, _range(byte_range)) for key, byte_range in key_ranges]
        return [_buffer(v, prototype) for v in await self._inner.get_many_async(requests)]

    async def _get_many(
        self, requests: Iterable[tuple[str, BufferPrototype, ByteRequest | None]]
    ) -> AsyncGenerator[tuple[str, Buffer | None], None]:
        wanted = list(requests)
        values = await self._inner.get_many_async([(key, _range(r)) for key, _, r in wanted])
        for (key, prototype, _), value in zip(wanted, values, strict=True):
            yield key, _buffer(value, prototype)

    async def get_ranges(
        self,
        key: str,
        byte_ranges: Sequence[ByteRequest | None],
        *,
        prototype: BufferPrototype,
        max_concurrency: int = 10,
        max_gap_bytes: int = 1 << 20,
        max_coalesced_bytes: int = 16 << 20,
    ) -> AsyncIterator[Sequence[tuple[int, Buffer | None]]]:
        # The store merges and parallelises, with limits that suit it; zarr's are ignored.
        if byte_ranges:
            values = await self._inner.get_many_async([(key, _range(r)) for r in byte_ranges])
            yield _present(key, values, prototype)

    def get_ranges_sync(
        self,
        key: str,
        byte_ranges: Sequence[ByteRequest | None],
        *,
        prototype: BufferPrototype,
        max_gap_bytes: int = 1 << 20,
        max_coalesced_bytes: int = 16 << 20,
    ) -> Sequence[tuple[int, Buffer | None]]:
        values = self._inner.get_many([(key, _range(r)) for r in byte_ranges])
        return _present(key, values, prototype)

    async def exists(self, key: str) -> bool:
        return await self._inner.head_async(key) is not None

    async def getsize(self, key: str) -> int:
        info = await self._inner.head_async(key)
        if info is None:
            raise FileNotFoundError(key)
        return int(info.size)

    async def getsize_prefix(self, prefix: str) -> int:
        return sum(info.size for info in await self._inner.list_async(_directory(prefix)))

    # Writing

    def _check_writable(self) -> None:
        if self.read_only:
            raise ReadOnlyForZarrError(
                f"{self}: store was opened in read-only mode and does not support writing; "
                "open the location with mode='r+'",
                store=str(self),
            )

    async def set(self, key: str, value: Buffer) -> None:
        self._check_writable()
        await self._ensure_open()
        await self._inner.put_async(key, _bytes_like(value))

    def set_sync(self, key: str, value: Buffer) -> None:
        self._check_writable()
        self._is_open = True
        self._inner.put(key, _bytes_like(value))

    async def set_if_not_exists(self, key: str, value: Buffer) -> None:
        self._check_writable()
        await self._ensure_open()
        try:
            await self._inner.put_async(key, _bytes_like(value), precondition=ABSENT)
        except ConflictError:
            return

    async def delete(self, key: str) -> None:
        self._check_writable()
        await self._ensure_open()
        await self._inner.delete_async(key)

    def delete_sync(self, key: str) -> None:
        self._check_writable()
        self._is_open = True
        self._inner.delete(key)

    async def delete_dir(self, prefix: str) -> None:
        self._check_writable()
        await self._ensure_open()
        await self._inner.delete_prefix_async(_directory(prefix))

    # Listing

    def list(self) -> AsyncIterator[str]:
        return self.list_prefix("")

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        # zarr's prefix is any string, ours a directory: list that and filter.
        directory = prefix[: prefix.rfind("/") + 1]
        for info in await self._inner.list_async(directory):
            if info.key.startswith(prefix):
                yield info.key

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        directory = _directory(prefix)
        level = await self._inner.list_level_async(directory)
        for key in level.keys:
            yield key.removeprefix(directory)
        for below in level.prefixes:
            yield below.removeprefix(directory).rstrip("/")

    async def is_empty(self, prefix: str) -> bool:
        level = await self._inner.list_level_async(_directory(prefix))
        return not (level.keys or level.prefixes)


def _directory(prefix: str) -> str:
    stripped = prefix.strip("/")
    return f"{stripped}/" if stripped else ""


def _range(request: ByteRequest | None) -> ByteRange | None:
    if request is None:
        return None
    if isinstance(request, RangeByteRequest):
        return ByteRange(request.start, request.end)
    if isinstance(request, OffsetByteRequest):
        return ByteRange(request.offset)
    if isinstance(request, SuffixByteRequest):
        # ByteRange(-0) would mean the whole object.
        return ByteRange(-request.suffix) if request.suffix else ByteRange(0, 0)
    raise TypeError(f"Unexpected byte_range, got {request!r}.")


def _buffer(value: bytes | None, prototype: BufferPrototype | None) -> Buffer | None:
    if value is None:
        return None
    return (prototype or default_buffer_prototype()).buffer.from_bytes(value)


def _bytes_like(value: Buffer) -> memoryview:
    if not isinstance(value, Buffer):
        raise TypeError(f"a stored value must be a zarr Buffer, got {type(value).__name__}")
    return memoryview(value.as_buffer_like())


def _present(
    key: str, values: Sequence[bytes | None], prototype: BufferPrototype
) -> list[tuple[int, Buffer | None]]:
    # zarr expects an absent key as a FileNotFoundError in a group (Store.get_ranges).
    if any(value is None for value in values):
        raise BaseExceptionGroup("chunk read failed", [FileNotFoundError(key)])
    return [(i, _buffer(value, prototype)) for i, value in enumerate(values)]

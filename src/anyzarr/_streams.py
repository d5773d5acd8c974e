"""Objects in parts, of any store: what is too large to be held whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, runtime_checkable

from anyzarr.abc import ByteRange, ObjectInfo, Request, Store
from anyzarr.errors import ConflictError

__all__ = ["StreamStore", "get_stream", "put_stream", "ranges_of"]

_PART_BYTES = 16 << 20

Versioned = tuple[bytes, ObjectInfo] | None
"""What was read, with the size and ETag of the object it was read from; None: it is absent."""


@runtime_checkable
class StreamStore(Protocol):
    """A store that gives and takes objects in parts; see :class:`anyzarr.stores.BaseStore`."""

    def get_stream(self, key: str) -> Iterator[bytes] | None:
        """Return the object in parts of at most some MiB; None if it is absent."""

    def put_stream(self, key: str, parts: Iterable[bytes], *, size_limit: int) -> None:
        """Replace the object by bytes that arrive in parts, all or nothing."""


def get_stream(store: Store, key: str) -> Iterator[bytes] | None:
    """Return an object of any store in parts; None if it is absent.

    Raises
    ------
    ConflictError
        The object changed while it was read. Raised by the iterator, as all errors may be.
    """
    if isinstance(store, StreamStore):
        return store.get_stream(key)
    info = store.head(key)

    def read(request: Request) -> Versioned:
        data = store.get(*request)
        now = store.head(key)
        return None if data is None or now is None else (data, now)

    return None if info is None else ranges_of(info, read, str(store.spec))


def put_stream(store: Store, key: str, parts: Iterable[bytes], size_limit: int) -> None:
    """Put an object that arrives in parts, and is no larger than a limit, into any store."""
    if isinstance(store, StreamStore):
        store.put_stream(key, parts, size_limit=size_limit)
    else:
        store.put(key, b"".join(parts))


def ranges_of(
    info: ObjectInfo, read: Callable[[Request], Versioned], store: str
) -> Iterator[bytes]:
    """Yield an object by its ranges, all of the version that was looked up.

    Parameters
    ----------
    info
        The object's.
    read
        Reads a range of it.
    store
        The store, for errors.

    Raises
    ------
    ConflictError
        It changed meanwhile.
    """
    for start in range(0, info.size, _PART_BYTES):
        stop = min(info.size, start + _PART_BYTES)
        part, now = read((info.key, ByteRange(start, stop))) or (b"", None)
        if len(part) != stop - start or now is None or now.etag != info.etag:
            raise ConflictError(
                f"{info.key!r} in {store} changed while it was being read; read it again when "
                "nothing writes to it",
                store=store,
                key=info.key,
            )
        yield part

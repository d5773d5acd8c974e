"""What the store contract is made of: objects to hold, and the async methods as a store."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any, TypeVar

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
from anyzarr.errors import AnyzarrError

__all__ = [
    "BAD_KEYS",
    "BAD_PREFIXES",
    "OBJECTS",
    "Awaited",
    "at_once",
    "pattern",
    "plain_of",
    "raises",
]

T = TypeVar("T")
Results = list[bytes | None]


def pattern(size: int, seed: int = 0) -> bytes:
    """Return bytes of which any two ranges differ, as far as a test can tell."""
    return bytes((i * 31 + i // 251 + seed) & 0xFF for i in range(size))


OBJECTS = {
    "zarr.json": b"{}",
    "empty": b"",
    "one": b"1",
    "a/zarr.json": b'{"node_type": "group"}',
    "a/c/0/0": pattern(1000),
    "a/c/0/1": pattern(70_000, 1),
    "a/c/10": pattern(10, 2),
    "ab/c": b"not below a/",
    "with space/and + % # ? [x] {y}~.txt": b"odd",
    "größe/日本語/ü": b"unicode",
}
"""What the store holds in the requirements that read."""

BAD_KEYS = ("", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/..", "a/../../b", "a/./b", "a\0b")
BAD_PREFIXES = ("/", "a", "/a/", "a//", "../", "a/../", "./", "a\0/")


class Awaited:
    """The ``*_async`` methods of a store behind the plain names, on an event loop of its own.

    Calls from several threads are in flight on that one loop together.
    """

    def __init__(self, store: Any) -> None:
        assert isinstance(store, AsyncStore), f"{store!r} lacks methods of AsyncStore"
        self.plain = store
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def close(self) -> None:
        """Stop the loop."""
        self._run(self._loop.shutdown_asyncgens())
        self._run(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def spec(self) -> StoreSpec:
        """The store's."""
        return self.plain.spec

    @property
    def capabilities(self) -> Capabilities:
        """The store's."""
        return self.plain.capabilities

    def get(self, key: str, byte_range: ByteRange | None = None) -> bytes | None:
        """Await ``get_async``."""
        return self._run(self.plain.get_async(key, byte_range))

    def get_many(self, requests: Sequence[Request]) -> Results:
        """Await ``get_many_async``."""
        return self._run(self.plain.get_many_async(requests))

    def put(
        self,
        key: str,
        value: bytes | bytearray | memoryview,
        *,
        precondition: Precondition | None = None,
    ) -> str | None:
        """Await ``put_async``."""
        return self._run(self.plain.put_async(key, value, precondition=precondition))

    def delete(self, key: str) -> None:
        """Await ``delete_async``."""
        self._run(self.plain.delete_async(key))

    def delete_prefix(self, prefix: str) -> None:
        """Await ``delete_prefix_async``."""
        self._run(self.plain.delete_prefix_async(prefix))

    def head(self, key: str) -> ObjectInfo | None:
        """Await ``head_async``."""
        return self._run(self.plain.head_async(key))

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Await ``list_async``."""
        return iter(self._run(self.plain.list_async(prefix)))

    def list_level(self, prefix: str = "") -> Level:
        """Await ``list_level_async``."""
        return self._run(self.plain.list_level_async(prefix))


def plain_of(store: Any) -> Any:
    """Return the store whose methods are awaited, or the store itself."""
    return store.plain if isinstance(store, Awaited) else store


def raises(
    expected: type[AnyzarrError],
    store: Store,
    key: str,
    call: Callable[[], Any],
    *,
    kind: str | None = None,
) -> None:
    """Require an error of a class and kind, in one sentence that names the store and the key.

    Raises
    ------
    AssertionError
        There is no error, or it does not name them.
    """
    try:
        result = call()
    except expected as caught:
        error = caught
    else:
        name = expected.__name__
        raise AssertionError(f"{store.spec} returned {result!r} instead of raising {name}")
    # A view of another store may name the key that the other has it by.
    named = error.key or ""
    assert named == key or named.endswith(f"/{key}"), f"the error names {named!r}, not {key!r}"
    assert repr(named) in str(error), f"the error's text does not name {named!r}: {error}"
    assert error.store, f"the error names no store: {error}"
    assert error.store in str(error), f"the error's text does not name {error.store}: {error}"
    assert "\n" not in str(error), f"the error is more than a sentence: {error}"
    assert error.kind == (kind or expected.default_kind), f"the error is of kind {error.kind}"


def at_once(work: Callable[[int], object], workers: int = 8) -> None:
    """Call ``work(0)``, ``work(1)``, … in as many threads, all starting together.

    Raises
    ------
    BaseException
        The first error of any of them.
    """
    start = threading.Barrier(workers)
    errors: list[BaseException] = []

    def one(number: int) -> None:
        try:
            start.wait(timeout=60)
            work(number)
        except BaseException as error:  # noqa: BLE001 - handed to the caller
            errors.append(error)

    threads = [threading.Thread(target=one, args=(n,)) for n in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]

"""A store that keeps what it read, in memory or in a directory."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeAlias

from anyzarr._parallel import map_ordered
from anyzarr.abc import (
    ByteRange,
    Capabilities,
    Level,
    ObjectInfo,
    Precondition,
    Request,
    Store,
    StoreSpec,
)
from anyzarr.errors import StoreError
from anyzarr.stores._base import (
    BaseStore,
    Results,
    UnsteadyError,
    Versioned,
    address_at,
    remote_concurrency,
    with_info,
)
from anyzarr.stores._cache_blocks import BLOCK_BYTES, Blocks, DiskBlocks, MemoryBlocks

__all__ = ["CachingStore", "Check", "caching", "open_cache", "without_cache"]

Check: TypeAlias = Literal["once", "always", "never"]

_CHECKS: Final = ("once", "always", "never")
_DISK_BYTES: Final = 10 << 30
_ATTEMPTS: Final = 4


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A request, resolved against the size of its object."""

    index: int
    info: ObjectInfo
    start: int
    stop: int

    @property
    def blocks(self) -> range:
        if self.start == self.stop:
            return range(0)
        return range(self.start // BLOCK_BYTES, -(-self.stop // BLOCK_BYTES))


class CachingStore(BaseStore):
    """Another store, whose objects are kept once they were read.

    Parameters
    ----------
    store
        The store to read from, and to write to.
    cache
        A directory, which several processes may share and which outlives them; or a number of
        bytes: that much memory of this process.
    cache_bytes
        Bound on a directory; default 10 GiB.
    cache_check
        When to ask whether an object has changed, by its ETag: ``"once"`` for each object and
        open store, ``"always"`` on every read, ``"never"``: only where nothing is known of it.
    read_ahead
        Bytes to read and keep beyond each range that has to be fetched, for those who read an
        object from its beginning to its end.

    Raises
    ------
    StoreError
        An argument is not valid.

    Notes
    -----
    Objects of a store without ETags are not kept. That an object is absent is never kept. What is
    written goes to the store at once, and what was kept of the object is forgotten.

    Examples
    --------
    >>> from anyzarr.stores import CachingStore, MemoryStore
    >>> inner = MemoryStore({"a": b"0123456789"})
    >>> store = CachingStore(inner, 1_000_000)
    >>> store.get("a")
    b'0123456789'
    """

    def __init__(
        self,
        store: Store,
        cache: str | os.PathLike[str] | int,
        *,
        cache_bytes: int | None = None,
        cache_check: Check = "once",
        read_ahead: int = 0,
        read_only: bool = False,
    ) -> None:
        if cache_check not in _CHECKS:
            raise StoreError(f"cache_check={cache_check!r} is not one of {', '.join(_CHECKS)}")
        if read_ahead < 0:
            raise StoreError(f"read_ahead={read_ahead} must be a number of bytes, 0 or more")
        kept = cache if isinstance(cache, int) else os.path.abspath(os.path.expanduser(cache))  # noqa: PTH100, PTH111
        self._store = store
        self._blocks = _blocks_of(kept, cache_bytes)
        self._check = cache_check
        self._read_ahead = read_ahead
        self._known: dict[str, ObjectInfo] = {}
        self._changes = [0]  # how often something was forgotten; shared with twins, as the rest is
        self._lock = threading.Lock()
        inner = store.spec
        options = {
            "store": inner,
            "cache": kept,
            "cache_bytes": cache_bytes,
            "cache_check": cache_check,
            "read_ahead": read_ahead,
        }
        locked = read_only or inner.read_only
        super().__init__(StoreSpec("cache", inner.root, options, read_only=locked))
        self._identity = f"{inner.backend}\0{inner.root}"

    @property
    def store(self) -> Store:
        """The store that is read from."""
        return self._store

    @property
    def address(self) -> str:
        """The address of the store that is read from."""
        return address_at(self._store, "")

    def address_at(self, path: str) -> str:
        """Return the address of what is at a key, or below a prefix."""
        return address_at(self._store, path)

    @property
    def capabilities(self) -> Capabilities:
        """Those of the store below, but for direct access to its files."""
        inner = self._store.capabilities
        writable = inner.writable and not self._spec.read_only
        return replace(inner, writable=writable, local_root=None, native_async=False)

    # ------------------------------------------------------------------ reading

    def _get(self, key: str, byte_range: ByteRange | None) -> bytes | None:
        return self._get_many([(key, byte_range)])[0]

    def _get_many(self, requests: Sequence[Request]) -> Results:
        results: Results = [None] * len(requests)
        left, _ = self._read_kept(requests, results)
        found = self._store.get_many([requests[i] for i in left])
        for index, data in zip(left, found, strict=True):
            results[index] = data
        return results

    @property
    def _tells_versions(self) -> bool:
        return True

    def _get_many_with_info(self, requests: Sequence[Request]) -> Versioned:
        results: Results = [None] * len(requests)
        left, versions = self._read_kept(requests, results)
        pairs = ((versions[key], d) for (key, _), d in zip(requests, results, strict=True))
        found = [None if d is None or info is None else (d, info) for info, d in pairs]
        direct = with_info(self._store, [requests[i] for i in left])
        for index, each in zip(left, direct, strict=True):
            found[index] = each
        return found

    def _read_kept(
        self, requests: Sequence[Request], results: Results
    ) -> tuple[list[int], dict[str, ObjectInfo | None]]:
        """Fill in results from what is kept, and keep what is not yet.

        Returns
        -------
        left
            Requests to be made past the cache, because their object is replaced faster than it
            can be looked up.
        versions
            What the other results are of.
        """
        versions: dict[str, ObjectInfo | None] = {}
        left = list(range(len(requests)))
        for attempt in range(_ATTEMPTS):
            fresh = self._check == "always" or attempt > 0
            infos = self._look_up({requests[i][0] for i in left}, fresh=fresh)
            versions |= infos
            left = self._read(requests, left, infos, results)
            if not left:
                break
        return left, versions

    def _look_up(self, keys: Iterable[str], *, fresh: bool) -> dict[str, ObjectInfo | None]:
        """Return size and ETag of objects: what is known, else what the store says."""
        with self._lock:
            before = self._changes[0]
            known = {} if fresh else {k: self._known[k] for k in keys if k in self._known}
            if self._check == "never" and not fresh:
                known |= self._recalled(set(keys) - set(known))
        missing = [key for key in keys if key not in known]
        width = min(len(missing), remote_concurrency()) or 1
        found = dict(zip(missing, map_ordered(self._store.head, missing, limit=width), strict=True))
        self._remember((info for info in found.values() if info is not None), before)
        return {**known, **found}

    def _remember(self, infos: Iterable[ObjectInfo], before: int) -> None:
        for info in infos:
            if info.etag is None:
                continue
            with self._lock:
                if self._changes[0] != before:
                    return  # written meanwhile: what was looked up may be what was there before
                is_news = self._known.get(info.key) != info
                self._known[info.key] = info
            if is_news and self._check == "never":
                record = json.dumps([info.size, info.etag]).encode()
                self._blocks.put(self._record_name(info.key), record)

    def _recalled(self, keys: Iterable[str]) -> dict[str, ObjectInfo]:
        """Return what an earlier process knew of objects."""
        found = {}
        for key in keys:
            record = self._blocks.get(self._record_name(key))
            if record is not None:
                size, etag = json.loads(record)
                found[key] = self._known[key] = ObjectInfo(key, size, etag)
        return found

    def _record_name(self, key: str) -> str:
        return f"{self._identity}\0{key}\0record"

    def _read(
        self,
        requests: Sequence[Request],
        indices: Sequence[int],
        infos: dict[str, ObjectInfo | None],
        results: Results,
    ) -> list[int]:
        """Fill in results; return the requests whose object changed on the way."""
        wanted: list[_Wanted] = []
        plain: list[int] = []
        for index in indices:
            key, byte_range = requests[index]
            info = infos[key]
            if info is None:
                results[index] = None
            elif info.etag is None:
                plain.append(index)
            else:
                start, stop = (byte_range or ByteRange()).resolve(info.size)
                wanted.append(_Wanted(index, info, start, stop))
        if plain:
            found = self._store.get_many([requests[i] for i in plain])
            for index, data in zip(plain, found, strict=True):
                results[index] = data
        return self._deliver(wanted, results)

    def _deliver(self, wanted: Sequence[_Wanted], results: Results) -> list[int]:
        have: dict[str, bytes] = {}
        missing: dict[str, set[int]] = {}
        for item in wanted:
            for number in item.blocks:
                name = self._name(item.info, number)
                block = have.get(name) or self._blocks.get(name)
                if block is None or len(block) != _length(item.info, number):
                    missing.setdefault(item.info.key, set()).add(number)
                else:
                    have[name] = block
        infos = {item.info.key: item.info for item in wanted}
        changed = self._fetch(infos, missing, have)
        again = []
        for item in wanted:
            if item.info.key in changed:
                again.append(item.index)
            else:
                results[item.index] = self._cut(item, have)
        return again

    def _fetch(
        self, infos: dict[str, ObjectInfo], missing: dict[str, set[int]], have: dict[str, bytes]
    ) -> set[str]:
        """Fetch runs of blocks; return the keys of objects that are others by now."""
        runs = [(infos[key], run) for key, numbers in missing.items() for run in _runs(numbers)]
        if not runs:
            return set()
        reads = [self._extent(info, run) for info, run in runs]
        asked = [(info.key, ByteRange(*read)) for (info, _), read in zip(runs, reads, strict=True)]
        changed: set[str] = set()
        try:
            answers = with_info(self._store, asked)
        except UnsteadyError:
            answers = [None] * len(asked)
        for (info, _), (start, stop), found in zip(runs, reads, answers, strict=True):
            # What was read is of the version that was looked up only if the store says so.
            if found is None or found[1] != info or len(found[0]) != stop - start:
                changed.add(info.key)
                continue
            for offset in range(0, stop - start, BLOCK_BYTES):
                name = self._name(info, (start + offset) // BLOCK_BYTES)
                have[name] = found[0][offset : offset + BLOCK_BYTES]
                self._blocks.put(name, have[name])
        self._forget(changed)
        return changed

    def _extent(self, info: ObjectInfo, run: range) -> tuple[int, int]:
        stop = run.stop * BLOCK_BYTES
        if self._read_ahead:
            stop = -(-(stop + self._read_ahead) // BLOCK_BYTES) * BLOCK_BYTES
        return run.start * BLOCK_BYTES, min(stop, info.size)

    def _cut(self, item: _Wanted, have: dict[str, bytes]) -> bytes:
        parts = [have[self._name(item.info, number)] for number in item.blocks]
        if not parts:
            return b""
        first = item.blocks.start * BLOCK_BYTES
        whole = parts[0] if len(parts) == 1 else b"".join(parts)
        return whole[item.start - first : item.stop - first]

    def _name(self, info: ObjectInfo, number: int) -> str:
        return f"{self._identity}\0{info.key}\0{info.etag}\0{info.size}\0{number}"

    def _forget(self, keys: Iterable[str]) -> None:
        with self._lock:
            self._changes[0] += 1
            for key in keys:
                self._known.pop(key, None)

    # ------------------------------------------------------------------ everything else

    def _put(
        self, key: str, value: bytes | memoryview, precondition: Precondition | None
    ) -> str | None:
        try:
            return self._store.put(key, value, precondition=precondition)
        finally:
            self._forget([key])

    def _delete(self, key: str) -> None:
        try:
            self._store.delete(key)
        finally:
            self._forget([key])

    def _delete_prefix(self, prefix: str) -> None:
        try:
            self._store.delete_prefix(prefix)
        finally:
            with self._lock:
                gone = [key for key in self._known if key.startswith(prefix)]
            self._forget(gone)

    def _head(self, key: str) -> ObjectInfo | None:
        return self._store.head(key)

    def _list(self, prefix: str) -> Iterator[ObjectInfo]:
        return self._store.list(prefix)

    def _list_level(self, prefix: str) -> Level:
        return self._store.list_level(prefix)


def _blocks_of(cache: str | int, max_bytes: int | None) -> Blocks:
    if isinstance(cache, str):
        return DiskBlocks(cache, _DISK_BYTES if max_bytes is None else max_bytes)
    if isinstance(cache, bool) or cache <= 0 or max_bytes is not None:
        raise StoreError(
            f"cache={cache!r} must be a directory (with cache_bytes to bound it), or a number of "
            "bytes of memory above zero (and then no cache_bytes)"
        )
    return MemoryBlocks(cache)


def _length(info: ObjectInfo, number: int) -> int:
    return min(BLOCK_BYTES, info.size - number * BLOCK_BYTES)


def _runs(numbers: Iterable[int]) -> Iterator[range]:
    """Return consecutive numbers as ranges."""
    start = stop = None
    for number in sorted(numbers):
        if start is None or stop is None:
            start, stop = number, number + 1
        elif number == stop:
            stop += 1
        else:
            yield range(start, stop)
            start, stop = number, number + 1
    if start is not None and stop is not None:
        yield range(start, stop)


_OPTIONS: Final = ("cache", "cache_bytes", "cache_check", "read_ahead")


def without_cache(options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the options of a backend, and apart from them those of a cache."""
    cache: dict[str, Any] = {name: options[name] for name in _OPTIONS if name in options}
    if cache and cache.get("cache") is None:
        if cache.keys() - {"cache"}:
            raise StoreError(f"{min(cache.keys() - {'cache'})} goes with cache=; give that too")
        cache = {}
    return {name: value for name, value in options.items() if name not in _OPTIONS}, cache


def caching(store: Store, cache: dict[str, Any]) -> Store:
    """Return the store with the cache that options ask for, if they do."""
    if not cache:
        return store
    return CachingStore(store, read_only=store.spec.read_only, **cache)


def open_cache(root: str, *, store: StoreSpec, read_only: bool = False, **options: Any) -> Store:
    """Rebuild a :class:`CachingStore` from its spec."""
    from anyzarr.stores._registry import from_spec

    return CachingStore(from_spec(store), read_only=read_only, **options)

"""The caching store: what it asks of the store below, and when it asks again."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import anyzarr
from anyzarr.abc import ByteRange, ObjectInfo, Request
from anyzarr.errors import StoreError
from anyzarr.stores import CachingStore, LocalStore, MemoryStore, open_store
from anyzarr.stores._cache_blocks import BLOCK_BYTES, DiskBlocks, MemoryBlocks

Caches = Callable[..., CachingStore]


class Counting(MemoryStore):
    """Counts what is asked of it."""

    def __init__(self, objects: dict[str, bytes]) -> None:
        super().__init__(objects)
        self.read: list[Request] = []
        self.looked_up: list[str] = []
        self.before_reading: Callable[[], None] = lambda: None

    def _get(self, key: str, byte_range: ByteRange | None) -> bytes | None:
        self.before_reading()
        self.read.append((key, byte_range))
        return super()._get(key, byte_range)

    def _get_many(self, requests: Sequence[Request]) -> list[bytes | None]:
        return [self._get(*request) for request in requests]

    def _head(self, key: str) -> ObjectInfo | None:
        self.looked_up.append(key)
        return super()._head(key)


@pytest.fixture(params=["memory", "disk"])
def cached(request: pytest.FixtureRequest, tmp_path: Path) -> Caches:
    def make(inner: Any, **options: Any) -> CachingStore:
        place: Any = str(tmp_path / "cache") if request.param == "disk" else 64 << 20
        return CachingStore(inner, place, **options)

    return make


def data(n: int, seed: int = 0) -> bytes:
    return np.random.default_rng(seed).bytes(n)


def test_a_second_read_asks_for_nothing(cached: Caches) -> None:
    content = data(3 * BLOCK_BYTES + 17)
    inner = Counting({"a": content})
    store = cached(inner)
    assert store.get("a") == content
    inner.read.clear()
    inner.looked_up.clear()
    for part in (None, ByteRange(5, 9), ByteRange(-100), ByteRange(BLOCK_BYTES - 1)):
        assert store.get("a", part) == inner_slice(content, part)
    assert inner.read == inner.looked_up == []


def inner_slice(content: bytes, part: ByteRange | None) -> bytes:
    start, stop = (part or ByteRange()).resolve(len(content))
    return content[start:stop]


def test_only_missing_blocks_are_fetched_in_one_request_each_run(cached: Caches) -> None:
    inner = Counting({"a": data(10 * BLOCK_BYTES)})
    store = cached(inner)
    store.get("a", ByteRange(4 * BLOCK_BYTES + 3, 5 * BLOCK_BYTES - 3))
    store.get("a", ByteRange(2 * BLOCK_BYTES, 7 * BLOCK_BYTES))
    found = [r for _, r in inner.read if r is not None]
    in_blocks = [(r.start / BLOCK_BYTES, (r.stop or 0) / BLOCK_BYTES) for r in found]
    assert in_blocks == [(4, 5), (2, 4), (5, 7)]


def test_read_ahead_takes_more_along(cached: Caches) -> None:
    content = data(10 * BLOCK_BYTES)
    inner = Counting({"a": content})
    store = cached(inner, read_ahead=3 * BLOCK_BYTES)
    for number in range(10):
        part = ByteRange(number * BLOCK_BYTES, (number + 1) * BLOCK_BYTES)
        assert store.get("a", part) == inner_slice(content, part)
    assert len(inner.read) == 3


@given(
    size=st.integers(0, 5 * BLOCK_BYTES),
    parts=st.lists(
        st.tuples(st.integers(-6 * BLOCK_BYTES, 6 * BLOCK_BYTES), st.integers(0, BLOCK_BYTES)),
        max_size=6,
    ),
)
def test_every_range_is_right(size: int, parts: list[tuple[int, int]]) -> None:
    content = data(size)
    store = CachingStore(MemoryStore({"a": content}), 1 << 20)
    for start, length in parts:
        part = ByteRange(start, None if start < 0 else start + length)
        assert store.get("a", part) == inner_slice(content, part)
    assert store.get("a") == content


@pytest.mark.parametrize(("check", "sees"), [("once", "old"), ("always", "new"), ("never", "old")])
def test_what_others_replace(cached: Caches, check: Any, sees: str) -> None:
    inner = Counting({"a": b"old"})
    store = cached(inner, cache_check=check)
    assert store.get("a") == b"old"
    inner.put("a", b"new")
    assert store.get("a") == sees.encode()
    # Whoever opens it anew sees what is there, unless told never to ask.
    again = cached(inner, cache_check=check)
    kept_on_disk = check == "never" and isinstance(store._blocks, DiskBlocks)
    assert again.get("a") == (b"old" if kept_on_disk else b"new")


def test_what_we_replace_is_seen(cached: Caches) -> None:
    store = cached(MemoryStore({"a/b": b"1", "a/c": b"2"}))
    assert store.get_many([("a/b", None), ("a/c", None)]) == [b"1", b"2"]
    etag = store.put("a/b", b"one")
    assert store.get("a/b") == b"one"
    with pytest.raises(anyzarr.ConflictError):
        store.put("a/b", b"two", precondition="other")
    assert store.put("a/b", b"two", precondition=etag) is not None
    assert store.get("a/b") == b"two"
    store.delete("a/b")
    assert store.get("a/b") is None
    store.delete_prefix("a/")
    assert store.get("a/c") is None


def test_absence_is_not_kept(cached: Caches) -> None:
    inner = MemoryStore()
    store = cached(inner)
    assert store.get("a") is None
    inner.put("a", b"now")
    assert store.get("a") == b"now"


def test_an_object_replaced_while_it_is_read_is_read_again(cached: Caches) -> None:
    old, new = data(2 * BLOCK_BYTES, 1), data(2 * BLOCK_BYTES, 2)
    inner = Counting({"a": old})
    store = cached(inner)
    hooks = [lambda: inner.put("a", new)]
    inner.before_reading = lambda: hooks.pop()() if hooks else None
    assert store.get("a") == new
    assert cached(MemoryStore({"a": new})).get("a") == new


class Versioned(Counting):
    """Says which version it gave, as object stores do."""

    @property
    def _tells_versions(self) -> bool:
        return True

    def _get_many_with_info(self, requests: Sequence[Request]) -> list[Any]:
        found = []
        for request in requests:
            given = self._get(*request)  # and nothing comes between this and the next
            info = MemoryStore._head(self, request[0])
            found.append(None if given is None or info is None else (given, info))
        return found


@pytest.mark.parametrize("kind", [Counting, Versioned])
def test_an_object_that_never_stands_still_is_read_past_the_cache(
    kind: type[Counting], cached: Caches
) -> None:
    inner = kind({"a": b"0", "b": b"still"})
    store = cached(inner)
    number = iter(range(1, 1000))
    written = {"0"}

    def replace() -> None:
        written.add(str(next(number)))
        inner.put("a", max(written, key=int).encode())

    inner.before_reading = replace
    assert (store.get("a") or b"").decode() == max(written, key=int)
    found = store.get_many([("b", None), ("a", None), ("gone", None)])
    assert found == [b"still", max(written, key=int).encode(), None]
    inner.before_reading = lambda: None
    assert (store.get("a") or b"").decode() == max(written, key=int), "nothing of it was kept"


def test_of_which_version_it_is_can_be_told_only_by_some(cached: Caches) -> None:
    number = iter(range(1, 1000))

    def moving(inner: Counting) -> CachingStore:
        inner.before_reading = lambda: inner.put("a", str(next(number)).encode()) and None
        return cached(inner)

    with pytest.raises(StoreError, match="being replaced"):
        moving(Counting({"a": b"0"})).get_many_with_info([("a", None)])
    inner = Versioned({"a": b"0"})
    found = moving(inner).get_many_with_info([("a", None)])
    assert found[0] is not None
    assert found[0][1].etag == getattr(inner.head("a"), "etag", None)


def test_a_damaged_block_is_fetched_again(tmp_path: Path) -> None:
    content = data(BLOCK_BYTES)
    inner = Counting({"a": content})
    assert CachingStore(inner, tmp_path).get("a") == content
    (block,) = (p for p in tmp_path.rglob("*") if p.is_file())
    damaged = bytearray(block.read_bytes())
    damaged[1000] ^= 1
    block.write_bytes(damaged)
    assert CachingStore(inner, tmp_path).get("a") == content
    assert len(inner.read) == 2
    block.write_bytes(b"")
    assert CachingStore(inner, tmp_path).get("a") == content


def test_memory_is_bounded() -> None:
    blocks = MemoryBlocks(1000)
    for number in range(100):
        blocks.put(str(number), bytes(100))
        blocks.get("0")
    assert blocks._n_bytes <= 1000
    assert blocks.get("0") is not None
    assert blocks.get("50") is None
    blocks.put("large", bytes(1001))
    assert blocks.get("large") is None


def test_a_directory_is_bounded_and_others_files_stay(tmp_path: Path) -> None:
    mine = tmp_path / "mine.txt"
    mine.write_text("stays")
    blocks = DiskBlocks(str(tmp_path), 100_000)
    for number in range(100):
        blocks.put(str(number), bytes(5000))
        for path in tmp_path.rglob("*"):
            if path.is_file() and number == 3:
                os.utime(path, (1, 1))
    total = sum(p.stat().st_size for p in tmp_path.rglob("*") if p.is_file())
    assert total <= 110_000
    assert blocks.get("99") is not None
    assert mine.read_text() == "stays"


def test_a_directory_that_cannot_be_written_is_warned_of_once(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no directory")
    store = CachingStore(MemoryStore({"a": b"1", "b": b"2"}), blocked)
    with pytest.warns(RuntimeWarning, match="cannot be written"):
        assert store.get("a") == b"1"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert store.get("b") == b"2"


def test_processes_share_a_directory(tmp_path: Path) -> None:
    source = tmp_path / "source"
    array = anyzarr.create_array(source, shape=(64, 64), chunks=(16, 16), dtype="uint16")
    array[:] = np.arange(4096).reshape(64, 64)
    code = (
        "import sys, anyzarr; from anyzarr.stores import CachingStore, LocalStore;"
        "s = CachingStore(LocalStore(sys.argv[1]), sys.argv[2]);"
        "print(int(anyzarr.open(s)[:].sum()))"
    )
    command = [sys.executable, "-c", code, str(source), str(tmp_path / "cache")]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    outputs = [process.communicate(timeout=60)[0].strip() for process in running]
    assert outputs == [str(4096 * 4095 // 2)] * 4
    assert not [p for p in (tmp_path / "cache").rglob("*.*") if p.is_file()]


def test_threads_share_a_store(cached: Caches) -> None:
    contents = {f"k{i}": data(BLOCK_BYTES + i, i) for i in range(20)}
    store = cached(MemoryStore(contents))
    wrong: list[str] = []

    def work() -> None:
        wrong.extend(key for key in contents if store.get(key) != contents[key])

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_pickling_and_equality(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a").write_bytes(b"1")
    store = CachingStore(
        LocalStore(str(tmp_path / "data")), tmp_path / "cache", cache_check="never"
    )
    again = pickle.loads(pickle.dumps(store))
    assert again == store
    assert hash(again) == hash(store)
    assert again.get("a") == b"1"
    assert again.spec.options["cache_check"] == "never"


def test_opened_with_options(tmp_path: Path) -> None:
    place = tmp_path / "a.zarr"
    anyzarr.create_array(place, shape=(4,), dtype="uint8")[:] = [1, 2, 3, 4]
    array = anyzarr.open(place, cache=10_000_000)
    assert isinstance(array.store, CachingStore)
    assert array[:].tolist() == [1, 2, 3, 4]
    read_only = open_store(place, cache=str(tmp_path / "cache"), mode="r")
    assert not read_only.capabilities.writable
    writable = anyzarr.open(place, mode="r+", cache=10_000_000)
    writable[1] = 9
    assert writable[:].tolist() == [1, 9, 3, 4]


def test_archives_on_a_server_are_cached_below_the_archive(tmp_path: Path, web: str) -> None:
    place = tmp_path / "a.zarr"
    values = np.arange(10_000, dtype="uint32").reshape(100, 100)
    anyzarr.create_array(place, data=values, chunks=(10, 10))
    anyzarr.convert(place, tmp_path / "a.ozx")
    array = anyzarr.open(f"{web}/a.ozx", cache=str(tmp_path / "cache"))
    np.testing.assert_array_equal(array[:], values)


@pytest.mark.parametrize(
    "options",
    [
        {"cache": 0},
        {"cache": True},
        {"cache": 100, "cache_bytes": 10},
        {"cache_bytes": 10},
        {"cache": 100, "cache_check": "sometimes"},
        {"cache": 100, "read_ahead": -1},
    ],
)
def test_arguments_that_are_not_valid(options: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        open_store(tmp_path, **options)


def test_an_object_store_says_which_version_it_gave(s3: Any, tmp_path: Path) -> None:
    location = f"s3://{s3.new_bucket()}/a.zarr"
    values = np.arange(40_000, dtype="uint16").reshape(200, 200)
    array = anyzarr.create_array(
        location, data=values, chunks=(10, 10), shards=(100, 100), backend_kwargs=s3.options
    )
    options = {**s3.options, "cache": str(tmp_path / "cache")}
    reading = anyzarr.open(location, mode="r", **options)
    np.testing.assert_array_equal(reading[:], values)
    array[:100] = 7
    np.testing.assert_array_equal(anyzarr.open(location, mode="r", **options)[:100], 7)
    found = reading.store.store.get_many_with_info([("c/0/0", ByteRange(0, 10)), ("none", None)])
    assert found[0] is not None
    assert found[0][1] == reading.store.store.head("c/0/0")
    assert found[1] is None

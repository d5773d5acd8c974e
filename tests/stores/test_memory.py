"""Memory: dicts are used live, names are shared, and nothing turns up empty elsewhere."""

from __future__ import annotations

import gc
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
import zarr.core.buffer
import zarr.storage

from anyzarr.abc import ABSENT, ByteRange
from anyzarr.errors import ConflictError, StoreError
from anyzarr.stores import MemoryStore, from_spec, open_store


def test_dicts_are_used_live() -> None:
    data: dict[str, Any] = {"a": b"1", "b": bytearray(b"22"), "c": memoryview(b"333")[::2]}
    store = MemoryStore(data)
    assert [store.get(key) for key in "abc"] == [b"1", b"22", b"33"]
    data["d"] = b"4"
    assert store.get("d") == b"4"
    store.put("e", bytearray(b"5"))
    assert data["e"] == b"5"
    assert type(data["e"]) is bytes
    del data["a"]
    assert store.get("a") is None


def test_values_that_are_no_bytes_are_refused() -> None:
    store = MemoryStore({"k": "text"})
    for call in (lambda: store.get("k"), lambda: store.head("k"), lambda: list(store.list())):
        with pytest.raises(StoreError) as caught:
            call()
        assert caught.value.key == "k"


def test_stores_over_one_dict_see_each_others_versions() -> None:
    data: dict[str, Any] = {}
    one, two = MemoryStore(data), open_store(data, mode="a")
    assert one == two
    tag = one.put("k", b"1")
    two.put("k", b"2", precondition=tag)
    with pytest.raises(ConflictError):
        one.put("k", b"3", precondition=tag)
    with pytest.raises(ConflictError):
        two.put("k", b"3", precondition=ABSENT)
    info = one.head("k")
    assert info is not None
    data["k"] = b"4"
    with pytest.raises(ConflictError):
        one.put("k", b"5", precondition=info.etag)
    assert data["k"] == b"4"


def test_named_stores_are_shared_and_others_are_not() -> None:
    name = "test-named-stores"
    MemoryStore(name).put("k", b"1")
    assert MemoryStore(name).get("k") == b"1"
    assert open_store(f"memory://{name}").get("k") == b"1"
    MemoryStore(name).delete_prefix("")
    one, two = MemoryStore(), MemoryStore()
    assert one != two
    one.put("k", b"1")
    assert two.get("k") is None
    for bad in ("", "a/b", "a|b"):
        with pytest.raises(StoreError):
            MemoryStore(bad)


def test_what_nobody_holds_is_gone() -> None:
    spec = MemoryStore({"k": b"1"}).spec
    gc.collect()
    with pytest.raises(StoreError):
        from_spec(spec)


CHILD = """
import pickle, sys
from anyzarr.errors import StoreError
for text in sys.argv[1:]:
    try:
        pickle.loads(bytes.fromhex(text))
    except StoreError as error:
        assert error.store.startswith("memory://"), error.store
        assert "\\n" not in str(error)
        print(error.kind)
    else:
        print("an empty store")
"""


def test_another_process_gets_an_error_and_no_empty_store() -> None:
    anonymous = MemoryStore({"k": b"1"})
    named = MemoryStore("test-another-process")
    stores = [anonymous, named, anonymous.at_prefix("a/"), anonymous.with_read_only(True)]
    packed = [pickle.dumps(store).hex() for store in stores]
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *packed], check=True, capture_output=True, text=True
    )
    assert done.stdout.split() == ["store"] * 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_has_the_objects_even_while_a_thread_writes() -> None:
    store = MemoryStore({"k": b"1"})
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            store.put("busy", b"1")

    thread = threading.Thread(target=write)
    thread.start()
    context = multiprocessing.get_context("fork")
    try:
        for _ in range(5):
            child = context.Process(target=_use_in_child, args=(store,))
            child.start()
            child.join(timeout=60)
            assert child.exitcode == 0
    finally:
        stop.set()
        thread.join()
    assert store.get("k") == b"1", "what the child writes stays in the child"


def _use_in_child(store: MemoryStore) -> None:
    assert store.get("k") == b"1"
    store.put("k", b"2")
    assert store.get("k") == b"2"


@pytest.mark.parametrize("view", [lambda s: s, lambda s: s.at_prefix("p/")])
def test_read_only_views_share_the_objects(view: Callable[[Any], Any]) -> None:
    store = view(MemoryStore())
    closed = store.with_read_only(True)
    store.put("k", b"1")
    assert closed.get("k") == b"1"
    assert closed != store
    assert closed.with_read_only(False) == store
    assert "read_only=True" in repr(closed)


# ----------------------------------------------------------------------------------- copies


def test_whole_bytes_are_handed_over_as_they_are() -> None:
    data = {"a": b"1" * 1000, "b": b"2" * 1000}
    store = MemoryStore(data)
    assert store.get("a") is data["a"]
    found = store.get_many([("a", None), ("b", None), ("c", None)])
    assert found[0] is data["a"]
    assert found[1] is data["b"]
    assert found[2] is None


def test_of_a_range_no_more_than_the_range_is_copied() -> None:
    size = 1 << 24
    buffer = zarr.core.buffer.default_buffer_prototype().buffer.from_bytes(bytes(size))
    wrapped = open_store(zarr.storage.MemoryStore({"a": buffer}))
    for store in (MemoryStore({"a": bytes(size)}), MemoryStore({"a": bytearray(size)}), wrapped):
        tracemalloc.start()
        assert store.get_many([("a", ByteRange(10, 20)), ("a", ByteRange(-7))]) == [
            bytes(10),
            bytes(7),
        ]
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < size // 16

"""Writing over a network that fails: done, or an error; old or new in both cases, never mixed."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import anyzarr
from anyzarr.abc import ABSENT
from anyzarr.errors import AnyzarrError, ConflictError, StoreError

from .._counts import record_counts  # noqa: TID252 (tests are no installed package)
from .._object_faults import FAILURES, LOST, SLOW  # noqa: TID252 (tests are no installed package)
from .._object_server import Exchange, Fault, ObjectServer  # noqa: TID252 (tests are no installed package)
from ._ways import BUCKET, ENGINES, WAYS

pytest.importorskip("obstore")
pytest.importorskip("s3fs")
pytest.importorskip("anyzarr_native")

WRITING = ("obstore-s3", "fsspec-s3", "cache-s3")
FAULTS: tuple[Fault, ...] = (*FAILURES, *LOST, *SLOW)
KEY = "folder/object"
FULL = f"{BUCKET}/data/{KEY}"
OLD, NEW = b"old" * 100, b"new" * 100

each_way = pytest.mark.parametrize("way", WRITING)
each_fault = pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)


def _on_writes(server: ObjectServer, fault: Fault, times: int) -> None:
    """Have the next requests that change something answered by a fault."""
    left = [fault] * times

    def choose(x: Exchange) -> Fault | None:
        return left.pop() if x.method in ("PUT", "POST", "DELETE") and left else None

    server.choose = choose


@each_fault
@each_way
def test_a_put_is_repeated(way: str, fault: Fault, server: ObjectServer) -> None:
    store = WAYS[way](server, "data")
    for before in (None, OLD):
        server.objects = {} if before is None else {FULL: before}
        _on_writes(server, fault, 1)
        store.put(KEY, NEW)
        assert server.objects[FULL] == NEW
        assert store.get(KEY) == NEW
    _on_writes(server, fault, 1)
    store.delete(KEY)
    assert server.objects == {}


@each_fault
@each_way
def test_a_put_that_fails_is_an_error_with_store_and_key(
    way: str, fault: Fault, server: ObjectServer
) -> None:
    store = WAYS[way](server, "data")
    if fault in SLOW or fault.__name__ in ("cut_off", "reset_in_body"):
        return  # Nothing fails: the answer to a put has no body.
    server.objects = {FULL: OLD}
    _on_writes(server, fault, 99)
    for work in (lambda: store.put(KEY, NEW), lambda: store.delete(KEY)):
        with pytest.raises(StoreError) as caught:
            work()
        assert caught.value.key == KEY
        assert caught.value.store
        assert server.objects.get(FULL, NEW) == (NEW if fault in LOST else OLD)


@each_fault
@pytest.mark.parametrize("way", ["obstore-s3", "cache-s3"])
def test_a_put_on_a_condition_is_done_or_an_error(
    way: str, fault: Fault, server: ObjectServer
) -> None:
    store = WAYS[way](server, "data")
    for before in (None, OLD):
        server.objects = {} if before is None else {FULL: before}
        info = store.head(KEY)
        condition: Any = ABSENT if info is None else info.etag
        _on_writes(server, fault, 1)
        try:
            store.put(KEY, NEW, precondition=condition)
        except StoreError as error:
            is_lost, names = fault in LOST, (error.key, bool(error.store))
            assert (is_lost, names) == (True, (KEY, True))
        assert server.objects[FULL] == NEW
        with pytest.raises(ConflictError):
            store.put(KEY, OLD, precondition=condition)
        assert server.objects[FULL] == NEW


@each_fault
def test_large_objects_appear_whole(fault: Fault, server: ObjectServer) -> None:
    data = random.Random(1).randbytes(1 << 20) * 17
    for way in ("obstore-s3", "fsspec-s3"):
        store: Any = WAYS[way](server, "data")
        for skipped in range(4):
            server.objects = {FULL: OLD}
            left = [None] * skipped + [fault] * 1

            def choose(x: Exchange, left: list[Any] = left) -> Fault | None:
                return left.pop(0) if x.method in ("PUT", "POST") and left else None

            server.choose = choose
            parts = (data[at : at + (1 << 22)] for at in range(0, len(data), 1 << 22))
            try:
                store.put_stream(KEY, parts, size_limit=len(data))
            except StoreError as error:
                assert error.key == KEY  # noqa: PT017
                assert server.objects[FULL] in (OLD, data)
            else:
                assert server.objects[FULL] == data


@each_way
@pytest.mark.parametrize("engine", ENGINES)
def test_arrays_are_written_through_failures_that_pass(
    engine: str, way: str, server: ObjectServer
) -> None:
    store = WAYS[way](server, "data")
    rng, seen = random.Random(5), set[tuple[str, str]]()

    def choose(x: Exchange) -> Fault | None:
        """The first request of each kind for a key fails."""
        is_first = (x.method, x.key) not in seen
        seen.add((x.method, x.key))
        return rng.choice(FAULTS) if is_first else None

    server.choose = choose
    expected = np.zeros((64, 64), "uint16")
    array = anyzarr.create_array(
        store,
        name="image",
        shape=expected.shape,
        dtype="uint16",
        chunks=(8, 8),
        shards=(32, 32),
        engine=engine,
    )
    for number, where in enumerate((np.s_[...], np.s_[3:50, 9], np.s_[30:34, 30:34]), start=1):
        array[where] = expected[where] = number
        seen.clear()
    array.attrs["done"] = True
    server.choose = lambda x: None
    again = anyzarr.open_array(WAYS[way](server, "data"), path="image", mode="r")
    np.testing.assert_array_equal(again[...], expected)
    assert again.attrs["done"] is True
    assert sum(server.injected.values()) > 10


def _error_of(work: Callable[[], object]) -> AnyzarrError | None:
    try:
        work()
    except AnyzarrError as error:
        return error
    return None


@each_way
@pytest.mark.parametrize("engine", ENGINES)
def test_arrays_that_cannot_be_written_say_where(
    engine: str, way: str, server: ObjectServer
) -> None:
    store = WAYS[way](server, "data")
    values = np.arange(1, 65, dtype="uint8").reshape(8, 8)
    array = anyzarr.create_array(store, name="a", data=values, chunks=(4, 4), engine=engine)
    for fault in (FAILURES[0], FAILURES[3], *LOST):
        for where in (np.s_[0:4, 0:4], np.s_[1:3, 1:3]):
            before = server.objects[f"{BUCKET}/data/a/c/0/0"]
            _on_writes(server, fault, 999)
            error = _error_of(lambda where=where: array.__setitem__(where, 99))
            server.choose = lambda x: None
            if error is None:
                assert fault in LOST  # only the answer was, and the object was looked up
            else:
                assert error.key is not None
                assert error.key.endswith("a/c/0/0")
                assert error.store
            now = anyzarr.open_array(WAYS[way](server, "data"), path="a", mode="r")
            found = now[where]
            assert np.all(found == 99) if fault in LOST else np.array_equal(found, values[where])
            server.objects[f"{BUCKET}/data/a/c/0/0"] = before


@pytest.mark.parametrize("seed", range(3))
def test_no_update_is_lost_and_none_is_torn(seed: int, server: ObjectServer) -> None:
    rng = random.Random(seed)
    choosing = threading.Lock()

    def choose(x: Exchange) -> Fault | None:
        with choosing:
            return rng.choice(FAULTS) if rng.random() < 0.3 else None

    server.choose = lambda x: None
    store = WAYS["obstore-s3"](server, "data")
    # Each update is of four elements, in two shards; all shards are shared by all updates.
    arrays = [
        anyzarr.create_array(
            store, name="a", shape=(2, 240), dtype="uint16", chunks=(1, 60), shards=(1, 120)
        ),
        anyzarr.open_array(WAYS["cache-s3"](server, "data"), path="a", mode="r+", engine="zarr"),
    ]
    server.choose = choose
    outcomes: dict[int, str | None] = {}

    def update(number: int) -> None:
        try:
            arrays[number % 2][:, number * 4 : number * 4 + 4] = number + 1
        except AnyzarrError as error:
            outcomes[number] = error.key
        else:
            outcomes[number] = "done"

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(update, range(60)))
    server.choose = lambda x: None
    found = anyzarr.open_array(WAYS["obstore-s3"](server, "data"), path="a", mode="r")[...]
    lost = torn = failed = 0
    for number, outcome in outcomes.items():
        for row in found[:, number * 4 : number * 4 + 4]:
            values = {*row.tolist()}
            torn += values not in ({0}, {number + 1})
            lost += outcome == "done" and values != {number + 1}
        failed += outcome != "done"
    record_counts(
        "updates under faults",
        updates=len(outcomes),
        faults_injected=sum(server.injected.values()),
        lost_updates=lost,
        torn_updates=torn,
        clean_errors=failed,
    )
    assert (lost, torn) == (0, 0)
    assert all(outcome is not None for outcome in outcomes.values())
    assert len(outcomes) == 60

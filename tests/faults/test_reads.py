"""Reading over a network that fails and from servers that lie: right data, or an error."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import numpy as np
import pytest

import anyzarr
from anyzarr.abc import ByteRange
from anyzarr.errors import AnyzarrError, StoreError

from .._counts import record_counts  # noqa: TID252 (tests are no installed package)
from .._object_faults import FAILURES, LIES, SLOW  # noqa: TID252 (tests are no installed package)
from .._object_server import Exchange, Fault, ObjectServer, serving  # noqa: TID252 (tests are no installed package)
from ._ways import BUCKET, ENGINES, LAYOUTS, NEXT, VALUES, WAYS, publish

pytest.importorskip("obstore")
pytest.importorskip("s3fs")
pytest.importorskip("anyzarr_native")

SELECTIONS = (np.s_[3:20, 5], np.s_[...])
THOROUGH = pytest.mark.parametrize("thorough", [False, pytest.param(True, marks=pytest.mark.slow)])
"""Each fault with each layout, which takes minutes, or with one of them."""

KEY = "shards/c/0/0"
Versions = tuple[dict[str, bytes], dict[str, bytes]]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ObjectServer, Versions]]:
    with serving() as server:
        yield server, publish(server, tmp_path_factory.mktemp("published"))


@pytest.fixture
def published(shared: tuple[ObjectServer, Versions]) -> tuple[ObjectServer, Versions]:
    server, versions = shared
    server.objects, server.faults = dict(versions[0]), {}
    server.choose = lambda exchange: None
    server.has_etags = True
    return server, versions


def _array(server: ObjectServer, way: str, engine: str, layout: str) -> anyzarr.Array:
    return anyzarr.open_array(WAYS[way](server, "data"), path=layout, engine=engine, mode="r")


def _cases(faults: tuple[Fault, ...], thorough: bool) -> Iterator[tuple[Fault, str]]:
    layouts = list(LAYOUTS)
    for fault in faults:
        yield from ((fault, layout) for layout in layouts[:: 1 if thorough else 99])
        if not thorough:
            layouts = [*layouts[1:], layouts[0]]


@THOROUGH
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("way", WAYS)
def test_failures_that_pass_are_not_noticed(
    way: str, engine: str, thorough: bool, published: tuple[ObjectServer, Versions]
) -> None:
    server, _ = published
    server.injected = {}
    reads = 0
    # A reset takes the connection from whoever else has been given it: more tries than faults.
    with anyzarr.config.set(retries=6):
        for fault, layout in _cases((*FAILURES, *SLOW), thorough):
            array = _array(server, way, engine, layout)
            server.faults = {key: [fault] for key in server.objects if "/c/" in key}
            for where in SELECTIONS:
                np.testing.assert_array_equal(array[where], VALUES[where], err_msg=fault.__name__)
                reads += 1
    record_counts("faults", reads=reads, faults_injected=sum(server.injected.values()))
    assert sum(server.injected.values()) > len(FAILURES)


@THOROUGH
@pytest.mark.parametrize("times", [1, 99])
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("way", WAYS)
def test_lies_are_never_data(
    way: str, engine: str, times: int, thorough: bool, published: tuple[ObjectServer, Versions]
) -> None:
    server, _ = published
    server.injected = {}
    reads = wrong = errors = 0
    nameless = []
    for fault, layout in _cases(LIES, thorough):
        for where in SELECTIONS:
            array = _array(server, way, engine, layout)
            keys = [key for key in server.objects if "/c/" in key]
            server.faults = {key: [fault] * times for key in keys}
            reads += 1
            try:
                wrong += not np.array_equal(array[where], VALUES[where])
            except AnyzarrError as error:
                errors += 1
                if not _names(error, layout):
                    nameless.append(f"{fault.__name__}: {error}")
    injected = sum(server.injected.values())
    record_counts(
        "faults", reads=reads, faults_injected=injected, wrong_values=wrong, clean_errors=errors
    )
    assert (wrong, nameless) == (0, [])
    assert injected > 0


@pytest.mark.parametrize("fault", FAILURES[::2], ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("way", WAYS)
def test_failures_that_stay_are_errors_that_name_store_and_key(
    way: str, engine: str, fault: Fault, published: tuple[ObjectServer, Versions]
) -> None:
    server, _ = published
    array = _array(server, way, engine, "shards")
    server.faults[f"{BUCKET}/data/shards/c/1/0"] = [fault] * 999
    with pytest.raises(StoreError) as caught:
        array[40, 3]
    assert caught.value.key is not None
    assert caught.value.key.endswith("shards/c/1/0")
    assert caught.value.store is not None
    server.faults = {}
    np.testing.assert_array_equal(array[40, 3:9], VALUES[40, 3:9])


REPLACING = [(way, True) for way in WAYS] + [("obstore-http", False), ("fsspec-http", False)]
"""S3 has ETags, and caches keep nothing without."""


@THOROUGH
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("way", "has_etags"), REPLACING)
def test_objects_replaced_while_they_are_read(
    way: str,
    engine: str,
    has_etags: bool,
    thorough: bool,
    published: tuple[ObjectServer, Versions],
) -> None:
    server, versions = published
    server.has_etags = has_etags
    reads = replaced = wrong = errors = 0
    nameless = []
    for layout in LAYOUTS if thorough else ("shards",):
        for where in (*SELECTIONS, np.s_[10:60, 3:60]) if thorough else SELECTIONS[:1]:
            for n in range(6):
                server.objects = dict(versions[0])
                array = _array(server, way, engine, layout)
                seen: list[str] = []

                def replace(x: Exchange, n: int = n, seen: list[str] = seen) -> None:
                    if "/c/" in x.key:
                        seen.append(x.key)
                        if len(seen) == n + 1:
                            server.objects = dict(versions[1])

                server.choose = replace
                try:
                    found = array[where]
                    wrong += not np.all((found == VALUES[where]) | (found == NEXT[where]))
                except AnyzarrError as error:
                    errors += 1
                    if not _names(error, layout):
                        nameless.append(str(error))
                server.choose = lambda exchange: None
                reads += 1
                replaced += len(seen) > n
    record_counts(
        "objects replaced",
        reads=reads,
        replaced_meanwhile=replaced,
        mixed_values=wrong,
        clean_errors=errors,
    )
    assert (wrong, nameless) == (0, [])
    assert replaced > 0


def _names(error: AnyzarrError, layout: str) -> bool:
    return error.key is not None and f"{layout}/c/" in error.key and bool(error.store)


@pytest.mark.parametrize("fault", [*FAILURES, *LIES, *SLOW], ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("way", WAYS)
async def test_ranges_of_bytes(
    way: str, fault: Fault, published: tuple[ObjectServer, Versions]
) -> None:
    server, versions = published
    full = f"{BUCKET}/data/{KEY}"
    data = versions[0][full]
    for times in (1, 99):
        for part in (None, ByteRange(100, 300), ByteRange(-200), ByteRange(50), ByteRange(7, 7)):
            expected = data if part is None else data[slice(*part.resolve(len(data)))]
            # A whole object that is given short has no range that would tell; a decoder will.
            lies = (expected[: len(expected) // 2], expected + b"more")
            allowed = (None, expected, *(lies if part is None else ()))
            store: Any = WAYS[way](server, "data")
            server.faults[full] = [fault] * times
            assert _or_none(lambda s=store, p=part: s.get(KEY, p)) in allowed
            store = WAYS[way](server, "data")
            server.faults[full] = [fault] * times
            assert await _or_none_async(store.get_async(KEY, part)) in allowed
        asked = [(KEY, ByteRange(10, 20)), (KEY, ByteRange(4000, 4010)), (KEY, ByteRange(-10))]
        store = WAYS[way](server, "data")
        server.faults[full] = [fault] * times
        found = _or_none(lambda s=store, a=asked: s.get_many(a))
        assert found in (None, [data[10:20], data[4000:4010], data[-10:]])


@pytest.mark.parametrize("fault", FAILURES, ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("way", WAYS)
def test_a_failure_is_not_absence(
    way: str, fault: Fault, published: tuple[ObjectServer, Versions]
) -> None:
    server, _ = published
    store = WAYS[way](server, "data")
    server.faults[f"{BUCKET}/data/{KEY}"] = [fault] * 999
    is_answered = fault.__name__ in ("cut_off", "reset_in_body")
    for ask in (store.get, store.head):
        if ask == store.head and is_answered:
            continue  # The answer to HEAD has no body.
        with pytest.raises(StoreError) as caught:
            ask(KEY)
        assert caught.value.key == KEY


def _or_none(read: Callable[[], Any]) -> Any:
    """Return what is read, or None on an error that names the key; absence is one, too."""
    try:
        found = read()
    except StoreError as error:
        found, key = None, error.key
    else:
        key = KEY if found is not None else None
    assert key == KEY
    return found


async def _or_none_async(read: Awaitable[Any]) -> Any:
    try:
        found = await read
    except StoreError as error:
        found, key = None, error.key
    else:
        key = KEY if found is not None else None
    assert key == KEY
    return found


@pytest.mark.parametrize("way", ["obstore-s3", "obstore-http", "fsspec-s3", "fsspec-http"])
def test_timeouts(way: str, published: tuple[ObjectServer, Versions]) -> None:
    server, _ = published

    def stall(x: Exchange) -> None:
        x.handler.connection.recv(1)  # until the client hangs up

    key = f"{BUCKET}/data/chunks/c/0/0"
    with anyzarr.config.set(timeout_seconds=0.3):
        array = _array(server, way, "native", "chunks")
        server.faults[key] = [stall]
        np.testing.assert_array_equal(array[0], VALUES[0])
        server.faults[key] = [stall] * 99
        with pytest.raises(StoreError) as caught:
            array[0]
    assert str(caught.value.key).endswith("c/0/0")

"""Archives, hierarchies, listings, caches over a network that fails; and everything at random."""

from __future__ import annotations

import contextlib
import random
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anyzarr
from anyzarr import crud
from anyzarr.abc import Store
from anyzarr.errors import AnyzarrError, StoreError
from anyzarr.stores import CachingStore, ZipStore, open_store
from anyzarr.stores._wrap import wrap

from .._counts import record_counts  # noqa: TID252 (tests are no installed package)
from .._object_faults import FAILURES, LIES, SLOW  # noqa: TID252 (tests are no installed package)
from .._object_server import Exchange, Fault, ObjectServer  # noqa: TID252 (tests are no installed package)
from ._ways import BUCKET, ENGINES, NEXT, VALUES, WAYS, publish, s3_options

pytest.importorskip("obstore")
pytest.importorskip("s3fs")
pytest.importorskip("anyzarr_native")

S3_WAYS = ("obstore-s3", "fsspec-s3")
EVERYTHING: tuple[Fault, ...] = (*FAILURES, *LIES, *SLOW)


def _always(fault: Fault, *methods: str) -> Any:
    return lambda x: fault if x.method in (methods or ("GET",)) else None


# ------------------------------------------------------------------ archives


def _packed(folder: Path, values: Any) -> bytes:
    from anyzarr import convert

    anyzarr.create_array(folder / "plain", data=values, chunks=(8, 8), shards=(32, 32))
    convert(folder / "plain", folder / "packed.ozx")
    return (folder / "packed.ozx").read_bytes()


def _archive(server: ObjectServer, way: str) -> Store:
    return ZipStore((WAYS[way](server, "data"), "a.ozx"))


@pytest.mark.parametrize("way", ["obstore-s3", "obstore-http", "fsspec-s3", "fsspec-http"])
def test_archives(way: str, server: ObjectServer, tmp_path: Path) -> None:
    reads = wrong = errors = 0
    server.objects[f"{BUCKET}/data/a.ozx"] = _packed(tmp_path, VALUES)
    nameless = []
    for fault in EVERYTHING:
        for times in (1, 99):
            for where in (np.s_[3:20, 5], np.s_[...]):
                reads += 1
                try:
                    store = _archive(server, way)
                    array = anyzarr.open_array(store, engine="native", mode="r")
                    server.faults = {f"{BUCKET}/data/a.ozx": [fault] * times}
                    wrong += not np.array_equal(array[where], VALUES[where])
                except AnyzarrError as error:
                    errors += 1
                    if not error.key or "a.ozx" not in str(error):
                        nameless.append(f"{fault.__name__}: {error.key} {error}")
                server.faults = {}
    record_counts(
        "faults",
        reads=reads,
        faults_injected=sum(server.injected.values()),
        wrong_values=wrong,
        clean_errors=errors,
    )
    assert (wrong, nameless) == (0, [])


@pytest.mark.parametrize("way", ["obstore-s3", "obstore-http", "fsspec-s3", "fsspec-http"])
def test_an_archive_that_is_replaced_is_not_mixed(
    way: str, server: ObjectServer, tmp_path: Path
) -> None:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    key = f"{BUCKET}/data/a.ozx"
    server.objects[key] = _packed(tmp_path / "old", VALUES)
    store = _archive(server, way)
    array = anyzarr.open_array(store, engine="native", mode="r")
    np.testing.assert_array_equal(array[3:20, 5], VALUES[3:20, 5])
    server.objects[key] = _packed(tmp_path / "new", NEXT)
    with pytest.raises(StoreError) as caught:
        array[3:20, 40]
    assert caught.value.key == "a.ozx"
    again = _archive(server, way)
    np.testing.assert_array_equal(anyzarr.open_array(again, mode="r")[...], NEXT)


# ------------------------------------------------------------------ hierarchies, listings


@pytest.mark.parametrize("fault", FAILURES, ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("way", S3_WAYS)
def test_listings_are_complete_or_an_error(way: str, fault: Fault, server: ObjectServer) -> None:
    server.objects = {f"{BUCKET}/data/a/{n}": b"x" for n in range(25)}
    server.objects[f"{BUCKET}/data/b/c"] = b"x"
    server.page, listed = 7, 0
    for skipped in range(4):
        for times in (1, 999) if way == "obstore-s3" else (1,):
            store = WAYS[way](server, "data")
            left: list[Any] = [None] * skipped + [fault] * times
            server.choose = lambda x, left=left: left.pop(0) if left else None
            for prefix, count in (("", 26), ("a/", 25)):
                with contextlib.suppress(StoreError):
                    found = [info.key for info in store.list(prefix)]
                    listed += 1
                    assert len({*found}) == len(found) == count
            with contextlib.suppress(StoreError):
                assert len(store.list_level("a/").keys) == 25
            server.choose = lambda x: None
    assert listed > 0


@pytest.mark.parametrize("fault", EVERYTHING[::3], ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("way", WAYS)
def test_metadata_is_right_or_an_error(way: str, fault: Fault, server: ObjectServer) -> None:
    memory: dict[str, bytes] = {}
    anyzarr.open_group(memory, mode="a", attributes={"n": list(range(100))})
    for name in "abc":
        anyzarr.create_array(memory, name=name, shape=(4,), dtype="uint8", chunks=(2,))
    apart = dict(memory)
    crud.consolidate_metadata(wrap(memory), "")
    for objects in (memory, apart):
        server.objects = {f"{BUCKET}/data/{key}": value for key, value in objects.items()}
        for times in (1, 99):
            server.faults = {key: [fault] * times for key in server.objects}
            error: AnyzarrError | None = None
            try:
                opened = anyzarr.open_group(WAYS[way](server, "data"), mode="r")
                assert opened.attrs["n"] == list(range(100))
                assert [opened[name].shape for name in "abc"] == [(4,)] * 3
            except AnyzarrError as found:
                error = found
            # Nothing that is there is taken for absent.
            assert error is None or (error.key is not None and error.kind != "not-found")


# ------------------------------------------------------------------ caches


@pytest.mark.parametrize("way", ["obstore-s3", "obstore-http", "fsspec-s3", "fsspec-http"])
@pytest.mark.parametrize("where", ["memory", "directory"])
def test_a_fault_never_stays_in_a_cache(
    where: str, way: str, server: ObjectServer, tmp_path: Path
) -> None:
    versions = publish(server, tmp_path / "data")
    server.objects = dict(versions[0])
    rng = random.Random(11)
    kept: Any = 1 << 24 if where == "memory" else tmp_path / "cache"
    reads = wrong = poisoned = errors = 0
    for number in range(20):
        store = CachingStore(WAYS[way](server, "data"), kept, cache_check="always")
        layout = rng.choice(["chunks", "shards", "zstd"])
        array = anyzarr.open_array(store, path=layout, engine="native", mode="r")
        part = np.s_[rng.randrange(32) : 40, rng.randrange(64)]
        server.choose = lambda x: rng.choice(EVERYTHING) if rng.random() < 0.4 else None
        if number % 7 == 3:
            server.objects = dict(versions[number % 2])
        reads += 1
        try:
            found = array[part]
            wrong += not np.all((found == VALUES[part]) | (found == NEXT[part]))
        except AnyzarrError:
            errors += 1
        server.choose = lambda x: None
        values = VALUES if server.objects == versions[0] else NEXT
        poisoned += not np.array_equal(array[part], values[part])
    record_counts(
        "caches under faults",
        reads=2 * reads,
        faults_injected=sum(server.injected.values()),
        wrong_values=wrong,
        poisoned=poisoned,
        clean_errors=errors,
    )
    assert (wrong, poisoned) == (0, 0)


# ------------------------------------------------------------------ everything at random


@pytest.mark.parametrize(
    "seed", [0, 1, *(pytest.param(n, marks=pytest.mark.slow) for n in range(2, 6))]
)
def test_anything_may_fail_at_any_time(seed: int, server: ObjectServer, tmp_path: Path) -> None:
    """Each operation is right, or an error that names a key, whatever happens on the way."""
    publish(server, tmp_path)
    rng, choosing = random.Random(seed), threading.Lock()

    def choose(x: Exchange) -> Fault | None:
        with choosing:
            return rng.choice(EVERYTHING) if rng.random() < 0.25 else None

    done = wrong = errors = nameless = 0
    stores = {way: make(server, "data") for way, make in WAYS.items()}
    picking = random.Random(seed + 100)
    for _ in range(120):
        way = picking.choice(list(WAYS))
        layout = picking.choice(["chunks", "shards", "zstd"])
        engine = picking.choice(ENGINES)
        row, column = picking.randrange(60), picking.randrange(60)
        part = picking.choice([np.s_[row : row + 4, column : column + 30], np.s_[:, column]])
        server.choose = choose
        done += 1
        try:
            array = anyzarr.open_array(stores[way], path=layout, engine=engine, mode="r")
            wrong += not np.array_equal(array[part], VALUES[part])
        except AnyzarrError as error:
            errors += 1
            nameless += not (error.key and error.store)
        server.choose = lambda x: None
    record_counts(
        "faults at random",
        operations=done,
        faults_injected=sum(server.injected.values()),
        wrong_values=wrong,
        clean_errors=errors,
    )
    assert (wrong, nameless) == (0, 0)


def test_a_location_with_settings(server: ObjectServer) -> None:
    with anyzarr.config.set(retries=0):
        store = open_store(f"s3://{BUCKET}/data", mode="a", **s3_options(server))
        server.faults[f"{BUCKET}/data/a"] = [FAILURES[0]]
        with pytest.raises(StoreError):
            store.put("a", b"value")
        assert len(server.requests) == 1

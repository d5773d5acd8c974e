"""The native engine on object stores: by itself, as right as through our store layer."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

import numpy as np
import numpy.typing as npt
import obstore.store
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import anyzarr
from anyzarr.abc import Box, Store
from anyzarr.stores import LocalStore, ObstoreStore, SubStore
from anyzarr.testing import assert_identical
from anyzarr.testing._engine_arrays import array_cases, random_values

pytest.importorskip("anyzarr_native")

from anyzarr.engines._native import NativeEngine

from .._object_server import Exchange, ObjectServer, serving  # noqa: TID252 (tests are no installed package)
from ._objects import QUICK, big, opened, report, web, written
from .test_contract import run

ENGINE = NativeEngine()
REMOTE_ARRAYS = [
    "v2-blosc",
    "v3-chunk-larger-than-array",
    "v3-crc32c",
    "v3-no-dimensions",
    "v3-sharded",
    "v3-sharded-index-first-without-checksum",
    "v3-uncompressed",
]


class ThroughCallbacks(ObstoreStore):
    """A class of its own, which the core does not rebuild."""


# ------------------------------------------------------------------------------ who does the I/O


@pytest.mark.parametrize(
    "url", ["s3://bucket/data", "gs://bucket/data", "az://container/data", "https://host/data"]
)
def test_services_are_reached_by_the_core(url: str) -> None:
    options: dict[str, Any] = {} if url.startswith("https") else {"anon": True}
    if url.startswith("s3"):
        options["region"] = "us-east-1"
    if url.startswith("az"):
        options["account_name"] = "account"
    store = ObstoreStore(url, **options)
    assert report(store) == ("own", None)
    assert report(SubStore(store, "a/b/")) == ("own", None)
    assert report(store.with_read_only(read_only=True)) == ("own", None)


class _Provider:
    config: ClassVar[dict[str, Any]] = {}

    def __call__(self) -> dict[str, Any]:
        raise AssertionError("nothing is asked of the service here")


def test_what_is_not_says_why() -> None:
    in_memory = ObstoreStore(obstore.store.MemoryStore())
    provided = ObstoreStore(
        obstore.store.S3Store("bucket", region="us-east-1", credential_provider=_Provider())
    )
    for store, word in ((in_memory, "memory"), (provided, "credential provider")):
        io, reason = report(store)
        assert io == "byte layer"
        assert reason is not None
        assert word in reason.lower()


# ------------------------------------------------------------------------------ the contract


@pytest.mark.parametrize("array", REMOTE_ARRAYS)
def test_the_contract_on_s3(array: str, s3: Any) -> None:
    bucket = s3.new_bucket()
    numbers = itertools.count()

    def new_store() -> Store:
        return ObstoreStore(f"s3://{bucket}/a prefix/{next(numbers)}", **s3.options)

    assert report(new_store()) == ("own", None)
    run("native", array, new_store)


@pytest.mark.parametrize("array", REMOTE_ARRAYS)
def test_the_contract_on_a_part_of_a_bucket(array: str, s3: Any) -> None:
    whole = ObstoreStore(f"s3://{s3.new_bucket()}", **s3.options)
    numbers = itertools.count()
    run("native", array, lambda: SubStore(whole, f"{next(numbers)}/ü/"))


@pytest.mark.parametrize("case", array_cases(), ids=str)
def test_over_http_every_array_reads_as_from_a_folder(
    case: Any, tmp_path: Path, server: ObjectServer
) -> None:
    if ENGINE.decline(case.metadata, LocalStore(tmp_path)) is not None:
        pytest.skip("the native engine declines this array")
    shape = case.metadata.shape
    values = random_values(case.metadata, shape, 1)
    ENGINE.open(case.metadata, LocalStore(tmp_path), "a").write(Box.full(shape), values)
    server.publish(tmp_path)
    steps = tuple(min(2, max(n, 1)) for n in shape)
    for box in (Box.full(shape), Box((0,) * len(shape), shape, steps)):
        found = np.empty(_shape_of(box), case.metadata.dtype)
        expected = found.copy()
        ENGINE.open(case.metadata, web(server), "a").read(box, found)
        ENGINE.open(case.metadata, LocalStore(tmp_path), "a").read(box, expected)
        assert_identical(found, expected)


def _shape_of(box: Box) -> tuple[int, ...]:
    return tuple(len(range(a, b, s)) for a, b, s in zip(box.start, box.stop, box.step, strict=True))


# ------------------------------------------------------------------------------ as by callbacks


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Any, Any]]:
    folder = tmp_path_factory.mktemp("both")
    values = big(folder)
    values[:, 1024:1100] = 0
    anyzarr.open_array(folder, mode="r+")[...] = values
    with serving() as found:
        found.publish(folder)
        natively = opened(web(found))
        by_callbacks = opened(ThroughCallbacks(found.url, retry_config=QUICK))
        yield natively, by_callbacks, values


@given(data=st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_box_reads_as_by_callbacks(both: tuple[Any, Any, Any], data: Any) -> None:
    natively, by_callbacks, values = both
    where = tuple(
        slice(a, b, step)
        for a, b, step in (
            data.draw(
                st.tuples(st.integers(0, n), st.integers(0, n), st.integers(1, 300)), label="slice"
            )
            for n in values.shape
        )
    )
    found = natively[where]
    np.testing.assert_array_equal(found, values[where])
    np.testing.assert_array_equal(by_callbacks[where], found)


@given(data=st.data())
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_points_read_as_by_callbacks(both: tuple[Any, Any, Any], data: Any) -> None:
    natively, by_callbacks, values = both
    points = data.draw(
        st.lists(st.tuples(st.integers(0, 1023), st.integers(0, 2047)), max_size=30), label="points"
    )
    rows, columns = (np.array([p[d] for p in points], int) for d in range(2))
    found = natively.vindex[rows, columns]
    np.testing.assert_array_equal(found, values[rows, columns])
    np.testing.assert_array_equal(by_callbacks.vindex[rows, columns], found)
    outer = natively.oindex[rows, columns]
    np.testing.assert_array_equal(outer, values[np.ix_(rows, columns)])


# ------------------------------------------------------------------------------ requests


def test_small_shards_come_in_one_round_trip(tmp_path: Path, server: ObjectServer) -> None:
    values = written(tmp_path)
    server.publish(tmp_path)
    array = opened(web(server))
    server.counted()
    np.testing.assert_array_equal(array[5], values[5])
    assert sorted(server.counted()) == [("GET", "c/0/0", None), ("GET", "c/0/1", None)]


def test_of_large_shards_the_index_and_merged_ranges(tmp_path: Path, server: ObjectServer) -> None:
    values = big(tmp_path)
    server.publish(tmp_path)
    array = opened(web(server))
    server.counted()
    where = np.s_[100:300, 100:500]
    np.testing.assert_array_equal(array[where], values[where])
    index, *ranges = server.counted()
    assert index == ("GET", "c/0/0", f"bytes=-{256 * 16 + 4}")
    # Four rows of the shard's subchunks, of which what lies between is not worth a request.
    assert len(ranges) == 1


def test_indices_are_kept_as_long_as_the_etag_is_the_same(
    tmp_path: Path, server: ObjectServer
) -> None:
    values = big(tmp_path)
    server.publish(tmp_path)
    array = opened(web(server))
    where = np.s_[100:110, 100:110]
    np.testing.assert_array_equal(array[where], values[where])
    server.counted()
    np.testing.assert_array_equal(array[where], values[where])
    assert len(server.counted()) == 1

    values[...] = values[::-1, ::-1] + 1
    anyzarr.open_array(tmp_path, mode="r+")[...] = values
    server.publish(tmp_path)
    for _ in range(2):
        np.testing.assert_array_equal(array[where], values[where])
    server.counted()
    np.testing.assert_array_equal(array[where], values[where])
    assert len(server.counted()) == 1


def test_without_etags_no_index_is_kept(tmp_path: Path, server: ObjectServer) -> None:
    server.has_etags = False
    values = big(tmp_path)
    server.publish(tmp_path)
    array = opened(web(server))
    where = np.s_[100:110, 100:110]
    for _ in range(2):
        server.counted()
        np.testing.assert_array_equal(array[where], values[where])
        # The index, the subchunks, and the index again: it is as it was.
        assert len(server.counted()) == 3


def test_a_shard_replaced_between_index_and_data_is_read_again(
    tmp_path: Path, server: ObjectServer
) -> None:
    values = big(tmp_path)
    server.publish(tmp_path)
    before = dict(server.objects)
    other = values[::-1] + 1
    anyzarr.open_array(tmp_path, mode="r+")[...] = other

    def replace(x: Exchange) -> None:
        answer = x.process()
        server.publish(tmp_path)
        x.send(answer)

    server.objects = before
    server.faults["c/0/0"] = [replace]
    where = np.s_[100:110, 100:110]
    np.testing.assert_array_equal(opened(web(server))[where], other[where])


def read_below(server: ObjectServer, prefix: str, folder: Path) -> npt.NDArray[Any]:
    out = np.zeros((1, 64), "uint16")
    meta = anyzarr.open_array(folder).metadata
    store = ObstoreStore(f"{server.url}/{prefix}", retry_config=QUICK)
    ENGINE.open(meta, store, "").read(Box((0, 0), (1, 64), (1, 1)), out)
    return out[0]


def test_arrays_of_one_service_share_connections(tmp_path: Path, server: ObjectServer) -> None:
    names = ("a", "b", "c/d", "e")
    written_there = {name: written(tmp_path / name) for name in names}
    server.publish(tmp_path)
    for name, values in written_there.items():
        np.testing.assert_array_equal(read_below(server, name, tmp_path / name), values[0])
    assert len(server.connections) <= 2  # each array makes two requests at once


@pytest.mark.parametrize("name", ["b c", "ü", "100%", "a+b", "a,b=c", "~me"])
def test_addresses_of_all_kinds(name: str, tmp_path: Path, server: ObjectServer) -> None:
    values = written(tmp_path / name)
    server.publish(tmp_path)
    np.testing.assert_array_equal(read_below(server, quote(name), tmp_path / name), values[0])


def test_at_most_as_many_requests_as_configured(tmp_path: Path, server: ObjectServer) -> None:
    values = written(tmp_path, chunks=(4, 4), shards=None)
    server.publish(tmp_path)
    lock, now, most = threading.Lock(), 0, 0

    def counting(x: Exchange) -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        threading.Event().wait(0.01)
        with lock:
            now -= 1
        x.send(x.process())

    server.faults = {key: [counting] for key in server.objects if key.startswith("c/")}
    array = opened(web(server))
    with anyzarr.config.set(concurrency=5):
        np.testing.assert_array_equal(array[...], values)
    assert 2 <= most <= 5

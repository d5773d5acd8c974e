"""The native engine on object stores: by itself, as right as through our store layer."""

from __future__ import annotations

import ipaddress
import itertools
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
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
from anyzarr import metadata
from anyzarr.abc import Box, Store
from anyzarr.engines import explain
from anyzarr.errors import AnyzarrError, CorruptDataError, ReadOnlyError, StoreError
from anyzarr.stores import LocalStore, ObstoreStore, SubStore, from_spec
from anyzarr.testing._engine_arrays import array_cases, random_values

pytest.importorskip("anyzarr_native")

from anyzarr.engines._native import NativeEngine

from ._object_server import (
    Fault,
    ObjectServer,
    another_range,
    cut_off,
    reset,
    serving,
    unavailable,
)
from .test_contract import CASES, run

ENGINE = NativeEngine()
QUICK = {
    "max_retries": 2,
    "retry_timeout": timedelta(seconds=20),
    "backoff": {
        "init_backoff": timedelta(milliseconds=1),
        "max_backoff": timedelta(milliseconds=5),
        "base": 2.0,
    },
}
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


@pytest.fixture
def server() -> Iterator[ObjectServer]:
    with serving() as found:
        yield found


def written(folder: Path, **options: Any) -> npt.NDArray[Any]:
    """Write an array of 4 shards of 64 subchunks, none of which is all fill value."""
    values = np.random.default_rng(7).integers(1, 999, (64, 64)).astype("uint16")
    what = {"chunks": (4, 4), "shards": (32, 32), **options}
    anyzarr.create_array(folder, data=values, engine="native", **what)
    return values


def big(folder: Path) -> npt.NDArray[Any]:
    """Write shards that are too large to be fetched only to save a round trip."""
    values = np.random.default_rng(8).integers(1, 9999, (1024, 2048)).astype("uint16")
    anyzarr.create_array(folder, data=values, chunks=(64, 64), shards=(1024, 1024))
    return values


def opened(store: Store) -> anyzarr.Array:
    return anyzarr.open_array(store, engine="native", mode="r")


def web(server: ObjectServer) -> ObstoreStore:
    return ObstoreStore(server.url, retry_config=QUICK)


# ------------------------------------------------------------------------------ who does the I/O


def report(store: Store) -> tuple[str | None, str | None]:
    reports = {each.name: each for each in explain(CASES["v3-zstd"].metadata, store)}
    return reports["native"].io, reports["native"].io_reason


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
        assert found.tobytes() == expected.tobytes()


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
        assert len(server.counted()) == 2


def test_a_shard_replaced_between_index_and_data_is_read_again(
    tmp_path: Path, server: ObjectServer
) -> None:
    values = big(tmp_path)
    server.publish(tmp_path)
    before = dict(server.objects)
    other = values[::-1] + 1
    anyzarr.open_array(tmp_path, mode="r+")[...] = other

    def replace(handler: Any, data: bytes) -> None:
        server.publish(tmp_path)
        handler.answer_range(data, handler.headers["Range"])

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

    def counting(handler: Any, data: bytes) -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        threading.Event().wait(0.01)
        with lock:
            now -= 1
        handler.answer_range(data, None)

    server.faults = {key: [counting] for key in server.objects if key.startswith("c/")}
    array = opened(web(server))
    with anyzarr.config.set(concurrency=5):
        np.testing.assert_array_equal(array[...], values)
    assert 2 <= most <= 5


# ------------------------------------------------------------------------------ servers that differ


@pytest.mark.parametrize("scheme", ["gs", "az"])
def test_other_services(scheme: str, tmp_path: Path, server: ObjectServer) -> None:
    values = big(tmp_path / "bucket" / "data")
    server.publish(tmp_path)
    where_it_is = {
        "gs": {"base_url": server.url},
        "az": {"endpoint": server.url, "account_name": "account"},
    }
    options = {**where_it_is[scheme], "client_options": {"allow_http": True}, "anon": True}
    array = opened(ObstoreStore(f"{scheme}://bucket/data", retry_config=QUICK, **options))
    assert report(array.store) == ("own", None)
    where = np.s_[100:110, 1100:1110]
    for _ in range(2):
        server.counted()
        np.testing.assert_array_equal(array[where], values[where])
    # Azure knows no suffix ranges; but the index is known by now.
    assert len(server.counted()) == 1
    np.testing.assert_array_equal(array[...], values)


def test_headers_go_along(tmp_path: Path, server: ObjectServer) -> None:
    values = written(tmp_path)
    server.publish(tmp_path)
    client = {"default_headers": {"X-Color": "blue"}, "user_agent": "me/1"}
    array = opened(ObstoreStore(server.url, client_options=client))
    server.last_headers = {}
    np.testing.assert_array_equal(array[0], values[0])
    seen = {name.lower(): value for name, value in server.last_headers.items()}
    assert (seen["x-color"], seen["user-agent"]) == ("blue", "me/1")


@pytest.fixture
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate that nobody signed, for 127.0.0.1, and its key."""
    x509 = pytest.importorskip("cryptography.x509", reason="makes certificates")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    address = x509.IPAddress(ipaddress.IPv4Address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return paths


def test_tls(tmp_path: Path, server: ObjectServer, certificate: tuple[Path, Path]) -> None:
    values = written(tmp_path)
    server.publish(tmp_path)
    server.use_tls(*certificate)
    pem = certificate[0].read_bytes()
    for client in ({"allow_invalid_certificates": True}, {"root_certificate": pem}):
        trusting = ObstoreStore(server.url, client_options=client)
        assert report(trusting) == ("own", None)
        np.testing.assert_array_equal(opened(trusting)[...], values)

    meta = anyzarr.open_array(tmp_path).metadata
    careful = ObstoreStore(server.url, retry_config=QUICK)
    with pytest.raises(StoreError):
        ENGINE.open(meta, careful, "").read(Box.full(meta.shape), values)


def test_servers_without_ranges(tmp_path: Path, web_without_ranges: str) -> None:
    values = big(tmp_path)
    array = opened(ObstoreStore(web_without_ranges, retry_config=QUICK))
    for where in (np.s_[100:110, 100:110], np.s_[700:, 1000:1100]):
        np.testing.assert_array_equal(array[where], values[where])


@pytest.mark.parametrize("has_etags", [True, False])
def test_servers_without_suffix_ranges(
    has_etags: bool, tmp_path: Path, server: ObjectServer
) -> None:
    values = big(tmp_path)
    server.publish(tmp_path)
    server.has_suffixes, server.has_etags = False, has_etags
    array = opened(web(server))
    for where in (np.s_[100:110, 100:110], np.s_[700:, 1000:1100]):
        np.testing.assert_array_equal(array[where], values[where])


def test_absent_chunks_are_fill_value(tmp_path: Path, server: ObjectServer) -> None:
    values = written(tmp_path)
    server.publish(tmp_path)
    del server.objects["c/0/1"]
    expected = values.copy()
    expected[:32, 32:] = 0
    np.testing.assert_array_equal(opened(web(server))[...], expected)


# ------------------------------------------------------------------------------ faults


@pytest.mark.parametrize("fault", [unavailable, cut_off, reset], ids=lambda f: f.__name__)
@pytest.mark.parametrize("has_etags", [True, False])
def test_what_passes_is_tried_again(
    fault: Fault, has_etags: bool, tmp_path: Path, server: ObjectServer
) -> None:
    values = written(tmp_path)
    server.publish(tmp_path)
    server.has_etags = has_etags
    array = opened(web(server))
    server.faults = {key: [fault] for key in server.objects}
    np.testing.assert_array_equal(array[...], values)


@pytest.mark.parametrize("fault", [unavailable, cut_off, reset], ids=lambda f: f.__name__)
def test_what_stays_is_an_error_that_names_the_key(
    fault: Fault, tmp_path: Path, server: ObjectServer
) -> None:
    written(tmp_path)
    server.publish(tmp_path)
    array = opened(web(server))
    server.faults["c/1/0"] = [fault] * 99
    with pytest.raises(StoreError) as caught:
        array[...]
    assert caught.value.key == "c/1/0"
    assert caught.value.chunk_coords == (1, 0)
    assert server.url in str(caught.value)


@pytest.mark.parametrize("times", [1, 2])
def test_a_range_that_was_not_asked_for_is_asked_for_otherwise(
    times: int, tmp_path: Path, server: ObjectServer
) -> None:
    values = big(tmp_path)
    server.publish(tmp_path)
    array = opened(web(server))
    server.faults["c/0/1"] = [another_range] * times
    where = np.s_[100:110, 1100:1110]
    np.testing.assert_array_equal(array[where], values[where])


@pytest.mark.parametrize("options", [{"shards": (1024, 1024)}, {"compressors": None}])
def test_a_range_that_was_not_asked_for_is_never_data(
    options: dict[str, Any], tmp_path: Path, server: ObjectServer
) -> None:
    values = np.arange(1024 * 1024, dtype="uint16").reshape(1024, 1024)
    anyzarr.create_array(tmp_path, data=values, chunks=(64, 64), **options)
    server.publish(tmp_path)
    array = opened(web(server))
    server.faults["c/0/0"] = [another_range] * 99
    with pytest.raises(AnyzarrError) as caught:
        array[10:20, 10:20]
    assert caught.value.key == "c/0/0"


def test_a_corrupt_chunk_is_named(tmp_path: Path, server: ObjectServer) -> None:
    written(tmp_path)
    server.publish(tmp_path)
    shard = bytearray(server.objects["c/0/1"])
    shard[-1] ^= 255
    server.objects["c/0/1"] = bytes(shard)
    with pytest.raises(CorruptDataError) as caught:
        opened(web(server))[...]
    assert caught.value.key == "c/0/1"


def test_nobody_at_home(tmp_path: Path) -> None:
    written(tmp_path)
    with serving() as server:
        server.publish(tmp_path)
        array = opened(web(server))
    with pytest.raises(StoreError) as caught:
        array[...]
    assert caught.value.key is not None


def test_http_is_not_written_to(tmp_path: Path, server: ObjectServer) -> None:
    written(tmp_path)
    server.publish(tmp_path)
    with pytest.raises(ReadOnlyError):
        anyzarr.open_array(web(server), engine="native", mode="r+")[0] = 1


def test_a_failed_write_names_the_key(s3: Any) -> None:
    store = ObstoreStore(f"s3://{s3.new_bucket()}", retry_config=QUICK, **s3.options)
    document = metadata.array_document(shape=(4,), dtype="uint8", chunks=(4,))
    meta = metadata.parse_array(document)
    gone = ObstoreStore("s3://no-such-bucket", retry_config=QUICK, **s3.options)
    ENGINE.open(meta, store, "a").write(Box.full((4,)), np.ones(4, "uint8"))
    with pytest.raises(StoreError) as caught:
        ENGINE.open(meta, gone, "a").write(Box.full((4,)), np.ones(4, "uint8"))
    assert caught.value.key == "a/c/0"


def test_large_objects_go_up_in_parts(s3: Any) -> None:
    store = ObstoreStore(f"s3://{s3.new_bucket()}", **s3.options)
    values = np.random.default_rng(3).integers(0, 255, 33 << 20).astype("uint8")
    array = anyzarr.create_array(
        store, shape=values.shape, dtype="uint8", chunks=values.shape, compressors=None
    )
    array[...] = values
    info = store.head("c/0")
    assert info is not None
    assert info.size == values.size
    assert "-" in str(info.etag)  # as the tags of objects that came in parts have
    np.testing.assert_array_equal(opened(store)[...], values)


# ------------------------------------------------------------------------------ processes, threads


def test_in_a_forked_child(
    tmp_path: Path, server: ObjectServer, run_in_forked_child: Callable[..., tuple[str, Any]]
) -> None:
    values = written(tmp_path)
    server.publish(tmp_path)
    array = opened(web(server))
    np.testing.assert_array_equal(array[...], values)
    for _ in range(2):
        outcome = run_in_forked_child(lambda: bool(np.array_equal(array[3:40, 5], values[3:40, 5])))
        assert outcome == ("returned", True)
    np.testing.assert_array_equal(array[...], values)


def test_forked_while_requests_are_under_way(
    tmp_path: Path, server: ObjectServer, run_in_forked_child: Callable[..., tuple[str, Any]]
) -> None:
    values = written(tmp_path, chunks=(4, 4), shards=None)
    server.publish(tmp_path)
    array = opened(web(server))
    stop = threading.Event()

    def busy() -> None:
        while not stop.is_set():
            array[...]

    with ThreadPoolExecutor(2) as pool:
        reading = [pool.submit(busy) for _ in range(2)]
        try:
            for _ in range(3):
                outcome = run_in_forked_child(lambda: bool(np.array_equal(array[...], values)))
                assert outcome == ("returned", True)
        finally:
            stop.set()
        for future in reading:
            future.result()


def test_writing_in_a_forked_child(
    s3: Any, run_in_forked_child: Callable[..., tuple[str, Any]]
) -> None:
    store = ObstoreStore(f"s3://{s3.new_bucket()}", **s3.options)
    meta = metadata.parse_array(metadata.array_document(shape=(4,), dtype="uint8", chunks=(2,)))
    io = ENGINE.open(meta, store, "a")
    io.write(Box.full((4,)), np.arange(1, 5, dtype="uint8"))

    def write() -> None:
        io.write(Box((1,), (3,), (1,)), np.array([8, 9], "uint8"))

    assert run_in_forked_child(write) == ("returned", None)
    found = np.empty(4, "uint8")
    io.read(Box.full((4,)), found)
    assert found.tolist() == [1, 8, 9, 4]


def _read_in_a_new_process(spec: Any) -> list[int]:
    array = anyzarr.open_array(from_spec(spec), engine="native", mode="r")
    row: npt.NDArray[Any] = array[3]
    return row.tolist()


def test_in_a_spawned_process(tmp_path: Path, server: ObjectServer) -> None:
    values = written(tmp_path)
    server.publish(tmp_path)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found = pool.apply(_read_in_a_new_process, (web(server).spec,))
    assert found == values[3].tolist()


def test_from_many_threads(tmp_path: Path, server: ObjectServer) -> None:
    values = written(tmp_path)
    server.publish(tmp_path)
    array = opened(web(server))

    def read(row: int) -> bool:
        return bool(np.array_equal(array[row : row + 8], values[row : row + 8]))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, range(56)))


def test_an_interrupt_ends_the_waiting(tmp_path: Path, server: ObjectServer) -> None:
    written(tmp_path)
    server.publish(tmp_path)
    released = threading.Event()

    def wait(handler: Any, data: bytes) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        released.wait(60)
        handler.answer(503, b"")

    array = opened(web(server))
    server.faults["c/0/0"] = [wait]
    try:
        with pytest.raises(KeyboardInterrupt):
            array[...]
    finally:
        released.set()

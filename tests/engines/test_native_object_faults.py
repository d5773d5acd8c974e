"""The native engine on object stores that differ or fail; in processes and threads."""

from __future__ import annotations

import ipaddress
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import anyzarr
from anyzarr import metadata
from anyzarr.abc import Box
from anyzarr.errors import AnyzarrError, CorruptDataError, ReadOnlyError, StoreError
from anyzarr.stores import ObstoreStore, from_spec

pytest.importorskip("anyzarr_native")

from anyzarr.engines._native import NativeEngine

from .._object_faults import (  # noqa: TID252 (tests are no installed package)
    cut_off,
    from_the_start,
    reset,
    unavailable,
)
from .._object_server import (  # noqa: TID252 (tests are no installed package)
    Answer,
    Exchange,
    Fault,
    ObjectServer,
    serving,
)
from ._objects import QUICK, big, opened, report, web, written

ENGINE = NativeEngine()


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
    server.faults["c/0/1"] = [from_the_start] * times
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
    server.faults["c/0/0"] = [from_the_start] * 99
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

    def wait(x: Exchange) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        released.wait(60)
        x.send(Answer(503))

    array = opened(web(server))
    server.faults["c/0/0"] = [wait]
    try:
        with pytest.raises(KeyboardInterrupt):
            array[...]
    finally:
        released.set()

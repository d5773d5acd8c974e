"""Requests that fail or whose answers get lost: writes are tried again, and end whole."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

import anyzarr
from anyzarr import crud
from anyzarr.abc import ABSENT
from anyzarr.errors import ConflictError, StoreError
from anyzarr.metadata import group_document

from ._remote import BACKENDS, Fault, is_put, new_store, relaying

pytestmark = pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
TROUBLE = {
    "500": (500, False),
    "503": (503, False),
    "429": (429, False),
    "reset": (0, False),
    "lost": (0, True),
    "lost-503": (503, True),
}
LARGE = bytes(range(256)) * (36 << 10)  # two parts


@pytest.fixture(autouse=True)
def _azure_waits_less(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its client waits for a quarter of a minute."""
    with contextlib.suppress(ImportError):
        from azure.storage.blob._shared.policies_async import ExponentialRetry

        monkeypatch.setattr(ExponentialRetry, "get_backoff_time", lambda *args: 0.01)


def is_put_of_data(request: Any) -> bool:
    return is_put(request) and len(request.body) > 0


@pytest.mark.parametrize(
    ("backend", "trouble"),
    [*(("obstore", trouble) for trouble in TROUBLE), ("fsspec", "429"), ("fsspec", "lost-503")],
)
def test_puts_are_tried_again(service: Any, backend: str, trouble: str) -> None:
    store = new_store(service, backend)
    status, reaches = TROUBLE[trouble]
    fault = Fault(is_put_of_data, status, reaches)
    service.through.faults = [fault]
    tag = store.put("a/0", b"value")
    assert fault.met == 1
    assert store.get("a/0") == b"value"
    info = store.head("a/0")
    assert info is not None
    assert tag == info.etag


@pytest.mark.parametrize("trouble", TROUBLE)
@pytest.mark.parametrize("condition", ["absent", "etag"])
def test_a_put_on_a_condition_is_no_conflict_with_itself(
    service: Any, condition: str, trouble: str
) -> None:
    store = new_store(service)
    before = store.put("k", b"before") if condition == "etag" else ABSENT
    status, reaches = TROUBLE[trouble]
    fault = Fault(is_put, status, reaches)
    service.through.faults = [fault]
    tag = store.put("k", b"after", precondition=before)
    assert fault.met == 1
    assert store.get("k") == b"after"
    assert store.put("k", b"last", precondition=tag) is not None
    with pytest.raises(ConflictError):
        store.put("k", b"too late", precondition=before)
    assert store.get("k") == b"last"


def test_the_same_bytes_from_somebody_else_are_a_conflict(service: Any) -> None:
    store = new_store(service)
    tag = store.put("k", b"5")

    def rival() -> None:
        store.put("k", b"6")

    service.through.faults = [Fault(is_put, 503, before=rival)]
    with pytest.raises(ConflictError):
        store.put("k", b"6", precondition=tag)


@pytest.mark.parametrize("trouble", ["503", "lost"])
def test_a_change_is_made_once(service: Any, trouble: str) -> None:
    store = new_store(service)
    crud.create_new_group(group_document(attributes={"n": 0}), store, "g")
    status, reaches = TROUBLE[trouble]
    service.through.faults = [Fault(is_put, status, reaches)]
    crud.update_attributes(store, "g", lambda stored: {"n": stored["n"] + 1})
    assert crud.read_metadata(store, "g")["attributes"] == {"n": 1}


@pytest.mark.parametrize("trouble", ["503", "lost"])
@pytest.mark.parametrize("number", [0, 1, -1], ids=["start", "part", "end"])
def test_uploads_in_parts_end_whole(service: Any, number: int, trouble: str) -> None:
    store = new_store(service)
    seen = service.through.look()
    store.put("large", LARGE)
    steps = [m for m in seen.messages if m.method in ("PUT", "POST")]
    assert len(steps) >= 3
    chosen = steps[number]

    def matches(request: Any) -> bool:
        if chosen.method != request.method or len(chosen.body) != len(request.body):
            return False
        names = ("uploads", "partNumber=", "comp=blocklist", "comp=block&")
        return all((name in request.target) == (name in chosen.target) for name in names)

    status, reaches = TROUBLE[trouble]
    fault = Fault(matches, status, reaches)
    service.through.faults = [fault]
    store.put("large", LARGE[::-1])
    assert fault.met == 1
    assert store.get("large") == LARGE[::-1]


@pytest.mark.parametrize("trouble", ["503", "lost"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_deletes_are_tried_again(service: Any, backend: str, trouble: str) -> None:
    store = new_store(service, backend)
    for key in ("a/0", "a/1", "b"):
        store.put(key, b"1")
    status, reaches = TROUBLE[trouble]

    def deletes(request: Any) -> bool:
        return request.method == "DELETE" or (
            request.method == "POST" and "/upload/" not in request.target
        )

    for delete in (lambda: store.delete("b"), lambda: store.delete_prefix("a/")):
        fault = Fault(deletes, status, reaches)
        service.through.faults = [fault]
        delete()
        assert fault.met == 1
    assert list(store.list()) == []


def test_what_stays_is_an_error_that_names_the_key(service: Any) -> None:
    store = new_store(service)
    store.put("k", b"before")
    service.through.faults = [Fault(is_put, 503, times=1000)]
    for condition in (None, ABSENT):
        with pytest.raises(StoreError) as caught:
            store.put("k", b"after", precondition=condition)
        assert caught.value.key == "k"
        assert not isinstance(caught.value, ConflictError)
    service.through.faults = []
    assert store.get("k") == b"before"


@pytest.mark.parametrize("trouble", ["503", "lost"])
def test_the_native_engine_tries_again(service: Any, trouble: str) -> None:
    pytest.importorskip("anyzarr_native")
    store = new_store(service)
    array = anyzarr.create_array(store, shape=(8, 8), chunks=(2, 8), dtype="uint8", engine="native")
    status, reaches = TROUBLE[trouble]
    fault = Fault(is_put, status, reaches, times=2)
    service.through.faults = [fault]
    array[...] = 7
    assert fault.met == 2
    assert (array[...] == 7).all()


@pytest.mark.parametrize("trouble", ["503", "lost"])
def test_the_native_engine_completes_uploads_once(s3: Any, trouble: str) -> None:
    pytest.importorskip("anyzarr_native")
    status, reaches = TROUBLE[trouble]

    def completes(request: Any) -> bool:
        return request.method == "POST" and "uploadId=" in request.target

    with relaying(s3.endpoint) as relay:
        store = new_store(s3.behind(relay))
        array = anyzarr.create_array(
            store, shape=33 << 20, chunks=33 << 20, dtype="uint8", compressors=None, engine="native"
        )
        fault = Fault(completes, status, reaches)
        relay.faults = [fault]
        array[...] = 7
        assert fault.met == 1
        info = store.head("c/0")
        assert info is not None
        assert info.size == 33 << 20
        assert (array[-9:] == 7).all()

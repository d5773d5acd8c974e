"""Writing arrays and hierarchies to object stores, with every engine and through both backends."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest

import anyzarr
from anyzarr import crud
from anyzarr.abc import ABSENT
from anyzarr.errors import ConflictError, NodeNotFoundError
from anyzarr.stores import open_store

from .._clients import distinct, together  # noqa: TID252 (tests are no installed package)
from ._remote import BACKENDS, is_put, new_store, options_of

pytestmark = pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
ENGINES = ["native", "zarr", "zarrs", "tensorstore"]
PACKAGES = {"native": "anyzarr_native", "zarrs": "zarrista"}
WITHOUT_PARTS = {"az": "comp=block&", "gs": "partNumber=", "s3": "partNumber="}


def reopened(array: Any, service: Any, backend: str, **options: Any) -> Any:
    """Open the array by a client of its own."""
    location = unquote(array.store.url)  # fsspec takes names as they are
    store = open_store(location, backend=backend, mode="r", **options_of(service, backend))
    return anyzarr.open_array(store, **options)


@pytest.mark.parametrize(
    ("backend", "engine"), [*(("obstore", engine) for engine in ENGINES), ("fsspec", "native")]
)
def test_sharded_arrays(service: Any, backend: str, engine: str) -> None:
    pytest.importorskip(PACKAGES.get(engine, engine), reason="the engine")
    array = anyzarr.create_array(
        new_store(service, backend),
        shape=(50, 40),
        chunks=(5, 5),
        shards=(25, 20),
        dtype="uint16",
        engine=engine,
    )
    values = np.random.default_rng(5).integers(0, 999, (50, 40)).astype("uint16")
    array[...] = values
    array[3:31, 7] = 5
    values[3:31, 7] = 5
    array[25:, 20:] = 0  # as if it had never been written
    values[25:, 20:] = 0
    for reader in BACKENDS:
        np.testing.assert_array_equal(reopened(array, service, reader)[...], values)
    keys = {info.key for info in array.store.list()}
    assert keys - {"c/1/1"} == {"zarr.json", "c/0/0", "c/0/1", "c/1/0"}


@pytest.mark.parametrize(("backend", "engine"), [("obstore", "native"), ("obstore", "zarr")])
def test_large_shards_go_up_in_parts(service: Any, backend: str, engine: str) -> None:
    pytest.importorskip(PACKAGES.get(engine, engine), reason="the engine")
    side = 33 << 20 if engine == "native" else 9 << 20
    values = np.random.default_rng(3).integers(0, 255, side).astype("uint8")
    array = anyzarr.create_array(
        new_store(service, backend),
        shape=values.shape,
        dtype="uint8",
        chunks=(1 << 20,),
        shards=values.shape,
        compressors=None,
        engine=engine,
    )
    seen = service.through.look()
    array[...] = values
    parts = seen.of("PUT", WITHOUT_PARTS[service.scheme])
    assert len(parts) == (5 if engine == "native" else 2)
    np.testing.assert_array_equal(reopened(array, service, "obstore")[...], values)


@pytest.mark.parametrize("engine", ["native", "zarrs"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_chunks_are_put_at_once_and_with_few_requests(
    service: Any, backend: str, engine: str
) -> None:
    pytest.importorskip(PACKAGES.get(engine, engine), reason="the engine")
    array = anyzarr.create_array(
        new_store(service, backend), shape=(32, 4), chunks=(1, 4), dtype="uint8", engine=engine
    )
    array[:2] = 9  # connections are made
    service.through.delay_seconds = 0.1
    seen = service.through.look()
    array[...] = 1
    service.through.delay_seconds = 0.0
    puts = [m for m in seen.messages if is_put(m)]
    assert len(puts) == 32
    assert seen.most_at_once >= 8
    if backend == "obstore":
        assert len(seen.messages) == 32, "nothing else is asked"
    assert (array[...] == 1).all()


@pytest.mark.parametrize(
    ("backend", "zarr_format"), [("obstore", 2), ("obstore", 3), ("fsspec", 3)]
)
def test_hierarchies(service: Any, backend: str, zarr_format: Any) -> None:
    store = new_store(service, backend)
    root = anyzarr.create_group(store, zarr_format=zarr_format, attributes={"a": 1})
    for well in ("A/1", "A/2", "B/1"):
        array = root.create_array(f"{well}/0", shape=(4,), chunks=(2,), dtype="uint8")
        array[...] = 3
    root.consolidate()
    again = anyzarr.open_group(
        open_store(store.url, backend=backend, **options_of(service, backend))
    )
    seen = service.through.look()
    assert again["A/1/0"].shape == (4,)
    assert again["B/1/0"].dtype == np.dtype("uint8")
    assert len(seen.messages) <= 2, "the copies of all are one object, or in the group's own"
    assert (again["A/2/0"][...] == 3).all()

    crud.delete_node(store, "A")
    with pytest.raises(NodeNotFoundError):
        anyzarr.open_array(store, path="A/1/0")
    assert not [info.key for info in store.list() if info.key.startswith("A/")]
    left = anyzarr.open_group(store)
    assert sorted(left) == ["B"]
    assert (left["B/1/0"][...] == 3).all()
    with pytest.raises(anyzarr.AnyzarrError):
        left.create_array("B/1/0", shape=(1,), dtype="uint8")


def test_nodes_are_created_once(service: Any) -> None:
    """Of several clients that create the same node, one does."""
    store = new_store(service)
    made: list[int] = []

    def create(number: int) -> None:
        try:
            crud.create_new_group({"zarr_format": 3, "node_type": "group"}, store, "g")
            made.append(number)
        except anyzarr.AnyzarrError:
            pass

    together([lambda n=n: create(n) for n in range(6)])
    assert len(made) == 1


def test_deleting_takes_few_requests(service: Any) -> None:
    store = new_store(service)
    for number in range(30):
        store.put(f"a/{number}", b"1")
    seen = service.through.look()
    store.delete_prefix("a/")
    assert list(store.list()) == []
    # Google's client removes one by one, at once.
    assert len(seen.messages) <= (40 if service.scheme == "gs" else 5)


def test_deleting_what_somebody_else_deletes(service: Any) -> None:
    store = new_store(service)
    for number in range(20):
        store.put(f"a/{number}", b"1")
    together([lambda: store.delete_prefix("a/")] * 3)
    assert list(store.list()) == []


# ------------------------------------------------------------------------------ many clients


def test_clients_lose_nothing(service: Any) -> None:
    store = new_store(service)
    array = anyzarr.create_array(store, shape=(24, 24), chunks=(8, 8), shards=(24, 24), dtype="i4")
    assert array.write_guarantee == "every writer"

    def work(number: int) -> None:
        mine = anyzarr.open(distinct(store, number), mode="r+")
        for step, row in enumerate(range(number, 24, 4)):
            mine[row] = 1 + number + 100 * step

    together([lambda n=n: work(n) for n in range(4)])
    rows = np.arange(24)
    expected = np.repeat((1 + rows % 4 + 100 * (rows // 4))[:, None], 24, axis=1)
    wrong = int((array[...] != expected).sum())
    print(f"4 clients, {service.scheme}: {wrong} of {expected.size} elements are wrong")
    assert wrong == 0


def test_a_condition_on_a_version_that_never_was(service: Any) -> None:
    store = new_store(service)
    store.put("k", b"1")
    for tag in ('"0123"', "not a tag", "1"):
        with pytest.raises(ConflictError):
            store.put("k", b"2", precondition=tag)
    with pytest.raises(ConflictError):
        store.put("k", b"2", precondition=ABSENT)
    assert store.get("k") == b"1"


@pytest.mark.parametrize("backend", BACKENDS)
def test_through_fsspec_the_guarantee_is_less(service: Any, backend: str) -> None:
    guarantee = crud.write_guarantee(new_store(service, backend))
    assert guarantee == ("every writer" if backend == "obstore" else "this process")

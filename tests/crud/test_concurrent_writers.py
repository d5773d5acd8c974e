"""Many writers of parts of the same shards: threads, processes, and clients of an object store.

Each writes elements of its own, and shares shards and subchunks with all others. Afterwards every
element must be as its writer wrote it.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anyzarr
from anyzarr import crud
from anyzarr.abc import ByteRange
from anyzarr.crud._guarded import _Guarded
from anyzarr.errors import ConflictError
from anyzarr.stores import LocalStore, MemoryStore, open_store

SHAPE = (48, 48)
ROUNDS = 12

WRITER = """
import sys, json
import numpy as np, anyzarr
location, engine, number, n_writers, rounds, options = sys.argv[1:]
array = anyzarr.open(location, mode="r+", engine=engine or None, **json.loads(options))
number, n_writers = int(number), int(n_writers)
rng = np.random.default_rng(number)
rows = range(number, array.shape[0], n_writers)
for step in range(int(rounds)):
    row = rows[step % len(rows)]
    start = int(rng.integers(0, 8))
    array[row, start:] = 1 + number + 100 * step
    array[row, :start] = 1 + number + 100 * step
"""


def create(location: Any, **options: Any) -> anyzarr.Array:
    return anyzarr.create_array(
        location, shape=SHAPE, chunks=(8, 8), shards=(24, 24), dtype="int32", **options
    )


def expected(n_writers: int, rounds: int = ROUNDS) -> Any:
    values = np.zeros(SHAPE, "int32")
    for number in range(n_writers):
        rows = range(number, SHAPE[0], n_writers)
        for step in range(rounds):
            values[rows[step % len(rows)]] = 1 + number + 100 * step
    return values


def count_wrong(array: anyzarr.Array, values: Any, what: str) -> int:
    wrong = int((array[:] != values).sum())
    print(f"{what}: {wrong} of {values.size} elements are wrong")
    return wrong


@pytest.mark.parametrize("engine", ["native", "zarrs", "zarr"])
@pytest.mark.parametrize("kind", ["memory", "local"])
def test_threads_lose_nothing(kind: str, engine: str, tmp_path: Path) -> None:
    store = MemoryStore() if kind == "memory" else LocalStore(str(tmp_path / "a"))
    array = create(store, engine=engine)

    def work(number: int) -> None:
        rows = range(number, SHAPE[0], 8)
        for step in range(ROUNDS):
            array[rows[step % len(rows)], :] = 1 + number + 100 * step

    run_together([lambda n=n: work(n) for n in range(8)])
    assert count_wrong(array, expected(8), f"8 threads, {kind}, {engine}") == 0
    assert array.write_guarantee == ("this process" if kind == "memory" else "this host")


def run_together(works: list[Callable[[], object]]) -> None:
    errors: list[BaseException] = []

    def guarded(work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised below
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for error in errors:
        raise error


def run_processes(location: str, engine: str, n: int, options: str = "{}") -> None:
    commands = [
        [sys.executable, "-c", WRITER, location, engine, str(i), str(n), str(ROUNDS), options]
        for i in range(n)
    ]
    running = [subprocess.Popen(c, stderr=subprocess.PIPE, text=True) for c in commands]
    for process in running:
        _, errors = process.communicate(timeout=180)
        assert process.returncode == 0, errors[-2000:]


@pytest.mark.parametrize("engine", ["native", "zarr"])
def test_processes_lose_nothing(engine: str, tmp_path: Path) -> None:
    array = create(str(tmp_path / "a"))
    run_processes(str(tmp_path / "a"), engine, 4)
    assert count_wrong(array, expected(4), f"4 processes, local, {engine}") == 0


def test_clients_of_an_object_store_lose_nothing(s3: Any) -> None:
    location = f"s3://{s3.new_bucket()}/a"
    create(location, backend_kwargs=s3.options)
    # Each client has a store of its own, as on a host of its own: no lock is shared.
    clients = [distinct(open_store(location, mode="r+", **s3.options), n) for n in range(4)]

    def work(number: int) -> None:
        array = anyzarr.open(clients[number], mode="r+")
        rows = range(number, SHAPE[0], 4)
        for step in range(ROUNDS):
            array[rows[step % len(rows)], :] = 1 + number + 100 * step

    run_together([lambda n=n: work(n) for n in range(4)])
    array = anyzarr.open(location, mode="r", **s3.options)
    assert count_wrong(array, expected(4), "4 clients, S3") == 0
    assert array.write_guarantee == "every writer"


def distinct(store: Any, number: int) -> Any:
    """Return a store of another address over the same objects, which shares no lock."""

    class Distinct(type(store)):  # type: ignore[misc]
        @property
        def url(self) -> str:
            return f"client-{number}:{super().url}"

    twin = Distinct.__new__(Distinct)
    twin.__dict__.update(store.__dict__)
    return twin


def test_processes_on_an_object_store_lose_nothing(s3: Any) -> None:
    import json

    location = f"s3://{s3.new_bucket()}/a"
    create(location, backend_kwargs=s3.options)
    run_processes(location, "", 3, json.dumps(s3.options))
    array = anyzarr.open(location, mode="r", **s3.options)
    assert count_wrong(array, expected(3), "3 processes, S3") == 0


# -- how it is done ------------------------------------------------------------------------------


def test_a_guarded_put_replaces_only_what_was_read() -> None:
    inner = MemoryStore({"a": b"1"})
    guarded = _Guarded(inner)
    assert guarded.get("a") == b"1"
    inner.put("a", b"2")
    with pytest.raises(ConflictError):
        guarded.put("a", b"3")
    assert inner.get("a") == b"2"
    absent = _Guarded(inner)
    assert absent.get("b") is None
    inner.put("b", b"1")
    with pytest.raises(ConflictError):
        absent.put("b", b"2")


def test_a_guarded_store_finds_out_between_two_reads() -> None:
    inner = MemoryStore({"a": b"123"})
    guarded = _Guarded(inner)
    assert guarded.get("a", ByteRange(0, 1)) == b"1"
    inner.put("a", b"456")
    with pytest.raises(ConflictError):
        guarded.get("a", ByteRange(1, 2))


@pytest.mark.parametrize(
    "selection",
    [np.s_[3:41, 5:44], np.s_[[1, 7, 30], ::3], np.s_[::-2, 4], np.s_[0:24, 0:24], ...],
)
def test_selections_on_an_object_store(s3: Any, selection: Any) -> None:
    location = f"s3://{s3.new_bucket()}/a"
    array = create(location, backend_kwargs=s3.options)
    values = np.arange(48 * 48, dtype="int32").reshape(SHAPE)
    array[:] = values
    array[selection] = -5
    values[selection] = -5
    np.testing.assert_array_equal(array[:], values)
    array[selection] = 0
    values[selection] = 0
    np.testing.assert_array_equal(anyzarr.open(location, mode="r", **s3.options)[:], values)


def test_whole_shards_take_no_lock_of_other_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from anyzarr.crud import _process_locks

    taken: list[int] = []
    acquire = _process_locks._acquire
    monkeypatch.setattr(
        _process_locks, "_acquire", lambda place: (taken.append(place), acquire(place))[1]
    )
    array = create(str(tmp_path / "a"))
    taken.clear()
    array[:] = 1
    for region in anyzarr.regions(array):
        array[region] = 2
    assert taken == []
    array[1:] = 3
    assert len(taken) == 2


def test_guarantees(tmp_path: Path, s3: Any) -> None:
    assert crud.write_guarantee(LocalStore(str(tmp_path))) == "this host"
    assert crud.write_guarantee(MemoryStore()) == "this process"
    fsspec = open_store("memory://anything", backend="fsspec", mode="a")
    assert crud.write_guarantee(fsspec) == "this process"
    bucket = f"s3://{s3.new_bucket()}/a"
    assert crud.write_guarantee(open_store(bucket, mode="a", **s3.options)) == "every writer"

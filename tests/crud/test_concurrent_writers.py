"""Many writers of parts of the same shards: threads, processes, and clients of an object store.

Each writes elements of its own, and shares shards and subchunks with all others. Afterwards every
element must be as its writer wrote it.
"""

from __future__ import annotations

import json
import subprocess
import sys
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

from .._clients import distinct, together  # noqa: TID252 (tests are no installed package)
from .._counts import record_counts  # noqa: TID252 (tests are no installed package)
from . import _writer
from ._writer import create

THREADS, PROCESSES, CLIENTS = 8, 4, 4


def record_wrong(array: anyzarr.Array, who: str) -> int:
    """Count what is not as its writer wrote it last."""
    wrong = int((array[:] != _writer.expected()).sum())
    writes = len(_writer.regions()) * _writer.ROUNDS
    record_counts(
        f"writers of shared shards, {who}",
        writes=writes,
        elements=array.size,
        wrong_elements=wrong,
    )
    return wrong


def test_the_regions_share_shards_and_no_elements() -> None:
    times = np.zeros(_writer.SHAPE, int)
    shared: dict[tuple[int, int], set[int]] = {}
    for number, (y, x) in enumerate(_writer.regions()):
        times[y, x] += 1
        for shard_y in range(y.start // 48, (y.stop - 1) // 48 + 1):
            for shard_x in range(x.start // 48, (x.stop - 1) // 48 + 1):
                shared.setdefault((shard_y, shard_x), set()).add(number % THREADS)
    assert (times == 1).all()
    assert all(len(writers) == THREADS for writers in shared.values())


@pytest.mark.parametrize("engine", ["native", "zarrs", "zarr"])
@pytest.mark.parametrize("kind", ["memory", "local"])
def test_threads_lose_nothing(kind: str, engine: str, tmp_path: Path) -> None:
    store = MemoryStore() if kind == "memory" else LocalStore(str(tmp_path / "a"))
    array = create(store, engine=engine)
    together([lambda n=n: _writer.write(array, n, THREADS) for n in range(THREADS)])
    assert record_wrong(array, f"{THREADS} threads") == 0
    assert array.write_guarantee == ("this process" if kind == "memory" else "this host")


def run_processes(location: str, engine: str, n: int, options: str = "{}") -> None:
    program = str(Path(_writer.__file__))
    commands = [
        [sys.executable, program, location, engine, str(i), str(n), options] for i in range(n)
    ]
    running = [subprocess.Popen(c, stderr=subprocess.PIPE, text=True) for c in commands]
    for process in running:
        _, errors = process.communicate(timeout=180)
        assert process.returncode == 0, errors[-2000:]


@pytest.mark.parametrize("engine", ["native", "zarr"])
def test_processes_lose_nothing(engine: str, tmp_path: Path) -> None:
    array = create(str(tmp_path / "a"))
    run_processes(str(tmp_path / "a"), engine, PROCESSES)
    assert record_wrong(array, f"{PROCESSES} processes") == 0


def test_clients_of_an_object_store_lose_nothing(s3: Any) -> None:
    location = f"s3://{s3.new_bucket()}/a"
    create(location, backend_kwargs=s3.options)
    # Each client has a store of its own, as on a host of its own: no lock is shared.
    stores = [distinct(open_store(location, mode="r+", **s3.options), n) for n in range(CLIENTS)]

    def work(number: int) -> None:
        _writer.write(anyzarr.open_array(stores[number], mode="r+"), number, CLIENTS)

    together([lambda n=n: work(n) for n in range(CLIENTS)])
    array = anyzarr.open(location, mode="r", **s3.options)
    assert record_wrong(array, f"{CLIENTS} clients of S3") == 0
    assert array.write_guarantee == "every writer"


def test_processes_on_an_object_store_lose_nothing(s3: Any) -> None:
    location = f"s3://{s3.new_bucket()}/a"
    create(location, backend_kwargs=s3.options)
    run_processes(location, "", CLIENTS, json.dumps(s3.options))
    array = anyzarr.open(location, mode="r", **s3.options)
    assert record_wrong(array, f"{CLIENTS} processes on S3") == 0


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
    [np.s_[3:41, 5:44], np.s_[[1, 7, 30], ::3], np.s_[::-2, 4], np.s_[0:48, 0:48], ...],
)
def test_selections_on_an_object_store(s3: Any, selection: Any) -> None:
    location = f"s3://{s3.new_bucket()}/a"
    array = create(location, backend_kwargs=s3.options)
    values = np.arange(96 * 96, dtype="int32").reshape(_writer.SHAPE)
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

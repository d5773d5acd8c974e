"""Work split along stored objects: ``regions``, ``to_dask`` and ``from_dask`` need no lock."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anyzarr
from anyzarr.crud import _process_locks
from anyzarr.stores import LocalStore

# Writes through our stores, so that each object that is read or put shows.
pytest.importorskip("zarrista", reason="the engine zarrs")
da = pytest.importorskip("dask.array", reason="the library of lazy arrays")

GRIDS: dict[str, dict[str, Any]] = {
    "chunks": {"chunks": (4, 5)},
    "shards": {"chunks": (2, 5), "shards": (6, 10)},
    "v2": {"chunks": (4, 5), "zarr_format": 2},
    "one": {"chunks": (20, 30)},
    "rectilinear": {"chunks": ((3, 5, 9), (10, 14))},
}
SHAPE = (17, 24)
VALUES = np.arange(1, 1 + 17 * 24).reshape(SHAPE)


class Watched(LocalStore):
    """Counts what is put, and what is read of chunks."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.puts: Counter[str] = Counter()
        self.reads: Counter[str] = Counter()

    def _put(self, key: str, *arguments: Any) -> Any:
        self.puts[key] += 1
        return super()._put(key, *arguments)

    def _get(self, key: str, *arguments: Any) -> Any:
        self.reads[key] += 1
        return super()._get(key, *arguments)


def chunk_keys(counts: Counter[str]) -> Counter[str]:
    return Counter({k: n for k, n in counts.items() if not k.endswith((".json", ".zarray"))})


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The locks against other processes that are taken."""
    places: list[int] = []
    acquire = _process_locks._acquire

    def watched(place: int) -> int:
        places.append(place)
        return acquire(place)

    monkeypatch.setattr(_process_locks, "_acquire", watched)
    return places


@pytest.mark.parametrize("grid", GRIDS)
def test_regions_are_the_stored_objects(grid: str, tmp_path: Path, taken: list[int]) -> None:
    store = Watched(tmp_path / "a")
    array = anyzarr.create_array(store, shape=SHAPE, dtype="i4", **GRIDS[grid])
    store.puts.clear()
    store.reads.clear()
    taken.clear()
    times = np.zeros(SHAPE, int)
    with anyzarr.config.scope(engine="zarrs"):
        for region in anyzarr.regions(array):
            times[region] += 1
            array[region] = VALUES[region]
    assert (times == 1).all()
    objects = chunk_keys(store.puts)
    assert len(objects) == len(list(anyzarr.regions(array)))
    assert set(objects.values()) == {1}, "each object is written once"
    assert not chunk_keys(store.reads), "nothing is read first"
    assert taken == [], "no lock is taken"
    np.testing.assert_array_equal(array[...], VALUES)


@pytest.mark.parametrize("blocks", [(5, 7), (17, 1), (1, 24), (3, 10)])
@pytest.mark.parametrize("grid", GRIDS)
def test_from_dask_writes_each_object_once(
    grid: str, blocks: Any, tmp_path: Path, taken: list[int]
) -> None:
    store = Watched(tmp_path / "a")
    lazy = da.from_array(VALUES, chunks=blocks)
    with anyzarr.config.scope(engine="zarrs"):
        delayed = anyzarr.from_dask(lazy, store, compute=False, **GRIDS[grid])
        store.reads.clear()
        taken.clear()
        array = delayed.compute(scheduler="threads")
    assert set(chunk_keys(store.puts).values()) == {1}
    assert not chunk_keys(store.reads)
    assert taken == []
    np.testing.assert_array_equal(array[...], VALUES)


@pytest.mark.parametrize("grid", GRIDS)
def test_blocks_of_dask_are_stored_objects(grid: str, tmp_path: Path) -> None:
    array = anyzarr.create_array(tmp_path / "a", data=VALUES, **GRIDS[grid])
    lazy = array.to_dask()
    edges = [np.cumsum((0, *sizes)) for sizes in lazy.chunks]
    blocks = {
        tuple((int(e[i]), int(e[i + 1])) for e, i in zip(edges, index, strict=True))
        for index in np.ndindex(lazy.numblocks)
    }
    stored = {tuple((s.start, s.stop) for s in region) for region in anyzarr.regions(array)}
    assert blocks == stored
    # From one array to another of the same grid: block by block, object by object.
    target = anyzarr.create_array(tmp_path / "b", shape=SHAPE, dtype="i8", **GRIDS[grid])
    da.store(lazy + 1, target, lock=False)
    np.testing.assert_array_equal(target[...], VALUES + 1)


def test_processes_of_dask_need_no_lock(tmp_path: Path) -> None:
    lazy = da.from_array(VALUES, chunks=(5, 7))
    delayed = anyzarr.from_dask(lazy, tmp_path / "a", compute=False, **GRIDS["shards"])
    with concurrent.futures.ProcessPoolExecutor(
        2, mp_context=multiprocessing.get_context("spawn")
    ) as pool:
        delayed.compute(scheduler="processes", pool=pool)
    np.testing.assert_array_equal(anyzarr.open_array(tmp_path / "a")[...], VALUES)


@pytest.mark.parametrize("grid", GRIDS)
def test_regions_of_an_array_that_is_there(grid: str, tmp_path: Path) -> None:
    anyzarr.create_array(tmp_path / "a", shape=SHAPE, dtype="i8", **GRIDS[grid])
    for rows in (slice(0, 5), slice(5, -3), slice(-3, None)):
        for columns in (slice(None, 13), slice(13, 24)):
            lazy = da.from_array(VALUES[rows, columns], chunks=(2, 3))
            anyzarr.from_dask(lazy, tmp_path / "a", region=(rows, columns))
    np.testing.assert_array_equal(anyzarr.open_array(tmp_path / "a")[...], VALUES)


def test_regions_that_do_not_fit(tmp_path: Path) -> None:
    anyzarr.create_array(tmp_path / "a", shape=SHAPE, dtype="i8", chunks=(4, 5))
    lazy = da.from_array(VALUES[:5], chunks=(2, 3))
    bad: list[dict[str, Any]] = [
        {"region": (slice(0, 5),)}, {"region": (slice(0, 4), slice(None))},
        {"region": (slice(0, 10, 2), slice(None))},
        {"region": (slice(0, 5), slice(None)), "compute": False},
    ]  # fmt: skip
    for options in bad:
        with pytest.raises(anyzarr.MetadataError):
            anyzarr.from_dask(lazy, tmp_path / "a", **options)
    with pytest.raises(anyzarr.MetadataError, match="progress"):
        anyzarr.from_dask(lazy, tmp_path / "b", compute=False, progress=print)
    assert not anyzarr.open_array(tmp_path / "a")[...].any()


@pytest.mark.parametrize("scheduler", ["threads", "synchronous", "processes"])
def test_progress_of_from_dask(tmp_path: Path, scheduler: str) -> None:
    import dask

    steps: list[Any] = []
    lazy = da.from_array(VALUES, chunks=(5, 7))
    pool = concurrent.futures.ProcessPoolExecutor(
        2, mp_context=multiprocessing.get_context("spawn")
    )
    where = {"pool": pool} if scheduler == "processes" else {}
    with pool, dask.config.set(scheduler=scheduler, **where):
        anyzarr.from_dask(lazy, tmp_path / "a", progress=steps.append, **GRIDS["shards"])
    assert steps[-1].done_bytes == steps[-1].total_bytes == VALUES.nbytes
    assert len(steps) == 1 + 3 * 3
    np.testing.assert_array_equal(anyzarr.open_array(tmp_path / "a")[...], VALUES)


def test_a_cluster_writes_and_tells(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed", reason="the clusters of dask")
    steps: list[Any] = []
    lazy = da.from_array(VALUES, chunks=(5, 7))
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster),
    ):
        anyzarr.from_dask(lazy, tmp_path / "a", progress=steps.append, **GRIDS["shards"])
    assert steps[-1].done_bytes == steps[-1].total_bytes == VALUES.nbytes
    np.testing.assert_array_equal(anyzarr.open_array(tmp_path / "a")[...], VALUES)


def test_few_shards_are_held(tmp_path: Path) -> None:
    """Blocks are made as they are written: not all of them before."""
    made: list[int] = []
    written: list[int] = []
    held = [0]

    def make(block_info: Any = None) -> Any:
        made.append(1)
        held[0] = max(held[0], len(made) - 4 * len(written))
        return np.ones((1, 100, 100), "u1")

    lazy = da.map_blocks(make, chunks=((1,) * 64, (100,), (100,)), dtype="u1")
    store = LocalStore(tmp_path / "a")
    put = store._put

    def counted(*arguments: Any) -> Any:
        written.append(1)
        return put(*arguments)

    store._put = counted
    import dask

    with dask.config.set(num_workers=2), anyzarr.config.scope(engine="zarrs"):
        array = anyzarr.from_dask(lazy, store, chunks=(1, 50, 50), shards=(4, 100, 100))
    assert held[0] <= 4 * 6, "of sixteen shards, those in work"
    assert array[...].all()

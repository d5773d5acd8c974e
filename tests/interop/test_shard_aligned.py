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

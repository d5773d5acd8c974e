"""All levels in one go: the same as one from the other, everything read and written once."""

from __future__ import annotations

import itertools
import math
import threading
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import anyzarr
from anyzarr import config
from anyzarr._progress import Progress, Tracker
from anyzarr._pyramid import (
    _cascade,
    build_pyramid,
    downsample,
    downsampled_shape,
    gaussian,
    plan_work,
)
from anyzarr._pyramid._passes import plan_passes
from anyzarr._pyramid._regions import region_size, regions_of
from anyzarr.errors import MetadataError, UnsupportedError
from anyzarr.testing import assert_identical

Array = np.ndarray[Any, Any]


class Recorded:
    """An in-memory array that remembers how it was written and read."""

    def __init__(self, shape, dtype, chunks, shards=None, values=None):
        self.values = np.zeros(shape, dtype) if values is None else values
        self.shape, self.dtype = tuple(shape), np.dtype(dtype)
        self.chunks, self.shards = tuple(chunks), shards
        self.nbytes = self.values.nbytes
        self.written = []
        self.reads = np.zeros(shape, int)
        self._lock = threading.Lock()

    def __getitem__(self, region):
        with self._lock:
            self.reads[region] += 1
        return self.values[region].copy()

    def __setitem__(self, region, value):
        assert value.shape == tuple(s.stop - s.start for s in region)
        with self._lock:
            self.written.append(region)
        self.values[region] = value

    def written_objects(self):
        """The stored objects that were written, each as often as it was; never in part."""
        unit = self.shards or self.chunks
        found = []
        for region in self.written:
            for s, u, n in zip(region, unit, self.shape, strict=True):
                assert s.start % u == 0
                assert s.stop % u == 0 or s.stop == n
            ranges = (range(s.start, s.stop, u) for s, u in zip(region, unit, strict=True))
            found += itertools.product(*ranges)
        return sorted(found)

    def all_objects(self):
        unit = self.shards or self.chunks
        return sorted(
            tuple(s.start for s in r)
            for r in regions_of(tuple(slice(0, n) for n in self.shape), unit)
        )


def levels_of(values: Array, factors: Any, method: str) -> list[Array]:
    found = [values]
    for step in factors:
        if method == "gaussian":
            found.append(gaussian(found[-1], step))
        else:
            found.append(downsample(found[-1], step, method))
    return found


@st.composite
def pyramids(draw):
    ndim = draw(st.integers(1, 3))
    shape = draw(st.tuples(*[st.integers(1, 40)] * ndim))
    factors = draw(st.lists(st.tuples(*[st.integers(1, 3)] * ndim), max_size=3))
    rng = np.random.default_rng(draw(st.integers(0, 9)))
    values = rng.integers(0, 2**16, shape).astype("u2")
    same = draw(st.booleans())
    layouts = []
    for _ in range(len(factors) + 1):
        if not (same and layouts):
            chunks = draw(st.tuples(*[st.integers(1, 9)] * ndim))
            repeats = draw(st.none() | st.tuples(*[st.integers(1, 3)] * ndim))
            layout = chunks, repeats and tuple(c * r for c, r in zip(chunks, repeats, strict=True))
        layouts.append(layout)
    return values, factors, layouts


def arrays_of(values, factors, layouts):
    shape = values.shape
    arrays = [Recorded(shape, values.dtype, *layouts[0], values=values.copy())]
    for step, layout in zip(factors, layouts[1:], strict=True):
        shape = downsampled_shape(shape, step)
        arrays.append(Recorded(shape, values.dtype, *layout))
    return arrays


@pytest.mark.parametrize("is_written", [True, False])
@given(
    case=pyramids(),
    memory=st.sampled_from([1, 2000, 20_000, 1 << 30]),
    threads=st.sampled_from([1, 4]),
    method=st.sampled_from(["mean", "mode", "stride", "gaussian"]),
)
@settings(max_examples=70, deadline=None)
def test_equal_to_one_from_the_other(is_written, case, memory, threads, method) -> None:
    values, factors, layouts = case
    arrays = arrays_of(values, factors, layouts)
    asked = np.zeros(values.shape, int)
    lock = threading.Lock()

    def produce(region):
        assert all(s.start % c == 0 for s, c in zip(region, arrays[0].chunks, strict=True))
        with lock:
            asked[region] += 1
        return values[region]

    if is_written:
        arrays[0].values[...] = 0
    with config.set(concurrency=threads):
        build_pyramid(
            arrays,
            factors,
            method=method,
            produce=produce if is_written else None,
            memory_bytes=memory,
        )
    for array, expected in zip(arrays, levels_of(values, factors, method), strict=True):
        assert_identical(array.values, expected)
    for array in arrays[0 if is_written else 1 :]:
        assert array.written_objects() == array.all_objects()
    if is_written:
        assert (asked == 1).all()
    if method != "gaussian":
        assert (arrays[0].reads <= (0 if is_written and memory == 1 << 30 else 1)).all()


@given(
    case=pyramids(),
    memory=st.sampled_from([1, 20_000, 1 << 30]),
    least=st.sampled_from([1, 4, 1000]),
    method=st.sampled_from(["mean", "mode", "gaussian"]),
    is_written=st.booleans(),
    seed=st.integers(0, 1000),
)
@settings(max_examples=70, deadline=None)
def test_cells_may_be_done_apart_in_any_order_and_again(
    case, memory, least, method, is_written, seed
) -> None:
    values, factors, layouts = case
    arrays = arrays_of(values, factors, layouts)
    rng = np.random.default_rng(seed)
    if is_written:
        arrays[0].values[...] = 0
    works = plan_work(
        arrays,
        factors,
        method=method,
        produce=values.__getitem__ if is_written else None,
        memory_bytes=memory,
        least_cells=least,
    )
    for work in works:
        cells = work.cells()
        order = [*rng.permutation(len(cells)), *rng.integers(0, max(1, len(cells)), 2)]
        finished: list[Any] = []
        for index in order if cells else []:
            work.run([cells[index]], Tracker(None), finished.append)
        assert finished == [cells[i] for i in order] if cells else not finished
    for array, expected in zip(arrays, levels_of(values, factors, method), strict=True):
        assert_identical(array.values, expected)


def test_more_cells_for_more_workers() -> None:
    arrays, factors = big((64, 256, 256), (8, 32, 32), (16, 64, 64), 3)
    for least in (1, 4, 16, 64):
        works = plan_work(arrays, factors, produce=lambda region: region, least_cells=least)
        assert len(works[0].cells()) >= least
        assert works[0].label.startswith("level")
    assert len(plan_work(arrays, factors, least_cells=1)) == 1


def big(shape, chunks, shards, n):
    factors = [(1, 2, 2) if i < 2 else (2, 2, 2) for i in range(n)]
    arrays = [Recorded(shape, "u2", chunks, shards)]
    for step in factors:
        arrays.append(Recorded(downsampled_shape(arrays[-1].shape, step), "u2", chunks, shards))
    return arrays, factors


def test_one_pass_where_memory_allows_and_more_where_not() -> None:
    arrays, factors = big((64, 256, 256), (8, 32, 32), (16, 64, 64), 3)
    shard_bytes = 16 * 64 * 64 * 2
    (one,) = plan_passes(arrays, factors, write_first=True, memory_bytes=1 << 30)
    assert [s.unit for s in one.stages] == [(16, 64, 64)] * 3 + [(16, 32, 32)]
    assert one.label == "levels 0 to 3"
    passes = plan_passes(arrays, factors, write_first=True, memory_bytes=6 * shard_bytes)
    assert [(p.first, len(p.stages)) for p in passes] == [(0, 2), (1, 3)]
    assert [p.label for p in passes] == ["levels 0 to 1", "levels 2 to 3"]
    passes = plan_passes(arrays, factors, write_first=False, memory_bytes=1)
    assert [p.label for p in passes] == ["level 1", "level 2", "level 3"]


@pytest.mark.parametrize("block", [(1, 256, 256), (3, 7, 5), (64, 1, 256), (100, 300, 300)])
def test_a_source_is_asked_for_what_it_makes_at_once(block: tuple[int, ...]) -> None:
    arrays, factors = big((20, 256, 256), (8, 32, 32), (16, 256, 256), 2)
    values = np.random.default_rng(0).integers(0, 60_000, arrays[0].shape).astype("u2")
    asked = []

    def produce(region: Any) -> Array:
        asked.append(region)
        return values[region]

    for work in plan_work(arrays, factors, produce=produce, block=block):
        work.run(work.cells(), Tracker(None), lambda cell: None)
    for array, expected in zip(arrays, levels_of(values, factors, "mean"), strict=True):
        assert_identical(array.values, expected)
    if block == (1, 256, 256):  # whole planes, each of them once
        assert all((r[1].start, r[1].stop, r[2].stop) == (0, 256, 256) for r in asked)
        assert sum(r[0].stop - r[0].start for r in asked) == 20


def test_a_block_beyond_the_memory_is_not_asked_for() -> None:
    arrays, factors = big((20, 256, 256), (8, 32, 32), (16, 256, 256), 2)
    block = (20, 256, 256)
    (one,) = plan_passes(arrays, factors, write_first=True, memory_bytes=1 << 28, block=block)
    assert one.block == block
    first = plan_passes(arrays, factors, write_first=True, memory_bytes=1 << 24, block=block)[0]
    assert first.block is None


@pytest.mark.parametrize("threads", [1, 4])
def test_memory_is_bounded(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is held, with as much again for the encoded bytes, stays below the bound."""
    arrays, factors = big((64, 256, 256), (8, 32, 32), (16, 64, 64), 3)
    held, most = set(), [0]

    class Watched(_cascade._Held):
        def __init__(self, region, values):
            super().__init__(region, values)
            held.add(self)
            most[0] = max(most[0], sum(h.values.nbytes for h in held))

    monkeypatch.setattr(_cascade, "_Held", Watched)
    budget = 2 << 20

    def produce(region):
        time.sleep(0.001)
        return np.ones(tuple(s.stop - s.start for s in region), "u2")

    with config.set(concurrency=threads):
        build_pyramid(arrays, factors, produce=produce, memory_bytes=budget)
    assert all(a.values.all() for a in arrays)
    assert most[0] * 2 <= budget


def test_progress_adds_up() -> None:
    arrays, factors = big((10, 60, 60), (4, 20, 20), None, 2)
    steps: list[Progress] = []
    build_pyramid(arrays, factors, tracker=Tracker(steps.append))
    assert {s.label for s in steps} == {"levels 1 to 2"}
    assert steps[-1].done_bytes == steps[-1].total_bytes == sum(a.nbytes for a in arrays)
    assert [s.done_bytes for s in steps] == sorted(s.done_bytes for s in steps)


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_stops_all(threads: int, error: type[BaseException]) -> None:
    arrays, factors = big((64, 64, 64), (8, 8, 8), None, 2)
    calls = []

    def produce(region):
        calls.append(region)
        if len(calls) == 5:
            raise error("disk on fire")
        return np.ones(tuple(s.stop - s.start for s in region), "u2")

    block = math.prod((8, 8, 8)) * 2
    with pytest.raises(error, match="disk on fire"), config.set(concurrency=threads):
        build_pyramid(arrays, factors, produce=produce, memory_bytes=24 * block)
    assert len(calls) <= 5 + 2 * threads
    assert sum(region_size(r) for r in arrays[0].written) < arrays[0].values.size


def test_what_does_not_fit_is_refused_before_anything_is_written() -> None:
    arrays, factors = big((8, 64, 64), (8, 8, 8), None, 2)
    with pytest.raises(UnsupportedError, match="bicubic"):
        build_pyramid(arrays, factors, method="bicubic")
    with pytest.raises(MetadataError):
        build_pyramid(arrays, [(2, 2, 2), (1, 2, 2)])
    text = [Recorded((4,), "U3", (2,)), Recorded((2,), "U3", (2,))]
    with pytest.raises(UnsupportedError, match="mean"):
        build_pyramid(text, [(2,)])
    assert not any(a.written for a in (*arrays, *text))


@pytest.mark.parametrize("engine", ["native", "zarrs", "tensorstore", "zarr"])
def test_the_same_values_on_every_engine(engine: str, tmp_path: Any) -> None:
    if engine not in anyzarr.list_engines():
        pytest.skip(f"{engine} is not installed")
    values = np.random.default_rng(0).normal(size=(9, 130, 70)).astype("f4")
    factors = [(1, 2, 2), (2, 2, 2)]
    expected = levels_of(values, factors, "median")
    arrays = [
        anyzarr.create_array(
            tmp_path / str(i), shape=v.shape, dtype="f4", chunks=(3, 16, 16), shards=(6, 32, 48),
            engine=engine,
        )
        for i, v in enumerate(expected)
    ]  # fmt: skip
    build_pyramid(arrays, factors, method="median", produce=lambda region: values[region])
    for array, right in zip(arrays, expected, strict=True):
        assert_identical(np.asarray(array[...]), right)

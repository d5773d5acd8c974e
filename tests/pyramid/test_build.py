"""Filling arrays region by region: equal to doing it at once, in bounded memory."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anyzarr import config
from anyzarr._progress import Progress, Tracker
from anyzarr._pyramid import downsample_into, downsampled_shape, fill, mean
from anyzarr._pyramid._regions import blocks_of, region_size, regions_of
from anyzarr.errors import MetadataError, UnsupportedError


class Recorded:
    """An in-memory array that remembers how it was written and read."""

    def __init__(self, shape, dtype, chunks, shards=None):
        self.values = np.zeros(shape, dtype)
        self.shape, self.dtype = tuple(shape), np.dtype(dtype)
        self.chunks, self.shards = tuple(chunks), shards
        self.written, self.read = [], []
        self.most, self._now, self._lock = 0, 0, threading.Lock()

    def __getitem__(self, region):
        self.read.append(region)
        return self.values[region].copy()

    def __setitem__(self, region, value):
        self.written.append(region)
        self.values[region] = value


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_region_by_region_equals_all_at_once(data):
    shape = data.draw(st.tuples(*[st.integers(1, 40)] * 3))
    chunks = data.draw(st.tuples(*[st.integers(1, 9)] * 3))
    repeats = data.draw(st.tuples(*[st.integers(1, 4)] * 3))
    factors = data.draw(st.tuples(*[st.integers(1, 3)] * 3))
    memory = data.draw(st.sampled_from([1, 2000, 1 << 30]))
    rng = np.random.default_rng(0)
    source = rng.integers(0, 2**16, shape, "u2")
    shards = tuple(c * r for c, r in zip(chunks, repeats, strict=True))
    target = Recorded(downsampled_shape(shape, factors), "u2", chunks, shards)
    downsample_into(source, target, factors, memory_bytes=memory)
    np.testing.assert_array_equal(target.values, mean(source, factors))
    expected = list(regions_of(tuple(slice(0, n) for n in target.shape), shards))
    assert sorted(map(str, target.written)) == sorted(map(str, expected))


def test_blocks_tile_the_region_on_chunk_boundaries():
    region = (slice(10, 30), slice(0, 35), slice(7, 14))
    blocks = list(blocks_of(region, (5, 10, 7), 5 * 10 * 7 * 2))
    assert sum(map(region_size, blocks)) == region_size(region)
    assert len(set(map(str, blocks))) == len(blocks)
    for block in blocks:
        assert (block[0].start - 10) % 5 == 0
        assert block[1].start % 10 == 0
        assert region_size(block) <= 700


def test_memory_bounds_how_much_is_read_at_once():
    source = Recorded((64, 256, 256), "u2", (16, 64, 64))
    target = Recorded((32, 128, 128), "u2", (8, 32, 32), (32, 128, 128))
    budget = 2 << 20
    downsample_into(source, target, (2, 2, 2), memory_bytes=budget)
    assert max(region_size(r) * 2 for r in source.read) <= budget
    assert len(target.written) == 1


def test_few_shards_at_a_time_when_memory_is_short():
    target = Recorded((64, 64), "u1", (8, 8), (16, 16))
    running, most, lock = [0], [0], threading.Lock()

    def produce(region):
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        threading.Event().wait(0.002)
        with lock:
            running[0] -= 1
        return np.ones(tuple(s.stop - s.start for s in region), "u1")

    with config.set(concurrency=8):
        fill(target, produce, memory_bytes=600)
    assert most[0] == 1
    assert target.values.all()


def test_progress_adds_up():
    steps: list[Progress] = []
    tracker = Tracker(steps.append)
    target = Recorded((50, 50), "u2", (10, 10), (20, 20))
    tracker.start("level 1", 50 * 50 * 2)
    downsample_into(np.ones((100, 100), "u2"), target, (2, 2), tracker=tracker)
    assert steps[0] == Progress("level 1", 0, 5000)
    assert steps[-1].done_bytes == 5000
    assert [s.done_bytes for s in steps] == sorted(s.done_bytes for s in steps)


@pytest.mark.parametrize(("shape", "dtype"), [((6, 5), "u2"), ((5, 5), "u1")])
def test_levels_that_do_not_fit_are_refused(shape, dtype):
    target = Recorded(shape, dtype, (5, 5))
    with pytest.raises(MetadataError):
        downsample_into(np.ones((10, 10), "u2"), target, (2, 2))
    assert target.written == []


def test_unknown_method_is_named():
    with pytest.raises(UnsupportedError, match="bicubic"):
        downsample_into(np.ones((2, 2)), Recorded((1, 1), "f8", (1, 1)), (2, 2), method="bicubic")


def test_an_error_in_one_region_stops_the_rest():
    target = Recorded((100, 4), "u1", (1, 4))
    calls = []

    def produce(region):
        calls.append(region)
        raise RuntimeError("disk on fire")

    with pytest.raises(RuntimeError, match="disk on fire"), config.set(concurrency=2):
        fill(target, produce)
    assert len(calls) <= 4

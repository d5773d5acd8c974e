"""Work on a few threads: complete, ordered, and stopped by the first error."""

from __future__ import annotations

import os
import threading
import time

import pytest

from anyzarr import config
from anyzarr._parallel import concurrency, for_each, map_ordered


def test_every_item_once_and_in_order():
    assert map_ordered(lambda n: n * n, range(1000), limit=4) == [n * n for n in range(1000)]
    assert map_ordered(lambda n: n, [], limit=4) == []


def test_the_caller_takes_part_and_settings_reach_the_threads():
    seen = set()
    barrier = threading.Barrier(2)

    def work(_):
        barrier.wait(timeout=30)
        seen.add((threading.get_ident(), config.get("engine")))

    with config.scope(engine="zarr"):
        for_each(work, range(2), limit=2)
    assert len(seen) == 2
    assert {engine for _, engine in seen} == {"zarr"}
    assert threading.get_ident() in {ident for ident, _ in seen}


def test_nested_calls_do_not_wait_for_each_other():
    total = []

    def outer(n):
        for_each(lambda m: total.append((n, m)), range(5), limit=8)

    for_each(outer, range(200), limit=64)
    assert len(total) == 1000


@pytest.mark.parametrize("limit", [1, 4])
def test_the_first_error_stops_the_rest(limit):
    done = []

    def work(n):
        if n == 3:
            raise ValueError("three")
        time.sleep(0.001)
        done.append(n)

    with pytest.raises(ValueError, match="three"):
        for_each(work, iter(range(10_000)), limit=limit)
    assert len(done) < 100


def test_an_error_of_the_source_is_raised():
    def source():
        yield 1
        raise OSError("source")

    with pytest.raises(OSError, match="source"):
        for_each(lambda _: None, source(), limit=2)


def test_concurrency_follows_argument_setting_and_machine():
    assert concurrency(3) == 3
    with config.scope(concurrency=5):
        assert concurrency() == 5
    assert concurrency() == len(os.sched_getaffinity(0))
    assert concurrency(10_000) == 64


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_makes_its_own_threads():
    map_ordered(str, range(10), limit=4)
    child = os.fork()
    if child == 0:
        ok = map_ordered(str, range(10), limit=4) == [str(n) for n in range(10)]
        os._exit(0 if ok else 1)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        finished, status = os.waitpid(child, os.WNOHANG)
        if finished:
            assert os.waitstatus_to_exitcode(status) == 0
            return
        time.sleep(0.01)
    os.kill(child, 9)
    os.waitpid(child, 0)
    pytest.fail("the forked child did not finish")

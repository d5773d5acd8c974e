"""One ``Array`` through native, used by many threads, across forks and by spawned processes."""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import anyzarr
from anyzarr import config

pytest.importorskip("anyzarr_native", reason="the native engine is not built")

EDGE = 16
THREADS = 8
ROUNDS = 6
SHAPE = (THREADS * EDGE, 4 * EDGE)
Fork = Callable[[Callable[[], Any]], tuple[str, Any]]
Values = npt.NDArray[np.uint32]

# Within a shard are the rows of four threads.
LAYOUTS: dict[str, dict[str, Any]] = {
    "chunks": {"chunks": (EDGE, EDGE)},
    "shards": {"chunks": (EDGE, EDGE), "shards": (4 * EDGE, 2 * EDGE)},
    "raw": {"chunks": (EDGE, EDGE), "compressors": None},
}


def made(place: str, tmp_path: Path, layout: str) -> anyzarr.Array:
    location: Any = anyzarr.stores.MemoryStore() if place == "memory" else tmp_path / "a.zarr"
    array = anyzarr.create_array(
        location, shape=SHAPE, dtype="uint32", engine="native", **LAYOUTS[layout]
    )
    assert array.engine == "native"
    return array


def chunks_of(values: Values) -> Iterator[tuple[tuple[int, int], Values]]:
    for i, j in itertools.product(range(values.shape[0] // EDGE), range(values.shape[1] // EDGE)):
        yield (i, j), values[i * EDGE : (i + 1) * EDGE, j * EDGE : (j + 1) * EDGE]


def together(count: int, work: Callable[[int], None]) -> None:
    """Call ``work`` on so many threads at once; raise what the first of them raised."""
    errors: list[BaseException] = []
    start = threading.Barrier(count)

    def run(number: int) -> None:
        try:
            start.wait(20)
            work(number)
        except BaseException as error:  # noqa: BLE001 - raised below
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


@pytest.mark.parametrize("place", ["local", "memory"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_readers_see_chunks_as_they_were_or_are(place: str, layout: str, tmp_path: Path) -> None:
    array = made(place, tmp_path, layout)
    expected: Values = np.zeros(SHAPE, "uint32")

    def work(number: int) -> None:
        rows = slice(number * EDGE, (number + 1) * EDGE)
        newest: dict[tuple[int, int], int] = {}
        for round_number in range(1, ROUNDS + 1):
            for column in range(4):
                place = (rows, slice(column * EDGE, (column + 1) * EDGE))
                array[place] = expected[place] = round_number * 10 + column
            # What others write meanwhile is whole, and never older than it was.
            seen = array[...]
            for at, chunk in chunks_of(seen):
                value = int(chunk[0, 0])
                assert (chunk == value).all(), at
                assert value >= newest.get(at, 0)
                newest[at] = value
            np.testing.assert_array_equal(seen[rows], expected[rows])

    with config.scope(concurrency=2):
        together(THREADS, work)
    np.testing.assert_array_equal(array[...], expected)


@pytest.mark.parametrize("place", ["local", "memory"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_threads_write_every_kind_of_selection(place: str, layout: str, tmp_path: Path) -> None:
    array = made(place, tmp_path, layout)
    expected: Values = np.zeros(SHAPE, "uint32")

    def work(number: int) -> None:
        rng = np.random.default_rng(number)
        # Every eighth row is this thread's: all of them write to every chunk.
        mine = np.arange(number, SHAPE[0], THREADS)
        rows = slice(number, None, THREADS)
        for _ in range(ROUNDS):
            columns = np.sort(rng.choice(SHAPE[1], 9, replace=False))
            value = rng.integers(1, 1000, (mine.size, columns.size)).astype("uint32")
            array.oindex[mine, columns] = value
            expected[np.ix_(mine, columns)] = value
            array[rows, 3:60:7] = expected[rows, 3:60:7] = int(rng.integers(1, 1000))
            points = rng.permutation(mine)[:7], rng.integers(0, SHAPE[1], 7)
            array.vindex[points] = expected[points] = int(rng.integers(1, 1000))
            np.testing.assert_array_equal(array[rows], expected[rows])
            np.testing.assert_array_equal(
                array.oindex[mine, columns], expected[np.ix_(mine, columns)]
            )
            np.testing.assert_array_equal(array.vindex[points], expected[points])

    with config.scope(concurrency=2):
        together(THREADS, work)
    np.testing.assert_array_equal(array[...], expected)


@pytest.mark.parametrize("place", ["local", "memory"])
def test_forks_in_the_middle_of_writes(
    place: str, tmp_path: Path, run_in_forked_child: Fork
) -> None:
    array = made(place, tmp_path, "shards")
    stop = threading.Event()
    half = slice(0, 4 * EDGE)  # the shards of the threads; the others are the children's

    def keep_writing(number: int) -> None:
        rows = slice(number * EDGE, (number + 1) * EDGE)
        for count in itertools.count(1):
            array[rows] = count
            assert (array[rows] == count).all()
            if stop.is_set():
                return

    def in_child() -> int:
        array[4 * EDGE :, :] = 7
        array[5 * EDGE : 5 * EDGE + 3, 1:9] = 8
        assert all((chunk == chunk.flat[0]).all() for _, chunk in chunks_of(array[half]))
        return int(array[4 * EDGE :, :].sum())

    wanted = 7 * 4 * EDGE * SHAPE[1] + 3 * 8

    def work(number: int) -> None:
        if number < 3:
            keep_writing(number)
            return
        try:
            for _ in range(6):
                assert run_in_forked_child(in_child) == ("returned", wanted)
        finally:
            stop.set()

    with config.scope(concurrency=3):
        together(4, work)
    if place == "local":  # a child's memory is its own
        assert int(array[4 * EDGE :, :].sum()) == wanted


PROGRAM = """
import multiprocessing, sys
import anyzarr

def work(number):
    array = anyzarr.open_array(sys.argv[1], engine="native")
    assert array.engine == "native"
    rows = slice(number * 16, number * 16 + 16)
    for count in range(1, 6):
        array[rows] = 100 * number + count
        assert (array[rows] == 100 * number + count).all()
    return number

if __name__ == "__main__":
    array = anyzarr.open_array(sys.argv[1], engine="native")
    array[...] = 1  # the pool of the parent runs
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        print(*pool.map(work, range(8)))
"""


def test_spawned_processes_write_chunks_of_their_own(tmp_path: Path) -> None:
    array = made("local", tmp_path, "chunks")
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    argv = [sys.executable, str(program), str(tmp_path / "a.zarr")]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    assert (done.stdout.split(), done.stderr) == ([str(n) for n in range(8)], "")
    assert array[::EDGE, 0].tolist() == [100 * n + 5 for n in range(8)]

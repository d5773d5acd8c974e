"""What native survives: a kill, a fork, many threads, an interrupt, little memory."""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anyzarr import config
from anyzarr.abc import ArrayIO, Box, Store
from anyzarr.metadata import ArrayMetadata, array_document, parse_array
from anyzarr.stores import LocalStore, MemoryStore
from anyzarr.testing import assert_identical

from .._counts import record_counts  # noqa: TID252 (tests are no installed package)

pytest.importorskip("anyzarr_native", reason="the native engine is not built")

from anyzarr.engines._native import NativeEngine

ENGINE = NativeEngine()
Fork = Callable[[Callable[[], Any]], tuple[str, Any]]

CHILD = """
import json, sys
import numpy as np
from anyzarr.abc import Box
from anyzarr.engines._native import NativeEngine
from anyzarr.metadata import parse_array
from anyzarr.stores import LocalStore
root, document = sys.argv[1], json.loads(sys.argv[2])
metadata = parse_array(document)
full = Box.full(metadata.shape)
io = NativeEngine().open(metadata, LocalStore(root), "a")
"""


def metadata_of(**options: Any) -> ArrayMetadata:
    defaults = {"shape": (96, 80), "dtype": "uint32", "chunks": (16, 16), "compressors": "zstd"}
    return parse_array(array_document(**{**defaults, **options}))


def opened(metadata: ArrayMetadata, store: Store) -> ArrayIO:
    return ENGINE.open(metadata, store, "a")


def noise(metadata: ArrayMetadata, seed: int = 0) -> npt.NDArray[Any]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 100, metadata.shape).astype(metadata.dtype)


def filled(store: Store, **options: Any) -> tuple[ArrayMetadata, npt.NDArray[Any]]:
    metadata = metadata_of(**options)
    values = noise(metadata)
    opened(metadata, store).write(Box.full(metadata.shape), values)
    return metadata, values


def read(metadata: ArrayMetadata, store: Store, box: Box | None = None) -> npt.NDArray[Any]:
    box = box or Box.full(metadata.shape)
    out: npt.NDArray[Any] = np.empty(box.shape, metadata.dtype)
    opened(metadata, store).read(box, out)
    return out


def files(store: Store) -> dict[str, bytes | None]:
    return {info.key: store.get(info.key) for info in store.list()}


def run_child(program: str, root: Path, metadata: ArrayMetadata, **options: Any) -> Any:
    argv = [sys.executable, "-c", CHILD + program, str(root), json.dumps(dict(metadata.document))]
    return subprocess.run(argv, capture_output=True, text=True, timeout=120, check=True, **options)


# ------------------------------------------------------------------ a killed writer

REWRITE = """
import itertools
print("ready", flush=True)
for number in itertools.count(int(sys.argv[3])):
    io.write(full, np.full(metadata.shape, number, metadata.dtype))
"""

LAYOUTS: dict[str, dict[str, Any]] = {
    "chunks": {"chunks": (32, 32), "shape": (256, 256)},
    "shards": {"chunks": (16, 16), "shards": (128, 128), "shape": (256, 256)},
    "one shard": {"chunks": (16, 16), "shards": (256, 256), "shape": (256, 256)},
    "raw": {"chunks": (64, 64), "shape": (256, 256), "compressors": None},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_killed_writer_leaves_chunks_old_or_new(layout: str, tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    metadata = metadata_of(**LAYOUTS[layout])
    stored_shape = metadata.grid.chunk_shape
    assert stored_shape is not None
    chance = random.Random(layout)
    opened(metadata, store).write(
        Box.full(metadata.shape), np.full(metadata.shape, 1, metadata.dtype)
    )
    document = json.dumps(dict(metadata.document))
    argv = [sys.executable, "-c", CHILD + REWRITE, str(tmp_path), document]
    before = dict.fromkeys(itertools.product(*(range(0, 256, n) for n in stored_shape)), 1)
    found: Counter[str] = Counter()
    for _ in range(4):
        first = max(before.values()) + 1
        with subprocess.Popen([*argv, str(first)], stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == b"ready\n"
            time.sleep(chance.uniform(0, 0.06))
            child.send_signal(signal.SIGKILL)
        whole = read(metadata, store)
        after = {}
        for corner in before:
            cell = whole[tuple(slice(a, a + n) for a, n in zip(corner, stored_shape, strict=True))]
            assert (cell == cell.flat[0]).all(), corner
            after[corner] = int(cell.flat[0])
            found["old" if after[corner] == before[corner] else "new"] += 1
        # Each is as it was, or of one of the last two passes.
        newest = max(after.values())
        for corner, value in after.items():
            assert value >= newest - 1 or (value == before[corner] and newest <= first)
        before = after
        # Whatever is left of files being written, nobody sees it.
        names = {info.key for info in store.list("a/")}
        assert len(names) == (256 // stored_shape[0]) ** 2
        assert all(name.startswith("a/c/") for name in names)
        assert not [k for k in store.list_level("a/c/0/").keys if "anyzarr" in k]
    record_counts("native writers killed", kills=4, objects_old=found["old"], new=found["new"])


PATCH = """
import itertools
for number in itertools.count(2):
    value = np.full((20, 20), number, metadata.dtype)
    for at in (3, 50, 100):
        io.write(Box((at, at), (at + 20, at + 20), (1, 1)), value)
    if number == 2:
        print("ready", flush=True)
"""


def test_a_killed_update_leaves_the_rest_of_a_shard_alone(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    metadata = metadata_of(**LAYOUTS["one shard"])
    values = noise(metadata)
    opened(metadata, store).write(Box.full(metadata.shape), values)
    argv = [sys.executable, "-c", CHILD + PATCH, str(tmp_path), json.dumps(dict(metadata.document))]
    untouched = np.ones(metadata.shape, bool)
    for at in (3, 50, 100):
        untouched[at : at + 20, at : at + 20] = False
    for _ in range(3):
        with subprocess.Popen(argv, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == b"ready\n"
            time.sleep(random.Random(3).uniform(0.01, 0.05))
            child.send_signal(signal.SIGKILL)
        found = read(metadata, store)
        np.testing.assert_array_equal(found[untouched], values[untouched])
        for at in (3, 50, 100):
            assert len(np.unique(found[at : at + 20, at : at + 20])) == 1


# ------------------------------------------------------------------ memory

MEASURE = """
import resource
out = np.ones(metadata.shape, metadata.dtype)  # the pages are there before we measure
io.read(Box((0,) * out.ndim, (1,) * out.ndim, (1,) * out.ndim), out[:1, :1, :1])
if sys.argv[3] == "fresh":
    del out
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")  # forget the peak so far
def of(name):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(name))
before = of("VmRSS")
if sys.argv[3] == "fresh":
    out = np.empty(metadata.shape, metadata.dtype)
io.read(full, out)
print(of("VmHWM") - before, int(out[3, 5, 7]), int(out[-1, -1, -1]))
"""

MEMORY_LAYOUTS: dict[str, dict[str, Any]] = {
    "chunks": {"chunks": (64, 64, 64)},
    "large chunks": {"chunks": (64, 512, 512)},
    "planes": {"chunks": (1, 512, 512)},
    "shards": {"chunks": (32, 32, 32), "shards": (64, 512, 512)},
    "turned": {"chunks": (64, 256, 256), "filters": [{"name": "transpose"}]},
}


def measure(tmp_path: Path, depth: int, layout: dict[str, Any], memory: str) -> None:
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("memory cannot be measured here")
    options = dict(layout)
    if "filters" in options:
        options["filters"] = [{"name": "transpose", "configuration": {"order": [2, 0, 1]}}]
    metadata = metadata_of(shape=(depth, 512, 512), dtype="uint16", **options)
    io = opened(metadata, LocalStore(tmp_path))
    index = np.arange(512)
    plane = (index[:, None] * 3 + index).astype("uint16")
    for start in range(0, depth, 64):
        slab = np.arange(start, start + 64)[:, None, None].astype("uint16") + plane
        io.write(Box((start, 0, 0), (start + 64, 512, 512), (1, 1, 1)), slab)
    program = CHILD + MEASURE
    argv = [sys.executable, "-c", program, str(tmp_path), json.dumps(dict(metadata.document))]
    environment = {**os.environ, "ANYZARR_CONCURRENCY": "4"}
    done = subprocess.run(
        [*argv, memory], capture_output=True, text=True, timeout=200, check=True, env=environment
    )
    added, first, last = (int(word) for word in done.stdout.split())
    assert (first, last) == (3 + 15 + 7, (depth - 1 + 511 * 4) % 65536)
    output = depth * 512 * 512 * 2
    limit = (1.1 * output if memory == "fresh" else 0.1 * output) + (64 << 20)
    assert added * 1024 <= limit, f"{added >> 10} MiB, {output >> 20} MiB of them are the output"


@pytest.mark.parametrize("memory", ["fresh", "reused"])
@pytest.mark.parametrize("layout", MEMORY_LAYOUTS)
def test_reading_takes_little_memory(layout: str, memory: str, tmp_path: Path) -> None:
    measure(tmp_path, 128, MEMORY_LAYOUTS[layout], memory)


@pytest.mark.slow
@pytest.mark.parametrize("depth", [512, 2048])
@pytest.mark.parametrize("layout", MEMORY_LAYOUTS)
def test_reading_a_gigabyte_takes_little_more(layout: str, depth: int, tmp_path: Path) -> None:
    measure(tmp_path, depth, MEMORY_LAYOUTS[layout], "fresh")


# ------------------------------------------------------------------ threads


@pytest.mark.parametrize("place", ["local", "memory"])
@pytest.mark.parametrize("options", [{}, {"chunks": (8, 8), "shards": (32, 32)}], ids=str)
def test_threads_read_and_write_regions_of_their_own(
    place: str, options: dict[str, Any], tmp_path: Path
) -> None:
    store: Store = LocalStore(tmp_path) if place == "local" else MemoryStore()
    metadata, expected = filled(store, shape=(256, 64), **{"chunks": (32, 32), **options})
    io = opened(metadata, store)
    errors: list[BaseException] = []
    start = threading.Barrier(8)

    def work(number: int) -> None:
        rng = np.random.default_rng(number)
        rows = slice(number * 32, number * 32 + 32)
        try:
            start.wait(20)
            for _ in range(12):
                a, b = sorted(rng.integers(0, 33, 2).tolist())
                c, d = sorted(rng.integers(0, 65, 2).tolist())
                if a == b or c == d:
                    continue
                box = Box((rows.start + a, c), (rows.start + b, d), (1, 1))
                value = rng.integers(0, 1000, box.shape).astype(metadata.dtype)
                io.write(box, value)
                expected[box.slices] = value
                mine = Box((rows.start, 0), (rows.stop, 64), (1, 1))
                out = np.empty(mine.shape, metadata.dtype)
                io.read(mine, out)
                assert_identical(out, expected[rows])
        except BaseException as error:  # noqa: BLE001 - raised below
            errors.append(error)

    with config.scope(concurrency=3):
        threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not errors
    assert_identical(read(metadata, store), expected)


def test_the_interpreter_is_free_during_a_read(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    metadata, values = filled(store, shape=(2048, 2048), chunks=(1024, 1024), compressors="gzip")
    io = opened(metadata, store)
    out = np.empty_like(values)
    # With a switch interval this long, a thread runs only when another lets go by itself.
    interval = sys.getswitchinterval()
    turns: list[int] = []
    reading = threading.Event()

    def count() -> None:
        number = 0
        while not reading.is_set():
            number += 1
            time.sleep(0.0005)
        turns.append(number)

    sys.setswitchinterval(100)
    try:
        thread = threading.Thread(target=count)
        thread.start()
        for _ in range(5):
            io.read(Box.full(metadata.shape), out)
        reading.set()
        thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert turns[0] > 10
    assert_identical(out, values)


THREADS = """
import os, threading
def count():
    return len(os.listdir("/proc/self/task"))
import anyzarr_native
before = count()
small = np.empty((1,) * len(metadata.shape), metadata.dtype)
io.read(Box((0, 0), (1, 1), (1, 1)), small)
after_small = count()
out = np.empty(metadata.shape, metadata.dtype)
from anyzarr import config
with config.scope(concurrency=1):
    io.read(full, out)
alone = count()
io.read(full, out)
print(before, after_small, alone, count(), int(out.sum(dtype="u8")))
"""


@pytest.mark.parametrize("wanted", [1, 2, 5])
def test_threads_are_started_when_wanted_and_as_many(wanted: int, tmp_path: Path) -> None:
    if not Path("/proc/self/task").is_dir():
        pytest.skip("threads cannot be counted here")
    metadata, values = filled(LocalStore(tmp_path), shape=(1024, 1024), chunks=(64, 64))
    environment = {
        **os.environ,
        "ANYZARR_CONCURRENCY": str(wanted),
        "OPENBLAS_NUM_THREADS": "1",  # numpy's own
    }
    done = run_child(THREADS, tmp_path, metadata, env=environment)
    before, small, alone, after, total = (int(word) for word in done.stdout.split())
    assert (before, small, alone) == (1, 1, 1)
    assert after == wanted
    assert total == int(values.sum(dtype="u8"))


@pytest.mark.parametrize("shards", [None, (128, 128)])
def test_concurrency_changes_nothing(shards: Any, tmp_path: Path) -> None:
    found, stored = [], []
    boxes = [Box((0, 0), (500, 480), (1, 1)), Box((3, 7), (499, 400), (7, 3))]
    for threads in (1, 2, 8, 64):
        store = LocalStore(tmp_path / str(threads))
        with config.scope(concurrency=threads):
            metadata, values = filled(store, shape=(500, 480), chunks=(32, 32), shards=shards)
            opened(metadata, store).write(Box((33, 5), (333, 300), (1, 1)), values[:300, :295])
            found.append([read(metadata, store, box) for box in boxes])
            stored.append(files(store))
    expected = values.copy()
    expected[33:333, 5:300] = values[:300, :295]
    for parts, content in zip(found, stored, strict=True):
        for part, box in zip(parts, boxes, strict=True):
            assert_identical(part, expected[box.slices])
        assert content == stored[0]


@pytest.mark.parametrize("place", ["local", "memory"])
@pytest.mark.parametrize("compressors", ["zstd", "gzip", "blosc", None])
def test_the_same_data_gives_the_same_bytes(place: str, compressors: Any, tmp_path: Path) -> None:
    chosen: Any = compressors
    if compressors == "blosc":
        chosen = {
            "name": "blosc",
            "configuration": {
                "cname": "zstd",
                "clevel": 5,
                "shuffle": "bitshuffle",
                "typesize": 4,
                "blocksize": 0,
            },
        }
    options = {"chunks": (16, 16), "shards": (64, 64), "compressors": chosen}
    stores: list[Store] = []
    for number, threads in enumerate((1, 5, 5)):
        stores.append(LocalStore(tmp_path / str(number)) if place == "local" else MemoryStore())
        with config.scope(concurrency=threads):
            metadata, values = filled(stores[-1], shape=(160, 130), **options)
            if number == 2:
                # By rows of chunks, from the last to the first, some of them twice.
                io = opened(metadata, stores[-1])
                io.write(Box.full(metadata.shape), noise(metadata, 9))
                for start in (128, 64, 0, 64):
                    box = Box((start, 0), (min(start + 64, 160), 130), (1, 1))
                    io.write(box, values[box.slices])
    contents = [files(store) for store in stores]
    assert len(contents[0]) == 9
    assert contents[0] == contents[1]
    assert contents[0] == contents[2]


# ------------------------------------------------------------------ processes


@pytest.mark.parametrize("place", ["local", "memory"])
def test_a_forked_child_reads_and_writes(
    place: str, tmp_path: Path, run_in_forked_child: Fork
) -> None:
    store: Store = LocalStore(tmp_path) if place == "local" else MemoryStore()
    with config.scope(concurrency=4):
        metadata, values = filled(store, shape=(512, 512), chunks=(32, 32))
        io = opened(metadata, store)
        assert_identical(read(metadata, store), values)

        def work() -> int:
            out = np.empty_like(values)
            io.read(Box.full(metadata.shape), out)
            io.write(Box.full(metadata.shape), out + 1)
            io.read(Box.full(metadata.shape), out)
            return int(out.sum(dtype="u8"))

        wanted = int((values + 1).sum(dtype="u8"))
        assert run_in_forked_child(work) == ("returned", wanted)
        # The parent goes on.
        assert int(read(metadata, store).sum(dtype="u8")) in {wanted, wanted - values.size}


def test_a_fork_in_the_middle_of_reads(tmp_path: Path, run_in_forked_child: Fork) -> None:
    store = LocalStore(tmp_path)
    with config.scope(concurrency=4):
        metadata, values = filled(store, shape=(512, 512), chunks=(16, 16), shards=(128, 128))
        stop = threading.Event()

        def keep_reading() -> None:
            with config.scope(concurrency=4):
                while not stop.is_set():
                    read(metadata, store)

        threads = [threading.Thread(target=keep_reading) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            total = int(values.sum(dtype="u8"))
            for _ in range(8):
                found = run_in_forked_child(lambda: int(read(metadata, store).sum(dtype="u8")))
                assert found == ("returned", total)
        finally:
            stop.set()
            for thread in threads:
                thread.join()


SPAWNED = """
import multiprocessing
def work(number):
    out = np.empty(metadata.shape, metadata.dtype)
    io.read(full, out)
    return int(out.sum(dtype="u8")) + number
if __name__ == "__main__":
    out = np.empty(metadata.shape, metadata.dtype)
    io.read(full, out)
    with multiprocessing.get_context(sys.argv[3]).Pool(2) as pool:
        print(*pool.map(work, range(4)))
"""


@pytest.mark.parametrize("method", ["spawn", "fork", "forkserver"])
def test_pools_of_processes(method: str, tmp_path: Path) -> None:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this system has no {method}")
    metadata, values = filled(LocalStore(tmp_path / "data"), shape=(256, 256))
    program = tmp_path / "program.py"
    program.write_text(CHILD + SPAWNED)
    argv = [sys.executable, "-W", "ignore", str(program), str(tmp_path / "data")]
    done = subprocess.run(
        [*argv, json.dumps(dict(metadata.document)), method],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    total = int(values.sum(dtype="u8"))
    assert [int(word) for word in done.stdout.split()] == [total + n for n in range(4)]


@pytest.mark.parametrize("action", ["read", "write"])
@pytest.mark.parametrize("place", ["local", "memory"])
def test_an_interrupt_breaks_nothing(place: str, action: str, tmp_path: Path) -> None:
    store: Store = LocalStore(tmp_path) if place == "local" else MemoryStore()
    metadata, values = filled(store, shape=(768, 512), chunks=(64, 64), compressors="gzip")
    io, full = opened(metadata, store), Box.full(metadata.shape)
    main = threading.main_thread().ident
    assert main is not None
    interrupted = 0
    for delay in (0.0, 0.001, 0.003, 0.01, 0.03):
        out = np.empty_like(values)
        timer = threading.Timer(delay, signal.pthread_kill, (main, signal.SIGINT))
        with contextlib.suppress(KeyboardInterrupt):
            try:
                timer.start()
                for _ in range(20):
                    io.read(full, out) if action == "read" else io.write(full, values)
                timer.join()
            except KeyboardInterrupt:
                interrupted += 1
            timer.join()
        assert_identical(read(metadata, store), values)
    assert interrupted
    assert not [name for _, _, found in os.walk(tmp_path) for name in found if "tmp" in name]


# ------------------------------------------------------------------ memory to read into


@st.composite
def buffers(draw: st.DrawFn, shape: Sequence[int], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Memory with any strides: turned, with steps, backwards, unaligned, inside something."""
    axes = draw(st.permutations(range(len(shape))))
    steps = [draw(st.sampled_from([1, 1, 2, 3, -1, -2])) for _ in shape]
    margins = [draw(st.integers(0, 2)) for _ in shape]
    outer = [n * abs(s) + 2 * m for n, s, m in zip(shape, steps, margins, strict=True)]
    skew = draw(st.sampled_from([0, 0, 1, 3]))
    memory = np.full(int(np.prod(outer)) * dtype.itemsize + skew, 0xA5, "u1")
    stored = [outer[axis] for axis in axes]
    array = memory[skew:].view(dtype).reshape(stored).transpose(np.argsort(axes))
    if draw(st.booleans()):
        array = array[tuple(slice(m, m + n * abs(s)) for n, s, m in _zip(shape, steps, margins))]
    else:
        array = array[tuple(slice(0, n * abs(s)) for n, s in zip(shape, steps, strict=True))]
    return array[tuple(slice(None, None, s) for s in steps)]


def _zip(*parts: Sequence[int]) -> Any:
    return zip(*parts, strict=True)


@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_reads_into_and_writes_from_any_memory(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    ndim = data.draw(st.integers(1, 4), label="ndim")
    shape = tuple(data.draw(st.integers(1, 9)) for _ in range(ndim))
    chunks = tuple(data.draw(st.integers(1, 9)) for _ in range(ndim))
    dtype = data.draw(st.sampled_from(["u1", "u2", "f4", "i8", "c16", "?"]), label="dtype")
    compressors = data.draw(st.sampled_from([None, "zstd"]), label="compressors")
    metadata = metadata_of(shape=shape, chunks=chunks, dtype=dtype, compressors=compressors)
    store: Store = MemoryStore()
    if data.draw(st.booleans(), label="local"):
        store = LocalStore(tmp_path_factory.mktemp("memory"))
    values = noise(metadata)
    source = data.draw(buffers(shape, metadata.dtype))
    source[...] = values
    opened(metadata, store).write(Box.full(shape), source)
    bounds = [sorted(data.draw(st.tuples(st.integers(0, n - 1), st.integers(1, n)))) for n in shape]
    start = tuple(min(a, n - 1) for (a, _), n in zip(bounds, shape, strict=True))
    stop = tuple(max(b, a + 1) for (_, b), a in zip(bounds, start, strict=True))
    box = Box(start, stop, tuple(data.draw(st.integers(1, 4)) for _ in shape))
    out = data.draw(buffers(box.shape, metadata.dtype))
    around = _memory_of(out)
    mask = np.zeros(around.size, bool)
    for byte in range(out.itemsize):
        mask[_offsets(out, around) + byte] = True
    opened(metadata, store).read(box, out)
    assert_identical(out, values[box.slices])
    assert (around[~mask] == 0xA5).all(), "bytes beside the buffer were written"


def _memory_of(array: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    base: Any = array
    while base.base is not None:
        base = base.base
    return base


def _offsets(array: npt.NDArray[Any], memory: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    first = array.__array_interface__["data"][0] - memory.__array_interface__["data"][0]
    offsets = np.full(array.shape, first, "i8")
    for axis, (n, stride) in enumerate(zip(array.shape, array.strides, strict=True)):
        where = np.arange(n) * stride
        offsets += where.reshape([-1 if d == axis else 1 for d in range(array.ndim)])
    return offsets.reshape(-1)


def test_writes_from_memory_without_strides() -> None:
    metadata, store = metadata_of(), MemoryStore()
    for value in (np.broadcast_to(np.uint32(7), (96, 80)), np.arange(80, dtype="u4")[None]):
        spread = np.broadcast_to(value, (96, 80))
        opened(metadata, store).write(Box.full(metadata.shape), spread)
        assert_identical(read(metadata, store), np.ascontiguousarray(spread))


def test_buffers_that_are_no_arrays_of_numpy(tmp_path: Path) -> None:
    from anyzarr_native import NativeError, Plan

    metadata, values = filled(LocalStore(tmp_path))
    plan: Plan = opened(metadata, LocalStore(tmp_path)).native_handle
    where = (str(tmp_path), "a", (0, 0), (96, 80), (1, 1))
    for memory in (bytearray(values.nbytes), (ctypes.c_uint8 * values.nbytes)()):
        out = memoryview(memory).cast("B").cast("I", (96, 80))
        plan.read_local(*where, out, 2)
        assert bytes(memory) == values.tobytes()
    locked = np.empty_like(values)
    locked.flags.writeable = False
    for refused in (locked, bytes(values.nbytes), None, 3):
        with pytest.raises((NativeError, BufferError, TypeError, ValueError)):
            plan.read_local(*where, refused, 2)

"""Memory stays within a few shards, however large the image."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

import anyzarr
from anyzarr._convert import _memory

SIDE, PLANES = 2048, 24  # 192 MiB of uint16

SCRIPT = """
import sys, tracemalloc
import anyzarr
from anyzarr._convert import _memory
anyzarr.config.set(concurrency=2).__enter__()
options = dict(chunks=(1, 512, 512), shards=(1, 2048, 2048), engine=sys.argv[3])
tracemalloc.start()
anyzarr.convert(sys.argv[1], sys.argv[2], **options)
print(tracemalloc.get_traced_memory()[1] >> 20)
"""


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("target", ["a.zarr", "a.ozx"])
def test_a_stack_of_192_mib_takes_a_few_shards(
    tmp_path: Path, compression: str | None, target: str
) -> None:
    plane = (np.arange(SIDE * SIDE, dtype="u4") >> 8).astype("u2").reshape(SIDE, SIDE)
    with tifffile.TiffWriter(tmp_path / "a.tif", bigtiff=True) as tiff:
        tiff.write(
            (plane + np.uint16(i) for i in range(PLANES)),
            shape=(PLANES, SIDE, SIDE), dtype="u2", metadata={"axes": "TYX"},
            photometric="minisblack", compression=compression, rowsperstrip=64,
        )  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, tmp_path / "a.tif", tmp_path / target, "zarrs"],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    shard_mib = SIDE * SIDE * 2 >> 20
    assert int(done.stdout) <= 12 * shard_mib


TEN_TIMES = """
import os, sys, threading
import anyzarr, anyzarr._convert
from anyzarr.errors import AnyzarrError

def held():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith("RssAnon"))

before, most, done = held(), 0, threading.Event()

def watch():
    global most
    while not done.wait(0.002):
        most = max(most, held())

watcher = threading.Thread(target=watch)
watcher.start()
try:
    anyzarr.convert(sys.argv[1], sys.argv[2], axes="zyx", memory="80MB", workers=2)
finally:
    done.set()
    watcher.join()
print(most - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="reads Linux's /proc")
def test_ten_times_the_memory_it_may_take(tmp_path: Path) -> None:
    shape = (200, 1024, 2048)  # 839 MB
    source = np.lib.format.open_memmap(tmp_path / "a.npy", "w+", "u2", shape)
    plane = np.random.default_rng(0).integers(0, 500, shape[1:]).astype("u2")
    for z in range(shape[0]):
        source[z] = plane + np.uint16(z)
    source.flush()
    done = subprocess.run(
        [sys.executable, "-c", TEN_TIMES, tmp_path / "a.npy", tmp_path / "a.zarr"],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert source.nbytes > 10 * 80_000_000
    assert int(done.stdout) <= 80_000_000
    with anyzarr.open_ome_zarr(tmp_path / "a.zarr") as image:
        assert (image.data[77] == plane + 77).all()
        assert image.data.shards is not None


def test_shards_are_small_enough_for_each_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_memory, "free_bytes", lambda: 100 << 20)
    np.save(tmp_path / "a.npy", np.zeros((64, 512, 512), "u2"))
    sizes = []
    for options in ({}, {"memory": "48MB"}, {"memory": "48MB", "processes": True, "workers": 4}):
        plan = anyzarr.convert(
            tmp_path / "a.npy", tmp_path / "b.zarr", axes="zyx", dry_run=True, **options
        ).plan
        assert plan is not None
        assert plan.shards is not None
        sizes.append(int(np.prod(plan.shards)) * 2)
    assert sizes[0] == 64 * 512 * 512 * 2, "the layout does not depend on what memory is free"
    assert sizes[1] <= 48_000_000 // 6
    assert sizes[2] <= 48_000_000 // 4 // 6

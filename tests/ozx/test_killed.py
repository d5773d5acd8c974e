"""Killed at any moment, packing and direct writing leave what was there, or the whole archive."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from anyzarr.stores import find_debris, remove_debris

from .._counts import record_counts  # noqa: TID252 (tests are no installed package)

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")

TRIALS = int(os.environ.get("ANYZARR_KILLS", "12"))
LEFTOVER = re.compile(r"\.x\.ozx\.[0-9a-f]{12}\.partial")

# Forks for each trial, so that none of them waits for the imports.
WORK = """
import gc, os, signal, sys
import numpy as np
import anyzarr

how, folder, target, place = sys.argv[1:]
noise = np.random.default_rng(0).integers(0, 65535, (40, 256, 1024)).astype("u2")

def direct(at, **options):
    with anyzarr.open_ome_zarr(at, mode="w", axes="zyx", **options) as image:
        image.create_image("0", noise, chunks=(1, 128, 128), shards=False)

def work():
    if how == "direct":
        direct(target, backend="zip")
    else:
        anyzarr.convert(folder, target, overwrite=True)

direct(folder)
anyzarr.convert(folder, place)
print("ready", flush=True)
for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            work()
        except KeyboardInterrupt:
            pass  # and with it all that its traceback holds, as at the end of a process
        finally:
            gc.collect()
            os._exit(0)
    print(pid, flush=True)
    os.waitpid(pid, 0)
    print("ended", flush=True)
"""


class Worker:
    """Starts the work again and again, and kills it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._in, self._out = process.stdin, process.stdout
        assert self._out.readline() == "ready\n"

    def run(self, kill_after: float | None, how: signal.Signals = signal.SIGKILL) -> float:
        """Do the work, sent a signal after some seconds; return how long it took."""
        self._in.write("go\n")
        self._in.flush()
        pid = int(self._out.readline())
        started = time.perf_counter()
        if kill_after is not None:
            time.sleep(kill_after)
            # Waited for by its parent only once we have read that it ended.
            with suppress(ProcessLookupError):
                os.kill(pid, how)
        assert self._out.readline() == "ended\n"
        return time.perf_counter() - started


@contextmanager
def worker(how: str, folder: Path, target: Path, place: Path) -> Iterator[Worker]:
    arguments = [sys.executable, "-c", WORK, how, folder, target, place]
    with subprocess.Popen(
        arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Worker(process)
        assert process.stdin is not None
        process.stdin.close()


@pytest.mark.parametrize("how", ["pack", "direct"])
def test_what_is_there_is_old_or_whole(how: str, tmp_path: Path) -> None:
    target = tmp_path / "out" / "x.ozx"
    target.parent.mkdir()
    chance = random.Random(0)
    found: Counter[str] = Counter()
    # Same names, so that the same bytes are to come out of both ways.
    (tmp_path / "in").mkdir()
    with worker(how, tmp_path / "in" / "x.ozx", target, tmp_path / "whole.ozx") as work:
        whole = (tmp_path / "whole.ozx").read_bytes()
        seconds = min(work.run(None) for _ in range(3))
        assert target.read_bytes() == whole
        for trial in range(TRIALS):
            old = [None, b"old"][trial % 2]
            target.unlink(missing_ok=True)
            if old is not None:
                target.write_bytes(old)
            work.run(chance.uniform(0, 1.2 * seconds))
            now = target.read_bytes() if target.exists() else None
            found["whole" if now == whole else "old" if now == old else "broken"] += 1
            assert now in (old, whole), f"killed in trial {trial}"
            leftovers = [path for path in target.parent.iterdir() if path != target]
            assert all(LEFTOVER.fullmatch(path.name) for path in leftovers)
            debris = find_debris(target) if now or leftovers else []
            assert {item.path for item in debris} == {str(path) for path in leftovers}
            found["with leftovers"] += bool(leftovers)
        work.run(None)
        assert target.read_bytes() == whole, "leftovers are in nobody's way"
    removed = remove_debris(find_debris(target), min_age_seconds=0)
    record_counts(
        "archives killed while they were made",
        kills=TRIALS,
        old=found["old"],
        new=found["whole"],
        broken=found["broken"],
        leftovers_removed=len(removed),
    )
    assert found["old"] > 0
    assert found["with leftovers"] > 0
    # What a killed conversion left is in the place that the next one to the target takes.
    assert len(removed) == (len(leftovers) if how == "direct" else 0)
    assert [path.name for path in target.parent.iterdir()] == [target.name]
    assert target.read_bytes() == whole


@pytest.mark.parametrize("how", ["pack", "direct"])
def test_ctrl_c_leaves_no_part_of_an_archive(how: str, tmp_path: Path) -> None:
    target = tmp_path / "out" / "x.ozx"
    target.parent.mkdir()
    chance = random.Random(0)
    found: Counter[str] = Counter()
    (tmp_path / "in").mkdir()
    with worker(how, tmp_path / "in" / "x.ozx", target, tmp_path / "whole.ozx") as work:
        whole = (tmp_path / "whole.ozx").read_bytes()
        seconds = min(work.run(None) for _ in range(2))
        for trial in range(max(4, TRIALS // 2)):
            old = [None, b"old"][trial % 2]
            target.unlink(missing_ok=True)
            if old is not None:
                target.write_bytes(old)
            # Not before the handler is there.
            work.run(chance.uniform(0.1, 1) * seconds, signal.SIGINT)
            now = target.read_bytes() if target.exists() else None
            found["whole" if now == whole else "stopped" if now == old else "broken"] += 1
            assert now in (old, whole), f"interrupted in trial {trial}"
            assert [path for path in target.parent.iterdir() if path != target] == []
    record_counts(
        "archives interrupted while they were made",
        old=found["stopped"],
        new=found["whole"],
        broken=found["broken"],
    )
    assert found["stopped"] > 0

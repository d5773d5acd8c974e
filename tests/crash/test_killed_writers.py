"""Writers that are killed at random moments, or run out of memory: every object is old or new.

What they leave behind confuses no reader, and is found and removed. ``ANYZARR_KILLS`` sets how
often each is killed.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from anyzarr.stores import LocalStore, find_debris, remove_debris

from .._counts import record_counts  # noqa: TID252 (tests are no installed package)
from ._refusals import engines
from ._writers import OUT_OF_MEMORY, WRITERS

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")

KILLS = int(os.environ.get("ANYZARR_KILLS", "3"))
LONGEST_SECONDS = 0.08
PROGRAM = Path(__file__).with_name("_writers.py")
INSTALLED = [n for n in WRITERS if ", " not in n or n.split(", ")[1] in engines()]


class Forking:
    """Starts the same writer again and again."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._in, self._out = process.stdin, process.stdout

    def start(self, first: int, megabytes: float = 0) -> int:
        """Start it; return its process id when it is at work."""
        self._in.write(f"{first} {megabytes}\n")
        self._in.flush()
        return int(self._out.readline())

    def end(self, pid: int, kill_after: float | None) -> int:
        """Kill it after some seconds, if it does not end before; return its exit status."""
        if kill_after is not None:
            time.sleep(kill_after)
            # Its parent waits for it: until we read that it ended, the number is its own.
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return int(self._out.readline().removeprefix("ended "))


@contextmanager
def forking(kind: str, folder: Path) -> Iterator[Forking]:
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", str(PROGRAM), kind, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Forking(process)
        assert process.stdin is not None
        process.stdin.close()


def objects(folder: Path) -> dict[str, Any]:
    store = LocalStore(folder)
    others = {os.path.relpath(item.path, folder) for item in find_debris(folder)}
    return {i.key: store.get(i.key) for i in store.list("a/") if i.key not in others}


def clear_away(folder: Path) -> int:
    """Remove what was left behind, and nothing else; return how much it was."""
    before = objects(folder)
    found = find_debris(folder)
    assert not any(item.in_use for item in found)
    assert len(remove_debris(found, min_age_seconds=0)) == len(found)
    assert find_debris(folder) == []
    assert objects(folder) == before, "what readers see has changed"
    return len(found)


@pytest.mark.parametrize("kind", INSTALLED)
def test_what_a_killed_writer_leaves(kind: str, tmp_path: Path) -> None:
    writer = WRITERS[kind]
    chance = random.Random(kind)
    found: Counter[str] = Counter()
    writer.prepare(tmp_path)
    state = writer.check(tmp_path, None, Counter())
    leftovers = 0
    with forking(kind, tmp_path) as fork:
        for trial in range(KILLS):
            pid = fork.start(100_000 * (trial + 1))
            assert fork.end(pid, chance.uniform(0, LONGEST_SECONDS)) == -signal.SIGKILL
            state = writer.check(tmp_path, state, found)
            leftovers += clear_away(tmp_path)
        # It goes on from what was left.
        pid = fork.start(100_000 * (KILLS + 1))
        fork.end(pid, 0)
        writer.check(tmp_path, state, found)
        leftovers += clear_away(tmp_path)
    record_counts(
        "writers killed",
        kills=KILLS + 1,
        objects_old=found["old"],
        objects_new=found["new"],
        torn=found["torn"],
        leftovers_removed=leftovers,
    )
    assert found["torn"] == 0
    assert found["old"] + found["new"] > KILLS


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs the size of a process")
@pytest.mark.parametrize("kind", [kind for kind in INSTALLED if kind.startswith("shards")])
def test_what_a_writer_without_memory_leaves(kind: str, tmp_path: Path) -> None:
    writer = WRITERS[kind]
    chance = random.Random(kind)
    found: Counter[str] = Counter()
    statuses: Counter[int] = Counter()
    writer.prepare(tmp_path)
    state = writer.check(tmp_path, None, Counter())
    leftovers = 0
    with forking(kind, tmp_path) as fork:
        for trial in range(KILLS):
            # Where there is enough after all, it is killed.
            pid = fork.start(100_000 * (trial + 1), chance.uniform(-12, 4))
            status = fork.end(pid, 0.3)
            state = writer.check(tmp_path, state, found)
            leftovers += clear_away(tmp_path)
            statuses[status] += 1
            assert status not in (0, 1), "it ends of this alone (the C library's way is 127)"
    record_counts(
        "writers without memory",
        errors=statuses[OUT_OF_MEMORY],
        killed=KILLS - statuses[OUT_OF_MEMORY],
        objects_old=found["old"],
        objects_new=found["new"],
        torn=found["torn"],
        leftovers_removed=leftovers,
    )
    assert found["torn"] == 0

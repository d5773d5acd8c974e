"""Lost updates: several writers of parts of the same shards, each with elements of its own.

How many elements are not as their writer wrote them, of us and of zarr-python. Time is told too,
but what is wrong is not worth its time.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from _measure import RESULTS, described, machine

import anyzarr

SHAPE, CHUNKS, SHARDS, ROUNDS = (256, 256), (16, 16), (128, 128), 40
WRITER = """
import sys, time, numpy as np
library, path, number, n, rounds = sys.argv[1:]
if library == "zarr":
    import zarr
    array = zarr.open_array(path, mode="r+")
else:
    import anyzarr
    array = anyzarr.open_array(path, mode="r+")
number, n = int(number), int(n)
rng = np.random.default_rng(number)
for step in range(int(rounds)):
    row = int(rng.integers(array.shape[0] // n)) * n + number
    array[row, :] = 1 + number + 100 * row
"""


def values_of(n_writers: int) -> Any:
    """Return what must be in the array afterwards."""
    values = np.zeros(SHAPE, "int32")
    for number in range(n_writers):
        rng = np.random.default_rng(number)
        for _ in range(ROUNDS):
            row = int(rng.integers(SHAPE[0] // n_writers)) * n_writers + number
            values[row, :] = 1 + number + 100 * row
    return values


def threads(library: str, path: str, n: int) -> None:
    opened: Any = zarr.open_array if library == "zarr" else anyzarr.open_array
    array = opened(path, mode="r+")

    def work(number: int) -> None:
        rng = np.random.default_rng(number)
        for _ in range(ROUNDS):
            row = int(rng.integers(SHAPE[0] // n)) * n + number
            array[row, :] = 1 + number + 100 * row

    running = [threading.Thread(target=work, args=(number,)) for number in range(n)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()


def processes(library: str, path: str, n: int) -> None:
    running = [
        subprocess.Popen([sys.executable, "-c", WRITER, library, path, str(i), str(n), str(ROUNDS)])
        for i in range(n)
    ]
    for process in running:
        if process.wait() != 0:
            raise RuntimeError(f"a writer of {library} failed")


def measure(library: str, how: Callable[[str, str, int], None], n: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "a.zarr")
        anyzarr.create_array(path, shape=SHAPE, chunks=CHUNKS, shards=SHARDS, dtype="int32")
        before = time.perf_counter()
        how(library, path, n)
        seconds = time.perf_counter() - before
        wanted = values_of(n)
        wrong = (anyzarr.open_array(path)[:] != wanted)[wanted != 0]
        return {"wrong": float(wrong.mean()), "seconds": seconds}


def main() -> None:
    """Measure, print, and save."""
    lines = [
        "## Lost updates",
        "",
        described().replace(" Medians in milliseconds, all within one process, in turns.", ""),
        "",
    ]
    lines += ["| writers | anyzarr: wrong | zarr-python: wrong | anyzarr, s | zarr-python, s |"]
    lines += ["|---|---|---|---|---|"]
    results = []
    for name, how, n in (("8 threads", threads, 8), ("4 processes", processes, 4)):
        ours, theirs = measure("anyzarr", how, n), measure("zarr", how, n)
        results.append({"writers": name, "anyzarr": ours, "zarr-python": theirs})
        lines.append(
            f"| {name} | {ours['wrong']:.1%} | {theirs['wrong']:.1%} | {ours['seconds']:.2f} "
            f"| {theirs['seconds']:.2f} |"
        )
    lines += [
        "",
        f"Each writes {ROUNDS} rows of its own of a {SHAPE[0]}×{SHAPE[1]} int32 array, "
        f"{CHUNKS[0]}² "
        f"in {SHARDS[0]}² shards, whose rows all share shards with the others'. Share of the "
        "elements written that are not there afterwards. Processes include their start.",
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    (RESULTS / "updates.md").write_text(text)
    (RESULTS / "updates.json").write_text(
        json.dumps({"machine": machine(), "rows": results}, indent=2) + "\n"
    )


if __name__ == "__main__":
    main()

"""Table 5: the floor, a Rust program that does only the necessary work, beside the Rust core.

It knows every offset beforehand and reuses its contexts: one read per shard, the decoding and
the copying of rows, on as many threads as the engine. The program runs the floor and the core in
turns; between its runs, the engine does the same from Python, alone in a loop as they are.
"""

from __future__ import annotations

import json
import re
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from _jobs import create
from _measure import RESULTS, described, machine
from _peers import ENGINES, Array, Ours, whole

NATIVE = Path(__file__).resolve().parents[1] / "native"
_LINE = re.compile(
    r"^(?P<kind>\w+): (?P<what>\w+)\s+floor\s+(?P<floor>[\d.]+) ms, engine\s+(?P<core>[\d.]+) ms"
)
_COMMAND = ("cargo", "bench", "--quiet", "-p", "anyzarr-core", "--bench", "floor")
_RUNS = 5
_LOOPS = 15
_reason = ""

Key = tuple[str, str]
"""The kind of data, and ``read`` or ``write``."""


class Floor(NamedTuple):
    """Medians, in milliseconds, of the floor, the core alone, and the engine from Python."""

    floor_ms: float
    core_ms: float
    engine_ms: float


def measure(images: dict[str, Array]) -> dict[Key, Floor]:
    """Return the floor; nothing where it does not run."""
    global _reason
    if "native" not in ENGINES or shutil.which("cargo") is None:
        _reason = "the native engine is not built, or there is no cargo"
        return {}
    _reason = ""
    with tempfile.TemporaryDirectory() as folder:
        works = dict(_works(images, Path(folder)))
        taken: dict[Key, list[Floor]] = {}
        for turn in range(_RUNS + 1):
            printed = _run()
            for key, (floor_ms, core_ms) in printed.items():
                engine_ms = _loop(works[key])
                if turn:  # the first one may have built the program
                    taken.setdefault(key, []).append(Floor(floor_ms, core_ms, engine_ms))
    columns = {key: zip(*runs, strict=True) for key, runs in taken.items()}
    return {key: Floor(*map(statistics.median, found)) for key, found in columns.items()}


def of_layout(location: Path, data: Array) -> dict[str, float]:
    """Return the floor of an array that is there, in milliseconds: of ``read`` and ``write``.

    Empty where it does not run. The array has one codec and chunks that divide its shape.
    """
    if "native" not in ENGINES or shutil.which("cargo") is None:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(location / "zarr.json", folder)
        data.tofile(Path(folder) / "image.bin")
        return {what: floor_ms for (_, what), (floor_ms, _) in _run("--", folder).items()}


def _works(images: dict[str, Array], folder: Path) -> Iterator[tuple[Key, Callable[[], object]]]:
    for kind, data in images.items():
        create(folder / kind, data, chunks=(64, 64), shards=(512, 512), compressors="zstd:3")
        ours = Ours(folder / kind, "native")
        yield (kind, "read"), partial(ours.read_into, whole(data), np.zeros_like(data))
        yield (kind, "write"), partial(ours.write, whole(data), data)


def _loop(work: Callable[[], object]) -> float:
    times = []
    for _ in range(_LOOPS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e3


def _run(*arguments: str) -> dict[Key, tuple[float, float]]:
    global _reason
    command = (*_COMMAND, *arguments)
    done = subprocess.run(
        command, cwd=NATIVE, capture_output=True, text=True, check=False, timeout=900
    )
    if done.returncode:
        _reason = (done.stderr.strip().splitlines() or ["it failed"])[-1]
        return {}
    matches = [match for line in done.stdout.splitlines() if (match := _LINE.match(line))]
    if not matches:
        _reason = "what it printed was not understood"
    return {(m["kind"], m["what"]): (float(m["floor"]), float(m["core"])) for m in matches}


def report(floors: dict[Key, Floor]) -> None:
    """Print the table and save it."""
    lines = ["## Table 5: the floor, the Rust core, and the engine from Python", "", described()]
    if floors:
        lines += ["", "| job | floor | core | core ÷ floor | from Python | from Python ÷ floor |"]
        lines += ["|---|---|---|---|---|---|"]
        for (kind, what), (floor_ms, core_ms, engine_ms) in floors.items():
            lines.append(
                f"| {kind}: full {what} | {floor_ms:.2f} | {core_ms:.2f} "
                f"| {core_ms / floor_ms:.2f} | {engine_ms:.2f} | {engine_ms / floor_ms:.2f} |"
            )
        lines += ["", "The image of table 1, read into memory that is there."]
    else:
        lines += ["", f"NOT RUN: {_reason}. The columns of the floor are left out."]
    text = "\n".join([*lines, ""])
    print(text, flush=True)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "floor.md").write_text(text)
    rows = [{"kind": kind, "job": what, **f._asdict()} for (kind, what), f in floors.items()]
    data = {"machine": machine(), "rows": rows, "not_run": _reason or None}
    (RESULTS / "floor.json").write_text(json.dumps(data, indent=2) + "\n")


def main(full: bool = False) -> None:
    """Measure, print and save."""
    from table1 import images

    report(measure(images()))


if __name__ == "__main__":
    main()

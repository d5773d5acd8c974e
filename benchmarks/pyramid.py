"""Converting an image of (2, 64, 1024, 1024) uint16 to OME-Zarr 0.5 with a mean pyramid.

Whole processes: starting the interpreter and importing the library count, as they do for whoever
runs a script. Peak memory is what the system says of the process when it has ended, pages of the
mapped source file included.
"""

from __future__ import annotations

import compileall
import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _convert_jobs import AXES, JOBS, LEVELS
from _measure import RESULTS, described, machine
from table3 import image

import anyzarr

SHAPE = (2, 64, 1024, 1024)
ROUNDS = 5
TITLE = "Converting (2, 64, 1024, 1024) uint16 to OME-Zarr with a mean pyramid"
LAUNCHER = """
import json, os, sys, time
start = time.perf_counter()
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, used = os.wait4(child, 0)
seconds = time.perf_counter() - start
unit = 1 if sys.platform == "darwin" else 1024
print(json.dumps({
    "seconds": seconds,
    "cpu_seconds": used.ru_utime + used.ru_stime,
    "peak_mib": used.ru_maxrss * unit / 2**20,
}))
sys.exit(os.waitstatus_to_exitcode(status) != 0)
"""
NOTE = """Whole processes, in turns, from a .npy file of 256 MiB to three levels, each with its own
defaults of chunks, shards and codecs. yaozarrs makes no pyramids; its levels come from tensorstore.
Of the shorter times a good part is starting the interpreter and importing the library."""


@dataclass(frozen=True)
class Run:
    """What one process took."""

    seconds: float
    cpu_seconds: float
    peak_mib: float


def source_file(folder: Path) -> Path:
    """Write smooth structure with the noise of a camera."""
    path = folder / "image.npy"
    array = np.lib.format.open_memmap(path, "w+", np.uint16, SHAPE)
    for channel in range(SHAPE[0]):
        array[channel] = image(SHAPE[1:])[:: 1 if channel == 0 else -1]
    array.flush()
    return path


def run(name: str, source: Path, target: Path) -> Run:
    """Convert in a process of its own.

    A small process starts it: the system counts the memory of the one that forks as its own.
    """
    script = Path(__file__).with_name("_convert_jobs.py")
    command = [sys.executable, "-c", LAUNCHER, sys.executable, script, name, source, target]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise RuntimeError(lines[-1] if lines else f"exit code {done.returncode}")
    return Run(**json.loads(done.stdout.splitlines()[-1]))


def check(source: Path, target: Path) -> None:
    """Raise unless level 0 is the source, and level 1 a mean of it."""
    data = np.load(source, mmap_mode="r")
    with anyzarr.open_ome_zarr(target) as found:
        levels = found.levels
        if found.axis_names != list(AXES) or len(levels) != LEVELS:
            raise ValueError(f"{len(levels)} levels of axes {found.axis_names}")
        for index, level in enumerate(levels):
            shape = (SHAPE[0], *(n >> index for n in SHAPE[1:]))
            if level.shape != shape:
                raise ValueError(f"level {index} has shape {level.shape}, not {shape}")
        if not np.array_equal(levels[0][:, 20:24], data[:, 20:24]):
            raise ValueError("level 0 is not the source")
        means = data[:, 20:22].reshape(2, 1, 2, 512, 2, 512, 2).mean(axis=(2, 4, 6))
        if np.abs(levels[1][:, 10:11] - means).max() > 1:
            raise ValueError("level 1 is no mean of level 0")


def measure(folder: Path, rounds: int) -> tuple[dict[str, list[Run]], dict[str, str]]:
    """Run everyone in turns; who fails or is wrong is left out."""
    source, target = source_file(folder), folder / "out.zarr"
    found: dict[str, list[Run]] = {name: [] for name in JOBS}
    failed: dict[str, str] = {}
    shuffler = random.Random(0)
    for turn in range(rounds + 1):  # the first one warms the file caches up, and is checked
        names = [name for name in JOBS if name not in failed]
        shuffler.shuffle(names)
        for name in names:
            try:
                taken = run(name, source, target)
                if turn == 0:
                    check(source, target)
                else:
                    found[name].append(taken)
            except (RuntimeError, ValueError, anyzarr.errors.AnyzarrError) as error:
                failed[name] = " ".join(str(error).split())[:160]
            shutil.rmtree(target, ignore_errors=True)
    return {name: runs for name, runs in found.items() if name not in failed}, failed


def rows(found: dict[str, list[Run]]) -> list[dict[str, object]]:
    """Return one row per library: medians, and their ratios to ours."""
    medians = {
        name: Run(
            statistics.median(r.seconds for r in runs),
            statistics.median(r.cpu_seconds for r in runs),
            statistics.median(r.peak_mib for r in runs),
        )
        for name, runs in found.items()
    }
    ours = medians["anyzarr"]
    return [
        {
            "name": name,
            "rounds": len(found[name]),
            "seconds": median.seconds,
            "cpu_seconds": median.cpu_seconds,
            "peak_mib": median.peak_mib,
            "times_ours": median.seconds / ours.seconds,
            "memory_times_ours": median.peak_mib / ours.peak_mib,
        }
        for name, median in medians.items()
    ]


def markdown(table: list[dict[str, object]], failed: dict[str, str]) -> str:
    """Return the table."""
    about = described().replace("Medians in milliseconds, all within one process, in turns.", "")
    lines = [f"## {TITLE}", "", about.strip(), "", NOTE, ""]
    lines += ["| | seconds | processor seconds | peak memory, MiB | time ÷ ours | memory ÷ ours |"]
    lines += ["|---|---|---|---|---|---|"]
    for row in table:
        lines.append(
            "| {name} | {seconds:.2f} | {cpu_seconds:.2f} | {peak_mib:.0f} | {times_ours:.2f} "
            "| {memory_times_ours:.2f} |".format(**row)
        )
    lines += ["", *(f"* not done by {name}: {why}" for name, why in failed.items())]
    return "\n".join(lines).rstrip() + "\n"


def main(full: bool = False) -> None:
    """Measure, print and save."""
    # As an installer does for everyone else: a source tree may not be compiled.
    compileall.compile_dir(Path(anyzarr.__file__).parent, quiet=2)
    with tempfile.TemporaryDirectory() as folder:
        found, failed = measure(Path(folder), 2 * ROUNDS + 1 if full else ROUNDS)
    table = rows(found)
    text = markdown(table, failed)
    print(text, flush=True)
    RESULTS.mkdir(exist_ok=True)
    data = {"title": TITLE, "machine": machine(), "rows": table, "failed": failed}
    (RESULTS / "pyramid.json").write_text(json.dumps(data, indent=2) + "\n")
    (RESULTS / "pyramid.md").write_text(text)


if __name__ == "__main__":
    main()

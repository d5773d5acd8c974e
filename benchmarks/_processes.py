"""Measuring whole processes in turns: seconds, processor time, peak memory."""

from __future__ import annotations

import compileall
import json
import random
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from _measure import RESULTS, described, machine

import anyzarr

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

Row = dict[str, object]


@dataclass(frozen=True)
class Run:
    """What one process took; of a process with children, its own peak memory."""

    seconds: float
    cpu_seconds: float
    peak_mib: float


def run(command: Sequence[str | Path]) -> Run:
    """Run a command to its end.

    A small process starts it: the system counts the memory of the one that forks as its own.
    """
    launched = [sys.executable, "-c", LAUNCHER, *map(str, command)]
    done = subprocess.run(launched, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise RuntimeError(lines[-1] if lines else f"exit code {done.returncode}")
    return Run(**json.loads(done.stdout.splitlines()[-1]))


def measure(
    commands: Mapping[str, Sequence[str | Path]],
    target: Path,
    check: Callable[[Path], None],
    rounds: int,
) -> tuple[dict[str, list[Run]], dict[str, str]]:
    """Run everyone in turns; who fails or is wrong is left out.

    Parameters
    ----------
    commands
        By name; each writes to ``target``, which is removed after each.
    target
        Where they write.
    check
        Raises where what is there is wrong; called once for each.
    rounds
        How often each is measured; once before, which warms the file caches up.

    Returns
    -------
    found, failed
        The runs of those who did it, and why the others did not.
    """
    found: dict[str, list[Run]] = {name: [] for name in commands}
    failed: dict[str, str] = {}
    shuffler = random.Random(0)
    for turn in range(rounds + 1):
        names = [name for name in commands if name not in failed]
        shuffler.shuffle(names)
        for name in names:
            try:
                taken = run(commands[name])
                if turn == 0:
                    check(target)
                else:
                    found[name].append(taken)
            except (RuntimeError, ValueError, anyzarr.errors.AnyzarrError) as error:
                failed[name] = " ".join(str(error).split())[:160]
            shutil.rmtree(target, ignore_errors=True)
    return {name: runs for name, runs in found.items() if name not in failed}, failed


def rows(found: Mapping[str, Sequence[Run]], ours: str = "anyzarr") -> list[Row]:
    """Return one row per command: medians, and their ratios to ours."""
    medians = {
        name: Run(
            statistics.median(r.seconds for r in runs),
            statistics.median(r.cpu_seconds for r in runs),
            statistics.median(r.peak_mib for r in runs),
        )
        for name, runs in found.items()
    }
    own = medians[ours]
    return [
        {
            "name": name,
            "rounds": len(found[name]),
            "seconds": median.seconds,
            "cpu_seconds": median.cpu_seconds,
            "peak_mib": median.peak_mib,
            "times_ours": median.seconds / own.seconds,
            "memory_times_ours": median.peak_mib / own.peak_mib,
        }
        for name, median in medians.items()
    ]


def table_of(table: Sequence[Row], failed: Mapping[str, str]) -> list[str]:
    """Return the lines of a table."""
    lines = ["| | seconds | processor seconds | peak memory, MiB | time ÷ ours | memory ÷ ours |"]
    lines += ["|---|---|---|---|---|---|"]
    for row in table:
        lines.append(
            "| {name} | {seconds:.2f} | {cpu_seconds:.2f} | {peak_mib:.0f} | {times_ours:.2f} "
            "| {memory_times_ours:.2f} |".format(**row)
        )
    return [*lines, "", *(f"* not done by {name}: {why}" for name, why in failed.items())]


def head(title: str, note: str) -> list[str]:
    """Return the lines above a table."""
    about = described().replace("Medians in milliseconds, all within one process, in turns.", "")
    return [f"## {title}", "", about.strip(), "", note, ""]


def save(name: str, title: str, lines: Sequence[str], data: Mapping[str, object]) -> None:
    """Print and save results."""
    text = "\n".join(lines).rstrip() + "\n"
    print(text, flush=True)
    RESULTS.mkdir(exist_ok=True)
    document = {"title": title, "machine": machine(), **data}
    (RESULTS / f"{name}.json").write_text(json.dumps(document, indent=2) + "\n")
    (RESULTS / f"{name}.md").write_text(text)


def compile_sources() -> None:
    """Compile what an installer compiles for everyone else: a source tree may not be."""
    compileall.compile_dir(Path(anyzarr.__file__).parent, quiet=2)

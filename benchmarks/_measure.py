"""Time candidates in turn within one process, and report medians and ratios.

A candidate that gives a wrong result is not timed. The order within a turn is shuffled, so that
nobody always runs after the same neighbour.
"""

from __future__ import annotations

import gc
import importlib.metadata
import json
import os
import platform
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("anyzarr", "anyzarr-native", "numpy", "zarr", "zarrista", "zarrs", "tensorstore",
            "iohub", "ome-zarr", "ngff-zarr", "yaozarrs", "numcodecs", "obstore",
            "zarr-vectors")  # fmt: skip
ROUNDS = 5
MOST_ROUNDS = 101
OURS = "anyzarr native"

Work = Callable[[], object]
Check = Callable[[str, object], None]
Taken = tuple[float, float]
"""Seconds by the clock, and of processor time."""


@dataclass(frozen=True)
class Row:
    """The times of one job, per candidate, in milliseconds; median over the rounds.

    ``cpu_ms`` is processor time of all threads, which a busy machine disturbs less.
    """

    job: str
    ours: str
    median_ms: dict[str, float]
    failed: dict[str, str]
    rounds: int = 0
    floor_ms: float | None = None
    cpu_ms: dict[str, float] = field(default_factory=dict)
    extra: dict[str, dict[str, float]] = field(default_factory=dict)

    @property
    def best_peer(self) -> str | None:
        """The fastest candidate that is neither ours nor a base line, in brackets."""
        peers = {n: t for n, t in self.median_ms.items() if not n.startswith(("anyzarr", "("))}
        return min(peers, key=lambda name: peers[name]) if peers else None

    @property
    def ratio_to_best_peer(self) -> float | None:
        """How many times as long as ours the best peer takes."""
        best = self.best_peer
        if best is None or self.ours not in self.median_ms:
            return None
        return self.median_ms[best] / self.median_ms[self.ours]

    @property
    def ratio_to_floor(self) -> float | None:
        """How many times as long as the floor we take."""
        if self.floor_ms is None or self.ours not in self.median_ms:
            return None
        return self.median_ms[self.ours] / self.floor_ms

    def to_dict(self) -> dict[str, Any]:
        """Return everything the JSON holds of a row."""
        return {
            "job": self.job,
            "ours": self.ours,
            "rounds": self.rounds,
            "median_ms": self.median_ms,
            "cpu_ms": self.cpu_ms,
            "floor_ms": self.floor_ms,
            "best_peer": self.best_peer,
            "ratio_to_best_peer": self.ratio_to_best_peer,
            "ratio_to_floor": self.ratio_to_floor,
            "failed": self.failed,
            **({"extra": self.extra} if self.extra else {}),
        }


def compare(
    job: str,
    candidates: Mapping[str, Work],
    *,
    ours: str = OURS,
    check: Check | None = None,
    rounds: int = ROUNDS,
    seconds: float = 3.0,
) -> Row:
    """Check every candidate once, then time them in turns.

    Parameters
    ----------
    job, candidates, ours
        What is done, who does it (names of ours begin with ``anyzarr``), and who we compare.
    check
        Called with a candidate's name and what it returned; raises where that is wrong.
    rounds, seconds
        At least so many turns; more, up to 101, while they take less than so long.
    """
    failed: dict[str, str] = {}
    once = 0.0
    for name, work in candidates.items():
        try:
            start = time.perf_counter()
            result = work()  # warms caches up
            once += time.perf_counter() - start
            if check is not None:
                check(name, result)
            del result
        except Exception as error:  # noqa: BLE001 - a peer that cannot do the job is a result
            failed[name] = " ".join(f"{type(error).__name__}: {error}".split())[:120]
    able = [name for name in candidates if name not in failed]
    turns = max(rounds, min(MOST_ROUNDS, int(seconds / max(once, 1e-6))))
    times = _in_turns({name: candidates[name] for name in able}, turns)
    medians, cpu = (
        {name: statistics.median(pair[n] for pair in taken) * 1e3 for name, taken in times.items()}
        for n in (0, 1)
    )
    row = Row(job, ours, medians, failed, turns, cpu_ms=cpu)
    _tell(row)
    return row


def _tell(row: Row) -> None:
    """Show on a terminal how far it is."""
    if sys.stderr.isatty():
        ratio = row.ratio_to_best_peer
        sys.stderr.write(f"{row.job}: {'done' if ratio is None else f'{ratio:.2f}'}\n")


def _in_turns(candidates: Mapping[str, Work], turns: int) -> dict[str, list[Taken]]:
    times: dict[str, list[Taken]] = {name: [] for name in candidates}
    order = list(candidates)
    shuffler = random.Random(0)
    gc.collect()
    gc.disable()
    try:
        for _ in range(turns):
            shuffler.shuffle(order)
            for name in order:
                times[name].append(_timed(candidates[name]))
    finally:
        gc.enable()
    return times


def _timed(work: Work) -> Taken:
    start, cpu = time.perf_counter(), time.process_time()
    result = work()
    taken = time.perf_counter() - start, time.process_time() - cpu
    del result  # freeing it is not part of the job
    return taken


def machine() -> dict[str, object]:
    """Describe what the figures were taken on."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "absent"
    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "machine": platform.machine(),
        "processor": _processor(),
        "processors": len(os.sched_getaffinity(0)),
        "filesystem": _filesystem(),
        "load_at_end": round(os.getloadavg()[0], 2),
        "versions": versions,
    }


def _filesystem() -> str:
    """Return the kind of file system that temporary folders are on."""
    folder = Path(tempfile.gettempdir()).resolve()
    try:
        mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    except OSError:
        return "unknown"
    above = [(len(point), kind) for point, kind in mounts if folder.is_relative_to(point)]
    return max(above)[1] if above else "unknown"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else "unknown"


def report(title: str, rows: list[Row], note: str = "") -> str:
    """Return a Markdown table: milliseconds, the best peer's time ÷ ours, and ours ÷ the floor."""
    names = list(dict.fromkeys(name for row in rows for name in (*row.median_ms, *row.failed)))
    floor = any(row.floor_ms is not None for row in rows)
    heads = ["job", *(["floor"] if floor else []), *names, "best peer ÷ ours"]
    heads += ["ours ÷ floor"] if floor else []
    lines = [f"## {title}", "", described(), ""]
    lines += [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for row in rows:
        cells = [row.job, *([_ms(row.floor_ms)] if floor else [])]
        cells += [_ms(row.median_ms.get(name)) for name in names]
        ratio = row.ratio_to_best_peer
        cells.append("–" if ratio is None else f"{_first(ratio)}{ratio:.2f} ({row.best_peer})")
        if floor:
            cells.append("–" if row.ratio_to_floor is None else f"{row.ratio_to_floor:.2f}")
        lines.append(f"| {' | '.join(cells)} |")
    failures = dict.fromkeys((name, why) for row in rows for name, why in row.failed.items())
    lines += ["", *(f"* not done by {name}: {why}" for name, why in failures)]
    return "\n".join([*lines, *([note.strip()] if note else []), ""])


def described() -> str:
    """Return one paragraph on the machine and the versions."""
    about = machine()
    versions = dict(about["versions"])  # type: ignore[call-overload]
    listed = ", ".join(f"{name} {found}" for name, found in versions.items())
    return (
        f"{about['processor']}, {about['processors']} processors, {about['system']}, "
        f"files on {about['filesystem']}, "
        f"Python {about['python']}; {listed}. Medians in milliseconds, all within one process, "
        "in turns."
    )


def _first(ratio: float) -> str:
    return "" if ratio >= 1 else "not first: "


def _ms(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 100 else f"{value:.0f}"


def save(name: str, title: str, rows: list[Row], note: str = "") -> None:
    """Print the table, and write it with its data to ``benchmarks/results``."""
    text = report(title, rows, note)
    print(text, flush=True)
    RESULTS.mkdir(exist_ok=True)
    data = {"title": title, "machine": machine(), "rows": [row.to_dict() for row in rows]}
    (RESULTS / f"{name}.json").write_text(json.dumps(data, indent=2) + "\n")
    (RESULTS / f"{name}.md").write_text(text)

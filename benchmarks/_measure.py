"""Time candidates in turn within one process, and report medians and ratios."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("anyzarr", "numpy", "zarr", "zarrista", "zarrs", "tensorstore", "obstore")


@dataclass(frozen=True)
class Row:
    """The times of one job, per candidate, in milliseconds; median over the rounds."""

    job: str
    ours: str
    median_ms: dict[str, float]
    failed: dict[str, str]

    @property
    def best_peer(self) -> str:
        """The fastest candidate that is not ours."""
        peers = {n: t for n, t in self.median_ms.items() if not n.startswith("anyzarr")}
        return min(peers, key=lambda name: peers[name]) if peers else self.ours


def compare(
    job: str, candidates: dict[str, Callable[[], object]], *, ours: str, rounds: int = 7
) -> Row:
    """Run every candidate once to warm up, then ``rounds`` times in turn."""
    times: dict[str, list[float]] = {name: [] for name in candidates}
    failed: dict[str, str] = {}
    for turn in range(rounds + 1):
        for name, work in candidates.items():
            if name in failed:
                continue
            start = time.perf_counter()
            try:
                work()
            except Exception as error:  # noqa: BLE001 - a peer that cannot do the job is a result
                failed[name] = f"{type(error).__name__}: {error}"[:120]
                continue
            if turn:
                times[name].append((time.perf_counter() - start) * 1e3)
    medians = {n: statistics.median(t) for n, t in times.items() if t}
    return Row(job, ours, medians, failed)


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
        "processors": len(os.sched_getaffinity(0)),
        "versions": versions,
    }


def report(title: str, rows: list[Row]) -> str:
    """Return a Markdown table: milliseconds, and the ratio of the best peer to ours."""
    names = list(dict.fromkeys(name for row in rows for name in (*row.median_ms, *row.failed)))
    lines = [f"## {title}", "", f"| job | {' | '.join(names)} | best peer ÷ ours |"]
    lines.append("|---" * (len(names) + 2) + "|")
    for row in rows:
        cells = [f"{row.median_ms[n]:.2f}" if n in row.median_ms else "—" for n in names]
        ratio = "—"
        if row.ours in row.median_ms:
            ratio = (
                f"{row.median_ms[row.best_peer] / row.median_ms[row.ours]:.2f} ({row.best_peer})"
            )
        lines.append(f"| {row.job} | {' | '.join(cells)} | {ratio} |")
    return "\n".join([*lines, ""])


def save(name: str, title: str, rows: list[Row]) -> None:
    """Print the table, and write it with its data to ``benchmarks/results``."""
    text = report(title, rows)
    print(text)
    RESULTS.mkdir(exist_ok=True)
    data = {"title": title, "machine": machine(), "rows": [asdict(row) for row in rows]}
    (RESULTS / f"{name}.json").write_text(json.dumps(data, indent=2) + "\n")
    (RESULTS / f"{name}.md").write_text(text)

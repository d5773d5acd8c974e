"""Table 5: the floor, a Rust program that does only the necessary work, beside the Rust core.

It knows every offset beforehand and reuses its contexts: one read per shard, the decoding and
the copying of rows, on as many threads as the engine. Both run in turns within one process.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from _measure import RESULTS, machine

NATIVE = Path(__file__).resolve().parents[1] / "native"
_LINE = re.compile(
    r"^(?P<kind>\w+): (?P<what>\w+)\s+floor\s+(?P<floor>[\d.]+) ms, engine\s+(?P<core>[\d.]+) ms"
)
_reason = ""


class Pair(NamedTuple):
    """Medians of the floor and of the core alone, taken in turns."""

    floor_ms: float
    core_ms: float


def measure() -> dict[tuple[str, str], Pair]:
    """Return the floor by (kind of data, ``read`` or ``write``); nothing where it does not run."""
    global _reason
    if shutil.which("cargo") is None:
        _reason = "there is no cargo"
        return {}
    # What builds say is of no interest unless they fail.
    done = subprocess.run(
        ["cargo", "bench", "--quiet", "-p", "anyzarr-core", "--bench", "floor"],
        cwd=NATIVE, capture_output=True, text=True, check=False, timeout=900,
    )  # fmt: skip
    if done.returncode:
        _reason = (done.stderr.strip().splitlines() or ["it failed"])[-1]
        return {}
    found = {}
    for line in done.stdout.splitlines():
        if match := _LINE.match(line):
            pair = Pair(float(match["floor"]), float(match["core"]))
            found[match["kind"], match["what"]] = pair
    _reason = "" if found else "what it printed was not understood"
    return found


def report(floors: dict[tuple[str, str], Pair]) -> None:
    """Print the table and save it."""
    lines = ["## Table 5: the floor, and the Rust core without Python", ""]
    if floors:
        lines += ["| job | floor, ms | core, ms | core ÷ floor |", "|---|---|---|---|"]
        lines += [
            f"| {kind}: full {what} | {pair.floor_ms:.2f} | {pair.core_ms:.2f} "
            f"| {pair.core_ms / pair.floor_ms:.2f} |"
            for (kind, what), pair in floors.items()
        ]
        lines += ["", "The image of table 1, read into memory that is there."]
    else:
        lines.append(f"NOT RUN: {_reason}. The columns of the floor are left out.")
    text = "\n".join([*lines, ""])
    print(text, flush=True)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "floor.md").write_text(text)
    rows = [
        {"kind": kind, "job": what, **pair._asdict(), "ratio": pair.core_ms / pair.floor_ms}
        for (kind, what), pair in floors.items()
    ]
    data = {"machine": machine(), "rows": rows, "not_run": _reason or None}
    (RESULTS / "floor.json").write_text(json.dumps(data, indent=2) + "\n")


def main(full: bool = False) -> None:
    """Measure, print and save."""
    report(measure())


if __name__ == "__main__":
    main()

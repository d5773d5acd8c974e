"""Run the benchmarks, or those named on the command line; see ``make bench``.

    python benchmarks/run.py [--full] [NAME ...]

``--full`` takes the full sizes (gigabytes, tens of minutes). Files lie in memory (``/dev/shm``)
where there is room, so that writing measures the programs rather than the disk; set TMPDIR to
have them elsewhere.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import os
import shutil
import sys
import tempfile
from pathlib import Path

BENCHMARKS = (
    "import_cost",
    "table1",
    "table2",
    "table3",
    "selections",
    "archive",
    "packing",
    "updates",
    "remote",
    "pyramid",
    "convert",
    "micromanager",
    "streams",
    "vectors",
)  # table1 prints the floor


IN_MEMORY = Path("/dev/shm")
ROOM_BYTES, ROOM_BYTES_FULL = 8 << 30, 32 << 30
"""The array, a copy for each who writes, and what the process itself holds."""


def available_bytes() -> int:
    """Return how much memory can be had: ``/dev/shm`` may promise more than there is."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) << 10
    return 0


def use_memory(room_bytes: int) -> None:
    """Put temporary folders, those of child processes too, into memory where there is room."""
    if "TMPDIR" in os.environ or not (IN_MEMORY.is_dir() and os.access(IN_MEMORY, os.W_OK)):
        return
    if min(shutil.disk_usage(IN_MEMORY).free, available_bytes()) >= room_bytes:
        os.environ["TMPDIR"] = str(IN_MEMORY)
        tempfile.tempdir = None  # look at the environment again


def run() -> None:
    """Parse the command line and run."""
    names = sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py"))
    names.remove("run")
    parser = argparse.ArgumentParser(description="Measure anyzarr beside its peers.")
    parser.add_argument("name", nargs="*", choices=[*names, []], help="default: all")
    parser.add_argument("--full", action="store_true", help="the full sizes")
    arguments = parser.parse_args()
    use_memory(ROOM_BYTES_FULL if arguments.full else ROOM_BYTES)
    sys.path.insert(0, str(Path(__file__).parent))
    for name in arguments.name or BENCHMARKS:
        main = importlib.import_module(name).main
        main(**({"full": arguments.full} if "full" in inspect.signature(main).parameters else {}))


if __name__ == "__main__":
    run()

"""Run the benchmarks, or those named on the command line; see ``make bench``.

    python benchmarks/run.py [--full] [NAME ...]

``--full`` takes the full sizes (gigabytes, tens of minutes).
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import sys
from pathlib import Path

BENCHMARKS = ("import_cost", "table1", "table2", "table3", "remote")  # table1 prints the floor


def run() -> None:
    """Parse the command line and run."""
    names = sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py"))
    names.remove("run")
    parser = argparse.ArgumentParser(description="Measure anyzarr beside its peers.")
    parser.add_argument("name", nargs="*", choices=[*names, []], help="default: all")
    parser.add_argument("--full", action="store_true", help="the full sizes")
    arguments = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parent))
    for name in arguments.name or BENCHMARKS:
        main = importlib.import_module(name).main
        main(**({"full": arguments.full} if "full" in inspect.signature(main).parameters else {}))


if __name__ == "__main__":
    run()

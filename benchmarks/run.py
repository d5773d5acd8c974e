"""Run the benchmarks, or those named on the command line; see ``make bench``."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

BENCHMARKS = ("import_cost", "read_write")

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    for name in sys.argv[1:] or BENCHMARKS:
        importlib.import_module(name).main()

"""Counts recorded by tests are printed when the run ends, also those of other processes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """
import pytest

from ._counts import record_counts


@pytest.fixture
def recording():
    record_counts("faults", reads=1)
    yield
    record_counts("faults", reads=10)


@pytest.mark.parametrize("n", [1000, 200, 30])
def test_it(n, recording):
    record_counts("faults", reads=n, wrong_values=0)
    record_counts(f"crash {n}", kills=n)


def test_failing():
    record_counts("failing", reads=1)
    raise SystemError("as intended")
"""


@pytest.mark.parametrize("processes", [0, 2])
def test_counts_are_printed(processes: int, tmp_path: Path) -> None:
    folder = tmp_path / "tests"
    folder.mkdir()
    shutil.copy(Path(__file__).parent.parent / "_counts.py", folder)
    (folder / "conftest.py").write_text(
        "from ._counts import pytest_runtest_makereport, pytest_terminal_summary\n"
    )
    (folder / "test_it.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib\n")
    command = [sys.executable, "-m", "pytest", "-q", "-n", str(processes), "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert "faults: 1,263 reads, 0 wrong values" in lines
    assert {"crash 1000: 1,000 kills", "crash 30: 30 kills", "failing: 1 reads"} <= {*lines}

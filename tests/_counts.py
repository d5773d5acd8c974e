"""Counts that tests print at the end of the run: how much a stress test did, and what it found.

A test calls :func:`record_counts`; the hooks here, which ``conftest.py`` takes over, carry the
counts to the end of the run with the test's report, and so also from the processes of xdist.
Counts of the same name are added up, over tests and processes.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

__all__ = ["pytest_runtest_makereport", "pytest_terminal_summary", "record_counts"]

_PROPERTY = "counts"
_recorded: list[tuple[str, dict[str, int]]] = []
_recording = threading.Lock()


def record_counts(name: str, /, **counts: int) -> None:
    """Add counts to those printed under ``name`` when the run ends.

    ``record_counts("faults", reads=1200, wrong_values=0)`` prints
    ``faults: 1,200 reads, 0 wrong values``.
    """
    with _recording:
        _recorded.append((name, {what: int(count) for what, count in counts.items()}))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[Any]:
    with _recording:
        item.user_properties += [(_PROPERTY, list(each)) for each in _recorded]
        _recorded.clear()
    return (yield)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    # The last report of a test holds what was recorded in all three phases.
    reports = [each for some in terminalreporter.stats.values() for each in some]
    found = [
        value
        for report in reports
        if getattr(report, "when", None) == "teardown"
        for name, value in report.user_properties
        if name == _PROPERTY
    ]
    totals: dict[str, dict[str, int]] = {}
    for name, counts in found:
        total = totals.setdefault(name, {})
        for what, count in counts.items():
            total[what] = total.get(what, 0) + count
    if totals:
        terminalreporter.section("counts")
    for name, total in sorted(totals.items()):
        terminalreporter.write_line(f"{name}: {_sentence(total)}")


def _sentence(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {what.replace('_', ' ')}" for what, count in counts.items())

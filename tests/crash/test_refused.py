"""Disk full, files not allowed to grow, no permission: the old stays, and nothing beside it.

Every way of writing is tried in a process of its own, in ``_refusals.py``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from .._counts import record_counts  # noqa: TID252 (tests are no installed package)
from .._unprivileged import reachable_folder  # noqa: TID252
from ._refusals import WRITES

PROGRAM = Path(__file__).with_name("_refusals.py")
REMEDIES = {"permissions": "permission", "full": "space", "limit": "limit"}
TRIED = [
    pytest.param(how, name, id=f"{how}-{name}")
    for how in REMEDIES
    for name, write in WRITES.items()
    if write.only in (None, how)
]
# What is known before anything is put: no object has been named yet.
NO_KEY = {"convert", "pack", "direct archive", "preview", "rename wells"}


def small_file_system(folder: Path, stack: ExitStack) -> None:
    """Make a folder a file system of 64 MiB, in memory."""
    command = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount command, and so no small file system to fill up")
    if done.returncode:
        pytest.skip(f"no small file system can be mounted to fill it up: {done.stderr.strip()}")
    stack.callback(subprocess.run, ["umount", str(folder)], check=True)


@pytest.fixture(scope="module")
def outcomes() -> Iterator[Any]:
    """Return what came of all ways of writing to a place that refuses so, tried once."""
    known: dict[str, dict[str, Any]] = {}

    def outcome(how: str, name: str) -> dict[str, Any]:
        if how not in known:
            known[how] = attempt_all(how)
        return known[how][name]

    yield outcome
    for how, found in known.items():
        record_counts(f"writes refused ({how})", writes=len(found), changed=changed(found))


def attempt_all(how: str) -> dict[str, Any]:
    with ExitStack() as stack:
        above = stack.enter_context(reachable_folder())
        folder = above / "data"
        folder.mkdir(mode=0o755)
        if how == "full":
            small_file_system(folder, stack)
        done = subprocess.run(
            [sys.executable, "-W", "ignore", str(PROGRAM), how, str(folder)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        found = json.loads(done.stdout)
        for result in found.values():
            result["folder"] = str(folder)
    return found


def changed(found: dict[str, Any]) -> int:
    return sum(len(result["changed"]) for result in found.values())


@pytest.mark.skipif(not hasattr(os, "setuid"), reason="this system has no users")
@pytest.mark.parametrize(("how", "name"), TRIED)
def test_a_refused_write(outcomes: Any, how: str, name: str) -> None:
    result = outcomes(how, name)
    message = result["message"]
    assert (result["error"], result["kind"]) == ("StoreError", "store"), message
    assert result["changed"] == []
    assert REMEDIES[how] in message
    assert result["folder"] in message
    if name != "preview":
        assert result["folder"] in result["store"]
    if name not in NO_KEY:
        assert result["key"]
        assert result["key"] in message
    if (how, name) == ("limit", "direct archive"):
        # What is to be packed is there, and closing can be tried again.
        (folder,) = result["debris"]
        assert all(added in folder or ".partial/" in added for added in result["added"])
    else:
        assert result["added"] == []
        assert result["debris"] == []

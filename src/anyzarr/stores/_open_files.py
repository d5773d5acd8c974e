"""Which files processes of this host have open."""

from __future__ import annotations

import contextlib
import os
from typing import Final

__all__ = ["open_files"]

_PROCESSES: Final = "/proc"


def open_files() -> frozenset[tuple[int, int]]:
    """Return device and inode of all that is open in the processes we may look into.

    Empty on systems that do not tell (no ``/proc``). Processes of other users are looked into by
    root alone.
    """
    found: set[tuple[int, int]] = set()
    with contextlib.suppress(OSError):
        for process in os.listdir(_PROCESSES):  # noqa: PTH208
            if process.isdigit():
                found |= _open_in(f"{_PROCESSES}/{process}/fd")
    return frozenset(found)


def _open_in(folder: str) -> set[tuple[int, int]]:
    found: set[tuple[int, int]] = set()
    try:
        descriptors = os.listdir(folder)  # noqa: PTH208
    except OSError:  # it ended meanwhile, or is not ours
        return found
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            status = os.stat(f"{folder}/{descriptor}")  # noqa: PTH116
            found.add((status.st_dev, status.st_ino))
    return found

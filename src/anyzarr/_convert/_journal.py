"""What a conversion has done, noted in the target: so that it can go on after an interruption."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from anyzarr._convert._job import Task
from anyzarr._ozx import JOURNAL
from anyzarr.abc import Store
from anyzarr.errors import ConflictError, StoreError

__all__ = ["ARCHIVE", "JOURNAL", "NOTE", "PACKING", "Journal", "Notes", "has_notes", "keeps_work"]

PACKING: Final = f"{JOURNAL}packing/"
"""Prefix of the journal of an archive that is packed."""

ARCHIVE: Final = f"{JOURNAL}archive"
"""The archive, until it is complete."""

Notes: TypeAlias = Literal["none", "removed", "kept"]
"""Whether what is done is noted at the target, and until when: before the root is written, or for
one who removes the notes."""

_REFUSALS: Final = ("source_changed", "settings_changed")


class Journal:
    """One object per finished task, put after what the task wrote: no state to share.

    Parameters
    ----------
    store
        The target; None: nothing is noted.
    prefix
        Of the journal.
    """

    def __init__(self, store: Store | None, prefix: str = JOURNAL) -> None:
        self._store = store
        self._prefix = prefix
        self._plan, self._done = f"{prefix}plan.json", f"{prefix}done/"

    def begin(self, plan: Mapping[str, Any], *, resume: bool) -> frozenset[Task]:
        """Note the plan, or compare it with the one there; return the tasks that are done.

        Raises
        ------
        ConflictError
            The conversion that was interrupted was another one, or the source has changed.
        """
        if self._store is None:
            return frozenset()
        text = json.dumps(plan, sort_keys=True).encode()
        before = self._store.get(self._plan) if resume else None
        if before is None:
            self._store.put(self._plan, text)
            return frozenset()
        _compare(json.loads(before), json.loads(text))
        keys = (info.key.removeprefix(self._done) for info in self._store.list(self._done))
        return frozenset(Task.parse(key) for key in keys)

    def mark(self, task: Task) -> None:
        """Note that all a task makes is stored."""
        if self._store is not None:
            self._store.put(f"{self._done}{task}", b"{}")

    def note(self, task: Task, value: Any) -> None:
        """Note, with what a task is done, what is to be known of it."""
        if self._store is not None:
            self._store.put(f"{self._done}{task}", json.dumps(value).encode())

    def noted(self, task: Task) -> Any:
        """Return what was noted of a task; None: nothing that can be read."""
        text = None if self._store is None else self._store.get(f"{self._done}{task}")
        try:
            return None if text is None else json.loads(text)
        except ValueError:
            return None

    def forget(self) -> None:
        """Remove all that is noted."""
        if self._store is not None:
            self._store.delete_prefix(self._prefix)


def has_notes(folder: Path) -> bool:
    """Return whether anything is noted as done in a local folder."""
    return any(next(Path(folder, p, "done").glob("*"), None) for p in (JOURNAL, PACKING))


def keeps_work(error: BaseException) -> bool:
    """Return whether an error leaves what is done of use: it is for want of something.

    Room, a network, a worker, patience; or the right settings to go on with.
    """
    if isinstance(error, ConflictError):
        return error.kind in _REFUSALS
    return isinstance(error, StoreError | OSError | KeyboardInterrupt | SystemExit)


NOTE: Final = "What is done of the conversion is kept: go on with it by resume=True."
"""What a person is told of an error that keeps it."""


def _compare(before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    if before.get("files") != now.get("files"):
        raise ConflictError(
            "the source has changed since the conversion that was interrupted: what is done of it "
            "may be of the old source; start again without resume",
            kind=_REFUSALS[0],
        )
    different = [name for name in now if before.get(name) != now[name]]
    if different:
        raise ConflictError(
            f"the conversion that was interrupted had other settings ({', '.join(different)}): "
            "give the same ones as then, or start again without resume",
            kind=_REFUSALS[1],
        )

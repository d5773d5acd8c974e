"""What a conversion has done, noted in the target: so that it can go on after an interruption."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from anyzarr._convert._job import Task
from anyzarr.abc import Store
from anyzarr.errors import ConflictError, StoreError

__all__ = ["JOURNAL", "NOTE", "Journal", "keeps_work"]

JOURNAL: Final = ".anyzarr-convert/"
"""Prefix of the journal's objects, removed when the conversion is complete."""

_REFUSALS: Final = ("source_changed", "settings_changed")
_PLAN, _DONE = f"{JOURNAL}plan.json", f"{JOURNAL}done/"


class Journal:
    """One object per finished task, put after what the task wrote: no state to share.

    Parameters
    ----------
    store
        The target; None: nothing is noted.
    """

    def __init__(self, store: Store | None) -> None:
        self._store = store

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
        before = self._store.get(_PLAN) if resume else None
        if before is None:
            self._store.put(_PLAN, text)
            return frozenset()
        _compare(json.loads(before), json.loads(text))
        keys = (info.key.removeprefix(_DONE) for info in self._store.list(_DONE))
        return frozenset(Task.parse(key) for key in keys)

    def mark(self, task: Task) -> None:
        """Note that all a task makes is stored."""
        if self._store is not None:
            self._store.put(f"{_DONE}{task}", b"{}")


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

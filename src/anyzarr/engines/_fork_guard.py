"""Keep engines whose threads do not survive a fork from hanging or ending forked children."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

from anyzarr.errors import UnsupportedError

__all__ = ["ForkGuard"]

T = TypeVar("T")
R = TypeVar("R")


class ForkGuard:
    """Remembers in which process an engine started its threads.

    Parameters
    ----------
    engine
        Its name.
    consequence
        What would happen in a child forked after that.
    alternatives
        Engines that work there.
    """

    def __init__(self, engine: str, consequence: str, alternatives: tuple[str, ...]) -> None:
        self._engine = engine
        self._consequence = consequence
        self._alternatives = alternatives
        self._pid: int | None = None

    @property
    def reason(self) -> str | None:
        """Why the engine cannot be used in this process, or None if it can."""
        if self._pid is None or self._pid == os.getpid():
            return None
        return (
            f"{self._engine} was used before this process was forked, and {self._consequence} if "
            "used here; start workers by 'spawn' or 'forkserver'"
        )

    def claim(self) -> None:
        """Note that the engine's threads start in this process.

        Raises
        ------
        UnsupportedError
            They were started in the parent (``kind`` is ``forked``).
        """
        reason = self.reason
        if reason is not None:
            names = " or ".join(repr(name) for name in self._alternatives)
            raise UnsupportedError(
                f"{reason}, or use engine={names} in the child", engine=self._engine, kind="forked"
            )
        self._pid = os.getpid()

    def claiming(self, work: Callable[[T], R]) -> Callable[[T], R]:
        """Return a function that claims before each call."""

        def claimed(argument: T) -> R:
            self.claim()
            return work(argument)

        return claimed

"""How long work tells how far it is: a value handed to the caller's function, never printed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

__all__ = ["Progress", "ProgressCallback", "Tracker"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a piece of work is.

    Attributes
    ----------
    label
        What is being done now, for a person: ``"level 0"``, ``"packing"``.
    done_bytes
        Bytes done of this label; never goes down while the label stays the same.
    total_bytes
        Bytes to do in all for this label, or None where nobody knows.

    Examples
    --------
    >>> from anyzarr._progress import Progress
    >>> Progress("level 0", 50, 200).fraction
    0.25
    """

    label: str
    done_bytes: int = 0
    total_bytes: int | None = None

    @property
    def fraction(self) -> float | None:
        """Share that is done, in [0, 1]; None where the total is unknown."""
        if self.total_bytes is None:
            return None
        return min(1.0, self.done_bytes / self.total_bytes) if self.total_bytes else 1.0


ProgressCallback = Callable[[Progress], None]
"""Called with each step, by one thread at a time; an exception it raises stops the work."""


class Tracker:
    """Counts bytes done on several threads and hands each step to the caller's function."""

    def __init__(self, callback: ProgressCallback | None) -> None:
        self._callback = callback
        self._lock = threading.Lock()
        self._state = Progress("")

    def part(self, name: str) -> Tracker:
        """Return the tracker of a part of the work, whose labels begin with its name."""
        tell = self._callback
        if tell is None:
            return self
        return Tracker(lambda step: tell(replace(step, label=f"{name}, {step.label}")))

    def start(self, label: str, total_bytes: int | None) -> None:
        """Begin a new piece of work."""
        with self._lock:
            self._state = Progress(label, 0, total_bytes)
            self._tell()

    def advance(self, n_bytes: int) -> None:
        """Count bytes as done."""
        with self._lock:
            self._state = replace(self._state, done_bytes=self._state.done_bytes + n_bytes)
            self._tell()

    def _tell(self) -> None:
        if self._callback is not None:
            self._callback(self._state)

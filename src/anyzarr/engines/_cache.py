"""A small cache of things compiled from metadata: bounded, thread-safe, empty after a fork."""

from __future__ import annotations

import os
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

__all__ = ["BoundedCache"]

T = TypeVar("T")

_all: weakref.WeakSet[BoundedCache[Any]] = weakref.WeakSet()


class BoundedCache(Generic[T]):
    """The ``maxsize`` values used last, by key.

    A forked child starts with an empty cache: handles of the parent's engines hold threads
    and locks that do not exist in the child.
    """

    def __init__(self, maxsize: int) -> None:
        self._maxsize = maxsize
        self._reset()
        _all.add(self)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._values: OrderedDict[Hashable, T] = OrderedDict()

    def get_or_make(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return the value of a key, made by the first caller who asks.

        ``make`` runs without the lock held, so that it may use the cache itself; of two
        callers at once both may make one, and both get the first that was kept.
        """
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        made = make()
        with self._lock:
            kept = self._values.setdefault(key, made)
            self._values.move_to_end(key)
            while len(self._values) > self._maxsize:
                self._values.popitem(last=False)
        return kept

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._values.clear()

    def __len__(self) -> int:
        with self._lock:
            return len(self._values)


def _after_fork() -> None:
    for cache in _all:
        cache._reset()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

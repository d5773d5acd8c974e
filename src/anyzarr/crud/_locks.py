"""Keep writers of one object apart, within this process.

A partial write reads, changes and replaces a chunk or shard; a metadata update does the same
with a document. Whoever does that holds the lock of every key concerned. Keys are taken in
sorted order, so that two writers cannot wait for each other.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterable, Iterator

from anyzarr.abc import Store
from anyzarr.stores._base import address_at

__all__ = ["locked"]


class _Entry:
    __slots__ = ("lock", "users")

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.users = 0


_registry: dict[str, _Entry] = {}
_guard = threading.Lock()


def _after_fork() -> None:
    # Locks held by threads that do not exist in the child would never be released.
    global _registry, _guard
    _registry = {}
    _guard = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _borrow(names: list[str]) -> list[_Entry]:
    borrowed = []
    with _guard:
        for name in names:
            entry = _registry.get(name)
            if entry is None:
                entry = _registry[name] = _Entry()
            entry.users += 1
            borrowed.append(entry)
    return borrowed


def _give_back(names: list[str], entries: list[_Entry]) -> None:
    with _guard:
        for name, entry in zip(names, entries, strict=True):
            entry.users -= 1
            if entry.users == 0 and _registry.get(name) is entry:
                del _registry[name]


@contextlib.contextmanager
def locked(store: Store, keys: Iterable[str]) -> Iterator[None]:
    """Hold the locks of these keys of a store.

    A lock is named by the object's full address, so two stores rooted at different prefixes
    of one tree share it. A thread that holds a key may take it again.
    """
    names = sorted({address_at(store, key) for key in keys})
    entries, held = _borrow(names), 0
    try:
        for entry in entries:
            entry.lock.acquire()
            held += 1
        yield
    finally:
        for entry in entries[:held]:
            entry.lock.release()
        _give_back(names, entries)

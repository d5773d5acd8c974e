"""Locks per key, shared by every store object of this process that reaches the same objects."""

from __future__ import annotations

import os
import threading

__all__ = ["key_lock"]

_STRIPES = 64
_locks = [threading.RLock() for _ in range(_STRIPES)]


def _after_fork() -> None:
    # A lock that another thread held in the parent would stay locked for ever in the child.
    _locks[:] = [threading.RLock() for _ in range(_STRIPES)]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def key_lock(root: str, key: str) -> threading.RLock:
    """Return the lock of a key. Different keys may share one; hold one at a time."""
    return _locks[hash((root, key)) % _STRIPES]

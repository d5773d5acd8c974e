"""Run independent pieces of work on a few threads.

The caller takes part, so nested calls cannot deadlock and a single item costs no thread.
The pool is made on first use and again after a fork.
"""

from __future__ import annotations

import contextvars
import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from anyzarr import config

__all__ = ["concurrency", "for_each", "map_ordered"]

T = TypeVar("T")
R = TypeVar("R")

_MAX_WORKERS = 64
_lock = threading.Lock()
_pool: ThreadPoolExecutor | None = None


def _after_fork() -> None:
    global _pool, _lock
    _pool = None
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _executor() -> ThreadPoolExecutor:
    global _pool
    with _lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(_MAX_WORKERS, thread_name_prefix="anyzarr")
        return _pool


def concurrency(limit: int | None = None) -> int:
    """Return how many threads to use: the argument, the setting, else the processors we may use."""
    chosen = limit or config.get("concurrency")
    if chosen is None:
        affinity = getattr(os, "sched_getaffinity", None)
        chosen = len(affinity(0)) if affinity else os.cpu_count() or 1
    return min(int(chosen), _MAX_WORKERS)


def for_each(work: Callable[[T], object], items: Iterable[T], *, limit: int | None = None) -> None:
    """Call ``work`` on every item; the first error stops the rest and is raised.

    Parameters
    ----------
    work
        Called from several threads at once, with the caller's context variables.
    items
        Consumed lazily, under a lock, so it may be a generator of any length.
    limit
        Most threads to use, the caller's included; default :func:`concurrency`.
    """
    width = concurrency(limit)
    source = iter(items)
    taking = threading.Lock()
    errors: list[BaseException] = []

    def drain() -> None:
        while not errors:
            with taking:
                try:
                    item = next(source)
                except StopIteration:
                    return
                except BaseException as error:  # noqa: BLE001 - handed to the caller below
                    errors.append(error)
                    return
            try:
                work(item)
            except BaseException as error:  # noqa: BLE001 - handed to the caller below
                errors.append(error)

    if width > 1:
        helpers: list[Future[None]] = [
            _executor().submit(contextvars.copy_context().run, drain) for _ in range(width - 1)
        ]
        try:
            drain()
        except BaseException as error:  # noqa: BLE001 - an interrupt between two items
            errors.append(error)
        # A helper that never got a thread has nothing left to do; waiting for it could deadlock.
        _wait([helper for helper in helpers if not helper.cancel()], errors)
    else:
        drain()
    if errors:
        raise errors[0]


def _wait(helpers: list[Future[None]], errors: list[BaseException]) -> None:
    """Wait for threads. An interrupt stops them after the item in work; a second one at once.

    What the caller then tidies up (a half-written file) is touched by no thread any more.
    """
    try:
        for helper in helpers:
            helper.result()
    except BaseException as error:  # noqa: BLE001 - raised by the caller
        errors.append(error)
        for helper in helpers:
            helper.result()


def map_ordered(work: Callable[[T], R], items: Iterable[T], *, limit: int | None = None) -> list[R]:
    """Return ``[work(item) for item in items]``, computed on several threads."""
    values = list(items)
    results: dict[int, R] = {}

    def one(index: int) -> None:
        results[index] = work(values[index])

    for_each(one, range(len(values)), limit=1 if len(values) < 2 else limit)
    return [results[index] for index in range(len(values))]

"""What several engines' tests need."""

from __future__ import annotations

import contextlib
import os
import pickle
import select
import signal
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .._object_server import ObjectServer, serving  # noqa: TID252 (tests are no installed package)

CHILD_SECONDS = 20


@pytest.fixture
def server() -> Iterator[ObjectServer]:
    """A server of objects on loopback; see its module."""
    with serving() as found:
        yield found


def _run_in_forked_child(work: Callable[[], Any]) -> tuple[str, Any]:
    """Fork, call ``work`` in the child and return what became of it.

    Returns ``("returned", value)``, ``("raised", error)``, ``("died", status)`` or
    ``("hung", None)``.
    """
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # That the process has threads is the point.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        with contextlib.suppress(BaseException):
            try:
                message: tuple[str, Any] = ("returned", work())
            except Exception as error:  # noqa: BLE001 - handed to the parent
                message = ("raised", error)
            os.write(writing, pickle.dumps(message))
        os._exit(0)
    os.close(writing)
    ready, _, _ = select.select([reading], [], [], CHILD_SECONDS)
    data = os.read(reading, 1 << 16) if ready else b""
    os.close(reading)
    if not ready:
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    if data:
        return pickle.loads(data)
    return ("died", status) if ready else ("hung", None)


@pytest.fixture
def run_in_forked_child() -> Callable[[Callable[[], Any]], tuple[str, Any]]:
    """A function that calls another in a forked child; see ``_run_in_forked_child``."""
    if not hasattr(os, "fork"):
        pytest.skip("this system cannot fork")
    return _run_in_forked_child

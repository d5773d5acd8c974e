"""Run the code in README.md and docs/ as tests, each document in an empty folder of its own."""

from __future__ import annotations

import contextlib
import tempfile
from typing import Any

from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

_open_folders: list[contextlib.ExitStack] = []


def _enter(namespace: dict[str, Any]) -> None:
    stack = contextlib.ExitStack()
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    stack.enter_context(contextlib.chdir(folder))
    _open_folders.append(stack)


def _leave(namespace: dict[str, Any]) -> None:
    _open_folders.pop().close()


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(), SkipParser()],
    patterns=["*.md"],
    setup=_enter,
    teardown=_leave,
).pytest()

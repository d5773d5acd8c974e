"""Where output goes: facts to stdout, errors and progress to stderr."""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = [
    "pairs",
    "print_error",
    "print_hint",
    "print_json",
    "print_warning",
    "stderr",
    "stdout",
    "table",
]

# Tables are not squeezed into 80 columns for a file or a pipe.
_PIPE_WIDTH = 160


def stdout() -> Console:
    """Return a console on the present stdout; plain and wide where it is not a terminal."""
    return _console(stderr=False)


def stderr() -> Console:
    """Return a console on the present stderr."""
    return _console(stderr=True)


def print_error(message: str) -> None:
    """Print one line, ``error: message``, to stderr."""
    _print_line("error", "bold red", message)


def print_warning(message: str) -> None:
    """Print one line, ``warning: message``, to stderr."""
    _print_line("warning", "bold yellow", message)


def print_hint(message: str) -> None:
    """Print one quiet line to stderr."""
    from rich.text import Text

    stderr().print(Text(message, style="dim"), soft_wrap=True)


def print_json(value: Mapping[str, Any]) -> None:
    """Print a JSON document to stdout."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def pairs(rows: Iterable[tuple[str, str]]) -> Table:
    """Return a grid of names and values; rows without a value are left out."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in rows:
        if value:
            grid.add_row(Text(name), Text(value))
    return grid


def table(*columns: str) -> Table:
    """Return an empty table in the one style all commands use."""
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD, header_style="dim", pad_edge=False, show_edge=False)
    for name in columns:
        made.add_column(name, overflow="fold")
    return made


def _print_line(label: str, style: str, message: str) -> None:
    from rich.text import Text

    line = Text.assemble((f"{label}: ", style), " ".join(message.split()))
    stderr().print(line, soft_wrap=True)


def _console(*, stderr: bool) -> Console:
    console = _console_class()(stderr=stderr, highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _PIPE_WIDTH
    return console


@functools.cache
def _console_class() -> type[Console]:
    from rich.console import Console

    class PipeConsole(Console):
        """Leaves a closed pipe to the caller, where rich would end the process with code 1."""

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    return PipeConsole

"""Where output goes: facts to stdout, errors and progress to stderr."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["print_error", "print_hint", "print_json", "stderr", "stdout"]

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
    from rich.text import Text

    line = Text.assemble(("error: ", "bold red"), " ".join(message.split()))
    stderr().print(line, soft_wrap=True)


def print_hint(message: str) -> None:
    """Print one quiet line to stderr."""
    from rich.text import Text

    stderr().print(Text(message, style="dim"), soft_wrap=True)


def print_json(value: Mapping[str, Any]) -> None:
    """Print a JSON document to stdout; numbers JSON cannot hold become strings."""
    text = json.dumps(_finite(value), indent=2, ensure_ascii=False, allow_nan=False)
    sys.stdout.write(text + "\n")


def _console(*, stderr: bool) -> Console:
    from rich.console import Console

    console = Console(stderr=stderr, highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _PIPE_WIDTH
    return console


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value

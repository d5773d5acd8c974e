"""The entry point: from arguments to an exit code.

0: done. 1: it could not be done (one sentence on stderr). 2: the command line is wrong.
130: interrupted.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from importlib.metadata import version

import cyclopts

from anyzarr import config
from anyzarr._cli._bench import bench
from anyzarr._cli._console import print_error, print_hint, stdout
from anyzarr._cli._consolidate import consolidate
from anyzarr._cli._convert import convert
from anyzarr._cli._engines import engines
from anyzarr._cli._info import info
from anyzarr._cli._options import UsageError
from anyzarr._cli._preview import preview
from anyzarr._cli._pyramid import pyramid
from anyzarr._cli._rename import rename_wells
from anyzarr._cli._set import set_app
from anyzarr._cli._tree import tree
from anyzarr._cli._validate import validate
from anyzarr.errors import AnyzarrError, NodeExistsError

__all__ = ["build_app", "main"]

DONE = 0
FAILED = 1
WRONG_USAGE = 2
INTERRUPTED = 128 + signal.SIGINT

# Read once at the start, so that a mistake in the environment is told as one.
_SETTINGS = ("engine", "backend", "concurrency", "write_empty_chunks")

_EPILOGUE = """
A LOCATION is a path or a URL (s3://, gs://, https://, memory://, ...), of a folder, a .zip or \
an .ozx, or a URL pipeline: outer.zip|zip:inner.zip|zip:, image.ozx.gz|gzip:|ozx: ('quoted').
Exit codes: 0 done, 1 it failed (one sentence on stderr), 2 wrong usage (validate: 0 valid, \
1 not valid, 2 cannot be opened).
With --debug, errors show their traceback.
"""


def build_app() -> cyclopts.App:
    """Return the command-line application with all commands registered."""
    app = cyclopts.App(
        name="anyzarr",
        help="Any engine, any store, one Zarr: look into, convert and show chunked images.",
        help_epilogue=_EPILOGUE,
        help_format="plaintext",
        suppress_keyboard_interrupt=False,
        group_parameters="Options",
        default_parameter=cyclopts.Parameter(negative=(), show_default=False),
        version=lambda: f"anyzarr {version('anyzarr')}",
    )
    for command in (info, tree, validate, convert, pyramid, consolidate, engines, bench, preview):
        app.command(command, help_epilogue="")
    app.command(rename_wells, name="rename-wells", help_epilogue="")
    app.command(set_app)
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code.

    Parameters
    ----------
    arguments
        Without the program's name; default ``sys.argv[1:]``.

    Examples
    --------
    >>> from anyzarr._cli import main
    >>> main(["--version"])  # doctest: +ELLIPSIS
    anyzarr ...
    0
    """
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in tokens
    tokens = [token for token in tokens if token != "--debug"]
    try:
        code = _run(tokens)
        sys.stdout.flush()
    except NodeExistsError as error:
        way = " (on the command line: --overwrite)" if "overwrite=True" in error.message else ""
        code = _fail(f"{error}{way}", debug)
    except AnyzarrError as error:
        code = _fail(str(error), debug)
        _print_notes(error)
    except UsageError as error:
        print_error(str(error))
        print_hint(f"see: {_help_command(tokens)}")
        code = WRONG_USAGE
    except KeyboardInterrupt as error:
        print_error("interrupted")
        _print_notes(error)
        code = INTERRUPTED
    except BrokenPipeError:
        code = _reader_gone()
    except Exception as error:  # noqa: BLE001 - the edge: a person gets a sentence, never a traceback
        code = _fail(f"{type(error).__name__}: {error} (this is a bug in anyzarr)", debug)
        if not debug:
            print_hint("run again with --debug for the traceback to report")
    return code


def _run(tokens: list[str]) -> int:
    try:
        for setting in _SETTINGS:
            config.get(setting)
    except ValueError as error:
        print_error(str(error))
        return WRONG_USAGE
    app = build_app()
    try:
        code = app(
            tokens or ["--help"],
            console=stdout(),
            exit_on_error=False,
            print_error=False,
            result_action="return_value",
        )
    except cyclopts.CycloptsError as error:
        print_error(_usage_message(error))
        print_hint(f"see: {_help_command(tokens)}")
        return WRONG_USAGE
    # A command that has a verdict returns it.
    return code if isinstance(code, int) else DONE


def _fail(message: str, debug: bool) -> int:
    if debug:
        import traceback

        sys.stderr.write(traceback.format_exc())
    print_error(message)
    return FAILED


def _print_notes(error: BaseException) -> None:
    """Print what was added to an error on its way, with options as they are on the command line."""
    for note in getattr(error, "__notes__", ()):
        print_hint(note.replace("resume=True", "--resume"))


def _reader_gone() -> int:
    # What reads our output has seen enough (``| head``). The interpreter flushes stdout once
    # more on exit; give it somewhere to go.
    try:
        descriptor = sys.stdout.fileno()
    except (OSError, ValueError):
        return DONE
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, descriptor)
    os.close(null)
    return DONE


def _usage_message(error: cyclopts.CycloptsError) -> str:
    return " ".join(str(error).split())


def _help_command(tokens: list[str]) -> str:
    commands = {name for name in build_app() if not name.startswith("-")}
    command = next((token for token in tokens[:1] if token in commands), None)
    return f"anyzarr {command} --help" if command else "anyzarr --help"

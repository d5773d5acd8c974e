"""Exit codes, debugging, pipes, terminals and start-up."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import anyzarr
from anyzarr._cli import main as entry
from anyzarr._cli._progress import progress_bar

Run = Callable[..., Any]

PROGRAM = [sys.executable, "-m", "anyzarr"]


@pytest.mark.parametrize(
    "command", [(), ("info",), ("tree",), ("convert",), ("engines",), ("preview",)]
)
def test_help_and_version(run: Run, command: tuple[str, ...]) -> None:
    result = run(*command, "--help")
    assert result.code == 0
    assert result.err == ""
    assert f"anyzarr {' '.join(command)}".strip() in result.out
    assert run("--version").out == f"anyzarr {anyzarr.__version__}\n"


def test_start_up_loads_nothing_heavy() -> None:
    code = (
        "import sys; from anyzarr._cli import main; main(['--help']); "
        "print(*sorted({m.partition('.')[0] for m in sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {
        "zarr", "zarrista", "zarrs", "tensorstore", "obstore", "fsspec", "dask", "PIL",
        "tifffile", "imagecodecs", "skimage", "numcodecs", "pydantic", "asyncio",
    }  # fmt: skip
    assert heavy & set(done.stderr.split()) == set()


def test_debug_shows_the_traceback(run: Run, tmp_path: Path) -> None:
    result = run("info", tmp_path / "missing.zarr", "--debug")
    assert result.code == 1
    assert "Traceback" in result.err
    assert result.err.splitlines()[-1].startswith("error: ")
    assert run("--debug", "info", tmp_path / "missing.zarr").code == 1


def test_bug_is_told_as_one(run: Run, plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object, **kwargs: object) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("anyzarr._info.info", broken)
    result = run("info", plain)
    assert result.code == 1
    assert (
        result.err.splitlines()[0] == "error: ZeroDivisionError: by zero (this is a bug in anyzarr)"
    )
    assert "--debug" in result.err
    assert "Traceback" not in result.err
    assert "Traceback" in run("info", plain, "--debug").err


def test_interrupt_is_130(run: Run, plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("anyzarr._info.info", interrupted)
    result = run("info", plain)
    assert result.code == 130
    assert result.sentence == "interrupted"


def test_reader_that_stops_reading_is_no_error(tmp_path: Path) -> None:
    group = anyzarr.create_group(tmp_path / "g.zarr")
    for index in range(300):
        group.create_group(f"{'long-name-' * 20}{index}")
    with subprocess.Popen(
        [*PROGRAM, "tree", str(tmp_path / "g.zarr")], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        error = process.stderr.read()
    assert error == b""
    assert process.returncode == 0


def test_output_in_a_pipe_is_plain_text(image: Path) -> None:
    done = subprocess.run(
        [*PROGRAM, "info", str(image)], capture_output=True, text=True, check=True
    )
    assert "\x1b" not in done.stdout
    assert done.stderr == ""


def test_json_is_one_document(image: Path) -> None:
    done = subprocess.run(
        [*PROGRAM, "info", str(image), "--json"], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["kind"] == "image"


def test_options_reach_the_backend(run: Run, monkeypatch: pytest.MonkeyPatch, plain: Path) -> None:
    seen: dict[str, Any] = {}
    facts = anyzarr.info(plain)

    def remember(location: str, **keywords: Any) -> Any:
        seen.update(keywords)
        return facts

    monkeypatch.setattr("anyzarr._info.info", remember)
    run("info", "s3://bucket/a", "-o", "anon=true", "--option", "endpoint_url=http://x?a=b")
    assert seen["anon"] is True
    assert seen["endpoint_url"] == "http://x?a=b"


def test_no_progress_in_a_pipe() -> None:
    with progress_bar() as callback:
        assert callback is None


def test_progress_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    from anyzarr._progress import Progress

    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    with progress_bar() as callback:
        assert callback is not None
        callback(Progress("level 0", 0, 100))
        callback(Progress("level 0", 100, 100))
        callback(Progress("packing", 5, None))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "level 0" in captured.err
    with progress_bar(enabled=False) as callback:
        assert callback is None


def test_arguments_default_to_those_of_the_process(
    monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr(sys, "argv", ["anyzarr", "--version"])
    assert entry() == 0
    assert anyzarr.__version__ in capsys.readouterr().out

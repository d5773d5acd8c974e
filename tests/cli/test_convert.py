"""``convert``: what it passes on, what it prints, and what it leaves behind when it fails."""

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

import anyzarr

Run = Callable[..., Any]

PIXELS = np.arange(2 * 300 * 400, dtype="uint16").reshape(2, 300, 400)


@pytest.fixture
def tiff(tmp_path: Path) -> Path:
    path = tmp_path / "cells.ome.tif"
    metadata = {"axes": "CYX", "Channel": {"Name": ["DAPI", "GFP"]}}
    tifffile.imwrite(path, PIXELS, ome=True, metadata=metadata, photometric="minisblack")
    return path


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_tiff_to_folder_to_ozx_and_back(run: Run, tiff: Path, tmp_path: Path) -> None:
    folder, packed, back = tmp_path / "a.zarr", tmp_path / "a.ozx", tmp_path / "b.zarr"
    result = run("convert", tiff, folder)
    assert (result.code, result.err) == (0, "")
    assert "2 × 300 × 400" in result.out
    assert run("convert", folder, packed).code == 0
    assert run("convert", packed, back).code == 0
    for location in (folder, packed, back):
        np.testing.assert_array_equal(anyzarr.open_ome_zarr(location).data[...], PIXELS)
    assert files(back) == files(folder)
    facts = run("info", packed, "--json").json
    assert facts["backend"] == "zip"
    assert [channel["name"] for channel in facts["channels"]] == ["DAPI", "GFP"]


def test_source_and_target_by_name(run: Run, tiff: Path, tmp_path: Path) -> None:
    assert run("convert", "-i", tiff, "-o", tmp_path / "a.zarr").code == 0
    assert run("convert", "--output", tmp_path / "a.ozx", "--input", tmp_path / "a.zarr").code == 0
    np.testing.assert_array_equal(anyzarr.open_ome_zarr(tmp_path / "a.ozx").data[...], PIXELS)


def test_options_are_passed_on(run: Run, tiff: Path, tmp_path: Path) -> None:
    report = run(
        "convert", tiff, tmp_path / "a.zarr", "--json", "--chunks", "1,100,100", "--shards", "none",
        "--levels", "1", "--compressor", "gzip", "--name", "mine", "--engine", "zarr",
    ).json  # fmt: skip
    assert report["kind"] == "image"
    facts = anyzarr.info(tmp_path / "a.zarr")
    assert facts.name == "mine"
    assert [(level.chunks, level.shards) for level in facts.levels] == [((1, 100, 100), None)]
    assert any(codec.startswith("gzip") for codec in facts.codecs)


def test_what_is_to_be_different(run: Run, tiff: Path, tmp_path: Path) -> None:
    result = run(
        "convert", tiff, tmp_path / "a.zarr", "--scale", "y=0.5um,x=500nm", "--channels",
        "mCherry, Cy5", "--crop", "c=1:,y=10:200", "--dtype", "float32", "--chunks", "y=64",
        "--levels", "auto", "--compressor", "zstd:3",
    )  # fmt: skip
    assert result.code == 1
    assert "2 names for 1 channels" in result.err
    result = run(
        "convert", tiff, tmp_path / "a.zarr", "--scale", "y=0.5um,x=500nm", "--channels", "Cy5",
        "--crop", "c=1:,y=10:200", "--dtype", "float32", "--chunks", "y=64", "--levels", "auto",
        "--compressor", "zstd:3",
    )  # fmt: skip
    assert result.code == 0, result.err
    with anyzarr.open_ome_zarr(tmp_path / "a.zarr") as image:
        assert image.scale == [1.0, 0.5, 500.0]
        assert image.channel_names == ["Cy5"]
        assert image.data.chunks == (1, 64, 400)
        assert image.data.dtype == np.float32
        assert (image.data[...] == PIXELS[1:, 10:200]).all()


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--chunks", "y=64,", "AXIS=VALUE"),
        ("--chunks", "y=64,y=32", "twice"),
        ("--chunks", "y=0", "whole numbers"),
        ("--crop", "y=5", "START:STOP"),
        ("--scale", "0.5", "AXIS=VALUE"),
        ("--levels", "many", "neither auto nor"),
        ("--split", "planes", "positions"),
    ],
)
def test_values_that_cannot_be_read(
    run: Run, tiff: Path, tmp_path: Path, option: str, value: str, message: str
) -> None:
    result = run("convert", tiff, tmp_path / "a.zarr", option, value)
    assert result.code == 2
    assert message in result.err


def test_quiet_prints_nothing(run: Run, tiff: Path, tmp_path: Path) -> None:
    result = run("convert", tiff, tmp_path / "a.zarr", "--quiet")
    assert (result.code, result.out, result.err) == (0, "", "")


@pytest.mark.parametrize("target", ["a.zarr", "a.ozx"])
def test_target_that_exists_is_kept_unless_told(
    run: Run, tiff: Path, tmp_path: Path, target: str
) -> None:
    location = tmp_path / target
    assert run("convert", tiff, tmp_path / "source.zarr", "-q").code == 0
    assert run("convert", tmp_path / "source.zarr", location, "-q").code == 0
    before = files(location) if location.is_dir() else location.read_bytes()
    result = run("convert", tmp_path / "source.zarr", location)
    assert result.code == 1
    assert target in result.sentence
    assert "--overwrite" in result.sentence
    assert (files(location) if location.is_dir() else location.read_bytes()) == before
    assert run("convert", tmp_path / "source.zarr", location, "--overwrite").code == 0


def test_a_remedy_that_would_not_help_is_not_told(run: Run, tmp_path: Path) -> None:
    anyzarr.create_array(tmp_path / "a.zarr", data=[1])
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").touch()
    result = run("convert", tmp_path / "a.zarr", tmp_path / "mine", "--overwrite")
    assert result.code == 1
    assert "--overwrite" not in result.sentence


def test_source_that_is_not_there(run: Run, tmp_path: Path) -> None:
    result = run("convert", tmp_path / "missing.tif", tmp_path / "a.zarr")
    assert result.code == 1
    assert "missing.tif" in result.sentence
    assert not list(tmp_path.iterdir())


def test_source_that_is_no_image(run: Run, tmp_path: Path) -> None:
    (tmp_path / "text.tif").write_text("not a TIFF")
    result = run("convert", tmp_path / "text.tif", tmp_path / "a.zarr")
    assert result.code == 1
    assert "text.tif" in result.sentence
    assert [path.name for path in tmp_path.iterdir()] == ["text.tif"]


def test_truncated_source_leaves_nothing_half_written(run: Run, tiff: Path, tmp_path: Path) -> None:
    tiff.write_bytes(tiff.read_bytes()[: tiff.stat().st_size // 2])
    result = run("convert", tiff, tmp_path / "a.zarr")
    assert result.code == 1
    assert result.sentence
    assert [path.name for path in tmp_path.iterdir()] == [tiff.name]


def test_missing_extra_of_a_reader(
    run: Run, tiff: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tifffile", None)
    result = run("convert", tiff, tmp_path / "a.zarr")
    assert result.code == 1
    assert 'pip install "anyzarr[images]"' in result.sentence
    assert not (tmp_path / "a.zarr").exists()


def test_unknown_engine_and_method(run: Run, tiff: Path, tmp_path: Path) -> None:
    for option, value in (("--engine", "zars"), ("--method", "meen"), ("--compressor", "zip")):
        result = run("convert", tiff, tmp_path / "a.zarr", option, value)
        assert result.code == 1
        assert value in result.sentence
        assert [path.name for path in tmp_path.iterdir()] == [tiff.name]


def test_target_that_cannot_be_written(
    run: Run, tiff: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("convert", tiff, "gopher://example.org/a.zarr")
    assert result.code == 1
    assert "gopher" in result.sentence
    assert [path.name for path in tmp_path.iterdir()] == [tiff.name]


@pytest.mark.skipif(sys.platform != "linux", reason="needs a folder nobody can write to")
def test_read_only_folder(run: Run, tiff: Path) -> None:
    result = run("convert", tiff, "/proc/anyzarr/a.zarr")
    assert result.code == 1
    assert "/proc/anyzarr" in result.sentence


def test_progress_on_a_terminal_and_none_in_a_pipe(tiff: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "anyzarr", "convert", str(tiff)]
    piped = subprocess.run([*command, str(tmp_path / "a.zarr")], capture_output=True, check=True)
    assert piped.stderr == b""
    reading, writing = pty.openpty()
    with subprocess.Popen(
        [*command, str(tmp_path / "b.zarr")],
        stdout=subprocess.PIPE,
        stderr=writing,
        env={**os.environ, "TERM": "xterm-256color"},
    ) as process:
        os.close(writing)
        shown = b""
        while chunk := read_some(reading):
            shown += chunk
        assert process.stdout is not None
        facts = process.stdout.read()
    os.close(reading)
    assert process.returncode == 0
    assert b"levels 0" in shown
    assert b"levels 0" not in facts
    assert b"300" in facts


def read_some(descriptor: int) -> bytes:
    """Read from a terminal; the end is an error on Linux and empty elsewhere."""
    try:
        return os.read(descriptor, 65536)
    except OSError:
        return b""


def test_upgrades(run: Run, tmp_path: Path) -> None:
    old, new = tmp_path / "old.zarr", tmp_path / "new.zarr"
    with anyzarr.open_ome_zarr(old, mode="w", axes="cyx", version="0.4") as image:
        image.create_image("0", PIXELS)
    result = run("convert", old, new, "--version", "0.5", "--shards", "auto")
    assert result.code == 0
    assert "upgraded" in result.out
    assert anyzarr.open_ome_zarr(new).version == "0.5"
    result = run("convert", old, "--metadata-only")
    assert result.code == 0
    assert "OME-Zarr 0.4" in result.out
    image = anyzarr.open_ome_zarr(old)
    assert (image.version, image.data.zarr_format) == ("0.5", 3)
    np.testing.assert_array_equal(image.data[...], PIXELS)
    for wrong in (
        [old],
        [old, new, "--metadata-only"],
        [old, "--metadata-only", "--shards", "auto"],
    ):
        assert run("convert", *wrong).code == 2


def test_several_sources_as_a_shell_makes_them_of_a_star(run: Run, tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    paths = []
    for z in range(3):
        paths.append(tmp_path / f"z{z}.tif")
        tifffile.imwrite(paths[-1], PIXELS[0] + z)
    assert run("convert", *paths, tmp_path / "a.zarr").code == 0
    assert run("convert", "-o", tmp_path / "b.zarr", *paths).code == 0
    assert run("convert", tmp_path / "z{z}.tif", tmp_path / "c.zarr").code == 0
    expected = np.stack([PIXELS[0] + z for z in range(3)])
    for name in "abc":
        found = anyzarr.open_ome_zarr(tmp_path / f"{name}.zarr").data[...]
        np.testing.assert_array_equal(found, expected)
    result = run("convert", *paths)
    assert result.code != 0
    assert "only OME-Zarr is written" in result.err
    assert run("convert").code == 2


def test_plate_and_rgb_are_passed_on(run: Run, tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    (tmp_path / "in").mkdir()
    colours = np.zeros((20, 30, 3), "u1")
    tifffile.imwrite(tmp_path / "in" / "B03.tif", colours, photometric="rgb")
    report = run(
        "convert", tmp_path / "in", tmp_path / "a.zarr", "--json",
        "--plate", "{row}{column:02}.tif", "--rgb", "gray",
    ).json  # fmt: skip
    assert report["layout"] == "plate"
    assert report["axes"] == ["y", "x"]


def test_what_merging_plates_would_do(run: Run, tmp_path: Path) -> None:
    for well in ("1", "2"):
        with anyzarr.open_ome_zarr(tmp_path / well, layout="hcs", mode="w") as plate:
            plate.create_position("A", well, "0").create_image("0", np.ones((1, 1, 1, 9, 9), "u1"))
    arguments = ("convert", tmp_path / "1", tmp_path / "2", tmp_path / "all")
    planned = run(*arguments, "--dry-run")
    assert planned.code == 0
    assert "2 positions" in planned.out
    assert "10 objects" in planned.out
    assert not (tmp_path / "all").exists()
    done = run(*arguments)
    assert "2 positions" in done.out
    assert "10 objects" in done.out

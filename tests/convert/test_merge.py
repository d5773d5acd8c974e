"""Several plates become one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anyzarr
from anyzarr._progress import Progress
from anyzarr.errors import ConflictError, NodeExistsError, UnsupportedError

RNG = np.random.default_rng(0)


def plate(path: Any, wells: list[str], *, version: str = "0.5", fields: int = 2) -> dict[str, Any]:
    """Write a plate; return the pixels of its positions."""
    pixels = {}
    with anyzarr.open_ome_zarr(
        path, layout="hcs", mode="w-", channel_names=["DAPI"], version=version
    ) as made:
        for well in wells:
            for field in range(fields):
                position = made.create_position(*well.split("/"), str(field))
                values = RNG.integers(0, 99, (1, 1, 1, 20, 30)).astype("u2")
                position.create_image("0", values)
                pixels[f"{well}/{field}"] = values
    return pixels


def check(path: Any, pixels: dict[str, Any]) -> None:
    with anyzarr.open_ome_zarr(path) as found:
        positions = dict(found.positions())
        assert sorted(positions) == sorted(pixels)
        for name, position in positions.items():
            assert (position.data[...] == pixels[name]).all()
    assert anyzarr.validate(path, deep=True).valid


@pytest.mark.parametrize("target", ["all.zarr", "all.ozx"])
def test_plates_become_one(tmp_path: Path, target: str) -> None:
    pixels = plate(tmp_path / "a.zarr", ["A/1", "B/2"]) | plate(tmp_path / "b.zarr", ["A/2"])
    anyzarr.convert(tmp_path / "b.zarr", tmp_path / "b.ozx")
    sources = [tmp_path / "a.zarr", tmp_path / "b.ozx"]
    report = anyzarr.convert(sources, tmp_path / target)
    assert (report.kind, report.layout, report.n_images) == ("merge", "plate", 6)
    check(tmp_path / target, pixels)
    with pytest.raises(NodeExistsError):
        anyzarr.convert(sources, tmp_path / target)


def test_from_the_command_line(tmp_path: Path) -> None:
    pixels: dict[str, Any] = {}
    for number, name in enumerate("abc"):
        pixels |= plate(tmp_path / f"{name}.zarr", [f"A/{number + 1}"])
    command = [sys.executable, "-m", "anyzarr", "convert", "a.zarr", "b.zarr", "c.zarr", "d.zarr"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    assert "6 positions" in done.stdout
    check(tmp_path / "d.zarr", pixels)


def test_stores_of_any_kind() -> None:
    a: dict[str, bytes] = {}
    b: dict[str, bytes] = {}
    merged: dict[str, bytes] = {}
    pixels = plate(a, ["A/1"]) | plate(b, ["A/2"])
    anyzarr.convert([a, b], merged)
    check(merged, pixels)


def test_what_cannot_be_one(tmp_path: Path) -> None:
    plate(tmp_path / "a.zarr", ["A/1"])
    plate(tmp_path / "clash.zarr", ["B/1", "A/1"])
    plate(tmp_path / "old.zarr", ["C/1"], version="0.4")
    with anyzarr.open_ome_zarr(tmp_path / "image.zarr", mode="w") as image:
        image.create_image("0", np.zeros((4, 5), "u1"))
    target = tmp_path / "out.zarr"
    for other, error, message in (
        ("clash.zarr", NodeExistsError, "both have the position 'A/1/0'"),
        ("old.zarr", UnsupportedError, "is OME-Zarr 0.4"),
        ("image.zarr", UnsupportedError, "is no plate"),
    ):
        with pytest.raises(error, match=message):
            anyzarr.convert([tmp_path / "a.zarr", tmp_path / other], target)
        assert not target.exists()
    with pytest.raises(UnsupportedError, match="crop"):
        anyzarr.convert([tmp_path / "a.zarr", tmp_path / "old.zarr"], target, crop={"x": (0, 5)})
    with pytest.raises(NodeExistsError, match="are the same"):
        anyzarr.convert([tmp_path / "a.zarr", tmp_path / "old.zarr"], tmp_path / "a.zarr")


@pytest.mark.parametrize("target", ["all.zarr", "all.ozx"])
def test_a_source_that_changes_meanwhile(tmp_path: Path, target: str) -> None:
    plate(tmp_path / "a.zarr", ["A/1"])
    plate(tmp_path / "b.zarr", ["A/2"])
    array = anyzarr.open_array(tmp_path / "b.zarr", path="A/2/0/0", mode="r+")

    def meanwhile(step: Progress) -> None:
        array[0, 0, 0, 0, 0] = step.done_bytes % 60_000 + 1

    with pytest.raises(ConflictError) as caught:
        anyzarr.convert(
            [tmp_path / "a.zarr", tmp_path / "b.zarr"], tmp_path / target, progress=meanwhile
        )
    assert caught.value.kind in {"source_changing", "conflict"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zarr", "b.zarr"]

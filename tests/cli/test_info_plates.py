"""``anyzarr info`` and ``tree`` of plates and labels: what they print."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anyzarr
from anyzarr._cli._plate_map import plate_map
from anyzarr._info import ImageInfo, PlateInfo, WellPlace

Run = Callable[..., Any]


@pytest.fixture
def plate(tmp_path: Path) -> Path:
    location = tmp_path / "plate.zarr"
    with anyzarr.open_ome_zarr(
        location, layout="hcs", mode="w", axes="cyx", channel_names=["DAPI"]
    ) as node:
        spots = [("A", "1", "0", 0, 0), ("A", "12", "0", 0, 11), ("C", "2", "0", 2, 1)]
        node.create_positions(spots, shape=(1, 64, 48), dtype="uint16")
    return location


def test_plate(run: Run, plate: Path) -> None:
    result = run("info", plate)
    assert result.code == 0
    assert result.err == ""
    for fact in ("OME-Zarr plate", "3 of 36 filled (3 rows × 12 columns)", "A/1/0", "uint16",
                 "1 × 64 × 48", "DAPI", "■ 0000FF"):  # fmt: skip
        assert fact in result.out
    assert "A   ●  ·  ·  ·  ·  ·  ·  ·  ·  ·  ·  ●" in result.out
    assert "B   ·  ·  ·  ·  ·  ·  ·  ·  ·  ·  ·  ·" in result.out
    assert "C   ·  ●  ·  ·  ·  ·  ·  ·  ·  ·  ·  ·" in result.out
    assert "A/12/0" not in result.out
    assert run("info", plate, "--json").json["wells"][2]["path"] == "C/2"


def test_plate_with_all_positions(run: Run, plate: Path) -> None:
    (plate / "A/12/0/zarr.json").write_text("{")
    (plate / "C/2/0/0/zarr.json").write_text(
        (plate / "C/2/0/0/zarr.json").read_text().replace("uint16", "int16")
    )
    out = run("info", plate, "-v").out
    lines = {line.split()[0]: line for line in out.splitlines() if "/0 " in line}
    assert "cannot be read" in lines["A/12/0"]
    assert "differs in dtype" in lines["C/2/0"]
    assert "unreadable    1 of 3" in out
    assert "A   1  ·  ·  ·  ·  ·  ·  ·  ·  ·  ·  ✗" in out
    errors = [p["error"] is None for p in run("info", plate, "-v", "--json").json["positions"]]
    assert errors == [True, False, True]


def test_well_series_and_labels(run: Run, plate: Path, tmp_path: Path) -> None:
    out = run("info", plate, "A/12").out
    assert "A/12  OME-Zarr well" in out
    assert "1: 0" in out
    with anyzarr.open_ome_zarr(tmp_path / "s", layout="bf2raw", mode="w", axes="yx") as series:
        image = series.create_image(np.ones((40, 40), "uint8"))
        series.create_image(np.ones((30, 30), "uint8"))
        image.create_label("nuclei", np.ones((40, 40), "uint8"), colors={1: "FF0000"})
    out = run("info", tmp_path / "s").out
    assert "series of OME-Zarr images" in out
    assert "2: 0, 1" in out
    assert "nuclei   40 × 40   uint8   1        1" in out
    assert "nuclei   40 × 40" in run("info", tmp_path / "s", "0/labels").out
    assert "OME-Zarr label image" in run("info", tmp_path / "s", "0/labels/nuclei").out


def test_tree_names_the_kinds(run: Run, plate: Path) -> None:
    lines = run("tree", plate, "-d", "3").out.splitlines()
    assert lines[0] == "plate.zarr  plate"
    assert lines[2].endswith("1  well")
    assert lines[3].endswith("0  image")


def make_facts(n_rows: int, n_columns: int, wells: tuple[WellPlace, ...]) -> PlateInfo:
    rows = tuple(f"r{i}" for i in range(n_rows))
    columns = tuple(str(i + 1) for i in range(n_columns))
    image: ImageInfo | None = None
    return PlateInfo("", "", 3, "p", "0.5", rows, columns, wells, None, (), image, "memory")


@pytest.mark.parametrize(("width", "cell"), [(160, 3), (110, 2), (60, 1)])
def test_map_fits_the_width(width: int, cell: int) -> None:
    facts = make_facts(2, 48, (WellPlace("r1/48", "r1", "48"),))
    lines = plate_map(facts, width).plain.splitlines()
    assert max(map(len, lines)) <= width
    assert lines[-1] == "r1 " + "·".rjust(cell) * 47 + "●".rjust(cell)
    assert [line[3:].replace(" ", "") for line in lines[:-2]] == (
        ["".join(str(i + 1) for i in range(48))]
        if cell == 3
        else ["".join(str((i + 1) // 10) for i in range(9, 48)),
              "".join(str((i + 1) % 10) for i in range(48))]
    )  # fmt: skip


def test_map_counts_what_does_not_fit() -> None:
    facts = make_facts(70, 3000, (WellPlace("r0/1", "r0", "1"),))
    lines = plate_map(facts, 80).plain.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[-1] == "… 2,924 more columns, 6 more rows"
    assert len(lines) == 2 + 64 + 1

"""``anyzarr rename-wells``: tables of old and new names, read as people write them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import anyzarr

Run = Callable[..., Any]


@pytest.fixture
def plate(tmp_path: Path) -> Path:
    with anyzarr.open_ome_zarr(tmp_path / "p", layout="hcs", mode="w", axes="yx") as node:
        node.create_positions([("A", "1", "0"), ("A", "2", "0"), ("B", "1", "0")])
    return tmp_path / "p"


def wells(plate: Path) -> list[str]:
    return sorted(path for path, _ in anyzarr.open_ome_zarr(plate).wells())


@pytest.mark.parametrize(
    "text",
    [
        "A/1,C/3\nA/2,A/1\n",
        "old,new\nA/1,C/3\nA/2,A/1",
        "\ufeffNew;Well;OLD\r\nC/3;x;A/1\r\n\r\nA/1;y;A/2\r\n",
        "A/1\tC/3\n\n A/2 \t A/1 \n",
    ],
)
def test_tables(text: str, run: Run, plate: Path, tmp_path: Path) -> None:
    (tmp_path / "names.csv").write_text(text, "utf-8", newline="")
    result = run("rename-wells", plate, "--csv", tmp_path / "names.csv", "--dry-run")
    assert (result.code, result.err) == (0, "")
    assert "A/1 → C/3" in result.out
    assert "2 wells would be renamed" in result.out
    assert wells(plate) == ["A/1", "A/2", "B/1"]
    result = run("rename-wells", plate, "--csv", tmp_path / "names.csv")
    assert (result.code, result.err) == (0, "")
    assert "2 wells renamed" in result.out
    assert wells(plate) == ["A/1", "B/1", "C/3"]


def test_json(run: Run, plate: Path, tmp_path: Path) -> None:
    (tmp_path / "names.csv").write_text("A/1,B/1\nB/1,A/1\n")
    facts = run("rename-wells", plate, "--csv", tmp_path / "names.csv", "--json").json
    assert facts["dry_run"] is False
    assert facts["moves"][-1] == ["B/1toA1", "A/1"]


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("A/1,B/1\n", 1, "B/1"),
        ("A/1,C/1\nZ/9,C/2\n", 1, "Z/9"),
        ("A1,C1\n", 1, "A1"),
        ("A/1\n", 2, "line 1"),
        ("A/1,\n", 2, "line 1"),
        ("old,new\nA/1,C/1\nA/2\n", 2, "line 3"),
        ("\n", 2, "empty"),
    ],
)
def test_mistakes(text: str, code: int, words: str, run: Run, plate: Path, tmp_path: Path) -> None:
    (tmp_path / "names.csv").write_text(text)
    result = run("rename-wells", plate, "--csv", tmp_path / "names.csv")
    assert result.code == code
    assert words in result.err
    assert "bug in anyzarr" not in result.err
    assert wells(plate) == ["A/1", "A/2", "B/1"]


def test_no_table_no_plate_and_no_text(run: Run, plate: Path, tmp_path: Path) -> None:
    assert run("rename-wells", plate).code == 2
    result = run("rename-wells", plate, "--csv", tmp_path / "none.csv")
    assert result.code == 1
    assert "none.csv" in result.sentence
    (tmp_path / "names.csv").write_bytes(b"\xff\xfe\x00")
    assert run("rename-wells", plate, "--csv", tmp_path / "names.csv").code == 1
    (tmp_path / "names.csv").write_text("A/1,C/1\n")
    result = run("rename-wells", plate / "A" / "1" / "0", "--csv", tmp_path / "names.csv")
    assert result.code == 1

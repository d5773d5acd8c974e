"""``anyzarr preview`` of plates and labels: what it prints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anyzarr

Run = Callable[..., Any]


@pytest.fixture
def plate(tmp_path: Path) -> Path:
    with anyzarr.open_ome_zarr(tmp_path / "p", layout="hcs", mode="w", axes="yx") as node:
        for column in "12":
            position = node.create_position("A", column, "0")
            position.create_image("0", np.ones((32, 32), "uint8"))
            position.create_label("cells", np.ones((32, 32), "uint8"))
    return tmp_path / "p"


def test_plate(run: Run, plate: Path, tmp_path: Path) -> None:
    result = run("preview", plate, tmp_path / "p.png")
    assert (result.code, result.err) == (0, "")
    assert "2 images" in result.out
    assert "cells" not in result.out
    facts = run("preview", plate, tmp_path / "p.png", "--labels", "all", "--json").json
    assert facts["images"] == ["A/1/0", "A/2/0"]
    assert facts["labels"] == ["cells"]


def test_what_cannot_be_shown_is_a_warning(run: Run, plate: Path, tmp_path: Path) -> None:
    (plate / "A/2/0/zarr.json").write_text("{")
    result = run("preview", plate, tmp_path / "p.png")
    assert result.code == 0
    assert "warning: A/2/0 cannot be shown" in result.err
    assert "1 image" in result.out
    result = run("preview", plate, tmp_path / "q.png", "--field", "9")
    assert result.code == 1
    assert "'9'" in result.sentence
    assert not (tmp_path / "q.png").exists()


def test_labels_of_an_image(run: Run, plate: Path, tmp_path: Path) -> None:
    assert "labels cells" in run("preview", plate, tmp_path / "p.png", "A/1/0").out
    for chosen, shown in (("none", []), ("cells", ["cells"])):
        result = run("preview", plate, tmp_path / "p", "A/1/0", "--labels", chosen, "--json")
        assert result.code == 1  # no .png
        result = run("preview", plate, tmp_path / "p.png", "A/1/0", "--labels", chosen, "--json")
        assert result.json["labels"] == shown

"""``anyzarr validate``: verdicts as exit codes, for people and for programs."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anyzarr
from anyzarr._cli import main


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image.zarr"
    with anyzarr.open_ome_zarr(path, mode="w", axes="yx") as node:
        node.create_image("0", np.ones((600, 500), "uint8"), scale=(0.5, 0.5))
        node.compute_pyramid()
    return path


def test_valid(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", str(image), "--deep"]) == 0
    output = capsys.readouterr().out
    assert "OME-Zarr 0.5 image: valid (0 errors" in output
    assert "chunks decoded" in output


def test_broken(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    anyzarr.crud.delete_node(anyzarr.stores.LocalStore(str(image)), "1")
    assert main(["validate", str(image)]) == 1
    output = capsys.readouterr().out
    assert "error: / ome.multiscales[0].datasets[1]" in output
    assert "NOT VALID (1 errors" in output


def test_json(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", str(image), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["valid"] is True
    assert document["errors"] == []
    assert {warning["rule"] for warning in document["warnings"]} == {"axis-unit-given"}


@pytest.mark.parametrize("as_json", [True, False])
def test_what_cannot_be_opened(
    tmp_path: Path, as_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["validate", str(tmp_path / "nothing.zarr"), *(["--json"] if as_json else [])]
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ")
    if as_json:
        document = json.loads(captured.out)
        assert document["valid"] is False
        assert document["errors"][0]["rule"] == "cannot-open"


GOOD: dict[str, Any] = {"ome": {"version": "0.5", "labels": ["a"]}}


@pytest.mark.parametrize(("attributes", "code"), [(GOOD, 0), ({"ome": {}}, 1), ({}, 1), ([], 1)])
def test_attributes_of_a_file(
    tmp_path: Path, attributes: Any, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "attributes.json"
    file.write_text(json.dumps(attributes))
    assert main(["validate", "--attributes", str(file), "--json"]) == code
    assert json.loads(capsys.readouterr().out)["valid"] is (code == 0)


def test_attributes_of_stdin(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(GOOD)))
    assert main(["validate", "--attributes", "-"]) == 0
    assert "OME-Zarr 0.5 labels: valid" in capsys.readouterr().out


def test_version_of_attributes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "attributes.json"
    file.write_text(json.dumps(GOOD))
    assert main(["validate", "--attributes", str(file), "--version", "0.6"]) == 1
    assert "0.6" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["a.zarr", "--attributes", "b.json"],
        ["--attributes", "/nothing/at/all.json"],
        ["--attributes", "{not_json}"],
        ["a.zarr", "--version", "0.5"],
        ["--attributes", "{not_json}", "--version", "9"],
    ],
)
def test_mistakes_of_usage(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "x.json"
    file.write_text("{")
    filled = [a.replace("{not_json}", str(file)) for a in arguments]
    assert main(["validate", *filled]) == 2
    assert capsys.readouterr().err.startswith("error: ")

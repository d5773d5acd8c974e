"""Every command takes URL pipelines."""

import gzip
from pathlib import Path
from typing import Any

import pytest

import anyzarr

Run = Any


@pytest.fixture
def wrapped(image: Path) -> str:
    """The image in an archive in a gzip file."""
    anyzarr.convert(image, image.parent / "a b.ozx")
    path = image.parent / "a b.ozx.gz"
    path.write_bytes(gzip.compress((image.parent / "a b.ozx").read_bytes(), 1))
    return f"{path}|gzip:|ozx:|zarr3:"


def test_commands_that_read(run: Run, image: Path, wrapped: str, tmp_path: Path) -> None:
    facts = run("info", wrapped, "--json").json
    assert facts["location"] == f"{image.parent.as_uri()}/a%20b.ozx.gz|gzip:|zip:"
    assert facts["backend"] == "zip"
    assert run("info", wrapped, "-v").code == 0
    assert [child["name"] for child in run("tree", wrapped, "--json").json["children"]] == [
        "0",
        "1",
    ]
    assert run("validate", wrapped).code == 0
    ranked = run("engines", wrapped, "0", "--json").json
    assert ranked["backend"] == "zip"
    assert run("bench", wrapped, "0", "--engine", "native", "--rounds", "1").code == 0
    assert run("preview", wrapped, tmp_path / "p.png").code == 0
    assert (tmp_path / "p.png").read_bytes()[:4] == b"\x89PNG"
    assert run("convert", wrapped, f"{tmp_path}/new.zarr|zarr3:", "-q").code == 0
    assert anyzarr.open_ome_zarr(tmp_path / "new.zarr").data.shape == (2, 300, 400)
    assert run("convert", wrapped, f"{tmp_path}/new.zip|zip:|zarr3:", "-q").code == 0
    assert anyzarr.open_ome_zarr(f"{tmp_path}/new.zip|zip:").data.shape == (2, 300, 400)


def test_commands_that_write(run: Run, image: Path) -> None:
    told = f"{image.as_uri()}|zarr3:"
    assert run("set", "scale", told, "y=0.5").code == 0
    assert anyzarr.open_ome_zarr(image).scale[1] == 0.5
    assert run("pyramid", told, "--delete").code == 0
    assert run("pyramid", told, "-q").code == 0
    assert run("consolidate", told).code == 0
    assert run("consolidate", told, "--check").code == 0


def test_mistakes_are_told_in_a_sentence(run: Run, image: Path, wrapped: str) -> None:
    for command in (("info",), ("tree",), ("engines",), ("consolidate",)):
        assert "is Zarr v3" in run(*command, f"{image}|zarr2:").sentence
        assert "unknown step 'tar:'" in run(*command, f"{image}|tar:").sentence
    assert "can only be read" in run("set", "scale", wrapped, "y=1").sentence
    assert "can only be read" in run("consolidate", wrapped).sentence
    assert run("validate", f"{image}|zarr2:").code == 2

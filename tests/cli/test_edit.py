"""``anyzarr pyramid`` and ``anyzarr set``: what they write, and what they refuse."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import anyzarr
from anyzarr._cli import main


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image.zarr"
    with anyzarr.open_ome_zarr(path, mode="w", axes="czyx", channel_names=["a", "b"]) as node:
        data = np.arange(2 * 3 * 400 * 300, dtype="uint16").reshape(2, 3, 400, 300)
        node.create_image("0", data)
    return path


def test_pyramid(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pyramid", str(image), "--method", "max", "--factors", "1,1,2,2"]) == 0
    assert "2 levels: 2 × 3 × 400 × 300, 2 × 3 × 200 × 150" in capsys.readouterr().out
    with anyzarr.open_ome_zarr(image) as node:
        expected = node.data[:].reshape(2, 3, 200, 2, 150, 2).max(axis=(3, 5))
        np.testing.assert_array_equal(node[1][:], expected)
    assert main(["pyramid", str(image), "--factors", "1,3,4,4", "--factors", "1,1,2,2"]) == 0
    with anyzarr.open_ome_zarr(image) as node:
        assert [level.shape[1:] for level in node.levels] == [
            (3, 400, 300), (1, 100, 75), (1, 50, 38),
        ]  # fmt: skip
    assert main(["pyramid", str(image), "--delete"]) == 0
    with anyzarr.open_ome_zarr(image) as node:
        assert len(node) == 1
    assert not (image / "1").exists()


def test_scale_and_unit(image: Path) -> None:
    main(["pyramid", str(image), "-q"])
    assert main(["set", "scale", str(image), "z=2.5um", "y=0.5", "x=5e-1"]) == 0
    with anyzarr.open_ome_zarr(image) as node:
        assert node.scale == [1.0, 2.5, 0.5, 0.5]
        assert node.get_effective_scale(1)[2:] == [1.0, 1.0]
        assert [axis.unit for axis in node.axes] == [None, "micrometer", None, None]
    assert main(["set", "unit", str(image), "y=nm", "x=micrometer", "z=none"]) == 0
    with anyzarr.open_ome_zarr(image) as node:
        assert [axis.unit for axis in node.axes] == [None, None, "nanometer", "micrometer"]


def test_channel_and_contrast(image: Path) -> None:
    arguments = ["--name", "GFP", "--color", "00FF00", "--hidden"]
    assert main(["set", "channel", str(image), "1", *arguments]) == 0
    assert main(["set", "contrast", str(image), "GFP", "10,200"]) == 0
    assert main(["set", "contrast", str(image), "a", "--percentiles", "0,100"]) == 0
    with anyzarr.open_ome_zarr(image) as node:
        assert node.channel_names == ["a", "GFP"]
        first, second = node.channels
        assert (second.color, second.active) == ("00FF00", False)
        assert second.window is not None
        assert first.window is not None
        assert (second.window.start, second.window.end) == (10, 200)
        values = node.data[0]
        assert (first.window.start, first.window.end) == (values.min(), values.max())
    assert main(["set", "contrast", str(image)]) == 0
    assert main(["validate", str(image), "--deep"]) == 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["pyramid", "IMAGE", "--method", "best"], 1, "best"),
        (["pyramid", "IMAGE", "--factors", "1,0"], 2, "1,0"),
        (["pyramid", "IMAGE", "--factors", "2,2"], 1, "axes"),
        (["pyramid", "NOTHING"], 1, "NOTHING"),
        (["set", "scale", "IMAGE"], 2, "say what to set"),
        (["set", "scale", "IMAGE", "z"], 2, "AXIS=VALUE"),
        (["set", "scale", "IMAGE", "z=big"], 2, "big"),
        (["set", "scale", "IMAGE", "q=1"], 1, "'q'"),
        (["set", "scale", "IMAGE", "z=-1"], 1, "-1"),
        (["set", "unit", "IMAGE", "z=furlong"], 1, "furlong"),
        (["set", "channel", "IMAGE", "0"], 2, "--name"),
        (["set", "channel", "IMAGE", "9", "--name", "x"], 1, "9"),
        (["set", "channel", "IMAGE", "0", "--color", "green"], 1, "green"),
        (["set", "contrast", "IMAGE", "0", "1"], 2, "two numbers"),
        (["set", "nonsense", "IMAGE"], 2, "nonsense"),
    ],
)
def test_mistakes(
    arguments: list[str],
    code: int,
    words: str,
    image: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = {p: p.read_bytes() for p in image.rglob("*") if p.is_file()}
    filled = [a.replace("IMAGE", str(image)) for a in arguments]
    assert main(filled) == code
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert "bug in anyzarr" not in error
    assert words in error
    assert {p: p.read_bytes() for p in image.rglob("*") if p.is_file()} == before

"""What the command-line tests start from: an image, an array, and a way to run commands."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anyzarr
from anyzarr._cli import main


@dataclass
class Result:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def sentence(self) -> str:
        """The one line on stderr of a command that failed."""
        assert "Traceback" not in self.err
        assert self.out == ""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("error: ")
        return lines[0].removeprefix("error: ")


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    for name in ("COLUMNS", "FORCE_COLOR", "ANYZARR_ENGINE", "ANYZARR_BACKEND"):
        monkeypatch.delenv(name, raising=False)

    def call(*arguments: object) -> Result:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return call


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """An OME-Zarr 0.5 image, CYX of uint16 in two levels, made from plain Zarr calls."""
    location = tmp_path / "image.zarr"
    pixels = np.arange(2 * 300 * 400, dtype="uint16").reshape(2, 300, 400) % 4096
    axes = [{"name": "c", "type": "channel"}] + [
        {"name": name, "type": "space", "unit": "micrometer"} for name in "yx"
    ]
    datasets = [
        {
            "path": str(level),
            "coordinateTransformations": [
                {"type": "scale", "scale": [1.0, 0.25 * 2**level, 0.25 * 2**level]}
            ],
        }
        for level in range(2)
    ]
    window = {"min": 0, "max": 65535, "start": 100, "end": 3000}
    channels = [
        {"label": "DAPI", "color": "0000FF", "window": window},
        {"label": "GFP", "color": "00FF00", "window": window},
    ]
    ome = {
        "version": "0.5",
        "multiscales": [{"name": "my image", "axes": axes, "datasets": datasets}],
        "omero": {"channels": channels},
    }
    group = anyzarr.create_group(location, attributes={"ome": ome})
    for level in range(2):
        data = pixels[:, :: 2**level, :: 2**level]
        array = group.create_array(
            str(level),
            shape=data.shape,
            dtype="uint16",
            chunks=(1, 100, 100),
            shards=(1, 300, 400) if level == 0 else None,
            dimension_names=("c", "y", "x"),
        )
        array[...] = data
    return location


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A plain array of 10 chunks, 7 of them stored."""
    location = tmp_path / "plain.zarr"
    array = anyzarr.create_array(
        location, shape=(100, 30), dtype="float32", chunks=(10, 30), attributes={"by": "hand"}
    )
    array[:70] = np.arange(70 * 30, dtype="float32").reshape(70, 30) + 1
    return location

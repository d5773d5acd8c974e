"""A dry run tells what a conversion then does, and writes nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anyzarr
from anyzarr.errors import MetadataError, NodeNotFoundError, UnsupportedError

RNG = np.random.default_rng(0)
LAYOUT: dict[str, Any] = {"axes": "czyx", "chunks": (1, 5, 100, 100), "shards": (1, 10, 200, 200)}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    np.save(tmp_path / "a.npy", RNG.integers(0, 500, (3, 20, 300, 400)).astype("u2"))
    return tmp_path / "a.npy"


@pytest.mark.parametrize("options", [{"axes": "czyx"}, LAYOUT, {**LAYOUT, "shards": False}])
def test_the_plan_is_what_is_done(source: Path, tmp_path: Path, options: Any) -> None:
    planned = anyzarr.convert(source, tmp_path / "out.zarr", dry_run=True, workers=2, **options)
    assert os.listdir(tmp_path) == ["a.npy"]
    assert planned.kind == "plan"
    assert planned.plan is not None
    done = anyzarr.convert(source, tmp_path / "out.zarr", **options)
    assert (planned.level_shapes, planned.axes, planned.dtype, planned.layout) == (
        done.level_shapes, done.axes, done.dtype, done.layout,
    )  # fmt: skip
    assert planned.n_objects == done.n_objects
    assert 0.8 < planned.size_bytes / done.size_bytes < 1.25
    array = anyzarr.open_array(tmp_path / "out.zarr/0")
    assert (planned.plan.chunks, planned.plan.shards) == (array.chunks, array.shards)
    assert planned.plan.raw_bytes == sum(int(np.prod(s)) * 2 for s in done.level_shapes)
    assert planned.plan.seconds > 0
    assert 0 < planned.plan.sampled_bytes <= planned.plan.raw_bytes
    assert "would convert" in str(planned)


def test_an_image_without_elements(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((0, 4), "u1"))
    plan = anyzarr.convert(tmp_path / "a.npy", tmp_path / "b.zarr", axes="yx", dry_run=True).plan
    assert plan is not None
    assert (plan.raw_bytes, plan.seconds) == (0, 0)


def test_what_would_fail_fails(source: Path, tmp_path: Path) -> None:
    with pytest.raises(MetadataError):
        anyzarr.convert(source, tmp_path / "out.zarr", dry_run=True, chunks=(1, 2))
    anyzarr.convert(source, tmp_path / "out.zarr", axes="czyx")
    with pytest.raises(UnsupportedError, match="processes"):
        anyzarr.convert(tmp_path / "out.zarr", tmp_path / "b.zarr", processes=True)
    with pytest.raises(NodeNotFoundError):
        anyzarr.convert({"a/b": b"1"}, tmp_path / "b.zarr", dry_run=True)
    assert sorted(os.listdir(tmp_path)) == ["a.npy", "out.zarr"]


@pytest.mark.parametrize("target", ["b.zarr", "b.ozx"])
def test_a_copy(source: Path, tmp_path: Path, target: str) -> None:
    anyzarr.convert(source, tmp_path / "out.zarr", axes="czyx")
    (tmp_path / "out.zarr" / ".DS_Store").touch()
    planned = anyzarr.convert(tmp_path / "out.zarr", tmp_path / target, dry_run=True, workers=2)
    assert sorted(os.listdir(tmp_path)) == ["a.npy", "out.zarr"]
    assert (planned.kind, planned.axes) == ("plan", ("c", "z", "y", "x"))
    assert "left out 1 object" in planned.warnings[0]
    plan = planned.plan
    assert plan is not None
    assert (plan.workers, plan.codecs) == (2, ())
    assert 0 < plan.sampled_bytes <= plan.raw_bytes
    assert plan.seconds > 0
    done = anyzarr.convert(tmp_path / "out.zarr", tmp_path / target)
    assert planned.n_objects == done.n_objects
    assert planned.size_bytes == pytest.approx(done.size_bytes, rel=0.01)


def test_a_large_object_is_not_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anyzarr._convert._dry_run_copy._MOST_BYTES", 1000)
    anyzarr.create_array(tmp_path / "a", data=np.arange(10), chunks=(5,))
    (tmp_path / "a" / "c" / "0").write_bytes(b"")
    os.truncate(tmp_path / "a" / "c" / "0", 300_000_000)
    plan = anyzarr.convert(tmp_path / "a", tmp_path / "b", dry_run=True).plan
    assert plan is not None
    assert plan.raw_bytes > 300_000_000
    assert plan.sampled_bytes < 100_000_000

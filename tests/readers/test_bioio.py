"""Conversion through bioio: DeltaVision files, written by ``mrc`` and read by bioio-dv."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anyzarr
from anyzarr.errors import CorruptDataError, UnsupportedError
from anyzarr.ome import open_ome_zarr
from anyzarr.readers import reader_for
from anyzarr.readers._bioio import open_bioio

pytest.importorskip("bioio")
pytest.importorskip("bioio_dv")
mrc = pytest.importorskip("mrc")
# Files that bioio and its plug-ins leave to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def values() -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).integers(0, 999, (2, 3, 20, 30)).astype("u2")


def test_a_format_that_only_a_plugin_reads(tmp_path: Path) -> None:
    mrc.imsave(str(tmp_path / "a.dv"), values(), resolution=(0.5, 0.25, 2.0))
    report = anyzarr.convert(tmp_path / "a.dv", tmp_path / "a.zarr", verify=True)
    assert "no unit" in report.warnings[0]
    with open_ome_zarr(tmp_path / "a.zarr") as image:
        np.testing.assert_array_equal(image.data[...], mrc.imread(str(tmp_path / "a.dv")))
        np.testing.assert_array_equal(image.data[...], values())
        assert image.axis_names == list("czyx")
        assert image.scale == [1.0, 2.0, 0.25, 0.5]
        assert len(image.channel_names) == 2
        assert image.name == "a"
        assert image.group.attrs["bioio"]
    source = open_bioio(tmp_path / "a.dv", axes="tzyx")
    part = (slice(1, 2), slice(0, 2), slice(3, 9), slice(0, 30))
    np.testing.assert_array_equal(source.read(0, part), values()[part])


def test_what_no_plugin_reads(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("no image")
    assert reader_for(tmp_path / "a.txt") is None
    with pytest.raises(UnsupportedError, match="bioio"):
        anyzarr.convert(tmp_path / "a.txt", tmp_path / "b.zarr")
    with pytest.raises(UnsupportedError, match="no plug-in"):
        open_bioio(tmp_path / "a.txt")


def test_broken_files(tmp_path: Path) -> None:
    mrc.imsave(str(tmp_path / "a.dv"), values())
    whole = (tmp_path / "a.dv").read_bytes()
    (tmp_path / "b.dv").write_bytes(whole[:-100])
    with pytest.raises(CorruptDataError, match=r"b\.dv"):
        anyzarr.convert(tmp_path / "b.dv", tmp_path / "b.zarr")
    (tmp_path / "b.dv").write_bytes(b"")
    with pytest.raises(UnsupportedError, match="no plug-in"):
        anyzarr.convert(tmp_path / "b.dv", tmp_path / "b.zarr")
    assert not (tmp_path / "b.zarr").exists()

"""Conversion of .npz files, compared with what numpy reads."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anyzarr
from anyzarr.errors import CorruptDataError, MetadataError, UnsupportedError
from anyzarr.ome import open_ome_zarr
from anyzarr.readers._npy import open_npz


def arrays() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {
        "raw": rng.integers(0, 999, (3, 40, 50)).astype(">u2"),
        "mask": np.asfortranarray(rng.integers(0, 2, (40, 50)).astype(bool)),
    }


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_each_array_is_an_image(tmp_path: Path, save: Any) -> None:
    save(tmp_path / "a.npz", **arrays(), times=np.arange(3), note=np.array("text"))
    report = anyzarr.convert(tmp_path / "a.npz", tmp_path / "a.zarr", verify=True)
    assert (report.layout, report.n_images) == ("series", 2)
    assert any("times" in w and "note" in w for w in report.warnings)
    with open_ome_zarr(tmp_path / "a.zarr") as series, np.load(tmp_path / "a.npz") as theirs:
        for number, name in enumerate(("raw", "mask")):
            image = series[str(number)]
            assert image.name == name
            np.testing.assert_array_equal(image.data[...], theirs[name])


def test_axes_are_named_for_one_of_them(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **arrays())
    anyzarr.convert(tmp_path / "a.npz", tmp_path / "a.zarr", series=0, axes="cyx")
    with open_ome_zarr(tmp_path / "a.zarr") as image:
        assert image.axis_names == list("cyx")
    with pytest.raises(MetadataError, match="cyx"):
        anyzarr.convert(tmp_path / "a.npz", tmp_path / "b.zarr", series=1, axes="cyx")


def test_nothing_of_which_an_image_could_be_made(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", times=np.arange(3), texts=np.array([["a"]]))
    with pytest.raises(UnsupportedError, match="times"):
        anyzarr.convert(tmp_path / "a.npz", tmp_path / "a.zarr")
    np.savez(tmp_path / "none.npz")
    with pytest.raises(UnsupportedError, match="nothing"):
        anyzarr.convert(tmp_path / "none.npz", tmp_path / "a.zarr")


def test_broken_files(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **arrays())
    whole = (tmp_path / "a.npz").read_bytes()
    for n in (0, 30, 500, len(whole) - 10):
        (tmp_path / "b.npz").write_bytes(whole[:n])
        with pytest.raises(CorruptDataError, match=r"b\.npz"):
            anyzarr.convert(tmp_path / "b.npz", tmp_path / "b.zarr")
    at = whole.index(arrays()["raw"].tobytes()) + 1000
    (tmp_path / "b.npz").write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    with pytest.raises(CorruptDataError, match="CRC"):
        anyzarr.convert(tmp_path / "b.npz", tmp_path / "b.zarr")
    assert not (tmp_path / "b.zarr").exists()
    with zipfile.ZipFile(tmp_path / "c.npz", "w") as archive:
        np.save(tmp_path / "raw.npy", arrays()["raw"])
        archive.writestr("raw.npy", (tmp_path / "raw.npy").read_bytes()[:-7])
    source = open_npz(tmp_path / "c.npz")
    with pytest.raises(CorruptDataError, match="its header tells of"):
        source.read(0, (slice(0, 1),) * 3)
    source.close()

"""Conversion of NIfTI files: written by nibabel, or shipped with it, and compared with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anyzarr
from anyzarr.errors import CorruptDataError, MetadataError, UnsupportedError
from anyzarr.ome import open_ome_zarr
from anyzarr.readers._nifti import open_nifti

nibabel = pytest.importorskip("nibabel")
SHIPPED = Path(nibabel.__file__).parent / "tests" / "data"


def write(path: Path, values: Any, affine: Any = None, units: Any = ("mm", "sec")) -> None:
    affine = np.diag([0.5, 0.6, 2.0, 1.0]) if affine is None else affine
    image = nibabel.Nifti1Image(values, affine)
    image.header.set_xyzt_units(*units)
    if values.ndim > 3:
        image.header.set_zooms([0.5, 0.6, 2.0, 1.5, 1.0, 1.0][: values.ndim])
    image.header["descrip"] = b"made by a test"
    nibabel.save(image, path)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("dtype", ["u1", ">i2", "f4", "u4", "f8"])
def test_volumes_over_time(tmp_path: Path, name: str, dtype: str) -> None:
    values = np.random.default_rng(0).integers(0, 99, (20, 30, 5, 3)).astype(dtype)
    affine = np.diag([0.5, 0.6, 2.0, 1.0])
    affine[:3, 3] = 1, 2, 3
    write(tmp_path / name, values, affine)
    report = anyzarr.convert(tmp_path / name, tmp_path / "a.zarr", verify=True)
    assert report.warnings == ()
    theirs = nibabel.load(tmp_path / name)
    with open_ome_zarr(tmp_path / "a.zarr") as image:
        assert image.axis_names == list("tzyx")
        np.testing.assert_array_equal(image.data[...], np.asanyarray(theirs.dataobj).T)
        assert image.data.dtype == np.dtype(dtype).newbyteorder("=")
        np.testing.assert_allclose(image.scale, theirs.header.get_zooms()[::-1], rtol=1e-6)
        assert [axis.unit for axis in image.axes] == ["second", *["millimeter"] * 3]
        np.testing.assert_allclose(image.translation, [0, 3, 2, 1])
        assert image.group.attrs["nifti"]["description"] == "made by a test"
        assert image.group.attrs["nifti"]["affine"] == theirs.affine.tolist()


@pytest.mark.parametrize("name", ["functional.nii", "example_nifti2.nii.gz", "anatomical.nii"])
def test_files_that_nibabel_ships(tmp_path: Path, name: str) -> None:
    report = anyzarr.convert(SHIPPED / name, tmp_path / "a.zarr", verify=True)
    theirs = nibabel.load(SHIPPED / name)
    with open_ome_zarr(tmp_path / "a.zarr") as image:
        np.testing.assert_allclose(image.data[...], theirs.get_fdata().T, rtol=1e-6)
        np.testing.assert_allclose(image.scale, theirs.header.get_zooms()[::-1], rtol=1e-6)
        turned = any("turned" in warning for warning in report.warnings)
        assert turned is (image.translation is None or not any(image.translation))
        np.testing.assert_allclose(image.group.attrs["nifti"]["affine"], theirs.affine)


def test_scaled_values(tmp_path: Path) -> None:
    values = np.arange(-600, 600, dtype="i2").reshape(20, 30, 2)
    image = nibabel.Nifti1Image(values, np.eye(4), dtype="i2")
    image.header.set_slope_inter(0.25, -3)
    nibabel.save(image, tmp_path / "a.nii")
    theirs = nibabel.load(tmp_path / "a.nii")
    assert theirs.dataobj.slope == 0.25
    source = open_nifti(tmp_path / "a.nii")
    found = source.read(0, tuple(slice(0, n) for n in source.image(0).shape))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, theirs.get_fdata().T)


@pytest.mark.parametrize("names", ["RGB", "RGBA"])
def test_colours_become_channels(tmp_path: Path, names: str) -> None:
    dtype = np.dtype([(name, "u1") for name in names])
    plain = np.random.default_rng(0).integers(0, 255, (20, 30, 5, len(names)), "u1")
    write(tmp_path / "a.nii.gz", plain.view(dtype)[..., 0])
    anyzarr.convert(tmp_path / "a.nii.gz", tmp_path / "a.zarr")
    with open_ome_zarr(tmp_path / "a.zarr") as image:
        assert image.axis_names == list("czyx")
        np.testing.assert_array_equal(image.data[...], plain.transpose(3, 2, 1, 0))
        assert [c.color for c in image.channels][:3] == ["FF0000", "00FF00", "0000FF"]
        assert image.channels[0].window.end == 255


def test_vectors_and_axes_that_are_named(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(20, 30, 5, 1, 3)).astype("f4")
    write(tmp_path / "a.nii", values, units=("micron", "msec"))
    anyzarr.convert(tmp_path / "a.nii", tmp_path / "a.zarr")
    with open_ome_zarr(tmp_path / "a.zarr") as image:
        assert image.axis_names == list("czyx")
        assert image.axes[1].unit == "micrometer"
        np.testing.assert_array_equal(image.data[...], values[..., 0, :].T)
    anyzarr.convert(tmp_path / "a.nii", tmp_path / "t.zarr", axes="xyzt")
    with open_ome_zarr(tmp_path / "t.zarr") as image:
        assert image.axis_names == list("tzyx")
    with pytest.raises(MetadataError, match="xyz"):
        anyzarr.convert(tmp_path / "a.nii", tmp_path / "b.zarr", axes="xyz")
    write(tmp_path / "b.nii", np.ones((4, 4, 2, 1, 1, 3), "f4"))
    with pytest.raises(UnsupportedError, match="u=3"):
        anyzarr.convert(tmp_path / "b.nii", tmp_path / "b.zarr")


def test_broken_files(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 99, (20, 30, 5)).astype("i2")
    for name in ("a.nii", "a.nii.gz"):
        write(tmp_path / name, values)
        whole = (tmp_path / name).read_bytes()
        for n in (0, 100, 350, len(whole) // 2, len(whole) - 1):
            (tmp_path / f"b{name}").write_bytes(whole[:n])
            with pytest.raises(CorruptDataError, match=f"b{name}"):
                anyzarr.convert(tmp_path / f"b{name}", tmp_path / "b.zarr")
        flipped = bytearray(whole)
        flipped[len(whole) // 2] ^= 64
        if name.endswith("gz"):
            (tmp_path / "c.nii.gz").write_bytes(flipped)
            with pytest.raises(CorruptDataError, match=r"c\.nii\.gz"):
                anyzarr.convert(tmp_path / "c.nii.gz", tmp_path / "b.zarr")
    raw = bytearray((tmp_path / "a.nii").read_bytes())
    raw[70:72] = (9999).to_bytes(2, "little")
    (tmp_path / "c.nii").write_bytes(raw)
    with pytest.raises(CorruptDataError, match="9999"):
        anyzarr.convert(tmp_path / "c.nii", tmp_path / "b.zarr")
    assert not (tmp_path / "b.zarr").exists()

"""Conversion of MRC files: written by mrcfile, compared with what it and ``mrc`` read."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anyzarr
from anyzarr.errors import CorruptDataError, UnsupportedError
from anyzarr.ome import open_ome_zarr
from anyzarr.readers._mrc import open_mrc

# mrcfile sets the dtype of arrays, which numpy 2.5 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:Setting the dtype:DeprecationWarning")
mrcfile = pytest.importorskip("mrcfile")
DATA = Path(__file__).parents[1] / "data"


def write(path: Path, values: np.ndarray[Any, Any], **options: Any) -> None:
    with mrcfile.new(path, **options) as file:
        file.set_data(values)
        file.voxel_size = (1.5, 2.5, 3.5)
        file.header.origin = (10.0, 20.0, 30.0)
        file.add_label("made by a test")


@pytest.mark.parametrize("dtype", ["i1", "i2", "f4", "u2", "f2"])
@pytest.mark.parametrize("name", ["a.mrc", "a.map.gz", "a.mrc.bz2"])
def test_volumes_of_each_mode(tmp_path: Path, dtype: str, name: str) -> None:
    values = np.random.default_rng(0).integers(-90, 90, (4, 30, 20)).astype(dtype)
    kind = {"gz": "gzip", "z2": "bzip2"}.get(name[-2:])
    write(tmp_path / name, values, compression=kind)
    report = anyzarr.convert(tmp_path / name, tmp_path / "a.zarr", verify=True)
    assert report.warnings == ()
    with open_ome_zarr(tmp_path / "a.zarr") as image, mrcfile.open(tmp_path / name) as theirs:
        np.testing.assert_array_equal(image.data[...], theirs.data)
        assert image.data.dtype == theirs.data.dtype.newbyteorder("=")
        voxel = theirs.voxel_size
        assert image.scale == [float(voxel.z), float(voxel.y), float(voxel.x)] == [3.5, 2.5, 1.5]
        assert [axis.unit for axis in image.axes] == ["angstrom"] * 3
        assert image.translation == [30.0, 20.0, 10.0]
        assert "made by a test" in image.group.attrs["mrc"]["labels"][-1]


def test_big_endian_and_other_axis_orders(tmp_path: Path) -> None:
    values = np.arange(4 * 30 * 20, dtype="i2").reshape(4, 30, 20)
    write(tmp_path / "a.mrc", values)
    raw = bytearray((tmp_path / "a.mrc").read_bytes())
    header = np.frombuffer(raw, "<i4", 256).copy()
    header[16:19] = 3, 1, 2  # mapc, mapr, maps: columns are z, rows x, sections y
    swapped = header.byteswap().tobytes()
    label = bytes(raw[208:212]) + b"\x11\x11\0\0"
    big = swapped[:208] + label + swapped[216:1024] + values.astype(">i2").tobytes()
    (tmp_path / "b.mrc").write_bytes(big)
    source = open_mrc(tmp_path / "b.mrc")
    assert source.image(0).shape == (20, 4, 30)
    assert [axis.name for axis in source.image(0).axes] == list("zyx")
    expected = values.transpose(2, 0, 1)
    part = (slice(3, 9), slice(1, 3), slice(0, 30))
    np.testing.assert_array_equal(source.read(0, part), expected[part])


def test_stacks_of_images_and_volumes(tmp_path: Path) -> None:
    values = np.random.default_rng(1).normal(size=(6, 30, 20)).astype("f4")
    with mrcfile.new(tmp_path / "a.mrcs") as file:
        file.set_data(values)
        file.set_image_stack()
    report = anyzarr.convert(tmp_path / "a.mrcs", tmp_path / "a.zarr")
    assert "axes=" in report.warnings[0]
    anyzarr.convert(tmp_path / "a.mrcs", tmp_path / "t.zarr", axes="tyx")
    with open_ome_zarr(tmp_path / "t.zarr") as image:
        assert image.axis_names == list("tyx")
        np.testing.assert_array_equal(image.data[...], values)
    with mrcfile.new(tmp_path / "v.mrc") as file:
        file.set_data(values.reshape(3, 2, 30, 20))
    report = anyzarr.convert(tmp_path / "v.mrc", tmp_path / "v.zarr")
    assert "3 volumes" in report.warnings[0]
    with open_ome_zarr(tmp_path / "v.zarr") as image:
        assert image.axis_names == list("tzyx")
        np.testing.assert_array_equal(image.data[...], values.reshape(3, 2, 30, 20))


def test_a_map_of_the_data_bank(tmp_path: Path) -> None:
    anyzarr.convert(DATA / "EMD-3197.map.bz2", tmp_path / "a.zarr", verify=True)
    theirs = mrcfile.read(DATA / "EMD-3197.map.bz2")
    with open_ome_zarr(tmp_path / "a.zarr") as image:
        np.testing.assert_array_equal(image.data[...], theirs)
        np.testing.assert_allclose(image.scale, [11.4] * 3, rtol=1e-6)


def test_bytes_of_imod_are_unsigned(tmp_path: Path) -> None:
    write(tmp_path / "a.mrc", np.array([[-1, 2], [3, -128]], "i1"))
    raw = bytearray((tmp_path / "a.mrc").read_bytes())
    raw[152:160] = (1146047817).to_bytes(4, "little") + (0).to_bytes(4, "little")
    (tmp_path / "a.mrc").write_bytes(raw)
    source = open_mrc(tmp_path / "a.mrc")
    found = source.read(0, (slice(0, 2), slice(0, 2)))
    np.testing.assert_array_equal(found, np.array([[255, 2], [3, 128]], "u1"))


def test_broken_files(tmp_path: Path) -> None:
    write(tmp_path / "a.mrc", np.ones((4, 30, 20), "f4"))
    whole = (tmp_path / "a.mrc").read_bytes()
    for n in (0, 100, 1023, 1024, 5000, len(whole) - 1):
        (tmp_path / "b.mrc").write_bytes(whole[:n])
        with pytest.raises(CorruptDataError, match=r"b\.mrc"):
            anyzarr.convert(tmp_path / "b.mrc", tmp_path / "b.zarr")
        with gzip.open(tmp_path / "c.mrc.gz", "wb") as packed:
            packed.write(whole[:n])
        with pytest.raises(CorruptDataError, match=r"c\.mrc\.gz"):
            anyzarr.convert(tmp_path / "c.mrc.gz", tmp_path / "b.zarr")
    with (tmp_path / "a.mrc").open("rb") as plain, gzip.open(tmp_path / "d.mrc.gz", "wb") as packed:
        shutil.copyfileobj(plain, packed)
    cut = (tmp_path / "d.mrc.gz").read_bytes()[:-6]
    (tmp_path / "d.mrc.gz").write_bytes(cut)
    with pytest.raises(CorruptDataError, match=r"d\.mrc\.gz"):
        anyzarr.convert(tmp_path / "d.mrc.gz", tmp_path / "b.zarr")
    strange = whole[:12] + (101).to_bytes(4, "little") + whole[16:]
    (tmp_path / "b.mrc").write_bytes(strange)
    with pytest.raises(UnsupportedError, match="mode 101"):
        anyzarr.convert(tmp_path / "b.mrc", tmp_path / "b.zarr")
    assert not (tmp_path / "b.zarr").exists()

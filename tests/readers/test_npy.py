"""Conversion of .npy files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anyzarr
from anyzarr.errors import CorruptDataError, MetadataError, UnsupportedError
from anyzarr.readers._npy import open_npy


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("axes", ["czyx", "yxcz", "xzyc", None])
@pytest.mark.parametrize("dtype", ["u2", ">f4", "?"])
def test_axes_come_in_the_order_of_ome_zarr(
    tmp_path: Path, order: Any, axes: str | None, dtype: str
) -> None:
    values = np.asarray(np.random.default_rng(0).integers(0, 9, (3, 4, 5, 6)).astype(dtype))
    np.save(tmp_path / "a.npy", np.asarray(values, order=order))
    names = axes or "czyx"
    expected = values.transpose([names.index(name) for name in "czyx"])
    report = anyzarr.convert(tmp_path / "a.npy", tmp_path / "a.zarr", axes=axes)
    assert bool(report.warnings) is (axes is None)
    with anyzarr.open_ome_zarr(tmp_path / "a.zarr") as image:
        assert image.axis_names == list("czyx")
        np.testing.assert_array_equal(image.data[...], expected)
        assert image.name == "a"
    reader = open_npy(tmp_path / "a.npy", axes=names)
    n = [2, 1, 3, 4]
    region = tuple(slice(1, k) for k in expected.shape), tuple(slice(0, k) for k in n)
    for where in region:
        part = tuple(
            slice(s.start, min(s.stop, k)) for s, k in zip(where, expected.shape, strict=True)
        )
        np.testing.assert_array_equal(reader.read(0, part), expected[part])


def test_pyramid_and_archive(tmp_path: Path) -> None:
    values = np.arange(600 * 600, dtype="u4").reshape(600, 600)
    np.save(tmp_path / "a.npy", values)
    anyzarr.convert(tmp_path / "a.npy", tmp_path / "a.ozx", method="max", axes="yx")
    with anyzarr.open_ome_zarr(tmp_path / "a.ozx") as image:
        np.testing.assert_array_equal(image[1][...], values[1::2, 1::2])


@pytest.mark.parametrize("axes", ["yx", "zyxx", "zyy", "abc"])
def test_axes_that_do_not_fit(tmp_path: Path, axes: str) -> None:
    np.save(tmp_path / "a.npy", np.ones((2, 3, 4)))
    with pytest.raises(MetadataError, match="axes"):
        anyzarr.convert(tmp_path / "a.npy", tmp_path / "a.zarr", axes=axes)
    assert not (tmp_path / "a.zarr").exists()


def test_what_is_no_image(tmp_path: Path) -> None:
    np.save(tmp_path / "line.npy", np.ones(4))
    with pytest.raises(MetadataError, match="dimensions"):
        anyzarr.convert(tmp_path / "line.npy", tmp_path / "a.zarr")
    np.save(tmp_path / "a.npy", np.ones((2, 3)))
    with pytest.raises(UnsupportedError, match="no image 1"):
        anyzarr.convert(tmp_path / "a.npy", tmp_path / "a.zarr", series=1)


def test_broken_files(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones((200, 300)))
    whole = (tmp_path / "a.npy").read_bytes()
    for n in (0, 3, 40, 1000, len(whole) - 1):
        (tmp_path / "b.npy").write_bytes(whole[:n])
        with pytest.raises(CorruptDataError, match=r"b\.npy"):
            anyzarr.convert(tmp_path / "b.npy", tmp_path / "b.zarr")
    np.save(tmp_path / "o.npy", np.array([[{}]]), allow_pickle=True)
    with pytest.raises(CorruptDataError):
        anyzarr.convert(tmp_path / "o.npy", tmp_path / "b.zarr")
    reader = open_npy(tmp_path / "a.npy", axes="yx")
    (tmp_path / "a.npy").write_bytes(whole[:5000])
    with pytest.raises(CorruptDataError, match="cut off"):
        reader.read(0, (slice(0, 200), slice(0, 300)))

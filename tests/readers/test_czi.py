"""Conversion of CZI files that Zeiss's own library wrote (see data/README.md): values are known."""

from __future__ import annotations

import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anyzarr
from anyzarr.errors import CorruptDataError, MetadataError, UnsupportedError
from anyzarr.ome import open_ome_zarr

DATA = Path(__file__).parents[1] / "data"
needs_czifile = pytest.mark.skipif(sys.version_info < (3, 12), reason="czifile needs Python 3.12")


def written(*shape: int, limit: int = 60000, dtype: str = "u2") -> np.ndarray[Any, Any]:
    return (np.arange(np.prod(shape)).reshape(shape) * 7919 % limit).astype(dtype)


@needs_czifile
def test_planes_with_names_sizes_and_colours(tmp_path: Path) -> None:
    report = anyzarr.convert(DATA / "libczi-tczyx.czi", tmp_path / "a.zarr", verify=True)
    assert report.warnings == ()
    with open_ome_zarr(tmp_path / "a.zarr") as image:
        np.testing.assert_array_equal(image.data[...], written(2, 2, 3, 20, 30))
        assert image.axis_names == list("tczyx")
        assert image.scale == [1.0, 1.0, 2.0, 0.5, 0.25]
        assert [axis.unit for axis in image.axes] == [None, None, *["micrometer"] * 3]
        assert image.channel_names == ["DAPI", "GFP"]
        assert [c.color for c in image.channels] == ["0000FF", "00FF00"]
        assert image.channels[0].window.end == 32768
    kept = (tmp_path / "a.zarr" / "OME" / "METADATA.czi.xml").read_text()
    assert kept.startswith("<ImageDocument>")


@needs_czifile
def test_mosaics_of_several_scenes(tmp_path: Path) -> None:
    report = anyzarr.convert(
        DATA / "libczi-scenes.czi", tmp_path / "a.zarr", processes=True, chunks=(1, 16, 16)
    )
    assert (report.layout, report.n_images) == ("series", 2)
    mosaic = written(40, 60)
    with open_ome_zarr(tmp_path / "a.zarr") as series:
        np.testing.assert_array_equal(series["0"].data[0], mosaic)
        second = mosaic + 1
        second[20:, 30:] = 0  # where no tile is
        np.testing.assert_array_equal(series["1"].data[0], second)
        np.testing.assert_array_equal(series["1"].data[0, 15:25, 25:35], second[15:25, 25:35])
        assert series["1"].translation == [0.0, 0.0, 100.0]
        assert [series[str(i)].name for i in range(2)] == ["Scene 0", "Scene 1"]


@needs_czifile
@pytest.mark.parametrize(
    "form",
    [
        '<Scene Index="{i}" Name="P{n}-B4"><ArrayName>B4</ArrayName></Scene>',
        '<Scene Index="{i}" Name="S{n}"><Shape Name="B4" /></Scene>',
    ],
)
def test_scenes_of_wells_are_a_plate(
    tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    czifile = pytest.importorskip("czifile")
    scenes = "".join(form.format(i=i, n=i + 1) for i in range(2))
    xml = (
        f"<ImageDocument><Dimensions><S><Scenes>{scenes}</Scenes></S></Dimensions></ImageDocument>"
    )
    monkeypatch.setattr(czifile.CziFile, "metadata", lambda self: xml)
    report = anyzarr.convert(DATA / "libczi-scenes.czi", tmp_path / "a.zarr")
    assert (report.layout, report.n_images) == ("plate", 2)
    fields = ["1", "2"] if "Array" in form else ["0", "1"]
    with open_ome_zarr(tmp_path / "a.zarr") as plate:
        for i, field in enumerate(fields):
            image = plate[f"B/4/{field}"]
            np.testing.assert_array_equal(image.data[:20, :30], written(40, 60)[:20, :30] + i)


@needs_czifile
def test_samples_become_channels(tmp_path: Path) -> None:
    anyzarr.convert(DATA / "libczi-rgb.czi", tmp_path / "a.zarr", verify=True)
    bgr = written(20, 30, 3, limit=250, dtype="u1")  # as libCZI takes and stores them
    with open_ome_zarr(tmp_path / "a.zarr") as image:
        np.testing.assert_array_equal(image.data[...], bgr[..., ::-1].transpose(2, 0, 1))
        assert [c.color for c in image.channels] == ["FF0000", "00FF00", "0000FF"]
        assert image.channels[0].window.end == 255


@needs_czifile
def test_planes_that_were_not_taken_are_told(tmp_path: Path) -> None:
    report = anyzarr.convert(DATA / "libczi-gaps.czi", tmp_path / "a.zarr")
    assert "1 of 4 planes are missing" in report.warnings[0]
    expected = written(2, 2, 20, 30)
    expected[1, 1] = 0
    with open_ome_zarr(tmp_path / "a.zarr") as image:
        np.testing.assert_array_equal(image.data[...], expected)


@needs_czifile
def test_bad_input(tmp_path: Path) -> None:
    target = tmp_path / "b.zarr"
    whole = (DATA / "libczi-tczyx.czi").read_bytes()
    broken = tmp_path / "b.czi"
    # What follows the last entry of the directory is padding.
    for n in (0, 5, 16, 200, 700, len(whole) // 2, len(whole) - 2000):
        broken.write_bytes(whole[:n])
        with pytest.raises(CorruptDataError, match=r"b\.czi"):
            anyzarr.convert(broken, target)
    directory = whole.index(b"ZISRAWDIRECTORY")
    (tile,) = struct.unpack_from("<q", whole, whole.index(b"DV", directory) + 6)
    at = whole.index(struct.pack("<q", directory))
    for position, value in (
        (at, struct.pack("<q", 0)),  # it was never closed
        (at, struct.pack("<q", len(whole) + 7)),  # the directory lies beyond the end
        (tile, b"DELETED".ljust(16, b"\0")),
    ):
        broken.write_bytes(whole[:position] + value + whole[position + len(value) :])
        with pytest.raises(CorruptDataError, match=r"b\.czi"):
            anyzarr.convert(broken, target)
    with pytest.raises(MetadataError, match="names its axes"):
        anyzarr.convert(DATA / "libczi-rgb.czi", target, axes="yx")
    assert not target.exists()


@needs_czifile
def test_a_flipped_bit_is_found_or_harmless(tmp_path: Path) -> None:
    whole = (DATA / "libczi-tczyx.czi").read_bytes()
    at = whole.index(b"\x28\xb5\x2f\xfd") + 2  # inside a zstd frame's header
    raw = bytearray(whole)
    raw[at] ^= 255
    (tmp_path / "b.czi").write_bytes(raw)
    with pytest.raises(CorruptDataError, match=r"b\.czi"):
        anyzarr.convert(tmp_path / "b.czi", tmp_path / "b.zarr")


def test_an_old_czifile_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "czifile", type(sys)("czifile"))
    with pytest.raises(UnsupportedError, match=r"Python 3\.12"):
        anyzarr.convert(DATA / "libczi-rgb.czi", tmp_path / "b.zarr")

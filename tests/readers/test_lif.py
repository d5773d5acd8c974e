"""Conversion of LIF files that are written by a small encoder here, and compared with liffile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anyzarr
from anyzarr.errors import CorruptDataError, MetadataError, UnsupportedError
from anyzarr.ome import open_ome_zarr
from anyzarr.readers._lif import open_lif

from ._lif_writer import write

liffile = pytest.importorskip("liffile")


def pixels(*shape: int, dtype: str = "u2") -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).integers(0, 250, shape).astype(dtype)


def theirs(path: Path, index: int = 0) -> np.ndarray[Any, Any]:
    with liffile.LifFile(path) as file:
        return np.asarray(file.images[index].asarray())


def test_several_images(tmp_path: Path) -> None:
    volume = pixels(3, 2, 4, 30, 20)  # T C Z Y X, as a sequential scan is stored
    plane = pixels(30, 20, dtype="u1")[None]
    write(
        tmp_path / "a.lif",
        (volume, "TCZYX", {"dyes": ["DAPI", "ALEXA 488"], "luts": ["Blue", "Green"]}),
        (plane, "CYX", {"name": "overview", "luts": ["Gray"]}),
    )
    report = anyzarr.convert(tmp_path / "a.lif", tmp_path / "a.zarr", verify=True, processes=True)
    assert (report.layout, report.n_images, report.warnings) == ("series", 2, ())
    with open_ome_zarr(tmp_path / "a.zarr") as series:
        image = series["0"]
        assert image.axis_names == list("tczyx")
        np.testing.assert_array_equal(image.data[...], theirs(tmp_path / "a.lif"))
        np.testing.assert_array_equal(image.data[...], volume)
        np.testing.assert_allclose(image.scale, [1.5, 1.0, 1.0, 0.5, 0.2])
        assert [axis.unit for axis in image.axes] == ["second", None, *["micrometer"] * 3]
        assert image.channel_names == ["DAPI", "ALEXA 488"]
        assert [c.color for c in image.channels] == ["0000FF", "00FF00"]
        np.testing.assert_array_equal(series["1"].data[...], plane[0])
        assert series["1"].name == "overview"
    kept = (tmp_path / "a.zarr" / "OME" / "METADATA.lif.xml").read_text()
    assert "ALEXA 488" in kept


@pytest.mark.parametrize("tags", [[1, 2, 3], [3, 2, 1]])
def test_samples_become_channels(tmp_path: Path, tags: list[int]) -> None:
    values = pixels(30, 20, 3, dtype="u1")
    write(tmp_path / "a.lif", (values, "YXC", {"tags": tags}))
    anyzarr.convert(tmp_path / "a.lif", tmp_path / "a.zarr")
    with open_ome_zarr(tmp_path / "a.zarr") as image:
        expected = values if tags[0] == 1 else values[..., ::-1]
        np.testing.assert_array_equal(image.data[...], expected.transpose(2, 0, 1))
        np.testing.assert_array_equal(expected, theirs(tmp_path / "a.lif"))
        assert [c.color for c in image.channels] == ["FF0000", "00FF00", "0000FF"]
        assert image.channels[0].window.end == 255


def test_names_where_liffile_knows_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(liffile.LifImage, "_channel_names", (), raising=False)
    write(tmp_path / "a.lif", (pixels(2, 30, 20), "CYX", {"dyes": ["DAPI", "Cy5"]}))
    channels = open_lif(tmp_path / "a.lif").image(0).channels
    assert [channel.label for channel in channels or ()] == ["DAPI", "Cy5"]


def test_tiles_are_images_at_their_places(tmp_path: Path) -> None:
    values = pixels(2, 1, 30, 20)
    tiles = "".join(
        f'<Tile FieldX="{i}" FieldY="0" PosX="{i * 1e-4}" PosY="2e-4" PosZ="0"/>' for i in range(2)
    )
    scan = f'<Attachment Name="TileScanInfo" FlipX="0" FlipY="0" SwapXY="0">{tiles}</Attachment>'
    write(tmp_path / "a.lif", (values, "MCYX", {"more": scan}))
    report = anyzarr.convert(tmp_path / "a.lif", tmp_path / "a.zarr")
    assert report.n_images == 2
    with open_ome_zarr(tmp_path / "a.zarr") as series:
        for i in range(2):
            np.testing.assert_array_equal(series[str(i)].data[...], values[i, 0])
            assert series[str(i)].name == f"Series0 tile {i}"
            np.testing.assert_allclose(series[str(i)].translation, [200.0, 100.0 * i])


def test_regions_of_wells_are_a_plate(tmp_path: Path) -> None:
    values = pixels(1, 30, 20)
    names = ["A/1/R1", "A/1/R2", "B/12/R1"]
    parts = [(values + i, "CYX", {"name": name}) for i, name in enumerate(names)]
    write(tmp_path / "a.lif", *parts)
    assert anyzarr.convert(tmp_path / "a.lif", tmp_path / "a.zarr").layout == "plate"
    with open_ome_zarr(tmp_path / "a.zarr") as plate:
        for i, name in enumerate(names):
            np.testing.assert_array_equal(plate[name].data[...], (values + i)[0])
    write(tmp_path / "b.lif", *parts, (values, "CYX", {"name": "overview"}))
    assert anyzarr.convert(tmp_path / "b.lif", tmp_path / "b.zarr").layout == "series"


def test_axes_without_counterpart(tmp_path: Path) -> None:
    values = pixels(4, 1, 30, 20)
    write(tmp_path / "a.lif", (values, "λCYX", {}))
    with pytest.raises(UnsupportedError, match="λ=4"):
        anyzarr.convert(tmp_path / "a.lif", tmp_path / "a.zarr")
    anyzarr.convert(tmp_path / "a.lif", tmp_path / "a.zarr", axes="cyx")
    with open_ome_zarr(tmp_path / "a.zarr") as image:
        np.testing.assert_array_equal(image.data[...], values[:, 0])
    with pytest.raises(MetadataError, match="zzz"):
        anyzarr.convert(tmp_path / "a.lif", tmp_path / "b.zarr", axes="zzz")


def test_regions_are_the_same_as_the_whole(tmp_path: Path) -> None:
    values = pixels(3, 4, 30, 2, 20).transpose(0, 1, 2, 4, 3)  # lines of each channel in turn
    write(tmp_path / "a.lif", (np.ascontiguousarray(values), "TZYXC", {}))
    source = open_lif(tmp_path / "a.lif")
    whole = np.moveaxis(values, -1, 1)
    part = (slice(1, 3), slice(1, 2), slice(0, 3), slice(7, 19), slice(3, 20))
    np.testing.assert_array_equal(source.read(0, part), whole[part])


def test_bad_input(tmp_path: Path) -> None:
    write(tmp_path / "a.lif", (pixels(2, 4, 30, 20), "CZYX", {}), (pixels(1, 30, 20), "CYX", {}))
    whole = (tmp_path / "a.lif").read_bytes()
    for n in (0, 10, 1000, len(whole) - 1201, len(whole) - 1):
        (tmp_path / "b.lif").write_bytes(whole[:n])
        with pytest.raises(CorruptDataError, match=r"b\.lif"):
            anyzarr.convert(tmp_path / "b.lif", tmp_path / "b.zarr")
    for old, new in (
        ('NumberOfElements="30"', 'NumberOfElements="99"'),
        ('Resolution="16"', 'Resolution="99"'),
        ('NumberOfElements="20"', 'NumberOfElements="-2"'),
        ("MemBlock_0", "MemBlock_7"),
    ):
        raw = whole.replace(old.encode("utf-16-le"), new.encode("utf-16-le"), 1)
        (tmp_path / "b.lif").write_bytes(raw)
        with pytest.raises(CorruptDataError, match=r"b\.lif"):
            anyzarr.convert(tmp_path / "b.lif", tmp_path / "b.zarr")
    write(tmp_path / "none.lif")
    with pytest.raises(UnsupportedError, match="no image"):
        anyzarr.convert(tmp_path / "none.lif", tmp_path / "b.zarr")
    assert not (tmp_path / "b.zarr").exists()

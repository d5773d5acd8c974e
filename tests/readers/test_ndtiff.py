"""NDTiff as the ndtiff package writes it; values, sizes and names are what it and iohub read."""

import itertools
import json
import shutil
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anyzarr
from anyzarr.errors import CorruptDataError, MetadataError, NodeNotFoundError
from anyzarr.ome import Image, Plate, open_ome_zarr
from anyzarr.readers import reader_for
from anyzarr.readers._ndtiff import open_ndtiff

file_module = pytest.importorskip("ndtiff.ndtiff_file")
NDTiffDataset = pytest.importorskip("ndtiff").NDTiffDataset
RNG = np.random.default_rng(0)
SUMMARY = {"PixelSize_um": 0.325, "Prefix": "run", "ChColors": [-16711936, -65536]}
SIZES = {"time": 2, "channel": ["DAPI", "GFP"], "z": 3}


def write(
    path: Path,
    sizes: dict[str, Any],
    *,
    shape: tuple[int, int] = (20, 30),
    summary: dict[str, Any] = SUMMARY,
    skip: Any = lambda place: False,
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[Path, dict[Any, Any]]:
    """Write a data set; return its folder, and the planes by their place."""
    # It allots 4 GiB to each file, which not every file system does without writing them.
    monkeypatch.setattr(file_module, "MAX_FILE_SIZE", 8 << 20)
    dataset = NDTiffDataset(str(path), summary_metadata=summary, writable=True, name="run")
    values = [range(n) if isinstance(n, int) else n for n in sizes.values()]
    planes = {}
    for place in itertools.product(*values):
        if skip(place):
            continue
        pixels = RNG.integers(0, 60_000, shape).astype("u2")
        where = dict(zip(sizes, place, strict=True))
        about = {
            "ZPosition_um_Intended": 2.0 * where.get("z", 0), "Core-XYStage": "XY",
            "XPosition_um_Intended": 10.0, "YPosition_um_Intended": 20.0, "Channel": "lamp",
        }  # fmt: skip
        dataset.put_image(where, pixels, about)
        planes[place] = pixels
    dataset.current_writer.reader.close()  # which it leaves open
    dataset.finish()
    dataset.close()
    (folder,) = path.iterdir()
    return folder, planes


def stacked(planes: dict[Any, Any], *values: Any) -> Any:
    """Return planes as one array, in the order of the values along each axis."""
    some = next(iter(planes.values()))
    shape = [len(list(v)) for v in values]
    out = np.zeros((*shape, *some.shape), some.dtype)
    for index in np.ndindex(*shape):
        place = tuple(list(v)[i] for v, i in zip(values, index, strict=True))
        if place in planes:
            out[index] = planes[place]
    return out


def test_it_is_what_ndtiff_and_iohub_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, planes = write(tmp_path / "in", SIZES, monkeypatch=monkeypatch)
    report = anyzarr.convert(folder, tmp_path / "out.zarr", chunks=(1, 1, 2, 16, 16))
    assert (report.layout, report.warnings) == ("image", ())
    expected = stacked(planes, range(2), ["DAPI", "GFP"], range(3))
    with open_ome_zarr(tmp_path / "out.zarr") as image:
        assert isinstance(image, Image)
        np.testing.assert_array_equal(image.data[...], expected)
        assert image.axis_names == list("tczyx")
        assert image.scale == [1.0, 1.0, 2.0, 0.325, 0.325]
        assert [axis.unit for axis in image.axes] == [None, None, *["micrometer"] * 3]
        assert image.channel_names == ["DAPI", "GFP"]
        assert [c.color for c in image.channels] == ["00FF00", "FF0000"]
        kept = image.group.attrs["micro-manager"]
    assert kept["summary"] == SUMMARY
    assert kept["first_plane"]["XPosition_um_Intended"] == 10.0
    theirs = NDTiffDataset(str(folder))
    np.testing.assert_array_equal(
        np.asarray(theirs.as_array(axes=["time", "channel", "z"])), expected
    )
    theirs.close()
    iohub = pytest.importorskip("iohub", minversion="0.3")
    with iohub.read_images(str(folder), data_type="ndtiff") as found:
        (_, position), *rest = found
        assert not rest
        np.testing.assert_array_equal(np.asarray(position[:]), expected)
        assert list(position.channel_names) == ["DAPI", "GFP"]
        assert position.zyx_scale == (2.0, 0.325, 0.325)
    assert anyzarr.validate(tmp_path / "out.zarr", deep=True).valid


def test_a_file_of_it_stands_for_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, _ = write(tmp_path / "in", SIZES, monkeypatch=monkeypatch)
    kind = reader_for(next(folder.glob("*.tif")))
    assert kind is not None
    assert kind.name == "tiff"
    source = kind.open(next(folder.glob("*.tif")))
    assert source.image(0).shape == (2, 2, 3, 20, 30)
    source.close()


def test_regions_are_the_same_as_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, planes = write(tmp_path / "in", SIZES, monkeypatch=monkeypatch)
    expected = stacked(planes, range(2), ["DAPI", "GFP"], range(3))
    source = open_ndtiff(folder)
    for _ in range(20):
        region = tuple(
            slice(*sorted(RNG.choice(n + 1, 2, replace=False).tolist())) for n in expected.shape
        )
        np.testing.assert_array_equal(source.read(0, region), expected[region])
    source.close()


def test_positions_become_a_series_with_missing_planes_as_zero(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = {"position": 2, "time": 2, "channel": 2}
    folder, planes = write(
        tmp_path / "in", sizes, skip=lambda place: place == (1, 1, 0), monkeypatch=monkeypatch,
        summary={"ChNames": ["BF", "Cy5"], "Interval_ms": 2500.0},
    )  # fmt: skip
    report = anyzarr.convert(folder, tmp_path / "out.zarr")
    assert report.warnings == ("1: 1 of 4 planes were not acquired and read as zero",)
    expected = stacked(planes, range(2), range(2), range(2))
    with open_ome_zarr(tmp_path / "out.zarr") as series:
        for number in range(2):
            image = series[str(number)]
            assert image.name == f"Pos{number}"
            np.testing.assert_array_equal(image.data[...], expected[number])
            assert image.channel_names == ["BF", "Cy5"]
            assert image.scale == [2.5, 1.0, 1.0, 1.0]
            assert [axis.unit for axis in image.axes] == ["second", None, None, None]


def test_wells_of_the_site_generator_become_a_plate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = {"position": ["B2-Site_0", "B2-Site_1", "A12-Site_0"], "z": 2}
    folder, planes = write(tmp_path / "in", sizes, monkeypatch=monkeypatch)
    report = anyzarr.convert(folder, tmp_path / "out.zarr")
    assert report.layout == "plate"
    with open_ome_zarr(tmp_path / "out.zarr") as plate:
        assert isinstance(plate, Plate)
        for label, path in [("B2-Site_1", "B/2/1"), ("A12-Site_0", "A/12/0")]:
            expected = np.stack([planes[label, 0], planes[label, 1]])
            np.testing.assert_array_equal(np.squeeze(plate[path].data[...]), expected)
    assert anyzarr.validate(tmp_path / "out.zarr").valid


def test_other_axes_are_run_together_with_the_channels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = {"angle": 2, "channel": ["a", "b"], "time": 3}
    folder, planes = write(tmp_path / "in", sizes, monkeypatch=monkeypatch)
    anyzarr.convert(folder, tmp_path / "out.zarr")
    expected = stacked(planes, range(2), ["a", "b"], range(3)).reshape(4, 3, 20, 30)
    with open_ome_zarr(tmp_path / "out.zarr") as image:
        np.testing.assert_array_equal(image.data[...], expected.swapaxes(0, 1))
        assert image.channel_names == ["angle 0, a", "angle 0, b", "angle 1, a", "angle 1, b"]


def test_colour_pixels_become_channels(tmp_path: Path) -> None:
    """No writer of these is at hand: the index is packed here, and ndtiff reads the same."""
    pixels = RNG.integers(0, 255, (2, 20, 30, 3), np.uint8)
    summary = json.dumps({}).encode()
    head = struct.pack("<2sHI5I", b"II", 42, 0, 483729, 3, 3, 2355492, len(summary)) + summary
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.tif").write_bytes(head + pixels.tobytes())
    index = b""
    for z in range(2):
        place = json.dumps({"z": z}).encode()
        index += struct.pack("<I", len(place)) + place + struct.pack("<I", 5) + b"x.tif"
        index += struct.pack("<8I", len(head) + z * 1800, 30, 20, 2, 0, 0, 0, 0)
    (tmp_path / "a" / "NDTiff.index").write_bytes(index)
    source = open_ndtiff(tmp_path / "a")
    expected = pixels.transpose(3, 0, 1, 2)
    assert source.image(0).is_rgb
    for region in (np.s_[0:3, 0:2, 0:20, 0:30], np.s_[1:2, 1:2, 4:9, 0:7], np.s_[1:3, 0:1, :5, 3:]):
        whole = tuple(slice(*s.indices(n)) for s, n in zip(region, expected.shape, strict=True))
        np.testing.assert_array_equal(source.read(0, whole), expected[region])
    theirs = NDTiffDataset(str(tmp_path / "a"))
    np.testing.assert_array_equal(theirs.read_image(z=1), pixels[1])
    theirs.close()


def test_what_is_broken_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, _ = write(tmp_path / "in", {"time": 3}, monkeypatch=monkeypatch)
    index, (tiff,) = (folder / "NDTiff.index").read_bytes(), folder.glob("*.tif")
    kind = reader_for(folder)
    assert kind is not None
    assert kind.name == "ndtiff"
    with pytest.raises(MetadataError, match="leave it out"):
        kind.open(folder, axes="tyx")
    (folder / "NDTiff.index").write_bytes(index[:-10])
    with pytest.raises(CorruptDataError, match="after 2 planes"):
        open_ndtiff(folder)
    (folder / "NDTiff.index").write_bytes(index + bytes(64))
    assert "broken off" in open_ndtiff(folder).image(0).warnings[0]
    (folder / "NDTiff.index").write_bytes(b"")
    with pytest.raises(CorruptDataError, match="no plane"):
        open_ndtiff(folder)
    (folder / "NDTiff.index").write_bytes(index)
    whole = tiff.read_bytes()
    tiff.write_bytes(whole[:-2000])
    with pytest.raises(CorruptDataError, match="truncated"):
        anyzarr.convert(folder, tmp_path / "out.zarr")
    assert not (tmp_path / "out.zarr").exists()
    tiff.write_bytes(b"x" * len(whole))
    with pytest.raises(CorruptDataError, match="does not begin"):
        open_ndtiff(folder)
    tiff.unlink()
    with pytest.raises(NodeNotFoundError, match=tiff.name):
        open_ndtiff(folder)


def test_planes_of_different_sizes_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = write(tmp_path / "a", {"time": 1}, monkeypatch=monkeypatch)
    two, _ = write(tmp_path / "b", {"time": 2}, shape=(20, 31), monkeypatch=monkeypatch)
    index = (two / "NDTiff.index").read_bytes()
    second = index[len(index) // 2 :].replace(b"run_NDTiffStack.tif", b"two_NDTiffStack.tif")
    shutil.copy(two / "run_NDTiffStack.tif", one / "two_NDTiffStack.tif")
    with (one / "NDTiff.index").open("ab") as file:
        file.write(second)
    with pytest.raises(MetadataError, match=r"\(20, 31\)"):
        open_ndtiff(one)

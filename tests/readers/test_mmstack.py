"""Micro-Manager stacks; values, sizes and names are what tifffile and iohub read.

No package at hand writes them: they are written here by the published format.
"""

import gc
import itertools
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anyzarr
from anyzarr.errors import CorruptDataError, MetadataError, NodeNotFoundError
from anyzarr.ome import Plate, open_ome_zarr
from anyzarr.readers import reader_for
from anyzarr.readers._mmstack import open_mmstack

from ._mmstack_writer import write_file

tifffile = pytest.importorskip("tifffile")
RNG = np.random.default_rng(0)
SIZES = (2, 3, 2, 2)  # channels, slices, frames, positions


def summary(sizes: tuple[int, ...] = SIZES, **more: Any) -> dict[str, Any]:
    channels, slices, frames, positions = sizes
    return {
        "Channels": channels, "Slices": slices, "Frames": frames, "Positions": positions,
        "ChNames": ["DAPI", "GFP"], "ChColors": [-16776961, -16711936], "z-step_um": 0.5,
        "Interval_ms": 1500, "PixelSize_um": 0.1, "MicroManagerVersion": "2.0.1", "Width": 30,
        "Height": 20, "Prefix": "run", "TimeFirst": False, "SlicesFirst": False,
        "StagePositions": [
            {"Label": f"Pos{i}", "DevicePositions": [{"Device": "XY", "Position_um": [1.5, 2.5]}]}
            for i in range(positions)
        ],
        **more,
    }  # fmt: skip


def planes_of(sizes: tuple[int, ...], shape: tuple[int, ...] = (20, 30), dtype: str = "u2") -> Any:
    top = 60_000 if dtype == "u2" else 255
    return {
        place: RNG.integers(0, top, shape).astype(dtype)
        for place in itertools.product(*map(range, sizes))
    }


def stacked(planes: Any, position: int, sizes: tuple[int, ...] = SIZES) -> Any:
    """Return a position in the order t, c, z, y, x."""
    return np.array(
        [[[planes[c, z, t, position] for z in range(sizes[1])] for c in range(sizes[0])]
         for t in range(sizes[2])]
    )  # fmt: skip


def write_set(folder: Path, planes: Any, about: dict[str, Any], **more: Any) -> list[Path]:
    """Write a set with a file for each position."""
    folder.mkdir()
    paths = []
    for position in sorted({place[3] for place in planes}):
        path = folder / f"run_MMStack_Pos{position}.ome.tif"
        mine = {place: pixels for place, pixels in planes.items() if place[3] == position}
        write_file(path, mine, about, about={"PixelSizeUm": 0.1, "Exposure-ms": 10}, **more)
        paths.append(path)
    return paths


@pytest.mark.filterwarnings("ignore:Object at METADATA.ome.xml")
@pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
def test_it_is_what_tifffile_and_iohub_read(tmp_path: Path) -> None:
    planes = planes_of(SIZES)
    xml = '<OME xmlns="x">' + "".join(
        f'<UUID FileName="run_MMStack_Pos{i}.ome.tif"/>' for i in range(2)
    )
    about = summary(Gain=float("nan"))
    paths = write_set(tmp_path / "in", planes, about, ome_xml=xml + "</OME>")
    report = anyzarr.convert(tmp_path / "in", tmp_path / "out.zarr")
    assert (report.layout, report.n_images, report.warnings) == ("series", 2, ())
    with open_ome_zarr(tmp_path / "out.zarr") as series:
        for number in range(2):
            image = series[str(number)]
            np.testing.assert_array_equal(image.data[...], stacked(planes, number))
            assert image.name == f"Pos{number}"
            assert image.axis_names == list("tczyx")
            assert image.scale == [1.5, 1.0, 0.5, 0.1, 0.1]
            assert [a.unit for a in image.axes] == ["second", None, *["micrometer"] * 3]
            assert image.channel_names == ["DAPI", "GFP"]
            assert [c.color for c in image.channels] == ["0000FF", "00FF00"]
            kept = image.group.attrs["micro-manager"]
        assert kept["stage_position"]["Label"] == "Pos1"
        assert kept["stage_position"]["DevicePositions"][0]["Position_um"] == [1.5, 2.5]
        assert kept["summary"]["Gain"] == "NaN"  # which JSON does not have
        assert "StagePositions" not in kept["summary"]
        assert kept["first_plane"]["Exposure-ms"] == 10
        assert "FileName" in str(series.ome_xml)
    with tifffile.TiffFile(paths[0]) as tiff:
        assert tiff.is_mmstack
        theirs = tiff.series[0].asarray()  # RTZC… as the summary says
        assert tiff.series[0].axes == "RTCZYX"
    np.testing.assert_array_equal(theirs[1], stacked(planes, 1))
    iohub = pytest.importorskip("iohub", minversion="0.3")
    with iohub.read_images(str(tmp_path / "in"), data_type="ometiff") as found:
        for number, (_, position) in enumerate(found):
            np.testing.assert_array_equal(np.asarray(position[:]), stacked(planes, number))
            assert position.zyx_scale == (0.5, 0.1, 0.1)
            assert position.t_scale == 1.5
            assert list(position.channel_names) == ["DAPI", "GFP"]
    del found, position, tiff
    gc.collect()  # the further files, which they leave open, while that is no error


def test_any_file_of_a_set_stands_for_it(tmp_path: Path) -> None:
    planes = planes_of((1, 2, 1, 2))
    paths = write_set(tmp_path / "in", planes, summary((1, 2, 1, 2), ChNames=["BF"]))
    report = anyzarr.convert(paths[1], tmp_path / "out.zarr")
    assert report.n_images == 2
    with open_ome_zarr(tmp_path / "out.zarr") as series:
        assert series["1"].axis_names == list("czyx")
        np.testing.assert_array_equal(series["1"].data[0, 1], planes[0, 1, 0, 1])


def test_regions_are_the_same_as_the_whole(tmp_path: Path) -> None:
    planes = planes_of((2, 1, 2, 1), (20, 30, 3), "u1")
    write_set(tmp_path / "in", planes, summary((2, 1, 2, 1)))
    source = open_mmstack(tmp_path / "in")
    whole = stacked(planes, 0, (2, 1, 2, 1))[:, :, 0]  # t, c, y, x, sample
    expected = whole.transpose(0, 1, 4, 2, 3).reshape(2, 6, 20, 30)
    image = source.image(0)
    assert image.shape == expected.shape
    assert image.channels is not None
    assert image.channels[4].label == "GFP Green"
    for _ in range(20):
        region = tuple(
            slice(*sorted(RNG.choice(n + 1, 2, replace=False).tolist())) for n in expected.shape
        )
        np.testing.assert_array_equal(source.read(0, region), expected[region])
    source.close()


def test_a_position_may_go_on_in_another_file_and_end_early(tmp_path: Path) -> None:
    planes = planes_of((1, 1, 5, 1))
    (tmp_path / "in").mkdir()
    parts = [list(planes)[:2], list(planes)[2:4]]  # the fifth was not acquired
    for name, part in zip(["a_MMStack", "a_MMStack_1"], parts, strict=True):
        some = {place: planes[place] for place in part}
        write_file(tmp_path / "in" / f"{name}.ome.tif", some, summary((1, 1, 5, 1)))
    source = open_mmstack(tmp_path / "in")
    assert source.image(0).shape == (4, 1, 20, 30)
    assert source.image(0).warnings == ("4 of 5 planned time points were acquired",)
    region = (slice(0, 4), slice(0, 1), slice(0, 20), slice(0, 30))
    np.testing.assert_array_equal(source.read(0, region)[:, 0], list(planes.values())[:4])


def test_wells_of_the_site_generator_become_a_plate(tmp_path: Path) -> None:
    stage = [{"Label": "A1-Site_0", "DevicePositions": []}, {"Label": "C2-Site_0"}]
    planes = planes_of((1, 1, 1, 2))
    write_set(tmp_path / "in", planes, summary((1, 1, 1, 2), StagePositions=stage))
    assert anyzarr.convert(tmp_path / "in", tmp_path / "out.zarr").layout == "plate"
    with open_ome_zarr(tmp_path / "out.zarr") as plate:
        assert isinstance(plate, Plate)
        found = np.squeeze(plate["C/2/0"].data[...])
        np.testing.assert_array_equal(found, planes[0, 0, 0, 1])


def test_what_is_broken_is_refused(tmp_path: Path) -> None:
    paths = write_set(tmp_path / "in", planes_of((1, 1, 2, 2)), summary((1, 1, 2, 2)))
    kind = reader_for(tmp_path / "in")
    assert kind is not None
    assert kind.name == "micro-manager"
    with pytest.raises(MetadataError, match="leave it out"):
        anyzarr.convert(paths[0], tmp_path / "out.zarr", axes="tyx")
    whole = paths[1].read_bytes()
    paths[1].write_bytes(whole[:-50])
    with pytest.raises(CorruptDataError, match="Pos1"):
        anyzarr.convert(paths[0], tmp_path / "out.zarr")
    paths[1].write_bytes(whole[:12] + struct.pack("<I", 0) + whole[16:])
    with pytest.raises(CorruptDataError, match="repairs"):
        anyzarr.convert(paths[0], tmp_path / "out.zarr")
    assert not (tmp_path / "out.zarr").exists()


def test_missing_files_are_named(tmp_path: Path) -> None:
    xml = '<OME xmlns="x"><UUID FileName="run_MMStack_Pos1.ome.tif"/></OME>'
    paths = write_set(tmp_path / "in", planes_of((1, 1, 1, 2)), summary((1, 1, 1, 2)), ome_xml=xml)
    paths[1].unlink()
    with pytest.raises(NodeNotFoundError, match=r"run_MMStack_Pos1\.ome\.tif"):
        open_mmstack(tmp_path / "in")
    write_file(tmp_path / "b_MMStack.ome.tif", planes_of((1, 1, 1, 1)), summary((1, 1, 1, 1)))
    write_file(tmp_path / "b_MMStack_2.ome.tif", planes_of((1, 1, 1, 1)), summary((1, 1, 1, 1)))
    with pytest.raises(NodeNotFoundError, match=r"b_MMStack_1\.ome\.tif"):
        open_mmstack(tmp_path / "b_MMStack.ome.tif")

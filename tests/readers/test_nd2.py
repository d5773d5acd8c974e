"""Conversion of ND2 files that are written by a small encoder here, and compared with nd2."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anyzarr
from anyzarr.errors import CorruptDataError, MetadataError, UnsupportedError
from anyzarr.ome import open_ome_zarr
from anyzarr.readers._nd2 import open_nd2

from ._nd2_writer import write

nd2 = pytest.importorskip("nd2")


def frames(n: int, components: int = 2, dtype: str = "u2") -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).integers(0, 250, (n, 20, 30, components)).astype(dtype)


def theirs(path: Path) -> np.ndarray[Any, Any]:
    with nd2.ND2File(path) as file:
        return np.asarray(file.asarray())


@pytest.mark.parametrize("options", [{}, {"compressed": True}, {"padding": 4}])
def test_planes_over_time(tmp_path: Path, options: dict[str, Any]) -> None:
    values = frames(2 * 3)
    write(tmp_path / "a.nd2", values, {"T": 2, "Z": 3}, **options)
    report = anyzarr.convert(tmp_path / "a.nd2", tmp_path / "a.zarr", verify=True)
    assert report.warnings == ()
    with open_ome_zarr(tmp_path / "a.zarr") as image, nd2.ND2File(tmp_path / "a.nd2") as file:
        np.testing.assert_array_equal(image.data[...], file.asarray().swapaxes(1, 2))
        np.testing.assert_array_equal(image.data[1, 1, 2], values[5, :, :, 1])
        assert image.axis_names == list("tczyx")
        voxel = file.voxel_size()
        assert image.scale == [2.005, 1.0, voxel.z, voxel.y, voxel.x]
        assert [axis.unit for axis in image.axes] == ["second", None, *["micrometer"] * 3]
        assert image.channel_names == [c.channel.name for c in file.metadata.channels]
        assert [c.color for c in image.channels] == ["0000FF", "00FF00"]
        assert image.group.attrs["nd2"]["description"] == "made by a test"
    assert b"PhysicalSizeZ" in (tmp_path / "a.zarr" / "OME" / "METADATA.ome.xml").read_bytes()


def test_positions_are_images_at_their_places(tmp_path: Path) -> None:
    values = frames(2 * 3 * 2, 1)
    write(tmp_path / "a.nd2", values, {"T": 2, "P": 3, "Z": 2})
    report = anyzarr.convert(tmp_path / "a.nd2", tmp_path / "a.zarr", processes=True)
    assert (report.layout, report.n_images) == ("series", 3)
    expected = theirs(tmp_path / "a.nd2")  # T P Z Y X
    with open_ome_zarr(tmp_path / "a.zarr") as series:
        for i in range(3):
            image = series[str(i)]
            np.testing.assert_array_equal(image.data[:, 0], expected[:, i])
            assert image.name == f"well {i}"
            assert image.translation == [0.0, 0.0, 0.0, 50.0, 100.0 * i]
        assert "well 2" in series.ome_xml


def test_positions_of_wells_are_a_plate(tmp_path: Path) -> None:
    values = frames(3, 1)
    write(tmp_path / "a.nd2", values, {"P": 3}, names=["A1", "A1", "B03"])
    report = anyzarr.convert(tmp_path / "a.nd2", tmp_path / "a.zarr")
    assert (report.layout, report.n_images) == ("plate", 3)
    expected = theirs(tmp_path / "a.nd2")
    with open_ome_zarr(tmp_path / "a.zarr") as plate:
        for i, place in enumerate(("A/1/0", "A/1/1", "B/3/0")):
            np.testing.assert_array_equal(np.squeeze(plate[place].data[...]), expected[i])
    assert anyzarr.validate(tmp_path / "a.zarr").valid


def test_a_folder_of_jobs_is_a_plate_with_the_points_of_each_file(tmp_path: Path) -> None:
    """The names are those of files and points that NIS-Elements writes."""
    (tmp_path / "in").mkdir()
    wells = {well: frames(3, 1) + np.uint16(i) for i, well in enumerate(("A01", "A02", "B11"))}
    for i, (well, values) in enumerate(wells.items()):
        write(
            tmp_path / "in" / f"JOBS_Plate_Well{well}_ChannelWidefield_Green_Seq{i:04}.nd2",
            values,
            {"P": 3},
            names=[f"name_{well}_{k:04}" for k in (0, 1, 2)],
        )
    report = anyzarr.convert(tmp_path / "in", tmp_path / "a.zarr", verify=True)
    assert (report.layout, report.n_images, report.warnings) == ("plate", 9, ())
    with open_ome_zarr(tmp_path / "a.zarr") as plate:
        for well, values in wells.items():
            for k in range(3):
                field = plate[f"{well[0]}/{int(well[1:])}/{k}"]
                np.testing.assert_array_equal(np.squeeze(field.data[...]), values[k, ..., 0])
                assert field.translation[-2:] == [50.0, 100.0 * k]
    one = next((tmp_path / "in").glob("*WellB11*"))
    anyzarr.convert(one, tmp_path / "b.zarr")
    with open_ome_zarr(tmp_path / "b.zarr") as plate:
        np.testing.assert_array_equal(
            np.squeeze(plate["B/11/2"].data[...]), wells["B11"][2, ..., 0]
        )


def test_a_folder_of_jobs_with_a_file_for_each_point_is_a_plate(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    places = [(well, k) for well in ("A1", "B2") for k in (0, 1)]
    for i, (well, k) in enumerate(places):
        name = f"run__Well{well}_Point{well}_{k:04}_ChannelDAPI,GFP_Seq{i:04}.nd2"
        write(tmp_path / "in" / name, frames(1) + np.uint16(i), {})
    report = anyzarr.convert(tmp_path / "in", tmp_path / "a.zarr")
    assert (report.layout, report.n_images, report.warnings) == ("plate", 4, ())
    with open_ome_zarr(tmp_path / "a.zarr") as plate:
        for i, (well, k) in enumerate(places):
            field = plate[f"{well[0]}/{well[1]}/{k}"]
            np.testing.assert_array_equal(
                np.squeeze(field.data[...]), frames(1)[0].transpose(2, 0, 1) + np.uint16(i)
            )
            assert field.channel_names == ["DAPI", "GFP"]


def test_colours(tmp_path: Path) -> None:
    values = frames(1, 3, "u1")
    write(tmp_path / "a.nd2", values, {}, n_planes=1)
    anyzarr.convert(tmp_path / "a.nd2", tmp_path / "a.zarr")
    with open_ome_zarr(tmp_path / "a.zarr") as image:
        np.testing.assert_array_equal(
            image.data[...], theirs(tmp_path / "a.nd2").transpose(2, 0, 1)
        )
        assert [c.color for c in image.channels] == ["FF0000", "00FF00", "0000FF"]
        assert image.channels[0].window.end == 255


def test_regions_are_the_same_as_the_whole(tmp_path: Path) -> None:
    values = frames(4)
    write(tmp_path / "a.nd2", values, {"Z": 4}, padding=8)
    source = open_nd2(tmp_path / "a.nd2")
    part = (slice(1, 2), slice(1, 3), slice(3, 17), slice(5, 30))
    np.testing.assert_array_equal(source.read(0, part), values.transpose(3, 0, 1, 2)[part])
    source = open_nd2(tmp_path / "a.nd2", axes="tyxc")
    assert "".join(axis.name for axis in source.image(0).axes) == "tcyx"
    with pytest.raises(MetadataError, match="zyx"):
        open_nd2(tmp_path / "a.nd2", axes="zyx")


def test_planes_that_were_never_taken_are_told(tmp_path: Path) -> None:
    values = frames(4)
    write(tmp_path / "a.nd2", values, {"Z": 4}, missing=(3,))
    report = anyzarr.convert(tmp_path / "a.nd2", tmp_path / "a.zarr")
    assert "1 of 4 planes" in report.warnings[0]
    with open_ome_zarr(tmp_path / "a.zarr") as image:
        assert not image.data[:, 3].any()
        np.testing.assert_array_equal(image.data[:, 2], values[2].transpose(2, 0, 1))


def test_bad_input(tmp_path: Path) -> None:
    target = tmp_path / "b.zarr"
    write(tmp_path / "a.nd2", frames(3), {"Z": 3})
    whole = (tmp_path / "a.nd2").read_bytes()
    broken = tmp_path / "b.nd2"
    for n in (0, 4, 100, 5000, len(whole) // 2, len(whole) - 1):
        broken.write_bytes(whole[:n])
        with pytest.raises(CorruptDataError, match=r"b\.nd2"):
            anyzarr.convert(broken, target)
    at = whole.rindex(b"ImageDataSeq|1!") + len(b"ImageDataSeq|1!")
    for place in (16, len(whole) - 100):  # another chunk, and beyond the end
        broken.write_bytes(whole[:at] + struct.pack("<Q", place) + whole[at + 8 :])
        with pytest.raises(CorruptDataError, match="frame 1"):
            anyzarr.convert(broken, target)
    write(broken, frames(3), {"Z": 3}, compressed=True)
    deflated = bytearray(broken.read_bytes())
    deflated[deflated.index(b"\x78\x9c") + 50] ^= 255
    broken.write_bytes(deflated)
    with pytest.raises(CorruptDataError, match=r"b\.nd2"):
        anyzarr.convert(broken, target)
    write(broken, frames(3), {"Z": 3}, uiWidthBytes=7)
    with pytest.raises(CorruptDataError, match="rows of 7 bytes"):
        anyzarr.convert(broken, target)
    write(broken, frames(3), {"Z": 3}, eCompression=1)
    with pytest.raises(UnsupportedError, match="with loss"):
        anyzarr.convert(broken, target)
    assert not target.exists()

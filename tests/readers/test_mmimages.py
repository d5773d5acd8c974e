"""Separate image files of Micro-Manager; laid out as its sources do, the files by tifffile."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anyzarr
from anyzarr.errors import CorruptDataError, NodeNotFoundError, UnsupportedError
from anyzarr.ome import Plate, open_ome_zarr
from anyzarr.readers import reader_for

tifffile = pytest.importorskip("tifffile")
VALUES = np.random.default_rng(0).integers(0, 4000, (2, 2, 3, 20, 30)).astype("u2")
CHANNELS = ["GFP", "DAPI"]  # not in the order of their names
SUMMARY = {
    "MicroManagerVersion": "2.0.1",
    "ChNames": CHANNELS,
    "z-step_um": 1.5,
    "Interval_ms": 4000.0,
    "Prefix": "run",
}
ABOUT = {"PixelSizeUm": 0.325, "Exposure-ms": 20}


def write_new(
    folder: Path, values: Any = VALUES, position: int = 0, *, without: tuple[Any, ...] = (),
    **summary: Any,
) -> dict[str, Any]:  # fmt: skip
    """Write a position of version 2."""
    folder.mkdir(parents=True)
    document: dict[str, Any] = {"Summary": {**SUMMARY, **summary}}
    for t, c, z in np.ndindex(values.shape[:3]):
        if (t, c, z) in without:
            continue
        name = f"img_channel{c:03}_position{position:03}_time{t:09}_z{z:03}.tif"
        tifffile.imwrite(folder / name, values[t, c, z])
        document[f"Coords-{folder.name}/{name}"] = {"Frame": t, "Channel": c, "Slice": z}
        document[f"Metadata-{folder.name}/{name}"] = {**ABOUT, "PositionName": folder.name}
    (folder / "metadata.txt").write_text(json.dumps(document, indent=2))
    return document


def write_old(folder: Path, values: Any = VALUES, position: int = 0, **summary: Any) -> None:
    """Write a position of version 1.4."""
    folder.mkdir(parents=True)
    document: dict[str, Any] = {"Summary": {**SUMMARY, **summary}}
    for t, c, z in np.ndindex(values.shape[:3]):
        name = f"img_{t:09}_{CHANNELS[c]}_{z:03}.tif"
        tifffile.imwrite(folder / name, values[t, c, z])
        about = {**ABOUT, "FileName": name, "PositionIndex": position}
        document[f"FrameKey-{t}-{c}-{z}"] = about
    (folder / "metadata.txt").write_text(json.dumps(document))


def check(image: Any, values: Any = VALUES) -> None:
    np.testing.assert_array_equal(image.data[...], values)
    assert image.axis_names == list("tczyx")
    assert image.scale == [4.0, 1.0, 1.5, 0.325, 0.325]
    assert [axis.unit for axis in image.axes] == [
        "second", None, "micrometer", "micrometer", "micrometer",
    ]  # fmt: skip
    assert image.channel_names == CHANNELS
    kept = image.group.attrs["micro-manager"]
    assert kept["summary"]["Prefix"] == "run"
    assert kept["first_plane"]["Exposure-ms"] == 20


@pytest.mark.parametrize("write", [write_new, write_old])
def test_a_folder_of_files(tmp_path: Path, write: Any) -> None:
    write(tmp_path / "run_1" / "Default", ChColors=[-16711936, -16776961])
    for source in (tmp_path / "run_1", tmp_path / "run_1" / "Default"):
        report = anyzarr.convert(source, tmp_path / "out.zarr", overwrite=True, verify=True)
        assert report.warnings == ()
        assert report.layout == "image"
        with open_ome_zarr(tmp_path / "out.zarr") as image:
            check(image)
            channels = image.metadata.omero.channels
            assert [channel.color for channel in channels] == ["00FF00", "0000FF"]
    assert anyzarr.validate(tmp_path / "out.zarr", deep=True).valid


def test_colours_as_they_were_shown(tmp_path: Path) -> None:
    write_new(tmp_path / "run" / "Default")
    shown = [
        {"Channel": {"type": "STRING", "scalar": "DAPI"},
         "Color": {"type": "COLOR", "scalar": -16776961}},
        {"Channel": {"type": "STRING", "scalar": "GFP"},
         "Color": {"type": "COLOR", "scalar": -16711936}},
    ]  # fmt: skip
    document = {"map": {"ChannelSettings": {"type": "PROPERTY_MAP", "array": shown}}}
    (tmp_path / "run" / "DisplaySettings.json").write_text(json.dumps(document))
    anyzarr.convert(tmp_path / "run", tmp_path / "out.zarr")
    with open_ome_zarr(tmp_path / "out.zarr") as image:
        assert [c.color for c in image.metadata.omero.channels] == ["00FF00", "0000FF"]


def test_positions_are_a_series(tmp_path: Path) -> None:
    stage = [{"label": "left", "x": 1}, {"label": "right", "x": 2}]
    for i, other in enumerate((VALUES, VALUES + 1)):
        write_old(tmp_path / "run" / f"Pos{i}", other, i, InitialPositionList=stage)
    report = anyzarr.convert(tmp_path / "run", tmp_path / "out.zarr")
    assert report.n_images == 2
    with open_ome_zarr(tmp_path / "out.zarr") as series:
        for i, label in enumerate(("left", "right")):
            check(series[str(i)], VALUES + i)
            assert series[str(i)].name == label
            kept = series[str(i)].group.attrs["micro-manager"]
            assert kept["stage_position"] == stage[i]
            assert "InitialPositionList" not in kept["summary"]


def test_positions_of_wells_are_a_plate(tmp_path: Path) -> None:
    labels = ["A1-Site_0", "B2-Site_3"]
    stage = [{"Label": label} for label in labels]
    for i, label in enumerate(labels):
        write_new(tmp_path / "run" / label, VALUES + i, i, StagePositions=stage)
    assert anyzarr.convert(tmp_path / "run", tmp_path / "out.zarr").layout == "plate"
    with open_ome_zarr(tmp_path / "out.zarr") as plate:
        assert isinstance(plate, Plate)
        check(plate["B/2/3"], VALUES + 1)


def test_what_was_not_acquired_is_zero(tmp_path: Path) -> None:
    write_new(tmp_path / "run", without=((1, 1, 1), (1, 1, 2)), Frames=5)
    report = anyzarr.convert(tmp_path / "run", tmp_path / "out.zarr")
    assert report.warnings == (
        "2 of 12 planes were not acquired and read as zero",
        "2 of 5 planned time points were acquired",
    )
    expected = VALUES.copy()
    expected[1, 1, 1:] = 0
    with open_ome_zarr(tmp_path / "out.zarr") as image:
        check(image, expected)


def test_files_that_are_missing_are_named(tmp_path: Path) -> None:
    write_old(tmp_path / "run" / "Pos0")
    (tmp_path / "run" / "Pos0" / "img_000000001_DAPI_002.tif").unlink()
    with pytest.raises(NodeNotFoundError, match=r"img_000000001_DAPI_002\.tif"):
        anyzarr.convert(tmp_path / "run", tmp_path / "out.zarr")
    assert not (tmp_path / "out.zarr").exists()


def test_metadata_that_ends_early(tmp_path: Path) -> None:
    write_new(tmp_path / "run")
    path = tmp_path / "run" / "metadata.txt"
    text = path.read_text().rstrip()
    path.write_text(text[:-1].rstrip() + ",\n")
    report = anyzarr.convert(tmp_path / "run", tmp_path / "out.zarr")
    assert report.warnings == ("run/metadata.txt ends early, as the acquisition may have",)
    with open_ome_zarr(tmp_path / "out.zarr") as image:
        check(image)
    path.write_text(text[: len(text) // 2])
    with pytest.raises(CorruptDataError, match=r"metadata\.txt"):
        anyzarr.convert(tmp_path / "run", tmp_path / "two.zarr")


def test_colour_files(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    colours = np.random.default_rng(1).integers(0, 255, (20, 30, 3)).astype("u1")
    name = "img_channel000_position000_time000000000_z000.tif"
    tifffile.imwrite(folder / name, colours, photometric="rgb")
    document = {"Summary": {"ChNames": ["White"]}, f"Metadata-run/{name}": ABOUT}
    (folder / "metadata.txt").write_text(json.dumps(document))
    anyzarr.convert(folder, tmp_path / "out.zarr")
    with open_ome_zarr(tmp_path / "out.zarr") as image:
        np.testing.assert_array_equal(image.data[...], np.moveaxis(colours, -1, 0))
        assert image.channel_names == ["Red", "Green", "Blue"]
        assert image.scale == [1.0, 0.325, 0.325]


def test_other_axes_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    for view in range(2):
        tifffile.imwrite(folder / f"img_channel000_view{view:03}.tif", VALUES[0, 0, 0])
    (folder / "metadata.txt").write_text('{"Summary": {}}')
    with pytest.raises(UnsupportedError, match="'view'"):
        anyzarr.convert(folder, tmp_path / "out.zarr")


@pytest.mark.parametrize("summary", [{}, [], None, {"ChNames": 3}, {"StagePositions": [7]}])
def test_metadata_of_odd_forms(tmp_path: Path, summary: Any) -> None:
    write_old(tmp_path / "run")
    path = tmp_path / "run" / "metadata.txt"
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, "Summary": summary, "FrameKey-0-0-1": 5}))
    anyzarr.convert(tmp_path / "run", tmp_path / "out.zarr")
    with open_ome_zarr(tmp_path / "out.zarr") as image:
        np.testing.assert_array_equal(image.data[...], VALUES)


def test_files_without_metadata_go_by_their_names(tmp_path: Path) -> None:
    write_new(tmp_path / "run")
    (tmp_path / "run" / "metadata.txt").unlink()
    kind = reader_for(tmp_path / "run")
    assert kind is not None
    assert kind.name == "files"

"""ClearControl folders: the mock that iohub writes, and blosc 1 as the microscopes have it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anyzarr
from anyzarr.errors import CorruptDataError, MetadataError, NodeNotFoundError
from anyzarr.ome import open_ome_zarr
from anyzarr.readers import reader_for
from anyzarr.readers._blosc_file import BloscFiles
from anyzarr.readers._clearcontrol import open_clearcontrol

imagecodecs = pytest.importorskip("imagecodecs")
RNG = np.random.default_rng(0)
SHAPE = (6, 40, 30)


def smooth(*shape: int) -> Any:
    """Return what compresses."""
    return RNG.integers(0, 200, shape).cumsum(axis=-1).astype("u2")


def write(folder: Path, volumes: dict[str, list[Any]], ending: str) -> None:
    """Write volumes by channel, as the format is described by dexp and iohub."""
    for channel, stacks in volumes.items():
        (folder / "stacks" / channel).mkdir(parents=True)
        lines, about = [], []
        for t, values in enumerate(stacks):
            depth, height, width = values.shape
            lines.append(f"{t}\t{t * 1.5:.4f}\t{width}, {height}, {depth}\n")
            voxel = {"VoxelDimX": 0.4, "VoxelDimY": 0.4, "VoxelDimZ": 2.5, "AcquisitionType": "NA"}
            stamp = 1_500_000_000 * t
            about.append({**voxel, "Channel": channel, "TimeStampInNanoSeconds": stamp})
            data = values.tobytes()
            if ending == ".blc":
                middle = len(data) // 3 // 2 * 2
                data = b"".join(
                    imagecodecs.blosc_encode(part, typesize=2, compressor="lz4", blocksize=4096)
                    for part in (data[:middle], data[middle:])
                )
            (folder / "stacks" / channel / f"{t:06}{ending}").write_bytes(data)
        (folder / f"{channel}.index.txt").write_text("".join(lines))
        (folder / f"{channel}.metadata.txt").write_text("\n".join(map(json.dumps, about)))


def volumes() -> dict[str, list[Any]]:
    return {channel: [smooth(*SHAPE) for _ in range(2)] for channel in ("C0L0", "C0L1")}


@pytest.mark.parametrize("ending", [".raw", ".blc"])
def test_volumes_are_those_of_the_folder(tmp_path: Path, ending: str) -> None:
    found = volumes()
    write(tmp_path / "in", found, ending)
    report = anyzarr.convert(tmp_path / "in", tmp_path / "out.zarr")
    assert report.warnings == ()
    expected = np.array([[found[c][t] for c in found] for t in range(2)])
    with open_ome_zarr(tmp_path / "out.zarr") as image:
        np.testing.assert_array_equal(image.data[...], expected)
        assert image.axis_names == list("tczyx")
        assert image.scale == [1.5, 1.0, 2.5, 0.4, 0.4]
        assert [a.unit for a in image.axes] == ["second", None, *["micrometer"] * 3]
        assert image.channel_names == ["C0L0", "C0L1"]
        assert image.group.attrs["clearcontrol"]["C0L1"]["VoxelDimZ"] == 2.5
    if ending == ".raw":
        return
    iohub = pytest.importorskip("iohub.clearcontrol")
    theirs = iohub.ClearControlFOV(tmp_path / "in")
    np.testing.assert_array_equal(theirs[:], expected)
    assert theirs.zyx_scale == (2.5, 0.4, 0.4)


@pytest.mark.parametrize("ending", [".raw", ".blc"])
def test_regions_are_the_same_as_the_whole(tmp_path: Path, ending: str) -> None:
    found = volumes()
    write(tmp_path / "in", found, ending)
    expected = np.array([[found[c][t] for c in found] for t in range(2)])
    source = open_clearcontrol(tmp_path / "in")
    for _ in range(30):
        region = tuple(
            slice(*sorted(RNG.choice(n + 1, 2, replace=False).tolist())) for n in expected.shape
        )
        np.testing.assert_array_equal(source.read(0, region), expected[region])
    source.close()


def test_iohub_writes_what_is_read(tmp_path: Path) -> None:
    iohub = pytest.importorskip("iohub.clearcontrol")
    iohub.create_mock_clear_control_dataset(tmp_path / "in")  # of blosc 2
    theirs = iohub.ClearControlFOV(tmp_path / "in")
    source = open_clearcontrol(tmp_path / "in")
    image = source.image(0)
    assert image.shape == theirs.shape
    assert image.scale == (0.045, 1.0, 1.0, 0.25, 0.25)
    assert [c.label for c in image.channels or ()] == theirs.channel_names
    part = np.s_[0:2, 1:3, 10:20, 0:64, 5:9]
    expected = np.stack([theirs[t] for t in range(2)])[part]
    np.testing.assert_array_equal(source.read(0, part), expected)


@pytest.mark.parametrize("options", [{}, {"shuffle": 0}, {"shuffle": 2}, {"level": 0}])
@pytest.mark.parametrize("n_bytes", [2, 4096, 4098, 50_000])
def test_any_range_of_a_blosc_buffer(tmp_path: Path, options: Any, n_bytes: int) -> None:
    data = smooth(n_bytes // 2).tobytes()
    encoded = imagecodecs.blosc_encode(data, typesize=2, blocksize=4096, **options)
    (tmp_path / "a.blc").write_bytes(encoded)
    files = BloscFiles()
    assert files.size(tmp_path / "a.blc") == n_bytes
    for _ in range(20):
        start, stop = sorted(RNG.choice(n_bytes + 1, 2, replace=False).tolist())
        out = bytearray(stop - start)
        files.read(tmp_path / "a.blc", start, memoryview(out))
        assert out == data[start:stop]


def test_channels_of_other_shapes_are_images_apart(tmp_path: Path) -> None:
    found = {"a": [smooth(*SHAPE)], "b": [smooth(4, 20, 20), smooth(4, 20, 20)]}
    write(tmp_path / "in", found, ".raw")
    report = anyzarr.convert(tmp_path / "in", tmp_path / "out.zarr")
    assert (report.layout, report.n_images) == ("series", 2)
    with open_ome_zarr(tmp_path / "out.zarr") as series:
        np.testing.assert_array_equal(series["1"].data[:, 0], np.array(found["b"]))


def test_time_points_that_a_channel_lacks_are_told(tmp_path: Path) -> None:
    write(tmp_path / "in", {"a": [smooth(*SHAPE)] * 3, "b": [smooth(*SHAPE)] * 2}, ".raw")
    image = open_clearcontrol(tmp_path / "in").image(0)
    assert image.shape[:2] == (2, 2)
    assert "2 of 3 time points" in image.warnings[0]


@pytest.mark.parametrize("ending", [".raw", ".blc"])
def test_what_is_broken_is_refused(tmp_path: Path, ending: str) -> None:
    folder = tmp_path / "in"
    write(folder, volumes(), ending)
    kind = reader_for(folder)
    assert kind is not None
    assert kind.name == "clearcontrol"
    with pytest.raises(MetadataError, match="leave it out"):
        kind.open(folder, axes="tczyx")
    volume = folder / "stacks" / "C0L1" / f"000001{ending}"
    whole = volume.read_bytes()
    for cut in (10, len(whole) // 2, len(whole) - 1):
        volume.write_bytes(whole[:cut])
        with pytest.raises(CorruptDataError, match="000001"):
            open_clearcontrol(folder)
    volume.unlink()
    with pytest.raises(NodeNotFoundError, match="000001"):
        open_clearcontrol(folder)
    volume.write_bytes(whole)
    index = folder / "C0L0.index.txt"
    index.write_text(index.read_text()[:-9])
    with pytest.raises(CorruptDataError, match="line 2"):
        open_clearcontrol(folder)
    index.write_text("0 0.0 30, 40, 6\n1 1.0 30, 40, 7\n")
    with pytest.raises(MetadataError, match="2 shapes"):
        open_clearcontrol(folder)


def test_damaged_blocks_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "in", {"a": [np.ones(SHAPE, "u2")]}, ".blc")
    path = tmp_path / "in" / "stacks" / "a" / "000000.blc"
    data = bytearray(path.read_bytes())
    data[16:24] = b"\xff" * 8  # where blocks begin
    path.write_bytes(data)
    with pytest.raises(CorruptDataError, match="000000"):
        anyzarr.convert(tmp_path / "in", tmp_path / "out.zarr")
    assert not (tmp_path / "out.zarr").exists()

"""Conversion of HDF5 and Imaris files, written by h5py and compared with what it reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anyzarr
from anyzarr.errors import (
    CorruptDataError,
    MetadataError,
    NodeNotFoundError,
    StoreError,
    UnsupportedError,
)
from anyzarr.ome import open_ome_zarr
from anyzarr.readers import reader_for
from anyzarr.readers._hdf5 import open_hdf5

h5py = pytest.importorskip("h5py")
VALUES = np.random.default_rng(0).integers(0, 999, (3, 2, 40, 50)).astype("u2")


def test_the_only_data_set(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        data = file.create_dataset(
            "volumes/raw", data=VALUES, chunks=(1, 1, 16, 16), compression="gzip", fletcher32=True
        )
        data.attrs["element_size_um"] = [2.0, 0.2, 0.1]
        data.attrs["note"] = "made by a test"
        file["time"] = np.arange(3.0)
    report = anyzarr.convert(tmp_path / "a.h5", tmp_path / "a.zarr", verify=True)
    assert "names no axes" in report.warnings[0]
    anyzarr.convert(tmp_path / "a.h5", tmp_path / "b.zarr", axes="zcyx", processes=True)
    with open_ome_zarr(tmp_path / "b.zarr") as image:
        np.testing.assert_array_equal(image.data[...], VALUES.swapaxes(0, 1))
        assert image.scale == [1.0, 2.0, 0.2, 0.1]
        assert [axis.unit for axis in image.axes] == [None, *["micrometer"] * 3]
        assert image.group.attrs["hdf5"]["attributes"]["note"] == "made by a test"
        assert image.name == "volumes/raw"


@pytest.mark.parametrize("told", ["axistags", "labels"])
def test_axes_that_the_file_names(tmp_path: Path, told: str) -> None:
    with h5py.File(tmp_path / "a.ilp.h5", "w") as file:
        data = file.create_dataset("exported_data", data=VALUES[..., None])
        if told == "axistags":
            tags = {"axes": [{"key": key, "typeFlags": 2, "resolution": 0} for key in "tzyxc"]}
            data.attrs["axistags"] = json.dumps(tags)
        else:
            for dim, label in zip(data.dims, ("time", "z", "y", "x", "channel"), strict=True):
                dim.label = label
    report = anyzarr.convert(tmp_path / "a.ilp.h5", tmp_path / "a.zarr")
    assert (report.axes, report.warnings) == (tuple("tzyx"), ())
    with open_ome_zarr(tmp_path / "a.zarr") as image:
        np.testing.assert_array_equal(image.data[...], VALUES)


def test_one_of_several_data_sets(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file["raw"] = VALUES
        file["labels/mask"] = VALUES[0, 0] > 500
        file["labels/names"] = ["a", "b"]
    report = anyzarr.convert(tmp_path / "a.hdf5", tmp_path / "a.zarr", axes="tcyx")
    assert "labels/mask" in report.warnings[0]
    assert report.level_shapes[0] == VALUES.shape
    anyzarr.convert(tmp_path / "a.hdf5" / "labels" / "mask", tmp_path / "m.zarr")
    with open_ome_zarr(tmp_path / "m.zarr") as image:
        np.testing.assert_array_equal(image.data[...], VALUES[0, 0] > 500)
    with pytest.raises(NodeNotFoundError, match="labels/mask"):
        anyzarr.convert(tmp_path / "a.hdf5" / "absent", tmp_path / "b.zarr")
    with pytest.raises(UnsupportedError, match="names"):
        anyzarr.convert(tmp_path / "a.hdf5" / "labels" / "names", tmp_path / "b.zarr")
    with pytest.raises(MetadataError, match="axes"):
        anyzarr.convert(tmp_path / "a.hdf5", tmp_path / "b.zarr", axes="yx")


def write_imaris(path: Path, values: Any, *, padded: int = 0) -> None:
    """Write a file as the Imaris 5.5 format is described (https://imaris.oxinst.com/support)."""
    n_times, n_channels, *space = values.shape
    letters = lambda text: np.frombuffer(text.encode(), "S1")  # noqa: E731
    with h5py.File(path, "w") as file:
        file.attrs["ImarisVersion"] = letters("5.5.0")
        info = file.create_group("DataSetInfo")
        image = info.create_group("Image").attrs
        for number, (letter, n) in enumerate(zip("XYZ", space[::-1], strict=True)):
            image[letter] = letters(str(n))
            image[f"ExtMin{number}"] = letters(f"{number}.5")
            image[f"ExtMax{number}"] = letters(f"{number + 0.5 + n * 0.25 * (number + 1)}")
        image["Unit"] = letters("um")
        image["Name"] = letters("cells")
        for c in range(n_channels):
            channel = info.create_group(f"Channel {c}").attrs
            channel["Name"] = letters(["DAPI", "GFP"][c])
            channel["Color"] = letters(["0.000 0.000 1.000", "0.000 1.000 0.000"][c])
            channel["ColorRange"] = letters("10.000 200.000")
        times = info.create_group("TimeInfo").attrs
        for t in range(n_times):
            times[f"TimePoint{t + 1}"] = letters(f"2020-01-01 10:00:{t * 5:02}.000")
            for c in range(n_channels):
                name = f"DataSet/ResolutionLevel 0/TimePoint {t}/Channel {c}/Data"
                file[name] = np.pad(values[t, c], [(0, padded)] * 3)


def test_imaris(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 255, (3, 2, 4, 30, 20)).astype("u1")
    write_imaris(tmp_path / "a.ims", values, padded=6)
    report = anyzarr.convert(tmp_path / "a.ims", tmp_path / "a.zarr", verify=True)
    assert report.warnings == ()
    with open_ome_zarr(tmp_path / "a.zarr") as image:
        np.testing.assert_array_equal(image.data[...], values)
        assert image.axis_names == list("tczyx")
        assert image.scale == [5.0, 1.0, 0.75, 0.5, 0.25]
        assert image.translation == [0.0, 0.0, 2.5, 1.5, 0.5]
        assert [axis.unit for axis in image.axes] == ["second", None, *["micrometer"] * 3]
        assert image.channel_names == ["DAPI", "GFP"]
        assert [c.color for c in image.channels] == ["0000FF", "00FF00"]
        assert (image.channels[0].window.start, image.channels[0].window.end) == (10, 200)
        assert image.name == "cells"
    with h5py.File(tmp_path / "a.ims", "a") as file:
        del file["DataSet/ResolutionLevel 0/TimePoint 1/Channel 1"]
    with pytest.raises(CorruptDataError, match="TimePoint 1/Channel 1"):
        anyzarr.convert(tmp_path / "a.ims", tmp_path / "b.zarr")


def test_broken_files(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w", libver="earliest") as file:
        file.create_dataset("raw", data=VALUES, chunks=(1, 1, 40, 50), fletcher32=True)
    whole = (tmp_path / "a.h5").read_bytes()
    for n in (0, 7, 100, len(whole) // 2, len(whole) - 1):
        (tmp_path / "b.h5").write_bytes(whole[:n])
        with pytest.raises(CorruptDataError, match=r"b\.h5"):
            anyzarr.convert(tmp_path / "b.h5", tmp_path / "b.zarr")
    flipped = bytearray(whole)
    flipped[whole.index(VALUES[1, 1].tobytes()) + 100] ^= 1
    (tmp_path / "b.h5").write_bytes(flipped)
    with pytest.raises(CorruptDataError, match="raw"):
        anyzarr.convert(tmp_path / "b.h5", tmp_path / "b.zarr", axes="tcyx")
    with h5py.File(tmp_path / "empty.h5", "w") as file:
        file.create_group("nothing")
    with pytest.raises(UnsupportedError, match="it holds nothing"):
        anyzarr.convert(tmp_path / "empty.h5", tmp_path / "b.zarr")
    assert not (tmp_path / "b.zarr").exists()


def test_what_lies_in_other_files(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "part.h5", "w") as file:
        file["raw"] = VALUES[0, 0]
    layout = h5py.VirtualLayout((2, 40, 50), "u2")
    for i in range(2):
        layout[i] = h5py.VirtualSource("part.h5", "raw", (40, 50))
    with h5py.File(tmp_path / "all.h5", "w") as file:
        file.create_virtual_dataset("raw", layout)
    source = open_hdf5(tmp_path / "all.h5", axes="tyx")
    assert tmp_path / "part.h5" in source.files
    found = source.read(0, (slice(1, 2), slice(0, 40), slice(0, 50)))
    np.testing.assert_array_equal(found[0], VALUES[0, 0])
    source.close()
    (tmp_path / "part.h5").unlink()
    with pytest.raises(CorruptDataError, match=r"part\.h5"):
        anyzarr.convert(tmp_path / "all.h5", tmp_path / "b.zarr")


def test_nothing_is_read_from_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(4000))
    with h5py.File(tmp_path / "in" / "a.h5", "w") as file:
        file.create_dataset("raw", (40, 50), "u2", external=[("../secret", 0, 4000)])
        file["link"] = h5py.ExternalLink("../b.h5", "raw")
        file["dangling"] = h5py.SoftLink("/absent")
    layout = h5py.VirtualLayout((2, 40, 50), "u2")
    layout[0] = h5py.VirtualSource("a.h5", "raw", (40, 50))
    with h5py.File(tmp_path / "in" / "all.h5", "w") as file:
        file.create_virtual_dataset("raw", layout)
    for name, said in (("a.h5", "secret"), ("all.h5", "secret"), ("a.h5/link", "link to another")):
        with pytest.raises(UnsupportedError, match=said):
            anyzarr.convert(tmp_path / "in" / name, tmp_path / "b.zarr")
    with pytest.raises(NodeNotFoundError, match="dangling"):
        anyzarr.convert(tmp_path / "in" / "a.h5" / "dangling", tmp_path / "b.zarr")
    layout = h5py.VirtualLayout((2, 40, 50), "u2")
    layout[1] = h5py.VirtualSource(str(tmp_path / "other.h5"), "raw", (40, 50))
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["raw"] = VALUES[0, 0]
    with h5py.File(tmp_path / "in" / "c.h5", "w") as file:
        file.create_virtual_dataset("raw", layout)
    with pytest.raises(UnsupportedError, match="outside the folder"):
        anyzarr.convert(tmp_path / "in" / "c.h5", tmp_path / "b.zarr")
    assert not (tmp_path / "b.zarr").exists()


def test_a_filter_that_is_not_there(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plan.set_chunk((40, 50))
        plan.set_filter(32999, h5py.h5z.FLAG_OPTIONAL)
        space = h5py.h5s.create_simple((40, 50))
        h5py.h5d.create(file.id, b"raw", h5py.h5t.NATIVE_UINT16, space, plan)
    with pytest.raises(UnsupportedError, match="32999"):
        anyzarr.convert(tmp_path / "a.h5", tmp_path / "b.zarr", axes="yx")


def test_which_paths_lead_into_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text")
    assert reader_for(tmp_path / "a.txt" / "raw") is None
    assert reader_for(tmp_path / "absent.h5" / "raw") is None
    with h5py.File(tmp_path / "no_name", "w") as file:
        file["raw"] = VALUES
    kind = reader_for(tmp_path / "no_name" / "raw")
    assert kind is not None
    assert kind.name == "HDF5"


def test_a_file_that_is_being_written(tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["raw"] = VALUES
    with (tmp_path / "a.h5").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(StoreError, match="locked"):
            anyzarr.convert(tmp_path / "a.h5", tmp_path / "b.zarr")

"""Images made of Zarr arrays, of OME-Zarr and of N5; N5 is written by tensorstore."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorstore
import zarr

import anyzarr
from anyzarr._convert import _images
from anyzarr._progress import Progress
from anyzarr.errors import (
    ConflictError,
    CorruptDataError,
    MetadataError,
    UnsupportedError,
)
from anyzarr.ome import open_ome_zarr
from anyzarr.readers import open_n5
from anyzarr.stores import LocalStore, MemoryStore, open_store

VALUES = np.random.default_rng(0).integers(0, 60_000, (12, 70, 65)).astype("u2")


@pytest.fixture(autouse=True)
def _everything_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_images, "LONG_BYTES", 1)


# -- arrays ---------------------------------------------------------------------------------


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("place", ["folder", "zip", "memory", "pipeline", "s3"])
def test_arrays_become_images(tmp_path: Path, zarr_format: Any, place: str, s3: Any) -> None:
    zarr.create_array(
        tmp_path / "a.zarr", shape=VALUES.shape, dtype="u2", chunks=(5, 30, 30),
        zarr_format=zarr_format,
    )[...] = VALUES  # fmt: skip
    source: Any = tmp_path / "a.zarr"
    options: dict[str, Any] = {}
    if place in {"zip", "pipeline"}:
        anyzarr.convert(source, tmp_path / "a.zip")
        source = str(tmp_path / "a.zip") + ("|zip:" if place == "pipeline" else "")
    elif place == "memory":
        source = MemoryStore()
        anyzarr.convert(tmp_path / "a.zarr", source)
    elif place == "s3":
        source, options = f"s3://{s3.new_bucket()}/a.zarr", dict(s3.options)
        anyzarr.convert(tmp_path / "a.zarr", source, **options)
    report = anyzarr.convert(
        source, tmp_path / "b.zarr", axes="zyx", levels=2, scale={"z": "2um", "y": "0.5um"},
        source_options=options, verify=True,
    )  # fmt: skip
    assert (report.kind, report.axes) == ("image", ("z", "y", "x"))
    assert report.verification is not None
    with open_ome_zarr(tmp_path / "b.zarr") as image:
        np.testing.assert_array_equal(image.data[...], VALUES)
        assert image.scale == [2.0, 0.5, 1.0]
        assert len(image) == 2
        assert place == "memory" or image.name == "a"
    assert anyzarr.validate(tmp_path / "b.zarr").errors == ()


def test_dimensions_name_the_axes(tmp_path: Path) -> None:
    options: dict[str, Any] = {"shape": (4, 60, 50), "dtype": "u1", "chunks": (1, 60, 50)}
    zarr.create_array(tmp_path / "a", dimension_names=("time", "y", "x"), **options)[...] = 1
    report = anyzarr.convert(tmp_path / "a", tmp_path / "b", version="0.5")
    assert (report.axes, report.warnings) == (("t", "y", "x"), ())
    two = zarr.create_array(tmp_path / "c", zarr_format=2, **options)
    two.attrs["_ARRAY_DIMENSIONS"] = ["channel", "y", "x"]
    assert anyzarr.convert(tmp_path / "c", tmp_path / "d", version="0.4").axes == ("c", "y", "x")
    zarr.create_array(tmp_path / "e", **options)
    report = anyzarr.convert(tmp_path / "e", tmp_path / "f", levels=1)
    assert report.axes == ("z", "y", "x")
    assert "axes=" in report.warnings[0]
    report = anyzarr.convert(tmp_path / "e", tmp_path / "g", axes="yzx")
    assert report.level_shapes[0] == (60, 4, 50)


def test_what_is_no_image(tmp_path: Path) -> None:
    group = zarr.create_group(tmp_path / "a")
    group.create_array("inner", shape=(4,), dtype="u1")
    anyzarr.create_array(tmp_path / "a/text", shape=(4, 4), dtype="S3")
    for source, options, error, words in [
        ("a", {"levels": 2}, UnsupportedError, "'inner'"),
        ("a/inner", {"axes": "x"}, MetadataError, "axes"),
        ("a/text", {"axes": "yx"}, UnsupportedError, "numbers"),
    ]:
        with pytest.raises(error, match=words):
            anyzarr.convert(tmp_path / source, tmp_path / "b", **options)
    assert os.listdir(tmp_path) == ["a"]


# -- OME-Zarr -------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["0.4", "0.5", "0.6"])
def test_ome_zarr_gets_other_levels(tmp_path: Path, version: str) -> None:
    source = tmp_path / "a.zarr"
    pixels = np.stack([VALUES, VALUES + 1])
    with open_ome_zarr(
        source, mode="w", axes="czyx", channel_names=["DAPI", "GFP"], version=version
    ) as image:
        image.create_image("0", pixels, scale=(1, 2, 0.5, 0.5), translation=(0, 7, 1, 2))
        image.set_contrast_limits("GFP", (5, 500))
        image.create_label("cells", (VALUES > 9).astype("u1"))
    report = anyzarr.convert(source, tmp_path / "b.zarr", levels=3, crop={"z": (2, 6)}, verify=True)
    assert any("cells" in warning for warning in report.warnings)
    with open_ome_zarr(tmp_path / "b.zarr") as image:
        assert (image.version, len(image)) == ("0.5", 3)
        np.testing.assert_array_equal(image.data[...], pixels[:, 2:6])
        assert image.channel_names == ["DAPI", "GFP"]
        assert image.get_effective_translation(0) == [0, 11, 1, 2]
        assert image.channels[1].window is not None
        assert (image.channels[1].window.start, image.channels[1].window.end) == (5, 500)
    assert anyzarr.validate(tmp_path / "b.zarr").errors == ()


def test_plates_stay_plates(tmp_path: Path) -> None:
    with open_ome_zarr(tmp_path / "a", mode="w", layout="hcs", channel_names=["DAPI"]) as plate:
        for row, column, field in [("A", "1", "0"), ("A", "1", "1"), ("C", "12", "0")]:
            position = plate.create_position(row, column, field)
            position.create_image("0", np.full((1, 1, 2, 30, 20), ord(row), "u1"))
    report = anyzarr.convert(tmp_path / "a", tmp_path / "b", dtype="uint16")
    assert (report.layout, report.n_images, report.dtype) == ("plate", 3, "uint16")
    with open_ome_zarr(tmp_path / "b") as plate:
        assert [path for path, _ in plate.positions()] == ["A/1/0", "A/1/1", "C/12/0"]
        assert (plate["C/12/0"].data[...] == ord("C")).all()
        assert plate["A/1/0"].channel_names == ["DAPI"]
    assert anyzarr.validate(tmp_path / "b").errors == ()
    report = anyzarr.convert(tmp_path / "a", tmp_path / "c", split="positions")
    assert sorted(os.listdir(tmp_path / "c")) == ["A_1_0.zarr", "A_1_1.zarr", "C_12_0.zarr"]


def test_series_stay_series(tmp_path: Path) -> None:
    with open_ome_zarr(tmp_path / "a", mode="w", layout="bf2raw", axes="zyx") as series:
        series.create_image(VALUES)
        series.create_image(VALUES[:3])
        series.write_ome_xml("<OME/>")
    report = anyzarr.convert(tmp_path / "a", tmp_path / "b", levels=1)
    assert (report.layout, report.n_images) == ("series", 2)
    with open_ome_zarr(tmp_path / "b") as series:
        assert series.ome_xml == "<OME/>"
    report = anyzarr.convert(tmp_path / "a", tmp_path / "c", series=1)
    assert report.level_shapes[0] == (3, 70, 65)


# -- N5 -------------------------------------------------------------------------------------


def write_n5(path: Path, values: Any, compression: dict[str, Any], **attributes: Any) -> Path:
    """Write an array with tensorstore; its axes are those of numpy, reversed."""
    dimensions = values.shape[::-1]
    array = tensorstore.open(
        {"driver": "n5", "kvstore": {"driver": "file", "path": str(path)},
         "metadata": {"dimensions": list(dimensions), "blockSize": [30, 32, 5][: values.ndim],
                      "dataType": str(values.dtype), "compression": compression, **attributes}},
        create=True,
    ).result()  # fmt: skip
    array[...] = values.transpose()
    return path


def change_attributes(path: Path, **attributes: Any) -> None:
    path.mkdir(parents=True, exist_ok=True)
    file = path / "attributes.json"
    known = json.loads(file.read_text()) if file.exists() else {}
    file.write_text(json.dumps({**known, **attributes}))


GZIP = {"type": "gzip"}


@pytest.mark.parametrize(
    ("dtype", "compression"),
    [
        ("uint16", {"type": "raw"}), ("float32", GZIP), ("int8", GZIP), ("uint16", GZIP),
        ("uint16", {"type": "gzip", "useZlib": True}), ("uint16", {"type": "bzip2"}),
        ("uint16", {"type": "xz"}), ("uint16", {"type": "zstd"}),
        ("uint16", {"type": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 2}),
    ],
)  # fmt: skip
def test_n5(tmp_path: Path, compression: dict[str, Any], dtype: str) -> None:
    values = VALUES.astype(dtype)
    values[:5, :32] = 0  # tensorstore leaves such blocks out
    source = write_n5(tmp_path / "a.n5", values, compression, axes=["x", "y", "z"],
                      resolution=[0.5, 0.5, 2.0], units=["um", "um", "um"])  # fmt: skip
    report = anyzarr.convert(source, tmp_path / "b", levels=1, verify=True)
    assert report.warnings == ()
    with open_ome_zarr(tmp_path / "b") as image:
        np.testing.assert_array_equal(image.data[...], values)
        assert image.scale == [2.0, 0.5, 0.5]
        assert [axis.unit for axis in image.axes] == ["micrometer"] * 3
        assert image.name == "a"
    assert anyzarr.validate(tmp_path / "b").errors == ()


@pytest.mark.parametrize(
    ("attributes", "scale"),
    [
        ({"pixelResolution": {"unit": "um", "dimensions": [0.5, 0.25, 2.0]}}, [2.0, 0.25, 0.5]),
        ({"pixelResolution": [0.5, 0.25, 2.0], "unit": "um"}, [2.0, 0.25, 0.5]),
        ({"pixelResolution": [0.5, 0.25, 2.0], "units": ["um"] * 3,
          "downsamplingFactors": [4, 4, 1]}, [2.0, 1.0, 2.0]),
        ({"transform": {"axes": ["z", "y", "x"], "scale": [2.0, 0.25, 0.5],
          "translate": [1.0, 0.0, 0.0], "units": ["um"] * 3}}, [2.0, 0.25, 0.5]),
    ],
)  # fmt: skip
def test_sizes_of_n5(tmp_path: Path, attributes: dict[str, Any], scale: list[float]) -> None:
    source = write_n5(tmp_path / "a.n5", VALUES, {"type": "gzip"})
    change_attributes(source, **attributes)
    anyzarr.convert(source, tmp_path / "b", axes="zyx")
    with open_ome_zarr(tmp_path / "b") as image:
        assert image.get_effective_scale(0) == scale
        assert {axis.unit for axis in image.axes} == {"micrometer"}
        if "downsamplingFactors" in attributes:
            assert image.get_effective_translation(0) == [0, 0.375, 0.75]
        if "transform" in attributes:
            assert image.get_effective_translation(0) == [1, 0, 0]
        assert image.group.attrs["n5"]["dataType"] == "uint16"


def test_levels_and_several_arrays_of_n5(tmp_path: Path) -> None:
    root = tmp_path / "many.n5"
    write_n5(root / "volumes/raw/s0", VALUES, {"type": "gzip"})
    write_n5(root / "volumes/raw/s1", VALUES[::2, ::2, ::2], {"type": "gzip"})
    change_attributes(root / "volumes/raw", pixelResolution={"unit": "nm", "dimensions": [4, 4, 8]},
                      axes=["x", "y", "z"])  # fmt: skip
    write_n5(root / "plane", VALUES[0], {"type": "raw"})
    change_attributes(root, n5="2.5.0")
    report = anyzarr.convert(root, tmp_path / "b")
    assert (report.layout, report.n_images) == ("series", 2)
    with open_ome_zarr(tmp_path / "b") as series:
        np.testing.assert_array_equal(series["0"].data[...], VALUES[0])
        np.testing.assert_array_equal(series["1"].data[...], VALUES)
        assert series["1"].scale == [8, 4, 4]
    inside = open_n5(LocalStore(root / "volumes" / "raw"))
    assert inside.image(0).shape == VALUES.shape


def big_data_viewer(folder: Path, n_times: int = 2) -> Path:
    """Lay out two setups as BigDataViewer does, with the XML beside."""
    root = folder / "dataset.n5"
    for setup in range(2):
        change_attributes(root / f"setup{setup}", downsamplingFactors=[[1, 1, 1], [2, 2, 1]],
                          dataType="uint16")  # fmt: skip
        for time in range(n_times):
            place = root / f"setup{setup}/timepoint{time}"
            write_n5(place / "s0", VALUES + setup + 2 * time, {"type": "gzip"})
            write_n5(place / "s1", VALUES[:, ::2, ::2], {"type": "gzip"})
            change_attributes(place, resolution=[1.0, 1.0, 1.0], multiScale=True)
    change_attributes(root, n5="2.5.1")
    views = "".join(
        f"<ViewSetup><id>{i}</id><name>camera {i}</name><size>65 70 12</size><voxelSize>"
        "<unit>um</unit><size>0.4 0.4 2.5</size></voxelSize></ViewSetup>"
        for i in range(2)
    )
    (folder / "dataset.xml").write_text(
        '<SpimData version="0.2"><SequenceDescription><ImageLoader format="bdv.n5"><n5 '
        f'type="relative">dataset.n5</n5></ImageLoader><ViewSetups>{views}</ViewSetups>'
        "</SequenceDescription></SpimData>"
    )
    return root


@pytest.mark.parametrize("n_times", [1, 2])
def test_big_data_viewer(tmp_path: Path, n_times: int) -> None:
    source = big_data_viewer(tmp_path, n_times)
    report = anyzarr.convert(source, tmp_path / "b.zarr", verify=True)
    assert (report.layout, report.n_images) == ("series", 2)
    with open_ome_zarr(tmp_path / "b.zarr") as series:
        for setup in range(2):
            image = series[str(setup)]
            expected = np.stack([VALUES + setup + 2 * time for time in range(n_times)])
            np.testing.assert_array_equal(image.data[...], expected if n_times > 1 else expected[0])
            assert image.name == f"camera {setup}"
            assert image.scale[-3:] == [2.5, 0.4, 0.4]
            assert image.axes[-1].unit == "micrometer"
    (tmp_path / "dataset.xml").unlink()
    report = anyzarr.convert(source, tmp_path / "c.zarr", series=1)
    assert report.scale[-3:] == (1, 1, 1)


def test_n5_from_a_store(tmp_path: Path, s3: Any) -> None:
    source = write_n5(tmp_path / "a.n5", VALUES, {"type": "zstd"})
    url = f"s3://{s3.new_bucket()}/a.n5"
    store = open_store(url, mode="a", **s3.options)
    local = LocalStore(source)
    for item in local.list():
        store.put(item.key, local.get(item.key) or b"")
    anyzarr.convert(url, tmp_path / "b.ozx", source_options=s3.options, axes="zyx")
    np.testing.assert_array_equal(open_ome_zarr(tmp_path / "b.ozx").data[...], VALUES)


def test_broken_n5(tmp_path: Path) -> None:
    source = write_n5(tmp_path / "a.n5", VALUES, {"type": "gzip"})
    block = source / "1/1/1"
    whole = block.read_bytes()
    for broken in (b"", whole[:9], whole[:-30], b"\0\1\0\3" + whole[4:], whole[:4] + b"\xff" * 12):
        block.write_bytes(broken)
        with pytest.raises(CorruptDataError, match="1/1/1"):
            anyzarr.convert(source, tmp_path / "b", axes="zyx")
    block.write_bytes(whole)
    for attributes, error in [
        ({"compression": {"type": "lzma"}}, UnsupportedError),
        ({"compression": {"type": "gzip"}, "dataType": "object"}, UnsupportedError),
        ({"dataType": "uint16", "blockSize": [0, 1, 1]}, MetadataError),
        ({"blockSize": [1 << 20] * 3}, MetadataError),
        ({"blockSize": [3, 3]}, MetadataError),
        ({"blockSize": "large"}, MetadataError),
    ]:
        change_attributes(source, **attributes)
        with pytest.raises(error):
            anyzarr.convert(source, tmp_path / "b", axes="zyx")
    (source / "attributes.json").write_text("{")
    with pytest.raises(CorruptDataError, match="JSON"):
        anyzarr.convert(source, tmp_path / "b", axes="zyx")
    assert sorted(os.listdir(tmp_path)) == ["a.n5"]


def test_a_big_data_viewer_with_holes(tmp_path: Path) -> None:
    source = big_data_viewer(tmp_path)
    (source / "setup1/timepoint1/s0/attributes.json").unlink()
    with pytest.raises(CorruptDataError, match="setup1/timepoint1"):
        anyzarr.convert(source, tmp_path / "b.zarr")
    (tmp_path / "dataset.xml").write_text("<SpimData>dataset.n5 >dataset.n5<")
    with pytest.raises(CorruptDataError, match="XML"):
        anyzarr.convert(source, tmp_path / "b.zarr")


# -- workers and changes ----------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["zarr", "n5"])
def test_processes_resume_and_a_source_that_changes(tmp_path: Path, kind: str) -> None:
    if kind == "n5":
        source = write_n5(tmp_path / "a", VALUES, {"type": "gzip"})
    else:
        source = tmp_path / "a"
        anyzarr.create_array(source, data=VALUES, chunks=(12, 70, 65))
    options: dict[str, Any] = {"axes": "zyx", "chunks": (4, 16, 16), "shards": (4, 32, 32)}
    anyzarr.convert(source, tmp_path / "b", processes=True, workers=2, **options)
    np.testing.assert_array_equal(open_ome_zarr(tmp_path / "b").data[...], VALUES)

    def stop(step: Progress) -> None:
        if step.done_bytes > VALUES.nbytes // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        anyzarr.convert(source, tmp_path / "c", progress=stop, workers=1, **options)
    report = anyzarr.convert(source, tmp_path / "c", resume=True, verify=True, **options)
    assert report.n_resumed
    np.testing.assert_array_equal(open_ome_zarr(tmp_path / "c").data[...], VALUES)

    def touch(step: Progress) -> None:
        for path in source.rglob("*"):
            os.utime(path)

    with pytest.raises(ConflictError) as caught:
        anyzarr.convert(source, tmp_path / "d", progress=touch, **options)
    assert caught.value.kind == "source_changing"
    assert sorted(os.listdir(tmp_path)) == ["a", "b", "c"]

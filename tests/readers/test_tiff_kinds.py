"""Every kind of TIFF: values equal tifffile's, axes, sizes and channels are taken over."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

import anyzarr
from anyzarr._convert import ConversionReport
from anyzarr.ome import Image

RNG = np.random.default_rng(0)
GRAY: dict[str, Any] = {"photometric": "minisblack"}
OME: dict[str, Any] = {**GRAY, "ome": True}


def pixels(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    kind = np.dtype(dtype).kind
    if kind == "f":
        return RNG.normal(size=shape).astype(dtype)
    top = 2 if kind == "b" else np.iinfo(dtype).max
    return RNG.integers(0, top, shape).astype(dtype)


def shaped(axes: str, **more: Any) -> dict[str, Any]:
    return {"metadata": {"axes": axes}, **more}


# name: (shape, dtype, how it is written, axes of the image, transposition of the file's axes)
KINDS: dict[str, tuple[tuple[int, ...], str, dict[str, Any], str, tuple[int, ...]]] = {
    "plain uint8": ((300, 400), "u1", GRAY, "yx", (0, 1)),
    "plain uint16": ((300, 400), "u2", {**GRAY, "metadata": None}, "yx", (0, 1)),
    "plain float32": ((300, 400), "f4", GRAY, "yx", (0, 1)),
    "bool": ((60, 70), "?", GRAY, "yx", (0, 1)),
    "int64": ((60, 70), "i8", GRAY, "yx", (0, 1)),
    "big-endian": ((300, 400), "u2", {**GRAY, "byteorder": ">"}, "yx", (0, 1)),
    "big-endian deflated": (
        (2, 60, 70), "f4", {**OME, **shaped("CYX"), "byteorder": ">", "compression": "zlib"},
        "cyx", (0, 1, 2),
    ),
    "rgb": ((200, 220, 3), "u1", {"photometric": "rgb"}, "cyx", (2, 0, 1)),
    "rgba": ((60, 70, 4), "u2", {"photometric": "rgb"}, "cyx", (2, 0, 1)),
    "rgb planar": (
        (3, 60, 70), "u1", {"photometric": "rgb", "planarconfig": "separate"}, "cyx", (0, 1, 2),
    ),
    "rgb planar tiled": (
        (3, 60, 70), "u1",
        {"photometric": "rgb", "planarconfig": "separate", "tile": (32, 32), "compression": "zlib"},
        "cyx", (0, 1, 2),
    ),
    "rgb jpeg tiled": (
        (200, 220, 3), "u1", {"photometric": "rgb", "compression": "jpeg", "tile": (64, 64)},
        "cyx", (2, 0, 1),
    ),
    "stack": ((7, 60, 70), "u2", {**GRAY, **shaped("ZYX")}, "zyx", (0, 1, 2)),
    "stack tiled": (
        (7, 60, 70), "u2", {**GRAY, **shaped("ZYX"), "tile": (32, 48), "compression": "zlib"},
        "zyx", (0, 1, 2),
    ),
    "volumetric": (
        (16, 64, 64), "u2", {**GRAY, **shaped("ZYX"), "volumetric": True, "tile": (16, 16, 16)},
        "zyx", (0, 1, 2),
    ),
    "lzw with predictor": (
        (300, 400), "u2", {**GRAY, "compression": "lzw", "predictor": True}, "yx", (0, 1),
    ),
    "odd strips": ((300, 400), "u2", {**GRAY, "compression": "zlib", "rowsperstrip": 17},
                   "yx", (0, 1)),
    "zstd floats": ((300, 400), "f4", {**GRAY, "compression": "zstd", "predictor": 3},
                    "yx", (0, 1)),
    "jpeg2000": ((300, 400), "u2", {**GRAY, "compression": "jpeg2000", "tile": (128, 128)},
                 "yx", (0, 1)),
    "bigtiff": ((3, 60, 70), "u2", {**GRAY, **shaped("TYX"), "bigtiff": True}, "tyx", (0, 1, 2)),
    "ome": ((2, 3, 4, 60, 70), "u2", {**OME, **shaped("TCZYX")}, "tczyx", (0, 1, 2, 3, 4)),
    "ome z before c": ((2, 3, 4, 60, 70), "u2", {**OME, **shaped("TZCYX")},
                       "tczyx", (0, 2, 1, 3, 4)),
    "ome c first, tiled": (
        (2, 3, 4, 60, 70), "u1",
        {**OME, **shaped("CTZYX"), "tile": (32, 32), "compression": "zlib"},
        "tczyx", (1, 0, 2, 3, 4),
    ),
    "ome rgb": ((2, 60, 70, 3), "u1", {"ome": True, "photometric": "rgb", **shaped("ZYXS")},
                "czyx", (3, 0, 1, 2)),
    "imagej": ((2, 3, 4, 60, 70), "u2", {**GRAY, "imagej": True, **shaped("TZCYX")},
               "tczyx", (0, 2, 1, 3, 4)),
    "imagej float32": ((5, 60, 70), "f4", {**GRAY, "imagej": True, **shaped("ZYX")},
                       "zyx", (0, 1, 2)),
    "imagej rgb": ((5, 60, 70, 3), "u1", {"imagej": True, "photometric": "rgb", **shaped("ZYXS")},
                   "czyx", (3, 0, 1, 2)),
}  # fmt: skip


def convert(path: Path, **options: Any) -> tuple[Image, ConversionReport]:
    report = anyzarr.convert(path, path.with_suffix(".zarr"), **options)
    return anyzarr.open_ome_zarr(path.with_suffix(".zarr")), report


def as_tifffile_reads(path: Path, series: int = 0) -> np.ndarray:
    with tifffile.TiffFile(path) as tiff:
        return tiff.series[series].asarray()


@pytest.mark.parametrize("kind", KINDS)
def test_values_are_those_of_tifffile_bit_for_bit(tmp_path: Path, kind: str) -> None:
    shape, dtype, options, axes, order = KINDS[kind]
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, pixels(shape, dtype), **options)
    expected = as_tifffile_reads(path).transpose(order)
    image, report = convert(path)
    assert image.axis_names == list(axes)
    assert image.data.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(image.data[...], expected)
    assert (report.kind, report.axes, report.level_shapes[0]) == (
        "image", tuple(axes), expected.shape,
    )  # fmt: skip
    assert report.warnings == ()


def test_many_threads_share_one_file(tmp_path: Path) -> None:
    """tifffile reads pages, tables and tags lazily, with one position in the file."""
    path = tmp_path / "image.tif"
    values = RNG.integers(0, 255, (12, 128, 128, 3)).astype("u1")
    tifffile.imwrite(path, values, photometric="rgb", compression="jpeg", tile=(32, 32))
    expected = as_tifffile_reads(path).transpose(3, 0, 1, 2)
    for _ in range(3):
        with anyzarr.config.set(concurrency=8):
            image, _ = convert(path, overwrite=True, chunks=(1, 1, 32, 32), shards=False)
        np.testing.assert_array_equal(image.data[...], expected)


def test_not_a_number_keeps_its_bits(tmp_path: Path) -> None:
    values = np.array([[0x7FC00001, 0xFF800000], [0x80000000, 0x7F800001]], "u4").view("f4")
    tifffile.imwrite(tmp_path / "image.tif", np.tile(values, (20, 20)), **GRAY)
    image, _ = convert(tmp_path / "image.tif")
    np.testing.assert_array_equal(
        image.data[...].view("u4"), as_tifffile_reads(tmp_path / "image.tif").view("u4")
    )


def test_ome_sizes_units_channels_and_name(tmp_path: Path) -> None:
    metadata = {
        "axes": "TCZYX", "Name": "embryo 3",
        "PhysicalSizeX": 0.25, "PhysicalSizeXUnit": "µm",
        "PhysicalSizeY": 250, "PhysicalSizeYUnit": "nm",
        "PhysicalSizeZ": 1.5, "TimeIncrement": 2, "TimeIncrementUnit": "min",
        "Channel": {"Name": ["DAPI", "GFP"], "Color": [65535, 16711935]},
    }  # fmt: skip
    path = tmp_path / "image.ome.tif"
    tifffile.imwrite(path, pixels((2, 2, 3, 60, 70), "u2"), **OME, metadata=metadata)
    with tifffile.TiffFile(path) as tiff:
        ome_xml = tiff.ome_metadata
    image, report = convert(path)
    assert image.name == "embryo 3"
    assert image.scale == list(report.scale) == [2, 1, 1.5, 250, 0.25]
    assert [axis.unit for axis in image.axes] == [
        "minute", None, "micrometer", "nanometer", "micrometer",
    ]  # fmt: skip
    assert image.channel_names == ["DAPI", "GFP"]
    omero = image.metadata.omero
    assert omero is not None
    assert [channel.color for channel in omero.channels] == ["0000FF", "00FF00"]
    kept = image.store.get("OME/METADATA.ome.xml")
    assert kept is not None
    assert kept.decode() == ome_xml


def test_one_named_channel_stays_a_channel(tmp_path: Path) -> None:
    metadata = {"axes": "YX", "Channel": {"Name": ["phase"]}}
    tifffile.imwrite(tmp_path / "image.tif", pixels((60, 70), "u1"), **OME, metadata=metadata)
    image, _ = convert(tmp_path / "image.tif")
    assert (image.axis_names, image.channel_names) == (["c", "y", "x"], ["phase"])
    assert image.data.shape == (1, 60, 70)


def test_channels_of_several_samples_keep_their_names(tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    metadata = {"axes": "CYXS", "Channel": {"Name": ["day", "night"]}}
    tifffile.imwrite(
        path, pixels((2, 60, 70, 3), "u1"), ome=True, photometric="rgb", metadata=metadata
    )
    image, _ = convert(path)
    assert image.channel_names == [
        f"{name} {color}" for name in ("day", "night") for color in ("Red", "Green", "Blue")
    ]
    expected = as_tifffile_reads(path).transpose(0, 3, 1, 2).reshape(6, 60, 70)
    np.testing.assert_array_equal(image.data[...], expected)


def test_imagej_sizes_colours_and_contrast(tmp_path: Path) -> None:
    ramp = np.arange(256, dtype="u1")
    red, green = np.zeros((2, 3, 256), "u1")
    red[0] = green[1] = ramp
    tifffile.imwrite(
        tmp_path / "image.tif", pixels((2, 3, 2, 60, 70), "u2"), imagej=True, resolution=(5, 4),
        metadata={
            "axes": "TZCYX", "spacing": 2.5, "unit": "um", "finterval": 0.5,
            "LUTs": [red, green], "Ranges": (10.0, 20.0, 30.0, 4000.0), "mode": "composite",
        },
    )  # fmt: skip
    image, _ = convert(tmp_path / "image.tif")
    assert image.scale == [0.5, 1, 2.5, 0.25, 0.2]
    assert image.axes[0].unit == "second"
    assert {axis.unit for axis in image.axes[2:]} == {"micrometer"}
    omero = image.metadata.omero
    assert omero is not None
    assert [channel.color for channel in omero.channels] == ["FF0000", "00FF00"]
    windows = [channel.window for channel in omero.channels]
    assert [(w.start, w.end) for w in windows if w is not None] == [(10, 20), (30, 4000)]

"""What is to be different from the source: sizes, channels, extent, type, chunks by axis."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import anyzarr
from anyzarr._convert._changes import ChangedSource, parse_changes
from anyzarr.errors import MetadataError, NodeExistsError
from anyzarr.readers import reader_named

PIXELS = np.random.default_rng(1).integers(0, 250, (2, 6, 40, 50)).astype("uint16")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    metadata = {
        "axes": "CZYX", "PhysicalSizeX": 0.3, "PhysicalSizeY": 0.3, "PhysicalSizeZ": 2.0,
        "Channel": {"Name": ["DAPI", "GFP"]},
    }  # fmt: skip
    tifffile.imwrite(tmp_path / "a.ome.tif", PIXELS, metadata=metadata)
    return tmp_path / "a.ome.tif"


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    np.save(tmp_path / "stack.npy", PIXELS[0])
    return tmp_path / "stack.npy"


def converted(source: Path, **options: Any) -> Any:
    target: dict[str, bytes] = {}
    anyzarr.convert(source, target, **options)
    return anyzarr.open_ome_zarr(target)


def test_scale_and_units(source: Path, stack: Path) -> None:
    with converted(source, scale={"z": "500nm", "x": 0.25}) as image:
        assert image.scale == [1.0, 500.0, 0.3, 0.25]
        assert [axis.unit for axis in image.axes] == [
            None, "nanometer", "micrometer", "micrometer"
        ]  # fmt: skip
    with converted(stack, axes="zyx", scale={"z": "2um", "y": "0.1 µm", "x": "0.1um"}) as image:
        assert image.scale == [2.0, 0.1, 0.1]
        assert {axis.unit for axis in image.axes} == {"micrometer"}


def test_the_scale_decides_chunks_as_if_the_file_had_said_it(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((64, 300, 300), "uint16"))
    for size, chunks in ((1.0, (64, 64, 64)), (2.0, (32, 128, 128)), (9.0, (16, 256, 256))):
        with converted(tmp_path / "a.npy", axes="zyx", scale={"z": size}, levels=1) as image:
            assert image.data.chunks == chunks


def test_names_of_channels(source: Path, stack: Path) -> None:
    with converted(source, channels=["mCherry", "Cy5"]) as image:
        assert image.channel_names == ["mCherry", "Cy5"]
        assert (image.data[...] == PIXELS).all()
    with converted(stack, axes="zyx", channels=["DAPI"], chunks={"z": 2}) as image:
        assert image.axis_names == ["c", "z", "y", "x"]
        assert image.channel_names == ["DAPI"]
        assert image.channels[0].color == "0000FF"
        assert (image.data[...] == PIXELS[:1]).all()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_crop_is_what_numpy_takes(source: Path, data: st.DataObject) -> None:
    crop, parts = {}, []
    for name, n in zip("czyx", PIXELS.shape, strict=True):
        start = data.draw(st.integers(0, n - 1))
        stop = data.draw(st.integers(start + 1, n))
        parts.append(slice(start, stop))
        if data.draw(st.booleans()):
            ends = (start or None, None if stop == n else stop - n)
            crop[name] = slice(*ends) if data.draw(st.booleans()) else ends
        else:
            parts[-1] = slice(None)
    with converted(source, crop=crop, levels=1) as image:
        assert (image.data[...] == PIXELS[tuple(parts)]).all()
        names = ["DAPI", "GFP"][parts[0]]
        assert image.channel_names == names
        place = [0.0, *((p.start or 0) * s for p, s in zip(parts[1:], (2, 0.3, 0.3), strict=True))]
        assert image.translation == pytest.approx(place)


def test_crop_by_processes_and_verified(source: Path, tmp_path: Path) -> None:
    report = anyzarr.convert(
        source, tmp_path / "b.zarr", crop={"x": (10, 30)}, dtype="uint8", channels=["A", "B"],
        verify=True, processes=True,
    )  # fmt: skip
    assert report.verification is not None
    with anyzarr.open_ome_zarr(tmp_path / "b.zarr") as image:
        assert image.data.dtype == np.uint8
        assert (image.data[...] == PIXELS[..., 10:30]).all()


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint32", "float32", "float64", "int64"])
def test_types_that_fit(source: Path, dtype: str) -> None:
    with converted(source, dtype=dtype) as image:
        assert image.data.dtype == np.dtype(dtype)
        assert (image.data[...] == PIXELS).all()


@pytest.mark.parametrize(
    ("value", "dtype", "becomes"),
    [
        (300, "uint8", None), (-1, "uint8", None), (2.5, "uint8", 2), (3.5, "int8", 4),
        (255.4, "uint8", 255), (255.6, "uint8", None), (np.nan, "int16", None),
        (np.inf, "uint8", None), (1e300, "float32", None), (np.inf, "float32", np.inf),
        (0.1, "float32", np.float32(0.1)), (2.0**63, "int64", None), (2.0**64, "uint64", None),
        (1, "bool", True), (2, "bool", None), (2**24 + 1, "float32", 2.0**24),
        (70000, "float16", None),
    ],
)  # fmt: skip
def test_a_value_fits_or_is_named(tmp_path: Path, value: Any, dtype: str, becomes: Any) -> None:
    array = np.zeros((4, 5), np.asarray(value).dtype)
    array[2, 3] = value
    np.save(tmp_path / "a.npy", array)
    if becomes is None:
        with pytest.raises(MetadataError, match="at y=2, x=3 does not fit"):
            converted(tmp_path / "a.npy", axes="yx", dtype=dtype)
        return
    with converted(tmp_path / "a.npy", axes="yx", dtype=dtype) as image:
        assert image.data[2, 3] == becomes
        assert image.data.dtype == np.dtype(dtype)


def test_chunks_and_shards_by_axis(source: Path) -> None:
    with converted(source, chunks={"z": 3, "x": 16}, shards={"z": 6}) as image:
        assert image.data.chunks == (1, 3, 40, 16)
        assert image.data.shards == (1, 6, 40, 64)
    copied: dict[str, bytes] = {}
    first: dict[str, bytes] = {}
    anyzarr.convert(source, first, levels=1)
    anyzarr.convert(first, copied, chunks={"y": 8})
    with anyzarr.open_ome_zarr(copied) as image:
        assert image.data.chunks[1:] == (6, 8, 50)
        assert (image.data[...] == PIXELS).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": {"t": 1.0}}, "no axis 't', only c, z, y, x"),
        ({"scale": {"x": 0}}, "above zero"),
        ({"scale": {"x": "wide"}}, "not a size"),
        ({"scale": {"x": "3 apples"}}, "apples"),
        ({"channels": ["a"]}, "1 names for 2 channels"),
        ({"channels": "ab"}, "list of names"),
        ({"crop": {"x": (10, 51)}}, "the axis has 50"),
        ({"crop": {"x": (10, 10)}}, "takes nothing"),
        ({"crop": {"q": (0, 1)}}, "no axis 'q'"),
        ({"crop": {"x": 5}}, "one behind the last"),
        ({"crop": {"x": slice(0, 10, 2)}}, "one behind the last"),
        ({"dtype": "complex64"}, "no type for pixels"),
        ({"dtype": "apple"}, "no type for pixels"),
        ({"chunks": {"q": 5}}, "no axis 'q'"),
        ({"chunks": {"x": 0}}, "at least 1"),
        ({"split": "channels"}, "must be 'positions'"),
    ],
)
def test_what_does_not_fit(source: Path, options: dict[str, Any], message: str) -> None:
    target: dict[str, bytes] = {}
    with pytest.raises(MetadataError, match=message):
        anyzarr.convert(source, target, **options)
    assert not target


def test_of_zarr_the_same_can_be_different(source: Path) -> None:
    first: dict[str, bytes] = {}
    second: dict[str, bytes] = {}
    anyzarr.convert(source, first, levels=1)
    anyzarr.convert(first, second, crop={"x": (0, 5)}, dtype="float32")
    before, after = (anyzarr.open_ome_zarr(each).data for each in (first, second))
    assert after.dtype == "float32"
    np.testing.assert_array_equal(after[...], before[..., :5])
    with pytest.raises(MetadataError, match="one store"):
        anyzarr.convert(first, {}, split="positions")


def test_a_thumbnail_is_no_obstacle(tmp_path: Path) -> None:
    class Slide:
        closed = False

        def __init__(self, source: Any) -> None:
            self.source = source

        def __len__(self) -> int:
            return 2

        def __getattr__(self, name: str) -> Any:
            return getattr(self.source, name)

        def image(self, index: int) -> Any:
            from dataclasses import replace

            image = self.source.image(0)
            return replace(image, is_extra=index == 1, shape=(6, 4, 4)) if index else image

    np.save(tmp_path / "a.npy", PIXELS[0])
    slide = Slide(reader_named("NumPy").open(tmp_path / "a.npy", axes="zyx"))
    source = ChangedSource(slide, parse_changes(crop={"x": (30, 50)}))
    assert source.image(0).shape == (6, 40, 20)
    assert source.image(1).shape == (6, 4, 4)
    with pytest.raises(MetadataError, match="crop x=30:50"):
        source.require(1)
    source.close()


# -- one OME-Zarr for each image ---------------------------------------------------------------


@pytest.fixture
def several(tmp_path: Path) -> Path:
    with tifffile.TiffWriter(tmp_path / "b.ome.tif") as writer:
        for i, name in enumerate(["left/top", "right", "right"]):
            writer.write(PIXELS[0, i], metadata={"axes": "YX", "Name": name})
    return tmp_path / "b.ome.tif"


def test_positions_apart(several: Path, tmp_path: Path) -> None:
    report = anyzarr.convert(several, tmp_path / "out", split="positions", verify=True)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["left_top.zarr", "right_1.zarr", "right_2.zarr"]
    assert (report.layout, report.n_images) == ("split", 3)
    assert report.verification is not None
    assert report.verification.n_bytes == math.prod(PIXELS.shape[2:]) * 2 * 3
    for i, name in enumerate(names):
        with anyzarr.open_ome_zarr(tmp_path / "out" / name) as image:
            assert (image.data[...] == PIXELS[0, i]).all()
    with pytest.raises(NodeExistsError):
        anyzarr.convert(several, tmp_path / "out", split="positions")


def test_archives_apart(several: Path, tmp_path: Path) -> None:
    anyzarr.convert(several, tmp_path / "p{index}-{name}.ozx", split="positions")
    assert sorted(p.name for p in tmp_path.glob("*.ozx")) == [
        "p0-left_top.ozx", "p1-right_1.ozx", "p2-right_2.ozx"
    ]  # fmt: skip
    with pytest.raises(MetadataError, match=r"put \{name\}"):
        anyzarr.convert(several, tmp_path / "one.ozx", split="positions")
    with pytest.raises(MetadataError, match="is one store"):
        anyzarr.convert(several, {}, split="positions")
    with pytest.raises(MetadataError, match="one of the two"):
        anyzarr.convert(several, tmp_path / "x", split="positions", series=1)


def test_nothing_is_written_where_one_is_taken(several: Path, tmp_path: Path) -> None:
    anyzarr.convert(several, tmp_path / "out" / "right_2.zarr", series=0)
    with pytest.raises(NodeExistsError):
        anyzarr.convert(several, tmp_path / "out", split="positions")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["right_2.zarr"]


def test_going_on_with_the_rest(several: Path, tmp_path: Path) -> None:
    anyzarr.convert(several, tmp_path / "out" / "right_1.zarr", series=1)
    report = anyzarr.convert(several, tmp_path / "out", split="positions", resume=True)
    assert report.n_resumed == 1
    assert "kept 1 of 3" in report.warnings[0]
    assert len(list((tmp_path / "out").iterdir())) == 3


def test_plan_of_all(several: Path, tmp_path: Path) -> None:
    plan = anyzarr.convert(several, tmp_path / "out", split="positions", dry_run=True).plan
    assert plan is not None
    assert plan.raw_bytes == 3 * PIXELS[0, 0].nbytes
    assert not (tmp_path / "out").exists()

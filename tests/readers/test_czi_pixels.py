"""Pixels of CZI files: compressions, pyramids, tiles one over another, other resolutions.

Files that libCZI wrote are in data/README.md. It writes neither pyramids nor JPEG XR: those are of
`_czi_writer.py`, and libCZI (pylibCZIrw 6.1) reads them as is asserted here.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anyzarr.readers._czi import open_czi
from anyzarr.readers._image_list import ImageList
from anyzarr.readers._source import ImageSource

if sys.version_info < (3, 12):
    pytest.skip("czifile needs Python 3.12", allow_module_level=True)

from ._czi_writer import Tile, write_czi

DATA = Path(__file__).parents[1] / "data"
XML = (
    "<ImageDocument><Scaling><Items>"
    '<Distance Id="X"><Value>1e-7</Value></Distance>'
    '<Distance Id="Y"><Value>2e-7</Value></Distance>'
    "</Items></Scaling><Information><Image><Dimensions><Channels>"
    '<Channel Id="Channel:0" Name="a" /><Channel Id="Channel:1" Name="b" />'
    "</Channels></Dimensions></Image></Information></ImageDocument>"
)

Opened = Callable[[Path], ImageList]


def written(*shape: int, limit: int = 60000, dtype: str = "u2") -> np.ndarray[Any, Any]:
    return (np.arange(np.prod(shape)).reshape(shape) * 7919 % limit).astype(dtype)


def smooth(dtype: str, samples: int, most: int) -> np.ndarray[Any, Any]:
    y, x = np.mgrid[:50, :70]
    parts = [(np.sin(x / (7 + i)) + np.cos(y / 9) + 2) / 4 * most for i in range(samples)]
    return np.stack(parts, -1).astype(dtype).reshape(50, 70, *[samples][: samples > 1])


@pytest.fixture
def opened() -> Iterator[Opened]:
    sources: list[ImageList] = []

    def open_one(path: Path) -> ImageList:
        source = open_czi(path)
        assert isinstance(source, ImageList)
        sources.append(source)
        return source

    yield open_one
    for source in sources:
        source.close()


def read(source: ImageSource, index: int = 0) -> np.ndarray[Any, Any]:
    return source.read(index, tuple(slice(0, n) for n in source.image(index).shape))


def test_tiles_lie_one_over_another_as_libczi_wrote_them(opened: Opened) -> None:
    source = opened(DATA / "libczi-overlaps.czi")
    assert len(source) == 2
    for scene in range(2):
        expected = np.zeros((2, 41, 52), "u2")
        for c in range(2):
            for m, (x, y) in enumerate([(0, 5), (20, 0), (10, 17)]):
                expected[c, y : y + 24, x : x + 32] = written(24, 32) + (100 * m + 10 * c + scene)
        known = source.image(scene)
        np.testing.assert_array_equal(read(source, scene), expected)
        assert [channel.label for channel in known.channels] == ["a", "b"]
        assert known.translation == pytest.approx((0.0, -0.5, 5.0 * scene))


def test_colours_of_16_bits_as_libczi_wrote_them(opened: Opened) -> None:
    bgr = written(20, 30, 3)
    got = read(opened(DATA / "libczi-zstd0.czi"))
    np.testing.assert_array_equal(got, bgr[..., ::-1].transpose(2, 0, 1))


@pytest.mark.parametrize("compression", ["none", "zstd0", "zstd1", "jpegxr"])
@pytest.mark.parametrize(
    ("dtype", "samples", "most"),
    [("u1", 1, 250), ("u2", 1, 60000), ("u1", 3, 250), ("u2", 3, 60000)],
)
def test_compressions(
    opened: Opened, tmp_path: Path, compression: str, dtype: str, samples: int, most: int
) -> None:
    pixels = smooth(dtype, samples, most)
    write_czi(tmp_path / "a.czi", [Tile(pixels, {"C": 0}, compression)])
    expected = pixels if samples == 1 else pixels[..., ::-1].transpose(2, 0, 1)
    np.testing.assert_array_equal(read(opened(tmp_path / "a.czi")), expected)


@pytest.mark.parametrize("compression", ["none", "zstd1"])
def test_floats(opened: Opened, tmp_path: Path, compression: str) -> None:
    pixels = np.random.default_rng(0).normal(size=(50, 70)).astype("f4")
    write_czi(tmp_path / "a.czi", [Tile(pixels, {"C": 0}, compression)])
    np.testing.assert_array_equal(read(opened(tmp_path / "a.czi")), pixels)


def test_jpeg_and_jpeg_xr_with_loss_are_near(opened: Opened, tmp_path: Path) -> None:
    pixels = smooth("u1", 3, 250)
    write_czi(tmp_path / "a.czi", [Tile(pixels, {"C": 0}, "jpeg")])
    got = read(opened(tmp_path / "a.czi")).transpose(1, 2, 0)[..., ::-1]
    assert 0 < np.abs(got.astype(int) - pixels).max() < 8


def mosaic(pixels: np.ndarray[Any, Any], scene: int, zoom: float = 1) -> list[Tile]:
    """Return four tiles, the last of them listed first."""
    height, width = pixels.shape[0] // 2, pixels.shape[1] // 2
    tiles = [
        Tile(
            pixels[y * height : (y + 1) * height, x * width : (x + 1) * width],
            {"X": 500 * scene + round(x * width * zoom), "Y": round(y * height * zoom),
             "C": 0, "S": scene, "M": 2 * y + x},
            "jpegxr",
            zoom,
        )
        for y in (0, 1)
        for x in (0, 1)
    ]  # fmt: skip
    return tiles[::-1]


@pytest.mark.parametrize("pyramid", [0, 1, 2])
def test_pyramids_of_scenes_are_left_aside(opened: Opened, tmp_path: Path, pyramid: int) -> None:
    scenes = [written(64, 96, limit=250, dtype="u1") + np.uint8(i) for i in range(2)]
    tiles = []
    for i, pixels in enumerate(scenes):
        at = {"X": 500 * i, "C": 0, "S": i}
        # Other values than those of the pixels, so that they are seen if they are taken.
        smaller = [
            Tile(np.full((64 // n, 96 // n), 255, "u1"), at, "zstd1", n, pyramid) for n in (2, 4)
        ]
        tiles += [smaller[0], *mosaic(pixels, i), smaller[1]]
    # An odd one, larger than what it shows, as ZEN's are.
    tiles.append(Tile(np.full((20, 20), 255, "u1"), {"C": 0, "S": 0}, zoom=8, pyramid=pyramid))
    write_czi(tmp_path / "a.czi", tiles, XML)
    source = opened(tmp_path / "a.czi")
    assert len(source) == 2
    for i, pixels in enumerate(scenes):
        assert source.image(i).translation == ((0.0, 0.0, 50.0) if i else None)
        np.testing.assert_array_equal(read(source, i).squeeze(), pixels)


def test_the_higher_mosaic_index_lies_over_the_lower(opened: Opened, tmp_path: Path) -> None:
    high, low = np.full((8, 8), 50, "u1"), np.full((8, 8), 90, "u1")
    tiles = [Tile(high, {"C": 0, "M": 1}), Tile(low, {"X": 4, "C": 0, "M": 0})]
    write_czi(tmp_path / "a.czi", tiles)
    assert read(opened(tmp_path / "a.czi"))[0].tolist() == [50] * 8 + [90] * 4


@pytest.mark.parametrize("zoom", [0.5, 0.25, 2, 1.5])
def test_tiles_of_another_resolution_keep_all_their_pixels(
    opened: Opened, tmp_path: Path, zoom: float
) -> None:
    pixels = written(64, 96, limit=250, dtype="u1")
    write_czi(tmp_path / "a.czi", mosaic(pixels, 1, zoom), XML)
    source = opened(tmp_path / "a.czi")
    known = source.image(0)
    np.testing.assert_array_equal(read(source).squeeze(), pixels)
    assert known.scale[-2:] == pytest.approx((0.2 * zoom, 0.1 * zoom))
    assert known.translation is not None
    assert known.translation[-1] == pytest.approx(50.0, abs=0.1)
    lead = (slice(0, 1),) * (len(known.shape) - 2)
    for y, x in [((3, 4), (5, 6)), ((31, 33), (47, 50)), ((7, 64), (1, 95))]:
        part = source.read(0, (*lead, slice(*y), slice(*x))).squeeze()
        np.testing.assert_array_equal(part, pixels[slice(*y), slice(*x)].squeeze())


def test_what_is_of_several_resolutions_or_kinds_is_told(opened: Opened, tmp_path: Path) -> None:
    pixels = written(20, 30, limit=250, dtype="u1")
    write_czi(tmp_path / "a.czi", [Tile(pixels, {"C": 0}), Tile(pixels, {"C": 1}, zoom=0.5)])
    source = opened(tmp_path / "a.czi")
    assert source.image(0).shape == (2, 20, 30)
    assert "several resolutions" in source.image(0).warnings[0]
    np.testing.assert_array_equal(read(source)[0], pixels)
    wide = written(20, 30)
    write_czi(tmp_path / "b.czi", [Tile(pixels, {"C": 0}), Tile(wide, {"C": 1})])
    source = opened(tmp_path / "b.czi")
    assert "GRAY16, GRAY8" in source.image(0).warnings[0]
    np.testing.assert_array_equal(read(source), [pixels, wide])


def test_colours_in_several_channels_keep_their_names(opened: Opened, tmp_path: Path) -> None:
    parts = [written(20, 30, 3, limit=200 + i, dtype="u1") for i in range(2)]
    write_czi(tmp_path / "a.czi", [Tile(part, {"C": i}) for i, part in enumerate(parts)], XML)
    source = opened(tmp_path / "a.czi")
    expected = np.concatenate([part[..., ::-1].transpose(2, 0, 1) for part in parts])
    np.testing.assert_array_equal(read(source), expected)
    labels = [channel.label for channel in source.image(0).channels]
    assert labels == ["a Red", "a Green", "a Blue", "b Red", "b Green", "b Blue"]


@pytest.mark.parametrize("dims", ["CH", "HC", "ICR", "TCIZ"])
def test_phases_illuminations_and_rotations_become_channels(
    opened: Opened, tmp_path: Path, dims: str
) -> None:
    places = list(itertools.product(range(2), repeat=len(dims)))
    values = {place: written(9, 8) + np.uint16(i) for i, place in enumerate(places)}
    tiles = [Tile(v, dict(zip(dims, place, strict=True))) for place, v in values.items()]
    write_czi(tmp_path / "a.czi", tiles, XML)
    source = opened(tmp_path / "a.czi")
    labels = [channel.label for channel in source.image(0).channels or ()]
    got = read(source).reshape(*(2 for name in dims if name == "T"), len(labels), -1, 9, 8)
    words = {"H": "phase", "I": "illumination", "R": "rotation"}
    for place, pixels in values.items():
        at = dict(zip(dims, place, strict=True))
        label = " ".join(["ab"[at["C"]], *(f"{words[n]} {at[n]}" for n in "RIH" if n in at)])
        found = got[at["T"]] if "T" in at else got
        np.testing.assert_array_equal(found[labels.index(label), at.get("Z", 0)], pixels)
    assert len(labels) == len(set(labels)) == 2 ** len(set(dims) & set("CHIR"))


def test_views_are_images_apart(opened: Opened, tmp_path: Path) -> None:
    pixels = written(9, 8)
    tiles = [
        Tile(pixels + np.uint16(10 * v + s), {"C": 0, "V": v, "S": s, "X": 100 * s})
        for v in (0, 1)
        for s in (0, 1)
        if (v, s) != (1, 1)  # which was not taken
    ]
    write_czi(tmp_path / "a.czi", tiles, XML)
    source = opened(tmp_path / "a.czi")
    names = ["Scene 0 view 0", "Scene 0 view 1", "Scene 1"]
    assert [source.image(i).name for i in range(len(source))] == names
    for i, added in enumerate((0, 10, 1)):
        np.testing.assert_array_equal(read(source, i).squeeze(), pixels + added)

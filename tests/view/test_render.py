"""From levels and channels to the picture: which values end up where."""

from typing import Any

import numpy as np
import pytest

from anyzarr._info import ChannelInfo
from anyzarr._view._planes import choose_channels, choose_level, read_plane, slicing
from anyzarr._view._render import render
from anyzarr._view._shown import Look
from anyzarr._view._source import Source, source_of_array
from anyzarr.errors import SelectionError, UnsupportedError

UM = "micrometer"


class Recorder:
    """An array that remembers which selections were read."""

    def __init__(self, values: np.ndarray) -> None:
        self.values, self.read = values, []

    shape = property(lambda self: self.values.shape)
    dtype = property(lambda self: self.values.dtype)

    def __getitem__(self, selection: Any) -> np.ndarray:
        self.read.append(selection)
        return self.values[selection]


def make_source(values: np.ndarray, axes: str, n_levels: int = 1, **kw: Any) -> Source:
    levels = [values]
    for _ in range(n_levels - 1):
        levels.append(levels[-1][..., ::2, ::2])
    scales = [tuple(2.0**i if a in "yx" else 1.0 for a in axes) for i in range(n_levels)]
    units = tuple(UM if a in "zyx" else None for a in axes)
    n = values.shape[axes.index("c")] if "c" in axes else 0
    channels = kw.pop("channels", tuple(ChannelInfo(f"ch{i}") for i in range(n)))
    recorders = [Recorder(level) for level in levels]
    return Source("name", tuple(axes), units, recorders, scales, channels)


def test_coarsest_level_that_fills_the_tile_is_read_and_no_other() -> None:
    source = make_source(np.random.default_rng(0).random((4096, 4096), "float32"), "yx", 5)
    _, shown = render(source, "x.png")
    assert shown.level == 2
    assert [bool(level.read) for level in source.levels] == [False, False, True, False, False]


def test_level_can_be_chosen() -> None:
    source = make_source(np.ones((64, 64), "uint8"), "yx", 2)
    assert render(source, "x", Look(level=1))[1].level == 1
    assert choose_level(source, -1, (1, 1)) == 1
    with pytest.raises(SelectionError, match="2 levels"):
        render(source, "x", Look(level=2))


def test_channels_by_name_and_number_in_the_order_given() -> None:
    source = make_source(np.zeros((3, 8, 8), "uint8"), "cyx")
    assert choose_channels(source, None) == [0, 1, 2]
    assert choose_channels(source, ["ch2", 0, "1", -1]) == [2, 0, 1, 2]
    with pytest.raises(SelectionError, match=r"'DAPI'.*ch0, ch1, ch2"):
        choose_channels(source, ["DAPI"])
    with pytest.raises(SelectionError):
        choose_channels(source, [3])


def test_several_channels_get_a_composite_as_the_last_tile() -> None:
    values = np.zeros((2, 300, 300), "uint16")
    values[0, :150], values[1, 150:] = 1000, 500
    channels = (ChannelInfo("a", "FF0000"), ChannelInfo("b", "0000FF"))
    sheet, shown = render(make_source(values, "cyx", channels=channels), "x")
    assert shown.channels == ("a", "b")
    pixels = np.asarray(sheet)
    x = 16 + 2 * (300 + 12)
    assert tuple(pixels[74 + 16 + 40, x + 40]) == (255, 0, 0)
    assert tuple(pixels[74 + 16 + 200, x + 40]) == (0, 0, 255)


def test_first_time_point_and_middle_slice_by_default() -> None:
    values = np.arange(3 * 5 * 4 * 6, dtype="int32").reshape(3, 5, 4, 6)
    source = make_source(values, "tzyx")
    cut = slicing(source, 0, "middle", 0)
    assert cut.label == "t 0 of 3, z 2 of 5"
    np.testing.assert_array_equal(read_plane(source, 0, cut, 0), values[0, 2])


def test_slice_and_time_can_be_chosen() -> None:
    values = np.arange(3 * 5 * 4 * 6, dtype="int32").reshape(3, 5, 4, 6)
    source = make_source(values, "tzyx")
    np.testing.assert_array_equal(read_plane(source, 0, slicing(source, 0, 4, -1), 0), values[2, 4])
    with pytest.raises(SelectionError):
        slicing(source, 0, 5, 0)
    with pytest.raises(SelectionError):
        slicing(source, 0, "middle", 3)


@pytest.mark.parametrize("axes", ["tczyx", "cztyx", "zcyx", "czyx"])
def test_maximum_projection(axes: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anyzarr._view._planes._PROJECTION_BYTES", 100)
    lengths = dict(zip("tczyx", (2, 3, 7, 4, 5), strict=True))
    values = np.random.default_rng(1).integers(0, 999, [lengths[a] for a in axes])
    source = make_source(values, axes)
    cut = slicing(source, 0, "max", 0)
    assert "z: maximum of 7" in cut.label
    picked: list[Any] = [slice(None)] * len(axes)
    picked[axes.index("c")] = 1
    if "t" in axes:
        picked[axes.index("t")] = 0
    rest = [a for a in axes if a in "zyx"]
    expected = values[tuple(picked)].max(rest.index("z"))
    np.testing.assert_array_equal(read_plane(source, 0, cut, 1), expected)
    assert len(source.levels[0].read) > 1


def rgb_channels() -> tuple[ChannelInfo, ...]:
    return (
        ChannelInfo("Red", "FF0000"),
        ChannelInfo("Green", "00FF00"),
        ChannelInfo("Blue", "0000FF"),
    )


def test_rgb_is_shown_as_stored_in_one_tile() -> None:
    values = np.random.default_rng(2).integers(0, 256, (3, 200, 240), dtype="uint8")
    sheet, shown = render(make_source(values, "cyx", channels=rgb_channels()), "x")
    assert shown.channels == ("RGB",)
    tile = np.asarray(sheet)[90:290, 16:256]
    np.testing.assert_array_equal(tile[:100], np.moveaxis(values, 0, -1)[:100])


def test_trailing_bytes_of_colour_are_rgb() -> None:
    values = np.random.default_rng(2).integers(0, 256, (200, 240, 4), dtype="uint8")
    sheet, _ = render(source_of_array("a", values), "x")
    np.testing.assert_array_equal(np.asarray(sheet)[90:290, 16:256], values[..., :3])


def test_three_fluorescence_channels_are_not_rgb() -> None:
    channels = (
        ChannelInfo("DAPI", "0000FF"),
        ChannelInfo("GFP", "00FF00"),
        ChannelInfo("RFP", "FF0000"),
    )
    assert not make_source(np.zeros((3, 8, 8), "uint8"), "cyx", channels=channels).is_rgb
    primaries = tuple(ChannelInfo(n, c.color) for n, c in zip("abc", rgb_channels(), strict=True))
    assert not make_source(np.zeros((3, 8, 8), "uint8"), "cyx", channels=primaries).is_rgb


def test_16_bit_rgb_keeps_its_hue() -> None:
    values = np.zeros((3, 200, 200), "uint16")
    values[0], values[1] = np.linspace(0, 4000, 200), np.linspace(0, 2000, 200)
    sheet, _ = render(make_source(values, "cyx", channels=rgb_channels()), "x")
    red, green, blue = (int(v) for v in np.asarray(sheet)[120, 16 + 150])
    assert red == pytest.approx(2 * green, abs=3)
    assert blue == 0


@pytest.mark.parametrize(
    ("shape", "dtype", "names", "axes"),
    [
        ((4, 5), "f4", None, ("y", "x")),
        ((6, 4, 5), "f4", None, ("d0", "y", "x")),
        ((4, 5, 3), "u1", None, ("y", "x", "s")),
        ((4, 5, 3), "u2", None, ("d0", "y", "x")),
        ((2, 4, 5), "f4", ("c", "y", "x"), ("c", "y", "x")),
        ((2, 4, 5), "f4", ("c", None, "x"), ("d0", "y", "x")),
        ((7, 4, 5), "f4", ("s", "y", "x"), ("d", "y", "x")),
    ],
)
def test_axes_of_plain_arrays(shape: Any, dtype: str, names: Any, axes: tuple[str, ...]) -> None:
    assert source_of_array("a", np.zeros(shape, dtype), names).axes == axes


@pytest.mark.parametrize("values", [np.zeros(5), np.array([["a", "b"]]), np.zeros((2, 2), "M8[s]")])
def test_what_cannot_be_shown_is_refused(values: np.ndarray) -> None:
    with pytest.raises(UnsupportedError) as caught:
        source_of_array("a", values)
    assert caught.value.kind == "unsupported"


def test_empty_image_is_refused() -> None:
    with pytest.raises(UnsupportedError):
        render(source_of_array("a", np.zeros((0, 5))), "x")


def test_many_dimensions_and_tiny_images() -> None:
    sheet, shown = render(source_of_array("a", np.zeros((2, 3, 1, 1))), "x")
    assert sheet.width >= 520
    assert shown.slices == "d0 1 of 2, d1 1 of 3"

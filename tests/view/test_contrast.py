"""Contrast windows, colours and their sum."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from anyzarr._view._contrast import (
    Window,
    color_of,
    colorize,
    composite,
    percentile_window,
    stretch,
)


def test_window_is_that_of_numpy_percentiles() -> None:
    plane = np.random.default_rng(0).integers(0, 60_000, (300, 200), dtype="uint16")
    expected = np.percentile(plane, (1, 99.8))
    assert percentile_window(plane) == Window(*map(float, expected))


def test_window_of_a_few_bright_points_is_the_full_range() -> None:
    plane = np.zeros((200, 200), "uint8")
    plane[5, 5] = 9
    assert percentile_window(plane) == Window(0.0, 9.0)


def test_window_ignores_nan_and_infinities() -> None:
    plane = np.arange(1000, dtype="float32").reshape(20, 50)
    expected = percentile_window(plane[1:-1])
    plane[0], plane[-1] = np.nan, np.inf
    assert percentile_window(plane) == expected


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_plane_without_finite_values_is_black(value: float) -> None:
    plane = np.full((3, 3), value)
    window = percentile_window(plane)
    assert window == Window(0.0, 0.0)


@pytest.mark.parametrize(("value", "brightness"), [(0, 0.0), (7, 0.5)])
def test_constant_plane_is_even(value: int, brightness: float) -> None:
    plane = np.full((3, 3), value, "uint16")
    assert (stretch(plane, percentile_window(plane)) == brightness).all()


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint64", "float16", ">i2", "complex64"])
def test_any_number_can_be_stretched(dtype: str) -> None:
    plane = np.arange(12).reshape(3, 4).astype(dtype)
    shown = stretch(plane, percentile_window(plane))
    assert shown.dtype == np.float32
    assert shown.shape == (3, 4)
    assert (shown.min(), shown.max()) == (0, 1)


@given(
    hnp.arrays("float64", hnp.array_shapes(min_dims=2, max_dims=2)),
    st.floats(-1e9, 1e9),
    st.floats(1e-3, 1e9),
)
def test_stretch_stays_within_0_and_1(plane: np.ndarray, low: float, span: float) -> None:
    with np.errstate(all="ignore"):
        shown = stretch(plane, Window(low, low + span))
    assert ((shown >= 0) & (shown <= 1)).all()


@pytest.mark.parametrize(
    ("text", "index", "n", "color"),
    [
        ("FF8000", 0, 2, (255, 128, 0)),
        ("#00ff00", 0, 1, (0, 255, 0)),
        ("0000FF80", 1, 2, (0, 0, 255)),
        (None, 0, 1, (255, 255, 255)),
        (None, 1, 3, (255, 0, 255)),
        ("blue", 9, 12, (255, 0, 255)),
    ],
)
def test_colors(text: str | None, index: int, n: int, color: tuple[int, int, int]) -> None:
    assert color_of(text, index, n) == color


def test_colorize_scales_the_color() -> None:
    shown = colorize(np.array([[0.0, 0.5, 1.0]], np.float32), (255, 100, 0))
    assert shown.tolist() == [[[0, 0, 0], [128, 50, 0], [255, 100, 0]]]


def test_composite_adds_and_saturates() -> None:
    red, more = np.full((1, 1, 3), (200, 10, 0), "uint8"), np.full((1, 1, 3), (100, 10, 5), "uint8")
    assert composite([red, more]).tolist() == [[[255, 20, 5]]]

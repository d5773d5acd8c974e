"""Layout and drawing of the contact sheet."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyzarr._view import _text
from anyzarr._view._sheet import Tile, compose, lay_out, scale_bar
from anyzarr._view._text import Text, fitted

SCREEN = (1600, 1000)


@given(st.integers(1, 80), st.integers(1, 5000), st.integers(1, 5000))
def test_every_tile_has_a_cell_and_the_sheet_fits_the_width(n: int, y: int, x: int) -> None:
    layout = lay_out(n, (y, x), SCREEN)
    assert layout.columns * layout.rows >= n
    assert (layout.columns - 1) * layout.rows < n or layout.rows == 1
    assert layout.columns == 1 or layout.columns * layout.width <= SCREEN[0]
    assert layout.width >= 1
    assert layout.height >= 1


def test_large_pictures_are_shrunk_to_the_screen_in_their_proportion() -> None:
    layout = lay_out(1, (4000, 8000), SCREEN)
    assert layout.width <= SCREEN[0]
    assert layout.width == pytest.approx(2 * layout.height, abs=2)


def test_small_pictures_are_enlarged_by_whole_factors_only() -> None:
    assert (lay_out(1, (20, 30), SCREEN).width) == 180
    assert (lay_out(1, (300, 400), SCREEN).width) == 400


@pytest.mark.parametrize(
    ("extent", "label"),
    [(256.0, "50 µm"), (58.85, "10 µm"), (0.004, "0.001 µm"), (1e6, "200000 µm")],
)
def test_scale_bar_has_a_round_length(extent: float, label: str) -> None:
    bar = scale_bar(extent, "µm")
    assert bar is not None
    assert bar.label == label
    assert bar.fraction * extent == pytest.approx(float(label.split()[0]))
    assert 0.1 <= bar.fraction <= 0.25


@pytest.mark.parametrize("extent", [0.0, -1.0, float("nan"), float("inf")])
def test_no_scale_bar_without_a_length(extent: float) -> None:
    assert scale_bar(extent, "µm") is None


def test_pictures_are_where_the_layout_says() -> None:
    colors = [(200, 0, 0), (0, 200, 0), (0, 0, 200)]
    tiles = [Tile(np.full((300, 400, 3), c, "uint8"), "tile") for c in colors]
    layout = lay_out(3, (300, 400), (1000, 1000))
    sheet = np.asarray(compose(tiles, layout, "title", "details"))
    for index, color in enumerate(colors):
        row, column = divmod(index, layout.columns)
        y = 74 + 16 + row * (layout.height + 26 + 12) + layout.height // 2
        x = 16 + column * (layout.width + 12) + layout.width // 2
        assert tuple(sheet[y, x]) == color


def test_text_is_cut_to_the_width() -> None:
    text = fitted("a name that is far too long for its tile", 14, 100)
    assert text.width <= 100
    assert text.content.endswith("...")


def test_without_a_system_font_text_is_spelled_in_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_text, "_system_font", lambda size: None)
    assert Text("0.5 × 0.5 µm – Å\nnext", 14).content == "0.5 x 0.5 um - A next"

"""Previews of plates, wells and series: who lies where, one contrast, and what is missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import anyzarr
from anyzarr._view._plate_sheet import lay_out_plate
from anyzarr._view._thumbs import fitting
from anyzarr.errors import SelectionError, UnsupportedError

from .conftest import pixels_of

Show = Callable[..., Any]
RED = (190, 60, 60)
SPOTS = {("A", "1"): 1000, ("B", "3"): 500, ("C", "2"): 250}


def make_plate(fields: int = 1, **colors: str) -> dict[str, bytes]:
    store: dict[str, bytes] = {}
    with anyzarr.open_ome_zarr(
        store, layout="hcs", mode="w", axes="cyx", channel_names=["GFP", "DAPI"]
    ) as plate:
        for (row, column), value in SPOTS.items():
            for field in range(fields):
                position = plate.create_position(
                    row, column, str(field), "ABC".index(row), int(column) - 1
                )
                position.create_image("0", pixels_of(value // (field + 1), 2))
                if position.path.startswith("A"):
                    position.create_label("cells", pixels_of(7)[0].astype("uint8"),
                                          colors={7: "FF00FF"})  # fmt: skip
    return store


def box_of(row: int, column: int) -> tuple[int, int, int]:
    """Return left and top of a well of the plate, and its size."""
    grid = lay_out_plate("ABC", "123", (64, 64), (1600, 1000))
    assert grid is not None
    return (*grid.corner(row, column), grid.width)


def center(pixels: np.ndarray, row: int, column: int) -> tuple[int, ...]:
    left, top, size = box_of(row, column)
    return tuple(int(v) for v in pixels[top + size // 2, left + size // 2])


def test_wells_lie_where_they_are_on_the_plate_with_one_contrast(show: Show) -> None:
    pixels, shown = show(make_plate())
    assert shown.images == ("A/1/0", "B/3/0", "C/2/0")
    assert (shown.channels, shown.notes, shown.level) == (("GFP", "DAPI"), (), 0)
    assert center(pixels, 0, 0) == (0, 255, 0)
    assert center(pixels, 1, 2) == pytest.approx((0, 127, 0), abs=1)
    assert center(pixels, 2, 1) == pytest.approx((0, 64, 0), abs=1)
    for row, column in ((0, 1), (1, 0), (2, 2)):
        left, top, size = box_of(row, column)
        assert center(pixels, row, column) == (17, 20, 24)
        assert tuple(pixels[top, left + size // 2]) == (40, 46, 54)


def test_channels_can_be_chosen(show: Show) -> None:
    shown = show(make_plate(), channels=["DAPI"])[1]
    assert shown.channels == ("DAPI",)
    assert center(show(make_plate(), channels=["DAPI"])[0], 0, 0) == (0, 0, 0)


def test_field_of_view(show: Show) -> None:
    store = make_plate(fields=2)
    assert show(store)[1].images == ("A/1/0", "B/3/0", "C/2/0")
    pixels, shown = show(store, field="1")
    assert shown.images == ("A/1/1", "B/3/1", "C/2/1")
    assert center(pixels, 0, 0) == (0, 255, 0)
    with pytest.raises(SelectionError, match="'0', '1'"):
        show(store, field="7")


def test_wells_without_the_field_are_dashed_and_named(show: Show) -> None:
    store = make_plate()
    anyzarr.open_ome_zarr(store, mode="r+")["B/3"].create_position("5").create_image(
        "0", pixels_of(9, 2)
    )
    pixels, shown = show(store, field="5")
    assert shown.images == ("B/3/5",)
    assert any("'A/1', 'C/2'" in note for note in shown.notes)
    left, top, size = box_of(0, 0)
    assert tuple(pixels[top + (size - 1) // 2, left + size // 2]) == (154, 164, 175)


def test_what_cannot_be_read_is_crossed_out_and_named(show: Show) -> None:
    store = make_plate()
    for key in store:
        if key.startswith("B/3/0/0/c/"):
            store[key] = b"corrupt"
    del store["C/2/zarr.json"]
    pixels, shown = show(store)
    assert shown.images == ("A/1/0",)
    assert ["B/3/0" in shown.notes[0], "C/2" in shown.notes[1]] == [True, True]
    assert center(pixels, 0, 0) == (0, 255, 0)
    for row, column in ((1, 2), (2, 1)):
        left, top, _ = box_of(row, column)
        assert tuple(pixels[top + 30, left + 30]) == RED


def test_nothing_readable_is_an_error(show: Show) -> None:
    store = make_plate()
    for key in list(store):
        if key.endswith("/0/0/zarr.json"):
            del store[key]
    with pytest.raises(anyzarr.AnyzarrError, match="A/1/0"):
        show(store)
    empty: dict[str, bytes] = {}
    anyzarr.open_ome_zarr(empty, layout="hcs", mode="w").create_well("A", "1")
    with pytest.raises(SelectionError, match="A/1"):
        show(empty)


def test_labels_on_a_plate_only_if_asked_for(show: Show) -> None:
    store = make_plate()
    assert show(store)[1].labels == ()
    pixels, shown = show(store, labels="all")
    assert shown.labels == ("cells",)
    left, top, size = box_of(0, 0)
    edge = pixels[top + size // 4, left + size // 2]
    assert tuple(edge) == (255, 0, 255)
    _, shown = show(store, labels="cells")
    assert shown.images == ("A/1/0",)
    assert all("'cells'" in note for note in shown.notes)


def test_another_dtype_gets_another_contrast_and_is_named(show: Show) -> None:
    store = make_plate()
    position = anyzarr.open_ome_zarr(store, mode="r+").create_position("A", "2", "0")
    position.create_image("0", pixels_of(200, 2).astype("uint8"))
    pixels, shown = show(store)
    assert center(pixels, 0, 1) == (0, 255, 0)
    assert any("'A/2/0'" in note for note in shown.notes)


def test_coarsest_level_that_fills_a_well_is_read(show: Show) -> None:
    store: dict[str, bytes] = {}
    with anyzarr.open_ome_zarr(store, layout="hcs", mode="w", axes="yx") as plate:
        for index in range(12):
            position = plate.create_position("A", str(index + 1), "0")
            position.create_image("0", np.full((1024, 1024), index, "uint8"))
            position.compute_pyramid(4)
    for key in list(store):
        if key.startswith("A/3/0/0/c/"):
            store[key] = b"never read"
    shown = show(store)[1]
    assert shown.level == 3
    assert len(shown.images) == 12


def test_well_and_series_are_shown_with_names(show: Show) -> None:
    shown = show(make_plate(fields=2), path="A/1")[1]
    assert shown.images == ("0", "1")
    store: dict[str, bytes] = {}
    with anyzarr.open_ome_zarr(store, layout="bf2raw", mode="w", axes="yx") as series:
        for size, value in ((300, 10), (200, 20000)):
            data = np.zeros((size, size), "uint16")
            data[size // 2 :] = value
            series.create_image(data)
    pixels, shown = show(store)
    assert shown.images == ("0", "1")
    # Images of different shape have a contrast of their own; both are as bright.
    white = (pixels == 255).all(-1)
    assert white[:, : 16 + 300].sum() == 150 * 300
    assert white[90:390, 16 + 312 : 16 + 312 + 300].sum() == 100 * 200


def test_a_plate_too_large_for_a_sheet_is_shown_as_a_list(show: Show) -> None:
    store: dict[str, bytes] = {}
    with anyzarr.open_ome_zarr(store, layout="hcs", mode="w", axes="yx") as plate:
        spots = [("A", str(i + 1), "0") for i in range(500)]
        plate.create_positions(spots, shape=(20, 20), dtype="uint8")
    assert lay_out_plate("A", [str(i) for i in range(500)], (20, 20), (1600, 1000)) is None
    _, shown = show(store)
    assert len(shown.images) == 400
    assert any("100 more" in note for note in shown.notes)


@pytest.mark.parametrize("n", [(1, 1), (8, 12), (16, 24), (32, 48)])
@pytest.mark.parametrize("shape", [(2160, 2560), (32, 32), (10, 4000)])
def test_plates_fit_the_screen(n: tuple[int, int], shape: tuple[int, int]) -> None:
    rows, columns = ([str(i) for i in range(k)] for k in n)
    grid = lay_out_plate(rows, columns, shape, (1600, 1000))
    assert grid is not None
    assert grid.size[0] <= 1600
    assert grid.size[1] <= 1000
    left, top = grid.corner(n[0] - 1, n[1] - 1)
    assert left + grid.width <= grid.size[0]
    assert top + grid.height <= grid.size[1]


def test_pictures_keep_their_shape_in_a_box() -> None:
    assert fitting((100, 50), (20, 20)) == (20, 10)
    assert fitting((10, 5), (20, 20)) == (10, 5)
    assert fitting((10, 5), (25, 20), enlarge=True) == (20, 10)


def test_planes_without_a_pyramid_are_thinned_out(
    show: Show, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anyzarr._view._planes.MOST_PIXELS", 100)
    store: dict[str, bytes] = {}
    data = np.arange(40 * 40, dtype="uint16").reshape(40, 40)
    anyzarr.create_array(store, data=data)
    pixels, _ = show(store)
    blocks = pixels[90:250, 16:176, 0].reshape(10, 16, 10, 16).swapaxes(1, 2)
    assert (blocks == blocks[:, :, :1, :1]).all()
    assert blocks[0, 0, 0, 0] < blocks[4, 0, 0, 0] < blocks[9, 9, 0, 0]


def test_nan_and_empty_images(show: Show) -> None:
    store: dict[str, bytes] = {}
    with anyzarr.open_ome_zarr(store, layout="hcs", mode="w", axes="yx") as plate:
        for column, value in (("1", np.nan), ("2", 3.0)):
            data = np.zeros((64, 64), "float32")
            data[:32] = value
            plate.create_position("A", column, "0").create_image("0", data)
    assert show(store)[1].images == ("A/1/0", "A/2/0")
    with anyzarr.open_ome_zarr({}, layout="hcs", mode="w", axes="yx") as plate:
        plate.create_positions([("A", "1", "0")], shape=(0, 5), dtype="uint8")
        with pytest.raises((SelectionError, UnsupportedError)):
            show(plate.store)

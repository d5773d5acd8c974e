"""Vectors over images: in register, in units of their own, cut where a slice is shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import anyzarr
from anyzarr._view._shapes import Shapes
from anyzarr._view._slab import in_slab
from anyzarr.errors import SelectionError, UnsupportedError
from anyzarr.vectors import write_graph, write_lines, write_mesh, write_points

Show = Callable[..., Any]
SMALL = (900, 500)
BOX, EDGES = ([-99] * 3, [99] * 3), [50] * 3
ORANGE = np.array([255, 196, 92])
SPOTS = np.array([[2, 40, 60], [5, 100, 40], [5, 44, 150]])


def image(store: dict[str, bytes], spots: np.ndarray = SPOTS, **options: Any) -> anyzarr.ome.Image:
    """Write an image with a bright square of 13 by 13 pixels around each spot."""
    pixels = np.full((8, 200, 240), 20, "uint16")
    for z, y, x in spots:
        pixels[z, y - 6 : y + 7, x - 6 : x + 7] = 900
    made = anyzarr.open_ome_zarr(store, mode="w", axes="zyx")
    placed = {"scale": (2.0, 0.5, 0.5), "translation": (10.0, -5.0, 7.0)}
    made.create_image("0", pixels, **{**placed, **options})
    for axis in "zyx":
        made.set_unit(axis, "micrometer")
    return made


def dots(pixels: np.ndarray) -> np.ndarray:
    """Return where orange is drawn, and how many of its pixels lie on the image's bright ones."""
    return np.abs(pixels.astype(int) - ORANGE).max(axis=-1) < 40


def tile_of(pixels: np.ndarray, width: int = 240) -> np.ndarray:
    """Return the second of two tiles of so many pixels."""
    return pixels[90:290, 28 + width : 28 + 2 * width]


def off_centre(tile: np.ndarray, size: int) -> float:
    """Return by how many pixels the middle of a dot misses its square, at most."""
    drawn, squares = dots(tile), tile.min(axis=-1) > 120
    misses = []
    for _, y, x in SPOTS * size // 240:
        part = np.s_[y - 8 : y + 9, x - 8 : x + 9]
        found = [np.mean(mask[part].nonzero(), axis=1) for mask in (drawn, squares | drawn)]
        misses.append(np.abs(found[0] - found[1]).max())
    return float(max(misses))


@pytest.mark.parametrize("unit", ["micrometer", "nanometer", None])
@pytest.mark.parametrize("levels", [1, 2])
def test_points_lie_on_what_they_mark(unit: str | None, levels: int, show: Show) -> None:
    store: dict[str, bytes] = {}
    made = image(store)
    if levels > 1:
        made.compute_pyramid(levels=levels)
    axes = [{"name": n, "type": "space", **({"unit": unit} if unit else {})} for n in "xyz"]
    factor = 1000 if unit == "nanometer" else 1
    marks = made.to_world(SPOTS)[:, ::-1] * factor
    write_points(made.create_vectors("spots", axes=axes), marks)
    pixels, shown = show(store, z="max", screen=SMALL)
    assert shown.vectors == ("spots",)
    assert off_centre(tile_of(pixels), 240) < 0.6
    pixels, _ = show(store, z="max", level=levels - 1, screen=SMALL)
    assert off_centre(tile_of(pixels, 240 // levels), 240 // levels) < 0.6


def test_of_a_slice_what_lies_in_it_is_drawn(show: Show) -> None:
    store: dict[str, bytes] = {}
    made = image(store)
    write_points(made.create_vectors("spots"), made.to_world(SPOTS))
    counts = {}
    for z in (2, 3, 5):
        pixels, shown = show(store, z=z, screen=SMALL)
        assert shown.vectors == ("spots",)
        counts[z] = np.count_nonzero(dots(tile_of(pixels)))
    assert counts[3] == 0
    assert counts[2] > 10
    assert counts[5] == pytest.approx(2 * counts[2], rel=0.3)


def test_a_mesh_is_cut_by_a_slice_and_seen_whole_in_a_projection(show: Show) -> None:
    store: dict[str, bytes] = {}
    made = image(store)
    corners = np.array([[z, y, x] for z in (1, 6) for y in (40, 160) for x in (40, 200)], float)
    quads = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4],
                      [1, 5, 7, 3]])  # fmt: skip
    faces = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    write_mesh(made.create_vectors("box"), made.to_world(corners), faces)
    pixels, _ = show(store, z=3, screen=SMALL)
    outline = dots(tile_of(pixels))
    rows, columns = outline.nonzero()
    assert np.ptp(columns) / np.ptp(rows) == pytest.approx(80 / 60, rel=0.05)
    inside = outline[rows.min() + 8 : rows.max() - 8, columns.min() + 8 : columns.max() - 8]
    assert not inside.any()
    empty, _ = show(store, z=7, screen=SMALL)
    assert not dots(tile_of(empty)).any()
    whole, _ = show(store, z="max", screen=SMALL)
    colored = np.ptp(tile_of(whole).astype(int), axis=-1) > 20
    assert np.count_nonzero(colored) > 5 * np.count_nonzero(outline)


def test_vectors_are_chosen_by_name(show: Show) -> None:
    store: dict[str, bytes] = {}
    made = image(store)
    write_points(made.create_vectors("a"), made.to_world(SPOTS))
    write_lines(made.create_vectors("b"), made.to_world(SPOTS[[[0, 1]]]))
    assert show(store, screen=SMALL)[1].vectors == ("a", "b")
    assert show(store, vectors="b", screen=SMALL)[1].vectors == ("b",)
    assert show(store, vectors=["b", "a"], screen=SMALL)[1].vectors == ("b", "a")
    assert show(store, vectors=None, screen=SMALL)[1].vectors == ()
    with pytest.raises(SelectionError, match="'a', 'b'"):
        show(store, vectors="c")
    assert show(store, path="vectors/b", screen=SMALL)[1].vectors == ("b",)


def test_what_does_not_fit_is_crossed_out_and_named(show: Show) -> None:
    store: dict[str, bytes] = {}
    made = image(store)
    write_points(
        made.create_vectors("odd", axes="uvw", bounds=BOX, chunk_shape=EDGES), made.to_world(SPOTS)
    )
    write_points(made.create_vectors("good"), made.to_world(SPOTS))
    _, shown = show(store, z="max", screen=SMALL)
    assert shown.vectors == ("good",)
    (note,) = shown.notes
    assert "'odd'" in note
    assert "'u', 'v', 'w'" in note


@pytest.mark.parametrize("color", ["auto", "object", "direction", "density", "plain"])
def test_every_geometry_is_drawn_in_every_way_and_nothing_too(color: str, show: Show) -> None:
    store: dict[str, bytes] = {}
    made = anyzarr.open_ome_zarr(store, mode="w", axes="yx")
    made.create_image("0", np.zeros((64, 64), "uint16"))
    made.create_vectors("empty")
    write_points(made.create_vectors("points"), [[1, 1], [5, 5]])
    write_graph(made.create_vectors("nodes"), [[1, 1], [9, 9]], np.empty((0, 2), int))
    write_lines(made.create_vectors("lines"), [[[1, 1], [60, 30]]])
    write_mesh(made.create_vectors("mesh"), [[9, 9], [50, 9], [9, 50]], [[0, 1, 2]])
    _, shown = show(store, color=color, screen=SMALL)
    assert shown.vectors == tuple(made.vectors())
    assert shown.notes == ()
    for name in ("points", "nodes", "lines", "mesh"):
        pixels, shown = show(store, path=f"vectors/{name}", color=color, screen=SMALL)
        assert shown.vectors == (name,)
        assert pixels[90:-60].max() > 120


def test_no_vectors_over_the_images_of_a_plate(show: Show) -> None:
    store: dict[str, bytes] = {}
    with anyzarr.open_ome_zarr(store, layout="hcs", mode="w", axes="yx") as plate:
        position = plate.create_position("A", "1", "0")
        position.create_image("0", np.arange(64, dtype="u1").reshape(8, 8))
        write_points(position.create_vectors("spots"), [[1, 1]])
    assert show(store)[1].vectors == ()
    with pytest.raises(UnsupportedError) as error:
        show(store, vectors="spots")
    assert error.value.kind == "vectors"
    assert show(store, path="A/1/0")[1].vectors == ("spots",)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32))
def test_slabs_hold_what_lies_in_them(seed: int) -> None:
    rng = np.random.default_rng(seed)
    positions = rng.uniform(0, 10, (12, 3))
    segments, faces = rng.permutation(12)[:6].reshape(3, 2), rng.permutation(12)[:6].reshape(2, 3)
    shapes = Shapes(positions, segments, faces, np.arange(12), {"i": np.arange(12)})
    low, high = np.sort(rng.uniform(0, 10, 2))
    part = in_slab(shapes, 2, (high, low))
    along = part.positions[:, 2]
    assert ((along >= low - 1e-9) & (along <= high + 1e-9)).all()
    assert len(part.owner) == len(part.columns["i"]) == len(along)
    ends = np.sort(positions[segments][:, :, 2], axis=1)
    n_segments = np.count_nonzero((ends[:, 0] <= high) & (ends[:, 1] >= low))
    corners = np.sort(positions[faces][:, :, 2], axis=1)
    middle = (low + high) / 2
    n_cuts = np.count_nonzero((corners[:, 0] <= middle) & (corners[:, 2] > middle))
    assert len(part.segments) == n_segments + n_cuts
    for a, b in part.positions[part.segments][n_segments:]:
        assert a[2] == pytest.approx(middle)
        assert b[2] == pytest.approx(middle)

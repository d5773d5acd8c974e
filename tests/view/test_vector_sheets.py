"""Pictures of vector stores: what lies where, in which colour, and how much is read for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from anyzarr._view._raster import Canvas, Projected, density
from anyzarr._view._shapes import paint, shapes_of
from anyzarr._view._vector_source import Space, read_drawing
from anyzarr.errors import NodeNotFoundError, SelectionError, UnsupportedError
from anyzarr.vectors import (
    create_store,
    open_zv,
    read_mesh,
    read_polylines,
    write_graph,
    write_lines,
    write_mesh,
    write_points,
    write_polylines,
)

Show = Callable[..., Any]
SMALL = (900, 500)
BLACK = np.zeros((20, 30, 3), np.uint8)
RED, BLUE = np.array([[250, 0, 0]], np.uint8), np.array([[0, 0, 250]], np.uint8)


def at(*vertices: tuple[float, float, float]) -> Projected:
    return Projected(*np.array(vertices, np.float64).T)


def colours(pixels: np.ndarray, color: tuple[int, int, int], reach: int = 60) -> np.ndarray:
    """Return where pixels are about of a colour."""
    return (np.abs(pixels.astype(int) - color).max(axis=-1) <= reach).nonzero()


@pytest.fixture
def show(show: Show) -> Show:
    return lambda store, **options: show(store, **{"screen": SMALL, **options})


# -- drawing


def test_a_line_is_smooth_and_where_it_belongs() -> None:
    canvas = Canvas(20, 30)
    canvas.segments(at((2, 2, 0), (27, 17, 0)), np.array([[0, 1]]), RED)
    canvas.thicken(0.5)
    drawn = canvas.over(BLACK)[..., 0].astype(int)
    rows, columns = (drawn > 0).nonzero()
    assert np.abs(columns - (2 + (rows - 2) * 25 / 15)).max() < 3
    assert 0 < drawn[drawn > 0].min() < 200  # its edges are mixed with the background
    assert (columns.min(), columns.max()) == (1, 27)


def test_what_is_nearer_hides_what_is_behind_in_any_order() -> None:
    for order in ((0, 1), (1, 0)):
        canvas = Canvas(20, 30)
        vertices = at((0, 0, 1), (30, 0, 1), (0, 20, 1), (0, 0, 5), (30, 0, 5), (0, 20, 5))
        for k in order:
            color = (RED, BLUE)[k]
            canvas.faces(vertices, np.array([[3 * k, 3 * k + 1, 3 * k + 2]]), color)
        assert canvas.over(BLACK)[5, 5].tolist() == [0, 0, 250]


@pytest.mark.parametrize("seed", range(4))
def test_triangles_cover_exactly_what_lies_in_them(seed: int) -> None:
    rng = np.random.default_rng(seed)
    corners = rng.uniform(-5, 30, (3, 2))
    canvas = Canvas(20, 30)
    canvas.faces(at(*[(*xy, 0.0) for xy in corners]), np.array([[0, 1, 2]]), RED)
    y, x = np.mgrid[0:20:0.5, 0:30:0.5] + 0.25
    sides = []
    for a, b in ((0, 1), (1, 2), (2, 0)):
        (ax, ay), (bx, by) = corners[a], corners[b]
        sides.append((bx - ax) * (y - ay) - (by - ay) * (x - ax))
    inside = np.all(np.array(sides) >= 0, axis=0) | np.all(np.array(sides) <= 0, axis=0)
    expected = np.rint(250 * inside.reshape(20, 2, 30, 2).mean(axis=(1, 3)))
    assert np.abs(canvas.over(BLACK)[..., 0] - expected).max() <= 1


def test_faces_in_front_of_each_other_cut_each_other() -> None:
    canvas = Canvas(20, 30)
    vertices = at((0, 0, 0), (30, 0, 10), (0, 20, 0), (30, 20, 10),
                  (0, 0, 10), (30, 0, 0), (0, 20, 10), (30, 20, 0))  # fmt: skip
    quads = np.array([[0, 1, 2], [1, 3, 2], [4, 5, 6], [5, 7, 6]])
    canvas.faces(vertices, quads, np.concatenate([RED, RED, BLUE, BLUE]))
    drawn = canvas.over(BLACK)
    assert (drawn[:, :14] == BLUE).all()
    assert (drawn[:, 16:] == RED).all()


def test_what_cannot_be_drawn_is_left_out() -> None:
    canvas = Canvas(20, 30)
    vertices = at((np.nan, 1, 0), (3, 3, 0), (1e9, 5, 0), (-1e9, 5, 0), (5, 9, 0))
    canvas.segments(vertices, np.array([[0, 1]]), RED)
    canvas.dots(vertices, np.repeat(RED, 5, axis=0))
    canvas.faces(vertices, np.array([[0, 1, 4], [4, 4, 4]]), np.repeat(RED, 2, axis=0))
    assert np.count_nonzero(canvas.over(BLACK)[..., 0]) == 2
    canvas.segments(vertices, np.array([[2, 3]]), RED)
    assert np.count_nonzero(canvas.over(BLACK)[5, :, 0]) > 10


def test_density_counts_and_one_point_is_seen() -> None:
    places = [(5.5, 5.5, 0.0)] * 100 + [(9.5, 5.5, 0.0), (-1, 3, 0), (3, 99, 0), (np.nan, 1, 1)]
    held = density(at(*places), 20, 30)
    assert (held > 0).sum() == 2
    assert held[5, 5] == held.max() > held[5, 9] >= 0.2


# -- sheets


def test_each_side_of_three_dimensions_is_shown_in_one_scale(show: Show) -> None:
    store: dict[str, bytes] = {}
    corner = np.array([[0.0, 0, 0], [100, 0, 0], [0, 100, 0], [0, 0, 50]])
    edges = np.array([[0, 1], [0, 2], [0, 3]])
    write_lines(store, corner[edges], chunk_shape=(50,) * 3)
    pixels, shown = show(store)
    assert (shown.level, shown.channels, shown.vectors) == (0, (), ("vectors",))
    # Along x red, along y green, along z blue; each seen from two sides.
    third = shown.width // 3
    spans = {}
    for channel, name in enumerate("xyz"):
        for side in range(3):
            part = pixels[80:, side * third : (side + 1) * third].astype(int)
            others = np.delete(part, channel, axis=-1).max(axis=-1)
            rows, columns = (part[..., channel] > 2 * others + 30).nonzero()
            spans[name, side] = (np.ptp(rows), np.ptp(columns)) if len(rows) > 20 else (0, 0)
    along_x = spans["x", 0][1]
    assert along_x > third / 2
    assert spans["x", 1][1] == pytest.approx(along_x, abs=4)
    assert spans["y", 0][0] == pytest.approx(along_x, abs=4)
    assert spans["z", 1][0] == pytest.approx(along_x / 2, abs=4)
    assert spans["z", 2][0] == pytest.approx(along_x / 2, abs=4)


@pytest.mark.parametrize("axes", ["xy", "yx"])
def test_y_runs_downwards_where_axes_are_those_of_images(axes: str, show: Show) -> None:
    store: dict[str, bytes] = {}
    create_store(store, axes=list(axes), bounds=([0, 0], [99, 99]), chunk_shape=(50, 50))
    x, y = np.append(np.zeros(300), [100.0]), np.append(np.linspace(0, 10, 300), [99.0])
    columns = {"x": np.minimum(x, 99), "y": y}
    write_points(store, np.stack([columns[name] for name in axes], axis=-1))
    pixels, _ = show(store, color="plain")
    rows, _ = colours(pixels[80:-40], (255, 196, 92))
    middle = (pixels.shape[0] - 120) / 2
    assert (np.median(rows) < middle) == (axes == "yx")


def test_many_points_are_a_density_and_few_are_dots(show: Show) -> None:
    rng = np.random.default_rng(0)
    store: dict[str, bytes] = {}
    write_points(store, rng.normal(0, 5, (30_000, 2)), chunk_shape=(10, 10))
    pixels, _ = show(store)
    assert len(colours(pixels[90:-60], (252, 255, 164), 30)[0]) > 50
    few: dict[str, bytes] = {}
    write_points(few, rng.normal(0, 5, (50, 2)), chunk_shape=(10, 10))
    pixels, _ = show(few)
    assert len(colours(pixels, (255, 196, 92), 20)[0]) > 300
    assert show(few, color="density")[1].level == 0


def test_meshes_are_lit_or_drawn_as_wires(show: Show) -> None:
    corners = np.array([[x, y, z] for x in (0, 9) for y in (0, 9) for z in (0, 9)], float)
    quads = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4],
                      [1, 5, 7, 3]])  # fmt: skip
    faces = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    store: dict[str, bytes] = {}
    write_mesh(store, corners, faces, chunk_shape=(5,) * 3)
    solid, _ = show(store)
    wires, _ = show(store, wireframe=True)
    filled = [np.count_nonzero(p[90:-60].max(axis=-1) > 60) for p in (solid, wires)]
    assert filled[0] > 5 * filled[1] > 0


def test_colours_tell_attributes_of_vertices_and_objects(show: Show) -> None:
    store: dict[str, bytes] = {}
    paths = [np.array([[0.0, 10.0 * i], [100, 10.0 * i]]) for i in range(8)]
    write_polylines(
        store, paths, chunk_shape=(50, 50), object_attributes={"kind": np.arange(8) // 4},
        vertex_attributes={"text": np.array(["a", "b"] * 8), "value": np.arange(16.0),
                           "rgb": np.tile(np.uint8([0, 0, 255]), (16, 1))},
    )  # fmt: skip
    found = read_polylines(store)
    shapes = shapes_of(found)
    assert shapes.segments.tolist() == [[2 * i, 2 * i + 1] for i in range(8)]
    by_kind = paint(shapes, "kind", (0, 1, None))
    assert len(np.unique(by_kind.dots, axis=0)) == 2
    assert by_kind.limits is not None
    assert paint(shapes, "rgb", (0, 1, None)).segments.tolist() == [[0, 0, 255]] * 8
    assert len(np.unique(paint(shapes, "text", (0, 1, None)).dots, axis=0)) == 2
    assert len(np.unique(paint(shapes, "object", (0, 1, None)).segments, axis=0)) == 8
    pixels, _ = show(store, color="rgb")
    assert len(colours(pixels, (0, 0, 255), 40)[0]) > 100
    with pytest.raises(SelectionError, match="'value'"):
        show(store, color="nothing")


def test_graphs_are_coloured_by_object_and_lone_nodes_are_dots(show: Show) -> None:
    nodes = np.array([[0.0, 0], [50, 0], [0, 60], [50, 60], [99, 99]])
    store: dict[str, bytes] = {}
    write_graph(store, nodes, [[0, 1], [2, 3]], object_ids=[1, 1, 2, 2, 3], chunk_shape=(40, 40))
    drawing = read_drawing(open_zv(store))
    assert drawing.shapes.loose.size == 1
    _, shown = show(store)
    assert shown.vectors == ("vectors",)


def test_what_has_no_picture_says_so(show: Show) -> None:
    store: dict[str, bytes] = {}
    create_store(store, bounds=([0], [9]), chunk_shape=(5,))
    with pytest.raises(SelectionError) as error:
        show(store)
    assert error.value.kind == "ndim"
    empty: dict[str, bytes] = {}
    create_store(empty, geometry_types=["point_cloud"])
    with pytest.raises(UnsupportedError) as nothing:
        show(empty)
    assert nothing.value.kind == "empty"
    write_points(empty, [[1, 2, 3]], mode="append")
    assert show(empty)[1].level == 0
    with pytest.raises(NodeNotFoundError):
        show(empty, level=3)


def test_units_of_axes_may_differ(show: Show) -> None:
    store: dict[str, bytes] = {}
    axes = [{"name": "y", "type": "space", "unit": "micrometer"},
            {"name": "x", "type": "space", "unit": "nanometer"}]  # fmt: skip
    create_store(store, axes=axes, bounds=([0, 0], [9, 9000]), chunk_shape=(5, 5000))
    write_lines(store, [[[0, 0], [9, 0]], [[0, 0], [0, 9000]]], mode="append")
    pixels, _ = show(store, color="plain")
    rows, columns = colours(pixels[80:-50], (255, 196, 92))
    assert np.ptp(rows) == pytest.approx(np.ptp(columns), rel=0.02)
    space = Space.of(tuple(axes))
    assert (space.x, space.y, space.z, space.is_of_image) == (1, 0, None, True)


# -- how much is read


def big(n_levels: int = 1) -> dict[str, bytes]:
    from anyzarr.vectors import build_pyramid

    store: dict[str, bytes] = {}
    points = np.random.default_rng(0).uniform(0, 100, (20_000, 2))
    write_points(store, points, chunk_shape=(10, 10), vertex_attributes={"i": points[:, 0]})
    if n_levels > 1:
        build_pyramid(store, factors=[(2, 0.1)])
    return store


def test_a_large_store_is_shown_by_a_coarser_level_or_by_some_chunks() -> None:
    store = open_zv(big(2))
    assert read_drawing(store).level == 0
    coarse = read_drawing(store, most=5_000)
    assert (coarse.level, coarse.sample) == (1, "")
    assert len(coarse.shapes.positions) == coarse.counts[0] < 5_000
    part = read_drawing(store, level=0, most=5_000, color="i")
    assert part.sample == "1 of 4 points"
    assert len(part.shapes.positions) == pytest.approx(5_000, rel=0.03)
    assert np.allclose(part.shapes.columns["i"], part.shapes.positions[:, 0])
    part = read_drawing(store, level=0, most=1_000, color="object")
    assert part.sample == "50 of 100 chunks and 1 of 10 points"
    assert len(part.shapes.positions) == len(part.shapes.owner) == pytest.approx(1_000, rel=0.1)
    cells = np.unique(part.shapes.positions // 10, axis=0)
    assert np.bincount(cells[:, 0].astype(int)).tolist() == [5] * 10
    inside = read_drawing(store, bbox=((0.0, 0.0), (20.0, 20.0)), most=5_000)
    assert (inside.level, inside.sample) == (0, "")
    assert inside.shapes.positions.max() <= 20


def test_a_sample_is_said(show: Show, monkeypatch: pytest.MonkeyPatch) -> None:
    from anyzarr._view import _vector_source

    monkeypatch.setattr(_vector_source.read_drawing, "__kwdefaults__",
                        {**_vector_source.read_drawing.__kwdefaults__, "most": 2_000})  # fmt: skip
    _, shown = show(big())
    assert shown.notes == ("of level 0, 1 of 10 points are shown",)
    store: dict[str, bytes] = {}
    monkeypatch.setattr(_vector_source, "_MOST_OBJECTS", 10)
    paths = [np.array([[0.0, i], [9, i]]) for i in range(40)]
    write_polylines(store, paths, chunk_shape=(50, 50))
    _, shown = show(store)
    assert shown.notes == ("of level 0, 1 of 4 objects are shown",)
    long = [np.stack([np.arange(1000) / 10, np.full(1000, i)], axis=-1) for i in range(5)]
    write_polylines(store, long, chunk_shape=(10, 10), mode="overwrite")
    _, shown = show(store)
    assert shown.notes == ("of level 0, 4 of 10 chunks are shown",)
    monkeypatch.setattr(_vector_source, "_FEWEST_OBJECTS", 1)
    _, shown = show(store)
    assert shown.notes == ("of level 0, 1 of 3 objects are shown",)


def test_of_lines_in_a_box_only_their_chunks_are_read() -> None:
    store: dict[str, bytes] = {}
    along = np.stack([np.arange(0.0, 100, 2), np.full(50, 5.0)], axis=-1)
    across = np.array([[55.0, 1], [55, 99]])  # passes through the box without a vertex in it
    write_polylines(store, [along, across], chunk_shape=(10, 10))
    drawing = read_drawing(open_zv(store), bbox=((50.0, 0.0), (59.0, 9.0)))
    found = drawing.shapes.positions
    assert len(found) < 20
    assert {tuple(v) for v in across.tolist()} <= {tuple(v) for v in found.tolist()}
    ends = found[drawing.shapes.segments]
    assert [[55.0, 1.0], [55.0, 99.0]] in ends.tolist()
    assert np.ptp(ends[:, :, 0], axis=1).max() <= 2


def test_meshes_of_any_width_are_triangles() -> None:
    store: dict[str, bytes] = {}
    square = np.array([[0.0, 0, 0], [9, 0, 0], [9, 9, 0], [0, 9, 0]])
    write_mesh(store, square, [[0, 1, 2, 3]], chunk_shape=(20,) * 3)
    shapes = shapes_of(read_mesh(store))
    assert shapes.faces.shape == (2, 3)
    assert len(shapes.edges) == 5

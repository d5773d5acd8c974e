"""Labels over images: colours, outlines, the right level and slice, and what cannot be shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import anyzarr
from anyzarr._view._overlay import LabelLayer, overlay, palette_color, read_labels
from anyzarr._view._planes import slicing
from anyzarr._view._source import Source
from anyzarr.errors import CorruptDataError, SelectionError

Show = Callable[..., Any]
RED = (255, 0, 0, 255)
BLACK = np.zeros((6, 8, 3), "uint8")


def test_outlines_in_full_and_insides_shaded() -> None:
    labels = np.zeros((6, 8), int)
    labels[1:5, 1:5] = 3
    drawn = overlay(BLACK, labels, {3: RED}, fill=0.5)
    assert drawn[1, 1].tolist() == [255, 0, 0]
    assert drawn[2, 2].tolist() == [128, 0, 0]
    assert (drawn[labels == 0] == 0).all()


def test_neighbouring_labels_are_told_apart() -> None:
    labels = np.ones((6, 8), int)
    labels[:, 4:] = 2
    drawn = overlay(BLACK, labels, {1: RED, 2: (0, 255, 0, 255)}, fill=0.0)
    assert drawn[3, 3].tolist() == [255, 0, 0]
    assert drawn[3, 4].tolist() == [0, 255, 0]
    assert (drawn[:, [0, 7]] == 0).all()


def test_the_image_is_grey_beneath_and_its_background_untouched() -> None:
    picture = np.zeros((6, 8, 3), "uint8")
    picture[..., 2] = 90
    drawn = overlay(picture, np.zeros((6, 8), int), {})
    assert (drawn == 90).all()


def test_opacity_is_respected_and_unknown_labels_get_distinct_colours() -> None:
    labels = np.arange(48).reshape(6, 8)
    drawn = overlay(BLACK, labels, {5: (255, 255, 255, 0)}, fill=1.0)
    assert drawn[0, 5].tolist() == [0, 0, 0]
    assert len({tuple(c) for c in drawn.reshape(-1, 3).tolist()}) == 47
    near = np.array([palette_color(i)[:3] for i in range(1, 100)], int)
    assert np.abs(np.diff(near, axis=0)).sum(1).min() > 100


def test_labels_of_another_size_are_fitted_to_the_picture() -> None:
    labels = np.array([[1, 2], [3, 4]])
    colors = {i: (i, i, i, 255) for i in range(1, 5)}
    drawn = overlay(BLACK, labels, colors, fill=1.0)[..., 0]
    np.testing.assert_array_equal(drawn, labels.repeat(3, 0).repeat(4, 1))


def make_source(axes: str, *shapes: tuple[int, ...]) -> Source:
    levels = [np.arange(np.prod(shape)).reshape(shape) for shape in shapes]
    n = len(axes)
    return Source("n", tuple(axes), (None,) * n, levels, [(1.0,) * n] * len(shapes))


def test_the_level_and_slice_that_fit_the_image_are_read() -> None:
    image = make_source("tczyx", (3, 2, 8, 64, 64), (3, 2, 8, 32, 32))
    label = make_source("tzyx", (3, 4, 64, 64), (3, 4, 32, 32))
    plane = read_labels(LabelLayer("l", label), image, 1, slicing(image, 1, 6, 2))
    np.testing.assert_array_equal(plane, label.levels[1][2, 3])
    plane = read_labels(LabelLayer("l", label), image, 0, slicing(image, 0, "max", 1))
    np.testing.assert_array_equal(plane, label.levels[0][1].max(0))
    flat = make_source("yx", (64, 64))
    plane = read_labels(LabelLayer("l", flat), image, 0, slicing(image, 0, "middle", 0))
    np.testing.assert_array_equal(plane, flat.levels[0])


def labelled() -> dict[str, bytes]:
    store: dict[str, bytes] = {}
    values = np.random.default_rng(0).integers(0, 4000, (1, 300, 300), dtype="uint16")
    labels = np.zeros((300, 300), "uint8")
    labels[50:150, 50:150], labels[200:, 200:] = 1, 9
    with anyzarr.open_ome_zarr(store, mode="w", axes="cyx", channel_names=["DAPI"]) as image:
        image.create_image("0", values)
        image.create_label("nuclei", labels, colors={1: "FF0000", 9: "00FF00"})
        image.create_label("cells", labels)
    return store


def test_each_label_image_gets_a_tile_after_those_of_the_channels(show: Show) -> None:
    pixels, shown = show(labelled())
    assert (shown.channels, shown.labels, shown.notes) == (("DAPI",), ("nuclei", "cells"), ())
    top, left = 74 + 16, 16 + 300 + 12
    assert pixels[top + 50, left + 100].tolist() == [255, 0, 0]
    assert pixels[top + 250, left + 200].tolist() == [0, 255, 0]
    red, green, _ = (int(v) for v in pixels[top + 100, left + 100])
    assert red > green
    plain, _ = show(labelled(), labels="none")
    np.testing.assert_array_equal(plain[top : top + 300, 16:316], pixels[top : top + 300, 16:316])


@pytest.mark.parametrize(
    ("labels", "expected"),
    [("none", ()), (None, ()), ("all", ("nuclei", "cells")), ("cells", ("cells",)),
     (["cells", "nuclei"], ("cells", "nuclei"))],
)  # fmt: skip
def test_labels_can_be_chosen(labels: Any, expected: tuple[str, ...], show: Show) -> None:
    assert show(labelled(), labels=labels)[1].labels == expected


def test_no_such_label_image(show: Show) -> None:
    with pytest.raises(SelectionError, match=r"'mitochondria'.*'nuclei', 'cells'"):
        show(labelled(), labels="mitochondria")


def test_a_label_image_that_cannot_be_read_is_named_and_the_rest_shown(show: Show) -> None:
    store = labelled()
    document = json.loads(store["labels/zarr.json"])
    document["attributes"]["ome"]["labels"].append("gone")
    store["labels/zarr.json"] = json.dumps(document).encode()
    shown = show(store)[1]
    assert shown.labels == ("nuclei", "cells")
    assert any("'gone'" in note for note in shown.notes)


def test_corrupt_labels_are_an_error(show: Show) -> None:
    store = labelled()
    for key in store:
        if key.startswith("labels/cells/0/c/"):
            store[key] = b"corrupt"
    with pytest.raises(CorruptDataError):
        show(store)
    assert show(store, labels="nuclei")[1].labels == ("nuclei",)


def test_label_image_by_itself_is_shown_in_its_colours(show: Show) -> None:
    pixels, shown = show(labelled(), path="labels/nuclei")
    assert (shown.channels, shown.labels) == ((), ("nuclei",))
    assert pixels[90 + 50, 16 + 100].tolist() == [255, 0, 0]
    assert pixels[90 + 10, 16 + 10].tolist() == [0, 0, 0]
    inside = pixels[90 + 100, 16 + 100]
    assert 150 < inside[0] < 180
    assert inside[1] == 0


def test_list_of_labels_says_what_to_preview(show: Show) -> None:
    with pytest.raises(anyzarr.UnsupportedError, match="'nuclei', 'cells'"):
        show(labelled(), path="labels")

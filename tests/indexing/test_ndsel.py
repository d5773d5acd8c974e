"""ndsel messages, against the zarr-indexing package and tensorstore."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anyzarr.errors import SelectionError
from anyzarr.indexing import from_ndsel, normalize, resolve, to_ndsel
from anyzarr.metadata._model import ChunkGrid

from ._reference import (
    basic_index,
    coordinates,
    grids,
    numbered,
    numpy_index,
    orthogonal_index,
    read_with,
)

INF = 2**63

VALID: list[dict[str, Any]] = [
    {"kind": "point", "coords": []},
    {"kind": "point", "coords": [3, -4]},
    {"kind": "points", "coords": []},
    {"kind": "points", "coords": [[]]},
    {"kind": "points", "coords": [[1, 2], [3, 4], [1, 2]]},
    {"kind": "box"},
    {"kind": "box", "inclusive_min": [1, 2]},
    {"kind": "box", "shape": [2, 3]},
    {"kind": "box", "inclusive_min": [-5, [2]], "exclusive_max": [0, [7]]},
    {"kind": "box", "inclusive_min": [1, "-inf"], "inclusive_max": [[4], "+inf"]},
    {"kind": "box", "inclusive_min": ["-inf", "+inf", 3], "shape": [4, 4, "+inf"]},
    {"kind": "box", "inclusive_max": ["-inf"], "inclusive_min": [["-inf"]]},
    {"kind": "box", "labels": ["x", ""]},
    {"kind": "slice", "start": [2, 9], "stop": [10, 0], "step": [3, -2], "labels": ["a", "b"]},
    {"kind": "slice", "start": [-7, 7, -7], "stop": [9, 7, -20], "step": [3, -3, -4]},
    {"kind": "slice", "start": [5], "stop": [5]},
    {"kind": "transform"},
    {"kind": "transform", "input_rank": 3},
    {"kind": "transform", "input_rank": 2, "input_shape": [4, [5]], "output": []},
    {
        "kind": "transform",
        "input_inclusive_min": [1, 0],
        "input_inclusive_max": [4, 2],
        "input_labels": ["y", "x"],
        "output": [
            {},
            {"offset": 7, "stride": 9, "index_array_bounds": "dropped"},
            {"input_dimension": 1},
            {"input_dimension": 0, "stride": -2, "offset": 8},
            {"index_array": [[1, 2, 3]]},
            {"index_array": [[4], [5], [6], [7]], "index_array_bounds": ["-inf", 7], "offset": 1},
        ],
    },
]

INVALID: list[tuple[Any, str]] = [
    ([], "invalid_json"),
    (None, "invalid_json"),
    ({}, "invalid_json"),
    ({"kind": 3}, "invalid_json"),
    ({"kind": "circle"}, "unknown_kind"),
    ({"kind": "point"}, "invalid_json"),
    ({"kind": "point", "coords": 3}, "invalid_json"),
    ({"kind": "point", "coords": [1.0]}, "invalid_json"),
    ({"kind": "point", "coords": [True]}, "invalid_json"),
    ({"kind": "point", "coords": ["+inf"]}, "invalid_json"),
    ({"kind": "point", "coords": [2**63]}, "invalid_json"),
    ({"kind": "point", "coords": [1], "labels": ["x"]}, "unknown_field"),
    ({"kind": "points", "coords": [1]}, "invalid_json"),
    ({"kind": "points", "coords": [[1], [1, 2]]}, "rank_mismatch"),
    ({"kind": "points"}, "invalid_json"),
    ({"kind": "box", "shape": [2], "exclusive_max": [2]}, "multiple_upper_bounds"),
    ({"kind": "box", "inclusive_min": [3], "exclusive_max": [2]}, "bounds_out_of_order"),
    ({"kind": "box", "shape": [-1]}, "bounds_out_of_order"),
    ({"kind": "box", "shape": ["-inf"]}, "invalid_json"),
    ({"kind": "box", "inclusive_min": ["+inf"], "exclusive_max": [4]}, "bounds_out_of_order"),
    ({"kind": "box", "inclusive_min": [1, 2], "shape": [1]}, "rank_mismatch"),
    ({"kind": "box", "shape": [1], "labels": ["x", "y"]}, "rank_mismatch"),
    ({"kind": "box", "shape": [1], "labels": [3]}, "invalid_json"),
    ({"kind": "box", "shape": [[1, 2]]}, "invalid_json"),
    ({"kind": "box", "shape": [[]]}, "invalid_json"),
    ({"kind": "box", "shape": ["inf"]}, "invalid_json"),
    ({"kind": "box", "inclusive_max": [2**63 - 1]}, "invalid_json"),
    ({"kind": "box", "inclusive_min": [2**62], "shape": [2**62]}, "invalid_json"),
    ({"kind": "box", "shape": [1] * 33}, "invalid_json"),
    ({"kind": "box", "input_shape": [1]}, "unknown_field"),
    ({"kind": "slice", "start": [0], "stop": [4], "step": [0]}, "step_zero"),
    ({"kind": "slice", "start": [4], "stop": [0]}, "bounds_out_of_order"),
    ({"kind": "slice", "start": [0], "stop": [4], "step": [-1]}, "bounds_out_of_order"),
    ({"kind": "slice", "start": [0], "stop": [4, 5]}, "rank_mismatch"),
    ({"kind": "slice", "start": [0], "stop": [4], "step": [1, 1]}, "rank_mismatch"),
    ({"kind": "slice", "start": [0], "stop": [4], "labels": []}, "rank_mismatch"),
    ({"kind": "slice", "start": [0]}, "invalid_json"),
    ({"kind": "slice", "stop": [0]}, "invalid_json"),
    ({"kind": "slice", "start": [[0]], "stop": [4]}, "invalid_json"),
    ({"kind": "slice", "start": [-(2**63)], "stop": [0], "step": [-1]}, "bounds_out_of_order"),
    ({"kind": "slice", "start": [-(2**63)], "stop": [-(2**63)], "step": [-1]}, "invalid_json"),
    ({"kind": "transform", "input_rank": -1}, "invalid_json"),
    ({"kind": "transform", "input_rank": 33}, "invalid_json"),
    ({"kind": "transform", "input_rank": 2, "input_shape": [1]}, "rank_mismatch"),
    ({"kind": "transform", "shape": [1]}, "unknown_field"),
    ({"kind": "transform", "output": {}}, "invalid_json"),
    ({"kind": "transform", "output": [3]}, "invalid_json"),
    ({"kind": "transform", "output": [{"input_dimension": 0}]}, "rank_mismatch"),
    ({"kind": "transform", "output": [{"input_dimension": -1}]}, "invalid_json"),
    ({"kind": "transform", "output": [{"scale": 2}]}, "unknown_field"),
    (
        {
            "kind": "transform",
            "input_rank": 1,
            "output": [{"input_dimension": 0, "index_array": [1]}],
        },
        "output_map_conflict",
    ),
    (
        {"kind": "transform", "output": [{"index_array": [1], "index_array_bounds": [3, 1]}]},
        "bounds_out_of_order",
    ),
    (
        {"kind": "transform", "output": [{"index_array": [1], "index_array_bounds": [3]}]},
        "invalid_json",
    ),
    (
        {"kind": "transform", "input_shape": [1], "input_inclusive_max": [0]},
        "multiple_upper_bounds",
    ),
]


@pytest.fixture(scope="module")
def messages() -> Any:
    return pytest.importorskip("zarr_indexing.messages", reason="zarr-indexing needs Python 3.12")


@pytest.mark.parametrize("message", VALID, ids=json.dumps)
def test_normal_form(message: dict[str, Any], messages: Any) -> None:
    before = json.dumps(message)
    body = normalize(message)
    assert body == messages.normalize_ndsel(message)
    assert normalize({"kind": "transform", **body}) == body
    assert normalize(before) == body
    assert normalize(before.encode()) == body
    assert json.dumps(message) == before


@pytest.mark.parametrize(("message", "kind"), INVALID, ids=repr)
def test_invalid_messages(message: Any, kind: str, messages: Any) -> None:
    with pytest.raises(SelectionError) as caught:
        normalize(message)
    assert caught.value.kind == kind
    with pytest.raises(messages.NdselError) as theirs:
        messages.normalize_ndsel(message)
    assert theirs.value.reason == kind


@pytest.mark.parametrize("text", ["", "{", "NaN", b"\xff", '{"kind": "point", "coords": [1}'])
def test_text_that_is_no_json(text: str | bytes) -> None:
    with pytest.raises(SelectionError) as caught:
        normalize(text)
    assert caught.value.kind == "invalid_json"


bounds = st.one_of(
    st.integers(-9, 9), st.sampled_from(["-inf", "+inf", 2**63 - 1, -(2**63), 2**63, True, 1.5])
)
bounds = bounds | bounds.map(lambda b: [b])
small = st.integers(-9, 9)


@st.composite
def any_message(draw: st.DrawFn) -> dict[str, Any]:
    """Messages that are mostly right, with at most one field of doubtful content."""
    kind = draw(st.sampled_from(["box", "slice", "transform", "points", "point"]))
    rank = draw(st.integers(0, 3))
    message: dict[str, Any] = {"kind": kind}

    def column(entries: st.SearchStrategy[Any], name: str) -> None:
        message[name] = draw(st.lists(entries, min_size=rank, max_size=rank))

    if kind == "slice":
        for name in ("start", "stop"):
            column(small, name)
        if draw(st.booleans()):
            column(st.integers(-3, 3), "step")
    elif kind == "point":
        column(small, "coords")
    elif kind == "points":
        column(st.lists(small, min_size=2, max_size=2), "coords")
    else:
        prefix = "input_" if kind == "transform" else ""
        if draw(st.booleans()):
            column(bounds, prefix + "inclusive_min")
        if draw(st.booleans()):
            forms = ["exclusive_max", "inclusive_max", "shape"]
            column(bounds, prefix + draw(st.sampled_from(forms)))
        if draw(st.booleans()):
            column(st.sampled_from(["", "x"]), prefix + "labels")
        if kind == "transform" and draw(st.booleans()):
            message["input_rank"] = rank
            column(st.fixed_dictionaries({}, optional=output_fields), "output")
    return message


output_fields: dict[str, st.SearchStrategy[Any]] = {
    "offset": small,
    "stride": small,
    "input_dimension": st.integers(0, 3),
}


@settings(max_examples=300, deadline=None)
@given(message=any_message())
def test_drawn_messages(message: dict[str, Any], messages: Any) -> None:
    try:
        expected = messages.normalize_ndsel(message)
    except messages.NdselError:
        with pytest.raises(SelectionError) as caught:
            normalize(message)
        assert caught.value.kind in messages.REASON_CODES
    else:
        assert normalize(message) == expected


@settings(max_examples=150, deadline=None)
@given(
    fields=st.dictionaries(
        st.sampled_from(["kind", "coords", "shape", "start", "stop", "output", "x"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
            | st.sampled_from(["point", "box", "slice", "points", "transform"]),
            lambda inner: st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["offset", "index_array", "y"]), inner, max_size=2),
            max_leaves=6,
        ),
    )
)  # fmt: skip
def test_whatever_comes_is_refused_with_a_code(fields: dict[str, Any], messages: Any) -> None:
    for message in (fields, {**fields, "kind": "box"}, {**fields, "kind": "transform"}):
        try:
            normalize(message)
        except SelectionError as error:
            assert error.kind in messages.REASON_CODES  # noqa: PT017
            with pytest.raises(messages.NdselError):
                messages.normalize_ndsel(message)
        else:
            messages.normalize_ndsel(message)


def check_round_trip(index: Any, mode: Any, grid: ChunkGrid) -> dict[str, Any] | None:
    """Compare the message's meaning, ours and tensorstore's, with the selection's."""
    array = numbered(grid.shape)
    try:
        selection = resolve(index, grid.shape, mode=mode)
    except SelectionError:
        return None
    expected = read_with(selection, grid, array)
    message = json.loads(json.dumps(to_ndsel(selection)))
    assert to_ndsel(index, grid.shape, mode=mode) == message
    for given_as in (message, json.dumps(message), {"kind": "transform", **normalize(message)}):
        again = from_ndsel(given_as, grid.shape)
        np.testing.assert_array_equal(read_with(again, grid, array), expected, strict=True)
    assert resolve(message, grid.shape).result_shape == expected.shape
    # Empty and one-element selections may be spelt in another way; the meaning stays.
    respelt = from_ndsel(to_ndsel(again), grid.shape)
    np.testing.assert_array_equal(read_with(respelt, grid, array), expected, strict=True)
    ts = pytest.importorskip("tensorstore", reason="tensorstore is not installed")
    transform = ts.IndexTransform(json=normalize(message))
    theirs = np.asarray(ts.array(array)[transform].read().result())
    np.testing.assert_array_equal(theirs, expected, strict=True)
    return message


@settings(max_examples=80, deadline=None)
@given(grid=grids(), data=st.data())
def test_basic_selections_there_and_back(grid: ChunkGrid, data: st.DataObject) -> None:
    check_round_trip(data.draw(basic_index(grid.shape)), "numpy", grid)


@settings(max_examples=150, deadline=None)
@given(grid=grids(min_dims=1), data=st.data())
def test_numpy_selections_there_and_back(grid: ChunkGrid, data: st.DataObject) -> None:
    check_round_trip(data.draw(numpy_index(grid.shape)), "numpy", grid)


@settings(max_examples=80, deadline=None)
@given(grid=grids(min_dims=1), data=st.data())
def test_orthogonal_selections_there_and_back(grid: ChunkGrid, data: st.DataObject) -> None:
    check_round_trip(data.draw(orthogonal_index(grid.shape)), "orthogonal", grid)


@settings(max_examples=50, deadline=None)
@given(grid=grids(min_dims=1), data=st.data())
def test_coordinates_there_and_back(grid: ChunkGrid, data: st.DataObject) -> None:
    index = data.draw(coordinates(grid.shape))
    assert check_round_trip(index, "vectorized", grid) is not None


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (np.s_[3, -1], {"kind": "point", "coords": [3, 6]}),
        (np.s_[2:4], {"kind": "box", "inclusive_min": [2, 0], "exclusive_max": [4, 7]}),
        (np.s_[...], {"kind": "box", "inclusive_min": [0, 0], "exclusive_max": [6, 7]}),
        (
            np.s_[::2, 6:2:-3],
            {"kind": "slice", "start": [0, 6], "stop": [5, 2], "step": [2, -3]},
        ),
        (np.s_[[5, 0, 5], [1, 2, 1]], {"kind": "points", "coords": [[5, 1], [0, 2], [5, 1]]}),
        (np.s_[[0, 1], [5, 6]], {"kind": "points", "coords": [[0, 5], [1, 6]]}),
        (np.s_[[0, 2, 4]], {"kind": "slice", "start": [0, 0], "stop": [5, 7], "step": [2, 1]}),
        (np.s_[5:2, [1, 0]], {"kind": "slice", "start": [0, 1], "stop": [0, -1], "step": [1, -1]}),
        (np.s_[[5, 0, 5], 3], {"kind": "points", "coords": [[5, 3], [0, 3], [5, 3]]}),
    ],
    ids=str,
)
def test_the_simplest_kind(index: Any, message: dict[str, Any]) -> None:
    assert to_ndsel(index, (6, 7)) == message


def test_a_transform_keeps_the_coordinates_of_the_array() -> None:
    message = to_ndsel(np.s_[3, 2:6], (6, 7))
    assert message["kind"] == "transform"
    assert message["input_inclusive_min"] == [2]
    assert message["input_exclusive_max"] == [6]
    assert message["output"] == [{"offset": 3}, {"offset": 0, "stride": 1, "input_dimension": 0}]


def test_to_ndsel_needs_a_shape() -> None:
    with pytest.raises(SelectionError, match="shape="):
        to_ndsel(np.s_[3])


SHAPE = (4, 6)
GRID = ChunkGrid(SHAPE, (3, 2))
ROW = {"offset": 0, "stride": 1, "input_dimension": 0}
LOWERED: list[dict[str, Any]] = [
    {"kind": "box", "inclusive_min": [1, 2]},
    {"kind": "box", "inclusive_min": [["-inf"], 2], "exclusive_max": [2, 4]},
    {"kind": "box", "inclusive_min": [4, 2], "exclusive_max": [["+inf"], 3]},
    {"kind": "box"} | {"labels": ["y", "x"]},
    {"kind": "transform", "input_rank": 1, "output": [ROW, ROW]},
    {"kind": "transform", "input_rank": 1, "output": [ROW, {**ROW, "stride": -2, "offset": 5}]},
    {"kind": "transform", "input_rank": 1, "output": [{**ROW, "stride": 2, "offset": 1}, {}]},
    {"kind": "transform", "input_shape": [3], "output": [{"offset": 1}, {"offset": 2}]},
    {"kind": "transform", "input_shape": [3, 2], "output": [{"offset": 1}, {**ROW}]},
    {"kind": "transform", "input_shape": [3], "output": [{**ROW, "stride": 0, "offset": 2}, ROW]},
    {
        "kind": "transform",
        "input_inclusive_min": [5],
        "input_shape": [2],
        "output": [{"index_array": [1, 3]}, {**ROW, "offset": -5}],
    },
    {
        "kind": "transform",
        "input_shape": [2, 3],
        "output": [
            {"index_array": [[1], [0]], "stride": 2, "offset": 1},
            {"index_array": [[0, 5, 2], [1, 1, 3]], "index_array_bounds": [0, 5]},
        ],
    },
    {"kind": "transform", "input_shape": [0], "output": [{"index_array": []}, {"offset": 2}]},
    {"kind": "transform", "input_shape": [2, 2], "output": [{"index_array": [[3]]}, {}]},
]


@pytest.mark.parametrize("message", LOWERED, ids=json.dumps)
def test_messages_select_what_tensorstore_selects(message: dict[str, Any]) -> None:
    ts = pytest.importorskip("tensorstore", reason="tensorstore is not installed")
    array = numbered(SHAPE)
    expected = ts.array(array)[ts.IndexTransform(json=normalize(message))].read().result()
    selection = from_ndsel(message, SHAPE)
    np.testing.assert_array_equal(read_with(selection, GRID, array), expected, strict=True)


@pytest.mark.parametrize(
    "message",
    [
        {"kind": "point", "coords": [1, 2]},
        {"kind": "points", "coords": [[1, 2], [3, 0]]},
        {"kind": "box", "inclusive_min": [1, 2], "exclusive_max": [[3], 4]},
        {"kind": "slice", "start": [3, 1], "stop": [0, 6], "step": [-1, 2]},
    ],
    ids=json.dumps,
)
def test_messages_select_what_zarr_indexing_selects(message: dict[str, Any]) -> None:
    pytest.importorskip("zarr_indexing", reason="zarr-indexing needs Python 3.12")
    from zarr_indexing import IndexTransform

    transform = IndexTransform.from_json(normalize(message))
    array = numbered(SHAPE)
    expected = np.empty(transform.domain.shape, array.dtype)
    for at in np.ndindex(expected.shape):
        point = tuple(a + b for a, b in zip(at, transform.domain.inclusive_min, strict=True))
        expected[at] = array[tuple(transform.apply(point))]
    selection = from_ndsel(message, SHAPE)
    np.testing.assert_array_equal(read_with(selection, GRID, array), expected, strict=True)


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ({"kind": "point", "coords": [1]}, "rank_mismatch"),
        ({"kind": "point", "coords": [1, -1]}, "selection"),
        ({"kind": "point", "coords": [4, 0]}, "selection"),
        ({"kind": "points", "coords": [[0, 0], [0, 6]]}, "selection"),
        ({"kind": "box", "shape": [5, 1]}, "selection"),
        ({"kind": "box", "inclusive_min": [-1, 0], "shape": [1, 1]}, "selection"),
        ({"kind": "box", "inclusive_min": [0, 0], "exclusive_max": ["+inf", 3]}, "selection"),
        ({"kind": "slice", "start": [3, 0], "stop": [-2, 1], "step": [-1, 1]}, "selection"),
        ({"kind": "transform", "input_rank": 1, "output": [{}, {}]}, "selection"),
        (
            {"kind": "transform", "input_shape": [2], "output": [{"index_array": [[1, 2]]}, {}]},
            "rank_mismatch",
        ),
        (
            {"kind": "transform", "input_shape": [2], "output": [{"index_array": [1, 2, 3]}, {}]},
            "invalid_json",
        ),
        (
            {"kind": "transform", "input_shape": [2], "output": [{"index_array": [1, True]}, {}]},
            "invalid_json",
        ),
        (
            {"kind": "transform", "input_shape": [2], "output": [{"index_array": [1, [2]]}, {}]},
            "invalid_json",
        ),
        (
            {"kind": "transform", "input_shape": [2], "output": [{"index_array": 1}, {}]},
            "invalid_json",
        ),
        (
            {"kind": "transform", "input_shape": [2], "output": [{"index_array": []}, {}]},
            "invalid_json",
        ),
        (
            {
                "kind": "transform",
                "input_shape": [2],
                "output": [{"index_array": [1, 2], "index_array_bounds": [0, 1]}, {}],
            },
            "selection",
        ),
    ],
    ids=repr,
)
def test_messages_that_do_not_fit_the_array(message: dict[str, Any], kind: str) -> None:
    with pytest.raises(SelectionError) as caught:
        from_ndsel(message, SHAPE)
    assert caught.value.kind == kind


def test_a_point_of_an_array_without_dimensions_cannot_be_repeated() -> None:
    with pytest.raises(SelectionError):
        from_ndsel({"kind": "transform", "input_shape": [3], "output": []}, ())

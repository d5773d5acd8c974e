"""What does not fit is refused with a SelectionError that says what, why and what to do."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from anyzarr.errors import AnyzarrError, SelectionError
from anyzarr.indexing import resolve
from anyzarr.metadata._model import ChunkGrid

from ._reference import numbered

SHAPE = (4, 5, 6)
GRID = ChunkGrid(SHAPE, (2, 2, 2))

NUMPY_REFUSES = [
    np.s_[4],
    np.s_[-5],
    np.s_[0, 0, 0, 0],
    np.s_[:, :, :, :],
    np.s_[..., ...],
    np.s_[..., 0, ...],
    np.s_[[4]],
    np.s_[[0, -5]],
    np.s_[1.0],
    np.s_[np.float64(1)],
    np.s_[[1.0, 2.0]],
    np.s_[np.array([])],
    np.s_["field"],
    np.s_[["a", "b"]],
    np.s_[np.ones(3, bool)],
    np.s_[np.ones((4, 6), bool)],
    np.s_[np.ones((4, 5, 6, 1), bool)],
    np.s_[0, 0, 0, np.ones(1, bool)],
    np.s_[[0, 1], [0, 1, 2]],
    np.s_[[0, 1], False],
    np.s_[np.array([None])],
    np.s_[{1, 2}],
    np.s_[frozenset()],
    np.s_[[0, 1], 7],
    np.s_[[], 7],
]
# numpy raises others here than IndexError.
WE_REFUSE = [np.s_[::0], np.s_[1.0:2], np.s_["a":"b"], np.s_[[[0, 1], [2]]]]


@pytest.mark.parametrize("index", NUMPY_REFUSES, ids=repr)
def test_numpys_index_errors(index: Any) -> None:
    with pytest.raises(IndexError):
        numbered(SHAPE)[index]
    with pytest.raises(SelectionError) as caught:
        resolve(index, SHAPE)
    assert caught.value.kind == "selection"
    assert isinstance(caught.value, AnyzarrError)
    assert isinstance(caught.value, IndexError)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@pytest.mark.parametrize("index", WE_REFUSE, ids=repr)
@pytest.mark.parametrize("mode", ["numpy", "orthogonal", "vectorized", "block"])
def test_other_bad_indices(index: Any, mode: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        numbered(SHAPE)[index]
    with pytest.raises(SelectionError):
        resolve(index, SHAPE, mode=mode, grid=GRID)


@pytest.mark.parametrize(
    ("index", "value", "rule"),
    [
        (np.s_[:, 7], "7", "[-5, 5)"),
        (np.s_[[0, -9]], "-9", "[-4, 4)"),
        (np.s_[0, 0, 0, 0], "4 dimensions", "has 3"),
        (np.s_[..., ...], "2 Ellipsis", "may have one"),
        (np.s_[1.5], "1.5", "integer"),
        (np.s_[:, np.ones((6, 5), bool)], "(6, 5)", "(5, 6)"),
        (np.s_[[0, 1], [0, 1, 2]], "(2,), (3,)", "broadcast"),
        (np.s_["x"], "'x'", "field"),
    ],
    ids=repr,
)
def test_the_message_names_value_and_rule(index: Any, value: str, rule: str) -> None:
    with pytest.raises(SelectionError) as caught:
        resolve(index, SHAPE)
    assert value in str(caught.value)
    assert rule in str(caught.value)
    assert ";" in str(caught.value)


@pytest.mark.parametrize("mode", ["numpy", "orthogonal", "vectorized"])
def test_unsigned_indices_do_not_wrap(mode: Any) -> None:
    with pytest.raises(SelectionError, match=str(2**64 - 1)):
        resolve(np.array([2**64 - 1], dtype=np.uint64), SHAPE, mode=mode)


def test_vectorized_arrays_that_do_not_broadcast() -> None:
    with pytest.raises(SelectionError, match=r"\(2,\), \(3,\)"):
        resolve(np.s_[[0, 1], [0, 1, 2], 0], SHAPE, mode="vectorized")


def test_a_step_of_zero_has_its_kind() -> None:
    with pytest.raises(SelectionError) as caught:
        resolve(np.s_[:, ::0], SHAPE)
    assert caught.value.kind == "step_zero"


@pytest.mark.parametrize(
    "index",
    [
        np.s_[[[0, 1]]],
        np.s_[True],
        np.s_[[4]],
        np.s_[7],
        np.s_[np.ones(3, bool)],
        np.s_[0, 0, 0, 0],
    ],
    ids=repr,
)
def test_orthogonal(index: Any) -> None:
    array = zarr.create_array({}, shape=SHAPE, chunks=(2, 2, 2), dtype="i4")
    with pytest.raises(IndexError):
        array.oindex[index]
    with pytest.raises(SelectionError):
        resolve(index, SHAPE, mode="orthogonal")


@pytest.mark.parametrize(
    "index",
    [
        np.s_[[4], 0, 0],
        np.s_[7, 0, 0],
        np.s_[np.ones((4, 5, 7), bool)],
    ],
    ids=repr,
)
def test_vectorized(index: Any) -> None:
    array = zarr.create_array({}, shape=SHAPE, chunks=(2, 2, 2), dtype="i4")
    with pytest.raises(IndexError):
        array.vindex[index]
    with pytest.raises(SelectionError):
        resolve(index, SHAPE, mode="vectorized")


@pytest.mark.parametrize(
    "index",
    [
        np.s_[2],
        np.s_[-3],
        np.s_[:, 3],
        np.s_[::2],
        np.s_[5:],
        np.s_[[0, 1]],
        np.s_[0, 0, 0, 0],
        np.s_[..., ...],
    ],
    ids=repr,
)
def test_block(index: Any) -> None:
    array = zarr.create_array({}, shape=SHAPE, chunks=(2, 2, 2), dtype="i4")
    with pytest.raises(IndexError):
        array.blocks[index]
    with pytest.raises(SelectionError):
        resolve(index, SHAPE, mode="block", grid=GRID)


@pytest.mark.parametrize("index", [np.s_[None], np.s_[True], np.s_[1.0:], np.s_[:1.0]], ids=repr)
def test_block_takes_integers_and_slices_only(index: Any) -> None:
    with pytest.raises(SelectionError):
        resolve(index, SHAPE, mode="block", grid=GRID)


def test_block_needs_the_grid_of_the_array() -> None:
    with pytest.raises(SelectionError, match="grid="):
        resolve(np.s_[0], SHAPE, mode="block")
    with pytest.raises(SelectionError):
        resolve(np.s_[0], (4, 5), mode="block", grid=GRID)


@pytest.mark.parametrize("index", [np.s_[0], np.s_[[0, 2, 3]]])
def test_an_unknown_mode(index: Any) -> None:
    mode: Any = "diagonal"
    with pytest.raises(SelectionError, match="'diagonal'"):
        resolve(index, SHAPE, mode=mode)


@settings(max_examples=150, deadline=None)
@given(
    index=st.lists(
        st.one_of(
            st.integers(-7, 7),
            st.none(),
            st.just(Ellipsis),
            st.booleans(),
            st.floats(-3, 3),
            st.builds(slice, st.integers(-7, 7), st.integers(-7, 7), st.sampled_from([-2, -1, 1])),
            st.lists(st.integers(-7, 7), max_size=3),
            st.lists(st.booleans(), min_size=1, max_size=5),
        ),
        max_size=5,
    ).map(tuple)
)
def test_we_refuse_what_numpy_refuses(index: Any) -> None:
    try:
        expected = numbered(SHAPE)[index].shape
    except IndexError:
        with pytest.raises(SelectionError):
            resolve(index, SHAPE)
    else:
        assert resolve(index, SHAPE).result_shape == expected

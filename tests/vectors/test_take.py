"""Runs of rows: the native kernel gives what numpy does, and refuses what leaves the rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anyzarr.vectors import _take
from anyzarr.vectors._blobs import index_ranges
from anyzarr.vectors._take import take_runs

native = pytest.importorskip("anyzarr_native")


@st.composite
def selections(draw: st.DrawFn) -> tuple[Any, Any, Any]:
    n_rows, row_shape = draw(st.integers(0, 40)), draw(st.sampled_from([(), (3,), (2, 2), (0,)]))
    dtype = draw(st.sampled_from(["u1", "<f4", ">f8", "?", "M8[s]", "c16", "U2"]))
    size = n_rows * int(np.prod(row_shape, dtype=int)) * np.dtype(dtype).itemsize
    raw = np.frombuffer(draw(st.binary(min_size=size, max_size=size)), np.uint8)
    values = np.zeros((n_rows, *row_shape), dtype)
    if np.dtype(dtype).kind in "ufcM":
        values = raw.view(dtype).reshape(values.shape)
    starts = draw(st.lists(st.integers(0, n_rows), max_size=12))
    counts = [draw(st.integers(0, n_rows - start)) for start in starts]
    step = draw(st.sampled_from([1, 2]))
    padded = np.repeat(values, step, axis=0)[::step]
    return padded, np.array(starts, np.int64), np.array(counts, np.int64)


@settings(max_examples=60, deadline=None)
@given(selections())
def test_the_kernel_takes_what_numpy_takes(selection: tuple[Any, Any, Any]) -> None:
    values, starts, counts = selection
    expected = values[index_ranges(starts, counts)]
    found = take_runs(values, starts, counts)
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    assert found.tobytes() == expected.tobytes()


def test_many_rows_are_taken_by_threads() -> None:
    rng = np.random.default_rng(0)
    values = rng.random((50_000, 3))
    starts = rng.integers(0, 49_000, 3_000)
    counts = rng.integers(0, 1_000, 3_000)
    expected = values[index_ranges(starts, counts)]
    assert np.array_equal(take_runs(values, starts, counts), expected)


@pytest.mark.skipif(not hasattr(native, "take_runs"), reason="an earlier build")
def test_runs_that_leave_the_rows_are_refused() -> None:
    for start, count in [(2, 2), (-1, 1), (0, -1), (2**62, 1)]:
        out = np.empty(max(count, 0), np.int64)
        with pytest.raises(native.NativeError):
            native.take_runs(np.arange(3), 8, np.array([start]), np.array([count]), out)


def test_without_the_kernel_numpy_takes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_take, "_native", lambda: None)
    assert take_runs(np.arange(4), np.array([2, 0]), np.array([2, 1])).tolist() == [2, 3, 0]

"""Boxes over many polylines: what is looked at block by block is what is looked at at once."""

from __future__ import annotations

import functools
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anyzarr.vectors import _crossing, read_polylines, write_polylines
from anyzarr.vectors._crossing import links_met, outside, runs_met


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 2**32), block=st.sampled_from([1, 2, 3, 7, 1000]))
def test_runs_meet_a_box_as_their_segments_do(
    monkeypatch: pytest.MonkeyPatch, seed: int, block: int
) -> None:
    monkeypatch.setattr(_crossing, "_BLOCK", block)
    rng = np.random.default_rng(seed)
    starts = np.append(0, np.cumsum(rng.integers(0, 6, rng.integers(1, 12))))
    positions = np.round(rng.uniform(-9, 9, (starts[-1], 2)), 1).astype("f4")
    low = np.round(rng.uniform(-9, 6, 2), 1)
    box = (tuple(low.tolist()), tuple((low + rng.uniform(0, 5, 2)).tolist()))

    expected = []
    for begin, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        own = positions[begin:end]
        pairs = np.stack([np.arange(1, len(own)), np.arange(len(own) - 1)], axis=1).reshape(-1, 2)
        expected.append((outside(own, box) == 0).any() or links_met(own, pairs, box).any())
    assert runs_met(positions, starts, box).tolist() == expected


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Callable[[float, float], Path]:
    """Stores of such paths, in chunks of an edge length."""

    @functools.cache
    def write(step: float, edge: float) -> Path:
        store = tmp_path_factory.mktemp("paths") / "p.zv"
        write_polylines(store, [*paths_of(step)], chunk_shape=(edge,) * 3)
        return store

    return write


def paths_of(step: float) -> np.ndarray:
    """Paths of steps of a length; of infinite ones no vertex is near the one before."""
    rng = np.random.default_rng(0)
    if np.isinf(step):
        return rng.uniform(0, 100, (3000, 100, 3)).astype("f4")
    steps = rng.normal(0, step, (3000, 100, 3)).cumsum(axis=1)
    return (rng.uniform(0, 100, (3000, 1, 3)) + steps).astype("f4")


@pytest.mark.parametrize(
    ("step", "edge", "low", "high", "most"),
    [
        (0.5, 50.0, -400.0, 400.0, 2.6),
        (0.5, 50.0, -85.0, 85.0, 3),
        (np.inf, 20.0, -400.0, 400.0, 10),
        (np.inf, 20.0, -85.0, 85.0, 12.5),
        (np.inf, 20.0, 0.0, 50.0, 13.5),
    ],
    ids=["all", "most", "all, scattered", "most, scattered", "part, scattered"],
)
def test_a_box_of_many_polylines_takes_little_memory(
    stored: Callable[[float, float], Path],
    step: float, edge: float, low: float, high: float, most: float,
) -> None:  # fmt: skip
    store = stored(step, edge)
    box = ([low] * 3, [high] * 3)
    expected = read_polylines(store, bbox=box)  # what is fetched once is fetched
    tracemalloc.start()
    try:
        found = read_polylines(store, bbox=box)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    np.testing.assert_array_equal(found.positions, expected.positions)
    assert found.positions.nbytes > 0.6 * paths_of(step).nbytes
    assert peak < most * found.positions.nbytes

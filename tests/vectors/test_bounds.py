"""Bounds change, and nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import anyzarr
from anyzarr.errors import MetadataError
from anyzarr.vectors import (
    build_pyramid,
    open_store,
    open_zv,
    read_points,
    set_bounds,
    write_points,
)


@pytest.mark.parametrize("kind", ["point", "polyline", "mesh"])
def test_bounds_grow_on_all_sides_and_what_is_added_there_is_found(made, kind: str) -> None:
    store: dict[str, bytes] = {}
    made.write(store, kind, made.IDS, shard_shape=2)
    before = made.content(store, kind)
    set_bounds(store, ([-750.0, -50.0], [150.0, 900.0]))
    assert open_zv(store).bounds == ((-750.0, -50.0), (150.0, 900.0))
    assert made.content(store, kind) == before
    made.check(store)
    shape = open_store(store)["0/vertices"].shape
    assert (np.array(shape) >= [10, 11]).all()
    made.write(store, kind, [11], mode="append")
    made.check(store)


def test_bounds_shrink_as_far_as_vertices_reach() -> None:
    store: dict[str, bytes] = {}
    positions = [[10.0, 10.0], [95.0, 60.0]]
    write_points(store, positions, chunk_shape=(50, 50), bounds=([0, 0], [500, 500]))
    set_bounds(store, ([10, 10], [95, 60]))
    assert sorted(read_points(store).positions.tolist()) == positions
    before = dict(store)
    with pytest.raises(MetadataError, match="1 vertices"):
        set_bounds(store, ([10, 10], [94, 60]))
    with pytest.raises(MetadataError, match="not valid"):
        set_bounds(store, ([10, 10], [5, 60]))
    assert store == before


def test_levels_and_consolidated_metadata_are_kept_in_step(made) -> None:
    store: dict[str, bytes] = {}
    write_points(store, np.random.default_rng(0).uniform(0, 99, (200, 2)), chunk_shape=(10, 10))
    build_pyramid(store, factors=[(2, 1)])
    anyzarr.open(store, mode="r+").consolidate()
    set_bounds(store, ([-30, -30], [120, 120]))
    root = open_store(store)
    assert anyzarr.crud.consolidated_differences(root.store) == []
    assert root["1/vertices"].attrs["chunk_grid_origin"][0] <= -3
    made.check(store)


def test_a_change_of_bounds_cut_off_anywhere_leaves_the_old_or_the_new(made) -> None:
    before: dict[str, bytes] = {}
    made.write(before, "polyline", made.IDS, shard_shape=2)
    content = made.content(before, "polyline")

    def state(store: Any) -> str:
        assert made.content(store, "polyline") == content
        return {-50.0: "old", -300.0: "new"}[open_zv(store).bounds[0][0]]

    made.cut_off_anywhere(
        before,
        lambda store: set_bounds(store, ([-300.0, -60.0], [160.0, 160.0])),
        state,
        lambda store: made.write(store, "polyline", [11], mode="append"),
    )

"""A vacuum drops what counts no longer, and nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from anyzarr.vectors import (
    VacuumSummary,
    build_pyramid,
    delete_objects,
    open_store,
    read_level_links,
    read_points,
    vacuum,
    write_points,
)

KINDS = ["point", "polyline", "graph", "skeleton", "mesh"]


def size_of(store: dict[str, bytes]) -> int:
    return sum(len(data) for key, data in store.items() if not key.endswith("zarr.json"))


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_left_is_as_if_nothing_else_had_been_written(made, kind: str) -> None:
    store: dict[str, bytes] = {}
    made.write(store, kind, made.IDS, shard_shape=None)
    assert vacuum(store) == VacuumSummary()
    delete_objects(store, [9, 5])
    before, size = made.content(store, kind), size_of(store)
    summary = vacuum(store)
    assert (summary.row_count, summary.object_count) == (2 * made.N, 0)
    assert made.content(store, kind) == before == made.expected(kind, [2, 6])
    made.check(store)
    assert size_of(store) < size
    assert open_store(store)["0"].attrs["zarr_vectors_level"]["fragments_tile"] is True
    fresh: dict[str, bytes] = {}
    made.write(fresh, kind, [2, 6], shard_shape=None)
    columns = "vertices", "vertex_attributes", "vertex_fragments"
    assert objects_of(store, columns) == objects_of(fresh, columns)
    assert vacuum(store) == VacuumSummary()
    made.write(store, kind, [5, 7], mode="append", shard_shape=None)
    assert made.content(store, kind) == made.expected(kind, [2, 5, 6, 7])
    made.check(store)


def objects_of(store: dict[str, bytes], columns: tuple[str, ...]) -> dict[str, bytes]:
    """Return the chunks of arrays, whatever stands between the numbers of their keys."""
    wanted = tuple(f"0/{name}" for name in columns)
    held = {k: data for k, data in store.items() if k.startswith(wanted) and "zarr.json" not in k}
    return {key.replace(".", "/"): data for key, data in held.items()}


def test_bins_keep_their_numbers() -> None:
    store: dict[str, bytes] = {}
    positions = np.random.default_rng(0).uniform(0, 100, (500, 2))
    options: dict[str, Any] = {
        "chunk_shape": (50, 50),
        "bin_shape": (10, 10),
        "bounds": ([0, 0], [100, 100]),
    }
    write_points(store, positions[:300], **options)
    write_points(store, positions[300:], mode="append")
    before = dict(store)
    assert vacuum(store) == VacuumSummary()
    assert store == before


@pytest.mark.parametrize("kind", ["polyline"])
def test_a_vacuum_cut_off_anywhere_leaves_the_same_content(made, kind: str) -> None:
    before: dict[str, bytes] = {}
    made.write(before, kind, made.IDS, shard_shape=2)
    delete_objects(before, [9, 5])
    content = made.content(before, kind)

    def state(store: Any) -> str:
        assert made.content(store, kind) == content
        tiles = open_store(store)["0"].attrs["zarr_vectors_level"]["fragments_tile"]
        return "new" if tiles else "old"

    made.cut_off_anywhere(
        before, vacuum, state,
        lambda store: made.write(store, kind, [11], mode="append"),
    )  # fmt: skip


def test_levels_are_cleaned_too(made) -> None:
    store: dict[str, bytes] = {}
    made.write(store, "point", made.IDS)
    build_pyramid(store, factors=[(2, 1)])
    delete_objects(store, [5])
    ids = read_points(store, level=1, with_object_ids=True).object_ids
    assert 5 not in ids
    vacuum(store)
    assert np.array_equal(read_points(store, level=1, with_object_ids=True).object_ids, ids)
    made.check(store)


def test_links_that_a_killed_writer_left_do_not_come_to_life_again(made) -> None:
    before: dict[str, bytes] = {}
    made.write(before, "graph", [2, 5], shard_shape=None)
    after = dict(before)
    made.write(after, "graph", [6], mode="append")
    # Cells of vertices and links are there, and no document tells of them.
    left = {k: v for k, v in after.items() if "zarr.json" not in k and "fragments" not in k}
    store = {**left, **{k: v for k, v in before.items() if k not in left or "index" in k}}
    assert made.content(store, "graph") == made.content(before, "graph")
    vacuum(store)
    made.check(store)
    for ids in ([7], [8, 9]):
        made.write(store, "graph", ids, mode="append", shard_shape=None)
    assert made.content(store, "graph") == made.expected("graph", [2, 5, 7, 8, 9])
    made.check(store)


def test_links_between_levels_are_kept_in_step(made) -> None:
    store: dict[str, bytes] = {}
    made.write(store, "point", made.IDS)
    build_pyramid(store, factors=[(2, 1)], cross_level_storage="explicit")
    before = {tuple(pair) for pair in positions_joined(store)}
    delete_objects(store, [5])
    made.check(store)
    vacuum(store)
    made.check(store)
    gone = {tuple(position) for position in made.positions_of(5).tolist()}
    assert {tuple(pair) for pair in positions_joined(store)} == {
        pair for pair in before if pair[:2] not in gone
    }


def positions_joined(store: Any) -> list[list[float]]:
    """Return the positions that links from level 0 to level 1 join."""
    links = read_level_links(store, 0)
    near, far = (read_points(store, level=n).positions for n in (0, 1))
    return np.concatenate([near[links.source], far[links.target]], axis=1).tolist()

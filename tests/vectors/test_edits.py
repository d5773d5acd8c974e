"""Edits: what is asked for and nothing else, at one moment, for every geometry."""

from __future__ import annotations

from typing import Any

import pytest

from anyzarr.errors import NodeNotFoundError
from anyzarr.vectors import (
    build_pyramid,
    delete_objects,
    read_points,
    set_vertex_attributes,
    validate,
)

KINDS = ["point", "polyline", "graph", "skeleton", "mesh"]


@pytest.mark.parametrize(
    ("kind", "shard_shape"), [*((kind, "auto") for kind in KINDS), ("point", None), ("mesh", None)]
)
def test_deleted_objects_are_gone_and_the_others_as_before(made, kind, shard_shape) -> None:
    store: dict[str, bytes] = {}
    made.write(store, kind, made.IDS, shard_shape=shard_shape)
    summary = delete_objects(store, [9, 5])
    assert (summary.vertex_count, summary.object_count) == (2 * made.N, 2)
    assert made.content(store, kind) == made.expected(kind, [2, 6])
    assert made.content(store, kind, group_ids=[2]).keys() == {2, 6}
    assert made.content(store, kind, group_ids=[0]).keys() == {2}
    made.check(store)
    made.write(store, kind, [5, 7], mode="append", shard_shape=shard_shape)
    assert made.content(store, kind) == made.expected(kind, [2, 5, 6, 7])
    made.check(store)


def test_an_object_that_is_not_there_is_named_and_nothing_is_deleted(made) -> None:
    store: dict[str, bytes] = {}
    made.write(store, "polyline", made.IDS)
    before = dict(store)
    with pytest.raises(NodeNotFoundError, match="no object 4 "):
        delete_objects(store, [2, 4])
    assert store == before


@pytest.mark.parametrize("kind", ["polyline"])
def test_a_deletion_cut_off_anywhere_leaves_the_old_or_the_new(made, kind) -> None:
    before: dict[str, bytes] = {}
    made.write(before, kind, made.IDS, shard_shape=2)
    old, new = made.content(before, kind), made.expected(kind, [2, 6, 9])

    def state(store: Any) -> str:
        return {str(old): "old", str(new): "new"}[str(made.content(store, kind))]

    made.cut_off_anywhere(
        before, lambda store: delete_objects(store, [5]), state,
        lambda store: made.write(store, kind, [11], mode="append"),
    )  # fmt: skip


def test_levels_that_show_what_was_before_say_so(made) -> None:
    store: dict[str, bytes] = {}
    made.write(store, "point", made.IDS)
    build_pyramid(store, factors=[(2, 1)])
    assert delete_objects(store, [5]).stale_levels == ()
    assert validate(store, 5).warnings == ()
    made.write(store, "point", [7], mode="append")
    assert [finding.rule for finding in validate(store, 5).warnings] == ["stale"]
    build_pyramid(store, factors=[(2, 1)], overwrite=True)
    made.check(store)
    row = read_points(store, attribute_names=["row"]).vertex_attributes["row"]
    assert set_vertex_attributes(store, {"row": row + 1}).stale_levels == (1,)
    assert [finding.rule for finding in validate(store, 5).warnings] == ["stale"]

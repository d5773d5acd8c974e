"""Objects are replaced by others of the same ids, at one moment."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import anyzarr
from anyzarr.errors import MetadataError
from anyzarr.vectors import (
    open_store,
    read_points,
    read_polylines,
    vacuum,
    write_points,
    write_polylines,
)

KINDS = ["point", "polyline", "graph", "skeleton", "mesh"]


def other(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let objects have another geometry from now on."""
    before = made.write.__globals__["positions_of"]
    monkeypatch.setitem(
        made.write.__globals__, "positions_of", lambda seed: before(seed + 50)[::-1]
    )


@pytest.mark.parametrize(
    ("kind", "shard_shape"), [*((kind, "auto") for kind in KINDS), ("point", None), ("graph", None)]
)
def test_objects_are_replaced_and_others_added(made, monkeypatch, kind, shard_shape) -> None:
    store: dict[str, bytes] = {}
    made.write(store, kind, made.IDS, shard_shape=shard_shape)
    before = made.content(store, kind)
    other(made, monkeypatch)
    made.write(store, kind, [5, 7, 9], mode="replace", shard_shape=shard_shape)
    new = made.expected(kind, [5, 7, 9])
    assert new[5] != before[5]
    assert made.content(store, kind) == {2: before[2], 6: before[6], **new}
    assert made.content(store, kind, group_ids=[0]).keys() == {2, 5}
    made.check(store)
    vacuum(store)
    assert made.content(store, kind) == {2: before[2], 6: before[6], **new}
    made.check(store)


@pytest.mark.parametrize(
    "kind", ["polyline", "point", pytest.param("mesh", marks=pytest.mark.slow)]
)
def test_a_replacement_cut_off_anywhere_leaves_the_old_or_the_new(made, monkeypatch, kind) -> None:
    before: dict[str, bytes] = {}
    options: dict[str, Any] = {"shard_shape": 2}
    made.write(before, kind, made.IDS, **options)
    old = made.content(before, kind)
    other(made, monkeypatch)
    new = {**old, **made.expected(kind, [5, 9])}

    def state(store: Any) -> str:
        found = dict(sorted(made.content(store, kind).items()))
        return {str(old): "old", str(new): "new"}[str(found)]

    made.cut_off_anywhere(
        before,
        lambda store: made.write(store, kind, [5, 9], mode="replace", **options),
        state,
        lambda store: made.write(store, kind, [11], mode="append", **options),
    )


def test_bounds_grow_and_consolidated_metadata_stays_in_step(tmp_path) -> None:
    path = tmp_path / "a"
    lines = [[[1.0, 1.0], [8.0, 2.0]], [[4.0, 9.0], [5.0, 5.0]]]
    write_polylines(path, lines, chunk_shape=(10, 10))
    anyzarr.open(path, mode="r+").consolidate()
    far = np.array([[-95.0, -95.0], [300.0, 2.0]])
    write_polylines(path, [far], object_ids=[1], mode="replace", out_of_bounds="expand")
    assert "consolidated_metadata" in open_store(path).metadata.document
    assert anyzarr.crud.consolidated_differences(open_store(path).store) == []
    found = read_polylines(path).polylines
    assert [line.tolist() for line in found] == [lines[0], far.tolist()]


def test_what_cannot_be_replaced_is_refused() -> None:
    store: dict[str, bytes] = {}
    write_points(store, [[1, 1], [2, 2]])
    with pytest.raises(MetadataError, match="give object_ids"):
        write_points(store, [[1, 1]], mode="replace")
    with pytest.raises(MetadataError, match="no objects"):
        write_points(store, [[1, 1]], object_ids=[0], mode="replace")
    assert read_points(store).vertex_count == 2
    with pytest.raises(MetadataError, match="give object_ids"):
        write_polylines({}, [[[1, 1], [2, 2]]], mode="replace")

"""Handles that are older than an edit: what they read is what the store holds, or an error."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from anyzarr.errors import ConflictError
from anyzarr.vectors import (
    _points,
    _selection,
    delete_objects,
    open_store,
    open_zv,
    read_points,
    rechunk,
    set_object_attributes,
    set_vertex_attributes,
    vacuum,
)
from anyzarr.vectors.formats import StoredSource

KINDS = ["point", "polyline", "graph", "skeleton", "mesh"]


def positions_of(found: Any) -> list[list[float]]:
    rows = getattr(found, "vertices", None)
    return sorted(np.asarray(found.positions if rows is None else rows).tolist())


@pytest.mark.parametrize(
    ("kind", "place"),
    [*((kind, "memory") for kind in KINDS), ("polyline", "folder"), ("graph", "consolidated")],
)
def test_a_handle_from_before_an_edit_reads_what_is_there_after(
    made: Any, kind: str, place: str, tmp_path: Any
) -> None:
    store: Any = tmp_path / "a" if place == "folder" else {}
    made.write(store, kind, made.IDS)
    handle = open_zv(store)
    if place == "consolidated":
        open_store(store, "r+").consolidate()
        handle = open_zv(store)
    level, part = handle[0], handle[0].filter(object_ids=[2, 5, 9])
    box = handle[0].filter(bbox=([-50, -50], [60, 60]))
    for chosen in (level, part, box):
        chosen.compute()
    for edit in (lambda: delete_objects(store, [5]), lambda: vacuum(store)):
        edit()
        fresh = open_zv(store)[0]
        assert positions_of(level.compute()) == positions_of(fresh.compute())
        chosen = fresh.filter(object_ids=[2, 5, 9])
        assert positions_of(part.compute()) == positions_of(chosen.compute())
        assert len(part.compute().vertices if kind == "mesh" else part.vertices.compute())
        chosen = fresh.filter(bbox=([-50, -50], [60, 60]))
        assert positions_of(box.compute()) == positions_of(chosen.compute())
        assert level.ids.tolist() == [2, 6, 9]


@pytest.mark.parametrize("times", [1, 2])
def test_a_handle_knows_new_chunks_and_new_values(made: Any, times: int) -> None:
    store: dict[str, bytes] = {}
    made.write(store, "point", made.IDS)
    level = open_zv(store)[0]
    before = level.compute()
    for count in range(times):
        rechunk(store, chunk_shape=(20.0 + count, 30.0))
        row = read_points(store, attribute_names=["row"]).vertex_attributes["row"]
        set_vertex_attributes(store, {"row": row + 1})
        set_object_attributes(store, {"w": np.arange(4)})
    after = level.compute()
    assert positions_of(after) == positions_of(before)
    wanted = np.sort(before.vertex_attributes["row"]) + times
    assert np.sort(after.vertex_attributes["row"]).tolist() == wanted.tolist()
    assert level.metadata.chunk_shape == (20.0 + times - 1, 30.0)


def test_blocks_of_a_dask_array_are_of_one_edition(made: Any) -> None:
    pytest.importorskip("dask.array")
    store: dict[str, bytes] = {}
    made.write(store, "polyline", made.IDS)
    level = open_zv(store)[0]
    lazy = level.to_dask()
    assert len(lazy.compute()) == 4 * made.N
    delete_objects(store, [5])
    assert level.compute().vertex_count == 3 * made.N
    with pytest.raises(ConflictError) as caught:
        lazy.compute()
    assert caught.value.kind == "edited"
    assert len(level.to_dask().compute()) == 3 * made.N


def test_an_edit_between_documents_and_chunks_is_no_empty_result(
    made: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    store: dict[str, bytes] = {}
    made.write(store, "point", made.IDS)

    select = _points.select_points

    def edited_before(*args: Any, **options: Any) -> Any:
        monkeypatch.setattr(_points, "select_points", select)
        row = read_points(store, attribute_names=["row"]).vertex_attributes["row"]
        set_vertex_attributes(store, {"row": row})
        delete_objects(store, [5])
        return select(*args, **options)

    monkeypatch.setattr(_points, "select_points", edited_before)
    found = read_points(store, attribute_names="all")
    assert found.vertex_count == 3 * made.N == len(found.vertex_attributes["row"])


def test_a_store_that_is_edited_all_the_time_is_no_empty_result(
    made: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    store: dict[str, bytes] = {}
    made.write(store, "point", made.IDS)
    level = open_zv(store)[0]

    select, edits = _selection.select, iter(range(100))

    def edited_after(*args: Any) -> Any:
        found = select(*args)
        set_object_attributes(store, {"w": np.full(4, next(edits))})
        return found

    monkeypatch.setattr(_selection, "select", edited_after)
    with pytest.raises(ConflictError) as caught:
        level.compute()
    assert caught.value.kind == "edited"


def test_parts_that_are_exported_are_of_one_edition(made: Any) -> None:
    store: dict[str, bytes] = {}
    made.write(store, "polyline", made.IDS)
    parts = StoredSource(store, batch_vertices=made.N).batches()
    next(parts)
    delete_objects(store, [9])
    with pytest.raises(ConflictError) as caught:
        list(parts)
    assert caught.value.kind == "edited"

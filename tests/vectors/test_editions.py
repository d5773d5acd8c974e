"""Handles that are older than an edit: what they read is what the store holds, or an error."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from anyzarr.errors import ConflictError
from anyzarr.vectors import (
    _linked,
    _points,
    _selection,
    _summary,
    _validate,
    build_pyramid,
    delete_objects,
    open_store,
    open_zv,
    read_level_links,
    read_points,
    rechunk,
    set_bounds,
    set_object_attributes,
    set_vertex_attributes,
    store_info,
    vacuum,
    validate,
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


def edit_twice(store: dict[str, bytes]) -> None:
    """Delete and vacuum twice: keys that old documents name are there again, with other content.

    As another process does it, of which the handles of this one are told nothing.
    """
    elsewhere = dict(store)
    for i in (5, 9):
        delete_objects(elsewhere, [i])
        vacuum(elsewhere)
    store.clear()
    store.update(elsewhere)


def linked(made: Any, place: str, kind: str = "graph") -> dict[str, bytes]:
    store: dict[str, bytes] = {}
    made.write(store, kind, made.IDS, chunk_shape=(50.0, 50.0))
    build_pyramid(store, factors=[(2, 1)], cross_level_storage="implicit")
    if place == "consolidated":
        open_store(store, "r+").consolidate()
    return store


def pairs(links: Any) -> list[list[int]]:
    return np.stack([links.source, links.target], axis=1).tolist()


# What is asked of a store, and the function of a module that is called for it after documents
# have been read.
ASKED = {
    "links": (lambda place: pairs(read_level_links(place)), _linked, "gather_whole"),
    "facts": (lambda place: replace(store_info(place), url=""), _summary, "linked_levels"),
    "report": (lambda place: replace(validate(place, 5), location=""), _validate, "check_cells"),
}


@pytest.mark.parametrize("place", ["memory", "consolidated"])
@pytest.mark.parametrize("kind", ["point", "polyline", "graph"])
def test_facts_links_and_reports_are_of_now_whatever_the_handle_is_of(
    made: Any, kind: str, place: str
) -> None:
    store = linked(made, place, kind)
    handle = open_store(store)
    before = {name: ask(handle) for name, (ask, _, _) in ASKED.items()}
    edit_twice(store)
    rechunk(store, chunk_shape=(40.0, 50.0), bin_shape=(20.0, 25.0))
    for name, (ask, _, _) in ASKED.items():
        assert ask(open_store(store)) != before[name]
        assert repr(ask(handle)) == repr(ask(open_store(store)))
    assert validate(handle, 5).errors == ()


@pytest.mark.parametrize("place", ["memory", "consolidated"])
@pytest.mark.parametrize("name", ASKED)
def test_an_edit_in_between_is_no_mixture(
    made: Any, monkeypatch: pytest.MonkeyPatch, name: str, place: str
) -> None:
    store = linked(made, place)
    ask, module, called = ASKED[name]
    inner = getattr(module, called)

    def edited_before(*args: Any, **options: Any) -> Any:
        monkeypatch.setattr(module, called, inner)
        edit_twice(store)
        return inner(*args, **options)

    monkeypatch.setattr(module, called, edited_before)
    assert repr(ask(store)) == repr(ask(store))
    assert getattr(module, called) is inner


@pytest.mark.parametrize("name", ASKED)
def test_facts_links_and_reports_of_a_store_that_is_edited_all_the_time(
    made: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    store, edits = linked(made, "memory"), iter(range(100))
    ask, module, called = ASKED[name]
    inner = getattr(module, called)

    def edited_after(*args: Any, **options: Any) -> Any:
        found = inner(*args, **options)
        set_object_attributes(store, {"w": np.full(4, next(edits))})
        return found

    monkeypatch.setattr(module, called, edited_after)
    with pytest.raises(ConflictError) as caught:
        ask(store)
    assert caught.value.kind == "edited"


@pytest.mark.parametrize("place", ["memory", "consolidated"])
def test_facts_of_an_old_handle_are_those_of_now(made: Any, place: str) -> None:
    store = linked(made, place)
    handle = open_zv(store)
    level = handle[0]

    def facts(handle: Any, level: Any) -> list[Any]:
        column = level.attributes["row"]
        return [
            handle.bounds, handle.chunk_shape, handle.levels, level.vertex_count,
            level.chunk_keys, level.chunk_shape, level.bin_shape, list(level.attributes),
            level.level_metadata.vertex_count, column.dtype, column.row_shape,
        ]  # fmt: skip

    seen = [facts(handle, level)]
    for edit in (
        lambda: edit_twice(store),
        lambda: rechunk(store, chunk_shape=(25.0, 40.0)),
        lambda: set_bounds(store, ([-60, -50], [150, 170])),
        lambda: set_vertex_attributes(store, {"new": np.arange(2 * made.N)}),
    ):
        edit()
        fresh = open_zv(store)
        assert facts(handle, level) == facts(fresh, fresh[0])
        assert facts(handle, level) not in seen
        seen.append(facts(handle, level))

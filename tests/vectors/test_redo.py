"""Additions that are cut off anywhere have happened or not, and the next writer sees to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest

from anyzarr import crud
from anyzarr.abc import ABSENT
from anyzarr.errors import UnsupportedError
from anyzarr.stores import MemoryStore
from anyzarr.testing import StoreCase, store_contract
from anyzarr.vectors import (
    build_pyramid,
    delete_objects,
    open_store,
    read_fragments,
    read_graph,
    read_mesh,
    read_points,
    read_polylines,
    rechunk,
    set_fragment_attributes,
    vacuum,
    validate,
    write_graph,
    write_mesh,
    write_points,
    write_polylines,
)
from anyzarr.vectors._recorded import RecordedStore

from ._dies import Dies

Objects = dict[str, bytes]
N = 20
BOUNDS = ([0.0] * 2, [200.0] * 2)
KINDS = ("points", "polyline", "graph", "mesh")
RECORD = ".anyzarr-addition-to-0"


def positions_of(number: int) -> Any:
    # Those of object 9 lie on both sides of the bounds.
    span = (-100, 300) if number == 9 else (0, 200)
    return np.random.default_rng(number).uniform(*span, (N, 2)).astype("f4")


def write(store: Any, number: int, kind: str, mode: str = "append", **options: Any) -> None:
    positions = positions_of(number)
    options |= {"chunk_shape": (50.0, 50.0), "mode": mode}
    options |= {"object_ids": [number] if kind == "polyline" else [number] * N}
    if mode == "create":
        options |= {"bounds": BOUNDS}
    if number == 9:
        options |= {"out_of_bounds": "expand"}
    if kind == "points":
        rows = number * N + np.arange(N)
        write_points(store, positions, vertex_attributes={"n": rows}, **options)
    elif kind == "polyline":
        write_polylines(store, [positions], object_attributes={"w": [float(number)]}, **options)
    elif kind == "graph":
        write_graph(store, positions, [[k, k + 1] for k in range(N - 1)], **options)
    else:
        write_mesh(store, positions, [[k, k + 1, k + 2] for k in range(N - 2)], **options)


def content(store: Any, kind: str) -> dict[int, Any]:
    """Return the sorted positions of each object, having checked what belongs to them."""
    if kind == "points":
        points = read_points(store, attribute_names=["n"], with_object_ids=True)
        rows = points.vertex_attributes["n"]
        assert np.array_equal(rows // N, points.object_ids)
        found = {n: points.positions[points.object_ids == n] for n in np.unique(points.object_ids)}
    elif kind == "polyline":
        lines = read_polylines(store)
        assert np.array_equal(lines.object_attributes["w"], lines.object_ids)
        for number, line in zip(lines.object_ids.tolist(), lines.polylines, strict=True):
            assert np.array_equal(line, positions_of(number))
        found = dict(zip(lines.object_ids, lines.polylines, strict=True))
    elif kind == "graph":
        graph = read_graph(store)
        assert len(graph.edges) * N == len(graph.positions) * (N - 1)
        ids = graph.object_ids
        found = {n: graph.positions[ids == n] for n in np.unique(ids)}
    else:
        mesh = read_mesh(store)
        assert len(mesh.faces) * N == len(mesh.vertices) * (N - 2)
        found = {n: mesh.vertices[mesh.object_ids == n] for n in np.unique(mesh.object_ids)}
    return {int(n): np.sort(found[n], axis=0) for n in found}


def require(store: Any, kind: str, numbers: set[int]) -> None:
    """Check that the store holds exactly these objects, and that all is in order."""
    found = content(store, kind)
    assert found.keys() == numbers
    for number in numbers:
        assert np.array_equal(found[number], np.sort(positions_of(number), axis=0))
    assert validate(store, 5).errors == ()


def cut_off(before: Objects, number: int, kind: str, step: int = 1) -> Iterator[tuple[int, Dies]]:
    """Give the stores that an addition leaves when it is cut off after each step-th change."""
    changes = 0
    while True:
        store = Dies(dict(before))
        store.left = changes
        try:
            write(store, number, kind)
        except OSError as error:
            store.left = 10**9
            is_told = any("do not add" in note for note in getattr(error, "__notes__", ()))
            assert is_told == (RECORD in store.data)
        else:
            return
        yield changes, store
        changes += step


@pytest.mark.parametrize("consolidated", [False, True])
@pytest.mark.parametrize("number", [1, 9])
@pytest.mark.parametrize("kind", KINDS)
def test_an_addition_cut_off_anywhere_has_happened_or_has_not(
    kind: str, number: int, consolidated: bool
) -> None:
    before: Objects = {}
    write(before, 0, kind, "create")
    if consolidated:
        crud.consolidate_metadata(MemoryStore(before), "")
    happened = False
    step = 3 if number == 1 else 7
    for changes, store in cut_off(before, number, kind, step):
        assert validate(store, 5).errors == ()
        # From the moment on, which is a single put.
        happened |= RECORD in store.data
        whole = {0, number} if happened else {0}
        if changes % 2:
            write(store, 2, kind)
            require(store, kind, whole | {2})
        else:
            vacuum(store)
            require(store, kind, whole)
        assert RECORD not in store.data
        if changes % 5 == 0:
            rechunk(store, chunk_shape=(40.0, 40.0))
            assert validate(store, 5).errors == ()
    assert happened


def test_who_checks_a_store_sees_an_addition_that_is_not_finished() -> None:
    before: Objects = {}
    write(before, 0, "polyline", "create")
    seen = set()
    for _, store in cut_off(before, 1, "polyline"):
        store = MemoryStore(store.data, read_only=True)
        report = validate(store, 5)
        rules = {finding.rule for finding in report.warnings}
        assert ("unfinished-write" in rules) == (RECORD in store.data)
        seen.add(report.n_vertices)
    assert seen == {N, 2 * N}


def test_attributes_of_fragments_are_added_with_their_fragments() -> None:
    before: Objects = {}
    write(before, 0, "polyline", "create")
    n = read_fragments(before).fragment_count
    set_fragment_attributes(before, {"f": np.arange(n, dtype="f4"), "object_id": np.zeros(n, int)})
    added = set()
    for _, store in cut_off(before, 1, "polyline"):
        fragments = read_fragments(store)
        first = fragments.object_ids == 0
        assert np.array_equal(fragments.fragment_attributes["f"][first], range(n))
        write(store, 2, "polyline")
        fragments = read_fragments(store)
        assert np.array_equal(fragments.fragment_attributes["object_id"], fragments.object_ids)
        added.add(tuple(np.unique(fragments.object_ids).tolist()))
        assert validate(store, 5).errors == ()
    assert added == {(0, 2), (0, 1, 2)}


def decided(kind: str, before: Objects) -> Dies:
    """Return a store in which an addition was decided, and not made."""
    return next(store for _, store in cut_off(before, 1, kind) if RECORD in store.data)


def test_an_edit_completes_an_addition_first() -> None:
    before: Objects = {}
    write(before, 0, "polyline", "create")
    store = decided("polyline", before)
    assert content(store, "polyline").keys() == {0}
    delete_objects(store, [1])
    require(store, "polyline", {0})
    store = decided("polyline", before)
    delete_objects(store, [0])
    require(store, "polyline", {1})


def test_an_addition_to_a_level_is_completed_where_levels_of_detail_are_stale() -> None:
    before: Objects = {}
    write(before, 0, "polyline", "create")
    build_pyramid(before, factors=[(2, 1.0)])
    store = decided("polyline", before)
    write(store, 2, "polyline")
    require(store, "polyline", {0, 1, 2})
    assert [finding.rule for finding in validate(store, 5).warnings] == ["stale"]


def test_levels_of_detail_are_made_of_what_was_decided() -> None:
    before: Objects = {}
    write(before, 0, "polyline", "create")
    store = decided("polyline", before)
    build_pyramid(store, factors=[(2, 1.0)])
    assert read_polylines(store, level=1).object_ids.tolist() == [0, 1]
    require(store, "polyline", {0, 1})


def test_what_another_library_wrote_meanwhile_is_not_overwritten() -> None:
    before: Objects = {}
    write(before, 0, "polyline", "create")
    store = decided("polyline", before)
    crud.update_attributes(store, "0", lambda attributes: {**attributes, "seen": True})
    write(store, 2, "polyline")
    require(store, "polyline", {0, 2})
    assert open_store(store)["0"].attrs["seen"] is True


@pytest.mark.parametrize("length", [0, 10, 60, -1])
def test_a_record_that_is_not_whole_counts_for_nothing(length: int) -> None:
    before: Objects = {}
    write(before, 0, "polyline", "create")
    store = decided("polyline", before)
    store.data[RECORD] = bytes(store.data[RECORD])[:length]
    assert validate(store, 5).errors == ()
    write(store, 2, "polyline")
    require(store, "polyline", {0, 2})
    assert RECORD not in store.data


def recorded(objects: Mapping[str, bytes]) -> RecordedStore:
    """Return a view with some objects in the store below, some recorded, and one recorded gone."""
    below = {key: value for n, (key, value) in enumerate(objects.items()) if n % 2}
    above: dict[str, bytes | None] = {k: v for k, v in objects.items() if k not in below}
    return RecordedStore(MemoryStore({**below, "gone": b"before"}), [{**above, "gone": None}])


CASES = [case for case in store_contract(recorded) if case.way == "sync"]
CONDITIONAL = {"puts-if-absent", "puts-if-unchanged", "loses-no-update", "tells-versions-apart"}
REBUILT = {"is-a-value", "reads-below-prefixes", "refuses-writes"}  # it stays where it is made


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.requirement not in CONDITIONAL | REBUILT], ids=str
)
def test_a_view_with_recorded_changes_is_a_store(case: StoreCase) -> None:
    case.run()


def test_a_view_with_recorded_changes_puts_nothing_on_a_condition() -> None:
    with pytest.raises(UnsupportedError, match="condition"):
        recorded({}).put("a", b"", precondition=ABSENT)

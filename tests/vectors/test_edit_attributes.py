"""Attributes of objects and vertices are replaced and added, and nothing else changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from anyzarr.errors import MetadataError, NodeNotFoundError
from anyzarr.vectors import (
    open_store,
    read_graph,
    read_points,
    read_polylines,
    set_object_attributes,
    set_vertex_attributes,
    validate,
    write_points,
)

KINDS = ["point", "polyline", "graph"]


def read(store: Any, kind: str, **query: Any) -> Any:
    query["attribute_names"] = "all"
    if kind == "point":
        return read_points(store, with_object_ids=True, **query)
    return read_polylines(store, **query) if kind == "polyline" else read_graph(store, **query)


def column(result: Any, name: str) -> np.ndarray:
    values = result.vertex_attributes[name]
    return np.concatenate(values) if isinstance(values, list | tuple) else np.asarray(values)


@pytest.mark.parametrize("kind", KINDS)
def test_vertices_get_other_values_and_new_attributes(made, kind: str) -> None:
    store: dict[str, bytes] = {}
    made.write(store, kind, made.IDS, shard_shape=2)
    before = made.content(store, kind)
    row = column(read(store, kind), "row")
    set_vertex_attributes(store, {"row": row + 7, "pair": np.stack([row, -row], axis=1) / 4})
    found = read(store, kind)
    assert np.array_equal(column(found, "row"), row + 7)
    assert np.array_equal(column(found, "pair"), np.stack([row, -row], axis=1) / 4)
    assert made.content(store, kind) == before
    made.check(store)


@pytest.mark.parametrize("kind", KINDS)
def test_vertices_of_some_objects_get_others(made, kind: str) -> None:
    store: dict[str, bytes] = {}
    made.write(store, kind, made.IDS)
    chosen = [9, 2]
    row = column(read(store, kind, object_ids=chosen), "row")
    assert set(row // 100) == {2, 9}
    set_vertex_attributes(
        store, {"row": row + 7, "name": [f"v{r}" for r in row]}, object_ids=chosen
    )
    found = read(store, kind)
    new, name = column(found, "row"), column(found, "name")
    of_chosen = np.isin(new // 100, chosen)
    assert sorted(new[of_chosen]) == sorted(row + 7)
    assert sorted(new[~of_chosen]) == [100 * i + k for i in (5, 6) for k in range(made.N)]
    assert name[of_chosen].tolist() == [f"v{r - 7}" for r in new[of_chosen]]
    made.check(store)


def test_objects_get_other_values_and_new_attributes(made) -> None:
    store: dict[str, bytes] = {}
    made.write(store, "polyline", made.IDS)
    set_object_attributes(store, {"w": [1.0, 2.0], "k": [3, 4]}, object_ids=[9, 2])
    found = read_polylines(store)
    assert found.object_attributes["w"].tolist() == [2.0, 50.0, 60.0, 1.0]
    assert found.object_attributes["k"].tolist() == [4, -(2**63), -(2**63), 3]
    set_object_attributes(store, {"name": ["a", "b", "c", "d"]})
    assert read_polylines(store).object_attributes["name"].tolist() == ["a", "b", "c", "d"]
    made.check(store)


def test_what_does_not_fit_is_refused_and_nothing_changes(made) -> None:
    store: dict[str, bytes] = {}
    made.write(store, "polyline", made.IDS)
    before = dict(store)
    with pytest.raises(NodeNotFoundError, match="no object 4 "):
        set_object_attributes(store, {"w": [1.0]}, object_ids=[4])
    with pytest.raises(NodeNotFoundError, match="no object 4 "):
        set_vertex_attributes(store, {"row": [1]}, object_ids=[4])
    with pytest.raises(MetadataError, match="needs 48 rows"):
        set_vertex_attributes(store, {"row": [1]})
    with pytest.raises(MetadataError, match="convert them"):
        set_vertex_attributes(store, {"row": np.ones(48)})
    assert store == before


def test_rows_that_a_killed_writer_left_stay_as_they_are() -> None:
    store: dict[str, bytes] = {}
    positions = np.random.default_rng(0).uniform(0, 100, (50, 2))
    bounds = ([0, 0], [100, 100])
    write_points(store, positions, chunk_shape=(50, 50), bounds=bounds)
    fragments = {k: v for k, v in store.items() if k.startswith("0/vertex_fragments/c")}
    level = store["0/zarr.json"]
    write_points(store, positions, mode="append")
    store |= {**fragments, "0/zarr.json": level.replace(b'tile": true', b'tile": false')}
    assert read_points(store).vertex_count == 50
    set_vertex_attributes(store, {"x": read_points(store).positions[:, 0]})
    found = read_points(store, attribute_names=["x"])
    assert np.array_equal(found.vertex_attributes["x"], found.positions[:, 0])
    assert validate(store, 5).valid
    write_points(store, positions, mode="append", vertex_attributes={"x": positions[:, 0]})
    found = read_points(store, attribute_names=["x"])
    assert found.vertex_count == 100
    assert np.allclose(found.vertex_attributes["x"], found.positions[:, 0])


def test_an_edit_cut_off_anywhere_changes_all_attributes_or_none(made) -> None:
    before: dict[str, bytes] = {}
    made.write(before, "point", made.IDS, shard_shape=2)
    row = column(read(before, "point"), "row")

    def edit(store: Any) -> None:
        set_vertex_attributes(store, {"row": row + 1000, "half": row / 2})

    def state(store: Any) -> str:
        found = read(store, "point")
        if "half" not in found.vertex_attributes:
            assert np.array_equal(column(found, "row"), row)
            return "old"
        assert np.array_equal(column(found, "row"), row + 1000)
        assert np.array_equal(column(found, "half"), row / 2)
        return "new"

    def again(store: Any) -> None:
        set_object_attributes(store, {"w": [1.0] * 4})
        assert "consolidated_metadata" not in open_store(store).metadata.document

    made.cut_off_anywhere(before, edit, state, again)

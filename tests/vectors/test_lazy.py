"""Selections of each geometry: equal to what the eager functions read, from few chunks."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anyzarr.errors import SelectionError
from anyzarr.stores import MemoryStore
from anyzarr.vectors import (
    open_zv,
    read_graph,
    read_lines,
    read_mesh,
    read_points,
    read_polylines,
    write_graph,
    write_lines,
    write_mesh,
    write_points,
    write_polylines,
)

Array = npt.NDArray[Any]
CHUNKS = (10.0, 7.5)
IDS = [4, 2, 9, 11, 3]
READ: dict[str, Callable[..., Any]] = {
    "point": read_points,
    "line": read_lines,
    "polyline": read_polylines,
    "graph": read_graph,
    "skeleton": read_graph,
    "mesh": read_mesh,
}
KINDS = [*READ]


def write(store: Any, kind: str, rng: np.random.Generator, **more: Any) -> None:
    """Write five objects of a geometry, with attributes and groups."""
    options: dict[str, Any] = {"chunk_shape": CHUNKS, "dtype": "float64"}
    options |= {"object_ids": IDS, "groups": {0: [4, 9], 1: [2, 3, 9]}, **more}
    walks = [rng.uniform(-20, 20, 2) + np.cumsum(rng.normal(0, 4, (6, 2)), axis=0) for _ in IDS]
    nodes, owner = np.concatenate(walks), np.repeat(IDS, 6)
    options["vertex_attributes"] = {"i": np.arange(30), "v": nodes * 2}
    within = np.arange(30).reshape(5, 6)
    edges = np.stack([within[:, :-1], within[:, 1:]], axis=-1).reshape(-1, 2)
    if kind == "point":
        write_points(store, nodes, **options | {"object_ids": owner})
    elif kind == "line":
        ends = np.stack([walk[[0, 5]] for walk in walks])
        write_lines(store, ends, **options | {"vertex_attributes": {"i": within[:, [0, 5]]}})
    elif kind == "polyline":
        write_polylines(store, walks, **options)
    elif kind == "mesh":
        faces = np.concatenate([within[:, [0, 1, 2]], within[:, [3, 5, 4]]])
        write_mesh(store, nodes, faces, **options | {"object_ids": owner})
    else:
        parents = edges[:, ::-1] if kind == "skeleton" else edges
        name: Any = kind
        write_graph(store, nodes, parents, kind=name, **options | {"object_ids": owner})


def equal(found: Any, expected: Any) -> bool:
    """Return whether two results are of one type and have equal values."""
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(
            equal(found[name], expected[name]) for name in expected
        )
    if dataclasses.is_dataclass(expected):
        names = [field.name for field in dataclasses.fields(expected)]
        return type(found) is type(expected) and all(
            equal(getattr(found, name), getattr(expected, name)) for name in names
        )
    return np.array_equal(found, expected)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(KINDS), st.data())
def test_what_is_lazy_equals_what_is_read_at_once(seed: int, kind: str, data: Any) -> None:
    rng = np.random.default_rng(seed)
    store: dict[str, bytes] = {}
    write(store, kind, rng, shard_shape=data.draw(st.sampled_from([None, "auto"])))
    low = rng.uniform(-25, 10, 2)
    query: dict[str, Any] = {
        "bbox": (low, low + rng.uniform(5, 30, 2)),
        "object_ids": rng.permutation(IDS)[:3].tolist(),
        "group_ids": [1],
        "chunks": [(x, y) for x in range(-2, 2) for y in range(-3, 2)],
    }
    chosen = {name: query[name] for name in query if data.draw(st.booleans(), label=name)}
    if kind != "point" and "bbox" in chosen:
        chosen["bbox_mode"] = data.draw(st.sampled_from(["intersects", "touches-chunk", "clip"]))
    expected = READ[kind](store, attribute_names="all", **chosen)
    lazy = open_zv(store)[0]
    assert equal(lazy.filter(**chosen).compute(), expected)
    for name, value in chosen.items():
        lazy = lazy.filter(**{name: value})
    assert equal(lazy.compute(), expected)
    named = {"line": "endpoints", "mesh": "vertices"}.get(kind, "positions")
    rows = lazy.vertices.compute()
    assert np.array_equal(rows, getattr(expected, named).reshape(-1, 2))
    assert len(lazy.attributes["i"].compute()) == len(rows)


@pytest.mark.parametrize("kind", KINDS)
def test_a_column_in_blocks_is_the_column(kind: str) -> None:
    pytest.importorskip("dask.array")
    store: dict[str, bytes] = {}
    write(store, kind, np.random.default_rng(1))
    for part in (open_zv(store)[0], open_zv(store)[0].filter(bbox=([-9, -9], [9, 9]))):
        for column in (part.vertices, *part.attributes.values()):
            assert np.array_equal(column.to_dask().compute(), column.compute())


@pytest.mark.parametrize("kind", KINDS)
def test_attributes_that_are_not_wanted_are_not_read(kind: str) -> None:
    store = Counting()
    write(store, kind, np.random.default_rng(2))
    part = open_zv(store)[0].filter(attribute_names=["i"])
    store.keys.clear()
    assert list(part.attributes) == ["i"]
    assert list(part.compute().vertex_attributes) == ["i"]
    assert part.compute(None).vertex_attributes == {}
    assert not [key for key in store.keys if "vertex_attributes/v/c" in key]


@pytest.mark.parametrize("kind", KINDS)
def test_boxes_without_anything_in_common_choose_nothing(kind: str) -> None:
    store: dict[str, bytes] = {}
    write(store, kind, np.random.default_rng(3))
    part = open_zv(store)[0].filter(bbox=([-50, -50], [0, 0])).filter(bbox=([1, 1], [50, 50]))
    assert part.vertices.compute().shape == (0, 2)
    with pytest.raises(SelectionError) as error:
        part.filter(bbox_mode="near")
    assert error.value.kind == "bbox_mode"


class Counting(MemoryStore):
    """Remembers what is asked for, and in how many rounds."""

    def __init__(self) -> None:
        super().__init__()
        self.keys: list[str] = []
        self.rounds: list[int] = []

    def get(self, key: str, byte_range: Any = None) -> Any:
        self.keys.append(key)
        self.rounds.append(1)
        return super().get(key, byte_range)

    def get_many(self, requests: Any) -> Any:
        wanted = list(requests)
        self.keys += [request if isinstance(request, str) else request[0] for request in wanted]
        self.rounds.append(len(wanted))
        return super().get_many(wanted)


def cells_read(store: Counting, array: str) -> set[tuple[int, ...]]:
    """Return the keys of chunks of an array that were asked for, as indices."""
    found = [key.partition(f"0/{array}/c/")[2] for key in store.keys if f"0/{array}/c/" in key]
    return {tuple(map(int, key.split("/"))) for key in found}


def strip(kind: str, store: Counting) -> None:
    """Write 20 objects in a row, each over two of 40 chunks, each chunk an object of the store."""
    starts = np.stack([np.arange(20) * 20.0 + 5, np.full(20, 5.0)], axis=-1)
    walks = starts[:, None] + np.array([[0.0, 0], [2, 1], [8, 0], [10, 2]])
    nodes, owner = walks.reshape(-1, 2), np.repeat(np.arange(20), 4)
    within = np.arange(80).reshape(20, 4)
    options: dict[str, Any] = {"chunk_shape": (10, 10), "shard_shape": None}
    options |= {"vertex_attributes": {"i": np.arange(80)}}
    edges = np.stack([within[:, :-1], within[:, 1:]], axis=-1).reshape(-1, 2)
    if kind == "point":
        write_points(store, nodes, object_ids=owner, **options)
    elif kind == "line":
        write_lines(store, walks[:, [0, 3]], **options | {"vertex_attributes": {}})
    elif kind == "polyline":
        write_polylines(store, list(walks), **options)
    elif kind == "mesh":
        write_mesh(store, nodes, within[:, :3], object_ids=owner, **options)
    elif kind == "skeleton":
        write_graph(store, nodes, edges[:, ::-1], kind="skeleton", object_ids=owner, **options)
    else:
        write_graph(store, nodes, edges, object_ids=owner, **options)


BOX = ([122, 0], [129, 9])
QUERIES: dict[str, tuple[dict[str, Any], set[tuple[int, int]]]] = {
    "clip": ({"bbox": BOX, "bbox_mode": "clip"}, {(12, 0), (13, 0)}),
    "intersects": ({"bbox": BOX}, {(12, 0), (13, 0)}),
    "object": ({"object_ids": [6]}, {(12, 0), (13, 0)}),
    "chunk": ({"chunks": [(12, 0)]}, {(12, 0), (13, 0)}),
    "chunk of object": ({"chunks": [(12, 0)], "object_ids": [6, 7]}, {(12, 0), (13, 0)}),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("query", QUERIES)
def test_only_chunks_that_matter_are_fetched_in_few_rounds(kind: str, query: str) -> None:
    store = Counting()
    strip(kind, store)
    conditions, cells = QUERIES[query]
    part = open_zv(store)[0].filter(**conditions)
    store.keys.clear()
    store.rounds.clear()
    part.vertices.compute()
    assert cells_read(store, "vertices") <= cells
    assert len(cells_read(store, "vertices")) >= 1
    assert cells_read(store, "vertex_fragments") <= cells
    assert cells_read(store, "vertex_attributes/i") == set()
    # Documents of the level, of links, manifests; vertices, fragments, links of each kind.
    assert len(store.rounds) <= (6 if kind == "point" else 16)


def test_a_graph_without_objects_is_read_where_the_box_is() -> None:
    store = Counting()
    nodes = np.stack([np.arange(40) * 10.0 + 5, np.full(40, 5.0)], axis=-1)
    edges = np.stack([np.arange(39), np.arange(1, 40)], axis=-1)
    write_graph(store, nodes, edges, chunk_shape=(10, 10), shard_shape=None)
    part = open_zv(store)[0].filter(bbox=([101, 0], [102, 9]), bbox_mode="clip")
    store.keys.clear()
    part.compute()
    assert cells_read(store, "vertices") <= {(9, 0), (10, 0), (11, 0)}


@pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")
@pytest.mark.filterwarnings("ignore:open_zv.. is superseded:DeprecationWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_values_are_those_of_the_package(kind: str, tmp_path: Path) -> None:
    package = pytest.importorskip("zarr_vectors.lazy")
    # Its lazy reader takes all positions for float32.
    options = {"shard_shape": None, "dtype": "float32"}
    write(str(tmp_path / "a.zv"), kind, np.random.default_rng(5), **options)
    ours, theirs = open_zv(tmp_path / "a.zv")[0], package.open_zv(str(tmp_path / "a.zv"))[0]

    def rows(positions: Array) -> list[Any]:
        return sorted(map(tuple, np.asarray(positions, np.float32).tolist()))

    assert rows(ours.vertices.compute()) == rows(theirs.vertices.compute())
    wanted = IDS[1:3]
    found = theirs.filter(object_ids=wanted).compute()["positions"]
    assert rows(ours.filter(object_ids=wanted).vertices.compute()) == rows(found)
    if kind == "point":
        box = (np.array([-15.0, -15]), np.array([12.0, 14]))
        found = theirs.filter(bbox=box).compute()["positions"]
        assert rows(ours.filter(bbox=box).vertices.compute()) == rows(found)

"""Attributes of fragments are kept where vertices are cut into fragments anew."""

from __future__ import annotations

import itertools
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anyzarr
from anyzarr import crud
from anyzarr.errors import UnsupportedError
from anyzarr.vectors import (
    build_pyramid,
    open_store,
    open_zv,
    read_fragments,
    read_points,
    read_polylines,
    rechunk,
    set_fragment_attributes,
    validate,
    write_points,
    write_polylines,
)
from anyzarr.vectors._gather import gather_cells
from anyzarr.vectors._level import open_level

arrays = pytest.importorskip("zarr_vectors.core.arrays", reason="needs zarr-vectors")
stores = pytest.importorskip("zarr_vectors.core.store")
types = pytest.importorskip("zarr_vectors.types")
# zarr-python warns of the data type of the format, which has no specification yet.
pytestmark = pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")

KINDS = ["point", "polyline", "graph", "skeleton", "mesh"]
SHAPES = {"there": (100.0, 100.0), "here": (60.0, 45.0)}


def write(made: Any, place: Any, kind: str, **options: Any) -> None:
    """Write objects whose fragments have attributes, some of which are equal."""
    made.write(place, kind, made.IDS, chunk_shape=(40.0, 90.0), **options)
    found = read_fragments(place)
    number = (found.chunks.sum(axis=1) + found.numbers) % 3
    set_fragment_attributes(place, {
        "q": number * 0.5,
        "pair": np.stack([number, -number], axis=1),
        "text": np.asarray(["a", "b", "c"])[number],
        "object_id": found.object_ids,
    })  # fmt: skip


class Stored:
    """The fragments of level 0 as the package reads them: by chunk and number."""

    def __init__(self, path: str) -> None:
        self.level = stores.get_resolution_level(stores.open_store(path), 0)
        ids, manifests = arrays.read_object_manifest_rows(self.level)
        self.of_object = {
            int(i): [(tuple(map(int, chunk)), int(number)) for chunk, number in manifest]
            for i, manifest in zip(ids, manifests, strict=True)
        }
        dtype = self.level.read_array_meta("vertices")["dtype"]
        self.vertices, self.rows = {}, {}
        for chunk in {chunk for some in self.of_object.values() for chunk, _ in some}:
            parts = arrays.read_chunk_vertices(self.level, chunk, dtype=np.dtype(dtype), ndim=2)
            columns = [
                arrays.read_chunk_fragment_attributes(self.level, name, chunk).tolist()
                for name in ("q", "pair", "text", "object_id")
            ]
            for number, row in enumerate(zip(*columns, strict=True)):
                self.rows[chunk, number] = repr(row[:3])
                self.vertices[chunk, number] = [tuple(v) for v in parts[number].tolist()]
                assert (chunk, number) in self.of_object[int(row[3])]
            assert len(parts) == len(columns[0])


def expected(kind: str, before: Stored, chunk_shape: tuple[float, ...]) -> dict[int, Any]:
    """Return for each object what fragments it has in other chunks: their vertices and rows."""
    found: dict[int, Any] = {}
    for i, fragments in before.of_object.items():
        vertices = [(v, before.rows[key]) for key in fragments for v in before.vertices[key]]
        keys = [
            (tuple(np.floor_divide(v, chunk_shape).astype(int).tolist()), row)
            for v, row in vertices
        ]
        pairs = list(zip(keys, (v for v, _ in vertices), strict=True))
        if kind == "polyline":
            runs = itertools.groupby(pairs, lambda pair: pair[0])
            found[i] = [(*key, [v for _, v in some]) for key, some in runs]
            continue
        parts: dict[Any, list[Any]] = defaultdict(list)
        for key, v in pairs:
            parts[key].append(v)
        found[i] = sorted((*key, sorted(some)) for key, some in parts.items())
    return found


def there(kind: str, stored: Stored) -> dict[int, Any]:
    found = {
        i: [(key[0], stored.rows[key], stored.vertices[key]) for key in fragments]
        for i, fragments in stored.of_object.items()
    }
    if kind == "polyline":
        return found
    return {i: sorted((a, b, sorted(c)) for a, b, c in some) for i, some in found.items()}


def read_by_the_package(path: str, kind: str) -> Any:
    if kind == "point":
        return sorted(types.points.read_points(path)["positions"].tolist())
    if kind == "polyline":
        lines = types.polylines.read_polylines(path, object_ids=[2, 5, 6, 9])["polylines"]
        return [np.concatenate(line).tolist() for line in lines]
    if kind == "mesh":
        mesh = types.meshes.read_mesh(path)
        return sorted(mesh["vertices"][mesh["faces"]].tolist())
    graph = types.graphs.read_graph(path)
    return sorted(graph["positions"].tolist()), sorted(graph["positions"][graph["edges"]].tolist())


@pytest.mark.parametrize("place", ["here", "there"])
@pytest.mark.parametrize("kind", KINDS)
def test_new_fragments_have_the_attributes_of_those_that_they_were_part_of(
    made: Any, tmp_path: Path, kind: str, place: str
) -> None:
    path, chunk_shape = str(tmp_path / "a"), SHAPES[place]
    write(made, path, kind, compressor="zstd")
    content, before, theirs = (
        made.content(path, kind),
        Stored(path),
        read_by_the_package(path, kind),
    )
    target = path if place == "here" else str(tmp_path / "b")
    rechunk(path, chunk_shape=chunk_shape, output=None if place == "here" else target)
    after = Stored(target)
    assert there(kind, after) == expected(kind, before, chunk_shape)
    places = [(i, key[0]) for i, some in after.of_object.items() for key in some]
    assert len(set(places)) < len(places)
    assert made.content(target, kind) == content
    assert read_by_the_package(target, kind) == theirs
    made.check(target)
    fragments = read_fragments(target)
    columns = fragments.fragment_attributes
    assert columns["object_id"].tolist() == fragments.object_ids.tolist()
    assert columns["text"].tolist() == ["abc"[int(q * 2)] for q in columns["q"]]
    assert (columns["pair"] == np.stack([columns["q"], -columns["q"]], 1) * 2).all()
    made.write(target, kind, [11], mode="append", chunk_shape=None)
    assert made.content(target, kind) == {**content, **made.expected(kind, [11])}
    assert read_fragments(target).fragment_attributes["object_id"].max() == 11
    made.check(target)


def test_a_box_meets_a_path_between_two_fragments_of_one_chunk() -> None:
    store: dict[str, bytes] = {}
    line = [[1.0, 1.0], [9.0, 1.0], [11.0, 1.0], [19.0, 1.0]]
    write_polylines(store, [line], chunk_shape=(10, 10), bounds=([0, 0], [40, 40]))
    set_fragment_attributes(store, {"q": [1, 2]})
    rechunk(store, chunk_shape=(40, 40))
    fragments = read_fragments(store)
    assert fragments.chunks.tolist() == [[0, 0], [0, 0]]
    assert fragments.fragment_attributes["q"].tolist() == [1, 2]
    between = ([9.5, 0], [10.5, 2])
    assert read_polylines(store, bbox=between, bbox_mode="intersects").object_ids.tolist() == [0]
    assert read_polylines(store).polylines[0].tolist() == line
    rechunk(store, chunk_shape=(15, 40))
    fragments = read_fragments(store)
    assert fragments.vertex_counts.tolist() == [2, 1, 1]
    assert fragments.fragment_attributes["q"].tolist() == [1, 2, 2]
    assert validate(store, 5).valid


def binned(n: int = 200, **options: Any) -> tuple[dict[str, bytes], np.ndarray]:
    store: dict[str, bytes] = {}
    positions = np.random.default_rng(0).uniform(0, 40, (n, 2))
    write_points(store, positions, chunk_shape=(20, 20), bin_shape=(5, 5), dtype="float64",
                 bounds=([0, 0], [40, 40]), **options)  # fmt: skip
    return store, positions


def attributes_of_vertices(store: Any, name: str, number: int = 0) -> list[Any]:
    """Return for each vertex its position, and an attribute of its fragment."""
    level = open_level(store, number)
    gathered = gather_cells(level, level.cells)
    column = read_fragments(store, level=number).fragment_attributes[name][
        gathered.fragment_of_vertex
    ]
    return sorted(zip(gathered.positions.tolist(), column.tolist(), strict=True))


@pytest.mark.parametrize("shape", [(40.0, 40.0), (10.0, 20.0), (8.0, 8.0)])
def test_bins_keep_their_attributes(shape: tuple[float, float]) -> None:
    store, _ = binned(20)
    fragments = read_fragments(store)
    names = np.char.add("bin ", np.arange(fragments.fragment_count).astype(str))
    set_fragment_attributes(store, {"n": fragments.vertex_counts, "name": names})
    before = [attributes_of_vertices(store, name) for name in ("n", "name")]
    assert (fragments.vertex_counts == 0).any()
    rechunk(store, chunk_shape=shape)
    assert [attributes_of_vertices(store, name) for name in ("n", "name")] == before
    after = read_fragments(store)
    empty = after.vertex_counts == 0
    assert empty.any() == (shape != (8.0, 8.0))
    assert {*after.fragment_attributes["name"][empty]} <= {None}
    assert set(after.fragment_attributes["n"][empty]) <= {np.iinfo(np.int64).min}
    assert validate(store, 5).valid


def test_bins_of_several_fragments_are_refused_before_anything_is_written() -> None:
    store, positions = binned()
    counts = read_fragments(store).vertex_counts
    set_fragment_attributes(store, {"n": np.arange(len(counts))})
    before = dict(store)
    with pytest.raises(UnsupportedError) as caught:
        rechunk(store, bin_shape=(10, 10))
    assert caught.value.kind == "rechunk"
    assert store == before
    set_fragment_attributes(store, {"n": np.full(len(counts), 3)})
    rechunk(store, bin_shape=(10, 10))
    assert set(read_fragments(store).fragment_attributes["n"]) == {3}
    store = dict(before)
    rechunk(store, bin_shape=(20, 20))
    assert (read_fragments(store).vertex_counts > 0).all()
    assert read_fragments(store).fragment_count == np.count_nonzero(counts)
    assert sorted(read_points(store).positions.tolist()) == sorted(positions.tolist())
    assert validate(store, 5).valid


def test_bins_of_chunks_divided_by_an_attribute_are_those_of_one_value() -> None:
    genes = np.arange(200) % 2
    store, _ = binned(vertex_attributes={"gene": genes}, chunk_by_attribute="gene")
    fragments = read_fragments(store)
    set_fragment_attributes(store, {"gene_of": fragments.chunks[:, 0]})
    before = attributes_of_vertices(store, "gene_of")
    rechunk(store, chunk_shape=(40, 40), bin_shape=(10, 10))
    assert attributes_of_vertices(store, "gene_of") == before
    assert validate(store, 5).valid


def test_points_of_no_object_and_levels_of_detail_keep_theirs() -> None:
    store: dict[str, bytes] = {}
    positions = np.random.default_rng(0).uniform(0, 100, (90, 2))
    bounds = ([0, 0], [100, 100])
    write_points(store, positions[:60], object_ids=np.arange(60) % 3, bounds=bounds,
                 chunk_shape=(25, 25), dtype="float64")  # fmt: skip
    write_points(store, positions[60:], mode="append")
    build_pyramid(store, factors=[(2, 1)])
    found = read_fragments(store)
    columns = {"q": np.arange(found.fragment_count) // 2, "object_id": found.object_ids}
    set_fragment_attributes(store, columns)
    before = attributes_of_vertices(store, "q")
    owners = attributes_of_vertices(store, "object_id")
    for shape in ((50, 50), (20, 30)):
        rechunk(store, chunk_shape=shape)
        assert attributes_of_vertices(store, "q") == before
        assert attributes_of_vertices(store, "object_id") == owners
    assert {owner for _, owner in owners} == {-1, 0, 1, 2}
    assert open_zv(store)[1].compute().vertex_count > 0
    assert validate(store, 5).valid


@pytest.mark.parametrize("with_objects", [True, False])
def test_fragments_of_levels_of_detail_keep_theirs(tmp_path, with_objects: bool) -> None:
    path = str(tmp_path / "a")
    positions = np.random.default_rng(0).uniform(0, 100, (90, 2))
    ids = {"object_ids": np.arange(90) % 4} if with_objects else {}
    write_points(path, positions, chunk_shape=(25, 25), bounds=([0, 0], [100, 100]), **ids)
    build_pyramid(path, factors=[(2, 1)])
    level = stores.get_resolution_level(stores.open_store(path, mode="r+"), 1)
    arrays.create_fragment_attribute_array(level, "q", dtype="int64")
    found = read_fragments(path, level=1)
    for chunk in np.unique(found.chunks, axis=0):
        mine = np.flatnonzero((found.chunks == chunk).all(axis=1))
        arrays.write_chunk_fragment_attributes(
            level, "q", tuple(chunk.tolist()), mine // 3, "int64"
        )
    before = attributes_of_vertices(path, "q", 1)
    rechunk(path, chunk_shape=(50, 100))
    assert attributes_of_vertices(path, "q", 1) == before
    assert read_fragments(path).fragment_attributes == {}
    assert validate(path, 5).valid


def test_what_the_package_left_out_and_what_contradicts_the_objects_is_kept(tmp_path) -> None:
    path = str(tmp_path / "a")
    positions = np.asarray([[1, 1], [12, 1], [13, 2], [22, 3]], "float32")
    types.points.write_points(
        path, positions, chunk_shape=(10.0, 10.0), object_ids=np.asarray([0, 0, 1, 0]),
        bounds=([0, 0], [40, 40]),
        fragment_attributes={"q": {(0, 0): np.asarray([5.0]), (2, 0): np.asarray([7.0])},
                             "object_id": {(1, 0): np.asarray([1, 0])}},
    )  # fmt: skip
    least = np.iinfo(np.int64).min
    found = read_fragments(path).fragment_attributes
    np.testing.assert_array_equal(found["q"], [5, np.nan, np.nan, 7])
    assert found["object_id"].tolist() == [least, 1, 0, least]
    before = [attributes_of_vertices(path, name) for name in ("q", "object_id")]
    rechunk(path, chunk_shape=(40, 40))
    after = [attributes_of_vertices(path, name) for name in ("q", "object_id")]
    assert repr(after) == repr(before)
    assert validate(path, 5).valid


def test_a_fragment_of_several_objects_becomes_one_of_each() -> None:
    store: dict[str, bytes] = {}
    write_points(store, [[1, 1], [2, 1], [12, 3]], object_ids=[4, 4, 7], chunk_shape=(10, 10),
                 bounds=([0, 0], [40, 40]))  # fmt: skip
    array, rows = open_store(store, "r+")["0/object_index/manifests"], np.asarray([[0], [1]])
    manifests = crud.read_ragged(array.metadata, array.store, array.path, rows)
    shared = manifests.take(np.asarray([0, 0]))
    crud.write_ragged(array.metadata, array.store, array.path, rows, shared)
    set_fragment_attributes(store, {"object_id": [-2, -1], "q": [1, 2]})
    rechunk(store, chunk_shape=(40, 40))
    fragments = read_fragments(store)
    assert fragments.object_ids.tolist() == [4, 7, -1]
    assert fragments.fragment_attributes["object_id"].tolist() == [4, 7, -1]
    assert fragments.fragment_attributes["q"].tolist() == [1, 1, 2]
    assert validate(store, 5).valid


def test_an_empty_family_is_kept(made: Any) -> None:
    store: dict[str, bytes] = {}
    made.write(store, "point", made.IDS)
    anyzarr.open(store, mode="r+").create_group("0/fragment_attributes", attributes={"by": "me"})
    rechunk(store, chunk_shape=(50, 50))
    assert anyzarr.open(store)["0/fragment_attributes"].attrs["by"] == "me"
    assert validate(store, 5).valid


def test_a_rechunking_with_attributes_cut_off_anywhere_leaves_the_old_or_the_new(
    made: Any,
) -> None:
    before, kind = dict[str, bytes](), "polyline"
    write(made, before, kind, shard_shape=2)
    content, rows = made.content(before, kind), attributes_of_vertices(before, "q")

    def state(store: Any) -> str:
        assert made.content(store, kind) == content
        assert attributes_of_vertices(store, "q") == rows
        return {40.0: "old", 60.0: "new"}[open_zv(store).chunk_shape[0]]

    made.cut_off_anywhere(
        before,
        lambda store: rechunk(store, chunk_shape=(60.0, 90.0)),
        state,
        lambda store: made.write(store, kind, [11], mode="append", chunk_shape=None),
    )

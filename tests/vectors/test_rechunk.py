"""Other chunks and bins, and nothing else changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import anyzarr
from anyzarr.errors import (
    MetadataError,
    NodeExistsError,
    NodeNotFoundError,
)
from anyzarr.vectors import (
    RootMetadata,
    build_pyramid,
    open_store,
    open_zv,
    read_level_links,
    read_points,
    read_polylines,
    rechunk,
    remove_level_links,
    validate,
    write_points,
)
from anyzarr.vectors._level import StoredLevel
from anyzarr.vectors._whole import gather_whole

KINDS = ["point", "polyline", "graph", "skeleton", "mesh"]


@pytest.mark.parametrize("place", ["here", "there"])
@pytest.mark.parametrize("kind", KINDS)
def test_all_that_a_store_holds_is_kept(made, kind: str, place: str) -> None:
    store: dict[str, bytes] = {}
    made.write(store, kind, made.IDS, compressor="zstd", group_attributes={"g": [1.5, 2.5, 3.5]})
    before, columns = made.content(store, kind), attributes(store, kind)
    kept = dict(store)
    target = store if place == "here" else {}
    rechunk(store, chunk_shape=(30.0, 45.0), output=None if place == "here" else target)
    assert open_zv(target).chunk_shape == (30.0, 45.0)
    assert made.content(target, kind) == before
    assert attributes(target, kind) == columns
    for group in (0, 2):
        assert (
            made.content(target, kind, group_ids=[group]).keys()
            == made.content(kept, kind, group_ids=[group]).keys()
        )
    root = open_store(target)
    assert root["0/group_attributes/g"][:].tolist() == [1.5, 2.5, 3.5]
    codecs = root["0/vertices"].metadata.sharding.codecs
    assert [codec.name for codec in codecs] == ["vlen-bytes", "zstd"]
    assert root["0/vertices"].attrs["dtype"] == "float64"
    made.check(target)
    if place == "there":
        assert store == kept
    made.write(target, kind, [11], mode="append", chunk_shape=None)
    assert made.content(target, kind) == {**before, **made.expected(kind, [11])}
    made.check(target)


def attributes(store: Any, kind: str) -> Any:
    if kind == "polyline":
        lines = read_polylines(store, attribute_names="all")
        rows = [part.tolist() for part in lines.vertex_attributes["row"]]
        return rows, lines.object_attributes["w"].tolist()
    root = open_store(store)
    return sorted(root["0/object_attributes/w"][:].tolist())


def test_bins_are_kept_where_they_fit_and_given_up_where_not() -> None:
    store: dict[str, bytes] = {}
    positions = np.random.default_rng(0).uniform(0, 100, (300, 2))
    write_points(store, positions, chunk_shape=(50, 50), bin_shape=(10, 10))
    rechunk(store, chunk_shape=(20, 20))
    assert open_zv(store).bin_shape == (10.0, 10.0)
    assert validate(store, 5).valid
    rechunk(store, chunk_shape=(25, 25))
    assert open_zv(store).bin_shape == (25.0, 25.0)
    rechunk(store, bin_shape=(5, 5))
    assert open_zv(store).bin_shape == (5.0, 5.0)
    assert validate(store, 5).valid
    assert read_points(store).vertex_count == 300


@pytest.mark.parametrize("with_objects", [True, False])
def test_levels_of_detail_are_kept(with_objects) -> None:
    store: dict[str, bytes] = {}
    rng = np.random.default_rng(0)
    ids = {"object_ids": rng.integers(0, 5, 300)} if with_objects else {}
    write_points(store, rng.uniform(0, 100, (300, 2)), chunk_shape=(40, 40), bin_shape=(5, 5),
                 vertex_attributes={"w": rng.random(300)}, **ids)  # fmt: skip
    build_pyramid(store, factors=[(2, 1), (2, 1)])
    anyzarr.open(store, mode="r+").consolidate()
    before = [read_points(store, level=n, attribute_names=["w"]) for n in range(3)]
    rechunk(store, chunk_shape=(20, 20))
    root = open_store(store)
    assert anyzarr.crud.consolidated_differences(root.store) == []
    assert not any(key.startswith(".anyzarr") for key in store)
    for n, old in enumerate(before):
        new = read_points(store, level=n, attribute_names=["w"])
        pairs = [
            np.column_stack([part.positions, part.vertex_attributes["w"]]) for part in (old, new)
        ]
        assert np.array_equal(*(part[np.lexsort(part.T)] for part in pairs))
    report = validate(store, 5)
    assert (report.errors, report.warnings) == ((), ())


@pytest.mark.parametrize("shape", [(20, 20), (50, 50), (80, 20)])
def test_the_package_finds_points_of_levels_by_their_bins(tmp_path, shape) -> None:
    package = pytest.importorskip("zarr_vectors.types.points", reason="needs zarr-vectors")
    path = str(tmp_path / "a")
    positions = np.random.default_rng(0).uniform(0, 100, (300, 2)).astype("float32")
    write_points(path, positions, chunk_shape=(40, 40), bin_shape=(5, 5))
    build_pyramid(path, factors=[(2, 1), (2, 1)])
    box = np.asarray([[31, 17], [66, 90]])
    before = [sorted(read_points(path, level=n, bbox=box).positions.tolist()) for n in range(3)]
    rechunk(path, chunk_shape=shape)
    for n, expected in enumerate(before):
        assert sorted(read_points(path, level=n, bbox=box).positions.tolist()) == expected
        found = package.read_points(path, level=n, bbox=tuple(box))["positions"]
        assert sorted(np.asarray(found).tolist()) == expected
    made_of = [open_zv(path).metadata.scale_of(n) for n in range(3)]
    assert made_of == [(1.0, 1.0), (2.0, 2.0), (4.0, 4.0)]
    assert validate(path, 5).errors == ()


@pytest.mark.parametrize("shape", [(100, 100), (20, 100), (30, 30), (12.5, 50)])
def test_no_level_has_finer_bins_than_the_one_before(shape) -> None:
    store: dict[str, bytes] = {}
    positions = np.random.default_rng(0).uniform(0, 100, (300, 2))
    bounds = ([0, 0], [100, 100])
    write_points(store, positions, chunk_shape=(25, 25), bounds=bounds)
    build_pyramid(store, factors=[(1, 1), (2, 1)])
    rechunk(store, chunk_shape=shape)
    assert (validate(store, 5).errors, read_points(store).vertex_count) == ((), 300)


def test_points_of_no_object_are_kept() -> None:
    store: dict[str, bytes] = {}
    positions = np.random.default_rng(0).uniform(0, 100, (60, 2)).astype("float32")
    bounds = ([0, 0], [100, 100])
    write_points(store, positions[:40], object_ids=np.arange(40) % 3, bounds=bounds)
    write_points(store, positions[40:], mode="append")
    rechunk(store, chunk_shape=(30, 30))
    found = read_points(store, with_object_ids=True)
    assert np.bincount(found.object_ids + 1).tolist() == [20, 14, 13, 13]
    order = np.lexsort(found.positions.T)
    assert np.array_equal(found.positions[order], positions[np.lexsort(positions.T)])
    assert validate(store, 5).valid


def test_what_cannot_be_done_is_refused_before_anything_is_written(made) -> None:
    store: dict[str, bytes] = {}
    made.write(store, "point", made.IDS)
    before = dict(store)
    with pytest.raises(MetadataError, match="one edge for each"):
        rechunk(store, chunk_shape=(5,))
    with pytest.raises(MetadataError, match="does not divide"):
        rechunk(store, bin_shape=(7, 7))
    with pytest.raises(NodeExistsError):
        rechunk(store, chunk_shape=(5, 5), output=dict(before))
    assert store == before


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", ["here", "there"])
def test_links_between_levels_are_kept(made, kind: str, place: str) -> None:
    store: dict[str, bytes] = {}
    made.write(store, kind, made.IDS)
    if kind == "point":
        write_points(store, [[1.0, 1.0], [140.0, 3.0]], mode="append",
                     vertex_attributes={"row": [7, 8]})  # fmt: skip
    factors = [(2, 1), (2, 1)]
    build_pyramid(store, factors=factors, cross_level_storage="explicit", cross_level_depth=-1)
    deltas = [(0, 1), (0, 2), (1, 1), (2, -1)]
    before = [linked_positions(store, kind, *pair) for pair in deltas]
    assert all(len(pairs) for pairs in before)
    target = store if place == "here" else {}
    rechunk(store, chunk_shape=(30.0, 45.0), output=None if place == "here" else target)
    after = [linked_positions(target, kind, *pair) for pair in deltas]
    assert after == before
    made.check(target)
    remove_level_links(target)
    with pytest.raises(NodeNotFoundError):
        read_level_links(target)


def linked_positions(store: Any, kind: str, level: int, delta: int) -> list[list[float]]:
    """Return the ends of all links between two levels, in the order of their positions."""
    links = read_level_links(store, level, delta=delta)
    root = open_store(store)
    ends = []
    for number, vertices in ((level, links.source), (level + delta, links.target)):
        stored = StoredLevel.of(root, RootMetadata.parse(root.metadata.attributes), number)
        ends.append(gather_whole(stored).positions[vertices])
    return sorted(np.concatenate(ends, axis=1).tolist())


@pytest.mark.parametrize("with_objects", [True, False])
def test_chunks_divided_by_an_attribute_are_kept(with_objects) -> None:
    store: dict[str, bytes] = {}
    rng = np.random.default_rng(0)
    positions = rng.uniform(0, 100, (200, 2)).astype("float32")
    columns = {"gene": np.asarray(["a", "b", "c"])[rng.integers(0, 3, 200)], "i": np.arange(200)}
    ids = {"object_ids": rng.integers(0, 5, 200)} if with_objects else {}
    write_points(store, positions, chunk_shape=(50, 50), vertex_attributes=columns,
                 chunk_by_attribute="gene", **ids)  # fmt: skip
    build_pyramid(store, factors=[(2, 1)], cross_level_storage="none")
    coarse = read_points(store, level=1, attribute_names="all")
    rechunk(store, chunk_shape=(20, 25))
    found = read_points(store, attribute_names="all", with_object_ids=with_objects)
    order = found.vertex_attributes["i"]
    assert sorted(order.tolist()) == list(range(200))
    assert np.array_equal(found.positions, positions[order])
    assert found.vertex_attributes["gene"].tolist() == columns["gene"][order].tolist()
    if with_objects:
        assert np.array_equal(found.object_ids, ids["object_ids"][order])
    level = open_zv(store)[0].level_metadata
    assert (level.chunk_attribute_name, level.chunk_attribute_values) == ("gene", ("a", "b", "c"))
    again = read_points(store, level=1, attribute_names="all")
    assert sorted(again.positions.tolist()) == sorted(coarse.positions.tolist())
    genes = [sorted(p.vertex_attributes["gene"].tolist()) for p in (coarse, again)]
    assert genes[0] == genes[1]
    assert validate(store, 5).valid


@pytest.mark.parametrize("kind", ["polyline", "mesh"])
def test_a_rechunking_cut_off_anywhere_leaves_the_old_or_the_new(made, kind: str) -> None:
    before: dict[str, bytes] = {}
    # Some arrays of links, which are by offsets of chunks, are gone afterwards.
    made.write(before, kind, made.IDS, shard_shape=2, chunk_shape=(40.0, 90.0))
    content = made.content(before, kind)

    def state(store: Any) -> str:
        assert made.content(store, kind) == content
        return {40.0: "old", 60.0: "new"}[open_zv(store).chunk_shape[0]]

    made.cut_off_anywhere(
        before,
        lambda store: rechunk(store, chunk_shape=(60.0, 90.0)),
        state,
        lambda store: made.write(store, kind, [11], mode="append", chunk_shape=None),
    )

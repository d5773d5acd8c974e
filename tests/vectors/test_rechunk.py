"""Other chunks and bins, and nothing else changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import anyzarr
from anyzarr.errors import MetadataError, NodeExistsError, UnsupportedError
from anyzarr.vectors import (
    build_pyramid,
    open_store,
    open_zv,
    read_points,
    read_polylines,
    rechunk,
    validate,
    write_points,
)

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
    anyzarr.open(store, mode="r+").create_group("0/fragment_attributes")
    with pytest.raises(UnsupportedError, match="attributes of fragments"):
        rechunk(store, chunk_shape=(5, 5))


def test_a_rechunking_cut_off_anywhere_leaves_the_old_or_the_new(made) -> None:
    before: dict[str, bytes] = {}
    made.write(before, "polyline", made.IDS, shard_shape=2)
    content = made.content(before, "polyline")

    def state(store: Any) -> str:
        assert made.content(store, "polyline") == content
        return {100.0: "old", 60.0: "new"}[open_zv(store).chunk_shape[0]]

    made.cut_off_anywhere(
        before,
        lambda store: rechunk(store, chunk_shape=(60.0, 60.0)),
        state,
        lambda store: made.write(store, "polyline", [11], mode="append", chunk_shape=None),
    )

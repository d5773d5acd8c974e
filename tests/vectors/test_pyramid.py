"""Levels of detail of points."""

from __future__ import annotations

import numpy as np
import pytest

from anyzarr.errors import MetadataError, NodeExistsError, NodeNotFoundError, UnsupportedError
from anyzarr.vectors import (
    build_pyramid,
    open_store,
    open_zv,
    read_points,
    remove_resolution_level,
    validate,
    write_points,
    write_polylines,
)

RNG = np.random.default_rng(0)
POSITIONS = RNG.uniform(-100, 100, (2000, 3)).astype("float32")
ATTRIBUTES = {
    "value": RNG.random(2000),
    "rgb": RNG.random((2000, 3)).astype("float32"),
    "count": RNG.integers(0, 9, 2000),
    "kind": RNG.choice(["axon", "soma"], 2000),
}


def stored(**options) -> dict[str, bytes]:
    memory: dict[str, bytes] = {}
    write_points(memory, POSITIONS, chunk_shape=(50,) * 3, bin_shape=(10,) * 3,
                 vertex_attributes=ATTRIBUTES, **options)  # fmt: skip
    return memory


def test_a_point_is_the_mean_of_its_bin() -> None:
    memory = stored()
    assert build_pyramid(memory, factors=[(2, 1)], attribute_rules={"count": "sum"}) == (1,)
    bins, place = np.unique(np.floor(POSITIONS / 20), axis=0, return_inverse=True)
    place = place.reshape(-1)
    points = read_points(memory, level=1, attribute_names="all")
    assert points.vertex_count == len(bins)
    found = np.floor(points.positions / 20)
    order = np.lexsort(found.T[::-1])
    assert np.array_equal(found[order], bins)
    for column, values in (
        (points.positions, POSITIONS),
        (points.vertex_attributes["value"], ATTRIBUTES["value"]),
        (points.vertex_attributes["rgb"], ATTRIBUTES["rgb"]),
    ):
        means = [values[place == n].mean(axis=0, dtype=float) for n in range(len(bins))]
        np.testing.assert_allclose(column[order], means, rtol=1e-5, atol=1e-4)
        assert column.dtype == values.dtype
    sums = np.bincount(place, ATTRIBUTES["count"])
    assert np.array_equal(points.vertex_attributes["count"][order], sums)
    assert set(points.vertex_attributes["kind"]) == {"axon", "soma"}
    box = ([-30] * 3, [40] * 3)
    inside = ((points.positions >= -30) & (points.positions <= 40)).all(axis=1)
    assert read_points(memory, level=1, bbox=box).vertex_count == np.count_nonzero(inside)
    report = validate(memory, 5)
    assert (report.errors, report.warnings) == ((), ())
    assert open_zv(memory).levels == (0, 1)


def test_objects_keep_ids_attributes_and_groups() -> None:
    ids = np.arange(2000) % 40 * 3
    memory = stored(object_ids=ids, object_attributes={"w": np.arange(40.0), "t": ["x", "y"] * 20},
                    groups={1: [0, 3, 117]})  # fmt: skip
    build_pyramid(memory, factors=[(2, 1), (2, 0.5)])
    whole = read_points(memory, level=1, with_object_ids=True)
    keys = np.column_stack([np.floor(POSITIONS / 20), ids])
    assert whole.vertex_count == len(np.unique(keys, axis=0))
    assert set(whole.object_ids) == set(ids)
    kept = open_zv(memory)[2].ids
    assert len(kept) == 20
    assert set(kept) < set(ids)
    weights = open_store(memory)["2/object_attributes/w"][:]
    assert np.array_equal(weights[kept // 3], kept / 3)
    level = open_store(memory)["2"].attrs["zarr_vectors_level"]
    assert (level["object_sparsity"], level["parent_level"]) == (0.5, 1)
    assert set(read_points(memory, level=2, group_ids=[1]).object_ids) == {0, 3, 117} & set(kept)
    assert validate(memory, 5).errors == ()


def test_levels_are_stored_as_level_0_is() -> None:
    memory = stored(compressor="zstd", shard_shape=2, dtype="float64")
    build_pyramid(memory, factors=[(1, 0.5), (4, 1)])
    for level in (1, 2):
        array = open_store(memory)[f"{level}/vertices"]
        assert array.metadata.grid.chunk_shape == (2, 2, 2)
        assert [c.name for c in array.metadata.sharding.codecs] == ["vlen-bytes", "zstd"]
        assert read_points(memory, level=level).positions.dtype == "float64"


def test_levels_are_replaced_only_on_purpose_and_removed() -> None:
    memory = stored()
    open_store(memory, mode="r+").consolidate()
    build_pyramid(memory, factors=[(2, 1), (2, 1)])
    with pytest.raises(NodeExistsError):
        build_pyramid(memory)
    assert build_pyramid(memory, factors=[(4, 0.1)], overwrite=True) == (1,)
    assert open_zv(memory).levels == (0, 1)
    assert "consolidated_metadata" in open_store(memory).metadata.document
    remove_resolution_level(memory, 1)
    assert open_zv(memory).levels == (0,)
    assert not [key for key in memory if key.startswith(("1/", "2/"))]
    assert open_store(memory).attrs["ome"]["nodes"] == [{"type": "zv:level", "name": "0"}]
    with pytest.raises(NodeNotFoundError):
        remove_resolution_level(memory, 1)
    with pytest.raises(MetadataError):
        remove_resolution_level(memory, 0)


@pytest.mark.parametrize("options", [{}, {"object_ids": np.arange(2000) % 7}])
def test_levels_of_chunks_that_an_attribute_divides(monkeypatch, options) -> None:
    monkeypatch.setattr("anyzarr.vectors._coarsen_blocks._BLOCK_VERTICES", 150)
    memory, plain = {}, {}
    for store, more in ((memory, {"chunk_by_attribute": "kind"}), (plain, {})):
        write_points(store, POSITIONS, chunk_shape=(50,) * 3, bin_shape=(10,) * 3,
                     vertex_attributes=ATTRIBUTES, **options, **more)  # fmt: skip
    before = dict(memory)
    with pytest.raises(UnsupportedError):
        build_pyramid(memory, cross_level_storage="explicit")
    assert memory == before
    for store in (memory, plain):
        build_pyramid(store, factors=[(2, 1)], attribute_rules={"count": "sum"})
        assert validate(store, 5).errors == ()
    a, b = (read_points(store, level=1, attribute_names="all") for store in (memory, plain))
    order = [np.lexsort(points.positions.T) for points in (a, b)]
    np.testing.assert_allclose(a.positions[order[0]], b.positions[order[1]], rtol=1e-5)
    assert a.vertex_attributes["count"].sum() == ATTRIBUTES["count"].sum()
    assert {*a.vertex_attributes} == {*b.vertex_attributes}


def test_sums_that_a_type_cannot_hold_are_refused() -> None:
    memory: dict[str, bytes] = {}
    write_points(memory, [[1, 1], [2, 2], [3, 1]], chunk_shape=(8, 8),
                 vertex_attributes={"small": np.full(3, 100, "uint8"), "large": np.full(3, -100)}
                 )  # fmt: skip
    with pytest.raises(MetadataError):
        build_pyramid(memory, factors=[(1, 1)], attribute_rules={"small": "sum"})
    build_pyramid(memory, factors=[(1, 1)], attribute_rules={"large": "sum", "small": "max"})
    found = read_points(memory, level=1, attribute_names="all").vertex_attributes
    assert (found["large"].tolist(), found["small"].tolist()) == ([-300], [100])


@pytest.mark.parametrize("share", [1, 0.5])
def test_many_points_are_read_in_blocks(monkeypatch, share) -> None:
    whole, blocks = stored(), stored()
    options = {"factors": [(2.5, share), (2, 1)], "attribute_rules": {"count": "sum"}}
    build_pyramid(whole, **options)
    monkeypatch.setattr("anyzarr.vectors._coarsen_blocks._BLOCK_VERTICES", 150)
    told = []
    build_pyramid(blocks, **options, progress=told.append)
    assert sum(step.label == "reading level 0" for step in told) == 15
    for level in (1, 2):
        a, b = (read_points(m, level=level, attribute_names="all") for m in (whole, blocks))
        if share == 1:
            order = [np.lexsort(points.positions.T) for points in (a, b)]
            np.testing.assert_allclose(a.positions[order[0]], b.positions[order[1]], rtol=1e-6)
            for name, column in a.vertex_attributes.items():
                if name == "kind":
                    assert (column[order[0]] == b.vertex_attributes[name][order[1]]).all()
                else:
                    other = b.vertex_attributes[name][order[1]]
                    np.testing.assert_allclose(column[order[0]], other, rtol=1e-6)
        assert a.vertex_count == b.vertex_count
    assert validate(blocks, 5).errors == ()


def test_what_cannot_be_made_is_refused() -> None:
    memory = stored()
    for factors in ([(0.5, 1)], [(2, 0)], [(2, -1)], [(float("nan"), 1)]):
        with pytest.raises(MetadataError):
            build_pyramid(memory, factors=factors)
    with pytest.raises(MetadataError):
        build_pyramid(memory, attribute_rules={"kind": "mean"})
    lines: dict[str, bytes] = {}
    write_polylines(lines, [POSITIONS[:10]])
    with pytest.raises(UnsupportedError):
        build_pyramid(lines, method="decimate")
    with pytest.raises(MetadataError):
        build_pyramid(memory, attribute_rules={"unknown": "mean"})
    with pytest.raises(MetadataError):
        build_pyramid(memory, cross_level_depth=-2)
    for chunks in ([0], [1.5], [2, 2], [(2, 2)]):
        with pytest.raises(MetadataError):
            build_pyramid(memory, factors=[(2, 1)], chunk_scale_factors=chunks)
    with pytest.raises(MetadataError):
        build_pyramid(memory, factors=[(3, 1)], chunk_scale_factors=[2])
    assert open_zv(memory).levels == (0,)


@pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")
@pytest.mark.parametrize("with_objects", [False, True])
def test_the_package_reads_our_levels_and_we_read_its(tmp_path, with_objects) -> None:
    package = pytest.importorskip("zarr_vectors.types.points", reason="needs zarr-vectors")
    theirs = pytest.importorskip("zarr_vectors.validate")
    coarsen = pytest.importorskip("zarr_vectors.multiresolution.coarsen")
    more = {"object_ids": np.arange(2000) % 9} if with_objects else {}
    options = {"chunk_shape": (50.0,) * 3, "bin_shape": (10.0,) * 3, **more}
    ours = str(tmp_path / "ours.zarrvectors")
    write_points(ours, POSITIONS, vertex_attributes={"value": ATTRIBUTES["value"]}, **options)
    build_pyramid(ours, factors=[(2, 1)])
    assert theirs.validate(ours, level=5).errors == []
    box = (np.full(3, -30.0), np.full(3, 40.0))
    for kwargs in ({}, {} if with_objects else {"bbox": box}):
        a = read_points(ours, level=1, attribute_names=["value"], **kwargs)
        b = package.read_points(ours, level=1, attribute_names=["value"], **kwargs)
        assert np.array_equal(a.positions, b["positions"])
        assert np.array_equal(a.vertex_attributes["value"], b["vertex_attributes"]["value"])
    path = str(tmp_path / "theirs.zarrvectors")
    package.write_points(path, POSITIONS, **options)
    coarsen.build_pyramid(path, factors=[(2.0, 1.0)])
    a, b = read_points(path, level=1), package.read_points(path, level=1)
    assert np.array_equal(a.positions, b["positions"])
    assert open_zv(path).levels == (0, 1)
    build_pyramid(ours, factors=[(2, 1)], preserve_object_ids=False, overwrite=True)
    assert len(a.positions) == read_points(ours, level=1).vertex_count
    assert theirs.validate(ours, level=5).errors == []

"""What the zarr-vectors package 0.9.2 gets wrong with points, and must be right here."""

from __future__ import annotations

import os

import numpy as np
import pytest

from anyzarr.errors import MetadataError, NodeExistsError
from anyzarr.vectors import create_store, open_zv, read_points, write_points

RNG = np.random.default_rng(0)
POSITIONS = RNG.uniform(0, 300, (5000, 3)).astype("float32")


def test_a_box_with_bins_and_object_ids_drops_no_point(tmp_path) -> None:
    write_points(tmp_path / "a", POSITIONS, chunk_shape=(100,) * 3, bin_shape=(25,) * 3,
                 object_ids=np.arange(5000) % 50)  # fmt: skip
    inside = ((POSITIONS >= 30) & (POSITIONS <= 210)).all(axis=1)
    found = read_points(tmp_path / "a", bbox=([30] * 3, [210] * 3))
    assert found.vertex_count == np.count_nonzero(inside)


def test_a_second_write_overwrites_no_cells(tmp_path) -> None:
    bounds = ([0] * 3, [300] * 3)
    write_points(tmp_path / "a", POSITIONS, chunk_shape=(100,) * 3, bounds=bounds)
    with pytest.raises(NodeExistsError):
        write_points(tmp_path / "a", POSITIONS[:100])
    assert read_points(tmp_path / "a").vertex_count == 5000
    write_points(tmp_path / "a", POSITIONS[:100], mode="append")
    assert read_points(tmp_path / "a").vertex_count == 5100


def test_another_chunk_shape_than_the_store_s_is_refused(tmp_path) -> None:
    create_store(tmp_path / "a", bounds=([0] * 3, [300] * 3), chunk_shape=(100,) * 3)
    with pytest.raises(MetadataError):
        write_points(tmp_path / "a", POSITIONS, chunk_shape=(50,) * 3)
    write_points(tmp_path / "a", POSITIONS)
    inside = ((POSITIONS >= 30) & (POSITIONS <= 210)).all(axis=1)
    found = read_points(tmp_path / "a", bbox=([30] * 3, [210] * 3))
    assert found.vertex_count == np.count_nonzero(inside)


def test_lazy_float64_stays_float64(tmp_path) -> None:
    precise = POSITIONS + np.float64(1e-9)
    write_points(tmp_path / "a", precise, dtype="float64", preserve_order=True)
    level = open_zv(tmp_path / "a")[0]
    assert level.vertices.dtype == "float64"
    points = level.compute()
    assert np.array_equal(points.positions, precise[points.vertex_attributes["input_order"]])


def test_attributes_with_channels_are_kept(tmp_path) -> None:
    rgb = RNG.random((5000, 3)).astype("float32")
    write_points(tmp_path / "a", POSITIONS, vertex_attributes={"rgb": rgb}, preserve_order=True)
    found = open_zv(tmp_path / "a")[0].filter(bbox=([0] * 3, [150] * 3)).compute()
    rows = found.vertex_attributes["input_order"]
    assert np.array_equal(found.vertex_attributes["rgb"], rgb[rows])


def test_positions_that_are_no_numbers_are_refused_before_anything_is_written(tmp_path) -> None:
    for wrong in (np.nan, np.inf, -np.inf, 1e39):
        with pytest.raises(MetadataError) as error, np.errstate(over="ignore"):
            write_points(tmp_path / "a", [[0.0, 1.0], [2.0, wrong]], chunk_shape=(1, 1))
        assert error.value.kind == "positions"
        assert not os.path.exists(tmp_path / "a")


@pytest.mark.parametrize("ndim", [2, 3])
def test_nothing_can_be_written_and_read(tmp_path, ndim) -> None:
    nothing = np.empty((0, ndim))
    path = tmp_path / "a"
    write_points(path, nothing, vertex_attributes={"a": np.empty(0)},
                 object_ids=np.empty(0, int))  # fmt: skip
    points = read_points(path, bbox=([0] * ndim, [9] * ndim), attribute_names="all")
    assert (points.vertex_count, points.positions.shape) == (0, (0, ndim))
    assert read_points(path, object_ids=[1]).vertex_count == 0
    write_points(path, np.ones((3, ndim)), vertex_attributes={"a": np.ones(3)},
                 object_ids=[4, 4, 5])  # fmt: skip
    assert read_points(path, object_ids=[4]).vertex_count == 2
    write_points(path, nothing, vertex_attributes={"a": np.empty(0)},
                 object_ids=np.empty(0, int), mode="append")  # fmt: skip
    assert read_points(path, attribute_names=["a"]).vertex_count == 3


def test_many_sharded_attributes_cost_one_round_each(tmp_path) -> None:
    columns = {f"a{n}": RNG.random(5000).astype("float32") for n in range(10)}
    write_points(tmp_path / "a", POSITIONS, chunk_shape=(30,) * 3, vertex_attributes=columns)
    assert sum(len(files) for *_, files in os.walk(tmp_path / "a")) <= 2 + 1 + 2 * 12
    points = read_points(tmp_path / "a", attribute_names="all")
    assert sorted(points.vertex_attributes) == sorted(columns)

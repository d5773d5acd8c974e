"""What the zarr-vectors package 0.9.2 gets wrong beyond points, and must be right here."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import anyzarr
from anyzarr.errors import NodeExistsError
from anyzarr.vectors import (
    open_store,
    read_graph,
    read_lines,
    read_mesh,
    read_polylines,
    validate,
    write_graph,
    write_lines,
    write_mesh,
    write_polylines,
)

RNG = np.random.default_rng(0)
PATHS = [RNG.uniform(0, 1000, 3) + np.cumsum(RNG.normal(0, 2, (50, 3)), 0) for _ in range(400)]
OPTIONS: dict[str, Any] = {"chunk_shape": (100.0,) * 3, "bounds": ([-100] * 3, [1100] * 3)}


def test_a_second_write_overwrites_no_cells(tmp_path) -> None:
    write_polylines(tmp_path / "a", PATHS[:200], **OPTIONS)
    with pytest.raises(NodeExistsError):
        write_polylines(tmp_path / "a", PATHS[200:])
    write_polylines(tmp_path / "a", PATHS[200:], mode="append")
    found = read_polylines(tmp_path / "a")
    assert found.polyline_count == 400
    for got, path in zip(found.polylines, PATHS, strict=True):
        assert np.array_equal(got, path.astype("float32"))
    assert validate(tmp_path / "a", level=4).valid


def test_rows_of_several_values_are_kept(tmp_path) -> None:
    rgb = [RNG.integers(0, 255, (len(path), 3)).astype("uint8") for path in PATHS]
    write_polylines(tmp_path / "a", PATHS, **OPTIONS, vertex_attributes={"rgb": rgb})
    found = read_polylines(tmp_path / "a", object_ids=[7, 3]).vertex_attributes["rgb"]
    assert found.dtype == "uint8"
    assert np.array_equal(found, np.concatenate([rgb[7], rgb[3]]))


def test_doubles_stay_doubles(tmp_path) -> None:
    ends = RNG.uniform(0, 1000, (50, 2, 3)) + 1e-9
    write_lines(tmp_path / "a", ends, **OPTIONS, dtype="float64")
    found = read_lines(tmp_path / "a").endpoints
    assert found.dtype == "float64"
    assert np.array_equal(found, ends)


def test_a_box_of_polylines_costs_no_full_read(tmp_path) -> None:
    write_polylines(tmp_path / "a", PATHS, **OPTIONS, shard_shape=None)
    box = ([410.0] * 3, [590.0] * 3)
    inside = read_polylines(tmp_path / "a", bbox=box)
    assert 0 < inside.polyline_count < 10
    # Without the vertices of all other chunks the answer is the same.
    chunks = np.unique(np.floor(inside.positions / 100).astype(int), axis=0)
    near = np.concatenate([chunks, [[4, 4, 4], [5, 5, 5]]])
    removed = 0
    stored = tmp_path / "a" / "0" / "vertices" / "c"
    for file in [file for file in stored.rglob("*") if file.is_file()]:
        # The first cell of the arrays is that of the lower bound, -1 along each axis.
        cell = np.array([int(part) - 1 for part in file.relative_to(stored).parts])
        if np.abs(near - cell).max(axis=1).min() > 1:
            file.unlink()
            removed += 1
    assert removed > 100
    again = read_polylines(tmp_path / "a", bbox=box)
    assert again.object_ids.tolist() == inside.object_ids.tolist()
    assert np.array_equal(again.positions, inside.positions)


def test_graphs_and_meshes_are_read_by_object(tmp_path) -> None:
    positions = RNG.uniform(0, 1000, (300, 3))
    owner = np.arange(300) % 3
    faces = RNG.integers(0, 100, (80, 3)) * 3 + 1
    write_mesh(tmp_path / "m", positions, faces, **OPTIONS, object_ids=owner, dtype="float64")
    mesh = read_mesh(tmp_path / "m", object_ids=[1])
    assert (mesh.vertex_count, mesh.face_count) == (100, 80)
    assert sorted(mesh.vertices[mesh.faces].tolist()) == sorted(positions[faces].tolist())
    assert read_mesh(tmp_path / "m", object_ids=[2]).face_count == 0
    write_graph(tmp_path / "g", positions, faces[:, :2], **OPTIONS, object_ids=owner)
    assert read_graph(tmp_path / "g", object_ids=[1]).edge_count == 80


def test_a_forest_needs_no_ids(tmp_path) -> None:
    positions, edges = RNG.uniform(0, 1000, (6, 3)), [[1, 0], [2, 1], [4, 3]]
    write_graph(tmp_path / "a", positions, edges, kind="skeleton", **OPTIONS, dtype="float64")
    found = read_graph(tmp_path / "a")
    assert sorted(found.positions[found.edges].tolist()) == sorted(positions[edges].tolist())
    assert validate(tmp_path / "a", level=4).valid


def test_options_of_the_store_are_taken_by_all(tmp_path) -> None:
    # The package: TypeError for options of the backend on reading and on writing.
    for write, read in (
        (lambda path, **kw: write_polylines(path, PATHS[:2], **kw), read_polylines),
        (lambda path, **kw: write_graph(path, np.eye(3), [[0, 1]], **kw), read_graph),
        (lambda path, **kw: write_mesh(path, np.eye(3), [[0, 1, 2]], **kw), read_mesh),
        (lambda path, **kw: write_lines(path, np.ones((2, 2, 3)), **kw), read_lines),
    ):
        place = f"memory://{write.__code__.co_firstlineno}-{id(write)}"
        write(place, backend="fsspec", skip_instance_cache=True)
        assert read(place, backend="fsspec", skip_instance_cache=True).keys()


def test_consolidated_metadata_never_becomes_stale(tmp_path) -> None:
    write_graph(tmp_path / "a", np.eye(3), [[0, 1]], chunk_shape=(0.5,) * 3)
    anyzarr.open_group(tmp_path / "a", mode="r+").consolidate()
    write_graph(tmp_path / "a", np.eye(3), [[1, 2], [2, 0]], mode="append")
    assert "consolidated_metadata" in open_store(tmp_path / "a").metadata.document
    assert read_graph(tmp_path / "a").edge_count == 3
    assert validate(tmp_path / "a", level=4).valid

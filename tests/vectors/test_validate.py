"""Validation finds what is wrong, and nothing where nothing is."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from anyzarr.errors import MetadataError
from anyzarr.vectors import (
    open_store,
    validate,
    write_graph,
    write_lines,
    write_mesh,
    write_points,
    write_polylines,
)

POSITIONS = np.random.default_rng(0).uniform(-50, 150, (300, 3)).astype("float32")


def stored(**options: Any) -> dict[str, bytes]:
    memory: dict[str, bytes] = {}
    write_points(memory, POSITIONS, chunk_shape=(100,) * 3, shard_shape=None,
                 vertex_attributes={"row": np.arange(300)}, **options)  # fmt: skip
    return memory


def change(memory: dict[str, bytes], path: str, field: str, value: Any) -> None:
    document = json.loads(memory[f"{path}/zarr.json".lstrip("/")])
    place = document["attributes"]
    *inner, last = field.split("/")
    for part in inner:
        place = place[part]
    place[last] = value
    memory[f"{path}/zarr.json".lstrip("/")] = json.dumps(document).encode()


def rules(memory: dict[str, bytes], level: int = 5) -> set[str]:
    report = validate(memory, level)
    assert report.valid == (not report.errors)
    assert len(report.to_dict()["errors"]) == len(report.errors)
    return {finding.rule for finding in report.errors}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"bin_shape": (25,) * 3},
        {
            "object_ids": np.arange(300) % 9,
            "groups": {0: [1, 2]},
            "object_attributes": {"w": [*range(9)]},
        },
    ],
)
def test_what_we_write_is_valid_before_and_after_an_append(options) -> None:
    memory = stored(**options)
    report = validate(memory, 5)
    assert (report.errors, report.warnings, report.n_vertices) == ((), (), 300)
    more = {"object_ids": np.arange(300) % 12} if "object_ids" in options else {}
    if more:
        more["object_attributes"] = {"w": np.arange(12)}
    write_points(memory, POSITIONS[::-1] / 2, vertex_attributes={"row": np.arange(300)},
                 mode="append", **more)  # fmt: skip
    report = validate(memory, 5)
    assert (report.errors, report.warnings, report.n_vertices) == ((), (), 600)


def test_missing_nodes_are_found() -> None:
    memory = stored()
    del memory["0/vertex_fragments/zarr.json"]
    assert rules(memory, 1) == {"arrays"}
    del memory["0/vertices/zarr.json"]
    assert rules(memory, 1) == {"level"}


@pytest.mark.parametrize(
    ("path", "field", "value", "rule"),
    [
        ("", "zarr_vectors/geometry_types", ["blob"], "geometry-types"),
        ("", "zarr_vectors/links_convention", "loose", "links-convention"),
        ("0", "zarr_vectors_level/level", 3, "level"),
        ("0/vertices", "nonempty_chunks", ["x"], "nonempty-chunks"),
        ("0/vertices", "dtype", "int32", "dtype"),
    ],
)
def test_wrong_metadata_is_found(path, field, value, rule) -> None:
    memory = stored()
    change(memory, path, field, value)
    assert rules(memory, 2) == {rule}


def test_cells_that_do_not_agree_are_found() -> None:
    memory = stored()
    change(memory, "0", "zarr_vectors_level/vertex_count", 7)
    assert rules(memory, 3) == {"vertex-count"}
    memory = stored()
    del memory["0/vertex_attributes/row/c/1/1/1"]
    assert rules(memory, 3) == {"nonempty-chunks", "fragment-rows"}
    memory = stored()
    memory["0/vertex_fragments/c/1/1/1"] = memory["0/vertices/c/1/1/1"]
    assert "unreadable" in rules(memory, 3)
    memory = stored()
    listed = open_store(memory)["0/vertices"].attrs["nonempty_chunks"]
    change(memory, "0/vertices", "nonempty_chunks", listed[1:])
    report = validate(memory, 3)
    assert [finding.rule for finding in report.warnings] == ["nonempty-chunks"]


def test_vertices_in_the_wrong_place_are_found() -> None:
    memory = stored()
    memory["0/vertices/c/0/0/0"], memory["0/vertices/c/1/1/1"] = (
        memory["0/vertices/c/0/0/0"],
        memory["0/vertices/c/1/1/1"][:8] + (np.frombuffer(
            memory["0/vertices/c/1/1/1"][8:], "<f4") + 100).astype("<f4").tobytes(),
    )  # fmt: skip
    assert rules(memory, 3) == set()
    assert rules(memory, 4) == {"own-chunk", "bounds"}
    memory = stored(bin_shape=(50,) * 3)
    values = np.frombuffer(memory["0/vertices/c/1/1/1"][8:], "<f4").reshape(-1, 3)
    memory["0/vertices/c/1/1/1"] = memory["0/vertices/c/1/1/1"][:8] + values[::-1].tobytes()
    assert rules(memory, 4) == {"own-bin"}


def test_objects_that_do_not_agree_are_found() -> None:
    memory = stored(object_ids=np.arange(300) % 9, groups={0: [1, 99]})
    report = validate(memory, 3)
    assert [finding.rule for finding in report.warnings] == ["group-members"]
    memory["0/vertex_fragments/c/1/1/1"] = memory["0/vertex_fragments/c/0/0/0"]
    assert "manifest-fragments" in rules(memory, 3)
    memory = stored(object_ids=np.arange(300) % 9)
    change(memory, "0/object_index", "num_objects", 10)
    assert rules(memory, 3) == {"object-index"}


def test_levels_beyond_five_are_refused() -> None:
    with pytest.raises(MetadataError):
        validate(stored(), 6)


@pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")
def test_what_the_package_writes_is_valid_and_what_we_write_is_to_it(tmp_path) -> None:
    package = pytest.importorskip("zarr_vectors.types.points", reason="needs zarr-vectors")
    theirs = pytest.importorskip("zarr_vectors.validate")
    ids = np.arange(300) % 9
    options = {"chunk_shape": (100.0,) * 3, "vertex_attributes": {"row": np.arange(300)}}
    for n, more in enumerate(({}, {"bin_shape": (50.0,) * 3}, {"object_ids": ids})):
        path = str(tmp_path / f"theirs{n}.zarrvectors")
        package.write_points(path, POSITIONS, **options, **more)
        assert validate(path, 5).errors == ()
        path = str(tmp_path / f"ours{n}.zarrvectors")
        write_points(path, POSITIONS, **options, **more)
        assert theirs.validate(path, level=5).errors == []


def test_links_are_checked() -> None:
    memory: dict[str, bytes] = {}
    edges = np.random.default_rng(1).integers(0, 300, (500, 2))
    edges = edges[edges[:, 0] != edges[:, 1]]
    write_graph(memory, POSITIONS, edges, chunk_shape=(100,) * 3, shard_shape=None)
    assert rules(memory) == set()
    assert validate(memory, 5).warnings == ()
    [intra] = [key for key in memory if key.startswith("0/links/0/0.0.0/c/1/1/1")]
    good = memory[intra]
    rows = np.frombuffer(good[8:], "<i8").copy()
    rows[0] = 10_000
    memory[intra] = good[:8] + rows.tobytes()
    assert rules(memory, 3) == {"links"}
    memory[intra] = good
    listed = open_store(memory)["0/vertices"].attrs["nonempty_chunks"]
    for array in ("vertices", "vertex_fragments"):
        change(memory, f"0/{array}", "nonempty_chunks", listed[1:])
    assert "link-chunks" in rules(memory, 3)


def test_every_geometry_is_valid() -> None:
    lines = [POSITIONS[start : start + 20] for start in range(0, 300, 20)]
    faces = np.random.default_rng(2).permuted(np.tile(np.arange(300), (90, 1)), axis=1)[:, :3]
    shape = {"chunk_shape": (100,) * 3}
    stores: list[dict[str, bytes]] = [{}, {}, {}, {}]
    write_polylines(stores[0], lines, **shape)
    write_mesh(stores[1], POSITIONS, faces, **shape)
    write_lines(stores[2], POSITIONS.reshape(150, 2, 3), **shape)
    parents = np.stack([np.arange(1, 300), np.arange(299) // 2], axis=1)
    write_graph(stores[3], POSITIONS, parents, kind="skeleton", **shape)
    for store in stores:
        report = validate(store, 5)
        assert (report.errors, report.warnings) == ((), ())
        assert report.n_vertices >= 300

"""Attributes of fragments, which the package writes, stay in step with the fragments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from anyzarr.errors import MetadataError
from anyzarr.vectors import (
    delete_objects,
    open_store,
    read_fragments,
    read_points,
    set_fragment_attributes,
    vacuum,
    validate,
    write_points,
)
from anyzarr.vectors._attributes import row_layout
from anyzarr.vectors._fragments import decode_fragments
from anyzarr.vectors._level import open_level

package = pytest.importorskip("zarr_vectors.types.points", reason="needs zarr-vectors")
core_arrays = pytest.importorskip("zarr_vectors.core.arrays")
core_store = pytest.importorskip("zarr_vectors.core.store")
# zarr-python warns of the data type of the format, which has no specification yet.
pytestmark = pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")

POSITIONS = np.random.default_rng(0).uniform(0, 100, (60, 2)).astype("float32")
IDS = np.arange(60) % 3


def written_by_the_package(path: str, **columns: Any) -> None:
    cells = np.unique(POSITIONS // 50, axis=0).astype(int).tolist()
    per_cell: dict[str, dict[tuple[int, ...], Any]] = {}
    for name, dtype in (("object_id", "int64"), ("q", "float32")):
        per_cell[name] = {}
        for cell in cells:
            held = np.unique(IDS[(cell == POSITIONS // 50).all(axis=1)])
            per_cell[name][tuple(cell)] = held.astype(dtype)
    package.write_points(
        path, POSITIONS, chunk_shape=(50.0, 50.0), object_ids=IDS, bounds=([0, 0], [100, 100]),
        fragment_attributes=per_cell,
    )  # fmt: skip


def columns_of(path: str, name: str) -> list[np.ndarray]:
    """Return an attribute of fragments, cell by cell, after checking that each has its rows."""
    level = open_level(path, 0)
    array = level.array(f"fragment_attributes/{name}")
    dtype, shape = row_layout(name, array.attributes)
    assert level.fragments is not None
    table = decode_fragments(level.fragments.read(level.cells))
    values, offsets = array.rows(level.cells, dtype, shape)
    assert np.array_equal(np.diff(offsets), table.fragments)
    return np.split(values, offsets[1:-1])


@pytest.mark.parametrize("mode", ["append", "replace"])
def test_what_is_added_has_attributes_of_fragments_too(tmp_path, mode: str) -> None:
    path = str(tmp_path / "a")
    written_by_the_package(path)
    before = columns_of(path, "object_id")
    write_points(path, POSITIONS[:30] / 2, object_ids=np.arange(30) % 2 * 5, mode=mode)
    after = columns_of(path, "object_id")
    for old, new in zip(before, after, strict=True):
        assert np.array_equal(new[: len(old)], old)
        assert set(new[len(old) :]) <= {0, 5}
    assert sum(map(len, after)) > sum(map(len, before))
    assert np.isnan(columns_of(path, "q")[0][-1])
    assert validate(path, 5).valid
    found = package.read_points(path)["positions"]
    assert sorted(np.asarray(found).tolist()) == sorted(read_points(path).positions.tolist())


def test_a_vacuum_drops_the_attributes_of_fragments_that_are_gone(tmp_path) -> None:
    path = str(tmp_path / "a")
    written_by_the_package(path)
    delete_objects(path, [1])
    columns_of(path, "q")
    vacuum(path)
    assert all({*column} <= {0, 2} for column in columns_of(path, "object_id"))
    assert open_store(path)["0/fragment_attributes/q"].attrs["zv_array"] == "fragment_attribute"
    assert validate(path, 5).valid


def test_attributes_of_fragments_are_read_and_set(tmp_path) -> None:
    path = str(tmp_path / "a")
    written_by_the_package(path)
    found = read_fragments(path)
    columns = np.concatenate(columns_of(path, "object_id"))
    assert found.fragment_attributes["object_id"].tolist() == columns.tolist()
    assert found.object_ids.tolist() == columns.tolist()
    assert found.vertex_counts.sum() == found["vertex_counts"].sum() == 60
    new = {
        "q": found.fragment_attributes["q"] + 1,
        "pair": np.stack([found.chunks[:, 0], found.numbers], axis=1),
        "size": found.vertex_counts,
    }
    set_fragment_attributes(path, new)
    again = read_fragments(path)
    assert again.fragment_attributes.keys() == {"object_id", *new}
    for name, column in new.items():
        assert again.fragment_attributes[name].tolist() == column.tolist(), name
    assert again.fragment_attributes["q"].dtype == np.float32
    assert validate(path, 5).valid
    level = core_store.get_resolution_level(core_store.open_store(path), 0)
    for chunk in np.unique(found.chunks, axis=0):
        mine = (found.chunks == chunk).all(axis=1)
        for name, column in new.items():
            theirs = core_arrays.read_chunk_fragment_attributes(level, name, tuple(chunk.tolist()))
            assert np.array_equal(theirs.reshape(column[mine].shape), column[mine]), name
    with pytest.raises(MetadataError):
        set_fragment_attributes(path, {"q": [1.0]})


@pytest.mark.parametrize("kind", ["point", "polyline", "graph", "skeleton", "mesh"])
def test_fragments_of_every_geometry_have_attributes(made, kind: str) -> None:
    store: dict[str, bytes] = {}
    made.write(store, kind, made.IDS)
    found = read_fragments(store)
    assert set(found.object_ids.tolist()) == {*made.IDS}
    assert found.vertex_counts.sum() == made.N * len(made.IDS)
    texts = np.asarray(["a", "b", "c"])[found.numbers % 3]
    set_fragment_attributes(store, {"text": texts, "id": found.object_ids})
    made.write(store, kind, [11], mode="append")
    after = read_fragments(store)
    old = np.isin(after.object_ids, made.IDS)
    columns = after.fragment_attributes
    assert columns["id"][old].tolist() == after.object_ids[old].tolist()
    assert columns["text"][old].tolist() == texts.tolist()
    assert set(columns["text"][~old].tolist()) == {None}
    assert columns["id"][~old].max() == np.iinfo(np.int64).min
    delete_objects(store, [2])
    vacuum(store)
    left = read_fragments(store)
    assert set(left.object_ids.tolist()) == {5, 6, 9, 11}
    assert made.content(store, kind) == made.expected(kind, [5, 6, 9, 11])
    made.check(store)

"""Chunks divided by an attribute: written, added to, edited; both ways with the package."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from anyzarr.errors import MetadataError, UnsupportedError
from anyzarr.vectors import (
    delete_objects,
    open_store,
    read_points,
    set_bounds,
    vacuum,
    validate,
    write_points,
    write_polylines,
)

package = pytest.importorskip("zarr_vectors.types.points", reason="needs zarr-vectors")
# zarr-python warns of the data type of the format, which has no specification yet.
pytestmark = pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")

POSITIONS = np.random.default_rng(0).uniform(-50, 150, (200, 2)).astype("float32")
KINDS = {
    "number": np.arange(200) % 3 + 5,
    "text": np.array(["soma", "axon", "spine"])[np.arange(200) % 3],
}
OPTIONS: dict[str, Any] = {"chunk_shape": (50, 50), "bounds": ([-50, -50], [150, 150])}


def rows_of(points: Any) -> list[list[Any]]:
    columns = points["vertex_attributes"]
    kind, w = np.asarray(columns["kind"]), np.asarray(columns["w"])
    return sorted(
        [*position, str(k), float(v)]
        for position, k, v in zip(points["positions"].tolist(), kind, w, strict=True)
    )


def given(part: slice, kind: str) -> list[list[Any]]:
    columns = {"kind": KINDS[kind][part], "w": np.arange(200.0)[part]}
    return rows_of({"positions": POSITIONS[part], "vertex_attributes": columns})


def write(path: Any, part: slice, kind: str, **options: Any) -> None:
    columns = {"kind": KINDS[kind][part], "w": np.arange(200.0)[part]}
    write_points(path, POSITIONS[part], vertex_attributes=columns, **{**OPTIONS, **options})


def check(path: Any, expected: list[list[Any]]) -> None:
    assert rows_of(read_points(path, attribute_names="all")) == expected
    report = validate(path, 5)
    assert (report.errors, report.warnings) == ((), ())


@pytest.mark.parametrize(
    "options", [{}, {"bin_shape": (10, 10)}, {"object_ids": np.arange(200) % 4}]
)
@pytest.mark.parametrize("kind", KINDS)
def test_what_we_write_the_package_reads(tmp_path, kind: str, options: dict[str, Any]) -> None:
    path, whole = str(tmp_path / "a"), slice(None)
    write(path, whole, kind, chunk_by_attribute="kind", **options)
    check(path, given(whole, kind))
    level = open_store(path)["0"].attrs["zarr_vectors_level"]
    values = sorted(set(KINDS[kind].tolist()))
    assert level["chunk_dims"] == ["kind", "x", "y"]
    assert level["chunk_attribute_values"] == values
    found = package.read_points(path)["positions"]
    assert sorted(np.asarray(found).tolist()) == sorted(POSITIONS.tolist())
    one = package.read_points(path, attribute_filter={"kind": values[1]})["positions"]
    assert sorted(np.asarray(one).tolist()) == sorted(POSITIONS[KINDS[kind] == values[1]].tolist())


@pytest.mark.parametrize("kind", KINDS)
def test_points_are_added_to_what_the_package_wrote(tmp_path, kind: str) -> None:
    path, half = str(tmp_path / "a"), slice(0, 101, 3)
    rest = np.setdiff1d(np.arange(200), np.arange(200)[half])
    package.write_points(
        path, POSITIONS[half], chunk_shape=(50.0, 50.0), bounds=OPTIONS["bounds"],
        vertex_attributes={"kind": KINDS[kind][half], "w": np.arange(200.0)[half]},
        chunk_by_attribute="kind",
    )  # fmt: skip
    write(path, rest, kind, mode="append")
    check(path, given(slice(None), kind))
    found = package.read_points(path)["positions"]
    assert sorted(np.asarray(found).tolist()) == sorted(POSITIONS.tolist())


def test_such_stores_grow_and_are_edited() -> None:
    store: dict[str, bytes] = {}
    ids = np.arange(200) % 4
    write(store, slice(0, 100), "number", chunk_by_attribute="kind", object_ids=ids[:100])
    far = {"kind": [9], "w": [-1.0]}
    write_points(store, [[-400.0, 3.0]], vertex_attributes=far, object_ids=[7], mode="append",
                 out_of_bounds="expand")  # fmt: skip
    check(store, sorted([*given(slice(0, 100), "number"), [-400.0, 3.0, "9", -1.0]]))
    delete_objects(store, [0, 7])
    left = [row for row in given(slice(0, 100), "number") if row[-1] % 4]
    check(store, left)
    vacuum(store)
    set_bounds(store, ([-900, -50], [150, 150]))
    check(store, left)


def test_what_does_not_fit_is_refused() -> None:
    store: dict[str, bytes] = {}
    write(store, slice(None), "number", chunk_by_attribute="kind")
    before = dict(store)
    with pytest.raises(MetadataError, match="differs from what divides"):
        write(store, slice(None), "number", chunk_by_attribute="w", mode="append")
    with pytest.raises(MetadataError, match="vertices need it"):
        write_points(store, POSITIONS, vertex_attributes={"w": np.ones(200)}, mode="append")
    with pytest.raises(MetadataError, match="vertices need it"):
        write({}, slice(None), "number", chunk_by_attribute="w")
    assert store == before
    kind = {"kind": np.ones(4, int)}
    lines: dict[str, bytes] = {}
    write_polylines(lines, [POSITIONS[:4]], vertex_attributes=kind, **OPTIONS)
    root = open_store(lines, mode="r+")["0"]
    root.attrs["zarr_vectors_level"] = {
        **root.attrs["zarr_vectors_level"], "chunk_attribute_name": "kind",
    }  # fmt: skip
    with pytest.raises(UnsupportedError, match="only points"):
        write_polylines(lines, [POSITIONS[:4]], vertex_attributes=kind, mode="append")

"""Stores whose manifests are dense arrays, as newer files have them, are added to and edited."""

from __future__ import annotations

import numpy as np
import pytest

import anyzarr
from anyzarr.vectors import delete_objects, open_store, vacuum
from anyzarr.vectors._manifests import ManifestTable
from anyzarr.vectors._objects import ObjectIndex, object_paths
from anyzarr.vectors._objects_write import dense_rows

KINDS = ["point", "polyline", "mesh"]


def made_dense(store: dict[str, bytes]) -> None:
    """Let the object index of a store have the newer layout."""
    root = open_store(store, mode="r+")
    index = ObjectIndex.of(root, 0, root.get_many(object_paths(0)))
    assert index is not None
    table: ManifestTable = index.manifests()
    group = anyzarr.open(store, mode="r+")["0/object_index"]
    for name, values in zip(("spans", "blocks"), dense_rows(table), strict=True):
        array = group.create_array(
            f"manifest_{name}", shape=values.shape, dtype="int64", chunks=(4, values.shape[1])
        )
        array[...] = values
    group.attrs["layout"] = "dense_manifests_v1"
    for key in [key for key in store if key.startswith("0/object_index/manifests/")]:
        del store[key]


@pytest.mark.parametrize("kind", KINDS)
def test_objects_are_added_replaced_and_deleted(made, kind: str) -> None:
    store: dict[str, bytes] = {}
    made.write(store, kind, made.IDS)
    before = made.content(store, kind)
    made_dense(store)
    assert made.content(store, kind) == before
    made.write(store, kind, [7, 11], mode="append")
    assert made.content(store, kind) == made.expected(kind, [2, 5, 6, 7, 9, 11])
    if kind != "polyline":
        made.write(store, kind, [2], mode="append")
        assert len(made.content(store, kind)[2]) == 2 * len(before[2])
    made.write(store, kind, [2, 3], mode="replace")
    delete_objects(store, [5])
    vacuum(store)
    assert made.content(store, kind) == made.expected(kind, [2, 3, 6, 7, 9, 11])
    index = open_store(store)["0/object_index"]
    assert index.attrs["layout"] == "dense_manifests_v1"
    assert "manifests" not in index
    assert np.asarray(index["manifest_spans"][:, 1]).sum() == index["manifest_blocks"].shape[0]
    made.check(store)

"""Attributes of edges and faces change in place, at one moment, for both libraries."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from anyzarr.errors import MetadataError, UnsupportedError
from anyzarr.vectors import (
    build_pyramid,
    delete_objects,
    open_store,
    read_graph,
    read_mesh,
    set_link_attributes,
    validate,
    write_graph,
    write_points,
)

KINDS = ["graph", "skeleton", "mesh"]


def links_of(store: Any, kind: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return where the ends of links lie, and their attributes, in the order of reading."""
    if kind == "mesh":
        mesh = read_mesh(store)
        return mesh.vertices[mesh.faces], dict(mesh.face_attributes)
    graph = read_graph(store)
    return graph.positions[graph.edges], dict(graph.link_attributes)


@pytest.mark.parametrize("shard_shape", ["auto", None])
@pytest.mark.parametrize("kind", KINDS)
def test_values_change_and_new_attributes_come(made: Any, kind: str, shard_shape: Any) -> None:
    store: dict[str, bytes] = {}
    made.write(store, kind, made.IDS, shard_shape=shard_shape)
    made.write(store, kind, [11], mode="append", shard_shape=shard_shape)
    ends, before = links_of(store, kind)
    far = ends[:, 1] * [1.0, 100.0]
    texts = np.asarray(["a", "bc", None], object)[np.arange(len(ends)) % 3]
    new = {"w": before["w"] * 2, "far": far, "text": texts, "n": np.arange(len(ends))}
    assert set_link_attributes(store, new).levels == (0,)
    again, after = links_of(store, kind)
    assert np.array_equal(again, ends)
    assert after.keys() == new.keys()
    for name, column in new.items():
        assert after[name].tolist() == np.asarray(column).tolist(), name
        assert after[name].dtype == before["w"].dtype or name != "w"
    made.check(store)
    delete_objects(store, [5])
    left, kept = links_of(store, kind)
    assert np.array_equal(kept["far"], left[:, 1] * [1.0, 100.0])
    made.check(store)


def test_what_does_not_fit_is_refused_and_nothing_changes(made: Any) -> None:
    store: dict[str, bytes] = {}
    made.write(store, "graph", made.IDS)
    before = dict(store)
    with pytest.raises(MetadataError):
        set_link_attributes(store, {"w": [1.0, 2.0]})
    assert {k: v for k, v in store.items() if "anyzarr" not in k} == before
    points: dict[str, bytes] = {}
    write_points(points, [[1.0, 2.0]])
    with pytest.raises(UnsupportedError, match="point_cloud"):
        set_link_attributes(points, {"w": [1.0]})
    bare: dict[str, bytes] = {}
    write_graph(bare, [[1.0, 1], [2, 2], [3, 3]], [[1, 0], [2, 1]], kind="skeleton")
    with pytest.raises(UnsupportedError, match="link_attributes"):
        set_link_attributes(bare, {"w": [1.0, 2.0]})


def test_levels_of_detail_become_stale_and_a_killed_edit_leaves_old_or_new(made: Any) -> None:
    store: dict[str, bytes] = {}
    made.write(store, "graph", made.IDS)
    before = links_of(store, "graph")[1]["w"]

    def state(other: Any) -> str:
        found = links_of(other, "graph")[1]["w"]
        return {str(before): "old", str(before + 1): "new"}[str(found)]

    made.cut_off_anywhere(
        dict(store), lambda other: set_link_attributes(other, {"w": before + 1}), state,
        lambda other: made.write(other, "graph", [11], mode="append"),
    )  # fmt: skip
    build_pyramid(store, factors=[(2, 1)])
    assert set_link_attributes(store, {"w": before + 1}).stale_levels == (1,)
    assert [finding.rule for finding in validate(store, 5).warnings] == ["stale"]
    assert state(store) == "new"


@pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")
@pytest.mark.filterwarnings("ignore:Consolidated metadata")
def test_the_package_reads_what_was_set_and_what_it_wrote_is_set(tmp_path: Any) -> None:
    graphs = pytest.importorskip("zarr_vectors.types.graphs", reason="needs zarr-vectors")
    rng = np.random.default_rng(0)
    positions = rng.uniform(0, 100, (30, 2)).astype("float32")
    edges = rng.permutation(30)[:28].reshape(14, 2)
    theirs = str(tmp_path / "theirs")
    graphs.write_graph(
        theirs, positions, edges, chunk_shape=(50.0, 50.0), bounds=([0, 0], [100, 100]),
        link_attributes={"w": np.arange(14.0)},
    )  # fmt: skip
    ours = str(tmp_path / "ours")
    write_graph(ours, positions, edges, chunk_shape=(50, 50), bounds=([0, 0], [100, 100]),
                link_attributes={"w": np.arange(14.0)})  # fmt: skip
    for path in (theirs, ours):
        ends, before = links_of(path, "graph")
        set_link_attributes(path, {"w": before["w"] + 100, "x": ends[:, 0, 0]})
        after = links_of(path, "graph")[1]
        assert np.array_equal(after["w"], before["w"] + 100)
        assert np.array_equal(after["x"], ends[:, 0, 0])
        found = graphs.read_graph(path)
        assert len(found["edges"]) == len(edges)
        assert open_store(path)["0/link_attributes/x/0"].attrs["num_links"] == 14
        assert validate(path, 5).valid

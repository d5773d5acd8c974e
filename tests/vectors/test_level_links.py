"""Links between levels, larger chunks, levels of one's own, and what removing leaves."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import anyzarr
from anyzarr.errors import MetadataError, NodeNotFoundError
from anyzarr.stores import MemoryStore
from anyzarr.vectors import (
    CAP_MULTISCALE_LINKS,
    Lines,
    Points,
    add_resolution_level,
    build_pyramid,
    delete_objects,
    open_store,
    open_zv,
    read_graph,
    read_level_links,
    read_lines,
    read_mesh,
    read_points,
    read_polylines,
    remove_level_links,
    remove_resolution_level,
    store_info,
    vacuum,
    validate,
    write_graph,
    write_level_links,
    write_lines,
    write_mesh,
    write_points,
    write_polylines,
)

RNG = np.random.default_rng(5)
POSITIONS = np.cumsum(RNG.normal(0, 2, (600, 3)), axis=0).astype("float32")
SPACE: dict[str, Any] = {"chunk_shape": (16.0,) * 3, "bin_shape": (4.0,) * 3}
CHILD = np.arange(1, 600)
EDGES = np.stack([CHILD, np.maximum(0, CHILD - RNG.integers(1, 5, 599))], axis=1)
FACES = np.stack([np.arange(598), np.arange(1, 599), np.arange(2, 600)], axis=1)


def points(memory: Any) -> None:
    write_points(memory, POSITIONS, **SPACE)


def points_of_objects(memory: Any) -> None:
    write_points(memory, POSITIONS, object_ids=np.arange(600) % 7, **SPACE)


def lines(memory: Any) -> None:
    write_lines(memory, POSITIONS.reshape(300, 2, 3), **SPACE)


def polylines(memory: Any) -> None:
    write_polylines(memory, np.split(POSITIONS, 12), object_ids=np.arange(12)[::-1], **SPACE)


def graph(memory: Any) -> None:
    write_graph(memory, POSITIONS, EDGES, object_ids=np.arange(600) // 300, **SPACE)


def skeleton(memory: Any) -> None:
    write_graph(memory, POSITIONS, EDGES, kind="skeleton", **SPACE)


def mesh(memory: Any) -> None:
    write_mesh(memory, POSITIONS, FACES, **SPACE)


def positions(memory: Any, level: int) -> np.ndarray:
    """Return the vertices of a level in the order in which it is read whole."""
    kind = open_store(memory).attrs["zarr_vectors"]["geometry_types"][0]
    if kind == "point_cloud":
        return read_points(memory, level=level).positions
    if kind == "line":
        return read_lines(memory, level=level).endpoints.reshape(-1, 3)
    read = {"mesh": read_mesh, "streamline": read_polylines}.get(kind, read_graph)
    found = read(memory, level=level)
    return found.vertices if kind == "mesh" else found.positions


@pytest.mark.parametrize("chunks", [None, [2, (1, 3, 1)]])
@pytest.mark.parametrize(
    "write", [points, points_of_objects, lines, polylines, graph, skeleton, mesh]
)
def test_each_vertex_is_linked_to_what_it_has_become(write, chunks) -> None:
    memory: dict[str, bytes] = {}
    write(memory)
    build_pyramid(memory, factors=[(2, 0.7), (2, 0.8)], chunk_scale_factors=chunks,
                  cross_level_storage="explicit", cross_level_depth=-1, method=None
                  if write is not mesh else "bins")  # fmt: skip
    where = [positions(memory, level) for level in range(3)]
    links = {(a, b): read_level_links(memory, a, delta=b - a)
             for a in range(3) for b in range(3) if a != b}  # fmt: skip
    for (a, b), found in links.items():
        turned = links[b, a]
        assert {*zip(found.source, found.target, strict=True)} == (
            {*zip(turned.target, turned.source, strict=True)}
        )
        if a < b:
            assert len(np.unique(found.source)) == found.link_count
            assert np.array_equal(np.unique(found.target), np.arange(len(where[b])))
    composed = dict(zip(links[1, 2].source, links[1, 2].target, strict=True))
    steps = zip(links[0, 1].source, links[0, 1].target, strict=True)
    both = {s: composed[t] for s, t in steps if t in composed}
    assert both == dict(zip(links[0, 2].source, links[0, 2].target, strict=True))
    if write in (points, points_of_objects, graph):
        # Each is the mean of what is linked to it.
        first = links[0, 1]
        for axis in range(3):
            total = np.bincount(first.target, where[0][first.source, axis])
            count = np.bincount(first.target)
            np.testing.assert_allclose(where[1][:, axis], total / count, atol=1e-4)
    report = validate(memory, 5)
    assert (report.errors, report.warnings) == ((), ())
    root = open_store(memory).attrs["zarr_vectors"]
    assert (root["cross_level_storage"], root["cross_level_depth"]) == ("explicit", -1)
    assert CAP_MULTISCALE_LINKS in root["format_capabilities"]
    told = store_info(memory).levels
    assert [level.linked_levels for level in told] == [(1, 2), (0, 2), (0, 1)]
    if chunks:
        assert [level.chunk_shape for level in told] == [
            (16.0,) * 3, (32.0,) * 3, (32.0, 96.0, 32.0),
        ]  # fmt: skip


def test_boxes_on_levels_of_larger_chunks() -> None:
    memory: dict[str, bytes] = {}
    polylines(memory)
    build_pyramid(memory, factors=[(2, 1)], chunk_scale_factors=[3])
    whole = read_polylines(memory, level=1)
    box = (POSITIONS[40] - 9, POSITIONS[40] + 9)
    met = read_polylines(memory, level=1, bbox=box, bbox_mode="clip")
    inside = ((whole.positions >= box[0]) & (whole.positions <= box[1])).all(axis=1)
    assert met.vertex_count == np.count_nonzero(inside) > 0
    clouds: dict[str, bytes] = {}
    points(clouds)
    build_pyramid(clouds, factors=[(2, 1)], chunk_scale_factors=[2])
    every = read_points(clouds, level=1).positions
    inside = ((every >= box[0]) & (every <= box[1])).all(axis=1)
    near = read_points(clouds, level=1, bbox=box)
    assert near.vertex_count == np.count_nonzero(inside) > 0


def test_implicit_links_are_turned_round_and_none_are_none() -> None:
    memory: dict[str, bytes] = {}
    graph(memory)
    build_pyramid(memory, factors=[(2, 1), (2, 1)], cross_level_storage="implicit")
    assert not [key for key in memory if "links/-" in key]
    up, down = read_level_links(memory), read_level_links(memory, 1, delta=-1)
    assert np.array_equal(np.sort(up["target"]), down["source"])
    for level, delta in ((0, 2), (0, 0)):
        with pytest.raises(NodeNotFoundError):
            read_level_links(memory, level, delta=delta)
    with pytest.raises(NodeNotFoundError):
        read_level_links(memory, 2)
    build_pyramid(memory, factors=[(2, 1)], overwrite=True)
    assert not [key for key in memory if "links/+" in key]
    assert CAP_MULTISCALE_LINKS not in store_info(memory).format_capabilities
    with pytest.raises(NodeNotFoundError):
        read_level_links(memory)


def test_removing_a_level_removes_links_to_it() -> None:
    memory: dict[str, bytes] = {}
    mesh(memory)
    open_store(memory, mode="r+").consolidate()
    build_pyramid(memory, factors=[(2, 1)] * 3, cross_level_storage="explicit", method="bins",
                  cross_level_depth=2)  # fmt: skip
    assert "consolidated_metadata" in open_store(memory).metadata.document
    with pytest.raises(MetadataError):
        remove_resolution_level(memory, 1)
    remove_resolution_level(memory, 3)
    assert validate(memory, 5).errors == ()
    assert [level.linked_levels for level in store_info(memory).levels] == [(1, 2), (0, 2), (0, 1)]
    remove_resolution_level(memory, 2)
    remove_resolution_level(memory, 1)
    assert not [key for key in memory if key.startswith("1/") or "links/+" in key]
    root = open_store(memory)
    assert "consolidated_metadata" in root.metadata.document
    assert root.attrs["zarr_vectors"]["cross_level_storage"] == "none"
    assert CAP_MULTISCALE_LINKS not in root.attrs["zarr_vectors"]["format_capabilities"]
    assert validate(memory, 5).errors == ()


def test_what_is_appended_or_deleted_leaves_levels_and_links_valid() -> None:
    memory: dict[str, bytes] = {}
    graph(memory)
    build_pyramid(memory, factors=[(2, 1)], cross_level_storage="explicit")
    before = read_level_links(memory)
    write_graph(memory, POSITIONS, EDGES, object_ids=np.full(600, 77), mode="append")
    assert validate(memory, 5).errors == ()
    after = read_level_links(memory)
    assert np.array_equal(after.target, before.target)
    whole = read_graph(memory)
    assert {*whole.object_ids[after.source]} == {0, 1}
    delete_objects(memory, [0])
    vacuum(memory)
    report = validate(memory, 5)
    assert (report.errors, [found.rule for found in report.warnings]) == ((), ["stale"])
    left = read_level_links(memory)
    assert {*read_graph(memory).object_ids[left.source]} == {1}
    assert {*read_graph(memory, level=1).object_ids[left.target]} == {1}
    build_pyramid(memory, factors=[(2, 1)], overwrite=True)
    assert read_graph(memory, level=1).objects.tolist() == [1, 77]


@pytest.mark.parametrize("write", [points_of_objects, lines, polylines, graph, skeleton, mesh])
def test_lazy_selections_of_levels(write) -> None:
    memory: dict[str, bytes] = {}
    write(memory)
    build_pyramid(memory, factors=[(2, 0.5), (2, 1)], chunk_scale_factors=[2, 2], method="bins"
                  if write is mesh else None)  # fmt: skip
    for number in (1, 2):
        level = open_zv(memory)[number]
        ids = level.ids
        assert 0 < len(ids) <= len(open_zv(memory)[0].ids)
        assert len(ids) == store_info(memory).levels[number].object_count
        some = level.filter(object_ids=ids[:1]).compute()
        owners = some["object_ids"]
        assert {*np.asarray(owners).tolist()} == {int(ids[0])}


def test_validation_finds_links_to_what_is_not_there() -> None:
    memory: dict[str, bytes] = {}
    points(memory)
    build_pyramid(memory, factors=[(2, 1)], cross_level_storage="implicit")
    broken = dict(memory)
    root = json.loads(broken["zarr.json"])
    own = root["attributes"]
    own["multiscales"][0]["datasets"] = own["multiscales"][0]["datasets"][:1]
    broken["zarr.json"] = json.dumps(root).encode()
    assert [finding.rule for finding in validate(broken).errors] == ["level-links"]
    coarse = read_points(memory, level=1).positions
    other: dict[str, bytes] = {}
    write_points(other, coarse[:-5], bounds=root["attributes"]["zarr_vectors"]["bounds"], **SPACE)
    broken = {k: v for k, v in memory.items() if not k.startswith("1/vert")}
    broken |= {"1" + k[1:]: v for k, v in other.items() if k.startswith("0/vert")}
    assert "level-links" in {finding.rule for finding in validate(broken).errors}


def test_levels_in_a_bucket(s3) -> None:
    pytest.importorskip("obstore")
    url = f"s3://{s3.new_bucket()}/neuron.zarrvectors"
    options = {"backend": "obstore", **s3.options}
    write_graph(url, POSITIONS, EDGES, kind="skeleton", **SPACE, **options)
    open_store(url, mode="r+", **options).consolidate()
    build_pyramid(url, factors=[(2, 1), (2, 1)], cross_level_storage="explicit", **options)
    assert validate(url, 5, **options).errors == ()
    assert "consolidated_metadata" in open_store(url, **options).metadata.document
    assert read_level_links(url, **options).link_count == 600
    remove_resolution_level(url, 2, **options)
    add_resolution_level(url, read_graph(url, level=1, **options), scale=2, **options)
    assert validate(url, 5, **options).errors == ()


def test_progress_is_told() -> None:
    memory: dict[str, bytes] = {}
    points(memory)
    told: list[Any] = []
    build_pyramid(memory, factors=[(2, 1), (2, 1)], progress=told.append)
    assert [(step.label, step.fraction) for step in told] == [
        ("level 1", 0.0), ("level 1", 1.0), ("level 2", 0.0), ("level 2", 1.0),
    ]  # fmt: skip


class Cut(Exception):
    """A process that ends here."""


class Cutting(MemoryStore):
    """A store whose writer is cut off after so many changes."""

    left = 10**9

    def put(self, key, data, **options):
        self._count()
        return super().put(key, data, **options)

    def delete_prefix(self, prefix):
        self._count()
        return super().delete_prefix(prefix)

    def _count(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Cut


@pytest.mark.parametrize("write", [points_of_objects, skeleton])
def test_a_build_that_is_cut_off_leaves_a_valid_store(write) -> None:
    whole = Cutting()
    write(whole)
    options: dict[str, Any] = {"factors": [(2, 0.7), (2, 1)], "cross_level_storage": "explicit"}
    whole.left = 10**9
    build_pyramid(whole, **options)
    n_changes = 10**9 - whole.left
    assert n_changes > 40
    for n in range(0, n_changes, 9):
        store = Cutting()
        write(store)
        store.left = n
        with pytest.raises(Cut):
            build_pyramid(store, **options)
        store.left = 10**9
        assert validate(store, 5).errors == (), n
        build_pyramid(store, **options, overwrite=True)
        assert validate(store, 5).errors == (), n
        assert [a.vertex_count for a in store_info(store).levels] == (
            [a.vertex_count for a in store_info(whole).levels]
        )


# ---------------------------------------------------------------------- levels of one's own


@pytest.mark.parametrize(
    ("write", "read"),
    [
        (points_of_objects, lambda m, **o: read_points(m, with_object_ids=True, **o)),
        (lines, read_lines),
        (polylines, read_polylines),
        (graph, read_graph),
        (skeleton, read_graph),
        (mesh, read_mesh),
    ],
)
def test_what_is_read_is_written_as_a_level(write, read) -> None:
    memory: dict[str, bytes] = {}
    write(memory)
    open_store(memory, mode="r+").consolidate()
    ids = open_zv(memory)[0].ids
    data = read(memory, object_ids=ids[::2], attribute_names="all")
    number = add_resolution_level(memory, data, scale=2, chunk_scale=2, object_sparsity=0.5)
    assert number == 1
    found = read(memory, level=1, object_ids=ids[::2], attribute_names="all")
    for key in ("positions", "endpoints", "vertices", "object_ids"):
        if key in data:
            assert np.array_equal(np.sort(data[key], axis=0), np.sort(found[key], axis=0))
    for key in ("edge_count", "face_count", "polyline_count"):
        assert data.get(key) == found.get(key)
    level = store_info(memory).levels[1]
    assert (level.method, level.object_share, level.parent_level) == ("manual", 0.5, 0)
    assert level.object_count == len(ids[::2])
    assert level.chunk_shape == (32.0,) * 3
    assert "consolidated_metadata" in open_store(memory).metadata.document
    report = validate(memory, 5)
    assert (report.errors, report.warnings) == ((), ())


def test_a_level_of_ones_own_keeps_attributes_and_groups() -> None:
    memory: dict[str, bytes] = {}
    number = np.arange(600)
    write_points(memory, POSITIONS, object_ids=number % 5, vertex_attributes={"i": number},
                 object_attributes={"w": np.arange(5), "t": list("abcde")}, **SPACE)  # fmt: skip
    own = Points(POSITIONS[:10], {"i": np.arange(10)}, np.arange(10) % 2 * 3)
    add_resolution_level(memory, own, scale=(2, 2, 3), groups={0: [3]},
                         object_attributes={"w": [7, 8], "t": ["x", "y"]})  # fmt: skip
    found = read_points(memory, level=1, group_ids=[0], attribute_names="all")
    assert sorted(found.vertex_attributes["i"]) == [1, 3, 5, 7, 9]
    stored = open_store(memory)
    assert stored["1/object_attributes/w"][[0, 3]].tolist() == [7, 8]
    assert stored["1/object_index"].attrs["num_present"] == 2
    graphs: dict[str, bytes] = {}
    write_graph(graphs, POSITIONS, EDGES, object_ids=np.arange(600) // 200,
                object_attributes={"t": list("abc")}, **SPACE)  # fmt: skip
    some = read_graph(graphs, object_ids=[2, 0])
    add_resolution_level(graphs, some, scale=1)
    found = read_graph(graphs, level=1)
    assert (found.objects.tolist(), found.object_attributes["t"].tolist()) == ([0, 2], ["a", "c"])
    assert validate(graphs, 5).errors == ()
    assert validate(memory, 5).errors == ()


@pytest.mark.parametrize("chunk_scale", [1, 2])
def test_levels_of_ones_own_are_linked_and_unlinked(chunk_scale) -> None:
    memory: dict[str, bytes] = {}
    polylines(memory)
    open_store(memory, mode="r+").consolidate()
    whole = read_polylines(memory)
    own = read_polylines(memory, object_ids=[7, 2])
    add_resolution_level(memory, own, scale=1, chunk_scale=chunk_scale)
    there = read_polylines(memory, level=1)
    at = {tuple(row): k for k, row in enumerate(whole.positions.tolist())}
    source = [at[tuple(row)] for row in there.positions.tolist()]
    for storage in ("explicit", "implicit"):
        write_level_links(memory, source, range(len(source)), cross_level_storage=storage)
        found = read_level_links(memory)
        pairs = (whole.positions[found.source], there.positions[found.target])
        assert np.array_equal(*pairs)
        assert found.link_count == len(source) == 100
        stored = [level.linked_levels for level in store_info(memory).levels]
        assert stored == [(1,), (0,) if storage == "explicit" else ()]
        assert validate(memory, 5).errors == ()
    assert "consolidated_metadata" in open_store(memory).metadata.document
    assert CAP_MULTISCALE_LINKS in store_info(memory).format_capabilities
    for bad in (([0], [100]), ([-1], [0]), ([0.5], [0]), ([0, 1], [0])):
        with pytest.raises(MetadataError):
            write_level_links(memory, *bad)
    with pytest.raises(MetadataError):
        write_level_links(memory, [0], [0], delta=0)
    remove_level_links(memory)
    assert not [key for key in memory if "links/+" in key or "links/-" in key]
    assert CAP_MULTISCALE_LINKS not in store_info(memory).format_capabilities
    assert "consolidated_metadata" in open_store(memory).metadata.document
    assert read_polylines(memory, level=1).polyline_count == 2


def test_levels_that_do_not_fit_are_refused() -> None:
    memory: dict[str, bytes] = {}
    points(memory)
    build_pyramid(memory, factors=[(2, 1)])
    before = dict(memory)
    for data, options in (
        (Points(POSITIONS), {"scale": 1}),
        (Points(POSITIONS), {"scale": float("nan")}),
        (Points(POSITIONS), {"scale": 2, "parent_level": 7}),
        (Points(POSITIONS), {"scale": 2, "chunk_scale": 0}),
        (Points(POSITIONS), {"scale": 3, "chunk_scale": 2}),
        (Lines(np.zeros((1, 2, 3)), np.arange(1), {}, {}), {"scale": 2}),
    ):
        with pytest.raises(MetadataError):
            add_resolution_level(memory, data, **options)
    assert memory == before
    with pytest.raises(MetadataError):
        add_resolution_level(memory, Points(POSITIONS + 1000), scale=2)
    assert open_zv(memory).levels == (0, 1)
    assert anyzarr.info(memory).store.levels[1].method == "per_object"

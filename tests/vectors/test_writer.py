"""Writers in threads and processes: nothing is lost, ids are distinct, the store is whole."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import anyzarr
from anyzarr.errors import MetadataError
from anyzarr.vectors import (
    create_store,
    open_store,
    open_zv,
    read_graph,
    read_mesh,
    read_points,
    read_polylines,
    validate,
)

BOUNDS = ([0.0] * 2, [200.0] * 2)
KINDS = ["point", "line", "polyline", "graph", "skeleton", "mesh"]
N = 20


def positions_of(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 200, (N, 2)).astype("float32")


def add(writer: Any, kind: str, seed: int) -> None:
    """Add an object whose attributes tell which it is."""
    positions = positions_of(seed)
    columns: dict[str, Any] = {"object_attributes": {"seed": [seed]}}
    rows = {"row": 100 * seed + np.arange(N)}
    if kind == "point":
        writer.write_points(positions, vertex_attributes=rows)
    elif kind == "line":
        writer.write_lines(positions[None, :2], **columns)
    elif kind == "polyline":
        writer.write_polylines([positions], vertex_attributes=rows, **columns)
    elif kind == "mesh":
        faces = np.arange(N - 2)[:, None] + [0, 1, 2]
        writer.write_mesh(positions, faces, vertex_attributes=rows, **columns)
    else:
        edges = np.stack([np.arange(1, N), np.arange(1, N) // 3], axis=1)
        writer.write_graph(positions, edges, kind=kind, vertex_attributes=rows, **columns)


def check(location: Any, kind: str, seeds: range) -> None:
    report = validate(location, 5)
    assert (report.errors, report.warnings) == ((), ())
    if kind == "point":
        points = read_points(location, attribute_names=["row"])
        row, found = points.vertex_attributes["row"], points.positions
    elif kind in ("line", "polyline"):
        lines = read_polylines(location)
        of_seed = dict(zip(lines.object_attributes["seed"].tolist(), lines.polylines, strict=True))
        assert sorted(of_seed) == [*seeds]
        assert len(set(lines.object_ids)) == len(seeds)
        for seed, line in of_seed.items():
            assert np.array_equal(line, positions_of(seed)[: 2 if kind == "line" else N])
        return
    else:
        part = (read_mesh if kind == "mesh" else read_graph)(location, attribute_names=["row"])
        assert sorted(part.object_attributes["seed"]) == [*seeds]
        assert len(set(part.object_ids)) == len(seeds)
        row, found = (
            part.vertex_attributes["row"],
            part["vertices" if kind == "mesh" else "positions"],
        )
        links = part["faces" if kind == "mesh" else "edges"]
        assert len(links) == len(seeds) * (N - 2 if kind == "mesh" else N - 1)
        assert (row[links] // 100 == row[links[:, :1]] // 100).all()
    assert sorted(row) == [100 * seed + k for seed in seeds for k in range(N)]
    every = np.stack([positions_of(seed) for seed in seeds])
    assert np.array_equal(found, every[row // 100 - seeds[0], row % 100])


@pytest.mark.parametrize("kind", KINDS)
def test_threads_share_a_writer(kind: str) -> None:
    store: dict[str, bytes] = {}
    create_store(store, bounds=BOUNDS, chunk_shape=(100, 100))
    with open_zv(store).writer(buffer_vertices=3 * N) as writer, ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda seed: add(writer, kind, seed), range(10)))
    check(store, kind, range(10))


@pytest.mark.parametrize("kind", ["point", "mesh"])
def test_threads_have_writers_of_their_own_and_metadata_stays_consolidated(tmp_path, kind) -> None:
    path = tmp_path / "a"
    create_store(path, bounds=BOUNDS, chunk_shape=(100, 100))
    anyzarr.open(path, mode="r+").consolidate()

    def work(first: int) -> None:
        with open_zv(path).writer() as writer:
            for seed in (first, first + 1):
                add(writer, kind, seed)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(0, 8, 2)))
    check(path, kind, range(8))
    assert anyzarr.crud.consolidated_differences(open_store(path).store) == []


def test_what_is_kept_when_an_error_comes_is_not_written() -> None:
    store: dict[str, bytes] = {}
    create_store(store, bounds=BOUNDS)
    writer = open_zv(store).writer()

    def fail() -> None:
        with writer:
            add(writer, "point", 0)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert read_points(store).vertex_count == 0
    writer.flush()
    assert read_points(store).vertex_count == N


def test_ids_that_are_given_mean_the_same_object() -> None:
    store: dict[str, bytes] = {}
    create_store(store, bounds=BOUNDS)
    with open_zv(store).writer() as writer:
        for seed in (3, 1, 3):
            ids = {"object_ids": np.full(N, seed), "groups": {0: [seed]}}
            writer.write_points(positions_of(seed), object_attributes={"s": [seed]}, **ids)
    found = read_points(store, with_object_ids=True)
    assert np.bincount(found.object_ids).tolist() == [0, N, 0, 2 * N]
    assert read_points(store, group_ids=[0]).vertex_count == 3 * N
    assert validate(store, 5).valid


def test_paths_of_one_id_and_groups_of_unknown_ids_are_refused() -> None:
    store: dict[str, bytes] = {}
    create_store(store, bounds=BOUNDS)
    line = [[1.0, 1.0], [2.0, 2.0]]
    writer = open_zv(store).writer()

    def twice() -> None:
        with writer:
            writer.write_polylines([line], object_ids=[4])
            writer.write_polylines([line], object_ids=[4])

    with pytest.raises(MetadataError, match="distinct"):
        twice()
    with pytest.raises(MetadataError, match="give the ids"):
        writer.write_polylines([line], groups={0: [0]})
    with pytest.raises(MetadataError, match="is not known"):
        writer.write_graph([[1.0, 1.0]], [], kind="tree")


def test_a_writer_is_sent_with_its_place_and_not_with_what_it_keeps(tmp_path) -> None:
    path = str(tmp_path / "a")
    create_store(path, bounds=BOUNDS)
    with open_zv(path).writer(out_of_bounds="expand") as writer:
        add(writer, "point", 0)
        sent = pickle.loads(pickle.dumps(writer))
        sent.write_points([[500.0, 1.0]], vertex_attributes={"row": [-1]})
        assert read_points(path).vertex_count == 1
    assert read_points(path).vertex_count == N + 1


def test_processes_of_a_cluster_write_to_one_store(tmp_path) -> None:
    distributed = pytest.importorskip("distributed")
    path = str(tmp_path / "a")
    create_store(path, bounds=BOUNDS, chunk_shape=(100, 100))
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=2, processes=True, dashboard_address=None,
            host="127.0.0.1",
        ) as cluster,
        distributed.Client(cluster) as client,
    ):  # fmt: skip
        writer = open_zv(path).writer()

        # Nested, so that it is sent by value: workers cannot import tests.
        def work(first: int) -> int:
            from concurrent.futures import ThreadPoolExecutor

            import numpy

            def polyline(seed: int) -> numpy.ndarray:
                return numpy.random.default_rng(seed).uniform(0, 200, (20, 2)).astype("float32")

            with writer, ThreadPoolExecutor(2) as pool:
                list(pool.map(lambda seed: writer.write_polylines(
                    [polyline(seed)], object_attributes={"seed": [seed]}
                ), range(first, first + 4)))  # fmt: skip
            writer.write_polylines([polyline(first + 4)], object_attributes={"seed": [first + 4]})
            return first

        assert client.gather(client.map(work, range(0, 20, 5))) == [0, 5, 10, 15]
    check(path, "polyline", range(20))

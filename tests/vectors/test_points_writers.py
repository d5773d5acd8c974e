"""Writers that meet, and writers that are cut off: nothing is lost, and nothing is broken."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from anyzarr.errors import ConflictError, NodeExistsError
from anyzarr.stores import MemoryStore
from anyzarr.vectors import _turns, open_store, read_points, validate, write_points

from ._dies import Dies

BOUNDS = ([-50.0] * 3, [150.0] * 3)


def cloud(seed: int, n: int = 60) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-50, 150, (n, 3)).astype("float32")


def append(location, seed: int, **options) -> None:
    """Add a cloud whose rows, and whose objects in part, are its own."""
    write_points(
        location,
        cloud(seed),
        chunk_shape=(100,) * 3,
        bounds=BOUNDS,
        vertex_attributes={"row": seed * 100 + np.arange(60)},
        object_ids=np.arange(60) % 2 * (seed + 1),
        mode="append",
        **options,
    )


def check(location, seeds, **options) -> None:
    points = read_points(location, attribute_names="all", with_object_ids=True, **options)
    row = points.vertex_attributes["row"]
    assert sorted(row) == [seed * 100 + i for seed in seeds for i in range(60)]
    positions = np.concatenate([cloud(seed) for seed in range(row.max() // 100 + 1)])
    assert np.array_equal(points.positions, positions[row // 100 * 60 + row % 100])
    assert np.array_equal(points.object_ids, row % 100 % 2 * (row // 100 + 1))
    level = open_store(location, **options)["0"].attrs["zarr_vectors_level"]
    assert level["vertex_count"] == len(row)


def append_many(location: str, first: int, barrier, options) -> None:
    barrier.wait()
    for seed in range(first, first + 3):
        append(location, seed, **options)


def append_in_two_processes(location: str, options) -> None:
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(2)
    workers = [
        context.Process(target=append_many, args=(location, n, barrier, options)) for n in (0, 3)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    check(location, range(6), **options)


def test_two_processes_append_to_one_folder_and_lose_nothing(tmp_path) -> None:
    append_in_two_processes(str(tmp_path / "a.zarrvectors"), {})


def test_two_processes_append_to_one_bucket_and_lose_nothing(s3) -> None:
    pytest.importorskip("obstore")
    url = f"s3://{s3.new_bucket()}/a.zarrvectors"
    append_in_two_processes(url, {"backend": "obstore", **s3.options})
    root = open_store(url, backend="obstore", **s3.options)
    assert root.store.list_level().keys == ("zarr.json",)


def test_a_writer_that_died_is_waited_for_and_then_replaced(s3, monkeypatch) -> None:
    pytest.importorskip("obstore")
    options = {"backend": "obstore", **s3.options}
    url = f"s3://{s3.new_bucket()}/a.zarrvectors"
    append(url, 0, **options)
    store = open_store(url, mode="r+", **options).store
    monkeypatch.setattr(_turns, "_DEAD_SECONDS", 0.3)
    dead = _turns.Turn(store, key := ".anyzarr-writer-of-0", store.put(key, b"{}"))
    append(url, 1, **options)
    check(url, range(2), **options)
    with monkeypatch.context() as patch:
        patch.setattr(_turns, "_RENEW_SECONDS", 0.01)
        dead.renew()
    with pytest.raises(ConflictError):
        dead.check()


@pytest.mark.parametrize("kind", ["memory", "local"])
def test_threads_append_to_one_store_and_lose_nothing(tmp_path, kind) -> None:
    location = MemoryStore() if kind == "memory" else tmp_path / "a"
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda seed: append(location, seed), range(8)))
    check(location, range(8))


def test_whoever_reads_meanwhile_finds_whole_rows(tmp_path) -> None:
    append(tmp_path / "a", 0)
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(lambda: [append(tmp_path / "a", seed) for seed in range(1, 12)])
        while not writing.done():
            points = read_points(tmp_path / "a", attribute_names=["row"])
            row = points.vertex_attributes["row"]
            assert len(set(row)) == len(row)
            assert {*range(60)} <= set(row.tolist())
            positions = np.concatenate([cloud(seed) for seed in range(12)])
            assert np.array_equal(points.positions, positions[row // 100 * 60 + row % 100])
        writing.result()
    check(tmp_path / "a", range(12))


@pytest.mark.parametrize("shards", ["auto", None])
def test_an_append_cut_off_anywhere_leaves_a_store_that_is_whole(shards) -> None:
    before: dict[str, bytes] = {}
    write_points(before, cloud(0), chunk_shape=(100,) * 3, bounds=BOUNDS, shard_shape=shards,
                 vertex_attributes={"row": np.arange(60)},
                 object_ids=np.arange(60) % 2 * 1)  # fmt: skip
    old = {*range(60)}
    changes = 0
    while True:
        store = Dies(dict(before))
        store.left = changes
        try:
            append(store, 1)
        except OSError:
            store.left = 10**9
        else:
            break
        points = read_points(store, attribute_names=["row"])
        row = points.vertex_attributes["row"]
        assert len(set(row)) == len(row)
        assert old <= set(row.tolist())
        positions = np.concatenate([cloud(0), cloud(1)])
        assert np.array_equal(points.positions, positions[row // 100 * 60 + row % 100])
        assert set(read_points(store, object_ids=[0, 1]).object_ids) == {0, 1}
        append(store, 2)
        after = read_points(store, attribute_names=["row"], with_object_ids=True)
        rows = after.vertex_attributes["row"]
        assert {*range(60), *range(200, 260)} <= set(rows.tolist())
        assert len(set(rows)) == len(rows)
        of_two = rows >= 200
        assert np.array_equal(after.object_ids[of_two], rows[of_two] % 2 * 3)
        changes += 1
    assert changes > 10
    check(store, range(2))


def test_a_first_write_cut_off_anywhere_can_be_made_again() -> None:
    changes = 0
    while True:
        store = Dies()
        store.left = changes
        try:
            append(store, 0)
        except OSError:
            store.left = 10**9
        else:
            break
        options = {"chunk_shape": (100,) * 3, "bounds": BOUNDS}
        try:
            write_points(store, cloud(0), vertex_attributes={"row": np.arange(60)},
                         object_ids=np.arange(60) % 2 * 1, **options)  # fmt: skip
        except NodeExistsError:
            assert changes > 8  # all but the last document was there
        check(store, range(1))
        changes += 1
    assert changes > 8


def test_an_unsharded_store_writes_only_the_cells_that_change(tmp_path) -> None:
    path = tmp_path / "a"
    write_points(path, cloud(0), chunk_shape=(100,) * 3, bounds=BOUNDS, shard_shape=None)
    times = {file: file.stat().st_mtime_ns for file in Path(path).rglob("c/*/*/*")}
    write_points(path, [[10.0, 10.0, 10.0]], mode="append")
    changed = [
        f.relative_to(path).as_posix() for f, t in times.items() if f.stat().st_mtime_ns != t
    ]
    assert sorted(changed) == ["0/vertex_fragments/c/1/1/1", "0/vertices/c/1/1/1"]


def grow(location, seed: int, by: float) -> None:
    write_points(
        location,
        cloud(seed) + np.float32(by),
        chunk_shape=(100,) * 3,
        shard_shape=2,
        vertex_attributes={"row": seed * 100 + np.arange(60)},
        out_of_bounds="expand",
        mode="append",
    )


def rows_of(location, moved: dict[int, float]) -> set[int]:
    points = read_points(location, attribute_names=["row"])
    row = points.vertex_attributes["row"]
    every = [cloud(seed) + np.float32(moved.get(seed, 0)) for seed in range(row.max() // 100 + 1)]
    assert np.array_equal(points.positions, np.concatenate(every)[row // 100 * 60 + row % 100])
    assert len(set(row)) == len(row)
    box = read_points(location, bbox=([-60] * 3, [160] * 3)).vertex_count
    assert box == np.count_nonzero((np.abs(points.positions - 50) <= 110).all(axis=1))
    return set(row.tolist())


def test_bounds_grow_downwards_and_a_store_cut_off_meanwhile_is_whole() -> None:
    before: dict[str, bytes] = {}
    grow(before, 0, 0.0)
    old = {*range(60)}
    changes = 0
    while True:
        store = Dies(dict(before))
        store.left = changes
        try:
            grow(store, 1, -700.0)
        except OSError:
            store.left = 10**9
        else:
            break
        assert old <= rows_of(store, {1: -700.0})
        grow(store, 2, -900.0)
        assert {*old, *range(200, 260)} <= rows_of(store, {1: -700.0, 2: -900.0})
        changes += 1
    store.left = 10**9
    assert changes > 20
    assert rows_of(store, {1: -700.0}) == {*old, *range(100, 160)}
    grow(store, 2, -900.0)
    grow(store, 3, 5000.0)
    moved = {1: -700.0, 2: -900.0, 3: 5000.0}
    assert len(rows_of(store, moved)) == 240
    report = validate(store, 5)
    assert (report.errors, report.warnings) == ((), ())


def test_points_of_no_object_stay_so_where_there_are_objects() -> None:
    store: dict[str, bytes] = {}
    options = {"chunk_shape": (100,) * 3, "bounds": BOUNDS}
    write_points(store, cloud(0), object_ids=np.arange(60) % 3, **options)
    write_points(store, cloud(1), mode="append")
    points = read_points(store, with_object_ids=True)
    assert np.bincount(points.object_ids + 1).tolist() == [60, 20, 20, 20]
    assert read_points(store, object_ids=[0, 1, 2]).vertex_count == 60
    report = validate(store, 5)
    assert (report.errors, report.warnings) == ((), ())

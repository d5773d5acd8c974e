"""Processes that edit one store at once, and processes that are killed while they edit."""

from __future__ import annotations

import multiprocessing
import time
from typing import Any

import numpy as np
import pytest

from anyzarr.vectors import (
    delete_objects,
    open_store,
    read_polylines,
    rechunk,
    set_bounds,
    set_object_attributes,
    vacuum,
    validate,
    write_polylines,
)

OPTIONS: dict[str, Any] = {"chunk_shape": (50.0, 50.0), "bounds": ([0.0] * 2, [200.0] * 2)}


def line_of(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 200, (20, 2)).astype("float32")


def write(path: str, ids: list[int], mode: str, **columns: Any) -> None:
    write_polylines(
        path,
        [line_of(i) for i in ids],
        object_ids=ids,
        mode=mode,
        object_attributes={"w": [0.0 + i for i in ids]},
        **{**OPTIONS, **columns},
    )


def check(path: str) -> list[int]:
    """Return the ids of the lines, which are all whole."""
    report = validate(path, 5)
    assert (report.errors, report.warnings) == ((), ())
    return sorted(check_lines(path))


def run(*works: tuple[Any, str]) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=work, args=(path,)) for work, path in works]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0


def delete_some(path: str) -> None:
    for i in range(6):
        delete_objects(path, [i])
    vacuum(path)


def append_some(path: str) -> None:
    for i in range(20, 26):
        write(path, [i], "append")


def replace_some(path: str) -> None:
    for i in range(6, 10):
        write(path, [i], "replace")
        set_object_attributes(path, {"w": [100.0 + i]}, object_ids=[i])


def test_processes_that_edit_and_append_at_once_lose_nothing(tmp_path) -> None:
    path = str(tmp_path / "a")
    write(path, [*range(10)], "create")
    run((delete_some, path), (append_some, path), (replace_some, path))
    assert check(path) == [*range(6, 10), *range(20, 26)]
    found = read_polylines(path)
    weights = dict(zip(found.object_ids, found.object_attributes["w"], strict=True))
    assert weights == {i: i + 100.0 * (i < 10) for i in [*range(6, 10), *range(20, 26)]}


def edit_for_ever(path: str) -> None:
    n = 1000
    while True:
        write(path, [n], "append")
        delete_objects(path, [n])
        vacuum(path)
        n += 1


def test_a_process_killed_while_it_edits_leaves_a_store_that_is_whole(tmp_path) -> None:
    path = str(tmp_path / "a")
    write(path, [*range(4)], "create")
    context = multiprocessing.get_context("spawn")
    for _ in range(3):
        worker = context.Process(target=edit_for_ever, args=(path,))
        before = time.monotonic()
        worker.start()
        while read_polylines(path).object_ids.max() < 1000 and time.monotonic() - before < 60:
            time.sleep(0.005)
        time.sleep(float(np.random.default_rng().uniform(0, 0.3)))
        worker.kill()
        worker.join(60)
        assert validate(path, 5).errors == ()
        left = [i for i in check_lines(path) if i >= 1000]
        assert len(left) <= 1
        if left:
            delete_objects(path, left)
        vacuum(path)
        assert validate(path, 5).errors == ()
        assert sorted(check_lines(path)) == [*range(4)]
        assert "anyzarr_edit" not in open_store(path).attrs


def check_lines(path: str) -> list[int]:
    found = read_polylines(path)
    for i, line in zip(found.object_ids.tolist(), found.polylines, strict=True):
        assert np.array_equal(line, line_of(i))
    return found.object_ids.tolist()


def test_a_bucket_is_edited_like_a_folder(s3) -> None:
    pytest.importorskip("obstore")
    options = {"backend": "obstore", **s3.options}
    url = f"s3://{s3.new_bucket()}/a.zarrvectors"
    write(url, [*range(6)], "create", **options)
    delete_objects(url, [4], **options)
    write(url, [1, 9], "replace", **options)
    set_object_attributes(url, {"w": [7.0]}, object_ids=[9], **options)
    vacuum(url, **options)
    rechunk(url, chunk_shape=(80.0, 80.0), **options)
    set_bounds(url, ([-300.0, 0.0], [200.0, 200.0]), **options)
    assert validate(url, 5, **options).errors == ()
    found = read_polylines(url, **options)
    assert found.object_ids.tolist() == [0, 1, 2, 3, 5, 9]
    assert found.object_attributes["w"].tolist() == [0, 1, 2, 3, 5, 7]
    for i, line in zip(found.object_ids.tolist(), found.polylines, strict=True):
        assert np.array_equal(line, line_of(i))
    assert open_store(url, **options).store.list_level().keys == ("zarr.json",)

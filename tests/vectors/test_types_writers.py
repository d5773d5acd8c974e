"""Appends of lines, graphs and meshes that meet, or are cut off: nothing is lost or broken."""

from __future__ import annotations

import multiprocessing
from typing import Any

import numpy as np
import pytest

from anyzarr.stores import MemoryStore
from anyzarr.vectors import (
    _read_networks,
    read_graph,
    read_mesh,
    read_polylines,
    validate,
    write_graph,
    write_mesh,
    write_polylines,
)

from ._dies import Dies

OPTIONS: dict[str, Any] = {
    "chunk_shape": (50.0, 50.0),
    "bounds": ([-50.0] * 2, [150.0] * 2),
    "dtype": "float64",
    "mode": "append",
}
N = 12


def positions_of(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-50, 150, (N, 2))


def links_of(seed: int, kind: str) -> np.ndarray:
    rng = np.random.default_rng(seed + 1000)
    if kind == "skeleton":
        child = np.arange(1, N)
        return np.stack([child, rng.integers(0, child)], axis=1)
    return rng.integers(0, N, (15, 3 if kind == "mesh" else 2))


def append(store: Any, seed: int, kind: str) -> None:
    """Add vertices that are an object of their own, and links whose attribute tells them apart."""
    positions, links = positions_of(seed), links_of(seed, kind)
    if kind == "polyline":
        write_polylines(store, [positions], **OPTIONS, object_ids=[seed])
        return
    columns = {"w": seed * 100.0 + np.arange(len(links))}
    ids = np.full(N, seed)
    if kind == "mesh":
        write_mesh(store, positions, links, **OPTIONS, object_ids=ids, face_attributes=columns)
    else:
        write_graph(store, positions, links, **OPTIONS, object_ids=ids, kind=kind,
                    link_attributes=columns)  # fmt: skip


def check(store: Any, seeds: Any, kind: str, maybe: int | None = None) -> None:
    """Check that the objects of all seeds are whole; that of ``maybe`` is so, or is not there."""
    if kind == "polyline":
        result = read_polylines(store)
        found = dict(zip(result.object_ids.tolist(), result.polylines, strict=True))
        assert {*seeds} <= found.keys() <= {*seeds, maybe}
        for seed, path in found.items():
            assert np.array_equal(path, positions_of(seed))
        return
    for seed in [*seeds, *([] if maybe is None else [maybe])]:
        if kind == "mesh":
            mesh = read_mesh(store, object_ids=[seed])
            got = mesh.vertices[mesh.faces], mesh.face_attributes["w"]
        else:
            graph = read_graph(store, object_ids=[seed])
            got = graph.positions[graph.edges], graph.link_attributes["w"]
        if seed == maybe and not len(got[0]):
            continue
        expected = positions_of(seed)[links_of(seed, kind)].tolist()
        weights = (seed * 100.0 + np.arange(len(expected))).tolist()
        pairs = sorted(zip(expected, weights, strict=True))
        assert sorted(zip(got[0].tolist(), got[1].tolist(), strict=True)) == pairs


@pytest.mark.parametrize("kind", ["polyline", "graph", "skeleton", "mesh"])
def test_an_append_cut_off_anywhere_leaves_a_store_that_is_whole(kind: str) -> None:
    before: dict[str, bytes] = {}
    append(before, 0, kind)
    changes = 0
    while True:
        store = Dies(dict(before))
        store.left = changes
        try:
            append(store, 1, kind)
        except OSError:
            store.left = 10**9
        else:
            break
        check(store, [0], kind, maybe=1)
        append(store, 2, kind)
        check(store, [0, 2], kind, maybe=1)
        changes += 1
    assert changes > 10
    store.left = 10**9
    check(store, [0, 1], kind)
    assert validate(store, level=4).valid


@pytest.mark.parametrize("kind", ["graph", "skeleton", "mesh"])
def test_a_write_that_begins_while_links_are_read_does_no_harm(monkeypatch, kind: str) -> None:
    monkeypatch.setitem(OPTIONS, "chunk_shape", (500.0, 500.0))  # all links in few cells
    store = MemoryStore()
    append(store, 0, kind)
    joined, begun = _read_networks._joined, []

    def meanwhile(*args: Any) -> Any:
        if not begun:
            begun.append(True)
            append(store, 1, kind)
        return joined(*args)

    monkeypatch.setattr(_read_networks, "_joined", meanwhile)
    check(store, [0], kind)
    assert begun
    check(store, [0, 1], kind)


@pytest.mark.parametrize("kind", ["polyline", "mesh"])
def test_two_processes_append_to_one_folder_and_lose_nothing(tmp_path, kind: str) -> None:
    path = str(tmp_path / "a")
    append(path, 0, kind)
    context = multiprocessing.get_context("spawn")
    workers = [
        context.Process(target=append_all, args=(path, range(k, 9, 2), kind)) for k in (1, 2)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    check(path, range(9), kind)
    assert validate(path, level=4).valid


def append_all(path: str, seeds: range, kind: str) -> None:
    for seed in seeds:
        append(path, seed, kind)

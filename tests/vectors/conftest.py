"""Objects of every geometry whose content follows from their ids, and edits that are cut off."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from anyzarr.vectors import (
    open_store,
    read_graph,
    read_mesh,
    read_points,
    read_polylines,
    validate,
    write_graph,
    write_mesh,
    write_points,
    write_polylines,
)

from ._dies import Dies

OPTIONS: dict[str, Any] = {
    "chunk_shape": (100.0, 100.0), "bounds": ([-50.0] * 2, [150.0] * 2), "dtype": "float64",
}  # fmt: skip
N, IDS = 12, [2, 5, 6, 9]


def positions_of(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-50, 150, (N, 2))


def links_of(seed: int, kind: str) -> np.ndarray:
    rng = np.random.default_rng(seed + 1000)
    if kind == "skeleton":
        child = np.arange(1, N)
        return np.stack([child, rng.integers(0, child)], axis=1)
    return rng.integers(0, N, (15, 3 if kind == "mesh" else 2))


def write(store: Any, kind: str, ids: list[int], **options: Any) -> None:
    """Write objects whose geometry, links and attributes are made of their ids."""
    options = {**OPTIONS, "object_attributes": {"w": [10.0 * i for i in ids]}, **options}
    if "mode" not in options:
        options["groups"] = {0: ids[:2], 2: ids}
    rows = np.concatenate([100 * i + np.arange(N) for i in ids])
    options["vertex_attributes"] = {"row": rows}
    positions = np.concatenate([positions_of(i) for i in ids])
    if kind == "polyline":
        write_polylines(store, [positions_of(i) for i in ids], object_ids=ids, **options)
        return
    options["object_ids"] = np.repeat(ids, N)
    if kind == "point":
        write_points(store, positions, **options)
        return
    links = np.concatenate([links_of(i, kind) + N * k for k, i in enumerate(ids)])
    weights = np.repeat(ids, len(links) // len(ids)) * 100.0 + np.tile(
        np.arange(len(links) // len(ids)), len(ids)
    )
    if kind == "mesh":
        write_mesh(store, positions, links, face_attributes={"w": weights}, **options)
    else:
        write_graph(store, positions, links, link_attributes={"w": weights}, kind=kind,
                    **options)  # fmt: skip


def content(store: Any, kind: str, **query: Any) -> dict[int, Any]:
    """Return what each object is made of, by id."""
    if kind == "polyline":
        lines = read_polylines(store, attribute_names="all", **query)
        found = zip(lines.object_ids.tolist(), lines.polylines, strict=True)
        return {i: line.tolist() for i, line in found}
    if kind == "point":
        points = read_points(store, attribute_names="all", with_object_ids=True, **query)
        order = np.argsort(points.vertex_attributes["row"])
        ids = points.object_ids[order]
        return {int(i): points.positions[order][ids == i].tolist() for i in np.unique(ids)}
    read = read_mesh if kind == "mesh" else read_graph
    part = read(store, attribute_names=["row"], **query)
    positions = part.vertices if kind == "mesh" else part.positions
    links = part.faces if kind == "mesh" else part.edges
    weights = (part.face_attributes if kind == "mesh" else part.link_attributes)["w"]
    owner = np.asarray(part.vertex_attributes["row"])[links[:, 0]] // 100
    ends = positions[links].reshape(len(links), -1)
    order = np.lexsort((weights, owner))
    bounds = np.searchsorted(owner[order], part.object_ids, "left")
    beyond = np.searchsorted(owner[order], part.object_ids, "right")
    return {
        i: np.column_stack([weights, ends])[order[a:b]].tolist()
        for i, a, b in zip(part.object_ids.tolist(), bounds, beyond, strict=True)
    }


def expected(kind: str, ids: list[int], **options: Any) -> dict[int, Any]:
    store: dict[str, bytes] = {}
    write(store, kind, ids, **options)
    return content(store, kind)


def check(store: Any) -> None:
    report = validate(store, 5)
    assert (report.errors, report.warnings) == ((), ())


def cut_off_anywhere(before: dict[str, bytes], edit: Any, states: Any, again: Any) -> None:
    """Cut an edit off after some of its changes: the store is as before or after, and goes on."""
    store = Dies(dict(before))
    edit(store)
    assert states(store) == "new"
    check(store)
    n = len(store.changed)
    *_, moment, _ = (k for k, key in enumerate(store.changed) if key == "zarr.json")
    spread = {*range(0, n, n // 7), moment, moment + 1, moment + 2, n - 1}
    for left in sorted(spread):
        store = Dies(dict(before))
        store.left = left
        with pytest.raises(OSError, match="power"):
            edit(store)
        store.left = 10**9
        assert states(store) == ("old" if left <= moment else "new")
        check(store)
        again(store)
        check(store)
        assert "anyzarr_edit" not in open_store(store).attrs


@pytest.fixture
def made() -> SimpleNamespace:
    """The functions of this file."""
    return SimpleNamespace(
        IDS=IDS, N=N, OPTIONS=OPTIONS, check=check, content=content,
        cut_off_anywhere=cut_off_anywhere, expected=expected, positions_of=positions_of,
        write=write,
    )  # fmt: skip

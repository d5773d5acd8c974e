"""A deep validation: chunks that do not decode, and levels that do not fit each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import anyzarr
from anyzarr import crud
from anyzarr.stores import MemoryStore

from .test_hierarchy import change, rules, write_image, write_labels


def make(method: str = "mean", dtype: str = "uint16", store: Any = None) -> MemoryStore:
    """Write an image with a pyramid by one of our methods."""
    store = store or MemoryStore()
    rng = np.random.default_rng(5)
    smooth = np.add.outer(np.linspace(0, 400, 301), np.linspace(0, 300, 277))
    data = (smooth + rng.normal(0, 20, smooth.shape)).clip(0, 900).astype(dtype)
    with anyzarr.open_ome_zarr(store, mode="w", axes="yx") as image:
        image.create_image("0", data, chunks=(64, 64), shards=(128, 128), scale=(0.5, 0.5))
        image.compute_pyramid(3, method)
    return store


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint32", "float32", "float64", "uint64"])
@pytest.mark.parametrize("method", ["mean", "nearest"])
def test_our_pyramids_agree(method: str, dtype: str) -> None:
    report = anyzarr.validate(make(method, dtype), deep=True)
    assert report.errors == ()
    assert report.n_chunks == 9 + 4 + 1


@pytest.mark.parametrize("declared", ["mean", "nearest", "gaussian", None])
def test_a_stale_level_is_found_by_any_method(declared: str | None) -> None:
    store = make("mean")

    def name(ome: dict[str, Any]) -> None:
        ome["multiscales"][0].pop("type")
        if declared is not None:
            ome["multiscales"][0]["type"] = declared

    change(store, "", name)
    level = anyzarr.open_array(store, path="1")
    level[:] = level[:][::-1, ::-1]
    found = anyzarr.validate(store, deep=True)
    assert ("", "levels-agree") in rules(found)
    assert any("datasets[1]" in error.where for error in found.errors)
    assert anyzarr.validate(store).valid


def test_a_mean_is_within_the_range_that_another_method_may_give() -> None:
    store = make("mean")
    change(store, "", lambda ome: ome["multiscales"][0].update(type="gaussian"))
    assert anyzarr.validate(store, deep=True).errors == ()


def test_a_mean_is_no_member_of_its_window() -> None:
    store = make("mean")
    change(store, "", lambda ome: ome["multiscales"][0].update(type="nearest"))
    assert ("", "levels-agree") in rules(anyzarr.validate(store, deep=True))


def test_one_flipped_byte_of_a_shard_is_found_and_named() -> None:
    store = make()
    # The shard at (0, 1) of level 0: its index has a checksum, its subchunks are frames.
    data = bytearray(store.get("0/c/0/1") or b"")
    data[-20] ^= 0xFF
    store.put("0/c/0/1", bytes(data))
    found = anyzarr.validate(store, deep=True)
    assert rules(found) == {("", "chunk-corrupt")}
    assert "0/c/0/1" in found.errors[0].message
    assert found.n_chunks == 9 + 4 + 1 - 1
    assert anyzarr.validate(store).valid


FAULTS: list[tuple[str, Callable[[Any], Any]]] = [
    (
        "scale-shape",
        lambda s: change(
            s,
            "",
            lambda o: o["multiscales"][0]["datasets"][1]["coordinateTransformations"][0].update(
                scale=[1, 2, 2]
            ),
        ),
    ),
    ("omero-channels-count", lambda s: change(s, "", lambda o: o["omero"]["channels"].pop())),
]


@pytest.mark.parametrize(("rule", "break_it"), FAULTS)
def test_geometry(rule: str, break_it: Callable[[Any], Any]) -> None:
    store = MemoryStore()
    write_image(store)
    break_it(store)
    assert anyzarr.validate(store).valid
    assert ("", rule) in rules(anyzarr.validate(store, deep=True))


def test_levels_of_different_dtypes_are_found() -> None:
    store = MemoryStore()
    write_image(store)
    values = anyzarr.open_array(store, path="1")[:]
    crud.delete_node(store, "1")
    array = anyzarr.create_array(
        store, name="1", shape=values.shape, dtype="uint8", dimension_names=["c", "y", "x"]
    )
    array[:] = (values % 256).astype("uint8")
    assert ("", "level-dtype") in rules(anyzarr.validate(store, deep=True))


def test_labels_of_averaged_values_are_found() -> None:
    store = MemoryStore()
    write_image(store)
    write_labels(store)
    change(store, "labels/cells", lambda ome: ome["multiscales"][0].pop("type"))
    assert anyzarr.validate(store, deep=True).valid
    fine, coarse = (anyzarr.open_array(store, path=f"labels/cells/{i}") for i in (0, 1))
    blocks = fine[:].reshape(2, 32, 2, 24, 2)
    coarse[:] = blocks.mean(axis=(2, 4)).astype("uint16")
    assert ("labels/cells", "levels-agree") in rules(anyzarr.validate(store, deep=True))


def test_progress_is_told() -> None:
    steps: list[anyzarr.abc.Any] = []
    anyzarr.validate(make(), deep=True, progress=steps.append)
    labels = {step.label for step in steps}
    assert {"decoding 0", "decoding 1", "comparing 1", "comparing 2"} <= labels
    last = [s for s in steps if s.label == "decoding 0"][-1]
    assert last.total_bytes == 301 * 277 * 2

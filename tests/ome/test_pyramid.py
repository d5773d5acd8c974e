"""Pyramids of images: methods, placement, and regions computed again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from anyzarr._pyramid import METHODS, downsample, gaussian, method_of
from anyzarr.errors import MetadataError, NodeExistsError, SelectionError, UnsupportedError
from anyzarr.ome import open_ome_zarr
from anyzarr.testing import assert_identical

RNG = np.random.default_rng(0)


def made(values: Any, factors: tuple[int, ...], method: str) -> Any:
    if method == "gaussian":
        return gaussian(values, factors)
    return downsample(values, factors, method_of(method).kernel)


@pytest.mark.parametrize("method", METHODS)
def test_every_method(method: str) -> None:
    values = RNG.integers(0, 9, (5, 300, 270)).astype("u2")
    factors = [(1, 2, 2), (2, 3, 1)]
    with open_ome_zarr({}, mode="w", axes="zyx") as image:
        image.create_image("0", values, scale=(2, 0.5, 0.5), translation=(1, 2, 3))
        image.compute_pyramid(method=method, factors=factors)
        once = made(values, factors[0], method)
        assert_identical(np.asarray(image[1][...]), once)
        assert_identical(np.asarray(image[2][...]), made(once, factors[1], method))
        assert image.metadata.image.type == method
        centred = method not in {"stride", "nearest"}
        assert image.get_effective_translation(2) == (
            [1 + 0.5 * 2, 2 + 2.5 * 0.5, 3 + 0.5 * 0.5] if centred else [1, 2, 3]
        )


def test_a_dtype_that_a_method_cannot_do_is_refused_before_anything_changes() -> None:
    with open_ome_zarr({}, mode="w", axes="yx") as image:
        image.create_image("0", np.zeros((600, 600), "c8"))
        for compute in (image.compute_pyramid, image.initialize_pyramid):
            with pytest.raises(UnsupportedError, match="mean"):
                compute(method="median", levels=2)
        assert len(image) == 1
        image.compute_pyramid(levels=2)


@pytest.mark.parametrize("method", ["mean", "mode", "stride", "gaussian"])
@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize(
    "region",
    [
        np.s_[3:5, 100:130, 7:90],
        np.s_[-1, ::1, 100],
        np.s_[..., -5:],
        np.s_[:2, :0],
        np.s_[2:7:2, 299:, :1],
        np.s_[...],
    ],
)
def test_a_region_is_computed_again(method: str, version: str, region: Any) -> None:
    values = RNG.integers(0, 999, (8, 300, 270)).astype("u2")
    with open_ome_zarr({}, mode="w", axes="zyx", version=version) as image:
        layout = {} if version == "0.4" else {"shards": (8, 96, 96)}
        data = image.create_image("0", values, chunks=(4, 32, 32), **layout)
        factors = [(1, 2, 2), (2, 3, 2), (2, 2, 2)]
        image.compute_pyramid(method=method, factors=factors)
        values[region] = 7
        data[...] = values
        image.compute_pyramid(region=region)
        for level, step in zip(image.levels[1:], factors, strict=True):
            values = made(values, step, method)
            assert_identical(np.asarray(level[...]), values)


def test_only_the_region_is_touched() -> None:
    store: dict[str, bytes] = {}
    with open_ome_zarr(store, mode="w", axes="yx") as image:
        data = image.create_image("0", np.ones((512, 512), "u1"), chunks=(32, 32), shards=False)
        image.compute_pyramid(factors=[(2, 2), (2, 2)])
        before = dict(store)
        data[70:80, 200:210] = 200
        image.compute_pyramid(region=np.s_[70:80, 200:210])
    changed = {key for key in store if store[key] != before.get(key)}
    assert changed == {"0/c/2/6", "1/c/1/3", "2/c/0/1"}


def test_a_region_needs_levels_made_the_same_way() -> None:
    with open_ome_zarr({}, mode="w", axes="yx") as image:
        image.create_image("0", np.ones((600, 600), "u1"))
        with pytest.raises(MetadataError, match="1 levels"):
            image.compute_pyramid(region=np.s_[:5, :5])
        image.compute_pyramid(method="max")
        image.compute_pyramid(region=np.s_[:5, :5], method="max")
        with pytest.raises(MetadataError, match="max"):
            image.compute_pyramid(region=np.s_[:5, :5], method="mean")
        with pytest.raises(MetadataError, match="leave"):
            image.compute_pyramid(2, region=np.s_[:5, :5])
        with pytest.raises(SelectionError):
            image.compute_pyramid(region=np.s_[:5, :5, :5])
        with pytest.raises(MetadataError, match="box"):
            image.compute_pyramid(region=np.ones((600, 600), bool))


def test_levels_that_a_killed_process_left_are_filled() -> None:
    with open_ome_zarr({}, mode="w", axes="yx") as image:
        values = RNG.integers(0, 9, (600, 600)).astype("u1")
        image.create_image("0", values)
        plan = image._plan(2, "mean", None)
        image._make_levels(plan)  # and then nothing more
        image._arrays.clear()
        image.compute_pyramid()
        assert_identical(np.asarray(image[1][...]), downsample(values, (2, 2), "mean"))


def test_an_array_of_someone_elses_is_not_taken_for_a_level() -> None:
    with open_ome_zarr({}, mode="w", axes="yx") as image:
        image.create_image("0", np.ones((600, 600), "u1"))
        other = image.group.create_array("1", data=np.arange(7))
        with pytest.raises(NodeExistsError):
            image.compute_pyramid()
        assert_identical(np.asarray(other[...]), np.arange(7))


def test_interrupted_levels_are_not_named() -> None:
    def stop(step: Any) -> None:
        if step.done_bytes:
            raise KeyboardInterrupt

    with open_ome_zarr({}, mode="w", axes="yx") as image:
        image.create_image("0", np.ones((600, 600), "u1"))
        with pytest.raises(KeyboardInterrupt):
            image.compute_pyramid(progress=stop)
        assert len(image) == 1
        assert image.group.keys() == ["0"]
        image.compute_pyramid()
        assert (np.asarray(image[1][...]) == 1).all()

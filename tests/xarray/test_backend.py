"""``xarray.open_dataset(location, engine=...)`` beside xarray's own Zarr backend."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anyzarr
import xarray as xr
from anyzarr._xarray import AnyzarrBackend


def dataset() -> xr.Dataset:
    rng = np.random.default_rng(2)
    temperature = rng.normal(10, 3, (4, 6, 8)).astype("float32")
    temperature[0, 0, 0] = np.nan
    return xr.Dataset(
        {
            "temperature": (("time", "y", "x"), temperature, {"units": "K"}),
            "count": (("y", "x"), rng.integers(0, 9, (6, 8)).astype("float64")),
            "name": ((), np.float64(3.5)),
        },
        coords={
            "time": np.array(
                ["2020-01-01", "2020-01-02", "2020-01-04", "2020-01-08"], "datetime64[ns]"
            ),
            "x": np.linspace(0, 1, 8),
            "lon": (("y", "x"), rng.normal(size=(6, 8))),
        },
        attrs={"title": "a test"},
    )


@pytest.fixture(params=[2, 3])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "data.zarr"
    encoding = {
        "temperature": {"chunks": (1, 3, 8)},
        "count": {"scale_factor": 0.5, "add_offset": 3.0, "dtype": "int16", "_FillValue": -1},
    }
    dataset().to_zarr(path, zarr_format=request.param, encoding=encoding, consolidated=False)
    return path


def test_groups_are_read_as_xarray_reads_them(folder: Path) -> None:
    expected = xr.open_dataset(folder, engine="zarr", consolidated=False).load()
    found = xr.open_dataset(folder, engine=AnyzarrBackend)
    assert found.temperature.encoding["preferred_chunks"] == {"time": 1, "y": 3, "x": 8}
    xr.testing.assert_identical(found.load(), expected)


@pytest.mark.parametrize("array_engine", ["zarr", "tensorstore", "native", "zarrs"])
def test_any_engine_and_any_selection(folder: Path, array_engine: str) -> None:
    expected = xr.open_dataset(folder, engine="zarr", consolidated=False)
    found = xr.open_dataset(folder, engine=AnyzarrBackend, array_engine=array_engine)
    pick: list[dict[str, Any]] = [
        {"time": 2},
        {"x": slice(None, None, -2)},
        {"y": [5, 0, 3], "x": [1, 1, 7]},
        {"y": xr.DataArray([0, 2, 4], dims="p"), "x": xr.DataArray([7, 0, 7], dims="p")},
        {"time": np.array([True, False, False, True])},
    ]
    for selection in pick:
        xr.testing.assert_identical(
            found.isel(**selection).load(), expected.isel(**selection).load()
        )


def test_lazy_with_dask(folder: Path) -> None:
    found = xr.open_dataset(folder, engine=AnyzarrBackend, chunks={})
    assert found.temperature.chunks == ((1, 1, 1, 1), (3, 3), (8,))
    xr.testing.assert_identical(
        found.load(), xr.open_dataset(folder, engine="zarr", consolidated=False).load()
    )


def test_trees_of_groups(tmp_path: Path) -> None:
    tree = xr.DataTree.from_dict({"/": dataset(), "/a": dataset()[["count"]], "/a/b": dataset()})
    path = tmp_path / "tree.zarr"
    tree.to_zarr(path, consolidated=False)
    found = xr.open_datatree(path, engine=AnyzarrBackend)
    expected = xr.open_datatree(path, engine="zarr", consolidated=False)
    xr.testing.assert_identical(found.load(), expected.load())
    part = xr.open_datatree(path, engine=AnyzarrBackend, group="a")
    assert [node.path for node in part.subtree] == ["/", "/b"]


@pytest.fixture
def image() -> dict[str, bytes]:
    store: dict[str, bytes] = {}
    with anyzarr.open_ome_zarr(store, mode="w", axes="cyx", channel_names=["a", "b"]) as node:
        data = np.arange(2 * 300 * 280, dtype="uint16").reshape(2, 300, 280)
        node.create_image("0", data, scale=(1, 0.5, 0.25))
        node.compute_pyramid()
    return store


def test_images(image: dict[str, bytes]) -> None:
    found = xr.open_dataset(image, engine=AnyzarrBackend)
    assert dict(found.sizes) == {"c": 2, "y": 300, "x": 280}
    # Numbers wrap at 65536.
    assert found.image.sel(c="b", y=1.0, x=0.5).item() == (300 * 280 + 2 * 280 + 2) % 65536
    half = xr.open_dataset(image, engine=AnyzarrBackend, level=1)
    assert dict(half.sizes) == {"c": 2, "y": 150, "x": 140}
    np.testing.assert_allclose(half.y[:2], [0.25, 1.25])


def test_levels_as_a_tree(image: dict[str, bytes]) -> None:
    tree = xr.open_datatree(image, engine=AnyzarrBackend)
    with anyzarr.open_ome_zarr(image) as node:
        for level in range(len(node)):
            np.testing.assert_array_equal(tree[f"scale{level}"].image, node[level][:])
    assert list(tree.children) == ["scale0", "scale1"]


def test_archives_need_no_engine_named(tmp_path: Path, image: dict[str, bytes]) -> None:
    path = tmp_path / "image.ozx"
    anyzarr.convert(image, path)
    assert xr.open_dataset(str(path)).image.shape == (2, 300, 280)


def test_by_name(folder: Path) -> None:
    xr.testing.assert_identical(
        xr.open_dataset(folder, engine="anyzarr").load(),
        xr.open_dataset(folder, engine=AnyzarrBackend).load(),
    )


def test_one_array_and_mistakes(folder: Path) -> None:
    found = xr.open_dataset(folder, engine=AnyzarrBackend, group="temperature")
    assert list(found) == ["temperature"]
    with pytest.raises(anyzarr.NodeNotFoundError):
        xr.open_dataset(folder, engine=AnyzarrBackend, group="nothing")
    with pytest.raises(TypeError, match="consolidated"):
        xr.open_dataset(folder, engine=AnyzarrBackend, consolidated=False)

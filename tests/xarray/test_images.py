"""Images as labelled arrays: coordinates, units, channels, and the way back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest

import anyzarr
import xarray as xr
from anyzarr.errors import MetadataError


def labelled(t: int = 3, c: int = 2, **coords: Any) -> xr.DataArray:
    """Return (t, c, 4, 20, 30) with everything that can be said of it."""
    rng = np.random.default_rng(1)
    return xr.DataArray(
        rng.integers(0, 1000, (t, c, 4, 20, 30)).astype("uint16"),
        dims=("t", "c", "z", "y", "x"),
        coords={
            "t": ("t", 10.0 + 5.0 * np.arange(t), {"units": "second"}),
            "c": ["DAPI", "GFP"][:c],
            "z": ("z", 2.0 * np.arange(4) - 3.0, {"units": "micrometer"}),
            "y": ("y", 0.5 * np.arange(20), {"units": "micrometer"}),
            "x": ("x", 0.5 * np.arange(30) + 100, {"units": "micrometer"}),
            **coords,
        },
        attrs={"units": "nanometer", "gain": 1.5},
        name="cells",
    )


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("lazy", [False, True])
def test_what_is_written_is_read_back(lazy: bool, version: str) -> None:
    data = labelled()
    store: dict[str, bytes] = {}
    with anyzarr.open_ome_zarr(store, mode="w", version=version) as image:
        image.write_xarray(data.chunk({"y": 7}) if lazy else data, chunks=(1, 1, 2, 8, 8))
    with anyzarr.open_ome_zarr(store) as image:
        found = image.to_xarray()
        assert isinstance(found.data, da.Array)
        xr.testing.assert_identical(found.rename("cells").load(), data)
        assert image.scale == [5.0, 1.0, 2.0, 0.5, 0.5]
        assert image.translation == [10.0, 0.0, -3.0, 0.0, 100.0]


def test_iohub_and_we_agree_on_coordinates(tmp_path: Path) -> None:
    from iohub import open_ome_zarr

    data = labelled()
    path = tmp_path / "ours.zarr"
    with anyzarr.open_ome_zarr(path, mode="w") as image:
        image.write_xarray(data)
    with open_ome_zarr(path, layout="fov", mode="r") as position:
        theirs = position.to_xarray().load()
    np.testing.assert_array_equal(theirs.values, data.values)
    for name in "tzyx":
        np.testing.assert_allclose(theirs.coords[name], data.coords[name])
        assert theirs.coords[name].attrs == data.coords[name].attrs
    assert list(theirs.coords["c"].values) == ["DAPI", "GFP"]

    path = tmp_path / "theirs.zarr"
    with open_ome_zarr(path, layout="fov", mode="w", channel_names=["DAPI", "GFP"]) as position:
        position.write_xarray(data)
    with anyzarr.open_ome_zarr(path) as image:
        # iohub writes the names of the axes in capitals; they stay what they are.
        found = image.to_xarray().rename("cells").load()
        xr.testing.assert_identical(found.rename({n.upper(): n for n in "tczyx"}), data)


def test_levels_have_their_own_coordinates() -> None:
    with anyzarr.open_ome_zarr({}, mode="w", axes="yx") as image:
        image.create_image("0", np.arange(64.0).reshape(8, 8), scale=(0.5, 0.5))
        image.compute_pyramid(3)
        tree = image.to_datatree()
        assert list(tree.children) == ["scale0", "scale1", "scale2"]
        assert tree["scale1"].image.shape == (4, 4)
        np.testing.assert_allclose(tree["scale1"].coords["x"], [0.25, 1.25, 2.25, 3.25])
        # The same place has about the same value in all levels.
        mean = float(tree["scale0"].image[4:6, 4:6].mean())
        assert float(tree["scale1"].image.sel(y=2.25, x=2.25)) == mean


def test_part_of_an_image_is_written_where_its_coordinates_say() -> None:
    data = labelled()
    store: dict[str, bytes] = {}
    with anyzarr.open_ome_zarr(store, mode="w", channel_names=["DAPI", "GFP"]) as image:
        image.write_xarray(data.isel(c=[1]))
        assert image.data.shape == data.shape
        assert not image.data[:, 0].any()
    with anyzarr.open_ome_zarr(store, mode="r+") as image:
        image.write_xarray(data.isel(c=[0], t=[2, 0], x=slice(3, 17)).chunk())
        found = image.data[:]
    expected = data.values.copy()
    expected[:, 0] = 0
    picked = np.ix_([2, 0], [0], range(4), range(20), range(3, 17))
    expected[picked] = data.values[picked]
    np.testing.assert_array_equal(found, expected)


def test_units_by_their_short_names_and_timedeltas() -> None:
    data = labelled().assign_coords(t=np.array([0, 1500, 3000], "timedelta64[ms]"))
    data.coords["z"].attrs["units"] = "µm"
    with anyzarr.open_ome_zarr({}, mode="w") as image:
        image.write_xarray(data)
        assert image.scale[0] == 1.5
        assert image.axes[2].unit == "micrometer"


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"x": ("x", np.arange(30) ** 2.0)}, "evenly"),
        ({"x": ("x", -np.arange(30.0))}, "evenly"),
        ({"y": ("y", np.arange(20.0), {"units": "furlong"})}, "furlong"),
        ({"t": np.array(["2020", "2021", "2022"], "datetime64[Y]")}, "dtype"),
    ],
)
def test_coordinates_an_image_cannot_have(change: dict[str, Any], word: str) -> None:
    store: dict[str, bytes] = {}
    with anyzarr.open_ome_zarr(store, mode="w") as image:
        with pytest.raises(MetadataError, match=word):
            image.write_xarray(labelled().assign_coords(change))
        assert not image.has_data


@pytest.mark.parametrize(
    ("part", "word"),
    [
        (labelled().assign_coords(c=["DAPI", "RFP"]), "RFP"),
        (labelled().assign_coords(x=np.arange(30) * 0.5), "none of the image's"),
        (labelled().assign_coords(x=np.arange(30) * 0.5 + 100.2), "none of the image's"),
        (labelled().isel(t=[0]).drop_vars("t"), "coordinates that say"),
        (labelled().isel(t=0), "axes"),
    ],
)
def test_parts_that_do_not_fit_are_refused_and_nothing_is_written(
    part: xr.DataArray, word: str
) -> None:
    data = labelled()
    with anyzarr.open_ome_zarr({}, mode="w") as image:
        image.write_xarray(data)
        with pytest.raises(MetadataError, match=word):
            image.write_xarray(part)
        np.testing.assert_array_equal(image.data[:], data.values)


def test_each_shard_is_written_once(monkeypatch: pytest.MonkeyPatch) -> None:
    data = labelled()
    with anyzarr.open_ome_zarr({}, mode="w") as image:
        image.write_xarray(data, chunks=(1, 1, 2, 8, 8), shards=(1, 1, 4, 16, 16))
        written: list[str] = []
        put = type(image.store).put
        monkeypatch.setattr(
            type(image.store), "put",
            lambda self, key, *a, **k: (written.append(key), put(self, key, *a, **k))[1],
        )  # fmt: skip
        image.write_xarray(data)
        chunks = [key for key in written if "/c/" in key]
        assert len(chunks) == len(set(chunks)) == 3 * 2 * 2 * 2


@pytest.mark.parametrize("name", ["a.zarr", "a.ozx"])
@pytest.mark.parametrize("lazy", [False, True])
def test_from_xarray(tmp_path: Path, name: str, lazy: bool) -> None:
    data = labelled()
    steps: list[Any] = []
    anyzarr.from_xarray(
        data.chunk(t=2, y=7) if lazy else data, tmp_path / name, levels=3, chunks=(1, 1, 2, 10, 10),
        shards=(1, 1, 4, 20, 20), progress=steps.append,
    )  # fmt: skip
    with anyzarr.open_ome_zarr(tmp_path / name) as image:
        assert [level.shape[-2:] for level in image.levels] == [(20, 30), (10, 15), (5, 8)]
        assert image.data.shards == (1, 1, 4, 20, 20)
        assert image.channel_names == ["DAPI", "GFP"]
        assert image.scale == [5.0, 1.0, 2.0, 0.5, 0.5]
        xr.testing.assert_equal(image.to_xarray().compute(), data)
        assert image.axes[0].unit == "second"
    assert anyzarr.validate(tmp_path / name).errors == ()
    assert steps[0].label == "writing"
    assert all(step.done_bytes <= step.total_bytes for step in steps)
    with pytest.raises(anyzarr.NodeExistsError):
        anyzarr.from_xarray(data, tmp_path / name)
    anyzarr.from_xarray(data[:1], tmp_path / name, overwrite=True, levels=1)
    assert anyzarr.open_ome_zarr(tmp_path / name).data.shape[0] == 1


def test_progress_of_parts() -> None:
    data = labelled()
    steps: list[Any] = []
    with anyzarr.open_ome_zarr({}, mode="w", channel_names=["DAPI", "GFP"]) as image:
        image.write_xarray(data.isel(c=slice(0, 1)), progress=steps.append)
        image.write_xarray(data.isel(c=slice(1, 2)), progress=steps.append)
        np.testing.assert_array_equal(image.data[...], data.values)
    assert steps[-1].done_bytes == steps[-1].total_bytes == data.nbytes // 2

"""Images that independent libraries wrote, OME-Zarr 0.4 and 0.5, read with equal values."""

from pathlib import Path

import numpy as np
import pytest

import anyzarr
from anyzarr.ome import Image

pytestmark = pytest.mark.oracle

PIXELS = np.random.default_rng(0).integers(0, 999, (1, 2, 3, 130, 140)).astype("u2")


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_iohub(tmp_path: Path, version: str) -> None:
    iohub = pytest.importorskip("iohub", minversion="0.3", reason="needs Python 3.12 or newer")
    transform = iohub.ngff.TransformationMeta(type="scale", scale=[1, 1, 2, 0.5, 0.5])
    with iohub.open_ome_zarr(
        tmp_path / "a.zarr", layout="fov", mode="w-", channel_names=["a", "b"], version=version
    ) as position:
        position.create_image("0", PIXELS, transform=[transform])
        position.compute_pyramid(levels=2)
        expected = np.asarray(position["1"][...])
    image = anyzarr.open_ome_zarr(tmp_path / "a.zarr")
    check(image, version, [1, 1, 2, 0.5, 0.5])
    assert image.channel_names == ["a", "b"]
    np.testing.assert_array_equal(image[1][...], expected)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_ngff_zarr(tmp_path: Path, version: str) -> None:
    ngff_zarr = pytest.importorskip("ngff_zarr", reason="needs Python 3.12 or newer")
    sizes = {"t": 1.0, "c": 1.0, "z": 2.0, "y": 0.5, "x": 0.5}
    units = {"t": "second", "z": "micrometer", "y": "micrometer", "x": "micrometer"}
    source = ngff_zarr.to_ngff_image(
        PIXELS, dims=list("tczyx"), scale=sizes, axes_units=units, name="theirs"
    )
    multiscales = ngff_zarr.to_multiscales(source, scale_factors=[], chunks=64)
    ngff_zarr.to_ngff_zarr(str(tmp_path / "a.zarr"), multiscales, version=version)
    image = anyzarr.open_ome_zarr(tmp_path / "a.zarr")
    check(image, version, list(sizes.values()))
    assert [axis.unit for axis in image.axes] == [units.get(name) for name in "tczyx"]


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_ome_zarr_models(tmp_path: Path, version: str) -> None:
    models = pytest.importorskip(
        f"ome_zarr_models.v{version.replace('.', '')}", reason="ome-zarr-models is not installed"
    )
    zarr = pytest.importorskip("zarr", minversion="3")
    spec_of = __import__("pydantic_zarr").v2 if version == "0.4" else __import__("pydantic_zarr").v3
    chunked = {"chunks": (1, 1, 3, 64, 64)} if version == "0.4" else {
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": (1, 1, 3, 64, 64)}},
        "dimension_names": tuple("tczyx"),
        "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
    }  # fmt: skip
    spec = models.Image.new(
        array_specs=[spec_of.ArraySpec.from_array(PIXELS, **chunked)],
        paths=["full"],
        axes=[{"name": n, "type": t} for n, t in zip("tczyx", TYPES, strict=True)],
        scales=[[1, 1, 2, 0.5, 0.5]],
        translations=[[0, 0, 1, 3, 4]],
        name="theirs",
    )
    store = zarr.storage.LocalStore(tmp_path / "a.zarr")
    group = spec.to_zarr(store, path="/")
    group["full"][...] = PIXELS
    image = anyzarr.open_ome_zarr(tmp_path / "a.zarr")
    check(image, version, [1, 1, 2, 0.5, 0.5])
    assert image.translation == [0, 0, 1, 3, 4]
    assert (image.name, image.data.path) == ("theirs", "full")


TYPES = ("time", "channel", "space", "space", "space")


def check(image: Image, version: str, scale: list[float]) -> None:
    assert image.version == version
    assert [name.lower() for name in image.axis_names] == list("tczyx")
    assert [axis.type for axis in image.axes] == list(TYPES)
    assert image.get_effective_scale(0) == scale
    np.testing.assert_array_equal(image.data[...], PIXELS)
    np.testing.assert_array_equal(image.data[0, 1, ::2, -5:], PIXELS[0, 1, ::2, -5:])

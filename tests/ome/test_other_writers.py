"""Images that independent libraries wrote, OME-Zarr 0.4 to 0.6, read with equal values."""

import json
from pathlib import Path
from typing import Any

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


@pytest.mark.parametrize("version", ["0.4", "0.5", "0.6"])
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


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_iohub_labels(tmp_path: Path, version: str) -> None:
    iohub = pytest.importorskip("iohub", minversion="0.3", reason="needs Python 3.12 or newer")
    cells = (PIXELS[:, 0] > 500).astype("u2")
    with iohub.open_ome_zarr(
        tmp_path / "a.zarr", layout="fov", mode="w-", channel_names=["a", "b"], version=version
    ) as position:
        position.create_image("0", PIXELS)
        position.create_label("cells", cells, colors={1: [255, 0, 0, 255]})
    image = anyzarr.open_ome_zarr(tmp_path / "a.zarr")
    ((name, label),) = image.labels()
    assert name == "cells"
    assert list(label.colors) == [1]  # iohub writes other numbers than it is given
    np.testing.assert_array_equal(label.data[...], cells)


def test_yaozarrs(tmp_path: Path) -> None:
    v05 = pytest.importorskip("yaozarrs.v05")
    write = pytest.importorskip("yaozarrs.write.v05")
    spatial = [v05.SpaceAxis(name=n, unit="micrometer") for n in "yx"]
    cells = (PIXELS[0, 0, 0] > 500).astype("u2")

    def multiscale(**more: Any) -> Any:
        scale = v05.ScaleTransformation(scale=[0.5, 0.25])
        dataset = v05.Dataset(path="s0", coordinateTransformations=[scale])
        return v05.Multiscale(axes=spatial, datasets=[dataset], **more)

    write.write_image(
        tmp_path / "a.zarr",
        v05.Image(multiscales=[multiscale(name="theirs")]),
        PIXELS[0, 0, 0],
        labels={
            "cells": (v05.LabelImage(multiscales=[multiscale()], **{"image-label": {}}), cells)
        },
    )
    image = anyzarr.open_ome_zarr(tmp_path / "a.zarr")
    assert (image.version, image.name, image.data.path) == ("0.5", "theirs", "s0")
    assert image.scale == [0.5, 0.25]
    np.testing.assert_array_equal(image.data[...], PIXELS[0, 0, 0])
    np.testing.assert_array_equal(image.get_label("cells").data[...], cells)


def test_tensorstore_by_hand(tmp_path: Path) -> None:
    """A writer that has nothing but tensorstore and JSON, as bioformats2raw lays images out."""
    ts = pytest.importorskip("tensorstore")
    for series in range(2):
        for level, values in enumerate((PIXELS, PIXELS[..., ::2, ::2])):
            spec = {
                "driver": "zarr",
                "kvstore": {"driver": "file", "path": f"{tmp_path}/a.zarr/{series}/{level}"},
                "metadata": {
                    "shape": values.shape,
                    "chunks": [1, 1, 1, 64, 64],
                    "dtype": ">u2",
                    "dimension_separator": "/",
                    "compressor": {"id": "zlib", "level": 1},
                },
                "create": True,
            }
            ts.open(spec).result()[...] = values + series
        folder = tmp_path / "a.zarr" / str(series)
        (folder / ".zgroup").write_text('{"zarr_format": 2}')
        axes = [{"name": n, "type": t} for n, t in zip("tczyx", TYPES, strict=True)]
        datasets = [
            {
                "path": str(level),
                "coordinateTransformations": [{"type": "scale", "scale": [1, 1, 1, f, f]}],
            }
            for level, f in enumerate((0.5, 1.0))
        ]
        multiscales = [{"version": "0.4", "axes": axes, "datasets": datasets}]
        (folder / ".zattrs").write_text(json.dumps({"multiscales": multiscales}))
    image = anyzarr.open_ome_zarr(tmp_path / "a.zarr" / "1")
    assert image.version == "0.4"
    np.testing.assert_array_equal(image.data[...], PIXELS + 1)
    np.testing.assert_array_equal(image[1][...], PIXELS[..., ::2, ::2] + 1)


TYPES = ("time", "channel", "space", "space", "space")


def check(image: Image, version: str, scale: list[float]) -> None:
    assert image.version == version
    assert [name.lower() for name in image.axis_names] == list("tczyx")
    assert [axis.type for axis in image.axes] == list(TYPES)
    assert image.get_effective_scale(0) == scale
    np.testing.assert_array_equal(image.data[...], PIXELS)
    np.testing.assert_array_equal(image.data[0, 1, ::2, -5:], PIXELS[0, 1, ::2, -5:])

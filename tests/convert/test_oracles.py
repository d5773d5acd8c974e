"""Independent libraries read what conversion writes: values, axes, placement."""

import itertools

import numpy as np
import pytest

import anyzarr

tifffile = pytest.importorskip("tifffile")
pytestmark = pytest.mark.oracle

CASES = {
    "tczyx": ((2, 2, 5, 300, 280), "TCZYX"),
    "czyx": ((2, 5, 300, 280), "CZYX"),
    "zyx": ((5, 300, 280), "ZYX"),
    "yx": ((300, 280), "YX"),
}


@pytest.fixture(scope="module", params=CASES)
def written(request, tmp_path_factory):
    """Return (path, axes, values, scale) of a converted image."""
    shape, order = CASES[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    values = np.random.default_rng(3).integers(0, 999, shape).astype("u2")
    metadata = {
        "axes": order, "PhysicalSizeX": 0.2, "PhysicalSizeY": 0.3, "PhysicalSizeZ": 0.5,
        "PhysicalSizeXUnit": "µm", "PhysicalSizeYUnit": "µm", "PhysicalSizeZUnit": "µm",
        "TimeIncrement": 3.0, "TimeIncrementUnit": "s",
    }  # fmt: skip
    if "C" in order:
        metadata["Channel"] = {"Name": ["DAPI", "GFP"]}
    tifffile.imwrite(folder / "a.ome.tif", values, metadata=metadata)
    anyzarr.convert(folder / "a.ome.tif", folder / "a.zarr")
    sizes = {"t": 3.0, "c": 1.0, "z": 0.5, "y": 0.3, "x": 0.2}
    return folder / "a.zarr", request.param, values, [sizes[a] for a in request.param]


def test_zarr_python(written):
    zarr = pytest.importorskip("zarr", minversion="3")
    path, axes, values, _ = written
    group = zarr.open_group(path, mode="r")
    np.testing.assert_array_equal(group["0"][...], values)
    assert group["0"].metadata.dimension_names == tuple(axes)
    ours = anyzarr.open_ome_zarr(path)
    for level, array in enumerate(ours.levels):
        np.testing.assert_array_equal(group[str(level)][...], array[...])


def test_iohub(written):
    iohub = pytest.importorskip("iohub", minversion="0.3")
    path, axes, values, scale = written
    with iohub.open_ome_zarr(path, mode="r") as position:
        np.testing.assert_array_equal(np.asarray(position.data[...]), values)
        assert position.axis_names == list(axes)
        assert position.scale == pytest.approx(scale)
        if "c" in axes:
            assert position.channel_names == ["DAPI", "GFP"]


def test_ome_zarr_models(written):
    models = pytest.importorskip("ome_zarr_models.v05")
    zarr = pytest.importorskip("zarr", minversion="3")
    path, axes, _, scale = written
    image = models.Image.from_zarr(zarr.open_group(path, mode="r"))
    multiscale = image.ome_attributes.multiscales[0]
    assert [axis.name for axis in multiscale.axes] == list(axes)
    first = multiscale.datasets[0].coordinateTransformations
    assert list(first[0].scale) == pytest.approx(scale)
    assert len(first) == 1
    second = multiscale.datasets[1].coordinateTransformations
    assert list(second[1].translation)[-2:] == pytest.approx([0.15, 0.1])


def test_yaozarrs(written):
    yaozarrs = pytest.importorskip("yaozarrs")
    path, axes, _, _ = written
    group = yaozarrs.validate_zarr_store(str(path))
    metadata = group.ome_metadata()
    assert [axis.name for axis in metadata.multiscales[0].axes] == list(axes)
    assert metadata.multiscales[0].type == "mean"


def test_ngff_zarr(written):
    ngff_zarr = pytest.importorskip("ngff_zarr")
    path, axes, values, scale = written
    images = ngff_zarr.from_ngff_zarr(str(path)).images
    assert list(images[0].dims) == list(axes)
    assert [images[0].scale[a] for a in axes] == pytest.approx(scale)
    assert images[1].translation["x"] == pytest.approx(0.1)
    np.testing.assert_array_equal(np.asarray(images[0].data), values)


def test_pyramids_are_those_of_iohub(tmp_path):
    """iohub on tensorstore: the same shapes and, rounding included, values."""
    iohub = pytest.importorskip("iohub", minversion="0.3")
    pytest.importorskip("tensorstore")
    values = np.random.default_rng(0).integers(0, 65535, (1, 2, 5, 301, 263)).astype("u2")
    theirs = tmp_path / "theirs.zarr"
    with iohub.open_ome_zarr(
        theirs,
        layout="fov",
        mode="w-",
        channel_names=["a", "b"],
        version="0.5",
        implementation="tensorstore",
    ) as position:
        position.create_image("0", values)
        position.compute_pyramid(levels=3)
    with anyzarr.open_ome_zarr(theirs) as image:
        levels = [array[...] for array in image.levels]
        factors = [
            tuple(round(a / b) for a, b in zip(x.shape, y.shape, strict=True))
            for x, y in itertools.pairwise(levels)
        ]
    np.testing.assert_array_equal(levels[0], values)
    with anyzarr.open_ome_zarr({}, mode="w", axes="tczyx") as image:
        image.create_image("0", values)
        image.compute_pyramid(factors=factors)
        for ours, expected in zip(image.levels, levels, strict=True):
            np.testing.assert_array_equal(ours[...], expected)

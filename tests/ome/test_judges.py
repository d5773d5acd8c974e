"""What is written, in every version, judged by ome-zarr-models, yaozarrs and ngff-zarr."""

from pathlib import Path

import numpy as np
import pytest

import anyzarr
from anyzarr.ome import open_ome_zarr

pytestmark = pytest.mark.oracle

VERSIONS = ("0.4", "0.5", "0.6")
PIXELS = np.random.default_rng(0).integers(0, 999, (1, 2, 3, 130, 140)).astype("u2")


@pytest.fixture(scope="module", params=VERSIONS)
def written(request, tmp_path_factory) -> tuple[str, Path]:
    """An image with all that can be in one: levels, units, channels, labels, transformations."""
    version = request.param
    path = tmp_path_factory.mktemp("judged") / "image.zarr"
    axes = [
        {"name": "t", "type": "time", "unit": "second"},
        {"name": "c", "type": "channel"},
        *({"name": n, "type": "space", "unit": "micrometer"} for n in "zyx"),
    ]
    with open_ome_zarr(
        path, mode="w-", axes=axes, channel_names=["DAPI", "GFP"], version=version
    ) as image:
        image.create_image("0", PIXELS, scale=(1, 1, 2, 0.5, 0.5), translation=(0, 0, 1, 2, 3))
        image.compute_pyramid(levels=3)
        image.append_channel("Cy5")
        image.rename_channel("DAPI", "nuclei")
        image.set_contrast_limits("GFP")
        image.set_scale({"z": 2.5, "t": 60})
        if version == "0.6":
            shift = {"type": "translation", "translation": [0, 0, 5, 6, 7]}
            image.set_transform("*", [{**shift, "output": {"name": "stage"}}])
        labels = (PIXELS[:, 0] > 500).astype("u2")
        image.create_label(
            "cells", labels, colors={1: "FF0000"}, properties={1: {"class": "bright"}}
        )
        image.create_label("plain", labels, colors={1: "00FF00"})
    return version, path


def groups(path: Path) -> dict[str, dict]:
    names = ("", "labels", "labels/cells", "labels/plain")
    return {name: anyzarr.open_group(path / name).attrs.asdict() for name in names}


def test_ngff_zarr_schemas(written):
    pytest.importorskip("jsonschema")
    judge = pytest.importorskip("ngff_zarr.validate", reason="needs Python 3.12 or newer")
    version, path = written
    attributes = groups(path)
    for strict in (False, True):
        judge.validate(attributes[""], version=version, model="image", strict=strict)
        for name in ("labels/cells", "labels/plain"):
            judge.validate(attributes[name], version=version, model="image", strict=strict)
            judge.validate(attributes[name], version=version, model="label")


def test_ngff_zarr_reads_it(written):
    ngff_zarr = pytest.importorskip("ngff_zarr", reason="needs Python 3.12 or newer")
    version, path = written
    multiscales = ngff_zarr.from_ngff_zarr(str(path), validate=True)
    assert len(multiscales.images) == 3
    image = open_ome_zarr(path)
    theirs = multiscales.images[0]
    np.testing.assert_array_equal(np.asarray(theirs.data), image.data[...])
    if version == "0.6":
        assert list(theirs.scale.values()) == image.scale
        assert list(theirs.translation.values()) == image.translation


def test_ome_zarr_models(written):
    version, path = written
    zarr = pytest.importorskip("zarr", minversion="3")
    models = pytest.importorskip(
        f"ome_zarr_models.v{version.replace('.', '')}",
        reason="0.6 needs ome-zarr-models 1.8 or newer",
    )
    group = zarr.open_group(path, mode="r")
    image = models.Image.from_zarr(group)
    assert len(image.ome_attributes.multiscales[0].datasets) == 3
    labels = models.Labels.from_zarr(group["labels"])
    attributes = labels.attributes if version == "0.4" else labels.ome_attributes
    assert attributes.labels == ["cells", "plain"]


def test_yaozarrs(written):
    yaozarrs = pytest.importorskip("yaozarrs")
    version, path = written
    if version == "0.6":
        pytest.skip("yaozarrs knows no 0.6")
    yaozarrs.validate_zarr_store(str(path))
    yaozarrs.validate_zarr_store(str(path / "labels" / "cells"))


def test_anyzarr(written):
    _, path = written
    report = anyzarr.validate(path)
    assert report.errors == ()


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_transformations_of_the_whole_image(tmp_path, version):
    pytest.importorskip("jsonschema")
    judge = pytest.importorskip("ngff_zarr.validate", reason="needs Python 3.12 or newer")
    yaozarrs = pytest.importorskip("yaozarrs")
    with open_ome_zarr(tmp_path / "a", mode="w", axes="tczyx", version=version) as image:
        image.create_image("0", PIXELS)
        image.set_transform(
            "*",
            [
                {"type": "scale", "scale": [1, 1, 2, 2, 2]},
                {"type": "translation", "translation": [0, 0, 1, 2, 3]},
            ],
        )
    attributes = anyzarr.open_group(tmp_path / "a").attrs.asdict()
    judge.validate(attributes, version=version, model="image")
    yaozarrs.validate_zarr_store(str(tmp_path / "a"))
    assert anyzarr.validate(tmp_path / "a").errors == ()

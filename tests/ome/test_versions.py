"""Every version of OME-Zarr read into one model, and written again in those that are written."""

import copy
import json

import numpy as np
import pytest

import anyzarr
from anyzarr.errors import MetadataError, UnsupportedError
from anyzarr.ome import ImageMetadata, open_ome_zarr

PIXELS = np.random.default_rng(1).integers(0, 999, (1, 2, 3, 64, 48)).astype("u2")
SMALL = PIXELS[..., ::2, ::2]


def by_hand(multiscale, *, separator=".", levels=None, omero=None, version=2):
    """Write an image as other writers do: documents by hand, chunks by the array."""
    store = {}
    group = anyzarr.create_group(store, zarr_format=2)
    for path, values in (levels or {"0": PIXELS, "1": SMALL}).items():
        array = group.create_array(
            path,
            shape=values.shape,
            dtype=values.dtype,
            chunks=(1,) * (values.ndim - 2) + (32, 32),
            chunk_key_encoding={"name": "v2", "separator": separator},
        )
        array[...] = values
    attributes = {"multiscales": [multiscale]}
    if omero is not None:
        attributes["omero"] = omero
    group.attrs.update(attributes)
    return store


DATASETS = [{"path": "0"}, {"path": "1"}]


@pytest.mark.parametrize(
    ("version", "separator", "axes"),
    [("0.1", ".", None), ("0.2", "/", None), ("0.3", "/", list("tczyx"))],
)
def test_old_versions_are_read(version, separator, axes):
    multiscale = {"version": version, "name": "old", "datasets": DATASETS}
    if axes:
        multiscale["axes"] = axes
    omero = {"channels": [{"label": n, "color": "FFFFFF"} for n in "ab"]}
    store = by_hand(multiscale, separator=separator, omero=omero)
    image = open_ome_zarr(store)
    assert image.version == version
    assert image.axis_names == list("tczyx")
    assert [a.type for a in image.axes] == ["time", "channel", "space", "space", "space"]
    np.testing.assert_array_equal(image.data[...], PIXELS)
    np.testing.assert_array_equal(image[1][...], SMALL)
    assert image.get_effective_scale(1) == [1, 1, 1, 2, 2]
    assert image.channel_names == ["a", "b"]
    assert (image.data.channels, image.data.slices, image.data.width) == (2, 3, 48)
    info = anyzarr.info(store)
    assert info.version == version
    assert [axis.name for axis in info.axes] == list("tczyx")


def test_an_old_image_of_fewer_dimensions():
    levels = {"0": PIXELS[0, 0], "1": SMALL[0, 0]}
    store = by_hand({"version": "0.2", "datasets": DATASETS}, levels=levels)
    image = open_ome_zarr(store)
    assert image.axis_names == list("zyx")
    assert [axis.name for axis in anyzarr.info(store).axes] == list("zyx")
    assert image.metadata.image.placement(1) == ((1, 2, 2), (0, 0, 0))


def test_a_version_not_stated_is_told_by_the_form():
    def version(multiscale):
        return ImageMetadata.from_attributes({"multiscales": [multiscale]}).version

    assert version({"datasets": DATASETS}) == "0.1"
    assert version({"datasets": DATASETS, "axes": ["y", "x"]}) == "0.3"
    axes = [{"name": n, "type": "space"} for n in "yx"]
    assert version({"datasets": DATASETS, "axes": axes}) == "0.4"
    ome = {"multiscales": [{"datasets": DATASETS, "axes": axes}]}
    assert ImageMetadata.from_attributes({"ome": ome}).version == "0.5"
    systems = [{"name": "s", "axes": axes}]
    ome = {"multiscales": [{"datasets": DATASETS, "coordinateSystems": systems}]}
    assert ImageMetadata.from_attributes({"ome": ome}).version == "0.6"


def test_old_versions_are_not_written():
    store = by_hand({"version": "0.2", "datasets": DATASETS}, omero={"channels": [{}, {}]})
    before = copy.deepcopy(store)
    with open_ome_zarr(store, mode="r+") as image:
        for change in (
            lambda: image.set_scale("z", 2),
            lambda: image.set_unit("z", "micrometer"),
            lambda: image.rename_channel(0, "x"),
            lambda: image.append_channel("x"),
            lambda: image.create_image("more", PIXELS),
        ):
            with pytest.raises(UnsupportedError, match="upgrade"):
                change()
    assert store == before


# -- 0.6 --------------------------------------------------------------------------------------

AXES = [
    {"name": "z", "type": "space", "unit": "micrometer", "discrete": False, "longName": "depth"},
    {"name": "y", "type": "space", "unit": "micrometer"},
    {"name": "x", "type": "space", "unit": "micrometer"},
]
V06 = {
    "version": "0.6",
    "multiscales": [
        {
            "name": "cells",
            "coordinateSystems": [
                {"name": "other", "axes": AXES},
                {"name": "physical", "axes": AXES, "by": "hand"},
            ],
            "datasets": [
                {
                    "path": "0",
                    "coordinateTransformations": [
                        {
                            "type": "sequence",
                            "name": "to physical",
                            "input": {"path": "0"},
                            "output": {"name": "physical"},
                            "transformations": [
                                {"type": "scale", "scale": [2, 0.5, 0.5], "note": 1},
                                {"type": "translation", "translation": [0, 10, 20]},
                            ],
                        }
                    ],
                },
                {
                    "path": "1",
                    "coordinateTransformations": [
                        {
                            "type": "scale",
                            "scale": [2, 1, 1],
                            "input": {"path": "1"},
                            "output": {"name": "physical"},
                        }
                    ],
                },
            ],
            "coordinateTransformations": [
                {
                    "type": "affine",
                    "affine": [[1, 0, 0, 5], [0, 0, 1, 6], [0, 1, 0, 7]],
                    "input": {"name": "physical"},
                    "output": {"name": "other"},
                },
                {
                    "type": "warp of 0.9",
                    "amount": [1, 2],
                    "input": {"name": "physical"},
                    "output": {"name": "other"},
                },
            ],
            "vendor": {"a": 1},
        }
    ],
    "else": [3],
}


def v06_store(ome=V06):
    store = {}
    group = anyzarr.create_group(store)
    for path, n in (("0", 8), ("1", 4)):
        group.create_array(path, shape=(3, n, n), dtype="u1", chunks=(1, 4, 4))
    group.attrs.update(ome=ome, mine=1)
    return store


def test_coordinate_systems_are_read():
    image = open_ome_zarr(v06_store())
    assert image.version == "0.6"
    assert image.axis_names == list("zyx")
    assert image.axes[0].unit == "micrometer"
    assert image.scale == [2, 0.5, 0.5]
    assert image.translation == [0, 10, 20]
    assert image.get_effective_scale(1) == [2, 1, 1]
    assert image.metadata.image.system == "physical"


@pytest.mark.parametrize("version", ["0.6", "0.6rc0", "0.6.dev4"])
def test_0_6_is_written_as_it_was_read(version):
    attributes = {"ome": {**V06, "version": version}}
    before = copy.deepcopy(attributes)
    metadata = ImageMetadata.from_attributes(attributes)
    assert metadata.to_attributes() == before
    assert attributes == before


def test_changes_keep_what_is_not_known():
    store = v06_store()
    with open_ome_zarr(store, mode="r+") as image:
        image.set_scale("z", 4.0, "nanometer")
    after = anyzarr.open_group(store).attrs.asdict()
    expected = json.loads(json.dumps(V06))
    multiscale = expected["multiscales"][0]
    multiscale["coordinateSystems"][1]["axes"][0]["unit"] = "nanometer"
    first, second = (d["coordinateTransformations"][0] for d in multiscale["datasets"])
    first["transformations"][0]["scale"][0] = second["scale"][0] = 4
    assert after == {"ome": expected, "mine": 1}


def test_broken_coordinate_systems_are_refused():
    for systems in ([], "x", [3], [{"name": "a"}], [{"axes": AXES}]):
        ome = {**V06, "multiscales": [{**V06["multiscales"][0], "coordinateSystems": systems}]}
        with pytest.raises(MetadataError, match="coordinateSystems"):
            ImageMetadata.from_attributes({"ome": ome})


# -- from one version to another ----------------------------------------------------------------

V05 = {
    "version": "0.5",
    "multiscales": [
        {
            "name": "a",
            "axes": [{"name": n, "type": "space"} for n in "yx"],
            "datasets": [
                {
                    "path": "0",
                    "coordinateTransformations": [
                        {"type": "scale", "scale": [0.5, 0.25]},
                        {"type": "translation", "translation": [1.0, 2.0]},
                    ],
                    "note": 1,
                }
            ],
            "type": "mean",
            "metadata": {"method": "m"},
            "vendor": 2,
        }
    ],
}


def test_0_5_to_0_6_and_back():
    old = ImageMetadata.from_attributes({"ome": V05})
    new = old.to_version("0.6")
    (multiscale,) = new.to_attributes()["ome"]["multiscales"]
    assert "axes" not in multiscale
    (step,) = multiscale["datasets"][0]["coordinateTransformations"]
    assert step["input"] == {"path": "0"}
    assert step["output"] == {"name": multiscale["coordinateSystems"][0]["name"]}
    assert [s["type"] for s in step["transformations"]] == ["scale", "translation"]
    assert new.to_version("0.5").to_attributes() == {"ome": V05}


def test_scales_of_the_whole_image_are_multiplied_in():
    multiscale = {
        **V05["multiscales"][0],
        "coordinateTransformations": [{"type": "scale", "scale": [10.0, 100.0]}],
    }
    old = ImageMetadata.from_attributes({"ome": {**V05, "multiscales": [multiscale]}})
    new = old.to_version("0.6")
    assert new.image.effective_placement(0) == old.image.effective_placement(0)
    assert new.image.effective_placement(0) == ((5, 25), (10, 200))
    assert "coordinateTransformations" not in new.to_attributes()["ome"]["multiscales"][0]


def test_a_transformation_not_known_goes_along():
    unknown = {"type": "warp", "amount": 3}
    multiscale = {**V05["multiscales"][0], "coordinateTransformations": [unknown]}
    old = ImageMetadata.from_attributes({"ome": {**V05, "multiscales": [multiscale]}})
    (document,) = old.to_version("0.6").to_attributes()["ome"]["multiscales"]
    (kept,) = document["coordinateTransformations"]
    assert unknown.items() <= kept.items()
    assert kept["input"] == {"name": "physical"}


def test_what_an_older_version_cannot_say_is_refused():
    metadata = ImageMetadata.from_attributes({"ome": V06})
    for version in ("0.4", "0.5"):
        with pytest.raises(UnsupportedError, match="'other'"):
            metadata.to_version(version)
    with pytest.raises(UnsupportedError, match=r"0\.3"):
        metadata.to_version("0.3")


@pytest.mark.parametrize("version", ["0.4", "0.5", "0.6"])
def test_all_that_can_be_set_comes_back(tmp_path, version):
    with open_ome_zarr(
        tmp_path / "a", mode="w", axes="czyx", channel_names=["DAPI"], version=version
    ) as image:
        image.create_image("s0", PIXELS[0, :1], scale=(1, 2, 0.5, 0.5), translation=(0, 1, 2, 3))
        image.compute_pyramid(levels=3)
        image.set_scale({"z": 3, "x": 0.25})
        image.set_unit("x", "micrometer")
        image.append_channel("GFP")
        image.create_image("more", PIXELS[0, 0], scale=(1, 1, 1))
    image = open_ome_zarr(tmp_path / "a")
    assert image.version == version
    assert [level.path for level in image.levels] == ["s0", "s1", "s2"]
    assert image.scale == [1, 3, 0.5, 0.25]
    assert image.translation == [0, 1, 2, 3]
    assert image.get_effective_scale(2) == [1, 3, 2, 1]
    assert image.get_effective_translation(1) == [0, 1, 2.25, 3.125]
    assert image.axes[3].unit == "micrometer"
    assert image.channel_names == ["DAPI", "GFP"]
    assert [level.shape[0] for level in image.levels] == [2, 2, 2]
    more = image.multiscale(1)
    assert (more.name, more.axis_names, more.data.shape) == ("more", list("zyx"), (3, 64, 48))
    assert image.multiscale("more").data.path == "more"
    assert image["more"].dtype == "u2"
    assert [name for name, _ in image.images()] == ["s0", "s1", "s2", "more"]

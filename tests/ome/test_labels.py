"""Label images: where they lie, what they say, and as many levels as the image."""

import numpy as np
import pytest

import anyzarr
from anyzarr.errors import MetadataError, NodeExistsError, NodeNotFoundError, UnsupportedError
from anyzarr.ome import Labels, open_ome_zarr
from anyzarr.ome._label_model import LabelMetadata, colors_of

RNG = np.random.default_rng(0)
SPOTS = np.kron(RNG.integers(0, 5, (3, 30, 28)), np.ones((1, 10, 10), int)).astype("u4")


def new_image(store=None, version="0.5", axes="czyx", levels=3):
    store = {} if store is None else store
    image = open_ome_zarr(store, mode="w", axes=axes, version=version)
    shape = {"t": 2, "c": 2, "z": 3, "y": 300, "x": 280}
    scale = {"t": 1, "c": 1, "z": 2, "y": 0.5, "x": 0.25}
    image.create_image(
        "0",
        np.zeros([shape[a] for a in axes], "u2"),
        scale=[scale[a] for a in axes],
        translation=[0 if a in "tc" else 5 for a in axes],
    )
    image.compute_pyramid(levels=levels)
    return image


@pytest.mark.parametrize("version", ["0.4", "0.5", "0.6"])
def test_labels_come_back(tmp_path, version):
    image = new_image(tmp_path / "a", version)
    label = image.create_label(
        "cells",
        SPOTS,
        colors={1: (255, 0, 0), 2: "00ff0080"},
        properties={1: {"class": "a"}, 3: {"area": 4.5}},
        chunks=(1, 128, 128),
    )
    assert isinstance(label, Labels)
    assert (tmp_path / "a" / "labels" / "cells" / "0").is_dir()
    again = open_ome_zarr(tmp_path / "a")
    assert again.label_names == ["cells"]
    ((name, label),) = again.labels()
    assert name == "cells"
    np.testing.assert_array_equal(label.data[...], SPOTS)
    assert label.version == version
    assert label.data.chunks == (1, 128, 128)
    assert label.axis_names == list("zyx")
    assert label.scale == [2, 0.5, 0.25]
    assert label.translation == [5, 5, 5]
    assert label.colors == {1: (255, 0, 0, 255), 2: (0, 255, 0, 128)}
    assert label.properties == {1: {"class": "a"}, 3: {"area": 4.5}}
    assert label.source == "../../"
    assert [level.shape for level in label.levels] == [a.shape[1:] for a in again.levels]
    for level in range(len(label)):
        assert label.get_effective_scale(level) == again.get_effective_scale(level)[1:]
        assert label.get_effective_translation(level) == again.get_effective_translation(level)[1:]
    assert set(np.unique(label[2][...])) <= set(np.unique(SPOTS))
    assert label[2][...].any()
    assert label.metadata.image.type == "mode"
    attributes = anyzarr.open_group(tmp_path / "a")["labels"].attrs.asdict()
    if version == "0.4":
        assert attributes == {"labels": ["cells"]}
    else:
        assert attributes == {"ome": {"version": version, "labels": ["cells"]}}


def test_the_list_grows_and_keeps_what_else_there_is():
    image = new_image(levels=1)
    image.create_label("a", SPOTS)
    folder = image.group["labels"]
    folder.attrs.update(ome={**folder.attrs["ome"], "more": 1}, mine=2)
    image.create_label("b", SPOTS[0])
    image.create_label("deep/c", SPOTS)
    attributes = image.group["labels"].attrs.asdict()
    assert attributes == {
        "ome": {"version": "0.5", "labels": ["a", "b", "deep/c"], "more": 1},
        "mine": 2,
    }
    assert image.get_label("b").axis_names == ["y", "x"]
    assert image.get_label("deep/c").source == "../../../"
    assert [len(label) for _, label in image.labels()] == [1, 1, 1]
    image.delete_label("a")
    assert image.label_names == ["b", "deep/c"]
    assert "a" not in image.group["labels"]


@pytest.mark.parametrize("dtype", ["f4", "?", "c8"])
def test_labels_are_whole_numbers(dtype):
    image = new_image(levels=1)
    with pytest.raises(MetadataError, match="whole numbers"):
        image.create_label("a", SPOTS.astype(dtype))
    assert image.label_names == []
    assert "labels" not in image.group


def test_empty_labels_to_be_filled():
    image = new_image()
    label = image.create_label("a", shape=(3, 300, 280), dtype="uint32")
    assert len(label) == 3
    label.data[0, :50] = 7
    label.compute_pyramid(levels=3)
    assert label[1][0, 3, 3] == 7


def test_shapes_that_do_not_fit():
    image = new_image(levels=1)
    with pytest.raises(MetadataError, match="do not fit"):
        image.create_label("a", np.zeros((1, 1, 3, 300, 280), "u1"))
    with pytest.raises(MetadataError):
        image.create_label("a")
    with pytest.raises(MetadataError):
        image.create_label("a", SPOTS, scale=(1, 2))
    assert image.label_names == []
    assert not list(image.group["labels"])


def test_coarser_labels_cover_the_image():
    image = new_image()
    label = image.create_label("a", SPOTS[:, ::2, ::2])
    assert label.scale == [2, 1, 0.5]
    assert label.translation == [5, 5.25, 5.125]
    assert len(label) == 3


def test_labels_follow_the_levels_of_the_image():
    image = new_image(levels=1)
    image.create_label("a", SPOTS)
    image.compute_pyramid()
    label = image.get_label("a")
    assert len(label) == len(image) > 1
    assert label[1][...].any()
    image.compute_pyramid(levels=4)
    assert len(image.get_label("a")) == 4
    image.initialize_pyramid(levels=2)
    assert len(image.get_label("a")) == 2
    image.delete_pyramid()
    assert len(image.get_label("a")) == 1
    np.testing.assert_array_equal(image.get_label("a").data[...], SPOTS)


def test_existing_labels_are_replaced_only_on_purpose():
    image = new_image(levels=1)
    image.create_label("a", SPOTS, colors={1: "FF0000"})
    with pytest.raises(NodeExistsError, match="overwrite"):
        image.create_label("a", SPOTS)
    image.create_label("a", SPOTS + 1, overwrite=True)
    assert image.label_names == ["a"]
    assert image.get_label("a").colors == {}
    np.testing.assert_array_equal(image.get_label("a").data[...], SPOTS + 1)


def test_labels_that_are_not_there():
    image = new_image(levels=1)
    assert list(image.labels()) == []
    for bad in ("a", "../0"):
        with pytest.raises(KeyError):
            image.get_label(bad)
    with pytest.raises(NodeNotFoundError, match="none"):
        image.get_label("a")
    with pytest.raises(NodeNotFoundError):
        image.delete_label("a")
    with pytest.raises(NodeNotFoundError):
        image.create_label("../x", SPOTS)
    image.create_label("a", SPOTS)
    with pytest.raises(MetadataError, match="have none themselves"):
        image.get_label("a").create_label("b", SPOTS)


@pytest.mark.parametrize("where", ["image", "image 0.4", "nowhere"])
def test_labels_listed_in_the_wrong_place_are_found(where):
    image = new_image(levels=1, version="0.4" if where == "image 0.4" else "0.5")
    image.create_label("a", SPOTS)
    image.group["labels"].attrs.clear()
    if where == "image":
        image.group.attrs["ome"] = {**image.group.attrs["ome"], "labels": ["labels/a"]}
    elif where == "image 0.4":
        image.group.attrs["labels"] = ["a"]
    assert open_ome_zarr(image.store).label_names == ["a"]


def test_changes_of_colours_keep_the_rest():
    image = new_image(levels=1)
    label = image.create_label("a", SPOTS, properties=[{"label-value": 1, "x": 1}])
    ome = label.group.attrs["ome"]
    ome["image-label"]["vendor"] = {"y": 2}
    label.group.attrs["ome"] = ome
    label.set_colors({5: (1, 2, 3, 4)})
    after = image.get_label("a").group.attrs["ome"]
    assert after["image-label"] == {
        "colors": [{"label-value": 5, "rgba": [1, 2, 3, 4]}],
        "properties": [{"label-value": 1, "x": 1}],
        "source": {"image": "../../"},
        "vendor": {"y": 2},
    }
    assert after["multiscales"] == ome["multiscales"]
    label.set_properties({2: {"z": 3}})
    assert image.get_label("a").properties == {2: {"z": 3}}
    label.set_scale("y", 9)
    assert image.get_label("a").colors == {5: (1, 2, 3, 4)}


@pytest.mark.parametrize(
    "colors",
    [{1: "red"}, {1: (1, 2)}, {1: (1, 2, 300)}, {1: (0.5, 0, 0)}, {1: 3}, {"a": "FF0000"},
     {True: "FF0000"}, {1.5: "FF0000"}],
)  # fmt: skip
def test_what_is_no_colour(colors):
    image = new_image(levels=1)
    with pytest.raises(MetadataError):
        image.create_label("a", SPOTS, colors=colors)
    with pytest.raises(MetadataError):
        image.create_label("a", SPOTS, properties=[{"area": 3}])
    assert image.label_names == []


def test_odd_metadata_is_kept():
    for document in (
        {"colors": "x", "properties": 3, "source": ["a"]},
        {"colors": [{"label-value": 1.5, "rgba": [1, 2, 3]}, {"label-value": 2, "name": "n"}]},
        {"source": {"image": "../", "more": 1}},
        {},
    ):
        assert LabelMetadata.from_document(document).to_document() == document
    assert colors_of({np.uint8(3): [np.uint8(1), 2, 3]})[0].rgba == (1, 2, 3, 255)


def test_a_failure_leaves_no_label(monkeypatch):
    image = new_image(levels=2)

    class Broken:
        shape, dtype, ndim = (3, 300, 280), np.dtype("u1"), 3

        def __getitem__(self, region):
            raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        image.create_label("a", Broken())
    assert image.label_names == []
    assert list(image.group["labels"]) == []


def test_old_images_take_no_labels():
    image = new_image(levels=1, version="0.4")
    attributes = image.group.attrs.asdict()
    attributes["multiscales"][0]["version"] = "0.3"
    image.group.attrs.put(attributes)
    with pytest.raises(UnsupportedError, match="upgrade"):
        image.create_label("a", SPOTS)


def test_a_label_image_opens_by_itself(tmp_path):
    new_image(tmp_path / "a", levels=1).create_label("l", SPOTS, colors={1: "FF0000"})
    label = open_ome_zarr(tmp_path / "a" / "labels" / "l")
    assert isinstance(label, Labels)
    assert label.colors == {1: (255, 0, 0, 255)}
    with pytest.raises(MetadataError, match="label image"):
        open_ome_zarr(tmp_path / "a" / "labels" / "l", layout="hcs")


def test_labels_have_the_units_of_the_image():
    image = new_image(levels=1)
    image.set_unit("y", "micrometer")
    label = image.create_label("a", SPOTS)
    assert [axis.unit for axis in label.axes] == [None, "micrometer", None]


def test_a_label_that_is_listed_and_not_there_is_told():
    image = new_image(levels=1)
    image.create_label("a", SPOTS)
    image.create_label("b", SPOTS)
    del image.group["labels/a"]
    with pytest.raises(NodeNotFoundError, match="'a'"):
        list(open_ome_zarr(image.store).labels())

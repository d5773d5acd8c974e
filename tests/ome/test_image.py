"""Images written and read: values, placement, life, bad input."""

import itertools
import json
import pickle

import numpy as np
import pytest

import anyzarr
from anyzarr._progress import Progress
from anyzarr._pyramid import mean
from anyzarr.errors import (
    MetadataError,
    NodeExistsError,
    NodeNotFoundError,
    ReadOnlyError,
    UnsupportedError,
)
from anyzarr.ome import Axis, open_ome_zarr
from anyzarr.stores import LocalStore, MemoryStore

RNG = np.random.default_rng(0)
SHAPES = {
    "yx": (600, 520),
    "zyx": (9, 300, 310),
    "cyx": (2, 300, 300),
    "tczyx": (2, 2, 5, 300, 280),
}


def pixels(axes, dtype="u2"):
    return RNG.integers(0, 200, SHAPES[axes]).astype(dtype)


@pytest.mark.parametrize("version", ["0.5", "0.4", "0.6"])
@pytest.mark.parametrize("axes", SHAPES)
def test_round_trip(tmp_path, axes, version):
    values = pixels(axes)
    n = len(axes)
    scale = tuple(0.5 + i for i in range(n))
    translation = tuple(float(i) for i in range(n))
    names = ["a", "b"] if "c" in axes else None
    with open_ome_zarr(
        tmp_path / "x", mode="w-", axes=axes, channel_names=names, version=version
    ) as image:
        array = image.create_image("0", values, scale=scale, translation=translation)
        image.compute_pyramid(levels=3)
        assert array is image.data
    with open_ome_zarr(tmp_path / "x") as image:
        np.testing.assert_array_equal(image.data[...], values)
        assert image.version == version
        assert image.data.metadata.zarr_format == (2 if version == "0.4" else 3)
        assert image.axis_names == list(axes)
        assert image.scale == list(scale)
        assert image.translation == list(translation)
        assert image.channel_names == (names or [])
        assert len(image.levels) == len(image) == 3
        if version != "0.4":
            assert all(level.dimension_names == tuple(axes) for level in image.levels)
            assert all(level.shards is not None for level in image.levels)
        for finer, coarser in itertools.pairwise(image.levels):
            factors = [round(a / b) for a, b in zip(finer.shape, coarser.shape, strict=True)]
            np.testing.assert_array_equal(coarser[...], mean(finer[...], factors))


def test_pyramid_placement():
    with open_ome_zarr({}, mode="w", axes="zyx") as image:
        image.create_image("0", np.ones((4, 1100, 1000), "u1"), scale=(2, 0.5, 0.5))
        image.compute_pyramid()
        assert [level.shape for level in image.levels] == [
            (4, 1100, 1000), (4, 550, 500), (4, 275, 250), (2, 138, 125),
        ]  # fmt: skip
        assert image.get_effective_scale(2) == [2, 2, 2]
        assert image.get_effective_scale("3") == [4, 4, 4]
        assert image.get_effective_translation(1) == [0, 0.25, 0.25]
        assert image.get_effective_translation(3) == [1, 1.75, 1.75]
        assert image.metadata.image.type == "mean"


def test_own_factors_and_method():
    values = pixels("yx")
    with open_ome_zarr({}, mode="w") as image:
        image.create_image("0", values, translation=(5, 6))
        image.compute_pyramid(method="nearest", factors=[(3, 2), (1, 4)])
        np.testing.assert_array_equal(image[2][...], values[::3, ::8])
        assert image.get_effective_translation(2) == [5, 6]
        assert image.get_effective_scale(2) == [3, 8]
        assert image.metadata.image.type == "nearest"


def test_a_pyramid_can_be_made_again():
    with open_ome_zarr({}, mode="w") as image:
        image.create_image("0", pixels("yx"))
        image.compute_pyramid(levels=4)
        before = image.metadata
        image.compute_pyramid(levels=4)
        assert image.metadata == before
        image.data[...] = 7
        image.compute_pyramid(levels=2)
        assert len(image) == 2
        assert (image[1][...] == 7).all()
        assert "2" not in image.group
        image.compute_pyramid(levels=1)
        assert len(image) == 1


def test_initialize_pyramid_makes_empty_levels():
    with open_ome_zarr({}, mode="w") as image:
        image.create_image("0", pixels("yx"))
        image.initialize_pyramid(levels=3)
        assert [level.shape for level in image.levels] == [(600, 520), (300, 260), (150, 130)]
        assert not image[1][...].any()
        array = image[1]
        image.compute_pyramid(levels=3)
        assert image[1] is array
        np.testing.assert_array_equal(array[...], mean(image.data[...], (2, 2)))


@pytest.mark.parametrize("name", ["0", "s0", "scale0/image", "full"])
def test_any_path_for_level_0(name):
    store = {}
    with open_ome_zarr(store, mode="w") as image:
        image.create_image(name, pixels("yx"))
        image.compute_pyramid(levels=2)
    with open_ome_zarr(store) as image:
        assert image.data.path == name
        assert image[name].shape == (600, 520)
        assert image.levels[1].shape == (300, 260)


def test_foreign_paths_order_and_keys_are_kept():
    store = {}
    group = anyzarr.create_group(store)
    for path, n in (("hi", 8), ("lo", 4)):
        group.create_array(path, shape=(n, n), dtype="u1", chunks=(4, 4))
    steps = [{"type": "scale", "scale": [1.0, 1.0]}]
    document = {
        "version": "0.5",
        "multiscales": [
            {
                "axes": [{"name": n, "type": "space", "extra": n} for n in "yx"],
                "datasets": [{"path": p, "coordinateTransformations": steps} for p in ("hi", "lo")],
                "custom": True,
            }
        ],
        "labels": ["kept"],
    }
    group.attrs.update(ome=document, mine=1)
    with open_ome_zarr(store, mode="r+") as image:
        assert image.data.path == "hi"
        image.compute_pyramid(levels=2)
        assert [level.path for level in image.levels] == ["hi", "lo"]
    attributes = anyzarr.open_group(store).attrs.asdict()
    assert attributes["mine"] == 1
    assert attributes["ome"]["labels"] == ["kept"]
    assert attributes["ome"]["multiscales"][0]["custom"] is True
    assert attributes["ome"]["multiscales"][0]["axes"][0]["extra"] == "y"


def test_data_of_any_kind_and_empty_images():
    da = pytest.importorskip("dask.array")
    values = pixels("yx")
    for data in (values, da.from_array(values, chunks=100), values.tolist()):
        with open_ome_zarr({}, mode="w") as image:
            image.create_image("0", data)
            np.testing.assert_array_equal(image.data[...], values)
    with open_ome_zarr({}, mode="w") as image:
        array = image.create_image("0", shape=(4, 5), dtype="f4", fill_value=2)
        assert (array[...] == 2).all()


def test_options_reach_the_array():
    with open_ome_zarr({}, mode="w") as image:
        array = image.create_image(
            "0", pixels("yx"), chunks=(100, 104), shards=(300, 520), compressor="none"
        )
        assert (array.chunks, array.shards) == ((100, 104), (300, 520))
        assert [c.name for c in array.codecs] == ["bytes"]
        image.compute_pyramid(levels=3)
        assert image[2].chunks == (100, 104)
        assert image[2].shards == (200, 208)
        assert [c.name for c in image[2].codecs] == ["bytes"]
    with open_ome_zarr({}, mode="w") as image:
        assert image.create_image("0", pixels("yx"), shards=False).shards is None


def test_appending_through_any_handle_shows_everywhere():
    with open_ome_zarr({}, mode="w", axes="tyx") as image:
        first, second = image.create_image("0", np.ones((2, 4, 4), "u1")), image.data
        first.append(np.full((1, 4, 4), 2, "u1"))
        second.append(np.full((1, 4, 4), 3, "u1"))
        assert image.data.shape == (4, 4, 4)
        assert image.data[:, 0, 0].tolist() == [1, 1, 2, 3]


def test_progress():
    steps: list[Progress] = []
    with open_ome_zarr({}, mode="w") as image:
        image.create_image("0", pixels("yx"))
        image.compute_pyramid(levels=3, progress=steps.append)
    assert {s.label for s in steps} == {"levels 1 to 2"}
    read_and_written = 600 * 520 + 300 * 260 + 150 * 130
    assert steps[-1].done_bytes == steps[-1].total_bytes == read_and_written * 2


def test_failed_data_leaves_no_image():
    class Broken:
        shape, dtype = (300, 300), np.dtype("u1")

        def __getitem__(self, region):
            raise KeyboardInterrupt

    store = {}
    with open_ome_zarr(store, mode="w") as image, pytest.raises(KeyboardInterrupt):
        image.create_image("0", Broken())
    assert list(store) == ["zarr.json"]
    with pytest.raises(MetadataError):
        open_ome_zarr(store)


def test_every_engine_and_the_other_word_for_it(tmp_path):
    values = pixels("cyx")
    with open_ome_zarr(tmp_path / "x", mode="w", axes="cyx") as image:
        image.create_image("0", values)
    for engine in anyzarr.list_engines():
        if engine == "native":
            continue
        with open_ome_zarr(tmp_path / "x", implementation=engine) as image:
            assert image.data.engine == engine
            np.testing.assert_array_equal(image.data[:, 5:9, ::7], values[:, 5:9, ::7])


def test_opening_a_group_by_modes(tmp_path):
    place = tmp_path / "x"
    for mode in ("r", "r+"):
        with pytest.raises(NodeNotFoundError):
            open_ome_zarr(place, mode=mode)
    with open_ome_zarr(place, mode="a") as image:
        image.create_image("0", pixels("yx"))
    with pytest.raises(NodeExistsError):
        open_ome_zarr(place, mode="w-")
    with open_ome_zarr(place, mode="a") as image:
        assert image.has_data
        with pytest.raises(NodeExistsError):
            image.create_image("0", pixels("yx"))
    with open_ome_zarr(place) as image, pytest.raises(ReadOnlyError):
        image.data[0] = 1
    with open_ome_zarr(place) as image, pytest.raises(ReadOnlyError):
        image.compute_pyramid(levels=2)
    with open_ome_zarr(place, mode="w-", overwrite=True) as image:
        assert not image.has_data
        with pytest.raises(MetadataError, match="no data yet"):
            image.data  # noqa: B018


def test_a_folder_of_something_else_is_not_emptied(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"x")
    with pytest.raises(NodeExistsError, match="no Zarr hierarchy"):
        open_ome_zarr(tmp_path, mode="w")
    assert (tmp_path / "photo.jpg").exists()


@pytest.mark.parametrize(
    ("attributes", "word"),
    [
        ({"plate": {}}, "plate"),
        ({"well": {}}, "well"),
        ({"bioformats2raw.layout": 3}, "series"),
    ],
)
@pytest.mark.parametrize("layout", ["image", "fov", "tiled"])
def test_other_layouts_are_named(attributes, word, layout):
    store = {}
    anyzarr.create_group(store, attributes={"ome": {"version": "0.5", **attributes}})
    with pytest.raises(MetadataError, match=word) as caught:
        open_ome_zarr(store, layout=layout)
    assert "one of its images" in str(caught.value)


@pytest.mark.parametrize("attributes", [{"labels": []}, {"scene": {}}])
def test_what_holds_images_is_named_with_them(attributes):
    store = {}
    root = anyzarr.create_group(store, attributes={"ome": {"version": "0.6", **attributes}})
    with open_ome_zarr(root.store.at_prefix("cells/"), mode="w", axes="yx") as image:
        image.create_image("0", np.zeros((4, 4), "u1"))
    with pytest.raises(UnsupportedError, match="'cells'") as caught:
        open_ome_zarr(store)
    assert caught.value.kind == next(iter(attributes))


def test_what_is_no_image_is_said(tmp_path):
    anyzarr.create_group(tmp_path / "g")
    with pytest.raises(MetadataError, match="without OME-Zarr metadata"):
        open_ome_zarr(tmp_path / "g")
    anyzarr.create_array(tmp_path / "a", shape=(2, 2), dtype="u1")
    with pytest.raises(MetadataError, match="is an array"):
        open_ome_zarr(tmp_path / "a")
    (tmp_path / "t" / "x").mkdir(parents=True)
    (tmp_path / "t" / "zarr.json").write_text('{"zarr_format": 3, "node')
    with pytest.raises(MetadataError):
        open_ome_zarr(tmp_path / "t")


@pytest.mark.parametrize(
    "arguments",
    [
        {"mode": "x"},
        {"layout": "x"},
        {"engine": "zarr", "implementation": "tensorstore"},
        {"axes": "xy", "mode": "w"} | {"axes": "x"},
        {"axes": "ctyx", "mode": "w"},
    ],
)
def test_bad_arguments(arguments):
    store = {}
    with pytest.raises(MetadataError):
        open_ome_zarr(store, **arguments)
    assert store == {}


def test_unknown_engine_and_version():
    with pytest.raises(UnsupportedError, match="warp"):
        open_ome_zarr({}, mode="w", engine="warp")
    with pytest.raises(UnsupportedError, match=r"0\.3"):
        open_ome_zarr({}, mode="w", version="0.3")


@pytest.mark.parametrize(
    "options",
    [
        {"data": np.ones(4)},
        {"data": np.ones((1,) * 6)},
        {"data": np.ones((2, 2)), "scale": (1,)},
        {"data": np.ones((2, 2)), "scale": (1, 0)},
        {"data": np.ones((2, 2)), "translation": (1, 2, 3)},
        {"data": np.ones((2, 2)), "chunks": (2,)},
        {"data": np.ones((2, 2)), "chunks": (2, 2), "shards": (3, 3)},
        {"data": np.ones((2, 2)), "shape": (2, 2)},
        {"shape": (2, 2)},
        {},
    ],
)
def test_bad_images_write_nothing(options):
    store = {}
    with open_ome_zarr(store, mode="w") as image:
        before = dict(store)
        with pytest.raises(MetadataError):
            image.create_image("0", **options)
        assert store == before


def test_channel_names_must_fit():
    with open_ome_zarr({}, mode="w", axes="cyx", channel_names=["a"]) as image:
        with pytest.raises(MetadataError, match="2 channels"):
            image.create_image("0", np.ones((2, 4, 4), "u1"))
        assert not image.has_data


def test_levels_out_of_range_are_said():
    with open_ome_zarr({}, mode="w") as image:
        image.create_image("0", pixels("yx"))
        for level in (1, -2, "5"):
            with pytest.raises(NodeNotFoundError):
                image[level]
        assert image[-1] is image[0]


def test_a_level_that_is_named_and_missing_is_said():
    store = MemoryStore()
    with open_ome_zarr(store, mode="w") as image:
        image.create_image("0", pixels("yx"))
        image.compute_pyramid(levels=2)
    store.delete_prefix("1/")
    with open_ome_zarr(store) as image:
        assert image.data.shape == (600, 520)
        with pytest.raises(NodeNotFoundError):
            image.levels  # noqa: B018


def test_metadata_names_a_level_only_once_it_is_there(tmp_path):
    store = LocalStore(tmp_path)
    documents = []

    class Watching(LocalStore):
        def put(self, key, value, *, precondition=None):
            result = super().put(key, value, precondition=precondition)
            if key == "zarr.json":
                documents.append(json.loads(bytes(value)))
                named = documents[-1].get("attributes", {}).get("ome", {}).get("multiscales", [])
                for dataset in named[0]["datasets"] if named else []:
                    assert store.get(f"{dataset['path']}/zarr.json") is not None
            return result

    with open_ome_zarr(Watching(tmp_path), mode="w") as image:
        image.create_image("0", pixels("yx"))
        image.compute_pyramid(levels=3)
        image.compute_pyramid(levels=2)
    assert len(documents) >= 4


@pytest.mark.parametrize(("folder", "name"), [("cells.ome.zarr", "cells"), ("a.b", "a.b")])
def test_images_are_named_after_their_folder(tmp_path, folder, name):
    with open_ome_zarr(tmp_path / folder, mode="w") as image:
        image.create_image("0", pixels("yx"))
        assert image.name == name
    with open_ome_zarr({}, mode="w") as image:
        image.create_image("0", pixels("yx"))
        assert image.name is None


def test_repr_tree_and_dask(tmp_path):
    pytest.importorskip("dask.array")
    axes = [Axis("y", "space", "micrometer"), {"name": "x", "type": "space"}]
    with open_ome_zarr(tmp_path / "x", mode="w", axes=axes) as image:
        assert "without data" in repr(image)
        values = pixels("yx")
        image.create_image("0", values)
        assert "y=600 x=520 uint16" in repr(image)
        assert image.axes[0].unit == "micrometer"
        assert "0" in str(image.tree())
        np.testing.assert_array_equal(image.to_dask().compute(), values)
        again = pickle.loads(pickle.dumps(image.data))
        np.testing.assert_array_equal(again[...], values)


def test_images_on_s3_are_no_local_folder(s3, tmp_path, monkeypatch):
    pytest.importorskip("obstore")
    monkeypatch.chdir(tmp_path)
    place = f"s3://{s3.new_bucket()}/deep/cells.zarr"
    values = pixels("cyx")
    with open_ome_zarr(
        place, mode="w-", axes="cyx", channel_names=["DAPI", "GFP"], **s3.options
    ) as image:
        image.create_image("0", values)
        image.compute_pyramid(levels=2)
        image.create_label("cells", (values[0] > 9).astype("u1"))
        image.append_channel("Cy5")
        image.set_scale("y", 0.5, "micrometer")
    with open_ome_zarr(place, **s3.options) as image:
        np.testing.assert_array_equal(image.data[:2], values)
        assert image.channel_names == ["DAPI", "GFP", "Cy5"]
        assert image.label_names == ["cells"]
        assert image.scale == [1, 0.5, 1]
    assert list(tmp_path.iterdir()) == []

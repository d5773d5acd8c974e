"""The arrays of images: axes, sizes, and nothing lost through handles."""

import copy
import pickle

import numpy as np
import pytest

import anyzarr
from anyzarr.errors import NodeExistsError, NodeNotFoundError, UnsupportedError
from anyzarr.ome import ImageArray, open_ome_zarr

VALUES = np.random.default_rng(0).integers(0, 99, (2, 3, 4, 20, 30)).astype("u2")


def new_image(store=None, **options):
    image = open_ome_zarr({} if store is None else store, mode="w", axes="tczyx", **options)
    image.create_image("0", VALUES)
    return image


@pytest.mark.parametrize(
    ("axes", "sizes"),
    [
        ("tczyx", (2, 3, 4, 20, 30)),
        ("czyx", (1, 3, 4, 20, 30)),
        ("zyx", (1, 1, 4, 20, 30)),
        ("tyx", (2, 1, 1, 20, 30)),
        ("yx", (1, 1, 1, 20, 30)),
    ],
)
def test_sizes_by_kind_of_axis(axes, sizes):
    lengths = dict(zip("tczyx", (2, 3, 4, 20, 30), strict=True))
    image = open_ome_zarr({}, mode="w", axes=axes)
    array = image.create_zeros("0", tuple(lengths[a] for a in axes), "u1")
    assert isinstance(array, ImageArray)
    assert (array.frames, array.channels, array.slices, array.height, array.width) == sizes
    assert [a.name for a in array.axes] == list(axes)


def test_levels_images_and_items_are_image_arrays():
    image = new_image()
    image.initialize_pyramid(levels=2, factors=[(1, 1, 1, 2, 2)])
    arrays = [image.data, *image.levels, image["0"], image[1], *(a for _, a in image.images())]
    assert all(type(array) is ImageArray for array in arrays)
    assert image.data is image[0] is image["0"]
    assert [name for name, _ in image.images()] == ["0", "1"]
    np.testing.assert_array_equal(image.data.numpy(), VALUES)
    np.testing.assert_array_equal(np.asarray(image.data), VALUES)
    assert isinstance(image.data, anyzarr.Array)


def test_tensorstore(tmp_path):
    pytest.importorskip("tensorstore")
    image = new_image(tmp_path / "a")
    np.testing.assert_array_equal(image.data.to_tensorstore()[1].read().result(), VALUES[1])
    with pytest.raises(UnsupportedError, match="memory"):
        new_image().data.to_tensorstore()


def test_create_zeros_writes_no_chunks():
    store = {}
    image = open_ome_zarr(store, mode="w", axes="tczyx")
    array = image.create_zeros("0", (100, 4, 500, 2048, 2048), "uint16", fill_value=3)
    assert all(key.endswith("zarr.json") for key in store)
    assert array[99, 3, 499, 5, 5] == 3
    assert image.data.shape == (100, 4, 500, 2048, 2048)
    with pytest.raises(NodeExistsError):
        image.create_zeros("0", (1, 1, 1, 1, 1))


def test_two_handles_append_and_nothing_is_lost(tmp_path):
    image = new_image(tmp_path / "a")
    first = open_ome_zarr(tmp_path / "a", mode="r+")
    second = open_ome_zarr(tmp_path / "a", mode="r+")
    assert first.data.shape == second.data.shape == (2, 3, 4, 20, 30)
    first.data.append(np.full((1, 3, 4, 20, 30), 7, "u2"))
    second.data.append(np.full((2, 3, 4, 20, 30), 8, "u2"))
    assert second.data.shape == (5, 3, 4, 20, 30)
    first.refresh()
    assert first.data[:, 0, 0, 0, 0].tolist()[2:] == [7, 8, 8]
    np.testing.assert_array_equal(first.data[:2], VALUES)
    assert image.refresh().data.frames == 5


def test_indices_mean_the_same_on_every_engine(tmp_path):
    new_image(tmp_path / "a")
    for engine in anyzarr.list_engines():
        data = open_ome_zarr(tmp_path / "a", engine=engine).data
        for selection in (-1, (0, -1), (..., slice(-5, None)), (slice(1, 99), -3), (..., -1, -1)):
            np.testing.assert_array_equal(data[selection], VALUES[selection])
        for selection in (2, -3, (0, 3), (..., 30)):
            with pytest.raises(IndexError):
                data[selection]


def test_pickling_keeps_axes_and_place(tmp_path):
    image = new_image(tmp_path / "a", channel_names=["a", "b", "c"])
    for array in (pickle.loads(pickle.dumps(image.data)), copy.copy(image.data)):
        assert array == image.data
        assert array.slices == 4
        np.testing.assert_array_equal(array[...], VALUES)


def test_delete_pyramid(tmp_path):
    image = new_image(tmp_path / "a")
    image.compute_pyramid(factors=[(1, 1, 1, 2, 2), (1, 1, 2, 2, 2)])
    assert len(image) == 3
    image.delete_pyramid()
    assert len(image) == 1
    assert sorted(image.group) == ["0"]
    np.testing.assert_array_equal(open_ome_zarr(tmp_path / "a").data[...], VALUES)
    image.delete_pyramid()
    assert len(image) == 1


def test_a_level_that_is_not_there_is_told():
    image = new_image()
    image.compute_pyramid(factors=[(1, 1, 1, 2, 2)])
    del image.group["1"]
    again = open_ome_zarr(image.store)
    np.testing.assert_array_equal(again.data[...], VALUES)
    with pytest.raises(NodeNotFoundError, match="'1'"):
        again.levels  # noqa: B018
    with pytest.raises(NodeNotFoundError):
        again[1]
    with pytest.raises(NodeNotFoundError, match="no level 'x'"):
        again["x"]


def test_the_compressor_given_is_the_compressor_taken():
    for compressor, names in (
        ("none", ["bytes"]),
        ({"name": "gzip", "configuration": {"level": 1}}, ["bytes", "gzip"]),
    ):
        image = open_ome_zarr({}, mode="w", axes="yx")
        image.create_image("0", VALUES[0, 0, 0], compressor=compressor)
        image.compute_pyramid(levels=2)
        assert [[c.name for c in level.codecs] for level in image.levels] == [names, names]


def test_chunks_never_mix_channels_or_grow_large():
    image = open_ome_zarr({}, mode="w", axes="tczyx")
    for name, shape in (("0", (10, 4, 200, 4096, 4096)), ("1", (1, 4, 1, 40000, 40000))):
        array = image.create_zeros(name, shape, "uint16")
        assert array.chunks[:2] == array.shards[:2] == (1, 1)
        assert np.prod(array.chunks) * 2 <= 2 << 20
        assert np.prod(array.shards) * 2 <= 512 << 20

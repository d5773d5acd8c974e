"""Series of images in bioformats2raw's layout, and images made of tiles."""

import pickle

import numpy as np
import pytest

import anyzarr
from anyzarr import open_ome_zarr
from anyzarr.errors import MetadataError, NodeExistsError, NodeNotFoundError, SelectionError
from anyzarr.ome import Bioformats2RawSeries, Plate, Position, TiledImageArray, TiledPosition


def bioformats2raw(names, series=None, version="0.5"):
    """A store as bioformats2raw leaves it, by hand."""
    store = {}
    wrapped = version == "0.5"
    mark = {"bioformats2raw.layout": 3}
    root = anyzarr.create_group(
        store,
        attributes={"ome": {"version": version, **mark}} if wrapped else mark,
        zarr_format=3 if wrapped else 2,
    )
    for i, name in enumerate(names):
        root.require_group(name)
        with open_ome_zarr(
            root.store.at_prefix(f"{name}/"), mode="w", axes="yx", version=version
        ) as image:
            image.create_image("0", np.full((4, 4), i, "u1"))
    listed = {"series": series} if series is not None else {}
    sidecar = {"ome": {"version": version, **listed}} if wrapped else listed
    root.create_group("OME", attributes=sidecar)
    root.store.put("OME/METADATA.ome.xml", "\ufeff<OME>µ</OME>".encode())
    return store


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize(
    ("names", "series", "expected"),
    [
        (["0", "1", "2", "10"], None, ["0", "1", "2", "10"]),
        (["0", "1", "2"], ["2", "0", "1"], ["2", "0", "1"]),
        (["a/x", "b"], ["b", "a/x"], ["b", "a/x"]),
    ],
)
def test_all_images_are_reached(names, series, expected, version):
    opened = open_ome_zarr(bioformats2raw(names, series, version))
    assert isinstance(opened, Bioformats2RawSeries)
    assert opened.names == list(opened) == expected
    assert len(opened) == len(expected)
    assert opened.version == version
    values = {name: int(position.data[0, 0]) for name, position in opened.positions()}
    assert values == {name: names.index(name) for name in expected}
    assert int(opened[0].data[0, 0]) == names.index(expected[0])
    assert int(opened[-1].data[0, 0]) == names.index(expected[-1])
    assert int(opened[expected[1]].data[0, 0]) == names.index(expected[1])
    assert expected[0] in opened
    assert opened.ome_xml == "<OME>µ</OME>"
    assert opened.axis_names == ["y", "x"]
    assert opened.channel_names == []


def test_a_listed_image_that_is_missing_is_named():
    series = open_ome_zarr(bioformats2raw(["0"], ["0", "7"]))
    with pytest.raises(NodeNotFoundError, match="'7'"):
        list(series.positions())
    with pytest.raises(NodeNotFoundError):
        series["7"]
    with pytest.raises(KeyError):
        series[5]


@pytest.mark.parametrize("wrong", ["0", {"a": 1}, [None]])
def test_a_list_of_the_wrong_kind(wrong):
    with pytest.raises(MetadataError, match="series"):
        open_ome_zarr(bioformats2raw(["0"], wrong)).names  # noqa: B018


def test_a_plate_is_a_plate_first():
    store = {}
    with open_ome_zarr(store, layout="hcs", mode="w") as plate:
        plate.create_position("A", "1", "0")
        ome = plate.group.attrs["ome"]
        plate.group.attrs["ome"] = {**ome, "bioformats2raw.layout": 3}
    assert isinstance(open_ome_zarr(store), Plate)
    assert isinstance(open_ome_zarr(store, layout="hcs"), Plate)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_a_series_is_made(version):
    store = {}
    with open_ome_zarr(store, layout="bf2raw", mode="w", axes="yx", version=version) as series:
        series.create_image(np.full((4, 4), 5, "u1"), scale=(2, 3))
        series.create_image(np.full((4, 4), 6, "u1"), "b/c")
        position = series.create_position()
        assert isinstance(position, Position)
        position.create_image("0", np.full((6, 4), 7, "u1"))
        with pytest.raises(NodeExistsError):
            series.create_position("b/c")
        for wrong in ("OME", "OME/a", "", "/"):
            with pytest.raises(MetadataError):
                series.create_position(wrong)
        series.write_ome_xml("<OME/>")
    again = open_ome_zarr(store, mode="r+")
    assert again.version == version
    assert again.names == ["0", "b/c", "1"]
    assert [int(p.data[0, 0]) for _, p in again.positions()] == [5, 6, 7]
    assert again["0"].scale == [2, 3]
    assert again.metadata.layout == 3
    assert again.ome_xml == "<OME/>"
    assert "images=3" in repr(again)


def test_a_series_without_a_list_gets_one():
    store = bioformats2raw(["0", "1", "10"])
    with open_ome_zarr(store, mode="r+") as series:
        series.create_image(np.zeros((4, 4), "u1"))
    assert open_ome_zarr(store).metadata.series == ("0", "1", "10", "11")


def test_other_attributes_stay():
    store = bioformats2raw(["0"])
    anyzarr.open_group(store).attrs["mine"] = 1
    anyzarr.open_group(store, path="OME").attrs["yours"] = 2
    with open_ome_zarr(store, mode="r+") as series:
        series.create_position()
    assert anyzarr.open_group(store).attrs["mine"] == 1
    assert anyzarr.open_group(store, path="OME").attrs["yours"] == 2


# -- tiles -----------------------------------------------------------------------------------


def tiled(**options):
    store = {}
    position = open_ome_zarr(store, layout="tiled", mode="w", axes="tczyx")
    position.make_tiles("0", (2, 3), (2, 2, 1, 4, 5), "u2", **options)
    return store, position


def test_tiles_are_written_and_read():
    store, position = tiled(scale=(1, 1, 1, 2, 2))
    tile = np.arange(80, dtype="u2").reshape(2, 2, 1, 4, 5)
    position.data.write_tile(tile, 1, 2)
    again = open_ome_zarr(store, layout="tiled")
    assert isinstance(again, TiledPosition)
    array = again.data
    assert isinstance(array, TiledImageArray)
    assert (array.shape, array.tile_shape) == ((2, 2, 1, 8, 15), (1, 1, 1, 4, 5))
    assert (array.rows, array.columns, array.tiles) == (2, 3, (2, 3))
    np.testing.assert_array_equal(array.get_tile(1, 2), tile)
    np.testing.assert_array_equal(array.get_tile(-1, -1), tile)
    np.testing.assert_array_equal(array[..., 4:, 10:], tile)
    assert not array.get_tile(0, 0).any()
    assert array.frames == 2
    assert again.scale == [1, 1, 1, 2, 2]
    assert array.shards is None


def test_parts_of_tiles():
    _, position = tiled()
    array = position.data
    array.write_tile(7, 0, 1, pre_dims=(1, slice(None), None))
    assert array.get_tile(0, 1, pre_dims=(1, 0, 0)).shape == (1, 1, 1, 4, 5)
    assert (array.get_tile(0, 1)[1] == 7).all()
    assert not array.get_tile(0, 1)[0].any()
    assert array.get_tile_slice(0, 1, (-1, None, None))[0] == slice(-1, None)
    with pytest.raises(SelectionError):
        array.get_tile(0, 1, pre_dims=(0,))


@pytest.mark.parametrize("place", [(2, 0), (0, 3), (-3, 0)])
def test_tiles_there_are_not(place):
    with pytest.raises(SelectionError):
        tiled()[1].data.get_tile(*place)


@pytest.mark.parametrize("place", [(0.0, 1), ("0", 1), (True, 0)])
def test_what_is_no_tile(place):
    with pytest.raises(TypeError):
        tiled()[1].data.get_tile(*place)


def test_chunks_of_more_dimensions():
    _, position = tiled(chunk_dims=3)
    assert position.data.tile_shape == (1, 1, 1, 4, 5)
    store = {}
    position = open_ome_zarr(store, layout="tiled", mode="w", axes="zyx")
    assert position.make_tiles("0", (1, 2), (3, 4, 5), "u1", chunk_dims=3).chunks == (3, 4, 5)


def test_tiles_go_through_pickle(tmp_path):
    with open_ome_zarr(tmp_path / "t.zarr", layout="tiled", mode="w", axes="yx") as position:
        array = position.make_tiles("0", (2, 2), (4, 4), "u1")
        array.write_tile(3, 1, 1)
    again = pickle.loads(pickle.dumps(array))
    assert isinstance(again, TiledImageArray)
    assert (again.get_tile(1, 1) == 3).all()


def test_any_image_is_opened_by_tiles():
    store = {}
    with open_ome_zarr(store, mode="w", axes="yx") as image:
        image.create_image("s0", np.arange(48, dtype="u1").reshape(6, 8), chunks=(4, 4))
    array = open_ome_zarr(store, layout="tiled").data
    assert array.tiles == (2, 2)
    assert array.get_tile(1, 1).shape == (2, 4)

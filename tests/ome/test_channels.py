"""Channels: names, colours, contrast, and metadata in step with the arrays."""

import pickle
import threading

import numpy as np
import pytest

import anyzarr
from anyzarr.errors import MetadataError, ReadOnlyError
from anyzarr.ome import Window, open_ome_zarr
from anyzarr.ome._colors import color_of

NAMES = {
    "0000FF": ["DAPI", "dapi", "Hoechst 33342", "mTagBFP2", "405", "Ex405", "AF405", "BFP"],
    "00FF00": ["GFP", "EGFP-tubulin", "gfp_ex488", "FITC", "Alexa 488", "AF488", "mNeonGreen",
               "488nm", "GCaMP6s", "488"],
    "00FFFF": ["CFP", "mCerulean3", "mTurquoise2", "440"],
    "FFFF00": ["YFP", "EYFP", "Venus", "514 nm"],
    "FF8000": ["Cy3", "TRITC", "alexa fluor 555", "mOrange"],
    "FF0000": ["mCherry", "RFP", "TagRFP", "Texas Red", "tdTomato", "561", "Alexa-594",
               "MCHERRY EX561"],
    "FF00FF": ["Cy5", "CY5 - 647", "Alexa647", "far red", "SiR-DNA", "640", "iRFP670"],
    "FFFFFF": ["Brightfield", "BF", "Phase3D", "phase", "DIC", "Trans", "bright field",
               "Retardance"],
}  # fmt: skip


@pytest.mark.parametrize(("color", "name"), [(c, n) for c, ns in NAMES.items() for n in ns])
def test_colours_from_names(color, name):
    assert color_of(name) == color


@pytest.mark.parametrize("name", ["A", "channel 1", "stuff", "", "nucleus", "w1", "1", "spiderman"])
def test_names_that_tell_no_colour(name):
    assert color_of(name) is None


def new_image(names=("DAPI", "GFP"), store=None, version="0.5", axes="tcyx", **options):
    store = {} if store is None else store
    image = open_ome_zarr(store, mode="w", axes=axes, channel_names=names, version=version)
    shape = {"t": 2, "c": len(names), "z": 3, "y": 300, "x": 280}
    values = np.arange(np.prod([shape[a] for a in axes])).reshape([shape[a] for a in axes])
    image.create_image("0", (values % 1000).astype("u2"), **options)
    return image


def test_colours_are_written():
    image = new_image(("DAPI", "gfp", "what"))
    assert [c.color for c in image.channels] == ["0000FF", "00FF00", "00FFFF"]
    assert new_image(("phase",)).channels[0].color == "FFFFFF"
    assert new_image(("Cy5",)).channels[0].color == "FF00FF"


@pytest.mark.parametrize("version", ["0.4", "0.5", "0.6"])
def test_appending_a_channel(tmp_path, version):
    image = new_image(store=tmp_path / "a", version=version)
    image.compute_pyramid(levels=2)
    before = image.data[...]
    assert image.append_channel("mCherry") == 2
    again = open_ome_zarr(tmp_path / "a", mode="r+")
    assert again.channel_names == ["DAPI", "GFP", "mCherry"]
    assert [level.shape[1] for level in again.levels] == [3, 3]
    np.testing.assert_array_equal(again.data[:, :2], before)
    assert not again.data[:, 2].any()
    assert again.channels[2].color == "FF0000"
    assert again.channels[2].window == Window(0, 65535, 0, 65535)
    again.update_channel("mCherry", "0", np.full((2, 300, 280), 5))
    assert (again.data[:, 2] == 5).all()
    np.testing.assert_array_equal(again.data[:, :2], before)
    assert again.get_channel_index("mCherry") == 2


def test_appending_only_the_metadata():
    image = new_image()
    image.append_channel("more", resize_arrays=False)
    assert image.channel_names == ["DAPI", "GFP", "more"]
    assert image.data.shape[1] == 2


def test_appending_again_after_it_was_cut_short(monkeypatch):
    image = new_image()
    image.compute_pyramid(levels=2)
    real = anyzarr.Array.resize
    calls = []

    def dies_at_the_second(array, shape):
        calls.append(shape)
        if len(calls) == 2:
            raise OSError("gone")
        real(array, shape)

    monkeypatch.setattr(anyzarr.Array, "resize", dies_at_the_second)
    with pytest.raises(OSError, match="gone"):
        image.append_channel("more")
    monkeypatch.setattr(anyzarr.Array, "resize", real)
    image = open_ome_zarr(image.store, mode="r+")
    assert image.channel_names == ["DAPI", "GFP"]
    image.append_channel("more")
    assert image.channel_names == ["DAPI", "GFP", "more"]
    assert [level.shape[1] for level in image.levels] == [3, 3]


def test_channels_follow_the_axis():
    image = new_image()
    stale, other = open_ome_zarr(image.store, mode="r+"), open_ome_zarr(image.store, mode="r+")
    plane = np.ones((2, 1, 300, 280), "u2")
    stale.data.append(plane, axis=1)
    other.data.append(2 * plane, axis="c")
    fresh = open_ome_zarr(image.store, mode="r+")
    assert fresh.data.shape[1] == len(fresh.channels) == 4
    assert fresh.data[0, :, 0, 0].tolist()[2:] == [1, 2]
    assert fresh.channel_names == ["DAPI", "GFP", "Channel 2", "Channel 3"]
    assert len({c.color for c in fresh.channels}) == 4
    fresh.data.resize((2, 1, 300, 280))
    assert fresh.channel_names == ["DAPI"]
    fresh.data.append(np.ones((1, 1, 300, 280), "u2"))
    assert fresh.channel_names == ["DAPI"]
    with pytest.raises(MetadataError, match="'q'"):
        fresh.data.append(plane, axis="q")


def test_handles_that_travelled_keep_the_channels_in_step(tmp_path):
    image = new_image(store=tmp_path / "a")
    array = pickle.loads(pickle.dumps(image.data))
    assert (array.channels, array.width, array.axes) == (2, 280, image.axes)
    array.append(np.ones((2, 1, 300, 280), "u2"), axis="c")
    assert len(open_ome_zarr(tmp_path / "a").channels) == 3


def test_threads_that_append_channels():
    image = new_image()
    handles = [open_ome_zarr(image.store, mode="r+").data for _ in range(6)]
    plane = np.ones((2, 1, 300, 280), "u2")
    threads = [threading.Thread(target=h.append, args=(plane, "c")) for h in handles]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    fresh = open_ome_zarr(image.store)
    assert fresh.data.shape[1] == len(fresh.channels) == 8


def test_renaming():
    image = new_image()
    image.rename_channel("DAPI", "nuclei")
    image.rename_channel(1, "GFP")
    again = open_ome_zarr(image.store)
    assert again.channel_names == ["nuclei", "GFP"]
    assert again.channels[0].color == "0000FF"
    with pytest.raises(MetadataError, match="already"):
        image.rename_channel("nuclei", "GFP")
    for bad in ("DAPI", 2, -1):
        with pytest.raises(MetadataError, match="no channel"):
            image.rename_channel(bad, "x")
    with pytest.raises(MetadataError, match="already"):
        image.append_channel("GFP")


def test_setting_a_channel_keeps_the_rest():
    image = new_image()
    ome = image.group.attrs["ome"]
    ome["omero"]["channels"][1] |= {"coefficient": 2}
    ome["omero"]["rdefs"] = {"model": "color"}
    image.group.attrs["ome"] = ome
    image.set_channel("GFP", label="tubulin", color="ABCDEF", active=False)
    after = open_ome_zarr(image.store).group.attrs["ome"]["omero"]
    assert after["rdefs"] == {"model": "color"}
    expected = {"label": "tubulin", "color": "ABCDEF", "active": False, "coefficient": 2}
    assert expected.items() <= after["channels"][1].items()
    assert after["channels"][0] == ome["omero"]["channels"][0]
    for bad in ({"color": "red"}, {"label": "DAPI"}):
        with pytest.raises(MetadataError):
            image.set_channel("tubulin", **bad)
    assert open_ome_zarr(image.store).group.attrs["ome"]["omero"] == after


def test_contrast_by_hand():
    image = new_image()
    assert image.set_contrast_limits("DAPI", (3, 200)) == Window(0, 65535, 3, 200)
    image.set_contrast_limits("GFP", {"start": 1, "end": 9, "min": 0, "max": 10})
    image.set_contrast_limits(1, {"end": 8})
    windows = [c.window for c in open_ome_zarr(image.store).channels]
    assert windows == [Window(0, 65535, 3, 200), Window(0, 10, 1, 8)]
    for bad in ((5, 5), (9, 1), (1, 2, 3), {"low": 3}):
        with pytest.raises(MetadataError):
            image.set_contrast_limits("GFP", bad)
    with pytest.raises(MetadataError, match="not both"):
        image.set_contrast_limits("GFP", (1, 2), percentiles=(1, 99))


@pytest.mark.parametrize("dtype", ["u1", "u2", "i4", "f4"])
@pytest.mark.parametrize("axes", ["cyx", "tczyx", "czyx"])
def test_contrast_from_pixels(axes, dtype):
    values = np.random.default_rng(0).integers(0, 100, (2, 2, 3, 64, 64)).astype(dtype)
    values[:, 1] += 20
    values = {"cyx": values[0, :, 0], "tczyx": values, "czyx": values[0]}[axes]
    image = open_ome_zarr({}, mode="w", axes=axes, channel_names=["a", "b"])
    image.create_image("0", values)
    for index, name in enumerate("ab"):
        window = image.set_contrast_limits(name, percentiles=(5, 95))
        axis = axes.index("c")
        plane = np.take(values if axes != "tczyx" else values[1], index, axis - (axes[0] == "t"))
        low, high = np.percentile(plane, (5, 95))
        assert window.start == pytest.approx(low, abs=1)
        assert window.end == pytest.approx(high, abs=1)
        assert window.min <= window.start < window.end <= window.max


def test_contrast_that_pixels_do_not_tell():
    image = open_ome_zarr({}, mode="w", axes="cyx")
    image.create_image("0", np.zeros((1, 8, 8), "u1"))
    with pytest.raises(MetadataError, match="do not tell"):
        image.set_contrast_limits(0)


def test_large_images_are_sampled(monkeypatch):
    from anyzarr.ome import _contrast

    monkeypatch.setattr(_contrast, "_MOST_SAMPLES", 500)
    values = np.random.default_rng(0).normal(100, 10, (1, 20, 100, 100)).astype("f4")
    image = open_ome_zarr({}, mode="w", axes="czyx")
    image.create_image("0", values)
    read = []
    real = type(image.data).__getitem__
    monkeypatch.setattr(
        type(image.data), "__getitem__", lambda a, s: read.append(real(a, s)) or read[-1]
    )
    window = image.set_contrast_limits(0, percentiles=(1, 99))
    assert sum(part.size for part in read) <= 1000
    assert window.start == pytest.approx(77, abs=5)


def test_nothing_is_shared_between_images():
    names = ["a", "b"]
    group = anyzarr.create_group({})
    images = []
    for path in ("0", "1"):
        image = anyzarr.ome.Image(group.create_group(path), axes=None, channel_names=names)
        image.create_image("0", np.zeros((2, 4, 4), "u1"))
        images.append(image)
    images[0].append_channel("c")
    images[0].rename_channel("a", "z")
    images[0].channel_names.append("q")
    assert images[0].channel_names == ["z", "b", "c"]
    assert images[1].channel_names == names == ["a", "b"]
    assert anyzarr.ome.Image(group["1"]).channel_names == ["a", "b"]


def test_without_a_channel_axis_or_names():
    image = open_ome_zarr({}, mode="w", axes="zyx")
    image.create_image("0", np.zeros((2, 4, 4), "u1"))
    assert image.channels == ()
    with pytest.raises(MetadataError, match="no channel axis"):
        image.append_channel("a")
    with pytest.raises(MetadataError, match="not named"):
        image.get_channel_index("a")


def test_channels_where_there_was_no_omero():
    image = new_image()
    ome = image.group.attrs["ome"]
    del ome["omero"]
    image.group.attrs["ome"] = ome
    assert image.channels == ()
    image.append_channel("GFP")
    assert image.channel_names == ["Channel 0", "Channel 1", "GFP"]
    assert image.data.shape[1] == 3


def test_reading_only(tmp_path):
    new_image(store=tmp_path / "a")
    image = open_ome_zarr(tmp_path / "a")
    for change in (
        lambda: image.append_channel("x"),
        lambda: image.rename_channel("DAPI", "x"),
        lambda: image.set_contrast_limits("DAPI", (1, 2)),
        lambda: image.set_scale("y", 2),
    ):
        with pytest.raises(ReadOnlyError):
            change()


def test_handles_that_are_behind_undo_nothing():
    image = new_image()
    image.compute_pyramid(levels=2)
    first, second = (open_ome_zarr(image.store, mode="r+") for _ in range(2))
    assert first.channel_names == second.channel_names
    first.append_channel("x")
    second.append_channel("y")
    first.rename_channel("GFP", "tubulin")
    second.set_channel("DAPI", color="123456")
    second.set_contrast_limits("DAPI", (1, 2))
    with pytest.raises(MetadataError):
        second.append_channel("x")
    with pytest.raises(MetadataError):
        second.rename_channel("y", "tubulin")
    first.set_scale("y", 3)
    second.set_unit("x", "micrometer")
    second.set_scale("x", 5)
    fresh = open_ome_zarr(image.store)
    assert fresh.channel_names == ["DAPI", "tubulin", "x", "y"]
    assert [level.shape[1] for level in fresh.levels] == [4, 4]
    assert (fresh.channels[0].color, fresh.channels[0].window.end) == ("123456", 2)
    assert fresh.scale == [1, 1, 3, 5]
    assert fresh.axes[3].unit == "micrometer"
    assert len(fresh) == 2


def test_threads_that_append_named_channels():
    image = new_image()
    handles = [open_ome_zarr(image.store, mode="r+") for _ in range(6)]
    threads = [
        threading.Thread(target=handle.append_channel, args=(f"new {i}",))
        for i, handle in enumerate(handles)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    fresh = open_ome_zarr(image.store)
    assert sorted(fresh.channel_names[2:]) == [f"new {i}" for i in range(6)]
    assert fresh.data.shape[1] == len(fresh.channels) == 8

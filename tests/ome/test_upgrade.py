"""Upgrades: nothing lost, nothing changed in value, readable at every moment."""

import copy
import json

import numpy as np
import pytest

import anyzarr
from anyzarr.errors import MetadataError, NodeExistsError, UnsupportedError
from anyzarr.ome import open_ome_zarr, upgrade
from anyzarr.stores import LocalStore, MemoryStore

PIXELS = np.random.default_rng(1).integers(0, 999, (1, 2, 3, 64, 48)).astype("u2")
DOCUMENTS = ("zarr.json", ".zarray", ".zgroup", ".zattrs", ".zmetadata")
STEPS = [{"type": "scale", "scale": [1, 1, 2, 0.5, 0.5]}]


def chunks_of(store):
    return {k: bytes(v) for k, v in store.items() if k.rpartition("/")[2] not in DOCUMENTS}


def kinds_of(store):
    return {k.rpartition("/")[2] for k in store} & set(DOCUMENTS)


def old_image(version="0.4", *, values=PIXELS, path="", store=None, extra=None, **options):
    """Write an image of 0.1 to 0.4 with what a writer may have put into it."""
    store = {} if store is None else store
    group = anyzarr.create_group(store, path=path, zarr_format=2)
    levels = {"0": values, "1": values[..., ::2, ::2]}
    options = {"chunks": (1,) * (values.ndim - 2) + (32, 32), **options}
    for name, level in levels.items():
        group.create_array(name, shape=level.shape, dtype=level.dtype, **options)[...] = level
    multiscale = {"version": version, "name": "old", "datasets": [{"path": "0"}, {"path": "1"}]}
    if version == "0.3":
        multiscale["axes"] = list("tczyx")
    if version == "0.4":
        types = ("time", "channel", "space", "space", "space")
        multiscale["axes"] = [{"name": n, "type": t} for n, t in zip("tczyx", types, strict=True)]
        for dataset in multiscale["datasets"]:
            dataset["coordinateTransformations"] = STEPS
    channel = {"color": "FF0000", "window": {"min": 0, "max": 9, "start": 1, "end": 8}}
    omero = {"version": version, "channels": [{"label": n, **channel} for n in "ab"]}
    group.attrs.update(multiscales=[multiscale | (extra or {})], omero=omero, mine={"a": 1})
    return store


@pytest.mark.parametrize("target", ["0.4", "0.5", "0.6"])
@pytest.mark.parametrize("version", ["0.1", "0.2", "0.3", "0.4"])
def test_metadata_only(version, target):
    separator = "." if version == "0.1" else "/"
    encoding = {"name": "v2", "separator": separator}
    store = old_image(version, chunk_key_encoding=encoding)
    before = chunks_of(store)
    report = upgrade(store, version=target, metadata_only=True)
    assert (report.before, report.version) == (version, target)
    assert (report.n_groups, report.n_arrays) == (1, 2)
    assert chunks_of(store) == before
    v2 = {".zarray", ".zgroup", ".zattrs"}
    assert kinds_of(store) == (v2 if target == "0.4" else {"zarr.json"})
    image = open_ome_zarr(store)
    assert image.version == target
    assert image.channel_names == ["a", "b"]
    assert image.axis_names == list("tczyx")
    assert image.group.attrs["mine"] == {"a": 1}
    expected = [1, 1, 2, 0.5, 0.5] if version == "0.4" else [1, 1, 1, 2, 2]
    assert image.get_effective_scale(1) == expected
    for engine in anyzarr.list_engines():
        data = open_ome_zarr(store, engine=engine).data
        np.testing.assert_array_equal(data[...], PIXELS)
    if target != "0.4":
        assert image.data.dimension_names == tuple("tczyx")
    assert upgrade(store, version=target, metadata_only=True).n_changed == 0


@pytest.mark.oracle
@pytest.mark.parametrize("version", ["0.1", "0.2", "0.3", "0.4"])
@pytest.mark.parametrize("way", ["in place", "copied", "cut anew"])
def test_what_comes_out_is_judged(tmp_path, version, way):
    yaozarrs = pytest.importorskip("yaozarrs")
    zarr = pytest.importorskip("zarr", minversion="3")
    store = LocalStore(tmp_path / "old")
    old_image(version, store=store)
    place = tmp_path / ("old" if way == "in place" else "new")
    if way == "in place":
        upgrade(place, metadata_only=True)
    else:
        options = {} if way == "copied" else {"chunks": (1, 1, 1, 64, 64), "shards": "auto"}
        upgrade(tmp_path / "old", place, **options)
    assert anyzarr.validate(place).errors == ()
    yaozarrs.validate_zarr_store(str(place))
    group = zarr.open_group(place, mode="r")
    np.testing.assert_array_equal(group["0"][...], PIXELS)
    assert group["0"].metadata.dimension_names == tuple("tczyx")
    models = pytest.importorskip("ome_zarr_models.v05")
    models.Image.from_zarr(group)


@pytest.mark.parametrize("dtype", [">u2", "<i4", ">f8", "|u1", "<f4"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("codec", [None, {"id": "zlib", "level": 1}, {"id": "blosc"}, "zstd"])
@pytest.mark.parametrize("way", ["in place", "copied", "cut anew"])
def test_values_stay_bit_for_bit(dtype, order, codec, way):
    values = PIXELS.astype(dtype)
    store = old_image(values=values, order=order, compressors=codec)
    result = store
    if way == "in place":
        upgrade(store, metadata_only=True)
    else:
        result = {}
        before = copy.deepcopy(store)
        options = {} if way == "copied" else {"chunks": (1, 2, 1, 40, 30)}
        upgrade(store, result, **options)
        assert store == before
        chunks = open_ome_zarr(result).data.chunks
        assert chunks == (options.get("chunks") or (1, 1, 1, 32, 32))
    image = open_ome_zarr(result)
    np.testing.assert_array_equal(image.data[...], values)
    assert image.data[...].tobytes() == values.astype(values.dtype.newbyteorder("=")).tobytes()
    np.testing.assert_array_equal(image[1][...], values[..., ::2, ::2])
    if way == "copied":
        assert sorted(chunks_of(result).values()) == sorted(chunks_of(store).values())
        assert all("/c/" in key for key in chunks_of(result))


def test_filters_that_v3_can_say():
    pytest.importorskip("numcodecs")
    store = old_image(filters=[{"id": "delta", "dtype": "<u2"}])
    upgrade(store, metadata_only=True)
    np.testing.assert_array_equal(open_ome_zarr(store, engine="zarr").data[...], PIXELS)


def unsayable():
    store = old_image()
    document = json.loads(bytes(store["1/.zarray"]))
    document["compressor"] = {"id": "somebodys_own", "level": 3}
    store["1/.zarray"] = json.dumps(document).encode()
    return store


def test_what_v3_cannot_say_is_refused_before_anything_is_touched():
    store = unsayable()
    before = copy.deepcopy(store)
    with pytest.raises(UnsupportedError, match="somebodys_own") as caught:
        upgrade(store, metadata_only=True)
    assert "'1'" in str(caught.value)
    assert "compressor" in str(caught.value)
    target = {}
    with pytest.raises(UnsupportedError, match="somebodys_own"):
        upgrade(store, target)
    assert store == before
    assert target == {}


def test_other_codecs_on_the_way():
    target = {}
    upgrade(old_image(compressors={"id": "lzma"}), target, compressor="gzip", shards="auto")
    image = open_ome_zarr(target)
    assert [c.name for c in image.data.codecs] == ["bytes", "gzip"]
    assert image.data.shards == (1, 1, 3, 64, 64)
    np.testing.assert_array_equal(image.data[...], PIXELS)


def test_labels_plates_and_other_files(tmp_path):
    store = LocalStore(tmp_path / "plate")
    root = anyzarr.create_group(store, zarr_format=2)
    root.attrs["plate"] = {
        "version": "0.1",
        "rows": [{"name": "A"}, {"name": "B"}],
        "columns": [{"name": "1"}],
        "wells": [{"path": "B/1"}],
        "mine": 3,
    }
    well = root.create_group("B").create_group("1")
    well.attrs["well"] = {"version": "0.1", "images": [{"path": "0", "acquisition": 1}]}
    old_image("0.1", path="B/1/0", store=store)
    image = anyzarr.open_group(store, mode="r+")["B/1/0"]
    labels = image.create_group("labels")
    labels.attrs["labels"] = ["cells"]
    old_image("0.1", values=PIXELS[:, :1], path="B/1/0/labels/cells", store=store)
    colors = [{"label-value": 1, "rgba": [1, 2, 3, 4]}]
    labels["cells"].attrs["image-label"] = {"version": "0.1", "colors": colors, "own": 1}
    (tmp_path / "plate" / "OME").mkdir()
    (tmp_path / "plate" / "OME" / "METADATA.ome.xml").write_text("<OME/>")
    (tmp_path / "plate" / "B" / "notes.txt").write_text("hello")

    upgrade(tmp_path / "plate", tmp_path / "new", chunks=(1, 2, 1, 64, 64))
    upgrade(tmp_path / "plate", metadata_only=True)
    for place in (tmp_path / "plate", tmp_path / "new"):
        group = anyzarr.open_group(place)
        assert group.attrs["ome"] == {
            "version": "0.5",
            "plate": {
                "rows": [{"name": "A"}, {"name": "B"}],
                "columns": [{"name": "1"}],
                "wells": [{"path": "B/1", "rowIndex": 1, "columnIndex": 0}],
                "mine": 3,
            },
        }
        ome = group["B/1"].attrs["ome"]
        assert ome == {"version": "0.5", "well": {"images": [{"path": "0", "acquisition": 1}]}}
        assert group["B"].attrs.asdict() == {}
        image = anyzarr.ome.Image(group["B/1/0"])
        np.testing.assert_array_equal(image.data[...], PIXELS)
        assert image.label_names == ["cells"]
        label = image.get_label("cells")
        assert label.colors == {1: (1, 2, 3, 4)}
        assert label.group.attrs["ome"]["image-label"] == {"colors": colors, "own": 1}
        np.testing.assert_array_equal(label.data[...], PIXELS[:, :1])
        assert (place / "OME" / "METADATA.ome.xml").read_text() == "<OME/>"
        assert (place / "B" / "notes.txt").read_text() == "hello"
        assert not list(place.rglob(".z*"))
        assert {p.parent.name for p in place.rglob("zarr.json")} >= {"B", "1", "0", "cells"}
    assert anyzarr.ome.Image(anyzarr.open_group(tmp_path / "new")["B/1/0"]).data.chunks == (
        1, 2, 1, 64, 48,
    )  # fmt: skip


def test_a_group_without_a_document_gets_one():
    store = old_image(path="a/b")
    store = {key: value for key, value in store.items() if key not in {"a/.zgroup", ".zgroup"}}
    root = anyzarr.create_group(store, zarr_format=2)
    root.attrs["bioformats2raw.layout"] = 3
    upgrade(store, metadata_only=True)
    group = anyzarr.open_group(store)
    assert group.attrs["ome"] == {"version": "0.5", "bioformats2raw.layout": 3}
    np.testing.assert_array_equal(group["a/b/0"][...], PIXELS)
    assert json.loads(bytes(store["a/zarr.json"]))["node_type"] == "group"


def test_0_5_to_0_6_and_back_keeps_the_chunks():
    store = {}
    with open_ome_zarr(store, mode="w", axes="tczyx", channel_names=["a", "b"]) as image:
        image.create_image("0", PIXELS, scale=STEPS[0]["scale"])
        image.create_label("l", PIXELS[:, 0])
    before = copy.deepcopy(store)
    upgrade(store, version="0.6", metadata_only=True)
    assert chunks_of(store) == chunks_of(before)
    image = open_ome_zarr(store)
    assert image.version == image.get_label("l").version == "0.6"
    assert image.scale == STEPS[0]["scale"]
    upgrade(store, version="0.5", metadata_only=True)
    assert {k: json.loads(bytes(v)) for k, v in store.items() if k.endswith(".json")} == {
        k: json.loads(bytes(v)) for k, v in before.items() if k.endswith(".json")
    }


def test_transformations_and_keys_not_known_go_along():
    extra = {"coordinateTransformations": [{"type": "warp", "x": 1}], "own": [1]}
    store = old_image(extra=extra)
    upgrade(store, metadata_only=True)
    (multiscale,) = anyzarr.open_group(store).attrs["ome"]["multiscales"]
    assert extra.items() <= multiscale.items()
    assert "version" not in multiscale


class Dies(MemoryStore):
    """Lets so many changes through, then fails as a machine that loses its power."""

    left = 10**9

    def _count(self):
        if self.left <= 0:
            raise OSError("power is gone")
        self.left -= 1

    def put(self, key, value, **options):
        self._count()
        return super().put(key, value, **options)

    def delete(self, key):
        self._count()
        return super().delete(key)


@pytest.mark.parametrize("target", ["0.5", "0.6"])
def test_readable_at_every_moment_and_finished_by_another_call(target):
    plain = old_image("0.3")
    labels = anyzarr.open_group(plain, mode="r+").create_group("labels")
    labels.attrs["labels"] = ["l"]
    old_image("0.3", values=PIXELS[:, :1], path="labels/l", store=plain)
    changes = 0
    while True:
        store = Dies(dict(plain))
        store.left = changes
        try:
            upgrade(store, version=target, metadata_only=True)
        except OSError:
            store.left = 10**9
            image = open_ome_zarr(store)
            np.testing.assert_array_equal(image.data[...], PIXELS)
            np.testing.assert_array_equal(image[1][...], PIXELS[..., ::2, ::2])
            assert image.get_effective_scale(1) == [1, 1, 1, 2, 2]
            np.testing.assert_array_equal(image.get_label("l").data[...], PIXELS[:, :1])
            upgrade(store, version=target, metadata_only=True)
        image = open_ome_zarr(store)
        assert image.version == image.get_label("l").version == target
        np.testing.assert_array_equal(image.data[...], PIXELS)
        assert not [info.key for info in store.list() if "/.z" in f"/{info.key}"]
        if store.left < 10**8:
            break
        changes += 1
    assert changes > 12


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({}, MetadataError),
        ({"target": {}, "metadata_only": True}, MetadataError),
        ({"metadata_only": True, "chunks": (1, 1, 1, 8, 8)}, MetadataError),
        ({"target": {}, "chunks": (8, 8)}, MetadataError),
        ({"target": {}, "chunks": (1, 1, 1, 0, 8)}, MetadataError),
        ({"target": {}, "version": "0.3"}, UnsupportedError),
        ({"target": {}, "version": "0.4", "shards": "auto"}, UnsupportedError),
        ({"target": {"x": b"y"}}, NodeExistsError),
    ],
)
def test_bad_arguments_touch_nothing(arguments, error):
    store = old_image()
    before, target = copy.deepcopy(store), copy.deepcopy(arguments.get("target"))
    with pytest.raises(error):
        upgrade(store, **arguments)
    assert store == before
    assert arguments.get("target") == target


def test_what_cannot_be_upgraded_is_said():
    store = {}
    anyzarr.create_group(store)
    with pytest.raises(MetadataError, match="no OME-Zarr"):
        upgrade(store, metadata_only=True)
    array = {}
    anyzarr.create_array(array, shape=(2, 2), dtype="u1")
    with pytest.raises(MetadataError, match="is an array"):
        upgrade(array, metadata_only=True)
    new = {}
    with open_ome_zarr(new, mode="w") as image:
        image.create_image("0", PIXELS[0, 0])
    with pytest.raises(UnsupportedError, match="newer"):
        upgrade(new, version="0.4", metadata_only=True)
    lost = old_image("0.1")
    for key in [key for key in lost if key.startswith("1/")]:
        del lost[key]
    with pytest.raises(KeyError, match="'1'"):
        upgrade(lost, metadata_only=True)

"""Conversion from end to end: any source, any target, nothing half-written."""

import json
import zipfile

import numpy as np
import pytest

import anyzarr
from anyzarr._convert import Progress
from anyzarr._pyramid import mean
from anyzarr.errors import (
    CorruptDataError,
    MetadataError,
    NodeExistsError,
    NodeNotFoundError,
    ReadOnlyError,
    StoreError,
    UnsupportedError,
)
from anyzarr.ome import axes_of, open_ome_zarr
from anyzarr.readers import ReaderKind, SourceImage, list_readers, register_reader
from anyzarr.readers import _source as sources
from anyzarr.stores import LocalStore, MemoryStore, ZipStore, open_store

tifffile = pytest.importorskip("tifffile")
RNG = np.random.default_rng(0)
VALUES = RNG.integers(0, 4000, (2, 3, 6, 400, 380)).astype("u2")
METADATA = {
    "axes": "TCZYX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5, "PhysicalSizeZ": 2.0,
    "PhysicalSizeXUnit": "µm", "PhysicalSizeYUnit": "µm", "PhysicalSizeZUnit": "µm",
    "TimeIncrement": 1.5, "TimeIncrementUnit": "s", "Channel": {"Name": ["a", "b", "c"]},
}  # fmt: skip


@pytest.fixture(scope="module")
def tiff(tmp_path_factory):
    path = tmp_path_factory.mktemp("tiff") / "cells.ome.tif"
    tifffile.imwrite(path, VALUES, metadata=METADATA, compression="zlib", tile=(128, 128))
    return path


@pytest.fixture(scope="module")
def folder(tiff):
    path = tiff.parent / "cells.zarr"
    anyzarr.convert(tiff, path)
    return path


def content(store):
    store = store if hasattr(store, "list") and hasattr(store, "get_many") else open_store(store)
    return {item.key: store.get(item.key) for item in store.list()}


def names_in(path):
    return sorted(p.name for p in path.iterdir())


def check_image(location):
    with open_ome_zarr(location) as image:
        np.testing.assert_array_equal(image.data[...], VALUES)
        np.testing.assert_array_equal(image[1][...], mean(VALUES, (1, 1, 1, 2, 2)))
        assert image.scale == [1.5, 1, 2, 0.5, 0.5]
        assert image.get_effective_translation(1) == [0, 0, 0, 0.25, 0.25]
        assert image.channel_names == ["a", "b", "c"]
        assert [a.unit for a in image.axes] == ["second", None] + ["micrometer"] * 3


def test_tiff_to_folder(tiff, tmp_path):
    report = anyzarr.convert(tiff, tmp_path / "new" / "out.zarr")
    check_image(tmp_path / "new" / "out.zarr")
    assert report.kind == "image"
    assert report.axes == ("t", "c", "z", "y", "x")
    assert report.level_shapes == ((2, 3, 6, 400, 380), (2, 3, 6, 200, 190))
    assert report.dtype == "uint16"
    assert report.warnings == ()
    stored = content(tmp_path / "new" / "out.zarr")
    assert report.n_objects == len(stored)
    assert report.size_bytes == sum(map(len, stored.values()))
    assert json.loads(json.dumps(report.to_dict()))["kind"] == "image"
    assert "2 levels" in str(report)
    assert names_in(tmp_path / "new") == ["out.zarr"]


def test_ome_xml_is_kept_beside_the_pixels(tiff, folder):
    with tifffile.TiffFile(tiff) as file:
        assert content(folder)["OME/METADATA.ome.xml"].decode() == file.ome_metadata


def test_contrast_comes_from_the_pixels(folder):
    with open_ome_zarr(folder) as image:
        for channel in image.metadata.omero.channels:
            assert (channel.window.min, channel.window.max) == (0, 65535)
            assert 0 < channel.window.start < channel.window.end < 4000


def test_tiff_to_ozx_and_the_way_round_are_the_same(tiff, folder, tmp_path):
    report = anyzarr.convert(tiff, tmp_path / "a.ozx")
    check_image(tmp_path / "a.ozx")
    assert report.warnings == ()
    assert names_in(tmp_path) == ["a.ozx"]
    packed = anyzarr.convert(folder, tmp_path / "b.ozx")
    assert (packed.kind, packed.warnings) == ("pack", ())
    assert (tmp_path / "a.ozx").read_bytes() == (tmp_path / "b.ozx").read_bytes()
    back = anyzarr.convert(tmp_path / "a.ozx", tmp_path / "c.zarr")
    assert back.kind == "copy"
    assert content(tmp_path / "c.zarr") == content(folder)
    again = anyzarr.convert(tmp_path / "c.zarr", tmp_path / "d.ozx")
    assert again.size_bytes == packed.size_bytes
    assert (tmp_path / "d.ozx").read_bytes() == (tmp_path / "b.ozx").read_bytes()


def test_any_store_to_any_store(tiff, folder):
    wanted = content(folder)
    memory = MemoryStore()
    anyzarr.convert(folder, memory)
    assert content(memory) == wanted
    target = {}
    anyzarr.convert(memory, target)
    assert target == wanted
    direct = {}
    anyzarr.convert(tiff, direct)
    assert direct == wanted
    check_image(direct)


def test_to_fsspec_and_obstore(tiff, folder):
    fsspec = pytest.importorskip("fsspec")
    pytest.importorskip("obstore")
    from obstore.store import MemoryStore as ObstoreMemory

    there = ObstoreMemory()
    anyzarr.convert(tiff, there)
    assert content(open_store(there)) == content(folder)
    files = fsspec.filesystem("memory")
    mapper = files.get_mapper("/convert-test")
    anyzarr.convert(there, mapper)
    try:
        assert content(open_store(mapper)) == content(folder)
    finally:
        files.rm("/convert-test", recursive=True)


def test_to_s3_and_back(tiff, folder, tmp_path, s3):
    url = f"s3://{s3.new_bucket()}/deep/cells.zarr"
    report = anyzarr.convert(tiff, url, **s3.options)
    assert report.target == url
    assert "hush" not in repr(report)
    assert content(open_store(url, **s3.options)) == content(folder)
    with pytest.raises(NodeExistsError):
        anyzarr.convert(folder, url, **s3.options)
    anyzarr.convert(url, tmp_path / "a.ozx", source_options=s3.options)
    anyzarr.convert(folder, tmp_path / "b.ozx")
    assert (tmp_path / "a.ozx").read_bytes() == (tmp_path / "b.ozx").read_bytes()


def test_archives_repack_and_foreign_ones_unpack(folder, tmp_path):
    foreign = tmp_path / "foreign.zip"
    with zipfile.ZipFile(foreign, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, value in reversed(content(folder).items()):
            archive.writestr(key, value)
    anyzarr.convert(foreign, tmp_path / "a.ozx")
    anyzarr.convert(folder, tmp_path / "b.ozx")
    assert (tmp_path / "a.ozx").read_bytes() == (tmp_path / "b.ozx").read_bytes()
    anyzarr.convert(foreign, tmp_path / "out.zarr")
    assert content(tmp_path / "out.zarr") == content(folder)


def test_hostile_archives_write_nothing(tmp_path):
    with zipfile.ZipFile(tmp_path / "bad.ozx", "w") as archive:
        archive.writestr("zarr.json", '{"zarr_format": 3, "node_type": "group"}')
        archive.writestr("../escaped", "x")
    with pytest.raises((StoreError, CorruptDataError)) as caught:
        anyzarr.convert(tmp_path / "bad.ozx", tmp_path / "in" / "out.zarr")
    assert "escaped" in str(caught.value)
    assert names_in(tmp_path) == ["bad.ozx"]


def test_v2_hierarchies_are_copied_as_they_are(tmp_path):
    with open_ome_zarr(tmp_path / "a.zarr", mode="w", version="0.4") as image:
        image.create_image("0", VALUES[0])
        image.compute_pyramid()
    anyzarr.convert(tmp_path / "a.zarr", tmp_path / "b.zarr")
    assert content(tmp_path / "b.zarr") == content(tmp_path / "a.zarr")
    report = anyzarr.convert(tmp_path / "a.zarr", tmp_path / "a.ozx")
    assert any("v2" in w for w in report.warnings)
    with open_ome_zarr(tmp_path / "a.ozx") as image:
        assert image.version == "0.4"
        np.testing.assert_array_equal(image.data[...], VALUES[0])


def test_writing_04(tiff, tmp_path):
    anyzarr.convert(tiff, tmp_path / "a.zarr", version="0.4")
    check_image(tmp_path / "a.zarr")
    with open_ome_zarr(tmp_path / "a.zarr") as image:
        assert (image.version, image.data.metadata.zarr_format) == ("0.4", 2)


def test_options(tiff, tmp_path):
    report = anyzarr.convert(
        tiff, tmp_path / "a.zarr", chunks=(1, 1, 2, 100, 100), shards=(1, 3, 6, 200, 400),
        compressor="zstd", levels=4, method="nearest", name="mine",
    )  # fmt: skip
    assert len(report.level_shapes) == 4
    with open_ome_zarr(tmp_path / "a.zarr") as image:
        assert image.name == "mine"
        assert image.metadata.image.type == "nearest"
        assert (image.data.chunks, image.data.shards) == ((1, 1, 2, 100, 100), (1, 3, 6, 200, 400))
        assert "zstd" in [c.name for c in image.data.codecs]
        np.testing.assert_array_equal(image.data[...], VALUES)
        np.testing.assert_array_equal(image[1][...], VALUES[..., ::2, ::2])
    anyzarr.convert(tiff, tmp_path / "a.zarr", levels=1, shards=False, overwrite=True)
    with open_ome_zarr(tmp_path / "a.zarr") as image:
        assert len(image) == 1
        assert image.data.shards is None
        assert image.metadata.image.type is None


def test_axes_and_series_reach_the_reader(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(VALUES[0, 0], metadata=None)
        writer.write(VALUES[0, 0, 0, :50, :60], metadata=None)
    with pytest.raises(MetadataError, match="series="):
        anyzarr.convert(tmp_path / "a.tif", tmp_path / "a.zarr", axes="tyx")
    report = anyzarr.convert(tmp_path / "a.tif", tmp_path / "a.zarr", axes="tyx", series=0)
    assert report.axes[0] == "t"
    assert (report.layout, report.n_images) == ("image", 1)
    report = anyzarr.convert(tmp_path / "a.tif", tmp_path / "b.zarr", series=1)
    assert report.level_shapes[0] == (50, 60)
    for series in (2, -1):
        with pytest.raises(UnsupportedError, match="numbered from 0 to 1"):
            anyzarr.convert(tmp_path / "a.tif", tmp_path / "c.zarr", series=series)


@pytest.mark.parametrize("engine", ["zarr", "zarrs", "tensorstore"])
def test_engines_write_the_same_values(tiff, tmp_path, engine):
    pytest.importorskip({"zarrs": "zarrista"}.get(engine, engine))
    anyzarr.convert(tiff, tmp_path / "a.zarr", engine=engine)
    check_image(tmp_path / "a.zarr")


def test_progress(tiff, tmp_path):
    steps: list[Progress] = []
    anyzarr.convert(tiff, tmp_path / "a.ozx", progress=steps.append)
    labels = list(dict.fromkeys(s.label for s in steps))
    assert labels == ["levels 0 to 1", "packing a.ozx"]
    for label in labels:
        mine = [s for s in steps if s.label == label]
        assert mine[0].done_bytes == 0
        assert mine[-1].fraction == 1
        assert [s.done_bytes for s in mine] == sorted(s.done_bytes for s in mine)


# -- refusing and replacing ---------------------------------------------------------------


@pytest.mark.parametrize("name", ["out.zarr", "out.ozx"])
def test_existing_targets_are_kept_unless_overwritten(tiff, folder, tmp_path, name):
    target = tmp_path / name
    anyzarr.convert(folder, target)
    before = content(target)
    for source in (tiff, folder):
        with pytest.raises(NodeExistsError):
            anyzarr.convert(source, target)
        assert content(target) == before
    anyzarr.convert(tiff, target, overwrite=True, levels=1)
    assert content(target).keys() < before.keys()
    assert names_in(tmp_path) == [name]


def test_existing_hierarchies_in_stores(tiff, folder):
    target = {}
    anyzarr.convert(folder, target)
    before = dict(target)
    with pytest.raises(NodeExistsError):
        anyzarr.convert(tiff, target)
    assert target == before
    anyzarr.convert(tiff, target, overwrite=True, levels=1)
    assert len(open_ome_zarr(target)) == 1
    assert "1/zarr.json" not in target


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_is_not_zarr_is_never_replaced(tiff, tmp_path, overwrite):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter").write_text("1")
    with pytest.raises(NodeExistsError):
        anyzarr.convert(tiff, tmp_path / "thesis", overwrite=overwrite)
    assert (tmp_path / "thesis" / "chapter").read_text() == "1"
    target = {"something": b"else"}
    with pytest.raises(NodeExistsError):
        anyzarr.convert(tiff, target, overwrite=overwrite)
    assert target == {"something": b"else"}


def test_an_empty_folder_is_a_free_target(tiff, tmp_path):
    (tmp_path / "out").mkdir()
    anyzarr.convert(tiff, tmp_path / "out", levels=1)
    assert len(open_ome_zarr(tmp_path / "out")) == 1


def failing(error, after):
    """Return a progress function that raises after so many steps."""
    steps = []

    def progress(step):
        steps.append(step)
        if len(steps) > after:
            raise error

    return progress


@pytest.mark.parametrize("after", [0, 3, 7, 12])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("x")])
@pytest.mark.parametrize("name", ["deep/er/out.zarr", "out.ozx"])
def test_nothing_is_left_of_an_interrupted_conversion(tiff, tmp_path, error, after, name):
    with pytest.raises(type(error)):
        anyzarr.convert(tiff, tmp_path / name, progress=failing(error, after))
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("name", ["out.zarr", "out.ozx"])
def test_the_old_stays_when_the_new_fails(tiff, folder, tmp_path, name):
    anyzarr.convert(folder, tmp_path / name)
    before = content(tmp_path / name)
    with pytest.raises(KeyboardInterrupt):
        anyzarr.convert(
            tiff, tmp_path / name, overwrite=True, progress=failing(KeyboardInterrupt(), 7)
        )
    assert content(tmp_path / name) == before
    assert names_in(tmp_path) == [name]


def test_interrupted_writing_to_a_store(tiff, folder):
    target = {}
    with pytest.raises(KeyboardInterrupt):
        anyzarr.convert(tiff, target, progress=failing(KeyboardInterrupt(), 9))
    assert target == {}
    anyzarr.convert(folder, target)
    before = dict(target)
    with pytest.raises(KeyboardInterrupt):
        anyzarr.convert(tiff, target, overwrite=True, progress=failing(KeyboardInterrupt(), 9))
    assert target == before


@pytest.mark.parametrize("source", ["tiff", "folder"])
def test_the_root_metadata_comes_last(tiff, folder, source):
    keys = []

    class Watching(MemoryStore):
        def put(self, key, value, *, precondition=None):
            keys.append(key)
            return super().put(key, value, precondition=precondition)

    anyzarr.convert({"tiff": tiff, "folder": folder}[source], Watching())
    assert keys[-1] == "zarr.json"
    assert keys.count("zarr.json") == 1


# -- bad input ----------------------------------------------------------------------------


def test_sources_that_are_not_there_or_not_zarr(tmp_path):
    with pytest.raises(NodeNotFoundError):
        anyzarr.convert(tmp_path / "absent.tif", tmp_path / "out.zarr")
    with pytest.raises(NodeNotFoundError):
        anyzarr.convert(tmp_path / "absent.zarr", tmp_path / "out.ozx")
    (tmp_path / "empty").mkdir()
    with pytest.raises(NodeNotFoundError):
        anyzarr.convert(tmp_path / "empty", tmp_path / "out.zarr")
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(UnsupportedError):
        anyzarr.convert(tmp_path / "notes.txt", tmp_path / "out.zarr")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "zarr.json").write_text('{"zarr_for')
    with pytest.raises(MetadataError):
        anyzarr.convert(tmp_path / "broken", tmp_path / "out.ozx")
    assert not [n for n in names_in(tmp_path) if n.startswith(("out", "."))]


def test_a_nested_root_is_pointed_at(folder, tmp_path):
    store = LocalStore(tmp_path / "a")
    for key, value in content(folder).items():
        store.put(f"deep/er/{key}", value)
    with pytest.raises(NodeNotFoundError, match="'deep/er'"):
        anyzarr.convert(tmp_path / "a", tmp_path / "out.ozx")


def test_targets_that_cannot_be(tiff, folder, tmp_path):
    with pytest.raises(UnsupportedError, match="image file"):
        anyzarr.convert(folder, tmp_path / "out.tif")
    with pytest.raises(ReadOnlyError):
        anyzarr.convert(folder, "http://127.0.0.1:9/out.ozx")
    with pytest.raises(NodeExistsError, match="same"):
        anyzarr.convert(folder, folder, overwrite=True)
    with pytest.raises(MetadataError, match="within the other"):
        anyzarr.convert(folder, folder / "sub" / "out.zarr")
    (tmp_path / "file").write_text("x")
    with pytest.raises(NodeExistsError):
        anyzarr.convert(folder, tmp_path / "file")
    with pytest.raises(StoreError):
        anyzarr.convert(tiff, tmp_path / "file" / "out.zarr")


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"version": "0.3"}, UnsupportedError),
        ({"engine": "warp"}, UnsupportedError),
        ({"method": "cubic"}, UnsupportedError),
        ({"levels": 0}, MetadataError),
        ({"levels": "many"}, MetadataError),
        ({"chunks": (1, 2)}, MetadataError),
        ({"chunks": (1, 1, 1, 64, 64), "shards": (1, 1, 1, 100, 100)}, MetadataError),
        ({"axes": "yx"}, MetadataError),
        ({"series": 5}, UnsupportedError),
    ],
)
def test_bad_options_write_nothing(tiff, tmp_path, options, error):
    with pytest.raises(error):
        anyzarr.convert(tiff, tmp_path / "out.zarr", **options)
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("options", [{"name": "other"}, {"axes": "tczyx"}])
def test_what_ome_zarr_says_itself_is_refused(folder, tmp_path, options):
    with pytest.raises((UnsupportedError, MetadataError), match=next(iter(options))):
        anyzarr.convert(folder, tmp_path / "out.zarr", **options)


def test_strays_are_left_out_and_told(folder, tmp_path):
    source = {**content(folder), ".DS_Store": b"x", "0/c/0.partial": b"x"}
    report = anyzarr.convert(source, tmp_path / "out.zarr")
    assert content(tmp_path / "out.zarr") == content(folder)
    assert ["2 objects" in w for w in report.warnings] == [True]


def test_corrupt_pixels_stop_the_conversion(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, VALUES[0, 0], compression="zlib", tile=(64, 64))
    with tifffile.TiffFile(path) as file:
        offset = file.pages[2].dataoffsets[3]
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\xff" * 50)
    with pytest.raises(CorruptDataError):
        anyzarr.convert(path, tmp_path / "out.zarr")
    assert names_in(tmp_path) == ["a.tif"]


# -- readers of other formats ---------------------------------------------------------------


def test_a_reader_of_ones_own(tmp_path, monkeypatch):
    values = VALUES[0, 0, 0]

    class Source:
        closed = False

        @property
        def files(self):
            return [tmp_path / "a.mine"]

        @property
        def documents(self):
            return {"OME/notes.txt": b"mine"}

        def __len__(self):
            return 1

        def image(self, index):
            return SourceImage(
                "mine", values.shape, values.dtype, axes_of("yx"), (1.0, 2.0),
                translation=(3.0, 4.0), attributes={"stage": {"x": 7}},
            )  # fmt: skip

        def read(self, index, region):
            return values[region]

        def close(self):
            Source.closed = True

    monkeypatch.setattr(sources, "_readers", dict(sources._readers))
    register_reader(ReaderKind("mine", (".mine",), (b"MINE",), lambda path, **_: Source()))
    assert "mine" in list_readers()
    (tmp_path / "a.mine").write_bytes(b"MINE")
    anyzarr.convert(tmp_path / "a.mine", tmp_path / "a.zarr")
    with open_ome_zarr(tmp_path / "a.zarr") as image:
        np.testing.assert_array_equal(image.data[...], values)
        assert image.name == "mine"
        assert image.get_effective_translation("0") == [3.0, 4.0]
        assert image.group.attrs["stage"] == {"x": 7}
    assert (tmp_path / "a.zarr/OME/notes.txt").read_bytes() == b"mine"
    assert Source.closed


def test_a_broken_plugin_warns_and_the_rest_goes_on(monkeypatch):
    class Point:
        name = "broken"

        def load(self):
            raise ImportError("no such thing")

    monkeypatch.setattr(sources, "_plugins_loaded", False)
    monkeypatch.setattr(sources.importlib.metadata, "entry_points", lambda group: [Point()])
    with pytest.warns(UserWarning, match="broken"):
        assert "tiff" in list_readers()


def test_zip_store_reads_the_order_we_promise(folder, tmp_path):
    anyzarr.convert(folder, tmp_path / "a.ozx")
    with zipfile.ZipFile(tmp_path / "a.ozx") as archive:
        listed = archive.namelist()
    n = sum(name.endswith("zarr.json") for name in listed)
    assert listed[0] == "zarr.json"
    assert all(name.endswith("zarr.json") for name in listed[:n])
    assert set(listed) == {item.key for item in ZipStore(tmp_path / "a.ozx").list()}


@pytest.mark.parametrize("target", ["new.zarr", "new.ozx"])
def test_ome_zarr_is_brought_to_another_version_on_the_way(tmp_path, target):
    values = np.arange(2 * 70 * 60, dtype="u2").reshape(2, 70, 60)
    with anyzarr.open_ome_zarr(tmp_path / "old", mode="w", axes="cyx", version="0.4") as image:
        image.create_image("0", values, chunks=(1, 32, 32))
        image.create_label("spots", (values[0] > 9).astype("u1"))
    before = content(tmp_path / "old")
    report = anyzarr.convert(
        tmp_path / "old", tmp_path / target, version="0.5", chunks=(1, 64, 64), shards="auto"
    )
    assert report.kind == "upgrade"
    assert content(tmp_path / "old") == before
    image = anyzarr.open_ome_zarr(tmp_path / target)
    assert (image.version, image.data.chunks, image.data.shards) == (
        "0.5", (1, 64, 60), (1, 128, 60),
    )  # fmt: skip
    np.testing.assert_array_equal(image.data[...], values)
    assert image.get_label("spots").data.chunks == (64, 60)
    assert anyzarr.validate(tmp_path / target).errors == ()
    with pytest.raises(NodeExistsError):
        anyzarr.convert(tmp_path / "old", tmp_path / target, version="0.5")
    report = anyzarr.convert(tmp_path / "old", tmp_path / target, version="0.6", overwrite=True)
    image = anyzarr.open_ome_zarr(tmp_path / target)
    assert (image.version, image.data.chunks, image.data.shards) == ("0.6", (1, 32, 32), None)


def test_chunks_alone_leave_the_version(folder, tmp_path):
    old = anyzarr.open_ome_zarr(folder)
    chunks = tuple(max(1, n // 3) for n in old.data.shape)
    report = anyzarr.convert(folder, tmp_path / "new", chunks=chunks, shards=False)
    assert report.kind == "rewrite"
    new = anyzarr.open_ome_zarr(tmp_path / "new")
    assert (new.version, new.data.chunks, new.data.shards) == (old.version, chunks, None)
    assert [c.name for c in new.data.codecs] == [c.name for c in old.data.codecs]
    for before, after in zip(old.levels, new.levels, strict=True):
        np.testing.assert_array_equal(before[...], after[...])


def test_what_is_no_image_gets_no_version(tmp_path):
    anyzarr.create_array(tmp_path / "a", data=np.arange(9))
    with pytest.raises(MetadataError):
        anyzarr.convert(tmp_path / "a", tmp_path / "b", version="0.5")
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("version", ["0.4", "0.5", "0.6"])
def test_images_are_written_in_every_version(tiff, tmp_path, version):
    anyzarr.convert(tiff, tmp_path / "out.zarr", version=version, shards="auto")
    assert anyzarr.open_ome_zarr(tmp_path / "out.zarr").version == version
    assert anyzarr.validate(tmp_path / "out.zarr").errors == ()

"""TIFF images of every kind come out with their values, axes, sizes, channels and colours."""

from contextlib import closing

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import anyzarr
from anyzarr.errors import CorruptDataError, MetadataError, NodeNotFoundError
from anyzarr.readers._source import reader_for
from anyzarr.readers._tiff import open_tiff
from anyzarr.readers._tiff_metadata import OmeXml, length_unit
from anyzarr.readers._tiff_pixels import _PagedPixels

tifffile = pytest.importorskip("tifffile")
RNG = np.random.default_rng(0)


def noise(*shape, dtype="u2"):
    return RNG.integers(0, 250, shape).astype(dtype)


def whole(path, index=0, **options):
    """Return (image, all pixels) of an image of a file."""
    source = open_tiff(path, **options)
    try:
        image = source.image(index)
        return image, source.read(index, tuple(slice(0, n) for n in image.shape))
    finally:
        source.close()


def calibration(text):
    return OmeXml(text).calibration(0)


def names(image):
    return "".join(axis.name for axis in image.axes)


OME = {
    "PhysicalSizeX": 0.25, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 250.0,
    "PhysicalSizeYUnit": "nm", "PhysicalSizeZ": 1.5, "PhysicalSizeZUnit": "µm",
    "TimeIncrement": 200.0, "TimeIncrementUnit": "ms", "Name": "embryo",
    "Channel": {"Name": ["DAPI", "GFP"], "Color": [0x0000FFFF, 0x00FF00FF]},
}  # fmt: skip


@pytest.mark.parametrize("order", ["TCZYX", "TZCYX", "ZCTYX", "CZTYX"])
@pytest.mark.parametrize("options", [{}, {"compression": "zlib", "tile": (32, 48)}])
def test_ome_tiff(tmp_path, order, options):
    sizes = {"T": 3, "C": 2, "Z": 4, "Y": 70, "X": 90}
    values = noise(*(sizes[a] for a in order))
    tifffile.imwrite(tmp_path / "a.ome.tif", values, metadata={"axes": order, **OME}, **options)
    image, pixels = whole(tmp_path / "a.ome.tif")
    assert names(image) == "tczyx"
    np.testing.assert_array_equal(pixels, values.transpose([order.index(a) for a in "TCZYX"]))
    assert image.scale == (200, 1, 1.5, 250, 0.25)
    units = [axis.unit for axis in image.axes]
    assert units == ["millisecond", None, "micrometer", "nanometer", "micrometer"]
    assert [(c.label, c.color) for c in image.channels] == [("DAPI", "0000FF"), ("GFP", "00FF00")]
    assert image.name == "embryo"
    with closing(open_tiff(tmp_path / "a.ome.tif")) as source:
        assert source.documents["OME/METADATA.ome.xml"].startswith(b"<?xml")
    assert image.warnings == ()


@pytest.mark.parametrize("axes", ["TZCYX", "ZYX", "CYX", "TYX", "YX"])
def test_imagej_hyperstacks(tmp_path, axes):
    sizes = {"T": 3, "C": 2, "Z": 4, "Y": 30, "X": 40}
    values = noise(*(sizes[a] for a in axes))
    metadata = {"axes": axes, "spacing": 2.5, "unit": "um", "finterval": 0.5}
    if "C" in axes:
        metadata["Ranges"] = (10.0, 200.0, 20.0, 150.0)
        ramp = np.arange(256, dtype="u1")
        black = np.zeros_like(ramp)
        metadata["LUTs"] = [np.stack([ramp, black, ramp]), np.stack([black, ramp, black])]
    tifffile.imwrite(
        tmp_path / "a.tif", values, imagej=True, resolution=(4.0, 2.0), metadata=metadata
    )
    image, pixels = whole(tmp_path / "a.tif")
    wanted = [a for a in "TCZYX" if a in axes]
    assert names(image) == "".join(wanted).lower()
    np.testing.assert_array_equal(pixels, values.transpose([axes.index(a) for a in wanted]))
    size = dict(zip(names(image), image.scale, strict=True))
    assert (size["y"], size["x"]) == (0.5, 0.25)
    assert image.axes[-1].unit == "micrometer"
    assert size.get("z", 2.5) == 2.5
    assert size.get("t", 0.5) == 0.5
    if "C" in axes:
        assert [c.color for c in image.channels] == ["FF00FF", "00FF00"]
        assert [(c.window.start, c.window.end) for c in image.channels] == [(10, 200), (20, 150)]
        assert image.windows_are_known


@pytest.mark.parametrize("options", [{}, {"planarconfig": "separate"}, {"compression": "lzw"}])
@pytest.mark.parametrize("samples", [3, 4])
def test_rgb_becomes_channels(tmp_path, options, samples):
    values = noise(64, 50, samples, dtype="u1")
    stored = values.transpose(2, 0, 1) if "planarconfig" in options else values
    extra = {"extrasamples": ["unassalpha"]} if samples == 4 else {}
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", **options, **extra)
    image, pixels = whole(tmp_path / "a.tif")
    assert names(image) == "cyx"
    np.testing.assert_array_equal(pixels, values.transpose(2, 0, 1))
    labels = ["Red", "Green", "Blue", "Alpha"][:samples]
    assert [c.label for c in image.channels] == labels
    assert [c.color for c in image.channels][:3] == ["FF0000", "00FF00", "0000FF"]


def test_rgb_stacks_with_several_rgb_channels_are_run_together(tmp_path):
    values = noise(2, 3, 20, 30, 3, dtype="u1")
    tifffile.imwrite(tmp_path / "a.ome.tif", values, photometric="rgb", metadata={"axes": "CZYXS"})
    image, pixels = whole(tmp_path / "a.ome.tif")
    assert names(image) == "czyx"
    assert image.shape == (6, 3, 20, 30)
    for c in range(2):
        for s in range(3):
            np.testing.assert_array_equal(pixels[c * 3 + s], values[c, ..., s])


def test_plain_stacks_are_z_with_a_warning_and_can_be_named(tmp_path):
    values = noise(5, 30, 40)
    tifffile.imwrite(tmp_path / "a.tif", values, metadata=None)
    image, pixels = whole(tmp_path / "a.tif")
    assert names(image) == "zyx"
    np.testing.assert_array_equal(pixels, values)
    assert len(image.warnings) == 1
    assert "axes=" in image.warnings[0]
    image, pixels = whole(tmp_path / "a.tif", axes="tyx")
    assert names(image) == "tyx"
    assert image.warnings == ()
    image, pixels = whole(tmp_path / "a.tif", axes="xzy")
    assert names(image) == "zyx"
    np.testing.assert_array_equal(pixels, values.transpose(1, 2, 0))


@pytest.mark.parametrize("axes", ["zy", "zyxc", "zzx", "zyw"])
def test_wrong_names_of_axes(tmp_path, axes):
    tifffile.imwrite(tmp_path / "a.tif", noise(5, 30, 40), metadata=None)
    with pytest.raises(MetadataError):
        whole(tmp_path / "a.tif", axes=axes)


@pytest.mark.parametrize(
    "dtype", ["bool", "u1", "i1", "u2", "i2", "u4", "i4", "f2", "f4", "f8", "c8"]
)
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_pixel_types(tmp_path, dtype, byteorder):
    values = noise(40, 30, dtype="u1").astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", values, byteorder=byteorder)
    image, pixels = whole(tmp_path / "a.tif")
    assert image.dtype == np.dtype(dtype)
    assert pixels.dtype.isnative
    np.testing.assert_array_equal(pixels, values)


@pytest.mark.parametrize("compression", ["zlib", "lzw", "zstd", "lzma", "packbits", "jpeg2000"])
@pytest.mark.parametrize("layout", [{"tile": (32, 32)}, {"rowsperstrip": 7}, {}])
def test_compressions_and_layouts(tmp_path, compression, layout):
    values = noise(3, 70, 100)
    predictor = {"predictor": True} if compression in {"zlib", "lzw"} else {}
    tifffile.imwrite(
        tmp_path / "a.tif", values, compression=compression, photometric="minisblack",
        **predictor, **layout,
    )  # fmt: skip
    _, pixels = whole(tmp_path / "a.tif")
    np.testing.assert_array_equal(pixels, values)


def test_jpeg_tiles_share_their_tables(tmp_path):
    values = np.broadcast_to(np.arange(96, dtype="u1")[:, None, None] * 2, (96, 128, 3))
    tifffile.imwrite(
        tmp_path / "a.tif", values, compression="jpeg", tile=(32, 32), photometric="rgb"
    )
    _, pixels = whole(tmp_path / "a.tif")
    expected = tifffile.imread(tmp_path / "a.tif").transpose(2, 0, 1)
    np.testing.assert_array_equal(pixels, expected)


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_any_region_is_what_tifffile_reads(tmp_path_factory, data):
    layout = data.draw(st.sampled_from([{"tile": (16, 32)}, {"rowsperstrip": 5}, {}]))
    planar = data.draw(st.sampled_from(["contig", "separate", None]))
    name = "-".join(["any", *map(str, layout), str(planar)])
    path = tmp_path_factory.getbasetemp() / f"{name}.tif"
    values = np.random.default_rng(1).integers(0, 255, (2, 3, 37, 45), "u1")
    if planar == "contig":
        values = np.moveaxis(values, 1, -1)
    if not path.exists():
        options = {"photometric": "rgb", "planarconfig": planar}
        if planar is None:
            options = {"photometric": "minisblack"}
        tifffile.imwrite(path, values, compression="zlib", metadata=None, **layout, **options)
    reader = open_tiff(path)
    try:
        shape = reader.image(0).shape
        everything = reader.read(0, tuple(slice(0, n) for n in shape))
        region = []
        for n in shape:
            start = data.draw(st.integers(0, n - 1))
            region.append(slice(start, data.draw(st.integers(start + 1, n))))
        np.testing.assert_array_equal(reader.read(0, tuple(region)), everything[tuple(region)])
        expected = tifffile.imread(path)
        moved = np.moveaxis(expected, -1, 0) if planar == "contig" else expected
        if planar == "separate":
            moved = np.moveaxis(expected, 1, 0)
        np.testing.assert_array_equal(everything.reshape(moved.shape), moved)
    finally:
        reader.close()


def test_only_the_tiles_of_a_region_are_decoded(tmp_path, monkeypatch):
    tifffile.imwrite(tmp_path / "a.tif", noise(256, 256), tile=(32, 32), compression="zlib")
    reader = open_tiff(tmp_path / "a.tif")
    asked = []
    pixels = reader._image(0)._opened()
    encoded = pixels._encoded
    monkeypatch.setattr(
        pixels, "_encoded", lambda page, index: asked.append(index) or encoded(page, index)
    )
    reader.read(0, (slice(40, 60), slice(90, 100)))
    reader.close()
    assert sorted(asked) == [8 + 2, 8 + 3]


def test_several_images_in_one_file(tmp_path):
    first, second = noise(20, 30), noise(3, 40, 50)
    with tifffile.TiffWriter(tmp_path / "a.ome.tif") as writer:
        writer.write(first, metadata={"axes": "YX", "Name": "one"})
        writer.write(second, metadata={"axes": "CYX", "Name": "two"}, photometric="minisblack")
    for index, (name, values) in enumerate([("one", first), ("two", second)]):
        image, pixels = whole(tmp_path / "a.ome.tif", index)
        np.testing.assert_array_equal(pixels, values)
        assert (image.name, image.spot, image.warnings) == (name, None, ())
    with closing(open_tiff(tmp_path / "a.ome.tif")) as source:
        assert len(source) == 2
        assert b"OME" in source.documents["OME/METADATA.ome.xml"]


def test_a_pyramid_in_the_file_gives_its_full_resolution(tmp_path):
    values = noise(128, 128)
    with tifffile.TiffWriter(tmp_path / "a.ome.tif") as writer:
        writer.write(values, subifds=1, tile=(32, 32))
        writer.write(values[::2, ::2], subfiletype=1, tile=(32, 32))
    image, pixels = whole(tmp_path / "a.ome.tif")
    np.testing.assert_array_equal(pixels, values)
    assert image.warnings == ()


@pytest.mark.parametrize(
    ("unit", "per_unit", "expected"),
    [
        ("CENTIMETER", 20000, 0.5),
        ("INCH", 25400 / 0.65, 0.65),
        ("INCH", 300, None),
        ("CENTIMETER", 118, None),
        ("NONE", 1, None),
    ],
)
def test_resolution_tags_are_sizes_only_where_they_can_be(tmp_path, unit, per_unit, expected):
    tifffile.imwrite(
        tmp_path / "a.tif", noise(8, 8), resolution=(per_unit, per_unit), resolutionunit=unit,
        metadata=None,
    )  # fmt: skip
    image, _ = whole(tmp_path / "a.tif")
    if expected is None:
        assert image.scale == (1, 1)
        assert image.axes[0].unit is None
    else:
        assert image.scale == pytest.approx((expected, expected), rel=1e-4)
        assert image.axes[0].unit == "micrometer"


def test_palettes_are_warned_of(tmp_path):
    colormap = np.zeros((3, 256), "u2")
    tifffile.imwrite(
        tmp_path / "a.tif", noise(8, 8, dtype="u1"), photometric="palette", colormap=colormap
    )
    image, _ = whole(tmp_path / "a.tif")
    assert any("palette" in w for w in image.warnings)


def test_a_plane_that_is_missing_reads_as_zero_with_a_warning(tmp_path):
    values = noise(2, 3, 16, 16)
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, values, metadata={"axes": "TCYX"}, compression="zlib")
    data = path.read_bytes()
    path.write_bytes(data.replace(b'SizeT="2"', b'SizeT="3"'))
    image, pixels = whole(path)
    assert image.shape == (3, 3, 16, 16)
    np.testing.assert_array_equal(pixels[:2], values)
    assert not pixels[2].any()
    assert any("3 of 9 planes are missing" in w for w in image.warnings)


def test_data_sets_in_several_files(tmp_path):
    first, second = noise(2, 16, 16), noise(2, 16, 16)
    uuids = [f"urn:uuid:{i}{'0' * 7}-0000-0000-0000-000000000000" for i in range(2)]
    blocks = "".join(
        f'<TiffData FirstT="{t}" FirstC="{c}" IFD="{c}"><UUID FileName="{t}.ome.tif">{uuids[t]}'
        "</UUID></TiffData>"
        for t in range(2)
        for c in range(2)
    )
    xml = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="{}">'
        '<Image ID="Image:0" Name="both"><Pixels DimensionOrder="XYCTZ" ID="Pixels:0" SizeX="16" '
        'SizeY="16" SizeC="2" SizeT="2" SizeZ="1" Type="uint16"><Channel ID="C:0" '
        'SamplesPerPixel="1"/><Channel ID="C:1" SamplesPerPixel="1"/>' + blocks + "</Pixels>"
        "</Image></OME>"
    )
    for t, values in enumerate((first, second)):
        description = xml.replace("{}", uuids[t])
        tifffile.imwrite(
            tmp_path / f"{t}.ome.tif", values, description=description.encode(), metadata=None,
            compression="zlib", photometric="minisblack",
        )  # fmt: skip
    image, pixels = whole(tmp_path / "0.ome.tif")
    assert names(image) == "tcyx"
    np.testing.assert_array_equal(pixels, np.stack([first, second]))
    (tmp_path / "1.ome.tif").unlink()
    with pytest.raises(NodeNotFoundError, match=r"1\.ome\.tif"):
        open_tiff(tmp_path / "0.ome.tif")
    (tmp_path / "0.ome.tif").rename(tmp_path / "renamed.tif")  # its UUID still says which it is
    with pytest.raises(NodeNotFoundError, match=r": 1\.ome\.tif;"):
        open_tiff(tmp_path / "renamed.tif")


def test_a_file_that_was_renamed_needs_no_other(tmp_path):
    values = noise(2, 16, 16)
    tifffile.imwrite(tmp_path / "a.ome.tif", values, metadata={"axes": "CYX"})
    (tmp_path / "a.ome.tif").rename(tmp_path / "b.ome.tif")
    _, pixels = whole(tmp_path / "b.ome.tif")
    np.testing.assert_array_equal(pixels, values)


def test_what_is_no_tiff(tmp_path):
    (tmp_path / "a.tif").write_bytes(b"GIF89a and more")
    with pytest.raises(CorruptDataError, match=r"a\.tif"):
        open_tiff(tmp_path / "a.tif")
    (tmp_path / "b.tif").write_bytes(b"")
    with pytest.raises(CorruptDataError):
        open_tiff(tmp_path / "b.tif")


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}])
def test_truncated_pixels_are_an_error_that_names_the_file(tmp_path, options):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, noise(200, 200), **options)
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(CorruptDataError, match=r"a\.tif"):
        whole(path)


def test_broken_segments_name_page_and_part(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, noise(2, 64, 64), tile=(32, 32), compression="zlib")
    with tifffile.TiffFile(path) as tiff:
        offset = tiff.pages[1].dataoffsets[2]
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\xff" * 64)
    with pytest.raises(CorruptDataError) as caught:
        whole(path)
    assert caught.value.chunk_coords == (1, 2)
    assert caught.value.key == str(path)


def test_files_are_known_by_name_or_first_bytes(tmp_path):
    tifffile.imwrite(tmp_path / "scan", noise(8, 8))
    assert reader_for(tmp_path / "scan").name == "tiff"
    (tmp_path / "text").write_text("hello")
    assert reader_for(tmp_path / "text") is None
    assert reader_for(tmp_path / "absent.tif") is None
    (tmp_path / "folder.tif").mkdir()
    assert reader_for(tmp_path / "folder.tif") is None


def test_hostile_or_broken_xml():
    with pytest.raises(ValueError, match="entities"):
        calibration('<!DOCTYPE x [<!ENTITY a "b">]><OME/>')
    with pytest.raises(ValueError, match="well-formed"):
        calibration("<OME>")
    with pytest.raises(ValueError, match="0 images"):
        calibration("<OME/>")
    with pytest.raises(ValueError, match="no Pixels"):
        calibration("<OME><Image/></OME>")
    odd = '<Pixels PhysicalSizeX="nan" PhysicalSizeY="x" PhysicalSizeZ="-1"/>'
    assert calibration(f"<OME><Image>{odd}</Image></OME>").sizes == {}
    pixel = '<OME><Image><Pixels PhysicalSizeX="1" PhysicalSizeXUnit="pixel"/></Image></OME>'
    assert calibration(pixel).sizes == {}


def test_units_in_their_many_spellings():
    for text in ("µm", "μm", "um", "micron", "\\u00B5m", "UM"):
        assert length_unit(text) == "micrometer"
    assert length_unit("pixel") is None
    assert length_unit(None) is None


def test_colours_are_signed_numbers():
    """Red, green, blue, alpha in 32 bits: -1 is white, and blue with full alpha is 65535."""
    xml = '<OME><Image><Pixels><Channel Color="-1"/><Channel Color="65535"/></Pixels></Image></OME>'
    channels = calibration(xml).channels
    assert [c.color for c in channels] == ["FFFFFF", "0000FF"]


def test_no_more_than_a_shard_is_read_at_a_time(tmp_path, monkeypatch):
    tifffile.imwrite(tmp_path / "a.tif", noise(1024, 1024), tile=(64, 64), compression="zlib")
    sizes = []
    read = _PagedPixels.read

    def recording(self, region):
        sizes.append(tuple(s.stop - s.start for s in region))
        return read(self, region)

    monkeypatch.setattr(_PagedPixels, "read", recording)
    anyzarr.convert(tmp_path / "a.tif", {}, chunks=(128, 128), shards=(256, 256))
    assert sizes == [(256, 256)] * 16

"""Files with several images become series and plates, which others read."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anyzarr
from anyzarr.ome import Bioformats2RawSeries, Plate, Position, open_ome_zarr

tifffile = pytest.importorskip("tifffile")
OME_XML_IS_NO_NODE = pytest.mark.filterwarnings("ignore:Object at METADATA.ome.xml")
RNG = np.random.default_rng(0)


def noise(*shape: int) -> Any:
    return RNG.integers(0, 60_000, shape).astype("u2")


def write_series(path: Path, images: list[Any]) -> None:
    with tifffile.TiffWriter(path) as writer:
        for number, values in enumerate(images):
            metadata = {
                "axes": "CYX", "Name": f"scene {number}", "PhysicalSizeX": 0.5,
                "PhysicalSizeXUnit": "µm", "Channel": {"Name": ["DAPI", "GFP"]},
            }  # fmt: skip
            writer.write(values, metadata=metadata, photometric="minisblack")


def test_a_file_with_several_images_becomes_a_series(tmp_path: Path) -> None:
    images = [noise(2, 30, 40), noise(2, 300, 520), noise(2, 20, 20)]
    write_series(tmp_path / "a.ome.tif", images)
    report = anyzarr.convert(tmp_path / "a.ome.tif", tmp_path / "a.zarr")
    assert (report.layout, report.n_images, report.warnings) == ("series", 3, ())
    assert "series of 3 images" in str(report)
    with open_ome_zarr(tmp_path / "a.zarr") as series:
        assert isinstance(series, Bioformats2RawSeries)
        assert series.names == ["0", "1", "2"]
        for (_, image), values in zip(series.positions(), images, strict=True):
            np.testing.assert_array_equal(image.data[...], values)
            assert image.channel_names == ["DAPI", "GFP"]
            assert image.scale[-1] == 0.5
        assert "scene 1" in str(series.ome_xml)
    assert anyzarr.validate(tmp_path / "a.zarr", deep=True).valid


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@OME_XML_IS_NO_NODE
def test_others_read_the_series(tmp_path: Path, version: str) -> None:
    zarr = pytest.importorskip("zarr", minversion="3.2")
    models = pytest.importorskip("ome_zarr_models")
    yaozarrs = pytest.importorskip("yaozarrs")
    images = [noise(2, 30, 40), noise(2, 50, 20)]
    write_series(tmp_path / "a.ome.tif", images)
    anyzarr.convert(tmp_path / "a.ome.tif", tmp_path / "a.zarr", version=version)
    group = zarr.open_group(tmp_path / "a.zarr", mode="r")
    if version == "0.4":  # the models have the layout for this version alone
        assert type(models.open_ome_zarr(group)).__name__ == "BioFormats2Raw"
    else:
        yaozarrs.validate_zarr_store(str(tmp_path / "a.zarr"))
    for number, values in enumerate(images):
        np.testing.assert_array_equal(group[f"{number}/0"][...], values)


def plate_xml(images: list[Any], wells: list[tuple[int, int]]) -> str:
    """Return OME-XML of a plate with two fields of view per well, by ome-types."""
    model = pytest.importorskip("ome_types.model")
    described = []
    for number, values in enumerate(images):
        pixels = model.Pixels(
            id=f"Pixels:{number}", dimension_order="XYZCT", type="uint16",
            size_t=1, size_c=1, size_z=1, size_y=values.shape[0], size_x=values.shape[1],
            physical_size_x=0.65, physical_size_y=0.65,
            channels=[model.Channel(id=f"Channel:{number}:0", name="DAPI")],
            tiff_data_blocks=[model.TiffData(ifd=number, plane_count=1)],
        )  # fmt: skip
        described.append(model.Image(id=f"Image:{number}", name=f"image {number}", pixels=pixels))
    samples = [
        model.WellSample(id=f"WellSample:{i}", index=i, image_ref=model.ImageRef(id=f"Image:{i}"))
        for i in range(len(images))
    ]
    filled = [
        model.Well(id=f"Well:{i}", row=row, column=column, well_samples=samples[2 * i : 2 * i + 2])
        for i, (row, column) in enumerate(wells)
    ]
    plate = model.Plate(
        id="Plate:0", name="screen", row_naming_convention="letter",
        column_naming_convention="number", wells=filled,
    )  # fmt: skip
    return str(model.OME(images=described, plates=[plate]).to_xml())


@OME_XML_IS_NO_NODE
def test_a_plate_in_ome_xml_becomes_a_plate(tmp_path: Path) -> None:
    wells = [(1, 2), (0, 0), (1, 11)]
    images = [noise(30, 40) for _ in range(6)]
    xml = plate_xml(images, wells)
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=False) as writer:
        for number, values in enumerate(images):
            writer.write(values, description=None if number else xml.encode(), metadata=None)
    report = anyzarr.convert(tmp_path / "a.ome.tif", tmp_path / "a.zarr", name="my plate")
    assert (report.layout, report.n_images) == ("plate", 6)
    with open_ome_zarr(tmp_path / "a.zarr") as plate:
        assert isinstance(plate, Plate)
        assert plate.metadata.name == "my plate"
        assert sorted(path for path, _ in plate.wells()) == ["A/1", "B/12", "B/3"]
        for number, path in enumerate(["B/3/0", "B/3/1", "A/1/0", "A/1/1", "B/12/0", "B/12/1"]):
            field = plate[path]
            assert isinstance(field, Position)
            np.testing.assert_array_equal(np.squeeze(field.data[...]), images[number])
            assert field.scale[-1] == 0.65
    assert anyzarr.validate(tmp_path / "a.zarr", deep=True).valid
    iohub = pytest.importorskip("iohub", minversion="0.3")
    models = pytest.importorskip("ome_zarr_models")
    zarr = pytest.importorskip("zarr")
    models.open_ome_zarr(zarr.open_group(tmp_path / "a.zarr", mode="r"))
    with iohub.open_ome_zarr(tmp_path / "a.zarr") as theirs:
        found = {path: np.squeeze(field.data[...]) for path, field in theirs.positions()}
    assert len(found) == 6
    np.testing.assert_array_equal(found["A/1/1"], images[3])


def test_a_slide_comes_without_its_thumbnail_and_label(tmp_path: Path) -> None:
    baseline = RNG.integers(0, 255, (600, 700, 3), np.uint8)
    with tifffile.TiffWriter(tmp_path / "a.svs") as writer:
        about = "Aperio Image Library v1\n700x600 [0,0 700x600] (256x256)|AppMag = 20|MPP = 0.5"
        common: dict[str, Any] = {"photometric": "rgb", "metadata": None, "software": None}
        writer.write(baseline, tile=(256, 256), description=about, **common)
        writer.write(baseline[::8, ::8], description="Aperio Image Library v1\nthumb", **common)
        writer.write(baseline[:64, :64], description="Aperio\nlabel 64x64", subfiletype=1, **common)
        writer.write(baseline[:32, :64], description="Aperio\nmacro 64x32", subfiletype=9, **common)
    report = anyzarr.convert(tmp_path / "a.svs", tmp_path / "a.zarr")
    assert (report.layout, report.n_images) == ("image", 1)
    assert "Thumbnail" in report.warnings[0]
    assert "series=N" in report.warnings[0]
    with open_ome_zarr(tmp_path / "a.zarr") as image:
        np.testing.assert_array_equal(image.data[...], np.moveaxis(baseline, -1, 0))
        assert image.scale[-2:] == [0.5, 0.5]
        assert image.axes[-1].unit == "micrometer"
    report = anyzarr.convert(tmp_path / "a.svs", tmp_path / "b.zarr", series=1)
    assert report.level_shapes[0] == (3, 75, 88)


def test_two_images_of_one_field_are_refused(tmp_path: Path) -> None:
    images = [noise(30, 40) for _ in range(4)]
    xml = plate_xml(images, [(0, 0), (0, 0)])
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=False) as writer:
        for number, values in enumerate(images):
            writer.write(values, description=None if number else xml.encode(), metadata=None)
    with pytest.raises(anyzarr.errors.MetadataError, match="series="):
        anyzarr.convert(tmp_path / "a.ome.tif", tmp_path / "a.zarr")
    assert not (tmp_path / "a.zarr").exists()

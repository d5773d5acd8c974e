"""Plates, tiles and series beside independent libraries: they read ours, and we read theirs."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anyzarr
from anyzarr import open_ome_zarr
from anyzarr.ome import Bioformats2RawSeries, Plate, Position, TiledPosition

pytestmark = pytest.mark.oracle

SPOTS = [("B", "03", "0"), ("B", "03", "1"), ("C", "2", "0"), ("A", "03", "x1")]
PIXELS = np.random.default_rng(0).integers(0, 999, (4, 1, 2, 3, 20, 24)).astype("u2")
SCALE = [1.0, 1.0, 2.0, 0.5, 0.5]
VERSIONS = pytest.mark.parametrize("version", ["0.4", "0.5"])


def iohub() -> Any:
    return pytest.importorskip("iohub.ngff", reason="needs Python 3.12 or newer")


def require_iohub() -> Any:
    pytest.importorskip("iohub", minversion="0.3", reason="needs Python 3.12 or newer")
    return iohub()


def our_plate(path: Path, version: str) -> Path:
    with open_ome_zarr(
        path, layout="hcs", mode="w-", axes="tczyx", channel_names=["DAPI", "GFP"], version=version
    ) as plate:
        for i, position in enumerate(plate.create_positions(SPOTS)):
            position.create_image("0", PIXELS[i], scale=SCALE)
    return path


# -- theirs ----------------------------------------------------------------------------------


@VERSIONS
def test_a_plate_of_iohub(tmp_path: Path, version: str) -> None:
    ngff = require_iohub()
    transform = ngff.TransformationMeta(type="scale", scale=SCALE)
    with ngff.open_ome_zarr(
        tmp_path / "p.zarr", layout="hcs", mode="w-", channel_names=["a", "b"], version=version
    ) as theirs:
        for pixels, spot in zip(PIXELS, SPOTS, strict=True):
            theirs.create_position(*spot).create_image("0", pixels, transform=[transform])
        theirs.create_position("D", "4", "0", 5, 7).create_image("0", PIXELS[0])
    plate = open_ome_zarr(tmp_path / "p.zarr")
    assert isinstance(plate, Plate)
    assert plate.version == version
    with ngff.open_ome_zarr(tmp_path / "p.zarr") as theirs:
        assert {path for path, _ in plate.positions()} == {path for path, _ in theirs.positions()}
        assert plate.channel_names == theirs.channel_names
        for path, position in theirs.positions():
            np.testing.assert_array_equal(plate[path].data[...], np.asarray(position["0"][...]))
    assert plate["B/03/0"].scale == SCALE


@VERSIONS
def test_we_go_on_with_a_plate_of_iohub(tmp_path: Path, version: str) -> None:
    ngff = require_iohub()
    with ngff.open_ome_zarr(
        tmp_path / "p.zarr", layout="hcs", mode="w-", channel_names=["a", "b"], version=version
    ) as theirs:
        theirs.create_position("B", "03", "0").create_image("0", PIXELS[0])
    with open_ome_zarr(tmp_path / "p.zarr", mode="r+", version="0.5") as plate:
        plate.create_position("B", "03", "1").create_image("0", PIXELS[1])
        plate.create_position("C", "2", "0").create_image("0", PIXELS[2])
        plate.rename_well("B/03", "D/1")
    with ngff.open_ome_zarr(tmp_path / "p.zarr") as theirs:
        found = {path: np.asarray(position["0"][...]) for path, position in theirs.positions()}
        assert theirs.version == version
        assert theirs["C/2/0"].channel_names == ["a", "b"]
        assert [axis.name for axis in theirs["C/2/0"].axes] == ["T", "C", "Z", "Y", "X"]
    assert list(found) == ["C/2/0", "D/1/0", "D/1/1"]
    np.testing.assert_array_equal(found["D/1/1"], PIXELS[1])


@VERSIONS
def test_a_field_of_view_of_iohub(tmp_path: Path, version: str) -> None:
    ngff = require_iohub()
    with ngff.open_ome_zarr(
        tmp_path / "p.zarr", layout="fov", mode="w-", channel_names=["a", "b"], version=version
    ) as theirs:
        theirs.create_image("0", PIXELS[0])
    for layout in ("auto", "fov"):
        position = open_ome_zarr(tmp_path / "p.zarr", layout=layout)
        assert type(position) is Position
        np.testing.assert_array_equal(position.data[...], PIXELS[0])


@VERSIONS
def test_tiles_of_iohub(tmp_path: Path, version: str) -> None:
    ngff = require_iohub()
    rng = np.random.default_rng(1)
    with ngff.open_ome_zarr(
        tmp_path / "p.zarr", layout="tiled", mode="w-", channel_names=["a", "b"], version=version
    ) as theirs:
        tiles = theirs.make_tiles("0", (3, 2), (1, 2, 2, 8, 10), "uint16")
        for row in range(3):
            for column in range(2):
                data = rng.integers(0, 99, (1, 2, 2, 8, 10)).astype("u2")
                tiles.write_tile(data, row, column)
        expected = {(r, c): tiles.get_tile(r, c) for r in range(3) for c in range(2)}
    position = open_ome_zarr(tmp_path / "p.zarr", layout="tiled")
    assert isinstance(position, TiledPosition)
    assert position.data.tiles == (3, 2)
    assert position.data.tile_shape == (1, 1, 1, 8, 10)
    for (row, column), data in expected.items():
        np.testing.assert_array_equal(position.data.get_tile(row, column), data)


def yaozarrs_image(name: str) -> Any:
    v05 = pytest.importorskip("yaozarrs.v05", reason="yaozarrs is not installed")
    axes = [v05.TimeAxis(name="t"), v05.ChannelAxis(name="c")]
    axes += [v05.SpaceAxis(name=n, unit="micrometer") for n in "zyx"]
    scale = v05.ScaleTransformation(scale=SCALE)
    dataset = v05.Dataset(path="s0", coordinateTransformations=[scale])
    return v05.Image(multiscales=[v05.Multiscale(name=name, axes=axes, datasets=[dataset])])


def test_a_plate_of_yaozarrs(tmp_path: Path) -> None:
    write = pytest.importorskip("yaozarrs.write.v05", reason="yaozarrs is not installed")
    spots = [(row, column.lstrip("0"), field) for row, column, field in SPOTS]
    images = {s: (yaozarrs_image(s[2]), p) for s, p in zip(spots, PIXELS, strict=True)}
    write.write_plate(tmp_path / "p.zarr", images, writer="zarr")
    plate = open_ome_zarr(tmp_path / "p.zarr")
    assert {path for path, _ in plate.positions()} == {"/".join(s) for s in spots}
    for spot, pixels in zip(spots, PIXELS, strict=True):
        np.testing.assert_array_equal(plate["/".join(spot)].data[...], pixels)


def test_a_series_of_yaozarrs(tmp_path: Path) -> None:
    write = pytest.importorskip("yaozarrs.write.v05", reason="yaozarrs is not installed")
    names = ["0", "1", "10", "2"]
    images = {n: (yaozarrs_image(n), p) for n, p in zip(names, PIXELS, strict=True)}
    xml = "<OME>µm</OME>"
    write.write_bioformats2raw(tmp_path / "s.zarr", images, ome_xml=xml, writer="zarr")
    series = open_ome_zarr(tmp_path / "s.zarr")
    assert isinstance(series, Bioformats2RawSeries)
    assert series.names == names
    assert series.ome_xml == xml
    for (_, position), pixels in zip(series.positions(), PIXELS, strict=True):
        np.testing.assert_array_equal(position.data[...], pixels)


@VERSIONS
def test_a_plate_of_ngff_zarr(tmp_path: Path, version: str) -> None:
    nz = pytest.importorskip("ngff_zarr", reason="needs Python 3.12 or newer")
    rows = [nz.PlateRow(name=n) for n in "AB"]
    columns = [nz.PlateColumn(name=n) for n in "12"]
    wells = [nz.PlateWell(path=p, rowIndex=r, columnIndex=c)
             for p, r, c in (("A/1", 0, 0), ("B/2", 1, 1))]  # fmt: skip
    metadata = nz.Plate(rows=rows, columns=columns, wells=wells, field_count=2, version=version)
    store = str(tmp_path / "p.zarr")
    nz.to_hcs_zarr(nz.HCSPlate(store=store, plate_metadata=metadata), store)
    pixels = iter(PIXELS)
    for row, column, fields in (("A", "1", 2), ("B", "2", 1)):
        for field in range(fields):
            image = nz.to_ngff_image(
                next(pixels), dims=list("tczyx"), scale=dict(zip("tczyx", SCALE, strict=True))
            )
            multiscales = nz.to_multiscales(image, scale_factors=[], chunks=64)
            nz.write_hcs_well_image(
                store, multiscales, metadata, row, column, field_index=field, version=version
            )
    plate = open_ome_zarr(tmp_path / "p.zarr")
    assert plate.version == version
    assert [path for path, _ in plate.positions()] == ["A/1/0", "A/1/1", "B/2/0"]
    for (_, position), expected in zip(plate.positions(), PIXELS, strict=False):
        np.testing.assert_array_equal(position.data[...], expected)
        assert position.scale == SCALE


# -- ours ------------------------------------------------------------------------------------


@VERSIONS
def test_iohub_reads_our_plates(tmp_path: Path, version: str) -> None:
    ngff = require_iohub()
    with ngff.open_ome_zarr(our_plate(tmp_path / "p.zarr", version)) as theirs:
        assert isinstance(theirs, ngff.Plate)
        assert theirs.version == version
        assert theirs.channel_names == ["DAPI", "GFP"]
        found = dict(theirs.positions())
        assert set(found) == {"/".join(s) for s in SPOTS}
        for i, spot in enumerate(SPOTS):
            position = found["/".join(spot)]
            assert position.scale == SCALE
            assert position.channel_names == ["DAPI", "GFP"]
            np.testing.assert_array_equal(np.asarray(position.data[...]), PIXELS[i])
        assert [r.name for r in theirs.metadata.rows] == ["B", "C", "A"]
        assert theirs.metadata.field_count == 2


@VERSIONS
def test_iohub_goes_on_with_our_plates(tmp_path: Path, version: str) -> None:
    ngff = require_iohub()
    with ngff.open_ome_zarr(our_plate(tmp_path / "p.zarr", version), mode="r+") as theirs:
        theirs.create_position("E", "5", "0").create_image("0", PIXELS[0])
    plate = open_ome_zarr(tmp_path / "p.zarr")
    assert [path for path, _ in plate.positions()][-1] == "E/5/0"
    np.testing.assert_array_equal(plate["E/5/0"].data[...], PIXELS[0])


@VERSIONS
def test_iohub_reads_our_tiles(tmp_path: Path, version: str) -> None:
    ngff = require_iohub()
    with open_ome_zarr(
        tmp_path / "p.zarr", layout="tiled", mode="w-", axes="tczyx", channel_names=["a", "b"],
        version=version,
    ) as position:  # fmt: skip
        tiles = position.make_tiles("0", (2, 3), (1, 2, 3, 10, 8), "uint16")
        for row in range(2):
            for column in range(3):
                part = PIXELS[0][..., row * 10 : row * 10 + 10, column * 8 : column * 8 + 8]
                tiles.write_tile(part, row, column)
    with ngff.open_ome_zarr(tmp_path / "p.zarr", layout="tiled") as theirs:
        array = theirs["0"]
        assert array.tiles == (2, 3)
        assert tuple(array.tile_shape) == tiles.tile_shape
        np.testing.assert_array_equal(np.asarray(array.get_tile(1, 2)), tiles.get_tile(1, 2))
        np.testing.assert_array_equal(np.asarray(array[...]), PIXELS[0])


@VERSIONS
def test_ome_zarr_models_accepts_our_plates(tmp_path: Path, version: str) -> None:
    models = pytest.importorskip(
        f"ome_zarr_models.v{version.replace('.', '')}", reason="ome-zarr-models is not installed"
    )
    zarr = pytest.importorskip("zarr", minversion="3")
    our_plate(tmp_path / "p.zarr", version)
    hcs = models.HCS.from_zarr(zarr.open_group(tmp_path / "p.zarr", mode="r"))
    attributes = hcs.ome_attributes if version == "0.5" else hcs.attributes
    assert [well.path for well in attributes.plate.wells] == ["B/03", "C/2", "A/03"]
    assert attributes.plate.version == version
    well = models.Well.from_zarr(zarr.open_group(tmp_path / "p.zarr" / "B" / "03", mode="r"))
    found = well.ome_attributes if version == "0.5" else well.attributes
    assert [image.path for image in found.well.images] == ["0", "1"]
    models.Image.from_zarr(zarr.open_group(tmp_path / "p.zarr" / "B" / "03" / "0", mode="r"))


@VERSIONS
def test_yaozarrs_accepts_our_plates(tmp_path: Path, version: str) -> None:
    yaozarrs = pytest.importorskip("yaozarrs", reason="yaozarrs is not installed")
    our_plate(tmp_path / "p.zarr", version)
    yaozarrs.validate_zarr_store(str(tmp_path / "p.zarr"))


@VERSIONS
def test_renamed_and_merged_plates_are_accepted(tmp_path: Path, version: str) -> None:
    yaozarrs = pytest.importorskip("yaozarrs", reason="yaozarrs is not installed")
    our_plate(tmp_path / "p.zarr", version)
    our_plate(tmp_path / "q.zarr", version)
    with open_ome_zarr(tmp_path / "p.zarr", mode="r+") as plate:
        plate.rename_well("B/03", "D/7")
        plate.add_from(open_ome_zarr(tmp_path / "q.zarr"), rename={"A/03": "E/1", "C/2": "F/1"})
    yaozarrs.validate_zarr_store(str(tmp_path / "p.zarr"))
    assert len(list(open_ome_zarr(tmp_path / "p.zarr").positions())) == 8


def our_series(path: Path, version: str) -> Path:
    with open_ome_zarr(
        path, layout="bf2raw", mode="w-", axes="tczyx", channel_names=["a", "b"], version=version
    ) as series:
        for pixels in PIXELS[:3]:
            series.create_image(pixels, scale=SCALE)
        series.write_ome_xml("<OME/>")
    return path


@VERSIONS
def test_iohub_reads_our_series(tmp_path: Path, version: str) -> None:
    ngff = require_iohub()
    with ngff.open_ome_zarr(our_series(tmp_path / "s.zarr", version)) as theirs:
        assert isinstance(theirs, ngff.Bioformats2RawSeries)
        found = dict(theirs.positions())
        assert list(found) == ["0", "1", "2"]
        for position, pixels in zip(found.values(), PIXELS, strict=False):
            np.testing.assert_array_equal(np.asarray(position["0"][...]), pixels)


def test_judges_accept_our_series(tmp_path: Path) -> None:
    yaozarrs = pytest.importorskip("yaozarrs", reason="yaozarrs is not installed")
    models = pytest.importorskip("ome_zarr_models", reason="ome-zarr-models is not installed")
    zarr = pytest.importorskip("zarr", minversion="3")
    for version in ("0.4", "0.5"):
        path = our_series(tmp_path / f"{version}.zarr", version)
        yaozarrs.validate_zarr_store(str(path))
        kind = getattr(models, f"v{version.replace('.', '')}").BioFormats2Raw
        kind.from_zarr(zarr.open_group(path, mode="r"))


def test_our_validator_accepts_what_we_write(tmp_path: Path) -> None:
    for version in ("0.4", "0.5"):
        our_plate(tmp_path / f"p{version}.zarr", version)
        our_series(tmp_path / f"s{version}.zarr", version)
        for path in (tmp_path / f"p{version}.zarr", tmp_path / f"s{version}.zarr"):
            report = anyzarr.validate(path)
            assert report.errors == (), report

"""Sets of files by pattern, glob, folder and table; the files are written by tifffile."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anyzarr
from anyzarr.errors import MetadataError, NodeNotFoundError, StoreError, UnsupportedError
from anyzarr.ome import Plate, open_ome_zarr
from anyzarr.readers import _set
from anyzarr.readers._files import open_files
from anyzarr.readers._pattern import Pattern

tifffile = pytest.importorskip("tifffile")
RNG = np.random.default_rng(0)


def noise(*shape: int) -> Any:
    return RNG.integers(0, 60_000, shape).astype("u2")


def write(path: Path, values: Any, **options: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, values, **{"photometric": "minisblack", **options})


def whole(source: Any, index: int = 0) -> Any:
    return source.read(index, tuple(slice(0, n) for n in source.image(index).shape))


def names_of(source: Any, index: int = 0) -> str:
    return "".join(axis.name for axis in source.image(index).axes)


def test_a_pattern_of_planes(tmp_path: Path) -> None:
    values = noise(3, 2, 20, 30)
    for t, c in np.ndindex(3, 2):
        resolution = {"resolution": (20_000, 20_000), "resolutionunit": "CENTIMETER"}
        write(tmp_path / "in" / f"img_t{t + 8:03}_c{['DAPI', 'GFP'][c]}.tif", values[t, c],
              metadata=None, **resolution)  # fmt: skip
    write(tmp_path / "in" / "mask_t008.tif", values[0, 0])
    report = anyzarr.convert(tmp_path / "in" / "img_t{t:03}_c{c}.tif", tmp_path / "out.zarr")
    assert report.warnings == ()
    with open_ome_zarr(tmp_path / "out.zarr") as image:
        np.testing.assert_array_equal(image.data[...], values)
        assert image.axis_names == list("tcyx")
        assert image.channel_names == ["DAPI", "GFP"]
        assert image.scale == [1.0, 1.0, 0.5, 0.5]
        assert image.axes[-1].unit == "micrometer"
        assert image.name == "img_t_c"
    assert anyzarr.validate(tmp_path / "out.zarr", deep=True).valid
    theirs = tifffile.TiffSequence(str(tmp_path / "in" / "img_*.tif")).asarray()
    np.testing.assert_array_equal(theirs.reshape(values.shape), values)


def test_regions_are_the_same_as_the_whole(tmp_path: Path) -> None:
    values = noise(3, 4, 2, 20, 30)  # the last two of 4 time points are in a file of their own
    for (t, name), c in itertools.product(enumerate("abc"), range(2)):
        for half in range(2):
            stack = values[t, 2 * half : 2 * half + 2, c]
            write(tmp_path / f"{name}_{half}_{c}.tif", stack, metadata={"axes": "TYX"})
    source = open_files(tmp_path / "{position}_{t}_{c}.tif")
    assert len(source) == 3
    assert names_of(source) == "tcyx"
    for index in range(3):
        np.testing.assert_array_equal(whole(source, index), values[index])
        assert source.image(index).name == "abc"[index]
        for _ in range(10):
            region = tuple(
                slice(*sorted(RNG.choice(n + 1, 2, replace=False).tolist()))
                for n in values.shape[1:]
            )
            np.testing.assert_array_equal(source.read(index, region), values[index][region])
    source.close()


@pytest.mark.parametrize(
    ("names", "axes", "n_images", "guessed"),
    [
        (["a_t1_c1.tif", "a_t1_c2.tif", "a_t2_c1.tif", "a_t2_c2.tif"], "tcyx", 1, False),
        (["z_000.tif", "z_001.tif", "z_002.tif"], "zyx", 1, False),
        (["img009.tif", "img010.tif"], "zyx", 1, True),
        (["a_DAPI.tif", "a_GFP.tif", "a_Cy5.tif"], "cyx", 1, True),
        (["s1z1.tif", "s2z1.tif", "s1z2.tif", "s2z2.tif"], "zyx", 2, False),
        (["x_A01_s1_w1.tif", "x_A01_s1_w2.tif"], "cyx", 1, False),
        (["r01c02f01p01-ch1sk1fk1fl1.tiff", "r01c02f01p02-ch1sk1fk1fl1.tiff"], "tczyx", 1, False),
        (["img_000000000_BF_000.tif", "img_000000000_BF_001.tif"], "tczyx", 1, False),
        (["img_channel000_position000_time000000000_z000.tif",
          "img_channel000_position001_time000000000_z000.tif"], "tczyx", 2, False),
        (["p_B03_T0001F001L01A01Z01C01.tif", "p_B03_T0001F001L01A01Z01C02.tif"],
         "tczyx", 1, False),
    ],
)  # fmt: skip
def test_names_in_a_folder_are_recognised(
    tmp_path: Path, names: list[str], axes: str, n_images: int, guessed: bool
) -> None:
    for name in names:
        write(tmp_path / name, noise(20, 30))
    for source in (open_files(tmp_path), open_files(tmp_path / "*.tif*")):
        assert (names_of(source), len(source)) == (axes, n_images)
        assert bool(source.image(0).warnings) == guessed
        source.close()


def test_each_file_is_opened_a_few_times_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    open_one = _set._Opened._open

    def counted(self: Any, path: Path) -> Any:
        opened.append(path.name)
        return open_one(self, path)

    monkeypatch.setattr(_set._Opened, "_open", counted)
    for z in range(40):
        write(tmp_path / "in" / f"z{z:02}.tif", noise(300, 300), compression="zlib")
    anyzarr.convert(tmp_path / "in", tmp_path / "out.zarr", chunks=(40, 30, 30))
    assert max(map(opened.count, opened)) <= 3  # to compare them, and to read


def test_order_is_by_number_and_not_by_name(tmp_path: Path) -> None:
    values = noise(11, 20, 30)
    for t in range(11):
        write(tmp_path / f"t{t}.tif", values[t])
    source = open_files(tmp_path)
    np.testing.assert_array_equal(whole(source), values)
    source.close()


def test_colour_pictures_and_their_brightness(tmp_path: Path) -> None:
    image_module = pytest.importorskip("PIL.Image")
    values = RNG.integers(0, 255, (2, 20, 30, 3), np.uint8)
    for z in range(2):
        write(tmp_path / "in" / f"z{z}.tif", values[z], photometric="rgb")
    anyzarr.convert(tmp_path / "in", tmp_path / "a.zarr")
    with open_ome_zarr(tmp_path / "a.zarr") as image:
        np.testing.assert_array_equal(image.data[...], values.transpose(3, 0, 1, 2))
        assert [c.color for c in image.channels] == ["FF0000", "00FF00", "0000FF"]
        assert [c.window.end for c in image.channels] == [255, 255, 255]
    anyzarr.convert(tmp_path / "in", tmp_path / "b.zarr", rgb="gray")
    with open_ome_zarr(tmp_path / "b.zarr") as image:
        assert image.axis_names == list("zyx")
        theirs = np.array([image_module.fromarray(v).convert("L") for v in values])
        assert np.abs(image.data[...].astype(int) - theirs).max() <= 1
    with pytest.raises(MetadataError, match="'gray'"):
        anyzarr.convert(tmp_path / "in", tmp_path / "c.zarr", rgb="keep")


def screen(folder: Path) -> dict[str, Any]:
    """Write two wells of two fields and two channels; return the fields by their path."""
    fields = {}
    for well, path in [("B03", "B/3"), ("A11", "A/11")]:
        for field in (1, 2):
            values = noise(2, 20, 30)
            fields[f"{path}/{field}"] = values
            for c in range(2):
                write(folder / f"{well}_s{field}_w{c + 1}.tif", values[c])
    return fields


def check_plate(path: Path, fields: dict[str, Any]) -> None:
    with open_ome_zarr(path) as plate:
        assert isinstance(plate, Plate)
        assert sorted(f"{well}/{field}" for well, w in plate.wells() for field, _ in w.positions()
                      ) == sorted(fields)  # fmt: skip
        for name, values in fields.items():
            np.testing.assert_array_equal(np.squeeze(plate[name].data[...]), values)
    assert anyzarr.validate(path, deep=True).valid
    iohub = pytest.importorskip("iohub", minversion="0.3")
    with iohub.open_ome_zarr(path) as theirs:
        found = {name: np.squeeze(field.data[...]) for name, field in theirs.positions()}
    assert found.keys() == fields.keys()
    np.testing.assert_array_equal(found["A/11/2"], fields["A/11/2"])


@pytest.mark.parametrize("how", ["pattern", "option", "wells", "folder"])
def test_a_plate_from_the_names_of_files(tmp_path: Path, how: str) -> None:
    fields = screen(tmp_path / "in")
    pattern = "{row}{column:02}_s{field}_w{c}.tif"
    source: Path = tmp_path / "in"
    options = {}
    if how == "pattern":
        source = source / pattern
    elif how == "wells":
        source = source / "{well}_s{field}_w{c}.tif"
    elif how == "option":
        options = {"plate": pattern}
    report = anyzarr.convert(source, tmp_path / "out.zarr", **options)
    assert (report.layout, report.n_images) == ("plate", 4)
    check_plate(tmp_path / "out.zarr", fields)


@pytest.mark.parametrize("how", ["source", "option"])
def test_a_plate_from_a_table(tmp_path: Path, how: str) -> None:
    fields = screen(tmp_path / "in")
    rows = ["File;Row;Column;Field;Channel"]
    for path in fields:
        row, column, field = path.split("/")
        for c, name in enumerate(["DAPI", "GFP"]):
            file = f"{row}{int(column):02}_s{field}_w{c + 1}.tif"
            rows.append(f"{'in/' * (how == 'source')}{file};{row};{column};{field};{name}")
    table = tmp_path / "layout.csv"
    table.write_text("\ufeff" + "\n".join(rows) + "\n\n")
    if how == "source":
        report = anyzarr.convert(table, tmp_path / "out.zarr")
    else:
        report = anyzarr.convert(tmp_path / "in", tmp_path / "out.zarr", plate=table)
    assert report.layout == "plate"
    check_plate(tmp_path / "out.zarr", fields)
    with open_ome_zarr(tmp_path / "out.zarr") as plate:
        assert plate["B/3/1"].channel_names == ["DAPI", "GFP"]


def test_a_table_places_the_images_of_one_file(tmp_path: Path) -> None:
    values = noise(2, 20, 30)
    with tifffile.TiffWriter(tmp_path / "a.ome.tif") as writer:
        for one in values:
            writer.write(one, metadata={"axes": "YX"}, photometric="minisblack")
    table = tmp_path / "plate.tsv"
    table.write_text("series\twell\n0\tC05\n1\tA01\n")
    anyzarr.convert(tmp_path / "a.ome.tif", tmp_path / "out.zarr", plate=table)
    with open_ome_zarr(tmp_path / "out.zarr") as plate:
        np.testing.assert_array_equal(np.squeeze(plate["C/5/0"].data[...]), values[0])
        np.testing.assert_array_equal(np.squeeze(plate["A/1/0"].data[...]), values[1])


def test_files_of_several_images_are_taken_apart(tmp_path: Path) -> None:
    fields = {}
    for well, path in [("B03", "B/3"), ("A11", "A/11")]:
        with tifffile.TiffWriter(tmp_path / f"{well}.ome.tif") as writer:
            for number in range(3):
                fields[f"{path}/{number}"] = noise(2, 20, 30)
                writer.write(
                    fields[f"{path}/{number}"], photometric="minisblack",
                    metadata={"axes": "CYX", "Name": f"scene {number}"},
                )  # fmt: skip
    anyzarr.convert(tmp_path / "{well}.ome.tif", tmp_path / "out.zarr")
    check_plate(tmp_path / "out.zarr", fields)
    source = open_files(tmp_path / "{position}.ome.tif")
    assert [source.image(i).name for i in (0, 5)] == ["A11 scene 0", "B03 scene 2"]
    np.testing.assert_array_equal(whole(source, 5), fields["B/3/2"])
    source.close()
    with pytest.raises(UnsupportedError, match="'series'"):
        anyzarr.convert(tmp_path / "{c}.ome.tif", tmp_path / "no.zarr")


def test_missing_files_are_named(tmp_path: Path) -> None:
    for t, c in np.ndindex(4, 2):
        if (t, c) not in {(1, 0), (1, 1), (2, 1)}:
            write(tmp_path / f"a_t{t:03}_c{c}.tif", noise(20, 30))
    with pytest.raises(NodeNotFoundError, match="a_t001_c0.tif"):  # noqa: RUF043
        open_files(tmp_path / "a_t{t:03}_c{c}.tif")
    for c in range(2):
        write(tmp_path / f"a_t001_c{c}.tif", noise(20, 30))
    with pytest.raises(NodeNotFoundError, match=r"missing: a_t002_c1\.tif;"):
        anyzarr.convert(tmp_path, tmp_path.parent / "never.zarr")
    with pytest.raises(NodeNotFoundError, match="no file matches"):
        open_files(tmp_path / "b_{t}.tif")
    assert not (tmp_path.parent / "never.zarr").exists()


def test_files_that_are_not_alike_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "a_t0.tif", noise(20, 30))
    write(tmp_path / "a_t1.tif", noise(20, 31))
    with pytest.raises(MetadataError, match=r"a_t1.*\(20, 31\).*\(20, 30\)"):
        anyzarr.convert(tmp_path, tmp_path.parent / "never.zarr")


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("a_{q}.tif", r"\{q\} is none"),
        ("a_{t:x}.tif", r"\{t:x\}"),
        ("a_{t.tif", "no pattern"),
        ("{well}{row}.tif", "together"),
    ],
)
def test_wrong_patterns_are_refused(tmp_path: Path, pattern: str, message: str) -> None:
    with pytest.raises(MetadataError, match=message):
        Pattern(tmp_path / pattern)


def test_names_of_no_known_form_are_refused(tmp_path: Path) -> None:
    for name in ("cells.tif", "beads_1_2.tif"):
        write(tmp_path / name, noise(20, 30))
    with pytest.raises(UnsupportedError, match="give a pattern"):
        open_files(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no line|none of those"),
        ("file\n", "no line but"),
        ("file,colour\na.tif,red\n", "'colour'"),
        ("file,row\na.tif,A\n", "line 2.*no well"),
        ("file,well\na.tif,37\n", "line 2.*'37'"),
        ("file,t\na.tif,x\n", "line 2.*'x'"),
        ("file,t\na.tif,1,2\n", "line 2"),
        ("row,column\nA,1\n", "names no file"),
        ("file,path\na.tif,a.tif\n", "say the same"),
        ("file,t\na.tif,0\na.tif,0\n", "same part"),
        ("file,well,series\na.tif,A01,7\n", "no image 7"),
    ],
)
def test_wrong_tables_are_refused(tmp_path: Path, text: str, message: str) -> None:
    write(tmp_path / "a.tif", noise(20, 30))
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(MetadataError, match=f"(?s){message}"):
        anyzarr.convert(tmp_path / "t.csv", tmp_path / "out.zarr")


@pytest.mark.parametrize("kind", ["zarr", "empty", "text"])
def test_a_folder_without_images_is_not_passed_over(tmp_path: Path, kind: str) -> None:
    write(tmp_path / "a.tif", noise(20, 30))
    (tmp_path / "b").mkdir()
    if kind == "zarr":
        anyzarr.create_array(tmp_path / "b", data=[1], overwrite=True)
    elif kind == "text":
        (tmp_path / "b" / "notes.txt").touch()
    for sources in (["a.tif", "b"], ["b", "a.tif"]):
        with pytest.raises(UnsupportedError, match="no images"):
            anyzarr.convert([tmp_path / name for name in sources], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(NodeNotFoundError, match="no table"):
        anyzarr.convert(tmp_path / "a", tmp_path / "out", plate=tmp_path / "none.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(StoreError, match="cannot read the table"):
        anyzarr.convert(tmp_path / "a", tmp_path / "out", plate=tmp_path / "folder.csv")
    assert not (tmp_path / "out").exists()


def test_tables_that_name_missing_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("file,well\nnone.tif,A01\n")
    with pytest.raises(NodeNotFoundError, match=r"none\.tif"):
        anyzarr.convert(tmp_path / "t.csv", tmp_path / "out.zarr")


def test_plates_need_wells(tmp_path: Path) -> None:
    write(tmp_path / "in" / "a_1.tif", noise(20, 30))
    for plate, message in [
        ("a_{field}.tif", "no well"), ("layout", "neither"), ("{row}_{t}.tif", "no file|no well"),
    ]:  # fmt: skip
        with pytest.raises((MetadataError, NodeNotFoundError), match=message):
            anyzarr.convert(tmp_path / "in", tmp_path / "out.zarr", plate=plate)


def test_a_folder_with_one_set_of_ome_tiff_is_that_set(tmp_path: Path) -> None:
    values = noise(2, 20, 30)
    xml = """<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0"
      Name="x"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="30" SizeY="20"
      SizeZ="1" SizeC="1" SizeT="2" PhysicalSizeX="0.5"><Channel ID="Channel:0:0" Name="GFP"/>
      <TiffData FirstT="0" IFD="0"><UUID FileName="a.ome.tif">urn:uuid:{}</UUID></TiffData>
      <TiffData FirstT="1" IFD="0"><UUID FileName="b.ome.tif">urn:uuid:{}</UUID></TiffData>
      </Pixels></Image></OME>"""
    ids = ["12345678-1234-1234-1234-12345678901" + d for d in "23"]
    xml = xml.format(*ids).replace("<OME ", '<OME UUID="urn:uuid:{}" ')
    for name, one, mine in zip("ab", values, ids, strict=True):
        described = xml.replace("{}", mine).encode()
        write(tmp_path / f"{name}.ome.tif", one, metadata=None, description=described)
    source = open_files(tmp_path)
    assert names_of(source) == "tcyx"
    np.testing.assert_array_equal(whole(source)[:, 0], values)
    assert "OME/METADATA.ome.xml" in source.documents
    source.close()


def test_a_channel_that_one_well_lacks_is_missed(tmp_path: Path) -> None:
    screen(tmp_path)
    for path in tmp_path.glob("A11_*_w2.tif"):
        path.unlink()
    with pytest.raises(NodeNotFoundError, match=r"A11_s1_w2\.tif, A11_s2_w2\.tif;"):
        open_files(tmp_path)


def test_several_sources_are_one_set(tmp_path: Path) -> None:
    fields = screen(tmp_path / "in")
    paths = sorted((tmp_path / "in").iterdir())
    wells = [tmp_path / "in" / "A11*", *(path for path in paths if path.name.startswith("B03"))]
    report = anyzarr.convert(wells, tmp_path / "out.zarr")
    assert report.layout == "plate"
    check_plate(tmp_path / "out.zarr", fields)
    for path in paths:  # each channel in a folder of its own
        channel = tmp_path / "parts" / f"w{path.stem[-1]}"
        channel.mkdir(parents=True, exist_ok=True)
        path.rename(channel / f"{path.stem[:-3]}.tif")
    parts = [tmp_path / "parts" / "w1", tmp_path / "parts" / "w2"]
    pattern = "w{c}/{well}_s{field}.tif"
    anyzarr.convert(parts, tmp_path / "again.zarr", plate=pattern, processes=True, verify=True)
    check_plate(tmp_path / "again.zarr", fields)
    with pytest.raises(MetadataError, match="2 folders"):
        anyzarr.convert(parts, tmp_path / "no.zarr")
    with pytest.raises(MetadataError, match="8 files"):
        anyzarr.convert(parts, tmp_path / "no.zarr", plate="{well}_{field}_x.tif")
    with pytest.raises(NodeNotFoundError, match=r"none\.tif"):
        anyzarr.convert([*parts, tmp_path / "none.tif"], tmp_path / "no.zarr")
    with pytest.raises(UnsupportedError, match="one by one"):
        anyzarr.convert([*parts, {}], tmp_path / "no.zarr")

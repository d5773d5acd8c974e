"""Streamlines from and to TRK, TCK and TRX; nibabel and trx-python are the judges."""

import gc
import json
import warnings
import zipfile
from pathlib import Path
from typing import Any

import dipy.data
import nibabel as nib
import numpy as np
import pytest
from trx.trx_file_memmap import load as load_trx

import anyzarr
from anyzarr.errors import CorruptDataError, UnsupportedError
from anyzarr.stores import open_store
from anyzarr.vectors import read_polylines, store_info, validate, write_polylines
from anyzarr.vectors.formats import FormatOptions, StoreOptions, write_store
from anyzarr.vectors.formats._tractograms import open_tractogram
from anyzarr.vectors.formats._trx import open_trx

AFFINE = np.array([[-2.0, 0, 0, 90], [0, 2.5, 0, -126], [0, 0, 3, -72], [0, 0, 0, 1]])
NIBABEL = Path(nib.__file__).parent / "tests" / "data"
TRACKS = Path(dipy.data.__file__).parent / "files" / "tracks300.trk"
"""300 streamlines of a human brain."""


@pytest.fixture
def tractogram() -> nib.streamlines.Tractogram:
    rng = np.random.default_rng(5)
    counts = rng.integers(2, 40, 60)
    walks = [np.cumsum(rng.normal(0, 4, (n, 3)), 0).astype("f4") for n in counts]
    return nib.streamlines.Tractogram(
        walks,
        data_per_point={
            "fa": [rng.random((n, 1)).astype("f4") for n in counts],
            "rgb": [rng.random((n, 3)).astype("f4") for n in counts],
        },
        data_per_streamline={"weight": rng.random((60, 1)).astype("f4")},
        affine_to_rasmm=np.eye(4),
    )


def save(tractogram: nib.streamlines.Tractogram, path: Path) -> None:
    header = {"voxel_to_rasmm": AFFINE, "voxel_sizes": (2, 2.5, 3), "dimensions": (91, 109, 91),
              "voxel_order": "LAS"}  # fmt: skip
    nib.streamlines.save(tractogram, path, header=header if path.suffix == ".trk" else {})


def assert_equal(store: Any, judge: nib.streamlines.Tractogram, **tolerance: float) -> None:
    """Streamlines in the order of the file, with all that nibabel sees."""
    found = read_polylines(store)
    assert found.object_ids.tolist() == list(range(len(judge)))
    for ours, theirs in zip(found.polylines, judge.streamlines, strict=True):
        np.testing.assert_allclose(ours, theirs, **{"rtol": 1e-6, "atol": 1e-5, **tolerance})
    assert {*found.vertex_attributes} == {*judge.data_per_point}
    for name, rows in judge.data_per_point.items():
        np.testing.assert_array_equal(found.vertex_attributes[name], np.squeeze(rows.get_data()))
    assert {*found.object_attributes} == {*judge.data_per_streamline}
    for name, rows in judge.data_per_streamline.items():
        np.testing.assert_array_equal(found.object_attributes[name], np.squeeze(rows))


def test_a_trk_keeps_places_data_and_its_image(
    tmp_path: Path, tractogram: nib.streamlines.Tractogram
) -> None:
    path, store = tmp_path / "t.trk", tmp_path / "t.zarrvectors"
    save(tractogram, path)
    report = anyzarr.convert(path, store, chunk_shape=(20, 20, 20))
    assert (report.geometry_type, report.object_count) == ("streamline", 60)
    assert validate(store).valid
    assert_equal(store, nib.streamlines.load(path).tractogram)
    axes = json.loads((store / "zarr.json").read_text())["attributes"]["multiscales"][0]["axes"]
    assert {axis["unit"] for axis in axes} == {"millimeter"}

    report = anyzarr.convert(store, tmp_path / "out.trk")
    assert report.warnings == ()
    out, before = nib.streamlines.load(tmp_path / "out.trk"), nib.streamlines.load(path)
    assert_equal(store, out.tractogram)
    for key in ("voxel_to_rasmm", "dimensions", "voxel_sizes", "voxel_order", "nb_streamlines"):
        np.testing.assert_array_equal(out.header[key], before.header[key], err_msg=key)


def test_a_tck_keeps_places_and_tells_what_it_leaves_out(
    tmp_path: Path, tractogram: nib.streamlines.Tractogram
) -> None:
    bare = nib.streamlines.Tractogram(tractogram.streamlines, affine_to_rasmm=np.eye(4))
    save(bare, tmp_path / "t.tck")
    anyzarr.convert(tmp_path / "t.tck", tmp_path / "t.zv", chunk_shape=(20, 20, 20))
    assert_equal(tmp_path / "t.zv", bare, rtol=0, atol=0)
    write_polylines(
        tmp_path / "full.zv", list(tractogram.streamlines),
        vertex_attributes={"fa": np.zeros(tractogram.streamlines.total_nb_rows)},
        object_attributes={"weight": np.zeros(60)}, groups={0: [1]},
    )  # fmt: skip
    report = anyzarr.convert(tmp_path / "full.zv", tmp_path / "full.tck")
    assert "fa, weight" in report.warnings[0]
    assert "groups" in report.warnings[1]
    again = nib.streamlines.load(tmp_path / "full.tck")
    assert len(again.streamlines) == 60
    np.testing.assert_array_equal(again.streamlines[7], tractogram.streamlines[7])
    # Without an image, a TRK names one around the streamlines.
    report = anyzarr.convert(tmp_path / "t.zv", tmp_path / "t.trk")
    assert "does not say in which image" in report.warnings[0]
    assert_equal(tmp_path / "t.zv", nib.streamlines.load(tmp_path / "t.trk").tractogram)


@pytest.mark.parametrize(
    "name",
    ["standard.trk", "standard.LPS.trk", "complex.trk", "complex_big_endian.trk",
     "simple_big_endian.tck", "standard.tck",
     "multiline_header_field.tck"],
)  # fmt: skip
def test_files_of_nibabel_are_read_as_nibabel_reads_them(tmp_path: Path, name: str) -> None:
    anyzarr.convert(NIBABEL / name, tmp_path / "t.zv")
    assert_equal(tmp_path / "t.zv", nib.streamlines.load(NIBABEL / name).tractogram)


@pytest.mark.parametrize("name", ["empty.trk", "empty.tck"])
def test_files_without_streamlines_are_empty_stores(tmp_path: Path, name: str) -> None:
    anyzarr.convert(NIBABEL / name, tmp_path / "t.zv")
    assert read_polylines(tmp_path / "t.zv").polyline_count == 0
    for suffix in ("trk", "tck", "trx"):
        anyzarr.convert(tmp_path / "t.zv", tmp_path / f"out.{suffix}")
        anyzarr.convert(tmp_path / f"out.{suffix}", tmp_path / f"again_{suffix}.zv")


def test_a_real_tractogram_goes_through_all_formats(tmp_path: Path) -> None:
    judge = nib.streamlines.load(TRACKS)
    store = tmp_path / "brain.zarrvectors"
    report = anyzarr.convert(TRACKS, store, chunk_shape=(16, 16, 16))
    assert (report.object_count, report.vertex_count) == (300, judge.streamlines.total_nb_rows)
    assert validate(store).valid
    assert_equal(store, judge.tractogram)
    for suffix in ("trk", "tck", "trx"):
        anyzarr.convert(store, tmp_path / f"brain.{suffix}")
        anyzarr.convert(tmp_path / f"brain.{suffix}", tmp_path / f"{suffix}.zv")
        bare = nib.streamlines.Tractogram(judge.streamlines, affine_to_rasmm=np.eye(4))
        assert_equal(tmp_path / f"{suffix}.zv", bare if suffix == "tck" else judge.tractogram)
    trx = load_trx(str(tmp_path / "brain.trx"))
    np.testing.assert_array_equal(trx.streamlines._data, read_polylines(store).positions)
    trx.close()


@pytest.fixture
def trx(tmp_path: Path, tractogram: nib.streamlines.Tractogram) -> Path:
    """A TRX that trx-python has written, with groups and their data."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # folders that trx-python leaves to it
        write_trx(tmp_path / "t.trx", tractogram)
        gc.collect()
    return tmp_path / "t.trx"


def write_trx(path: Path, tractogram: nib.streamlines.Tractogram) -> None:
    from trx.trx_file_memmap import TrxFile, save

    trx = TrxFile.from_tractogram(
        tractogram,
        {"VOXEL_TO_RASMM": AFFINE, "DIMENSIONS": np.array([91, 109, 91], np.uint16),
         "NB_VERTICES": 0, "NB_STREAMLINES": 0},
        dtype_dict={"positions": np.float32, "offsets": np.uint32, "dpv": {"fa": np.float32,
                    "rgb": np.float32}, "dps": {"weight": np.float32}},
    )  # fmt: skip
    trx.groups = {"left": np.array([0, 3, 5], np.uint32), "cst right": np.array([9], np.uint32)}
    trx.data_per_group = {"left": {"volume": np.array([1.5], np.float32)},
                          "cst right": {"volume": np.array([2.5], np.float32)}}  # fmt: skip
    save(trx, str(path))
    trx.close()


def test_a_trx_keeps_data_groups_and_its_image(
    tmp_path: Path, trx: Path, tractogram: nib.streamlines.Tractogram
) -> None:
    store = tmp_path / "t.zarrvectors"
    anyzarr.convert(trx, store, chunk_shape=(20, 20, 20))
    assert_equal(store, tractogram, rtol=0, atol=0)
    members = {tuple(read_polylines(store, group_ids=[n]).object_ids) for n in (0, 1)}
    assert members == {(0, 3, 5), (9,)}

    report = anyzarr.convert(store, tmp_path / "out.trx")
    assert report.warnings == ()
    out = load_trx(str(tmp_path / "out.trx"))
    np.testing.assert_array_equal(out.header["VOXEL_TO_RASMM"], AFFINE)
    np.testing.assert_array_equal(out.header["DIMENSIONS"], [91, 109, 91])
    np.testing.assert_array_equal(out.streamlines._data, tractogram.streamlines.get_data())
    np.testing.assert_array_equal(out.streamlines._lengths, tractogram.streamlines._lengths)
    for name in ("fa", "rgb"):
        np.testing.assert_array_equal(
            out.data_per_vertex[name]._data, tractogram.data_per_point[name].get_data()
        )
    np.testing.assert_array_equal(
        np.ravel(out.data_per_streamline["weight"]),
        np.ravel(tractogram.data_per_streamline["weight"]),
    )
    assert {name: ids.tolist() for name, ids in out.groups.items()} == {
        "left": [0, 3, 5],
        "cst_right": [9],
    }
    assert float(np.ravel(out.data_per_group["left"]["volume"])[0]) == 1.5
    out.close()


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_trx_in_parts_makes_one_store_of_its_type(
    tmp_path: Path, tractogram: nib.streamlines.Tractogram, dtype: str
) -> None:
    lines = [line.astype(dtype) for line in tractogram.streamlines]
    columns = {"n": np.arange(sum(map(len, lines))), "on": np.arange(sum(map(len, lines))) % 2 == 0}
    write_polylines(tmp_path / "a.zv", lines, dtype=dtype, vertex_attributes=columns,
                    object_attributes={"k": np.arange(60, dtype="int16")},
                    groups={0: [59, 2], 2: [4]})  # fmt: skip
    anyzarr.convert(tmp_path / "a.zv", tmp_path / "a.trx")
    memory = open_store({}, mode="a")
    seen: list[int] = []
    source = open_trx(tmp_path / "a.trx", FormatOptions(batch_vertices=100))
    write_store(source, memory, StoreOptions(), seen.append)
    assert len(seen) > 5
    before, after = read_polylines(tmp_path / "a.zv"), read_polylines(memory)
    assert store_info(memory).levels[0].dtype == dtype
    np.testing.assert_array_equal(before.positions, after.positions)
    np.testing.assert_array_equal(before.offsets, after.offsets)
    for name in columns:
        np.testing.assert_array_equal(before.vertex_attributes[name], after.vertex_attributes[name])
        assert after.vertex_attributes[name].dtype == columns[name].dtype
    assert after.object_attributes["k"].tolist() == list(range(60))
    assert sorted(read_polylines(memory, group_ids=[0]).object_ids) == [2, 59]


def test_a_trk_in_parts_makes_one_store(
    tmp_path: Path, tractogram: nib.streamlines.Tractogram
) -> None:
    save(tractogram, tmp_path / "t.trk")
    memory = open_store({}, mode="a")
    source = open_tractogram(tmp_path / "t.trk", FormatOptions(batch_vertices=100))
    seen: list[int] = []
    write_store(source, memory, StoreOptions(), seen.append)
    assert len(seen) > 5
    assert_equal(memory, nib.streamlines.load(tmp_path / "t.trk").tractogram)


def test_what_trk_cannot_hold_is_told(tmp_path: Path) -> None:
    lines = [np.zeros((2, 3)), np.ones((3, 3)) / 3]
    write_polylines(
        tmp_path / "a.zv", lines, dtype="float64",
        object_attributes={"name": ["a", "b"], "id": [2**24 + 1, 0]},
    )  # fmt: skip
    report = anyzarr.convert(tmp_path / "a.zv", tmp_path / "a.trk")
    told = " ".join(report.warnings)
    assert "name" in told
    assert "numbers of id are rounded" in told
    assert "positions are rounded" in told
    write_polylines(tmp_path / "b.zv", lines, object_attributes={"n" * 30: [1, 2]})
    with pytest.raises(UnsupportedError, match="n" * 20):
        anyzarr.convert(tmp_path / "b.zv", tmp_path / "b.trk")
    assert not (tmp_path / "b.trk").exists()


def cut(source: Path, target: Path, n: int) -> None:
    target.write_bytes(source.read_bytes()[:-n])


@pytest.mark.parametrize("suffix", ["trk", "tck"])
@pytest.mark.parametrize("n_bytes", [1, 9, 200, 5000])
def test_files_that_are_cut_off_are_refused(
    tmp_path: Path, tractogram: nib.streamlines.Tractogram, suffix: str, n_bytes: int
) -> None:
    bare = nib.streamlines.Tractogram(tractogram.streamlines, affine_to_rasmm=np.eye(4))
    save(bare, tmp_path / f"t.{suffix}")
    cut(tmp_path / f"t.{suffix}", tmp_path / f"c.{suffix}", n_bytes)
    with pytest.raises(CorruptDataError):
        anyzarr.convert(tmp_path / f"c.{suffix}", tmp_path / "c.zv")
    assert not (tmp_path / "c.zv").exists()


def test_a_trk_that_ends_after_a_whole_streamline_is_refused(
    tmp_path: Path, tractogram: nib.streamlines.Tractogram
) -> None:
    bare = nib.streamlines.Tractogram(tractogram.streamlines, affine_to_rasmm=np.eye(4))
    save(bare, tmp_path / "t.trk")
    cut(tmp_path / "t.trk", tmp_path / "c.trk", 4 + 12 * len(tractogram.streamlines[-1]))
    with pytest.raises(CorruptDataError, match="60 streamlines, and there are 59"):
        anyzarr.convert(tmp_path / "c.trk", tmp_path / "c.zv")


def test_a_trx_that_contradicts_itself_is_refused(tmp_path: Path, trx: Path) -> None:
    with zipfile.ZipFile(trx) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    header = json.loads(members["header.json"])
    positions = next(name for name in members if name.startswith("positions"))
    offsets = next(name for name in members if name.startswith("offsets"))
    backwards = np.frombuffer(members[offsets], offsets.rpartition(".")[2]).copy()
    backwards[1] = backwards[2] + 1
    wrong: list[dict[str, bytes]] = [
        {"header.json": b"{"},
        {"header.json": json.dumps({**header, "NB_VERTICES": 5}).encode()},
        {"header.json": json.dumps({**header, "NB_STREAMLINES": -1}).encode()},
        {positions: members[positions][:-12]},
        {offsets: backwards.tobytes()},
        {"dpv/x.quux": b""},
    ]
    for number, change in enumerate(wrong):
        path = tmp_path / f"bad{number}.trx"
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in {**members, **change}.items():
                archive.writestr(name, data)
        with pytest.raises(CorruptDataError):
            anyzarr.convert(path, tmp_path / "bad.zv")
    cut(trx, tmp_path / "cut.trx", 40)
    with pytest.raises(CorruptDataError):
        anyzarr.convert(tmp_path / "cut.trx", tmp_path / "bad.zv")

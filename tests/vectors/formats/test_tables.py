"""Points from and to CSV and Parquet; pandas and pyarrow are the judges."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import anyzarr
from anyzarr.errors import CorruptDataError, MetadataError, NodeExistsError, UnsupportedError
from anyzarr.vectors import read_points, store_info, validate, write_points
from anyzarr.vectors.formats import FormatOptions, StoreOptions, write_store
from anyzarr.vectors.formats._csv import open_csv
from anyzarr.vectors.formats._parquet import open_parquet


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    n = 500
    return pd.DataFrame(
        {
            "x": rng.uniform(-1e5, 1e5, n),
            "y": rng.normal(0, 1e-6, n),
            "z": rng.integers(-9, 9, n),
            "count": rng.integers(-(2**62), 2**62, n),
            "big": rng.integers(2**63, 2**64 - 1, n, dtype=np.uint64),
            "weight": np.where(rng.random(n) < 0.1, np.nan, rng.random(n)),
            "good": rng.random(n) < 0.5,
            "kind": rng.choice(["soma", "axon, long", 'quo"ted'], n),
        }
    )


def assert_equal(store: object, frame: pd.DataFrame, **read: object) -> None:
    points = read_points(store, attribute_names="all", **read)
    order = np.argsort(points.vertex_attributes["input_order"])
    np.testing.assert_array_equal(points.positions[order], frame[["x", "y", "z"]])
    for name in ("count", "big", "weight", "good", "kind"):
        values = points.vertex_attributes[name][order]
        np.testing.assert_array_equal(values, frame[name].to_numpy(), err_msg=name)
        if name != "kind":
            assert values.dtype == frame[name].dtype, name


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet"])
def test_tables_of_pandas_are_read_to_equal_values(
    tmp_path: Path, frame: pd.DataFrame, suffix: str
) -> None:
    path = tmp_path / f"points{suffix}"
    if suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False, sep="," if suffix == ".csv" else "\t")
    target = tmp_path / "points.zarrvectors"
    report = anyzarr.convert(path, target, preserve_order=True, chunk_shape=(5e4, 1.0, 4.0))
    assert report.kind == "vectors"
    assert (report.geometry_type, report.vertex_count) == ("point_cloud", len(frame))
    assert_equal(target, frame)
    assert store_info(target).chunk_shape == (5e4, 1.0, 4.0)
    assert validate(target).valid


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet"])
def test_tables_that_are_written_are_read_by_pandas(
    tmp_path: Path, frame: pd.DataFrame, suffix: str
) -> None:
    store = tmp_path / "points.zarrvectors"
    columns = {name: frame[name].to_numpy() for name in frame.columns[3:]}
    columns["kind"] = columns["kind"].astype(str)
    write_points(
        store, frame[["x", "y", "z"]].to_numpy(), vertex_attributes=columns,
        object_ids=np.arange(len(frame)) // 100, dtype="float64", preserve_order=True,
    )  # fmt: skip
    path = tmp_path / f"out{suffix}"
    anyzarr.convert(store, path)
    if suffix == ".parquet":
        read = pd.read_parquet(path)
    else:
        read = pd.read_csv(path, sep="," if suffix == ".csv" else "\t")
    read = read.sort_values("input_order").reset_index(drop=True)
    assert read["object_id"].tolist() == (np.arange(len(frame)) // 100).tolist()
    for name in frame.columns:
        np.testing.assert_array_equal(read[name].to_numpy(), frame[name].to_numpy(), err_msg=name)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_parts_of_a_large_table_make_one_store(
    tmp_path: Path, frame: pd.DataFrame, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read in many parts, the types of columns are those that fit all of them."""
    monkeypatch.setattr("anyzarr.vectors.formats._csv._BLOCK_BYTES", 4096)
    path = tmp_path / f"points{suffix}"
    frame["late"] = np.where(np.arange(len(frame)) < 400, 7, 0.5)
    frame["word"] = np.where(np.arange(len(frame)) < 400, "7", "seven")
    if suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path)
    open_it = open_csv if suffix == ".csv" else open_parquet
    source = open_it(path, FormatOptions(batch_vertices=60))
    seen: list[int] = []
    memory = anyzarr.stores.open_store({}, mode="a")
    written = write_store(source, memory, StoreOptions(preserve_order=True), seen.append)
    assert written.vertex_count == sum(seen) == 500
    assert len(seen) > 5
    assert_equal(memory, frame)
    points = read_points(memory, attribute_names=["late", "word", "input_order"])
    order = np.argsort(points.vertex_attributes["input_order"])
    np.testing.assert_array_equal(points.vertex_attributes["late"][order], frame["late"])
    np.testing.assert_array_equal(points.vertex_attributes["word"][order], frame["word"])


def test_columns_units_and_objects_by_name(tmp_path: Path) -> None:
    path = tmp_path / "spots.csv"
    path.write_text("POSITION_X,POSITION_Y,TRACK\n1,2,5\n3,4,5\n0,9,8\n")
    columns = {"x": "POSITION_X", "y": "POSITION_Y", "object_id": "TRACK"}
    target = tmp_path / "spots.zarrvectors"
    anyzarr.convert(path, target, columns=columns, scale={"x": "10nm", "y": "20nm"})
    points = read_points(target, object_ids=[5])
    assert points.positions.tolist() == [[10, 40], [30, 80]]
    document = json.loads((target / "zarr.json").read_text())["attributes"]["multiscales"][0]
    assert [axis["unit"] for axis in document["axes"]] == ["nanometer", "nanometer"]

    back = tmp_path / "back.parquet"
    anyzarr.convert(target, back)
    schema = pq.read_schema(back)
    assert schema.names == ["x", "y", "object_id"]
    assert schema.field("x").metadata == {b"unit": b"nanometer"}
    anyzarr.convert(back, tmp_path / "again.zarrvectors")
    assert "nanometer" in (tmp_path / "again.zarrvectors" / "zarr.json").read_text()


def test_axes_in_another_order_are_written_as_x_y_z(tmp_path: Path) -> None:
    store = tmp_path / "zyx.zarrvectors"
    anyzarr.vectors.create_store(
        store, axes=["z", "y", "x"], bounds=([0] * 3, [9] * 3), chunk_shape=(5,) * 3
    )
    write_points(store, [[1.0, 2.0, 3.0]], mode="append")
    anyzarr.convert(store, tmp_path / "p.csv")
    assert (tmp_path / "p.csv").read_text() == '"x","y","z"\n3,2,1\n'


def test_lists_dictionaries_dates_and_missing_text(tmp_path: Path) -> None:
    rgb = pa.FixedSizeListArray.from_arrays(pa.array(range(6), pa.uint8()), 3)
    when = np.array(["2020-01-01", "2021-01-01"], "datetime64[ms]")
    table = pa.table(
        {
            "x": [1.0, 2.0], "y": [1.0, 2.0], "rgb": rgb, "when": when, "note": ["a", None],
            "label": pa.array(["p", "q"]).dictionary_encode(), "ragged": [[1], [1, 2]],
        }
    )  # fmt: skip
    pq.write_table(table, tmp_path / "t.parquet")
    report = anyzarr.convert(tmp_path / "t.parquet", tmp_path / "t.zv")
    assert len(report.warnings) == 1
    assert "ragged" in report.warnings[0]
    found = read_points(tmp_path / "t.zv", attribute_names="all").vertex_attributes
    assert found["rgb"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert found["rgb"].dtype == np.uint8
    assert found["note"].tolist() == ["a", None]
    assert found["label"].tolist() == ["p", "q"]
    np.testing.assert_array_equal(found["when"], when)
    anyzarr.convert(tmp_path / "t.zv", tmp_path / "u.parquet")
    again = pq.read_table(tmp_path / "u.parquet")
    assert again["rgb"].to_pylist() == [[0, 1, 2], [3, 4, 5]]
    anyzarr.convert(tmp_path / "t.zv", tmp_path / "u.csv")
    assert pd.read_csv(tmp_path / "u.csv")["rgb_2"].tolist() == [2, 5]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_without_rows_is_an_empty_store(tmp_path: Path, suffix: str) -> None:
    frame = pd.DataFrame({"x": np.empty(0), "y": np.empty(0), "f": np.empty(0)})
    path = tmp_path / f"none{suffix}"
    frame.to_csv(path, index=False) if suffix == ".csv" else frame.to_parquet(path)
    anyzarr.convert(path, tmp_path / "none.zv")
    assert read_points(tmp_path / "none.zv").vertex_count == 0
    anyzarr.convert(tmp_path / "none.zv", tmp_path / f"again{suffix}")
    write_points(tmp_path / "rows.zv", np.empty((0, 3)), vertex_attributes={"v": np.empty((0, 3))})
    for ending in (suffix, ".ply", ".las", ".precomputed"):
        anyzarr.convert(tmp_path / "rows.zv", tmp_path / f"rows{ending}")


@settings(max_examples=25, deadline=None)
@given(
    st.data(),
    st.sampled_from([".csv", ".parquet"]),
    st.sampled_from(["float32", "float64"]),
)
def test_round_trips_are_exact(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, suffix: str, dtype: str
) -> None:
    folder = tmp_path_factory.mktemp("trip")
    finite = st.floats(-(2.0**99), 2.0**99, width=32 if dtype == "float32" else 64)
    positions = data.draw(
        hnp.arrays(dtype, st.tuples(st.integers(1, 20), st.just(3)), elements=finite)
    )
    text = data.draw(
        st.lists(st.sampled_from(["a", "b,c", "d\n", '"', "é"]), min_size=len(positions),
                 max_size=len(positions))
    )  # fmt: skip
    store = folder / "a.zv"
    write_points(store, positions, dtype=dtype, vertex_attributes={"t": text}, preserve_order=True)
    anyzarr.convert(store, folder / f"b{suffix}")
    anyzarr.convert(folder / f"b{suffix}", folder / "c.zv", dtype=dtype)
    before = read_points(store, attribute_names="all")
    after = read_points(folder / "c.zv", attribute_names="all")
    a = np.argsort(before.vertex_attributes["input_order"])
    b = np.argsort(after.vertex_attributes["input_order"])
    np.testing.assert_array_equal(before.positions[a], after.positions[b])
    assert before.vertex_attributes["t"][a].tolist() == after.vertex_attributes["t"][b].tolist()


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("a,b\n1,2\n", MetadataError, "'x'"),
        ("x,b\n1,2\n", MetadataError, "'y'"),
        ("x,y\n1,2\n3\n", CorruptDataError, "Expected 2 columns"),
        ("x,y\n1,2\nthree,4\n", CorruptDataError, "'x'"),
        ("x,y\n1,2\n,4\n", CorruptDataError, "vertex 1"),
        ("x,y\n1,inf\n", CorruptDataError, "vertex 0"),
        ("x,y,x\n1,2,3\n", MetadataError, "several"),
        ("x,y,object_id\n1,2,1.5\n", CorruptDataError, "whole numbers"),
    ],
)
def test_what_is_no_table_of_points_is_refused(
    tmp_path: Path, text: str, error: type[Exception], says: str
) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(error, match=says):
        anyzarr.convert(path, tmp_path / "bad.zv")
    assert not (tmp_path / "bad.zv").exists()


def test_a_cut_off_parquet_is_refused(tmp_path: Path, frame: pd.DataFrame) -> None:
    path = tmp_path / "cut.parquet"
    frame.to_parquet(path)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(CorruptDataError):
        anyzarr.convert(path, tmp_path / "cut.zv")


def test_options_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path, store = tmp_path / "p.csv", tmp_path / "p.zv"
    path.write_text("x,y\n1,2\n")
    for wrong in ({"columns": {"q": "x"}}, {"columns": {"x": "X"}}, {"scale": {"z": 2.0}}):
        with pytest.raises(MetadataError):
            anyzarr.convert(path, store, **wrong)
    for wrong in ({"chunks": (1, 1)}, {"series": 0}, {"resume": True}, {"dtype": "int32"}):
        with pytest.raises(UnsupportedError):
            anyzarr.convert(path, store, **wrong)
    anyzarr.convert(path, store)
    for wrong in ({"chunk_shape": (1, 1)}, {"compressor": "zstd"}, {"dtype": "float32"}):
        with pytest.raises(UnsupportedError):
            anyzarr.convert(store, tmp_path / "q.csv", **wrong)
    with pytest.raises(UnsupportedError):
        anyzarr.convert(store, tmp_path / "q.swc")  # a skeleton's
    with pytest.raises(UnsupportedError):
        anyzarr.convert(store, tmp_path / "copy.zv", chunk_shape=(1, 1))
    assert not list(tmp_path.glob("*q.*")) + list(tmp_path.glob("*copy*"))


def test_a_target_is_replaced_only_on_request_and_only_when_all_is_there(tmp_path: Path) -> None:
    good, bad, store = tmp_path / "good.csv", tmp_path / "bad.csv", tmp_path / "p.zv"
    good.write_text("x,y\n1,2\n")
    bad.write_text("x,y\n1,nan\n")
    anyzarr.convert(good, store)
    with pytest.raises(NodeExistsError):
        anyzarr.convert(good, store)
    with pytest.raises(CorruptDataError):
        anyzarr.convert(bad, store, overwrite=True)
    assert read_points(store).vertex_count == 1
    good.write_text("x,y\n1,2\n3,4\n")
    anyzarr.convert(good, store, overwrite=True)
    assert read_points(store).vertex_count == 2
    with pytest.raises(NodeExistsError):
        anyzarr.convert(store, good)
    anyzarr.convert(store, good, overwrite=True)
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "folder.csv" / "mine").write_text("keep")
    with pytest.raises(NodeExistsError):
        anyzarr.convert(store, tmp_path / "folder.csv", overwrite=True)


def test_from_file_to_archive_and_bucket_and_back(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("x,y,f\n1,2,3\n4,5,6\n")
    memory: dict[str, bytes] = {}
    anyzarr.convert(path, tmp_path / "p.zip")
    anyzarr.convert(tmp_path / "p.zip", memory)
    anyzarr.convert(memory, tmp_path / "p.zv")
    for store in (tmp_path / "p.zip", memory, tmp_path / "p.zv"):
        points = read_points(store, attribute_names="all")
        assert points.positions.tolist() == [[1, 2], [4, 5]]
        assert points.vertex_attributes["f"].tolist() == [3, 6]
    anyzarr.convert(tmp_path / "p.zip", tmp_path / "q.csv")
    assert pd.read_csv(tmp_path / "q.csv")["f"].tolist() == [3, 6]


def test_progress_is_told(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("x,y\n1,2\n4,5\n")
    steps: list[anyzarr._progress.Progress] = []
    anyzarr.convert(path, tmp_path / "p.zv", progress=steps.append)
    assert steps[-1].done_bytes == steps[-1].total_bytes == 32


def test_a_table_of_image_files_is_none_of_points(tmp_path: Path) -> None:
    """The readers of images have tables, too: a column of files tells them."""
    path = tmp_path / "layout.csv"
    path.write_text("file,well\nmissing.tif,A01\n")
    with pytest.raises(anyzarr.errors.NodeNotFoundError, match=r"missing\.tif"):
        anyzarr.convert(path, tmp_path / "plate.zarr")
    path.write_text("file,x,y\nmissing.tif,1,2\n")
    anyzarr.convert(path, tmp_path / "points.zv")
    found = read_points(tmp_path / "points.zv", attribute_names="all").vertex_attributes
    assert found["file"].tolist() == ["missing.tif"]

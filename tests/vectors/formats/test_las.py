"""Points from and to LAS and LAZ; laspy is the judge."""

from pathlib import Path

import laspy
import numpy as np
import pytest

import anyzarr
from anyzarr.errors import CorruptDataError, UnsupportedError
from anyzarr.stores import open_store
from anyzarr.vectors import read_points, validate, write_points
from anyzarr.vectors.formats import FormatOptions, StoreOptions, write_store
from anyzarr.vectors.formats._las import open_las

WKT = 'PROJCS["ETRS89 / UTM zone 32N"]'
N = 400


def scan(path: Path, number: int = 3, version: str = "1.2") -> laspy.LasData:
    rng = np.random.default_rng(1)
    header = laspy.LasHeader(point_format=number, version=version)
    header.scales, header.offsets = [0.01, 0.01, 0.001], [500_000, 5_400_000, 100]
    header.add_extra_dim(laspy.ExtraBytesParams("reflectance", "f4"))
    header.vlrs.append(laspy.vlrs.known.WktCoordinateSystemVlr(WKT))
    las = laspy.LasData(header)
    las.x, las.y = rng.uniform(500_000, 500_900, N), rng.uniform(5_400_000, 5_401_000, N)
    las.z = rng.uniform(100, 180, N)
    las.intensity = rng.integers(0, 2**16, N)
    las.classification = rng.integers(0, 32, N)
    las.return_number = rng.integers(1, 5, N)
    las.gps_time = np.arange(N) + 1e9 + 1 / 3
    for name in ("red", "green", "blue"):
        las[name] = rng.integers(0, 2**16, N)
    las.reflectance = rng.normal(size=N).astype("f4")
    las.write(str(path))
    return laspy.read(str(path))


@pytest.mark.parametrize("suffix", ["las", "laz"])
@pytest.mark.parametrize(("number", "version"), [(3, "1.2"), (7, "1.4")])
def test_a_scan_keeps_everything(tmp_path: Path, suffix: str, number: int, version: str) -> None:
    path, store = tmp_path / f"s.{suffix}", tmp_path / "s.zarrvectors"
    judge = scan(path, number, version)
    anyzarr.convert(path, store, chunk_shape=(200, 200, 50), preserve_order=True)
    assert validate(store).valid
    points = read_points(store, attribute_names="all")
    row = points.vertex_attributes["input_order"]
    assert points.positions.dtype == np.float64
    np.testing.assert_array_equal(points.positions, judge.xyz[row])
    for name in ("intensity", "classification", "return_number", "gps_time", "reflectance"):
        values = points.vertex_attributes[name]
        np.testing.assert_array_equal(values, np.asarray(judge[name])[row], err_msg=name)
    assert points.vertex_attributes["intensity"].dtype == np.uint16
    colours = np.stack([judge.red, judge.green, judge.blue], axis=1)
    np.testing.assert_array_equal(points.vertex_attributes["rgb"], colours[row])

    report = anyzarr.convert(store, tmp_path / f"out.{suffix}")
    assert report.warnings == ()
    out = laspy.read(str(tmp_path / f"out.{suffix}"))
    assert out.header.are_points_compressed == (suffix == "laz")
    assert (out.header.point_format.id, str(out.header.version)) == (number, version)
    np.testing.assert_array_equal(out.header.scales, judge.header.scales)
    np.testing.assert_array_equal(out.header.offsets, judge.header.offsets)
    assert out.header.vlrs.get("WktCoordinateSystemVlr")[0].string.rstrip("\0") == WKT
    back = np.asarray(out["input_order"])
    for name in judge.point_format.dimension_names:
        np.testing.assert_array_equal(np.asarray(out[name]), np.asarray(judge[name])[back])


def test_a_scan_in_parts_makes_one_store(tmp_path: Path) -> None:
    judge = scan(tmp_path / "s.laz")
    memory = open_store({}, mode="a")
    seen: list[int] = []
    source = open_las(tmp_path / "s.laz", FormatOptions(batch_vertices=90))
    write_store(source, memory, StoreOptions(preserve_order=True), seen.append)
    assert len(seen) == 5
    points = read_points(memory, attribute_names=["input_order"])
    np.testing.assert_array_equal(
        points.positions, judge.xyz[points.vertex_attributes["input_order"]]
    )


def test_other_points_get_a_scale_and_dimensions_of_their_own(tmp_path: Path) -> None:
    places = np.random.default_rng(2).uniform(-3e4, 7e4, (100, 3))
    write_points(
        tmp_path / "p.zv", places, dtype="float64", object_ids=np.arange(100) // 10,
        vertex_attributes={"rgb": np.full((100, 3), 7, "uint16"), "curl": places, "i": range(100),
                           "word": ["a"] * 100, "classification": np.arange(100) % 18},
    )  # fmt: skip
    report = anyzarr.convert(tmp_path / "p.zv", tmp_path / "p.las")
    assert "word" in report.warnings[0]
    assert "multiples of 0.0001" in report.warnings[1]
    out = laspy.read(str(tmp_path / "p.las"))
    row = np.asarray(out["i"])
    assert out.header.point_format.id == 7
    np.testing.assert_allclose(out.xyz, places[row], atol=0.00005001)
    np.testing.assert_array_equal(out["curl_1"], places[row, 1])
    np.testing.assert_array_equal(np.asarray(out.classification), row % 18)
    np.testing.assert_array_equal(out["object_id"], row // 10)
    anyzarr.convert(tmp_path / "p.las", tmp_path / "q.zv")
    assert read_points(tmp_path / "q.zv", object_ids=[3]).vertex_count == 10


def test_values_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    write_points(tmp_path / "a.zv", [[1, 2, 3]], vertex_attributes={"intensity": [70_000]})
    write_points(tmp_path / "b.zv", [[1, 2, 3]], vertex_attributes={"n" * 33: [1]})
    write_points(tmp_path / "c.zv", [[1, 2]])
    for name in "abc":
        with pytest.raises(UnsupportedError):
            anyzarr.convert(tmp_path / f"{name}.zv", tmp_path / f"{name}.las")
        assert not (tmp_path / f"{name}.las").exists()


@pytest.mark.parametrize("suffix", ["las", "laz"])
@pytest.mark.parametrize("n_left", [-1, -700, 300, 10, 0])
def test_what_is_cut_off_is_refused(tmp_path: Path, suffix: str, n_left: int) -> None:
    scan(tmp_path / f"s.{suffix}")
    (tmp_path / f"c.{suffix}").write_bytes((tmp_path / f"s.{suffix}").read_bytes()[:n_left])
    with pytest.raises(CorruptDataError):
        anyzarr.convert(tmp_path / f"c.{suffix}", tmp_path / "c.zv")
    assert not (tmp_path / "c.zv").exists()

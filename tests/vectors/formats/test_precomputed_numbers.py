"""Neuroglancer has numbers of 32 bits: what is rounded to them is told, and nothing else is."""

import json
from pathlib import Path

import numpy as np
import pytest

import anyzarr
from anyzarr.vectors import create_store, write_graph, write_lines, write_mesh, write_points

NANOMETERS = [{"name": name, "type": "space", "unit": "nanometer"} for name in "xyz"]
EXACT = np.array([[0.0, 0, 0], [1, 2, 4], [2, 0, 8]])


def store_of(path: Path) -> Path:
    create_store(path, axes=NANOMETERS, bounds=((0,) * 3, (99,) * 3), chunk_shape=(50,) * 3,
                 dtype="float64")  # fmt: skip
    return path


def told(store: Path, out: Path) -> list[str]:
    warnings = anyzarr.convert(store, out).warnings
    assert len(warnings) <= 1
    assert all(text.startswith("rounded the 64-bit numbers of ") for text in warnings)
    return [
        text.removeprefix("rounded the 64-bit numbers of ").split(" to ")[0] for text in warnings
    ]


def test_annotations_tell_which_numbers_are_rounded(tmp_path: Path) -> None:
    store = store_of(tmp_path / "p.zv")
    write_points(
        store, EXACT + 0.1, mode="append",
        vertex_attributes={
            "exact": np.array([0.5, np.nan, np.inf]),
            "tenths": np.array([0.1, 0.2, 0.3]),
            "narrow": np.array([0.1, 0.2, 0.3], "f4"),
            "small": np.array([1, 2, 2**24 + 1]),
            "large": np.array([1, 2, 2**53 + 1]),
            "largest": np.array([0, 1, np.iinfo(np.uint64).max], np.uint64),
            "power": np.array([0, 1, 2**40]),
            "huge": np.array([0.0, 1.0, 1e300]),
            "rows": np.array([[0.5, 1.0], [0.25, 0.1], [1.0, 2.0]]),
        },
    )  # fmt: skip
    out = tmp_path / "p.precomputed"
    assert told(store, out) == ["the coordinates, huge, large, largest, rows, tenths"]
    kinds = {p["id"]: p["type"] for p in json.loads((out / "info").read_text())["properties"]}
    assert (kinds["small"], kinds["large"], kinds["power"]) == ("int32", "float32", "float32")


def test_what_is_exact_is_not_told(tmp_path: Path) -> None:
    store = store_of(tmp_path / "p.zv")
    write_points(store, EXACT, mode="append",
                 vertex_attributes={"n": np.array([1, 2, 2**24 + 1])})  # fmt: skip
    assert told(store, tmp_path / "p.precomputed") == []


def test_lines_tell_of_both_ends(tmp_path: Path) -> None:
    store = store_of(tmp_path / "l.zv")
    times = np.array([[0.5, 0.1], [0.5, 0.5], [0.5, 0.5]])
    lines = np.stack([EXACT, EXACT + 1], axis=1)
    write_lines(store, lines, mode="append", vertex_attributes={"t": times})
    assert told(store, tmp_path / "l.precomputed") == ["t_end"]


@pytest.mark.parametrize("shift", [0.0, 0.1])
def test_skeletons_tell(tmp_path: Path, shift: float) -> None:
    store = store_of(tmp_path / "g.zv")
    write_graph(
        store, EXACT + shift, edges=[[0, 1], [1, 2]], mode="append",
        vertex_attributes={"n": np.array([1, 2, 2**24 + 1]), "m": np.arange(3)},
    )  # fmt: skip
    expected = "the coordinates, n" if shift else "n"
    assert told(store, tmp_path / "g.precomputed") == [expected]


def test_meshes_tell_of_places_alone(tmp_path: Path) -> None:
    store = store_of(tmp_path / "m.zv")
    write_mesh(store, EXACT + 0.1, [[0, 1, 2]], mode="append")
    assert told(store, tmp_path / "m.precomputed") == ["the coordinates"]

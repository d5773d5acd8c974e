"""``anyzarr pyramid`` of vector stores: which levels there are, and what is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anyzarr.vectors import (
    open_zv,
    read_points,
    validate,
    write_mesh,
    write_points,
    write_polylines,
)

Run = Callable[..., Any]


def counts(store: Path) -> list[int]:
    opened = open_zv(store)
    assert validate(store, 5).errors == ()
    return [opened[number].vertex_count for number in opened.levels]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rows = np.random.default_rng(0).uniform(0, 100, (5000, 3))
    path = tmp_path / "p.csv"
    path.write_text("x,y,z\n" + "\n".join(",".join(map(str, row)) for row in rows))
    return path


def test_levels_until_bins_are_chunks(table: Path, tmp_path: Path, run: Run) -> None:
    store = tmp_path / "p.zarrvectors"
    done = run("convert", table, store, "--chunk-shape", "50", "--bin-shape", "12.5")
    assert done.code == 0, done.err
    done = run("pyramid", store)
    assert done.code == 0, done.err
    assert counts(store) == [5000, 512, 64, 8]
    assert done.out == "4 levels: 5,000, 512, 64, 8 vertices\n"
    assert run("pyramid", store, "--levels", "2").out == "2 levels: 5,000, 512 vertices\n"
    assert run("pyramid", store, "--factors", "2,0.5", "--factors", "2", "-q").out == ""
    assert counts(store)[:1] == [5000]
    assert counts(store)[2] == 8
    assert run("pyramid", store, "--delete").out == "1 level: 5,000 vertices\n"
    assert len(read_points(store).positions) == 5000


def test_chunks_are_whole_bins_where_only_these_are_given(
    table: Path, tmp_path: Path, run: Run
) -> None:
    assert run("convert", table, tmp_path / "a", "--bin-shape", "7").code == 0
    store = open_zv(tmp_path / "a")
    assert store.bin_shape == (7, 7, 7)
    assert np.remainder(store.chunk_shape, 7).tolist() == [0, 0, 0]


def test_points_whose_bins_are_chunks_are_refused(table: Path, tmp_path: Path, run: Run) -> None:
    assert run("convert", table, tmp_path / "a").code == 0
    assert "--bin-shape" in run("pyramid", tmp_path / "a").sentence
    assert counts(tmp_path / "a") == [5000]
    assert run("pyramid", tmp_path / "a", "--factors", "1").code == 0
    assert counts(tmp_path / "a") == [5000, 1]


def test_paths_of_a_file_have_bins(tmp_path: Path, run: Run) -> None:
    lines = [np.cumsum(np.full((200, 3), 0.1), axis=0) + i for i in range(5)]
    write_polylines(tmp_path / "a", lines, geometry_type="streamline")
    assert run("convert", tmp_path / "a", tmp_path / "a.trk").code == 0
    assert run("convert", tmp_path / "a.trk", tmp_path / "b").code == 0
    assert run("pyramid", tmp_path / "b", "--levels", "2").code == 0
    full, coarse = counts(tmp_path / "b")
    assert full == 1000
    assert 10 <= coarse < 500


def test_meshes_have_ever_fewer_faces(tmp_path: Path, run: Run) -> None:
    u, v = np.meshgrid(np.arange(40), np.arange(40), indexing="ij")
    corner = (u * 40 + v)[:-1, :-1].reshape(-1)
    offsets = np.array([[0, 1, 40], [1, 41, 40]])
    faces = (corner[:, None, None] + offsets).reshape(-1, 3)
    write_mesh(tmp_path / "a", np.stack([u, v, u * 0], -1).reshape(-1, 3).astype("f4"), faces)
    assert run("pyramid", tmp_path / "a", "--method", "bins").code == 0
    assert run("pyramid", tmp_path / "a", "--levels", "3").code == 0
    assert len(counts(tmp_path / "a")) == 3


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (["--method", "mean"], 2, "images"),
        (["--levels", "3", "--factors", "2"], 2, "--factors"),
        (["--factors", "a"], 2, "'a'"),
        (["--factors", "0.5"], 1, "at least 1"),
        (["--engine", "zarr"], 2, "--engine"),
    ],
)
def test_what_is_wrong_is_said(
    tmp_path: Path, run: Run, options: list[str], code: int, told: str
) -> None:
    write_points(tmp_path / "a", [[1, 2], [3, 4]], chunk_shape=(8, 8), bin_shape=(1, 1))
    done = run("pyramid", tmp_path / "a", *options)
    assert done.code == code
    assert told in done.err
    assert counts(tmp_path / "a") == [2]

"""Columns of tables that are read in parts: later parts bring what the first has not."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import anyzarr
from anyzarr.vectors import read_points, validate
from anyzarr.vectors.formats import CSV, PARQUET, FormatOptions, StoreOptions, write_store

N = 600


def frame_of(**columns: Any) -> pd.DataFrame:
    places = np.linspace(0, 9, N)
    return pd.DataFrame({"x": places, "y": places, **columns})


def stored(path: Path, n_rows: int = 60) -> tuple[anyzarr.abc.Store, int]:
    """Convert a table in parts; return the store and the number of parts."""
    parts: list[int] = []
    kind = CSV if path.suffix == ".csv" else PARQUET
    source = kind.open(path, FormatOptions(batch_vertices=n_rows))
    memory = anyzarr.stores.open_store({}, mode="a")
    write_store(source, memory, StoreOptions(preserve_order=True), parts.append)
    assert validate(memory).ok
    return memory, len(parts)


def column(store: anyzarr.abc.Store, name: str) -> list[Any]:
    points = read_points(store, attribute_names=[name, "input_order"])
    order = np.argsort(points.vertex_attributes["input_order"])
    return points.vertex_attributes[name][order].tolist()


def code_type(store: anyzarr.abc.Store, name: str) -> str:
    array = anyzarr.open(store)[f"0/vertex_attributes/{name}"]
    return str(array.metadata.attributes["dtype"])


LATE = np.arange(N) >= 500
WORDS = {
    "many": (np.where(LATE, [f"w{i}" for i in range(N)], "same"), "uint8"),
    "very-many": (np.array([f"w{i}" for i in range(N)], object), "uint16"),
    "missing": (np.where(LATE, None, "same").astype(object), "int8"),
    "all-missing-at-first": (np.where(LATE, "same", None).astype(object), "int8"),
    "many-missing": (np.where(LATE, None, [f"w{i}" for i in range(N)]).astype(object), "int16"),
}


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("what", WORDS)
def test_text_of_later_parts_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, suffix: str
) -> None:
    monkeypatch.setattr("anyzarr.vectors.formats._csv._BLOCK_BYTES", 2048)
    words, codes = WORDS[what]
    path = tmp_path / f"t{suffix}"
    frame = frame_of(word=words)
    frame.to_csv(path, index=False) if suffix == ".csv" else frame.to_parquet(path)
    store, n_parts = stored(path)
    assert n_parts > 3
    assert column(store, "word") == words.tolist()
    assert code_type(store, "word") == codes


def test_codes_of_one_part_are_as_narrow_as_before(tmp_path: Path) -> None:
    frame_of(word=WORDS["very-many"][0]).to_parquet(tmp_path / "t.parquet")
    store, n_parts = stored(tmp_path / "t.parquet", 10_000)
    assert n_parts == 1
    assert code_type(store, "word") == "uint16"


def test_numbers_that_are_missing_in_later_parts_are_nan(tmp_path: Path) -> None:
    numbers = pa.array([None if late else 7 for late in LATE], pa.int64())
    flags = pa.array([None if late else True for late in LATE], pa.bool_())
    table = pa.table({"x": np.arange(N), "y": np.arange(N), "n": numbers, "flag": flags})
    pq.write_table(table, tmp_path / "t.parquet")
    store, _ = stored(tmp_path / "t.parquet")
    for name, value in (("n", 7), ("flag", 1)):
        np.testing.assert_array_equal(column(store, name), np.where(LATE, np.nan, value))


def test_a_table_becomes_another_in_parts(tmp_path: Path) -> None:
    numbers = pa.array([None if late else 7 for late in LATE], pa.int64())
    table = pa.table({"x": np.arange(N), "y": np.arange(N), "n": numbers,
                      "word": pa.array(WORDS["missing"][0].tolist())})  # fmt: skip
    pq.write_table(table, tmp_path / "t.parquet")
    source = PARQUET.open(tmp_path / "t.parquet", FormatOptions(batch_vertices=60))
    assert source.facts.vertex_count == N
    assert CSV.write is not None
    CSV.write(source, tmp_path / "t.csv", FormatOptions(), lambda n: None)
    back = pd.read_csv(tmp_path / "t.csv")
    np.testing.assert_array_equal(back["n"], np.where(LATE, np.nan, 7))
    assert back["word"].isna().to_list() == LATE.tolist()

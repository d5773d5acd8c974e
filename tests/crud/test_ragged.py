"""Elements of variable length: in columns, through every engine, as zarr-python has them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anyzarr import crud
from anyzarr.abc import Ragged
from anyzarr.errors import MetadataError, ReadOnlyError, SelectionError
from anyzarr.metadata import array_document
from anyzarr.stores import MemoryStore, open_store

elements = st.lists(st.binary(max_size=12), max_size=8)


def document(shape: tuple[int, ...] = (4, 5), dtype: str = "bytes", **more: Any) -> dict[str, Any]:
    return array_document(shape=shape, dtype=dtype, **{"chunks": (1,) * len(shape), **more})


@given(elements, st.data())
def test_take_is_what_a_list_gives(parts: list[bytes], data: st.DataObject) -> None:
    ragged = Ragged.of(parts)
    order = data.draw(st.lists(st.integers(0, len(parts) - 1)) if parts else st.just([]))
    assert ragged.take(order).to_list() == [parts[i] for i in order]
    assert ragged.to_list() == parts
    assert ragged.lengths.tolist() == [len(part) for part in parts]


@given(st.lists(st.lists(st.integers(0, 255), max_size=3), max_size=6), st.data())
@pytest.mark.parametrize("dtype", ["<u2", "<f4", "<i8", "<c16"])
def test_take_moves_whole_items(dtype: str, counts: list[list[int]], data: st.DataObject) -> None:
    parts = [np.array(values, dtype) for values in counts]
    ragged = Ragged.of([part.tobytes() for part in parts])
    order = data.draw(st.lists(st.integers(0, len(parts) - 1)) if parts else st.just([]))
    values, offsets = ragged.take(order).view(dtype)
    assert np.array_equal(values, np.concatenate([np.empty(0, dtype), *[parts[i] for i in order]]))
    assert np.diff(offsets).tolist() == [parts[i].size for i in order]


def test_ragged_values_are_checked() -> None:
    bad = [([0, 2], 3), ([1, 3], 3), ([0, 3, 2, 3], 3), ([], 0)]
    for offsets, size in bad:
        with pytest.raises(ValueError, match="offsets"):
            Ragged(np.zeros(size, np.uint8), np.array(offsets, np.int64))
    with pytest.raises(ValueError, match="uint8"):
        Ragged(np.zeros(1, np.int8), np.array([0, 1]))
    with pytest.raises(ValueError, match="element 1"):
        Ragged.of([b"ab", b"c"]).view("u2")
    ragged = Ragged.of([b"ab", b"c"])
    assert ragged[-1].tobytes() == b"c"
    with pytest.raises(IndexError):
        ragged[2]
    assert Ragged.concatenate([ragged, Ragged.empty(1), ragged]) == Ragged.of(
        [b"ab", b"c", b"", b"ab", b"c"]
    )
    assert Ragged.concatenate([]) == Ragged.empty(0) != ragged


@pytest.mark.parametrize("engine", ["native", "zarr", "zarrs"])
@pytest.mark.parametrize("dtype", ["bytes", "string"])
@pytest.mark.parametrize(
    "layout",
    [
        {},
        {"chunks": (2, 3), "compressors": {"name": "zstd", "configuration": {"level": 0}}},
        {"chunks": (1, 1), "shards": (2, 5)},
    ],
    ids=["ones", "many", "sharded"],
)
def test_what_is_written_is_read(engine: str, dtype: str, layout: dict[str, Any]) -> None:
    doc, store = document(dtype=dtype, **layout), MemoryStore()
    where = np.array([[3, 4], [0, 1], [2, 2], [0, 0]])
    written = Ragged.of([b"abc", "ü".encode(), b"", b"x" * 1000])
    crud.write_ragged(doc, store, "a", where, written, engine=engine)
    crud.write_ragged(doc, store, "a", [[0, 1]], Ragged.of([b"new"]), engine=engine)
    asked = np.array([[0, 1], [3, 4], [3, 4], [1, 1], [0, 0], [2, 2]])
    found = crud.read_ragged(doc, store, "a", asked, engine=engine)
    assert found.to_list() == [b"new", b"abc", b"abc", b"", b"x" * 1000, b""]
    assert found == crud.read_ragged(doc, store, "a", asked)
    assert asyncio.run(crud.read_ragged_async(doc, store, "a", asked)) == found


def test_an_array_without_dimensions() -> None:
    doc, store = document(shape=()), MemoryStore()
    crud.write_ragged(doc, store, "", np.empty((1, 0), int), Ragged.of([b"abc"]))
    assert crud.read_ragged(doc, store, "", np.empty((2, 0), int)).to_list() == [b"abc", b"abc"]
    crud.write_ragged(doc, store, "", np.empty((0, 0), int), Ragged.empty(0))


def test_nothing_asked_is_nothing_read() -> None:
    assert len(crud.read_ragged(document(), MemoryStore(), "a", [])) == 0
    crud.write_ragged(document(), MemoryStore(), "a", np.empty((0, 2), int), Ragged.empty(0))


@pytest.mark.parametrize("coords", [[[0, 5]], [[-1, 0]], [[0]], [0, 0], [[0.0, 1.0]]], ids=str)
def test_bad_coordinates_are_refused(coords: list[Any]) -> None:
    with pytest.raises(SelectionError):
        crud.read_ragged(document(), MemoryStore(), "a", coords)


def test_what_cannot_be_written_is_refused() -> None:
    doc, store = document(), MemoryStore()
    with pytest.raises(SelectionError):
        crud.write_ragged(doc, store, "a", [[1, 1], [0, 0], [1, 1]], Ragged.of([b"a"] * 3))
    with pytest.raises(MetadataError):
        crud.write_ragged(doc, store, "a", [[1, 1]], Ragged.of([b"a", b"b"]))
    with pytest.raises(MetadataError):
        crud.write_ragged(document(dtype="uint8"), store, "a", [[1, 1]], Ragged.of([b"a"]))
    with pytest.raises(MetadataError):
        crud.read_ragged(document(dtype="uint8"), store, "a", [[1, 1]])
    with pytest.raises(MetadataError):
        crud.write_ragged(document(dtype="string"), store, "a", [[1, 1]], Ragged.of([b"\xff"]))
    assert list(store.list()) == []


def test_a_read_only_store_says_so(tmp_path: Path) -> None:
    store = open_store(str(tmp_path), mode="r")
    with pytest.raises(ReadOnlyError):
        crud.write_ragged(document(), store, "a", [[0, 0]], Ragged.of([b"a"]))


@settings(max_examples=20, deadline=None)
@given(st.dictionaries(st.tuples(st.integers(0, 3), st.integers(0, 4)), st.binary(max_size=20)))
def test_zarr_python_reads_what_is_written(cells: dict[tuple[int, int], bytes]) -> None:
    doc, store = document(chunks=(2, 2)), MemoryStore()
    where = np.array(list(cells), np.int64).reshape(-1, 2)
    crud.write_ragged(doc, store, "a", where, Ragged.of(cells.values()))
    expected = np.full((4, 5), b"", object)
    for cell, value in cells.items():
        expected[cell] = value
    found = crud.read_region(doc, store, "a", engine="zarr")
    assert found.tolist() == expected.tolist()

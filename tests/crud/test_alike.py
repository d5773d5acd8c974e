"""Many new arrays at once: what is stored is what is stored one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyzarr import crud
from anyzarr.abc import Ragged, Store
from anyzarr.crud._alike import Elements, put_alike, write_ragged_alike
from anyzarr.crud._nodes import put_document
from anyzarr.errors import MetadataError, ReadOnlyError, SelectionError, StoreError
from anyzarr.metadata import array_document, encode_alike, encode_documents, parse_array
from anyzarr.stores import LocalStore, MemoryStore

SHAPES: dict[str, dict[str, Any]] = {
    "chunks": {"chunks": (1, 1)},
    "one shard": {"chunks": (1, 1), "shards": (6, 7)},
    "shards": {"chunks": (1, 1), "shards": (2, 3)},
    "zstd": {"chunks": (2, 2), "shards": (4, 4), "compressors": "zstd"},
}


def metadata_of(name: str) -> Any:
    return parse_array(array_document(shape=(6, 7), dtype="variable_length_bytes", **SHAPES[name]))


def arrays_of(seed: int, n_arrays: int = 9) -> list[Elements]:
    rng = np.random.default_rng(seed)
    found = []
    for number in range(n_arrays):
        n = int(rng.integers(0, 42))
        cells = rng.permutation(42)[:n]
        blobs = [rng.bytes(int(size)) for size in rng.integers(0, 40, n)]
        coords = np.stack(np.unravel_index(cells, (6, 7)), axis=1).astype(np.int64)
        found.append((f"group/a{number}", coords.reshape(-1, 2), Ragged.of(blobs)))
    return found


def objects(store: Store) -> dict[str, bytes | None]:
    return {info.key: store.get(info.key) for info in store.list("")}


@pytest.mark.parametrize("engine", [None, "zarr"])
@pytest.mark.parametrize("name", SHAPES)
def test_elements_are_stored_as_one_by_one(name: str, engine: str | None, tmp_path: Path) -> None:
    metadata, arrays = metadata_of(name), arrays_of(len(name))
    stores: list[Store] = [LocalStore(tmp_path / "one"), LocalStore(tmp_path), MemoryStore()]
    for path, coords, ragged in arrays:
        crud.write_ragged(metadata, stores[0], path, coords, ragged, engine=engine)
    expected = objects(stores[0])
    assert expected
    for store in (stores[1].at_prefix("many/"), stores[2]):
        write_ragged_alike(metadata, store, arrays, engine=engine)
        assert objects(store) == expected


def test_what_does_not_fit_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    metadata, store = metadata_of("one shard"), LocalStore(tmp_path)
    good = ("a", np.array([[0, 0]]), Ragged.of([b"x"]))
    outside = ("b", np.array([[0, 7]]), Ragged.of([b"x"]))
    twice = ("b", np.array([[1, 1], [1, 1]]), Ragged.of([b"x", b"y"]))
    few = ("b", np.array([[1, 1], [1, 2]]), Ragged.of([b"x"]))
    for bad, error in ((outside, SelectionError), (twice, SelectionError), (few, MetadataError)):
        with pytest.raises(error):
            write_ragged_alike(metadata, store, [good, bad])
    with pytest.raises(ReadOnlyError):
        write_ragged_alike(metadata, LocalStore(tmp_path, read_only=True), [good])
    assert objects(store) == {}


def test_an_error_names_the_key_in_the_store(tmp_path: Path) -> None:
    metadata = metadata_of("one shard")
    (tmp_path / "group").mkdir()
    (tmp_path / "group" / "a3").write_bytes(b"in the way")
    arrays = [(f"group/a{n}", np.array([[0, 0]]), Ragged.of([b"x"])) for n in range(5)]
    with pytest.raises(StoreError) as caught:
        write_ragged_alike(metadata, LocalStore(tmp_path), arrays)
    assert caught.value.key == "group/a3/c/0/0"


def test_documents_are_stored_as_one_by_one() -> None:
    metadata = metadata_of("shards")
    attributes = {f"a{n}": {"cells": [f"{n}.{k}" for k in range(n)], "n": n} for n in range(4)}
    one, many = MemoryStore(), MemoryStore()
    for path, own in attributes.items():
        put_document({**metadata.document, "attributes": own}, one, path)
    put_alike(metadata, many, attributes)
    assert objects(many) == objects(one)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(st.lists(st.dictionaries(st.text(), VALUES, max_size=4), max_size=3))
def test_alike_documents_are_those_of_each(attributes: list[dict[str, Any]]) -> None:
    document = metadata_of("zstd").document
    expected = [
        encode_documents({**document, "attributes": own})["zarr.json"] for own in attributes
    ]
    assert list(encode_alike(document, attributes)) == expected


def test_alike_documents_of_what_is_no_json() -> None:
    document = metadata_of("chunks").document
    with pytest.raises(MetadataError):
        list(encode_alike(document, [{"a": float("nan")}]))
    with pytest.raises(MetadataError):
        list(encode_alike(document, [{"a": object()}]))
    own = {"a": np.int64(3), "b": np.arange(2), "c": (1, 2), "d": "NaN", "e": "\ud800"}
    expected = encode_documents({**document, "attributes": own})["zarr.json"]
    assert list(encode_alike(document, [own])) == [expected]

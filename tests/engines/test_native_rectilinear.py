"""Rectilinear grids in the core, against the same arrays read and written chunk by chunk."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from anyzarr import config, crud
from anyzarr.abc import Box
from anyzarr.engines import get_engine, open_array_io
from anyzarr.engines._native import NativeArrayIO, NativeEngine
from anyzarr.errors import CorruptDataError
from anyzarr.indexing import resolve
from anyzarr.metadata import array_document, parse_array
from anyzarr.stores import LocalStore, MemoryStore
from anyzarr.testing import assert_identical
from anyzarr.testing._engine_arrays import random_values
from anyzarr.testing._engine_tools import odd_buffer, random_box

from ._documents import Json, arrays_rectilinear

pytest.importorskip("anyzarr_native", reason="the native engine is not built")

ENGINE = NativeEngine()


def random_index(shape: tuple[int, ...], rng: np.random.Generator) -> Any:
    """Return points in some dimensions and slices in the others."""
    count = int(rng.integers(1, 12))
    return tuple(
        rng.integers(-n, n, count) if rng.random() < 0.6 else slice(None, None, 2) for n in shape
    )


@pytest.mark.filterwarnings("ignore:Combining a .sharding_indexed. codec")  # it costs zarr time
@settings(max_examples=150, deadline=None)
@given(
    document=arrays_rectilinear(),
    seed=st.integers(0, 2**32 - 1),
    judge=st.sampled_from(["zarr", "zarrs"]),
    threads=st.sampled_from([1, 3]),
    is_local=st.booleans(),
)
def test_engines_that_go_chunk_by_chunk_agree(
    document: Json,
    seed: int,
    judge: str,
    threads: int,
    is_local: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    metadata, rng = parse_array(document), np.random.default_rng(seed)
    store = LocalStore(tmp_path_factory.mktemp("a")) if is_local else MemoryStore()
    assert ENGINE.decline(metadata, store) is None
    assume(get_engine(judge).decline(metadata, store) is None)  # zarr: one length repeated
    assert isinstance(open_array_io(metadata, store, "a", "native")[1], NativeArrayIO)
    expected = np.empty(metadata.shape, metadata.dtype)
    expected[...] = metadata.fill

    def agrees() -> None:
        box = random_box(metadata.shape, rng, steps=True)
        wanted: list[Any] = [..., box.slices, random_index(metadata.shape, rng)]
        for index in wanted:
            shape = resolve(index, metadata.shape).result_shape
            out = odd_buffer(shape, metadata.dtype, int(rng.integers(4)))
            crud.read_region(metadata, store, "a", index, out=out, engine="native")
            assert_identical(out, np.asarray(expected[index], metadata.dtype))
        assert_identical(crud.read_region(metadata, store, "a", engine=judge), expected)

    with config.scope(concurrency=threads):
        for engine in ("native", judge, "native"):
            index: Any = random_box(metadata.shape, rng, steps=False).slices
            if rng.random() < 0.3:
                index = random_index(metadata.shape, rng)
            value = random_values(metadata, resolve(index, metadata.shape).result_shape, rng)
            if rng.random() < 0.2:
                value[...] = metadata.fill
            expected[index] = value
            crud.write_region(metadata, store, "a", index, value, engine=engine)
            agrees()


@settings(max_examples=60, deadline=None)
@given(document=arrays_rectilinear(), seed=st.integers(0, 2**32 - 1))
def test_files_and_memory_hold_the_same(
    document: Json, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    metadata = parse_array(document)
    stores = [LocalStore(tmp_path_factory.mktemp("a")), MemoryStore()]
    found: list[Any] = []
    for store in stores:
        rng = np.random.default_rng(seed)
        for _ in range(2):
            box = random_box(metadata.shape, rng, steps=False)
            value = random_values(metadata, box.shape, rng)
            ENGINE.open(metadata, store, "a").write(box, value)
        found.append({info.key: store.get(info.key) for info in store.list()})
    assert found[0] == found[1]


@pytest.mark.parametrize("is_local", [False, True])
def test_more_shapes_than_are_compiled_with_the_plan(
    is_local: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rows, columns = list(range(1, 31)), list(range(1, 26))
    document = array_document(
        shape=(sum(rows), sum(columns)), dtype="int32", chunks=(rows, columns)
    )
    store = LocalStore(tmp_path_factory.mktemp("a")) if is_local else MemoryStore()
    rng = np.random.default_rng(0)
    values = rng.integers(-99, 99, (sum(rows), sum(columns)), dtype="i4")
    crud.write_region(document, store, "a", ..., values, engine="native")
    assert len(list(store.list("a/"))) == len(rows) * len(columns)
    assert_identical(crud.read_region(document, store, "a", engine="native"), values)
    assert_identical(crud.read_region(document, store, "a", engine="zarr"), values)
    points = tuple(rng.integers(0, n, 5000) for n in values.shape)
    assert_identical(
        crud.read_region(document, store, "a", points, engine="native"), values[points]
    )


def test_a_chunk_of_another_shape_is_corrupt(tmp_path: Any) -> None:
    document = array_document(shape=(7, 4), dtype="int16", chunks=([3, 4], [4]), compressors=None)
    metadata = parse_array(document)
    for store in (MemoryStore(), LocalStore(tmp_path)):
        store.put(metadata.chunk_key("a", (0, 0)), bytes(3 * 4 * 2))
        store.put(metadata.chunk_key("a", (1, 0)), bytes(3 * 4 * 2))
        io = ENGINE.open(metadata, store, "a")
        io.read(Box((0, 0), (3, 4), (1, 1)), np.empty((3, 4), "i2"))
        with pytest.raises(CorruptDataError) as error:
            io.read(Box((2, 0), (4, 4), (1, 1)), np.empty((2, 4), "i2"))
        assert error.value.chunk_coords == (1, 0)


BAD_GRIDS: dict[str, Any] = {
    "another kind": {"kind": "else", "chunk_shapes": [[2, 2], 4]},
    "no kind": {"chunk_shapes": [[2, 2], 4]},
    "too short": {"kind": "inline", "chunk_shapes": [[2, 1], 4]},
    "no lengths": {"kind": "inline", "chunk_shapes": [[], 4]},
    "an edge of 0": {"kind": "inline", "chunk_shapes": [[0, 4], 4]},
    "a run of 0": {"kind": "inline", "chunk_shapes": [[[4, 0], 4], 4]},
    "a run of three": {"kind": "inline", "chunk_shapes": [[[4, 1, 1]], 4]},
    "a negative edge": {"kind": "inline", "chunk_shapes": [[-4, 8], 4]},
    "a fraction": {"kind": "inline", "chunk_shapes": [[4.0], 4]},
    "too few dimensions": {"kind": "inline", "chunk_shapes": [[4]]},
    "too many dimensions": {"kind": "inline", "chunk_shapes": [[4], 4, 4]},
    "more than can be counted": {"kind": "inline", "chunk_shapes": [[1, 2**63], 4]},
}


@pytest.mark.parametrize("name", sorted(BAD_GRIDS))
def test_malformed_grids_are_no_plan(name: str) -> None:
    """The metadata layer refuses them first; the core does not rely on it."""
    from anyzarr_native import NativeError, Plan

    document = array_document(shape=(4, 4), dtype="uint8", chunks=(2, 2))
    document["chunk_grid"] = {"name": "rectilinear", "configuration": BAD_GRIDS[name]}
    if name == "more than can be counted":
        assert Plan(json.dumps(document), b"\0").reason is not None
        return
    with pytest.raises(NativeError) as error:
        Plan(json.dumps(document), b"\0")
    assert error.value.kind == "invalid"


def test_shards_that_subchunks_do_not_divide_are_refused() -> None:
    from anyzarr_native import NativeError, Plan

    document = array_document(shape=(8, 4), dtype="uint8", chunks=(2, 2), shards=(4, 4))
    for edges, fits in ([4, 4], True), ([2, 6], True), ([4, 3, 1], False), ([3, 5], False):
        grid = {"kind": "inline", "chunk_shapes": [edges, 4]}
        document["chunk_grid"] = {"name": "rectilinear", "configuration": grid}
        if fits:
            assert Plan(json.dumps(document), b"\0").reason is None
        else:
            with pytest.raises(NativeError):
                Plan(json.dumps(document), b"\0")

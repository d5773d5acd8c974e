"""Index arrays carried out by the core, against numpy and against the parts of a selection."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from anyzarr import config, crud
from anyzarr.abc import Box, Request, Store
from anyzarr.engines import get_engine
from anyzarr.errors import CorruptDataError
from anyzarr.indexing import Selection, parts, plan, resolve
from anyzarr.metadata import ArrayMetadata, array_document, parse_array
from anyzarr.stores import LocalStore, MemoryStore
from anyzarr.testing import assert_identical
from anyzarr.testing._engine_arrays import random_values
from anyzarr.testing._engine_tools import odd_buffer, random_box

from ..indexing._reference import (  # noqa: TID252 (tests are no installed package)
    block_index,
    coordinates,
    numpy_index,
    orthogonal_index,
    outer,
)
from ._documents import Json, arrays_v2, arrays_v3

pytest.importorskip("anyzarr_native", reason="the native engine is not built")

from anyzarr.engines._native import NativeArrayIO, NativeEngine, _getter

ENGINE = NativeEngine()
Values = npt.NDArray[Any]
Mode = Literal["numpy", "orthogonal", "vectorized", "block"]


def opened(document: Json | ArrayMetadata, store: Store) -> NativeArrayIO:
    metadata = document if isinstance(document, ArrayMetadata) else parse_array(document)
    assert ENGINE.decline(metadata, store) is None
    io = ENGINE.open(metadata, store, "a")
    assert isinstance(io, NativeArrayIO)
    assert io.capabilities.indexed
    return io


def written(metadata: ArrayMetadata, store: Store, rng: np.random.Generator) -> Values:
    """Write a random box, so that chunks may be missing; return all elements."""
    expected = np.empty(metadata.shape, metadata.dtype)
    expected[...] = metadata.fill
    box = random_box(metadata.shape, rng, steps=False)
    expected[box.slices] = random_values(metadata, box.shape, rng)
    opened(metadata, store).write(box, expected[box.slices])
    return expected


def by_parts(io: NativeArrayIO, metadata: ArrayMetadata, chosen: Selection) -> Values:
    """Read box by box, as for engines that take no index arrays."""
    result = np.empty(chosen.result_shape, metadata.dtype)
    inner = chosen.inner(result)
    for part in parts(chosen, metadata.subchunk_grid):
        block = np.empty(part.box.shape, metadata.dtype)
        io.read(part.box, block)
        inner[part.target] = block[part.source]
    return result


@st.composite
def selections(draw: st.DrawFn, metadata: ArrayMetadata) -> tuple[Mode, Any]:
    mode: Mode = draw(st.sampled_from(["numpy", "numpy", "orthogonal", "vectorized", "block"]))
    if mode == "orthogonal":
        return mode, draw(orthogonal_index(metadata.shape))
    if mode == "vectorized":
        return mode, draw(coordinates(metadata.shape))
    if mode == "block":
        return mode, draw(block_index(metadata.grid.grid_shape))
    return mode, draw(indices(metadata))


@st.composite
def indices(draw: st.DrawFn, metadata: ArrayMetadata) -> Any:
    """What numpy takes; a mask may not fit the index arrays beside it."""
    index = draw(numpy_index(metadata.shape))
    try:
        np.broadcast_to(np.uint8(0), metadata.shape)[index]
    except IndexError:
        reject()
    return index


def independent(metadata: ArrayMetadata, store: Store) -> str:
    """Return the name of an engine of other authors that can read an array.

    An older zarr-python declines a shard within another codec.
    """
    for name in ("zarr", "zarrs"):
        if get_engine(name).decline(metadata, store) is None:
            return name
    raise AssertionError(f"nobody else reads {metadata.content}")


def numpy_read(array: Values, mode: Mode, index: Any, chosen: Selection) -> Values:
    if mode == "orthogonal":
        arrays, dropped = outer(array, index)
        return array[arrays].squeeze(dropped).reshape(chosen.result_shape)
    if mode == "block":
        assert chosen.box is not None
        return array[chosen.box.slices]
    return np.asarray(array[index], array.dtype)


@settings(max_examples=250, deadline=None)
@given(
    data=st.data(),
    document=st.one_of(arrays_v3(), arrays_v3(), arrays_v2()),
    seed=st.integers(0, 2**32 - 1),
    threads=st.sampled_from([1, 3]),
    is_local=st.booleans(),
)
def test_reads_as_numpy(
    data: st.DataObject,
    document: Json,
    seed: int,
    threads: int,
    is_local: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    metadata, rng = parse_array(document), np.random.default_rng(seed)
    store = LocalStore(tmp_path_factory.mktemp("a")) if is_local else MemoryStore()
    expected = written(metadata, store, rng)
    io = opened(metadata, store)
    for _ in range(3):
        mode, index = data.draw(selections(metadata))
        chosen = resolve(index, metadata.shape, mode=mode, grid=metadata.grid)
        out = odd_buffer(chosen.result_shape, metadata.dtype, int(rng.integers(4)))
        with config.scope(concurrency=threads):
            found = crud.read_region(
                metadata, store, "a", index, mode=mode, out=out, engine="native"
            )
            assert found is out
        assert_identical(found, numpy_read(expected, mode, index, chosen))
        assert_identical(found, by_parts(io, metadata, chosen))


@settings(max_examples=150, deadline=None)
@given(
    data=st.data(),
    document=st.one_of(arrays_v3(), arrays_v3(), arrays_v2()),
    seed=st.integers(0, 2**32 - 1),
    threads=st.sampled_from([1, 3]),
    is_local=st.booleans(),
    keep_empty=st.booleans(),
)
def test_writes_as_numpy(
    data: st.DataObject,
    document: Json,
    seed: int,
    threads: int,
    is_local: bool,
    keep_empty: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    metadata, rng = parse_array(document), np.random.default_rng(seed)
    store = LocalStore(tmp_path_factory.mktemp("a")) if is_local else MemoryStore()
    expected = written(metadata, store, rng)
    for turn in range(3):
        index = data.draw(indices(metadata))
        chosen = resolve(index, metadata.shape)
        value = random_values(metadata, chosen.result_shape, rng)
        if turn == 2:
            value[...] = metadata.fill  # chunks may vanish
        value = value if rng.random() < 0.5 else np.asarray(value, order="F")
        with config.scope(concurrency=threads, write_empty_chunks=keep_empty):
            crud.write_region(metadata, store, "a", index, value, engine="native")
        expected[index] = value
        found = crud.read_region(metadata, store, "a", engine=independent(metadata, store))
        assert_identical(found, expected)
    if keep_empty:
        return
    for coords in metadata.grid.coords():
        chunk = expected[metadata.grid.extent_of(coords)]
        blank = chunk.tobytes() == np.full_like(chunk, metadata.fill).tobytes()
        if blank:
            assert store.get(metadata.chunk_key("a", coords)) is None


# ------------------------------------------------------------------ what is fetched and decoded


class Counting(MemoryStore):
    """Counts how often each byte of each object is fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: dict[str, Counter[int]] = {}

    def get_many(self, requests: Sequence[Request]) -> list[bytes | None]:
        found = super().get_many(requests)
        for (key, span), data in zip(requests, found, strict=True):
            size = len(self.get(key) or b"")
            start, stop = (0, size) if span is None else span.resolve(size)
            assert data is None or len(data) == stop - start
            self.fetched.setdefault(key, Counter()).update(range(start, stop))
        return found


SHARDED = array_document(
    shape=(96, 64), dtype="uint16", chunks=(8, 8), shards=(48, 32), compressors=None
)
PLAIN = array_document(shape=(96, 64), dtype="uint16", chunks=(16, 16))

SPARSE = {
    "points": ((5, 5, 90, 50, 5), (7, 7, 60, 3, 1)),
    "mask": np.arange(96 * 64).reshape(96, 64) % 1999 == 0,
    "rows": ([3, 60, 3], slice(None, None, 40)),
    "columns": (slice(1, 2), [40, 2, 41]),
}


@pytest.mark.parametrize("name", sorted(SPARSE))
def test_each_subchunk_is_fetched_once_and_only_if_it_holds_a_selected_element(name: str) -> None:
    metadata, store = parse_array(SHARDED), Counting()
    values = np.arange(1, 96 * 64 + 1, dtype="u2").reshape(96, 64)
    crud.write_region(SHARDED, store, "a", ..., values, engine="native")
    store.fetched.clear()
    found = crud.read_region(SHARDED, store, "a", SPARSE[name], engine="native")
    assert_identical(found, values[SPARSE[name]])

    touched = plan(resolve(SPARSE[name], metadata.shape), metadata)
    keys = {metadata.chunk_key("a", coords) for coords in touched.chunks}
    assert set(store.fetched) == keys
    per_shard: Counter[str] = Counter()
    for row, column in touched.subchunks:
        per_shard[metadata.chunk_key("a", (row // 6, column // 4))] += 1
    index_bytes = 24 * 16 + 4
    for key, times in store.fetched.items():
        # This store tells no versions, so the index is read again, to know that it still holds.
        assert Counter(times.values()) == {1: per_shard[key] * 8 * 8 * 2, 2: index_bytes}


@pytest.mark.parametrize("name", sorted(SPARSE))
def test_each_chunk_is_fetched_once_and_only_if_it_holds_a_selected_element(name: str) -> None:
    metadata, store = parse_array(PLAIN), Counting()
    values = np.arange(1, 96 * 64 + 1, dtype="u2").reshape(96, 64)
    crud.write_region(PLAIN, store, "a", ..., values, engine="native")
    store.fetched.clear()
    found = crud.read_region(PLAIN, store, "a", SPARSE[name], engine="native")
    assert_identical(found, values[SPARSE[name]])
    touched = plan(resolve(SPARSE[name], metadata.shape), metadata)
    assert set(store.fetched) == {metadata.chunk_key("a", coords) for coords in touched.chunks}
    assert all(set(times.values()) == {1} for times in store.fetched.values())


@pytest.mark.parametrize("is_local", [False, True])
def test_subchunks_without_selected_elements_are_not_decoded(
    is_local: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Zeroed bytes of one subchunk harm those who ask for it alone, reading and writing."""
    document = array_document(shape=(64, 64), dtype="uint16", chunks=(8, 8), shards=(64, 64))
    store = LocalStore(tmp_path_factory.mktemp("a")) if is_local else MemoryStore()
    values = np.arange(64 * 64, dtype="u2").reshape(64, 64)
    crud.write_region(document, store, "a", ..., values, engine="native")
    key = parse_array(document).chunk_key("a", (0, 0))
    data = bytearray(store.get(key) or b"")
    data[:8] = bytes(8)  # subchunk (0, 0) comes first
    store.put(key, data)
    index = ([8, 30, 8, 63], [0, 30, 7, 63])
    assert_identical(crud.read_region(document, store, "a", index, engine="native"), values[index])
    crud.write_region(document, store, "a", index, [1, 2, 3, 4], engine="native")
    values[index] = [1, 2, 3, 4]
    rest = ([8, 30, 9, 63], slice(8, None))
    assert_identical(crud.read_region(document, store, "a", rest, engine="native"), values[rest])
    for harmed in (([8, 7], [0, 7]), ([7, 3], slice(60))):
        with pytest.raises(CorruptDataError) as error:
            crud.read_region(document, store, "a", harmed, engine="native")
        assert error.value.key == key
        with pytest.raises(CorruptDataError):
            crud.write_region(document, store, "a", harmed, 7, engine="native")


def test_chunks_written_as_a_whole_are_not_read() -> None:
    """A permutation of all elements replaces a chunk, even one that cannot be decoded."""
    document = array_document(shape=(6, 8), dtype="int32", chunks=(3, 4))
    metadata, store = parse_array(document), Counting()
    for coords in metadata.grid.coords():
        store.put(metadata.chunk_key("a", coords), b"garbage")
    rng = np.random.default_rng(3)
    rows, columns = np.divmod(rng.permutation(48), 8)
    value = rng.integers(0, 99, 48)
    crud.write_region(document, store, "a", (rows, columns), value, engine="native")
    expected = np.empty((6, 8), "i4")
    expected[rows, columns] = value
    assert store.fetched == {}
    assert_identical(crud.read_region(document, store, "a", engine="native"), expected)


# ------------------------------------------------------------------ many points, many threads


@pytest.mark.parametrize("is_local", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {"compressors": None},
        {},
        {"shards": (128, 60, 12)},
        {"compressors": "blosc"},
    ],
    ids=["raw", "zstd", "sharded", "blosc"],
)
def test_many_points_from_several_threads(
    options: dict[str, Any], is_local: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    document = array_document(shape=(300, 170, 20), dtype="float32", chunks=(32, 20, 6), **options)
    store = LocalStore(tmp_path_factory.mktemp("a")) if is_local else MemoryStore()
    rng = np.random.default_rng(1)
    values = rng.random((300, 170, 20)).astype("f4")
    crud.write_region(document, store, "a", ..., values, engine="native")

    points = tuple(rng.integers(-n, n, 20000) for n in values.shape)
    wanted: list[Any] = [
        points,
        tuple(np.sort(i) for i in points),
        (points[0][:900], slice(None, None, 3), points[2][:900]),
        (points[0][:500], slice(2, 9)),
        (slice(None), points[1][:300].reshape(3, 100)),
        np.random.default_rng(2).random(values.shape) < 0.1,
        np.random.default_rng(2).random(300) < 0.5,
    ]

    def read(index: Any) -> None:
        found = crud.read_region(document, store, "a", index, engine="native")
        np.testing.assert_array_equal(found, values[index])

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(read, wanted * 2))


def test_indices_of_more_than_32_bits() -> None:
    """Tables of the core are not that wide; the rest of the library is."""
    document = array_document(shape=(3, 2**33), dtype="int16", chunks=(2, 64))
    store = MemoryStore()
    index = ([0, 2, 0, 1], [2**32 + 5, 7, 2**33 - 1, 2**32 + 5])
    crud.write_region(document, store, "a", index, [1, 2, 3, 4], engine="native")
    found = crud.read_region(document, store, "a", index, engine="native")
    assert found.tolist() == [1, 2, 3, 4]
    beside = crud.read_region(document, store, "a", ([1], [5]), engine="native")
    assert beside.tolist() == [0]


# ------------------------------------------------------------------ what is no selection


BAD_POINTS: dict[str, Any] = {
    "out of bounds": ([((0, 1), ["i8:0,96", "i8:0,0"], (2,))], (2,)),
    "negative": ([((0, 1), ["i8:0,-1", "i8:0,0"], (2,))], (2,)),
    "huge": ([((0, 1), ["i8:0,9223372036854775807", "i8:0,0"], (2,))], (2,)),
    "wide": ([((0, 1), ["i8:0,4294967296", "i8:0,0"], (2,))], (2,)),
    "too few indices": ([((0, 1), ["i8:0,1", "i8:0"], (2,))], (2,)),
    "another shape": ([((0, 1), ["i8:0,1", "i8:0,0"], (3,))], (3,)),
    "a shape too large to count": ([((0, 1), ["i8:0,1", "i8:0,0"], (2**40, 2**40))], (2,)),
    "no array for a dimension": ([((0, 1), ["i8:0,1"], (2,))], (2,)),
    "no such dimension": ([((0, 2), ["i8:0,1", "i8:0,0"], (2,))], (2, 1)),
    "a dimension twice": ([((0, 0), ["i8:0,1", "i8:0,0"], (2,))], (2, 1)),
    "descending dimensions": ([((1, 0), ["i8:0,1", "i8:0,0"], (2,))], (2,)),
    "two tables of one dimension": (
        [((0,), ["i8:0,1"], (2,)), ((0, 1), ["i8:0,1", "i8:0,0"], (2,))],
        (2,),
    ),
    "no dimensions": ([((), [], (1,))], (1, 1)),
    "narrow indices": ([((0, 1), ["i4:0,1", "i4:0,0"], (2,))], (2,)),
    "an output of another shape": ([((0, 1), ["i8:0,1", "i8:0,0"], (2,))], (3,)),
    "an output of another rank": ([((0, 1), ["i8:0,1", "i8:0,0"], (2,))], (2, 1)),
}


@pytest.mark.parametrize("name", sorted(BAD_POINTS))
def test_malformed_points_are_refused(name: str) -> None:
    from anyzarr_native import NativeError

    points, out_shape = BAD_POINTS[name]

    def array(text: str) -> Values:
        dtype, _, numbers = text.partition(":")
        return np.array([int(n) for n in numbers.split(",")], dtype)

    made = [(dims, [array(text) for text in texts], shape) for dims, texts, shape in points]
    native = opened(PLAIN, MemoryStore()).native_handle
    fetched: list[Any] = []
    out = np.zeros(out_shape, "u2")
    where = (lambda asked: fetched.append(asked), "a/", (0, 0), (1, 1), (1, 1), out, 1, made)
    with pytest.raises(NativeError) as error:
        native.read_many(*where)
    assert error.value.kind == "invalid"
    assert fetched == []
    assert not out.any()


def test_no_points_read_nothing() -> None:
    native = opened(PLAIN, MemoryStore()).native_handle
    none = [((0,), [np.empty(0, "i8")], (0,))]
    out = np.empty((0, 64), "u2")
    native.read_many(lambda asked: 1 / 0, "a/", (0, 0), (1, 64), (1, 1), out, 2, none)


@pytest.mark.parametrize("dims", [(0, 1), (0,)])
def test_one_point_is_any_shape_of_table(dims: tuple[int, ...]) -> None:
    store = MemoryStore()
    io = opened(PLAIN, store)
    values = np.arange(96 * 64, dtype="u2").reshape(96, 64)
    io.write(Box.full((96, 64)), values)
    rest = (3,) if dims == (0,) else ()
    for shape in [(), (1,), (1, 1, 1)]:
        out = np.zeros((*shape, *rest), "u2")
        points = [(dims, [np.array([17], "i8")] * len(dims), shape)]
        io.native_handle.read_many(_getter(store), "a/", (0, 17), (1, 20), (1, 1), out, 2, points)
        assert_identical(
            out.reshape(rest), values[17, 17:20] if rest else np.asarray(values[17, 17])
        )

"""The byte layer: what it asks of a store, what it leaves alone, and what it makes of trouble."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyzarr import config
from anyzarr.abc import Box, ByteRange, Request
from anyzarr.engines import ByteLayerIO, read_stored_subchunk
from anyzarr.engines._shard_index import ShardLayout
from anyzarr.errors import CorruptDataError, StoreError, UnsupportedError
from anyzarr.metadata import ArrayMetadata, array_document, parse_array
from anyzarr.stores import MemoryStore

STEP = (1, 1)


class RawCodec:
    """Uncompressed chunks, and a record of how many were decoded and encoded."""

    def __init__(self, metadata: ArrayMetadata) -> None:
        self.shape, self.dtype = metadata.grid.chunk_shape, metadata.dtype
        self.decoded = self.encoded = 0

    def decode(self, data: bytes | bytearray | memoryview) -> npt.NDArray[Any]:
        self.decoded += 1
        assert self.shape is not None
        return np.frombuffer(data, self.dtype).reshape(self.shape)

    def encode(self, value: npt.NDArray[Any]) -> bytes:
        self.encoded += 1
        assert value.flags.c_contiguous
        return value.tobytes()


class RecordingStore(MemoryStore):
    """A memory store that writes down what it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Request] = []
        self.before_get: Callable[[list[Request]], None] = lambda requests: None

    def get(self, key: str, byte_range: ByteRange | None = None) -> bytes | None:
        self.asked.append((key, byte_range))
        return super().get(key, byte_range)

    def get_many(self, requests: Sequence[Request]) -> list[bytes | None]:
        self.before_get(list(requests))
        self.asked += requests
        return super().get_many(requests)


class Bench:
    """A sharded array of 16 x 8 with shards of 8 x 8 and subchunks of 2 x 4, all values known."""

    def __init__(self, **options: Any) -> None:
        document = array_document(
            **{"shape": (16, 8), "dtype": "uint16", "chunks": (2, 4), "shards": (8, 8),
               "compressors": None, "fill_value": 0, **options}
        )  # fmt: skip
        self.metadata = parse_array(document)
        self.store = RecordingStore()
        self.codecs: list[RawCodec] = []
        self.io = self.open(self._codec)
        shape = self.metadata.shape
        self.values = np.arange(1, 1 + int(np.prod(shape)), dtype=self.metadata.dtype)
        self.values = self.values.reshape(shape)
        self.io.write(Box.full(shape), self.values)
        self.reset()

    def open(self, codec_of: Callable[[ArrayMetadata], Any]) -> ByteLayerIO:
        return ByteLayerIO(self.metadata, self.store, "a", codec_of, "raw")

    def _codec(self, metadata: ArrayMetadata) -> RawCodec:
        self.codecs.append(RawCodec(metadata))
        return self.codecs[-1]

    def reset(self) -> None:
        self.store.asked.clear()
        for codec in self.codecs:
            codec.decoded = codec.encoded = 0

    @property
    def decoded(self) -> int:
        return sum(codec.decoded for codec in self.codecs)

    @property
    def encoded(self) -> int:
        return sum(codec.encoded for codec in self.codecs)

    @property
    def layout(self) -> ShardLayout:
        assert self.metadata.sharding is not None
        assert self.metadata.grid.chunk_shape is not None
        layout = ShardLayout.of(self.metadata.grid.chunk_shape, self.metadata.sharding)
        assert layout is not None
        return layout

    def read(self, *slices: slice) -> npt.NDArray[Any]:
        shape = self.metadata.shape
        ranges = [s.indices(n) for s, n in zip(slices, shape, strict=True)]
        box = Box(*(tuple(r[i] for r in ranges) for i in range(3)))
        out = np.empty(box.shape, self.metadata.dtype)
        self.io.read(box, out)
        assert np.array_equal(out, self.values[slices])
        return out


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_one_subchunk_takes_the_index_and_its_bytes_and_no_more(bench: Bench) -> None:
    bench.read(slice(9, 10), slice(5, 6))
    first, (key, byte_range), last = bench.store.asked
    assert first == last == ("a/c/1/0", ByteRange(-bench.layout.size_bytes))
    assert key == "a/c/1/0"
    assert byte_range is not None
    assert byte_range.stop == byte_range.start + 2 * 4 * 2
    assert bench.decoded == 1


def test_strides_fetch_only_what_holds_selected_elements(bench: Bench) -> None:
    bench.read(slice(1, 16, 8), slice(0, 8, 4))
    ranges = [r for _, r in bench.store.asked if r is not None and r.start >= 0]
    assert len(ranges) == bench.decoded == 4


def test_most_of_a_shard_is_one_request(bench: Bench) -> None:
    bench.read(slice(0, 6), slice(0, 8))
    assert bench.store.asked == [("a/c/0/0", None)]
    assert bench.decoded == 6


def test_large_shards_are_read_by_ranges(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anyzarr.engines._shard_read._WHOLE_SHARD_BYTES", 100)
    monkeypatch.setattr("anyzarr.engines._shard_read._FETCH_BYTES", 40)
    bench.read(slice(0, 16), slice(0, 8))
    assert all(byte_range is not None for _, byte_range in bench.store.asked)
    assert bench.decoded == 16


def test_absent_shards_and_subchunks_read_as_the_fill_value() -> None:
    bench = Bench(fill_value=7)
    bench.values[:8] = 7
    bench.values[8:10] = 7
    bench.io.write(Box.full((16, 8)), bench.values)
    assert [info.key for info in bench.store.list()] == ["a/c/1/0"]
    bench.reset()
    bench.read(slice(0, 16), slice(0, 1))
    assert bench.decoded == 3


def test_writing_whole_shards_and_chunks_reads_nothing() -> None:
    for options in ({}, {"shards": None}):
        bench = Bench(shape=(15, 7), **options)
        bench.io.write(Box.full((15, 7)), bench.values)
        bench.io.write(Box((8, 0), (15, 7), STEP), bench.values[8:])
        assert bench.store.asked == []
        assert bench.decoded == 0


def test_writing_a_part_copies_the_other_subchunks_as_they_are(bench: Bench) -> None:
    before = bench.store.get("a/c/0/0")
    assert before is not None
    start, stop = bench.layout.decode(bench.layout.find(before)).range_of((3, 1)) or (0, 0)
    # What no codec of ours would write survives, because nobody looks at it.
    odd = before[:start] + b"\xee" * (stop - start) + before[stop:]
    bench.store.put("a/c/0/0", odd)
    bench.reset()
    bench.io.write(Box((0, 0), (3, 4), STEP), np.full((3, 4), 5, "u2"))
    after = bench.store.get("a/c/0/0")
    assert after is not None
    span = bench.layout.decode(bench.layout.find(after)).range_of((3, 1))
    assert span is not None
    assert after[slice(*span)] == b"\xee" * (stop - start)
    # The subchunk covered whole is not decoded, the other one is.
    assert (bench.decoded, bench.encoded) == (1, 2)


def test_the_same_content_is_the_same_bytes_however_it_was_written(bench: Bench) -> None:
    expected = {info.key: bench.store.get(info.key) for info in bench.store.list()}
    other = Bench()
    other.store.delete_prefix("")
    for row in reversed(range(16)):
        other.io.write(Box((row, 0), (row + 1, 8), STEP), bench.values[row : row + 1])
    assert {info.key: other.store.get(info.key) for info in other.store.list()} == expected


def test_a_part_that_empties_a_shard_deletes_it(bench: Bench) -> None:
    bench.io.write(Box((0, 0), (7, 8), STEP), np.zeros((7, 8), "u2"))
    assert bench.store.get("a/c/0/0") is not None
    bench.io.write(Box((7, 0), (8, 8), STEP), np.zeros((1, 8), "u2"))
    assert bench.store.get("a/c/0/0") is None
    with config.scope(write_empty_chunks=True):
        bench.io.write(Box((7, 0), (8, 8), STEP), np.zeros((1, 8), "u2"))
    shard = bench.store.get("a/c/0/0")
    assert shard is not None
    index = bench.layout.decode(bench.layout.find(shard))
    assert [c for c in np.ndindex(4, 2) if index.range_of(c)] == [(3, 0), (3, 1)]


def test_padding_does_not_keep_a_chunk_alive() -> None:
    bench = Bench(shape=(3, 3), chunks=(2, 2), shards=None, fill_value=0)
    bench.io.write(Box((2, 2), (3, 3), STEP), np.zeros((1, 1), "u2"))
    assert bench.store.get("a/c/1/1") is None


def test_a_shard_replaced_while_it_is_read_is_read_again(bench: Bench) -> None:
    """The index of one shard with the bytes of another must not be taken for data."""
    replaced = Bench(compressors=None)
    replaced.values[:8] += 100
    replaced.io.write(Box((2, 0), (8, 8), STEP), replaced.values[2:8])
    replaced.io.write(Box((0, 0), (2, 8), STEP), np.zeros((2, 8), "u2"))
    other = replaced.store.get("a/c/0/0")
    assert other is not None

    def swap(requests: list[Request]) -> None:
        if any(r is not None and r.start >= 0 for _, r in requests):
            bench.store.put("a/c/0/0", other)

    bench.store.before_get = swap
    out = np.empty((1, 1), "u2")
    bench.io.read(Box((7, 7), (8, 8), STEP), out)
    assert out[0, 0] == replaced.values[7, 7]


def test_a_shard_deleted_while_it_is_read_reads_as_the_fill_value(bench: Bench) -> None:
    def drop(requests: list[Request]) -> None:
        if any(r is not None and r.start >= 0 for _, r in requests):
            bench.store.delete("a/c/0/0")

    bench.store.before_get = drop
    out = np.ones((1, 1), "u2")
    bench.io.read(Box((7, 7), (8, 8), STEP), out)
    assert out[0, 0] == 0


@pytest.mark.parametrize("box", [Box((0, 0), (1, 1), STEP), Box((0, 0), (8, 8), STEP)])
def test_a_damaged_index_names_its_shard_and_is_not_written_over(bench: Bench, box: Box) -> None:
    shard = bytearray(bench.store.get("a/c/0/0") or b"")
    shard[-1] ^= 1
    bench.store.put("a/c/0/0", bytes(shard))
    with pytest.raises(CorruptDataError) as raised:
        bench.io.read(box, np.empty(box.shape, "u2"))
    error = raised.value
    assert (error.store, error.key) == (str(bench.store.spec), "a/c/0/0")
    assert (error.chunk_coords, error.engine) == ((0, 0), "raw")
    with pytest.raises(CorruptDataError):
        bench.io.write(Box((0, 0), (1, 1), STEP), np.ones((1, 1), "u2"))
    assert bench.store.get("a/c/0/0") == bytes(shard)


class BadCodec:
    def __init__(self, result: Any) -> None:
        self.result = result

    def decode(self, data: Any) -> Any:
        if isinstance(self.result, Exception):
            raise self.result
        return self.result

    def encode(self, value: Any) -> bytes:
        return bytes(self.decode(b""))


@pytest.mark.parametrize(
    "result",
    [
        RuntimeError("zlib says no"),
        ValueError(),
        CorruptDataError("short"),
        np.zeros((2, 3), "u2"),
        np.zeros((2, 4), "i2"),
        np.zeros((2, 4), "u4"),
        np.zeros(8, "u2"),
    ],
    ids=repr,
)
def test_whatever_a_codec_does_wrong_is_a_located_error(bench: Bench, result: Any) -> None:
    io = bench.open(lambda metadata: BadCodec(result))
    with pytest.raises(CorruptDataError) as raised:
        io.read(Box.full((16, 8)), np.empty((16, 8), "u2"))
    assert raised.value.key in {"a/c/0/0", "a/c/1/0"}
    assert raised.value.chunk_coords in {(0, 0), (1, 0)}


def test_other_byte_orders_of_a_codec_are_taken(bench: Bench) -> None:
    big = np.full((2, 4), 258, ">u2")
    out = np.empty((2, 4), "u2")
    bench.open(lambda metadata: BadCodec(big)).read(Box((0, 0), (2, 4), STEP), out)
    assert (out == 258).all()


@pytest.mark.parametrize("error", [UnsupportedError("no such codec"), MemoryError()])
def test_what_is_no_corruption_passes_as_it_is(bench: Bench, error: Exception) -> None:
    with pytest.raises(type(error)) as raised:
        bench.open(lambda metadata: BadCodec(error)).read(
            Box((0, 0), (1, 1), STEP), np.empty((1, 1), "u2")
        )
    assert raised.value is error


def test_an_encoder_that_fails_leaves_the_store_alone(bench: Bench) -> None:
    before = {info.key: bench.store.get(info.key) for info in bench.store.list()}
    io = bench.open(lambda metadata: BadCodec(RuntimeError("no room")))
    with pytest.raises(UnsupportedError) as raised:
        io.write(Box.full((16, 8)), np.ones((16, 8), "u2"))
    assert raised.value.engine == "raw"
    assert {info.key: bench.store.get(info.key) for info in bench.store.list()} == before


def test_errors_of_the_store_pass_through(bench: Bench) -> None:
    def fail(requests: list[Request]) -> None:
        raise StoreError("the network is down", key=requests[0][0])

    bench.store.before_get = fail
    with pytest.raises(StoreError):
        bench.io.read(Box.full((16, 8)), np.empty((16, 8), "u2"))


def test_each_chunk_shape_of_a_rectilinear_grid_gets_its_codec() -> None:
    document = array_document(shape=(7,), dtype="uint8", chunks=(2,), compressors=None)
    grid = {"name": "rectilinear", "configuration": {"kind": "inline", "chunk_shapes": [[2, 5]]}}
    metadata = parse_array({**document, "chunk_grid": grid})
    store = MemoryStore()
    io = ByteLayerIO(metadata, store, "", RawCodec, "raw")
    values = np.arange(1, 8, dtype="u1")
    io.write(Box((0,), (7,), (1,)), values)
    assert (store.get("c/0"), store.get("c/1")) == (b"\1\2", b"\3\4\5\6\7")
    out = np.empty(3, "u1")
    io.read(Box((0,), (7,), (3,)), out)
    assert out.tolist() == [1, 4, 7]


@given(st.tuples(st.integers(0, 15), st.integers(0, 7)), st.integers(0, 99))
def test_encoded_subchunks_are_the_bytes_in_the_shard(element: tuple[int, int], fill: int) -> None:
    bench = Bench(fill_value=fill)
    coords = (element[0] // 2, element[1] // 4)
    data = read_stored_subchunk(bench.metadata, bench.store, "a", coords)
    assert data is not None
    origin = (coords[0] * 2, coords[1] * 4)
    expected = bench.values[origin[0] : origin[0] + 2, origin[1] : origin[1] + 4]
    assert data == expected.tobytes()


def test_encoded_subchunks_need_bytes_of_their_own() -> None:
    document = array_document(shape=(4,), dtype="uint8", chunks=(2,), shards=(4,), compressors=None)
    document = {**document, "codecs": [*document["codecs"], {"name": "crc32c"}]}
    with pytest.raises(UnsupportedError):
        read_stored_subchunk(parse_array(document), MemoryStore(), "", (0,))


@pytest.mark.parametrize("concurrency", [1, 3])
def test_many_chunks_in_batches(concurrency: int) -> None:
    bench = Bench(shape=(64, 64), chunks=(2, 2), shards=None)
    with config.scope(concurrency=concurrency):
        bench.read(slice(0, 64), slice(3, 64, 7))
        bench.io.write(Box((1, 1), (63, 63), STEP), bench.values[1:63, 1:63])
    bench.read(slice(0, 64), slice(0, 64))

"""Elements of variable length in the native engine: against zarr-python, both ways, and damaged."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from numcodecs import Blosc, GZip, Zstd

import anyzarr
from anyzarr import config, crud
from anyzarr.abc import Ragged, RaggedArrayIO, Store
from anyzarr.engines import get_engine
from anyzarr.errors import CorruptDataError, MetadataError, UnsupportedError
from anyzarr.metadata import encode_documents, parse_array
from anyzarr.stores import LocalStore, MemoryStore, open_store
from anyzarr.testing import assert_identical
from anyzarr.testing._engine_arrays import random_values
from anyzarr.testing._engine_tools import odd_buffer, random_box

from ._documents import Json, bytes_codecs, codec

pytest.importorskip("anyzarr_native", reason="the native engine is not built")

from anyzarr.engines._native import NativeEngine

ENGINE = NativeEngine()
VLEN = {"bytes": codec("vlen-bytes"), "string": codec("vlen-utf8")}
INDEX = [codec("bytes", endian="little"), codec("crc32c")]
FILLS = {"bytes": ["", "YWI="], "string": ["", "ß", "none"]}


def v3(data_type: str, shape: Any, chunks: Any, codecs: list[Json], fill: str = "") -> Json:
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(shape),
        "data_type": "variable_length_bytes" if data_type == "bytes" else data_type,
        "chunk_grid": codec("regular", chunk_shape=list(chunks)),
        "chunk_key_encoding": codec("default", separator="/"),
        "fill_value": fill,
        "codecs": codecs,
        "attributes": {},
    }


@st.composite
def documents(draw: st.DrawFn) -> Json:
    data_type = draw(st.sampled_from(["bytes", "string"]))
    # zarr-python does not write bytes to arrays without dimensions.
    ndim = draw(st.integers(1 if data_type == "bytes" else 0, 3))
    sub = [draw(st.integers(1, 3)) for _ in range(ndim)]
    chunks = [n * draw(st.integers(1, 3)) for n in sub]
    shape = [draw(st.integers(1, 9)) for _ in range(ndim)]
    chain = [VLEN[data_type], *draw(bytes_codecs(1))]
    if ndim > 1 and draw(st.booleans()):
        chain.insert(0, codec("transpose", order=draw(st.permutations(range(ndim)))))
    if ndim and draw(st.booleans()):
        location = draw(st.sampled_from(["start", "end"]))
        shard = codec("sharding_indexed", chunk_shape=sub, codecs=chain, index_codecs=INDEX,
                      index_location=location)  # fmt: skip
        chain = [shard]
    return v3(data_type, shape, chunks, chain, draw(st.sampled_from(FILLS[data_type])))


COMMON = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore:Combining a .sharding_indexed. codec")  # it costs zarr time
@settings(max_examples=30, **COMMON)
@given(
    document=documents(),
    seed=st.integers(0, 2**32 - 1),
    threads=st.sampled_from([1, 3]),
    in_memory=st.booleans(),
)
def test_zarr_python_agrees(
    document: Json, seed: int, threads: int, in_memory: bool, tmp_path_factory: Any
) -> None:
    import zarr

    metadata, rng = parse_array(document), np.random.default_rng(seed)
    folder = tmp_path_factory.mktemp("ragged")
    store = LocalStore(folder)
    assert ENGINE.decline(metadata, store) is None
    assume(get_engine("zarr").decline(metadata, store) is None)  # an older one, what it mixes up
    for key, data in encode_documents(document, "a").items():
        store.put(key, data)
    judge = zarr.open_array(str(folder), path="a", mode="r+", zarr_format=3)
    expected = np.empty(metadata.shape, metadata.dtype)
    expected[...] = metadata.fill
    with config.scope(concurrency=threads):
        for turn in range(4):
            box = random_box(metadata.shape, rng, steps=False)
            value = random_values(metadata, box.shape, rng)
            if turn % 2:
                judge[box.slices] = value
            else:
                ENGINE.open(metadata, store, "a").write(box, value)
            expected[box.slices] = value
            place = in_memory_copy(store) if in_memory else store
            wanted = random_box(metadata.shape, rng, steps=True)
            out = odd_buffer(wanted.shape, metadata.dtype, turn)
            ENGINE.open(metadata, place, "a").read(wanted, out)
            assert_identical(out, expected[(*wanted.slices, ...)])
            theirs = np.asarray(judge[...], metadata.dtype)  # without dimensions a str
            assert_identical(theirs.reshape(metadata.shape), expected)
            check_elements(document, place, expected, rng)


def in_memory_copy(store: Store) -> MemoryStore:
    copy = MemoryStore()
    for info in store.list():
        data = store.get(info.key)
        assert data is not None
        copy.put(info.key, data)
    return copy


def check_elements(document: Json, store: Store, expected: Any, rng: Any) -> None:
    n = int(rng.integers(0, 20))
    where = (
        rng.integers(0, expected.shape, (n, expected.ndim))
        if expected.ndim
        else np.empty((n, 0), int)
    )
    found = crud.read_ragged(document, store, "a", where, engine="native").to_list()
    values = [expected[tuple(row)] for row in where.tolist()]
    values = [value.item() if isinstance(value, np.ndarray) else value for value in values]
    assert found == [v.encode() if isinstance(v, str) else v for v in values]


@settings(max_examples=40, **COMMON)
@given(document=documents(), seed=st.integers(0, 2**32 - 1), on_condition=st.booleans())
def test_native_writes_what_the_general_path_writes(
    document: Json, seed: int, on_condition: bool
) -> None:
    metadata, rng = parse_array(document), np.random.default_rng(seed)
    stores = {name: Conditional() if on_condition else MemoryStore() for name in ("native", "zarr")}
    assume(get_engine("zarr").decline(metadata, stores["zarr"]) is None)
    for _ in range(3):
        chosen = np.flatnonzero(rng.random(int(np.prod(metadata.shape))) < rng.random())
        rng.shuffle(chosen)
        where = np.array(np.unravel_index(chosen, metadata.shape or (1,))).T
        where = (
            where.reshape(len(chosen), metadata.ndim)
            if metadata.ndim
            else np.empty((len(chosen), 0), int)
        )
        values = random_values(metadata, (len(where),), rng).tolist()
        ragged = Ragged.of([v.encode() if isinstance(v, str) else v for v in values])
        for name, store in stores.items():
            crud.write_ragged(document, store, "a", where, ragged, engine=name)
    found = {n: crud.read_region(document, s, "a", engine="zarr") for n, s in stores.items()}
    assert_identical(found["native"], found["zarr"])
    if not on_condition:
        keys = [sorted(info.key for info in store.list()) for store in stores.values()]
        assert keys[0] == keys[1]


class Conditional(MemoryStore):
    """A store as one on the network: with conditional puts, and not of this process alone."""

    @property
    def capabilities(self) -> Any:
        import dataclasses

        return dataclasses.replace(super().capabilities, in_process=False)


def test_members_of_an_archive_are_read(tmp_path: Path) -> None:
    document = v3("bytes", (4, 3), (2, 1), [VLEN["bytes"]])
    store = MemoryStore()
    where = np.argwhere(np.ones((4, 3), bool))
    written = Ragged.of([b"x" * n for n in range(12)])
    crud.write_ragged(document, store, "a", where, written)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for info in store.list():
            archive.writestr(info.key, store.get(info.key) or b"")
    archived = open_store(str(tmp_path / "a.zip"))
    io = ENGINE.open(parse_array(document), archived, "a")
    assert io.capabilities.ragged
    assert not io.capabilities.byte_layer
    assert crud.read_ragged(document, archived, "a", where, engine="native") == written


def test_many_large_elements_are_read_on_all_threads(tmp_path: Path) -> None:
    chain = [VLEN["bytes"], codec("zstd", level=1, checksum=False)]
    shard = codec("sharding_indexed", chunk_shape=[1], codecs=chain, index_codecs=INDEX,
                  index_location="end")  # fmt: skip
    document = v3("bytes", (600,), (300,), [shard])
    rng = np.random.default_rng(0)
    lengths = rng.integers(0, 20_000, 600)
    written = Ragged.from_lengths(rng.integers(0, 9, lengths.sum(), np.uint8), lengths)
    store = LocalStore(tmp_path)
    with config.scope(concurrency=3):
        crud.write_ragged(document, store, "a", np.arange(600)[:, None], written)
        order = rng.permutation(600)
        found = crud.read_ragged(document, store, "a", order[:, None])
    assert found == written.take(order)
    assert len(list(store.list())) == 2


def test_zeros_at_the_end_of_bytes_count() -> None:
    """numpy's own bytes lose them, and zarr-python with them where they are the fill value."""
    document, store = v3("bytes", (3,), (1,), [VLEN["bytes"]], "AAA="), MemoryStore()
    crud.write_ragged(document, store, "a", [[0], [1]], Ragged.of([b"\0", b"\0\0"]))
    assert [info.key for info in store.list()] == ["a/c/0"]
    found = crud.read_region(document, store, "a", engine="native")
    assert found.tolist() == [b"\0", b"\0\0", b"\0\0"]


def test_arrays_of_text_and_objects_take_the_native_engine() -> None:
    for dtype, values in [("string", ["a", "ß"]), ("bytes", [b"a", b""])]:
        array = anyzarr.create_array({}, shape=(2,), dtype=dtype, chunks=(1,))
        array[:] = values
        assert array.engine == "native"
        assert array[::-1].tolist() == values[::-1]
        assert array.oindex[[1, 1]].tolist() == [values[1]] * 2
        assert_identical(array[...], np.array(values, array.dtype))


@pytest.mark.parametrize("value", [[b"a"], [None], ["\ud800"]], ids=repr)
def test_what_is_no_text_is_refused(value: list[Any]) -> None:
    array = anyzarr.create_array({}, shape=(1,), dtype="string", chunks=(1,))
    with pytest.raises(MetadataError):
        array[:] = np.array(value, object)


# ------------------------------------------------------------------ damaged

GOOD = struct.pack("<II2sI1s", 2, 2, b"ab", 1, b"c")
BAD: dict[str, bytes] = {
    "nothing": b"",
    "cut off in the count": GOOD[:3],
    "no elements": struct.pack("<I", 2),
    "too few elements": struct.pack("<II", 1, 0),
    "too many elements": struct.pack("<IIII", 3, 0, 0, 0),
    "an absurd count": struct.pack("<III", 2**32 - 1, 0, 0),
    "cut off in a length": GOOD[:5],
    "cut off in an element": GOOD[:-1],
    "an absurd length": struct.pack("<IIII", 2, 2**32 - 1, 0, 0),
    "a length that wraps": struct.pack("<IIII", 2, 2**32 - 4, 0, 0),
    "something after it": GOOD + b"!",
}
COMPRESSED: dict[str, tuple[Json, Callable[[bytes], bytes]]] = {
    "zstd": (codec("zstd", level=1, checksum=False), lambda data: bytes(Zstd(1).encode(data))),
    "gzip": (codec("gzip", level=1), lambda data: bytes(GZip(1).encode(data))),
    "blosc": (
        codec("blosc", cname="lz4", clevel=1, shuffle="noshuffle", typesize=1, blocksize=0),
        lambda data: bytes(Blosc("lz4", 1, 0).encode(data)),
    ),
}


def read_damaged(codecs: list[Json], data: bytes, data_type: str = "bytes") -> list[bytes]:
    store = MemoryStore()
    store.put("a/c/0", data)
    document = v3(data_type, (2,), (2,), [VLEN[data_type], *codecs])
    try:
        with pytest.raises(CorruptDataError) as caught:
            crud.read_region(document, store, "a", engine="native")
        assert caught.value.key == "a/c/0"
        assert caught.value.chunk_coords == (0,)
    finally:
        found = crud.read_ragged(document, store, "a", [[0], [1]], engine="native")
    return found.to_list()


@pytest.mark.parametrize("name", [None, *COMPRESSED])
@pytest.mark.parametrize("data", BAD.values(), ids=BAD.keys())
def test_lying_counts_and_lengths_are_corrupt(name: str | None, data: bytes) -> None:
    chain = [] if name is None else [COMPRESSED[name][0]]
    with pytest.raises(CorruptDataError):
        read_damaged(chain, data if name is None else COMPRESSED[name][1](data))


@pytest.mark.parametrize("name", list(COMPRESSED))
def test_damaged_streams_are_corrupt_or_elements(name: str) -> None:
    chain, encode = COMPRESSED[name]
    stream, rng = encode(GOOD * 20), np.random.default_rng(5)
    document, store = v3("bytes", (2,), (2,), [VLEN["bytes"], chain]), MemoryStore()
    for _ in range(300):
        broken = bytearray(stream[: rng.integers(0, len(stream) + 1)])
        for place in rng.integers(0, max(1, len(broken)), 2).tolist():
            if broken:
                broken[place] ^= int(rng.integers(1, 256))
        store.put("a/c/0", bytes(broken))
        with pytest.raises(CorruptDataError):
            crud.read_ragged(document, store, "a", [[0]], engine="native")


def test_sizes_that_streams_claim_take_no_memory() -> None:
    """They are believed only as far as the stored bytes justify them."""
    frame = b"\x28\xb5\x2f\xfd\xe0" + struct.pack("<Q", 1 << 40) + b"\x01\x00\x00"
    blosc = struct.pack("<4BIII", 2, 1, 0, 1, 2**31 - 1, 2**31 - 1, 20) + b"abcd"
    for name, data in [("zstd", frame), ("blosc", blosc)]:
        with pytest.raises(CorruptDataError, match="claim"):
            read_damaged([COMPRESSED[name][0]], data)


def test_strings_that_are_not_utf8_are_corrupt() -> None:
    data = struct.pack("<II1sI", 2, 1, b"\xff", 0)
    with pytest.raises(CorruptDataError):
        read_damaged([], data, "string")


def test_damaged_subchunks_are_named() -> None:
    shard = codec("sharding_indexed", chunk_shape=[1], codecs=[VLEN["bytes"]], index_codecs=INDEX,
                  index_location="end")  # fmt: skip
    document, store = v3("bytes", (4,), (4,), [shard]), MemoryStore()
    crud.write_ragged(document, store, "a", [[0], [2]], Ragged.of([b"abc", b"de"]))
    data = bytearray(store.get("a/c/0") or b"")
    data[15] = 200  # the length of element 2
    store.put("a/c/0", bytes(data))
    assert crud.read_ragged(document, store, "a", [[0], [1]]).to_list() == [b"abc", b""]
    with pytest.raises(CorruptDataError, match=r"subchunk \[2\]"):
        crud.read_ragged(document, store, "a", [[2]], engine="native")
    # What is damaged is replaced as a whole, and kept as it is where it is not touched.
    crud.write_ragged(document, store, "a", [[2]], Ragged.of([b"new"]))
    found = crud.read_ragged(document, store, "a", [[0], [2]]).to_list()
    assert found == [b"abc", b"new"]


def test_a_damaged_chunk_is_not_changed_in_part() -> None:
    document, store = v3("bytes", (2,), (2,), [VLEN["bytes"]]), MemoryStore()
    store.put("a/c/0", GOOD[:-1])
    with pytest.raises(CorruptDataError):
        crud.write_ragged(document, store, "a", [[0]], Ragged.of([b"new"]), engine="native")
    assert store.get("a/c/0") == GOOD[:-1]
    crud.write_ragged(document, store, "a", [[1], [0]], Ragged.of([b"y", b"x"]), engine="native")
    assert crud.read_ragged(document, store, "a", [[0], [1]]).to_list() == [b"x", b"y"]


@pytest.mark.parametrize(
    "codecs",
    [
        [codec("bytes", endian="little")],
        [codec("vlen-utf8")],
        [
            codec("sharding_indexed", chunk_shape=[1], codecs=[VLEN["bytes"]], index_codecs=INDEX,
                  index_location="end"),
            codec("gzip", level=1),
        ],
        [VLEN["bytes"], codec("numcodecs.shuffle", elementsize=4)],
    ],
    ids=["bytes", "of text", "around a shard", "shuffled"],
)  # fmt: skip
def test_what_is_not_covered_is_declined(codecs: list[Json]) -> None:
    document = v3("bytes", (2,), (2,), codecs)
    try:
        metadata = parse_array(document)
    except (MetadataError, UnsupportedError):
        return
    assert ENGINE.decline(metadata, MemoryStore())


def test_other_engines_take_the_general_path() -> None:
    document, store = v3("bytes", (2,), (2,), [VLEN["bytes"]]), MemoryStore()
    io = get_engine("zarr").open(parse_array(document), store, "a")
    assert not io.capabilities.ragged
    assert not hasattr(io, "read_ragged")
    native: RaggedArrayIO = ENGINE.open(parse_array(document), store, "a")
    assert native.capabilities.ragged
    assert native.read_ragged(np.array([[1]])).to_list() == [b""]

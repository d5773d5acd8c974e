"""Native against zarr-python and zarrista themselves, on random arrays and boxes, both ways.

The two are used through their own interfaces, without anything of ours between.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from anyzarr import config
from anyzarr.abc import Box, Store
from anyzarr.engines._cells import view
from anyzarr.metadata import ArrayMetadata, encode_documents, parse_array
from anyzarr.stores import LocalStore, MemoryStore
from anyzarr.testing import assert_identical
from anyzarr.testing._engine_arrays import random_values
from anyzarr.testing._engine_tools import odd_buffer, random_box

pytest.importorskip("anyzarr_native", reason="the native engine is not built")

from anyzarr.engines._native import NativeEngine

ENGINE = NativeEngine()
Json = dict[str, Any]
Values = npt.NDArray[Any]

# ------------------------------------------------------------------ arrays

FILLS: dict[str, list[Any]] = {
    "bool": [False, True],
    "int8": [0, -1],
    "uint8": [0, 255],
    "int16": [0, -2],
    "uint16": [0, 513],
    "int32": [-5],
    "uint32": [0, 2**32 - 1],
    "int64": [0, -(2**60)],
    "uint64": [0, 2**64 - 1],
    "float16": [0.0, "NaN"],
    "float32": [0.0, "-Infinity", "NaN"],
    "float64": [-0.0, 0.1],
    "complex64": [[0.0, 0.0], [1.0, "NaN"]],
    "complex128": [[-0.0, 2.5]],
}


def codec(name: str, **configuration: Any) -> Json:
    return {"name": name, "configuration": configuration} if configuration else {"name": name}


@st.composite
def bytes_codecs(draw: st.DrawFn, itemsize: int) -> list[Json]:
    level = st.integers(1, 6)
    blosc = st.builds(
        lambda cname, clevel, shuffle, blocksize: codec(
            "blosc",
            cname=cname,
            clevel=clevel,
            shuffle=shuffle,
            typesize=itemsize,
            blocksize=blocksize,
        ),
        st.sampled_from(["lz4", "lz4hc", "blosclz", "zlib", "zstd"]),
        st.integers(0, 9),
        st.sampled_from(["noshuffle", "shuffle", "bitshuffle"]),
        st.sampled_from([0, 0, 128, 1000]),
    )
    one = st.one_of(
        st.builds(lambda n, c: codec("zstd", level=n, checksum=c), level, st.booleans()),
        level.map(lambda n: codec("gzip", level=n)),
        blosc,
        st.just(codec("crc32c")),
    )
    made = draw(st.lists(one, max_size=2))
    for after in made[1:]:
        # zarrista cannot read what it writes if Blosc gets no whole number of elements.
        if after["name"] == "blosc":
            after["configuration"]["typesize"] = 1
    return made


@st.composite
def chains(draw: st.DrawFn, itemsize: int, ndim: int) -> list[Json]:
    made = []
    if ndim > 1 and draw(st.booleans()):
        made.append(codec("transpose", order=draw(st.permutations(range(ndim)))))
    endian = draw(st.sampled_from(["little", "big"]))
    made.append(codec("bytes", endian=endian) if itemsize > 1 else codec("bytes"))
    return made + draw(bytes_codecs(itemsize))


def sharded(draw: st.DrawFn, chunk: list[int], chain: list[Json], around: bool) -> list[Json]:
    index_codecs = [codec("bytes", endian=draw(st.sampled_from(["little", "big"])))]
    if draw(st.booleans()):
        index_codecs.append(codec("crc32c"))
    shard = codec(
        "sharding_indexed",
        chunk_shape=chunk,
        codecs=chain,
        index_codecs=index_codecs,
        index_location=draw(st.sampled_from(["start", "end"])),
    )
    after = [codec("crc32c")] if around and draw(st.integers(0, 3)) == 0 else []
    return [shard, *after]


@st.composite
def arrays_v3(draw: st.DrawFn) -> Json:
    name = draw(st.sampled_from(sorted(FILLS)))
    ndim = draw(st.integers(1, 4))
    chain = draw(chains(np.dtype(name).itemsize, ndim))
    chunk = [draw(st.integers(1, 9 if ndim < 3 else 4)) for _ in range(ndim)]
    for depth in range(draw(st.sampled_from([0, 0, 1, 1, 2]))):
        chain = sharded(draw, chunk, chain, around=depth == 0)
        chunk = [n * draw(st.integers(1, 3)) for n in chunk]
    separator = draw(st.sampled_from(["/", "."]))
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [draw(st.integers(1, 30 if ndim < 3 else 9)) for _ in range(ndim)],
        "data_type": name,
        "chunk_grid": codec("regular", chunk_shape=chunk),
        "chunk_key_encoding": codec(draw(st.sampled_from(["default", "v2"])), separator=separator),
        "fill_value": draw(st.sampled_from(FILLS[name])),
        "codecs": chain,
        "attributes": {},
    }


V2_DTYPES = ["|b1", "|i1", "|u1", "<i2", ">u2", "<i4", ">i4", "<u8", ">i8", ">f4", "<f8", "<c8"]


@st.composite
def arrays_v2(draw: st.DrawFn) -> Json:
    dtype = np.dtype(
        draw(
            st.sampled_from(
                ["|b1", "|i1", "|u1", "<i2", ">u2", "<i4", ">i4", "<u8", ">i8", ">f4", "<f8", "<c8"]
            )
        )
    )
    level = draw(st.integers(1, 6))
    blosc = {
        "id": "blosc",
        "cname": draw(st.sampled_from(["lz4", "zstd", "zlib", "blosclz"])),
        "clevel": level,
        "shuffle": draw(st.sampled_from([0, 1, 2, -1])),
        "blocksize": 0,
    }
    compressor = draw(
        st.sampled_from(
            [
                None,
                {"id": "zstd", "level": level},
                {"id": "gzip", "level": level},
                {"id": "zlib", "level": level},
                {"id": "lz4", "acceleration": level},
                blosc,
            ]
        )
    )
    filters = []
    if dtype.kind in "iu" and draw(st.booleans()):
        filters.append({"id": "delta", "dtype": dtype.str})
    if draw(st.booleans()):
        filters.append({"id": "shuffle", "elementsize": dtype.itemsize})
    ndim = draw(st.integers(1, 3))
    return {
        "zarr_format": 2,
        "shape": [draw(st.integers(1, 20)) for _ in range(ndim)],
        "chunks": [draw(st.integers(1, 9)) for _ in range(ndim)],
        "dtype": dtype.str,
        "compressor": compressor,
        "filters": filters or None,
        "order": draw(st.sampled_from("CF")),
        "fill_value": draw(st.sampled_from([None, 0])) if dtype.kind != "c" else None,
        "dimension_separator": draw(st.sampled_from("./")),
        "attributes": {},
    }


# ------------------------------------------------------------------ the two judges


class ZarrPython:
    """zarr-python on a folder."""

    def __init__(self, folder: Path, metadata: ArrayMetadata) -> None:
        import zarr

        self._array = zarr.open_array(
            str(folder), path="a", mode="r+", zarr_format=metadata.zarr_format
        )

    def read(self, box: Box) -> Values:
        return np.asarray(self._array[box.slices])

    def write(self, box: Box, value: Values) -> None:
        self._array[box.slices] = value


class Zarrista:
    """zarrista on a folder; it knows no steps."""

    def __init__(self, folder: Path, metadata: ArrayMetadata) -> None:
        import zarrista

        self._array = zarrista.Array.open(zarrista.store.FilesystemStore(folder), "/a")
        self._dtype = metadata.dtype

    def read(self, box: Box) -> Values:
        plain = tuple(slice(a, b) for a, b in zip(box.start, box.stop, strict=True))
        raw = self._array.retrieve_array_subset(plain)
        shape = tuple(b - a for a, b in zip(box.start, box.stop, strict=True))
        whole = np.frombuffer(raw.buffer(), self._dtype.newbyteorder("=")).reshape(shape)
        return view(whole, tuple(slice(None, None, s) for s in box.step))

    def write(self, box: Box, value: Values) -> None:
        native = np.ascontiguousarray(value, value.dtype.newbyteorder("="))
        self._array.store_array_subset(box.slices, native.tobytes())


JUDGES: dict[str, Callable[[Path, ArrayMetadata], Any]] = {
    "zarr-python": ZarrPython,
    "zarrista": Zarrista,
}


def read(metadata: ArrayMetadata, store: Store, box: Box, variant: int) -> Values:
    out = odd_buffer(box.shape, metadata.dtype, variant)
    ENGINE.open(metadata, store, "a").read(box, out)
    return out


def compare(document: Json, judge_name: str, folder: Path, seed: int, first: str) -> None:
    """Let the two write in turns, the whole first; both must read the same after each."""
    metadata, rng = parse_array(document), np.random.default_rng(seed)
    store = LocalStore(folder)
    assert ENGINE.decline(metadata, store) is None
    for key, data in encode_documents(document, "a").items():
        store.put(key, data)
    judge = JUDGES[judge_name](folder, metadata)
    expected = np.empty(metadata.shape, metadata.dtype)
    expected[...] = metadata.fill
    turns = ["native", "judge"] if first == "native" else ["judge", "native"]
    for turn, writer in enumerate([*turns, *turns]):
        box = random_box(metadata.shape, rng, steps=False) if turn else Box.full(metadata.shape)
        value = random_values(metadata, box.shape, rng)
        if turn == 3:
            value[...] = metadata.fill  # chunks may vanish
        if writer == "native":
            ENGINE.open(metadata, store, "a").write(box, value)
        else:
            judge.write(box, value)
        expected[box.slices] = value
        for number in range(2):
            wanted = random_box(metadata.shape, rng, steps=True) if number else None
            wanted = wanted or Box.full(metadata.shape)
            ours = read(metadata, store, wanted, turn + number)
            assert_identical(ours, view(expected, wanted.slices))
            theirs = np.asarray(judge.read(wanted)).astype(metadata.dtype)
            assert_identical(theirs, view(expected, wanted.slices))


COMMON = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore:Combining a .sharding_indexed. codec")  # it costs zarr time
@pytest.mark.parametrize("judge", sorted(JUDGES))
@settings(max_examples=60, **COMMON)
@given(
    document=arrays_v3(),
    seed=st.integers(0, 2**32 - 1),
    threads=st.sampled_from([1, 3]),
    first=st.sampled_from(["native", "judge"]),
)
def test_arrays_of_format_3(
    judge: str, document: Json, seed: int, threads: int, first: str, tmp_path_factory: Any
) -> None:
    event(json.dumps([c["name"] for c in document["codecs"]]))
    with config.scope(concurrency=threads):
        compare(document, judge, tmp_path_factory.mktemp("v3"), seed, first)


@pytest.mark.oracle
@settings(max_examples=60, **COMMON)
@given(
    document=arrays_v2(),
    seed=st.integers(0, 2**32 - 1),
    threads=st.sampled_from([1, 3]),
    first=st.sampled_from(["native", "judge"]),
)
def test_arrays_of_format_2(
    document: Json, seed: int, threads: int, first: str, tmp_path_factory: Any
) -> None:
    with config.scope(concurrency=threads):
        compare(document, "zarr-python", tmp_path_factory.mktemp("v2"), seed, first)


@settings(max_examples=60, deadline=None)
@given(document=st.one_of(arrays_v3(), arrays_v2()), seed=st.integers(0, 2**32 - 1))
def test_files_and_memory_hold_the_same(
    document: Json, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The two ways to the bytes, through files and through callbacks, are one."""
    metadata = parse_array(document)
    stores = [LocalStore(tmp_path_factory.mktemp("same")), MemoryStore()]
    found: list[Any] = []
    for store in stores:
        rng = np.random.default_rng(seed)
        io = ENGINE.open(metadata, store, "a")
        for _ in range(3):
            box = random_box(metadata.shape, rng, steps=False)
            value = random_values(metadata, box.shape, rng)
            if rng.random() < 0.3:
                value[...] = metadata.fill
            io.write(box, value)
        reads = []
        for variant in range(3):
            box = random_box(metadata.shape, rng, steps=True)
            reads.append(read(metadata, store, box, variant).tobytes())
        found.append((reads, {info.key: store.get(info.key) for info in store.list()}))
    assert found[0] == found[1]

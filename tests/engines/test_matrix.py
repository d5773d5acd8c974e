"""Each engine reads, and writes on in, what each other wrote; on every backend."""

from __future__ import annotations

import itertools
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import numpy.typing as npt
import obstore.store
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from anyzarr import config
from anyzarr.abc import Box, Store
from anyzarr.engines import get_engine
from anyzarr.engines._cells import view
from anyzarr.metadata import ArrayMetadata, array_document, fill_json, parse_array
from anyzarr.stores import FsspecStore, LocalStore, MemoryStore, ObstoreStore, ZipStore
from anyzarr.testing import assert_identical
from anyzarr.testing._engine_arrays import array_cases, random_values
from anyzarr.testing._engine_tools import random_box

from ._engines import ENGINES

CASES = {case.name: case for case in array_cases()}
WITH_ELEMENTS = [name for name, case in CASES.items() if 0 not in case.metadata.shape]
PATH = "a"


def able(engine: str, metadata: ArrayMetadata, store: Store) -> bool:
    return get_engine(engine).decline(metadata, store) is None


def write(engine: str, metadata: ArrayMetadata, store: Store, box: Box, value: Any) -> None:
    get_engine(engine).open(metadata, store, PATH).write(box, value)


def read(engine: str, metadata: ArrayMetadata, store: Store, box: Box) -> npt.NDArray[Any]:
    out: npt.NDArray[Any] = np.empty(box.shape, metadata.dtype)
    io = get_engine(engine).open(metadata, store, PATH)
    if io.capabilities.steps or box.is_contiguous:
        io.read(box, out)
    else:
        whole = np.empty(tuple(b - a for a, b in zip(box.start, box.stop, strict=True)), out.dtype)
        io.read(Box(box.start, box.stop, (1,) * len(box.step)), whole)
        out[...] = view(whole, tuple(slice(None, None, s) for s in box.step))
    return out


def check_reads(
    engine: str, metadata: ArrayMetadata, store: Store, expected: npt.NDArray[Any], seed: int = 0
) -> None:
    rng = np.random.default_rng(seed)
    boxes = [Box.full(metadata.shape)]
    boxes += [random_box(metadata.shape, rng, steps=True) for _ in range(3)]
    for box in boxes:
        assert_identical(read(engine, metadata, store, box), view(expected, box.slices))


@pytest.mark.parametrize("array", WITH_ELEMENTS)
@pytest.mark.parametrize("writer", ENGINES)
def test_each_reads_and_continues_what_each_other_wrote(
    writer: str, array: str, tmp_path: Path
) -> None:
    metadata, rng = CASES[array].metadata, np.random.default_rng(1)
    store = LocalStore(tmp_path)
    reason = get_engine(writer).decline(metadata, store)
    if reason is not None:
        pytest.skip(f"{writer} declines {array}: {reason}")
    expected = random_values(metadata, metadata.shape, rng)
    write(writer, metadata, store, Box.full(metadata.shape), expected)
    for other in ENGINES:
        if not able(other, metadata, store):
            continue  # the contract's own tests say why
        check_reads(other, metadata, store, expected)
        box = random_box(metadata.shape, rng, steps=False)
        value = random_values(metadata, box.shape, rng)
        write(other, metadata, store, box, value)
        view(expected, box.slices)[...] = value
        check_reads(writer, metadata, store, expected)


@pytest.mark.parametrize(
    "array", ["v3-uncompressed", "v3-big-endian", "v2-uncompressed-big-endian"]
)
def test_all_write_the_same_bytes_where_nothing_is_compressed(array: str) -> None:
    metadata = CASES[array].metadata
    values, stored = random_values(metadata, metadata.shape, 2), []
    for engine in ENGINES:
        store = MemoryStore()
        write(engine, metadata, store, Box.full(metadata.shape), values)
        stored.append({info.key: store.get(info.key) for info in store.list()})
    assert stored[0]
    assert all(found == stored[0] for found in stored)


ZIPPED = ["v3-sharded", "v3-zstd", "v2-blosc", "v2-order-f-zlib", "v3-no-dimensions", "v3-utf32"]


@pytest.mark.parametrize("array", ZIPPED)
@pytest.mark.parametrize("reader", ENGINES)
@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_each_reads_archives(reader: str, array: str, compression: int, tmp_path: Path) -> None:
    metadata, source = CASES[array].metadata, MemoryStore()
    values = random_values(metadata, metadata.shape, 3)
    write("zarr", metadata, source, Box.full(metadata.shape), values)
    archive = tmp_path / "archive.zip"
    with zipfile.ZipFile(archive, "w", compression) as packed:
        for info in source.list():
            packed.writestr(info.key, source.get(info.key) or b"")
    store = ZipStore(str(archive))
    try:
        reason = get_engine(reader).decline(metadata, store)
        if reason is not None:
            pytest.skip(f"{reader} declines {array}: {reason}")
        check_reads(reader, metadata, store, values)
    finally:
        store.close()


# ------------------------------------------------------------------- object stores on loopback


@pytest.fixture
def s3_store(s3: Any, request: pytest.FixtureRequest) -> Store:
    url = f"s3://{s3.new_bucket()}/data"
    if request.param == "obstore":
        addressing = {"allow_http": "true", "virtual_hosted_style_request": "false"}
        return ObstoreStore(url, **s3.options, **addressing)
    return FsspecStore(url, **s3.options)


@pytest.mark.parametrize("s3_store", ["obstore", "fsspec"], indirect=True)
@pytest.mark.parametrize("array", ["v3-sharded", "v3-zstd", "v2-blosc"])
def test_all_write_to_and_read_from_s3(s3_store: Store, array: str) -> None:
    metadata, rng = CASES[array].metadata, np.random.default_rng(4)
    expected = random_values(metadata, metadata.shape, rng)
    write("zarrs", metadata, s3_store, Box.full(metadata.shape), expected)
    for engine in ENGINES:
        assert get_engine(engine).decline(metadata, s3_store) is None, engine
        check_reads(engine, metadata, s3_store, expected)
        box = random_box(metadata.shape, rng, steps=False)
        value = random_values(metadata, box.shape, rng)
        write(engine, metadata, s3_store, box, value)
        view(expected, box.slices)[...] = value
    check_reads("zarr", metadata, s3_store, expected)


# ------------------------------------------------------------------------- driven by hypothesis

_numbers = itertools.count()


def _memory() -> Store:
    return MemoryStore()


def _obstore_memory() -> Store:
    return ObstoreStore(obstore.store.MemoryStore())


def _fsspec_memory() -> Store:
    return FsspecStore(fsspec.filesystem("memory"), f"/anyzarr-matrix/{next(_numbers)}")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(data=st.data())
def test_any_engines_take_turns_on_any_array(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    array = data.draw(st.sampled_from(WITH_ELEMENTS), label="array")
    metadata = CASES[array].metadata
    places: list[Callable[[], Store]] = [
        _memory,
        _obstore_memory,
        _fsspec_memory,
        lambda: LocalStore(tmp_path_factory.mktemp("matrix")),
    ]
    store = data.draw(st.sampled_from(places), label="backend")()
    engines = [name for name in ENGINES if able(name, metadata, store)]
    assume(engines)
    expected = random_values(metadata, metadata.shape, 0)
    expected[...] = metadata.fill
    for turn in range(data.draw(st.integers(1, 3), label="writes")):
        seed = data.draw(st.integers(0, 2**32 - 1), label=f"seed {turn}")
        box = random_box(metadata.shape, np.random.default_rng(seed), steps=False)
        value = random_values(metadata, box.shape, seed)
        keep_empty = data.draw(st.booleans(), label="write_empty_chunks")
        with config.scope(write_empty_chunks=keep_empty):
            engine = data.draw(st.sampled_from(engines), label=f"writer {turn}")
            write(engine, metadata, store, box, value)
        view(expected, box.slices)[...] = value
    reader = data.draw(st.sampled_from(engines), label="reader")
    check_reads(reader, metadata, store, expected, seed)


# ------------------------------------------------------------------ arrays drawn by hypothesis

DATA_TYPES = [
    "bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64",
    "float16", "float32", "float64", "complex64", "complex128",
]  # fmt: skip


@st.composite
def chains(draw: st.DrawFn, ndim: int, itemsize: int) -> list[dict[str, Any]]:
    """Draw the codecs of one chunk."""
    chain: list[dict[str, Any]] = []
    if ndim and draw(st.booleans()):
        order = draw(st.permutations(range(ndim)))
        chain.append({"name": "transpose", "configuration": {"order": list(order)}})
    endian = draw(st.sampled_from(["little", "big"]))
    chain.append({"name": "bytes", "configuration": {"endian": endian}})
    blosc = {"clevel": 1, "typesize": itemsize, "blocksize": 0}
    compressors: list[dict[str, Any] | None] = [
        None,
        {"name": "zstd", "configuration": {"level": 0, "checksum": draw(st.booleans())}},
        {"name": "gzip", "configuration": {"level": 2}},
        {
            "name": "blosc",
            "configuration": {
                "cname": draw(st.sampled_from(["lz4", "lz4hc", "zstd", "zlib", "blosclz"])),
                "shuffle": draw(st.sampled_from(["noshuffle", "shuffle", "bitshuffle"])),
                **blosc,
            },
        },
    ]
    compressor = draw(st.sampled_from(compressors))
    if compressor is not None:
        chain.append(compressor)
    if draw(st.booleans()):
        chain.append({"name": "crc32c"})
    return chain


@st.composite
def arrays(draw: st.DrawFn) -> ArrayMetadata:
    """Draw the metadata of a v3 array, sharded or not."""
    ndim = draw(st.integers(0, 3))
    name = draw(st.sampled_from(DATA_TYPES))
    dtype = np.dtype(name)
    shape = [draw(st.integers(1, 12)) for _ in range(ndim)]
    chunks = [draw(st.integers(1, 5)) for _ in range(ndim)]
    chain = draw(chains(ndim, dtype.itemsize))
    if draw(st.booleans()):
        chain = [
            {
                "name": "sharding_indexed",
                "configuration": {
                    "chunk_shape": chunks,
                    "codecs": chain,
                    "index_codecs": [
                        {"name": "bytes", "configuration": {"endian": "little"}},
                        {"name": "crc32c"},
                    ],
                    "index_location": draw(st.sampled_from(["start", "end"])),
                },
            }
        ]
        chunks = [c * draw(st.integers(1, 3)) for c in chunks]
    document = array_document(shape=shape, dtype=name, chunks=chunks or None)
    fill = random_values(parse_array(document), (), draw(st.integers(0, 99)))[()]
    grid = {"name": "regular", "configuration": {"chunk_shape": chunks}}
    fill_value = fill_json(fill, parse_array(document).data_type)
    return parse_array({**document, "chunk_grid": grid, "codecs": chain, "fill_value": fill_value})


@settings(max_examples=150, deadline=None)
@given(metadata=arrays(), seed=st.integers(0, 2**32 - 1), data=st.data())
def test_any_array_is_the_same_to_all_engines(
    metadata: ArrayMetadata, seed: int, data: st.DataObject
) -> None:
    store, rng = MemoryStore(), np.random.default_rng(seed)
    expected = random_values(metadata, metadata.shape, rng)
    expected[...] = metadata.fill
    for writer in data.draw(st.lists(st.sampled_from(ENGINES), min_size=1, max_size=3)):
        box = random_box(metadata.shape, rng, steps=False)
        value = random_values(metadata, box.shape, rng)
        write(writer, metadata, store, box, value)
        view(expected, box.slices)[...] = value
    for reader in ENGINES:
        assert get_engine(reader).decline(metadata, store) is None
        check_reads(reader, metadata, store, expected, seed)

"""The native engine: the contract, and zarr-python and zarrs as oracles, both ways."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import anyzarr
from anyzarr import config
from anyzarr.abc import ArrayIO, Box
from anyzarr.engines import get_engine
from anyzarr.errors import CorruptDataError, MetadataError, UnsupportedError
from anyzarr.metadata import ArrayMetadata, parse_array
from anyzarr.stores import LocalStore, MemoryStore
from anyzarr.testing import assert_identical, engine_contract
from anyzarr.testing._engine_arrays import random_values
from anyzarr.testing._engine_contract import EngineCase, odd_buffer, random_box

pytest.importorskip("anyzarr_native")

from anyzarr.engines._native import NativeEngine

ENGINE = NativeEngine()
CASES = engine_contract(ENGINE)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_contract_in_memory(case: EngineCase) -> None:
    case.run()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_contract_in_files(case: EngineCase, tmp_path: Path) -> None:
    numbers = itertools.count()
    EngineCase(
        case.engine, case.array, case.requirement, lambda: LocalStore(tmp_path / str(next(numbers)))
    ).run()


# ------------------------------------------------------------------ oracles

DTYPES = {
    "bool": ("bool", [True, False]),
    "uint8": ("uint8", [0, 255]),
    "int16": ("int16", [0, -2]),
    "uint32": ("uint32", [7]),
    "int64": ("int64", [-(2**40)]),
    "float16": ("float16", ["NaN", 0.0]),
    "float32": ("float32", [-0.0, 1.5]),
    "float64": ("float64", ["Infinity"]),
    "complex64": ("complex64", [[0.0, "NaN"]]),
}


def compressors(itemsize: int) -> st.SearchStrategy[list[dict[str, Any]]]:
    level = st.integers(1, 9)
    zstd = st.builds(
        lambda n, c: {"name": "zstd", "configuration": {"level": n, "checksum": c}},
        level,
        st.booleans(),
    )
    gzip = st.builds(lambda n: {"name": "gzip", "configuration": {"level": n}}, level)
    blosc = st.builds(
        lambda cname, clevel, shuffle, blocksize: {
            "name": "blosc",
            "configuration": {
                "cname": cname,
                "clevel": clevel,
                "shuffle": shuffle,
                "typesize": itemsize,
                "blocksize": blocksize,
            },
        },
        st.sampled_from(["lz4", "lz4hc", "blosclz", "zlib", "zstd"]),
        st.integers(0, 7),
        st.sampled_from(["noshuffle", "shuffle", "bitshuffle"]),
        st.sampled_from([0, 256, 1000]),
    )
    crc = {"name": "crc32c"}
    one = st.one_of(zstd, gzip, blosc)
    return st.one_of(
        st.just([]), st.just([crc]), one.map(lambda c: [c]), one.map(lambda c: [c, crc]),
        st.tuples(one, one).map(list),
    )  # fmt: skip


@st.composite
def arrays(draw: st.DrawFn) -> ArrayMetadata:
    ndim = draw(st.integers(1, 3))
    name = draw(st.sampled_from(sorted(DTYPES)))
    itemsize = np.dtype(name).itemsize
    inner = [draw(st.integers(1, 9)) for _ in range(ndim)]
    chunk = [n * draw(st.integers(1, 3)) for n in inner]
    shape = [draw(st.integers(1, 40)) for _ in range(ndim)]
    endian = {"endian": draw(st.sampled_from(["little", "big"]))}
    serializer = {"name": "bytes", "configuration": endian} if itemsize > 1 else {"name": "bytes"}
    chain: list[Any] = []
    if draw(st.booleans()):
        order = draw(st.permutations(range(ndim)))
        chain.append({"name": "transpose", "configuration": {"order": list(order)}})
    chain.append(serializer)
    chain += draw(compressors(itemsize))
    if draw(st.booleans()):
        little = {"name": "bytes", "configuration": {"endian": "little"}}
        chain = [
            {
                "name": "sharding_indexed",
                "configuration": {
                    "chunk_shape": inner,
                    "codecs": chain,
                    "index_codecs": [little, {"name": "crc32c"}],
                    "index_location": draw(st.sampled_from(["start", "end"])),
                },
            }
        ]
    document = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": shape,
        "data_type": name,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunk}},
        "chunk_key_encoding": {"name": "default"},
        "fill_value": draw(st.sampled_from(DTYPES[name][1])),
        "codecs": chain,
        "attributes": {},
    }
    return parse_array(document)


def opened(engine: Any, metadata: ArrayMetadata, store: Any) -> ArrayIO:
    return engine.open(metadata, store, "a")


def full_read(io: ArrayIO, metadata: ArrayMetadata) -> np.ndarray[Any, Any]:
    out: np.ndarray[Any, Any] = np.empty(metadata.shape, metadata.dtype)
    io.read(Box.full(metadata.shape), out)
    return out


@pytest.mark.oracle
@pytest.mark.parametrize("oracle", ["zarr", "zarrs"])
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(metadata=arrays(), seed=st.integers(0, 2**32 - 1), threads=st.sampled_from([1, 3]))
def test_each_reads_what_the_other_writes(
    oracle: str, metadata: ArrayMetadata, seed: int, threads: int, tmp_path_factory: Any
) -> None:
    other = get_engine(oracle)
    folder = tmp_path_factory.mktemp("oracle")
    rng = np.random.default_rng(seed)
    values = random_values(metadata, metadata.shape, rng)
    with config.scope(concurrency=threads):
        for writer, reader, name in ((ENGINE, other, "ours"), (other, ENGINE, "theirs")):
            if other.decline(metadata, LocalStore(folder)) is not None:
                return
            store = LocalStore(folder / name)
            opened(writer, metadata, store).write(Box.full(metadata.shape), values)
            assert_identical(full_read(opened(reader, metadata, store), metadata), values)
            # An update by one of what the other wrote, then read by both.
            box = random_box(metadata.shape, rng, steps=False)
            part = random_values(metadata, box.shape, rng)
            opened(reader, metadata, store).write(box, part)
            expected = values.copy()
            expected[box.slices] = part
            for engine in (writer, reader):
                assert_identical(full_read(opened(engine, metadata, store), metadata), expected)


@pytest.mark.parametrize("in_memory", [False, True])
@settings(max_examples=60, deadline=None)
@given(metadata=arrays(), seed=st.integers(0, 2**32 - 1), threads=st.sampled_from([1, 3]))
def test_boxes_into_any_memory(
    in_memory: bool, metadata: ArrayMetadata, seed: int, threads: int, tmp_path_factory: Any
) -> None:
    store = MemoryStore() if in_memory else LocalStore(tmp_path_factory.mktemp("boxes"))
    rng = np.random.default_rng(seed)
    values = random_values(metadata, metadata.shape, rng)
    io = opened(ENGINE, metadata, store)
    with config.scope(concurrency=threads):
        io.write(Box.full(metadata.shape), values)
        for variant in range(6):
            box = random_box(metadata.shape, rng, steps=True)
            out = odd_buffer(box.shape, values.dtype, variant)
            io.read(box, out)
            assert_identical(out, values[box.slices])


@settings(max_examples=40, deadline=None)
@given(metadata=arrays(), seed=st.integers(0, 2**32 - 1))
def test_stored_bytes_do_not_depend_on_threads_store_or_history(
    metadata: ArrayMetadata, seed: int, tmp_path_factory: Any
) -> None:
    folder = tmp_path_factory.mktemp("same")
    rng = np.random.default_rng(seed)
    values = random_values(metadata, metadata.shape, rng)
    boxes = [random_box(metadata.shape, rng, steps=False) for _ in range(3)]
    contents = []
    for threads in (1, 4, 3):
        store = MemoryStore() if threads == 3 else LocalStore(folder / str(threads))
        io = opened(ENGINE, metadata, store)
        with config.scope(concurrency=threads):
            if threads == 4:
                for box in boxes:
                    io.write(box, random_values(metadata, box.shape, rng))
            io.write(Box.full(metadata.shape), values)
        contents.append({info.key: store.get(info.key) for info in store.list()})
    assert contents[0] == contents[1] == contents[2]


# ------------------------------------------------------------------ v2

V2 = [
    ("<i4", {"id": "zstd", "level": 3}, [{"id": "delta", "dtype": "<i4"}], "C"),
    (">u2", {"id": "lz4", "acceleration": 1}, None, "F"),
    (">i8", {"id": "zstd", "level": 3}, [{"id": "delta", "dtype": ">i8"}], "C"),
    (
        ">u2",
        {"id": "zlib", "level": 3},
        [{"id": "delta", "dtype": ">u2"}, {"id": "shuffle", "elementsize": 2}],
        "F",
    ),
    (">f8", None, [{"id": "shuffle", "elementsize": 8}], "C"),
    ("<f8", {"id": "zlib", "level": 4}, [{"id": "shuffle", "elementsize": 8}], "F"),
    ("|u1", {"id": "gzip", "level": 2}, None, "C"),
    (
        "<c16",
        {"id": "blosc", "cname": "zstd", "clevel": 3, "shuffle": 2, "blocksize": 0},
        None,
        "C",
    ),
    ("|S5", {"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": -1, "blocksize": 0}, None, "C"),
    ("<M8[s]", None, None, "F"),
]


@pytest.mark.oracle
@pytest.mark.parametrize(("dtype", "compressor", "filters", "order"), V2)
def test_v2_arrays_of_zarr_python(
    dtype: str, compressor: Any, filters: Any, order: str, tmp_path: Path
) -> None:
    metadata = parse_array(
        {
            "zarr_format": 2,
            "shape": [37, 23],
            "dtype": dtype,
            "chunks": [10, 16],
            "compressor": compressor,
            "filters": filters,
            "order": order,
            "fill_value": None,
            "attributes": {},
        }
    )
    assert ENGINE.decline(metadata, MemoryStore()) is None
    values = random_values(metadata, metadata.shape, 5)
    other = get_engine("zarr")
    for writer, reader in ((ENGINE, other), (other, ENGINE)):
        store = LocalStore(tmp_path / writer.name)
        opened(writer, metadata, store).write(Box.full(metadata.shape), values)
        assert_identical(full_read(opened(reader, metadata, store), metadata), values)


@pytest.mark.oracle
@pytest.mark.parametrize("dtype", ["|i1", "<u2", ">u2", "<i4", ">i4", "<u8", ">i8"])
@pytest.mark.parametrize("shuffled", [False, True])
def test_filters_store_what_numcodecs_stores(dtype: str, shuffled: bool) -> None:
    from numcodecs import Delta, Shuffle

    itemsize = np.dtype(dtype).itemsize
    shuffle = [{"id": "shuffle", "elementsize": itemsize}] if shuffled else []
    metadata = v2(dtype, [{"id": "delta", "dtype": dtype}, *shuffle])
    values = random_values(metadata, metadata.shape, 5)
    store = MemoryStore()
    opened(ENGINE, metadata, store).write(Box.full(metadata.shape), values)
    expected = Delta(dtype).encode(values.ravel()).tobytes()
    if shuffled:
        expected = bytes(Shuffle(itemsize).encode(expected))
    assert store.get("a/0") == expected


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore::zarr.errors.ZarrUserWarning")
@pytest.mark.filterwarnings("ignore:Numcodecs codecs are not in the Zarr version 3 specification")
@pytest.mark.parametrize("dtype", ["<i4", "<u2", "|u1"])
@pytest.mark.parametrize("endian", ["big", "little"])
def test_deltas_of_format_3(dtype: str, endian: str, tmp_path: Path) -> None:
    import zarr.codecs.numcodecs

    values = np.random.default_rng(0).integers(0, 255, 37, "u1").astype(dtype)
    theirs = zarr.create_array(
        tmp_path,
        shape=values.shape,
        chunks=(10,),
        dtype=dtype,
        filters=[zarr.codecs.numcodecs.Delta(dtype=dtype)],
        serializer=zarr.codecs.BytesCodec(endian=endian),
        compressors=None,
    )
    theirs[:] = values
    ours = anyzarr.open_array(tmp_path, engine="native", mode="r+")
    assert_identical(ours[...], values)
    stored = (tmp_path / "c/0").read_bytes()
    ours[...] = values
    assert (tmp_path / "c/0").read_bytes() == stored


@pytest.mark.parametrize(
    ("dtype", "changes"),
    [
        (">i4", {"dtype": "<i4"}),
        ("<i4", {"dtype": ">i4"}),
        (">i4", {"dtype": ">i4", "astype": "<i4"}),
        (">i4", {"dtype": ">i4", "astype": ">i8"}),
        (">i4", {"dtype": ">i2"}),
        (">f4", {"dtype": ">f4"}),
    ],
)
def test_deltas_of_other_numbers_are_declined(dtype: str, changes: dict[str, Any]) -> None:
    assert ENGINE.decline(v2(dtype, [{"id": "delta", **changes}]), MemoryStore()) is not None


def v2(dtype: str, filters: list[Any]) -> ArrayMetadata:
    return parse_array(
        {
            "zarr_format": 2,
            "shape": [300],
            "dtype": dtype,
            "chunks": [300],
            "compressor": None,
            "filters": filters,
            "order": "C",
            "fill_value": None,
            "attributes": {},
        }
    )


# ------------------------------------------------------------------ what must hold


def sharded(**fields: Any) -> ArrayMetadata:
    little = {"name": "bytes", "configuration": {"endian": "little"}}
    zstd = {"name": "zstd", "configuration": {"level": 1, "checksum": False}}
    shard = {
        "chunk_shape": [8, 8],
        "codecs": [little, zstd],
        "index_codecs": [little, {"name": "crc32c"}],
    }
    document = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [96, 96],
        "data_type": "uint32",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [32, 32]}},
        "chunk_key_encoding": {"name": "default"},
        "fill_value": 0,
        "codecs": [{"name": "sharding_indexed", "configuration": shard}],
        "attributes": {},
    }
    return parse_array({**document, **fields})


def written(store: LocalStore) -> tuple[ArrayMetadata, np.ndarray[Any, Any]]:
    metadata = sharded()
    values = np.random.default_rng(1).integers(0, 2**32, metadata.shape, "uint32")
    opened(ENGINE, metadata, store).write(Box.full(metadata.shape), values)
    return metadata, values


def test_other_subchunks_keep_their_bytes(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    metadata, _ = written(store)
    before = store.get("a/c/0/0")
    assert before is not None
    opened(ENGINE, metadata, store).write(
        Box((25, 25), (30, 30), (1, 1)), np.zeros((5, 5), "uint32") + 1
    )
    after = store.get("a/c/0/0")
    assert after is not None
    # Subchunk (3, 3) is the last, so that all bytes before it are as they were.
    start = int.from_bytes(after[-20:-12], "little")
    assert after[:start] == before[:start]
    assert after != before


def test_a_replaced_shard_is_read_anew(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    metadata, values = written(store)
    io = opened(ENGINE, metadata, store)
    box = Box((3, 3), (5, 5), (1, 1))
    out = np.empty((2, 2), "uint32")
    for number in range(50):
        values[3:5, 3:5] = number
        io.write(Box((0, 0), (32, 32), (1, 1)), values[:32, :32] + np.uint32(number))
        io.read(box, out)
        assert_identical(out, values[3:5, 3:5] + np.uint32(number))


def test_no_temporary_files_are_left_and_none_are_listed(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    written(store)
    names = [name for _, _, names in os.walk(tmp_path) for name in names]
    assert not [name for name in names if name.startswith(".anyzarr-")]


class Replacing(MemoryStore):
    """Another writer replaces every shard after its index was read."""

    def get_many(self, requests: Any) -> Any:
        found = super().get_many(requests)
        for key, part in requests:
            if part is not None and part.start < 0 and key in self.others:
                self.put(key, self.others.pop(key))
        return found


def test_a_shard_replaced_between_two_requests_is_read_anew() -> None:
    store, other = Replacing(), MemoryStore()
    metadata = sharded()
    rng = np.random.default_rng(3)
    values = rng.integers(0, 2**32, metadata.shape, "uint32")
    opened(ENGINE, metadata, store).write(Box.full(metadata.shape), values % 7)
    opened(ENGINE, metadata, other).write(Box.full(metadata.shape), values)
    store.others = {info.key: other.get(info.key) for info in other.list()}
    box = Box((9, 9), (60, 12), (1, 1))
    out = np.empty(box.shape, "uint32")
    opened(ENGINE, metadata, store).read(box, out)
    old, new = (values % 7)[box.slices], values[box.slices]
    for rows in (slice(0, 23), slice(23, 51)):  # each in one shard: all of the old, or the new
        assert np.array_equal(out[rows], old[rows]) or np.array_equal(out[rows], new[rows])


def test_what_a_store_raises_is_raised_unchanged() -> None:
    class Broken(MemoryStore):
        def get_many(self, requests: Any) -> Any:
            raise KeyboardInterrupt

    metadata = sharded()
    with pytest.raises(KeyboardInterrupt):
        full_read(opened(ENGINE, metadata, Broken()), metadata)


def test_reads_from_many_threads_at_once(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    metadata, values = written(store)
    io = opened(ENGINE, metadata, store)
    wrong = []

    def read(seed: int) -> None:
        rng = np.random.default_rng(seed)
        for _ in range(20):
            box = random_box(values.shape, rng, steps=True)
            out = np.empty(box.shape, values.dtype)
            io.read(box, out)
            if not np.array_equal(out, values[box.slices]):
                wrong.append(box)

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_reads_in_a_forked_child(tmp_path: Path, run_in_forked_child: Any) -> None:
    store = LocalStore(tmp_path)
    metadata, values = written(store)
    with config.scope(concurrency=3):
        full_read(opened(ENGINE, metadata, store), metadata)

        def work() -> int:
            return int(full_read(opened(ENGINE, metadata, store), metadata).sum(dtype="uint64"))

        assert run_in_forked_child(work) == ("returned", int(values.sum(dtype="uint64")))


def test_no_thread_is_started_at_import() -> None:
    program = "import threading, os, anyzarr_native; print(len(os.listdir('/proc/self/task')))"
    if not Path("/proc/self/task").is_dir():
        pytest.skip("threads cannot be counted here")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.strip() == b"1"


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_damaged_shard_raises_or_reads_other_values(data: Any, tmp_path_factory: Any) -> None:
    store = LocalStore(tmp_path_factory.mktemp("damaged"))
    metadata, _ = written(store)
    stored = store.get("a/c/1/1")
    assert stored is not None
    broken = bytearray(stored)
    for _ in range(data.draw(st.integers(1, 4))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    store.put("a/c/1/1", bytes(broken[: data.draw(st.integers(0, len(broken)))]))
    try:
        full_read(opened(ENGINE, metadata, store), metadata)
    except CorruptDataError as error:
        named = (error.key, error.chunk_coords)
    else:
        named = ("a/c/1/1", (1, 1))
    assert named == ("a/c/1/1", (1, 1))


def test_what_is_not_covered_is_declined_with_the_reason() -> None:
    bz2 = {"name": "numcodecs.bz2", "configuration": {"level": 1}}
    metadata = sharded(codecs=[{"name": "bytes", "configuration": {"endian": "little"}}, bz2])
    reason = ENGINE.decline(metadata, MemoryStore())
    assert reason is not None
    assert "bz2" in reason
    with pytest.raises(UnsupportedError) as caught:
        ENGINE.codec(metadata)
    assert caught.value.engine == "native"


def test_a_buffer_of_another_shape_is_refused(tmp_path: Path) -> None:
    from anyzarr_native import NativeError, Plan

    plan: Plan = opened(ENGINE, sharded(), LocalStore(tmp_path)).native_handle
    for out in (np.empty((3, 4), "uint32"), np.empty((4, 4), "uint16"), np.empty(16, "uint32")):
        with pytest.raises(NativeError) as caught:
            plan.read_local(str(tmp_path), "", (0, 0), (4, 4), (1, 1), out, 1)
        assert caught.value.kind == "invalid"
    for start, stop in (((0, 0), (97, 97)), ((0,), (4,)), ((2**63, 0), (2**63 + 4, 4))):
        with pytest.raises((NativeError, OverflowError)):
            plan.read_local(str(tmp_path), "", start, stop, (1, 1), np.empty((4, 4), "uint32"), 1)


def test_documents_that_are_none_are_refused() -> None:
    with pytest.raises(MetadataError):
        sharded(codecs=[])

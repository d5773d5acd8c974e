"""The native engine on local zip archives: the contract, the store layer as oracle, and lies."""

from __future__ import annotations

import concurrent.futures
import gc
import itertools
import multiprocessing
import os
import struct
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import anyzarr
from anyzarr import config
from anyzarr.abc import ArrayIO, Box, IOCapabilities, Store
from anyzarr.engines import explain
from anyzarr.errors import (
    AnyzarrError,
    CorruptDataError,
    ReadOnlyError,
    StoreError,
    UnsupportedError,
)
from anyzarr.metadata import ArrayMetadata, parse_array
from anyzarr.stores import LocalStore, MemoryStore, ZipStore, at_prefix
from anyzarr.testing import assert_identical, engine_contract
from anyzarr.testing._engine_arrays import array_cases, random_values
from anyzarr.testing._engine_contract import EngineCase, odd_buffer, random_box

pytest.importorskip("anyzarr_native")

from anyzarr.engines._native import NativeEngine

from .test_native import arrays

ENGINE = NativeEngine()
METADATA = {case.name: case.metadata for case in array_cases()}
HEADER = 30


def pack(
    path: Path, objects: Mapping[str, bytes], deflated: Callable[[str], bool] = lambda key: False
) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for key, value in objects.items():
            method = zipfile.ZIP_DEFLATED if deflated(key) else zipfile.ZIP_STORED
            archive.writestr(zipfile.ZipInfo(key), value, method)
    return path


def contents(store: Store) -> dict[str, bytes]:
    keys = sorted(info.key for info in store.list())
    return {key: store.get(key) or b"" for key in keys}


def written(metadata: ArrayMetadata, path: str, seed: int = 1) -> tuple[dict[str, bytes], Any]:
    """Return the objects of an array of random values, and the values."""
    store = MemoryStore()
    values = random_values(metadata, metadata.shape, seed)
    ENGINE.open(metadata, store, path).write(Box.full(metadata.shape), values)
    return contents(store), values


def full_read(store: Store, metadata: ArrayMetadata, path: str) -> npt.NDArray[Any]:
    io = ENGINE.open(metadata, store, path)
    out: npt.NDArray[Any] = np.empty(metadata.shape, metadata.dtype)
    io.read(Box.full(metadata.shape), out)
    return out


def is_own(store: Store, metadata: ArrayMetadata, path: str) -> bool:
    return not ENGINE.open(metadata, store, path).capabilities.byte_layer


def by_bytes(path: Path) -> ZipStore:
    """Open an archive as an object of a store, so that the store layer fetches the bytes."""
    return ZipStore((LocalStore(path.parent), path.name))


# ------------------------------------------------------------------------------------ contract


class PackedEngine(NativeEngine):
    """Writes to the store it is given; packs that and reads from the archive."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count()  # may be asked by several threads

    def open(self, metadata: ArrayMetadata, store: Store, path: str) -> ArrayIO:
        return PackedIO(metadata, store, path, self._new_path)

    def _new_path(self) -> Path:
        return self._folder / f"{next(self._numbers)}.zip"


class PackedIO:
    native_handle = None

    def __init__(
        self, metadata: ArrayMetadata, store: Store, path: str, new_path: Callable[[], Path]
    ) -> None:
        self._metadata, self._store, self._path = metadata, store, path
        self._new_path = new_path
        self._direct = ENGINE.open(metadata, store, path)

    @property
    def capabilities(self) -> IOCapabilities:
        return IOCapabilities(steps=True)

    def read(self, box: Box, out: npt.NDArray[Any]) -> None:
        archive = ZipStore(pack(self._new_path(), contents(self._store)))
        io = ENGINE.open(self._metadata, archive, self._path)
        if self._metadata.grid.is_regular:
            assert not io.capabilities.byte_layer
        try:
            io.read(box, out)
        except CorruptDataError as error:
            # The store that the contract knows.
            if error.store == str(archive.spec):
                error.store = str(self._store.spec)
            raise

    def write(self, box: Box, value: npt.NDArray[Any]) -> None:
        self._direct.write(box, value)


@pytest.mark.parametrize(
    ("array", "requirement"),
    [(case.array, case.requirement) for case in engine_contract(ENGINE)],
    ids=str,
)
def test_contract(array: Any, requirement: str, tmp_path: Path) -> None:
    EngineCase(PackedEngine(tmp_path), array, requirement, MemoryStore).run()


# ----------------------------------------------------------------------- as the store layer reads


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(metadata=arrays(), seed=st.integers(0, 2**32 - 1), threads=st.sampled_from([1, 3]))
def test_boxes_are_what_the_store_layer_gives(
    metadata: ArrayMetadata, seed: int, threads: int, tmp_path_factory: Any
) -> None:
    rng = np.random.default_rng(seed)
    objects, values = written(metadata, "a", seed)
    for key in [key for key in objects if rng.random() < 0.2]:
        del objects[key]
    path = pack(tmp_path_factory.mktemp("boxes") / "a.zip", objects)
    ours, theirs = ZipStore(path), by_bytes(path)
    assert is_own(ours, metadata, "a")
    assert not is_own(theirs, metadata, "a")
    with config.scope(concurrency=threads):
        for variant in range(4):
            box = random_box(metadata.shape, rng, steps=True)
            out = odd_buffer(box.shape, values.dtype, variant)
            expected = np.empty(box.shape, values.dtype)
            ENGINE.open(metadata, ours, "a").read(box, out)
            ENGINE.open(metadata, theirs, "a").read(box, expected)
            assert_identical(out, expected)


@pytest.mark.parametrize("prefix", ["", "x/", "x/y/", "größe/"])
@pytest.mark.parametrize("path", ["", "a", "b/c"])
def test_prefixes_and_paths(prefix: str, path: str, tmp_path: Path) -> None:
    metadata = METADATA["v3-sharded"]
    objects, values = written(metadata, path)
    store: Store = ZipStore(pack(tmp_path / "a.zip", {prefix + k: v for k, v in objects.items()}))
    for part in prefix.split("/")[:-1]:
        store = at_prefix(store, part)
    assert is_own(store, metadata, path)
    assert_identical(full_read(store, metadata, path), values)


def test_names_stored_in_another_way(tmp_path: Path) -> None:
    metadata = METADATA["v3-zstd"]
    objects, values = written(metadata, "a")
    dotted = ZipStore(pack(tmp_path / "dotted.zip", {f"./{k}": v for k, v in objects.items()}))
    assert_identical(full_read(dotted, metadata, "a"), values)
    path = pack(tmp_path / "old.zip", {f"gr\x81\x81e/{k}": v for k, v in objects.items()})
    # In the encoding of DOS, which is assumed where the flag for UTF-8 is not set.
    data = path.read_bytes().replace(b"gr\xc2\x81\xc2\x81e", b"gr\x81\xe1\x81\xe1e")
    flagged = bytearray(data)
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        position = flagged.find(signature)
        while position >= 0:
            struct.pack_into("<H", flagged, position + at, 0)
            position = flagged.find(signature, position + 4)
    path.write_bytes(flagged)
    store = ZipStore(path)
    assert is_own(store, metadata, "grüßüße/a")
    assert_identical(full_read(store, metadata, "grüßüße/a"), values)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_of_entries_with_one_name_the_last_counts(tmp_path: Path) -> None:
    metadata = METADATA["v3-zstd"]
    (old, _), (new, values) = written(metadata, "a", 1), written(metadata, "a", 2)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for objects in (old, new):
            for key, value in objects.items():
                archive.writestr(key, value)
    assert_identical(full_read(ZipStore(tmp_path / "a.zip"), metadata, "a"), values)


# --------------------------------------------------------------------------- what is not a range


def test_deflated_chunks_come_through_the_store_layer_and_it_says_why(tmp_path: Path) -> None:
    metadata = METADATA["v3-zstd"]
    objects, values = written(metadata, "a")
    others, other_values = written(metadata, "b")
    objects |= others | {"a/zarr.json": b"{}", "b/zarr.json": b"{}"}
    deflated = max(key for key in objects if key.startswith("a/c"))
    path = pack(tmp_path / "a.zip", objects, lambda k: k == deflated or k.endswith("json"))
    store = ZipStore(path)
    reports = {r.name: r for r in explain(metadata, store, path="a")}
    assert reports["native"].io == "byte layer"
    assert deflated in (reports["native"].io_reason or "")
    assert_identical(full_read(store, metadata, "a"), values)
    # The decision is one of each array; deflated documents are nothing to the chunks.
    reports = {r.name: r for r in explain(metadata, store, path="b")}
    assert (reports["native"].io, reports["native"].io_reason) == ("own", None)
    assert_identical(full_read(store, metadata, "b"), other_values)
    inner = at_prefix(store, "a")
    assert not is_own(inner, metadata, "")
    assert_identical(full_read(inner, metadata, ""), values)


def test_encrypted_chunks_are_refused(tmp_path: Path) -> None:
    metadata = METADATA["v3-zstd"]
    objects, _ = written(metadata, "a")
    data = bytearray(pack(tmp_path / "a.zip", objects).read_bytes())
    struct.pack_into("<H", data, data.find(b"PK\x01\x02") + 8, 1)
    (tmp_path / "a.zip").write_bytes(data)
    store = ZipStore(tmp_path / "a.zip")
    io = ENGINE.open(metadata, store, "a")
    assert "encrypted" in (io.capabilities.reason or "")
    with pytest.raises(UnsupportedError):
        full_read(store, metadata, "a")


def test_writing_is_refused(tmp_path: Path) -> None:
    metadata = METADATA["v3-zstd"]
    objects, values = written(metadata, "a")
    io = ENGINE.open(metadata, ZipStore(pack(tmp_path / "a.zip", objects)), "a")
    with pytest.raises(ReadOnlyError):
        io.write(Box.full(metadata.shape), values)


# ----------------------------------------------------------------------------------- lies


def span(start: int, stop: int, step: int = 1) -> Box:
    return Box((start,), (stop,), (step,))


def raw(shape: tuple[int, ...] = (64,), chunk: tuple[int, ...] = (16,)) -> ArrayMetadata:
    return parse_array(
        {
            "zarr_format": 3,
            "node_type": "array",
            "shape": shape,
            "data_type": "uint8",
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunk}},
            "chunk_key_encoding": {"name": "default"},
            "fill_value": 0,
            "codecs": [{"name": "bytes"}],
            "attributes": {},
        }
    )


def set_number(data: bytearray, signature: bytes, at: int, layout: str, value: int) -> None:
    struct.pack_into(layout, data, data.find(signature) + at, value)


def name_too_long(data: bytearray) -> None:
    set_number(data, b"PK\x03\x04", 26, "<H", 0xFFFF)


def name_changed(data: bytearray) -> None:
    data[HEADER] ^= 1


def extra_too_long(data: bytearray) -> None:
    set_number(data, b"PK\x03\x04", 28, "<H", 0xFFFF)


def extra_into_the_next(data: bytearray) -> None:
    set_number(data, b"PK\x03\x04", 28, "<H", 1)


def no_signature(data: bytearray) -> None:
    data[0] ^= 1


def other_checksum(data: bytearray) -> None:
    set_number(data, b"PK\x01\x02", 16, "<L", 0x12345678)


def other_bytes(data: bytearray) -> None:
    data[HEADER + len("a/c/0") + 3] ^= 0x40


LIES = [
    name_too_long, name_changed, extra_too_long, extra_into_the_next, no_signature,
    other_checksum, other_bytes,
]  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_members_that_lie_are_corrupt_on_both_ways(
    lie: Callable[[bytearray], None], tmp_path: Path
) -> None:
    metadata = raw()
    objects, values = written(metadata, "a")
    data = bytearray(pack(tmp_path / "a.zip", objects).read_bytes())
    lie(data)
    (tmp_path / "a.zip").write_bytes(data)
    ours = ZipStore(tmp_path / "a.zip")
    assert is_own(ours, metadata, "a")
    for store in (ours, by_bytes(tmp_path / "a.zip")):
        with pytest.raises(CorruptDataError) as caught:
            full_read(store, metadata, "a")
        assert caught.value.key == "a/c/0"
        out = np.empty(48, "uint8")
        ENGINE.open(metadata, store, "a").read(span(16, 64), out)
        assert_identical(out, values[16:])


def test_checksums_are_verified_where_a_whole_member_is_read(tmp_path: Path) -> None:
    metadata = raw()
    objects, values = written(metadata, "a")
    data = bytearray(pack(tmp_path / "a.zip", objects).read_bytes())
    other_bytes(data)
    (tmp_path / "a.zip").write_bytes(data)
    io = ENGINE.open(metadata, ZipStore(tmp_path / "a.zip"), "a")
    out = np.empty(4, "uint8")
    # As in the store: of a range nothing can be said.
    io.read(span(4, 8), out)
    assert_identical(out, values[4:8])
    io.read(span(0, 4), out)
    assert out[3] == values[3] ^ 0x40
    for box in (span(0, 16), span(0, 64), span(0, 32, 5)):
        with pytest.raises(CorruptDataError) as caught:
            io.read(box, np.empty(box.shape, "uint8"))
        assert (caught.value.key, caught.value.chunk_coords) == ("a/c/0", (0,))


def test_archives_cut_off_under_us_are_corrupt(tmp_path: Path) -> None:
    metadata = raw()
    objects, _ = written(metadata, "a")
    path = pack(tmp_path / "a.zip", objects)
    size = HEADER + len("a/c/0")
    for cut in (0, 10, size, size + 5):
        pack(path, objects)
        stores = (ZipStore(path), by_bytes(path))
        os.truncate(path, cut)
        with pytest.raises(CorruptDataError) as caught:
            full_read(stores[0], metadata, "a")
        assert caught.value.key == "a/c/0"
        with pytest.raises(StoreError) as refused:  # an object of another size is another one
            full_read(stores[1], metadata, "a")
        assert refused.value.key == "a.zip"


MAX = 2**64 - 1
TABLES = [
    (0, MAX, MAX, 0), (MAX, 1, MAX, 0), (MAX - 40, 16, MAX, 0), (2**63, 16, MAX, 0),
    (2**63 - 20, 16, MAX, 0), (10**6, 16, MAX, 0), (0, 16, 0, 0), (0, 16, 40, 0),
    (0, 2**40, MAX, 0), (0, 2**62, MAX, 0), (0, 0, MAX, 0), (1, 16, MAX, 0),
]  # fmt: skip


@pytest.mark.parametrize("numbers", TABLES)
@pytest.mark.parametrize("array", ["raw", "v3-zstd", "v3-sharded"])
def test_the_core_trusts_no_table(numbers: tuple[int, ...], array: str, tmp_path: Path) -> None:
    from anyzarr_native import Archive, NativeError

    metadata = raw() if array == "raw" else METADATA[array]
    key = metadata.chunk_key("a", (0,) * metadata.ndim)
    objects, _ = written(metadata, "a")
    path = pack(tmp_path / "a.zip", {key: objects[key]})
    with path.open("rb") as file:
        rows = np.array([numbers], "uint64")
        archive = Archive(file.fileno(), str(path), [key], rows, {})
        plan: Any = ENGINE.open(metadata, MemoryStore(), "a").native_handle
        out = np.empty(metadata.shape, metadata.dtype)
        box = Box.full(metadata.shape)
        with pytest.raises(NativeError) as caught:
            plan.read_archive(archive, "a", box.start, box.stop, box.step, out, 1)
        assert caught.value.kind in {"corrupt", "io"}
        assert caught.value.key is not None


def test_tables_of_another_size_are_refused(tmp_path: Path) -> None:
    from anyzarr_native import Archive, NativeError

    path = pack(tmp_path / "a.zip", {"a": b"1"})
    with path.open("rb") as file:
        for rows in (np.zeros((0, 4)), np.zeros((2, 4)), np.zeros((1, 3)), np.zeros(5, "uint8")):
            with pytest.raises(NativeError):
                Archive(file.fileno(), "", ["a"], rows, {})
        with pytest.raises(NativeError):
            Archive(-1, "", ["a"], np.zeros((1, 4), "uint64"), {})


# ----------------------------------------------------------- replaced, closed, forked, spawned


def test_an_archive_replaced_under_us_stays_the_one_opened(tmp_path: Path) -> None:
    metadata = METADATA["v3-sharded"]
    (old, old_values), (new, new_values) = written(metadata, "a", 1), written(metadata, "a", 2)
    path = pack(tmp_path / "a.zip", old)
    store = ZipStore(path)
    assert_identical(full_read(store, metadata, "a"), old_values)
    pack(tmp_path / "new.zip", new).replace(path)
    assert_identical(full_read(store, metadata, "a"), old_values)
    assert_identical(full_read(ZipStore(path), metadata, "a"), new_values)
    assert_identical(full_read(store, metadata, "a"), old_values)


def test_a_closed_archive_is_opened_again_and_nothing_stays_open(tmp_path: Path) -> None:
    metadata = METADATA["v3-zstd"]
    objects, values = written(metadata, "a")
    store = ZipStore(pack(tmp_path / "a.zip", objects))
    folder = Path("/dev/fd")
    gc.collect()
    store.close()
    before = len(list(folder.iterdir()))
    io = ENGINE.open(metadata, store, "a")
    out = np.empty_like(values)
    for _ in range(3):
        io.read(Box.full(values.shape), out)
        assert_identical(out, values)
        assert len(list(folder.iterdir())) > before
        store.close()
        assert len(list(folder.iterdir())) == before


def test_closing_while_threads_read(tmp_path: Path) -> None:
    metadata = METADATA["v3-sharded"]
    objects, values = written(metadata, "a")
    store = ZipStore(pack(tmp_path / "a.zip", objects))

    def read(number: int) -> None:
        if number % 5 == 0:
            store.close()
        assert_identical(full_read(store, metadata, "a"), values)
        assert store.get(next(iter(objects))) is not None

    with concurrent.futures.ThreadPoolExecutor(6) as threads:
        assert list(threads.map(read, range(60))) == [None] * 60


def test_forked_children_read_the_parents_archive(
    run_in_forked_child: Callable[[Callable[[], Any]], tuple[str, Any]], tmp_path: Path
) -> None:
    metadata = METADATA["v3-sharded"]
    objects, values = written(metadata, "a")
    store = ZipStore(pack(tmp_path / "a.zip", objects))
    assert_identical(full_read(store, metadata, "a"), values)
    outcome = run_in_forked_child(lambda: full_read(store, metadata, "a").tobytes())
    assert outcome == ("returned", values.tobytes())
    assert_identical(full_read(store, metadata, "a"), values)


def total(array: anyzarr.Array) -> tuple[int, str | None]:
    report = next(r for r in array.explain_engines() if r.name == "native")
    return int(array[...].sum()), report.io


def test_spawned_workers_read_it_too(tmp_path: Path) -> None:
    data = np.arange(5000, dtype="uint32").reshape(50, 100)
    source = MemoryStore()
    for path in ("images/a", "images/b"):
        anyzarr.create_array(at_prefix(source, path), data=data, chunks=(10, 10), shards=(50, 50))
    packed = pack(tmp_path / "a.zip", {f"x/{k}": v for k, v in contents(source).items()})
    array = anyzarr.open_array(packed, path="x/images/a", engine="native")
    assert total(array) == (data.sum(), "own")
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as workers:
        assert workers.submit(total, array).result(timeout=60) == (data.sum(), "own")


def test_an_archive_that_is_gone_names_itself(tmp_path: Path) -> None:
    metadata = METADATA["v3-zstd"]
    objects, _ = written(metadata, "a")
    path = pack(tmp_path / "a.zip", objects)
    store = ZipStore(path)
    store.close()
    path.unlink()
    with pytest.raises(AnyzarrError) as caught:
        full_read(store, metadata, "a")
    assert caught.value.kind == "store"
    assert caught.value.store is not None

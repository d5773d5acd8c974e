"""The engine zarrs: what it reads by itself, and what it must not be asked."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import obstore.store
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyzarr._parallel import for_each
from anyzarr.abc import Box, Store
from anyzarr.engines import ByteLayerIO, get_engine
from anyzarr.engines._cells import cells_of
from anyzarr.engines._zarrs_codec import ZarrsCodec, ZarrsPanicError, guarded
from anyzarr.engines._zarrs_io import ZarrsArrayIO, _around, _in_pieces, _whole_chunks
from anyzarr.errors import CorruptDataError, StoreError, UnsupportedError
from anyzarr.metadata import ArrayMetadata, ChunkGrid, array_document, parse_array
from anyzarr.stores import FsspecStore, LocalStore, MemoryStore, ObstoreStore, at_prefix
from anyzarr.testing import assert_identical

ENGINE = get_engine("zarrs")
Fork = Callable[[Callable[[], Any]], tuple[str, Any]]


def metadata_of(**options: Any) -> ArrayMetadata:
    defaults = {"shape": (9, 10), "dtype": "uint16", "chunks": (2, 3), "compressors": "zstd"}
    return parse_array(array_document(**{**defaults, **options}))


def filled(store: Store, **options: Any) -> tuple[ArrayMetadata, Any]:
    metadata = metadata_of(**options)
    values = np.arange(1, 1 + int(np.prod(metadata.shape)), dtype=metadata.dtype)
    values = values.reshape(metadata.shape)
    ENGINE.open(metadata, store, "a").write(Box.full(metadata.shape), values)
    return metadata, values


def read(metadata: ArrayMetadata, store: Store, box: Box | None = None) -> Any:
    box = box or Box.full(metadata.shape)
    out = np.empty(box.shape, metadata.dtype)
    ENGINE.open(metadata, store, "a").read(box, out)
    return out


# ------------------------------------------------------------------ what zarrs reads by itself


@st.composite
def boxes(draw: st.DrawFn) -> tuple[Box, tuple[int, ...]]:
    ndim = draw(st.integers(1, 3))
    chunk_shape = tuple(draw(st.integers(1, 4)) for _ in range(ndim))
    start = tuple(draw(st.integers(0, 9)) for _ in range(ndim))
    stop = tuple(a + draw(st.integers(1, 12)) for a in start)
    return Box(start, stop, (1,) * ndim), chunk_shape


@given(boxes(), st.integers(1, 40))
def test_a_box_is_cut_into_whole_chunks_and_the_rest(
    given_: tuple[Box, tuple[int, ...]], limit: int
) -> None:
    box, chunk_shape = given_
    inner = _whole_chunks(box, chunk_shape)
    if inner is None:
        return
    seen = np.zeros(box.stop, int)
    chunks_outside: list[set[tuple[int, ...]]] = []
    for part in _around(box, inner):
        seen[part.slices] += 1
        grid = ChunkGrid(box.stop, chunk_shape)
        chunks_outside.append({cell.coords for cell in cells_of(part, grid)})
    for index, chunks in enumerate(chunks_outside):
        assert not any(chunks & other for other in chunks_outside[:index])
    for part in _in_pieces(inner, chunk_shape, limit):
        seen[part.slices] += 1
        assert all(a % c == 0 for a, c in zip(part.start, chunk_shape, strict=True))
        assert all(b % c == 0 for b, c in zip(part.stop, chunk_shape, strict=True))
    assert (seen[box.slices] == 1).all()
    assert seen.sum() == np.prod(box.shape)


def test_large_reads_are_made_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metadata, values = filled(LocalStore(tmp_path))
    monkeypatch.setattr("anyzarr.engines._zarrs_io._READ_BYTES", 30)
    assert_identical(read(metadata, LocalStore(tmp_path)), values)


def test_folders_and_obstores_stores_are_read_by_zarrs_and_others_by_us(tmp_path: Path) -> None:
    metadata = metadata_of()
    folder = obstore.store.LocalStore(tmp_path / "b", mkdir=True)
    stores: dict[str, Store] = {
        "local": LocalStore(tmp_path / "a"),
        "prefix": at_prefix(LocalStore(tmp_path / "a"), "x/y"),
        "obstore": ObstoreStore(folder),
        "s3": ObstoreStore("s3://bucket/prefix", region="us-east-1", anon=True),
    }
    for name, store in stores.items():
        io = ENGINE.open(metadata, store, "a")
        assert not io.capabilities.byte_layer, name
        assert type(io.native_handle).__module__.startswith("zarrista"), name
    others = [MemoryStore(), ObstoreStore(obstore.store.MemoryStore())]
    for store in others:
        io = ENGINE.open(metadata, store, "a")
        assert io.capabilities.byte_layer
        assert io.native_handle is None


def test_zarrs_reads_an_obstore_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also from inside a running event loop, and from several threads."""
    live = obstore.store.LocalStore(tmp_path, mkdir=True)
    store = ObstoreStore(live)
    metadata, values = filled(store, shards=(4, 6))
    io = ENGINE.open(metadata, store, "a")
    assert isinstance(io, ZarrsArrayIO)
    io._handle, io._reader = io._open_obstore(live)

    def check(_: object = None) -> None:
        out = np.empty_like(values)
        io.read(Box.full(values.shape), out)
        assert_identical(out, values)

    async def inside() -> None:
        check()

    check()
    asyncio.run(inside())
    for_each(check, range(8), limit=4)


def test_what_zarrs_cannot_open_is_read_by_us(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metadata, values = filled(LocalStore(tmp_path))
    monkeypatch.setattr("anyzarr.engines._zarrs_io.FilesystemStore", None)
    assert ENGINE.open(metadata, LocalStore(tmp_path), "a").capabilities.byte_layer
    assert_identical(read(metadata, LocalStore(tmp_path)), values)


def test_only_chunk_data_is_ever_stored(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    metadata, _ = filled(store)
    read(metadata, store)
    keys = {info.key for info in store.list()}
    assert keys == {metadata.chunk_key("a", c) for c in metadata.grid.coords()}


def test_reading_creates_nothing(tmp_path: Path) -> None:
    metadata = metadata_of(fill_value=3)
    assert (read(metadata, LocalStore(tmp_path / "nothing" / "here")) == 3).all()
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------------------------- trouble


@pytest.mark.parametrize("where", ["local", "obstore", "memory"])
@pytest.mark.parametrize("shards", [None, (4, 6)])
def test_the_corrupt_chunk_is_named(where: str, shards: Any, tmp_path: Path) -> None:
    store: Store = {
        "local": lambda: LocalStore(tmp_path),
        "obstore": lambda: ObstoreStore(obstore.store.LocalStore(tmp_path, mkdir=True)),
        "memory": MemoryStore,
    }[where]()
    metadata, _ = filled(store, shards=shards, shape=(12, 12), chunks=(2, 3))
    key = metadata.chunk_key("a", (1, 1))
    stored = store.get(key)
    assert stored is not None
    store.put(key, stored[: len(stored) // 2])
    with pytest.raises(CorruptDataError) as raised:
        read(metadata, store)
    error = raised.value
    assert (error.key, error.chunk_coords, error.engine) == (key, (1, 1), "zarrs")
    assert error.store == str(store.spec)
    intact = Box((0, 6), (2, 12), (1, 1))
    read(metadata, store, intact)


def test_checksums_are_verified_in_parts_of_chunks(tmp_path: Path) -> None:
    """zarrs by itself would not: it reads the elements asked for past the checksum."""
    store = LocalStore(tmp_path)
    codecs = [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}]
    document = {**array_document(shape=(8,), dtype="uint8", chunks=(4,)), "codecs": codecs}
    metadata = parse_array(document)
    io = ENGINE.open(metadata, store, "a")
    io.write(Box((0,), (8,), (1,)), np.arange(8, dtype="u1"))
    data = bytearray(store.get("a/c/1") or b"")
    data[3] ^= 1
    store.put("a/c/1", bytes(data))
    for box in (Box((4,), (5,), (1,)), Box((2,), (7,), (1,)), Box((0,), (8,), (1,))):
        with pytest.raises(CorruptDataError) as raised:
            read(metadata, store, box)
        assert raised.value.chunk_coords == (1,)


def test_an_error_that_is_no_corruption_keeps_the_engines_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = LocalStore(tmp_path)
    metadata, values = filled(store)
    io = ENGINE.open(metadata, store, "a")

    def fail(slices: Any) -> Any:
        raise OSError("too many open files")

    monkeypatch.setattr(io, "_reader", fail)
    with pytest.raises(StoreError) as raised:
        io.read(Box.full(values.shape), np.empty_like(values))
    assert "too many open files" in raised.value.message
    assert (raised.value.engine, raised.value.path) == ("zarrs", "a")


class PanicException(BaseException):
    """What a panic in Rust arrives as."""


def test_panics_become_errors_and_interrupts_do_not() -> None:
    def panic(error: BaseException) -> None:
        raise error

    with pytest.raises(ZarrsPanicError):
        guarded(panic, PanicException("index out of range"))
    with pytest.raises(KeyboardInterrupt):
        guarded(panic, KeyboardInterrupt())


def test_what_zarrs_does_differently_is_declined() -> None:
    declined: list[dict[str, Any]] = [
        {"dtype": [("a", "u1"), ("b", "f4")], "fill_value": None},
        {"dtype": "S3", "fill_value": None},
        {"zarr_format": 2, "compressors": {"id": "lz4"}},
        {"zarr_format": 2, "filters": [{"id": "delta", "dtype": "<u2"}]},
    ]
    for options in declined:
        options = {k: v for k, v in options.items() if v is not None}
        metadata = metadata_of(**options)
        reason = ENGINE.decline(metadata, MemoryStore())
        assert reason is not None
        assert reason.startswith("zarrs")
        with pytest.raises(UnsupportedError):
            ENGINE.codec(metadata)


def test_codecs_run_in_several_threads() -> None:
    codec = ZarrsCodec(metadata_of(shape=(8, 8), chunks=(8, 8)))
    barrier = threading.Barrier(4)

    def work(seed: int) -> None:
        if seed < 4:
            barrier.wait(10)
        value = np.random.default_rng(seed).integers(0, 99, (8, 8)).astype("u2")
        for _ in range(30):
            assert np.array_equal(codec.decode(codec.encode(value)), value)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 1 <= len(codec._free) <= 4


# ------------------------------------------------------------------------------------ after a fork


@pytest.mark.parametrize("shards", [None, (4, 6)])
def test_a_forked_child_goes_on_where_zarrs_alone_would_hang(
    run_in_forked_child: Fork, shards: Any, tmp_path: Path
) -> None:
    store = LocalStore(tmp_path)
    metadata, values = filled(store, shards=shards)
    opened = ENGINE.open(metadata, store, "a")
    parent = np.empty_like(values)
    opened.read(Box.full(values.shape), parent)  # starts zarrs' threads

    def child() -> Any:
        fresh = read(metadata, store)
        again = np.empty_like(values)
        opened.read(Box.full(values.shape), again)
        opened.write(Box((0, 0), (3, 3), (1, 1)), np.full((3, 3), 7, "u2"))
        layer = ENGINE.open(metadata, store, "a").capabilities.byte_layer
        return np.array_equal(fresh, values), np.array_equal(again, values), layer

    assert run_in_forked_child(child) == ("returned", (True, True, True))
    values[:3, :3] = 7
    assert_identical(read(metadata, store), values)
    assert not opened.capabilities.byte_layer


def test_the_byte_layer_is_what_others_get() -> None:
    store = FsspecStore("memory://anyzarr-zarrs")
    metadata, values = filled(store)
    io = ENGINE.open(metadata, store, "a")
    assert isinstance(io, ZarrsArrayIO)
    assert isinstance(io._by_bytes, ByteLayerIO)
    assert_identical(read(metadata, store), values)
    store.delete_prefix("")

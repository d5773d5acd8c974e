"""The reference engine: zarr-python over our stores, from our metadata."""

from __future__ import annotations

import copy
import threading
from typing import Any

import numpy as np
import pytest

zarr = pytest.importorskip("zarr", reason="the engine's library")

from anyzarr import config  # noqa: E402
from anyzarr.abc import Box  # noqa: E402
from anyzarr.engines import ByteLayerIO, get_engine  # noqa: E402
from anyzarr.errors import CorruptDataError, ReadOnlyError, StoreError  # noqa: E402
from anyzarr.metadata import parse_array  # noqa: E402
from anyzarr.stores import LocalStore, MemoryStore, to_zarr_store  # noqa: E402

ENGINE = get_engine("zarr")
LITTLE = {"name": "bytes", "configuration": {"endian": "little"}}
GZIP = {"name": "gzip", "configuration": {"level": 1}}
CRC = {"name": "crc32c"}


def v3(dtype: Any = "uint16", fill: Any = 0, codecs: Any = (LITTLE,), **fields: Any) -> Any:
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [7, 5],
        "data_type": dtype,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [4, 4]}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": fill,
        "codecs": list(codecs),
        "attributes": {},
        **fields,
    }


def v2(dtype: Any = "<u2", fill: Any = 0, **fields: Any) -> Any:
    return {
        "zarr_format": 2,
        "shape": [7, 5],
        "chunks": [4, 4],
        "dtype": dtype,
        "fill_value": fill,
        "order": "C",
        "filters": None,
        "compressor": None,
        "dimension_separator": ".",
        **fields,
    }


def sharded(*codecs: Any, location: str = "end") -> Any:
    return {
        "name": "sharding_indexed",
        "configuration": {
            "chunk_shape": [2, 2],
            "codecs": list(codecs),
            "index_codecs": [LITTLE, CRC],
            "index_location": location,
        },
    }


RECTILINEAR = {
    "name": "rectilinear",
    "configuration": {"kind": "inline", "chunk_shapes": [[3, 4], [[2, 2], 1]]},
}

DOCUMENTS = {
    "plain": v3(),
    "gzip": v3(codecs=(LITTLE, GZIP)),
    "transposed": v3(
        codecs=({"name": "transpose", "configuration": {"order": [1, 0]}}, LITTLE, GZIP)
    ),
    "big endian": v3("int32", codecs=({"name": "bytes", "configuration": {"endian": "big"}},)),
    "sharded": v3(codecs=(sharded(LITTLE, GZIP),)),
    "index at start": v3(codecs=(sharded(LITTLE, location="start"),)),
    "shards compressed as a whole": v3(codecs=(sharded(LITTLE), GZIP)),
    "bool": v3("bool", False, ({"name": "bytes"},)),
    "float16": v3("float16", "NaN"),
    "complex": v3("complex64", [0.0, 0.0]),
    "rectilinear": v3(chunk_grid=RECTILINEAR),
    "v2 keys": v3(chunk_key_encoding={"name": "v2", "configuration": {"separator": "."}}),
    "dates": v3({"name": "numpy.datetime64", "configuration": {"unit": "s", "scale_factor": 1}}, 0),
    "numcodecs": v3(codecs=(LITTLE, {"name": "numcodecs.zlib", "configuration": {"level": 1}})),
    "v2": v2(),
    "v2 null fill": v2("<i4", None),
    "v2 order F": v2(order="F", compressor={"id": "zlib", "level": 1}),
    "v2 big endian": v2(">f8", "NaN"),
    "v2 filters": v2("<i2", filters=[{"id": "delta", "dtype": "<i2"}], dimension_separator="/"),
    "v2 empty filters": v2(filters=[]),
    "v2 strings": v2("<U3", ""),
    "v2 bytes": v2("|S3", ""),
    "v2 records": v2([["a", "<i2"], ["b", "<f4"]], None),
    "strings": v3("string", "", ({"name": "vlen-utf8"},)),
}


def values_for(dtype: np.dtype[Any], shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    count = np.arange(1, int(np.prod(shape)) + 1).reshape(shape)
    if dtype.kind == "b":
        return count % 2 == 1
    if dtype.names is not None:
        records = np.zeros(shape, dtype)
        for name in dtype.names:
            records[name] = count
        return records
    if dtype.kind in "OTSU":
        return np.array([str(n) for n in count.flat], dtype=dtype).reshape(shape)
    return count.astype(dtype)


OLD_ZARR = tuple(map(int, zarr.__version__.split(".")[:2])) < (3, 2)
WITHIN = "shards compressed as a whole"
SAFE_DOCUMENTS = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(
            name == WITHIN and OLD_ZARR,
            reason="zarr before 3.2 does not check the index of a shard within another codec",
        ),
    )
    for name in DOCUMENTS
]


@pytest.mark.parametrize("name", SAFE_DOCUMENTS)
def test_round_trip_of_every_kind_of_document(name: str) -> None:
    meta = parse_array(DOCUMENTS[name])
    store = MemoryStore()
    assert ENGINE.decline(meta, store) is None
    io = ENGINE.open(meta, store, "a/b")
    values = values_for(meta.dtype, meta.shape)
    io.write(Box.full(meta.shape), values)
    assert all(info.key.startswith("a/b/") for info in store.list())
    box = Box((1, 0), (7, 5), (2, 3))
    out = np.empty(box.shape, meta.dtype)
    io.read(box, out)
    np.testing.assert_array_equal(out, values[box.slices])
    io.write(Box((3, 1), (6, 4), (1, 1)), values[:3, :3])
    values[3:6, 1:4] = values[:3, :3].copy()
    whole = np.empty(meta.shape, meta.dtype)
    io.read(Box.full(meta.shape), whole)
    np.testing.assert_array_equal(whole, values)


@pytest.mark.parametrize("name", SAFE_DOCUMENTS)
def test_codec_round_trip(name: str) -> None:
    meta = parse_array(DOCUMENTS[name])
    codec = ENGINE.codec(meta)
    shape = meta.grid.shape_of((0, 0))
    for chunk in (values_for(meta.dtype, shape), np.full(shape, meta.fill, meta.dtype)):
        np.testing.assert_array_equal(codec.decode(codec.encode(chunk)), chunk)
    if meta.dtype.kind not in "OTU":
        with pytest.raises(CorruptDataError):
            codec.decode(b"\x07")


def test_zarr_reads_what_the_engine_wrote_and_the_engine_what_zarr_wrote() -> None:
    store = MemoryStore()
    values = np.arange(70, dtype="float32").reshape(10, 7)
    theirs = zarr.create_array(
        to_zarr_store(store), name="a", shape=(10, 7), chunks=(2, 3), shards=(4, 6), dtype="float32"
    )
    theirs[:] = values
    meta = parse_array(theirs.metadata.to_dict())
    io = ENGINE.open(meta, store, "a")
    out = np.empty((10, 7), "float32")
    io.read(Box.full((10, 7)), out)
    np.testing.assert_array_equal(out, values)
    io.write(Box((0, 0), (3, 3), (1, 1)), -values[:3, :3])
    np.testing.assert_array_equal(theirs[:3, :3], -values[:3, :3])


@pytest.mark.parametrize("location", ["start", "end"])
@pytest.mark.skipif(OLD_ZARR, reason="the byte layer writes shards for zarr before 3.2")
def test_shards_are_those_of_the_byte_layer_to_the_byte(location: str) -> None:
    meta = parse_array(v3(codecs=(sharded(LITTLE, location=location),)))
    ours, theirs = MemoryStore(), MemoryStore()
    values = values_for(meta.dtype, meta.shape)
    ByteLayerIO(meta, ours, "", ENGINE.codec, "zarr").write(Box.full(meta.shape), values)
    ENGINE.open(meta, theirs, "").write(Box.full(meta.shape), values)
    assert {i.key: ours.get(i.key) for i in ours.list()} == {
        i.key: theirs.get(i.key) for i in theirs.list()
    }


def test_nothing_is_looked_up_and_the_document_given_counts() -> None:
    class Counting(MemoryStore):
        seen: list[str]

        def _get(self, key: str, byte_range: Any) -> bytes | None:
            self.seen.append(key)
            return super()._get(key, byte_range)

    store = Counting({"zarr.json": b"not even JSON", "c/0/0": b"\x01" * 32})
    store.seen = []
    meta = parse_array(v3())
    out = np.empty((4, 4), "uint16")
    ENGINE.open(meta, store, "").read(Box((0, 0), (4, 4), (1, 1)), out)
    assert (out == 0x0101).all()
    assert set(store.seen) == {"c/0/0"}


def test_a_resized_document_is_a_new_array() -> None:
    store = MemoryStore()
    small = parse_array(v3())
    values = values_for(small.dtype, small.shape)
    ENGINE.open(small, store, "").write(Box.full(small.shape), values)
    large = small.with_document(shape=[9, 9])
    out = np.empty((9, 9), "uint16")
    ENGINE.open(large, store, "").read(Box.full((9, 9)), out)
    np.testing.assert_array_equal(out[:7, :5], values)
    assert (out[7:, :] == 0).all()


@pytest.mark.parametrize("order", ["C", "F", "reversed", "strided"])
def test_out_of_any_strides_is_filled_in_place(order: str) -> None:
    meta = parse_array(v3())
    store = MemoryStore()
    io = ENGINE.open(meta, store, "")
    values = values_for(meta.dtype, meta.shape)
    io.write(Box.full(meta.shape), values)
    out = {
        "C": np.empty((7, 5), "uint16"),
        "F": np.empty((7, 5), "uint16", order="F"),
        "reversed": np.empty((7, 5), "uint16")[::-1, ::-1],
        "strided": np.empty((14, 15), "uint16")[::2, 1::3],
    }[order]
    io.read(Box.full(meta.shape), out)
    np.testing.assert_array_equal(out, values)


def test_an_array_without_dimensions() -> None:
    meta = parse_array(
        v3("int8", 3, ({"name": "bytes"},), shape=[])
        | {"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": []}}}
    )
    store = MemoryStore()
    io = ENGINE.open(meta, store, "")
    out = np.empty((), "int8")
    io.read(Box((), (), ()), out)
    assert out == 3
    io.write(Box((), (), ()), np.array(-5, "int8"))
    assert store.get("c") == b"\xfb"
    io.read(Box((), (), ()), out)
    assert out == -5


@pytest.mark.parametrize(
    ("dtype", "fill", "value", "is_kept"),
    [
        ("float32", 0.0, -0.0, True),
        ("float32", 0.0, 0.0, False),
        ("float32", -0.0, 0.0, True),
        ("float32", "NaN", np.nan, False),
        ("float32", "NaN", np.uint32(0x7FC00001).view("float32"), True),
        ("complex64", [0.0, 0.0], complex(-0.0, 0.0), True),
        ("complex64", [0.0, 0.0], 0j, False),
        ("complex64", ["NaN", 0.0], complex(np.nan, 0.0), False),
    ],
)
def test_chunks_of_fill_value_are_dropped(dtype: str, fill: Any, value: Any, is_kept: bool) -> None:
    store = MemoryStore()
    meta = parse_array(v3(dtype, fill))
    io = ENGINE.open(meta, store, "")
    io.write(Box.full(meta.shape), np.ones(meta.shape, dtype))
    io.write(Box.full(meta.shape), np.full(meta.shape, value, dtype))
    assert (store.get("c/0/0") is not None) == is_kept
    with config.set(write_empty_chunks=True):
        io.write(Box.full(meta.shape), np.full(meta.shape, value, dtype))
    assert store.get("c/0/0") is not None


@pytest.mark.parametrize(
    ("dtype", "fill", "value"),
    [
        ("float32", "NaN", np.uint32(0x7FC00001).view("float32")),
        ("complex64", [0.0, 0.0], complex(-0.0, 0.0)),
        ("complex64", [1.0, "NaN"], complex(0.0, np.nan)),
    ],
)
def test_subchunks_that_only_look_like_fill_value_are_kept(
    dtype: str, fill: Any, value: Any
) -> None:
    meta = parse_array(v3(dtype, fill, codecs=(sharded(LITTLE), CRC)))
    if (reason := ENGINE.decline(meta, MemoryStore())) is not None:
        pytest.skip(f"this zarr-python declines: {reason}")
    io = ENGINE.open(meta, MemoryStore(), "")
    wanted, found = np.ones(meta.shape, dtype), np.empty(meta.shape, dtype)
    wanted[:2] = value
    io.write(Box.full(meta.shape), wanted)
    io.read(Box.full(meta.shape), found)
    assert found.tobytes() == wanted.tobytes()


@pytest.mark.parametrize(
    "document", [v3(), v3(codecs=(LITTLE, GZIP)), v3(codecs=(sharded(LITTLE, GZIP),)), v2()]
)
@pytest.mark.parametrize("damage", ["truncated", "garbage", "empty"])
def test_a_damaged_chunk_is_named(document: Any, damage: str) -> None:
    store = MemoryStore()
    meta = parse_array(document)
    io = ENGINE.open(meta, store, "p")
    io.write(Box.full(meta.shape), values_for(meta.dtype, meta.shape))
    key = meta.chunk_key("p", (1, 0))
    stored = store.get(key)
    assert stored is not None
    store.put(key, {"truncated": stored[:-1], "garbage": b"\xff" * 11, "empty": b""}[damage])
    with pytest.raises(CorruptDataError) as caught:
        io.read(Box.full(meta.shape), np.empty(meta.shape, meta.dtype))
    assert caught.value.key == key
    assert caught.value.chunk_coords == (1, 0)
    assert caught.value.engine == "zarr"
    good = np.empty((4, 5), meta.dtype)
    io.read(Box((0, 0), (4, 5), (1, 1)), good)
    with pytest.raises(CorruptDataError):
        io.write(Box((4, 0), (5, 1), (1, 1)), np.ones((1, 1), meta.dtype))
    assert store.get(key) is not None


def test_errors_of_the_store_come_through() -> None:
    class Failing(MemoryStore):
        def _get(self, key: str, byte_range: Any) -> bytes | None:
            raise StoreError("no network", store=str(self), key=key)

    meta = parse_array(v3())
    with pytest.raises(StoreError) as caught:
        ENGINE.open(meta, Failing(), "").read(Box.full(meta.shape), np.empty(meta.shape, "uint16"))
    assert caught.value.key == "c/0/0"


def test_writing_to_a_read_only_store() -> None:
    meta = parse_array(v3())
    store = MemoryStore().with_read_only(True)
    with pytest.raises(ReadOnlyError):
        ENGINE.open(meta, store, "").write(Box.full(meta.shape), np.ones(meta.shape, "uint16"))


@pytest.mark.parametrize(
    ("document", "word"),
    [
        (v3("bfloat16", 0.0), "bfloat16"),
        (v3(codecs=(LITTLE, {"name": "lzma2000"})), "lzma2000"),
    ],
)
def test_what_zarr_cannot_do_is_declined_with_a_reason(document: Any, word: str) -> None:
    meta = parse_array(document)
    reason = ENGINE.decline(meta, MemoryStore())
    assert reason is not None
    assert word in reason


def test_the_handle_is_zarrs_and_its_pipeline_is_not_the_users() -> None:
    before = copy.deepcopy(zarr.config.config)
    store = MemoryStore()
    meta = parse_array(v3())
    with zarr.config.set({"codec_pipeline.path": "zarr.core.codec_pipeline.BatchedCodecPipeline"}):
        handle = ENGINE.open(meta, store, "a").native_handle
    assert isinstance(handle, zarr.Array)
    assert handle.shape == (7, 5)
    assert handle.path == "a"
    assert type(handle.async_array.codec_pipeline).__module__ == "zarr.core.codec_pipeline"
    ENGINE.codec(meta)
    assert zarr.config.config == before


def test_one_array_read_from_many_threads() -> None:
    meta = parse_array(v3(codecs=(sharded(LITTLE, GZIP),)))
    io = ENGINE.open(meta, MemoryStore(), "")
    values = values_for(meta.dtype, meta.shape)
    io.write(Box.full(meta.shape), values)
    wrong: list[Any] = []

    def read() -> None:
        for _ in range(10):
            out = np.empty(meta.shape, meta.dtype)
            io.read(Box.full(meta.shape), out)
            if not np.array_equal(out, values):
                wrong.append(out)

    threads = [threading.Thread(target=read) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_forked_child_reads_and_writes(tmp_path: Any, run_in_forked_child: Any) -> None:
    meta = parse_array(v3(codecs=(LITTLE, GZIP)))
    store = LocalStore(tmp_path)
    io = ENGINE.open(meta, store, "")
    values = values_for(meta.dtype, meta.shape)
    io.write(Box.full(meta.shape), values)
    out = np.empty(meta.shape, meta.dtype)
    io.read(Box.full(meta.shape), out)

    def child() -> list[Any]:
        mine = np.empty(meta.shape, meta.dtype)
        io.read(Box.full(meta.shape), mine)
        fresh = ENGINE.open(meta, store, "")
        fresh.write(Box((0, 0), (1, 1), (1, 1)), np.array([[99]], "uint16"))
        return mine.tolist()

    assert run_in_forked_child(child) == ("returned", values.tolist())
    io.read(Box.full(meta.shape), out)
    assert out[0, 0] == 99


@pytest.mark.filterwarnings("error")
def test_the_users_choice_of_pipeline_is_not_ours() -> None:
    pipeline = "zarrs.ZarrsCodecPipeline"
    pytest.importorskip("zarrs", reason="the pipeline that is not to be used")
    document = v3("bytes", "", ({"name": "vlen-bytes"},))
    meta = parse_array(document)
    with zarr.config.set({"codec_pipeline.path": pipeline}):
        io = ENGINE.open(meta, MemoryStore(), "a")
        values = np.full(meta.shape, b"ab", dtype=object)
        io.write(Box.full(meta.shape), values)
        out = np.empty(meta.shape, object)
        io.read(Box.full(meta.shape), out)
        assert zarr.config.get("codec_pipeline.path") == pipeline
    assert (out == values).all()
    assert type(io.native_handle.async_array.codec_pipeline).__module__.startswith("zarr.")

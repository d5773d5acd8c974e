"""What is particular to the engine zarrs-python; the contract and the matrix do the rest."""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

zarr = pytest.importorskip("zarr", reason="the engine's library")
zarrs = pytest.importorskip("zarrs", reason="the engine's pipeline")

from anyzarr.abc import Box, Store  # noqa: E402
from anyzarr.engines import get_engine  # noqa: E402
from anyzarr.errors import CorruptDataError, ReadOnlyError, UnsupportedError  # noqa: E402
from anyzarr.metadata import ArrayMetadata  # noqa: E402
from anyzarr.stores import LocalStore, MemoryStore, ObstoreStore  # noqa: E402

from ._arrays import array, values, write  # noqa: E402

ENGINE = get_engine("zarrs-python")


def read(metadata: ArrayMetadata, store: Store, path: str = "") -> np.ndarray[Any, Any]:
    out = np.empty(metadata.shape, metadata.dtype)
    ENGINE.open(metadata, store, path).read(Box.full(metadata.shape), out)
    return out


class Refusing:
    """In place of the byte layer: shows that a read does without it."""

    def read(self, box: Box, out: Any) -> None:
        raise AssertionError(f"{box} was read by bytes")


def own_io(metadata: ArrayMetadata, store: Store) -> Any:
    io: Any = ENGINE.open(metadata, store, "")
    io._by_bytes = Refusing()
    return io


def test_the_pipeline_is_on_the_array_and_zarrs_settings_stay(tmp_path: Path) -> None:
    before = copy.deepcopy(zarr.config.config)
    metadata = array()
    handle: Any = ENGINE.open(metadata, LocalStore(tmp_path), "a").native_handle
    assert isinstance(handle, zarr.Array)
    pipeline = handle.async_array.codec_pipeline
    assert isinstance(pipeline, zarrs.ZarrsCodecPipeline)
    assert pipeline.impl is not None
    assert pipeline.python_impl is None
    assert zarr.config.config == before
    assert handle.path == "a"


BOXES = [
    Box((0, 0), (7, 5), (1, 1)),
    Box((4, 4), (7, 5), (1, 1)),
    Box((1, 2), (6, 5), (1, 1)),
    Box((1, 0), (7, 5), (2, 3)),
    Box((6, 4), (7, 5), (1, 1)),
]


@pytest.mark.parametrize("dtype", ["uint16", ">u2", "complex128", "bool"])
@pytest.mark.parametrize("box", BOXES)
def test_zarrs_reads_boxes_of_a_folder_itself(tmp_path: Path, dtype: str, box: Box) -> None:
    metadata, store = array(dtype, zarr_format=2), LocalStore(tmp_path)
    written = write(metadata, store)
    io = own_io(metadata, store)
    packed = np.empty(box.shape, [("pad", "u1"), ("x", metadata.dtype)])["x"]
    for out in (
        np.empty(box.shape, metadata.dtype),
        np.empty(box.shape, metadata.dtype, order="F"),
        np.empty(box.shape, metadata.dtype)[::-1, ::-1],
        packed,
    ):
        io.read(box, out)
        np.testing.assert_array_equal(out, written[box.slices])


def test_it_reads_whole_shards_itself_and_parts_of_shards_by_bytes(tmp_path: Path) -> None:
    metadata, store = array(shards=(4, 4), chunks=(2, 2)), LocalStore(tmp_path)
    written = write(metadata, store)
    io = own_io(metadata, store)
    for box in (Box((0, 0), (7, 5), (1, 1)), Box((4, 0), (7, 4), (1, 1))):
        out = np.empty(box.shape, "uint16")
        io.read(box, out)
        np.testing.assert_array_equal(out, written[box.slices])
    with pytest.raises(AssertionError, match="by bytes"):
        io.read(Box((0, 0), (1, 5), (1, 1)), np.empty((1, 5), "uint16"))


def test_a_wide_step_reads_only_the_chunks_it_meets(tmp_path: Path) -> None:
    metadata, store = array(shape=(40, 4)), LocalStore(tmp_path)
    written = write(metadata, store)
    for row in range(1, 10):
        (tmp_path / "c" / str(row) / "0").write_bytes(b"damaged, but not wanted")
    box = Box((0, 0), (40, 4), (40, 1))
    out = np.empty(box.shape, "uint16")
    ENGINE.open(metadata, store, "").read(box, out)
    np.testing.assert_array_equal(out, written[box.slices])


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("compressors", ["auto", None])
def test_a_damaged_chunk_is_named(tmp_path: Path, whole: bool, compressors: Any) -> None:
    metadata, store = array(compressors=compressors), LocalStore(tmp_path)
    write(metadata, store, "p")
    path = tmp_path / "p/c/1/0"
    path.write_bytes(path.read_bytes()[:-3])
    box = Box((0, 0), (7, 5), (1, 1)) if whole else Box((5, 1), (6, 2), (1, 1))
    with pytest.raises(CorruptDataError) as caught:
        ENGINE.open(metadata, store, "p").read(box, np.empty(box.shape, "uint16"))
    assert (caught.value.key, caught.value.chunk_coords) == ("p/c/1/0", (1, 0))
    assert caught.value.engine == "zarrs-python"


def test_writes_are_all_or_nothing_and_leave_nothing_behind(tmp_path: Path) -> None:
    class Dying(LocalStore):
        def _put(self, key: str, value: Any, precondition: Any) -> str | None:
            raise OSError("no space left")

    metadata = array()
    write(metadata, LocalStore(tmp_path))
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    io = ENGINE.open(metadata, Dying(tmp_path), "")
    with pytest.raises(OSError, match="no space"):
        io.write(Box.full(metadata.shape), values(metadata) * 2)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before
    with pytest.raises(ReadOnlyError):
        ENGINE.open(metadata, LocalStore(tmp_path, read_only=True), "").write(
            Box.full(metadata.shape), values(metadata)
        )


@pytest.mark.parametrize("shards", [None, (4, 4)])
@pytest.mark.parametrize("fill_value", [0, 7])
def test_the_codec_leaves_no_files(
    shards: Any, fill_value: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from anyzarr.engines import _zarrs_bridge

    monkeypatch.setattr(_zarrs_bridge, "_SHARED_MEMORY", tmp_path)
    metadata = array(shards=shards, chunks=(2, 2), fill_value=fill_value)
    codec = ENGINE.codec(metadata)
    shape = metadata.grid.shape_of((0, 0))
    for chunk in (np.full(shape, fill_value, "uint16"), np.arange(np.prod(shape)).reshape(shape)):
        encoded = codec.encode(chunk.astype("uint16"))
        np.testing.assert_array_equal(codec.decode(encoded), chunk)
        np.testing.assert_array_equal(get_engine("zarr").codec(metadata).decode(encoded), chunk)
    with pytest.raises(CorruptDataError):
        codec.decode(b"\x00")
    assert os.listdir(tmp_path) == []


def test_stores_without_a_driver_go_through_the_byte_layer() -> None:
    metadata, store = array(shards=(4, 4), chunks=(2, 2)), MemoryStore()
    written = write(metadata, store)
    assert ENGINE.open(metadata, store, "").capabilities.byte_layer
    np.testing.assert_array_equal(read(metadata, store), written)


def test_object_stores_are_read_by_zarrs_itself(s3: Any) -> None:
    store = ObstoreStore(
        f"s3://{s3.new_bucket()}/a b", **s3.options, virtual_hosted_style_request="false"
    )
    metadata = array()
    written = write(metadata, store)
    out = np.empty(metadata.shape, "uint16")
    own_io(metadata, store).read(Box.full(metadata.shape), out)
    np.testing.assert_array_equal(out, written)
    assert (read(metadata, store, "absent") == 0).all()


def test_the_web_is_read_by_zarrs_itself(tmp_path: Path, web: str) -> None:
    metadata = array()
    written = write(metadata, LocalStore(tmp_path / "a"))
    out = np.empty(metadata.shape, "uint16")
    own_io(metadata, ObstoreStore(f"{web}/a")).read(Box.full(metadata.shape), out)
    np.testing.assert_array_equal(out, written)


@pytest.mark.parametrize(
    ("metadata", "word"),
    [
        (array("M8[s]", fill_value=None), "numpy.datetime64"),
        (array("str", fill_value=""), "string"),
        (array([("a", "i2"), ("b", "f4")], fill_value=None, zarr_format=2), "struct"),
        (
            array("<i2", zarr_format=2, filters=[{"id": "delta", "dtype": "<i2"}]),
            "delta",
        ),
    ],
)
def test_it_declines_rather_than_falls_back_to_python(metadata: ArrayMetadata, word: str) -> None:
    assert get_engine("zarr").decline(metadata, MemoryStore()) is None
    reason = ENGINE.decline(metadata, MemoryStore())
    assert reason is not None
    assert word in reason
    with pytest.raises(UnsupportedError):
        ENGINE.codec(metadata)


def test_a_forked_child_gets_a_reason_and_does_not_hang(
    tmp_path: Path, run_in_forked_child: Any
) -> None:
    metadata, store = array(), LocalStore(tmp_path)
    written = write(metadata, store)
    io = ENGINE.open(metadata, store, "")
    out = np.empty(metadata.shape, "uint16")
    io.read(Box.full(metadata.shape), out)

    def child() -> Any:
        try:
            io.read(Box.full(metadata.shape), np.empty(metadata.shape, "uint16"))
        except UnsupportedError as error:
            kind = error.kind
        other = np.empty(metadata.shape, "uint16")
        get_engine("zarr").open(metadata, store, "").read(Box.full(metadata.shape), other)
        return kind, ENGINE.decline(metadata, store), other.tolist()

    outcome, (kind, reason, other) = run_in_forked_child(child)
    assert outcome == "returned"
    assert kind == "forked"
    assert "forked" in reason
    assert other == written.tolist()

"""Zarr to Zarr: where layout and codecs stay, objects are copied as bytes between any stores."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anyzarr
from anyzarr.abc import ByteRange
from anyzarr.errors import ConflictError, CorruptDataError, StoreError
from anyzarr.stores import LocalStore, MemoryStore, ZipStore, open_store

NOISE = np.random.default_rng(0).integers(0, 2**16, (3, 64, 64)).astype("u2")


@pytest.fixture(params=[4 << 20, 1000, 0])
def _large(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """From which size objects go in parts: none of these, some, all but empty ones."""
    monkeypatch.setattr("anyzarr._convert._copy.LARGE_BYTES", request.param)
    monkeypatch.setattr("anyzarr._ozx._members._BATCH_BYTES", request.param)
    monkeypatch.setattr("anyzarr._streams._PART_BYTES", 3000)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with anyzarr.open_ome_zarr(tmp_path / "in" / "a.zarr", mode="w", axes="zyx") as image:
        image.create_image("0", NOISE, chunks=(1, 32, 32), shards=(1, 64, 64), compressor=None)
        image.compute_pyramid(levels=2)
    return tmp_path / "in" / "a.zarr"


def content(store: Any) -> dict[str, bytes]:
    store = open_store(store) if isinstance(store, Path) else store
    return {item.key: store.get(item.key) for item in store.list()}


@pytest.mark.usefixtures("_large")
def test_every_way_round(folder: Path, tmp_path: Path) -> None:
    expected = content(folder)
    memory = MemoryStore()
    anyzarr.convert(folder, tmp_path / "a.ozx")
    archive = (tmp_path / "a.ozx").read_bytes()
    for source in (tmp_path / "a.ozx", folder):
        for name in ("out.zarr", "out.ozx"):
            report = anyzarr.convert(source, tmp_path / name, overwrite=True)
            assert report.kind == ("copy" if name == "out.zarr" else "pack")
            assert content(tmp_path / name) == expected
        assert (tmp_path / "out.ozx").read_bytes() == archive
        anyzarr.convert(source, memory, overwrite=True)
        assert content(memory) == expected
    anyzarr.convert(memory, tmp_path / "out.zarr", overwrite=True)
    assert content(tmp_path / "out.zarr") == expected
    live = LocalStore(tmp_path / "live")
    anyzarr.convert(memory, live)
    assert content(live) == expected
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "a.ozx",
        "in",
        "live",
        "out.ozx",
        "out.zarr",
    ]


@pytest.mark.usefixtures("_large")
@pytest.mark.parametrize("backend", ["obstore", "fsspec"])
def test_remote(folder: Path, tmp_path: Path, s3: Any, web: str, backend: str) -> None:
    expected = content(folder)
    options = {"backend": backend, **s3.options}
    bucket = f"s3://{s3.new_bucket()}"
    read = {"source_backend": backend, "source_options": s3.options}
    anyzarr.convert(folder, f"{bucket}/a.zarr", **options)
    anyzarr.convert(f"{bucket}/a.zarr", f"{bucket}/a.ozx", **read, **options)
    anyzarr.convert(f"{bucket}/a.ozx", f"{bucket}/b.zarr", **read, **options)
    anyzarr.convert(f"{bucket}/b.zarr", tmp_path / "b.zarr", **read)
    assert content(tmp_path / "b.zarr") == expected
    anyzarr.convert(folder, tmp_path / "a.ozx")
    anyzarr.convert(f"{web}/a.ozx", tmp_path / "c.zarr", source_backend=None)
    assert content(tmp_path / "c.zarr") == expected


def test_nothing_is_decoded(folder: Path, tmp_path: Path) -> None:
    """Chunks that no engine could read arrive as they were."""
    chunk = folder / "0" / "c" / "1" / "0" / "0"
    chunk.write_bytes(b"no shard")
    for name in ("b.ozx", "b.zarr"):
        anyzarr.convert(folder, tmp_path / name)
        assert content(tmp_path / name) == content(folder)


@pytest.mark.usefixtures("_large")
@pytest.mark.parametrize("target", ["b.ozx", "b.zarr", "memory"])
def test_corrupt_members_do_not_get_a_new_checksum(
    folder: Path, tmp_path: Path, target: str
) -> None:
    path = tmp_path / "a.ozx"
    anyzarr.convert(folder, path)
    start, stop = ZipStore(path).member_range("0/c/1/0/0") or (0, 0)
    data = bytearray(path.read_bytes())
    data[(start + stop) // 2] ^= 1
    path.write_bytes(data)
    memory: dict[str, bytes] = {}
    with pytest.raises(CorruptDataError) as caught:
        anyzarr.convert(path, memory if target == "memory" else tmp_path / target)
    assert caught.value.key == "0/c/1/0/0"
    assert memory == {}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.ozx", "in"]


class Changing(MemoryStore):
    """Another version of a chunk is there when it is read, or a shorter one, or none."""

    new: bytes | None = b""

    def _get(self, key: str, byte_range: ByteRange | None) -> bytes | None:
        if key.endswith("0/c/1/0/0"):
            self.new = self.new[:] if self.new else self.new
            if self.new is None:
                self._delete(key)
            else:
                self._put(key, self.new, None)
        return super()._get(key, byte_range)

    def _get_many(self, requests: Any) -> Any:
        return [self._get(*request) for request in requests]


@pytest.mark.usefixtures("_large")
@pytest.mark.parametrize("new", [b"short", None, bytes(9000)])
@pytest.mark.parametrize("target", ["b.ozx", "b.zarr", "memory"])
def test_a_source_that_changes(
    folder: Path, tmp_path: Path, new: bytes | None, target: str
) -> None:
    store = Changing()
    for key, value in content(folder).items():
        store.put(key, value)
    store.new = new
    memory: dict[str, bytes] = {}
    with pytest.raises(ConflictError) as caught:
        anyzarr.convert(store, memory if target == "memory" else tmp_path / target)
    assert caught.value.key == "0/c/1/0/0"
    assert memory == {}
    assert [p.name for p in tmp_path.iterdir()] == ["in"]


@pytest.mark.usefixtures("_large")
@pytest.mark.parametrize("target", ["b.ozx", "b.zarr"])
def test_a_full_disk(
    folder: Path, tmp_path: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [20_000]
    for name in ("write", "pwrite"):
        monkeypatch.setattr(os, name, limited(getattr(os, name), left))

    def copy_file_range(source: int, target: int, size: int) -> int:
        if left[0] <= 0:
            raise OSError(28, "No space left on device")
        return os.write(target, os.read(source, size))

    monkeypatch.setattr(os, "copy_file_range", copy_file_range)
    with pytest.raises(StoreError):
        anyzarr.convert(folder, tmp_path / target)
    assert [p.name for p in tmp_path.iterdir()] == ["in"]


def limited(write: Callable[..., int], left: list[int]) -> Callable[..., int]:
    def limited_write(descriptor: int, data: Any, *place: int) -> int:
        if left[0] <= 0:
            raise OSError(28, "No space left on device")
        n = write(descriptor, data[: left[0]], *place)
        left[0] -= n
        return n

    return limited_write


@pytest.mark.parametrize("error", [18, 22, 95])
def test_file_systems_the_kernel_cannot_copy_between(
    folder: Path, tmp_path: Path, error: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copy_file_range(source: int, target: int, size: int) -> int:
        raise OSError(error, "not here")

    monkeypatch.setattr(os, "copy_file_range", copy_file_range)
    anyzarr.convert(folder, tmp_path / "b.zarr", verify=True)
    assert content(tmp_path / "b.zarr") == content(folder)


@pytest.mark.parametrize("new", [b"short", None, bytes(9000)])
def test_a_file_that_changes(
    folder: Path, tmp_path: Path, new: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel copies files: one that is replaced, or gone, is found out."""
    opened = LocalStore._open

    def changing(self: LocalStore, key: str) -> int | None:
        if key == "0/c/1/0/0":
            (folder / key).unlink()
            if new is not None:
                (folder / key).write_bytes(new)
        return opened(self, key)

    monkeypatch.setattr(LocalStore, "_open", changing)
    with pytest.raises(ConflictError) as caught:
        anyzarr.convert(folder, tmp_path / "b.zarr")
    assert caught.value.key == "0/c/1/0/0"
    assert [p.name for p in tmp_path.iterdir()] == ["in"]


def test_folders_are_made_once_and_the_source_is_listed_twice(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before and after the copy, so that changes are found; the target is known without it."""
    made: list[str] = []
    listed: list[str] = []
    make, walk = os.mkdir, LocalStore._list

    def mkdir(path: Any, *args: Any, **options: Any) -> None:
        made.append(os.fspath(path))
        make(path, *args, **options)

    def walked(self: LocalStore, prefix: str) -> Any:
        listed.append(self.root)
        return walk(self, prefix)

    monkeypatch.setattr(os, "mkdir", mkdir)
    monkeypatch.setattr(LocalStore, "_list", walked)
    with anyzarr.config.scope(concurrency=1):
        anyzarr.convert(folder, tmp_path / "b.zarr")
    assert listed == [str(folder)] * 2
    assert len(made) == len(set(made)) > 3
    assert content(tmp_path / "b.zarr") == content(folder)


def test_memory_does_not_grow_with_objects(tmp_path: Path) -> None:
    """An object of 300 MB is never held whole."""
    tracemalloc = pytest.importorskip("tracemalloc")
    store = LocalStore(tmp_path / "in")
    anyzarr.create_array(store, data=np.zeros(10, "u1"), fill_value=1)
    (tmp_path / "in" / "c" / "1").touch()
    os.truncate(tmp_path / "in" / "c" / "1", 300_000_000)
    memory: list[int] = []
    for source, target in (("in", "a.ozx"), ("a.ozx", "b.zarr"), ("in", "c.zarr")):
        tracemalloc.start()
        anyzarr.convert(tmp_path / source, tmp_path / target, backend=None)
        memory.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert (tmp_path / target).exists()
    assert max(memory) < 30_000_000
    assert (tmp_path / "b.zarr" / "c" / "1").stat().st_size == 300_000_000


def test_objects_written_in_place_must_be_new(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.put_new("d/a", [b"1", b"", b"23"])
    assert store.get("d/a") == b"123"
    with pytest.raises(StoreError):
        store.put_new("d/a", [b"2"])
    with pytest.raises(StoreError):
        store.put_new("../a", [b"2"])
    assert store.get("d/a") == b"123"

"""Every backend, and every live object that is wrapped, keeps the store contract."""

from __future__ import annotations

import asyncio
import base64
import gzip
import io
import itertools
import json
import shutil
import unittest
import weakref
import zipfile
from collections import OrderedDict, UserDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from anyzarr.abc import Store
from anyzarr.stores import (
    CachingStore,
    FsspecStore,
    LocalStore,
    MemoryStore,
    ObstoreStore,
    StagedArchive,
    SubStore,
    ZipStore,
    at_prefix,
    open_store,
)
from anyzarr.testing import store_contract

Make = Callable[[Mapping[str, bytes]], Store]
NAMES = [str(case) for case in store_contract(lambda objects: MemoryStore())]
READING = [
    name
    for name in NAMES
    if name.rpartition("-")[0]
    not in {
        "puts",
        "puts-buffers",
        "tells-versions-apart",
        "deletes",
        "deletes-prefixes",
        "lists-many",
        "puts-if-absent",
        "puts-if-unchanged",
        "loses-no-update",
        "puts-from-threads",
        "never-shows-half",
    }
]


def run(name: str, make: Make) -> None:
    next(case for case in store_contract(make) if str(case) == name).run()


def filling(new_empty: Callable[[], Store]) -> Make:
    def make(objects: Mapping[str, bytes]) -> Store:
        store = new_empty()
        for key, value in objects.items():
            store.put(key, value)
        return store

    return make


# ------------------------------------------------------------------------------ what can be written

_numbers = itertools.count()


def _zarr_storage() -> Any:
    return pytest.importorskip("zarr.storage", reason="its stores are wrapped")


def _new_directory(folder: Path) -> Path:
    path = folder / f"a folder {next(_numbers)}"
    path.mkdir()
    return path


def _local(folder: Path) -> Store:
    return LocalStore(folder / f"not there yet {next(_numbers)}")


def _local_from_url(folder: Path) -> Store:
    return open_store(f"{folder.as_uri()}/{next(_numbers)}%20%C3%BC", mode="a")


def _memory(folder: Path) -> Store:
    return MemoryStore()


def _memory_below(folder: Path) -> Store:
    return open_store(f"memory://contract-{next(_numbers)}/deep/below", mode="a")


def _dict(folder: Path) -> Store:
    return open_store({}, mode="a")


def _mapping(folder: Path) -> Store:
    return open_store(UserDict(), mode="a")


def _ordered_dict(folder: Path) -> Store:
    return open_store(OrderedDict(), mode="a")


def _prefix_of_memory(folder: Path) -> Store:
    store = MemoryStore({"other": b"1", "x/yz": b"1", "x/y/deep-not-it": b"1", "a/zarr.json": b""})
    return SubStore(store, "x/y/z/")


def _prefix_of_local(folder: Path) -> Store:
    store = LocalStore(folder / str(next(_numbers)))
    store.put("x/yz", b"1")
    store.put("x/zarr.json", b"1")
    return SubStore(store, "x/y/")


def _prefix_of_prefix(folder: Path) -> Store:
    return at_prefix(SubStore(MemoryStore({"x/y": b"1"}), "x/"), "z/größe")


def _cache_of_memory(folder: Path) -> Store:
    return CachingStore(MemoryStore(), 10_000_000)


def _cache_of_local(folder: Path) -> Store:
    return CachingStore(LocalStore(str(_new_directory(folder))), _new_directory(folder))


def _obstore_memory(folder: Path) -> Store:
    store = pytest.importorskip("obstore.store", reason="the backend's library")
    return open_store(store.MemoryStore(), mode="a")


def _obstore_local(folder: Path) -> Store:
    store = pytest.importorskip("obstore.store", reason="the backend's library")
    return open_store(store.LocalStore(folder / str(next(_numbers)), mkdir=True), mode="a")


def _fsspec_memory(folder: Path) -> Store:
    fsspec = pytest.importorskip("fsspec", reason="the backend's library")
    return FsspecStore(fsspec.filesystem("memory"), f"/contract/{next(_numbers)}")


def _fsspec_local(folder: Path) -> Store:
    fsspec = pytest.importorskip("fsspec", reason="the backend's library")
    return FsspecStore(fsspec.filesystem("file"), str(_new_directory(folder)))


def _fsspec_remote(folder: Path) -> Store:
    """A file system with directories of which nothing is known."""
    local = pytest.importorskip("fsspec.implementations.local", reason="the backend's library")

    class RemoteFileSystem(local.LocalFileSystem):
        protocol = "remote"
        local_file = False

    RemoteFileSystem.__qualname__ = "RemoteFileSystem"
    globals()["RemoteFileSystem"] = RemoteFileSystem  # so that it can be pickled
    return FsspecStore(RemoteFileSystem(), str(_new_directory(folder)))


def _fsspec_dir(folder: Path) -> Store:
    fsspec = pytest.importorskip("fsspec", reason="the backend's library")
    directory = _new_directory(folder)
    return FsspecStore(fsspec.filesystem("dir", path=str(directory), fs=fsspec.filesystem("file")))


def _fsspec_mapper(folder: Path) -> Store:
    fsspec = pytest.importorskip("fsspec", reason="the backend's library")
    mapper = fsspec.get_mapper(str(_new_directory(folder)))
    return open_store(mapper, mode="a")


def _fsspec_async_wrapper(folder: Path) -> Store:
    fsspec = pytest.importorskip("fsspec", reason="the backend's library")
    wrapper = pytest.importorskip("fsspec.implementations.asyn_wrapper", reason="what is wrapped")
    fs = wrapper.AsyncFileSystemWrapper(fsspec.filesystem("memory"), asynchronous=True)
    return FsspecStore(fs, f"/contract/{next(_numbers)}")


def _zarr_memory(folder: Path) -> Store:
    return open_store(_zarr_storage().MemoryStore(), mode="a")


def _zarr_local(folder: Path) -> Store:
    return open_store(_zarr_storage().LocalStore(_new_directory(folder)), mode="a")


def _zarr_object(folder: Path) -> Store:
    store = pytest.importorskip("obstore.store", reason="the backend's library")
    return open_store(_zarr_storage().ObjectStore(store.MemoryStore()), mode="a")


def _zarr_fsspec(folder: Path) -> Store:
    store = _zarr_storage().FsspecStore.from_url(
        f"memory://contract/{next(_numbers)}", storage_options={"skip_instance_cache": True}
    )
    return open_store(store, mode="a")


def _zarr_path(folder: Path) -> Store:
    storage = _zarr_storage()
    path = asyncio.run(storage.StorePath.open(storage.MemoryStore(), path="x/y", mode="a"))
    return open_store(path, mode="a")


def _zarr_any(folder: Path) -> Store:
    """A store of zarr's that no backend of ours stands behind."""
    storage = _zarr_storage()
    return open_store(storage.WrapperStore(storage.MemoryStore()), mode="a")


def _zarr_logging(folder: Path) -> Store:
    storage = _zarr_storage()
    return open_store(storage.LoggingStore(storage.MemoryStore(), log_level="ERROR"), mode="a")


WRITABLE: dict[str, Callable[[Path], Store]] = {
    "local": _local,
    "local-from-url": _local_from_url,
    "memory": _memory,
    "memory-below": _memory_below,
    "dict": _dict,
    "mapping": _mapping,
    "ordered-dict": _ordered_dict,
    "cache-of-memory": _cache_of_memory,
    "cache-of-local": _cache_of_local,
    "prefix-of-memory": _prefix_of_memory,
    "prefix-of-local": _prefix_of_local,
    "prefix-of-prefix": _prefix_of_prefix,
    "obstore-memory": _obstore_memory,
    "obstore-local": _obstore_local,
    "fsspec-memory": _fsspec_memory,
    "fsspec-local": _fsspec_local,
    "fsspec-dir": _fsspec_dir,
    "fsspec-remote": _fsspec_remote,
    "fsspec-mapper": _fsspec_mapper,
    "fsspec-async-wrapper": _fsspec_async_wrapper,
    "zarr-memory": _zarr_memory,
    "zarr-local": _zarr_local,
    "zarr-object": _zarr_object,
    "zarr-fsspec": _zarr_fsspec,
    "zarr-path": _zarr_path,
    "zarr-any": _zarr_any,
    "zarr-logging": _zarr_logging,
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", WRITABLE)
def test_writable(kind: str, name: str, tmp_path: Path) -> None:
    run(name, filling(lambda: WRITABLE[kind](tmp_path)))


@pytest.fixture
def new_s3_store(s3: Any, request: pytest.FixtureRequest) -> Callable[[], Store]:
    if not hasattr(request.config, "contract_bucket"):
        request.config.contract_bucket = s3.new_bucket()
    bucket = request.config.contract_bucket

    def new(backend: str) -> Store:
        url = f"s3://{bucket}/some data/{next(_numbers)}"
        return open_store(url, backend=backend, mode="a", **s3.options)

    return new


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("backend", ["obstore", "fsspec"])
def test_s3(backend: str, name: str, new_s3_store: Any) -> None:
    if backend == "fsspec":
        pytest.importorskip("s3fs", reason="what fsspec reads S3 by")
    run(name, filling(lambda: new_s3_store(backend)))


@pytest.mark.parametrize("name", NAMES)
def test_ftp(name: str, ftp: str) -> None:
    """A protocol with one command at a time, spoken by a client that no two threads may use."""
    run(name, filling(lambda: open_store(f"{ftp}/some data/{next(_numbers)}", mode="a")))


_PACKAGES = {"azure": "adlfs", "gcs": "gcsfs"}


@pytest.fixture
def new_cloud_store(request: pytest.FixtureRequest) -> Callable[[str, str], Store]:
    def new(name: str, backend: str) -> Store:
        if backend == "fsspec":
            pytest.importorskip(_PACKAGES[name], reason="what fsspec reads it by")
        service = request.getfixturevalue(name)
        location = f"{service.scheme}://{service.new_bucket()}/some data"
        return open_store(location, backend=backend, mode="a", **service.options)

    return new


_ON_CLOUDS = [
    name
    for name in NAMES
    if name.endswith("-sync")
    or name in {"gets-many-async", "puts-async", "lists-levels-async", "deletes-prefixes-async"}
]


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")  # their clients do
@pytest.mark.parametrize("name", _ON_CLOUDS)
@pytest.mark.parametrize("backend", ["obstore", "fsspec"])
@pytest.mark.parametrize("cloud", ["azure", "gcs"])
def test_clouds(cloud: str, backend: str, name: str, new_cloud_store: Any) -> None:
    run(name, filling(lambda: new_cloud_store(cloud, backend)))


# -------------------------------------------------------------------------------- what can be read


def _pack(objects: Mapping[str, bytes], method: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for key, value in objects.items():
            archive.writestr(key, value)
    return buffer.getvalue()


def _zip_file(method: int) -> Callable[[Path, Mapping[str, bytes]], Store]:
    def make(folder: Path, objects: Mapping[str, bytes]) -> Store:
        path = folder / f"archive {next(_numbers)}.zip"
        path.write_bytes(_pack(objects, method))
        return ZipStore(path)

    return make


def _zip_staged(folder: Path, objects: Mapping[str, bytes]) -> Store:
    """An archive that is being written."""
    store = StagedArchive(folder / f"archive {next(_numbers)}.zip")
    weakref.finalize(store, shutil.rmtree, store.capabilities.local_root, ignore_errors=True)
    for key, value in objects.items():
        store.put(key, value)
    return store


def _zip_object(method: int) -> Callable[[Path, Mapping[str, bytes]], Store]:
    def make(folder: Path, objects: Mapping[str, bytes]) -> Store:
        return ZipStore((MemoryStore({"a/b.zip": _pack(objects, method)}), "a/b.zip"))

    return make


def _zip_in_zip(folder: Path, objects: Mapping[str, bytes]) -> Store:
    inner = _pack({f"x/{key}": value for key, value in objects.items()}, zipfile.ZIP_DEFLATED)
    path = folder / "outer.zip"
    path.write_bytes(_pack({"in ner.zip": inner}, zipfile.ZIP_STORED))
    return at_prefix(ZipStore((ZipStore(path), "in ner.zip")), "x")


def _through_gzip(folder: Path, objects: Mapping[str, bytes]) -> Store:
    name = f"{next(_numbers)} ü.zip.gz"
    (folder / name).write_bytes(gzip.compress(_pack(objects, zipfile.ZIP_STORED)))
    return open_store(f"{folder}/{name}|gzip:|zip:|zarr3:")


def _through_zstd(folder: Path, objects: Mapping[str, bytes]) -> Store:
    zstd = pytest.importorskip("backports.zstd", reason="what makes the file")
    name = f"{next(_numbers)}.zst"
    (folder / name).write_bytes(zstd.compress(_pack(objects, zipfile.ZIP_DEFLATED)))
    return open_store(f"{folder}/{name}|zstd:|zip:")


def _through_a_byte_range(folder: Path, objects: Mapping[str, bytes]) -> Store:
    data = _pack({f"x/{key}": value for key, value in objects.items()}, zipfile.ZIP_STORED)
    name = f"{next(_numbers)}.bin"
    (folder / name).write_bytes(b"before" + data + b"after")
    return open_store(f"{folder}/{name}|byte-range:6-{6 + len(data)}|zip:x|zarr:")


def _in_json(folder: Path, objects: Mapping[str, bytes]) -> Store:
    members = {k: f"base64:{base64.b64encode(v).decode()}" for k, v in objects.items()}
    name = f"{next(_numbers)}.json"
    (folder / name).write_text(json.dumps({"a/b": [members]}))
    return open_store(f"{folder}/{name}|json:/a~1b/0")


def _zarr_zip(folder: Path, objects: Mapping[str, bytes]) -> Store:
    path = folder / f"{next(_numbers)}.zip"
    path.write_bytes(_pack(objects, zipfile.ZIP_STORED))
    return open_store(_zarr_storage().ZipStore(path, mode="r"))


def _read_only_local(folder: Path, objects: Mapping[str, bytes]) -> Store:
    store = filling(lambda: _local(folder))(objects)
    return open_store(store)


READ_ONLY: dict[str, Callable[[Path, Mapping[str, bytes]], Store]] = {
    "zip-stored": _zip_file(zipfile.ZIP_STORED),
    "zip-deflated": _zip_file(zipfile.ZIP_DEFLATED),
    "zip-staged": _zip_staged,
    "zip-object-stored": _zip_object(zipfile.ZIP_STORED),
    "zip-object-deflated": _zip_object(zipfile.ZIP_DEFLATED),
    "zip-in-zip": _zip_in_zip,
    "gzip-zip": _through_gzip,
    "zstd-zip": _through_zstd,
    "byte-range-zip": _through_a_byte_range,
    "json": _in_json,
    "zarr-zip": _zarr_zip,
    "local-read-only": _read_only_local,
}


@pytest.mark.parametrize("name", READING)
@pytest.mark.parametrize("kind", READ_ONLY)
def test_read_only(kind: str, name: str, tmp_path: Path) -> None:
    run(name, lambda objects: READ_ONLY[kind](tmp_path, objects))


def _served(folder: Path, address: str, backend: str) -> Make:
    def make(objects: Mapping[str, bytes]) -> Store:
        filling(lambda: LocalStore(folder / "x y"))(objects)
        return open_store(f"{address}/x%20y", backend=backend)

    return make


@pytest.mark.parametrize("name", READING)
@pytest.mark.parametrize("backend", ["obstore", "fsspec"])
def test_http(backend: str, name: str, tmp_path: Path, web: str) -> None:
    run(name, _served(tmp_path, web, backend))


@pytest.mark.parametrize("name", [n for n in READING if n.startswith(("gets", "heads"))])
@pytest.mark.parametrize("backend", ["obstore", "fsspec"])
def test_http_without_ranges(
    backend: str, name: str, tmp_path: Path, web_without_ranges: str
) -> None:
    run(name, _served(tmp_path, web_without_ranges, backend))


@pytest.mark.parametrize("name", READING)
@pytest.mark.parametrize("backend", ["obstore", "fsspec"])
def test_zip_on_s3(backend: str, name: str, new_s3_store: Any, s3: Any) -> None:
    def make(objects: Mapping[str, bytes]) -> Store:
        store = new_s3_store(backend)
        store.put("a b.zip", _pack(objects, zipfile.ZIP_STORED))
        return open_store(f"{store.url}/a b.zip|zip:|zarr3:", backend=backend, **s3.options)

    run(name, make)


@pytest.mark.parametrize("name", READING)
def test_zip_over_http(name: str, tmp_path: Path, web: str) -> None:
    def make(objects: Mapping[str, bytes]) -> Store:
        (tmp_path / "a b.zip").write_bytes(_pack(objects, zipfile.ZIP_STORED))
        return open_store(f"{web}/a%20b.zip|zip:|zarr3:")

    run(name, make)


@pytest.mark.parametrize("name", READING)
def test_zip_over_ftp(name: str, ftp: str) -> None:
    def make(objects: Mapping[str, bytes]) -> Store:
        url = f"{ftp}/archives/{next(_numbers)}"
        open_store(url, mode="a").put("a b.zip", _pack(objects, zipfile.ZIP_STORED))
        return open_store(f"{url}/a b.zip|zip:|zarr3:")

    run(name, make)


@pytest.mark.parametrize("name", NAMES)
def test_cache_of_s3(name: str, new_s3_store: Any, tmp_path: Path) -> None:
    run(name, filling(lambda: CachingStore(new_s3_store("obstore"), tmp_path / "kept")))


def test_what_can_only_be_read_skips_the_rest_and_says_why(tmp_path: Path) -> None:
    names = [n for n in NAMES if n not in READING]
    assert len(names) == 22
    for name in names:
        with pytest.raises(unittest.SkipTest, match="reading only"):
            run(name, lambda objects: READ_ONLY["zip-stored"](tmp_path, objects))


def test_names_of_wrapped_backends(tmp_path: Path) -> None:
    expected = {
        "zarr-memory": MemoryStore,
        "zarr-local": LocalStore,
        "zarr-object": ObstoreStore,
        "zarr-fsspec": FsspecStore,
        "dict": MemoryStore,
        "fsspec-mapper": FsspecStore,
    }
    for kind, cls in expected.items():
        assert type(WRITABLE[kind](tmp_path)) is cls, kind

"""Every engine keeps the engine contract, in memory, in a folder, and on other backends."""

from __future__ import annotations

import itertools
import os
import unittest
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec
import obstore.store
import pytest

from anyzarr.abc import Store
from anyzarr.engines import choose, explain, get_engine
from anyzarr.stores import FsspecStore, LocalStore, MemoryStore, ObstoreStore, ZipStore
from anyzarr.testing import EngineCase, engine_contract
from anyzarr.testing._engine_arrays import array_cases

from ._engines import ENGINES, HAS_NATIVE

CASES = {case.name: case for case in array_cases()}
ARRAYS = list(CASES)
FEW_ARRAYS = [
    "v2-blosc",
    "v3-chunk-larger-than-array",
    "v3-crc32c",
    "v3-no-dimensions",
    "v3-sharded",
    "v3-sharded-index-first-without-checksum",
    "v3-uncompressed",
]


def run(engine: str, array: str, new_store: Callable[[], Store]) -> None:
    for case in engine_contract(get_engine(engine), new_store=new_store, arrays=[array]):
        run_case(case)


def run_case(case: EngineCase) -> None:
    try:
        case.run()
    except unittest.SkipTest:
        raise
    except BaseException as error:
        error.add_note(f"required: {case.requirement}")
        raise


@pytest.mark.parametrize("array", ARRAYS)
@pytest.mark.parametrize("engine", ENGINES)
def test_in_memory(engine: str, array: str) -> None:
    run(engine, array, MemoryStore)


@pytest.mark.parametrize("array", ARRAYS)
@pytest.mark.parametrize("engine", ENGINES)
def test_in_a_folder(engine: str, array: str, tmp_path: Path) -> None:
    folders = (LocalStore(tmp_path / str(n)) for n in itertools.count())
    run(engine, array, lambda: next(folders))


@pytest.mark.parametrize("array", FEW_ARRAYS)
@pytest.mark.parametrize("engine", ENGINES)
def test_in_obstores_memory(engine: str, array: str) -> None:
    run(engine, array, lambda: ObstoreStore(obstore.store.MemoryStore()))


@pytest.mark.parametrize("array", FEW_ARRAYS)
@pytest.mark.parametrize("engine", ENGINES)
def test_in_obstores_folder(engine: str, array: str, tmp_path: Path) -> None:
    folders = (tmp_path / str(n) for n in itertools.count())
    run(engine, array, lambda: ObstoreStore(obstore.store.LocalStore(next(folders), mkdir=True)))


@pytest.fixture
def new_fsspec_store() -> Iterator[Callable[[], Store]]:
    filesystem = fsspec.filesystem("memory")
    folders = (f"/anyzarr-contract/{n}" for n in itertools.count())
    yield lambda: FsspecStore(filesystem, next(folders))
    if filesystem.exists("/anyzarr-contract"):
        filesystem.rm("/anyzarr-contract", recursive=True)


@pytest.mark.parametrize("array", FEW_ARRAYS)
@pytest.mark.parametrize("engine", ENGINES)
def test_in_fsspecs_memory(engine: str, array: str, new_fsspec_store: Callable[[], Store]) -> None:
    run(engine, array, new_fsspec_store)


# Which engines read which backends by themselves, as ARCHITECTURE.md lists them. zarr-python does
# so everywhere, over our stores.
OWN_IO = {
    "local": {"native", "tensorstore", "zarr", "zarrs", "zarrs-python"},
    "fsspec, local": {"native", "tensorstore", "zarr", "zarrs", "zarrs-python"},
    "obstore, S3": {"native", "tensorstore", "zarr", "zarrs", "zarrs-python"},
    "obstore, memory": {"zarr"},
    "memory": {"zarr"},
    "zip, local": {"native", "zarr"},
    "zip, elsewhere": {"zarr"},
    "fsspec, memory": {"zarr"},
    "fsspec, S3": {"zarr"},
}


@pytest.mark.parametrize("backend", OWN_IO)
def test_who_reads_what_by_itself(backend: str, tmp_path: Path) -> None:
    store = _a_store(backend, tmp_path)
    metadata = CASES["v3-zstd"].metadata
    reports = {report.name: report for report in explain(metadata, store)}
    assert all(reports[engine].usable for engine in ENGINES)
    own = {engine for engine in ENGINES if reports[engine].io == "own"}
    assert own == OWN_IO[backend] & set(ENGINES)


def test_the_native_engine_is_here() -> None:
    required = os.environ.get("CI") == "true" or os.environ.get("ANYZARR_REQUIRE_NATIVE") == "1"
    if not HAS_NATIVE and not required:
        pytest.skip("the native engine is not built: its part of the contract was not run")
    assert HAS_NATIVE, "CI=true or ANYZARR_REQUIRE_NATIVE=1, and the native engine is not built"
    assert choose(CASES["v3-zstd"].metadata, MemoryStore()).name == "native"


def _a_store(backend: str, folder: Path) -> Store:
    if backend == "local":
        return LocalStore(folder)
    if backend == "fsspec, local":
        return FsspecStore(fsspec.filesystem("file"), str(folder))
    if backend == "obstore, S3":
        return ObstoreStore("s3://bucket/data", region="us-east-1", anon=True)
    if backend == "obstore, memory":
        return ObstoreStore(obstore.store.MemoryStore())
    if backend == "fsspec, memory":
        return FsspecStore(fsspec.filesystem("memory"), "/anyzarr-contract")
    if backend == "fsspec, S3":
        return FsspecStore("s3://bucket/data", anon=True)
    if backend.startswith("zip"):
        archive = folder / "a.zip"
        with zipfile.ZipFile(archive, "w") as packed:
            packed.writestr("zarr.json", b"{}")
        local = backend == "zip, local"
        return ZipStore(archive if local else (LocalStore(folder), "a.zip"))
    return MemoryStore()

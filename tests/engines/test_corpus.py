"""Every engine reads what three other libraries wrote once, and native goes on writing in it.

``tests/data/corpus-<writer>.zip`` was made by ``tools/make_corpus.py``, which also says what is
in every array.
"""

from __future__ import annotations

import importlib.util
import itertools
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from anyzarr import crud
from anyzarr.abc import Box, Store
from anyzarr.engines import get_engine, list_engines
from anyzarr.engines._cells import view
from anyzarr.metadata import ArrayMetadata, parse_array
from anyzarr.stores import LocalStore, MemoryStore, ZipStore, at_prefix
from anyzarr.testing import assert_identical
from anyzarr.testing._engine_arrays import random_values
from anyzarr.testing._engine_tools import random_box

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "tests" / "data"
WRITERS = ["tensorstore", "zarr", "zarrista"]
ENGINES = ["native", "tensorstore", "zarr", "zarrs", "zarrs-python"]


def _load_maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_corpus", ROOT / "tools" / "make_corpus.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MAKER = _load_maker()
DOCUMENTS = MAKER.arrays()
Arrays = dict[str, ArrayMetadata]


def archive(writer: str) -> Path:
    return FOLDER / f"corpus-{writer}.zip"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The archives, unpacked once."""
    made = {}
    for writer in WRITERS:
        made[writer] = tmp_path_factory.mktemp(writer)
        with zipfile.ZipFile(archive(writer)) as packed:
            packed.extractall(made[writer])
    return made


@pytest.fixture
def corpus(writer: str, backend: str, folders: dict[str, Path]) -> Iterator[tuple[Store, Arrays]]:
    """The arrays of one writer, on one backend."""
    store: Store
    if backend == "zip":
        store = ZipStore(str(archive(writer)))
    elif backend == "local":
        store = LocalStore(folders[writer])
    else:
        store = MemoryStore()
        with zipfile.ZipFile(archive(writer)) as packed:
            for name in packed.namelist():
                store.put(name, packed.read(name))
    names = sorted({info.key.split("/")[0] for info in store.list()})
    yield store, {name: parse_array(crud.read_metadata(store, name)) for name in names}
    if isinstance(store, ZipStore):
        store.close()


def engine_of(name: str) -> Any:
    if name == "native":
        pytest.importorskip("anyzarr_native", reason="the native engine is not built")
    assert name in list_engines()
    return get_engine(name)


def read(engine: Any, metadata: ArrayMetadata, store: Store, name: str, box: Box) -> Any:
    out: npt.NDArray[Any] = np.empty(box.shape, metadata.dtype)
    engine.open(metadata, store, name).read(box, out)
    return out


def check(engine: Any, metadata: ArrayMetadata, store: Store, name: str) -> None:
    """Read all of an array, then boxes of it, and compare with the formula."""
    values = MAKER.expected(DOCUMENTS[name]).astype(metadata.dtype)
    assert_identical(read(engine, metadata, store, name, Box.full(metadata.shape)), values)
    has_steps = engine.open(metadata, store, name).capabilities.steps
    rng = np.random.default_rng(len(name))
    for _ in range(2):
        box = random_box(metadata.shape, rng, steps=has_steps)
        assert_identical(read(engine, metadata, store, name, box), view(values, box.slices))


def failures(work: Any, arrays: Arrays) -> list[str]:
    """Call ``work`` for every array; return what went wrong, so that all of it is shown."""
    wrong = []
    for name, metadata in arrays.items():
        try:
            work(name, metadata)
        except Exception as error:  # noqa: BLE001 - shown below, with the others
            wrong.append(f"{name}: {type(error).__name__}: {error}")
    return wrong


def check_all(engine_name: str, store: Store, arrays: Arrays) -> None:
    engine = engine_of(engine_name)
    able = {n: m for n, m in arrays.items() if engine.decline(m, store) is None}
    assert len(able) > len(arrays) // 2
    assert not failures(lambda name, metadata: check(engine, metadata, store, name), able)


@pytest.mark.oracle
@pytest.mark.parametrize("backend", ["local", "memory", "zip"])
@pytest.mark.parametrize("engine_name", ENGINES)
@pytest.mark.parametrize("writer", WRITERS)
def test_reads_equal_the_formula(engine_name: str, corpus: tuple[Store, Arrays]) -> None:
    store, arrays = corpus
    step = 1 if engine_name == "native" else 7  # all of them: the slow test
    check_all(engine_name, store, dict(itertools.islice(arrays.items(), 0, None, step)))


@pytest.mark.slow
@pytest.mark.oracle
@pytest.mark.parametrize("backend", ["local", "memory", "zip"])
@pytest.mark.parametrize("engine_name", ENGINES[1:])
@pytest.mark.parametrize("writer", WRITERS)
def test_other_engines_read_all(engine_name: str, corpus: tuple[Store, Arrays]) -> None:
    check_all(engine_name, *corpus)


@pytest.mark.parametrize("backend", ["memory"])
@pytest.mark.parametrize("engine_name", ENGINES)
@pytest.mark.parametrize("writer", WRITERS)
def test_the_corpus_is_for_every_engine(engine_name: str, corpus: tuple[Store, Arrays]) -> None:
    store, arrays = corpus
    engine = engine_of(engine_name)
    declined = {n: engine.decline(m, store) for n, m in arrays.items()}
    reasons = Counter(reason for reason in declined.values() if reason is not None)
    if engine_name == "native":
        assert not [name for name, reason in declined.items() if reason is not None]
    if reasons:
        told = "; ".join(f"{count} × {reason}" for reason, count in sorted(reasons.items()))
        pytest.skip(f"{engine_name} declines {reasons.total()} of {len(arrays)} arrays: {told}")


@pytest.mark.parametrize("backend", ["local", "memory"])
@pytest.mark.parametrize("writer", WRITERS)
def test_native_writes_in_what_others_wrote(
    corpus: tuple[Store, Arrays], backend: str, tmp_path: Path
) -> None:
    source, arrays = corpus
    native, judge = engine_of("native"), engine_of("zarr")
    copies: Store = LocalStore(tmp_path) if backend == "local" else MemoryStore()

    def work(name: str, metadata: ArrayMetadata) -> None:
        for info in source.list(f"{name}/"):
            data = source.get(info.key)
            assert data is not None
            copies.put(info.key, data)
        values = MAKER.expected(DOCUMENTS[name]).astype(metadata.dtype)
        rng = np.random.default_rng(len(name))
        for _ in range(2):
            box = random_box(metadata.shape, rng, steps=False)
            part = random_values(metadata, box.shape, rng)
            native.open(metadata, copies, name).write(box, part)
            values[box.slices] = part
        full = Box.full(metadata.shape)
        for engine in (native, judge) if name in judged else (native,):
            assert_identical(read(engine, metadata, copies, name, full), values)

    able = {n: m for n, m in arrays.items() if native.decline(m, source) is None}
    # The judge may be an old zarr-python, which declines shards within other codecs.
    candidates = [n for n, m in able.items() if judge.decline(m, source) is None]
    judged = set(itertools.islice(candidates, 0, None, 5))
    assert len(judged) > 20
    assert not failures(work, able)


@pytest.mark.parametrize("writer", WRITERS)
def test_documents_are_those_of_the_script(writer: str) -> None:
    backend = ZipStore(str(archive(writer)))
    names = {info.key.split("/")[0] for info in backend.list()}
    assert names <= set(DOCUMENTS)
    assert len(names) > 200
    for name in sorted(names):
        found = crud.read_metadata(backend, name)
        wanted = parse_array({"attributes": {}, **DOCUMENTS[name]})
        # Writers spell defaults in or leave them out; the meaning is one.
        metadata = parse_array(found)
        assert metadata.shape == wanted.shape
        assert metadata.dtype == wanted.dtype
        assert metadata.grid == wanted.grid
        assert [c.name for c in metadata.codecs] == [c.name for c in wanted.codecs]
        # A chunk is missing: the fill value is read too.
        keys = [info.key for info in at_prefix(backend, name).list() if "zarr" not in info.key]
        assert len(keys) > 0
    backend.close()

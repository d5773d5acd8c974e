"""Files of vectors in buckets, on web servers, in memory and in archives; judged by local ones."""

import gzip
import tempfile
import threading
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anyzarr
from anyzarr._convert._file_source import StoredFile, find_file
from anyzarr._convert._target import Location
from anyzarr._progress import Tracker
from anyzarr.abc import Store
from anyzarr.errors import (
    ConflictError,
    CorruptDataError,
    NodeExistsError,
    NodeNotFoundError,
    ReadOnlyError,
    StoreError,
    UnsupportedError,
)
from anyzarr.stores import MemoryStore, open_store
from anyzarr.vectors import write_graph, write_mesh, write_points, write_polylines

from ..._object_faults import cut_off  # noqa: TID252 (tests are no installed package)
from ..._object_server import (  # noqa: TID252 (tests are no installed package)
    Answer,
    Exchange,
    Fault,
    ObjectServer,
    serving,
)

POINTS = "x,y,z,object_id,mass\n" + "".join(
    f"{i},{i / 7},-{i},{i % 3},{i * 2}\n" for i in range(40)
)


@pytest.fixture(autouse=True)
def _nothing_is_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Temporary folders go where they are seen, and are removed in every case."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield
    assert [*folder.iterdir()] == []


@pytest.fixture
def web() -> Iterator[ObjectServer]:
    with serving() as server:
        yield server


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A store of every geometry."""
    rng = np.random.default_rng(3)
    walks = [np.cumsum(rng.normal(0, 3, (n, 3)), axis=0) for n in (9, 2, 30)]
    write_points(tmp_path / "points", rng.normal(0, 9, (60, 3)), vertex_attributes={"n": range(60)})
    write_polylines(tmp_path / "paths", walks, object_attributes={"weight": [0.5, 1, 2]})
    parent = np.stack([np.arange(1, 20), np.arange(19) // 2], axis=1)
    write_graph(tmp_path / "tree", rng.normal(0, 9, (20, 3)), parent, kind="skeleton")
    write_mesh(tmp_path / "mesh", rng.normal(0, 9, (5, 3)), [[0, 1, 4], [1, 2, 4], [2, 3, 4]])
    return tmp_path


def objects_of(store: Store, prefix: str = "") -> dict[str, bytes]:
    return {info.key: store.get(info.key) or b"" for info in store.list(prefix)}


def content(location: Any, **options: Any) -> dict[str, bytes]:
    return objects_of(open_store(location, **options))


NAMES = {
    "points": ("p.csv", "p.tsv", "p.parquet", "p.las", "p.laz", "p.ply"),
    "paths": ("t.trk", "t.tck", "t.trx"),
    "tree": ("n.swc",),
    "mesh": ("m.ply", "m.obj", "m.stl"),
}


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind, names in NAMES.items() for name in names]
)
def test_files_in_a_bucket(kind: str, name: str, here: Path, s3: Any) -> None:
    """Written there and read from there, every format is what it is on this machine."""
    backend = "fsspec" if name in {"p.parquet", "t.trx", "m.obj"} else "obstore"
    url, options = f"s3://{s3.new_bucket()}/a b/{name}", {"backend": backend, **s3.options}
    report = anyzarr.convert(here / kind, url, **options)
    local = anyzarr.convert(here / kind, here / name)
    assert (report.warnings, report.vertex_count) == (local.warnings, local.vertex_count)
    assert abs(report.size_bytes - local.size_bytes) <= 64  # LAZ and zip know the time
    assert report.target == url

    there = {"source_backend": backend, "source_options": s3.options}
    anyzarr.convert(url, here / "from there", **there)
    anyzarr.convert(here / name, here / "from here")
    assert content(here / "from there") == content(here / "from here")


@pytest.mark.parametrize("kind", ["points", "tree", "mesh"])
def test_precomputed_in_a_bucket(kind: str, here: Path, s3: Any) -> None:
    url = f"s3://{s3.new_bucket()}/shown/it.precomputed"
    report = anyzarr.convert(here / kind, url, **s3.options)
    anyzarr.convert(here / kind, here / "it.precomputed")
    stored = content(url, **s3.options)
    files = [path for path in (here / "it.precomputed").rglob("*") if path.is_file()]
    assert stored == {
        path.relative_to(here / "it.precomputed").as_posix(): path.read_bytes() for path in files
    }
    assert report.size_bytes == sum(map(len, stored.values()))
    with pytest.raises(NodeExistsError):
        anyzarr.convert(here / kind, url, **s3.options)
    anyzarr.convert(here / "paths", url, overwrite=True, **s3.options)
    assert stored != content(url, **s3.options)
    with pytest.raises(UnsupportedError, match="not read"):
        anyzarr.convert(url, here / "back", source_options=s3.options)


def test_a_folder_of_skeletons(here: Path, tmp_path: Path, s3: Any) -> None:
    folder, url = tmp_path / "cells", f"s3://{s3.new_bucket()}/deep/cells"
    folder.mkdir()
    store = open_store(url, mode="a", **s3.options)
    for name in ("a.swc", "b.SWC"):
        anyzarr.convert(here / "tree", folder / "n.swc")
        (folder / "n.swc").rename(folder / name)
        store.put(name, (folder / name).read_bytes())
    anyzarr.convert(folder, tmp_path / "from here")
    anyzarr.convert(url, tmp_path / "from there", source_options=s3.options)
    assert content(tmp_path / "from there") == content(tmp_path / "from here")
    anyzarr.convert(dict(objects_of(store)), tmp_path / "of objects", name="cells")
    assert content(tmp_path / "of objects") == content(tmp_path / "from here")

    store.put("a.swc", b"1 1 0 0 0 1 -1\n2 1 a b c 1 1\n")
    with pytest.raises(CorruptDataError, match=r"deep/cells/a\.swc") as caught:
        anyzarr.convert(url, tmp_path / "broken", source_options=s3.options)
    assert caught.value.key == f"{url}/a.swc"
    store.put("notes.txt", b"none of them")
    with pytest.raises(NodeNotFoundError):
        anyzarr.convert(url, tmp_path / "broken", source_options=s3.options)


def test_files_on_a_web_server(web: ObjectServer, tmp_path: Path) -> None:
    (tmp_path / "spots.csv").write_text(POINTS)
    web.objects["deep/spots.csv"] = POINTS.encode()
    report = anyzarr.convert(f"{web.url}/deep/spots.csv", tmp_path / "there")
    anyzarr.convert(tmp_path / "spots.csv", tmp_path / "here")
    assert content(tmp_path / "there") == content(tmp_path / "here")
    assert (report.source, report.vertex_count) == (f"{web.url}/deep/spots.csv", 40)
    with pytest.raises(ReadOnlyError):
        anyzarr.convert(tmp_path / "here", f"{web.url}/new.csv")


def no_head(x: Exchange) -> Fault | None:
    """Look-ups are forbidden."""
    return (lambda x: x.send(Answer(403))) if x.method == "HEAD" else None


def test_a_signed_url_may_be_for_reading_alone(web: ObjectServer, tmp_path: Path) -> None:
    web.choose = no_head
    web.objects["spots.csv"] = POINTS.encode()
    report = anyzarr.convert(f"{web.url}/spots.csv?signature=hush", tmp_path / "there")
    assert report.vertex_count == 40
    assert "hush" not in report.source


def test_what_is_not_there_or_not_to_be_read(web: ObjectServer, tmp_path: Path) -> None:
    open_store("memory://somebody", mode="a")
    for url in (f"{web.url}/no.csv", f"{web.url}/no.csv?signed=1", "memory://somebody/no.csv"):
        with pytest.raises(NodeNotFoundError, match="there is no file"):
            anyzarr.convert(url, tmp_path / "out")
    for where in ("memory://nobody/no.csv", "memory://nobody"):  # looking there makes no store
        with pytest.raises(NodeNotFoundError, match="no memory store"):
            anyzarr.convert(where, tmp_path / "out")
    web.choose = no_head
    with pytest.raises(StoreError, match=r"secret\.csv"):
        anyzarr.convert(f"{web.url}/secret.csv", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_broken_file_is_named_by_where_it_is(tmp_path: Path) -> None:
    store = open_store("memory://broken", mode="a")
    store.put("deep/n.swc", b"1 1 0 0 0 1 -1\n2 1 a b c 1 1\n")
    with pytest.raises(CorruptDataError, match=r"'memory://broken/deep/n\.swc'") as caught:
        anyzarr.convert("memory://broken/deep/n.swc", tmp_path / "out")
    assert caught.value.key == "memory://broken/deep/n.swc"
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_cut_off_on_its_way_leaves_nothing(
    web: ObjectServer, tmp_path: Path
) -> None:
    web.objects["spots.csv"] = POINTS.encode()
    web.choose = lambda x: cut_off if x.method == "GET" else None
    with pytest.raises((StoreError, ConflictError)), anyzarr.config.set(retries=0):
        anyzarr.convert(f"{web.url}/spots.csv", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_from_memory_to_memory(here: Path) -> None:
    anyzarr.convert(here / "points", "memory://m/p.csv")
    anyzarr.convert("memory://m/p.csv", "memory://m/p.ply")
    anyzarr.convert("memory://m/p.ply", "memory://m/p.zarrvectors")
    anyzarr.convert(here / "points", here / "p.csv")
    anyzarr.convert(here / "p.csv", here / "p.ply")
    assert open_store("memory://m").get("p.ply") == (here / "p.ply").read_bytes()
    with pytest.raises(NodeExistsError):
        anyzarr.convert("memory://m/p.zarrvectors", "memory://m/p.ply")
    anyzarr.convert("memory://m/p.zarrvectors", "memory://m/p.csv", overwrite=True)


def test_stores_may_have_names_of_files(here: Path) -> None:
    (here / "s.csv").write_text(POINTS)
    anyzarr.convert(here / "s.csv", "memory://spots.csv")  # a store in memory of this name
    assert (
        anyzarr.convert("memory://spots.csv", here / "t.csv").vertex_count
        == anyzarr.convert(here / "s.csv", "memory://spots/inner.csv|zarr3:").vertex_count
        == anyzarr.convert("memory://spots/inner.csv", here / "u.csv").vertex_count
        == 40
    )


def test_files_in_archives_and_compressed_ones(tmp_path: Path) -> None:
    (tmp_path / "s.csv.gz").write_bytes(gzip.compress(POINTS.encode()))
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("deep/s.csv", POINTS)
    for source in (f"{tmp_path}/a.zip|zip:deep/s.csv", f"{tmp_path}/s.csv.gz|gzip:"):
        assert anyzarr.convert(source, {}).vertex_count == 40
    with pytest.raises(NodeNotFoundError):
        anyzarr.convert(f"{tmp_path}/a.zip|zip:s.csv", {})


@pytest.fixture
def puts(monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], list[Callable[[str], None]]]:
    """Keys that are put into memory stores, and what is to happen before."""
    keys: list[str] = []
    faults: list[Callable[[str], None]] = []
    put, lock = MemoryStore._put, threading.Lock()

    def noting(store: Any, key: str, value: Any, precondition: Any) -> str | None:
        for fault in faults:
            fault(key)
        with lock:
            keys.append(key)
        return put(store, key, value, precondition)

    monkeypatch.setattr(MemoryStore, "_put", noting)
    return keys, faults


def full(key: str) -> None:
    if key.rpartition("/")[2] in {"p.csv", "info"}:
        raise StoreError("the disk is full")


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_target_is_there_whole_or_not_at_all(
    here: Path, puts: tuple[list[str], list[Callable[[str], None]]], overwrite: bool
) -> None:
    keys, faults = puts
    where = f"memory://whole{overwrite}"
    store = open_store(where, mode="a")
    if overwrite:
        anyzarr.convert(here / "mesh", f"{where}/it.precomputed")
        anyzarr.convert(here / "points", f"{where}/p.csv")
    before = store.get("p.csv")
    faults.append(full)
    for name in ("p.csv", "it.precomputed"):
        with pytest.raises(StoreError, match="the disk is full"):
            anyzarr.convert(here / "points", f"{where}/{name}", overwrite=overwrite)
    assert store.get("p.csv") == before
    assert not any(info.key.startswith("it.precomputed/") for info in store.list())

    faults.clear()
    keys.clear()
    anyzarr.convert(here / "points", f"{where}/it.precomputed")
    assert len(keys) > 2
    assert keys[-1] == "it.precomputed/info"


def test_what_cannot_be_removed_hides_no_error(here: Path, s3: Any, web: ObjectServer) -> None:
    def no_changes(x: Exchange) -> Fault | None:
        return None if x.method in {"GET", "HEAD"} else lambda x: x.send(Answer(403))

    web.choose = no_changes
    options = {**s3.options, "endpoint_url": web.url}
    with pytest.raises(StoreError, match="cannot write") as caught:
        anyzarr.convert(here / "points", "s3://bucket/it.precomputed", **options)
    assert "could not be removed" in caught.value.__notes__[0]


def test_what_is_none_of_ours_is_not_replaced(here: Path) -> None:
    store = open_store("memory://taken", mode="a")
    for key in ("a.precomputed/notes.txt", "b.precomputed/info"):
        store.put(key, b'{"@type": "diary"}')
    before = objects_of(store)
    for name in ("a.precomputed", "b.precomputed"):
        with pytest.raises(NodeExistsError, match="not replaced"):
            anyzarr.convert(here / "points", f"memory://taken/{name}", overwrite=True)
    store.put("c.csv", b"mine")
    with pytest.raises(NodeExistsError, match="overwrite=True"):
        anyzarr.convert(here / "points", "memory://taken/c.csv")
    assert objects_of(store) == {**before, "c.csv": b"mine"}


def test_a_target_that_appears_meanwhile_is_not_replaced(here: Path) -> None:
    store = open_store("memory://race", mode="a")

    def meanwhile(step: Any) -> None:
        store.put("c.csv", b"mine")

    with pytest.raises(NodeExistsError):
        anyzarr.convert(here / "points", "memory://race/c.csv", progress=meanwhile)
    assert store.get("c.csv") == b"mine"


def test_progress_tells_what_goes_over_the_network() -> None:
    open_store("memory://told", mode="a").put("s.csv", POINTS.encode())
    steps: list[Any] = []
    anyzarr.convert("memory://told/s.csv", "memory://told/s.tsv", progress=steps.append)
    labels = [step.label for step in steps]
    assert list(dict.fromkeys(labels)) == ["fetching", "vectors", "storing"]
    for label in ("fetching", "storing"):
        assert next(step for step in reversed(steps) if step.label == label).fraction == 1


def test_a_large_file_is_not_held_whole(tmp_path: Path) -> None:
    n_bytes = 160 << 20
    with (tmp_path / "large.las").open("wb") as file:
        file.truncate(n_bytes)
    found = find_file(Location(str(tmp_path / "large.las"), "fsspec", {}), is_told=False)
    assert isinstance(found, StoredFile)
    tracemalloc.start()
    try:
        with found.fetched(Tracker(None)) as path:
            assert path.stat().st_size == n_bytes
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()

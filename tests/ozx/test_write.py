"""Archives written directly: by nodes and by stores, here and in object stores."""

from __future__ import annotations

import gc
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anyzarr
from anyzarr import stores
from anyzarr.errors import (
    AnyzarrError,
    NodeExistsError,
    NodeNotFoundError,
    ReadOnlyError,
    StoreError,
)
from anyzarr.stores import LocalStore, MemoryStore, StagedArchive, ZipStore, open_store

PIXELS = np.random.default_rng(0).integers(0, 999, (2, 300, 400)).astype("u2")


def names(archive: Path) -> list[str]:
    with zipfile.ZipFile(archive) as opened:
        assert opened.testzip() is None
        return opened.namelist()


def assert_in_order(archive: Path) -> None:
    listed = names(archive)
    assert listed[0] == "zarr.json"
    is_document = [name.rpartition("/")[2] == "zarr.json" for name in listed]
    assert is_document == sorted(is_document, reverse=True)
    depths = [name.count("/") for name in listed[: sum(is_document)]]
    assert depths == sorted(depths)
    assert len(set(listed)) == len(listed)


# ------------------------------------------------------------------------------------ nodes


@pytest.mark.parametrize("mode", ["w", "w-", "a"])
@pytest.mark.parametrize("name", ["a.ozx", "A.OZX", "deep/er/a.zip"])
def test_an_image(tmp_path: Path, mode: Any, name: str) -> None:
    archive = tmp_path / name
    with anyzarr.open_ome_zarr(archive, mode=mode, axes="cyx") as image:
        image.create_image("0", PIXELS, scale=(1, 0.5, 0.5))
        image.data[0, :9] = 7
        image.compute_pyramid(levels=3)
        assert not archive.exists()
        assert np.array_equal(image.data[1], PIXELS[1])
    assert [p.name for p in archive.parent.iterdir()] == [archive.name]
    assert_in_order(archive)
    again = anyzarr.open_ome_zarr(archive)
    assert np.array_equal(again.data[0, 9:], PIXELS[0, 9:])
    assert (again.data[0, :9] == 7).all()
    assert anyzarr.validate(archive, deep=True).valid
    # The handles that wrote it read it from now on.
    assert np.array_equal(image.data[...], again.data[...])
    assert len(image.levels) == 3
    with pytest.raises(ReadOnlyError):
        image.data[0, 0] = 1


def test_what_is_written_directly_is_what_is_packed(tmp_path: Path) -> None:
    for name, backend in (("folder", "local"), ("archive", "zip")):
        location = tmp_path / name / "image"
        with anyzarr.open_ome_zarr(location, mode="w", axes="cyx", backend=backend) as image:
            image.create_image("0", PIXELS)
            image.compute_pyramid(levels=2)
    anyzarr.convert(tmp_path / "folder" / "image", tmp_path / "packed.ozx")
    packed = (tmp_path / "packed.ozx").read_bytes()
    assert (tmp_path / "archive" / "image").read_bytes() == packed


def test_a_plate(tmp_path: Path) -> None:
    archive = tmp_path / "plate.ozx"
    with anyzarr.open_ome_zarr(archive, mode="w", layout="hcs", axes="yx") as plate:
        for row, column in (("A", "1"), ("B", "2")):
            # The end of what is below is not the end of the archive.
            with plate.create_position(row, column, "0") as position:
                position.create_image("0", PIXELS[0])
        plate.create_position("B", "2", "1").create_image("0", PIXELS[1])
        assert not archive.exists()
    assert_in_order(archive)
    again = anyzarr.open_ome_zarr(archive)
    assert [name for name, _ in again.positions()] == ["A/1/0", "B/2/0", "B/2/1"]
    assert np.array_equal(again["B/2/1"].data[...], PIXELS[1])
    assert anyzarr.validate(archive).valid


@pytest.mark.parametrize("layout", ["bf2raw", "tiled", "image"])
def test_other_layouts(tmp_path: Path, layout: Any) -> None:
    archive = tmp_path / "a.ozx"
    with anyzarr.open_ome_zarr(archive, mode="w", layout=layout, axes="cyx") as node:
        if layout == "bf2raw":
            node.create_image(PIXELS)
        else:
            node.create_image("0", PIXELS)
    assert_in_order(archive)
    again = anyzarr.open_ome_zarr(archive)
    image = again[0] if layout == "bf2raw" else again
    assert np.array_equal(image.data[...], PIXELS)


def test_groups_and_arrays(tmp_path: Path) -> None:
    with anyzarr.open_group(tmp_path / "g.zip", mode="w", attributes={"a": 1}) as group:
        group.create_array("x/y", data=PIXELS, chunks=(1, 100, 100), shards=(1, 300, 400))
        with group.create_group("z") as inner:
            inner.attrs["b"] = 2
        group["x/y"][0, 0] = 5
        del group["z"]
        group.attrs["a"] = 3
    assert names(tmp_path / "g.zip") == [
        "zarr.json", "x/zarr.json", "x/y/zarr.json", "x/y/c/0/0/0", "x/y/c/1/0/0",
    ]  # fmt: skip
    again = anyzarr.open_group(tmp_path / "g.zip")
    assert again.attrs["a"] == 3
    assert (again["x/y"][0, 0] == 5).all()
    array = anyzarr.create_array(tmp_path / "a.zip", data=[1, 2, 3])
    assert not (tmp_path / "a.zip").exists()
    array.close()
    array.close()
    assert anyzarr.open_array(tmp_path / "a.zip")[:].tolist() == [1, 2, 3] == array[:].tolist()
    with anyzarr.open_array(tmp_path / "o.zip", mode="w-", shape=(3,), dtype="i1") as array:
        array[1:] = 1
    assert anyzarr.open(tmp_path / "o.zip")[:].tolist() == [0, 1, 1]


def test_the_root_is_a_group_where_only_members_were_created(tmp_path: Path) -> None:
    with anyzarr.create_array(tmp_path / "a.zip", name="deep/er", data=[1]):
        pass
    assert names(tmp_path / "a.zip")[:2] == ["zarr.json", "deep/zarr.json"]
    assert anyzarr.open_group(tmp_path / "a.zip")["deep/er"][0] == 1


def test_zarr_v2_says_nothing_of_json(tmp_path: Path) -> None:
    with anyzarr.open_ome_zarr(tmp_path / "a.ozx", mode="w", axes="cyx", version="0.4") as image:
        image.create_image("0", PIXELS)
    assert names(tmp_path / "a.ozx")[:2] == [".zgroup", ".zattrs"]
    assert b"jsonFirst" not in ZipStore(tmp_path / "a.ozx").directory.comment


@pytest.mark.oracle
def test_others_read_it(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr", minversion="3")
    with anyzarr.open_ome_zarr(tmp_path / "a.ozx", mode="w", axes="cyx") as image:
        image.create_image("0", PIXELS)
    with zarr.storage.ZipStore(tmp_path / "a.ozx", mode="r") as store:
        assert np.array_equal(zarr.open_group(store, mode="r")["0"][...], PIXELS)


# ------------------------------------------------------------------------- nothing half-made


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("x"), SystemExit(1)])
@pytest.mark.parametrize("layout", ["fov", "hcs", "bf2raw"])
@pytest.mark.parametrize("exists", [False, True])
def test_on_an_exception_there_is_none(
    tmp_path: Path, error: BaseException, layout: Any, exists: bool
) -> None:
    archive = tmp_path / ("a.ozx" if exists else "new/a.ozx")
    if exists:
        archive.write_bytes(b"old")
    with (  # noqa: PT012
        pytest.raises(type(error)),
        anyzarr.open_ome_zarr(archive, mode="w", layout=layout, axes="cyx") as node,
    ):
        if layout == "hcs":
            node.create_position("A", "1", "0").create_image("0", PIXELS)
        elif layout == "fov":
            node.create_image("0", PIXELS)
        raise error
    assert [p.name for p in tmp_path.iterdir()] == (["a.ozx"] if exists else [])
    if exists:
        assert archive.read_bytes() == b"old"


def test_handles_of_what_was_not_made_raise(tmp_path: Path) -> None:
    with (  # noqa: PT012
        pytest.raises(ZeroDivisionError),
        anyzarr.open_group(tmp_path / "a.ozx", mode="w") as g,
    ):
        array = g.create_array("x", data=PIXELS)
        reader = anyzarr.open_array(g.store, path="x", mode="r")
        part = stores.at_prefix(g.store, "x")
        assert np.array_equal(reader[...], PIXELS)
        assert np.array_equal(array[...], PIXELS)
        1 / 0  # noqa: B018
    for work in (
        lambda: array[...],
        lambda: reader[...],
        lambda: array.__setitem__(..., 1),
        lambda: g.create_array("y", data=[1]),
        lambda: part.get("zarr.json"),
        lambda: list(part.list()),
        lambda: g.store.put("k", b"1"),
    ):
        with pytest.raises(StoreError, match="was not made"):
            work()
    assert list(tmp_path.iterdir()) == []


def test_views_read_the_archive_when_it_is_made(tmp_path: Path) -> None:
    with anyzarr.open_group(tmp_path / "a.ozx", mode="w") as group:
        array = group.create_array("x", data=PIXELS)
        reader = anyzarr.open_array(group.store, path="x", mode="r")
        part = stores.at_prefix(group.store, "x")
        at_part = anyzarr.open_array(part)
        for handle in (array, reader, at_part):
            assert np.array_equal(handle[...], PIXELS)
        with pytest.raises(ReadOnlyError):
            reader[...] = 1
    for handle in (array, reader, at_part):
        assert np.array_equal(handle[...], PIXELS)
        with pytest.raises(ReadOnlyError):
            handle[...] = 1
    assert not part.capabilities.writable
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.ozx"]


@pytest.mark.parametrize(
    "create",
    [
        lambda at: anyzarr.create_array(at, shape=(3,), dtype="no such type"),
        lambda at: anyzarr.create_array(at, data=[1, 2], chunks=(0,)),
        lambda at: anyzarr.create_group(at, path="a/../b"),
        lambda at: anyzarr.open_ome_zarr(at, mode="w", channel_names=5),
    ],
)
def test_what_cannot_be_created_leaves_nothing(
    tmp_path: Path, create: Callable[[Path], Any]
) -> None:
    with pytest.raises((AnyzarrError, TypeError)):
        create(tmp_path / "new" / "a.ozx")
    assert list(tmp_path.iterdir()) == []


def test_one_that_nobody_closes_is_kept_and_told(tmp_path: Path) -> None:
    array = anyzarr.create_array(tmp_path / "a.ozx", data=[1, 2, 3])
    with pytest.warns(RuntimeWarning, match="was not closed") as warned:  # noqa: PT031
        del array
        gc.collect()
    (folder,) = tmp_path.iterdir()
    assert folder.name.startswith(".a.ozx.")
    assert str(folder) in str(warned[0].message)
    anyzarr.convert(folder, tmp_path / "saved.ozx")
    assert anyzarr.open_array(tmp_path / "saved.ozx")[:].tolist() == [1, 2, 3]


def test_a_process_that_ends_says_so_too(tmp_path: Path) -> None:
    code = "import sys, anyzarr; a = anyzarr.create_array(sys.argv[1], data=[1])"
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "a.ozx"], check=True, capture_output=True, text=True
    )
    assert "was not closed" in done.stderr
    assert not (tmp_path / "a.ozx").exists()


def test_closing_can_be_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    array = anyzarr.create_array(tmp_path / "a.ozx", data=[1, 2, 3])

    def full(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.pwrite", full)
        with pytest.raises(StoreError, match="No space left"):
            array.close()
    assert not (tmp_path / "a.ozx").exists()
    array[0] = 9
    array.close()
    assert anyzarr.open_array(tmp_path / "a.ozx")[:].tolist() == [9, 2, 3]
    assert [p.name for p in tmp_path.iterdir()] == ["a.ozx"]


def test_one_that_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    store = StagedArchive(tmp_path / "a.ozx")
    anyzarr.create_array(store, data=[1])
    (tmp_path / "a.ozx").write_bytes(b"theirs")
    with pytest.raises(NodeExistsError):
        store.close()
    store.discard()
    assert (tmp_path / "a.ozx").read_bytes() == b"theirs"
    assert [p.name for p in tmp_path.iterdir()] == ["a.ozx"]


# ----------------------------------------------------------------------------------- refusals


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    with anyzarr.open_ome_zarr(tmp_path / "a.ozx", mode="w", axes="cyx") as image:
        image.create_image("0", PIXELS)
    return tmp_path / "a.ozx"


def test_changing_one_is_refused(archive: Path) -> None:
    before = archive.read_bytes()
    for mode in ("r+", "a"):
        for opening in (anyzarr.open_ome_zarr, anyzarr.open_group, open_store):
            with pytest.raises(ReadOnlyError, match="unpack"):
                opening(archive, mode=mode)
    for opening in (anyzarr.open_ome_zarr, anyzarr.open_group, open_store):
        with pytest.raises(NodeExistsError):
            opening(archive, mode="w-")
    with pytest.raises(NodeExistsError):
        anyzarr.create_array(archive, name="new", data=[1])
    with pytest.raises(StoreError, match="path="):
        anyzarr.create_array(f"{archive}|zip:inner", data=[1], overwrite=True)
    with pytest.raises(NodeNotFoundError):
        open_store(archive.with_name("none.ozx"), mode="r+")
    assert archive.read_bytes() == before
    assert [p.name for p in archive.parent.iterdir()] == ["a.ozx"]


def test_other_files_are_not_taken_for_archives_to_be_replaced(archive: Path) -> None:
    document = archive.rename(archive.with_name("thesis.docx"))  # they are zip archives, too
    with pytest.raises(ReadOnlyError):
        anyzarr.create_array(document, data=[1], overwrite=True)
    with anyzarr.create_array(document, data=[1], overwrite=True, backend="zip"):
        pass
    assert anyzarr.open_array(document)[0] == 1


def test_replacing(archive: Path) -> None:
    with anyzarr.open_group(archive, mode="w") as group:
        assert list(group) == []
        assert anyzarr.open_ome_zarr(archive).data.shape == PIXELS.shape, "the old is still there"
    assert names(archive) == ["zarr.json"]


# ------------------------------------------------------------------------------------ workers


def fill(array: Any, start: int) -> None:
    array[start : start + 10] = start


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_worker_processes_write_to_it(tmp_path: Path, method: str) -> None:
    context: Any = multiprocessing.get_context(method)
    with anyzarr.create_array(
        tmp_path / "a.ozx", shape=(40,), dtype="i4", chunks=(5,), shards=(20,)
    ) as array:
        workers = [context.Process(target=fill, args=(array, i)) for i in range(0, 40, 10)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(60)
            assert worker.exitcode == 0
    expected = np.repeat(range(0, 40, 10), 10)
    assert np.array_equal(anyzarr.open_array(tmp_path / "a.ozx")[:], expected)
    assert [p.name for p in tmp_path.iterdir()] == ["a.ozx"]


def test_a_copy_adds_to_it_and_cannot_close_it(tmp_path: Path) -> None:
    store = StagedArchive(tmp_path / "a.ozx")
    anyzarr.create_array(store, data=[1, 2])
    copy = pickle.loads(pickle.dumps(store))
    assert copy == store
    assert hash(copy) == hash(store)
    anyzarr.open_array(copy)[0] = 5
    with pytest.raises(StoreError, match="another process"):
        copy.close()
    copy.discard()
    assert store.is_open
    store.close()
    assert anyzarr.open_array(tmp_path / "a.ozx")[:].tolist() == [5, 2]
    late = pickle.loads(pickle.dumps(copy))
    assert late.get("zarr.json") == store.get("zarr.json")
    assert not late.capabilities.writable


def test_threads_close_it_once(tmp_path: Path) -> None:
    store = StagedArchive(tmp_path / "a.ozx")
    anyzarr.create_array(store, data=np.arange(1000), chunks=(10,))
    threads = [threading.Thread(target=store.close) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert anyzarr.open_array(tmp_path / "a.ozx")[999] == 999


# ------------------------------------------------------------------------------- object stores


def test_into_any_store() -> None:
    container = MemoryStore()
    with StagedArchive((container, "in/a.ozx")) as store:
        anyzarr.create_array(store, name="x", data=PIXELS)
        assert container.head("in/a.ozx") is None
    assert container.head("in/a.ozx") is not None
    assert np.array_equal(anyzarr.open_array(store, path="x")[...], PIXELS)
    with pytest.raises(NodeExistsError):
        StagedArchive((container, "in/a.ozx"))


@pytest.mark.parametrize("backend", ["obstore", "fsspec"])
def test_into_s3(s3: Any, backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    bucket = f"s3://{s3.new_bucket()}"
    options = {"backend": backend, **s3.options}
    location = f"{bucket}/deep/a.ozx"
    noise = np.random.default_rng(0).integers(0, 65535, (5, 1500, 1500)).astype("u2")
    with anyzarr.open_ome_zarr(location, mode="w-", axes="cyx", **options) as image:
        image.create_image("0", noise)
        assert open_store(bucket, **options).head("deep/a.ozx") is None
    size = open_store(bucket, **options).head("deep/a.ozx").size
    assert size > 16 << 20, "several parts"
    again = anyzarr.open_ome_zarr(location, **options)
    assert np.array_equal(again.data[3:, ::7, ::7], noise[3:, ::7, ::7])
    assert np.array_equal(image.data[0], noise[0])
    with pytest.raises(NodeExistsError):
        anyzarr.open_ome_zarr(location, mode="w-", **options)
    with pytest.raises(ReadOnlyError):
        anyzarr.open_ome_zarr(location, mode="a", **options)
    with pytest.raises(ZeroDivisionError), anyzarr.open_group(location, mode="w", **options):
        1 / 0  # noqa: B018
    assert open_store(bucket, **options).head("deep/a.ozx").size == size
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("backend", ["obstore", "fsspec"])
def test_convert_to_and_from_s3(s3: Any, backend: str, tmp_path: Path) -> None:
    with anyzarr.open_ome_zarr(tmp_path / "a.zarr", mode="w", axes="cyx") as image:
        image.create_image("0", PIXELS)
    remote = f"s3://{s3.new_bucket()}/a.ozx"
    options = {"backend": backend, **s3.options}
    report = anyzarr.convert(tmp_path / "a.zarr", remote, **options)
    assert report.kind == "pack"
    anyzarr.convert(tmp_path / "a.zarr", tmp_path / "a.ozx")
    assert report.size_bytes == (tmp_path / "a.ozx").stat().st_size
    with pytest.raises(NodeExistsError):
        anyzarr.convert(tmp_path / "a.zarr", remote, **options)
    anyzarr.convert(tmp_path / "a.zarr", remote, overwrite=True, version="0.6", **options)
    assert anyzarr.open_ome_zarr(remote, **options).version == "0.6"
    back = anyzarr.convert(
        remote, tmp_path / "b.zarr", source_backend=backend, source_options=s3.options
    )
    assert back.kind == "copy"
    assert np.array_equal(anyzarr.open_ome_zarr(tmp_path / "b.zarr").data[...], PIXELS)


@pytest.mark.parametrize("backend", ["obstore", "fsspec"])
def test_an_upload_that_fails_leaves_what_was_there(s3: Any, backend: str) -> None:
    store: Any = open_store(f"s3://{s3.new_bucket()}", mode="a", backend=backend, **s3.options)
    store.put("a", b"old")

    def parts() -> Any:
        for _ in range(3):
            yield bytes(9 << 20)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.put_stream("a", parts(), size_limit=1 << 30)
    assert store.get("a") == b"old"
    store.put_stream("a", (bytes([n]) * (9 << 20) for n in range(3)), size_limit=1 << 30)
    assert store.get("a") == b"".join(bytes([n]) * (9 << 20) for n in range(3))


@pytest.mark.parametrize("kind", ["local", "memory", "fsspec-local", "fsspec-memory", "prefix"])
def test_streams_into_other_stores(kind: str, tmp_path: Path) -> None:
    store: Any = {
        "local": lambda: LocalStore(tmp_path),
        "memory": MemoryStore,
        "fsspec-local": lambda: open_store(tmp_path, backend="fsspec", mode="a"),
        "fsspec-memory": lambda: open_store(
            f"memory://{tmp_path.name}", backend="fsspec", mode="a"
        ),
        "prefix": lambda: stores.SubStore(LocalStore(tmp_path), "p/"),
    }[kind]()
    store.put("d/a", b"old")

    def parts() -> Any:
        yield b"half"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.put_stream("d/a", parts(), size_limit=100)
    assert store.get("d/a") == b"old"
    assert [info.key for info in store.list()] == ["d/a"]
    store.put_stream("d/a", iter([b"n", b"", b"ew"]), size_limit=100)
    assert store.get("d/a") == b"new"
    assert not [name for _, _, found in os.walk(tmp_path) for name in found if "tmp" in name]

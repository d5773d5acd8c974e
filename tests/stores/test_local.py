"""Folders: nothing is half-written, whatever interrupts, and nothing hidden is listed."""

from __future__ import annotations

import errno
import os
import pickle
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from anyzarr.abc import ABSENT
from anyzarr.errors import ConflictError, StoreError
from anyzarr.stores import FsspecStore, LocalStore

from .._unprivileged import (  # noqa: TID252 (tests are no installed package)
    as_nobody,
    reachable_folder,
)


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def failing(error: BaseException, *, after: int = 0) -> Callable[..., Any]:
    """Return a function that raises on its call number ``after``."""
    calls = iter(range(10**6))

    def fail(*args: Any, **kwargs: Any) -> Any:
        if next(calls) >= after:
            raise error
        return None

    return fail


def new_local(folder: Path) -> LocalStore:
    return LocalStore(folder)


def new_fsspec(folder: Path) -> FsspecStore:
    fsspec = pytest.importorskip("fsspec", reason="the backend's library")
    return FsspecStore(fsspec.filesystem("file"), str(folder))


@pytest.fixture(params=[new_local, new_fsspec])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    store = request.param(tmp_path)
    store.put("a/k", b"old")
    return store


STEPS = ["open", "write", "utime", "fstat", "close", "replace"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit, MemoryError])
def test_an_interrupted_put_leaves_the_old_object_and_nothing_else(
    store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, interruption: Any
) -> None:
    with monkeypatch.context() as patch:
        real = getattr(os, step)
        if step == "close":
            # Close for real: what is not closed would stay open.
            patch.setattr(os, step, lambda fd: (real(fd), failing(interruption())()))
        else:
            patch.setattr(os, step, failing(interruption()))
        with pytest.raises(interruption):
            store.put("a/k", b"new" * 1000)
    assert names(tmp_path) == {"a/k"}
    assert store.get("a/k") == b"old"
    store.put("a/k", b"new")
    assert store.get("a/k") == b"new"


@pytest.mark.parametrize("interruption", [KeyboardInterrupt(), OSError(errno.EIO, "broken")])
def test_an_interrupted_put_if_absent_leaves_nothing(
    store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interruption: BaseException
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "link", failing(interruption))
        with pytest.raises((KeyboardInterrupt, StoreError)):
            store.put("a/new", b"new", precondition=ABSENT)
    assert names(tmp_path) == {"a/k"}


def test_put_if_absent_without_hard_links(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", failing(OSError(errno.EOPNOTSUPP, "no hard links")))
    store.put("a/new", b"new", precondition=ABSENT)
    assert store.get("a/new") == b"new"
    with pytest.raises(ConflictError):
        store.put("a/new", b"newer", precondition=ABSENT)
    assert store.get("a/new") == b"new"


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "space"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "read-only"),
        (errno.EIO, "disk"),
    ],
)
def test_a_full_disk_is_an_error_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, remedy: str
) -> None:
    store = LocalStore(tmp_path)
    store.put("k", b"old")
    writes = iter([10])

    def write(fd: int, data: Any) -> int:
        # The first write goes halfway, as on a disk that fills up.
        for size in writes:
            return size
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", write)
        with pytest.raises(StoreError, match=remedy) as caught:
            store.put("k", b"x" * 100)
    assert (caught.value.kind, caught.value.key) == ("store", "k")
    assert caught.value.store == str(tmp_path)
    assert names(tmp_path) == {"k"}
    assert store.get("k") == b"old"


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:7]))
    store = LocalStore(tmp_path)
    store.put("k", bytes(range(100)))
    assert store.get("k") == bytes(range(100))


@pytest.mark.parametrize("new", [new_local, new_fsspec])
def test_permissions_are_an_error(new: Callable[[Path], Any]) -> None:
    with reachable_folder() as folder:
        store = new(folder)
        store.put("a/k", b"old")
        (folder / "a").chmod(0o555)
        refused = {
            "write": lambda: store.put("a/k", b"new"),
            "write if absent": lambda: store.put("a/new", b"new", precondition=ABSENT),
            "delete": lambda: store.delete("a/k"),
        }
        for doing, call in refused.items():
            error = as_nobody(call)
            assert isinstance(error, StoreError), doing
            assert "permission" in str(error)
            assert error.store == str(store) or str(folder) in str(error.store)
            assert error.key in {"a/k", "a/new"}
        assert store.get("a/k") == b"old"
        assert names(folder) == {"a/k"}
        (folder / "a" / "k").chmod(0o000)
        error = as_nobody(lambda: store.get("a/k"))
        assert isinstance(error, StoreError), "what may not be read is not taken for absent"


@pytest.mark.parametrize("name", ["open", "unlink", "scandir", "stat"])
def test_refused_permissions_name_store_and_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    store = LocalStore(tmp_path)
    store.put("a/k", b"old")
    calls: dict[str, Callable[[], Any]] = {
        "open": lambda: store.get("a/k"),
        "unlink": lambda: store.delete("a/k"),
        "scandir": lambda: list(store.list("a/")),
        "stat": lambda: store.head("a/k"),
    }
    with monkeypatch.context() as patch:
        patch.setattr(os, name, failing(PermissionError(errno.EACCES, "Permission denied")))
        with pytest.raises(StoreError, match="permissions") as caught:
            calls[name]()
    assert caught.value.store == str(tmp_path)
    assert caught.value.key in ("a/k", "a/")
    assert caught.value.__cause__ is not None


def test_files_being_written_are_not_objects(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.put("a/k", b"1")
    (tmp_path / "a" / ".anyzarr-0123456789abcdef.tmp").write_bytes(b"half")
    (tmp_path / "a" / ".anyzarr-notes.tmp").write_bytes(b"an object like others")
    assert {i.key for i in store.list()} == {"a/k", "a/.anyzarr-notes.tmp"}
    assert store.list_level("a/").keys == ("a/.anyzarr-notes.tmp", "a/k")
    fsspec = new_fsspec(tmp_path)
    assert {i.key for i in fsspec.list()} == {"a/k", "a/.anyzarr-notes.tmp"}
    assert fsspec.list_level("a/").keys == ("a/.anyzarr-notes.tmp", "a/k")
    with pytest.raises(StoreError):
        store.put("a/.anyzarr-0123456789abcdef.tmp", b"mine")
    store.delete_prefix("a/")
    assert not (tmp_path / "a").exists()


def test_a_file_in_the_way_of_a_folder_is_an_error(store: Any, tmp_path: Path) -> None:
    with pytest.raises(StoreError) as caught:
        store.put("a/k/below", b"1")
    assert caught.value.key == "a/k/below"
    with pytest.raises(StoreError):
        store.put("a", b"1")
    assert names(tmp_path) == {"a/k"}
    assert store.get("a/k") == b"old"


def test_links_are_followed_and_never_followed_for_ever(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "k").write_bytes(b"1")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "root" / "round").symlink_to(tmp_path / "root")
    (tmp_path / "root" / "dangling").symlink_to(tmp_path / "nothing")
    store = LocalStore(tmp_path / "root")
    assert store.get("linked/k") == b"1"
    assert store.get("dangling") is None
    assert {info.key for info in store.list()} == {"linked/k"}
    assert "linked/" in store.list_level().prefixes
    store.delete_prefix("linked/")
    assert (tmp_path / "elsewhere" / "k").read_bytes() == b"1", "only the link is removed"
    assert not (tmp_path / "root" / "linked").exists()


def test_what_is_no_file_is_no_object(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    store = LocalStore(tmp_path)
    assert store.get("pipe") is None
    assert store.head("pipe") is None
    assert list(store.list()) == []


def test_emptied_folders_go_and_the_root_stays(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "root")
    assert list(store.list()) == []
    assert store.list_level().prefixes == ()
    assert not (tmp_path / "root").exists(), "looking made it"
    store.put("a/b/c", b"1")
    store.delete("a/b/c")
    assert (tmp_path / "root").is_dir()
    assert list((tmp_path / "root").iterdir()) == []
    store.delete_prefix("")
    assert (tmp_path / "root").is_dir()


def test_files_have_the_rights_that_the_umask_leaves(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        LocalStore(tmp_path).put("k", b"1")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "k").stat().st_mode) == 0o640


def test_it_is_a_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = LocalStore("relative/../data")
    assert store.root == str(tmp_path / "data")
    assert store == LocalStore(tmp_path / "data")
    assert store != LocalStore(tmp_path / "data", read_only=True)
    assert repr(store) == f"LocalStore({str(tmp_path / 'data')!r})"
    monkeypatch.chdir("/")
    assert pickle.loads(pickle.dumps(store)) == store
    assert store.capabilities.local_root == str(tmp_path / "data")
    assert store.at_prefix("a b/").url == (tmp_path / "data" / "a b").as_uri()

"""What killed writers leave is found and removed; what live ones write is left alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anyzarr
from anyzarr import _atomic
from anyzarr._cli import main
from anyzarr.errors import NodeNotFoundError, StoreError, UnsupportedError
from anyzarr.stores import (
    LocalStore,
    MemoryStore,
    StagedArchive,
    find_debris,
    open_store,
    remove_debris,
)

OURS = ".anyzarr-0123456789abcdef.tmp"
LEFT = {
    f"a/c/0/{OURS}": "anyzarr",
    ".child.zarr.0123456789ab.partial/c/0": "anyzarr",
    ".notes.ozx.0123456789ab.partial": "anyzarr",
    "packed.ozx.0123456789ab.part": "anyzarr",
    "a/zarr.0123456789abcdef0123456789abcdef.partial": "zarr-python",
    "a/c/0/0.0123456789abcdef0123456789abcdef.partial": "zarr-python",
    "a/c/0/1.__lock": "tensorstore",
    "a/c/0/1#3": "obstore",
    "a/zarr.json#12": "obstore",
}
# Names that something else might have, and objects.
NOT_LEFT = (
    ".anyzarr-notes.tmp",
    "a/.anyzarr-0123456789abcdef.tmp.bak",
    ".x.partial",
    "notes.partial",
    "a/notes#1",
    "a/.0123.partial",
    "a/0.0123.partial",
    "a/.c.0123456789AB.partial",
)


def put(root: Path, name: str, age: float = 7200) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"half")
    then = time.time() - age
    for part in (path, *path.parents):
        if part == root:
            break
        os.utime(part, (then, then))
    return path


@pytest.fixture
def hierarchy(tmp_path: Path) -> Path:
    root = tmp_path / "h.zarr"
    group = anyzarr.create_group(root)
    group.create_array("a", data=np.arange(16).reshape(4, 4), chunks=(2, 2))
    return root


def paths(found: Any, root: Path) -> dict[str, str]:
    return {os.path.relpath(item.path, root): item.writer for item in found}


@contextmanager
def child(program: str, *arguments: Any) -> Iterator[subprocess.Popen[str]]:
    """Run a program that prints a line when it is there, and then waits for its stdin to end."""
    with subprocess.Popen(
        [sys.executable, "-c", program + "\nprint('there', flush=True); sys.stdin.read()"]
        + [os.fspath(argument) for argument in arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "there\n"
        yield process
        process.kill()


def test_it_is_found_by_the_names_that_writers_give(hierarchy: Path) -> None:
    before = {path for path in hierarchy.rglob("*") if path.is_file()}
    for name in (*LEFT, *NOT_LEFT):
        put(hierarchy, name)
    expected = {name.removesuffix("/c/0"): writer for name, writer in LEFT.items()}
    found = find_debris(hierarchy)
    assert paths(found, hierarchy) == expected
    assert found == sorted(found, key=lambda item: item.path)
    assert all(item.size_bytes == 4 and 7190 < item.age_seconds < 8000 for item in found)
    assert not any(item.in_use or item.only_copy for item in found)
    removed = remove_debris(found)
    assert [item.path for item in removed] == [item.path for item in found]
    after = {path for path in hierarchy.rglob("*") if path.is_file()}
    assert after == before | {hierarchy / name for name in NOT_LEFT}
    assert find_debris(hierarchy) == []
    assert remove_debris(found) == [], "nothing is removed twice"


@pytest.mark.parametrize("backend", ["local", "fsspec"])
def test_no_reader_sees_ours(hierarchy: Path, backend: str) -> None:
    if backend == "fsspec":
        pytest.importorskip("fsspec", reason="the backend's library")
    document = (hierarchy / "zarr.json").read_bytes()
    for name in LEFT:
        put(hierarchy, name)
    staged = hierarchy / ".b.zarr.0123456789ab.partial"
    put(hierarchy, f"{staged.name}/zarr.json").write_bytes(document)
    put(hierarchy, ".b.zarr.0123456789ab.replaced/zarr.json").write_bytes(document)
    group = anyzarr.open_group(hierarchy, backend=backend)
    assert list(group) == ["a"]
    np.testing.assert_array_equal(group["a"][...], np.arange(16).reshape(4, 4))
    assert not [i.key for i in open_store(hierarchy, backend=backend).list() if ".b." in i.key]
    with pytest.raises(StoreError):
        open_store(hierarchy, backend=backend, mode="a").put(staged.name, b"")
    anyzarr.convert(hierarchy, hierarchy.parent / "packed.ozx")
    archive = anyzarr.open_group(hierarchy.parent / "packed.ozx")
    assert {i.key for i in archive.store.list()} == {
        "zarr.json", "a/zarr.json", "a/c/0/0", "a/c/0/1", "a/c/1/0", "a/c/1/1",
    }  # fmt: skip


def test_what_was_to_be_the_location_itself(tmp_path: Path) -> None:
    put(tmp_path, ".a.ozx.0123456789ab.partial")
    put(tmp_path, ".b.ozx.0123456789ab.partial")
    put(tmp_path, "a.ozx.0123456789ab.part")
    put(tmp_path, OURS)
    of_a = {".a.ozx.0123456789ab.partial": "anyzarr", "a.ozx.0123456789ab.part": "anyzarr"}
    assert paths(find_debris(tmp_path / "a.ozx"), tmp_path) == of_a
    assert paths(find_debris(f"{(tmp_path / 'a.ozx').as_uri()}|zip:"), tmp_path) == of_a
    assert len(find_debris(tmp_path)) == 4
    assert len(find_debris(LocalStore(tmp_path))) == 4
    with pytest.raises(NodeNotFoundError):
        find_debris(tmp_path / "c.ozx")


def test_other_programs_files_are_left_alone_outside_of_hierarchies(tmp_path: Path) -> None:
    for name in ("0.__lock", "x.0123456789abcdef0123456789abcdef.partial", "0#1", OURS):
        put(tmp_path, name)
    put(tmp_path, "new/zarr.json.__lock")
    found = paths(find_debris(tmp_path), tmp_path)
    assert found == {OURS: "anyzarr", "new/zarr.json.__lock": "tensorstore"}


def test_links_are_not_followed(tmp_path: Path) -> None:
    put(tmp_path, f"elsewhere/{OURS}")
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "linked").symlink_to(tmp_path / "elsewhere")
    assert find_debris(tmp_path / "here") == []


@pytest.mark.parametrize(
    "location", ["memory://x", "s3://bucket/x", MemoryStore()], ids=["memory", "s3", "live"]
)
def test_what_is_not_local_is_refused(location: Any) -> None:
    with pytest.raises(UnsupportedError) as caught:
        find_debris(location)
    assert caught.value.kind == "debris"


# ------------------------------------------------------------------ live writers


def test_what_is_young_stays(hierarchy: Path) -> None:
    put(hierarchy, f"a/{OURS}", age=100)
    folder = put(hierarchy, ".b.zarr.0123456789ab.partial/c/0").parent.parent
    os.utime(folder / "c" / "0")  # one file of it is new
    found = find_debris(hierarchy)
    assert [item.why_kept() for item in found] == ["recent", "recent"]
    assert remove_debris(found) == []
    assert len(remove_debris(found, min_age_seconds=50)) == 1
    assert folder.exists()


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="this system does not tell")
def test_an_object_that_a_process_is_writing_stays(hierarchy: Path) -> None:
    path = put(hierarchy, f"a/{OURS}")
    with child("import sys; file = open(sys.argv[1], 'ab')", path):
        (item,) = find_debris(hierarchy)
        assert item.why_kept(0) == "in use"
        assert remove_debris([item], min_age_seconds=0) == []
    assert len(remove_debris([item], min_age_seconds=0)) == 1


OPEN = """
import sys
import anyzarr
image = anyzarr.open_ome_zarr(sys.argv[1], mode="w", axes="zyx")
image.create_image("0", [[[1, 2, 3]]])
"""


def make_old(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        os.utime(path, (1e9, 1e9))


def test_an_archive_that_is_open_stays_and_one_of_a_killed_process_does_not(
    tmp_path: Path,
) -> None:
    with child(OPEN, tmp_path / "a.ozx"):
        (folder,) = tmp_path.iterdir()
        make_old(folder)
        (item,) = find_debris(tmp_path / "a.ozx")
        assert (item.is_folder, item.why_kept(0)) == (True, "in use")
        assert remove_debris([item], min_age_seconds=0) == []
    assert find_debris(tmp_path / "a.ozx")[0].why_kept() is None
    # It is a hierarchy still, which a person may want back.
    anyzarr.convert(folder, tmp_path / "saved.ozx")
    assert anyzarr.open_ome_zarr(tmp_path / "saved.ozx").data[0, 0, 2] == 3
    assert len(remove_debris([item])) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["saved.ozx"]


def test_an_archive_is_held_from_its_first_moment_to_its_last(tmp_path: Path) -> None:
    archive = StagedArchive(tmp_path / "a.ozx")
    (item,) = find_debris(tmp_path)
    assert item.in_use
    assert item.size_bytes == 0
    anyzarr.create_array(archive, data=[1])
    make_old(Path(item.path))
    assert find_debris(tmp_path)[0].in_use
    archive.close()
    assert find_debris(tmp_path) == []


@pytest.mark.parametrize("is_folder", [False, True])
def test_what_is_being_made_is_held(tmp_path: Path, is_folder: bool) -> None:
    target = tmp_path / "x"
    new: Any = _atomic.new_folder if is_folder else _atomic.new_file
    with _atomic.replacing(target, overwrite=False) as staging:
        with new(staging):
            os.utime(staging, (1e9, 1e9))
            (item,) = find_debris(target)
            assert (item.in_use, item.is_folder) == (True, is_folder)
            assert remove_debris([item]) == []
        assert not find_debris(target)[0].in_use
    assert target.exists()
    assert find_debris(target) == []


# ------------------------------------------------------------------ what is replaced


def replace(target: Path) -> None:
    with _atomic.replacing(target, overwrite=True) as staging, _atomic.new_folder(staging):
        (staging / "new").write_bytes(b"")


@pytest.mark.parametrize("at_once", [True, False])
def test_a_folder_takes_anothers_place(
    tmp_path: Path, at_once: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "x/old")
    if not at_once:
        monkeypatch.setattr(_atomic, "_swap", lambda: None)
    replace(tmp_path / "x")
    assert [path.name for path in tmp_path.rglob("*")] == ["x", "new"]


def test_two_names_are_exchanged_in_one_step_here(tmp_path: Path) -> None:
    if _atomic._swap() is None:
        pytest.skip("this system has no such call")
    put(tmp_path, "x/old")
    put(tmp_path, "y/new")
    old = _atomic._exchange(tmp_path / "y", tmp_path / "x")
    if _atomic.SET_ASIDE.fullmatch(old.name):
        pytest.skip("this file system exchanges no names")
    assert _atomic.STAGED.fullmatch(old.name)
    assert (tmp_path / "x" / "new").exists()
    assert (old / "old").exists()
    assert not (tmp_path / "y").exists()


def test_the_only_copy_of_something_is_not_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "x/old")
    monkeypatch.setattr(_atomic, "_swap", lambda: None)
    rename = Path.replace

    def killed(self: Path, target: Path) -> Path:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        patch.setattr(Path, "rename", lambda a, b: rename(a, b) if a.name == "x" else None)
        with pytest.raises(SystemExit):
            replace(tmp_path / "x")
    (item,) = find_debris(tmp_path / "x")
    assert item.only_copy
    assert remove_debris([item], min_age_seconds=0) == []
    Path(item.path).rename(tmp_path / "x")
    assert (tmp_path / "x" / "old").exists()


# ------------------------------------------------------------------ the command


def test_the_command_lists_and_removes(hierarchy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = put(hierarchy, f"a/{OURS}")
    put(hierarchy, "a/c/.anyzarr-1123456789abcdef.tmp", age=10)
    assert main(["tree", str(hierarchy), "--debris"]) == 0
    out, hint = capsys.readouterr()
    assert "left over" in out
    assert "recent" in out
    assert "2 leftovers, 8 B" in out
    assert "--remove" in hint
    assert old.exists(), "nothing is removed unless asked for"
    assert main(["tree", str(hierarchy), "a", "--debris", "--json", "--remove"]) == 0
    found = json.loads(capsys.readouterr().out)["debris"]
    assert [(item["removed"], item["kept"]) for item in found] == [(True, None), (False, "recent")]
    assert not old.exists()
    assert main(["tree", str(hierarchy), "--debris", "--remove", "--older-than", "5"]) == 0
    assert "removed 1" in capsys.readouterr().out
    assert main(["tree", str(hierarchy), "--debris"]) == 0
    assert capsys.readouterr().out == "nothing is left over\n"
    assert main(["tree", str(hierarchy)]) == 0


@pytest.mark.parametrize(
    "arguments", [["--remove"], ["--older-than", "3"], ["--debris", "--older-than=-5"]]
)
def test_the_command_refuses_what_makes_no_sense(
    hierarchy: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tree", str(hierarchy), *arguments]) == 2
    capsys.readouterr()


def test_a_folder_that_refuses_names_the_remedy(
    hierarchy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(hierarchy, f"a/{OURS}")
    found = find_debris(hierarchy)

    def refuse(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "unlink", refuse)
    with pytest.raises(StoreError, match="permissions"):
        remove_debris(found)
    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(StoreError, match="permissions"):
        find_debris(hierarchy)

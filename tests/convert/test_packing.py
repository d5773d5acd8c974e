"""Packing a hierarchy as it is: gone on with after a kill, and in place only when it is right."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anyzarr
from anyzarr._convert import _images, _packing
from anyzarr._convert._journal import JOURNAL, PACKING
from anyzarr._ozx import _members, _parts
from anyzarr.errors import AnyzarrError, ConflictError, CorruptDataError, StoreError
from anyzarr.stores import MemoryStore

VALUES = np.random.default_rng(0).integers(1, 4000, (40, 60, 50)).astype("u2")

_STOPPED = """
import os, sys
import anyzarr
from anyzarr._convert import _images, _packing
from anyzarr._ozx import _members, _parts

_images.LONG_BYTES = _packing.LONG_BYTES = 1
_members._BATCH_BYTES = _parts.PART_BYTES = 10_000
note, left = _packing.Journal.note, int(sys.argv[3])

def counted(self, task, value):
    global left
    note(self, task, value)
    left -= 1
    if not left:
        os._exit(9)  # as a kill would

_packing.Journal.note = counted
anyzarr.convert(sys.argv[1], sys.argv[2], workers=1, **eval(sys.argv[4]))
"""


@pytest.fixture(autouse=True)
def _everything_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_images, "LONG_BYTES", 1)
    monkeypatch.setattr(_packing, "LONG_BYTES", 1)
    monkeypatch.setattr(_members, "_BATCH_BYTES", 10_000)
    monkeypatch.setattr(_parts, "PART_BYTES", 10_000)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    with anyzarr.open_ome_zarr(tmp_path / "in.zarr", mode="w", axes="zyx") as image:
        image.create_image("0", VALUES, chunks=(4, 60, 50), shards=False, compressor="gzip")
    return tmp_path / "in.zarr"


def stopped(source: Path, target: Path, *, after: int = 4, **options: Any) -> None:
    """Convert in another process that dies when so many parts of the archive are written."""
    command = [sys.executable, "-c", _STOPPED, str(source), str(target), str(after), repr(options)]
    assert subprocess.run(command, check=False).returncode == 9
    assert not target.exists()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def read_keys(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that gets the keys of what is read in order to be packed."""
    keys: list[str] = []
    whole, parts = _members.Reader.whole, _members.Reader.parts

    def counted(self: Any, members: Any) -> Any:
        keys.extend(member.item.key for member in members)
        return whole(self, members)

    def streamed(self: Any, member: Any) -> Any:
        keys.append(member.item.key)
        return parts(self, member)

    monkeypatch.setattr(_members.Reader, "whole", counted)
    monkeypatch.setattr(_members.Reader, "parts", streamed)
    return keys


def test_killed_and_gone_on_with(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    anyzarr.convert(source, tmp_path / "whole" / "a.ozx")
    stopped(source, tmp_path / "a.ozx")
    assert [name for name in names(tmp_path) if name.startswith(".a.ozx")]
    keys, seen = read_keys(monkeypatch), []
    report = anyzarr.convert(source, tmp_path / "a.ozx", resume=True, progress=seen.append)
    assert report.kind == "pack"
    assert report.n_resumed >= 4
    assert len([key for key in keys if not key.endswith("zarr.json")]) == 10 - report.n_resumed
    assert seen[-1].done_bytes == seen[-1].total_bytes
    assert names(tmp_path) == ["a.ozx", "in.zarr", "whole"]
    assert (tmp_path / "a.ozx").read_bytes() == (tmp_path / "whole" / "a.ozx").read_bytes()
    assert report.warnings == anyzarr.convert(source, tmp_path / "b.ozx").warnings != ()


def test_without_resume_it_begins_anew(source: Path, tmp_path: Path) -> None:
    stopped(source, tmp_path / "a.ozx")
    assert anyzarr.convert(source, tmp_path / "a.ozx").n_resumed == 0
    np.testing.assert_array_equal(anyzarr.open_ome_zarr(tmp_path / "a.ozx").data[...], VALUES)
    assert names(tmp_path) == ["a.ozx", "in.zarr"]


def test_resume_with_nothing_to_go_on_from(source: Path, tmp_path: Path) -> None:
    assert anyzarr.convert(source, tmp_path / "a.ozx", resume=True).n_resumed == 0
    assert names(tmp_path) == ["a.ozx", "in.zarr"]


def test_a_source_that_changed_is_refused(source: Path, tmp_path: Path) -> None:
    stopped(source, tmp_path / "a.ozx")
    anyzarr.open_array(source, path="0", mode="r+")[0, 0, 0] += 1
    with pytest.raises(ConflictError) as caught:
        anyzarr.convert(source, tmp_path / "a.ozx", resume=True)
    assert caught.value.kind == "source_changed"
    assert not (tmp_path / "a.ozx").exists()
    assert anyzarr.convert(source, tmp_path / "a.ozx", verify=True).n_resumed == 0


@pytest.mark.parametrize("damage", ["note", "archive"])
def test_what_is_not_there_is_written_again(source: Path, tmp_path: Path, damage: str) -> None:
    stopped(source, tmp_path / "a.ozx")
    staging = next(tmp_path.glob(".a.ozx*.partial"))
    if damage == "note":
        for path in (staging / PACKING / "done").iterdir():
            path.write_bytes(b"[1")  # as a power cut leaves it
    else:
        (staging / JOURNAL / "archive").unlink()
    report = anyzarr.convert(source, tmp_path / "a.ozx", resume=True, verify=True)
    assert report.n_resumed == 0
    assert names(tmp_path) == ["a.ozx", "in.zarr"]


def test_images_are_not_read_again_for_an_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "a.npy", VALUES)
    layout: dict[str, Any] = {
        "axes": "zyx",
        "chunks": (4, 60, 50),
        "shards": False,
        "compressor": "gzip",
    }
    anyzarr.convert(tmp_path / "a.npy", tmp_path / "whole" / "a.ozx", **layout)
    stopped(tmp_path / "a.npy", tmp_path / "a.ozx", **layout)
    staging = next(tmp_path.glob(".a.ozx*.partial"))
    before = {p: p.stat().st_mtime_ns for p in (staging / "0" / "c").rglob("*") if p.is_file()}
    assert len(before) == 10
    keys = read_keys(monkeypatch)
    report = anyzarr.convert(tmp_path / "a.npy", tmp_path / "a.ozx", resume=True, **layout)
    assert report.n_resumed >= 1
    assert len([key for key in keys if "/c/" in key]) <= 10 - 4
    assert (tmp_path / "a.ozx").read_bytes() == (tmp_path / "whole" / "a.ozx").read_bytes()
    assert names(tmp_path) == ["a.npy", "a.ozx", "whole"]


def test_no_room_and_then_more(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pwrite, calls = os.pwrite, itertools.count()

    def full(descriptor: int, data: Any, position: int) -> int:
        if next(calls) > 8:
            raise OSError(28, "No space left on device")
        return pwrite(descriptor, data, position)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        with pytest.raises(StoreError, match="space") as caught:
            anyzarr.convert(source, tmp_path / "a.ozx", workers=1)
    assert any("resume=True" in note for note in caught.value.__notes__)
    assert not (tmp_path / "a.ozx").exists()
    assert anyzarr.convert(source, tmp_path / "a.ozx", resume=True, verify=True).n_resumed > 0


def moody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the second and all later reads of an object give something else."""
    part, calls = MemoryStore._part, itertools.count()

    def other(self: Any, key: str, value: Any, where: Any) -> Any:
        got = part(self, key, value, where)
        if key != "0/c/3/0/0" or got is None or not next(calls):
            return got
        return got[:-1] + bytes([got[-1] ^ 1])

    monkeypatch.setattr(MemoryStore, "_part", other)


def in_memory(source: Path) -> dict[str, bytes]:
    return {
        path.relative_to(source).as_posix(): path.read_bytes()
        for path in source.rglob("*")
        if path.is_file()
    }


def test_the_old_stays_where_the_new_is_not_right(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    twin = MemoryStore(in_memory(source))
    (tmp_path / "a.ozx").write_bytes(b"old")
    moody(monkeypatch)
    with pytest.raises(CorruptDataError):
        anyzarr.convert(twin, tmp_path / "a.ozx", verify=True, overwrite=True, workers=1)
    assert (tmp_path / "a.ozx").read_bytes() == b"old"
    assert names(tmp_path) == ["a.ozx", "in.zarr"]


def test_what_is_not_right_does_not_stay_elsewhere(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    twin = MemoryStore(in_memory(source))
    moody(monkeypatch)
    with pytest.raises(CorruptDataError):
        anyzarr.convert(twin, "memory://packing/a.ozx", verify=True, workers=1)
    with pytest.raises(AnyzarrError):
        anyzarr.open("memory://packing/a.ozx")


@pytest.mark.parametrize("place", ["folder", "memory"])
def test_a_source_that_changes_meanwhile(source: Path, tmp_path: Path, place: str) -> None:
    array = anyzarr.open_array(source, path="0", mode="r+")

    def meanwhile(step: Any) -> None:
        if step.done_bytes:
            array[39, 0, 0] = step.done_bytes % 1000

    target = tmp_path / "a.ozx" if place == "folder" else "memory://changing/a.ozx"
    with pytest.raises(ConflictError) as caught:
        anyzarr.convert(source, target, workers=1, progress=meanwhile)
    assert caught.value.kind == "source_changing"
    assert names(tmp_path) == ["in.zarr"]
    with pytest.raises(AnyzarrError):
        anyzarr.open(target)

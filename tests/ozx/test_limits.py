"""Beyond what 16 and 32 bits count: members of more than 4 GiB, 70,000 entries."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

import anyzarr
from anyzarr._ozx import _file, pack
from anyzarr.abc import ByteRange
from anyzarr.stores import LocalStore, MemoryStore, StagedArchive, ZipStore

pytestmark = [pytest.mark.slow, pytest.mark.huge]

GIB = 1 << 30
ROOT = b'{"zarr_format": 3, "node_type": "group"}'


@pytest.fixture
def _sparse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of nothing but zeros are left out of the file, which reads the same."""
    write_at = _file.write_at

    def write_sparse(descriptor: int, data: bytes | memoryview, position: int) -> None:
        if len(data) < 1 << 16 or bytes(data).strip(b"\0"):
            write_at(descriptor, data, position)

    monkeypatch.setattr(_file, "write_at", write_sparse)


@pytest.mark.usefixtures("_sparse")
@pytest.mark.parametrize("way", ["packed", "direct"])
def test_a_member_of_more_than_4_gib(tmp_path: Path, way: str) -> None:
    target = tmp_path / "a.ozx"
    size = 5 * GIB + 77
    store = LocalStore(tmp_path / "folder") if way == "packed" else StagedArchive(target)
    root = Path(store.capabilities.local_root or "")
    store.put("zarr.json", ROOT)
    for name in ("before", "hole", "last"):
        store.put(name, name.encode() * 1000)
    with (root / "hole").open("r+b") as file:
        file.truncate(size)
        file.seek(size - 5)
        file.write(b"there")
    if way == "packed":
        assert pack(store, target).size_bytes > size
    else:
        store.close()
    assert os.stat(target).st_blocks * 512 < GIB, "the test is to fit on any disk"
    with zipfile.ZipFile(target) as archive:
        infos = {info.filename: info for info in archive.infolist()}
        assert infos["hole"].file_size == infos["hole"].compress_size == size
        assert infos["last"].header_offset > size
        assert archive.read("last") == b"last" * 1000
        with archive.open("hole") as member:  # all of it, and so its checksum, is looked at
            tail = b""
            while block := member.read(1 << 24):
                tail = block
        assert tail.endswith(b"\0there")
    ours = ZipStore(target)
    assert ours.head("hole").size == size
    assert ours.get("hole", ByteRange(-5)) == b"there"
    assert ours.get("hole", ByteRange(0, 6)) == b"holeho"
    assert ours.get("hole", ByteRange(4 * GIB, 4 * GIB + 3)) == bytes(3)
    assert ours.get("last") == b"last" * 1000


@pytest.mark.usefixtures("_sparse")
def test_an_array_beyond_4_gib_is_read_by_the_engines(tmp_path: Path) -> None:
    """Chunks that lie behind 4 GiB of the archive."""
    store = LocalStore(tmp_path / "folder")
    anyzarr.create_array(store, data=np.arange(1, 10, dtype="u4"), chunks=(3,), compressors=None)
    (tmp_path / "folder" / "a hole").touch()
    os.truncate(tmp_path / "folder" / "a hole", 4 * GIB + 1)
    pack(store, tmp_path / "a.ozx")
    entries = ZipStore(tmp_path / "a.ozx").directory.entries
    assert entries["c/0"].offset > 4 * GIB
    for engine in ("native", "zarr", "zarrs"):
        array = anyzarr.open_array(tmp_path / "a.ozx", engine=engine)
        assert array[:].tolist() == list(range(1, 10))


@pytest.mark.parametrize("way", ["packed", "direct", "stream"])
def test_70_000_entries(tmp_path: Path, way: str) -> None:
    n, target = 70_000, tmp_path / "a.ozx"
    values = (np.arange(n) % 250 + 1).astype("u1")
    options = {"data": values, "chunks": (1,), "compressors": None}
    if way == "direct":
        with anyzarr.create_array(target, **options):
            pass
    elif way == "packed":
        source = MemoryStore()
        anyzarr.create_array(source, **options)
        assert pack(source, target).n_entries == n + 1
    else:
        container = MemoryStore()
        with StagedArchive((container, "a.ozx")) as store:
            anyzarr.create_array(store, **options)
        target.write_bytes(container.get("a.ozx") or b"")
    with zipfile.ZipFile(target) as archive:
        listed = archive.namelist()
        assert listed == ["zarr.json", *(f"c/{i}" for i in range(n))]
        assert archive.testzip() is None
    for engine in ("native", "zarr"):
        array = anyzarr.open_array(target, engine=engine)
        assert np.array_equal(array[-3000:], values[-3000:])
    assert np.array_equal(anyzarr.open_array(target)[...], values)
    store = ZipStore(target)
    assert store.directory.n_entries == n + 1
    assert store.directory.is_zip64
    assert store.comment.json_first

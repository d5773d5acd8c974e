"""Objects in parts: the same bytes from every store, one version of them, and checksums checked."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from anyzarr._streams import get_stream, put_stream
from anyzarr.abc import ByteRange, ObjectInfo
from anyzarr.errors import ConflictError, CorruptDataError, UnsupportedError
from anyzarr.stores import LocalStore, MemoryStore, SubStore, ZipStore, open_store

CONTENTS = {
    "large": os.urandom(300_000),
    "d/even": b"0123456789" * 100,  # the size of a part
    "zeros": bytes(1_000_000),
    "empty": b"",
}


class Bare:
    """A store of one's own that knows of no parts."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        if name in ("get_stream", "put_stream"):
            raise AttributeError(name)
        return getattr(self._store, name)


def archive(path: Path, method: int) -> Path:
    with zipfile.ZipFile(path, "w", method) as opened:
        for key, value in CONTENTS.items():
            opened.writestr(key, value)
    return path


@pytest.fixture(
    params=["local", "memory", "prefix", "fsspec", "cache", "bare", "zip", "deflated", "zip-in"]
)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    memory = MemoryStore()
    match request.param:
        case "zip" | "deflated":
            method = zipfile.ZIP_STORED if request.param == "zip" else zipfile.ZIP_DEFLATED
            return ZipStore(archive(tmp_path / "a.zip", method))
        case "zip-in":
            memory.put("a.zip", archive(tmp_path / "a.zip", zipfile.ZIP_DEFLATED).read_bytes())
            return ZipStore((memory, "a.zip"))
    made: Any = {
        "local": lambda: LocalStore(tmp_path),
        "memory": lambda: memory,
        "prefix": lambda: SubStore(memory, "p/"),
        "fsspec": lambda: open_store(tmp_path, backend="fsspec", mode="a"),
        "cache": lambda: open_store(tmp_path, mode="a", cache=1 << 20),
        "bare": lambda: Bare(memory),
    }[request.param]()
    for key, value in CONTENTS.items():
        put_stream(made, key, iter([value[:7], value[7:]]), len(value))
    return made


def test_the_same_bytes(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anyzarr._streams._PART_BYTES", 1000)
    for key, value in CONTENTS.items():
        found = get_stream(store, key)
        assert found is not None
        assert b"".join(found) == value
    assert get_stream(store, "nothing") is None
    assert get_stream(store, "d") is None


@pytest.mark.parametrize("backend", ["obstore", "fsspec"])
def test_s3(s3: Any, backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anyzarr._streams._PART_BYTES", 100_000)
    store = open_store(f"s3://{s3.new_bucket()}", mode="a", backend=backend, **s3.options)
    for key, value in CONTENTS.items():
        store.put(key, value)
        assert b"".join(get_stream(store, key) or ()) == value
    assert get_stream(store, "nothing") is None


@pytest.mark.parametrize("bare", [False, True])
def test_parts_of_two_versions_are_never_mixed(bare: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anyzarr._streams._PART_BYTES", 1000)
    memory = MemoryStore({"a": bytes(5000)})
    store: Any = Bare(memory) if bare else memory
    parts = get_stream(store, "a")
    assert parts is not None
    assert next(parts) == bytes(1000)
    memory.put("a", b"1" * 5000)
    with pytest.raises(ConflictError):
        list(parts)


def test_what_is_removed_before_it_is_read(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.put("a", b"1")
    parts = store.get_stream("a")
    assert parts is not None
    store.delete("a")
    with pytest.raises(ConflictError) as caught:
        list(parts)
    assert caught.value.key == "a"


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("change", ["content", "crc", "size"])
def test_changed_members_are_never_given_whole(tmp_path: Path, method: int, change: str) -> None:
    path = archive(tmp_path / "a.zip", method)
    data = bytearray(path.read_bytes())
    entry = ZipStore(path).directory.entries["large"]
    central = data.rindex(b"large", 0, data.rindex(b"d/even")) - 46
    if change == "content":
        data[entry.offset + entry.stored_bytes // 2] ^= 0x10
    else:
        data[central + (16 if change == "crc" else 24)] ^= 0x01
    path.write_bytes(data)
    given = bytearray()
    with pytest.raises(CorruptDataError) as caught:  # noqa: PT012 - what came before counts
        for part in get_stream(ZipStore(path), "large") or ():
            given += part
    assert caught.value.key == "large"
    assert len(given) < len(CONTENTS["large"])


def test_members_that_cannot_be_read(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", zipfile.ZIP_LZMA)
    with pytest.raises(UnsupportedError):
        get_stream(ZipStore(path), "large")


def test_a_deflated_member_is_read_once(tmp_path: Path) -> None:
    """However large: not again from its beginning for each part."""
    read: list[int] = []

    class Counting(MemoryStore):
        def _get(self, key: str, byte_range: ByteRange | None) -> bytes | None:
            value = super()._get(key, byte_range)
            read.append(len(value or b""))
            return value

        def _list(self, prefix: str) -> Iterator[ObjectInfo]:
            raise AssertionError(prefix)

    data = archive(tmp_path / "a.zip", zipfile.ZIP_DEFLATED).read_bytes()
    store = ZipStore((Counting({"a.zip": data}), "a.zip"))
    entry = store.directory.entries["large"]
    read.clear()
    assert sum(map(len, get_stream(store, "large") or ())) == 300_000
    assert sum(read) < entry.stored_bytes + 1000

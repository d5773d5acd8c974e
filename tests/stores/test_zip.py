"""Zip archives: hostile ones are refused by name, workers read them, nothing writes them."""

from __future__ import annotations

import io
import multiprocessing
import os
import pickle
import struct
import subprocess
import sys
import threading
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anyzarr.abc import ByteRange, ObjectInfo, Store
from anyzarr.errors import (
    AnyzarrError,
    CorruptDataError,
    NodeNotFoundError,
    ReadOnlyError,
    StoreError,
    UnsupportedError,
)
from anyzarr.stores import MemoryStore, ZipStore, open_store

STORED, DEFLATED = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED


def pack(
    objects: Mapping[str, bytes] | list[tuple[str, bytes]],
    method: int = STORED,
    comment: bytes = b"",
) -> bytes:
    buffer = io.BytesIO()
    items = objects.items() if isinstance(objects, Mapping) else objects
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for key, value in items:
            archive.writestr(zipfile.ZipInfo(key), value, method)
        archive.comment = comment
    return buffer.getvalue()


def opened(data: bytes) -> ZipStore:
    return ZipStore((MemoryStore({"a.zip": data}), "a.zip"))


def refused(data: bytes, error: type[AnyzarrError] = CorruptDataError) -> AnyzarrError:
    """Open an archive, which must be refused in one sentence, and return the error."""
    with pytest.raises(error) as caught:
        opened(data)
    assert caught.value.store is not None
    assert caught.value.store.endswith("a.zip")
    assert caught.value.store in str(caught.value)
    assert "\n" not in str(caught.value)
    return caught.value


def central(data: bytes, name: bytes) -> int:
    """Return where an entry of the central directory begins."""
    position = data.find(b"PK\x01\x02")
    while position >= 0:
        length = struct.unpack_from("<H", data, position + 28)[0]
        if data[position + 46 : position + 46 + length] == name:
            return position
        position = data.find(b"PK\x01\x02", position + 4)
    raise AssertionError(f"no entry {name!r}")


def patched(data: bytes, name: bytes, offset: int, layout: str, value: int) -> bytes:
    """Return the archive with one field of a central directory's entry changed."""
    changed = bytearray(data)
    struct.pack_into(layout, changed, central(data, name) + offset, value)
    return bytes(changed)


FLAGS, METHOD, CRC, STORED_BYTES, SIZE_BYTES, DISK, OFFSET = 8, 10, 16, 20, 24, 34, 42
PLAIN = {"first": b"first's bytes", "a/second": b"2" * 1000, "third": b"3"}


# ----------------------------------------------------------------------------------- hostile names


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "a/../../evil",
        "a/..",
        "..\\evil",
        "/etc/passwd",
        "//host/share",
        "\\windows",
        "C:/evil",
        "C:\\evil",
        "c:evil/../x",
        "a//b",
        "a/./b",
        "a/.",
    ],
)
def test_names_that_lead_outside_are_refused(name: str) -> None:
    error = refused(_with_name(name))
    assert error.key == name


def _with_name(name: str) -> bytes:
    # zipfile itself would mend some names on the way.
    stand_in = "x" * len(name)
    return pack({"good": b"1", stand_in: b"2"}).replace(stand_in.encode(), name.encode())


def test_names_with_nulls_and_wrong_encodings_are_refused() -> None:
    assert refused(_with_name("a\0b")).key == "a\0b"
    data = pack({"größe": b"1"})
    broken = data.replace("größe".encode(), b"gr\xff\xfe\xff\xfee")
    assert "UTF-8" in str(refused(broken))


def test_harmless_oddities_are_read() -> None:
    names = {"./a/b": "a/b", "..a": "..a", "a..": "a..", "...": "...", "c:d": "c:d", "a b": "a b"}
    for stored, key in names.items():
        assert opened(_with_name(stored)).get(key) == b"2", stored


# ------------------------------------------------------------------------------------------- lies


@pytest.mark.parametrize(
    "change",
    [
        lambda data: patched(data, b"third", OFFSET, "<L", 0),
        lambda data: patched(data, b"third", OFFSET, "<L", 5),
        lambda data: patched(data, b"first", OFFSET, "<L", 50),
    ],
    ids=["one place", "inside another", "over the next"],
)
def test_entries_that_overlap_are_refused(change: Callable[[bytes], bytes]) -> None:
    assert refused(change(pack(PLAIN))).key in {"first", "a/second", "third"}


def test_places_past_the_end_are_refused() -> None:
    for offset in (10**6, 2**32 - 2):
        assert refused(patched(pack(PLAIN), b"third", OFFSET, "<L", offset)).key == "third"


def test_sizes_that_cannot_be_are_refused() -> None:
    stored = pack(PLAIN)
    assert refused(patched(stored, b"third", SIZE_BYTES, "<L", 10**9)).key == "third"
    assert refused(patched(stored, b"first", STORED_BYTES, "<L", 10**9)).key == "first"
    deflated = pack(PLAIN, DEFLATED)
    # DEFLATE cannot do more than 1032 to 1.
    assert refused(patched(deflated, b"a/second", SIZE_BYTES, "<L", 2**31)).key == "a/second"


@pytest.mark.parametrize("size", [999, 1001, 1, 0, 5000])
def test_deflated_members_of_another_size_are_corrupt(size: int) -> None:
    store = opened(patched(pack(PLAIN, DEFLATED), b"a/second", SIZE_BYTES, "<L", size))
    with pytest.raises(CorruptDataError) as caught:
        store.get("a/second")
    assert caught.value.key == "a/second"
    assert store.get("first") == PLAIN["first"], "the others are still read"


def test_bombs_are_refused_before_anything_is_allocated() -> None:
    size = (1 << 30) + (1 << 24)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = bytes(1 << 24)
    stream = b"".join(packer.compress(block) for _ in range(size >> 24)) + packer.flush()
    honest = pack({"bomb": stream})
    data = patched(honest, b"bomb", METHOD, "<H", DEFLATED)
    data = patched(data, b"bomb", SIZE_BYTES, "<L", size)
    assert refused(data).key == "bomb"
    # One that lies about its size is stopped where it exceeds it.
    store = opened(patched(patched(honest, b"bomb", METHOD, "<H", DEFLATED), b"bomb", SIZE_BYTES,
                           "<L", 1000))  # fmt: skip
    with pytest.raises(CorruptDataError) as caught:
        store.get("bomb")
    assert caught.value.key == "bomb"


@pytest.mark.parametrize("method", [STORED, DEFLATED])
def test_changed_bytes_are_noticed_by_the_checksum(method: int) -> None:
    data = pack(PLAIN, method)
    store = opened(patched(data, b"a/second", CRC, "<L", 0xDEADBEEF))
    with pytest.raises(CorruptDataError) as caught:
        store.get("a/second")
    assert caught.value.key == "a/second"
    with pytest.raises(CorruptDataError):
        store.get_many([("first", None), ("a/second", None)])
    with pytest.raises(CorruptDataError):
        store.get("a/second", ByteRange(-1000))
    assert store.get("third") == b"3"


def test_broken_deflate_streams_are_corrupt() -> None:
    data = bytearray(pack({"k": bytes(range(256)) * 40}, DEFLATED))
    data[60:70] = b"\xff" * 10
    with pytest.raises(CorruptDataError) as caught:
        opened(bytes(data)).get("k")
    assert caught.value.key == "k"


def test_local_headers_that_disagree_are_corrupt() -> None:
    data = pack({"aaaa": b"1", "bbbb": b"2"})
    renamed = data.replace(b"aaaa", b"zzzz", 1)
    with pytest.raises(CorruptDataError) as caught:
        opened(renamed).get("aaaa")
    assert caught.value.key == "aaaa"
    gone = data.replace(b"PK\x03\x04", b"XX\x03\x04", 1)
    with pytest.raises(CorruptDataError):
        opened(gone).get("aaaa")
    # An extra field so long that the data would lie in the next member.
    long = bytearray(data)
    struct.pack_into("<H", long, 28, 40)
    with pytest.raises(CorruptDataError):
        opened(bytes(long)).get("aaaa")


@pytest.mark.parametrize("cut", [1, 10, 22, 100, 500])
def test_truncated_archives_are_refused(cut: int) -> None:
    refused(pack(PLAIN)[:-cut])


def test_every_truncation_and_every_changed_byte_is_refused_or_harmless() -> None:
    data = pack({"a": b"1234", "b/c": b"5" * 50}, DEFLATED, b"a comment")
    expected = {"a": b"1234", "b/c": b"5" * 50}
    for cut in range(len(data)):
        refused(data[:cut])
    for position in range(len(data)):
        for flip in (0x01, 0xFF):
            changed = bytearray(data)
            changed[position] ^= flip
            _read_or_refuse(bytes(changed), expected)


def _read_or_refuse(data: bytes, expected: Mapping[str, bytes]) -> None:
    try:
        store = opened(data)
        for info in store.list():
            value = store.get(info.key)
            # Names are not covered by a checksum; contents are.
            assert value in expected.values()
    except (CorruptDataError, UnsupportedError):
        return


def test_no_archive_at_all_is_refused(tmp_path: Path) -> None:
    for data in (b"", b"PK", b"PK\x03\x04", bytes(1000), b"\x89PNG" * 100):
        refused(data)
    with pytest.raises(StoreError) as caught:
        ZipStore(tmp_path / "nothing.zip")
    assert caught.value.store == str(tmp_path / "nothing.zip")
    with pytest.raises(StoreError):
        ZipStore((MemoryStore(), "nothing.zip"))


# ----------------------------------------------------------------------------------- unsupported


def test_encrypted_members_are_refused_when_read() -> None:
    store = opened(patched(pack(PLAIN), b"third", FLAGS, "<H", 1))
    with pytest.raises(UnsupportedError) as caught:
        store.get("third")
    assert (caught.value.key, caught.value.kind) == ("third", "unsupported")
    assert "encrypted" in str(caught.value)
    assert store.get("first") == PLAIN["first"]
    assert store.member_range("third") is None


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_methods_are_refused_when_read(method: int) -> None:
    store = opened(pack({"k": b"1" * 100}, method))
    assert store.head("k") == ObjectInfo("k", 100, store.head("k").etag)
    with pytest.raises(UnsupportedError) as caught:
        store.get("k")
    assert caught.value.key == "k"
    assert zipfile.compressor_names[method] in str(caught.value)


def test_split_archives_are_refused() -> None:
    data = pack(PLAIN)
    end = data.rindex(b"PK\x05\x06")
    for offset in (4, 6):
        changed = bytearray(data)
        struct.pack_into("<H", changed, end + offset, 1)
        refused(bytes(changed), UnsupportedError)
    assert refused(patched(data, b"third", DISK, "<H", 3), UnsupportedError).key == "third"
    refused(b"PK\x07\x08" + data[4:end], UnsupportedError)


# ------------------------------------------------------------------------------- unusual but valid


def test_of_duplicates_the_last_counts() -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        data = pack([("k", b"old"), ("other", b"1"), ("k", b"new!")])
    store = opened(data)
    assert store.get("k") == b"new!"
    assert store.head("k").size == 4
    assert sorted(info.key for info in store.list()) == ["k", "other"]
    assert store.directory.duplicates == ("k",)
    assert store.directory.n_entries == 3
    assert store.get("k", ByteRange(1, 3)) == b"ew"


def test_comments_prefixes_and_folders_are_no_matter() -> None:
    for comment in (b"", b'{"ome": {}}', b"PK\x05\x06" + bytes(30), b"x" * 65535):
        data = pack({"a/": b"", "a/k": b"1"}, comment=comment)
        store = opened(data)
        assert store.directory.comment == comment
        assert store.get("a/k") == b"1"
        assert [info.key for info in store.list()] == ["a/k"]
        assert store.list_level().prefixes == ("a/",)
        # As in a self-extracting archive: something in front.
        assert opened(b"#!/bin/sh\n" * 7 + data).get("a/k") == b"1"
    assert list(opened(pack({})).list()) == []


def test_an_end_record_inside_the_comment_does_not_hide_the_members() -> None:
    comment = b"PK\x05\x06" + bytes(18)  # by itself the whole of an empty archive
    store = opened(pack({"k": b"1"}, comment=comment))
    assert store.get("k") == b"1"
    assert store.directory.comment == comment


@pytest.mark.parametrize("method", [STORED, DEFLATED])
def test_zip64_members_are_read(tmp_path: Path, method: int) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        for name in ("k", "b/c"):
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(name.encode() * 1000)
    store = ZipStore(path)
    assert store.get("k") == b"k" * 1000
    assert store.get("b/c", ByteRange(0, 3)) == b"b/c"
    store.close()


def test_a_zip64_directory_of_many_members_is_read(tmp_path: Path) -> None:
    path = tmp_path / "many.zip"
    n = 65_540  # more than 16 bits count
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(n):
            archive.writestr(zipfile.ZipInfo(f"c/{number}"), b"%d" % number)
    store = ZipStore(path)
    assert store.directory.is_zip64
    assert store.directory.n_entries == n
    assert store.get_many([("c/0", None), (f"c/{n - 1}", None)]) == [b"0", b"%d" % (n - 1)]
    store.close()


def test_sparse_zip64_offsets_beyond_4_gib(tmp_path: Path) -> None:
    """What lies behind 4 GiB of nothing is found, without reading the nothing."""
    path = tmp_path / "large.zip"
    gap = (4 << 30) + 12345
    inner = pack({"k": b"far away"})
    end, entry = inner.rindex(b"PK\x05\x06"), inner.index(b"PK\x01\x02")
    local = inner[:entry]
    fields = bytearray(inner[entry:end])
    struct.pack_into("<L", fields, OFFSET, 0xFFFFFFFF)
    struct.pack_into("<H", fields, 30, 12)
    directory = bytes(fields) + struct.pack("<HHQ", 1, 8, gap)
    at = gap + len(local)
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, len(directory), at)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, at + len(directory), 1)
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(directory), 0xFFFFFFFF, 0)
    with path.open("wb") as file:
        file.seek(gap)
        file.write(local + directory + record + locator + tail)
    with zipfile.ZipFile(path) as oracle:
        assert oracle.read("k") == b"far away"
    store = ZipStore(path)
    assert store.get("k") == b"far away"
    store.close()


class Counting(MemoryStore):
    """Counts what is read of an archive."""

    reads: list[tuple[int, int]]

    def _get(self, key: str, byte_range: ByteRange | None) -> bytes | None:
        value = super()._get(key, byte_range)
        self.reads.append((byte_range.start if byte_range else 0, len(value or b"")))
        return value

    def _get_many(self, requests: Any) -> Any:
        return [self._get(*request) for request in requests]


def test_members_are_byte_ranges_of_the_archive() -> None:
    big = np.random.default_rng(0).integers(0, 256, 10_000_000, "u1").tobytes()
    container = Counting({"a.zip": pack({"zarr.json": b"{}", "c/0": big, "c/1": big[:500]})})
    container.reads = []
    store = ZipStore((container, "a.zip"))
    assert len(container.reads) == 1, "the directory is not read at once"
    assert store.get("c/0", ByteRange(5_000_000, 5_000_100)) == big[5_000_000:5_000_100]
    assert sum(n for _, n in container.reads[1:]) < 1000, container.reads
    start, stop = store.member_range("c/0")
    assert container.data["a.zip"][start:stop] == big
    assert store.member_range("nothing") is None
    assert opened(pack(PLAIN, DEFLATED)).member_range("first") is None


# ----------------------------------------------------------------------------------------- workers


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "image.zarr.zip"
    rng = np.random.default_rng(1)
    objects = {f"c/{n}": rng.integers(0, 9, 5000 + n, "u1").tobytes() for n in range(50)}
    path.write_bytes(pack(objects, DEFLATED))
    return path


def read_all(store: Store, seed: int) -> int:
    keys = [info.key for info in store.list()]
    np.random.default_rng(seed).shuffle(keys)
    found = dict(zip(keys, store.get_many([(key, None) for key in keys]), strict=True))
    assert all(store.get(key) == value for key, value in found.items())
    return zlib.crc32(b"".join(found[key] or b"" for key in sorted(keys)))


def work(store: Store, seed: int, expected: int) -> None:
    assert read_all(store, seed) == expected


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_forked_workers_read_what_the_parent_opened(archive: Path) -> None:
    store = ZipStore(archive)
    expected = read_all(store, 0)
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=work, args=(store, seed, expected)) for seed in range(4)]
    for worker in workers:
        worker.start()
    # The parent goes on reading by the same descriptor.
    assert [read_all(store, seed) for seed in range(20)] == [expected] * 20
    for worker in workers:
        worker.join(timeout=60)
        assert worker.exitcode == 0
    store.close()


SPAWNED = """
import pickle, sys, zlib
store = pickle.loads(bytes.fromhex(sys.argv[1]))
keys = sorted(info.key for info in store.list())
print(zlib.crc32(b"".join(store.get_many([(key, None) for key in keys]))))
"""


def test_spawned_workers_read_what_the_parent_opened(archive: Path) -> None:
    store = ZipStore(archive)
    packed = pickle.dumps(store).hex()
    done = subprocess.run(
        [sys.executable, "-c", SPAWNED, packed], check=True, capture_output=True, text=True
    )
    assert int(done.stdout) == read_all(store, 0)
    store.close()


def test_threads_share_one_store_that_others_close(archive: Path) -> None:
    store = ZipStore(archive)
    expected = read_all(store, 0)
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda n=n: found.append(read_all(store, n))) for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 8
    store.close()
    assert read_all(store, 0) == expected, "it is opened again"
    store.close()
    store.close()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts descriptors in /proc")
def test_descriptors_are_closed(archive: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        ZipStore(archive).get("c/0")
    assert len(os.listdir("/proc/self/fd")) <= before + 1


# -------------------------------------------------------------------------------- as a location


def test_it_is_a_value(archive: Path) -> None:
    store = ZipStore(archive)
    copy = pickle.loads(pickle.dumps(store))
    assert copy == store
    assert copy.get("c/0") == store.get("c/0")
    assert store.url == f"{archive.as_uri()}|zip:"
    assert open_store(store.url) == store
    assert repr(store) == f"ZipStore({str(archive)!r}, read_only=True)"
    # Another archive at the same path is another value.
    later = archive.with_name("later.zip")
    later.write_bytes(pack({"c/0": b"other"}))
    os.replace(later, archive)
    assert ZipStore(archive) != store
    assert store.get("c/1") == copy.get("c/1"), "an open one goes on with the archive it opened"


@pytest.mark.parametrize("mode", ["r+", "a"])
@pytest.mark.parametrize("suffix", ["", "|zip:", "|zip:c"])
def test_opened_to_write_it_is_refused_and_left_alone(
    archive: Path, mode: Any, suffix: str
) -> None:
    before = archive.read_bytes()
    with pytest.raises(ReadOnlyError, match="convert") as caught:
        open_store(f"{archive}{suffix}", mode=mode)
    assert caught.value.kind == "read_only"
    assert archive.read_bytes() == before
    store = open_store(archive)
    for call in (
        lambda: store.put("k", b"1"),
        lambda: store.delete("c/0"),
        lambda: store.delete_prefix("c/"),
    ):
        with pytest.raises(ReadOnlyError):
            call()


def test_pipelines_lead_into_archives(tmp_path: Path) -> None:
    inner = pack({"x/zarr.json": b"{}", "x/y z/k": b"1"})
    path = tmp_path / "a b.zip"
    path.write_bytes(pack({"deep/in.zip": inner, "inner/zarr.json": b"{}", "inner/k": b"2"}))
    for location in (
        f"{path}|zip:inner/",
        f"{path}|ZIP:inner",
        f"{path}|ozx:/inner/",
        f"{path.as_uri()}|zip:inner",
        f"{path}|zip:|zarr3:inner",
        f"{path}|zip:inner|zarr:",
    ):
        store = open_store(location)
        assert store.get("k") == b"2", location
        assert open_store(store.url).get("k") == b"2"
    assert open_store(f"{path}|zip:nothing").get("k") is None
    with pytest.raises(NodeNotFoundError):
        open_store(tmp_path / "nothing.zip")
    with pytest.raises(NodeNotFoundError):
        open_store(f"{tmp_path}/nothing.zarr|zip:")
    with pytest.raises(StoreError):
        open_store(f"{path}|zip:../outside")


def test_the_one_folder_of_an_archive_is_entered(tmp_path: Path) -> None:
    path = tmp_path / "data.zip"
    path.write_bytes(pack({"data.zarr/zarr.json": b"{}", "data.zarr/c/0": b"1"}))
    assert open_store(path).get("zarr.json") == b"{}"
    assert ZipStore(path).get("zarr.json") is None
    more = {"__MACOSX/._data.zarr": b"", "data.zarr/zarr.json": b"{}", ".DS_Store": b""}
    path.write_bytes(pack(more))
    assert open_store(path).get("zarr.json") == b"{}", "as macOS makes them"

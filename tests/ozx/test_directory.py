"""Of a long directory that says its metadata comes first, that part is read at first."""

from __future__ import annotations

import io
import json
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anyzarr
from anyzarr._ozx import Packing
from anyzarr._ozx._members import place
from anyzarr._ozx._zip64 import local_header, trailer
from anyzarr.abc import ByteRange, ObjectInfo
from anyzarr.errors import CorruptDataError, NodeNotFoundError, UnsupportedError
from anyzarr.stores import MemoryStore, ZipStore
from anyzarr.stores._zip_entries import ArchiveComment

FIRST = json.dumps(
    {"ome": {"version": "0.5", "zipFile": {"centralDirectory": {"jsonFirst": True}}}}
).encode()


class Counting(MemoryStore):
    """Counts what is read of an archive."""

    def __init__(self, archive: bytes) -> None:
        super().__init__({"a.ozx": archive})
        self.reads: list[int] = []

    def _get(self, key: str, byte_range: ByteRange | None) -> bytes | None:
        value = super()._get(key, byte_range)
        self.reads.append(len(value or b""))
        return value

    def _get_many(self, requests: Any) -> Any:
        return [self._get(*request) for request in requests]


def image_of(n: int) -> tuple[MemoryStore, np.ndarray]:
    """Return an image with about n chunks."""
    values = (np.arange(n * 4) % 251 + 1).astype("u1").reshape(n, 4)
    source = MemoryStore()
    with anyzarr.open_ome_zarr(source, mode="w", axes="yx") as image:
        image.create_image("0", values, chunks=(1, 4), shards=False, compressor=None)
    return source, values


@pytest.mark.parametrize(
    "n", [3000, pytest.param(100_000, marks=[pytest.mark.slow, pytest.mark.huge])]
)
def test_opening_reads_the_metadata_part(n: int) -> None:
    source, values = image_of(n)
    archive = b"".join(Packing(source, "a.ozx").parts())
    directory = 46 + 28 + 6  # and the name
    assert len(archive) > n * directory
    container = Counting(archive)
    store = ZipStore((container, "a.ozx"))
    image = anyzarr.open_ome_zarr(store)
    assert image.data.shape == values.shape
    assert image.channel_names is not None
    # The end, the beginning of the directory, and all documents at once.
    assert len(container.reads) == 3
    assert sum(container.reads) < 150_000
    assert store.comment == ArchiveComment("0.5", json_first=True, is_json=True)
    before = len(container.reads)
    for at in (0, n // 2, n - 1):
        assert np.array_equal(image.data[at], values[at])
    assert len(container.reads) <= before + 1 + 3 * 2, "the directory once, then the chunks"
    assert store.directory.n_entries == n + 2
    assert len(list(store.list())) == n + 2


N = 100_000


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of 100,000 entries: chunks of an image, all the same one byte."""
    path = tmp_path_factory.mktemp("many") / "many.ozx"
    source = MemoryStore()
    with anyzarr.open_ome_zarr(source, mode="w", axes="yx") as image:
        image.create_image("0", np.zeros((1, 1), "u1"), chunks=(1, 1), shards=False)
    document = json.loads(source.get("0/zarr.json") or b"")
    document.update(shape=[N, 1], codecs=[{"name": "bytes"}])
    source.put("0/zarr.json", json.dumps(document).encode())
    documents = [info for info in source.list() if info.key.endswith("zarr.json")]
    members = place(
        sorted(documents, key=lambda info: len(info.key)),
        [ObjectInfo(f"0/c/{i}/0", 1) for i in range(N)],
    )
    contents = [source.get(m.item.key) or b"" if m.is_document else b"7" for m in members]
    entries = [
        member.entry(zlib.crc32(content)) for member, content in zip(members, contents, strict=True)
    ]
    with path.open("wb") as file:
        for entry, content in zip(entries, contents, strict=True):
            file.write(local_header(entry) + content)
        file.writelines(trailer(entries, FIRST))
    return path


def test_a_local_file_of_100_000_entries(many: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[int] = []
    pread = os.pread

    def counting(descriptor: int, n: int, offset: int) -> bytes:
        reads.append(n)
        return pread(descriptor, n, offset)

    monkeypatch.setattr(os, "pread", counting)
    image = anyzarr.open_ome_zarr(many)
    assert image.data.shape == (N, 1)
    assert len(reads) <= 4, "the end, the beginning of the directory, two documents"
    assert sum(reads) < 150_000
    assert many.stat().st_size > 100 * sum(reads)
    assert image.data[N - 1, 0] == 55


@pytest.mark.parametrize("backend", ["obstore", "fsspec"])
def test_100_000_entries_over_http(
    many: Path,
    tmp_path: Path,
    web: str,
    web_requests: list[tuple[str, str | None]],
    backend: str,
) -> None:
    (tmp_path / "many.ozx").symlink_to(many)

    def asked() -> list[str]:
        spans = [span or "" for verb, span in web_requests if verb == "GET"]
        web_requests.clear()
        return [span for span in spans if span != "bytes=0-0"]  # does it know ranges at all?

    image = anyzarr.open_ome_zarr(f"{web}/many.ozx", backend=backend)
    assert image.data.shape == (N, 1)
    spans = asked()
    assert len(spans) == 3, "the end, the beginning of the directory, the documents"
    ends = [re.fullmatch(r"bytes=(\d+)-(\d+)", span) for span in spans]
    assert sum(int(end[2]) - int(end[1]) + 1 for end in ends if end) < 150_000
    assert image.data[N - 1, 0] == 55
    assert len(asked()) == 2, "the rest of the directory, and the chunk"
    assert image.data[N // 2, 0] == 55
    assert len(asked()) == 1


def test_documents_are_fetched_together_only_where_they_are_few() -> None:
    for n, few in ((3, True), (20_000, False)):
        container = Counting(write(entries(n), FIRST))
        store = ZipStore((container, "a.ozx"))
        before = len(container.reads)
        for i in (0, 2, 1):
            assert store.get(f"{i}/zarr.json") == b'{"i": %d}' % i
        assert len(container.reads) - before == (1 if few else 3)
        store.close()
        assert store.get("1/zarr.json") == b'{"i": 1}'


def write(
    entries: list[tuple[str, bytes]], comment: bytes, method: int = zipfile.ZIP_STORED
) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in entries:
            archive.writestr(name, content)
        archive.comment = comment
    return buffer.getvalue()


@pytest.fixture
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Directories are long, and their beginnings short."""
    monkeypatch.setattr("anyzarr.stores._zip_directory._TAIL_BYTES", 300)
    monkeypatch.setattr("anyzarr.stores._zip_directory._FIRST_BYTES", 60)


def entries(n_documents: int, n_chunks: int = 30) -> list[tuple[str, bytes]]:
    documents = [(f"{i}/zarr.json", b'{"i": %d}' % i) for i in range(n_documents)]
    chunks = [(f"0/c/{i}", b"%d" % i) for i in range(n_chunks)]
    return [("zarr.json", b"{}"), *documents, *chunks]


@pytest.mark.usefixtures("_short")
@pytest.mark.parametrize("n_documents", [0, 1, 5, 40])
@pytest.mark.parametrize("n_chunks", [0, 30])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_however_many_documents_there_are(n_documents: int, n_chunks: int, method: int) -> None:
    given = entries(n_documents, n_chunks)
    container = Counting(write(given, FIRST, method))
    for first in range(0, len(given), 7):
        store = ZipStore((container, "a.ozx"))
        for name, content in given[first:] + given[:first]:
            assert store.get(name) == content
            assert store.get(name, ByteRange(1, 3)) == content[1:3]
        assert {i.key: i.size for i in store.list()} == {k: len(v) for k, v in given}


@pytest.mark.usefixtures("_short")
def test_documents_are_read_without_the_rest() -> None:
    container = Counting(write(entries(3), FIRST))
    store = ZipStore((container, "a.ozx"))
    n = len(container.reads)
    assert store.get("2/zarr.json") == b'{"i": 2}'
    assert store.head("1/zarr.json") is not None
    assert store.get_many([("zarr.json", None), ("0/zarr.json", None)]) == [b"{}", b'{"i": 0}']
    assert all(size < 200 for size in container.reads[n:])
    assert store.get("0/c/7") == b"7"


@pytest.mark.usefixtures("_short")
def test_an_archive_that_lies_hides_nothing() -> None:
    """Others claim that metadata comes first where it does not."""
    given = [*entries(1), ("late/zarr.json", b'{"late": 1}'), ("0/zarr.json", b'{"i": 9}')]
    with pytest.warns(UserWarning, match="Duplicate"):
        data = write(given, FIRST)
    store = ZipStore((Counting(data), "a.ozx"))
    assert store.get("late/zarr.json") == b'{"late": 1}'
    assert store.get("0/zarr.json") == b'{"i": 9}', "of duplicates the last counts"
    assert store.get("nothing/zarr.json") is None
    with pytest.raises(NodeNotFoundError):
        anyzarr.open_group(store, path="nothing")


@pytest.mark.usefixtures("_short")
def test_what_is_hostile_further_on_is_found_when_it_is_read() -> None:
    data = bytearray(write(entries(2), FIRST))
    for name, field, value in (("0/c/29", 42, 0), ("0/c/29", 24, 10**9), ("0/c/3", 34, 1)):
        changed = bytearray(data)
        at = changed.rindex(name.encode() + b"P") - 46
        struct.pack_into("<L" if field != 34 else "<H", changed, at + field, value)
        store = ZipStore((Counting(bytes(changed)), "a.ozx"))
        assert store.get("1/zarr.json") == b'{"i": 1}'
        for _ in range(2):
            with pytest.raises((CorruptDataError, UnsupportedError)) as caught:
                store.get("0/c/1")
            assert caught.value.key == name


@pytest.mark.usefixtures("_short")
def test_every_truncation_and_every_changed_byte_is_refused_or_harmless() -> None:
    given = entries(2, 4)
    data = write(given, FIRST)
    for cut in range(len(data)):
        read_or_refuse(data[:cut], dict(given))
    for position in range(len(data)):
        for flip in (0x01, 0xFF):
            changed = bytearray(data)
            changed[position] ^= flip
            read_or_refuse(bytes(changed), dict(given))


def read_or_refuse(data: bytes, expected: Mapping[str, bytes]) -> None:
    try:
        store = ZipStore((MemoryStore({"a.ozx": data}), "a.ozx"))
        for key in ("zarr.json", "1/zarr.json", "0/c/1"):
            # Names are not covered by a checksum; contents are.
            assert store.get(key) in (None, *expected.values())
        for info in store.list():
            assert store.get(info.key) in expected.values()
    except (CorruptDataError, UnsupportedError):
        return


@pytest.mark.parametrize(
    ("comment", "expected"),
    [
        (b"", ArchiveComment()),
        (b"made by hand", ArchiveComment()),
        (b"\xff\xfe", ArchiveComment()),
        (b"[" * 60_000, ArchiveComment()),
        (b"3", ArchiveComment()),
        (b"{}", ArchiveComment(is_json=True)),
        (b'{"ome": 5}', ArchiveComment(is_json=True)),
        (b'{"ome": {"version": 5, "zipFile": []}}', ArchiveComment(is_json=True)),
        (b'{"ome": {"version": "0.5"}}', ArchiveComment("0.5", is_json=True)),
        # In the wrong place, as some writers have it.
        (b'{"jsonFirst": true}', ArchiveComment(is_json=True, is_misplaced=True)),
        (
            b'{"ome": {"zipFile": {"jsonFirst": true}}}',
            ArchiveComment(is_json=True, is_misplaced=True),
        ),
        (
            b'{"ome": {"zipFile": {"centralDirectory": {"jsonFirst": "yes"}}}}',
            ArchiveComment(is_json=True, is_misplaced=True),
        ),
        (FIRST, ArchiveComment("0.5", json_first=True, is_json=True)),
    ],
)
def test_comments(comment: bytes, expected: ArchiveComment) -> None:
    assert ArchiveComment.parse(comment) == expected
    assert ZipStore((MemoryStore({"a": write([("k", b"1")], comment)}), "a")).comment == expected


def test_local_arrays_are_read_by_the_native_engine_too(tmp_path: Path) -> None:
    source, values = image_of(2000)
    anyzarr.convert(source, tmp_path / "a.ozx")
    for engine in ("native", "zarr"):
        array = anyzarr.open_array(tmp_path / "a.ozx", path="0", engine=engine)
        assert np.array_equal(array[...], values)

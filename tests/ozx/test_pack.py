"""Archives against RFC-9, read by zipfile, by an independent parser and by unzip tools."""

import json
import os
import shutil
import stat
import struct
import subprocess
import tempfile
import zipfile
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anyzarr._ozx import Packing, arrange, is_stray, pack
from anyzarr._ozx._file import write_members
from anyzarr._ozx._members import Reader, place
from anyzarr._ozx._zip64 import check_comment, trailer
from anyzarr._progress import Progress
from anyzarr.abc import ByteRange, ObjectInfo
from anyzarr.errors import (
    ConflictError,
    NodeExistsError,
    NodeNotFoundError,
    StoreError,
)
from anyzarr.stores import LocalStore, MemoryStore, ZipStore

GROUP = {"zarr_format": 3, "node_type": "group"}
OME = {**GROUP, "attributes": {"ome": {"version": "0.5", "multiscales": []}}}


def array(*, sharded):
    inner = [{"name": "bytes", "configuration": {"endian": "little"}}]
    shard = {
        "name": "sharding_indexed",
        "configuration": {"chunk_shape": [2], "codecs": inner, "index_codecs": inner},
    }
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [4],
        "data_type": "uint8",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [4]}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": 0,
        "codecs": [shard] if sharded else inner,
    }


def hierarchy(**more):
    documents = {
        "zarr.json": OME,
        "b/zarr.json": GROUP,
        "a/zarr.json": GROUP,
        "a/x/zarr.json": array(sharded=True),
        "a/10/zarr.json": array(sharded=True),
        "a/2/zarr.json": array(sharded=True),
    }
    content = {key: json.dumps(value).encode() for key, value in documents.items()}
    content |= {f"a/x/c/{i}": bytes([i]) * i for i in (0, 1, 2, 10, 11)}
    content |= {key: value for key, value in more.items() if value is not None}
    return {k: v for k, v in content.items() if k not in more or more[k] is not None}


def store_of(content):
    store = MemoryStore()
    for key, value in content.items():
        store.put(key, value)
    return store


def parse_zip(data):
    """Read an archive by its ZIP64 records alone; return (entries, comment), all checked."""
    end = data.rindex(b"PK\x05\x06")
    _, disk, cd_disk, n_here, n, size, offset, n_comment = struct.unpack_from("<4s4H2IH", data, end)
    assert (disk, cd_disk, n_here, n, size, offset) == (0, 0, 0xFFFF, 0xFFFF, 2**32 - 1, 2**32 - 1)
    assert end + 22 + n_comment == len(data)
    signature, disk, end64, disks = struct.unpack_from("<4sIQI", data, end - 20)
    assert (signature, disk, disks) == (b"PK\x06\x07", 0, 1)
    record = struct.unpack_from("<4sQHHIIQQQQ", data, end64)
    assert record[0] == b"PK\x06\x06"
    assert record[1] == 44
    assert record[3] == 45
    _, _, _, _, _, _, n_here, n, size, offset = record
    assert n_here == n
    assert offset + size == end64
    entries, position, expected_offset = [], offset, 0
    for _ in range(n):
        central = struct.unpack_from("<4s6H3I5H2I", data, position)
        assert central[0] == b"PK\x01\x02"
        version, flags, method, time, date, crc, packed, unpacked, n_name, n_extra = central[2:12]
        assert (version, method) == (45, 0)
        assert flags == 1 << 11
        assert (time, date) == (0, 0x21)
        assert packed == unpacked == 0xFFFFFFFF
        name = data[position + 46 : position + 46 + n_name]
        extra = data[position + 46 + n_name : position + 46 + n_name + n_extra]
        tag, length, unpacked, packed, local = struct.unpack("<HHQQQ", extra)
        assert (tag, length) == (1, 24)
        assert local == expected_offset
        position += 46 + n_name + n_extra + central[12]
        header = struct.unpack_from("<4s5H3I2H", data, local)
        assert header[0] == b"PK\x03\x04"
        assert header[6] == crc
        assert header[7] == header[8] == 0xFFFFFFFF
        n_name, n_extra = header[9:]
        assert data[local + 30 : local + 30 + n_name] == name
        tag, length, a, b = struct.unpack_from("<HHQQ", data, local + 30 + n_name)
        assert (tag, length, a, b) == (1, 16, unpacked, packed)
        start = local + 30 + n_name + n_extra
        content = data[start : start + packed]
        assert zlib.crc32(content) == crc
        entries.append((name.decode(), content))
        expected_offset = start + packed
    assert position == end64
    assert expected_offset == offset
    return entries, data[end + 22 :]


def test_every_must_and_should_of_rfc_9(tmp_path):
    content = hierarchy()
    packed = pack(store_of(content), tmp_path / "a.ozx")
    entries, comment = parse_zip((tmp_path / "a.ozx").read_bytes())
    assert dict(entries) == content
    names = [name for name, _ in entries]
    assert len(set(names)) == len(names)
    assert names == [
        "zarr.json", "a/zarr.json", "b/zarr.json", "a/2/zarr.json", "a/10/zarr.json",
        "a/x/zarr.json", "a/x/c/0", "a/x/c/1", "a/x/c/2", "a/x/c/10", "a/x/c/11",
    ]  # fmt: skip
    assert json.loads(comment) == {
        "ome": {"version": "0.5", "zipFile": {"centralDirectory": {"jsonFirst": True}}}
    }
    assert packed.warnings == ()
    assert (packed.n_entries, packed.n_documents) == (11, 6)
    assert packed.size_bytes == (tmp_path / "a.ozx").stat().st_size


def test_zipfile_and_our_own_store_read_it(tmp_path):
    content = hierarchy()
    pack(store_of(content), tmp_path / "a.ozx")
    with zipfile.ZipFile(tmp_path / "a.ozx") as archive:
        assert archive.testzip() is None
        assert {n: archive.read(n) for n in archive.namelist()} == content
        assert all(i.compress_type == zipfile.ZIP_STORED for i in archive.infolist())
        assert all(stat.S_IMODE(i.external_attr >> 16) == 0o644 for i in archive.infolist())
    store = ZipStore(tmp_path / "a.ozx")
    assert {item.key: store.get(item.key) for item in store.list()} == content


TOOLS = {"unzip": "-tq", "7z": "t", "7zz": "t", "bsdtar": "-tf"}


def test_other_tools_read_it(tmp_path):
    there = [tool for tool in TOOLS if shutil.which(tool)]
    if not there:
        pytest.skip(f"none of {', '.join(TOOLS)} is installed")
    pack(store_of(hierarchy()), tmp_path / "a.ozx")
    for tool in there:
        command = [tool, TOOLS[tool], tmp_path / "a.ozx"]
        result = subprocess.run(command, capture_output=True, check=False)
        assert result.returncode == 0, result.stdout + result.stderr


def test_the_same_hierarchy_gives_the_same_bytes(tmp_path):
    content = hierarchy()
    pack(store_of(content), tmp_path / "a.ozx")
    pack(store_of(dict(reversed(content.items()))), tmp_path / "b.ozx")
    folder = LocalStore(tmp_path / "folder")
    for key, value in content.items():
        folder.put(key, value)
    os.utime(tmp_path / "folder" / "zarr.json", (0, 0))
    pack(folder, tmp_path / "c.ozx")
    first = (tmp_path / "a.ozx").read_bytes()
    assert (tmp_path / "b.ozx").read_bytes() == first
    assert (tmp_path / "c.ozx").read_bytes() == first


def test_what_others_left_behind_is_left_out(tmp_path):
    stray = {
        ".DS_Store": b"x", "a/.DS_Store": b"x", "a/._zarr.json": b"x", "__MACOSX/a": b"x",
        "a/x/c/0.9f3b.partial": b"x", "a/x/c/1.tmp": b"x", "a/x/c/2#1": b"x", "Thumbs.db": b"x",
        ".b.0123456789ab.partial/zarr.json": b"{}", "a/.x.ba9876543210.replaced/c/0": b"x",
    }  # fmt: skip
    content = hierarchy() | stray
    packed = pack(store_of(content), tmp_path / "a.ozx")
    entries, _ = parse_zip((tmp_path / "a.ozx").read_bytes())
    assert dict(entries) == hierarchy()
    assert len(packed.warnings) == 1
    assert "10 objects" in packed.warnings[0]


@pytest.mark.parametrize(
    "key",
    [
        "a.partial/zarr.json",
        ".b.partial/zarr.json",
        "a.tmp/c/0",
        "OME/METADATA.ome.xml",
        "x~/zarr.json",
        "c/0",
    ],
)
def test_nodes_with_odd_names_are_kept(key):
    assert not is_stray(key)


def test_unsharded_arrays_are_packed_with_a_warning(tmp_path):
    plain = {"b/0/zarr.json": json.dumps(array(sharded=False)).encode()}
    packed = pack(store_of(hierarchy() | plain), tmp_path / "a.ozx")
    assert ["1 of 4 arrays" in w for w in packed.warnings] == [True]


def test_a_v2_hierarchy_claims_nothing(tmp_path):
    attributes = {"multiscales": [{"version": "0.4"}]}
    content = {
        "0/.zarray": b'{"zarr_format": 2, "shape": [1]}',
        ".zattrs": json.dumps(attributes).encode(),
        ".zgroup": b'{"zarr_format": 2}',
        "0/0": b"\0",
    }
    packed = pack(store_of(content), tmp_path / "a.ozx")
    entries, comment = parse_zip((tmp_path / "a.ozx").read_bytes())
    assert [name for name, _ in entries] == [".zgroup", ".zattrs", "0/.zarray", "0/0"]
    assert json.loads(comment) == {"ome": {"version": "0.4"}}
    assert any("Zarr v2" in w for w in packed.warnings)


def test_documents_of_the_other_format_do_not_break_json_first(tmp_path):
    content = hierarchy() | {"a/.zattrs": b"{}", ".zgroup": b"{}"}
    pack(store_of(content), tmp_path / "a.ozx")
    entries, _ = parse_zip((tmp_path / "a.ozx").read_bytes())
    is_document = [name.endswith("zarr.json") for name, _ in entries]
    assert is_document == sorted(is_document, reverse=True)
    assert dict(entries) == content


def test_other_names_than_ozx_are_warned_of(tmp_path):
    packed = pack(store_of(hierarchy()), tmp_path / "a.zip")
    assert any(".ozx" in w for w in packed.warnings)


def test_a_store_without_a_root_says_where_one_is(tmp_path):
    content = {f"inner/{key}": value for key, value in hierarchy().items()}
    with pytest.raises(NodeNotFoundError) as caught:
        pack(store_of(content), tmp_path / "a.ozx")
    assert "'inner'" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_is_kept_unless_overwritten(tmp_path):
    target = tmp_path / "a.ozx"
    target.write_bytes(b"mine")
    with pytest.raises(NodeExistsError):
        pack(store_of(hierarchy()), target)
    assert target.read_bytes() == b"mine"
    pack(store_of(hierarchy()), target, overwrite=True)
    assert zipfile.is_zipfile(target)
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_is_never_replaced_by_an_archive(tmp_path):
    (tmp_path / "a.ozx").mkdir()
    (tmp_path / "a.ozx" / "photo").touch()
    with pytest.raises(StoreError):
        pack(store_of(hierarchy()), tmp_path / "a.ozx", overwrite=True)
    assert (tmp_path / "a.ozx" / "photo").exists()


def test_an_archive_cannot_lie_in_what_it_packs(tmp_path):
    folder = LocalStore(tmp_path)
    for key, value in hierarchy().items():
        folder.put(key, value)
    with pytest.raises(StoreError, match="within the hierarchy"):
        pack(folder, tmp_path / "a" / "x.ozx")


class OneByOne(MemoryStore):
    """Reads many objects through the method that reads one."""

    def _get_many(self, requests):
        return [self._get(*request) for request in requests]


class Failing(OneByOne):
    """Raises on the n-th read of a chunk."""

    error: BaseException = KeyboardInterrupt()

    def _get(self, key, byte_range):
        if "/c/10" in key:
            raise self.error
        return super()._get(key, byte_range)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), StoreError("network"), MemoryError()])
@pytest.mark.parametrize("exists", [False, True])
def test_nothing_is_left_of_an_interrupted_packing(tmp_path, error, exists):
    store = Failing()
    store.error = error
    for key, value in hierarchy().items():
        store.put(key, value)
    target = tmp_path / "new" / "a.ozx" if not exists else tmp_path / "a.ozx"
    if exists:
        target.write_bytes(b"old")
    with pytest.raises(type(error)):
        pack(store, target, overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == (["a.ozx"] if exists else [])
    if exists:
        assert target.read_bytes() == b"old"


class Changing(OneByOne):
    """Loses or shortens an object between being listed and being read."""

    lost = b""

    def _get(self, key, byte_range):
        value = super()._get(key, byte_range)
        return self.lost if key.endswith("/c/10") else value


@pytest.mark.parametrize("lost", [None, b"short"])
def test_a_source_that_changes_is_noticed(tmp_path, lost):
    store = Changing()
    store.lost = lost
    for key, value in hierarchy().items():
        store.put(key, value)
    with pytest.raises(ConflictError) as caught:
        pack(store, tmp_path / "a.ozx")
    assert caught.value.key == "a/x/c/10"
    assert list(tmp_path.iterdir()) == []


def test_large_objects_are_read_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr("anyzarr._ozx._members._BATCH_BYTES", 2000)
    monkeypatch.setattr("anyzarr._streams._PART_BYTES", 1000)
    asked = []

    class Recording(OneByOne):
        def _get(self, key, byte_range):
            asked.append((key, byte_range))
            return super()._get(key, byte_range)

    store = Recording()
    content = hierarchy() | {"a/x/c/5": os.urandom(2500)}
    for key, value in content.items():
        store.put(key, value)
    pack(store, tmp_path / "a.ozx")
    ranges = [r for key, r in asked if key == "a/x/c/5"]
    assert ranges == [ByteRange(0, 1000), ByteRange(1000, 2000), ByteRange(2000, 2500)]
    assert dict(parse_zip((tmp_path / "a.ozx").read_bytes())[0]) == content


@pytest.mark.parametrize("batch", [0, 1, 60, 500, 4 << 20])
@pytest.mark.parametrize("local", [False, True])
def test_file_and_stream_are_the_same_whatever_is_read_together(
    tmp_path, monkeypatch, batch, local
):
    content = hierarchy() | {"a/x/c/5": os.urandom(300_000), "a/y": b""}
    pack(store_of(content), tmp_path / "a.ozx")
    expected = (tmp_path / "a.ozx").read_bytes()
    assert dict(parse_zip(expected)[0]) == content
    monkeypatch.setattr("anyzarr._ozx._members._BATCH_BYTES", batch)
    monkeypatch.setattr("anyzarr._ozx._stream._IN_MEMORY_BYTES", 1000)
    store = LocalStore(tmp_path / "folder") if local else MemoryStore()
    for key, value in content.items():
        store.put(key, value)
    packing = Packing(store, "a.ozx")
    stream = b"".join(packing.parts())
    assert stream == expected
    assert packing.packed().size_bytes == len(stream) <= packing.size_limit
    packed = pack(store, tmp_path / "b.ozx")
    assert (tmp_path / "b.ozx").read_bytes() == expected
    assert packed == packing.packed()


@pytest.mark.parametrize("large", [False, True])
def test_a_file_that_changes_is_noticed(tmp_path, monkeypatch, large):
    if large:
        monkeypatch.setattr("anyzarr._ozx._members._BATCH_BYTES", 0)
    for new in (b"longer than before", b"", None):
        store = LocalStore(tmp_path / f"folder{new}")
        for key, value in hierarchy().items():
            store.put(key, value)
        packing = Packing(store, "a.ozx")
        changed = tmp_path / f"folder{new}" / "a/x/c/10"
        changed.unlink() if new is None else changed.write_bytes(new)
        with pytest.raises(ConflictError) as caught:
            b"".join(packing.parts())
        assert caught.value.key == "a/x/c/10"


def test_an_archive_that_appears_meanwhile_is_kept(tmp_path):
    target = tmp_path / "a.ozx"

    def progress(step):
        target.write_bytes(b"theirs")

    with pytest.raises(NodeExistsError):
        pack(store_of(hierarchy()), target, progress=progress)
    assert target.read_bytes() == b"theirs"
    assert list(tmp_path.iterdir()) == [target]


def test_archives_that_lie_in_a_hierarchy_are_left_out(tmp_path):
    content = hierarchy() | {"a/old.ozx": b"PK"}
    packed = pack(store_of(content), tmp_path / "a.ozx")
    assert dict(parse_zip((tmp_path / "a.ozx").read_bytes())[0]) == hierarchy()
    assert ["'a/old.ozx'" in warning for warning in packed.warnings] == [True]


def test_progress_counts_every_byte(tmp_path):
    steps: list[Progress] = []
    content = hierarchy()
    pack(store_of(content), tmp_path / "a.ozx", progress=steps.append)
    total = sum(map(len, content.values()))
    assert steps[-1] == Progress("packing a.ozx", total, total)


def test_an_error_of_the_progress_function_stops_the_work(tmp_path):
    def stop(progress):
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        pack(store_of(hierarchy()), tmp_path / "a.ozx", progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_duplicates_long_names_and_long_comments_are_refused():
    with pytest.raises(StoreError, match="only one"):
        place([], [ObjectInfo("a", 1), ObjectInfo("a", 2)])
    with pytest.raises(StoreError, match="65535"):
        place([], [ObjectInfo("x" * 70000, 1)])
    with pytest.raises(StoreError, match="65535"):
        check_comment(b"c" * 70000)


def test_a_full_disk_is_a_store_error(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.pwrite", full)
    with pytest.raises(StoreError, match="No space left"):
        pack(store_of(hierarchy()), tmp_path / "a.ozx")
    assert list(tmp_path.iterdir()) == []


@given(st.dictionaries(st.text("ab/.é0", min_size=1, max_size=12), st.binary(max_size=40)))
@settings(max_examples=60, deadline=None)
def test_any_names_and_contents(content):
    class Objects:
        """No key is checked: records are what this is about."""

        spec, capabilities = MemoryStore().spec, MemoryStore().capabilities

        def get_many(self, requests):
            return [content[key] for key, _ in requests]

    members = place([], [ObjectInfo(key, len(value)) for key, value in content.items()])
    with tempfile.TemporaryFile() as file:
        crcs = write_members(file.fileno(), members, Reader(Objects(), int), None)
        file.seek(members[-1].stop if members else 0)
        entries = [member.entry(crc) for member, crc in zip(members, crcs, strict=True)]
        file.write(b"".join(trailer(entries, b"c")))
        file.seek(0)
        entries, comment = parse_zip(file.read())
        assert dict(entries) == content
        assert comment == b"c"
        with zipfile.ZipFile(file) as archive:
            assert archive.namelist() == list(content)


def test_order_does_not_depend_on_the_listing():
    keys = list(hierarchy())
    infos = [ObjectInfo(key, 1) for key in keys]
    assert arrange(infos) == arrange(reversed(infos))

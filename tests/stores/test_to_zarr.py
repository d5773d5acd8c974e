"""Our stores presented to zarr-python: zarr's own suite, and what it does not ask."""

from __future__ import annotations

import pickle
import zipfile
from typing import Any

import numpy as np
import pytest

zarr = pytest.importorskip("zarr", reason="presents stores to zarr-python")

from zarr.abc.store import (  # noqa: E402
    OffsetByteRequest,
    RangeByteRequest,
    Store,
    SuffixByteRequest,
)
from zarr.core.buffer import cpu, default_buffer_prototype  # noqa: E402
from zarr.testing.store import StoreTests  # noqa: E402

from anyzarr.errors import AnyzarrError, ReadOnlyError  # noqa: E402
from anyzarr.stores import (  # noqa: E402
    FsspecStore,
    LocalStore,
    MemoryStore,
    ObstoreStore,
    ZipStore,
    to_zarr_store,
)
from anyzarr.stores._zarr_adapter import AnyzarrStore  # noqa: E402

PROTOTYPE = default_buffer_prototype()


class Base(StoreTests[AnyzarrStore, cpu.Buffer]):
    """What the suite needs to know of every backend: ours below, zarr's adapter above."""

    store_cls = AnyzarrStore
    buffer_cls = cpu.Buffer

    async def set(self, store: AnyzarrStore, key: str, value: Any) -> None:
        store.inner.put(key, value.to_bytes())

    async def get(self, store: AnyzarrStore, key: str) -> Any:
        value = store.inner.get(key)
        assert value is not None
        return self.buffer_cls.from_bytes(value)

    def test_store_repr(self, store: AnyzarrStore) -> None:
        assert repr(store) == f"AnyzarrStore({store.inner!r}, read_only=False)"
        assert str(store) == str(store.inner.spec)

    def test_store_supports_writes(self, store: AnyzarrStore) -> None:
        assert store.supports_writes
        assert store.supports_deletes

    def test_store_supports_listing(self, store: AnyzarrStore) -> None:
        assert store.supports_listing


class TestLocal(Base):
    @pytest.fixture
    def store_kwargs(self, tmp_path: Any) -> dict[str, Any]:
        return {"store": LocalStore(tmp_path / "root")}


class TestMemory(Base):
    @pytest.fixture
    def store_kwargs(self) -> dict[str, Any]:
        return {"store": MemoryStore()}


class TestObstore(Base):
    @pytest.fixture
    def store_kwargs(self, tmp_path: Any) -> dict[str, Any]:
        local = pytest.importorskip("obstore.store", reason="the backend's library")
        return {"store": ObstoreStore(local.LocalStore(tmp_path / "root", mkdir=True))}


class TestFsspec(Base):
    @pytest.fixture
    def store_kwargs(self, tmp_path: Any) -> dict[str, Any]:
        fsspec = pytest.importorskip("fsspec", reason="the backend's library")
        (tmp_path / "root").mkdir()
        return {"store": FsspecStore(fsspec.filesystem("local"), str(tmp_path / "root"))}


def _refused(name: str) -> Any:
    async def test(self: Any, store: AnyzarrStore) -> None:
        """The suite's test writes through the store, and archives are written by packing."""
        value = cpu.Buffer.from_bytes(b"x")
        for attempt in (
            store.set("k", value),
            store.set_if_not_exists("k", value),
            store.delete("k"),
            store.delete_dir("k"),
        ):
            with pytest.raises(ValueError, match="read-only"):
                await attempt
        for attempt in (lambda: store.set_sync("k", value), lambda: store.delete_sync("k")):
            with pytest.raises(ValueError, match="read-only"):
                attempt()
        with pytest.raises(ReadOnlyError):
            store.with_read_only(False)

    test.__name__ = name
    return test


class TestZip(Base):
    """Reading tests run as they are, over an archive that the helper ``set`` packs.

    Each test that writes through the store is replaced by one that sees it refused.
    """

    @pytest.fixture
    def store_kwargs(self, tmp_path: Any) -> dict[str, Any]:
        path = tmp_path / "a.zip"
        with zipfile.ZipFile(path, "w"):
            pass
        self.path = path
        return {"store": ZipStore(str(path))}

    async def set(self, store: AnyzarrStore, key: str, value: Any) -> None:
        with zipfile.ZipFile(self.path, "a") as archive:
            archive.writestr(key, value.to_bytes())
        store._inner = ZipStore(str(self.path))  # the old one has read the directory

    @pytest.mark.parametrize("read_only", [True, None])
    async def test_store_open_read_only(self, open_kwargs: Any, read_only: bool | None) -> None:
        """Open writable is refused; the suite asks for both."""
        store = await self.store_cls.open(**open_kwargs, read_only=read_only)
        assert store.read_only
        with pytest.raises(ReadOnlyError):
            await self.store_cls.open(**open_kwargs, read_only=False)

    def test_store_repr(self, store: AnyzarrStore) -> None:
        assert repr(store) == f"AnyzarrStore({store.inner!r}, read_only=True)"

    def test_store_supports_writes(self, store: AnyzarrStore) -> None:
        assert not store.supports_writes
        assert not store.supports_deletes

    def test_store_read_only(self, store: AnyzarrStore) -> None:
        """The suite's stores start writable."""
        assert store.read_only
        with pytest.raises(AttributeError):
            store.read_only = False

    def test_serializable_store(self, store: AnyzarrStore) -> None:
        """The suite writes through the copy."""
        assert pickle.loads(pickle.dumps(store)) == store

    async def test_list_dir(self, store: AnyzarrStore) -> None:
        """The suite fills the store by writing through it."""
        await self.set(store, "foo/zarr.json", cpu.Buffer.from_bytes(b"1"))
        await self.set(store, "foo/c/1", cpu.Buffer.from_bytes(b"2"))
        assert sorted([name async for name in store.list_dir("foo")]) == ["c", "zarr.json"]
        assert [name async for name in store.list_dir("bar")] == []
        assert sorted([key async for key in store.list()]) == ["foo/c/1", "foo/zarr.json"]
        assert [key async for key in store.list_prefix("foo/c")] == ["foo/c/1"]


_WRITES_THROUGH_THE_STORE = [
    "test_with_read_only_store",
    "test_getsize_prefix",
    "test_set",
    "test_set_not_open",
    "test_set_many",
    "test_exists",
    "test_delete",
    "test_delete_dir",
    "test_delete_nonexistent_key_does_not_raise",
    "test_clear",
    "test_list",
    "test_list_prefix",
    "test_list_empty_path",
    "test_set_if_not_exists",
    "test_set_sync",
    "test_delete_sync",
    "test_delete_sync_missing",
    "test_sync_async_set_get_parity",
    "test_delete_sync_visible_to_async_get",
    "test_get_sync_byte_range_parity",
]
for _name in _WRITES_THROUGH_THE_STORE:
    if hasattr(StoreTests, _name):  # the synchronous ones came with zarr 3.2
        setattr(TestZip, _name, _refused(_name))


@pytest.fixture
def memory() -> MemoryStore:
    return MemoryStore({"a/x": b"0123456789", "ab": b"", "a/b/c": b"1"})


async def test_it_keeps_none_of_the_callers_memory(memory: MemoryStore) -> None:
    values = np.arange(4, dtype="u1")
    await to_zarr_store(memory).set("k", cpu.Buffer.from_array_like(values))
    values[:] = 0
    assert memory.get("k") == b"\x00\x01\x02\x03"


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (RangeByteRequest(2, 4), b"23"),
        (RangeByteRequest(8, 99), b"89"),
        (OffsetByteRequest(7), b"789"),
        (OffsetByteRequest(99), b""),
        (SuffixByteRequest(3), b"789"),
        (SuffixByteRequest(0), b""),
        (SuffixByteRequest(99), b"0123456789"),
    ],
)
async def test_byte_requests(memory: MemoryStore, request_: Any, expected: bytes) -> None:
    store = to_zarr_store(memory)
    found = await store.get("a/x", PROTOTYPE, request_)
    assert found is not None
    assert found.to_bytes() == expected
    (many,) = await store.get_partial_values(PROTOTYPE, [("a/x", request_)])
    assert many is not None
    assert many.to_bytes() == expected


async def test_ranges_of_an_absent_key_are_a_group_of_file_not_found(memory: MemoryStore) -> None:
    store: Any = to_zarr_store(memory)
    ranges = [RangeByteRequest(0, 1), RangeByteRequest(4, 6)]
    batches = [b async for b in store.get_ranges("a/x", ranges, prototype=PROTOTYPE)]
    assert [(i, v.to_bytes()) for batch in batches for i, v in batch] == [(0, b"0"), (1, b"45")]
    with pytest.raises(BaseExceptionGroup) as caught:
        _ = [b async for b in store.get_ranges("no", ranges, prototype=PROTOTYPE)]
    assert caught.group_contains(FileNotFoundError)
    with pytest.raises(BaseExceptionGroup):
        store.get_ranges_sync("no", ranges, prototype=PROTOTYPE)


async def test_a_prefix_is_any_string(memory: MemoryStore) -> None:
    store = to_zarr_store(memory)
    assert sorted([k async for k in store.list_prefix("a")]) == ["a/b/c", "a/x", "ab"]
    assert sorted([k async for k in store.list_prefix("a/")]) == ["a/b/c", "a/x"]
    assert [k async for k in store.list_prefix("a/b")] == ["a/b/c"]


async def test_errors_are_ours_and_name_the_key(memory: MemoryStore) -> None:
    with pytest.raises(AnyzarrError) as caught:
        await to_zarr_store(memory).get("../secret", PROTOTYPE)
    assert caught.value.key == "../secret"


def test_a_read_only_store_cannot_be_presented_as_writable(memory: MemoryStore) -> None:
    closed = memory.with_read_only(True)
    assert to_zarr_store(closed).read_only
    assert to_zarr_store(memory, read_only=True).read_only
    with pytest.raises(ReadOnlyError) as caught:
        to_zarr_store(closed, read_only=False)
    assert caught.value.kind == "read_only"


def test_views_are_equal_by_store_and_mode(memory: MemoryStore) -> None:
    assert to_zarr_store(memory) == to_zarr_store(memory)
    assert to_zarr_store(memory) != to_zarr_store(memory, read_only=True)
    assert to_zarr_store(memory) != to_zarr_store(MemoryStore())
    assert isinstance(to_zarr_store(memory), Store)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_zarr_works_over_it(zarr_format: Any) -> None:
    store = to_zarr_store(MemoryStore())
    group = zarr.create_group(store, zarr_format=zarr_format)
    array = group.create_array("a/b", shape=(10, 7), chunks=(4, 3), dtype="int16", fill_value=-1)
    values = np.arange(70, dtype="int16").reshape(10, 7)
    array[2:] = values[2:]
    group.attrs["x"] = 1
    again = zarr.open_group(pickle.loads(pickle.dumps(store)), mode="r")
    assert dict(again.attrs) == {"x": 1}
    np.testing.assert_array_equal(again["a/b"][2:], values[2:])
    assert (again["a/b"][:2] == -1).all()
    del group["a"]
    assert list(group.keys()) == []

"""Consolidated metadata: written, read, kept in step, and found out when it is stale."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import pytest

import anyzarr
from anyzarr import crud
from anyzarr._cli import main
from anyzarr.abc import ByteRange, Level, ObjectInfo, Request
from anyzarr.stores import LocalStore, MemoryStore

ZarrFormat = Literal[2, 3]


class Counting(MemoryStore):
    """Counts round trips: requests made together are one."""

    trips = 0

    def _get(self, key: str, byte_range: ByteRange | None) -> bytes | None:
        self.trips += 1
        return super()._get(key, byte_range)

    def _get_many(self, requests: Sequence[Request]) -> list[bytes | None]:
        self.trips += 1
        return [super(Counting, self)._get(*request) for request in requests]

    def _list(self, prefix: str) -> Iterator[ObjectInfo]:
        self.trips += 1
        return super()._list(prefix)

    def _list_level(self, prefix: str) -> Level:
        self.trips += 1
        return super()._list_level(prefix)


def fill(store: Any, zarr_format: ZarrFormat = 3) -> anyzarr.Group:
    group = anyzarr.create_group(store, zarr_format=zarr_format, attributes={"who": "root"})
    for name in ("a", "a/deep", "b"):
        child = group.create_group(name, attributes={"who": name})
        child.create_array("x", shape=(4,), dtype="uint8", fill_value=3)
    group.create_array("c", shape=(2, 2), dtype="float32")
    return group


def names_below(group: anyzarr.Group) -> set[str]:
    found = set()
    for name, node in group.members():
        found.add(name)
        if isinstance(node, anyzarr.Group):
            found |= {f"{name}/{below}" for below in names_below(node)}
    return found


EVERYTHING = {"a", "a/deep", "a/deep/x", "a/x", "b", "b/x", "c"}


@pytest.mark.parametrize(("zarr_format", "trips"), [(3, 1), (2, 3)])
def test_a_consolidated_hierarchy_is_one_round_trip(zarr_format: ZarrFormat, trips: int) -> None:
    store = Counting()
    fill(store, zarr_format).consolidate()
    store.trips = 0
    group = anyzarr.open_group(store)
    assert names_below(group) == EVERYTHING
    assert group["a/deep"].attrs["who"] == "a/deep"
    assert group["a"]["deep/x"].shape == (4,)
    assert "a/deep" in group
    assert list(group["a"]) == ["deep", "x"]
    assert store.trips == trips


@pytest.mark.filterwarnings("ignore:Consolidated metadata is currently not part")
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_zarr_python_reads_ours_and_we_read_its(tmp_path: Path, zarr_format: ZarrFormat) -> None:
    import zarr

    ours = tmp_path / "ours.zarr"
    fill(ours, zarr_format)
    assert anyzarr.consolidate_metadata(ours).attrs["who"] == "root"
    theirs = zarr.open_consolidated(ours)
    assert theirs.metadata.consolidated_metadata is not None
    assert {name for name, _ in theirs.members(max_depth=None)} == EVERYTHING
    assert theirs["a/deep"].attrs["who"] == "a/deep"

    other = tmp_path / "theirs.zarr"
    fill(other, zarr_format)
    zarr.consolidate_metadata(other)
    assert crud.consolidated_differences(LocalStore(str(other))) == []
    assert names_below(anyzarr.open_group(other)) == EVERYTHING


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize(
    "change",
    [
        lambda group: group["a"].attrs.update(who="else"),
        lambda group: group["a/x"].resize((9,)),
        lambda group: group["a/deep"].create_array("new", shape=(1,), dtype="int8"),
        lambda group: group["b"].__delitem__("x"),
        lambda group: group.attrs.update(more=1),
    ],
)
def test_our_changes_leave_no_stale_copy(zarr_format: ZarrFormat, change: Any) -> None:
    store = MemoryStore()
    fill(store, zarr_format).consolidate()
    opened = anyzarr.open_group(store)
    assert names_below(opened) == EVERYTHING
    change(anyzarr.open_group(store))
    assert crud.consolidated_differences(store) is None
    # Handles that were open before see the change as well.
    assert opened["a"].attrs["who"] == anyzarr.open_group(store)["a"].attrs["who"]
    assert names_below(opened) == names_below(anyzarr.open_group(store))
    opened.consolidate()
    assert crud.consolidated_differences(store) == []


class Killed(BaseException):
    """The process ends here."""


class Dying(MemoryStore):
    """Writes so many times, and no more."""

    writes_left = 10**9

    def _step(self) -> None:
        self.writes_left -= 1
        if self.writes_left < 0:
            raise Killed

    def _put(self, *arguments: Any) -> Any:
        self._step()
        return super()._put(*arguments)

    def _delete(self, *arguments: Any) -> Any:
        self._step()
        return super()._delete(*arguments)

    def _delete_prefix(self, *arguments: Any) -> Any:
        self._step()
        return super()._delete_prefix(*arguments)


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize(
    "change",
    [
        lambda group: group["a"].attrs.update(who="else"),
        lambda group: group["a/x"].resize((9,)),
        lambda group: group["a/deep"].create_array("new", shape=(1,), dtype="int8"),
        lambda group: group["b"].__delitem__("x"),
        lambda group: group["a"].create_array("x", shape=(3,), dtype="int8", overwrite=True),
    ],
)
def test_a_killed_change_leaves_no_stale_copy(zarr_format: ZarrFormat, change: Any) -> None:
    for writes in range(30):
        store = Dying()
        fill(store, zarr_format).consolidate()
        group = anyzarr.open_group(store)
        store.writes_left = writes
        try:
            change(group)
        except Killed:
            store.writes_left = 10**9
            assert not crud.consolidated_differences(store), f"killed at write {writes}"
        else:
            break
    assert 1 < writes < 29


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_what_other_programs_change_is_found_out(zarr_format: ZarrFormat) -> None:
    store, elsewhere = MemoryStore(), MemoryStore()
    fill(store, zarr_format).consolidate()
    assert crud.consolidated_differences(store) == []
    other = anyzarr.create_array(
        elsewhere, shape=(7,), dtype="int16", zarr_format=zarr_format, attributes={"k": 1}
    )
    assert other.shape == (7,)
    for info in elsewhere.list():
        store.put(f"b/{info.key}", elsewhere.get(info.key) or b"")
        store.put(f"a/x/{info.key}", elsewhere.get(info.key) or b"")
    store.delete_prefix("c/")
    found = crud.consolidated_differences(store)
    assert found is not None
    assert {"a/x", "c"} <= set(found) <= {"a/x", "b", "b/x", "c"}


def test_a_node_that_is_not_in_it_is_looked_for() -> None:
    store = MemoryStore()
    group = fill(store).consolidate()
    document = store.get("b/x/zarr.json")
    store.put("late/zarr.json", document or b"")
    assert group["late"].shape == (4,)
    assert "late" in group


def test_groups_below_are_consolidated_by_themselves() -> None:
    store = Counting()
    group = fill(store)
    assert crud.consolidate_metadata(store, "a") == 3
    store.trips = 0
    assert names_below(anyzarr.open_group(store, path="a")) == {"deep", "deep/x", "x"}
    assert store.trips == 1
    with pytest.raises(anyzarr.MetadataError):
        crud.consolidate_metadata(store, "c")
    assert group.refresh().metadata.document.get("consolidated_metadata") is None


def test_a_store_that_cannot_list_is_walked_by_it(tmp_path: Path, web: str) -> None:
    place = tmp_path / "h.zarr"
    fill(place).consolidate()
    assert names_below(anyzarr.open_group(f"{web}/h.zarr")) == EVERYTHING


async def test_async() -> None:
    store = MemoryStore()
    fill(store)
    assert await crud.consolidate_metadata_async(store) == len(EVERYTHING)
    assert await crud.consolidated_differences_async(store) == []


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "h.zarr"
    fill(place)
    assert main(["consolidate", str(place), "--check"]) == 1
    assert "no consolidated metadata" in capsys.readouterr().out
    assert main(["consolidate", str(place)]) == 0
    assert "consolidated 7 nodes" in capsys.readouterr().out
    assert main(["consolidate", str(place), "--check"]) == 0
    (place / "a" / "x" / "zarr.json").unlink()
    assert main(["consolidate", str(place), "--check"]) == 1
    assert "out of date: a/x" in capsys.readouterr().out

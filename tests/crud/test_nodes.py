"""Documents and hierarchy through the functional API, checked against zarr-python."""

from __future__ import annotations

import json
import threading

import numpy as np
import pytest

from anyzarr import crud
from anyzarr.errors import MetadataError, NodeExistsError, NodeNotFoundError, ReadOnlyError
from anyzarr.metadata import array_document, group_document
from anyzarr.stores import LocalStore, MemoryStore, open_store


def array(**options):
    return array_document(**{"shape": (4, 6), "dtype": "uint16", "chunks": (2, 3), **options})


@pytest.fixture(params=["memory", "local"])
def store(request, tmp_path):
    return MemoryStore() if request.param == "memory" else LocalStore(str(tmp_path / "s"))


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_documents_round_trip(store, zarr_format):
    document = array(zarr_format=zarr_format, attributes={"a": [1, {"b": None}], "é": 1.5})
    crud.create_new_array(document, store, "g/a")
    assert crud.read_metadata(store, "g/a") == document
    assert crud.read_metadata(store, "/g//a/") == document


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_new_refuses_and_overwrite_replaces_everything_below(store, zarr_format):
    group = group_document(zarr_format=zarr_format)
    crud.create_new_group(group, store, "g")
    crud.create_new_array(array(zarr_format=zarr_format), store, "g/a")
    crud.write_region(array(zarr_format=zarr_format), store, "g/a", ..., 5)
    for create, document in [
        (crud.create_new_group, group),
        (crud.create_new_array, array(zarr_format=zarr_format)),
        (crud.create_new_array, array(zarr_format=5 - zarr_format)),
    ]:
        before = {info.key for info in store.list()}
        with pytest.raises(NodeExistsError) as caught:
            create(document, store, "g")
        assert caught.value.path == "g"
        assert {info.key for info in store.list()} == before
    crud.create_overwrite_group(group, store, "g")
    assert crud.list_children(store, "g") == []
    assert all(not info.key.startswith("g/a") for info in store.list())


def test_an_invalid_document_deletes_and_writes_nothing(store):
    crud.create_new_array(array(), store, "a")
    crud.write_region(array(), store, "a", ..., 5)
    before = {info.key for info in store.list()}
    bad = {**array(), "shape": [-1, 6]}
    for create in (crud.create_overwrite_array, crud.create_new_array):
        with pytest.raises(MetadataError):
            create(bad, store, "a")
    with pytest.raises(MetadataError):
        crud.write_metadata(bad, store, "a")
    assert {info.key for info in store.list()} == before


def test_only_one_of_many_threads_creates_a_node(store):
    outcomes = []

    def create():
        try:
            crud.create_new_array(array(), store, "a")
            outcomes.append("made")
        except NodeExistsError:
            outcomes.append("refused")

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["made"] + ["refused"] * 7


def test_children_of_groups_arrays_and_nothing(store):
    crud.create_new_group(group_document(), store, "")
    crud.create_new_group(group_document(attributes={"n": 1}), store, "b")
    crud.create_new_array(array(), store, "a")
    crud.create_new_array(array(zarr_format=2), store, "c")
    crud.write_region(array(), store, "a", ..., 5)
    assert [(name, doc.get("attributes")) for name, doc in crud.list_children(store, "")] == [
        ("a", {}),
        ("b", {"n": 1}),
        ("c", {}),
    ]
    assert crud.list_children(store, "a") == []
    assert crud.list_children(store, "c") == []


def test_a_child_that_cannot_be_read_is_named_not_hidden(store):
    crud.create_new_group(group_document(), store, "")
    crud.create_new_group(group_document(), store, "good")
    store.put("bad/zarr.json", b'{"zarr_format": 3, "node_ty')
    with pytest.raises(MetadataError) as caught:
        crud.list_children(store, "")
    assert caught.value.path == "bad"
    assert str(store.spec) in str(caught.value)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_consolidated_metadata_is_used_and_never_left_stale(tmp_path, zarr_format):
    zarr = pytest.importorskip("zarr")
    root = zarr.create_group(str(tmp_path / "z"), zarr_format=zarr_format)
    root.create_array("a", shape=(2,), dtype="u1", attributes={"k": 1})
    root.create_group("g").create_array("deep", shape=(2,), dtype="u1")
    with pytest.warns() if zarr_format == 3 else _nothing():
        zarr.consolidate_metadata(str(tmp_path / "z"))
    store = LocalStore(str(tmp_path / "z"))
    assert [name for name, _ in crud.list_children(store, "")] == ["a", "g"]
    # A node that only the consolidated copy knows shows that the copy is what was read.
    store.delete("a/zarr.json" if zarr_format == 3 else "a/.zarray")
    assert [name for name, _ in crud.list_children(store, "")] == ["a", "g"]
    crud.create_new_group(group_document(zarr_format=zarr_format), store, "g/new")
    assert [name for name, _ in crud.list_children(store, "")] == ["g"]
    assert [name for name, _ in crud.list_children(store, "g")] == ["deep", "new"]


class _nothing:
    def __enter__(self):
        return None

    def __exit__(self, *_):
        return False


def test_delete(store):
    crud.create_new_group(group_document(), store, "")
    crud.create_new_array(array(), store, "a")
    crud.create_new_array(array(), store, "ab")
    crud.write_region(array(), store, "a", ..., 5)
    crud.delete_node(store, "a")
    assert [info.key for info in store.list("a/")] == []
    assert [name for name, _ in crud.list_children(store, "")] == ["ab"]
    with pytest.raises(NodeNotFoundError) as caught:
        crud.delete_node(store, "a")
    assert caught.value.path == "a"
    store.put("stray", b"x")
    crud.delete_node(store, "")
    assert list(store.list()) == []


def test_absent_truncated_and_outside(store):
    with pytest.raises(NodeNotFoundError) as caught:
        crud.read_metadata(store, "nope")
    assert isinstance(caught.value, KeyError)
    assert caught.value.kind == "node_not_found"
    assert str(store.spec) in str(caught.value)
    store.put("t/zarr.json", b"{")
    with pytest.raises(MetadataError):
        crud.read_metadata(store, "t")
    for path in ("..", "a/../b", "./a"):
        with pytest.raises(NodeNotFoundError):
            crud.read_metadata(store, path)


def test_the_format_can_be_told(store):
    crud.create_new_array(array(zarr_format=2), store, "a")
    assert crud.read_metadata(store, "a", zarr_format=2)["zarr_format"] == 2
    with pytest.raises(NodeNotFoundError):
        crud.read_metadata(store, "a", zarr_format=3)


def test_unknown_fields_survive_a_change_of_attributes(store):
    document = {**array(), "lab": {"must_understand": False, "name": "x"}}
    crud.create_new_array(document, store, "a")
    stored = json.loads(store.get("a/zarr.json"))
    assert stored["lab"] == {"must_understand": False, "name": "x"}
    crud.write_metadata({**crud.read_metadata(store, "a"), "attributes": {"n": 1}}, store, "a")
    stored = json.loads(store.get("a/zarr.json"))
    assert stored["lab"]["name"] == "x"
    assert stored["attributes"] == {"n": 1}


def test_v2_attributes_that_become_empty_leave_no_old_ones(store):
    crud.create_new_array(array(zarr_format=2, attributes={"old": 1}), store, "a")
    crud.write_metadata(array(zarr_format=2), store, "a")
    assert crud.read_metadata(store, "a").get("attributes", {}) == {}


def test_read_only_stores_refuse(tmp_path):
    writable = LocalStore(str(tmp_path))
    crud.create_new_array(array(), writable, "a")
    store = open_store(tmp_path, mode="r")
    for write in (
        lambda: crud.create_new_array(array(), store, "b"),
        lambda: crud.delete_node(store, "a"),
        lambda: crud.write_metadata(array(), store, "a"),
        lambda: crud.write_region(array(), store, "a", ..., 1),
        lambda: crud.write_chunk(array(), store, "a", (0, 0), np.zeros((2, 3), "u2")),
    ):
        with pytest.raises(ReadOnlyError):
            write()
    assert [info.key for info in writable.list()] == ["a/zarr.json"]


async def test_twins_do_the_same():
    store = MemoryStore()
    await crud.create_new_group_async(group_document(), store, "")
    await crud.create_new_array_async(array(), store, "a")
    await crud.write_region_async(array(), store, "a", np.s_[1, :], 3)
    assert (await crud.read_region_async(array(), store, "a", np.s_[:, 0])).tolist() == [0, 3, 0, 0]
    assert [name for name, _ in await crud.list_children_async(store, "")] == ["a"]
    await crud.delete_node_async(store, "a")
    with pytest.raises(NodeNotFoundError):
        await crud.read_metadata_async(store, "a")


def test_every_function_has_a_twin():
    # It looks at nothing that is stored.
    names = set(crud.__all__) - {"write_guarantee"}
    plain = {name for name in names if not name.endswith("_async")}
    assert names == plain | {f"{name}_async" for name in plain}

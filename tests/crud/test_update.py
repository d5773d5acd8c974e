"""Changes of attributes that start from what is stored: none is lost, whoever makes them."""

import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import anyzarr
from anyzarr import config, crud
from anyzarr.abc import ABSENT
from anyzarr.crud._process_locks import exclusive, lock_folder
from anyzarr.errors import ConflictError, NodeNotFoundError, ReadOnlyError, StoreError
from anyzarr.metadata import group_document
from anyzarr.stores import LocalStore, MemoryStore, open_store

ADD = """
import sys
from anyzarr import crud
from anyzarr.stores import LocalStore
store = LocalStore(sys.argv[1])
for i in range(int(sys.argv[2])):
    crud.update_attributes(store, "g", lambda stored: {"n": stored["n"] + 1})
"""


def counted(store, zarr_format=3):
    crud.create_new_group(group_document(attributes={"n": 0}, zarr_format=zarr_format), store, "g")
    return store


def n_of(store):
    return crud.read_metadata(store, "g")["attributes"]["n"]


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_processes_lose_nothing(tmp_path, zarr_format):
    store = counted(LocalStore(tmp_path), zarr_format)
    others = [subprocess.Popen([sys.executable, "-c", ADD, str(tmp_path), "60"]) for _ in range(3)]
    assert [process.wait() for process in others] == [0, 0, 0]
    assert n_of(store) == 180
    assert sorted(p.name for p in tmp_path.iterdir()) == ["g"], "nothing beside the dataset"


def test_a_link_leads_to_the_same_lock(tmp_path):
    counted(LocalStore(tmp_path / "data"))
    (tmp_path / "link").symlink_to(tmp_path / "data")
    others = [
        subprocess.Popen([sys.executable, "-c", ADD, str(tmp_path / name), "60"])
        for name in ("data", "link")
    ]
    assert [process.wait() for process in others] == [0, 0]
    assert n_of(LocalStore(tmp_path / "data")) == 120


@pytest.mark.parametrize("where", ["memory", "local", "s3"])
def test_threads_lose_nothing(tmp_path, request, where):
    if where == "s3":
        s3 = request.getfixturevalue("s3")
        store = open_store(f"s3://{s3.new_bucket()}/x", mode="a", **s3.options)
    else:
        store = MemoryStore() if where == "memory" else LocalStore(tmp_path)
    counted(store)
    errors = []

    def work():
        try:
            for _ in range(10):
                crud.update_attributes(store, "g", lambda stored: {"n": stored["n"] + 1})
        except anyzarr.AnyzarrError as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert errors == []
    assert n_of(store) == 40


class Rival(MemoryStore):
    """Someone else changes the object between our read and our write, so many times."""

    times = 0

    def _get(self, key, byte_range):
        data = super()._get(key, byte_range)
        if data is not None and self.times > 0:
            self.times -= 1
            super()._put(key, data.replace(b'"n": ', b'"n": 1'), None)
        return data


def test_a_lost_race_is_run_again():
    store = counted(Rival())
    store.times = 2
    seen = []

    def change(stored):
        seen.append(stored["n"])
        return {"n": stored["n"] + 1}

    crud.update_attributes(store, "g", change)
    assert seen == [0, 10, 110]
    store.times = 0
    assert n_of(store) == 111


def test_who_never_wins_is_told(monkeypatch):
    monkeypatch.setattr("anyzarr.crud._update._ATTEMPTS", 3)
    store = counted(Rival())
    store.times = 100
    with pytest.raises(ConflictError):
        crud.update_attributes(store, "g", lambda stored: stored)


def test_a_v2_group_gets_its_first_attributes():
    store = MemoryStore()
    crud.create_new_group(group_document(zarr_format=2), store, "g")
    store.delete("g/.zattrs")
    crud.update_attributes(store, "g", lambda stored: {**stored, "a": 1})
    assert crud.read_metadata(store, "g")["attributes"] == {"a": 1}
    assert store.get("g/.zgroup") is not None


def test_consolidated_copies_above_go():
    store = counted(MemoryStore())
    entry = crud.read_metadata(store, "g")
    root = {**group_document(), "consolidated_metadata": {"metadata": {"g": entry}}}
    crud.create_new_group(root, store)
    crud.update_attributes(store, "g", lambda stored: {"n": 5})
    assert "consolidated_metadata" not in crud.read_metadata(store)


def test_no_node_and_no_right(tmp_path):
    with pytest.raises(NodeNotFoundError):
        crud.update_attributes(MemoryStore(), "nothing", dict)
    store = counted(LocalStore(tmp_path))
    with pytest.raises(ReadOnlyError):
        crud.update_attributes(store.with_read_only(True), "g", dict)


def test_a_fork_holds_no_lock(tmp_path):
    """A child forked while a lock is held waits for it, and what it takes is its own."""
    store = counted(LocalStore(tmp_path))
    reading, writing = os.pipe()
    with exclusive(store, ["g/zarr.json"]):
        child = os.fork()
        if child == 0:
            crud.update_attributes(store, "g", lambda stored: {"n": stored["n"] * 10})
            os.write(writing, b"done")
            os._exit(0)
        store.put("g/zarr.json", store.get("g/zarr.json").replace(b'"n": 0', b'"n": 7'))
    assert os.read(reading, 4) == b"done"
    os.waitpid(child, 0)
    assert n_of(store) == 70


def test_the_lock_is_taken_again_by_its_holder(tmp_path):
    store = counted(LocalStore(tmp_path))
    with exclusive(store, ["g/zarr.json"]), exclusive(store, ["g/zarr.json"]):
        crud.update_attributes(store, "g", lambda stored: {"n": 3})
        process = subprocess.Popen([sys.executable, "-c", ADD, str(tmp_path), "1"])
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1.0)
    assert process.wait() == 0
    assert n_of(store) == 4


def test_the_file_of_the_locks(tmp_path):
    with config.set(lock_folder=str(tmp_path / "locks")):
        counted(LocalStore(tmp_path / "data"))
        crud.update_attributes(LocalStore(tmp_path / "data"), "g", dict)
    folder = tmp_path / "locks"
    assert [p.name for p in folder.iterdir()] == ["locks"]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_tidied_lock_file_is_made_again(tmp_path):
    with config.set(lock_folder=str(tmp_path / "locks")):
        store = counted(LocalStore(tmp_path / "data"))
        crud.update_attributes(store, "g", dict)
        Path(lock_folder(), "locks").unlink()
        crud.update_attributes(store, "g", dict)
        assert Path(lock_folder(), "locks").exists()


def test_a_foreign_lock_folder_is_refused(tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "locks").symlink_to(tmp_path / "other")
    store = counted(LocalStore(tmp_path / "data"), 3)
    with (
        config.set(lock_folder=str(tmp_path / "locks")),
        pytest.raises(StoreError, match="ANYZARR_LOCK_FOLDER") as caught,
    ):
        crud.update_attributes(store, "g", dict)
    assert caught.value.kind == "locks"


def test_attributes_of_two_handles(tmp_path):
    first = anyzarr.create_group(tmp_path / "g")
    second = anyzarr.open_group(tmp_path / "g", mode="r+")
    first.attrs["a"], second.attrs["b"] = 1, 2
    assert dict(first.refresh().attrs) == {"a": 1, "b": 2}


def test_many_nodes_are_new_or_refused():
    from anyzarr.crud._batch import create_new_nodes

    store = MemoryStore()
    document = group_document()
    create_new_nodes([("a/b", document), ("a", document)], store)
    assert [name for name, _ in crud.list_children(store, "a")] == ["b"]
    with pytest.raises(anyzarr.NodeExistsError) as caught:
        create_new_nodes([("c", document), ("a/b", document)], store)
    assert caught.value.path == "a/b"
    assert store.put("a/new", b"", precondition=ABSENT)


ADD_S3 = """
import json, sys
from anyzarr import crud
from anyzarr.stores import open_store
store = open_store(sys.argv[1], mode="r+", **json.loads(sys.argv[2]))
for i in range(8):
    crud.update_attributes(store, "g", lambda stored: {"n": stored["n"] + 1})
"""


def test_processes_on_an_object_store_lose_nothing(s3):
    """No lock keeps them apart: conditional puts do."""
    location = f"s3://{s3.new_bucket()}/data"
    store = counted(open_store(location, mode="a", **s3.options))
    assert store.capabilities.conditional_put
    command = [sys.executable, "-c", ADD_S3, location, json.dumps(s3.options)]
    others = [subprocess.Popen(command) for _ in range(3)]
    assert [process.wait() for process in others] == [0, 0, 0]
    assert n_of(store) == 24

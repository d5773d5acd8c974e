"""Opening folders: the short way gives what the long way gives."""

from __future__ import annotations

import os

import numpy as np
import pytest

import anyzarr
from anyzarr.errors import MetadataError, NodeNotFoundError, StoreError
from anyzarr.stores import LocalStore, open_store, register_backend
from anyzarr.stores._registry import factory_of

DATA = np.arange(12, dtype="u2").reshape(3, 4)


@pytest.fixture
def folder(tmp_path):
    location = tmp_path / "x.zarr"
    anyzarr.create_array(location / "a", data=DATA, chunks=(2, 2))
    anyzarr.create_group(location)
    return location


def spellings(path):
    return [path, str(path), f"{path}/", f"file://{path}", os.path.relpath(path), LocalStore(path)]


@pytest.mark.parametrize("mode", [None, "r", "r+"])
def test_every_spelling_gives_the_same_node(folder, mode):
    for location in spellings(folder):
        group = anyzarr.open(location, mode=mode)
        assert isinstance(group, anyzarr.Group)
        assert group["a"] == anyzarr.open(location, path="a", mode=mode)
        assert group["a"].metadata is anyzarr.open(folder / "a").metadata
        assert group.store.spec.root == str(folder)
    for location in spellings(folder)[:-1]:
        assert anyzarr.open(location, mode=mode).read_only == (mode == "r")


def test_a_changed_document_is_seen(folder):
    array = anyzarr.open_array(folder / "a")
    anyzarr.open_array(folder / "a").resize((5, 4))
    assert (array.shape, anyzarr.open_array(folder / "a").shape) == ((3, 4), (5, 4))
    array = anyzarr.create_array(folder / "b", data=DATA, zarr_format=2)
    array.attrs["k"] = 1
    assert anyzarr.open_array(folder / "b").attrs["k"] == 1
    array.attrs["k"] = 2
    assert anyzarr.open_array(folder / "b").attrs["k"] == 2


def test_the_format_asked_for_is_the_one_that_is_looked_for(folder):
    anyzarr.create_array(folder / "b", data=DATA, zarr_format=2)
    assert anyzarr.open(folder / "b", zarr_format=2).zarr_format == 2
    for name, wrong in (("a", 2), ("b", 3), ("a", 5)):
        with pytest.raises(NodeNotFoundError, match=f"v{wrong}"):
            anyzarr.open(folder / name, zarr_format=wrong)
    (folder / "c").mkdir()
    (folder / "c" / ".zattrs").write_text("{}")
    with pytest.raises(NodeNotFoundError):
        anyzarr.open(folder / "c")


@pytest.mark.parametrize("name", ["absent", "file", "n" * 300, "loop", "file/below"])
@pytest.mark.parametrize("as_type", [str, os.fspath, lambda path: path])
def test_what_is_wrong_is_said_as_by_open_store(tmp_path, name, as_type):
    (tmp_path / "file").write_bytes(b"no archive")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    location = as_type(tmp_path / name)
    with pytest.raises((StoreError, NodeNotFoundError)) as expected:
        open_store(location, mode="r+")
    with pytest.raises(type(expected.value)) as found:
        anyzarr.open(location)
    assert str(found.value) == str(expected.value)


def test_a_document_that_is_wrong_is_named(folder):
    (folder / "a" / "zarr.json").write_bytes(b"{")
    for location in spellings(folder / "a"):
        with pytest.raises(MetadataError) as error:
            anyzarr.open(location)
        assert (error.value.key, error.value.kind) == ("zarr.json", "metadata")


def test_a_setting_chooses_the_backend_of_a_folder_too(folder):
    made = []
    before = factory_of("local")

    def factory(root, *, read_only=False):
        made.append(root)
        return LocalStore(root, read_only=read_only)

    register_backend("local", factory)
    try:
        assert anyzarr.open(folder).path == ""
        assert made == [str(folder)]
    finally:
        register_backend("local", before)
    with anyzarr.config.set(backend="fsspec"):
        assert anyzarr.open(folder).backend == "fsspec"
    assert anyzarr.open(folder, backend="obstore").backend == "obstore"

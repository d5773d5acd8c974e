"""Archives as locations: opened whole, or made."""

from __future__ import annotations

import os
from typing import Final

from anyzarr._ozx import is_stray
from anyzarr._url import redact
from anyzarr.abc import Store
from anyzarr.errors import NodeNotFoundError, ReadOnlyError, StoreError
from anyzarr.stores._base_location import BaseSource, for_mode
from anyzarr.stores._zip import ZipStore
from anyzarr.stores._zip_write import StagedArchive

__all__ = ["create_archive", "nearest_node", "single_folder"]

_NODE_DOCUMENTS: Final = ("zarr.json", ".zgroup", ".zarray")
_ROOT_DOCUMENTS: Final = (*_NODE_DOCUMENTS, ".zattrs")


def create_archive(source: BaseSource, *, inner: str, named: bool) -> Store:
    """Return a store that becomes an archive, or refuse to change one.

    Parameters
    ----------
    source
        Where the archive is to be.
    inner
        Path in the archive, which there must be none of.
    named
        Whether the location says that it is an archive, rather than what lies there.
    """
    shown, mode = redact(source.location.base), source.mode
    place: str | tuple[Store, str] = source.location.base
    if source.local_path is not None:
        is_there = os.path.lexists(source.local_path)
    else:
        place = source.container(read_only=False)
        for_mode(place[0], mode)
        is_there = place[0].head(place[1]) is not None
    if is_there and (mode in ("r+", "a") or not named):
        raise ReadOnlyError(
            f"{shown!r} is a zip archive, which is written once and whole: to change it, unpack it "
            "to a folder (anyzarr convert ARCHIVE.ozx FOLDER.zarr), change that, and convert it "
            "back; or replace it with mode='w'",
            store=shown,
        )
    if mode == "r+":
        raise NodeNotFoundError(f"there is no archive at {shown!r}: check the path", store=shown)
    if inner or source.cached:
        what = f"the path {inner!r} in it" if inner else f"the options {source.cached}"
        raise StoreError(
            f"the archive {shown!r} is written from its root, so {what} cannot be taken: leave it "
            "out, and give the path of a node as path= or name=",
            store=shown,
        )
    return StagedArchive(place, overwrite=mode == "w")


def single_folder(archive: ZipStore) -> str:
    """Return the folder in which ``zip -r`` put everything, or ``""`` if the root is Zarr.

    Archives made with ``zip -r data.zip data.zarr`` hold one folder, and in it the hierarchy.
    """
    if archive.head("zarr.json") is not None:
        return ""  # known without the names of all that is there
    level = archive.list_level()
    folders = [prefix for prefix in level.prefixes if not is_stray(prefix.rstrip("/"))]
    if len(folders) != 1 or any(name in level.keys for name in _ROOT_DOCUMENTS):
        return ""
    (folder,) = folders
    inside = archive.list_level(folder).keys
    return folder if any(folder + name in inside for name in _ROOT_DOCUMENTS) else ""


def nearest_node(store: Store) -> str | None:
    """Return the path of the uppermost node in an archive that has none at its root.

    None where there is no node at all, and for every other store: listing it may be long.
    """
    if not isinstance(store, ZipStore):
        return None
    nodes = (key.rpartition("/") for key in store.directory.entries)
    paths = [path for path, _, name in nodes if path and name in _NODE_DOCUMENTS]
    return min(paths, key=lambda path: (path.count("/"), path), default=None)

"""Facts of the zip archive that a hierarchy lies in (RFC-9), by its directory and documents."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from anyzarr._ozx import is_sharded, is_stray, ome_version
from anyzarr.abc import Store
from anyzarr.stores import SubStore, ZipStore
from anyzarr.stores._zip_entries import STORED, Directory, Entry

__all__ = ["ArchiveFacts", "archive_facts", "archive_of"]

_TOGETHER = 256


@dataclass(frozen=True, slots=True)
class ArchiveFacts:
    """An archive as it is.

    Attributes
    ----------
    name
        Its name.
    has_root, is_v2
        Whether it holds ``zarr.json`` at its root, or there a document of Zarr v2.
    root_version
        The OME-Zarr version of the root's metadata, or None.
    comment_version, comment_is_json, comment_bytes, is_misplaced
        The version the comment says, or None; whether it is a JSON object; its length; whether
        it has ``jsonFirst`` in a wrong place.
    claims_json_first, is_json_first
        Whether the comment says ``jsonFirst``, and whether it is so.
    is_ordered
        Whether the root's ``zarr.json`` is the first entry, in the file and in the directory, and
        all others follow at once, breadth-first.
    is_zip64
        Whether it has the records of ZIP64.
    n_entries
        Entries, folders and duplicates included.
    documents
        The keys of ``zarr.json``, in the directory's order.
    duplicates, compressed, unreadable, strays
        Names: of entries that are there more than once; that are not stored as they are; that are
        encrypted, or compressed by a method nobody here knows; that belong to no hierarchy.
    n_arrays, unsharded
        How many Zarr v3 arrays there are, and the paths of those that are not sharded.
    """

    name: str
    has_root: bool
    is_v2: bool
    root_version: str | None
    comment_version: str | None
    comment_is_json: bool
    comment_bytes: int
    is_misplaced: bool
    claims_json_first: bool
    is_json_first: bool
    is_ordered: bool
    is_zip64: bool
    n_entries: int
    documents: tuple[str, ...]
    duplicates: tuple[str, ...]
    compressed: tuple[str, ...]
    unreadable: tuple[str, ...]
    strays: tuple[str, ...]
    n_arrays: int
    unsharded: tuple[str, ...]


def archive_of(store: Store) -> ZipStore | None:
    """Return the archive that a store shows, or shows a part of; None for every other store."""
    while isinstance(store, SubStore):
        store = store.store
    return store if isinstance(store, ZipStore) else None


def archive_facts(archive: ZipStore) -> ArchiveFacts:
    """Look at an archive: its whole directory is read, and all its ``zarr.json``."""
    directory = archive.directory
    documents = tuple(key for key in directory.entries if _is_document(key))
    parsed = _documents(archive, directory, documents)
    arrays = {
        key.rpartition("/")[0]: is_sharded(document)
        for key, document in parsed.items()
        if document.get("node_type") == "array"
    }
    comment = archive.comment
    entries = directory.entries.values()
    return ArchiveFacts(
        name=archive.spec.root.rstrip("/").rpartition("/")[2],
        has_root="zarr.json" in directory.entries,
        is_v2=not directory.entries.keys().isdisjoint({".zgroup", ".zarray"}),
        root_version=ome_version(parsed.get("zarr.json", {})),
        comment_version=comment.version,
        comment_is_json=comment.is_json,
        comment_bytes=len(directory.comment),
        is_misplaced=comment.is_misplaced,
        claims_json_first=comment.json_first,
        is_json_first=_is_json_first(list(directory.names)),
        is_ordered=_is_ordered(directory),
        is_zip64=directory.is_zip64,
        n_entries=directory.n_entries,
        documents=documents,
        duplicates=directory.duplicates,
        compressed=tuple(e.name for e in entries if e.method != STORED),
        unreadable=tuple(e.name for e in entries if not _is_readable(e)),
        strays=tuple(filter(is_stray, directory.entries)),
        n_arrays=len(arrays),
        unsharded=tuple(path for path, sharded in arrays.items() if not sharded),
    )


def _is_document(key: str) -> bool:
    return key.rpartition("/")[2] == "zarr.json"


def _is_readable(entry: Entry) -> bool:
    return not entry.is_encrypted and entry.method in (STORED, 8)


def _documents(
    archive: ZipStore, directory: Directory, keys: Sequence[str]
) -> dict[str, Mapping[str, Any]]:
    """Return the documents that can be read; what is wrong with the others is told elsewhere."""
    wanted = [key for key in keys if _is_readable(directory.entries[key])]
    found: dict[str, Mapping[str, Any]] = {}
    for first in range(0, len(wanted), _TOGETHER):
        batch = wanted[first : first + _TOGETHER]
        for key, text in zip(batch, archive.get_many([(k, None) for k in batch]), strict=True):
            try:
                document = json.loads(text or b"")
            except (ValueError, RecursionError):
                continue
            if isinstance(document, Mapping):
                found[key] = document
    return found


def _is_json_first(names: Sequence[str]) -> bool:
    """Whether no document follows the first entry that is none."""
    is_document = [_is_document(name) for name in names]
    return is_document == sorted(is_document, reverse=True)


def _is_ordered(directory: Directory) -> bool:
    entries = sorted(directory.entries.values(), key=lambda entry: entry.offset)
    for names in (list(directory.names), [entry.name for entry in entries]):
        documents = [name for name in names if _is_document(name)]
        depths = [name.count("/") for name in documents]
        if names[:1] != ["zarr.json"] or names[: len(documents)] != documents:
            return False
        if depths != sorted(depths):
            return False
    return True

"""Packing a Zarr hierarchy into one ``.ozx`` file (RFC-9, Zipped OME-Zarr)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anyzarr import _atomic, crud
from anyzarr._ozx._order import Contents, arrange
from anyzarr._ozx._zip64 import Zip64Writer
from anyzarr._progress import ProgressCallback, Tracker
from anyzarr.abc import ByteRange, ObjectInfo, Store
from anyzarr.errors import ConflictError, NodeNotFoundError, StoreError

__all__ = ["Packed", "pack", "require_root"]

_PART_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Packed:
    """What went into an archive.

    Attributes
    ----------
    path
        The archive.
    size_bytes
        Its size.
    n_entries, n_documents
        Entries in all, and metadata documents among them.
    warnings
        Recommendations of RFC-9 that the source does not allow to be met, and what was left
        out, one sentence each.
    """

    path: Path
    size_bytes: int
    n_entries: int
    n_documents: int
    warnings: tuple[str, ...]


def pack(
    store: Store,
    target: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    progress: ProgressCallback | None = None,
) -> Packed:
    """Pack all of a store into an archive that appears when it is complete.

    The same hierarchy always gives the same bytes. Memory holds 16 MiB of content at a time,
    and the names.

    Parameters
    ----------
    store
        Its root is the root of the hierarchy.
    target
        Path of the archive, by convention ending in ``.ozx``.
    overwrite
        Whether an existing file may be replaced.
    progress
        Told the bytes packed.

    Raises
    ------
    NodeNotFoundError
        The store has no node at its root.
    NodeExistsError
        The target exists and ``overwrite`` is False.
    ConflictError
        An object changed while it was being packed.
    StoreError
        The target cannot be written, or lies within the source.
    """
    path = Path(target)
    _atomic.require_free(path, overwrite=overwrite)
    if path.is_dir():
        raise StoreError(f"{os.fspath(path)!r} is a folder and cannot become a file; remove it")
    _require_outside(path, store)
    contents = arrange(store.list())
    require_root(store, contents)
    tracker = Tracker(progress)
    tracker.start(f"packing {path.name}", contents.total_bytes)
    survey = _Survey(contents)
    with _atomic.replacing(path, overwrite=overwrite) as staging, _atomic.new_file(staging) as file:
        writer = Zip64Writer(file)
        for item in contents.documents:
            text = _whole(store, item)
            survey.see(item.key, text)
            writer.add(item.key, [text])
            tracker.advance(len(text))
        for item in contents.data:
            writer.add(item.key, _parts(store, item, tracker))
        size = writer.finish(survey.comment())
    n_entries = len(contents.documents) + len(contents.data)
    return Packed(path, size, n_entries, len(contents.documents), survey.warnings(path))


def _require_outside(target: Path, store: Store) -> None:
    root = store.capabilities.local_root
    if root is not None and target.resolve().is_relative_to(Path(root).resolve()):
        raise StoreError(
            f"the archive {os.fspath(target)!r} would lie within the hierarchy it is made from; "
            "choose a place outside it",
            store=str(store.spec),
        )


def require_root(store: Store, contents: Contents) -> None:
    """Check that a store's root is a node.

    Raises
    ------
    NodeNotFoundError
        It is not; the message says where the nearest node is.
    MetadataError
        Its document is truncated or not JSON.
    """
    if contents.zarr_format is not None:
        crud.read_metadata(store)
        return
    sentence = f"there is no Zarr node at the root of {store.spec}"
    folders = sorted({item.key.rpartition("/")[0] for item in contents.documents})
    if folders:
        remedy = f"the nearest one is at {folders[0]!r}: give that location instead"
    else:
        remedy = "give the location of a Zarr group or array"
    raise NodeNotFoundError(f"{sentence}; {remedy}", store=str(store.spec), path="")


def _whole(store: Store, item: ObjectInfo) -> bytes:
    data = store.get(item.key)
    if data is None:
        raise _changed(store, item)
    return data


def _parts(store: Store, item: ObjectInfo, tracker: Tracker) -> Iterator[bytes]:
    """Yield an object in parts, and check that together they are what was listed."""
    for start in range(0, item.size, _PART_BYTES):
        stop = min(item.size, start + _PART_BYTES)
        whole = start == 0 and stop == item.size
        part = store.get(item.key, None if whole else ByteRange(start, stop))
        if part is None or len(part) != stop - start:
            raise _changed(store, item)
        tracker.advance(len(part))
        yield part


def _changed(store: Store, item: ObjectInfo) -> ConflictError:
    return ConflictError(
        f"{item.key!r} in {store.spec} changed while it was being packed; "
        "pack again when nothing writes to the source",
        store=str(store.spec),
        key=item.key,
    )


class _Survey:
    """Collects, from the documents that pass by, what the comment and the warnings say."""

    def __init__(self, contents: Contents) -> None:
        self._contents = contents
        self._version: str | None = None
        self._unsharded: list[str] = []
        self._n_arrays = 0

    def see(self, key: str, text: bytes) -> None:
        folder, _, name = key.rpartition("/")
        if name == ".zarray":
            self._count(folder, sharded=False)
        if name not in {"zarr.json", ".zattrs"} or (name == ".zattrs" and folder):
            return
        try:
            document = json.loads(text)
        except ValueError:
            return  # packed as it is; reading it is where it is reported
        if not isinstance(document, Mapping):
            return
        if not folder:
            self._version = _ome_version(document)
        if document.get("node_type") == "array":
            self._count(folder, sharded=_is_sharded(document))

    def _count(self, path: str, *, sharded: bool) -> None:
        self._n_arrays += 1
        if not sharded:
            self._unsharded.append(path)

    def comment(self) -> bytes:
        ome: dict[str, Any] = {} if self._version is None else {"version": self._version}
        if self._contents.zarr_format == 3:
            ome["zipFile"] = {"centralDirectory": {"jsonFirst": True}}
        return json.dumps({"ome": ome}).encode()

    def warnings(self, target: Path) -> tuple[str, ...]:
        found: list[str] = []
        if self._version is None:
            found.append("the root says no OME-Zarr version: RFC-9 is about OME-Zarr hierarchies")
        if self._contents.zarr_format == 2:
            found.append("the hierarchy is Zarr v2; RFC-9 is about v3, so few readers will open it")
        if self._unsharded:
            found.append(
                f"{len(self._unsharded)} of {self._n_arrays} arrays are not sharded "
                f"({_some(self._unsharded)}), which makes many small entries; RFC-9 recommends "
                "sharding"
            )
        if self._contents.strays:
            found.append(
                f"left out {len(self._contents.strays)} objects that belong to no hierarchy "
                f"({_some(self._contents.strays)})"
            )
        if target.suffix != ".ozx":
            found.append(
                f"RFC-9 recommends a name that ends in '.ozx', and this is {target.name!r}"
            )
        return tuple(found)


def _some(names: list[str] | tuple[str, ...]) -> str:
    listed = ", ".join(repr(name) for name in names[:3])
    return f"{listed}, …" if len(names) > 3 else listed


def _is_sharded(document: Mapping[str, Any]) -> bool:
    return any(
        isinstance(codec, Mapping) and codec.get("name") == "sharding_indexed"
        for codec in document.get("codecs", ())
    )


def _ome_version(document: Mapping[str, Any]) -> str | None:
    """Return the OME-Zarr version a root document states: 0.5's place, else 0.4's."""
    attributes = document.get("attributes", document)
    if not isinstance(attributes, Mapping):
        return None
    candidates: list[Any] = [attributes.get("ome"), attributes.get("plate")]
    multiscales = attributes.get("multiscales")
    if isinstance(multiscales, list):
        candidates += multiscales[:1]
    for candidate in candidates:
        if isinstance(candidate, Mapping) and isinstance(candidate.get("version"), str):
            return str(candidate["version"])
    return None

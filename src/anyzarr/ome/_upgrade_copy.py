"""Writing a hierarchy anew in another version: chunks copied as they are, or cut anew."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from anyzarr import crud
from anyzarr._nodes import Array
from anyzarr._parallel import concurrency, for_each
from anyzarr._progress import Tracker
from anyzarr._pyramid import fill
from anyzarr.abc import ObjectInfo, Store
from anyzarr.errors import ConflictError
from anyzarr.metadata import ArrayMetadata, parse_array
from anyzarr.ome._upgrade_arrays import CopyOptions, new_documents
from anyzarr.ome._upgrade_plan import UpgradePlan
from anyzarr.stores._keys import DOCUMENTS, is_document_key

__all__ = ["copy_upgraded", "new_key", "other_keys"]

_LEAST_WORKERS = 8  # waiting for a network costs no processor


def copy_upgraded(
    source: Store, target: Store, plan: UpgradePlan, options: CopyOptions, tracker: Tracker
) -> None:
    """Write a hierarchy as planned to an empty store, the root's document last.

    Raises
    ------
    MetadataError
        ``chunks`` or ``shards`` do not fit the images. Nothing was written.
    """
    new = new_documents(plan, options)
    for node in plan.arrays:
        before, after = parse_array(node.before or {}), parse_array(new[node.path])
        crud.create_new_array(after, target, node.path)
        tracker.start(f"copying {node.path}", None)
        if options.changes_chunks and node.axes:
            old = Array(before, source, node.path, options.engine)
            tracker.start(f"writing {node.path}", old.nbytes)
            made = Array(after, target, node.path, options.engine)
            fill(made, old.__getitem__, tracker=tracker)
        else:
            _copy_chunks(source, target, node.path, before, after, tracker)
    for node in reversed(plan.groups):
        _copyother_keys(source, target, node.path, plan)
        crud.create_new_group(node.after, target, node.path)


def _copy_chunks(
    source: Store,
    target: Store,
    path: str,
    before: ArrayMetadata,
    after: ArrayMetadata,
    tracker: Tracker,
) -> None:
    """Copy the chunks of an array, byte for byte, to where the new document looks for them."""
    prefix = f"{path}/"

    def one(info: ObjectInfo) -> None:
        key = new_key(info.key, prefix, path, before, after)
        if key is not None:
            _copy(source, target, info.key, key, tracker)

    for_each(one, source.list(prefix), limit=max(_LEAST_WORKERS, concurrency()))


def new_key(
    key: str, prefix: str, path: str, before: ArrayMetadata, after: ArrayMetadata
) -> str | None:
    """Return the key of the same chunk at the target; None: the object is no chunk."""
    rest = key[len(prefix) :]
    if rest in DOCUMENTS:
        return None
    if before.key_encoding == after.key_encoding:
        return key
    coords = before.key_encoding.coords(rest, before.ndim)
    return None if coords is None else after.chunk_key(path, coords)


def _copyother_keys(source: Store, target: Store, path: str, plan: UpgradePlan) -> None:
    """Copy what lies in a group and is no node: OME-XML, tables, notes."""
    if not source.capabilities.listable:
        return
    for key in other_keys(source, path, {node.path for node in plan.nodes}):
        _copy(source, target, key, key)


def other_keys(source: Store, path: str, nodes: set[str]) -> Iterator[str]:
    level = source.list_level(f"{path}/" if path else "")
    for key in level.keys:
        if not is_document_key(key):
            yield key
    folders = [prefix for prefix in level.prefixes if prefix.rstrip("/") not in nodes]
    inside = itertools.chain.from_iterable(source.list(prefix) for prefix in folders)
    yield from (info.key for info in inside)


def _copy(source: Store, target: Store, key: str, new: str, tracker: Tracker | None = None) -> None:
    value = source.get(key)
    if value is None:
        raise ConflictError(
            f"{key!r} was removed from {source.spec} while it was being copied; copy again when "
            "nothing writes to the source",
            store=str(source.spec),
            key=key,
        )
    target.put(new, value)
    if tracker is not None:
        tracker.advance(len(value))

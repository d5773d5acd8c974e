"""Copying a hierarchy between stores, byte for byte."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from anyzarr import _parallel
from anyzarr._ozx import Contents
from anyzarr._progress import Tracker
from anyzarr.abc import ObjectInfo, Store
from anyzarr.errors import ConflictError
from anyzarr.stores import validate_key

__all__ = ["copy_contents"]

_MEMORY_BYTES = 1 << 29
_LEAST_WORKERS = 8  # waiting for a network costs no processor


def copy_contents(
    source: Store, contents: Contents, target: Store, tracker: Tracker | None = None
) -> None:
    """Copy objects, the root's metadata last, so that nothing half-copied can be opened.

    Parameters
    ----------
    source, contents
        What to copy; strays are left out.
    target
        Where to, under the same keys.
    tracker
        Told the bytes copied.

    Raises
    ------
    ConflictError
        An object was removed while the copy ran.
    StoreError
        A key leaves its store (``..``) or cannot be a name.
    """
    items = [*contents.data, *contents.documents]
    for item in items:
        validate_key(item.key)
    if not items:
        return

    def one(item: ObjectInfo) -> None:
        value = source.get(item.key)
        if value is None:
            raise ConflictError(
                f"{item.key!r} was removed from {source.spec} while it was being copied; copy "
                "again when nothing writes to the source",
                store=str(source.spec),
                key=item.key,
            )
        target.put(item.key, value)
        if tracker is not None:
            tracker.advance(len(value))

    inner = [item for item in contents.documents if "/" in item.key]
    for batch in _batches([*contents.data, *inner]):
        largest = max(item.size for item in batch)
        width = max(1, _MEMORY_BYTES // max(1, largest))
        limit = min(width, max(_LEAST_WORKERS, _parallel.concurrency()))
        _parallel.for_each(one, batch, limit=limit)
    for item in reversed(contents.documents):
        if "/" not in item.key:
            one(item)


def _batches(items: Sequence[ObjectInfo]) -> list[list[ObjectInfo]]:
    """Part items by size (to the power of 16), so that small ones do not wait for large ones."""
    by_size = sorted(items, key=lambda item: item.size.bit_length() // 4)
    return [
        list(group)
        for _, group in itertools.groupby(by_size, key=lambda item: item.size.bit_length() // 4)
    ]

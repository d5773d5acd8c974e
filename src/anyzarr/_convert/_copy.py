"""Copying a hierarchy between stores, byte for byte."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from anyzarr import _parallel
from anyzarr._atomic import STAGED
from anyzarr._ozx import Contents
from anyzarr._progress import Tracker
from anyzarr._streams import get_stream, put_stream
from anyzarr.abc import ObjectInfo, Store
from anyzarr.errors import ConflictError
from anyzarr.stores import LocalStore, validate_key

__all__ = ["copy_contents"]

_LARGE_BYTES = 4 << 20
"""What is larger is copied in parts, so that no more than a few MiB of it are held."""

_BATCH_BYTES = 4 << 20
_BATCH_OBJECTS = 64
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
        An object changed, or was removed, while the copy ran.
    CorruptDataError
        The source has a checksum of an object, and it is wrong.
    StoreError
        A key leaves its store (``..``) or cannot be a name.
    """
    inner = [item for item in contents.documents if "/" in item.key]
    roots = [item for item in reversed(contents.documents) if "/" not in item.key]
    for item in (*contents.data, *contents.documents):
        validate_key(item.key)
    copying = _Copying(source, target, tracker)
    _parallel.for_each(copying.copy, _batches([*contents.data, *inner]), limit=copying.width)
    copying.copy(roots)


class _Copying:
    """A copy from one store to another."""

    def __init__(self, source: Store, target: Store, tracker: Tracker | None) -> None:
        self._source = source
        self._target = target
        self._tracker = tracker
        self._put = _putter(target)

    @property
    def width(self) -> int | None:
        """How many threads to use: more than processors only where there is something to await."""
        stores = (self._source, self._target)
        if all(store.capabilities.local_root is not None for store in stores):
            return None
        return max(_LEAST_WORKERS, _parallel.concurrency())

    def copy(self, batch: Sequence[ObjectInfo]) -> None:
        for item in batch:
            if item.size > _LARGE_BYTES:
                self._put(item, self._parts(item))
                continue
            value = self._source.get(item.key)
            if value is None or len(value) != item.size:
                raise self._changed(item)
            self._put(item, (value,))
            self._advance(item.size)

    def _parts(self, item: ObjectInfo) -> Iterator[bytes]:
        done = 0
        for part in get_stream(self._source, item.key) or ():
            done += len(part)
            yield part
            self._advance(len(part))
        if done != item.size:
            raise self._changed(item)

    def _advance(self, n_bytes: int) -> None:
        if self._tracker is not None:
            self._tracker.advance(n_bytes)

    def _changed(self, item: ObjectInfo) -> ConflictError:
        return ConflictError(
            f"{item.key!r} in {self._source.spec} changed while it was being copied; copy again "
            "when nothing writes to the source",
            store=str(self._source.spec),
            key=item.key,
        )


def _putter(target: Store) -> Callable[[ObjectInfo, Iterator[bytes] | tuple[bytes]], None]:
    """Return what puts an object into a store."""
    if isinstance(target, LocalStore) and STAGED.fullmatch(target.root.rpartition("/")[2]):
        return lambda item, parts: target.put_new(item.key, parts)

    def put(item: ObjectInfo, parts: Iterator[bytes] | tuple[bytes]) -> None:
        if isinstance(parts, tuple):
            target.put(item.key, *parts)
        else:
            put_stream(target, item.key, parts, item.size)

    return put


def _batches(items: Sequence[ObjectInfo]) -> Iterator[Sequence[ObjectInfo]]:
    """Part items into neighbours that are small together, so that threads seldom meet."""
    first = size = 0
    for index, item in enumerate(items):
        if index > first and (size + item.size > _BATCH_BYTES or index - first == _BATCH_OBJECTS):
            yield items[first:index]
            first, size = index, 0
        size += item.size
    if items:
        yield items[first:]

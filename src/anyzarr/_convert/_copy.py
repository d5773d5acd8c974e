"""Copying a hierarchy between stores, byte for byte."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TypeAlias, TypeGuard

from anyzarr import _parallel
from anyzarr._atomic import STAGED
from anyzarr._ozx import Contents
from anyzarr._progress import Tracker
from anyzarr._streams import get_stream, put_stream
from anyzarr.abc import ObjectInfo, Store
from anyzarr.errors import ConflictError
from anyzarr.stores import LocalStore, validate_key

__all__ = ["LARGE_BYTES", "Pair", "copy_contents", "copy_objects", "pairs_of"]

LARGE_BYTES = 4 << 20
"""What is larger is copied in parts, so that no more than a few MiB of it are held."""

_BATCH_BYTES = 4 << 20
_BATCH_OBJECTS = 64
_LEAST_WORKERS = 8  # waiting for a network costs no processor


Pair: TypeAlias = tuple[ObjectInfo, str]
"""An object of the source, and its key at the target."""


def copy_contents(
    source: Store,
    contents: Contents,
    target: Store,
    tracker: Tracker | None = None,
    *,
    done: Collection[int] = (),
    on_batch: Callable[[int], None] | None = None,
) -> None:
    """Copy objects, the root's metadata last, so that nothing half-copied can be opened.

    Parameters
    ----------
    source, contents
        What to copy; strays are left out.
    target
        Where to, under the same keys.
    tracker, done, on_batch
        As for :func:`copy_objects`, for all but the root's metadata.

    Raises
    ------
    ConflictError
        An object changed, or was removed, while the copy ran.
    CorruptDataError
        The source has a checksum of an object, and it is wrong.
    StoreError
        A key leaves its store (``..``) or cannot be a name.
    """
    roots = [item for item in reversed(contents.documents) if "/" not in item.key]
    for item in roots:
        validate_key(item.key)
    inner = pairs_of(contents)
    copy_objects(source, inner, target, tracker, done=done, on_batch=on_batch)
    copy_objects(source, [(item, item.key) for item in roots], target, tracker, batched=False)


def pairs_of(contents: Contents) -> list[Pair]:
    """Return all objects but the root's metadata."""
    inner = [item for item in contents.documents if "/" in item.key]
    return [(item, item.key) for item in (*contents.data, *inner)]


def copy_objects(
    source: Store,
    pairs: Sequence[Pair],
    target: Store,
    tracker: Tracker | None = None,
    *,
    done: Collection[int] = (),
    on_batch: Callable[[int], None] | None = None,
    batched: bool = True,
) -> None:
    """Copy objects to other keys, as bytes, on several threads.

    Parameters
    ----------
    source, pairs, target
        What to copy, and where to.
    tracker
        Told the bytes copied.
    done
        Numbers of the batches that an interrupted copy of the same pairs has done.
    on_batch
        Called with the number of each batch that is stored, from several threads.
    batched
        Whether the order does not matter. Otherwise they are put one after the other.

    Raises
    ------
    ConflictError
        An object changed, or was removed, while the copy ran.
    """
    for _, key in pairs:
        validate_key(key)
    copying = _Copying(source, target, tracker, is_new=not done)
    if not batched:
        copying.copy(pairs)
        return

    def one(numbered: tuple[int, Sequence[Pair]]) -> None:
        number, batch = numbered
        if number in done:
            copying.advance(sum(item.size for item, _ in batch))
            return
        copying.copy(batch)
        if on_batch is not None:
            on_batch(number)

    _parallel.for_each(one, enumerate(_batches(pairs)), limit=copying.width)


class _Copying:
    """A copy from one store to another."""

    def __init__(
        self, source: Store, target: Store, tracker: Tracker | None, *, is_new: bool
    ) -> None:
        self._source = source
        self._target = target
        self._tracker = tracker
        self._put = _putter(target, is_new=is_new)
        self._folders: set[str] = set()
        self._copies_files = is_new and isinstance(source, LocalStore) and _is_staged(target)

    @property
    def width(self) -> int | None:
        """How many threads to use: more than processors only where there is something to await."""
        stores = (self._source, self._target)
        if all(store.capabilities.local_root is not None for store in stores):
            return None
        return max(_LEAST_WORKERS, _parallel.concurrency())

    def copy(self, batch: Sequence[Pair]) -> None:
        for item, key in batch:
            if self._copies_files:
                self._copy_file(item, key)
                continue
            if item.size > LARGE_BYTES:
                self._put(item, key, self._parts(item))
                continue
            value = self._source.get(item.key)
            if value is None or len(value) != item.size:
                raise self._changed(item)
            self._put(item, key, (value,))
            self.advance(item.size)

    def _copy_file(self, item: ObjectInfo, key: str) -> None:
        source, target = self._source, self._target
        assert isinstance(source, LocalStore)
        assert isinstance(target, LocalStore)
        if not target.put_copy(key, source, item, self.advance, self._folders):
            raise self._changed(item)

    def _parts(self, item: ObjectInfo) -> Iterator[bytes]:
        done = 0
        for part in get_stream(self._source, item.key) or ():
            done += len(part)
            yield part
            self.advance(len(part))
        if done != item.size:
            raise self._changed(item)

    def advance(self, n_bytes: int) -> None:
        """Say that so much is done."""
        if self._tracker is not None:
            self._tracker.advance(n_bytes)

    def _changed(self, item: ObjectInfo) -> ConflictError:
        return ConflictError(
            f"{item.key!r} in {self._source.spec} changed while it was being copied; copy again "
            "when nothing writes to the source",
            store=str(self._source.spec),
            key=item.key,
        )


_Put: TypeAlias = Callable[[ObjectInfo, str, "Iterator[bytes] | tuple[bytes]"], None]


def _putter(target: Store, *, is_new: bool) -> _Put:
    """Return what puts an object into a store; ``is_new``: none of them can be there."""
    if is_new and _is_staged(target):
        put_new = target.put_new
        return lambda item, key, parts: put_new(key, parts)

    def put(item: ObjectInfo, key: str, parts: Iterator[bytes] | tuple[bytes]) -> None:
        if isinstance(parts, tuple):
            target.put(key, *parts)
        else:
            put_stream(target, key, parts, item.size)

    return put


def _is_staged(target: Store) -> TypeGuard[LocalStore]:
    """Return whether a target is a folder that nobody looks at before it is complete."""
    if not isinstance(target, LocalStore):
        return False
    return STAGED.fullmatch(target.root.rpartition("/")[2]) is not None


def _batches(pairs: Sequence[Pair]) -> Iterator[Sequence[Pair]]:
    """Part items into neighbours that are small together, so that threads seldom meet."""
    first = size = 0
    for index, (item, _) in enumerate(pairs):
        if index > first and (size + item.size > _BATCH_BYTES or index - first == _BATCH_OBJECTS):
            yield pairs[first:index]
            first, size = index, 0
        size += item.size
    if pairs:
        yield pairs[first:]

"""Partial writes that lose no one's update: locks between processes, conditions between hosts.

A partial write reads a chunk, changes it and replaces it. Between the two another writer may have
replaced it as well. Threads of this process wait for each other (:mod:`anyzarr.crud._locks`),
and processes on one host at a local folder (:mod:`anyzarr.crud._process_locks`). On a store
with conditional puts the chunk is replaced only if it is still the one that was read; otherwise
the write starts again from what is there now.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal

from anyzarr import config
from anyzarr.abc import (
    ABSENT,
    ByteRange,
    Capabilities,
    Engine,
    Level,
    ObjectInfo,
    Precondition,
    Request,
    Store,
    StoreSpec,
)
from anyzarr.engines import choose
from anyzarr.errors import ConflictError
from anyzarr.indexing import Selection, partial_cells
from anyzarr.metadata import ArrayMetadata
from anyzarr.stores import BaseStore

__all__ = ["Guarantee", "partial_keys", "retrying", "write_guarantee"]

Guarantee = Literal["every writer", "this host", "this process"]

_ATTEMPTS = 200
_FIRST_PAUSE_SECONDS = 0.002
_LONGEST_PAUSE_SECONDS = 0.5


def write_guarantee(store: Store) -> Guarantee:
    """Return among whom partial writes to one chunk of a store lose no update.

    Parameters
    ----------
    store
        Where the chunks are.

    Returns
    -------
    str
        ``"every writer"`` that uses conditional puts, on any host (S3, GCS, Azure);
        ``"this host"``: threads and processes of one user on it (a local folder);
        ``"this process"``: its threads (everything else).
    """
    if store.capabilities.local_root is not None:
        return "this host"
    return "every writer" if is_conditional(store) else "this process"


def is_conditional(store: Store) -> bool:
    """Whether chunks are replaced on a condition: memory is of this process, and has locks."""
    capabilities = store.capabilities
    return (
        capabilities.conditional_put
        and capabilities.local_root is None
        and not capabilities.in_process
    )


def partial_keys(meta: ArrayMetadata, path: str, selection: Selection) -> Iterator[str]:
    """Return the keys of the chunks that a selection covers in part."""
    return (meta.chunk_key(path, cell) for cell in partial_cells(selection, meta.grid))


def retrying(
    meta: ArrayMetadata,
    store: Store,
    path: str,
    engine: str | Engine | None,
    write: Callable[[Any], None],
) -> None:
    """Call ``write`` with I/O that replaces only what it has read, until no one was in between.

    Raises
    ------
    ConflictError
        Other writers were faster again and again.
    """
    pause = _FIRST_PAUSE_SECONDS
    for attempt in range(_ATTEMPTS):
        guarded = _Guarded(store)
        io = choose(meta, guarded, engine).open(meta, guarded, path)
        try:
            # A chunk that is all fill value is kept: removing one takes no condition.
            with config.scope(write_empty_chunks=True):
                write(io)
            return
        except ConflictError:
            if attempt == _ATTEMPTS - 1:
                raise
        time.sleep(random.uniform(0, pause))
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


class _Guarded(BaseStore):
    """A store that replaces an object only if it is the one that was read through it."""

    def __init__(self, store: Store) -> None:
        super().__init__(StoreSpec("guarded", store.spec.root, {"store": store.spec}))
        self._store = store
        self._seen: dict[str, ObjectInfo | None] = {}

    @property
    def capabilities(self) -> Capabilities:
        return replace(self._store.capabilities, local_root=None, native_async=False)

    def _get(self, key: str, byte_range: ByteRange | None) -> bytes | None:
        return self._get_many([(key, byte_range)])[0]

    def _get_many(self, requests: Sequence[Request]) -> list[bytes | None]:
        results: list[bytes | None] = []
        for (key, _), found in zip(requests, self._versions(requests), strict=True):
            self._see(key, None if found is None else found[1])
            results.append(None if found is None else found[0])
        return results

    def _versions(self, requests: Sequence[Request]) -> list[tuple[bytes, ObjectInfo] | None]:
        if isinstance(self._store, BaseStore):
            return self._store.get_many_with_info(requests)
        keys = {key for key, _ in requests}
        infos = {key: self._store.head(key) for key in keys}
        found = self._store.get_many(requests)
        pairs = zip((infos[key] for key, _ in requests), found, strict=True)
        return [None if d is None or info is None else (d, info) for info, d in pairs]

    def _see(self, key: str, info: ObjectInfo | None) -> None:
        before = self._seen.setdefault(key, info)
        if (before and before.etag) != (info and info.etag):
            raise self._conflict(key, ABSENT if before is None else str(before.etag))

    def _put(
        self, key: str, value: bytes | memoryview, precondition: Precondition | None
    ) -> str | None:
        info = self._seen.get(key)
        if key not in self._seen:
            condition = precondition
        elif info is None:
            condition = ABSENT
        else:
            condition = info.etag
        return self._store.put(key, value, precondition=condition)

    def _delete(self, key: str) -> None:
        self._store.delete(key)

    def _head(self, key: str) -> ObjectInfo | None:
        info = self._store.head(key)
        self._see(key, info)
        return info

    def _list(self, prefix: str) -> Iterator[ObjectInfo]:
        return self._store.list(prefix)

    def _list_level(self, prefix: str) -> Level:
        return self._store.list_level(prefix)

"""A store that keeps changes to itself, so that they can be made later, and all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from anyzarr.abc import (
    ByteRange,
    Capabilities,
    Level,
    ObjectInfo,
    Precondition,
    Request,
    Store,
    StoreSpec,
)
from anyzarr.errors import UnsupportedError
from anyzarr.stores import BaseStore
from anyzarr.stores._base import Results, level_of

__all__ = ["Phase", "RecordedStore", "begin_phase"]

Phase = dict[str, bytes | None]
"""Objects by key, None for those that go: changes that may be made in any order."""


class RecordedStore(BaseStore):
    """A view of a store in which changes have been made that the store does not know of.

    Parameters
    ----------
    store
        The store, which is only read.
    phases
        Changes to begin with.

    Attributes
    ----------
    phases
        All changes, in the order in which they are to be made.

    Examples
    --------
    >>> from anyzarr.stores import MemoryStore
    >>> from anyzarr.vectors._recorded import RecordedStore
    >>> store = MemoryStore({"a": b"one", "b": b"two"})
    >>> view = RecordedStore(store)
    >>> _ = view.put("a", b"new")
    >>> view.begin_phase()
    >>> view.delete("b")
    >>> view.get("a"), view.get("b"), store.get("a"), view.phases
    (b'new', None, b'one', [{'a': b'new'}, {'b': None}])
    """

    def __init__(self, store: Store, phases: Sequence[Phase] = ()) -> None:
        super().__init__(StoreSpec("recorded", store.spec.root, {"store": store.spec}))
        self._store = store
        self.phases: list[Phase] = [*phases, {}]
        self._known: Phase = {key: value for phase in phases for key, value in phase.items()}

    @property
    def capabilities(self) -> Capabilities:
        """Those of a store of this process alone."""
        inner = self._store.capabilities
        return replace(
            inner, conditional_put=False, native_async=False, local_root=None, in_process=True
        )

    def begin_phase(self) -> None:
        """Let what follows be made after everything before."""
        if self.phases[-1]:
            self.phases.append({})

    def _get(self, key: str, byte_range: ByteRange | None) -> bytes | None:
        return self._get_many([(key, byte_range)])[0]

    def _get_many(self, requests: Sequence[Request]) -> Results:
        others = [request for request in requests if request[0] not in self._known]
        found = iter(self._store.get_many(others))
        return [
            _part(self._known[key], byte_range) if key in self._known else next(found)
            for key, byte_range in requests
        ]

    def _put(
        self, key: str, value: bytes | memoryview, precondition: Precondition | None
    ) -> str | None:
        if precondition is not None:
            raise self._error("nothing is put on a condition here", key, cls=UnsupportedError)
        self._set(key, bytes(value))
        return None

    def _delete(self, key: str) -> None:
        self._set(key, None)

    def _set(self, key: str, value: bytes | None) -> None:
        self.phases[-1][key] = self._known[key] = value

    def _head(self, key: str) -> ObjectInfo | None:
        if key not in self._known:
            return self._store.head(key)
        value = self._known[key]
        return None if value is None else ObjectInfo(key, len(value), None)

    def _list(self, prefix: str) -> Iterator[ObjectInfo]:
        yield from (info for info in self._store.list(prefix) if info.key not in self._known)
        for key, value in self._known.items():
            if value is not None and key.startswith(prefix):
                yield ObjectInfo(key, len(value), None)

    def _list_level(self, prefix: str) -> Level:
        inner = self._store.list_level(prefix)
        own = level_of((k for k, v in self._known.items() if v and k.startswith(prefix)), prefix)
        kept = {key for key in inner.keys if self._known.get(key, b"") is not None}
        return Level(
            tuple(sorted(kept | {*own.keys})), tuple(sorted({*inner.prefixes, *own.prefixes}))
        )


def begin_phase(store: Store) -> None:
    """Let what follows be made after everything before; stores that record nothing do so anyway."""
    if isinstance(store, RecordedStore):
        store.begin_phase()


def _part(value: bytes | None, byte_range: ByteRange | None) -> bytes | None:
    if value is None or byte_range is None:
        return value
    start, stop = byte_range.resolve(len(value))
    return value[start:stop]

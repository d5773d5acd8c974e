"""Bytes in a dict: named stores of this process, and dicts a user hands over."""

from __future__ import annotations

import os
import threading
import uuid
import weakref
from collections.abc import Iterator, MutableMapping, Sequence
from typing import Any
from urllib.parse import unquote

from anyzarr.abc import (
    ABSENT,
    ByteRange,
    Capabilities,
    Level,
    ObjectInfo,
    Precondition,
    Request,
    StoreSpec,
)
from anyzarr.errors import StoreError
from anyzarr.stores._base import BaseStore, Results, level_of
from anyzarr.stores._keys import as_prefix

__all__ = ["Holding", "MemoryStore", "is_known_memory"]

_PREFIX = "memory://"


class Holding:
    """One dict with the lock and the versions that all stores over it share.

    Parameters
    ----------
    data
        Values by key. Held live: what others put there is seen, and they see what we put.
    name
        Under which the process finds it again.
    """

    def __init__(self, data: MutableMapping[str, Any], name: str) -> None:
        self.data = data
        self.name = name
        self.lock = threading.RLock()
        # The value object a version was given for: another object means another version.
        self._versions: dict[str, tuple[Any, int]] = {}
        self._counter = 0

    def pack(self, value: bytes) -> Any:
        """Return the value as this dict holds values."""
        return value

    def unpack(self, value: Any) -> bytes | memoryview:
        """Return a value of this dict as bytes, without a copy where that is possible."""
        if isinstance(value, bytes):
            return value
        view = memoryview(value)
        return view.cast("B") if view.nbytes and view.c_contiguous else view.tobytes()

    def etag(self, key: str, value: Any) -> str:
        """Return a token that changes when another object is put at the key."""
        with self.lock:
            held = self._versions.get(key)
            if held is None or held[0] is not value:
                self._counter += 1
                held = self._versions[key] = (value, self._counter)
            return str(held[1])

    def forget(self, key: str) -> None:
        """Drop what is held for a key that is gone."""
        self._versions.pop(key, None)


_lock = threading.RLock()
_named: dict[str, Holding] = {}
_anonymous: weakref.WeakValueDictionary[str, Holding] = weakref.WeakValueDictionary()
_by_identity: weakref.WeakValueDictionary[int, Holding] = weakref.WeakValueDictionary()


def _after_fork() -> None:
    global _lock
    _lock = threading.RLock()
    for holding in (*_named.values(), *_anonymous.values()):
        holding.lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def is_known_memory(name: str) -> bool:
    """Return whether a memory store of this name exists in this process."""
    with _lock:
        return name in _named or name in _anonymous


def _holding_named(name: str) -> Holding:
    with _lock:
        holding = _anonymous.get(name)
        return holding or _named.setdefault(name, Holding({}, name))


def holding_of(data: MutableMapping[str, Any], kind: type[Holding] = Holding) -> Holding:
    """Return what belongs to a dict, the same for every store over that dict."""
    with _lock:
        holding = _by_identity.get(id(data))
        if holding is None:
            holding = kind(data, f"anonymous-{uuid.uuid4().hex}")
            _by_identity[id(data)] = _anonymous[holding.name] = holding
        return holding


class MemoryStore(BaseStore):
    """A store in this process's memory.

    Parameters
    ----------
    source
        A name: every store of that name in this process holds the same objects, and they stay
        until they are deleted. A dict (any mutable mapping): it is used live, and its values
        are bytes-like. None: a new store that goes with its last reference.
    read_only
        Whether to refuse to write.

    Notes
    -----
    A pickled memory store is its name. In another process, where the name is unknown,
    unpickling raises :class:`~anyzarr.errors.StoreError` rather than giving an empty store.
    A forked child sees the objects as they were at the fork; what it writes stays in it.

    Conditional puts are exact among all stores over one dict. An ETag tells value objects
    apart, so a ``bytearray`` that someone else changes in place keeps its ETag.

    Examples
    --------
    >>> from anyzarr.stores import MemoryStore
    >>> data = {"a/0": b"zero"}
    >>> store = MemoryStore(data)
    >>> _ = store.put("a/1", b"one")
    >>> sorted(data)
    ['a/0', 'a/1']
    """

    def __init__(
        self,
        source: str | MutableMapping[str, Any] | Holding | None = None,
        *,
        read_only: bool = False,
    ) -> None:
        if isinstance(source, Holding):
            self._holding = source
        elif isinstance(source, str):
            self._holding = _holding_named(_check_name(source))
        else:
            self._holding = holding_of({} if source is None else source)
        root = f"{_PREFIX}{self._holding.name}"
        super().__init__(StoreSpec("memory", root, read_only=read_only))

    @property
    def data(self) -> MutableMapping[str, Any]:
        """The dict that holds the objects."""
        return self._holding.data

    @property
    def capabilities(self) -> Capabilities:
        """What the store can do."""
        return Capabilities(
            writable=not self._spec.read_only, conditional_put=True, in_process=True
        )

    def _unpack(self, key: str, value: Any) -> bytes | memoryview:
        try:
            return self._holding.unpack(value)
        except TypeError as error:
            raise self._error(
                f"{key!r} in {self._label} is of type {type(value).__name__}, and a store's "
                "values are bytes: give bytes, a bytearray or a memoryview",
                key,
            ) from error

    def _get(self, key: str, byte_range: ByteRange | None) -> bytes | None:
        return self._part(key, self._holding.data.get(key), byte_range)

    def _get_many(self, requests: Sequence[Request]) -> Results:
        data, part = self._holding.data, self._part
        return [part(key, data.get(key), byte_range) for key, byte_range in requests]

    def _part(self, key: str, value: Any, byte_range: ByteRange | None) -> bytes | None:
        """Return a part of a value: whole ``bytes`` as they are, else one copy of the part."""
        if value is None or (byte_range is None and type(value) is bytes):
            return value
        plain = self._unpack(key, value)
        if byte_range is None:
            return bytes(plain)
        start, stop = byte_range.resolve(len(plain))
        return bytes(plain[start:stop])

    def _put(
        self, key: str, value: bytes | memoryview, precondition: Precondition | None
    ) -> str | None:
        holding = self._holding
        packed = holding.pack(bytes(value))
        with holding.lock:
            self._check(key, precondition)
            holding.data[key] = packed
            return holding.etag(key, packed)

    def _check(self, key: str, precondition: Precondition | None) -> None:
        if precondition is None:
            return
        value = self._holding.data.get(key)
        held = ABSENT if value is None else self._holding.etag(key, value)
        if held != precondition:
            raise self._conflict(key, precondition)

    def _delete(self, key: str) -> None:
        with self._holding.lock:
            self._holding.data.pop(key, None)
            self._holding.forget(key)

    def _head(self, key: str) -> ObjectInfo | None:
        value = self._holding.data.get(key)
        if value is None:
            return None
        return ObjectInfo(key, len(self._unpack(key, value)), self._holding.etag(key, value))

    def _keys(self, prefix: str) -> tuple[str, ...]:
        with self._holding.lock:
            keys: tuple[object, ...] = tuple(self._holding.data)
        return tuple(k for k in keys if isinstance(k, str) and k.startswith(prefix))

    def _list(self, prefix: str) -> Iterator[ObjectInfo]:
        for key in self._keys(prefix):
            info = self._head(key)
            if info is not None:
                yield info

    def _list_level(self, prefix: str) -> Level:
        return level_of(self._keys(prefix), prefix)


def _check_name(name: str) -> str:
    if not name or "/" in name or "|" in name:
        raise StoreError(
            f"{name!r} is not the name of a memory store: a name is not empty and holds no '/' "
            "or '|'; write memory://name",
            store=f"{_PREFIX}{name}",
        )
    return name


def open_memory(root: str, *, read_only: bool = False) -> BaseStore:
    """Open ``memory://name/prefix``: the factory of the ``memory`` backend."""
    name, _, prefix = root.removeprefix(_PREFIX).partition("/")
    if name.startswith("anonymous-") and not is_known_memory(name):
        raise _unknown(name)
    store = MemoryStore(name or None, read_only=read_only)
    prefix = unquote(prefix, errors="surrogateescape")
    return store.at_prefix(as_prefix(prefix)) if prefix.strip("/") else store


def rebuild_memory(root: str, *, read_only: bool = False) -> BaseStore:
    """Return the store of a pickled spec; a name unknown here is an error, not a new store."""
    name = root.removeprefix(_PREFIX).partition("/")[0]
    if not is_known_memory(name):
        raise _unknown(name)
    return open_memory(root, read_only=read_only)


def _unknown(name: str) -> StoreError:
    return StoreError(
        f"there is no memory store {name!r} in this process: memory stores cannot be sent to "
        "another process; use a folder or an object store there",
        store=f"{_PREFIX}{name}",
    )

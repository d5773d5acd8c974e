"""The base of a location: what comes before the first ``|``, as a folder or as an object."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias
from urllib.parse import unquote

from anyzarr._url import Location, file_url, hide_bars, redact, show_bars
from anyzarr.abc import Store
from anyzarr.errors import NodeNotFoundError, ReadOnlyError, StoreError
from anyzarr.stores._adapters import UrlSource
from anyzarr.stores._base import BaseStore
from anyzarr.stores._cache import caching
from anyzarr.stores._memory import is_known_memory
from anyzarr.stores._prefix import SubStore
from anyzarr.stores._registry import container_backend, factory_of

__all__ = ["BaseSource", "Mode", "for_mode"]

Mode: TypeAlias = Literal["r", "r+", "a", "w", "w-"]

_MUST_EXIST = frozenset({"r", "r+"})


def for_mode(store: Store, mode: Mode) -> Store:
    """Return the store as a mode takes it: read-only, or refused where it cannot be written."""
    if mode == "r":
        if store.spec.read_only:
            return store
        if isinstance(store, BaseStore):
            return store.with_read_only(read_only=True)
        return SubStore(store, "", read_only=True)
    if not store.capabilities.writable:
        raise ReadOnlyError(
            f"{store} cannot be opened with mode={mode!r}: it is read-only; "
            "use mode='r', or copy it to a folder",
            store=str(store),
        )
    return store


class BaseSource(UrlSource):
    """The base of a location, with what the user said of how to open it.

    Parameters
    ----------
    location
        The location.
    backend
        Name of the backend, or None to work it out.
    mode
        As for ``open_store``.
    options
        Of the backend.
    cache
        Of a :class:`~anyzarr.stores.CachingStore` over it; empty for none.
    """

    def __init__(
        self,
        location: Location,
        backend: str | None,
        mode: Mode,
        options: Mapping[str, Any],
        cache: dict[str, Any],
    ) -> None:
        self.location = location
        self.mode: Mode = mode
        self._options, self._cache = dict(options), cache
        self.backend = container_backend(location, backend)
        _check_fits(location, self.backend)
        self.url = file_url(location.base) if location.is_local else location.base
        self.options = {**options, **cache}
        if location.is_local and self.backend == "local":
            self.local_path = location.base

    @property
    def cached(self) -> str:
        """The options of a cache that were given, for messages."""
        return ", ".join(sorted(self._cache))

    def as_folder(self) -> Store:
        """Return the store of what lies below."""
        _check_there(self.location, self.backend, self.mode)
        base = self.location.base
        root = _local_root(base, self.backend) if self.location.is_local else base
        store = caching(_make(self.backend, root, self.mode == "r", self._options), self._cache)
        return for_mode(store, self.mode)

    def as_object(self) -> tuple[Store, str]:
        """Return the store that holds the object, and its key."""
        _check_memory(self.location, self.backend, "r")
        folder, key = self.container(read_only=True)
        return caching(folder, self._cache), key

    def container(self, *, read_only: bool) -> tuple[Store, str]:
        """Return the store of the folder that the object lies in, and its key."""
        base, mark, query = self.location.base, "", ""
        if self.location.scheme in ("http", "https"):
            base, mark, query = base.partition("?")
        folder, _, key = base.rpartition("/")
        folder += mark + query
        if self.location.is_local:
            folder = _local_root(folder or "/", self.backend)
        elif self.backend == "fsspec" and self.location.scheme not in ("http", "https"):
            key = show_bars(key)
        elif self.backend in ("memory", "obstore", "fsspec"):
            key = unquote(key)  # these take URLs, and keys as they are
        return _make(self.backend, folder, read_only, self._options), key


def _make(name: str, root: str, read_only: bool, options: dict[str, Any]) -> Store:
    factory = factory_of(name)
    if options:
        import inspect

        try:
            inspect.signature(factory).bind(root, read_only=read_only, **options)
        except TypeError as error:
            raise StoreError(
                f"the backend {name!r} cannot open {redact(root)!r} with the options "
                f"{', '.join(sorted(options))}: {error}; leave them out",
                store=redact(root),
            ) from error
    return factory(root, read_only=read_only, **options)


def _local_root(path: str, name: str) -> str:
    """Return a path as a backend takes it: fsspec's file URLs are not percent-encoded."""
    if name == "local":
        return path
    return f"file://{hide_bars(path)}" if name == "fsspec" else file_url(path)


def _check_fits(parsed: Location, name: str) -> None:
    """Refuse a URL where a path belongs: it would be taken for one, and written to."""
    if name == "local" and not parsed.is_local:
        takes = "paths and file:// URLs"
    elif name == "memory" and parsed.scheme != "memory":
        takes = "memory://name"
    else:
        return
    raise StoreError(
        f"the backend {name!r} cannot open {redact(parsed.base)!r}: it opens {takes}; leave out "
        "backend= and the setting 'backend', or name another",
        store=redact(parsed.base),
    )


def _check_there(parsed: Location, name: str, mode: Mode) -> None:
    """Refuse in one sentence what cannot be opened, before any store is made."""
    _check_memory(parsed, name, mode)
    if not parsed.is_local:
        return
    if os.path.isdir(parsed.base):  # noqa: PTH112
        return
    # Another process may have made the folder since.
    if os.path.lexists(parsed.base) and not os.path.isdir(parsed.base):  # noqa: PTH112
        raise StoreError(
            f"{parsed.base!r} is a file and no zip archive, and a store is a folder or a zip "
            "archive: give the folder that holds zarr.json, or convert the file "
            f"(anyzarr convert {os.path.basename(parsed.base)} OUT.zarr)",  # noqa: PTH119
            store=parsed.base,
        )
    if mode in _MUST_EXIST:
        raise NodeNotFoundError(
            f"there is nothing at {parsed.base!r}: check the path, "
            "or create it with mode='w' or 'a'",
            store=parsed.base,
        )


def _check_memory(parsed: Location, name: str, mode: Mode) -> None:
    """Refuse to read a store in memory that there is none of: to look there would make it."""
    if name != "memory" or parsed.scheme != "memory" or mode not in _MUST_EXIST:
        return
    memory = parsed.base.removeprefix("memory://").partition("/")[0]
    if not is_known_memory(memory):
        raise NodeNotFoundError(
            f"there is no memory store {parsed.base!r} in this process; "
            "create it with mode='w' or 'a'",
            store=parsed.base,
        )

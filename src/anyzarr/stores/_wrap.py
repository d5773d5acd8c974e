"""Recognise live store objects of other libraries, without importing those libraries."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from anyzarr.abc import Store
from anyzarr.errors import StoreError
from anyzarr.stores._base import BaseStore
from anyzarr.stores._keys import as_prefix
from anyzarr.stores._local import LocalStore
from anyzarr.stores._memory import Holding, MemoryStore, holding_of
from anyzarr.stores._prefix import at_prefix
from anyzarr.stores._zip import ZipStore

__all__ = ["wrap"]


def wrap(location: Any) -> Store:
    """Return a live object as a store, sharing its objects: nothing is copied.

    Parameters
    ----------
    location
        A store of anyzarr or one of your own; a dict of bytes; a ``zarr.storage`` store or
        ``StorePath``; an obstore store; an fsspec filesystem or mapper. What is read-only
        stays so.

    Raises
    ------
    StoreError
        The object is none of these.
    """
    if isinstance(location, BaseStore):
        return location
    library, names = _origin(location)
    if "StorePath" in names and library == "zarr":
        return at_prefix(wrap(location.store), location.path)
    if library == "zarr" and hasattr(location, "supports_listing"):
        return _wrap_zarr(location, names)
    if "AnyzarrStore" in names and library == "anyzarr":
        return _read_only_as(wrap(location.inner), location.read_only)
    if library == "obstore":
        from anyzarr.stores._obstore import ObstoreStore

        return ObstoreStore(location)
    if library == "fsspec":
        return _wrap_fsspec(location, names)
    if isinstance(location, Store):
        return location
    if isinstance(location, MutableMapping):
        return MemoryStore(location)
    raise StoreError(
        f"an object of type {type(location).__module__}.{type(location).__qualname__} is not a "
        "store: give a path, a URL, a dict of bytes, a zarr.storage store, an obstore store, or "
        "an fsspec filesystem or mapper"
    )


def _origin(location: Any) -> tuple[str | None, frozenset[str]]:
    """Return the library an object's class derives from, and the names of those classes."""
    known = {"zarr", "obstore", "fsspec", "anyzarr"}
    classes = [c for c in type(location).__mro__ if c.__module__.partition(".")[0] in known]
    if not classes:
        return None, frozenset()
    return classes[0].__module__.partition(".")[0], frozenset(c.__name__ for c in classes)


def _read_only_as(store: Store, read_only: bool) -> Store:
    if read_only and isinstance(store, BaseStore):
        return store.with_read_only(read_only=True)
    return store


# ---------------------------------------------------------------------- fsspec


def _wrap_fsspec(location: Any, names: frozenset[str]) -> Store:
    from anyzarr.stores._fsspec import FsspecStore

    if "FSMap" in names:
        return FsspecStore(location.fs, location.root)
    return FsspecStore(location)


# ---------------------------------------------------------------------- zarr


class ZarrHolding(Holding):
    """A dict whose values are zarr-python's buffers."""

    def pack(self, value: bytes) -> Any:
        """Return the value as a buffer of zarr-python's."""
        from zarr.core.buffer import default_buffer_prototype

        return default_buffer_prototype().buffer.from_bytes(value)

    def unpack(self, value: Any) -> bytes | memoryview:
        """Return the bytes of a buffer, without a copy if it is in host memory."""
        as_numpy = getattr(value, "as_numpy_array", None)
        return super().unpack(value if as_numpy is None else as_numpy())


def _wrap_zarr(store: Any, names: frozenset[str]) -> Store:
    exact = type(store).__name__ if type(store).__module__.startswith("zarr.storage") else ""
    if exact in ("MemoryStore", "ManagedMemoryStore"):
        wrapped: BaseStore = MemoryStore(holding_of(store._store_dict, ZarrHolding))
        prefix = as_prefix(str(getattr(store, "path", "") or ""))
        wrapped = wrapped.at_prefix(prefix) if prefix else wrapped
    elif exact == "LocalStore":
        wrapped = LocalStore(store.root)
    elif exact == "ObjectStore":
        from anyzarr.stores._obstore import ObstoreStore

        wrapped = ObstoreStore(store.store)
    elif exact == "FsspecStore":
        from anyzarr.stores._fsspec import FsspecStore

        wrapped = FsspecStore(store.fs, store.path)
    elif exact == "ZipStore" and store.read_only and getattr(store, "path", None) is not None:
        return ZipStore(store.path)
    else:
        from anyzarr.stores._zarr_store import ZarrStore

        return ZarrStore(store)
    return _read_only_as(wrapped, store.read_only)

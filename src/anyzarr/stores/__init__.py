"""Stores: bytes by key, wherever they live.

:func:`open_store` opens one from any location. Each backend is one class; all of them, and
one of your own, keep the contract of :class:`anyzarr.abc.Store`, which
:mod:`anyzarr.testing` proves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anyzarr._url import SCHEMES_LOCAL, SCHEMES_OBJECT_STORE
from anyzarr.stores._adapters import (
    UrlAdapter,
    UrlSource,
    list_url_adapters,
    register_url_adapter,
)
from anyzarr.stores._base import BaseStore
from anyzarr.stores._byte_range import ByteRangeStore, open_byte_range
from anyzarr.stores._cache import CachingStore, open_cache
from anyzarr.stores._debris import Debris, find_debris, remove_debris
from anyzarr.stores._decoded import DecodedStore, open_decoded
from anyzarr.stores._fsspec import FsspecStore, open_fsspec
from anyzarr.stores._json import JsonStore, open_json
from anyzarr.stores._keys import join, validate_key
from anyzarr.stores._local import LocalStore, open_local
from anyzarr.stores._memory import MemoryStore, open_memory
from anyzarr.stores._obstore import ObstoreStore, open_obstore
from anyzarr.stores._open import open_store
from anyzarr.stores._prefix import SubStore, at_prefix, open_prefix
from anyzarr.stores._registry import (
    from_spec,
    list_backends,
    register_backend,
    resolve_backend_name,
)
from anyzarr.stores._zarr_store import open_zarr_store
from anyzarr.stores._zip import ZipStore, open_zip
from anyzarr.stores._zip_write import StagedArchive

if TYPE_CHECKING:
    from anyzarr.stores._to_zarr import to_zarr_store

__all__ = [
    "SCHEMES_LOCAL",
    "SCHEMES_OBJECT_STORE",
    "BaseStore",
    "ByteRangeStore",
    "CachingStore",
    "Debris",
    "DecodedStore",
    "FsspecStore",
    "JsonStore",
    "LocalStore",
    "MemoryStore",
    "ObstoreStore",
    "StagedArchive",
    "SubStore",
    "UrlAdapter",
    "UrlSource",
    "ZipStore",
    "at_prefix",
    "find_debris",
    "from_spec",
    "join",
    "list_backends",
    "list_url_adapters",
    "open_store",
    "register_backend",
    "register_url_adapter",
    "remove_debris",
    "resolve_backend_name",
    "to_zarr_store",
    "validate_key",
]


def _open_icechunk(root: str, *, read_only: bool = False, **options: Any) -> BaseStore:
    from anyzarr.stores._icechunk import open_icechunk

    return open_icechunk(root, read_only=read_only, **options)


register_backend("byte-range", open_byte_range)
register_backend("cache", open_cache)
register_backend("decoded", open_decoded)
register_backend("fsspec", open_fsspec)
register_backend("icechunk", _open_icechunk)
register_backend("json", open_json)
register_backend("local", open_local)
register_backend("memory", open_memory)
register_backend("obstore", open_obstore)
register_backend("prefix", open_prefix)
register_backend("zarr-store", open_zarr_store)
register_backend("zip", open_zip)

del (
    open_byte_range,
    open_cache,
    open_decoded,
    open_fsspec,
    open_json,
    open_local,
    open_memory,
    open_obstore,
    open_prefix,
    open_zarr_store,
    open_zip,
)


def __getattr__(name: str) -> Any:
    if name == "to_zarr_store":
        from anyzarr.stores._to_zarr import to_zarr_store

        return to_zarr_store
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

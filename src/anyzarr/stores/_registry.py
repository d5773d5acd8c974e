"""Backends by name, and the one place that decides which a location belongs to."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable
from typing import Any, TypeAlias

from anyzarr import config
from anyzarr._optional import install_command, is_installed
from anyzarr._url import SCHEMES_OBJECT_STORE, Location, parse_location, redact
from anyzarr.abc import Store, StoreSpec
from anyzarr.errors import MissingDependencyError, StoreError
from anyzarr.stores._base import BaseStore

__all__ = ["from_spec", "list_backends", "register_backend", "resolve_backend_name"]

Factory: TypeAlias = Callable[..., Store]
"""``factory(root, *, read_only=False, **options) -> Store``."""

GROUP = "anyzarr.backends"
_NOT_CHOSEN = frozenset(
    {"byte-range", "cache", "decoded", "icechunk", "json", "prefix", "zarr-store"}
)
_FILE_BACKENDS = frozenset({"local", "obstore", "fsspec"})

_lock = threading.RLock()
_factories: dict[str, Factory] = {}
_plugins: dict[str, Factory] | None = None


def register_backend(name: str, factory: Factory) -> None:
    """Add a backend, or replace one.

    Parameters
    ----------
    name
        What ``backend=`` takes. URLs whose scheme is this name, and not one of the schemes
        anyzarr knows, are opened by it too.
    factory
        Called as ``factory(root, read_only=..., **options)`` with the URL or path and the
        keyword arguments given to ``open_store``; also to rebuild a store from its
        :class:`~anyzarr.abc.StoreSpec`. A package can register one through the entry-point
        group ``anyzarr.backends`` instead.

    Examples
    --------
    >>> from anyzarr.stores import MemoryStore, open_store, register_backend
    >>> shelf = MemoryStore()
    >>> register_backend("shelf", lambda root, *, read_only=False: shelf)
    >>> open_store("shelf://anything", mode="a").put("a", b"1") is not None
    True
    """
    if not name:
        raise StoreError("a backend needs a name, and '' is none")
    with _lock:
        _factories[name] = factory


def list_backends() -> list[str]:
    """Return the names of all backends, those of plugins included, sorted.

    Examples
    --------
    >>> from anyzarr.stores import list_backends
    >>> set(list_backends()) >= {"local", "memory", "zip", "obstore", "fsspec"}
    True
    """
    with _lock:
        return sorted({*_factories, *_load_plugins()} - _NOT_CHOSEN)


def _load_plugins() -> dict[str, Factory]:
    global _plugins
    with _lock:
        if _plugins is None:
            # Costs a search of all installed packages: only once someone needs it.
            from importlib.metadata import entry_points

            _plugins = {}
            for point in entry_points(group=GROUP):
                try:
                    _plugins[point.name] = point.load()
                except Exception as error:  # noqa: BLE001 - one broken plugin breaks no other
                    warnings.warn(
                        f"the backend {point.name!r} of the plugin {point.value!r} is left out: "
                        f"it cannot be loaded ({type(error).__name__}: {error})",
                        RuntimeWarning,
                        stacklevel=3,
                    )
        return _plugins


def factory_of(name: str) -> Factory:
    """Return the factory of a backend.

    Raises
    ------
    StoreError
        There is no backend of this name.
    """
    with _lock:
        factory = _factories.get(name) or _load_plugins().get(name)
    if factory is None:
        raise StoreError(
            f"there is no backend {name!r}: the backends are {', '.join(list_backends())}",
            kind="unknown_backend",
        )
    return factory


def from_spec(spec: StoreSpec) -> Store:
    """Rebuild a store from its description, as unpickling does.

    Raises
    ------
    StoreError
        The backend is not known here, or the store was in another process's memory.

    Examples
    --------
    >>> from anyzarr.stores import MemoryStore, from_spec
    >>> store = MemoryStore({"a": b"1"})
    >>> from_spec(store.spec) == store
    True
    """
    if spec.backend == "memory":
        from anyzarr.stores._memory import rebuild_memory

        store: Store = rebuild_memory(spec.root, read_only=spec.read_only)
    else:
        store = factory_of(spec.backend)(spec.root, read_only=spec.read_only, **spec.options)
    told = spec.zarr_format
    return store.with_zarr_format(told) if told and isinstance(store, BaseStore) else store


def resolve_backend_name(location: Any, backend: str | None = None) -> str:
    """Return the name of the backend that a location belongs to.

    In this order: the argument, ``anyzarr.config.set(backend=...)``, ``ANYZARR_BACKEND``, what
    the location itself says. A live object belongs to the backend that wraps it. For a path, a
    setting counts only if that backend reads files, so that paths work whatever the
    environment says.

    Parameters
    ----------
    location
        Anything ``open_store`` takes.
    backend
        A backend's name.

    Raises
    ------
    StoreError
        There is no backend of this name, or no store at all in the location.
    MissingDependencyError
        No installed package reads the location's scheme.
    UnsupportedError
        A URL pipeline has a step that is not known.

    Examples
    --------
    >>> from anyzarr.stores import resolve_backend_name
    >>> resolve_backend_name("/data/image.zarr"), resolve_backend_name("image.OZX")
    ('local', 'zip')
    >>> resolve_backend_name("s3://bucket/image.zarr", backend="fsspec")
    'fsspec'
    """
    if backend is not None:
        factory_of(backend)
    if not isinstance(location, str | os.PathLike):
        from anyzarr.stores._wrap import wrap

        return backend or wrap(location).spec.backend
    return backend_of(parse_location(location), backend)


def backend_of(parsed: Location, backend: str | None = None) -> str:
    """Return the backend of a location that has been taken apart."""
    if parsed.adapters:
        from anyzarr.stores._adapters import adapter_of

        for step in parsed.adapters:
            adapter_of(step.name, redact(f"{parsed.base}|{step.name}:"))
        return "zip" if parsed.adapters[-1].is_archive else parsed.adapters[-1].name
    if backend is not None:
        return backend
    return _from_settings(parsed) or ("zip" if _is_archive(parsed) else container_backend(parsed))


def _is_archive(parsed: Location) -> bool:
    from anyzarr.stores._zip import is_archive_file

    if parsed.is_local:
        return is_archive_file(parsed.base) or (
            parsed.has_archive_name and not os.path.isdir(parsed.base)  # noqa: PTH112
        )
    return parsed.has_archive_name


def _from_settings(parsed: Location) -> str | None:
    name = config.get("backend")
    if name is None:
        return None
    factory_of(name)
    if parsed.is_local and name not in _FILE_BACKENDS:
        return None
    return str(name)


def container_backend(parsed: Location, backend: str | None = None) -> str:
    """Return the backend of the outermost store of a location: what holds the archive, if any."""
    if backend is not None and backend != "zip":
        return backend
    chosen = _from_settings(parsed)
    if chosen is not None and chosen != "zip":
        return chosen
    if parsed.is_local:
        return "local"
    if parsed.scheme == "memory":
        return "memory"
    if parsed.scheme in SCHEMES_OBJECT_STORE:
        return _object_store_backend(parsed)
    if "::" in parsed.base:
        return "fsspec"  # its own way to chain file systems
    with _lock:
        known = parsed.scheme in _factories or parsed.scheme in _load_plugins()
    return parsed.scheme if known else "fsspec"


def _object_store_backend(parsed: Location) -> str:
    for name in ("obstore", "fsspec"):
        if is_installed(name):
            return name
    raise MissingDependencyError(
        f"{redact(parsed.base)!r} needs the package 'obstore' (or 'fsspec'), and neither is "
        f"installed; install it with: {install_command('obstore')}",
        store=redact(parsed.base),
    )

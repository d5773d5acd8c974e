"""Open a store from any location."""

from __future__ import annotations

import os
from typing import Any, Final, Literal

from anyzarr import config
from anyzarr._url import Location, ZarrFormat, parse_location, plain_path, redact
from anyzarr.abc import Store
from anyzarr.errors import ReadOnlyError, StoreError
from anyzarr.stores._adapters import StepSource, UrlSource, adapter_of
from anyzarr.stores._adapters._zip import archive_of
from anyzarr.stores._archive_location import create_archive, single_folder
from anyzarr.stores._base import BaseStore
from anyzarr.stores._base_location import BaseSource, Mode, for_mode
from anyzarr.stores._cache import caching, without_cache
from anyzarr.stores._prefix import SubStore, at_prefix
from anyzarr.stores._registry import backend_of, factory_of
from anyzarr.stores._wrap import wrap
from anyzarr.stores._zip import ZipStore, is_archive_file

__all__ = ["Mode", "open_folder", "open_object", "open_store"]

_MODES: Final = ("r", "r+", "a", "w", "w-")


def open_store(
    location: Any, *, backend: str | None = None, mode: Mode = "r", **backend_kwargs: Any
) -> Store:
    """Open a store from a path, a URL, a URL pipeline, or a live object.

    Parameters
    ----------
    location
        A path; a URL (``s3://bucket/key``, ``https://host/path``, ``memory://name``, …); a URL
        pipeline (``s3://bucket/a.ozx|zip:inner/path``); a dict of bytes; a ``zarr.storage``
        store; an obstore store; an fsspec filesystem or mapper; a store of anyzarr.
    backend
        Name of the backend that holds the bytes; default :func:`resolve_backend_name`. For a
        zip archive: of the store that the archive lies in.
    mode
        ``"r"``: a read-only view. ``"r+"``, ``"a"``, ``"w"``, ``"w-"``: writable. Nothing is
        created or deleted here in any mode; ``r`` and ``r+`` ask that a local path exists. A zip
        archive can only be created (``a`` where there is none, ``w-``, or ``w``), and is there
        when the store, a :class:`~anyzarr.stores.StagedArchive`, is closed.
    **backend_kwargs
        Options of the backend: for object stores ``region``, ``endpoint_url``, ``anon``,
        ``access_key_id``, ``secret_access_key``, …; for fsspec its storage options. And of any
        store, ``cache``: a directory, or a number of bytes of memory, in which to keep what was
        read, with ``cache_bytes``, ``cache_check`` and ``read_ahead`` as in
        :class:`~anyzarr.stores.CachingStore`.

    Raises
    ------
    NodeNotFoundError
        There is nothing at a local path that must exist, or no memory store of the name.
    StoreError
        The location cannot be a store: a file that is no zip archive, an unknown scheme, an
        object of a type that cannot be wrapped.
    ReadOnlyError
        A zip archive that exists was to be changed, or a store that cannot be written to.
    NodeExistsError
        ``w-``, and there is an archive.
    MissingDependencyError
        A package is missing; the message has the install command.

    Examples
    --------
    >>> from anyzarr.stores import open_store
    >>> store = open_store({"zarr.json": b"{}"})
    >>> store.get("zarr.json")
    b'{}'
    >>> store.capabilities.writable
    False
    """
    if mode not in _MODES:
        raise StoreError(
            f"mode {mode!r} is not known: use 'r' (read), 'r+' (read and write what is there), "
            "'a' (create if absent), 'w' (replace) or 'w-' (create, refuse if there)",
            kind="unknown_mode",
        )
    options, cache = without_cache(backend_kwargs)
    if isinstance(location, str | os.PathLike):
        return _open_text(location, backend, mode, options, cache)
    return caching(_open_live(location, backend, mode, options), cache)


def open_folder(location: Any, *, read_only: bool) -> Store | None:
    """Return the store of a location that can only be a folder here, if it is there.

    None where it may be anything else, and where a setting chooses another backend: then
    :func:`open_store` decides. The disk is not touched: whoever finds a node in the store knows
    that the folder is there.
    """
    root = plain_path(location)
    if root is None or config.get("backend") is not None:
        return None
    return factory_of("local")(root, read_only=read_only)


def open_object(
    location: str | os.PathLike[str],
    *,
    backend: str | None = None,
    mode: Literal["r", "a"] = "r",
    **backend_kwargs: Any,
) -> tuple[Store, str]:
    """Return the store that holds the one object which a location is, and its key.

    Parameters
    ----------
    location
        A path, a URL, or a URL pipeline whose last step gives an object.
    backend, **backend_kwargs
        As for :func:`open_store`.
    mode
        ``"r"``: the store can only be read. ``"a"``: it can be written to. The object may be
        absent.

    Raises
    ------
    StoreError
        The location is no object, or is to be written and has steps or a cache.
    ReadOnlyError
        The store cannot be written to.
    MissingDependencyError
        A package is missing; the message has the install command.
    """
    options, cache = without_cache(backend_kwargs)
    parsed = parse_location(location)
    base = BaseSource(parsed, backend, mode, options, cache)
    if mode == "r":
        return _after_steps(base, parsed).as_object()
    if parsed.adapters or cache:
        raise StoreError(
            f"{redact(os.fspath(location))!r} is to be written, and "
            f"{'what follows a step' if parsed.adapters else 'a cache'} is only for reading: "
            "leave it out",
            store=str(base),
        )
    store, key = base.container(read_only=False)
    return for_mode(store, mode), key


def _after_steps(base: BaseSource, parsed: Location) -> UrlSource:
    source: UrlSource = base
    for step in parsed.adapters:
        adapter, _ = adapter_of(step.name, f"{source}|{step.name}:")
        source = StepSource(adapter(source, step.body))
    return source


def _open_live(location: Any, backend: str | None, mode: Mode, options: dict[str, Any]) -> Store:
    store = wrap(location)
    if options:
        raise StoreError(
            f"{store} is a live store object, which takes no options (got "
            f"{', '.join(sorted(options))}): set them where the object is made",
            store=str(store),
        )
    if backend is not None and backend != store.spec.backend:
        factory_of(backend)
        raise StoreError(
            f"{store} is a live object of the backend {store.spec.backend!r}, so "
            f"backend={backend!r} does not apply: leave the argument out",
            store=str(store),
        )
    return for_mode(store, mode)


def _open_text(
    location: str | os.PathLike[str],
    backend: str | None,
    mode: Mode,
    options: dict[str, Any],
    cache: dict[str, Any],
) -> Store:
    parsed = parse_location(location)
    if backend is not None:
        factory_of(backend)  # that there is one comes before what it may be used for
    if _goes_on(parsed):
        store = _open_pipeline(parsed, backend, mode, options, cache)
    else:
        is_archive = backend_of(parsed, backend) == "zip" or _holds_archive(parsed)
        source = BaseSource(parsed, backend, mode, options, cache)
        if is_archive and mode != "r":
            named = parsed.has_archive_name or backend == "zip" or bool(parsed.adapters)
            store = create_archive(source, inner=parsed.inner_path, named=named)
        elif is_archive:
            store = _within(archive_of(source), parsed.inner_path)
        else:
            store = at_prefix(source.as_folder(), parsed.node_path)
    return _told(store, parsed.zarr_format)


def _goes_on(parsed: Location) -> bool:
    """Whether there are steps besides that of an archive, which can be made as well as read."""
    return bool(parsed.adapters) and not (
        len(parsed.adapters) == 1 and parsed.adapters[0].is_archive
    )


def _open_pipeline(
    parsed: Location,
    backend: str | None,
    mode: Mode,
    options: dict[str, Any],
    cache: dict[str, Any],
) -> Store:
    base = BaseSource(parsed, backend, "r", options, cache)
    steps = [(step, adapter_of(step.name, f"{base}|{step.name}:")[1]) for step in parsed.adapters]
    closed = next((step.name for step, writable in steps if not writable), None)
    if mode != "r" and closed is not None:
        raise ReadOnlyError(
            f"what '{closed}:' gives after {base} can only be read, so it cannot be opened with "
            f"mode={mode!r}: use mode='r', or copy it to a folder",
            store=str(base),
        )
    source = _after_steps(BaseSource(parsed, backend, mode, options, cache), parsed)
    return _within(for_mode(source.as_folder(), mode), parsed.node_path)


def _within(store: Store, path: str) -> Store:
    """Return what is below a path; of a whole archive, the one folder that holds it all."""
    if not path and isinstance(store, ZipStore):
        path = single_folder(store)
    return at_prefix(store, path)


def _told(store: Store, zarr_format: ZarrFormat | None) -> Store:
    """Return the store with the format that its location tells."""
    if zarr_format is None:
        return store
    own = store if isinstance(store, BaseStore) else SubStore(store, "")
    return own.with_zarr_format(zarr_format)


def _holds_archive(parsed: Location) -> bool:
    """Whether the base is an archive though a backend was named for what holds it."""
    if parsed.is_local:
        return is_archive_file(parsed.base)
    return parsed.has_archive_name

"""Open a store from any location."""

from __future__ import annotations

import os
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import unquote

from anyzarr import config
from anyzarr._url import Location, file_url, parse_location, plain_path, redact
from anyzarr.abc import Store
from anyzarr.errors import NodeNotFoundError, ReadOnlyError, StoreError
from anyzarr.stores._base import BaseStore
from anyzarr.stores._cache import caching, without_cache
from anyzarr.stores._keys import join
from anyzarr.stores._memory import is_known_memory
from anyzarr.stores._prefix import SubStore, at_prefix
from anyzarr.stores._registry import backend_of, container_backend, factory_of
from anyzarr.stores._wrap import wrap
from anyzarr.stores._zip import ZipStore, is_archive_file
from anyzarr.stores._zip_write import StagedArchive

__all__ = ["Mode", "open_folder", "open_store"]

Mode: TypeAlias = Literal["r", "r+", "a", "w", "w-"]

_MODES: Final = ("r", "r+", "a", "w", "w-")
_MUST_EXIST: Final = frozenset({"r", "r+"})
_ROOT_DOCUMENTS: Final = ("zarr.json", ".zgroup", ".zarray", ".zattrs")


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
    return _for_mode(store, mode)


def _for_mode(store: Store, mode: Mode) -> Store:
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


def _open_text(
    location: str | os.PathLike[str],
    backend: str | None,
    mode: Mode,
    options: dict[str, Any],
    cache: dict[str, Any],
) -> Store:
    parsed = parse_location(location)
    inner = join(*(step.path for step in parsed.adapters))
    if backend is not None:
        factory_of(backend)  # that there is one comes before what it may be used for
    if backend_of(parsed, backend) == "zip" or _holds_archive(parsed):
        return _open_archive(parsed, inner, backend, mode, options, cache)
    name = container_backend(parsed, backend)
    _check_fits(parsed, name)
    _check_there(parsed, name, mode)
    root = _local_root(parsed.base, name) if parsed.is_local else parsed.base
    store = caching(_make(name, root, mode == "r", options), cache)
    return at_prefix(_for_mode(store, mode), inner)


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
    return f"file://{path}" if name == "fsspec" else file_url(path)


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
    if parsed.scheme == "memory" and name == "memory":
        memory = parsed.base.removeprefix("memory://").partition("/")[0]
        if mode in _MUST_EXIST and not is_known_memory(memory):
            raise NodeNotFoundError(
                f"there is no memory store {parsed.base!r} in this process; "
                "create it with mode='w' or 'a'",
                store=parsed.base,
            )
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


# ---------------------------------------------------------------------- archives


def _holds_archive(parsed: Location) -> bool:
    """Whether the base is an archive though a backend was named for what holds it."""
    if parsed.is_local:
        return is_archive_file(parsed.base)
    return parsed.has_archive_name


def _open_archive(
    parsed: Location,
    inner: str,
    backend: str | None,
    mode: Mode,
    options: dict[str, Any],
    cache: dict[str, Any],
) -> Store:
    if mode != "r":
        return _create_archive(parsed, inner, backend, mode, options, cache)
    name = container_backend(parsed, backend)
    _check_fits(parsed, name)
    if parsed.is_local and name == "local":
        if not os.path.lexists(parsed.base):
            raise NodeNotFoundError(
                f"there is no archive at {parsed.base!r}: check the path",
                store=parsed.base,
            )
        if options or cache:
            raise StoreError(
                f"the archive {parsed.base!r} is a local file and takes no options (got "
                f"{', '.join(sorted({**options, **cache}))}): leave them out",
                store=parsed.base,
            )
        archive = ZipStore(parsed.base)
    else:
        folder, key = _container(parsed, name, options)
        archive = ZipStore((caching(folder, cache), key))
    return at_prefix(archive, inner or _single_folder(archive))


def _create_archive(
    parsed: Location,
    inner: str,
    backend: str | None,
    mode: Mode,
    options: dict[str, Any],
    cache: dict[str, Any],
) -> Store:
    """Return a store that becomes an archive, or refuse to change one."""
    shown = redact(parsed.base)
    name = container_backend(parsed, backend)
    _check_fits(parsed, name)
    place: str | tuple[Store, str] = parsed.base
    if parsed.is_local and name == "local":
        is_there = os.path.lexists(parsed.base)
    else:
        place = _container(parsed, name, options, read_only=False)
        _for_mode(place[0], mode)
        is_there = place[0].head(place[1]) is not None
    named = parsed.has_archive_name or backend == "zip" or bool(parsed.adapters)
    if is_there and (mode in ("r+", "a") or not named):
        raise ReadOnlyError(
            f"{shown!r} is a zip archive, which is written once and whole: to change it, unpack it "
            "to a folder (anyzarr convert ARCHIVE.ozx FOLDER.zarr), change that, and convert it "
            "back; or replace it with mode='w'",
            store=shown,
        )
    if mode == "r+":
        raise NodeNotFoundError(f"there is no archive at {shown!r}: check the path", store=shown)
    if inner or cache:
        what = f"the path {inner!r} in it" if inner else f"the options {', '.join(sorted(cache))}"
        raise StoreError(
            f"the archive {shown!r} is written from its root, so {what} cannot be taken: leave it "
            "out, and give the path of a node as path= or name=",
            store=shown,
        )
    return StagedArchive(place, overwrite=mode == "w")


def _container(
    parsed: Location, name: str, options: dict[str, Any], *, read_only: bool = True
) -> tuple[Store, str]:
    folder, _, key = parsed.base.rpartition("/")
    if parsed.is_local:
        folder = _local_root(folder or "/", name)
    elif name == "obstore" or parsed.scheme in ("http", "https"):
        key = unquote(key)  # these take URLs, and keys as they are
    return _make(name, folder, read_only, options), key


def _single_folder(archive: ZipStore) -> str:
    """Return the folder in which ``zip -r`` put everything, or ``""`` if the root is Zarr.

    Archives made with ``zip -r data.zip data.zarr`` hold one folder, and in it the hierarchy.
    """
    if archive.head("zarr.json") is not None:
        return ""  # known without the names of all that is there
    level = archive.list_level()
    if len(level.prefixes) != 1 or any(name in level.keys for name in _ROOT_DOCUMENTS):
        return ""
    folder = level.prefixes[0]
    inside = archive.list_level(folder).keys
    return folder if any(folder + name in inside for name in _ROOT_DOCUMENTS) else ""

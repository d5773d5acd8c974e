"""The way in: open and create, by location."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from anyzarr._nodes._array import Array
from anyzarr._nodes._group import Group, bind
from anyzarr._nodes._new import create_array, create_group, known_engine
from anyzarr.abc import Store
from anyzarr.crud._nodes import normalize_path
from anyzarr.crud._parsed import find_node, read_node
from anyzarr.errors import MetadataError, NodeNotFoundError, ReadOnlyError, StoreError
from anyzarr.metadata import ArrayMetadata, GroupMetadata
from anyzarr.stores import open_store
from anyzarr.stores._open import open_folder

__all__ = ["consolidate_metadata", "open", "open_array", "open_group", "open_in_folder"]

Mode = Literal["r", "r+", "a", "w", "w-"]
_MODES = ("r", "r+", "a", "w", "w-")


def _check_mode(mode: str | None) -> None:
    if mode is not None and mode not in _MODES:
        raise MetadataError(
            f"mode {mode!r} is not one of {', '.join(_MODES)}: r reads, r+ changes what is there, "
            "a creates what is not, w replaces, w- refuses to",
            kind="mode",
        )


def _mode_of_existing(mode: Mode | None) -> Literal["r", "r+"] | None:
    """Return how to open what is there before it is known whether anything must be created."""
    _check_mode(mode)
    return "r" if mode == "r" else None if mode is None else "r+"


def _open_store(location: Any, mode: Mode | None, backend: str | None, options: Any) -> Store:
    if mode is not None:
        return open_store(location, backend=backend, mode=mode, **options)
    try:
        return open_store(location, backend=backend, mode="r+", **options)
    except ReadOnlyError:
        return open_store(location, backend=backend, mode="r", **options)


def open(  # noqa: A001 - anyzarr.open, as zarr.open
    location: Any,
    *,
    path: str = "",
    mode: Literal["r", "r+"] | None = None,
    engine: str | None = None,
    backend: str | None = None,
    zarr_format: Literal[2, 3] | None = None,
    **backend_kwargs: Any,
) -> Array | Group:
    """Open the array or group at a location.

    Parameters
    ----------
    location
        A path, a URL, a URL pipeline (``s3://bucket/a.zip|zip:inner|zarr3:``), a live store
        object (obstore, fsspec, ``zarr.storage``, one of ours) or a dict of bytes.
    path
        A node below the location.
    mode
        ``r`` refuses to write, ``r+`` fails where the store cannot write; by default writing
        is possible where the store can. Nothing is ever created: see :func:`create_array`.
    engine
        What decodes chunks: ``native``, ``zarrs``, ``tensorstore``, ``zarr``, ``zarrs-python``;
        by default the first that can.
    backend
        Where bytes live: ``local``, ``memory``, ``zip``, ``obstore``, ``fsspec``; by default
        worked out from the location.
    zarr_format
        Look for this format only.
    **backend_kwargs
        Options of the backend, such as ``endpoint_url`` or ``storage_options``.

    Raises
    ------
    NodeNotFoundError
        There is no node (also a ``KeyError``).
    StoreError
        The location cannot be used.
    MissingDependencyError
        The backend needs a package that is not installed; the message has the command.

    Examples
    --------
    >>> import anyzarr
    >>> memory = {}
    >>> _ = anyzarr.create_array(memory, shape=(3,), dtype="int8", fill_value=1)
    >>> anyzarr.open(memory)[:]
    array([1, 1, 1], dtype=int8)
    """
    _check_mode(mode)
    engine = known_engine(engine)
    path = normalize_path(path)
    if backend is None and not backend_kwargs:
        found = open_in_folder(location, path, mode, zarr_format)
        if found is not None:
            return bind(*found, path, engine)
    store = _open_store(location, mode, backend, backend_kwargs)
    return bind(read_node(store, path, zarr_format=zarr_format), store, path, engine)


def open_in_folder(
    location: Any, path: str, mode: Mode | None, zarr_format: Literal[2, 3] | None
) -> tuple[ArrayMetadata | GroupMetadata, Store] | None:
    """Return the node of a location that is a folder with one: nothing is looked up twice."""
    store = open_folder(location, read_only=mode == "r")
    if store is None:
        return None
    try:
        node = find_node(store, path, zarr_format)
    except StoreError:
        return None  # what is wrong with the location is said where it is looked at
    return None if node is None else (node, store)


def open_array(
    location: Any,
    *,
    path: str = "",
    mode: Mode | None = None,
    engine: str | None = None,
    backend: str | None = None,
    zarr_format: Literal[2, 3] | None = None,
    backend_kwargs: Mapping[str, Any] | None = None,
    **options: Any,
) -> Array:
    """Open an array; with mode ``a``, ``w`` or ``w-`` create it from further options.

    Parameters
    ----------
    location, path, engine, backend, zarr_format
        As for :func:`open`.
    mode
        ``r`` reads, ``r+`` changes, ``a`` creates the array if it is not there, ``w`` replaces
        it, ``w-`` fails if it is there. By default what is there is opened, for writing where
        the store can.
    backend_kwargs
        Options of the backend.
    **options
        Of :func:`create_array` (``shape``, ``dtype``, ``chunks``, …) where the mode creates;
        else further options of the backend.

    Raises
    ------
    NodeNotFoundError
        There is no array, and the mode does not create one.
    NodeExistsError
        Mode ``w-`` and there is something.
    MetadataError
        There is a group at the location.
    """
    if mode not in {"w", "w-"}:
        kwargs = {**(backend_kwargs or {}), **({} if mode == "a" else options)}
        try:
            node = open(
                location,
                path=path,
                mode=_mode_of_existing(mode),
                engine=engine,
                backend=backend,
                zarr_format=zarr_format,
                **kwargs,
            )
        except NodeNotFoundError:
            if mode != "a" or not options:
                raise
        else:
            if isinstance(node, Group):
                raise MetadataError(
                    f"{node.url} is a group, not an array; open one of its members: "
                    f"{', '.join(node.keys()[:10]) or 'it has none'}",
                    kind="not_an_array",
                    path=node.path,
                )
            return node
    replacing: dict[str, Any] = {} if mode == "a" else {"overwrite": mode == "w"}
    return create_array(
        location,
        name=path,
        engine=engine,
        backend=backend,
        zarr_format=zarr_format,
        backend_kwargs=backend_kwargs,
        **replacing,
        **options,
    )


def open_group(
    location: Any,
    *,
    path: str = "",
    mode: Mode | None = None,
    engine: str | None = None,
    backend: str | None = None,
    zarr_format: Literal[2, 3] | None = None,
    attributes: Mapping[str, Any] | None = None,
    **backend_kwargs: Any,
) -> Group:
    """Open a group; with mode ``a``, ``w`` or ``w-`` create it.

    Parameters
    ----------
    location, path, engine, backend, zarr_format, **backend_kwargs
        As for :func:`open`.
    mode
        As for :func:`open_array`.
    attributes
        User attributes of a group that is created.

    Raises
    ------
    NodeNotFoundError
        There is no group, and the mode does not create one.
    MetadataError
        There is an array at the location.
    """
    if mode not in {"w", "w-"}:
        try:
            node = open(
                location,
                path=path,
                mode=_mode_of_existing(mode),
                engine=engine,
                backend=backend,
                zarr_format=zarr_format,
                **backend_kwargs,
            )
        except NodeNotFoundError:
            if mode != "a":
                raise
        else:
            if isinstance(node, Array):
                raise MetadataError(
                    f"{node.url} is an array, not a group; use open_array",
                    kind="not_a_group",
                    path=node.path,
                )
            return node
    return create_group(
        location,
        path=path,
        attributes=attributes,
        overwrite=mode == "w",
        engine=engine,
        backend=backend,
        zarr_format=zarr_format,
        **backend_kwargs,
    )


def consolidate_metadata(
    location: Any, *, path: str = "", backend: str | None = None, **backend_kwargs: Any
) -> Group:
    """Write the documents of all nodes of a hierarchy into its top; return the group.

    Whoever opens it then knows the whole hierarchy with one request. See
    :func:`anyzarr.crud.consolidate_metadata`.

    Parameters
    ----------
    location, path, backend, **backend_kwargs
        The group, as for :func:`open`.

    Raises
    ------
    MetadataError
        There is an array at the location.

    Examples
    --------
    >>> import anyzarr
    >>> store = {}
    >>> _ = anyzarr.create_group(store).create_array("a", shape=(3,), dtype="uint8")
    >>> list(anyzarr.consolidate_metadata(store))
    ['a']
    """
    group = open_group(location, path=path, mode="r+", backend=backend, **backend_kwargs)
    return group.consolidate()

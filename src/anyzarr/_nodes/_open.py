"""The way in: open and create, by location."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy.typing as npt

from anyzarr._nodes._array import Array
from anyzarr._nodes._create import create_array_at, create_group_at
from anyzarr._nodes._group import Group, bind
from anyzarr._nodes._node import creating
from anyzarr.abc import Store
from anyzarr.crud._formats import format_for
from anyzarr.crud._nodes import normalize_path
from anyzarr.crud._parsed import find_node, read_node
from anyzarr.engines import canonical_name, get_engine
from anyzarr.errors import MetadataError, NodeNotFoundError, ReadOnlyError, StoreError
from anyzarr.metadata import ArrayMetadata, GroupMetadata, parse_group
from anyzarr.stores import open_store, resolve_backend_name
from anyzarr.stores._open import open_folder

__all__ = [
    "consolidate_metadata",
    "create_array",
    "create_group",
    "open",
    "open_array",
    "open_group",
    "open_in_folder",
]

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


def _open_new(location: Any, overwrite: bool, backend: str | None, options: Any) -> Store:
    mode: Mode = "w" if overwrite else "a"
    text = isinstance(location, str | os.PathLike)
    if text and mode == "a" and resolve_backend_name(location, backend) == "zip":
        mode = "w-"  # nothing can be created in an archive that is there
    return open_store(location, backend=backend, mode=mode, **options)


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
    engine = _known_engine(engine)
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


def _known_engine(engine: str | None) -> str | None:
    """Return the engine's canonical name after checking that there is such an engine."""
    if engine is None or canonical_name(engine) == "auto":
        return None
    return get_engine(engine).name


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


def create_group(
    location: Any,
    *,
    path: str = "",
    attributes: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    engine: str | None = None,
    backend: str | None = None,
    zarr_format: Literal[2, 3] | None = None,
    **backend_kwargs: Any,
) -> Group:
    """Create a group, and the groups above it that are not there yet.

    Parameters
    ----------
    location, engine, backend, **backend_kwargs
        As for :func:`open`.
    path
        Where below the location; by default the location itself.
    attributes
        User attributes.
    overwrite
        Replace what is there, with everything below it.
    zarr_format
        3, or 2; by default what the location tells (``|zarr2:``), else 3.

    Raises
    ------
    NodeExistsError
        There is a node, and ``overwrite`` is off. Nothing was written.

    Examples
    --------
    >>> import anyzarr
    >>> anyzarr.create_group({}, attributes={"lab": "Betzig"}).attrs["lab"]
    'Betzig'
    """
    engine = _known_engine(engine)
    store = _open_new(location, overwrite, backend, backend_kwargs)
    path = normalize_path(path)
    with creating(store, location):
        chosen = format_for(store, zarr_format) or 3
        document = create_group_at(
            store, path, zarr_format=chosen, attributes=attributes, overwrite=overwrite
        )
    return Group(parse_group(document), store, path, engine)._take_charge(location)


def create_array(
    location: Any,
    *,
    name: str | None = None,
    shape: int | Sequence[int] | None = None,
    dtype: npt.DTypeLike | str | None = None,
    data: npt.ArrayLike | None = None,
    chunks: Any = "auto",
    shards: Any = None,
    filters: Any = "auto",
    compressors: Any = "auto",
    serializer: Any = "auto",
    fill_value: Any = None,
    order: Literal["C", "F"] | None = None,
    zarr_format: Literal[2, 3] | None = None,
    attributes: Mapping[str, Any] | None = None,
    chunk_key_encoding: Any = None,
    dimension_names: Sequence[str | None] | None = None,
    overwrite: bool = False,
    engine: str | None = None,
    backend: str | None = None,
    backend_kwargs: Mapping[str, Any] | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> Array:
    """Create an array; the parameters are those of zarr-python 3.

    Parameters
    ----------
    location
        As for :func:`open`.
    name
        Path below the location; by default the array is at the location itself.
    shape, dtype
        Of the array; or give ``data``.
    data
        What to write; gives shape and dtype.
    chunks
        Shape of a chunk (of a subchunk, if ``shards`` are given), or ``auto`` (about 1 MiB).
    shards
        Shape of a shard, a multiple of the chunks; None for no sharding.
    filters, compressors, serializer
        Codecs: ``auto``, None, a name (``"zstd"``, ``"blosc-zstd:1"``), a dict as in the
        metadata, a ``zarr.codecs`` or ``numcodecs`` object, or a list of those.
    fill_value
        Value of elements never written; by default zero.
    order
        For v2 the order of elements in a chunk.
    zarr_format
        3, or 2; by default what the location tells (``|zarr2:``), else 3.
    attributes
        User attributes.
    chunk_key_encoding
        How chunks are named: ``{"name": "default" | "v2", "separator": "/" | "."}``.
    dimension_names
        A name or None per dimension (v3).
    overwrite
        Replace what is there, with everything below it.
    engine, backend
        As for :func:`open`.
    backend_kwargs, storage_options
        Options of the backend.

    Returns
    -------
    Array
        Open for reading and writing. At the location of an ``.ozx`` or ``.zip`` close it when it
        is written (``with``, or ``close()``): the archive is made then.

    Raises
    ------
    NodeExistsError
        There is a node, and ``overwrite`` is off. Nothing was written.
    MetadataError, UnsupportedError
        The options do not make an array. Nothing was written.

    Examples
    --------
    >>> import anyzarr, numpy as np
    >>> array = anyzarr.create_array(
    ...     {}, data=np.eye(4, dtype="float32"), chunks=(1, 2), shards=(4, 4), compressors="zstd:3"
    ... )
    >>> array
    <Array memory://... shape=(4, 4) dtype=float32 chunks=(1, 2), shards=(4, 4)>
    """
    engine = _known_engine(engine)
    options = {**(backend_kwargs or {}), **(storage_options or {})}
    store = _open_new(location, overwrite, backend, options)
    path = normalize_path(name or "")
    with creating(store, location):
        meta = create_array_at(
            store,
            path,
            data=data,
            shape=shape if shape is None or isinstance(shape, int) else tuple(shape),
            dtype=dtype,
            overwrite=overwrite,
            engine=engine,
            chunks=chunks,
            shards=shards,
            filters=filters,
            compressors=compressors,
            serializer=serializer,
            fill_value=fill_value,
            order=order,
            zarr_format=format_for(store, zarr_format) or 3,
            attributes=attributes,
            chunk_key_encoding=chunk_key_encoding,
            dimension_names=dimension_names,
        )
    return Array(meta, store, path, engine)._take_charge(location)


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

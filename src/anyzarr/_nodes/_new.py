"""Creating arrays and groups, by location."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy.typing as npt

from anyzarr._nodes._array import Array
from anyzarr._nodes._create import create_array_at, create_group_at
from anyzarr._nodes._group import Group
from anyzarr._nodes._node import creating
from anyzarr.abc import Store
from anyzarr.crud._formats import format_for
from anyzarr.crud._nodes import normalize_path
from anyzarr.engines import canonical_name, get_engine
from anyzarr.metadata import parse_group
from anyzarr.stores import open_store, resolve_backend_name

__all__ = ["create_array", "create_group", "known_engine"]


def _open_new(location: Any, overwrite: bool, backend: str | None, options: Any) -> Store:
    mode: Literal["a", "w", "w-"] = "w" if overwrite else "a"
    text = isinstance(location, str | os.PathLike)
    if text and mode == "a" and resolve_backend_name(location, backend) == "zip":
        mode = "w-"  # nothing can be created in an archive that is there
    return open_store(location, backend=backend, mode=mode, **options)


def known_engine(engine: str | None) -> str | None:
    """Return the engine's canonical name after checking that there is such an engine."""
    if engine is None or canonical_name(engine) == "auto":
        return None
    return get_engine(engine).name


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
    engine = known_engine(engine)
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
    engine = known_engine(engine)
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

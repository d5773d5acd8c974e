"""Vector stores without anything in them: their root and a level, by location."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from anyzarr import crud
from anyzarr._nodes import Group, create_group
from anyzarr.errors import MetadataError
from anyzarr.metadata import group_document
from anyzarr.stores import join
from anyzarr.vectors._cells import CellArray
from anyzarr.vectors._constants import GEOMETRY_TYPES, LINKS_CONVENTIONS
from anyzarr.vectors._documents import LevelMetadata, RootMetadata, default_axes
from anyzarr.vectors._grid import Bounds
from anyzarr.vectors._open import name_of, vectors_backend
from anyzarr.vectors._storage import ShardShape, Storage

__all__ = ["create_store", "create_store_below"]

_DEFAULT_SIDE = 128.0


def create_store(
    path: Any,
    *,
    bounds: Sequence[Sequence[float]] | None = None,
    chunk_shape: Sequence[float] | None = None,
    axes: Sequence[str | Mapping[str, Any]] | None = None,
    geometry_types: Sequence[str] | None = None,
    compressor: Any = None,
    name: str | None = None,
    ndim: int | None = None,
    bin_shape: Sequence[float] | None = None,
    dtype: str = "float32",
    shard_shape: ShardShape = "auto",
    links_convention: str | None = None,
    format_capabilities: Sequence[str] = (),
    crs: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    backend: str | None = None,
    **backend_kwargs: Any,
) -> Group:
    """Create a vector store that holds nothing yet.

    Parameters
    ----------
    path
        Where; as for :func:`open_store`.
    bounds
        Lower and upper corner of what the store may hold, both included. Default: 0 to 128 along
        every axis.
    chunk_shape
        Edge lengths of a chunk, in physical units. Default: one chunk.
    axes
        Names of the axes, or axes as OME-Zarr describes them. Default: x, y, z, w.
    geometry_types
        What it is to hold; the first write says it too.
    compressor
        Codecs of the arrays (``"zstd"``, ``"blosc"``, …), for good. Default: none.
    name
        A name for people. Default: from the location.
    ndim
        Number of dimensions, where nothing else says it. Default: 3.
    bin_shape
        Edge lengths of the bins of a chunk, by which its points are sorted.
    dtype
        Type of the positions.
    shard_shape
        Chunks per shard and dimension; ``"auto"``: few objects of up to about 64 MiB; None: every
        chunk is an object of its own.
    links_convention, format_capabilities, crs
        As in the format's description of the root.
    overwrite
        Replace what is at the location, whatever it is.
    backend, **backend_kwargs
        As for :func:`open_store`.

    Raises
    ------
    NodeExistsError
        There is something, and ``overwrite`` is off. Nothing was written.
    MetadataError
        The arguments do not describe one space.

    Examples
    --------
    >>> from anyzarr.vectors import create_store
    >>> root = create_store({}, bounds=([0, 0, 0], [99, 99, 50]), chunk_shape=(10, 10, 10))
    >>> root["0/vertices"].shape
    (10, 10, 6)
    """
    metadata = _new_metadata(
        name or name_of(path),
        bounds=bounds,
        chunk_shape=chunk_shape,
        axes=axes,
        geometry_types=geometry_types,
        ndim=ndim,
        bin_shape=bin_shape,
        links_convention=links_convention,
        format_capabilities=format_capabilities,
        crs=crs,
    )
    with vectors_backend(backend):
        root = create_group(
            path,
            attributes=metadata.attributes(),
            overwrite=overwrite,
            backend=backend,
            **backend_kwargs,
        )
    return _put_level(root, metadata, Storage(compressor, shard_shape), dtype)


def create_store_below(
    parent: Group,
    name: str,
    *,
    compressor: Any = None,
    dtype: str = "float32",
    shard_shape: ShardShape = "auto",
    overwrite: bool = False,
    **options: Any,
) -> Group:
    """Create an empty vector store in a group; parameters as of :func:`create_store`."""
    metadata = _new_metadata(name, **options)
    root = parent.create_group(name, attributes=metadata.attributes(), overwrite=overwrite)
    return _put_level(root, metadata, Storage(compressor, shard_shape), dtype)


def _new_metadata(
    name: str,
    *,
    bounds: Sequence[Sequence[float]] | None = None,
    chunk_shape: Sequence[float] | None = None,
    axes: Sequence[str | Mapping[str, Any]] | None = None,
    geometry_types: Sequence[str] | None = None,
    ndim: int | None = None,
    bin_shape: Sequence[float] | None = None,
    links_convention: str | None = None,
    format_capabilities: Sequence[str] = (),
    crs: Mapping[str, Any] | None = None,
) -> RootMetadata:
    """Return what the root of a new store says."""
    wrong = {*(geometry_types or ())} - GEOMETRY_TYPES
    if wrong or (links_convention or "explicit") not in LINKS_CONVENTIONS:
        raise MetadataError(
            f"{sorted(wrong) or links_convention} is not known: geometry types are "
            f"{', '.join(sorted(GEOMETRY_TYPES))}; conventions of links are "
            f"{', '.join(sorted(LINKS_CONVENTIONS))}",
            kind="geometry_types",
        )
    n = _dimensions(ndim, axes, chunk_shape, bounds, bin_shape)
    corners = _corners(bounds, n)
    named = tuple(
        {"name": a, "type": "space"} if isinstance(a, str) else dict(a) for a in axes or ()
    )
    own = {"crs": dict(crs)} if crs else {}
    return RootMetadata(
        chunk_shape=tuple(map(float, chunk_shape)) if chunk_shape else _whole(corners),
        bounds=corners,
        geometry_types=tuple(geometry_types or ()),
        axes=named or default_axes(n),
        base_bin_shape=tuple(map(float, bin_shape)) if bin_shape else None,
        links_convention=links_convention,
        format_capabilities=tuple(format_capabilities),
        name=name,
        raw={"zarr_vectors": own} if own else {},
    ).with_level(0, (1.0,) * n)


def _put_level(root: Group, metadata: RootMetadata, storage: Storage, dtype: str) -> Group:
    """Store the arrays of level 0 of a new store."""
    for array in _level_arrays(root, metadata, storage, dtype=dtype):
        array.put()
    _put_group(root, "0", LevelMetadata(0).attributes())
    return root


def _put_group(root: Group, path: str, attributes: Mapping[str, Any]) -> None:
    """Store the document of a group below the root."""
    document = group_document(attributes=attributes)
    crud.write_metadata(document, root.store, join(root.path, path))


def _level_arrays(
    root: Group,
    metadata: RootMetadata,
    storage: Storage,
    *,
    dtype: str,
    level: LevelMetadata | None = None,
    cell_bytes: float = 0.0,
) -> tuple[CellArray, CellArray]:
    """Return the arrays every level has, vertices and their fragments, not stored yet."""
    level = level or LevelMetadata(0)
    grid = metadata.grid(level)
    place = join(root.path, str(level.level))
    encodings = {"vertices": {"dtype": dtype, "encoding": "raw"}}
    encodings["vertex_fragments"] = {"encoding": "fragment_index_v1"}
    vertices, fragments = (
        CellArray.new(
            root.store, f"{place}/{name}", grid, name, about, storage, cell_bytes=cell_bytes
        )
        for name, about in encodings.items()
    )
    return vertices, fragments


def _dimensions(ndim: int | None, *described: Sequence[Any] | None) -> int:
    """Return the number of dimensions that all of what is given has."""
    axes, chunk_shape, bounds, bin_shape = described
    lengths = {len(part) for part in (axes, chunk_shape, bin_shape, *(bounds or ())) if part}
    lengths |= {ndim} if ndim is not None else set()
    if len(lengths) > 1:
        raise MetadataError(
            f"ndim={ndim}, axes={axes}, chunk_shape={chunk_shape}, bounds={bounds} and "
            f"bin_shape={bin_shape} do not describe one space: give as many numbers in each as "
            "there are dimensions",
            kind="ndim",
        )
    return lengths.pop() if lengths else 3


def _corners(bounds: Sequence[Sequence[float]] | None, ndim: int) -> Bounds:
    if bounds is None:
        return (0.0,) * ndim, (_DEFAULT_SIDE,) * ndim
    low, high = bounds
    return tuple(float(x) for x in low), tuple(float(x) for x in high)


def _whole(bounds: Bounds) -> tuple[float, ...]:
    """Return the edges of a chunk that holds all of what does not cross zero."""
    reach = np.abs(np.asarray(bounds)).max(axis=0)
    return tuple((np.floor(reach) + 1.0).tolist())

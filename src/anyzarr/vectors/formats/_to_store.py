"""Vectors of any source written to a new vector store, part by part."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import numpy as np

from anyzarr._nodes import create_group
from anyzarr.abc import Store
from anyzarr.errors import UnsupportedError
from anyzarr.vectors._documents import RootMetadata
from anyzarr.vectors._geometry import Geometry
from anyzarr.vectors._grid import Bounds
from anyzarr.vectors._job import Kind, WriteOptions
from anyzarr.vectors._points import INPUT_ORDER, POINTS
from anyzarr.vectors._storage import ShardShape
from anyzarr.vectors._target import chunk_shape_for
from anyzarr.vectors._write import write_level
from anyzarr.vectors._write_networks import GRAPH, MESH, SKELETON, tree_geometry
from anyzarr.vectors._write_paths import path_kind
from anyzarr.vectors.formats._format import VectorFacts, VectorSource
from anyzarr.vectors.formats._stored import SOURCE_KEY

__all__ = ["StoreOptions", "Written", "write_store"]

_BINS = 8
"""Bins per edge of a chunk of objects, so that levels of detail have something to be made of."""
_POSITION_TYPES = ("float16", "float32", "float64")


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """How a new store is written; each None is for the library to choose.

    Attributes
    ----------
    chunk_shape, bin_shape
        Edge lengths of a chunk, and of the bins in it, one per axis. Default of bins: an eighth of
        a chunk, and of points a chunk.
    shard_shape
        Chunks per shard, ``"auto"``, or None for none.
    compressor
        Codecs of the arrays.
    dtype
        Type of the positions; None: that of the source.
    name
        Name of the store.
    preserve_order
        Keep the row of each vertex of the source as an attribute.
    """

    chunk_shape: Sequence[float] | None = None
    bin_shape: tuple[float, ...] | None = None
    shard_shape: ShardShape = "auto"
    compressor: Any = None
    dtype: str | None = None
    name: str | None = None
    preserve_order: bool = False


@dataclass(frozen=True, slots=True)
class Written:
    """What was written to a store.

    Attributes
    ----------
    vertex_count, object_count
        Vertices, and objects.
    """

    vertex_count: int
    object_count: int


def write_store(
    source: VectorSource, store: Store, options: StoreOptions, advance: Callable[[int], None]
) -> Written:
    """Write all parts of a source to a store that holds nothing.

    Parameters
    ----------
    source
        The vectors.
    store
        Where to.
    options
        How.
    advance
        Called with the number of vertices after each part.

    Raises
    ------
    MetadataError
        Positions cannot be of the type asked for, or the chunk shape does not fit the space.
    UnsupportedError
        The type asked for is no type of positions.

    Examples
    --------
    >>> from anyzarr.stores import open_store
    >>> from anyzarr.vectors import write_points
    >>> from anyzarr.vectors.formats import StoredSource, StoreOptions, write_store
    >>> memory = {}
    >>> _ = write_points(memory, [[1, 2], [3, 4]])
    >>> target = open_store({}, mode="a")
    >>> options = StoreOptions(chunk_shape=(2.0, 2.0))
    >>> write_store(StoredSource(memory), target, options, lambda n: None).vertex_count
    2
    """
    facts = source.facts
    told = "float64" if facts.dtype.kind in "iu" else facts.dtype
    dtype = _dtype(options.dtype or told)
    metadata = _metadata(facts, options, dtype)
    root = create_group(store, attributes=metadata.attributes())
    write_options = WriteOptions(
        dtype=dtype,
        compressor=options.compressor,
        shard_shape=options.shard_shape,
        mode="append",
        out_of_bounds="raise",
    )
    n = 0
    objects: list[int] = []
    for part in source.batches():
        kind = _kind(facts.geometry_type, part)
        geometry = _prepared(part, facts.geometry_type, n, options)
        objects.append(write_level(root, geometry, write_options, kind).object_count)
        n += part.n_vertices
        advance(part.n_vertices)
    root.close()
    return Written(n, sum(objects))


def _dtype(asked: Any) -> str:
    """Return a type of positions that holds the numbers."""
    try:
        kind = np.dtype(asked)
    except TypeError:
        kind = np.dtype(object)
    name = str(kind.newbyteorder("=").name)
    if name not in _POSITION_TYPES:
        raise UnsupportedError(
            f"dtype={asked!r} cannot be the type of positions: give one of "
            f"{', '.join(_POSITION_TYPES)}",
            kind="dtype",
        )
    return name


def _metadata(facts: VectorFacts, options: StoreOptions, dtype: str) -> RootMetadata:
    ndim = len(facts.axes)
    bounds = _as_stored(facts.bounds, dtype) or ((0.0,) * ndim, (1.0,) * ndim)
    chunk_shape, bin_shape = _edges(facts, options, bounds)
    kind = _kind(facts.geometry_type, None)
    return RootMetadata(
        chunk_shape=chunk_shape,
        base_bin_shape=bin_shape,
        bounds=bounds,
        geometry_types=(facts.geometry_type,),
        axes=facts.axes,
        links_convention=kind.links_convention,
        name=options.name or "vectors",
        raw={SOURCE_KEY: dict(facts.attributes)} if facts.attributes else {},
    ).with_level(0, (1.0,) * ndim)


def _edges(
    facts: VectorFacts, options: StoreOptions, bounds: Bounds
) -> tuple[tuple[float, ...], tuple[float, ...] | None]:
    """Return the edge lengths of chunks and of bins; None: bins are chunks.

    Fragments of points are those of bins, which several parts would interleave in a chunk.
    """
    ndim = len(facts.axes)
    bins = None if options.bin_shape is None else _per_axis(options.bin_shape, ndim)
    if options.chunk_shape is not None:
        chunk = _per_axis(options.chunk_shape, ndim)
    else:
        chunk = chunk_shape_for(bounds, facts.vertex_count)
        if bins is not None and len(bins) == ndim and min(bins) > 0:
            chunk = tuple(math.ceil(c / b) * b for c, b in zip(chunk, bins, strict=True))
    if bins is None and facts.geometry_type != "point_cloud":
        bins = tuple(edge / _BINS for edge in chunk)
    return chunk, bins


def _per_axis(edges: Sequence[float], ndim: int) -> tuple[float, ...]:
    return tuple(map(float, (*edges,) * ndim if len(edges) == 1 else edges))


def _as_stored(bounds: Bounds | None, dtype: str) -> Bounds | None:
    """Return bounds as the numbers that their corners become when they are stored."""
    if bounds is None:
        return None
    with np.errstate(over="ignore"):
        low, high = np.asarray(bounds).astype(dtype).astype(np.float64).tolist()
    return tuple(low), tuple(high)


def _kind(geometry_type: str, part: Geometry | None) -> Kind:
    networks = {"graph": GRAPH, "mesh": MESH, "skeleton": SKELETON, "point_cloud": POINTS}
    if geometry_type in networks:
        return networks[geometry_type]
    kind = cast("Literal['line', 'polyline', 'streamline']", geometry_type)
    return path_kind(kind, has_ids=part is not None and part.object_ids is not None)


def _prepared(part: Geometry, geometry_type: str, first: int, options: StoreOptions) -> Geometry:
    """Return a part as it is written."""
    if options.preserve_order and geometry_type in {"point_cloud", "graph", "skeleton", "mesh"}:
        rows = np.arange(first, first + part.n_vertices, dtype=np.int64)
        part = replace(part, vertex_attributes={**part.vertex_attributes, INPUT_ORDER: rows})
    return tree_geometry(part) if geometry_type == "skeleton" else part

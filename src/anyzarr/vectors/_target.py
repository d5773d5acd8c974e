"""Where a geometry is written to: a store that is there, or a new one that suits it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from anyzarr._nodes import Group, create_group
from anyzarr._nodes._node import finish
from anyzarr.errors import MetadataError, NodeExistsError, NodeNotFoundError
from anyzarr.vectors._documents import RootMetadata
from anyzarr.vectors._geometry import Geometry, finite_positions
from anyzarr.vectors._grid import Bounds
from anyzarr.vectors._job import Kind, WriteOptions
from anyzarr.vectors._open import (
    name_of,
    open_root,
    require_known_capabilities,
    vectors_backend,
)
from anyzarr.vectors._write import holds_data

__all__ = ["check_target", "chunk_shape_for", "target_of"]

_CHUNK_VERTICES = 50_000
_DEFAULT_SIDE = 128.0


@contextmanager
def target_of(
    location: Any,
    geometry: Geometry,
    options: WriteOptions,
    kind: Kind,
    backend: str | None,
    backend_kwargs: dict[str, Any],
) -> Iterator[Group]:
    """Give the root of the store to write to; complete the archive that is made, if one is.

    Raises
    ------
    NodeExistsError
        There is data, and the mode is ``"create"``; or something that is no vector store.
    MetadataError
        The chunks, bins or dimensions of the store are others than those asked for.
    """
    root = None
    if options.mode != "overwrite":
        root = _existing(location, backend, backend_kwargs)
    if root is None:
        root = _create(location, geometry, options, kind, backend, backend_kwargs)
    check_target(root, geometry, options, kind)
    if options.mode == "create":
        require_empty(root, 0)
    try:
        yield root
    except BaseException as error:
        if root is not location and root._makes_archive:
            finish(root.store, error)
        raise
    if root is not location:
        root.close()


def _existing(location: Any, backend: str | None, backend_kwargs: dict[str, Any]) -> Group | None:
    try:
        return open_root(location, "r+", backend=backend, **backend_kwargs)[0]
    except NodeNotFoundError:
        return None
    except MetadataError as error:
        if error.kind not in {"not_vectors", "not_a_group"}:
            raise
        raise NodeExistsError(
            f"{location} holds something that is no vector store; choose another location, or "
            "replace what is there with mode='overwrite'",
            kind="not_vectors",
        ) from error


def _create(
    location: Any,
    geometry: Geometry,
    options: WriteOptions,
    kind: Kind,
    backend: str | None,
    backend_kwargs: dict[str, Any],
) -> Group:
    if isinstance(location, Group):
        raise MetadataError(
            f"{location.url} is an open group, which cannot be replaced; give its location",
            kind="overwrite",
        )
    metadata = _metadata_for(location, geometry, options, kind)
    is_over = options.mode == "overwrite"
    with vectors_backend(backend):
        try:
            return create_group(
                location,
                attributes=metadata.attributes(),
                overwrite=is_over,
                backend=backend,
                **backend_kwargs,
            )
        except NodeExistsError:
            # Another process was faster: its store is the one to append to.
            if options.mode != "append":
                raise
    return open_root(location, "r+", backend=backend, **backend_kwargs)[0]


def _metadata_for(
    location: Any, geometry: Geometry, options: WriteOptions, kind: Kind
) -> RootMetadata:
    positions = finite_positions(geometry.positions, options.dtype)
    bounds = _bounds(positions, options)
    ndim = geometry.ndim
    chunk_shape = options.chunk_shape or chunk_shape_for(bounds, len(positions))
    for name, value in (("chunk_shape", chunk_shape), ("bin_shape", options.bin_shape)):
        if value is not None and len(value) != ndim:
            raise MetadataError(
                f"{name}={tuple(value)} has {len(value)} edges, and positions have {ndim} "
                "dimensions; give one edge for each",
                kind=name,
            )
    return RootMetadata(
        chunk_shape=tuple(map(float, chunk_shape)),
        bounds=bounds,
        geometry_types=(kind.geometry_type,),
        base_bin_shape=tuple(map(float, options.bin_shape)) if options.bin_shape else None,
        links_convention=kind.links_convention,
        name=name_of(location),
    ).with_level(0, (1.0,) * ndim)


def _bounds(positions: Any, options: WriteOptions) -> Bounds:
    if options.bounds is not None:
        low, high = options.bounds
        return tuple(float(x) for x in low), tuple(float(x) for x in high)
    if not len(positions):
        ndim = positions.shape[1]
        return (0.0,) * ndim, (_DEFAULT_SIDE,) * ndim
    return tuple(positions.min(axis=0).tolist()), tuple(positions.max(axis=0).tolist())


def chunk_shape_for(bounds: Bounds, n_vertices: int) -> tuple[float, ...]:
    """Return cubes that hold about 50,000 vertices each, were they evenly spread."""
    low, high = np.asarray(bounds, dtype=np.float64)
    extent = high - low
    n_chunks = n_vertices / _CHUNK_VERTICES
    if n_chunks <= 1:
        edge = float(np.abs(np.asarray(bounds)).max() + extent.max()) + 1.0
        return (edge,) * len(extent)
    held = extent[extent > 0]
    edge = float((held / n_chunks ** (1 / len(held))).prod() ** (1 / len(held)))
    return (edge,) * len(extent)


def check_target(root: Group, geometry: Geometry, options: WriteOptions, kind: Kind) -> None:
    """Refuse what does not go with the store that is there."""
    metadata = RootMetadata.parse(root.metadata.attributes)
    require_known_capabilities(metadata, root.url)
    if metadata.ndim != geometry.ndim:
        raise MetadataError(
            f"{root.url} holds a space of {metadata.ndim} dimensions, and positions have "
            f"{geometry.ndim}",
            kind="ndim",
        )
    stored = {"chunk_shape": metadata.chunk_shape, "bin_shape": metadata.bin_shape}
    asked = {"chunk_shape": options.chunk_shape, "bin_shape": options.bin_shape}
    for name, value in asked.items():
        if value is not None and tuple(map(float, value)) != stored[name]:
            raise MetadataError(
                f"{name}={tuple(value)} differs from that of {root.url}, {stored[name]}, which "
                "holds for all of a store: leave it out, or choose another location",
                kind=name,
            )
    types = metadata.geometry_types
    if types and kind.geometry_type not in types:
        raise MetadataError(
            f"{root.url} holds {', '.join(types)}, and cannot hold {kind.geometry_type} beside "
            "it; choose another location",
            kind="geometry_types",
        )


def require_empty(root: Group, level: int) -> None:
    """Refuse to touch data.

    Raises
    ------
    NodeExistsError
        The level holds something.
    """
    path, base = f"{level}/vertex_fragments", str(level)
    nodes = root.get_many([path, base])
    if base in nodes and holds_data(nodes.get(path)):
        raise NodeExistsError(
            f"{root.url} holds data; add to it with mode='append', replace it with "
            "mode='overwrite', or choose another location",
            path=root.path,
        )

"""Levels of detail: each made of the one before."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from anyzarr import crud
from anyzarr._nodes import Group
from anyzarr.errors import MetadataError, NodeExistsError, NodeNotFoundError, UnsupportedError
from anyzarr.stores import join
from anyzarr.vectors._coarsen import Rule, coarsened, thinned
from anyzarr.vectors._documents import LevelMetadata, RootMetadata
from anyzarr.vectors._gather import gather_objects, gather_rows
from anyzarr.vectors._geometry import Geometry
from anyzarr.vectors._grid import CellGrid
from anyzarr.vectors._job import Kind, Pieces, WriteOptions
from anyzarr.vectors._level import StoredLevel
from anyzarr.vectors._objects import read_groups
from anyzarr.vectors._open import open_root
from anyzarr.vectors._write import storage_of, write_level

__all__ = ["build_pyramid", "remove_resolution_level"]


def build_pyramid(
    path: Any,
    *,
    factors: Sequence[tuple[float, float]] = ((2.0, 1.0),),
    attribute_rules: Mapping[str, Rule] | None = None,
    preserve_object_ids: bool = True,
    seed: int = 0,
    overwrite: bool = False,
    backend: str | None = None,
    **backend_kwargs: Any,
) -> tuple[int, ...]:
    """Make levels of detail of the points of a store.

    A level has one point for each bin, and for each object in it: the mean of those of the level
    before. All attributes are kept, and so are the ids of objects, their attributes and groups.
    A level is stored as level 0 is, and is held in memory while the next is made of it.

    Parameters
    ----------
    path, backend, **backend_kwargs
        As for :func:`anyzarr.vectors.open_store`.
    factors
        For each level, how many times larger its bins are than those of the level before, and
        which share of the objects (of the points, where there are no objects) it keeps.
    attribute_rules
        How vertex attributes are taken together, by name: ``"mean"``, ``"first"``, ``"sum"``,
        ``"min"`` or ``"max"``. Default: floating-point numbers by their mean, everything else
        from one of the points.
    preserve_object_ids
        Whether the levels have the objects. Otherwise all points of a bin become one, whatever
        objects they belong to.
    seed
        Of the choice of what is kept.
    overwrite
        Replace the levels there are. Otherwise there may be none but level 0.

    Returns
    -------
    tuple of int
        Numbers of the levels that were made.

    Raises
    ------
    NodeExistsError
        There are levels, and ``overwrite`` is off.
    UnsupportedError
        The store holds something other than points.
    MetadataError
        A factor is not valid, or a rule does not fit an attribute.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.vectors import build_pyramid, read_points, write_points
    >>> memory = {}
    >>> positions = np.random.default_rng(0).uniform(0, 100, (5000, 3))
    >>> _ = write_points(memory, positions, chunk_shape=(50, 50, 50), bin_shape=(10, 10, 10))
    >>> build_pyramid(memory, factors=[(1, 1), (2, 1), (2.5, 0.5)])
    (1, 2, 3)
    >>> [read_points(memory, level=level).vertex_count for level in range(4)]
    [5000, 987, 125, 4]
    """
    root, metadata = open_root(path, "r+", backend=backend, **backend_kwargs)
    _check(root, metadata, factors)
    for number in reversed(metadata.levels[1:]):
        if not overwrite:
            raise NodeExistsError(
                f"{root.url} has the levels {list(metadata.levels)}; replace them with "
                "overwrite=True, or remove them",
                path=str(number),
            )
        _remove(root, number)
    rng = np.random.default_rng(seed)
    stored = StoredLevel.of(root.refresh(), metadata, 0)
    geometry, scale, kept = _geometry_of(stored, preserve_object_ids), 1.0, 1.0
    options = WriteOptions(dtype=str(stored.dtype))
    storage = storage_of(stored.vertices.metadata, options)
    options = replace(options, compressor=storage.compressor, shard_shape=storage.shard_shape)
    for number, (coarsen, share) in enumerate(factors, start=1):
        scale, kept = scale * coarsen, kept * share
        bin_shape = [edge * scale for edge in metadata.bin_shape]
        geometry = coarsened(geometry, bin_shape, attribute_rules or {})
        if share < 1:
            geometry = thinned(geometry, share, rng)
        level = LevelMetadata(
            number,
            arrays_present=("vertices",),
            object_sparsity=kept,
            coarsening_method="per_object",
            parent_level=number - 1,
        )
        kind = Kind("point_cloud", "implicit_sequential", _cutting(metadata))
        write_level(root, geometry, options, kind, level, (scale,) * metadata.ndim)
    return tuple(range(1, len(factors) + 1))


def remove_resolution_level(
    path: Any, level: int, *, backend: str | None = None, **backend_kwargs: Any
) -> None:
    """Remove a level of detail.

    Parameters
    ----------
    path, backend, **backend_kwargs
        As for :func:`anyzarr.vectors.open_store`.
    level
        Its number; level 0 cannot be removed.

    Raises
    ------
    NodeNotFoundError
        There is no such level.
    MetadataError
        It is level 0.
    """
    root, metadata = open_root(path, "r+", backend=backend, **backend_kwargs)
    if level == 0:
        raise MetadataError("level 0 holds the data, and cannot be removed", kind="level")
    if level not in metadata.levels:
        raise NodeNotFoundError(
            f"{root.url} has no level {level}; it has {list(metadata.levels)}", path=str(level)
        )
    _remove(root, level)


def _remove(root: Group, level: int) -> None:
    """Remove a level: the root forgets it first."""
    is_consolidated = "consolidated_metadata" in root.metadata.document

    def without(stored: dict[str, Any]) -> dict[str, Any]:
        return RootMetadata.parse(stored).without_level(level).attributes()

    crud.update_attributes(root.store, root.path, without)
    crud.delete_node(root.store, join(root.path, str(level)))
    if is_consolidated:
        crud.consolidate_metadata(root.store, root.path)


def _check(root: Group, metadata: RootMetadata, factors: Sequence[tuple[float, float]]) -> None:
    if set(metadata.geometry_types) - {"point_cloud"}:
        raise UnsupportedError(
            f"{root.url} holds {', '.join(metadata.geometry_types)}, and levels are made of points "
            "only",
            kind="geometry_types",
        )
    for coarsen, share in factors:
        if not (1 <= coarsen < math.inf and 0 < share <= 1):
            raise MetadataError(
                f"the factors {(coarsen, share)} are not valid: bins grow by at least 1, and a "
                "share above 0 and up to 1 is kept",
                kind="factors",
            )


def _geometry_of(level: StoredLevel, with_objects: bool) -> Geometry:
    """Return all points of a level, with everything that belongs to them."""
    names = level.attribute_names()
    index = level.objects if with_objects else None
    if index is None:
        positions, columns = gather_rows(level, level.cells, names)
        return Geometry(positions, columns)
    order = np.argsort(index.ids, kind="stable")
    gathered = gather_objects(level, index.manifests(order), names)
    assert gathered.fragment_object is not None
    return Geometry(
        gathered.positions,
        gathered.attributes,
        object_rows=gathered.fragment_object[gathered.fragment_of_vertex],
        object_ids=index.ids[order],
        object_attributes=index.attributes(order),
        groups=read_groups(level.root, level.number),
    )


def _cutting(metadata: RootMetadata) -> Callable[[Geometry, CellGrid], Pieces]:
    """Return what cuts points along the bins of level 0, as readers of the format expect it."""

    def cut(geometry: Geometry, grid: CellGrid) -> Pieces:
        if geometry.object_rows is not None:
            return Pieces(geometry.object_rows)
        fine = replace(grid, bin_shape=metadata.bin_shape)
        numbers = fine.bin_numbers(geometry.positions)
        return Pieces(numbers, by_number=True, n_pieces=fine.n_bins)

    return cut

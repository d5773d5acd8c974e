"""Levels that are added to a store, and removed from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, TypeAlias

import numpy as np

from anyzarr import crud
from anyzarr._nodes import Group
from anyzarr.crud._nodes import changing
from anyzarr.errors import MetadataError, NodeNotFoundError
from anyzarr.stores import join
from anyzarr.vectors._blobs import Ints
from anyzarr.vectors._constants import CAP_PRESERVED_OBJECT_IDS
from anyzarr.vectors._documents import LevelMetadata, RootMetadata
from anyzarr.vectors._geometry import Geometry
from anyzarr.vectors._job import Job, Kind, Part, WriteOptions, WriteSummary
from anyzarr.vectors._level import StoredLevel
from anyzarr.vectors._level_links import drop_links_to
from anyzarr.vectors._link_attributes import absent
from anyzarr.vectors._objects_write import Documents
from anyzarr.vectors._open import open_root
from anyzarr.vectors._write import storage_of, write_level

__all__ = [
    "CrossLevelStorage",
    "as_chunk_scale",
    "capturing",
    "check_chunks",
    "finished",
    "forget_level",
    "options_like",
    "remove_resolution_level",
    "scaled_chunks",
    "with_places",
    "write_new_level",
]

CrossLevelStorage: TypeAlias = Literal["none", "implicit", "explicit"]


def remove_resolution_level(
    path: Any, level: int, *, backend: str | None = None, **backend_kwargs: Any
) -> None:
    """Remove the coarsest level of detail, and the links that lead to it.

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
        It is level 0, or there are coarser levels, which follow it.
    """
    root, metadata = open_root(path, "r+", backend=backend, **backend_kwargs)
    if level == 0:
        raise MetadataError("level 0 holds the data, and cannot be removed", kind="level")
    if level not in metadata.levels:
        raise NodeNotFoundError(
            f"{root.url} has no level {level}; it has {list(metadata.levels)}", path=str(level)
        )
    if level != metadata.levels[-1]:
        raise MetadataError(
            f"level {level} cannot be removed, as level {metadata.levels[-1]} is coarser, and "
            "levels follow one another: remove the coarsest first",
            kind="level",
        )
    is_consolidated = "consolidated_metadata" in root.metadata.document
    has_links = forget_level(root, level)
    finished(root, None if has_links else "none", None, consolidate=is_consolidated)


def forget_level(root: Group, level: int) -> bool:
    """Remove a level: the root forgets it first. Return whether there are links between others."""
    left: tuple[int, ...] = ()

    def without(stored: dict[str, Any]) -> dict[str, Any]:
        nonlocal left
        metadata = RootMetadata.parse(stored).without_level(level)
        left = metadata.levels
        return metadata.attributes()

    crud.update_attributes(root.store, root.path, without)
    has_links = drop_links_to(root, left, level)
    _clear(root, level)
    return has_links


def _clear(root: Group, level: int) -> None:
    """Remove what is stored of a level that the root does not name."""
    with changing(root.store, root.path):
        root.store.delete_prefix(f"{join(root.path, str(level))}/")


def finished(
    root: Group, storage: CrossLevelStorage | None, depth: int | None, *, consolidate: bool
) -> None:
    """Say at the root what its levels have, and consolidate metadata again.

    Parameters
    ----------
    root
        The store.
    storage, depth
        Which links there are between levels; None: as the root says.
    consolidate
        Whether metadata had been consolidated.
    """

    def told(stored: dict[str, Any]) -> dict[str, Any]:
        metadata = RootMetadata.parse(stored)
        if storage is not None:
            metadata = metadata.with_level_links(storage, depth)
        return metadata.attributes()

    crud.update_attributes(root.store, root.path, told)
    if consolidate:
        crud.consolidate_metadata(root.store, root.path)
    root.refresh()


def as_chunk_scale(metadata: RootMetadata, factor: int | Sequence[int]) -> Ints:
    """Return how many times larger chunks become, per dimension.

    Raises
    ------
    MetadataError
        The factor is not one whole number, or one per dimension.
    """
    by = np.asarray(factor)
    if by.dtype.kind not in "iu" or by.shape not in ((), (metadata.ndim,)) or (by < 1).any():
        raise MetadataError(
            f"the chunk scale factor {factor!r} is not valid: a whole number of at least 1, or "
            f"{metadata.ndim} of them",
            kind="chunk_scale_factors",
        )
    return np.broadcast_to(by.astype(np.int64), (metadata.ndim,))


def scaled_chunks(metadata: RootMetadata, scale: Ints) -> tuple[float, ...] | None:
    """Return the edge lengths of chunks that measure so many of the root's; None: one."""
    if (scale == 1).all():
        return None
    return tuple((np.asarray(metadata.chunk_shape) * scale).tolist())


def with_places(geometry: Geometry, ids: Ints) -> Geometry:
    """Return a geometry with a place for each of these objects, those too that it has not.

    So do readers of the format find objects by their numbers. Attributes of objects that are not
    there are absent.

    Parameters
    ----------
    geometry
        The geometry, whose objects are among them.
    ids
        Ids of objects, ascending.
    """
    if geometry.object_ids is None or geometry.object_rows is None:
        return geometry
    place = np.searchsorted(ids, geometry.object_ids)
    columns = {}
    for name, column in geometry.object_attributes.items():
        is_text = column.dtype.kind in "UTO"
        dtype = np.dtype(object) if is_text else column.dtype
        fill = None if is_text else absent(dtype)
        columns[name] = np.full((len(ids), *column.shape[1:]), fill, dtype)
        columns[name][place] = column
    return replace(
        geometry,
        object_rows=place[geometry.object_rows],
        object_ids=ids,
        object_attributes=columns,
    )


def check_chunks(metadata: RootMetadata, scale: Ints, bin_shape: Sequence[float]) -> None:
    """Refuse chunks of a level that its bins do not divide, where these are smaller.

    Raises
    ------
    MetadataError
        They do not.
    """
    if (scale == 1).all():
        return
    chunk_shape = np.asarray(metadata.chunk_shape) * scale
    count = chunk_shape / np.asarray(bin_shape)
    if ((count > 1) & (np.abs(count - np.round(count)) > 1e-9 * count)).any():
        raise MetadataError(
            f"chunks of {chunk_shape.tolist()} are no whole numbers of bins of "
            f"{list(bin_shape)}: choose chunk_scale_factors and factors that fit each other",
            kind="chunk_scale_factors",
        )


def options_like(level: StoredLevel) -> WriteOptions:
    """Return options that store a level as another one is stored, in the space alone."""
    storage = storage_of(level.vertices.metadata, WriteOptions())
    shards = storage.shard_shape
    if isinstance(shards, tuple):
        shards = shards[-level.ndim :]  # before these there is the attribute that divides chunks
    return WriteOptions(dtype=str(level.dtype), compressor=storage.compressor, shard_shape=shards)


def capturing(kind: Kind, jobs: list[Job]) -> Kind:
    """Return a kind whose write is put into a list, for what is asked of it afterwards."""
    links = kind.links

    def told(job: Job) -> tuple[list[Part], Documents]:
        jobs.append(job)
        return ([], {}) if links is None else links(job)

    return replace(kind, links=told)


def write_new_level(
    root: Group,
    geometry: Geometry,
    options: WriteOptions,
    kind: Kind,
    level: LevelMetadata,
    scale: Sequence[float],
) -> WriteSummary:
    """Write a level that the root does not name; what was left of one is removed before.

    Parameters are those of :func:`anyzarr.vectors._write.write_level`.
    """
    metadata = RootMetadata.parse(root.metadata.attributes)
    drop_links_to(root, metadata.levels, level.level)
    _clear(root, level.level)
    summary = write_level(root, geometry, options, kind, level, scale)
    if level.preserves_object_ids:

        def told(stored: dict[str, Any]) -> dict[str, Any]:
            return RootMetadata.parse(stored).with_capability(CAP_PRESERVED_OBJECT_IDS).attributes()

        crud.update_attributes(root.store, root.path, told)
        root.refresh()
    return summary

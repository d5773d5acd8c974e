"""What is in a vector store, from its documents alone."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from anyzarr._nodes import Group
from anyzarr.vectors._documents import RootMetadata
from anyzarr.vectors._editions import read_current
from anyzarr.vectors._grid import Bounds
from anyzarr.vectors._level import StoredLevel
from anyzarr.vectors._level_links import linked_levels
from anyzarr.vectors._open import open_root

__all__ = ["StoreInfo", "VectorLevelInfo", "store_info"]


@dataclass(frozen=True, slots=True)
class VectorLevelInfo:
    """One level of a vector store.

    Attributes
    ----------
    level
        Its number.
    vertex_count, object_count
        Vertices, and objects.
    chunk_count
        Chunks that hold something.
    chunk_shape, bin_shape
        Edge lengths of chunks and bins.
    dtype
        Type of the positions.
    attributes
        Names of the vertex attributes.
    object_attributes, link_attributes
        Names of the attributes of objects, and of links.
    link_count
        Links that are stored: edges, faces, and what joins the pieces of a path.
    parent_level, method
        From which level it was made, and how.
    object_share
        Share of the objects that it keeps.
    linked_levels
        Levels to which its vertices are linked.
    """

    level: int
    vertex_count: int
    object_count: int
    chunk_count: int
    chunk_shape: tuple[float, ...]
    bin_shape: tuple[float, ...]
    dtype: str
    attributes: tuple[str, ...]
    object_attributes: tuple[str, ...]
    link_count: int = 0
    parent_level: int | None = None
    method: str = "none"
    object_share: float = 1.0
    linked_levels: tuple[int, ...] = ()
    link_attributes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StoreInfo:
    """A vector store.

    Attributes
    ----------
    url, name
        Its address and its name for people.
    zv_version
        Version of the format.
    geometry_types
        What it holds.
    axes
        Names of the axes.
    bounds
        What it may hold.
    chunk_shape, bin_shape
        Edge lengths of chunks and bins of level 0.
    links_convention
        What joins vertices where no link is stored.
    format_capabilities
        What a reader must know.
    levels
        Its levels, 0 first.
    units
        Of the axes; None where an axis has none.
    """

    url: str
    name: str
    zv_version: str
    geometry_types: tuple[str, ...]
    axes: tuple[str, ...]
    bounds: Bounds
    chunk_shape: tuple[float, ...]
    bin_shape: tuple[float, ...]
    links_convention: str | None
    format_capabilities: tuple[str, ...]
    levels: tuple[VectorLevelInfo, ...]
    units: tuple[str | None, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return dataclasses.asdict(self)


def store_info(path: Any, *, backend: str | None = None, **backend_kwargs: Any) -> StoreInfo:
    """Return what is in a vector store; only documents are read.

    Parameters
    ----------
    path, backend, **backend_kwargs
        As for :func:`anyzarr.vectors.open_store`.

    Raises
    ------
    NodeNotFoundError
        There is no such store.
    ConflictError
        The store is edited all the time.

    Examples
    --------
    >>> from anyzarr.vectors import store_info, write_points
    >>> memory = {}
    >>> _ = write_points(memory, [[1, 1], [8, 2]], vertex_attributes={"i": [5, 6]})
    >>> facts = store_info(memory)
    >>> facts.geometry_types, facts.levels[0].vertex_count, facts.levels[0].attributes
    (('point_cloud',), 2, ('i',))
    """
    root, _ = open_root(path, "r", backend=backend, **backend_kwargs)
    return read_current(root, lambda: _facts(root))


def _facts(root: Group) -> StoreInfo:
    """Return what is in a store, by the root's document at hand."""
    metadata = RootMetadata.parse(root.metadata.attributes)
    return StoreInfo(
        url=root.url,
        name=metadata.name,
        zv_version=metadata.zv_version,
        geometry_types=metadata.geometry_types,
        axes=tuple(str(axis.get("name")) for axis in metadata.axes),
        bounds=metadata.bounds,
        chunk_shape=metadata.chunk_shape,
        bin_shape=metadata.bin_shape,
        links_convention=metadata.links_convention,
        format_capabilities=metadata.format_capabilities,
        levels=tuple(_level(root, metadata, number) for number in metadata.levels),
        units=tuple(str(a["unit"]) if a.get("unit") else None for a in metadata.axes),
    )


def _level(root: Group, metadata: RootMetadata, number: int) -> VectorLevelInfo:
    level = StoredLevel.of(root, metadata, number)
    families = [f"{number}/{kind}_attributes" for kind in ("vertex", "object", "link")]
    nodes = root.get_many([*families, f"{number}/links/0"])
    links = nodes.pop(f"{number}/links/0", None)
    groups = [nodes.get(path) for path in families]
    names = [tuple(g.keys()) if isinstance(g, Group) else () for g in groups]
    objects = level.objects
    return VectorLevelInfo(
        level=number,
        vertex_count=level.level.vertex_count,
        object_count=0 if objects is None else objects.n_present,
        chunk_count=len(level.cells),
        chunk_shape=level.grid.chunk_shape,
        bin_shape=level.grid.bin_shape,
        dtype=str(level.dtype),
        attributes=names[0],
        object_attributes=names[1],
        link_attributes=names[2],
        link_count=0 if links is None else int(links.metadata.attributes.get("num_links", 0)),
        parent_level=level.level.parent_level,
        method=level.level.coarsening_method,
        object_share=level.level.object_sparsity,
        linked_levels=linked_levels(root, number, metadata.levels),
    )

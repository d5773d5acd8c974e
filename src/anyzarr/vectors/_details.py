"""How each type of geometry is made coarser, and written as a level."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

import numpy as np

from anyzarr.errors import UnsupportedError
from anyzarr.vectors._coarsen import Coarse, Rules, coarsened, thinned
from anyzarr.vectors._coarsen_meshes import decimated
from anyzarr.vectors._coarsen_paths import bundled, resampled
from anyzarr.vectors._coarsen_trees import contracted
from anyzarr.vectors._documents import RootMetadata
from anyzarr.vectors._geometry import Geometry
from anyzarr.vectors._grid import CellGrid
from anyzarr.vectors._job import Kind, Pieces
from anyzarr.vectors._whole import NETWORKS, PATHS
from anyzarr.vectors._write_networks import GRAPH, MESH, SKELETON
from anyzarr.vectors._write_paths import path_kind

__all__ = ["Method", "Step", "coarser", "level_kind"]

Method: TypeAlias = Literal["bins", "decimate"] | None

_NETWORKS = {"graph": GRAPH, "skeleton": SKELETON, "mesh": MESH}


@dataclass(frozen=True)
class Step:
    """What is asked of a level, in terms of the level before.

    Attributes
    ----------
    coarsen
        How many times larger its bins are.
    bin_shape
        Edge lengths of its bins.
    share
        Which share of the objects it keeps; of points, where there are no objects.
    objects
        Whether objects stay apart.
    rules
        How attributes are taken together.
    method
        How meshes are made coarser.
    """

    coarsen: float
    bin_shape: tuple[float, ...]
    share: float = 1.0
    objects: bool = True
    rules: Rules = field(default_factory=dict)
    method: Method = None


def coarser(family: str, geometry: Geometry, step: Step, rng: np.random.Generator) -> Coarse:
    """Return a geometry made coarser.

    Parameters
    ----------
    family
        Its type, as the root of a store says.
    geometry, step
        The geometry, and what is asked.
    rng
        Chooses what is kept.

    Raises
    ------
    MetadataError
        A rule does not fit an attribute.
    UnsupportedError
        The method does not fit the geometry.
    """
    if step.method == "decimate" and family != "mesh":
        raise UnsupportedError(
            f"method='decimate' is for meshes, and this is a {family}: use 'bins'", kind="decimate"
        )
    if geometry.object_rows is None:
        coarse = coarsened(geometry, step.bin_shape, step.rules)
        return coarse if step.share >= 1 else coarse.then(thinned(coarse.geometry, step.share, rng))
    kept = Coarse.same(geometry)
    if step.share < 1:
        kept = thinned(geometry, step.share, rng)
    if not step.objects:
        kept = Coarse(_anonymous(family, kept.geometry), kept.parent)
    return kept.then(_merged(family, kept.geometry, step))


def _merged(family: str, geometry: Geometry, step: Step) -> Coarse:
    if family == "mesh" and _decimates(geometry, step.method):
        return decimated(geometry, step.coarsen, step.rules)
    if family == "line":
        return (
            Coarse.same(geometry) if step.objects else bundled(geometry, step.bin_shape, step.rules)
        )
    if family in PATHS:
        return resampled(geometry, step.bin_shape, step.rules)
    merge = contracted if family == "skeleton" else coarsened
    return merge(geometry, step.bin_shape, step.rules)


def _decimates(geometry: Geometry, method: Method) -> bool:
    """Return whether a mesh is decimated: triangles are, unless something else is asked for."""
    if method is not None:
        return method == "decimate"
    return geometry.links is not None and geometry.links.shape[1] == 3 and geometry.ndim in (2, 3)


def _anonymous(family: str, geometry: Geometry) -> Geometry:
    """Return paths numbered anew, or a network as one object."""
    if family not in NETWORKS:
        numbers = np.arange(geometry.n_objects, dtype=np.int64)
        return replace(geometry, object_ids=numbers, groups={}, group_attributes={})
    assert geometry.object_rows is not None
    return replace(
        geometry,
        object_rows=np.zeros_like(geometry.object_rows),
        object_ids=np.zeros(1, np.int64),
        object_attributes={},
        groups={},
        group_attributes={},
    )


def level_kind(family: str, metadata: RootMetadata) -> Kind:
    """Return how a level of a store is written."""
    if family in PATHS:
        return path_kind(family, has_ids=True)
    if family in NETWORKS:
        return _NETWORKS[family]
    return Kind("point_cloud", "implicit_sequential", _cutting(metadata))


def _cutting(metadata: RootMetadata) -> Callable[[Geometry, CellGrid], Pieces]:
    """Return what cuts points along the bins of level 0, as readers of the format expect it.

    Where chunks are larger than at level 0, along the level's own.
    """

    def cut(geometry: Geometry, grid: CellGrid) -> Pieces:
        if geometry.object_rows is not None:
            return Pieces(geometry.object_rows)
        fine = grid
        if grid.chunk_shape == tuple(metadata.chunk_shape):
            fine = replace(grid, bin_shape=metadata.bin_shape)
        numbers = fine.bin_numbers(geometry.positions)
        return Pieces(numbers, by_number=True, n_pieces=fine.n_bins)

    return cut

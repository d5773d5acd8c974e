"""Skeletons made coarser: edges within a bin contracted, so that trees stay trees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from anyzarr.vectors._blobs import Ints
from anyzarr.vectors._coarsen import Coarse, Rules, merged
from anyzarr.vectors._forest import depth_first, parents_of
from anyzarr.vectors._geometry import Geometry
from anyzarr.vectors._grid import cells_of

__all__ = ["contracted"]


def contracted(geometry: Geometry, bin_shape: Sequence[float], rules: Rules) -> Coarse:
    """Return trees with one vertex, their mean, for those that edges within a bin connect.

    Branches that pass through the same bin stay apart. Roots stay where they are.

    Parameters
    ----------
    geometry
        Trees: each link is ``[child, parent]``.
    bin_shape, rules
        As for :func:`anyzarr.vectors._coarsen.coarsened`.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.vectors._coarsen_trees import contracted
    >>> from anyzarr.vectors._geometry import Geometry
    >>> x = np.array([[0.0], [1.0], [6.0], [7.0], [2.0]])
    >>> tree = Geometry(x, links=np.array([[1, 0], [2, 1], [3, 2], [4, 3]]))
    >>> coarse = contracted(tree, (5.0,), {})
    >>> coarse.geometry.positions[:, 0].tolist(), coarse.geometry.links.tolist()
    ([0.0, 6.5, 2.0], [[1, 0], [2, 1]])
    """
    links = geometry.links
    if not geometry.n_vertices or links is None:
        return Coarse.same(geometry)
    parent = parents_of(links, geometry.n_vertices)
    top = _tops(geometry, parent, bin_shape)
    _, place = np.unique(top, return_inverse=True)
    place = place.reshape(-1).astype(np.int64, copy=False)
    coarse = merged(geometry, place, rules)
    roots = np.flatnonzero(parent < 0)
    positions = coarse.positions
    positions[place[roots]] = geometry.positions[roots]
    trees = Coarse(replace(coarse, positions=positions), place)
    assert trees.geometry.links is not None
    above = parents_of(trees.geometry.links, trees.geometry.n_vertices)
    return trees.ordered(depth_first(above).order)


def _tops(geometry: Geometry, parent: Ints, bin_shape: Sequence[float]) -> Ints:
    """Return for each vertex the last above it that is reached within its bin."""
    bins = cells_of(geometry.positions, bin_shape)
    if geometry.object_rows is not None:
        bins = np.column_stack([bins, geometry.object_rows])
    above = np.where(parent < 0, np.arange(len(parent)), parent)
    stays = (bins == bins[above]).all(axis=1)
    top = np.where(stays, above, np.arange(len(parent)))
    while True:
        further = top[top]
        if np.array_equal(further, top):
            return top
        top = further

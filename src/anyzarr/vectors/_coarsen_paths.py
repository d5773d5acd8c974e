"""Paths made coarser: resampled by bins, and lines between the same bins made one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from anyzarr.errors import MetadataError
from anyzarr.vectors._coarsen import Coarse, Rules, merged, taken_together
from anyzarr.vectors._geometry import Geometry
from anyzarr.vectors._grid import cells_of
from anyzarr.vectors._scatter import stable_order
from anyzarr.vectors._scatter_links import groups_of

__all__ = ["bundled", "resampled"]


def resampled(geometry: Geometry, bin_shape: Sequence[float], rules: Rules) -> Coarse:
    """Return paths with one vertex, their mean, for those that follow each other in one bin.

    The ends of a path stay where they are, so that one of several vertices keeps two at least.

    Parameters
    ----------
    geometry
        Paths: the vertices of each follow each other.
    bin_shape, rules
        As for :func:`anyzarr.vectors._coarsen.coarsened`.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.vectors._coarsen_paths import resampled
    >>> from anyzarr.vectors._geometry import Geometry
    >>> x = np.array([[0.0], [1.0], [5.0], [6.0], [12.0], [13.0]])
    >>> path = Geometry(x, object_rows=np.zeros(6, np.int64), object_ids=np.array([7]))
    >>> coarse = resampled(path, (5.0,), {})
    >>> coarse.geometry.positions[:, 0].tolist(), coarse.parent.tolist()
    ([0.0, 5.5, 13.0], [0, 0, 1, 1, 2, 2])
    """
    rows = geometry.object_rows
    if not geometry.n_vertices or rows is None:
        return Coarse.same(geometry)
    bins = cells_of(geometry.positions, bin_shape)
    first = np.diff(rows, prepend=-1) != 0
    last = np.append(first[1:], True)
    begins = first.copy()
    begins[1:] |= (bins[1:] != bins[:-1]).any(axis=1)
    # Where a path lies in one bin, its last vertex is kept apart from its first.
    of_run = np.flatnonzero(begins)[np.cumsum(begins) - 1]
    begins |= last & first[of_run]
    place = np.cumsum(begins) - 1
    coarse = merged(geometry, place, rules)
    positions = coarse.positions
    ends = np.flatnonzero(first | last)
    positions[place[ends]] = geometry.positions[ends]
    return Coarse(replace(coarse, positions=positions), place)


def bundled(geometry: Geometry, bin_shape: Sequence[float], rules: Rules) -> Coarse:
    """Return lines with one, their mean, for those that lead from one bin to the same other.

    Lines are numbered anew; their attributes are taken together by the rules, too.

    Parameters
    ----------
    geometry
        Lines: each is an object of two vertices.
    bin_shape, rules
        As for :func:`anyzarr.vectors._coarsen.coarsened`.

    Raises
    ------
    MetadataError
        An object is no line.
    """
    rows = geometry.object_rows
    if not geometry.n_vertices or rows is None:
        return Coarse.same(geometry)
    if (np.bincount(rows, minlength=geometry.n_objects) != 2).any():
        raise MetadataError(
            "an object of this store has not two vertices, and is no line", kind="lines"
        )
    bins = cells_of(geometry.positions, bin_shape)
    line, _ = groups_of(bins.reshape(len(bins) // 2, -1))
    place = (2 * line[:, None] + np.arange(2)).reshape(-1)
    order = stable_order(line)
    starts = np.flatnonzero(np.diff(line[order], prepend=-1))
    attributes = {
        name: taken_together(name, column[order], starts, rules.get(name))
        for name, column in geometry.object_attributes.items()
    }
    coarse = replace(
        merged(geometry, place, rules),
        object_rows=np.repeat(np.arange(len(starts), dtype=np.int64), 2),
        object_ids=np.arange(len(starts), dtype=np.int64),
        object_attributes=attributes,
    )
    return Coarse(coarse, place)

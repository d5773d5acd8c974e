"""Which objects a box meets: those with a vertex in it, or a link that passes through it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from anyzarr.vectors._blobs import Ints, starts_of
from anyzarr.vectors._cell_index import CellIndex, distinct_cells
from anyzarr.vectors._crossing import any_of_runs, links_met, outside
from anyzarr.vectors._gather import gather_cells
from anyzarr.vectors._gathered import Gathered
from anyzarr.vectors._grid import Bounds, Coords
from anyzarr.vectors._level import StoredLevel
from anyzarr.vectors._manifests import ManifestTable
from anyzarr.vectors._query import BoxMode
from anyzarr.vectors._read_links import StoredLinks

__all__ = ["FragmentsMet", "links_near", "objects_met", "vertices_touched"]

FragmentsMet: TypeAlias = Callable[[Gathered, StoredLinks | None, Bounds], npt.NDArray[np.bool_]]
"""Returns which fragments a box meets, of vertices gathered and the links of the level."""


def links_near(level: StoredLevel, cells: Coords, links: StoredLinks | None, box: Bounds) -> Coords:
    """Return cells that a box touches, and those at the ends of links that may pass through it."""
    if links is None:
        return cells
    return distinct_cells(np.concatenate([cells, links.near(level.grid, box)]))[0]


def vertices_touched(gathered: Gathered, links: Ints, box: Bounds) -> npt.NDArray[np.bool_]:
    """Return which vertices lie in a box, or are those of a link that it meets."""
    sides = outside(gathered.positions, box)
    touched: npt.NDArray[np.bool_] = sides == 0
    if len(links):
        touched[links[links_met(gathered.positions, links, box, sides)].reshape(-1)] = True
    return touched


def objects_met(
    level: StoredLevel,
    links: StoredLinks | None,
    fragments_met: FragmentsMet,
    manifests: ManifestTable,
    box: Bounds,
    mode: BoxMode,
) -> Ints:
    """Return those of some objects that a box meets, as rows of their manifests.

    Only cells that the box touches are read, and those at the ends of links that pass from cell to
    cell near it.

    Parameters
    ----------
    level
        The level.
    links
        Its links.
    fragments_met
        Says which fragments the box meets, by a vertex or a link.
    manifests
        Of the objects.
    box
        Lower and upper corner.
    mode
        With ``"touches-chunk"`` an object is met that has a vertex in a chunk that the box
        touches.
    """
    if level.objects is None or not manifests.n_objects:
        return np.arange(manifests.n_objects)
    if mode == "touches-chunk":
        blocks = manifests.expand()
        hit = CellIndex(level.select(box)).find(blocks.coords) >= 0
        return np.flatnonzero(any_of_runs(hit, blocks.offsets))
    cells, first, met = _fragments_near(level, links, fragments_met, box)
    blocks = manifests.expand()
    place = CellIndex(cells).find(blocks.coords)
    held = np.flatnonzero(place >= 0)
    place, number = place[held], blocks.start[held]
    there = number < np.diff(first)[place]
    hit = np.zeros(len(blocks.start), np.bool_)
    hit[held[there]] = met[first[place[there]] + number[there]]
    return np.flatnonzero(any_of_runs(hit, blocks.offsets))


def _fragments_near(
    level: StoredLevel, links: StoredLinks | None, fragments_met: FragmentsMet, box: Bounds
) -> tuple[Coords, Ints, npt.NDArray[np.bool_]]:
    """Return cells, where the fragments of each begin, and which of these a box meets."""
    cells = links_near(level, level.select(box), links, box)
    gathered = gather_cells(level, cells)
    # Fragments are listed cell by cell, each with all that it has.
    first = starts_of(np.bincount(gathered.fragment_cell, minlength=len(cells)))
    return cells, first, fragments_met(gathered, links, box)

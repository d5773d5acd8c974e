"""Where the vertices of levels have gone that are written anew, and the links between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from anyzarr._nodes import Group
from anyzarr.vectors._cell_index import distinct_cells
from anyzarr.vectors._documents import RootMetadata
from anyzarr.vectors._job import WriteOptions
from anyzarr.vectors._level import StoredLevel
from anyzarr.vectors._level_links import LinkEnds, linked_levels, read_links_to, write_links_to
from anyzarr.vectors._whole import Places
from anyzarr.vectors._write import storage_of

__all__ = ["Moved", "move_level_links"]


@dataclass(frozen=True, eq=False)
class Moved:
    """Vertices of a level, by where they were and where they are.

    Attributes
    ----------
    before, after
        Places of the same vertices, in the same order.
    """

    before: Places
    after: Places

    @classmethod
    def of_parts(cls, before: Sequence[Places], after: Sequence[Places]) -> Moved:
        """Return what has been written part by part."""
        return cls(_joined(before), _joined(after))


def _joined(parts: Sequence[Places]) -> Places:
    """Return the places of several parts, each cell once."""
    cells, key = distinct_cells(np.concatenate([part.cells for part in parts]))
    starts = np.cumsum([0, *(len(part.cells) for part in parts)])
    cell = [key[first + part.cell] for first, part in zip(starts, parts, strict=False)]
    return Places(cells, np.concatenate(cell), np.concatenate([part.row for part in parts]))


def move_level_links(
    levels: Sequence[StoredLevel], moved: Mapping[int, Moved], target: Group, after: RootMetadata
) -> None:
    """Write the links between levels to where these have been written anew.

    Links to vertices that nothing names are left out.

    Parameters
    ----------
    levels
        The levels as they were.
    moved
        Where their vertices have gone, by the number of the level.
    target, after
        The store that has them now, and what its root says.
    """
    stored = {level.number: level for level in levels}
    for near in levels:
        for other in linked_levels(near.root, near.number, stored):
            links = read_links_to(near, stored[other])
            if links is None:
                continue
            first = moved[near.number].before.find(links.source)
            second = moved[other].before.find(links.target)
            kept = (first >= 0) & (second >= 0)
            ends = LinkEnds(
                moved[near.number].after.of_vertices(first[kept]),
                moved[other].after.of_vertices(second[kept]),
            )
            here, there = (StoredLevel.of(target, after, n) for n in (near.number, other))
            storage = storage_of(here.vertices.metadata, WriteOptions())
            write_links_to(here, there, ends, storage)

"""Links of cells, decoded: which vertices each joins, of all cells that were asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from anyzarr.abc import Ragged
from anyzarr.vectors._blobs import Ints, Origin
from anyzarr.vectors._cells import CellArray
from anyzarr.vectors._grid import Coords
from anyzarr.vectors._links import decode_inline, permutations_of

__all__ = ["LinkDecoder", "LinkLayout"]

_BLOCK: Final = 1 << 15
"""How many links are looked at at once, each of which takes some hundreds of bytes."""


class LinkLayout(NamedTuple):
    """How the links of an array are stored: in groups or not, with their order or not."""

    is_inline: bool
    has_order: bool
    dtype: str


@dataclass(frozen=True, eq=False)
class LinkDecoder:
    """What links are decoded by.

    Attributes
    ----------
    width
        Number of vertices of a link.
    first, counts
        Where the rows of each cell begin, all cells one after the other, and how many it has.
    settled
        Whether a link to a vertex that is not there is an error; otherwise it is -1.
    """

    width: int
    first: Ints
    counts: Ints
    settled: bool

    def decode(
        self,
        array: CellArray,
        layout: LinkLayout,
        source: Coords,
        places: Ints,
        blobs: list[Ragged],
    ) -> tuple[Ints, Ints]:
        """Return the vertices of the links in cells, and how many links each cell has.

        Parameters
        ----------
        array, layout
            An array of this layout, which errors name.
        source, places
            The cells, and for each the places of the cells of its links' vertices.
        blobs
            What the cells hold, in parts. The list is emptied, so that they are let go of.

        Raises
        ------
        CorruptDataError
            A cell cannot be decoded, or a link names a row that a cell has not.
        """
        origin = Origin(array.path, source)
        joined = Ragged.concatenate(blobs)
        blobs.clear()
        if layout.is_inline:
            joined = decode_inline(joined, origin)
        width = self.width + layout.has_order
        rows, starts = array.as_rows(source, joined, np.dtype(layout.dtype), (width,))
        vertices = np.empty((len(rows), self.width), np.int64)
        for low in range(0, len(rows), _BLOCK):
            high = min(low + _BLOCK, len(rows))
            owner = _owners(starts, low, high)
            order, named = self._ordered(layout, rows[low:high], owner, origin)
            place = places[owner]
            beyond = ((named < 0) | (named >= self.counts[place])).any(axis=1)
            if self.settled:
                _refuse(origin, owner[beyond], "has a link to a vertex that is not there")
            placed: Ints = np.where(beyond[:, None], -1, self.first[place] + named)
            if order is None:
                vertices[low:high] = placed
            else:
                np.put_along_axis(vertices[low:high], order, placed, axis=1)
        return vertices, np.diff(starts)

    def _ordered(
        self, layout: LinkLayout, rows: npt.NDArray[Any], owner: Ints, origin: Origin
    ) -> tuple[Ints | None, Ints]:
        """Return the order of the vertices of links, if they have one, and the rows they name."""
        rows = rows.astype(np.int64, copy=False)
        if not layout.has_order:
            return None, rows
        codes, rows = rows[:, 0], rows[:, 1:]
        wrong = (codes < 0) | (codes >= math.factorial(self.width))
        _refuse(origin, owner[wrong], "has a link whose vertices are in no order")
        return permutations_of(codes, self.width), rows


def _owners(starts: Ints, low: int, high: int) -> Ints:
    """Return for each of the rows ``[low, high)`` the cell that it is in."""
    begin = int(np.searchsorted(starts, low, side="right")) - 1
    end = int(np.searchsorted(starts, high, side="left"))
    within: Ints = np.clip(starts[begin : end + 1], low, high)
    return np.repeat(np.arange(begin, end), np.diff(within))


def _refuse(origin: Origin, cells: Ints, problem: str) -> None:
    """Raise for the first of some cells that are bad, if there is one."""
    if cells.size:
        origin.refuse(np.arange(int(cells.min()) + 1) == cells.min(), problem)

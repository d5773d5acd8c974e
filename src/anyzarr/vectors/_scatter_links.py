"""Links in the order of the cells that hold them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr.abc import Ragged
from anyzarr.vectors._blobs import Ints
from anyzarr.vectors._grid import Coords
from anyzarr.vectors._links import LinkFamily, offsets_name, permutation_codes
from anyzarr.vectors._scatter import Scattered, stable_order

__all__ = ["LinkCells", "groups_of", "row_numbers", "scatter_links"]

_MOST_NUMBERS = 2**62


@dataclass(frozen=True, eq=False)
class LinkCells:
    """The links of one array: those with the same chunk offsets.

    Attributes
    ----------
    family
        What they have in common with those of the other arrays.
    offsets
        Chunk offsets from the source to the other vertices, of shape ``(width - 1, ndim)``.
    order
        For each row the link that it is, in the order of the input.
    cells
        Absolute coordinates of the cells that hold one, in C order.
    cell_offsets
        Rows ``[cell_offsets[i], cell_offsets[i + 1])`` are those of cell ``i``.
    rows
        Rows of vertices within their cells, of shape ``(n, width)``, or ``(n, 1 + width)`` where
        the order of the vertices comes first.
    """

    family: LinkFamily
    offsets: Ints
    order: Ints
    cells: Coords
    cell_offsets: Ints
    rows: Ints

    @property
    def name(self) -> str:
        """Name of the array in the family."""
        return offsets_name(self.offsets)

    @property
    def is_intra(self) -> bool:
        """Whether all vertices of a link lie in one cell."""
        return not self.offsets.any()

    @property
    def attributes(self) -> dict[str, Any]:
        """Attributes of the array."""
        return {
            "dtype": "int64",
            "offsets": self.offsets.tolist(),
            "has_perm": self.family.has_order(is_intra=self.is_intra),
            "link_width": self.family.width,
            "level_delta": self.family.delta,
        }

    @property
    def counts(self) -> Ints:
        """Number of links of each cell."""
        return np.diff(self.cell_offsets)

    @property
    def is_flat(self) -> bool:
        """Whether cells hold nothing but rows, and a fragment index beside them."""
        return self.is_intra and self.family.delta == 0

    def flat(self) -> Ragged:
        """Return the rows of each cell."""
        rows = self.rows.astype("<i8", copy=False)
        return Ragged.from_lengths(rows, self.counts * rows.shape[1] * 8)

    def attribute(self, column: npt.NDArray[Any]) -> Ragged:
        """Return a column, one row per link of the input, as one blob per cell."""
        rows = np.ascontiguousarray(column[self.order])
        row_bytes = rows.dtype.itemsize * int(np.prod(rows.shape[1:], dtype=np.int64))
        return Ragged.from_lengths(rows, self.counts * row_bytes)


def scatter_links(
    where: Scattered, links: Ints, family: LinkFamily, first_row: Ints | None = None
) -> list[LinkCells]:
    """Sort links into arrays by their chunk offsets, and within an array into cells.

    Parameters
    ----------
    where
        Where the vertices went.
    links
        Vertices of each link, of shape ``(M, width)``.
    family
        How they are stored; within one level, each link once.
    first_row
        Number of rows that each cell of ``where`` held before; 0 by default.

    Returns
    -------
    list of LinkCells
        One for each array, ascending by offsets; within a cell links keep their order.
    """
    cell_of, row_of = where.places()
    if first_row is not None:
        row_of = row_of + first_row[cell_of]
    cell, row = cell_of[links], row_of[links]
    is_intra = (cell == cell[:, :1]).all(axis=1)
    across = np.flatnonzero(~is_intra)
    found = []
    if is_intra.any():
        within = np.flatnonzero(is_intra)
        offsets = np.zeros((family.width - 1, family.ndim), np.int64)
        found.append(_cells(family, offsets, within, cell[within, 0], row[within], where))
    if across.size:
        found.extend(_across(family, across, cell[across], row[across], where))
    return found


def _across(
    family: LinkFamily, links: Ints, cell: Ints, row: Ints, where: Scattered
) -> list[LinkCells]:
    """Return the arrays of links whose vertices lie in several cells."""
    if family.has_order(is_intra=False):
        # Cells are numbered in C order, so that this is the order of (chunk, row).
        order = np.lexsort((row, cell), axis=-1)
        cell, row = np.take_along_axis(cell, order, 1), np.take_along_axis(row, order, 1)
        row = np.concatenate([permutation_codes(order)[:, None], row], axis=1)
    offsets = where.cells[cell[:, 1:]] - where.cells[cell[:, :1]]
    key = row_numbers(offsets.reshape(len(offsets), -1))
    by_array = stable_order(key)
    first = np.flatnonzero(np.diff(key[by_array], prepend=-1))
    bounds = [*first.tolist(), len(key)]
    arrays = []
    for begin, end in itertools.pairwise(bounds):
        rows = by_array[begin:end]
        arrays.append(
            _cells(family, offsets[rows[0]], links[rows], cell[rows, 0], row[rows], where)
        )
    return arrays


def row_numbers(columns: Ints) -> Ints:
    """Return a number for each row, equal for equal rows and ascending with them."""
    number, size = np.zeros(len(columns), np.int64), 1
    for column in columns.T:
        low = int(column.min())
        span = int(column.max()) - low + 1
        if size * span >= _MOST_NUMBERS:
            number = np.unique(number, return_inverse=True)[1].reshape(-1).astype(np.int64)
            column = np.unique(column, return_inverse=True)[1].reshape(-1).astype(np.int64)
            low, size, span = 0, len(columns), len(columns)
        number = number * span + (column - low)
        size *= span
    return number


def groups_of(rows: npt.NDArray[np.int64]) -> tuple[Ints, Ints]:
    """Return for each row the number of those equal to it, and the first row of each number."""
    number = row_numbers(rows)
    order = stable_order(number)
    leads = np.diff(number[order], prepend=-1) != 0
    place = np.empty(len(rows), np.int64)
    place[order] = np.cumsum(leads) - 1
    return place, order[leads]


def _cells(
    family: LinkFamily, offsets: Ints, links: Ints, source: Ints, row: Ints, where: Scattered
) -> LinkCells:
    """Return the links of one array, sorted by the cells of their sources."""
    order = stable_order(source)
    sorted_ = source[order]
    first = np.flatnonzero(np.diff(sorted_, prepend=-1))
    return LinkCells(
        family=family,
        offsets=offsets,
        order=links[order],
        cells=where.cells[sorted_[first]],
        cell_offsets=np.append(first, len(sorted_)).astype(np.int64),
        rows=row[order],
    )

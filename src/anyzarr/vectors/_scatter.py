"""Vertices in the order of the cells that hold them, and the fragments that they form there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr.abc import Ragged
from anyzarr.vectors._blobs import starts_of
from anyzarr.vectors._fragments import FragmentTable
from anyzarr.vectors._grid import CellGrid, Coords

__all__ = ["Scattered", "scatter", "stable_order"]

Ints = npt.NDArray[np.int64]

_DIGIT_BITS = 16


def stable_order(keys: Ints) -> Ints:
    """Return the stable order that sorts whole numbers, none negative.

    By digits of 16 bits, for each of which numpy sorts in linear time: several times faster
    than sorting numbers of 64 bits, and fastest where the numbers are small.
    """
    largest = int(keys.max(initial=0))
    order: Ints = np.argsort((keys & 0xFFFF).astype(np.uint16), kind="stable")
    for shift in range(_DIGIT_BITS, largest.bit_length(), _DIGIT_BITS):
        digit = (keys[order] >> shift & 0xFFFF).astype(np.uint16)
        order = order[np.argsort(digit, kind="stable")]
    return order


@dataclass(frozen=True, eq=False)
class Scattered:
    """Where every vertex of a geometry goes.

    Attributes
    ----------
    order
        For each row in the order of cells, the vertex of the geometry, shape ``(N,)``.
    cells
        Absolute coordinates of the cells that hold a vertex, in C order, shape ``(C, D)``.
    cell_offsets
        Rows ``[cell_offsets[i], cell_offsets[i + 1])`` are those of cell ``i``.
    fragments
        The fragments of each cell, each a range of its rows.
    pieces
        For each fragment the piece it is, in the numbers that were given to :func:`scatter`.
    """

    order: Ints
    cells: Coords
    cell_offsets: Ints
    fragments: FragmentTable
    pieces: Ints

    @property
    def counts(self) -> Ints:
        """Number of vertices of each cell."""
        return np.diff(self.cell_offsets)

    def ragged(self, column: npt.NDArray[Any]) -> Ragged:
        """Return a column, one row per vertex of the geometry, as one blob per cell."""
        rows = np.ascontiguousarray(column[self.order])
        row_bytes = rows.dtype.itemsize * int(np.prod(rows.shape[1:], dtype=np.int64))
        return Ragged.from_lengths(rows, self.counts * row_bytes)

    def places(self) -> tuple[Ints, Ints]:
        """Return for each vertex of the geometry its cell, as a row of ``cells``, and its row.

        Returns
        -------
        cell, row
            Of shape ``(N,)``; the row is counted from the first of its cell.
        """
        counts = self.counts
        cell, row = np.empty((2, len(self.order)), np.int64)
        cell[self.order] = np.repeat(np.arange(len(counts)), counts)
        row[self.order] = np.arange(len(self.order)) - np.repeat(self.cell_offsets[:-1], counts)
        return cell, row


def scatter(
    grid: CellGrid,
    positions: npt.NDArray[np.floating],
    pieces: npt.NDArray[Any] | None = None,
    *,
    n_pieces: int | None = None,
) -> Scattered:
    """Sort vertices into cells, and within a cell into pieces, the order being kept otherwise.

    Parameters
    ----------
    grid
        The grid, which must hold all positions.
    positions
        Shape ``(N, D)``.
    pieces
        For each vertex a number, none negative: vertices of one number in one cell become one
        fragment. For points that is the object; where the order of the vertices counts, the run
        of vertices that lie in one cell. None: all vertices of a cell are one fragment.
    n_pieces
        Every cell gets this many fragments, number ``i`` of the vertices of piece ``i``, empty
        ones too: bins. By default a cell has fragments only for the pieces in it.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.vectors._grid import CellGrid
    >>> from anyzarr.vectors._scatter import scatter
    >>> grid = CellGrid.over(((0.0,), (9.0,)), (5.0,))
    >>> where = scatter(grid, np.array([[7.0], [1.0], [8.0], [2.0]]), np.array([1, 0, 0, 0]))
    >>> where.order.tolist(), where.cells.tolist(), where.counts.tolist()
    ([1, 3, 2, 0], [[0], [1]], [2, 2])
    >>> where.fragments.count.tolist(), where.pieces.tolist()
    ([2, 1, 1], [0, 0, 1])
    """
    numbers = grid.ravel(grid.cells(positions))
    held, cell = _compressed(numbers, grid.n_cells)
    width = 1 if pieces is None else int(pieces.max(initial=0)) + 1
    width = max(width, n_pieces or 1)
    if pieces is None:
        keys, order = cell, stable_order(cell)
    elif len(held) * width < 2**63:
        keys = cell * width + pieces
        order = stable_order(keys)
    else:
        raise ValueError(f"{len(held)} cells of {width} pieces cannot be numbered")
    counts = np.bincount(cell, minlength=len(held)).astype(np.int64)
    fragments, owners = _fragments(keys[order], len(held), width, n_pieces)
    return Scattered(order, grid.unravel(held), starts_of(counts), fragments, owners)


def _compressed(numbers: Ints, n_cells: int) -> tuple[Ints, Ints]:
    """Return the distinct numbers, ascending, and for each number its place among them."""
    if n_cells > 4 * len(numbers) + 1024:
        held, place = np.unique(numbers, return_inverse=True)
        return held, place.reshape(-1).astype(np.int64, copy=False)
    is_held = np.zeros(n_cells, np.bool_)
    is_held[numbers] = True
    place_of = np.cumsum(is_held) - 1
    return np.flatnonzero(is_held).astype(np.int64, copy=False), place_of[numbers]


def _fragments(
    keys: Ints, n_cells: int, width: int, n_pieces: int | None
) -> tuple[FragmentTable, Ints]:
    """Return the fragments of sorted keys ``cell * width + piece``, and the piece of each."""
    if n_pieces is not None:
        count = np.bincount(keys, minlength=n_cells * width).astype(np.int64)
        per_cell = np.full(n_cells, width, np.int64)
        return FragmentTable.of_runs(per_cell, count), np.tile(np.arange(width), n_cells)
    first = np.flatnonzero(np.diff(keys, prepend=-1))
    cell, piece = np.divmod(keys[first], width)
    per_cell = np.bincount(cell, minlength=n_cells).astype(np.int64)
    count = np.diff(np.append(first, len(keys)))
    return FragmentTable.of_runs(per_cell, count), piece

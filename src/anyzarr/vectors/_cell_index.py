"""Finding cells by their coordinates."""

from __future__ import annotations

import math

import numpy as np

from anyzarr.vectors._blobs import Ints
from anyzarr.vectors._grid import Coords

__all__ = ["CellIndex", "distinct_cells"]

_MOST_NUMBERS = 2**62
_FEW_NUMBERS = 2**16


class _Numbers:
    """Numbers of the cells in the box around some, in C order.

    Parameters
    ----------
    cells
        Absolute coordinates, of shape ``(n, ndim)``.
    """

    def __init__(self, cells: Coords) -> None:
        self.low = cells.min(axis=0, initial=2**62)
        last = cells.max(axis=0, initial=-(2**62))
        shape = (last - self.low + 1).tolist() if len(cells) else [0] * cells.shape[1]
        self.shape: tuple[int, ...] = tuple(shape)
        self.count = math.prod(self.shape)

    @property
    def is_dense(self) -> bool:
        """Whether a table of all numbers is small."""
        return self.count <= _FEW_NUMBERS

    def of(self, cells: Coords) -> Ints:
        """Return the number of each cell; of those outside of the box -1."""
        number = np.zeros(len(cells), np.int64)
        inside = np.ones(len(cells), np.bool_)
        for axis, length in enumerate(self.shape):
            local = cells[:, axis] - self.low[axis]
            # Those below the first are, without a sign, beyond the last.
            inside &= local.view(np.uint64) < length
            number *= length
            number += local
        number[~inside] = -1
        return number

    def cells(self, numbers: Ints) -> Coords:
        """Return the cells of these numbers."""
        local = np.stack(np.unravel_index(numbers, self.shape), axis=-1)
        return local.astype(np.int64, copy=False) + self.low


class CellIndex:
    """The place of cells in a list of cells, by their coordinates.

    Parameters
    ----------
    cells
        Distinct absolute coordinates, of shape ``(n, ndim)``.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.vectors._cell_index import CellIndex
    >>> index = CellIndex(np.array([[4, 0], [-2, 7]]))
    >>> index.find(np.array([[-2, 7], [0, 0], [4, 0]])).tolist()
    [1, -1, 0]
    """

    def __init__(self, cells: Coords) -> None:
        self._numbers = _Numbers(cells)
        numbers = self._numbers.of(cells)
        if self._numbers.is_dense:
            # The last entry is found for the number -1.
            self._place = np.full(self._numbers.count + 1, -1, np.int64)
            self._place[numbers] = np.arange(len(cells))
        else:
            self._place = np.argsort(numbers, kind="stable")
            self._sorted = numbers[self._place]

    def find(self, cells: Coords) -> Ints:
        """Return the place of each cell, -1 where it is not in the list."""
        numbers = self._numbers.of(cells)
        if self._numbers.is_dense:
            return self._place[numbers]
        place = np.minimum(np.searchsorted(self._sorted, numbers), self._sorted.size - 1)
        return np.where(self._sorted[place] == numbers, self._place[place], -1)


def distinct_cells(cells: Coords) -> tuple[Coords, Ints]:
    """Return each of some cells once, in C order, and the place of each that was given there.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.vectors._cell_index import distinct_cells
    >>> held, place = distinct_cells(np.array([[4, 0], [-2, 7], [4, 0]]))
    >>> held.tolist(), place.tolist()
    ([[-2, 7], [4, 0]], [1, 0, 1])
    """
    numbers = _Numbers(cells)
    if numbers.count >= _MOST_NUMBERS:
        held, place = np.unique(cells, axis=0, return_inverse=True)
        return held, place.reshape(-1)
    number = numbers.of(cells)
    if not numbers.is_dense:
        found, place = np.unique(number, return_inverse=True)
        return numbers.cells(found), place.reshape(-1)
    is_held = np.zeros(numbers.count, np.bool_)
    is_held[number] = True
    return numbers.cells(np.flatnonzero(is_held)), (np.cumsum(is_held) - 1)[number]

"""Finding cells by their coordinates."""

from __future__ import annotations

import numpy as np

from anyzarr.vectors._blobs import Ints
from anyzarr.vectors._grid import Coords

__all__ = ["CellIndex"]


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
        self._low = cells.min(axis=0, initial=2**62)
        self._shape = cells.max(axis=0, initial=-(2**62)) - self._low + 1
        numbers = self._number(cells)
        self._order = np.argsort(numbers, kind="stable")
        self._sorted = numbers[self._order]

    def _number(self, cells: Coords) -> Ints:
        number = np.zeros(len(cells), np.int64)
        for axis, length in enumerate(self._shape.tolist()):
            number = number * length + (cells[:, axis] - self._low[axis])
        return number

    def find(self, cells: Coords) -> Ints:
        """Return the place of each cell, -1 where it is not in the list."""
        if not self._sorted.size:
            return np.full(len(cells), -1, np.int64)
        local = cells - self._low
        inside = np.all((local >= 0) & (local < self._shape), axis=-1)
        number = np.where(inside, self._number(np.where(inside[:, None], cells, self._low)), -1)
        place = np.minimum(np.searchsorted(self._sorted, number), self._sorted.size - 1)
        return np.where(self._sorted[place] == number, self._order[place], -1)

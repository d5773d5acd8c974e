"""Paths cut where they pass from one cell into another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr.vectors._blobs import Ints
from anyzarr.vectors._grid import CellGrid

__all__ = ["Runs", "bridges_of", "runs_of"]


@dataclass(frozen=True, eq=False)
class Runs:
    """Vertices of a path that follow each other in one cell.

    Attributes
    ----------
    run
        Number of the run of each vertex, of shape ``(N,)``, ascending.
    path
        Number of the path of each run.
    """

    run: Ints
    path: Ints


def runs_of(grid: CellGrid, positions: npt.NDArray[np.floating], offsets: npt.NDArray[Any]) -> Runs:
    """Cut paths into runs.

    Parameters
    ----------
    grid
        The cells.
    positions
        Vertices of all paths, one path after the other, of shape ``(N, D)``.
    offsets
        Vertices ``[offsets[i], offsets[i + 1])`` are those of path ``i``.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.vectors._grid import CellGrid
    >>> from anyzarr.vectors._runs import runs_of
    >>> grid = CellGrid.over(((0.0,), (9.0,)), (5.0,))
    >>> runs = runs_of(grid, np.array([[1.0], [6.0], [2.0], [3.0]]), np.array([0, 2, 4]))
    >>> runs.run.tolist(), runs.path.tolist()
    ([0, 1, 2, 2], [0, 0, 1])
    """
    cell = grid.ravel(grid.cells(positions))
    starts = np.zeros(len(cell) + 1, np.bool_)
    starts[offsets[:-1]] = True
    starts = starts[:-1]
    enters = np.zeros(len(cell), np.bool_)
    enters[1:] = cell[1:] != cell[:-1]
    begins = enters | starts
    paths = np.repeat(np.arange(len(offsets) - 1, dtype=np.int64), np.diff(offsets))
    return Runs(run=np.cumsum(begins, dtype=np.int64) - 1, path=paths[begins])


def bridges_of(run: Ints, path: Ints) -> Ints:
    """Return the last vertex of each run and the first of the next run of the same path.

    Parameters
    ----------
    run
        Number of the run of each vertex, ascending.
    path
        Number of the path of each run.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.vectors._runs import bridges_of
    >>> bridges_of(np.array([0, 1, 2, 2]), np.array([0, 0, 1])).tolist()
    [[0, 1]]
    """
    last = np.flatnonzero(np.diff(run))
    last = last[path[run[last]] == path[run[last + 1]]]
    return np.stack([last, last + 1], axis=1)

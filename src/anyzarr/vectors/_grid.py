"""The grid of cells in which the vertices of a level lie."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from anyzarr.errors import MetadataError

__all__ = ["Bounds", "CellGrid", "Coords", "cells_of"]

Coords = npt.NDArray[np.int64]
Bounds = tuple[tuple[float, ...], tuple[float, ...]]

_MOST_CELLS = 2**62


def cells_of(positions: npt.NDArray[np.floating], edges: Sequence[float]) -> Coords:
    """Return for each position the cell that holds it, ``floor(position / edge)``.

    The quotient is taken in double precision, whatever the type of the positions, as every
    reader of the format takes it.
    """
    quotient = np.asarray(positions, dtype=np.float64) / np.asarray(edges, dtype=np.float64)
    return np.floor(quotient, out=quotient).astype(np.int64)


def _checked_edges(bounds: Bounds, chunk_shape: Sequence[float]) -> tuple[float, ...]:
    """Return edges of chunks by which the bounds can be divided."""
    edges = tuple(float(edge) for edge in chunk_shape)
    if any(not (0 < edge < math.inf) for edge in edges):
        raise MetadataError(
            f"the chunk shape {edges} is not valid: every edge is a finite length above 0",
            kind="chunk_shape",
        )
    reach = [max(abs(low), abs(high)) for low, high in zip(*bounds, strict=True)]
    if any(far / edge >= _MOST_CELLS for far, edge in zip(reach, edges, strict=True)):
        raise MetadataError(
            f"the bounds {bounds} are too many chunks of {edges} away from 0 to be numbered: "
            "choose a larger chunk_shape",
            kind="chunk_shape",
        )
    return edges


@dataclass(frozen=True)
class CellGrid:
    """Which cells a level has, how large they are and how each is cut into bins.

    Cells are named by absolute coordinates, ``floor(position / chunk_shape)``, negative ones
    too; arrays hold them at ``cell - origin``. The upper bound belongs to the grid.

    Attributes
    ----------
    origin
        Absolute coordinates of the first cell.
    shape
        Number of cells per dimension: the shape of the arrays.
    chunk_shape
        Edge lengths of a cell.
    bin_shape
        Edge lengths of a bin, a whole fraction of a cell's.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.vectors._grid import CellGrid
    >>> grid = CellGrid.over(((-5.0, 0.0), (10.0, 9.0)), (5.0, 10.0))
    >>> grid.origin, grid.shape
    ((-1, 0), (4, 1))
    >>> grid.cells(np.array([[-5.0, 0.0], [10.0, 9.0]])).tolist()
    [[-1, 0], [2, 0]]
    """

    origin: tuple[int, ...]
    shape: tuple[int, ...]
    chunk_shape: tuple[float, ...]
    bin_shape: tuple[float, ...]

    def __post_init__(self) -> None:
        for edge, part in zip(self.chunk_shape, self.bin_shape, strict=True):
            count = edge / part if part > 0 else 0.0
            if round(count) < 1 or abs(count - round(count)) > 1e-9 * count:
                raise MetadataError(
                    f"the bin shape {self.bin_shape} does not divide the chunk shape "
                    f"{self.chunk_shape}: every edge of a chunk is a whole number of bins",
                    kind="bin_shape",
                )
        if math.prod(self.shape) >= _MOST_CELLS:
            raise MetadataError(
                f"a grid of {self.shape} chunks has more than can be numbered: choose a larger "
                "chunk_shape, or bounds nearer to the data",
                kind="chunk_shape",
            )

    @classmethod
    def over(
        cls,
        bounds: Bounds,
        chunk_shape: Sequence[float],
        bin_shape: Sequence[float] | None = None,
    ) -> CellGrid:
        """Return the grid that covers the bounds, both ends included."""
        edges = _checked_edges(bounds, chunk_shape)
        first, last = cells_of(np.asarray(bounds, dtype=np.float64), edges)
        return cls(
            origin=tuple(first.tolist()),
            shape=tuple((last - first + 1).tolist()),
            chunk_shape=edges,
            bin_shape=edges if bin_shape is None else tuple(float(edge) for edge in bin_shape),
        )

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def n_cells(self) -> int:
        """Number of cells, empty ones too."""
        return math.prod(self.shape)

    @property
    def bins(self) -> tuple[int, ...]:
        """Number of bins of a cell per dimension."""
        return tuple(
            round(edge / part) for edge, part in zip(self.chunk_shape, self.bin_shape, strict=True)
        )

    @property
    def n_bins(self) -> int:
        """Number of bins of a cell."""
        return math.prod(self.bins)

    def cells(self, positions: npt.NDArray[np.floating]) -> Coords:
        """Return the absolute coordinates of the cell of each position, shape ``(N, D)``."""
        return cells_of(positions, self.chunk_shape)

    def ravel(self, cells: Coords) -> npt.NDArray[np.int64]:
        """Return the C-order number of each cell, given by absolute coordinates in the grid."""
        local = cells - np.asarray(self.origin, dtype=np.int64)
        number = np.zeros(len(local), dtype=np.int64)
        for axis, length in enumerate(self.shape):
            number *= length
            number += local[:, axis]
        return number

    def unravel(self, numbers: npt.NDArray[np.int64]) -> Coords:
        """Return the absolute coordinates of cells given by number, shape ``(n, D)``."""
        local = np.stack(np.unravel_index(numbers, self.shape), axis=-1).astype(np.int64)
        return local + np.asarray(self.origin, dtype=np.int64)

    def contains(self, cells: Coords) -> npt.NDArray[np.bool_]:
        """Return which of these absolute coordinates lie in the grid."""
        local = cells - np.asarray(self.origin, dtype=np.int64)
        return np.all((local >= 0) & (local < np.asarray(self.shape)), axis=-1)

    def bin_numbers(self, positions: npt.NDArray[np.floating]) -> npt.NDArray[np.int64]:
        """Return for each position the C-order number of its bin within its cell."""
        bins = np.asarray(self.bins, dtype=np.int64)
        local = cells_of(positions, self.bin_shape) - self.cells(positions) * bins
        # Rounding may put a position that is a cell's edge into the neighbour's bin.
        np.clip(local, 0, bins - 1, out=local)
        number = np.zeros(len(local), dtype=np.int64)
        for axis, length in enumerate(bins.tolist()):
            number *= length
            number += local[:, axis]
        return number

    def touching(self, bbox: Bounds, cells: Coords) -> npt.NDArray[np.bool_]:
        """Return which cells, given by absolute coordinates, a box meets, its ends included."""
        corners = np.asarray(bbox, dtype=np.float64) / np.asarray(self.chunk_shape)
        low, high = np.floor(corners)
        return np.all((cells >= low) & (cells <= high), axis=-1)

    def grown(self, bounds: Bounds) -> CellGrid:
        """Return the grid that covers these bounds too."""
        other = CellGrid.over(bounds, self.chunk_shape, self.bin_shape)
        first = np.minimum(self.origin, other.origin)
        last = np.maximum(np.add(self.origin, self.shape), np.add(other.origin, other.shape))
        return CellGrid(
            origin=tuple(first.tolist()),
            shape=tuple((last - first).tolist()),
            chunk_shape=self.chunk_shape,
            bin_shape=self.bin_shape,
        )

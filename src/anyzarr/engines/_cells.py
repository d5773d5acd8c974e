"""Which cells of a chunk grid a box touches, and what of each: the inner loop of every read.

A box is a product of ranges and a grid a product of partitions, so the touched cells are the
product of what each dimension touches alone. Dimensions are worked out once; cells are then
put together lazily, in C order.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from anyzarr.abc import Box
from anyzarr.metadata import ChunkGrid

__all__ = ["Cell", "Cells", "cells_of", "view"]


@dataclass(frozen=True, slots=True)
class _Piece:
    """What one dimension of a box takes from one cell."""

    index: int
    within: slice
    target: slice
    is_whole: bool


@dataclass(frozen=True, slots=True)
class Cell:
    """One touched cell of a grid.

    Attributes
    ----------
    coords
        The cell's coordinates in the grid.
    within
        The selected elements, relative to the cell's first element.
    target
        Where they lie in an array of the box's shape.
    is_whole
        Whether every element of the cell that is inside the array is selected.
    """

    coords: tuple[int, ...]
    within: tuple[slice, ...]
    target: tuple[slice, ...]
    is_whole: bool


class Cells:
    """The cells a box touches: sized, and iterated over in C order any number of times."""

    def __init__(self, dimensions: Sequence[list[_Piece]]) -> None:
        self._dimensions = dimensions

    def __len__(self) -> int:
        return math.prod(map(len, self._dimensions))

    def __iter__(self) -> Iterator[Cell]:
        for pieces in itertools.product(*self._dimensions):
            yield Cell(
                tuple([p.index for p in pieces]),
                tuple([p.within for p in pieces]),
                tuple([p.target for p in pieces]),
                all(p.is_whole for p in pieces),
            )


def view(array: npt.NDArray[Any], part: tuple[slice, ...]) -> npt.NDArray[Any]:
    """Return a view on a part of an array: an array also where it has no dimensions."""
    index: Any = (*part, ...)
    found: npt.NDArray[Any] = array[index]
    return found


def cells_of(box: Box, grid: ChunkGrid) -> Cells:
    """Return the cells of ``grid`` that hold selected elements of ``box``."""
    dimensions = []
    for dim, selected in enumerate(map(range, box.start, box.stop, box.step)):
        if grid.chunk_shape is not None:
            pieces = _regular(selected, grid.chunk_shape[dim], grid.shape[dim])
        else:
            offsets = grid.offsets(dim)
            assert offsets is not None
            pieces = _rectilinear(selected, offsets, grid.shape[dim])
        dimensions.append(pieces)
    return Cells(dimensions)


def _regular(selected: range, edge: int, length: int) -> list[_Piece]:
    def cell_at(position: int) -> tuple[int, int, int]:
        index = position // edge
        return index, index * edge, (index + 1) * edge

    return _pieces(selected, length, cell_at)


def _rectilinear(selected: range, offsets: tuple[int, ...], length: int) -> list[_Piece]:
    def cell_at(position: int) -> tuple[int, int, int]:
        index = bisect.bisect_right(offsets, position) - 1
        return index, offsets[index], offsets[index + 1]

    return _pieces(selected, length, cell_at)


def _pieces(
    selected: range, length: int, cell_at: Callable[[int], tuple[int, int, int]]
) -> list[_Piece]:
    """Return what a range takes of each cell: ``cell_at`` gives a cell's index, origin and end."""
    pieces = []
    position, stop, step = selected.start, selected.stop, selected.step
    done = 0
    while position < stop:
        index, origin, end = cell_at(position)
        taken = -(-(min(end, stop) - position) // step)
        first = position - origin
        within = slice(first, first + (taken - 1) * step + 1, step)
        is_whole = first == 0 and taken == min(end, length) - origin
        pieces.append(_Piece(index, within, slice(done, done + taken), is_whole))
        done += taken
        position += taken * step
    return pieces

"""Which cells of a chunk grid a box touches, and what of each: the inner loop of every read.

A box is a product of ranges and a grid a product of partitions, so the touched cells are the
product of what each dimension touches alone. Dimensions are worked out once; cells are then
put together lazily, in C order.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Iterator, Sequence
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
    for dim, (start, stop, step) in enumerate(zip(box.start, box.stop, box.step, strict=True)):
        if grid.chunk_shape is not None:
            pieces = _regular(start, stop, step, grid.chunk_shape[dim], grid.shape[dim])
        else:
            offsets = grid.offsets(dim)
            assert offsets is not None
            pieces = _rectilinear(start, stop, step, offsets, grid.shape[dim])
        dimensions.append(pieces)
    return Cells(dimensions)


def _regular(start: int, stop: int, step: int, edge: int, length: int) -> list[_Piece]:
    pieces = []
    position, done = start, 0
    while position < stop:
        index = position // edge
        origin = index * edge
        piece = _piece(index, origin, origin + edge, position, stop, step, length, done)
        pieces.append(piece)
        taken = piece.target.stop - done
        done += taken
        position += taken * step
    return pieces


def _rectilinear(
    start: int, stop: int, step: int, offsets: tuple[int, ...], length: int
) -> list[_Piece]:
    pieces = []
    position, done = start, 0
    while position < stop:
        index = bisect.bisect_right(offsets, position) - 1
        piece = _piece(
            index, offsets[index], offsets[index + 1], position, stop, step, length, done
        )
        pieces.append(piece)
        taken = piece.target.stop - done
        done += taken
        position += taken * step
    return pieces


def _piece(
    index: int, origin: int, end: int, position: int, stop: int, step: int, length: int, done: int
) -> _Piece:
    last = min(end, stop)
    taken = -(-(last - position) // step)
    within = slice(position - origin, position - origin + (taken - 1) * step + 1, step)
    inside = min(end, length) - origin
    is_whole = within.start == 0 and taken == inside
    return _Piece(index, within, slice(done, done + taken), is_whole)

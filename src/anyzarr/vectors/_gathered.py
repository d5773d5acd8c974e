"""Vertices that have been read, fragment after fragment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr.vectors._blobs import Ints, starts_of
from anyzarr.vectors._fragments import FragmentTable
from anyzarr.vectors._grid import Coords

__all__ = ["Gathered"]


@dataclass(frozen=True, eq=False)
class Gathered:
    """Vertices, one fragment after the other.

    Attributes
    ----------
    positions
        Shape ``(N, D)``.
    attributes
        By name, shape ``(N, …)``.
    cells
        Absolute coordinates of the cells that were read.
    cell_rows
        Number of rows of each of them, those of no fragment included.
    table, chosen
        All fragments of the cells, and which of them these are.
    fragment_offsets
        Vertices ``[fragment_offsets[i], fragment_offsets[i + 1])`` are those of fragment ``i``.
    fragment_object
        For each fragment the row, among those asked for, of the object it is part of; None where
        cells were asked for.
    fragment_run
        For each fragment the number of its run: within one nothing has been left out between
        fragments of an object. None: nothing has been left out.
    """

    positions: npt.NDArray[Any]
    attributes: Mapping[str, npt.NDArray[Any]]
    cells: Coords
    cell_rows: Ints
    table: FragmentTable
    chosen: Ints
    fragment_offsets: Ints
    fragment_object: Ints | None = None
    fragment_run: Ints | None = None

    @cached_property
    def fragment_cell(self) -> Ints:
        """For each fragment its cell, as a row of ``cells``."""
        return self.table.cell[self.chosen]

    @cached_property
    def fragment_number(self) -> Ints:
        """For each fragment its number in its cell."""
        return self.table.number[self.chosen]

    @cached_property
    def fragment_of_vertex(self) -> Ints:
        """For each vertex the fragment it is in."""
        lengths = np.diff(self.fragment_offsets)
        return np.repeat(np.arange(len(lengths), dtype=np.int64), lengths)

    @cached_property
    def vertex_cell(self) -> Ints:
        """For each vertex its cell, as a row of ``cells``."""
        return np.repeat(self.fragment_cell, np.diff(self.fragment_offsets))

    @cached_property
    def vertex_row(self) -> Ints:
        """For each vertex its row in its cell."""
        return self.table.rows(self.chosen)[0]

    @cached_property
    def object_of_vertex(self) -> Ints:
        """For each vertex the row, among those asked for, of its object; -1 where none were."""
        if self.fragment_object is None:
            return np.full(len(self.positions), -1, np.int64)
        return np.repeat(self.fragment_object, np.diff(self.fragment_offsets))

    @property
    def follows(self) -> npt.NDArray[np.bool_]:
        """Whether a vertex has one before it in its fragment."""
        follows = np.ones(len(self.positions) + 1, np.bool_)
        follows[self.fragment_offsets[:-1]] = False
        return follows[:-1]

    def vertices_at(self, rows: Ints) -> Ints:
        """Return the vertices that rows of the cells, counted cell after cell, are; -1 for none."""
        starts, counts = starts_of(self.cell_rows), np.diff(self.fragment_offsets)
        first = starts[:-1][self.fragment_cell]
        if self.table.is_range[self.chosen].all():
            begin = first + self.table.start[self.chosen]
            if len(self.positions) == starts[-1] and np.array_equal(
                begin, self.fragment_offsets[:-1]
            ):
                return rows  # the vertices are the rows, in their order
        row, _ = self.table.rows(self.chosen)
        row += np.repeat(first, counts)
        n = len(row)
        kind = np.int32 if n <= np.iinfo(np.int32).max else np.int64
        vertex = np.full(int(starts[-1]), -1, kind)
        # Where several vertices are of one row, it is the first of them.
        vertex[row[::-1]] = np.arange(n - 1, -1, -1, dtype=kind)
        return vertex[rows].astype(np.int64, copy=False)

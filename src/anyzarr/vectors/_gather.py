"""Vertices and their attributes, gathered from the cells that hold them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr.errors import CorruptDataError
from anyzarr.vectors._attributes import decode_column
from anyzarr.vectors._blobs import Ints, starts_of
from anyzarr.vectors._cell_data import CellData, read_cells
from anyzarr.vectors._cell_index import CellIndex, distinct_cells
from anyzarr.vectors._fragments import FragmentTable
from anyzarr.vectors._gathered import Gathered
from anyzarr.vectors._grid import Coords
from anyzarr.vectors._level import StoredLevel
from anyzarr.vectors._manifests import ManifestTable
from anyzarr.vectors._take import take_runs

__all__ = [
    "FragmentsOf",
    "gather_cells",
    "gather_fragments",
    "gather_objects",
    "gather_rows",
    "owners_of",
]


def gather_cells(
    level: StoredLevel, cells: Coords, names: Sequence[str] = (), *, fragments: bool = True
) -> Gathered:
    """Return all vertices of some cells, in the order in which they are stored.

    Parameters
    ----------
    level
        The level.
    cells
        Absolute coordinates of cells.
    names
        Vertex attributes.
    fragments
        Whether the fragments are asked for. Otherwise those of the result are whole cells, and
        nothing is read of them where the level says that they are its vertices from the first to
        the last.
    """
    needs = fragments or not level.level.fragments_tile
    data = read_cells(level, cells, names, needs)
    if data.table is None:
        table = FragmentTable.of_runs(np.ones(len(cells), np.int64), np.diff(data.offsets))
    else:
        table = data.table
    return _gathered(level, data, table, np.arange(len(table), dtype=np.int64), names)


def gather_rows(
    level: StoredLevel, cells: Coords, names: Sequence[str] = ()
) -> tuple[npt.NDArray[Any], dict[str, npt.NDArray[Any]]]:
    """Return positions and attributes of all vertices of some cells, and nothing else of them."""
    if not level.level.fragments_tile or level.level.chunk_attribute_name in names:
        gathered = gather_cells(level, cells, names)
        return gathered.positions, dict(gathered.attributes)
    data = read_cells(level, cells, names, False)
    if data.table is not None:  # another writer came between
        untiled = replace(level.level, fragments_tile=False)
        return gather_rows(replace(level, level=untiled), cells, names)
    return data.positions, {
        name: decode_column(name, rows, level.array(f"vertex_attributes/{name}").attributes)
        for name, rows in data.attributes.items()
    }


@dataclass(frozen=True, eq=False)
class FragmentsOf:
    """Fragments that make up objects, in the order of their manifests.

    Attributes
    ----------
    cells
        Absolute coordinates of the cells that they lie in.
    place, number
        For each fragment its cell, as a row of ``cells``, and its number there.
    owner, run
        As ``fragment_object`` and ``fragment_run`` of :class:`Gathered`.
    """

    cells: Coords
    place: Ints
    number: Ints
    owner: Ints
    run: Ints | None

    @classmethod
    def objects(cls, manifests: ManifestTable, cells: Coords | None = None) -> FragmentsOf:
        """Return those of objects, by default all, otherwise those that lie in these cells."""
        blocks = manifests.expand()
        held, place = distinct_cells(blocks.coords)
        owner, number = blocks.object_row, blocks.start
        if cells is None:
            return cls(held, place, number, owner, None)
        is_in = CellIndex(cells).find(held) >= 0
        kept = is_in[place]
        place = (np.cumsum(is_in) - 1)[place[kept]]
        return cls(held[is_in], place, number[kept], owner[kept], np.cumsum(~kept)[kept])


def gather_objects(
    level: StoredLevel,
    manifests: ManifestTable,
    names: Sequence[str] = (),
    cells: Coords | None = None,
) -> Gathered:
    """Return the vertices of objects, in the order of their manifests.

    Parameters
    ----------
    level
        The level.
    manifests
        Of the objects.
    names
        Vertex attributes.
    cells
        Only the parts that lie in these cells; by default all.

    Raises
    ------
    CorruptDataError
        A manifest names a fragment that is not there.
    """
    return gather_fragments(level, FragmentsOf.objects(manifests, cells), names)


def gather_fragments(level: StoredLevel, asked: FragmentsOf, names: Sequence[str] = ()) -> Gathered:
    """Return the vertices of fragments; see :func:`gather_objects`, which also holds manifests."""
    data = read_cells(level, asked.cells, names, True)
    assert data.table is not None
    _check_numbers(level, asked, data.table)
    chosen = data.table.offsets[:-1][asked.place] + asked.number
    gathered = _gathered(level, data, data.table, chosen, names)
    return replace(gathered, fragment_object=asked.owner, fragment_run=asked.run)


def _check_numbers(level: StoredLevel, asked: FragmentsOf, table: FragmentTable) -> None:
    cells, place, number = asked.cells, asked.place, asked.number
    wrong = np.flatnonzero((number < 0) | (number >= table.fragments[place]))
    if wrong.size:
        cell = tuple(cells[place[wrong[0]]].tolist())
        raise CorruptDataError(
            f"a manifest of level {level.number} of {level.root.url} names the fragment "
            f"{int(number[wrong[0]])} of the cell {'.'.join(map(str, cell))}, which has "
            f"{int(table.fragments[place[wrong[0]]])}; write the object again, or restore it from "
            "a copy",
            store=str(level.root.store.spec),
            path=f"{level.number}/object_index",
            chunk_coords=cell,
        )


def _gathered(
    level: StoredLevel,
    data: CellData,
    table: FragmentTable,
    chosen: Ints,
    names: Sequence[str],
) -> Gathered:
    """Return the rows of fragments, in the order in which these are given."""
    rows = _Rows(table, chosen)
    positions = rows.of_cells(data.positions, data.offsets)
    columns = {}
    for name in names:
        if name == level.level.chunk_attribute_name:
            number = np.repeat(data.cells[table.cell[chosen], 0], rows.count)
            columns[name] = _chunk_values(level, number)
            continue
        picked = rows.of_cells(data.attributes[name], data.attribute_offsets[name])
        stored = level.array(f"vertex_attributes/{name}").attributes
        columns[name] = decode_column(name, picked, stored)
    return Gathered(
        positions=positions,
        attributes=columns,
        cells=data.cells,
        cell_rows=np.diff(data.offsets),
        table=table,
        chosen=chosen,
        fragment_offsets=rows.ends if rows.are_runs else starts_of(rows.count),
    )


class _Rows:
    """Rows of fragments: one run for each fragment, or one for each row where some list theirs.

    Parameters
    ----------
    table, chosen
        Fragments, and which of them.
    """

    def __init__(self, table: FragmentTable, chosen: Ints) -> None:
        self._table, self._chosen = table, chosen
        self._offsets: Ints | None = None
        self.are_runs = bool(table.is_range[chosen].all())

    @property
    def count(self) -> Ints:
        """Number of rows of each fragment."""
        return self._table.count[self._chosen]

    @property
    def lengths(self) -> Ints:
        """Number of rows of each run."""
        return self.count if self.are_runs else np.ones(int(self.count.sum()), np.int64)

    @cached_property
    def ends(self) -> Ints:
        """Where each run begins in the result, and at last where the last one ends."""
        return starts_of(self.lengths)

    def of_cells(self, values: npt.NDArray[Any], offsets: Ints) -> npt.NDArray[Any]:
        """Return the rows, of all rows of the cells and where those of each begin."""
        if self._offsets is None or not np.array_equal(offsets, self._offsets):
            self._begin, self._offsets = self._begins(offsets), offsets
        if int(self.ends[-1]) == len(values) and np.array_equal(self._begin, self.ends[:-1]):
            return values  # all of them, as they are
        return take_runs(values, self._begin, self.lengths)

    def _begins(self, offsets: Ints) -> Ints:
        """Return the first row of each run, counted over all cells."""
        begin = np.repeat(offsets[:-1], self._table.fragments)[self._chosen]
        if self.are_runs:
            begin += self._table.start[self._chosen]
            return begin
        rows, _ = self._table.rows(self._chosen)
        rows += np.repeat(begin, self.count)
        return rows


def _chunk_values(level: StoredLevel, number: Ints) -> npt.NDArray[Any]:
    """Return the attribute by which chunks are divided, from their first coordinate."""
    values = level.level.chunk_attribute_values or ()
    if number.size and (number.min() < 0 or number.max() >= len(values)):
        raise CorruptDataError(
            f"a chunk of level {level.number} of {level.root.url} has the first coordinate "
            f"{int(number.max())}, and the level lists {len(values)} values of "
            f"{level.level.chunk_attribute_name!r}",
            path=str(level.number),
        )
    return np.asarray(values)[number]


def owners_of(level: StoredLevel, gathered: Gathered) -> Ints:
    """Return for each fragment the id of the object it is part of; -1: of none.

    Of one that belongs to several objects, the last of them.
    """
    owner = np.full(len(gathered.fragment_cell), -1, np.int64)
    objects = level.objects
    if objects is None:
        return owner
    blocks = objects.manifests().expand()
    if not len(owner) or not len(blocks.start):
        return owner
    coords = np.concatenate([gathered.cells, blocks.coords])
    _, key = distinct_cells(coords)
    n = len(gathered.cells)
    width = int(max(gathered.fragment_number.max(initial=0), blocks.start.max(initial=0))) + 1
    asked = key[:n][gathered.fragment_cell] * width + gathered.fragment_number
    named = key[n:] * width + blocks.start
    order = np.argsort(named, kind="stable")
    place = np.searchsorted(named[order], asked, side="right") - 1
    found = (place >= 0) & (named[order][place] == asked)
    owner[found] = objects.ids[blocks.object_row[order[place[found]]]]
    return owner

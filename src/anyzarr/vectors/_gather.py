"""Vertices and their attributes, gathered from the cells that hold them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr._parallel import map_ordered
from anyzarr.abc import Ragged
from anyzarr.errors import CorruptDataError
from anyzarr.vectors._attributes import decode_column, row_layout
from anyzarr.vectors._blobs import Ints, Origin, starts_of
from anyzarr.vectors._cell_index import CellIndex, distinct_cells
from anyzarr.vectors._cells import CellArray, arrays_at_once
from anyzarr.vectors._fragments import FragmentTable, decode_fragments
from anyzarr.vectors._grid import Coords
from anyzarr.vectors._level import StoredLevel
from anyzarr.vectors._manifests import ManifestTable
from anyzarr.vectors._take import take_runs

__all__ = [
    "FragmentsOf",
    "Gathered",
    "gather_cells",
    "gather_fragments",
    "gather_objects",
    "gather_rows",
    "owners_of",
]

_ATTEMPTS = 3


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
    data = _read(level, cells, names, needs)
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
    data = _read(level, cells, names, False)
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
    data = _read(level, asked.cells, names, True)
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


# ---------------------------------------------------------------------- reading


@dataclass(frozen=True, eq=False)
class _CellData:
    """What cells hold: rows of vertices and attributes, and where those of each cell begin."""

    cells: Coords
    positions: npt.NDArray[Any]
    attributes: Mapping[str, npt.NDArray[Any]]
    offsets: Ints
    attribute_offsets: Mapping[str, Ints]
    table: FragmentTable | None

    @property
    def is_consistent(self) -> bool:
        """Whether all that is named is there."""
        if self.table is None:
            return all(np.array_equal(o, self.offsets) for o in self.attribute_offsets.values())
        needed = self.table.extent()
        every = [self.offsets, *self.attribute_offsets.values()]
        return all(bool((np.diff(offsets) >= needed).all()) for offsets in every)


def _read(
    level: StoredLevel, cells: Coords, names: Sequence[str], with_fragments: bool
) -> _CellData:
    """Return what cells hold, in one round of requests.

    Where another writer adds to the cells meanwhile, fragments may be newer than the rows that
    they name, which is seen, and read again.
    """
    for attempt in range(_ATTEMPTS):
        data = _read_once(level, cells, names, with_fragments or attempt > 0)
        if data.is_consistent:
            return data
    assert data.table is not None
    needed = data.table.extent()
    offsets = {"vertices": data.offsets}
    offsets |= {f"vertex_attributes/{n}": rows for n, rows in data.attribute_offsets.items()}
    for name, rows in offsets.items():
        origin = Origin(level.array(name).path, cells)
        origin.refuse(np.diff(rows) < needed, "has fewer rows than its fragments name")
    raise AssertionError("what is inconsistent has been named")


def _read_once(
    level: StoredLevel, cells: Coords, names: Sequence[str], with_fragments: bool
) -> _CellData:
    stored = [name for name in names if name != level.level.chunk_attribute_name]
    attributes = [level.array(f"vertex_attributes/{name}") for name in stored]
    arrays: list[CellArray] = [level.vertices, *attributes]
    fragments = level.fragments if with_fragments else None
    if fragments is not None:
        arrays.append(fragments)
    limit = arrays_at_once(level.vertices.store)
    blobs = map_ordered(lambda array: array.read(cells), arrays, limit=limit)
    positions, offsets = level.vertices.as_rows(cells, blobs[0], level.dtype, (level.ndim,))
    columns, starts = {}, {}
    for name, array, found in zip(stored, attributes, blobs[1:], strict=False):
        dtype, shape = row_layout(name, array.attributes)
        if not shape:
            shape = _untold_shape(found.lengths // dtype.itemsize, np.diff(offsets))
        columns[name], starts[name] = array.as_rows(cells, found, dtype, shape)
    table = _table_of(fragments, cells, blobs[-1], offsets) if with_fragments else None
    return _CellData(cells, positions, columns, offsets, starts, table)


def _untold_shape(values: Ints, rows: Ints) -> tuple[int, ...]:
    """Return the shape of rows of an attribute that says they are single values, from their number.

    The package writes rows of several values for polylines, graphs and meshes without saying so.
    """
    width = int(values.sum()) // max(1, int(rows.sum()))
    return (width,) if width > 1 and np.array_equal(values, rows * width) else ()


def _table_of(
    fragments: CellArray | None, cells: Coords, blobs: Ragged, offsets: Ints
) -> FragmentTable:
    if fragments is None:
        return FragmentTable.of_runs(np.ones(len(cells), np.int64), np.diff(offsets))
    return decode_fragments(blobs, Origin(fragments.path, cells))


def _gathered(
    level: StoredLevel,
    data: _CellData,
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

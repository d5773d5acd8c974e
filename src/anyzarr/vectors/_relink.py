"""Links of levels whose rows have gone, or have moved within their cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from anyzarr._nodes import Group
from anyzarr.abc import Ragged
from anyzarr.metadata import group_document
from anyzarr.vectors._attributes import row_layout
from anyzarr.vectors._blobs import Ints, Origin, index_ranges, starts_of
from anyzarr.vectors._cell_index import CellIndex
from anyzarr.vectors._cells import CellArray
from anyzarr.vectors._documents import LevelMetadata, RootMetadata
from anyzarr.vectors._fragments import FragmentTable, encode_fragments
from anyzarr.vectors._grid import Coords
from anyzarr.vectors._links import LinkFamily, decode_inline, encode_inline, parse_offsets_name
from anyzarr.vectors._take import take_runs
from anyzarr.vectors._transaction import Transaction

__all__ = ["RowMap", "padded_rows", "relink"]


@dataclass(frozen=True, eq=False)
class RowMap:
    """Where the rows of some cells of a level have gone; those of other cells are as they were.

    Attributes
    ----------
    cells
        Absolute coordinates, distinct.
    counts
        Number of rows that each had.
    rows
        For each row, cell after cell, its new row in the cell; -1: it is gone.
    """

    cells: Coords
    counts: Ints
    rows: Ints

    @classmethod
    def of_live(cls, cells: Coords, counts: Ints, table: FragmentTable, *, moved: bool) -> RowMap:
        """Return the map of cells whose rows are gone unless a fragment names them.

        Parameters
        ----------
        cells, counts
            As the attributes.
        table
            The fragments of the cells.
        moved
            Whether the rows that stay follow one another from then on.
        """
        starts = starts_of(counts)
        is_live = np.zeros(int(starts[-1]), np.bool_)
        named, ends = table.rows()
        is_live[np.repeat(starts[:-1][table.cell], np.diff(ends)) + named] = True
        rows = index_ranges(np.zeros_like(counts), counts)
        if moved:
            before = np.cumsum(is_live) - is_live
            rows = before - np.repeat(_at(before, starts), counts)
        return cls(cells, counts, np.where(is_live, rows, -1))

    def find(self, cells: Coords, rows: Ints) -> Ints:
        """Return the new row of each of these rows; -1 where it is gone."""
        place = CellIndex(self.cells).find(cells)
        starts, found = starts_of(self.counts), rows.copy()
        known = np.flatnonzero(place >= 0)
        place, row = place[known], rows[known]
        there = (row >= 0) & (row < self.counts[place])
        found[known[~there]] = -1
        found[known[there]] = self.rows[starts[:-1][place[there]] + row[there]]
        return found


def _at(values: Ints, starts: Ints) -> Ints:
    """Return the value at the beginning of each run; 0 of runs at the end that hold nothing."""
    return np.append(values, 0)[np.minimum(starts[:-1], len(values))]


def relink(tx: Transaction, levels: Mapping[int, RowMap], *, whole: bool = False) -> None:
    """Drop links to rows that are gone, and let others name the rows that theirs have become.

    Parameters
    ----------
    tx
        Takes the arrays that change.
    levels
        The rows that changed, by the number of the level.
    whole
        Whether nothing stays in the arrays but the links that they list: not what a killed writer
        has left, whose rows are others now.
    """
    metadata = RootMetadata.parse(tx.root.metadata.attributes)
    for number in metadata.levels:
        path = f"{number}/links"
        group = tx.root.get_many([path]).get(path)
        for name, node in group.groups() if isinstance(group, Group) else ():
            attributes = tx.documents.get(f"{path}/{name}", node.metadata.document)["attributes"]
            family = LinkFamily.parse(attributes, node.path)
            if number in levels or number + family.delta in levels:
                ratio = _ratio(tx.root, metadata, number, number + family.delta)
                _Relinking(tx, number, name, family, ratio, levels, whole).run(attributes)


def _ratio(root: Group, metadata: RootMetadata, level: int, other: int) -> npt.NDArray[np.float64]:
    """Return how much larger the chunks of a level are than those of another."""
    shapes = []
    for number in (level, other):
        node = root.get_many([str(number)]).get(str(number))
        attributes = {} if node is None else node.metadata.attributes
        own = LevelMetadata.parse(attributes, number) if attributes else LevelMetadata(number)
        shapes.append(np.asarray(own.chunk_shape or metadata.chunk_shape, np.float64))
    return np.asarray(shapes[0] / shapes[1])


@dataclass(frozen=True, eq=False)
class _Relinking:
    """The links from a level to another, or within it."""

    tx: Transaction
    level: int
    name: str
    family: LinkFamily
    ratio: npt.NDArray[np.float64]
    levels: Mapping[int, RowMap]
    whole: bool

    @property
    def path(self) -> str:
        return f"{self.level}/links/{self.name}"

    def run(self, attributes: Mapping[str, object]) -> None:
        gone = sum(self._array(path) for path in self.tx.paths_below(self.path))
        if gone:
            counted = {
                key: max(0, int(str(attributes[key])) - gone)
                for key in ("num_links", "num_physical_records")
                if key in attributes
            }
            document = group_document(attributes={**attributes, **counted})
            self.tx.document(self.path, document)

    def _ends(self, offsets: Ints, source: Coords) -> list[tuple[int, Coords]]:
        """Return for each vertex of links that begin in these cells its level, and its cells."""
        ndim = len(self.ratio)
        base = source.copy()
        base[:, -ndim:] = np.floor(source[:, -ndim:] * self.ratio)
        other = self.level + self.family.delta
        return [(self.level, source), *((other, base + offset) for offset in offsets)]

    def _array(self, path: str) -> int:
        """Let an array name the new rows; return how many links are gone."""
        array = self.tx.cell_array(path)
        assert array is not None
        offsets = parse_offsets_name(path.rpartition("/")[2], self.family)
        cells = array.nonempty
        touched = np.zeros(len(cells), np.bool_)
        for number, ends in self._ends(offsets, cells):
            if number in self.levels:
                touched |= CellIndex(self.levels[number].cells).find(ends) >= 0
        cells = cells[touched | self.whole]
        is_flat = not offsets.any() and self.family.delta == 0
        rows, counts, dtype = self._rows(array, cells, is_flat)
        fresh, kept = self._renamed(array, offsets, cells, rows, counts)
        if np.array_equal(fresh, rows) and not self.whole:
            return 0
        owner = np.repeat(np.arange(len(cells)), counts)[kept]
        left = np.bincount(owner, minlength=len(cells)).astype(np.int64)
        fresh = np.ascontiguousarray(fresh[kept].astype(dtype))
        blobs = Ragged.from_lengths(fresh, left * dtype.itemsize * rows.shape[1])
        blobs = blobs if is_flat else encode_inline(blobs)
        self.tx.cells(array, cells, blobs, whole=self.whole)
        if is_flat:
            self._fragments(cells, left)
        self._attributes(path.rpartition("/")[2], cells, counts, kept, left)
        return len(kept) - int(np.count_nonzero(kept))

    def _rows(
        self, array: CellArray, cells: Coords, is_flat: bool
    ) -> tuple[Ints, Ints, np.dtype[np.int64]]:
        blobs = array.read(cells)
        if not is_flat:
            blobs = decode_inline(blobs, Origin(array.path, cells))
        dtype = np.dtype(str(array.attributes.get("dtype", "int64"))).newbyteorder("<")
        width = self.family.width + self._has_order(array, is_flat)
        rows, starts = array.as_rows(cells, blobs, dtype, (width,))
        return rows.astype(np.int64, copy=False), np.diff(starts), dtype

    def _has_order(self, array: CellArray, is_intra: bool) -> bool:
        return bool(array.attributes.get("has_perm", self.family.has_order(is_intra=is_intra)))

    def _renamed(
        self, array: CellArray, offsets: Ints, cells: Coords, rows: Ints, counts: Ints
    ) -> tuple[Ints, npt.NDArray[np.bool_]]:
        """Return the links in new rows, -1 for those that are gone, and which are whole."""
        first = rows.shape[1] - self.family.width
        fresh = rows.copy()
        for k, (number, ends) in enumerate(self._ends(offsets, cells)):
            if number in self.levels:
                where = np.repeat(ends, counts, axis=0)
                fresh[:, first + k] = self.levels[number].find(where, rows[:, first + k])
        return fresh, (fresh[:, first:] >= 0).all(axis=1)

    def _fragments(self, cells: Coords, left: Ints) -> None:
        array = self.tx.cell_array(f"{self.level}/link_fragments")
        if array is None:
            return
        blobs = encode_fragments(FragmentTable.of_runs(np.ones_like(left), left))
        lengths = np.where(left > 0, blobs.lengths, 0)
        data = take_runs(blobs.data, blobs.offsets[:-1], lengths)
        blobs = Ragged.from_lengths(data, lengths)
        self.tx.cells(array, cells, blobs, whole=self.whole)

    def _attributes(
        self, name: str, cells: Coords, counts: Ints, kept: npt.NDArray[np.bool_], left: Ints
    ) -> None:
        base = f"{self.level}/link_attributes"
        group = self.tx.root.get_many([base]).get(base)
        for column in group.keys() if isinstance(group, Group) else ():
            array = self.tx.cell_array(f"{base}/{column}/{self.name}/{name}")
            if array is None:
                continue
            dtype, shape = row_layout(column, array.attributes)
            n_bytes = dtype.itemsize * int(np.prod(shape, dtype=np.int64))
            rows = padded_rows(array.read(cells), counts, n_bytes)
            blobs = Ragged.from_lengths(rows[kept], left * n_bytes)
            self.tx.cells(array, cells, blobs, whole=self.whole)


def padded_rows(blobs: Ragged, counts: Ints, n_bytes: int) -> npt.NDArray[np.uint8]:
    """Return so many rows of bytes of each blob, those that it has not being zeros."""
    rows = np.zeros((int(counts.sum()), n_bytes), np.uint8)
    there = np.minimum(blobs.lengths // max(1, n_bytes), counts)
    data = take_runs(blobs.data, blobs.offsets[:-1], there * n_bytes)
    rows[index_ranges(starts_of(counts)[:-1], there)] = data.reshape(-1, n_bytes)
    return rows

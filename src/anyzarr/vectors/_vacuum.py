"""Dropping what counts no longer: rows that no fragment names, empty chunks, objects of nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr._nodes import Array, Group
from anyzarr.abc import Ragged
from anyzarr.metadata import group_document
from anyzarr.vectors._attributes import row_layout
from anyzarr.vectors._blobs import Ints, Origin, starts_of
from anyzarr.vectors._cell_index import CellIndex
from anyzarr.vectors._cells import CellArray
from anyzarr.vectors._completed import tiles
from anyzarr.vectors._documents import RootMetadata
from anyzarr.vectors._edit import open_for_edit
from anyzarr.vectors._edit_objects import without_objects
from anyzarr.vectors._fragments import FragmentTable, decode_fragments, encode_fragments
from anyzarr.vectors._grid import Coords
from anyzarr.vectors._level import StoredLevel
from anyzarr.vectors._manifests import ManifestTable
from anyzarr.vectors._merge import table_of_rows
from anyzarr.vectors._relink import RowMap, padded_rows, relink
from anyzarr.vectors._transaction import Transaction, editing

__all__ = ["VacuumSummary", "vacuum"]


@dataclass(frozen=True)
class VacuumSummary:
    """What was dropped, in all levels.

    Attributes
    ----------
    row_count
        Rows of vertices that no fragment named.
    fragment_count
        Fragments without rows.
    object_count
        Objects without vertices.
    """

    row_count: int = 0
    fragment_count: int = 0
    object_count: int = 0

    def __add__(self, other: VacuumSummary) -> VacuumSummary:
        return VacuumSummary(
            self.row_count + other.row_count,
            self.fragment_count + other.fragment_count,
            self.object_count + other.object_count,
        )


def vacuum(path: Any, *, backend: str | None = None, **backend_kwargs: Any) -> VacuumSummary:
    """Drop what counts no longer from a store, so that it takes no more room than it needs.

    Rows of vertices that no fragment names (what deleted and replaced objects, and writers that
    were killed, have left), fragments that hold nothing, chunks without vertices, links to what
    is gone, and objects without vertices. Everything else keeps its ids, values and order. All of
    it happens at one moment: whoever is cut off leaves the store as it was before or as it is
    after. The level that is cleaned is held in memory.

    Parameters
    ----------
    path, backend, **backend_kwargs
        As for :func:`anyzarr.vectors.open_store`.

    Raises
    ------
    ReadOnlyError
        The store does not write.

    Examples
    --------
    >>> from anyzarr.vectors import delete_objects, vacuum, write_polylines
    >>> memory = {}
    >>> _ = write_polylines(memory, [[[1, 1], [8, 2]], [[4, 9], [5, 5], [6, 3]]])
    >>> _ = delete_objects(memory, [1])
    >>> vacuum(memory)
    VacuumSummary(row_count=3, fragment_count=1, object_count=0)
    """
    root, _ = open_for_edit(path, backend, backend_kwargs)
    summary = VacuumSummary()
    with editing(root) as tx:
        metadata = RootMetadata.parse(root.metadata.attributes)
        maps = {}
        for number in metadata.levels:
            level = StoredLevel.of(root, metadata, number, objects=True)
            done = _Cleaning.of(level)
            if done.summary != VacuumSummary():
                maps[number] = done.rows
                done.stage(tx)
                summary += done.summary
        relink(tx, maps, whole=True)
        for number in maps:
            tx.remove_orphans(str(number))
        if summary != VacuumSummary():
            tx.commit()
    return summary


@dataclass(frozen=True, eq=False)
class _Cleaning:
    """A level, and what stays of it.

    Attributes
    ----------
    level
        The level.
    cells, counts
        Its cells, and how many rows each has.
    table
        Their fragments.
    kept
        Which fragments stay.
    rows
        Where rows go.
    """

    level: StoredLevel
    cells: Coords
    counts: Ints
    table: FragmentTable
    kept: npt.NDArray[np.bool_]
    rows: RowMap

    @classmethod
    def of(cls, level: StoredLevel) -> _Cleaning:
        array = level.fragments
        assert array is not None
        cells = np.unique(np.concatenate([level.vertices.nonempty, array.nonempty]), axis=0)
        table = decode_fragments(array.read(cells), Origin(array.path, cells))
        counts = level.vertices.read(cells).lengths // (level.dtype.itemsize * level.ndim)
        Origin(level.vertices.path, cells).refuse(
            counts < table.extent(), "has fewer rows than its fragments name"
        )
        per_cell = np.bincount(table.cell, table.count, len(cells)) > 0
        # Where there are no objects, the number of a fragment is that of a bin.
        kept = per_cell[table.cell] if level.objects is None else table.count > 0
        rows = RowMap.of_live(cells, counts, table, moved=True)
        return cls(level, cells, counts, table, kept, rows)

    @property
    def live(self) -> npt.NDArray[np.bool_]:
        """Which rows stay, cell after cell."""
        stays: npt.NDArray[np.bool_] = self.rows.rows >= 0
        return stays

    @property
    def manifests(self) -> ManifestTable | None:
        """The manifests of all objects, of fragments that stay, under their new numbers."""
        index = self.level.objects
        if index is None:
            return None
        blocks = index.manifests().expand()
        running = starts_of(self.kept.astype(np.int64))
        number = running[:-1] - running[self.table.offsets[:-1]][self.table.cell]
        place = self.table.offsets[:-1][CellIndex(self.cells).find(blocks.coords)] + blocks.start
        stays = self.kept[place]
        per_object = np.bincount(blocks.object_row[stays], minlength=blocks.n_objects)
        coords = blocks.coords[stays]
        return ManifestTable.of_fragments(per_object, coords, number[place[stays]])

    @property
    def summary(self) -> VacuumSummary:
        """What goes."""
        manifests = self.manifests
        return VacuumSummary(
            int(np.count_nonzero(~self.live)),
            int(np.count_nonzero(~self.kept)),
            0 if manifests is None else int(np.count_nonzero(manifests.blocks == 0)),
        )

    def stage(self, tx: Transaction) -> None:
        """Let the level hold what stays."""
        base, per_cell = str(self.level.number), self._per_cell(self.live, self.counts)
        live = np.flatnonzero(per_cell)
        for name in ("vertices", *self._columns("vertex_attributes")):
            array = self.level.array(name)
            n_bytes = self._row_bytes(name, array)
            rows = padded_rows(array.read(self.cells), self.counts, n_bytes)[self.live]
            blobs = Ragged.from_lengths(rows, per_cell * n_bytes)
            tx.cells(array, self.cells[live], blobs.take(live), whole=True)
        table = self._table()
        blobs = encode_fragments(table).take(live)
        fragments = self.level.array("vertex_fragments")
        tx.cells(fragments, self.cells[live], blobs, whole=True)
        self._fragment_attributes(tx, live)
        manifests = self.manifests
        if manifests is not None:
            gone = np.flatnonzero(manifests.blocks == 0)
            left = replace(manifests, offsets=starts_of(manifests.blocks[manifests.blocks > 0]))
            without_objects(tx, self.level, gone, left)
        changed = replace(
            self.level.level,
            vertex_count=int(table.count.sum()),
            fragments_tile=tiles(table, per_cell),
        )
        tx.document(base, group_document(attributes=changed.attributes()))

    def _table(self) -> FragmentTable:
        """Return the fragments that stay, of their new rows; cells that go have none."""
        chosen = np.flatnonzero(self.kept)
        named, ends = self.table.rows(chosen)
        cell = np.repeat(self.table.cell[chosen], np.diff(ends))
        values = self.rows.rows[starts_of(self.counts)[:-1][cell] + named]
        per_cell = np.bincount(self.table.cell[chosen], minlength=len(self.cells))
        return table_of_rows(per_cell.astype(np.int64), values, ends[:-1], np.diff(ends))

    def _fragment_attributes(self, tx: Transaction, live: Ints) -> None:
        per_cell = self._per_cell(self.kept, self.table.fragments)
        for name in self._columns("fragment_attributes"):
            array = self.level.array(name)
            n_bytes = self._row_bytes(name, array)
            rows = padded_rows(array.read(self.cells), self.table.fragments, n_bytes)[self.kept]
            blobs = Ragged.from_lengths(rows, per_cell * n_bytes)
            tx.cells(array, self.cells[live], blobs.take(live), whole=True)

    def _columns(self, family: str) -> list[str]:
        path = f"{self.level.number}/{family}"
        group = self.level.root.get_many([path]).get(path)
        members = group.members() if isinstance(group, Group) else ()
        names = [f"{family}/{name}" for name, node in members if isinstance(node, Array)]
        self.level.fetch(names)
        return names

    def _row_bytes(self, name: str, array: CellArray) -> int:
        if name == "vertices":
            return self.level.dtype.itemsize * self.level.ndim
        dtype, shape = row_layout(name, array.attributes)
        n_bytes = dtype.itemsize * int(np.prod(shape, dtype=np.int64))
        if shape or name.startswith("fragment"):
            return n_bytes
        # The package writes rows of several values without saying so.
        lengths = array.read(self.cells).lengths
        width = int(lengths.sum()) // max(1, int(self.counts.sum()) * n_bytes)
        untold = width > 1 and np.array_equal(lengths, self.counts * width * n_bytes)
        return n_bytes * width if untold else n_bytes

    def _per_cell(self, mask: npt.NDArray[np.bool_], counts: Ints) -> Ints:
        """Return how many rows of each cell a mask has."""
        owner = np.repeat(np.arange(len(counts)), counts)
        return np.bincount(owner[mask], minlength=len(counts)).astype(np.int64)

"""Fragments: which rows of a cell belong together (``fragment_index_v1``).

A blob of a cell holds a header of 16 bytes (magic, version, flags, number of fragments F, number
of ranges R), a bitmap of F bits padded to 8 bytes that says which fragments are ranges, R pairs
(start, count), and the other fragments as offsets and indices; that of a cell without fragments
ends with the header. The layout is the one of the files that the zarr-vectors package writes
(format 0.9).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr.abc import Ragged
from anyzarr.vectors._blobs import Ints, Origin, index_ranges, read_at, starts_of, write_at

__all__ = ["FragmentTable", "decode_fragments", "encode_fragments"]

_MAGIC, _VERSION, _HEADER_BYTES = 0x5A564647, 1, 16
_LARGEST = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True, eq=False)
class FragmentTable:
    """The fragments of many cells, one row per fragment, cell after cell.

    Attributes
    ----------
    offsets
        Fragments ``[offsets[i], offsets[i + 1])`` are those of cell ``i``; of shape
        ``(n_cells + 1,)``.
    start
        Of a range, its first row in the cell; of any other fragment, where its rows begin in
        ``indices``; of shape ``(n_fragments,)``.
    count
        Number of rows of each fragment.
    is_range
        Whether the rows of a fragment follow one another.
    indices
        Rows of the fragments that are no ranges.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.vectors._fragments import FragmentTable
    >>> table = FragmentTable.of_runs(np.array([2, 1]), np.array([3, 1, 4]))
    >>> table.cell.tolist(), table.number.tolist(), table.start.tolist()
    ([0, 0, 1], [0, 1, 0], [0, 3, 0])
    >>> rows, offsets = table.rows()
    >>> rows.tolist(), offsets.tolist()
    ([0, 1, 2, 3, 0, 1, 2, 3], [0, 3, 4, 8])
    """

    offsets: Ints
    start: Ints
    count: Ints
    is_range: npt.NDArray[np.bool_]
    indices: Ints

    @classmethod
    def of_ranges(cls, fragments: npt.ArrayLike, start: Ints, count: Ints) -> FragmentTable:
        """Return a table of ranges.

        Parameters
        ----------
        fragments
            Number of fragments of each cell.
        start, count
            First row and number of rows of each fragment.
        """
        offsets = starts_of(np.asarray(fragments, np.int64))
        whole = np.ones(len(start), np.bool_)
        return cls(offsets, start, count, whole, np.empty(0, np.int64))

    @classmethod
    def of_runs(cls, fragments: npt.ArrayLike, count: Ints) -> FragmentTable:
        """Return ranges that lie in their cell one after the other, from row 0 on.

        Parameters
        ----------
        fragments
            Number of fragments of each cell.
        count
            Number of rows of each fragment.
        """
        fragments = np.asarray(fragments, np.int64)
        starts = starts_of(count)
        first = starts[starts_of(fragments)[:-1]]
        return cls.of_ranges(fragments, starts[:-1] - np.repeat(first, fragments), count)

    def __len__(self) -> int:
        return int(self.start.size)

    @property
    def fragments(self) -> Ints:
        """Number of fragments of each cell."""
        return np.diff(self.offsets)

    @property
    def cell(self) -> Ints:
        """Number of the cell of each fragment."""
        return np.repeat(np.arange(self.offsets.size - 1, dtype=np.int64), self.fragments)

    @property
    def number(self) -> Ints:
        """Number of each fragment within its cell."""
        return index_ranges(np.zeros(self.offsets.size - 1, np.int64), self.fragments)

    def rows(self, select: npt.NDArray[Any] | None = None) -> tuple[Ints, Ints]:
        """Return the rows of fragments, within their cells.

        Parameters
        ----------
        select
            Rows of this table, in the order wished; all of them by default.

        Returns
        -------
        rows, offsets
            ``rows[offsets[k]:offsets[k + 1]]`` are those of the k-th selected fragment.
        """
        start, count, whole = self.start, self.count, self.is_range
        if select is not None:
            start, count, whole = start[select], count[select], whole[select]
        rows = index_ranges(start, count)
        if not whole.all():
            listed = np.repeat(~whole, count)
            rows[listed] = self.indices[rows[listed]]
        return rows, starts_of(count)

    def extent(self) -> Ints:
        """Return, per cell, how many rows it must have: one more than the largest that is named."""
        rows = np.zeros(len(self), np.int64)
        whole = self.is_range & (self.count > 0)
        rows[whole] = self.start[whole] + self.count[whole]
        listed = np.flatnonzero(~self.is_range & (self.count > 0))
        if listed.size:
            values, offsets = self.rows(listed)
            rows[listed] = np.maximum.reduceat(values, offsets[:-1]) + 1
        extent = np.zeros(self.offsets.size - 1, np.int64)
        np.maximum.at(extent, self.cell, rows)
        return extent


def _sizes(fragments: Ints, ranges: Ints, listed: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """Return where the ranges, the offsets and the indices of each blob begin, and its size."""
    table = _HEADER_BYTES + (fragments + 63) // 64 * 8
    offsets = table + 16 * ranges
    indices = offsets + 4 * (fragments - ranges + (fragments > 0))
    return table, offsets, indices, indices + 8 * listed


def encode_fragments(table: FragmentTable) -> Ragged:
    """Return one blob per cell.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.vectors._fragments import FragmentTable, decode_fragments, encode_fragments
    >>> table = FragmentTable.of_runs(np.array([2, 1]), np.array([3, 1, 4]))
    >>> blobs = encode_fragments(table)
    >>> blobs.lengths.tolist(), decode_fragments(blobs).count.tolist()
    ([60, 44], [3, 1, 4])
    """
    cell, whole = table.cell, table.is_range
    n = table.offsets.size - 1
    ranges = np.bincount(cell[whole], minlength=n).astype(np.int64)
    listed = np.zeros(n, np.int64)
    np.add.at(listed, cell[~whole], table.count[~whole])
    at_table, at_offsets, at_indices, sizes = _sizes(table.fragments, ranges, listed)
    base = starts_of(sizes)
    data = np.zeros(int(base[-1]), np.uint8)
    begin = base[:-1]
    for position, value, kind in (
        (0, np.full(n, _MAGIC), "<u4"),
        (4, np.full(n, _VERSION), "<u2"),
        (8, table.fragments, "<u4"),
        (12, ranges, "<u4"),
    ):
        write_at(data, begin + position, value, kind)
    _write_ranges(data, table, cell, begin + at_table)
    if not whole.all():
        _write_lists(data, table, begin + at_offsets, begin + at_indices)
    _write_bitmap(data, table, cell, begin + _HEADER_BYTES)
    return Ragged(data, base)


def _refuse_negative(table: FragmentTable, cell: Ints, origin: Origin) -> None:
    """Raise for a fragment with a negative row or count."""
    wrong = (table.start < 0) | (table.count < 0) | (table.start > _LARGEST - table.count)
    bad = np.zeros(table.offsets.size - 1, np.bool_)
    bad[cell[wrong]] = True
    origin.refuse(bad, "has a fragment of a negative row, or of a negative number of rows")
    if table.indices.size and table.indices.min() < 0:
        owner = np.repeat(np.flatnonzero(~table.is_range), table.count[~table.is_range])
        bad[cell[owner[table.indices < 0]]] = True
        origin.refuse(bad, "has a fragment with a negative row")


def _within(counts: npt.NDArray[Any]) -> Ints:
    """Return 0, 1, 2, … anew for each of several runs of these lengths."""
    return index_ranges(np.zeros(len(counts), np.int64), counts)


def _write_ranges(data: npt.NDArray[np.uint8], table: FragmentTable, cell: Ints, at: Ints) -> None:
    whole = table.is_range
    owner = cell[whole]
    per_cell = np.bincount(owner, minlength=at.size)
    positions = at[owner] + 16 * _within(per_cell)
    write_at(data, positions, table.start[whole], "<i8")
    write_at(data, positions + 8, table.count[whole], "<i8")


def _write_lists(
    data: npt.NDArray[np.uint8], table: FragmentTable, at_offsets: Ints, at_indices: Ints
) -> None:
    listed = np.flatnonzero(~table.is_range)
    owner, count = table.cell[listed], table.count[listed]
    values, ends = table.rows(listed)
    per_cell = np.bincount(owner, minlength=at_offsets.size)
    rows = np.zeros(at_offsets.size, np.int64)
    np.add.at(rows, owner, count)
    first = starts_of(rows)[:-1]
    write_at(data, at_offsets[owner] + 4 * (_within(per_cell) + 1), ends[1:] - first[owner], "<u4")
    write_at(data, np.repeat(at_indices, rows) + 8 * _within(rows), values, "<i8")


def _write_bitmap(data: npt.NDArray[np.uint8], table: FragmentTable, cell: Ints, at: Ints) -> None:
    whole = table.is_range
    number = table.number[whole]
    byte = at[cell[whole]] + number // 8
    bits = np.left_shift(1, number % 8).astype(np.uint8)
    if byte.size:
        first = np.flatnonzero(np.diff(byte, prepend=-1))
        data[byte[first]] = np.bitwise_or.reduceat(bits, first)


def decode_fragments(blobs: Ragged, origin: Origin | None = None) -> FragmentTable:
    """Return the fragments of many cells.

    Parameters
    ----------
    blobs
        One blob per cell; an empty one is a cell without fragments.
    origin
        What errors name.

    Raises
    ------
    CorruptDataError
        A blob is no fragment index, or one whose numbers contradict each other.
    """
    origin = origin or Origin()
    n, data = len(blobs), blobs.data
    fragments, ranges = _headers(blobs, np.flatnonzero(blobs.lengths > 0), origin)
    held = np.flatnonzero(fragments)
    _, at_offsets, _, least = _sizes(fragments, ranges, np.zeros(n, np.int64))
    sizes = np.where(blobs.lengths > 0, blobs.lengths, least)
    origin.refuse(sizes < least, "is shorter than the fragments that its header announces")
    listed = np.zeros(n, np.int64)
    lists = fragments[held] - ranges[held]
    last = blobs.offsets[held] + at_offsets[held] + 4 * lists
    listed[held] = read_at(data, last, "<u4").astype(np.int64)
    origin.refuse(sizes != least + 8 * listed, "is not of the size that its fragments need")
    return _tables(blobs, fragments, ranges, listed, origin)


def _headers(blobs: Ragged, held: Ints, origin: Origin) -> tuple[Ints, Ints]:
    """Return the number of fragments and of ranges of each blob."""
    origin.refuse((blobs.lengths > 0) & (blobs.lengths < _HEADER_BYTES), "has no whole header")
    begin, data = blobs.offsets[held], blobs.data
    bad = np.zeros(len(blobs), np.bool_)
    bad[held] = read_at(data, begin, "<u4") != _MAGIC
    origin.refuse(bad, "is no fragment index")
    bad[held] = read_at(data, begin + 4, "<u2") != _VERSION
    origin.refuse(bad, "is a fragment index of a version other than 1")
    bad[held] = read_at(data, begin + 6, "<u2") != 0
    origin.refuse(bad, "is a fragment index with flags, of which none is known")
    fragments, ranges = np.zeros((2, len(blobs)), np.int64)
    fragments[held] = read_at(data, begin + 8, "<u4")
    ranges[held] = read_at(data, begin + 12, "<u4")
    origin.refuse(ranges > fragments, "has more ranges than fragments")
    return fragments, ranges


def _tables(
    blobs: Ragged, fragments: Ints, ranges: Ints, listed: Ints, origin: Origin
) -> FragmentTable:
    """Read the bitmap, the ranges and the lists of blobs whose sizes are right."""
    data, begin, n = blobs.data, blobs.offsets[:-1], len(blobs)
    at_table, at_offsets, at_indices, _ = _sizes(fragments, ranges, listed)
    offsets = starts_of(fragments)
    cell = np.repeat(np.arange(n, dtype=np.int64), fragments)
    whole = _bits(data, begin + _HEADER_BYTES, fragments)
    marked = np.bincount(cell[whole], minlength=n)
    origin.refuse(marked != ranges, "marks another number of ranges than its header announces")
    positions = _within(ranges)
    positions *= 16
    positions += np.repeat(begin + at_table, ranges)
    if whole.all() and not listed.any():
        start = read_at(data, positions, "<i8").astype(np.int64, copy=False)
        positions += 8
        count = read_at(data, positions, "<i8").astype(np.int64, copy=False)
        table = FragmentTable(offsets, start, count, whole, np.empty(0, np.int64))
        _refuse_negative(table, cell, origin)
        return table
    start, count = np.zeros((2, cell.size), np.int64)
    start[whole] = read_at(data, positions, "<i8")
    count[whole] = read_at(data, positions + 8, "<i8")
    lists = fragments - ranges
    positions = np.repeat(begin + at_offsets, lists) + 4 * _within(lists)
    first = read_at(data, positions, "<u4").astype(np.int64)
    start[~whole] = first + np.repeat(starts_of(listed)[:-1], lists)
    count[~whole] = read_at(data, positions + 4, "<u4").astype(np.int64) - first
    positions = np.repeat(begin + at_indices, listed) + 8 * _within(listed)
    indices = read_at(data, positions, "<i8").astype(np.int64, copy=False)
    table = FragmentTable(offsets, start, count, whole, indices)
    _refuse_lists(table, cell, first, listed, origin)
    _refuse_negative(table, cell, origin)
    return table


def _bits(data: npt.NDArray[np.uint8], begin: Ints, counts: Ints) -> npt.NDArray[np.bool_]:
    """Return bits of bitmaps, so many of each, and where these begin."""
    if not counts.any():
        return np.empty(0, np.bool_)
    number = _within(counts)
    bit = (number & 7).astype(np.uint8)
    number >>= 3
    number += np.repeat(begin, counts)
    return (data[number] >> bit & 1).astype(np.bool_)


def _refuse_lists(
    table: FragmentTable, cell: Ints, first: Ints, listed: Ints, origin: Origin
) -> None:
    """Raise where the lists of a cell do not begin at 0 or do not ascend."""
    bad = np.zeros(listed.size, np.bool_)
    owner = cell[~table.is_range]
    bad[owner[table.count[~table.is_range] < 0]] = True
    leading = np.flatnonzero(np.diff(owner, prepend=-1))
    bad[owner[leading[first[leading] != 0]]] = True
    bad |= (listed > 0) & (np.bincount(owner, minlength=listed.size) == 0)
    origin.refuse(bad, "has lists of rows whose offsets do not ascend from 0")

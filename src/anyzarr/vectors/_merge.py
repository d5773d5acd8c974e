"""Blobs and fragments of cells to which something is appended."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from anyzarr.abc import Ragged
from anyzarr.vectors._blobs import Ints, index_ranges, starts_of
from anyzarr.vectors._fragments import FragmentTable
from anyzarr.vectors._take import take_runs

__all__ = [
    "append_fragments",
    "empty_fragments",
    "extend_fragments",
    "join_blobs",
    "keep_bytes",
    "table_of_rows",
]


def join_blobs(first: Ragged, second: Ragged) -> Ragged:
    """Return for each element the bytes of the first followed by those of the second.

    Examples
    --------
    >>> from anyzarr.abc import Ragged
    >>> from anyzarr.vectors._merge import join_blobs
    >>> join_blobs(Ragged.of([b"a", b""]), Ragged.of([b"b", b"cd"])).to_list()
    [b'ab', b'cd']
    """
    if not first.data.size:
        return second
    n = len(first)
    order = np.arange(2 * n).reshape(2, n).T.reshape(-1)
    mixed = Ragged.concatenate([first, second]).take(order)
    return Ragged(mixed.data, np.ascontiguousarray(mixed.offsets[::2]))


def keep_bytes(blobs: Ragged, lengths: npt.NDArray[np.int64]) -> Ragged:
    """Return the first bytes of each element, as many as given, which are at least there.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.abc import Ragged
    >>> from anyzarr.vectors._merge import keep_bytes
    >>> keep_bytes(Ragged.of([b"abc", b"de"]), np.array([1, 2])).to_list()
    [b'a', b'de']
    """
    if np.array_equal(blobs.lengths, lengths):
        return blobs
    return Ragged.from_lengths(take_runs(blobs.data, blobs.offsets[:-1], lengths), lengths)


def append_fragments(old: FragmentTable, new: FragmentTable, rows: Ints) -> FragmentTable:
    """Return the fragments of cells after those that are there.

    Parameters
    ----------
    old
        The fragments that are there.
    new
        Further ones of the same cells, in rows counted from those that are new.
    rows
        Rows that each cell has already.
    """
    moved = _moved(new, rows)
    joined = _concatenated(old, moved)
    return _reordered(joined, _order_by_cell(old, new), old.fragments + new.fragments)


def extend_fragments(old: FragmentTable, new: FragmentTable, rows: Ints) -> FragmentTable:
    """Return fragments to each of which the new rows of its number have been added.

    Where the rows do not follow one another, the fragment lists them. Parameters are those of
    :func:`append_fragments`.
    """
    moved = _moved(new, rows)
    both = _concatenated(old, moved)
    fragments = np.maximum(old.fragments, new.fragments)
    most = int(fragments.max(initial=1))
    n_cells = old.offsets.size - 1
    slot = np.concatenate([old.cell * most + old.number, new.cell * most + new.number])
    per_slot = np.bincount(slot[both.count > 0], minlength=n_cells * most)
    slots = index_ranges(np.arange(n_cells) * most, fragments)
    order = np.lexsort((np.arange(len(both)), slot))
    order = order[both.count[order] > 0]
    begin = starts_of(per_slot)[:-1][slots]
    values, offsets = both.rows(order)
    ends = np.append(offsets, offsets[-1:])
    first, last = offsets[begin], ends[begin + per_slot[slots]]
    count = last - first
    return table_of_rows(fragments, values, first, count)


def empty_fragments(table: FragmentTable, chosen: npt.NDArray[np.bool_]) -> FragmentTable:
    """Return the table with some of its fragments holding no rows; numbers stay as they are."""
    emptied = FragmentTable(
        table.offsets,
        np.where(chosen, 0, table.start),
        np.where(chosen, 0, table.count),
        table.is_range | chosen,
        table.indices,
    )
    return _reordered(emptied, np.arange(len(table)), table.fragments)


def table_of_rows(fragments: Ints, values: Ints, first: Ints, count: Ints) -> FragmentTable:
    """Return the table of fragments whose rows are ``values[first:first + count]``.

    Parameters
    ----------
    fragments
        Number of fragments of each cell.
    values
        Rows of their cells.
    first, count
        Where the rows of each fragment begin in ``values``, and how many they are.
    """
    held = count > 0
    start = np.zeros(len(count), np.int64)
    start[held] = values[first[held]]
    is_range = np.ones(len(count), np.bool_)
    steps = np.ones(len(values), np.bool_)
    steps[1:] = np.diff(values) == 1
    steps[first[held]] = True
    is_range[held] = np.logical_and.reduceat(steps, first[held]) if held.any() else True
    listed = np.flatnonzero(~is_range)
    indices = values[index_ranges(first[listed], count[listed])]
    start[listed] = starts_of(count[listed])[:-1]
    return FragmentTable(starts_of(fragments), start, count, is_range, indices)


def _moved(table: FragmentTable, rows: Ints) -> FragmentTable:
    """Return the fragments with rows counted from the first of their cells."""
    by = rows[table.cell]
    start = np.where(table.is_range, table.start + by, table.start)
    owner = np.repeat(np.flatnonzero(~table.is_range), table.count[~table.is_range])
    order = index_ranges(table.start[~table.is_range], table.count[~table.is_range])
    indices = table.indices.copy()
    indices[order] += by[owner]
    return FragmentTable(table.offsets, start, table.count, table.is_range, indices)


def _concatenated(first: FragmentTable, second: FragmentTable) -> FragmentTable:
    """Return the rows of two tables one after the other; their cells are those of neither."""
    start = np.where(second.is_range, second.start, second.start + len(first.indices))
    return FragmentTable(
        np.asarray([0, len(first) + len(second)], np.int64),
        np.concatenate([first.start, start]),
        np.concatenate([first.count, second.count]),
        np.concatenate([first.is_range, second.is_range]),
        np.concatenate([first.indices, second.indices]),
    )


def _order_by_cell(first: FragmentTable, second: FragmentTable) -> Ints:
    cell = np.concatenate([first.cell, second.cell])
    order: Ints = np.argsort(cell, kind="stable")
    return order


def _reordered(table: FragmentTable, order: Ints, fragments: Ints) -> FragmentTable:
    """Return the rows of a table in another order, as those of cells with so many each."""
    is_range, count = table.is_range[order], table.count[order]
    listed = order[~is_range]
    indices = table.indices[index_ranges(table.start[listed], table.count[listed])]
    start = table.start[order]
    start[~is_range] = starts_of(table.count[listed])[:-1]
    return FragmentTable(starts_of(fragments), start, count, is_range, indices)

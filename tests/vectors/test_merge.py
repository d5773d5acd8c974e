"""Fragments of cells to which rows are appended, against lists of rows."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from anyzarr.vectors._fragments import FragmentTable, decode_fragments, encode_fragments
from anyzarr.vectors._merge import append_fragments, extend_fragments

ROWS = st.lists(st.lists(st.integers(0, 50), max_size=4), max_size=3)
CELLS = st.lists(st.tuples(ROWS, ROWS, st.integers(51, 60)), min_size=1, max_size=4)


def table_of(cells: list[list[list[int]]]) -> FragmentTable:
    fragments = [rows for cell in cells for rows in cell]
    is_range = np.array([rows == [*range(rows[0], rows[0] + len(rows))] if rows else True
                         for rows in fragments], bool)  # fmt: skip
    listed = [rows for rows, whole in zip(fragments, is_range, strict=True) if not whole]
    starts = iter(np.cumsum([0, *map(len, listed)]).tolist())
    start = [rows[0] if whole and rows else 0 if whole else next(starts)
             for rows, whole in zip(fragments, is_range, strict=True)]  # fmt: skip
    return FragmentTable(
        np.cumsum([0, *map(len, cells)], dtype=np.int64),
        np.array(start, np.int64),
        np.array([len(rows) for rows in fragments], np.int64),
        is_range,
        np.array([row for rows in listed for row in rows], np.int64),
    )


def lists_of(table: FragmentTable) -> list[list[list[int]]]:
    stored = decode_fragments(encode_fragments(table))
    rows, offsets = stored.rows()
    parts = [rows[a:b].tolist() for a, b in itertools.pairwise(offsets)]
    return [parts[a:b] for a, b in itertools.pairwise(stored.offsets)]


@given(CELLS)
def test_fragments_are_appended(cells) -> None:
    old, new, rows = ([cell[i] for cell in cells] for i in range(3))
    got = append_fragments(table_of(old), table_of(new), np.array(rows))
    expected = [
        [*a, *([row + by for row in part] for part in b)]
        for a, b, by in zip(old, new, rows, strict=True)
    ]
    assert lists_of(got) == expected


@given(CELLS)
def test_fragments_are_extended_by_number(cells) -> None:
    old, new, rows = ([cell[i] for cell in cells] for i in range(3))
    got = extend_fragments(table_of(old), table_of(new), np.array(rows))
    expected = []
    for a, b, by in zip(old, new, rows, strict=True):
        n = max(len(a), len(b))
        a, b = a + [[]] * (n - len(a)), b + [[]] * (n - len(b))
        expected.append([[*x, *(row + by for row in y)] for x, y in zip(a, b, strict=True)])
    assert lists_of(got) == expected
    flat = [rows for cell in expected for rows in cell]
    assert got.is_range.tolist() == [bool((np.diff(rows) == 1).all()) for rows in flat]

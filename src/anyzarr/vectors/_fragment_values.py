"""Attributes of fragments in the form in which they are stored, one row for each fragment."""

from __future__ import annotations

import numpy as np

from anyzarr.abc import Ragged
from anyzarr.vectors._attributes import StoredColumn, code_type, row_layout
from anyzarr.vectors._blobs import Ints, Origin, index_ranges, starts_of
from anyzarr.vectors._cells import CellArray
from anyzarr.vectors._grid import Coords
from anyzarr.vectors._objects_write import all_rows

__all__ = ["blobs_of", "fragment_values", "spread"]


def fragment_values(name: str, array: CellArray, cells: Coords, counts: Ints) -> StoredColumn:
    """Return an attribute of all fragments of some cells.

    Of the fragments of cells for which it was not written, as the package may, it is absent. Rows
    after these are of fragments that are being added.

    Parameters
    ----------
    name
        Its name.
    array
        The array that holds it.
    cells, counts
        Absolute coordinates, and how many fragments each cell has.

    Raises
    ------
    CorruptDataError
        A cell has rows, and fewer than fragments.
    """
    dtype, shape = row_layout(name, array.attributes)
    blobs = array.read(cells)
    is_there = blobs.lengths > 0
    values, offsets = array.as_rows(cells, blobs, dtype, shape)
    wrong = is_there & (np.diff(offsets) < counts)
    Origin(array.path, cells).refuse(wrong, "has not as many rows as fragments")
    if (np.diff(offsets) > counts).any():
        values = values[index_ranges(offsets[:-1], counts * is_there)]
    place = index_ranges(starts_of(counts)[:-1], counts * is_there)
    return spread(name, StoredColumn(values, array.attributes), place, int(counts.sum()))


def spread(name: str, column: StoredColumn, place: Ints, n_rows: int) -> StoredColumn:
    """Return an attribute with more rows: its own in some places, and others where it is absent.

    Absent is NaN, the least or greatest whole number of the type, or no text.
    """
    if len(place) == n_rows and np.array_equal(place, np.arange(n_rows)):
        return column
    values, attributes = column.values, dict(column.attributes)
    if attributes.get("encoding") != "dictionary":
        return StoredColumn(all_rows(None, values, place, n_rows), attributes)
    if "_FillValue" not in attributes:
        if values.dtype.kind == "u":
            widened = code_type(len(attributes.get("categories", ())), has_missing=True)
            values = values.astype(widened)
        attributes |= {"_FillValue": -1, "dtype": values.dtype.name}
    full = np.full((n_rows, *values.shape[1:]), attributes["_FillValue"], values.dtype)
    full[place] = values
    return StoredColumn(full, attributes)


def blobs_of(column: StoredColumn, counts: Ints) -> Ragged:
    """Return rows as one blob for each of several cells, which have so many of them."""
    stored = column.values.astype(column.values.dtype.newbyteorder("<"), copy=False)
    rows = np.ascontiguousarray(stored).reshape(-1).view(np.uint8)
    return Ragged.from_lengths(rows, counts * column.row_bytes)

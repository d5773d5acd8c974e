"""Attributes of fragments, of a level to which fragments are added."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from anyzarr._nodes import Array, Group
from anyzarr.abc import Ragged
from anyzarr.vectors._attributes import encode_column, row_layout
from anyzarr.vectors._blobs import Ints, index_ranges, starts_of
from anyzarr.vectors._cells import CellArray
from anyzarr.vectors._constants import FRAGMENT_OWNER
from anyzarr.vectors._job import Job
from anyzarr.vectors._objects_write import all_rows
from anyzarr.vectors._relink import padded_rows
from anyzarr.vectors._transaction import Transaction

__all__ = ["fragment_columns", "stage_fragment_columns"]


def _columns(root: Group, level: int) -> dict[str, Array]:
    path = f"{level}/fragment_attributes"
    group = root.get_many([path]).get(path)
    return dict(group.arrays()) if isinstance(group, Group) else {}


def stage_fragment_columns(tx: Transaction, job: Job, after: Ints) -> None:
    """Stage the arrays that :func:`fragment_columns` returns."""
    for array, blobs in fragment_columns(job, after, tx.cell_array):
        tx.cells(array, job.scattered.cells, blobs)


def fragment_columns(
    job: Job, after: Ints, array_at: Callable[[str], CellArray | None]
) -> Iterator[tuple[CellArray, Ragged]]:
    """Return attributes of fragments with a row for each that the cells of a write will have.

    Of new fragments the attribute ``object_id`` is the id of their object, -1 for none; others they
    have not: NaN, the least or greatest whole number of the type, or no text.

    Parameters
    ----------
    job
        The write.
    after
        Number of fragments that each cell will have.
    array_at
        Returns the array at a path below the root.
    """
    cells, before = job.scattered.cells, job.fragments.fragments
    first = starts_of(after)[:-1]
    for name in _columns(job.root, job.level.level):
        array = array_at(f"{job.path}/fragment_attributes/{name}")
        assert array is not None
        dtype, shape = row_layout(name, array.attributes)
        n_bytes = dtype.itemsize * int(np.prod(shape, dtype=np.int64))
        values = all_rows(None, np.empty((0, *shape), dtype), first[:0], int(after.sum()))
        if array.attributes.get("encoding") == "dictionary":
            none = encode_column(name, np.asarray([None], object), array.attributes)
            array, values[:] = array.with_attributes(none.attributes), none.values[0]
        if name == FRAGMENT_OWNER:
            values[:] = -1
            values[index_ranges(first + before, after - before)] = _owners(job)
        rows = np.ascontiguousarray(values.astype(dtype)).view(np.uint8).reshape(-1, n_bytes)
        stored = array.read(cells)
        rows[index_ranges(first, before)] = padded_rows(stored, before, n_bytes)
        blobs = Ragged.from_lengths(rows, after * n_bytes)
        yield array.covering(job.grid, cells), blobs


def _owners(job: Job) -> Ints:
    """Return the id of the object of each new fragment, cell after cell."""
    pieces, ids = job.scattered.pieces, job.geometry.object_ids
    if ids is None:
        return np.full(len(pieces), -1, np.int64)
    of_piece = job.pieces.object_of_piece
    owners: Ints = ids[pieces if of_piece is None else of_piece[pieces]]
    return owners

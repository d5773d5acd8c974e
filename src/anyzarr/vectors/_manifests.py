"""Manifests: which fragments of which cells make up an object, in order (``vlen_manifests_v2``).

A manifest is a u32 number of blocks; a block is the coordinates of a chunk (absolute, i64 each), a
mode, and one fragment (mode 0), a range of them (1) or a list (2). Newer files hold the same as two
dense arrays (``dense_manifests_v1``): the span of each object and the blocks of all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr.abc import Ragged
from anyzarr.vectors._blobs import Ints, Origin, index_ranges, read_at, starts_of, write_at

__all__ = [
    "ManifestTable",
    "decode_manifests",
    "encode_manifests",
    "manifests_of_dense",
]

_SINGLE, _RANGE, _LIST = 0, 1, 2


@dataclass(frozen=True, slots=True, eq=False)
class ManifestTable:
    """The blocks of many objects' manifests, one row per block, object after object.

    Attributes
    ----------
    offsets
        Blocks ``[offsets[i], offsets[i + 1])`` are those of object row ``i``; of shape
        ``(n_objects + 1,)``.
    coords
        Absolute coordinates of the chunk of each block, of shape ``(n_blocks, ndim)``.
    start
        First fragment of a block; of one that lists them, where its list begins in ``indices``.
    count
        Number of fragments of each block.
    is_range
        Whether the fragments of a block follow one another; so does a single one.
    indices
        Fragments of the blocks that list them.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.vectors._manifests import ManifestTable
    >>> table = ManifestTable.of_fragments(
    ...     np.array([2, 0, 1]), np.array([[0, 0], [0, 1], [-1, 0]]), np.array([0, 3, 1])
    ... )
    >>> table.object_row.tolist(), table.coords[2].tolist()
    ([0, 0, 2], [-1, 0])
    """

    offsets: Ints
    coords: Ints
    start: Ints
    count: Ints
    is_range: npt.NDArray[np.bool_]
    indices: Ints

    @classmethod
    def of_fragments(
        cls, fragments: npt.ArrayLike, coords: npt.NDArray[Any], fragment: npt.NDArray[Any]
    ) -> ManifestTable:
        """Return a table with one block for each fragment of an object.

        Parameters
        ----------
        fragments
            Number of fragments of each object.
        coords
            Absolute coordinates of the chunk of each fragment, of shape ``(n, ndim)``.
        fragment
            Its number in that chunk.
        """
        n = len(fragment)
        return cls(
            starts_of(np.asarray(fragments, np.int64)),
            np.asarray(coords, np.int64),
            np.asarray(fragment, np.int64),
            # Views of one element: there may be as many blocks as vertices.
            np.broadcast_to(np.int64(1), n),
            np.broadcast_to(np.True_, n),
            np.empty(0, np.int64),
        )

    @property
    def n_objects(self) -> int:
        """Number of objects, those of empty manifests included."""
        return int(self.offsets.size) - 1

    @property
    def blocks(self) -> Ints:
        """Number of blocks of each object."""
        return np.diff(self.offsets)

    @property
    def object_row(self) -> Ints:
        """Row of the object of each block."""
        return np.repeat(np.arange(self.n_objects, dtype=np.int64), self.blocks)

    @property
    def is_single(self) -> bool:
        """Whether there is one block for each fragment."""
        return bool(self.is_range.all() and (self.count == 1).all())

    def take(self, objects: Ints) -> ManifestTable:
        """Return the manifests of some objects, given by their rows, in this order."""
        if len(objects) == self.n_objects and np.array_equal(objects, np.arange(len(objects))):
            return self
        per_object = self.blocks[objects]
        rows = index_ranges(self.offsets[:-1][objects], per_object)
        if self.is_single:
            return self.of_fragments(per_object, self.coords[rows], self.start[rows])
        return ManifestTable(
            starts_of(per_object),
            self.coords[rows],
            self.start[rows],
            self.count[rows],
            self.is_range[rows],
            self.indices,
        )

    def expand(self) -> ManifestTable:
        """Return the same manifests with one block for each fragment."""
        if self.is_single:
            return self
        fragments = index_ranges(self.start, self.count)
        listed = np.repeat(~self.is_range, self.count)
        fragments[listed] = self.indices[fragments[listed]]
        per_object = np.zeros(self.n_objects, np.int64)
        np.add.at(per_object, self.object_row, self.count)
        return self.of_fragments(per_object, np.repeat(self.coords, self.count, axis=0), fragments)


def _block_bytes(mode: npt.NDArray[Any], listed: npt.NDArray[Any], ndim: int) -> Ints:
    """Return the size of blocks of these modes, with lists of these lengths."""
    body = np.where(mode == _SINGLE, 8, np.where(mode == _RANGE, 16, 4 + 8 * listed))
    return np.asarray(8 * ndim + 1 + body, np.int64)


def encode_manifests(table: ManifestTable) -> Ragged:
    """Return one blob per object; that of an object without fragments is four zero bytes.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.vectors._manifests import ManifestTable, encode_manifests
    >>> table = ManifestTable.of_fragments(
    ...     np.array([2, 0, 1]), np.array([[0, 0], [0, 1], [-1, 0]]), np.array([0, 3, 1])
    ... )
    >>> encode_manifests(table).lengths.tolist()
    [54, 4, 29]
    """
    ndim = table.coords.shape[1]
    mode = np.where(table.is_range, np.where(table.count == 1, _SINGLE, _RANGE), _LIST)
    sizes = _block_bytes(mode, table.count, ndim)
    lengths = np.full(table.n_objects, 4, np.int64)
    np.add.at(lengths, table.object_row, sizes)
    base = starts_of(lengths)
    data = np.zeros(int(base[-1]), np.uint8)
    write_at(data, base[:-1], table.blocks, "<u4")
    at = starts_of(sizes)[:-1] + 4 * (table.object_row + 1)
    for axis in range(ndim):
        write_at(data, at + 8 * axis, table.coords[:, axis], "<i8")
    at = at + 8 * ndim
    data[at] = mode
    whole, several, listed = table.is_range, mode == _RANGE, mode == _LIST
    write_at(data, at[whole] + 1, table.start[whole], "<i8")
    write_at(data, at[several] + 9, table.count[several], "<i8")
    write_at(data, at[listed] + 1, table.count[listed], "<u4")
    count = table.count[listed]
    positions = np.repeat(at[listed] + 5, count) + 8 * index_ranges(np.zeros_like(count), count)
    write_at(data, positions, table.indices[index_ranges(table.start[listed], count)], "<i8")
    return Ragged(data, base)


def decode_manifests(blobs: Ragged, ndim: int, origin: Origin | None = None) -> ManifestTable:
    """Return the blocks of many manifests.

    Parameters
    ----------
    blobs
        One blob per object; an empty one is an object without fragments.
    ndim
        Number of coordinates of a chunk (``sid_ndim``).
    origin
        What errors name; a blob's cell is the row of its object.

    Raises
    ------
    CorruptDataError
        A blob is cut off, longer than its blocks, has a block of an unknown mode or a negative
        fragment.
    """
    origin = origin or Origin()
    lengths, data = blobs.lengths, blobs.data
    held = lengths > 0
    origin.refuse(held & (lengths < 4), "has no whole number of blocks")
    blocks = np.zeros(len(blobs), np.int64)
    blocks[held] = read_at(data, blobs.offsets[:-1][held], "<u4")
    size = 8 * ndim + 1
    origin.refuse(blocks * size > np.maximum(lengths - 4, 0), "is shorter than its blocks")
    at = _block_starts(blobs, blocks, size, origin)
    row = np.repeat(np.arange(len(blobs), dtype=np.int64), blocks)
    coords = np.empty((at.size, ndim), np.int64)
    for axis in range(ndim):
        coords[:, axis] = read_at(data, at + 8 * axis, "<i8")
    at = at + 8 * ndim
    mode = data[at]
    if not mode.any():
        start = read_at(data, at + 1, "<i8").astype(np.int64, copy=False)
        table = ManifestTable.of_fragments(blocks, coords, start)
        _refuse_negative(table, row, origin)
        return table
    start, count = np.zeros(at.size, np.int64), np.ones(at.size, np.int64)
    whole, several, listed = mode != _LIST, mode == _RANGE, mode == _LIST
    start[whole] = read_at(data, at[whole] + 1, "<i8")
    count[several] = read_at(data, at[several] + 9, "<i8")
    count[listed] = read_at(data, at[listed] + 1, "<u4")
    number = count[listed]
    start[listed] = starts_of(number)[:-1]
    positions = np.repeat(at[listed] + 5, number) + 8 * index_ranges(np.zeros_like(number), number)
    indices = read_at(data, positions, "<i8").astype(np.int64, copy=False)
    table = ManifestTable(starts_of(blocks), coords, start, count, whole, indices)
    _refuse_negative(table, row, origin)
    return table


def _refuse_negative(table: ManifestTable, row: Ints, origin: Origin) -> None:
    wrong = (table.start < 0) | (table.count < 0)
    wrong |= table.start > np.iinfo(np.int64).max - table.count
    if table.indices.size:
        listed = np.flatnonzero(~table.is_range)
        owner = np.repeat(listed, table.count[listed])
        wrong[owner[table.indices < 0]] = True
    bad = np.zeros(table.n_objects, np.bool_)
    bad[row[wrong]] = True
    origin.refuse(bad, "names a negative fragment, or a negative number of them")


def _block_starts(blobs: Ragged, blocks: Ints, size: int, origin: Origin) -> Ints:
    """Return the first byte of every block, after checking that blocks fill each blob."""
    single = size + 8
    begin = blobs.offsets[:-1] + 4
    uniform = (blobs.lengths == 4 + blocks * single) | ((blobs.lengths == 0) & (blocks == 0))
    at = np.zeros(int(blocks.sum()), np.int64)
    first = starts_of(blocks)[:-1]
    rows = np.flatnonzero(uniform)
    slots = index_ranges(first[rows], blocks[rows])
    owner = np.repeat(rows, blocks[rows])
    at[slots] = begin[owner] + single * (slots - first[owner])
    other = blobs.data[at[slots] + size - 1] != _SINGLE
    uniform[owner[other]] = False
    _walk(blobs, blocks, size, np.flatnonzero(~uniform), at, origin)
    return at


def _walk(blobs: Ragged, blocks: Ints, size: int, rows: Ints, at: Ints, origin: Origin) -> None:
    """Find the blocks of blobs that hold other than single fragments, all blobs a block a step."""
    data, end = blobs.data, blobs.offsets[1:]
    slot = starts_of(blocks)[:-1][rows]
    here, left = blobs.offsets[:-1][rows] + 4, blocks[rows].copy()
    bad = np.zeros(len(blobs), np.bool_)
    while rows.size:
        done = left == 0
        bad[rows[done & (here != end[rows])]] = True
        origin.refuse(bad, "is longer than its blocks")
        rows, slot, here, left = rows[~done], slot[~done], here[~done], left[~done]
        bad[rows[here + size + 4 > end[rows]]] = True
        origin.refuse(bad, "is cut off in a block")
        mode = data[here + size - 1]
        bad[rows[mode > _LIST]] = True
        origin.refuse(bad, "has a block of an unknown mode")
        at[slot] = here
        here = here + _block_bytes(mode, read_at(data, here + size, "<u4"), (size - 1) // 8)
        bad[rows[here > end[rows]]] = True
        origin.refuse(bad, "is cut off in a block")
        slot, left = slot + 1, left - 1


def manifests_of_dense(
    spans: npt.NDArray[Any], blocks: npt.NDArray[Any], origin: Origin | None = None
) -> ManifestTable:
    """Return the manifests of the layout ``dense_manifests_v1``.

    Parameters
    ----------
    spans
        First block and number of blocks of each object, of shape ``(n_objects, 2)``.
    blocks
        Coordinates of the chunk, then the fragment, of shape ``(n_blocks, ndim + 1)``.
    origin
        What errors name.

    Raises
    ------
    CorruptDataError
        A span does not lie within the blocks, or a fragment is negative.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.vectors._manifests import manifests_of_dense
    >>> table = manifests_of_dense(np.array([[1, 1], [0, 1]]), np.array([[0, 7], [4, 2]]))
    >>> table.coords.tolist(), table.start.tolist()
    ([[4], [0]], [2, 7])
    """
    origin = origin or Origin()
    start, count = spans[:, 0].astype(np.int64), spans[:, 1].astype(np.int64)
    beyond = (start < 0) | (count < 0) | (start > len(blocks)) | (count > len(blocks) - start)
    origin.refuse(beyond & (count != 0), "has a span outside of the blocks")
    rows = index_ranges(start, np.where(beyond, 0, count))
    taken = np.asarray(blocks, np.int64)[rows]
    table = ManifestTable.of_fragments(np.where(beyond, 0, count), taken[:, :-1], taken[:, -1])
    _refuse_negative(table, table.object_row, origin)
    return table

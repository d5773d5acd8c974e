"""Links between levels: from each vertex to the one that it has become at a coarser level.

They are stored beside the links of the level at their first end, in the cell of the vertex there.
The other end lies in a chunk of the other level, and is counted from where the first chunk lies in
that level's grid.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr._nodes import Group
from anyzarr._parallel import map_ordered
from anyzarr.crud._nodes import changing
from anyzarr.errors import CorruptDataError, UnsupportedError
from anyzarr.stores import join
from anyzarr.vectors._blobs import Ints, Origin
from anyzarr.vectors._cells import CellArray, arrays_at_once
from anyzarr.vectors._grid import Coords
from anyzarr.vectors._job import Part
from anyzarr.vectors._level import StoredLevel
from anyzarr.vectors._links import LinkFamily, decode_inline, encode_inline
from anyzarr.vectors._objects_write import Documents, group_at, put_documents
from anyzarr.vectors._parts import put_parts, write_parts
from anyzarr.vectors._read_links import StoredLinks
from anyzarr.vectors._scatter import stable_order
from anyzarr.vectors._scatter_links import LinkCells, groups_of
from anyzarr.vectors._storage import Storage
from anyzarr.vectors._turns import one_writer
from anyzarr.vectors._whole import Places

__all__ = [
    "LinkEnds",
    "drop_links_to",
    "linked_levels",
    "listed_levels",
    "read_links_to",
    "refuse_divided",
    "write_links_to",
]


@dataclass(frozen=True, eq=False)
class LinkEnds:
    """Links between two levels, by where their ends lie.

    Attributes
    ----------
    source, target
        Where the vertex at this level lies, and where that at the other.
    """

    source: Places
    target: Places

    def turned(self) -> LinkEnds:
        """Return the same links as the other level has them."""
        return LinkEnds(self.target, self.source)


def chunk_scale(level: StoredLevel) -> Ints:
    """Return how many chunks of the root a chunk of a level measures, per dimension."""
    return np.rint(
        np.divide(level.grid.chunk_shape, level.metadata.chunk_shape)
    ).astype(np.int64)  # fmt: skip


def _anchors(cells: Coords, level: StoredLevel, other: StoredLevel) -> Coords:
    """Return for chunks of a level those of the other level from which offsets are counted."""
    found: Coords = cells * chunk_scale(level) // chunk_scale(other)
    return found


# ---------------------------------------------------------------------- writing


def write_links_to(
    level: StoredLevel, other: StoredLevel, ends: LinkEnds, storage: Storage
) -> None:
    """Write links from a level to another; what there was between them is replaced.

    Parameters
    ----------
    level, other
        The levels; the links are stored at the first.
    ends
        The links.
    storage
        How their arrays are stored.

    Raises
    ------
    UnsupportedError
        Chunks of a level are divided by an attribute, too.
    """
    refuse_divided(level, other)
    root, family = level.root, LinkFamily(2, level.ndim, other.number - level.number, directed=True)
    path = f"{level.number}/{family.path}"
    links = _sorted(family, ends, _anchors(ends.source.cells, level, other))
    parts = _parts(level, path, links, storage)
    documents: Documents = {
        path: group_at(family.attributes(len(ends.source.cell))),
        f"{level.number}/links": group_at(),
    }
    with one_writer(root.store, root.path, level.number), changing(root.store, root.path):
        _delete(root, path)
        write_parts(parts)
        put_parts(parts)
        put_documents(root, documents)


def refuse_divided(*levels: StoredLevel) -> None:
    """Refuse levels whose chunks are divided by an attribute, too.

    Raises
    ------
    UnsupportedError
        One is.
    """
    if any(level.level.chunk_attribute_name is not None for level in levels):
        raise UnsupportedError(
            f"chunks of {levels[0].root.url} are divided by an attribute too, and links between "
            "levels are not written; use cross_level_storage='none'",
            kind="chunk_attribute",
        )


def _sorted(family: LinkFamily, ends: LinkEnds, anchors: Coords) -> list[LinkCells]:
    """Return links as arrays, one for each offset from the anchor of the source's chunk."""
    source, target = ends.source, ends.target
    if not len(source.cell):
        return []
    offsets = target.cells[target.cell] - anchors[source.cell]
    number, _ = groups_of(offsets)
    rows = np.stack([source.row, target.row], axis=1)
    order = stable_order(source.row)
    order = order[stable_order((number * len(source.cells) + source.cell)[order])]
    bounds = np.flatnonzero(np.diff(number[order], prepend=-1))
    found = []
    for some in np.split(order, bounds[1:]):
        cell = source.cell[some]
        starts = np.flatnonzero(np.diff(cell, prepend=-1))
        found.append(
            LinkCells(
                family=family,
                offsets=offsets[some[:1]],
                order=some,
                cells=source.cells[cell[starts]],
                cell_offsets=np.append(starts, len(cell)).astype(np.int64),
                rows=rows[some],
            )
        )
    return found


def _parts(
    level: StoredLevel, path: str, links: Sequence[LinkCells], storage: Storage
) -> list[Part]:
    """Return new arrays, of which those with as many bytes have one document in common."""
    root, shared = level.root, dict[tuple[int, ...] | None, CellArray]()
    parts = []
    for some in links:
        n_bytes = some.rows.nbytes / max(1, level.grid.n_cells)
        shards = storage.shards(level.grid, n_bytes)
        if shards not in shared:
            shared[shards] = CellArray.new(
                root.store, path, level.grid, "links", storage=storage, cell_bytes=n_bytes
            )
        array = replace(shared[shards], path=join(root.path, f"{path}/{some.name}"))
        parts.append(Part(array, some.cells, encode_inline(some.flat()), some.attributes))
    return parts


def _delete(root: Group, path: str) -> None:
    root.store.delete_prefix(f"{join(root.path, path)}/")


def linked_levels(root: Group, level: int, others: Iterable[int]) -> tuple[int, ...]:
    """Return the numbers of the levels, among others, to which a level stores links."""
    paths = {
        f"{level}/{LinkFamily(2, 1, other - level).path}": other
        for other in others
        if other != level
    }
    return tuple(sorted(paths[path] for path in root.get_many(list(paths))))


def listed_levels(root: Group, level: int) -> tuple[int, ...]:
    """Return the numbers of all levels to which a level stores links, there or not, by listing."""
    path = f"{level}/links"
    family = root.get_many([path]).get(path)
    names = family.keys() if isinstance(family, Group) else []
    deltas = [int(name) for name in names if name[0] in "+-" and name[1:].isdigit()]
    return tuple(sorted(level + delta for delta in deltas))


def drop_links_to(root: Group, levels: tuple[int, ...], removed: int) -> bool:
    """Remove the links that lead from levels to one; return whether others are left.

    Parameters
    ----------
    root, levels
        The store, and its levels but that one.
    removed
        The level that they lead to.
    """
    left = False
    for number in levels:
        found = linked_levels(root, number, (*levels, removed))
        left |= any(other in levels for other in found)
        if removed in found:
            with changing(root.store, root.path):
                _delete(root, f"{number}/{LinkFamily(2, 1, removed - number).path}")
    return left


# ---------------------------------------------------------------------- reading


def read_links_to(level: StoredLevel, other: StoredLevel) -> LinkEnds | None:
    """Return the links that a level stores to another, None if it stores none.

    Raises
    ------
    CorruptDataError
        They cannot be decoded, or are not links between two vertices.
    """
    links = StoredLinks.open(level.root, level.number, [], delta=other.number - level.number)
    if links is None:
        return None
    if links.family.width != 2:
        raise CorruptDataError(
            f"links from level {level.number} to {other.number} of {level.root.url} join "
            f"{links.family.width} vertices, and must join two",
            path=f"{level.number}/{links.family.path}",
        )
    limit = arrays_at_once(level.root.store)
    found = map_ordered(_rows_of, links.arrays, limit=limit)
    none = np.empty((0, links.family.ndim), np.int64)
    cells = [array.nonempty for array in links.arrays]
    to = [
        _anchors(some, level, other) + offsets
        for some, offsets in zip(cells, links.offsets, strict=True)
    ]
    counts = np.concatenate([none[:, 0], *(count for _, count in found)])
    rows = np.concatenate([np.empty((0, 2), np.int64), *(rows for rows, _ in found)])
    owner = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
    return LinkEnds(
        Places(np.concatenate([none, *cells]), owner, rows[:, 0]),
        Places(np.concatenate([none, *to]), owner, rows[:, 1]),
    )


def _rows_of(array: CellArray) -> tuple[Ints, Ints]:
    """Return the links of all cells of an array, and how many each has."""
    cells = array.nonempty
    blobs = decode_inline(array.read(cells), Origin(array.path, cells))
    dtype: np.dtype[Any] = np.dtype(array.attributes.get("dtype", "int64"))
    rows, starts = array.as_rows(cells, blobs, dtype, (2,))
    found: npt.NDArray[np.int64] = rows.astype(np.int64, copy=False)
    return found, np.diff(starts)

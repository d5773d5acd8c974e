"""Objects that are removed from a level, as part of a transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from anyzarr._nodes import Array, Group
from anyzarr.abc import Ragged
from anyzarr.metadata import group_document
from anyzarr.vectors._blobs import Ints, Origin, starts_of
from anyzarr.vectors._cell_index import CellIndex
from anyzarr.vectors._documents import LevelMetadata
from anyzarr.vectors._fragments import FragmentTable, decode_fragments, encode_fragments
from anyzarr.vectors._grid import Coords
from anyzarr.vectors._level import StoredLevel
from anyzarr.vectors._manifests import ManifestTable, encode_manifests
from anyzarr.vectors._merge import empty_fragments
from anyzarr.vectors._objects import ObjectIndex, read_groups
from anyzarr.vectors._objects_write import MANIFEST_ROWS, dense_rows
from anyzarr.vectors._relink import RowMap
from anyzarr.vectors._transaction import Transaction

__all__ = [
    "drop_fragments",
    "live_rows",
    "put_index",
    "put_level",
    "with_members",
    "without_members",
    "without_objects",
]


def drop_fragments(tx: Transaction, level: StoredLevel, rows: Ints) -> tuple[Coords, int]:
    """Let the fragments of objects hold nothing; those that others have too stay.

    Parameters
    ----------
    tx
        Takes the fragments.
    level
        The level.
    rows
        The objects, as rows of the index.

    Returns
    -------
    cells
        The cells that have fewer rows that count.
    n_vertices
        How many rows count no longer.
    """
    index, array = level.objects, tx.cell_array(f"{level.number}/vertex_fragments")
    assert index is not None
    assert array is not None
    blocks = index.manifests().expand()
    gone = np.isin(blocks.object_row, rows)
    cells = np.unique(blocks.coords[gone], axis=0)
    if not len(cells):
        return blocks.coords[:0], 0
    table = decode_fragments(array.read(cells), Origin(array.path, cells))
    chosen = _named(cells, table, blocks, gone) & ~_named(cells, table, blocks, ~gone)
    after = empty_fragments(table, chosen)
    tx.cells(array, cells, encode_fragments(after))
    return cells, int(table.count.sum() - after.count.sum())


def live_rows(tx: Transaction, level: StoredLevel, cells: Coords) -> RowMap:
    """Return which rows of cells will count."""
    array = tx.cell_array(f"{level.number}/vertex_fragments")
    assert array is not None
    table = decode_fragments(array.read(cells), Origin(array.path, cells))
    counts = level.vertices.read(cells).lengths // (level.dtype.itemsize * level.ndim)
    return RowMap.of_live(cells, np.maximum(counts, table.extent()), table, moved=False)


def _named(
    cells: Coords, table: FragmentTable, blocks: ManifestTable, mask: npt.NDArray[np.bool_]
) -> npt.NDArray[np.bool_]:
    """Return which fragments of cells some blocks of manifests name."""
    place, number = CellIndex(cells).find(blocks.coords[mask]), blocks.start[mask]
    there = place >= 0
    place, number = place[there], number[there]
    inside = number < table.fragments[place]
    named = np.zeros(len(table), np.bool_)
    named[table.offsets[:-1][place[inside]] + number[inside]] = True
    return named


def put_index(tx: Transaction, index: ObjectIndex, ids: Ints, table: ManifestTable) -> None:
    """Let an index hold these objects and no others, in the layout that it has.

    Parameters
    ----------
    tx
        Takes the arrays and the document.
    index
        The index that is there.
    ids, table
        Ids, and the manifest of each.
    """
    base = f"{index.level}/object_index"
    about = dict(index.group.metadata.attributes)
    if index.is_dense:
        spans, blocks = dense_rows(table)
        for name, values in (("manifest_spans", spans), ("manifest_blocks", blocks)):
            tx.rows(f"{base}/{name}", index.arrays[name], values)
    else:
        stored = index.arrays["manifests"]
        tx.blobs(f"{base}/manifests", stored, encode_manifests(table), {}, MANIFEST_ROWS)
    tx.rows(
        f"{base}/object_ids", index.arrays.get("object_ids"), ids, chunks=MANIFEST_ROWS,
        compressors="zstd",
    )  # fmt: skip
    if about.get("layout") == "vlen_manifests_v1":
        about["layout"] = "vlen_manifests_v2"
    about |= {
        "num_objects": len(ids),
        "num_present": int(np.count_nonzero(table.blocks)),
        "object_ids_sorted": bool(np.all(np.diff(ids) > 0)),
    }
    tx.document(base, group_document(attributes=about))


def without_objects(
    tx: Transaction, level: StoredLevel, rows: Ints, table: ManifestTable | None = None
) -> None:
    """Let the index, the attributes and the groups of a level know some objects no longer.

    Parameters
    ----------
    tx
        Takes the arrays and documents.
    level
        The level.
    rows
        The objects, as rows of the index.
    table
        The manifests of the other objects; by default those they have.
    """
    index = level.objects
    assert index is not None
    keep = np.ones(index.n_objects, np.bool_)
    keep[rows] = False
    kept = np.flatnonzero(keep)
    put_index(tx, index, index.ids[kept], index.manifests(kept) if table is None else table)
    base = f"{level.number}/object_attributes"
    group = level.root.get_many([base]).get(base)
    for name, array in group.arrays() if isinstance(group, Group) else ():
        values = np.asarray(array[: index.n_objects])[kept]
        about = {"shape": list(values.shape)}
        tx.rows(f"{base}/{name}", array, values, attributes=about)
    without_members(tx, level, index.ids[rows])


def without_members(tx: Transaction, level: StoredLevel, ids: Ints) -> None:
    """Let the groups of a level have some objects no longer."""
    path = f"{level.number}/groups"
    array = level.root.get_many([path]).get(path)
    if not isinstance(array, Array):
        return
    groups = read_groups(level.root, level.number)
    members = np.concatenate([*groups.values(), np.empty(0, np.int64)])
    number = np.repeat(np.fromiter(groups, np.int64, len(groups)), [*map(len, groups.values())])
    stays = ~np.isin(members, ids)
    if stays.all():
        return
    _put_groups(tx, level, array, number[stays], members[stays], len(groups))


def with_members(tx: Transaction, level: StoredLevel, groups: Mapping[int, Ints]) -> None:
    """Let the groups of a level have some objects, too; each once."""
    if not groups:
        return
    path = f"{level.number}/groups"
    array = level.root.get_many([path]).get(path)
    before = read_groups(level.root, level.number)
    every = [*before.items(), *groups.items()]
    members = np.concatenate([ids for _, ids in every])
    number = np.repeat([n for n, _ in every], [len(ids) for _, ids in every])
    pairs = np.stack([number, members], axis=1)
    first = np.sort(np.unique(pairs, axis=0, return_index=True)[1])
    n_groups = max(len(before), max(groups) + 1)
    stored = array if isinstance(array, Array) else None
    _put_groups(tx, level, stored, number[first], members[first], n_groups)


def _put_groups(
    tx: Transaction,
    level: StoredLevel,
    array: Array | None,
    number: Ints,
    members: Ints,
    n_groups: int,
) -> None:
    lengths = 8 * np.bincount(number, minlength=n_groups).astype(np.int64)
    order = np.argsort(number, kind="stable")
    blobs = Ragged(members[order].astype("<i8").view(np.uint8), starts_of(lengths))
    about: dict[str, object] = {"zv_array": "groups", "num_groups": n_groups}
    if array is not None and "group_ranges" in array.metadata.attributes:
        about["group_ranges"] = {}
    tx.blobs(f"{level.number}/groups", array, blobs, about, MANIFEST_ROWS)


def put_level(
    tx: Transaction, level: LevelMetadata, n_vertices: int, *, more: Mapping[str, object] = {}
) -> None:
    """Let a level have so many vertices, named by fragments that leave rows out.

    Parameters
    ----------
    tx
        Takes the document.
    level
        What it says now.
    n_vertices
        How many there will be.
    more
        Further fields.
    """
    changed = replace(level, vertex_count=n_vertices, fragments_tile=False)
    attributes = changed.attributes()
    own = {**attributes["zarr_vectors_level"], **more}
    document = group_document(attributes={**attributes, "zarr_vectors_level": own})
    tx.document(str(level.level), document)

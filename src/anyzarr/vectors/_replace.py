"""Objects whose geometry is replaced."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from anyzarr._nodes import Group
from anyzarr.errors import MetadataError
from anyzarr.metadata import group_document
from anyzarr.vectors._blobs import Ints, Origin
from anyzarr.vectors._completed import completed_level, completed_root
from anyzarr.vectors._documents import LevelMetadata
from anyzarr.vectors._edit import mark_stale
from anyzarr.vectors._edit_attributes import put_object_columns
from anyzarr.vectors._edit_objects import drop_fragments, live_rows, put_index, with_members
from anyzarr.vectors._fragment_columns import stage_fragment_columns
from anyzarr.vectors._fragments import decode_fragments, encode_fragments
from anyzarr.vectors._geometry import Geometry
from anyzarr.vectors._job import Job, Kind, WriteOptions, WriteSummary
from anyzarr.vectors._level import StoredLevel
from anyzarr.vectors._manifests import ManifestTable
from anyzarr.vectors._merge import append_fragments
from anyzarr.vectors._objects import manifests_of
from anyzarr.vectors._relink import relink
from anyzarr.vectors._transaction import Transaction, editing
from anyzarr.vectors._write import (
    grow,
    holds_data,
    prepare,
    summary_of,
    vertex_parts,
    write_level,
)

__all__ = ["write_geometry"]


def write_geometry(
    root: Group, geometry: Geometry, options: WriteOptions, kind: Kind
) -> WriteSummary:
    """Write a geometry into level 0 of a store, in place of the objects of its ids if asked to."""
    if options.mode != "replace" or not holds_data(root.get("0/vertex_fragments")):
        return write_level(root, geometry, options, kind)
    if geometry.object_ids is None:
        raise MetadataError(
            "mode='replace' replaces objects, and there are none: give object_ids, or replace "
            "everything with mode='overwrite'",
            kind="object_ids",
        )
    with editing(root) as tx:
        _untile(tx)
        grow(root, geometry, options, 0)
        job, ignored = prepare(root, geometry, options, replace(kind, admit=None), LevelMetadata(0))
        _stage(tx, job, kind)
    return summary_of(job, ignored)


def _untile(tx: Transaction) -> None:
    """Let level 0 say that the fragments tell which rows count."""
    group = tx.root["0"]
    level = LevelMetadata.parse(group.metadata.attributes)
    if level.fragments_tile:
        first = Transaction(tx.root, tx.turns, tx.was_consolidated)
        untiled = replace(level, fragments_tile=False)
        first.document("0", group_document(attributes=untiled.attributes()))
        first.commit()


def _stage(tx: Transaction, job: Job, kind: Kind) -> None:
    """Write rows beside those that count, and let them count in place of the old ones."""
    level = StoredLevel.of(job.root, job.metadata, 0, objects=True)
    index, ids = level.objects, job.geometry.object_ids
    if index is None or ids is None:
        raise MetadataError(
            f"{job.root.url} holds no objects that could be replaced; add to it with mode='append'",
            kind="object_ids",
        )
    rows = index.rows_of(ids)
    _check_attributes(level, job.geometry, all_known=bool((rows >= 0).all()))
    parts, documents = vertex_parts(job)
    for part in parts:
        # Behind the rows that are there, where nothing names them.
        part.array.write(part.cells, part.blobs)
        tx.document(tx.relative(part.array.path), part.listed.metadata.document)
    if kind.links is not None:
        more, further = kind.links(job)
        documents |= further
        for part in more:
            tx.cells(part.described, part.cells, part.blobs)
    for path, document in documents.items():
        tx.document(path, document)
    cells, n_gone = drop_fragments(tx, level, rows[rows >= 0])
    _append_fragments(tx, job)
    if len(cells):
        relink(tx, {0: live_rows(tx, level, cells)})
    _put_objects(tx, job, level, rows)
    changed = completed_level(job, is_tiled=False)
    changed = replace(changed, vertex_count=changed.vertex_count - n_gone)
    tx.document("0", group_document(attributes=changed.attributes()))
    mark_stale(tx, job.metadata, [0])
    tx.commit(lambda before: completed_root(job, kind, before))


def _check_attributes(level: StoredLevel, geometry: Geometry, *, all_known: bool) -> None:
    path = "0/object_attributes"
    group = level.root.get_many([path]).get(path)
    stored = set(group.keys()) if isinstance(group, Group) else set()
    given = set(geometry.object_attributes)
    if (given and given - stored) or (not all_known and given != stored):
        raise MetadataError(
            f"the objects of this store have the attributes {sorted(stored)}, and {sorted(given)} "
            "were given: objects that are added have the same, objects that are replaced may leave "
            "some as they are",
            kind="attribute_names",
        )


def _append_fragments(tx: Transaction, job: Job) -> None:
    array, cells = tx.cell_array("0/vertex_fragments"), job.scattered.cells
    assert array is not None
    table = decode_fragments(array.read(cells), Origin(array.path, cells))
    joined = append_fragments(table, job.scattered.fragments, job.rows)
    tx.cells(array.covering(job.grid, cells), cells, encode_fragments(joined))
    stage_fragment_columns(tx, job, joined.fragments)


def _put_objects(tx: Transaction, job: Job, level: StoredLevel, rows: Ints) -> None:
    """Let the index, attributes and groups know the objects by their new fragments."""
    index, geometry = level.objects, job.geometry
    assert index is not None
    assert geometry.object_ids is not None
    is_new = rows < 0
    rows = rows.copy()
    rows[is_new] = index.n_objects + np.arange(np.count_nonzero(is_new))
    ids = np.concatenate([index.ids, geometry.object_ids[is_new]])
    old = index.manifests().expand()
    new = manifests_of(
        job.scattered, geometry.n_objects, job.pieces.object_of_piece, job.first_fragment
    ).expand()
    stays = ~np.isin(old.object_row, rows)
    owner = np.concatenate([old.object_row[stays], rows[new.object_row]])
    order = np.argsort(owner, kind="stable")
    table = ManifestTable.of_fragments(
        np.bincount(owner, minlength=len(ids)),
        np.concatenate([old.coords[stays], new.coords])[order],
        np.concatenate([old.start[stays], new.start])[order],
    )
    put_index(tx, index, ids, table)
    put_object_columns(tx, level, rows, geometry.object_attributes, len(ids))
    with_members(tx, level, geometry.groups)

"""What makes a write count: fragments, objects, and the documents of level and root."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from anyzarr import crud
from anyzarr._nodes import Array
from anyzarr.stores import join
from anyzarr.vectors._blobs import Ints, starts_of
from anyzarr.vectors._cells import CellArray
from anyzarr.vectors._documents import LevelMetadata, RootMetadata
from anyzarr.vectors._fragment_columns import fragment_columns
from anyzarr.vectors._fragments import FragmentTable, encode_fragments
from anyzarr.vectors._job import Job, Kind
from anyzarr.vectors._merge import append_fragments, extend_fragments
from anyzarr.vectors._objects import ObjectIndex, manifests_of
from anyzarr.vectors._objects_write import (
    Documents,
    group_at,
    put_documents,
    write_groups,
    write_object_attributes,
    write_objects,
)
from anyzarr.vectors._recorded import begin_phase

__all__ = [
    "commit_fragments",
    "completed_level",
    "completed_root",
    "mark_levels_stale",
    "put_level_document",
    "put_objects",
    "put_root_attributes",
    "tiles",
]


def commit_fragments(job: Job) -> bool:
    """Write the fragments: from here on the rows that they name count.

    Returns whether the fragments of each cell are its rows from the first to the last.
    """
    new, cells = job.scattered.fragments, job.scattered.cells
    if job.rows.any():
        merge = extend_fragments if job.pieces.by_number else append_fragments
        new = merge(job.fragments, new, job.rows)
    blobs = encode_fragments(new)
    about = {"encoding": "fragment_index_v1"}
    array = job.array("vertex_fragments", "vertex_fragments", about, len(blobs.data))
    if job.has_data:
        for column, rows in fragment_columns(job, new.fragments, _arrays_of(job)):
            column.write(cells, rows)
            column.with_cells(cells).put()
        # Whoever reads the fragments in between finds rows of attributes for more than there are.
        begin_phase(job.root.store)
    array.write(cells, blobs)
    begin_phase(job.root.store)
    array.with_cells(cells).put()
    return tiles(new, job.rows + job.scattered.counts)


def _arrays_of(job: Job) -> Callable[[str], CellArray | None]:
    def array_at(path: str) -> CellArray | None:
        node = job.root.get_many([path]).get(path)
        return CellArray(node.metadata, node.store, node.path) if isinstance(node, Array) else None

    return array_at


def tiles(table: FragmentTable, rows: Ints) -> bool:
    """Return whether the fragments of each cell are its rows, so many, one after the other."""
    running = starts_of(table.count)
    first = running[table.offsets[:-1]]
    in_order = table.start == running[:-1] - first[table.cell]
    whole = running[table.offsets[1:]] - first == rows
    return bool(table.is_range.all() and in_order[table.count > 0].all() and whole.all())


def put_objects(job: Job) -> Documents:
    """Write objects and groups; return the documents that make them count."""
    geometry, number = job.geometry, job.level.level
    documents: Documents = {}
    if geometry.object_ids is not None:
        stored = ObjectIndex.of(job.root, number, job.nodes) if job.has_data else None
        n_stored = 0 if stored is None else stored.n_objects
        table = manifests_of(
            job.scattered, geometry.n_objects, job.pieces.object_of_piece, job.first_fragment
        )
        documents, rows = write_objects(
            job.root,
            number,
            stored,
            geometry.object_ids,
            table,
            job.grid.ndim,
            sharded=job.storage.shard_shape is not None,
        )
        n_objects = max(n_stored, int(rows.max(initial=-1)) + 1)
        documents |= write_object_attributes(
            job.root, number, geometry.object_attributes, rows, n_stored, n_objects
        )
    return documents | write_groups(job.root, number, geometry.groups, geometry.group_attributes)


def completed_level(job: Job, *, is_tiled: bool) -> LevelMetadata:
    """Return what the level says once what is written counts."""
    geometry = job.geometry
    families = {
        "vertices": True,
        "vertex_attributes": bool(geometry.vertex_attributes),
        "object_index": geometry.object_ids is not None,
        "links": geometry.links is not None,
    }
    present = dict.fromkeys(job.level.arrays_present)
    present.update({name: None for name, is_there in families.items() if is_there})
    return replace(
        job.level,
        vertex_count=job.level.vertex_count + geometry.n_vertices,
        arrays_present=tuple(present),
        fragments_tile=is_tiled and (job.level.fragments_tile or not job.level.vertex_count),
    )


def completed_root(job: Job, kind: Kind, before: RootMetadata) -> RootMetadata:
    """Return what the root says once what is written counts."""
    kinds = dict.fromkeys([*before.geometry_types, kind.geometry_type])
    after = replace(
        before,
        bounds=job.metadata.bounds,
        geometry_types=tuple(kinds),
        links_convention=before.links_convention or kind.links_convention,
    )
    number = job.level.level
    if number in after.levels:
        return after
    return after.with_level(number, job.metadata.scale_of(number))


def mark_levels_stale(job: Job) -> None:
    """Let the levels of detail of what is added to say that they show what was before."""
    if job.level.level or not job.geometry.n_vertices:
        return

    def stale(stored: dict[str, Any]) -> dict[str, Any]:
        own = stored.get("zarr_vectors_level", {})
        return {**stored, "zarr_vectors_level": {**own, "stale": True}}

    for number in job.metadata.levels[1:]:
        place = join(job.root.path, str(number))
        crud.update_attributes(job.root.store, place, stale)


def put_level_document(job: Job, *, is_tiled: bool) -> None:
    """Write the document of the level, after everything that it tells of."""
    level = completed_level(job, is_tiled=is_tiled)
    put_documents(job.root, {job.path: group_at(level.attributes())})


def put_root_attributes(job: Job, kind: Kind) -> None:
    """Let the root say what it says once the write counts, if that is anything else."""
    stored = job.root.metadata.attributes
    if completed_root(job, kind, RootMetadata.parse(stored)).attributes() == stored:
        return

    def final(stored: dict[str, Any]) -> dict[str, Any]:
        return completed_root(job, kind, RootMetadata.parse(stored)).attributes()

    crud.update_attributes(job.root.store, job.root.path, final)

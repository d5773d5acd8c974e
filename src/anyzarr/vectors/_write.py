"""Writing a geometry into a level of a store, after what is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from anyzarr import crud
from anyzarr._nodes import Array, Group
from anyzarr.abc import Ragged
from anyzarr.crud._nodes import changing
from anyzarr.errors import MetadataError
from anyzarr.metadata import ArrayMetadata
from anyzarr.stores import join
from anyzarr.vectors._attributes import encode_column
from anyzarr.vectors._blobs import Origin
from anyzarr.vectors._cells import CellArray
from anyzarr.vectors._completed import (
    commit_fragments,
    mark_levels_stale,
    put_level_document,
    put_objects,
    put_root_attributes,
)
from anyzarr.vectors._divided import divided, divided_grid
from anyzarr.vectors._documents import LevelMetadata, RootMetadata
from anyzarr.vectors._fragments import FragmentTable, decode_fragments
from anyzarr.vectors._geometry import Geometry, finite_positions
from anyzarr.vectors._job import Job, Kind, Part, WriteOptions, WriteSummary
from anyzarr.vectors._objects import ObjectIndex, object_paths
from anyzarr.vectors._objects_write import (
    Documents,
    group_at,
    put_documents,
)
from anyzarr.vectors._parts import put_parts, write_parts
from anyzarr.vectors._recorded import begin_phase
from anyzarr.vectors._redo import decided_together, redo
from anyzarr.vectors._regrow import make_room
from anyzarr.vectors._scatter import scatter
from anyzarr.vectors._settle import settle
from anyzarr.vectors._storage import Storage
from anyzarr.vectors._turns import Turn, one_writer

__all__ = [
    "grow",
    "holds_data",
    "prepare",
    "storage_of",
    "summary_of",
    "vertex_parts",
    "write_level",
]


def write_level(
    root: Group,
    geometry: Geometry,
    options: WriteOptions,
    kind: Kind,
    plan: LevelMetadata | None = None,
    scale: Sequence[float] | None = None,
) -> WriteSummary:
    """Write a geometry into a level of a store whose root is there.

    Parameters
    ----------
    root
        The store.
    geometry, options, kind
        What, and how.
    plan, scale
        The level, if it is new, and how much larger its bins are than those of level 0. By
        default it is level 0.

    Notes
    -----
    In this order: rows of vertices, attributes and links; the fragments, from which on the rows
    count; objects and groups; the documents. Whoever reads meanwhile finds what was there before,
    and of what is new whole cells at most. A write that is cut off has happened or has not: if it
    was decided, the next one completes it (:mod:`anyzarr.vectors._redo`).
    """
    level = plan or LevelMetadata(0)
    with one_writer(root.store, root.path, level.level) as turn:
        settle(root.refresh())
        redo(root, [level.level])
        grow(root, geometry, options, level.level)
        job, ignored = prepare(root, geometry, options, kind, level, scale)
        is_consolidated = "consolidated_metadata" in root.metadata.document
        with changing(root.store, root.path):
            _write(job, kind, turn)
        if is_consolidated:
            crud.consolidate_metadata(root.store, root.path)
        root.refresh()
    return summary_of(job, ignored)


def summary_of(job: Job, ignored: int) -> WriteSummary:
    """Return what a write did, and how many vertices it left out."""
    geometry = job.geometry
    return WriteSummary(
        vertex_count=geometry.n_vertices,
        chunk_count=len(job.scattered.cells),
        object_count=geometry.n_objects,
        group_count=len(geometry.groups),
        bins_per_chunk=job.grid.bins[-geometry.ndim :],
        ignored_count=ignored,
    )


def grow(root: Group, geometry: Geometry, options: WriteOptions, number: int) -> None:
    """Where bounds grow below the first cell of the arrays, make room for what is to come."""
    if options.out_of_bounds != "expand" or not geometry.n_vertices:
        return
    place, fragments = str(number), f"{number}/vertex_fragments"
    nodes = root.get_many([place, f"{number}/vertices", fragments])
    array, group = nodes.get(f"{number}/vertices"), nodes.get(place)
    if group is None or not isinstance(array, Array) or not holds_data(nodes.get(fragments)):
        return
    metadata = RootMetadata.parse(root.metadata.attributes)
    geometry = _as_stored(geometry, array, options)
    level = LevelMetadata.parse(group.metadata.attributes, number)
    grid = metadata.grid(level)
    first = grid.cells(geometry.positions).min(axis=0)
    origin = CellArray(array.metadata, array.store, array.path).origin[-metadata.ndim :]
    if (first < origin).any():
        with changing(root.store, root.path):
            make_room(root, number, first)


def _write(job: Job, kind: Kind, turn: Turn) -> None:
    """Write rows, and what lets them count.

    Of a level that holds something, the latter is decided in one moment; one that does not says
    nothing of itself until its document is there.
    """
    _begin(job)
    parts, documents = vertex_parts(job)
    if kind.links is not None:
        more, further = kind.links(job)
        parts, documents = [*parts, *more], {**documents, **further}
    # Vertices first: what else is written, links not least, counts their rows.
    parts[0].array.write(parts[0].cells, parts[0].blobs)
    write_parts(parts[1:])
    if not job.has_data:
        turn.check()
        _count(job, parts, documents)
        put_root_attributes(job, kind)
        return
    # Bounds may be larger than what they hold, and levels of detail stale that are not.
    put_root_attributes(job, kind)
    mark_levels_stale(job)
    with decided_together(job.root, job.level.level, turn) as root:
        arrays = [replace(part.array, store=root.store) for part in parts]
        recorded = [replace(p, array=a) for p, a in zip(parts, arrays, strict=True)]
        _count(replace(job, root=root), recorded, documents)


def _count(job: Job, parts: Sequence[Part], documents: Documents) -> None:
    """Let rows that have been written count: in this order, the level's document last."""
    put_documents(job.root, documents)
    put_parts(parts)
    begin_phase(job.root.store)
    is_tiled = commit_fragments(job)
    begin_phase(job.root.store)
    put_documents(job.root, put_objects(job))
    begin_phase(job.root.store)
    put_level_document(job, is_tiled=is_tiled)


# ---------------------------------------------------------------------- before anything is written


def prepare(
    root: Group,
    geometry: Geometry,
    options: WriteOptions,
    kind: Kind,
    plan: LevelMetadata,
    scale: Sequence[float] | None = None,
) -> tuple[Job, int]:
    """Return what is to be written, and how many vertices are left out."""
    number = plan.level
    metadata = RootMetadata.parse(root.metadata.attributes)
    if number not in metadata.levels or scale is not None:
        metadata = metadata.with_level(number, scale or (1.0,) * metadata.ndim)
    names = [f"{number}/vertex_attributes/{name}" for name in geometry.vertex_attributes]
    base = [str(number), *(f"{number}/{n}" for n in ("vertices", "vertex_fragments"))]
    families = [f"{number}/vertex_attributes"]
    nodes = root.get_many([*base, *families, *names, *object_paths(number)])
    group = nodes.get(str(number))
    level = plan if group is None else LevelMetadata.parse(group.attrs, number)
    vertices = nodes.get(f"{number}/vertices")
    has_data = group is not None and holds_data(nodes.get(f"{number}/vertex_fragments"))
    # Arrays of a level that says nothing of itself were left by a write that was cut off.
    array = vertices if group is not None and isinstance(vertices, Array) else None
    index = ObjectIndex.of(root, number, nodes) if has_data else None
    if kind.admit is not None and index is not None:
        geometry = kind.admit(geometry, index.ids)
    geometry = _as_stored(geometry, array, options)
    metadata, geometry, ignored = _within_bounds(metadata, geometry, options)
    level = _divided_level(level, options, has_data)
    geometry, level, codes = divided(geometry, level, metadata, kind.geometry_type)
    _check_attributes(geometry, nodes.get(families[0]), has_data)
    grid = metadata.grid(level)
    pieces = kind.cut(geometry, grid)
    if index is not None and geometry.object_ids is None:
        # The fragments that are there are those of objects.
        pieces = replace(pieces, by_number=False)
    n_pieces = (pieces.n_pieces or grid.n_bins) if pieces.by_number else None
    places = geometry.positions
    if codes is not None:
        grid = divided_grid(grid, level)
        places = np.column_stack([codes.astype(np.float64), places])
    where = scatter(grid, places, pieces.of_vertex, n_pieces=n_pieces)
    storage = storage_of(None if array is None else array.metadata, options)
    n = len(where.cells)
    none = FragmentTable.of_runs(np.zeros(n, np.int64), np.empty(0, np.int64))
    job = Job(
        root=root, metadata=metadata, level=level, grid=grid, storage=storage, geometry=geometry,
        pieces=pieces, scattered=where, nodes=nodes, before=Ragged.empty(n),
        rows=np.zeros(n, np.int64), fragments=none, first_fragment=np.zeros(n, np.int64),
        has_data=has_data,
    )  # fmt: skip
    return _with_stored(job) if has_data else job, ignored


def _divided_level(level: LevelMetadata, options: WriteOptions, has_data: bool) -> LevelMetadata:
    """Return the level with what is to divide its chunks, if it is new."""
    name = options.chunk_by_attribute
    if not has_data:
        return replace(level, chunk_attribute_name=name, chunk_attribute_values=None)
    if name is not None and name != level.chunk_attribute_name:
        raise MetadataError(
            f"chunk_by_attribute={name!r} differs from what divides the chunks of this store, "
            f"{level.chunk_attribute_name!r}; leave it out, or choose another location",
            kind="chunk_attribute",
        )
    return level


def holds_data(fragments: Array | Group | None) -> bool:
    """Return whether the array of a level's fragments says that the level holds something."""
    if not isinstance(fragments, Array):
        return False
    return bool(fragments.metadata.attributes.get("nonempty_chunks", True))


def _with_stored(job: Job) -> Job:
    """Return the job with what its cells hold already."""
    cells = job.scattered.cells
    stored, vertices = job.stored("vertex_fragments"), job.stored("vertices")
    if stored is None or vertices is None:
        raise MetadataError(
            f"level {job.path} of {job.root.url} lacks 'vertices' or 'vertex_fragments', so that "
            "nothing can be appended to it; write it again with mode='overwrite'",
            kind="fragments",
        )
    table = decode_fragments(stored.read(cells), Origin(stored.path, cells))
    before = vertices.read(cells)
    row_bytes = np.dtype(vertices.attributes.get("dtype", "float32")).itemsize * job.geometry.ndim
    wrong = before.lengths < table.extent() * row_bytes
    Origin(vertices.path, cells).refuse(
        wrong | (before.lengths % row_bytes != 0), "has not the rows that its fragments name"
    )
    first = np.zeros(len(cells), np.int64) if job.pieces.by_number else table.fragments
    rows = before.lengths // row_bytes
    return replace(job, before=before, fragments=table, rows=rows, first_fragment=first)


def storage_of(vertices: ArrayMetadata | None, options: WriteOptions) -> Storage:
    """Return how new arrays are stored: as those that are there, or as the options say."""
    if vertices is None:
        return Storage(options.compressor, options.shard_shape)
    sharding = vertices.sharding
    codecs = vertices.codecs if sharding is None else sharding.codecs
    compressors = [
        {"name": codec.name, "configuration": dict(codec.configuration)} for codec in codecs[1:]
    ]
    stored = compressors or options.compressor
    shards = None if sharding is None else vertices.grid.chunk_shape
    is_empty = not vertices.attributes.get("nonempty_chunks", True)
    if is_empty and shards is not None:
        return Storage(stored, options.shard_shape)
    return Storage(stored, shards)


def _as_stored(geometry: Geometry, vertices: Array | None, options: WriteOptions) -> Geometry:
    """Return the geometry with positions of the store's type, all of them finite."""
    dtype = np.dtype(options.dtype)
    if vertices is not None:
        dtype = np.dtype(vertices.metadata.attributes.get("dtype", "float32"))
    return replace(geometry, positions=finite_positions(geometry.positions, dtype))


def _within_bounds(
    metadata: RootMetadata, geometry: Geometry, options: WriteOptions
) -> tuple[RootMetadata, Geometry, int]:
    """Return what is to be written, and the root with bounds that hold it."""
    low, high = np.asarray(metadata.bounds, dtype=np.float64)
    positions = geometry.positions
    inside = np.all((positions >= low) & (positions <= high), axis=1)
    n_outside = int(np.count_nonzero(~inside))
    if not n_outside:
        return metadata, geometry, 0
    if options.out_of_bounds == "ignore":
        return metadata, geometry.keep(inside), n_outside
    if options.out_of_bounds == "raise":
        raise MetadataError(
            f"{n_outside} of {len(positions)} vertices lie outside of the store's bounds "
            f"{[low.tolist(), high.tolist()]}: out_of_bounds='ignore' leaves them out, 'expand' "
            "makes the bounds larger",
            kind="out_of_bounds",
        )
    low = np.minimum(low, positions.min(axis=0))
    high = np.maximum(high, positions.max(axis=0))
    bounds = tuple(low.tolist()), tuple(high.tolist())
    return replace(metadata, bounds=bounds), geometry, 0


def _check_attributes(geometry: Geometry, family: Array | Group | None, has_data: bool) -> None:
    stored = set(family.keys()) if isinstance(family, Group) and has_data else set()
    if has_data and stored != set(geometry.vertex_attributes):
        raise MetadataError(
            f"the vertices of this store have the attributes {sorted(stored)}, and "
            f"{sorted(geometry.vertex_attributes)} were given: vertices that are appended have "
            "the same",
            kind="attribute_names",
        )


# ---------------------------------------------------------------------- writing


def _begin(job: Job) -> None:
    """Say that the fragments tell which rows count, or remove what a cut-off write has left."""
    path = join(job.root.path, job.path)
    if not job.has_data and job.nodes:
        job.root.store.delete_prefix(f"{path}/")
    if job.rows.any() and job.level.fragments_tile:

        def untiled(stored: dict[str, Any]) -> dict[str, Any]:
            level = LevelMetadata.parse(stored, job.level.level)
            return replace(level, fragments_tile=False).attributes()

        crud.update_attributes(job.root.store, path, untiled)


def vertex_parts(job: Job) -> tuple[list[Part], Documents]:
    """Return vertices and attributes."""
    geometry, documents = job.geometry, Documents()
    positions = geometry.positions.astype(geometry.positions.dtype.newbyteorder("<"), copy=False)
    about = {"dtype": positions.dtype.newbyteorder("=").name, "encoding": "raw"}
    parts = [job.column("vertices", "vertices", about, positions)]
    for name, column in geometry.vertex_attributes.items():
        stored = job.stored(f"vertex_attributes/{name}")
        known = None if stored is None else stored.attributes
        coded = encode_column(name, column, known, geometry.text_codes.get(name))
        path = f"vertex_attributes/{name}"
        parts.append(job.column(path, "attribute", coded.attributes, coded.values))
        documents[f"{job.path}/vertex_attributes"] = group_at()
    if job.has_data:
        documents.pop(f"{job.path}/vertex_attributes", None)
    return parts, documents

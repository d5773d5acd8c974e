"""A store with chunks and bins of other shapes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import reduce
from typing import Any

import numpy as np

from anyzarr import crud
from anyzarr._nodes import Group, create_group
from anyzarr._nodes._node import finish
from anyzarr.crud._consolidated import node_documents
from anyzarr.errors import MetadataError
from anyzarr.metadata import group_document, is_array_document, parse_array
from anyzarr.stores import join
from anyzarr.vectors._contents import geometries_of
from anyzarr.vectors._documents import LevelMetadata, RootMetadata
from anyzarr.vectors._edit import open_for_edit
from anyzarr.vectors._job import Job, WriteOptions
from anyzarr.vectors._level import StoredLevel
from anyzarr.vectors._levels import capturing
from anyzarr.vectors._moved import Moved, move_level_links
from anyzarr.vectors._open import open_root, vectors_backend
from anyzarr.vectors._recut import Recut, refuse_mixed_bins
from anyzarr.vectors._transaction import Transaction, editing
from anyzarr.vectors._whole import Places
from anyzarr.vectors._write import storage_of, write_level

__all__ = ["rechunk"]

_STAGING = ".anyzarr-rechunk"


def rechunk(
    path: Any,
    *,
    chunk_shape: Sequence[float] | None = None,
    bin_shape: Sequence[float] | None = None,
    output: Any = None,
    backend: str | None = None,
    **backend_kwargs: Any,
) -> None:
    """Give a store chunks and bins of other shapes, in place or at another location.

    Everything else stays: positions, links, all attributes, objects and their ids, groups, levels,
    types, compressor, links between levels, and what the documents say. In place it happens at one
    moment: whoever is cut off leaves the store as it was before or as it is after. A level is held
    in memory.

    Fragments are cut anew, and keep their attributes: a new fragment has those of the old ones that
    its vertices were in. Where several old ones meet in a chunk, they become one if all their
    attributes are equal; otherwise they stay fragments of their own, of one object in one chunk,
    and those of a path are joined by links. The attribute ``object_id``, where it is the id of the
    object of each fragment, is so afterwards, and counts for no difference. Fragments without
    vertices (empty bins) have no attributes afterwards.

    Parameters
    ----------
    path, backend, **backend_kwargs
        As for :func:`anyzarr.vectors.open_store`.
    chunk_shape
        Edge lengths of a chunk. Default: those of before. Chunks of levels of detail that are
        larger stay so many times larger.
    bin_shape
        Edge lengths of a bin of level 0. Default: those of before where they divide a chunk,
        otherwise none.
    output
        Where to write; there may be nothing yet. Default: in place.

    Raises
    ------
    MetadataError
        The shapes do not fit the space, or each other.
    NodeExistsError
        There is something at ``output``.
    UnsupportedError
        A bin of points without objects, which is one fragment, would hold points of fragments whose
        attributes differ; nothing was written.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.vectors import open_zv, read_points, rechunk, write_points
    >>> memory = {}
    >>> positions = np.random.default_rng(0).uniform(0, 100, (500, 2))
    >>> _ = write_points(memory, positions, chunk_shape=(10, 10))
    >>> rechunk(memory, chunk_shape=(50, 50), bin_shape=(5, 5))
    >>> open_zv(memory).chunk_shape, read_points(memory).vertex_count
    ((50.0, 50.0), 500)
    """
    if output is not None:
        root, metadata = open_root(path, "r", backend=backend, **backend_kwargs)
        after = _rechunked(metadata, chunk_shape, bin_shape)
        levels = _levels(root, metadata, after)
        with _created(output, root, after, backend, backend_kwargs) as target:
            _write(levels, metadata, after, target)
        return
    root, _ = open_for_edit(path, backend, backend_kwargs)
    with editing(root) as tx:
        metadata = RootMetadata.parse(root.metadata.attributes)
        after = _rechunked(metadata, chunk_shape, bin_shape)
        levels = _levels(root, metadata, after)
        place = join(root.path, _STAGING)
        root.store.delete_prefix(f"{place}/")
        crud.create_new_group(group_document(attributes=after.attributes()), root.store, place)
        _write(levels, metadata, after, _group_at(root, place))
        _adopt(tx, place)
        tx.commit(lambda stored: _rechunked(stored, chunk_shape, bin_shape))


def _group_at(root: Group, place: str) -> Group:
    relative = place[len(root.path) :].lstrip("/")
    group = root[relative]
    assert isinstance(group, Group)
    return group


def _rechunked(
    metadata: RootMetadata,
    chunk_shape: Sequence[float] | None,
    bin_shape: Sequence[float] | None,
) -> RootMetadata:
    """Return what the root says of chunks and bins afterwards."""
    for name, value in (("chunk_shape", chunk_shape), ("bin_shape", bin_shape)):
        if value is not None and len(value) != metadata.ndim:
            raise MetadataError(
                f"{name}={tuple(value)} has {len(value)} edges, and the space has {metadata.ndim} "
                "dimensions; give one edge for each",
                kind=name,
            )
    edges = tuple(map(float, chunk_shape or metadata.chunk_shape))
    bins = tuple(map(float, bin_shape)) if bin_shape is not None else None
    if bins is None and metadata.base_bin_shape is not None:
        count = np.divide(edges, metadata.base_bin_shape)
        whole = (count >= 1).all() and (np.abs(count - np.round(count)) < 1e-9).all()
        bins = metadata.base_bin_shape if whole else None
    after = replace(metadata, chunk_shape=edges, base_bin_shape=bins, raw=_without_bins(metadata))
    finer = np.ones(after.ndim)
    for number in metadata.levels:
        if number:  # where bins of level 0 have become larger, none of a level are finer
            scale = np.multiply(metadata.bin_shape, metadata.scale_of(number)) / after.bin_shape
            finer = np.maximum(finer, scale)
        after = after.with_level(number, finer.tolist())
    return after


def _without_bins(metadata: RootMetadata) -> Mapping[str, Any]:
    """Return the root's attributes without the bins, which a new document may not have."""
    own = {k: v for k, v in metadata.raw["zarr_vectors"].items() if k != "base_bin_shape"}
    return {**metadata.raw, "zarr_vectors": own}


def _levels(root: Group, metadata: RootMetadata, after: RootMetadata) -> list[StoredLevel]:
    """Return the levels, after checking that all that they hold can be kept."""
    levels = [StoredLevel.of(root, metadata, n, "all", objects=True) for n in metadata.levels]
    for level in levels:
        refuse_mixed_bins(level, after, after.grid(_plan(level.level, metadata, after)))
    return levels


@contextmanager
def _created(
    output: Any,
    source: Group,
    metadata: RootMetadata,
    backend: str | None,
    backend_kwargs: dict[str, Any],
) -> Iterator[Group]:
    """Give a new store; complete the archive that is made, if one is."""
    others = {k: v for k, v in source.metadata.attributes.items() if k not in metadata.attributes()}
    with vectors_backend(backend):
        root = create_group(
            output,
            attributes={**others, **metadata.attributes()},
            backend=backend,
            **backend_kwargs,
        )
    try:
        yield root
    except BaseException as error:
        if root._makes_archive:
            finish(root.store, error)
        raise
    root.close()


def _write(
    levels: Sequence[StoredLevel], before: RootMetadata, after: RootMetadata, target: Group
) -> None:
    """Write levels to a store that has none, and the links between them."""
    moved: dict[int, Moved] = {}
    # The root names levels once they are there.
    _say(target, reduce(RootMetadata.without_level, after.levels[1:], after))
    for level in levels:
        options = WriteOptions(
            dtype=str(level.dtype),
            out_of_bounds="expand",
            chunk_by_attribute=level.level.chunk_attribute_name,
        )
        storage = storage_of(level.vertices.metadata, options)
        is_sharded = level.vertices.metadata.sharding is not None
        options = replace(
            options, compressor=storage.compressor, shard_shape="auto" if is_sharded else None
        )
        plan = _plan(level.level, before, after)
        scale = after.scale_of(level.number) if level.number else None
        parts, jobs = geometries_of(level, after), list[Job]()
        recut = Recut.of(level, parts)
        if recut is not None:
            parts = recut.apart(parts)
        for kind, whole in parts:
            write_level(target, whole.geometry, options, capturing(kind, jobs), plan, scale)
        moved[level.number] = Moved.of_parts(
            [whole.places for _, whole in parts], [Places.given_by(job) for job in jobs]
        )
        if recut is not None:
            recut.put(StoredLevel.of(target, after, level.number), moved[level.number].after)
        _keep(level, target)
    _say(target, after)
    move_level_links(levels, moved, target, after)


def _say(target: Group, metadata: RootMetadata) -> None:
    def said(stored: dict[str, Any]) -> dict[str, Any]:
        return {**stored, **metadata.attributes()}

    crud.update_attributes(target.store, target.path, said)
    target.refresh()


def _plan(level: LevelMetadata, before: RootMetadata, after: RootMetadata) -> LevelMetadata:
    edges = level.chunk_shape
    if edges is not None:
        ratio = np.round(np.divide(edges, before.chunk_shape))
        edges = tuple((ratio * after.chunk_shape).tolist())
    return replace(level, chunk_shape=edges, vertex_count=0, fragments_tile=True)


def _keep(level: StoredLevel, target: Group) -> None:
    """Let the index of objects say what it has said beyond what follows from the objects."""
    index, path = level.objects, f"{level.number}/object_index"
    if index is None:
        return

    def kept(stored: dict[str, Any]) -> dict[str, Any]:
        known = {"layout", "num_objects", "num_present", "object_ids_sorted", "sid_ndim"}
        said = index.group.metadata.attributes
        return {**{k: v for k, v in said.items() if k not in known}, **stored}

    crud.update_attributes(target.store, join(target.path, path), kept)


def _adopt(tx: Transaction, place: str) -> None:
    """Let a store be what has been written at another path of it."""
    store, root = tx.root.store, tx.root.path
    documents = node_documents(store, place)
    for path, document in documents.items():
        if is_array_document(document):
            tx.adopt(path, parse_array(document), join(place, path))
        else:
            tx.document(path, document)
    numbers = {path.partition("/")[0] for path in documents}
    stored = node_documents(store, root)
    gone = [p for p in stored if p.partition("/")[0] in numbers and p not in documents]
    for path in gone:
        if path.rpartition("/")[0] not in gone:
            tx.remove(path)
    tx.remove(_STAGING)

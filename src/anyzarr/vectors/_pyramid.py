"""Levels of detail: each made of the one before."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from anyzarr._nodes import Group
from anyzarr._progress import ProgressCallback, Tracker
from anyzarr.errors import MetadataError, NodeExistsError
from anyzarr.vectors._blobs import Ints
from anyzarr.vectors._coarsen import Rule, check_rules, followed
from anyzarr.vectors._coarsen_blocks import coarsened_in_blocks, goes_in_blocks
from anyzarr.vectors._details import Method, Step, coarser, level_kind
from anyzarr.vectors._documents import LevelMetadata, RootMetadata
from anyzarr.vectors._job import Job, Kind, WriteOptions
from anyzarr.vectors._level import StoredLevel
from anyzarr.vectors._level_links import LinkEnds, refuse_divided, write_links_to
from anyzarr.vectors._levels import (
    CrossLevelStorage,
    as_chunk_scale,
    capturing,
    check_chunks,
    finished,
    forget_level,
    options_like,
    scaled_chunks,
    with_places,
    write_new_level,
)
from anyzarr.vectors._open import open_root
from anyzarr.vectors._redo import complete_additions
from anyzarr.vectors._whole import Places, Whole, family_of, whole_level
from anyzarr.vectors._write import storage_of

__all__ = ["build_pyramid"]


def build_pyramid(
    path: Any,
    *,
    factors: Sequence[tuple[float, float]] = ((2.0, 1.0),),
    attribute_rules: Mapping[str, Rule] | None = None,
    preserve_object_ids: bool = True,
    method: Method = None,
    chunk_scale_factors: Sequence[int | Sequence[int]] | None = None,
    cross_level_storage: CrossLevelStorage = "none",
    cross_level_depth: int = 1,
    seed: int = 0,
    overwrite: bool = False,
    progress: ProgressCallback | None = None,
    backend: str | None = None,
    **backend_kwargs: Any,
) -> tuple[int, ...]:
    """Make levels of detail of a store.

    A level has fewer objects than the one before, and these have fewer vertices:

    - of points one, their mean, for each bin, and for each object in it;
    - of a polyline one for those that follow each other in a bin; its ends stay where they are;
    - lines stay as they are (without their ids, one for those that join the same bins);
    - of a graph one for each bin and object; edges join what their ends have become, each once;
    - of a skeleton one for those that edges within a bin connect, so that trees stay trees;
    - of a mesh of triangles, faces are made fewer by the square of the factor, object by object,
      where that changes the surface least; vertices along an open rim stay. It needs
      ``pip install "anyzarr[meshes]"``. Other meshes are made coarser as graphs are.

    All attributes are kept, and so are the ids of objects, their attributes and groups.
    A level is stored as level 0 is, and is held in memory while the next is made of it; of points
    without objects and links, in bins that divide chunks, level 0 is read in blocks. A level that
    is being made when the process is killed is not part of the store.

    Parameters
    ----------
    path, backend, **backend_kwargs
        As for :func:`anyzarr.vectors.open_store`.
    factors
        For each level, how many times larger its bins are than those of the level before, and
        which share of the objects (of the points, where there are no objects) it keeps: up to 1 a
        share, above 1 one of so many.
    attribute_rules
        How attributes of vertices and links are taken together, by name: ``"mean"``, ``"first"``,
        ``"sum"``, ``"min"`` or ``"max"``. Default: floating-point numbers by their mean,
        everything else from one of them.
    preserve_object_ids
        Whether the levels have the objects. Otherwise points and the vertices of networks are
        taken together whatever objects they belong to, and paths are numbered anew.
    method
        Of meshes: ``"decimate"``, or ``"bins"`` as for graphs. Default: triangles are decimated.
    chunk_scale_factors
        For each level, how many times larger its chunks are than those of the level before: a
        whole number, or one per dimension. Default: 1.
    cross_level_storage
        Which links between levels are stored: ``"none"``; ``"implicit"``, from each vertex to what
        it has become; ``"explicit"``, back from there, too. Read them with
        :func:`anyzarr.vectors.read_level_links`.
    cross_level_depth
        How many levels such links reach at most; -1: all.
    seed
        Of the choice of what is kept.
    overwrite
        Replace the levels there are. Otherwise there may be none but level 0.
    progress
        Called when a level is begun and when it is done, and for each block that is read.

    Returns
    -------
    tuple of int
        Numbers of the levels that were made.

    Raises
    ------
    NodeExistsError
        There are levels, and ``overwrite`` is off.
    UnsupportedError
        The store holds several types of geometry, or the method does not fit it.
    MissingDependencyError
        The library that decimates meshes is not installed.
    MetadataError
        A factor is not valid, or a rule does not fit an attribute.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.vectors import build_pyramid, read_points, write_points
    >>> memory = {}
    >>> positions = np.random.default_rng(0).uniform(0, 100, (5000, 3))
    >>> _ = write_points(memory, positions, chunk_shape=(50, 50, 50), bin_shape=(10, 10, 10))
    >>> build_pyramid(memory, factors=[(1, 1), (2, 1), (2.5, 0.5)])
    (1, 2, 3)
    >>> [read_points(memory, level=level).vertex_count for level in range(4)]
    [5000, 987, 125, 4]
    """
    root, metadata = open_root(path, "r+", backend=backend, **backend_kwargs)
    complete_additions(root)
    family_of(metadata)
    links = _LinkPlan(cross_level_storage, cross_level_depth)
    scales = _chunk_scales(metadata, factors, chunk_scale_factors)
    rules = attribute_rules or {}
    steps = list(_steps(metadata, factors, scales, preserve_object_ids, rules, method))
    is_consolidated = "consolidated_metadata" in root.metadata.document
    if metadata.levels[1:] and not overwrite:
        raise NodeExistsError(
            f"{root.url} has the levels {list(metadata.levels)}; replace them with "
            "overwrite=True, or remove them",
            path=str(metadata.levels[-1]),
        )
    build = _Build(root, links, Tracker(progress), np.random.default_rng(seed))
    build.run(steps, scales, rules)
    finished(root, links.storage if steps else "none", links.depth, consolidate=is_consolidated)
    return tuple(range(1, len(steps) + 1))


# ---------------------------------------------------------------------- what is asked


@dataclass(frozen=True)
class _LinkPlan:
    """Which links between levels are stored."""

    storage: CrossLevelStorage
    depth: int

    def __post_init__(self) -> None:
        if self.storage not in ("none", "implicit", "explicit"):
            raise MetadataError(
                f"cross_level_storage={self.storage!r} is not known: use 'none', 'implicit' or "
                "'explicit'",
                kind="cross_level_storage",
            )
        if self.depth < -1:
            raise MetadataError(
                f"cross_level_depth={self.depth} is not valid: a number of levels, or -1 for all",
                kind="cross_level_depth",
            )

    def reaches(self, delta: int) -> bool:
        """Return whether levels so far from each other are linked."""
        return self.storage != "none" and (self.depth == -1 or delta <= self.depth)


def _steps(
    metadata: RootMetadata,
    factors: Sequence[tuple[float, float]],
    scales: Sequence[Ints],
    objects: bool,
    rules: Mapping[str, Rule],
    method: Method,
) -> Iterator[Step]:
    """Return what is asked of each level, after checking it."""
    scale = 1.0
    for (coarsen, sparsity), chunks in zip(factors, scales, strict=True):
        if not (1 <= coarsen < math.inf and 0 < sparsity < math.inf):
            raise MetadataError(
                f"the factors {(coarsen, sparsity)} are not valid: bins grow by at least 1, and a "
                "share above 0 is kept (above 1: one of so many)",
                kind="factors",
            )
        scale *= coarsen
        bins = tuple(edge * scale for edge in metadata.bin_shape)
        check_chunks(metadata, chunks, bins)
        share = 1 / sparsity if sparsity > 1 else sparsity
        yield Step(coarsen, bins, share, objects, rules, method)


def _chunk_scales(
    metadata: RootMetadata,
    factors: Sequence[tuple[float, float]],
    chunk_scale_factors: Sequence[int | Sequence[int]] | None,
) -> list[Ints]:
    """Return for each level how many chunks of the root one of its chunks measures."""
    if chunk_scale_factors is None:
        return [np.ones(metadata.ndim, np.int64)] * len(factors)
    scale, found = np.ones(metadata.ndim, np.int64), []
    for factor in chunk_scale_factors:
        scale = scale * as_chunk_scale(metadata, factor)
        found.append(scale)
    if len(found) != len(factors):
        raise MetadataError(
            f"there are {len(found)} chunk_scale_factors and {len(factors)} factors: give one for "
            "each level",
            kind="chunk_scale_factors",
        )
    return found


# ---------------------------------------------------------------------- building


@dataclass(eq=False)
class _Finer:
    """A finer level, and what its vertices have become at the one that was made last."""

    number: int
    places: Places
    parent: Ints


@dataclass(eq=False)
class _Build:
    """A pyramid that is being built."""

    root: Group
    links: _LinkPlan
    tracker: Tracker
    rng: np.random.Generator
    finer: list[_Finer] = field(default_factory=list)

    def run(self, steps: Sequence[Step], scales: Sequence[Ints], rules: Mapping[str, Rule]) -> None:
        """Make the levels, one after the other; those that are there go once the first is made."""
        metadata = RootMetadata.parse(self.root.metadata.attributes)
        if not steps:
            self._forget(metadata)
            return
        stored = StoredLevel.of(self.root, metadata, 0)
        if self.links.storage != "none":
            refuse_divided(stored)
        source = self._source(stored, steps[0])
        names = {*source.geometry.vertex_attributes, *source.geometry.link_attributes}
        check_rules(rules, names | {*source.geometry.object_attributes})
        options = options_like(stored)
        family, kept = family_of(metadata), 1.0
        ids = source.geometry.object_ids if steps[0].objects else None
        for number, (step, chunks) in enumerate(zip(steps, scales, strict=True), start=1):
            kept *= step.share
            level = LevelMetadata(
                number,
                arrays_present=("vertices",),
                chunk_shape=scaled_chunks(metadata, chunks),
                object_sparsity=kept,
                coarsening_method="per_object",
                parent_level=number - 1,
                preserves_object_ids=ids is not None,
                inherited_num_objects=None if ids is None else len(ids),
            )
            kind = level_kind(family, metadata)
            source = self._level(source, step, level, kind, options, ids)

    def _source(self, level: StoredLevel, step: Step) -> Whole:
        """Return level 0, of which many points may have been taken together already."""
        if self.links.storage != "none" or not goes_in_blocks(level, step):
            return whole_level(level, objects=step.objects)
        none = np.empty(0, np.int64)
        places = Places(np.empty((0, level.ndim), np.int64), none, none)
        return Whole(coarsened_in_blocks(level, step, self.tracker), places)

    def _level(
        self,
        source: Whole,
        step: Step,
        level: LevelMetadata,
        kind: Kind,
        options: WriteOptions,
        ids: Ints | None,
    ) -> Whole:
        """Make and write a level of the one before, with the objects of level 0; return it."""
        self.tracker.start(f"level {level.level}", source.geometry.positions.nbytes)
        metadata = RootMetadata.parse(self.root.metadata.attributes)
        coarse = coarser(family_of(metadata), source.geometry, step, self.rng)
        if level.level == 1:
            self._forget(metadata)
        scale = np.divide(step.bin_shape, metadata.bin_shape).tolist()
        jobs: list[Job] = []
        written = coarse.geometry if ids is None else with_places(coarse.geometry, ids)
        write_new_level(self.root, written, options, capturing(kind, jobs), level, scale)
        made = Whole(coarse.geometry, Places.given_by(jobs[0]))
        if self.links.storage != "none":
            for finer in self.finer:
                finer.parent = followed(finer.parent, coarse.parent)
            self.finer.append(_Finer(level.level - 1, source.places, coarse.parent))
            self.finer = [f for f in self.finer if self.links.reaches(level.level - f.number)]
            self._link(made, level.level, options)
        self.tracker.advance(source.geometry.positions.nbytes)
        return made

    def _forget(self, metadata: RootMetadata) -> None:
        """Remove the levels that a store had before."""
        for number in reversed(metadata.levels[1:]):
            forget_level(self.root, number)
        self.root.refresh()

    def _link(self, made: Whole, number: int, options: WriteOptions) -> None:
        """Write the links between a level and those that are finer."""
        metadata = RootMetadata.parse(self.root.metadata.attributes)
        level = StoredLevel.of(self.root, metadata, number)
        storage = storage_of(level.vertices.metadata, options)
        for finer in self.finer:
            below = StoredLevel.of(self.root, metadata, finer.number)
            kept = np.flatnonzero(finer.parent >= 0)
            ends = LinkEnds(
                finer.places.of_vertices(kept), made.places.of_vertices(finer.parent[kept])
            )
            write_links_to(below, level, ends, storage)
            if self.links.storage == "explicit":
                write_links_to(level, below, ends.turned(), storage)

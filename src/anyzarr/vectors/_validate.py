"""A vector store against its format, level by level of depth."""

from __future__ import annotations

import itertools
from typing import Any, Literal

import numpy as np

from anyzarr._nodes import Group
from anyzarr.errors import AnyzarrError, MetadataError
from anyzarr.vectors._constants import (
    FORMAT_VERSION,
    GEOMETRY_TYPES,
    KNOWN_CAPABILITIES,
    LINKS_CONVENTIONS,
)
from anyzarr.vectors._documents import LevelMetadata, RootMetadata
from anyzarr.vectors._editions import read_current
from anyzarr.vectors._level import StoredLevel
from anyzarr.vectors._open import open_root
from anyzarr.vectors._redo import as_decided
from anyzarr.vectors._report import VectorFindings, VectorReport
from anyzarr.vectors._validate_cells import check_cells
from anyzarr.vectors._validate_links import check_level_links, check_links
from anyzarr.vectors._validate_objects import check_objects

__all__ = ["validate"]

_FAMILIES = ("vertex_attributes", "fragment_attributes", "object_attributes", "group_attributes")


def validate(
    path: Any,
    level: Literal[1, 2, 3, 4, 5] = 3,
    *,
    backend: str | None = None,
    **backend_kwargs: Any,
) -> VectorReport:
    """Check a vector store.

    Parameters
    ----------
    path, backend, **backend_kwargs
        As for :func:`anyzarr.vectors.open_store`.
    level
        How deep. 1: the groups and arrays that must be there. 2: their metadata. 3: that what is
        stored agrees, which reads everything: cells that are listed hold something and others
        do not, fragments name rows that are there, attributes have a row for each, manifests name
        fragments that are there, links join vertices that are there, counts are right. 4: that
        every vertex lies in its chunk, its bin and the bounds. 5: that the levels of detail
        belong to one pyramid. Each includes those before.

    Returns
    -------
    VectorReport
        ``valid``, and what was found: ``errors`` and ``warnings``.

    Raises
    ------
    NodeNotFoundError
        There is nothing.
    MetadataError
        There is something that is no vector store.
    ConflictError
        The store is edited all the time, so that it is not the same from the first look to the
        last.

    Examples
    --------
    >>> from anyzarr.vectors import validate, write_points
    >>> memory = {}
    >>> _ = write_points(memory, [[1, 1], [8, 2], [4, 9]])
    >>> validate(memory, 5).valid
    True
    >>> del memory["0/vertices/c/0/0"]
    >>> [finding.rule for finding in validate(memory).errors]
    ['fragments-tile', 'fragment-rows', 'nonempty-chunks']
    """
    if level not in (1, 2, 3, 4, 5):
        raise MetadataError(f"level={level!r} is not one of 1 to 5", kind="level")
    root, _ = open_root(path, "r", backend=backend, **backend_kwargs)
    return read_current(root, lambda: _checked(root, level))


def _checked(root: Group, level: int) -> VectorReport:
    """Check a store by the root's document at hand."""
    findings, metadata = VectorFindings(), RootMetadata.parse(root.metadata.attributes)
    root, unfinished = as_decided(root, metadata.levels)
    for number in unfinished:
        findings.warning(
            str(number), "unfinished-write", "a write is going on, or was cut off: the store was "
            "checked as it will be when the next write has completed it"
        )  # fmt: skip
    stored = _structure(root, metadata, findings)
    if level >= 2:
        _root_metadata(metadata, findings)
        for part in stored:
            _level_metadata(part, findings)
    n_vertices, seen = 0, {}
    if level >= 3 and not findings.errors:
        for part in stored:
            summary = check_cells(part, findings, places=level >= 4)
            check_objects(part, summary, findings)
            check_links(part, summary, findings)
            seen[part.number] = part, summary
            n_vertices += summary.n_vertices
        check_level_links(seen, findings)
    if level == 5:
        _pyramid(stored, findings)
    errors, warnings = sorted(findings.errors), sorted(findings.warnings)
    return VectorReport(root.url, level, n_vertices, tuple(errors), tuple(warnings))


# ---------------------------------------------------------------------- level 1


def _structure(root: Group, metadata: RootMetadata, findings: VectorFindings) -> list[StoredLevel]:
    """Return the levels that can be looked at."""
    if not metadata.levels:
        findings.error("", "levels", "the root names no level in multiscales[0].datasets")
    stored = []
    for number in metadata.levels:
        try:
            level = StoredLevel.of(root, metadata, number)
        except AnyzarrError as error:
            findings.error(str(number), "level", error.message)
            continue
        if level.fragments is None:
            findings.error(str(number), "arrays", "there is no array 'vertex_fragments'")
        stored.append(level)
    return stored


# ---------------------------------------------------------------------- level 2


def _root_metadata(metadata: RootMetadata, findings: VectorFindings) -> None:
    if metadata.zv_version.split(".")[:2] != FORMAT_VERSION.split(".")[:2]:
        findings.warning(
            "", "version", f"zv_version is {metadata.zv_version!r}, and {FORMAT_VERSION!r} is known"
        )
    unknown = sorted({*metadata.geometry_types} - GEOMETRY_TYPES)
    if unknown:
        findings.error("", "geometry-types", f"geometry_types names {unknown}, which is not known")
    convention = metadata.links_convention
    if convention is not None and convention not in LINKS_CONVENTIONS:
        findings.error("", "links-convention", f"links_convention is {convention!r}, not known")
    tokens = sorted({*metadata.format_capabilities} - KNOWN_CAPABILITIES)
    if tokens:
        findings.warning("", "capabilities", f"format_capabilities names {tokens}, not known")
    names = [axis.get("name") for axis in metadata.axes]
    if len(set(names)) != len(names) or not all(names):
        findings.error("", "axes", f"axes are named {names}; each needs a name of its own")


def _level_metadata(level: StoredLevel, findings: VectorFindings) -> None:
    base = str(level.number)
    said = LevelMetadata.parse(level.level.raw, level.number).level
    if said != level.number:
        findings.error(base, "level", f"it says that it is level {said}")
    arrays = {"vertices": level.vertices}
    if level.fragments is not None:
        arrays["vertex_fragments"] = level.fragments
    for family in _FAMILIES[:2]:
        group = level.root.get(f"{base}/{family}")
        if isinstance(group, Group):
            names = [name for name, _ in group.arrays()]
            arrays |= {f"{family}/{n}": level.array(f"{family}/{n}") for n in names}
    expected = level.vertices
    for name, array in arrays.items():
        place = f"{base}/{name}"
        if array.metadata.data_type.name != "bytes":
            findings.error(place, "data-type", f"its data type is {array.metadata.data_type.name}")
            continue
        with findings.caught(place, "nonempty-chunks"):
            array.nonempty  # noqa: B018 - it is parsed
        if array.origin.tolist() != expected.origin.tolist():
            findings.warning(place, "grid-origin", "it begins at another cell than 'vertices'")
        if array.metadata.subchunk_grid.chunk_shape != (1,) * array.ndim:
            findings.error(place, "chunk-shape", "its chunks hold more than one cell")
    with findings.caught(f"{base}/vertices", "dtype"):
        if level.dtype.kind != "f":
            findings.error(f"{base}/vertices", "dtype", f"positions are {level.dtype}, no floats")


# ---------------------------------------------------------------------- level 5


def _pyramid(stored: list[StoredLevel], findings: VectorFindings) -> None:
    for level in stored:
        if level.level.raw.get("zarr_vectors_level", {}).get("stale"):
            findings.warning(
                str(level.number), "stale", "it shows level 0 as it was before a change: make it "
                "again with build_pyramid(…, overwrite=True)"
            )  # fmt: skip
    numbers = [level.number for level in stored]
    if numbers != [*range(len(numbers))]:
        findings.error(
            "", "levels", f"the levels are {numbers}, and must follow one another from 0"
        )
    for finer, coarser in itertools.pairwise(stored):
        base = str(coarser.number)
        ratio = np.divide(coarser.grid.chunk_shape, coarser.metadata.chunk_shape)
        if (np.abs(ratio - np.round(ratio)) > 1e-9).any() or (ratio < 1).any():
            what = f"its chunks are {ratio.tolist()} times those of the root"
            findings.error(base, "chunk-shape", f"{what}, and must be whole multiples")
        parent = coarser.level.parent_level
        if parent is None or parent not in numbers or parent >= coarser.number:
            findings.error(base, "parent-level", f"its parent level is {parent}")
        if coarser.level.vertex_count > finer.level.vertex_count:
            findings.warning(base, "vertex-count", "it has more vertices than the level before")
        scales = [np.asarray(part.metadata.scale_of(part.number)) for part in (finer, coarser)]
        if (scales[1] < scales[0]).any():
            findings.error(base, "scale", f"its scale {scales[1].tolist()} is finer than before")

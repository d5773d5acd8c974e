"""Neuroglancer precomputed, written: annotations, skeletons and meshes, a folder each."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from anyzarr.errors import UnsupportedError
from anyzarr.vectors._blobs import starts_of
from anyzarr.vectors._geometry import Geometry
from anyzarr.vectors.formats._format import FormatOptions, VectorFacts, VectorFormat, VectorSource
from anyzarr.vectors.formats._parts import as_rows, left_out
from anyzarr.vectors.formats._precomputed_annotations import Annotations, write_annotations
from anyzarr.vectors.formats._precomputed_numbers import (
    as_float32,
    is_rounded,
    told_of_rounding,
)
from anyzarr.vectors.formats._surfaces import triangles

__all__ = ["PRECOMPUTED", "write_precomputed"]

_METERS: Final = {
    "angstrom": 1e-10, "nanometer": 1e-9, "micrometer": 1e-6, "millimeter": 1e-3,
    "centimeter": 1e-2, "meter": 1.0, "kilometer": 1e3,
}  # fmt: skip
_NANOMETER: Final = 1e-9
_PATHS: Final = ("polyline", "streamline")
_NETWORKS: Final = ("graph", "skeleton")
_Written: TypeAlias = tuple[dict[str, Any], list[str], list[str]]
"""The document ``info``; attributes that have no place; attributes whose numbers are rounded."""


def write_precomputed(
    source: VectorSource, path: Path, options: FormatOptions, advance: Callable[[int], None]
) -> Sequence[str]:
    """Write points and lines as annotations, paths, graphs and skeletons as skeletons, and meshes.

    Annotations have an index by place (levels of cells), one by number and, where there are
    objects, one by object. Places of skeletons and meshes are in nanometers.
    """
    facts = source.facts
    part = _joined(list(source.batches()))
    told: list[str] = []
    if part.object_ids is not None and (part.object_ids < 0).any():
        raise UnsupportedError(
            f"the object {int(part.object_ids.min())} has a negative id, and Neuroglancer's are "
            "not; write the store again with other object_ids",
            kind="object_ids",
        )
    if facts.geometry_type in {"point_cloud", "line"}:
        written = write_annotations(path, _annotations(part, facts), _dimensions(facts))
    else:
        if len(facts.axes) != 3:
            raise UnsupportedError(
                f"skeletons and meshes of Neuroglancer have 3 dimensions, and this has "
                f"{len(facts.axes)}",
                kind="ndim",
            )
        if facts.unit not in _METERS:
            told.append(
                f"the unit of the coordinates is {facts.unit}, so they are taken for nanometers"
            )
        factor = _METERS.get(facts.unit or "", _NANOMETER) / _NANOMETER
        writer = _meshes if facts.geometry_type == "mesh" else _skeletons
        written = writer(path, _with_links(part, facts), factor)
    info, lost, rounded = written
    (path / "info").write_text(json.dumps(info))
    advance(part.n_vertices)
    lost += [] if facts.geometry_type == "line" else [*part.object_attributes]
    if is_rounded(part.positions, as_float32(part.positions)):
        rounded = ["the coordinates", *rounded]
    return [*told, *told_of_rounding(rounded), *left_out(lost, "attributes", "precomputed")]


def _joined(parts: list[Geometry]) -> Geometry:
    """Return parts as one; rows of objects of different parts are told apart by their ids."""
    if len(parts) == 1:
        return parts[0]
    held = [p.object_ids[p.object_rows] for p in parts
            if p.object_rows is not None and p.object_ids is not None]  # fmt: skip
    ids = rows = None
    if held:
        ids, rows = np.unique(np.concatenate(held), return_inverse=True)
        rows = rows.reshape(-1)
    names = parts[0].vertex_attributes
    return Geometry(
        np.concatenate([p.positions for p in parts]),
        vertex_attributes={
            name: np.concatenate([p.vertex_attributes[name] for p in parts]) for name in names
        },
        object_rows=rows,
        object_ids=ids,
        object_attributes=_of_objects(parts),
    )


def _of_objects(parts: list[Geometry]) -> dict[str, npt.NDArray[Any]]:
    names = parts[0].object_attributes
    return {name: np.concatenate([p.object_attributes[name] for p in parts]) for name in names}


def _dimensions(facts: VectorFacts) -> dict[str, Any]:
    """Return the length of a step and its unit by axis; 1 where there is no unit."""
    found: dict[str, Any] = {}
    for axis in facts.axes:
        meters = _METERS.get(str(axis.get("unit")))
        found[str(axis["name"])] = [1, ""] if meters is None else [meters, "m"]
    return found


def _annotations(part: Geometry, facts: VectorFacts) -> Annotations:
    rows, ids = part.object_rows, part.object_ids
    if facts.geometry_type == "point_cloud":
        objects = None if rows is None or ids is None else ids[rows]
        ends = as_float32(part.positions[:, None])
        return Annotations("point", ends, part.vertex_attributes, objects)
    ends = as_float32(part.positions.reshape(-1, 2, len(facts.axes)))
    columns = {f"{name}_{end}": rows[i::2] for name, rows in part.vertex_attributes.items()
               for i, end in enumerate(("start", "end"))}  # fmt: skip
    if ids is not None and not np.array_equal(ids, np.arange(len(ids))):
        columns["object_id"] = ids
    return Annotations("line", ends, {**columns, **part.object_attributes})


# ---------------------------------------------------------------------- skeletons and meshes


def _with_links(part: Geometry, facts: VectorFacts) -> Geometry:
    """Return paths with their segments as links; what is of no object is of object 0."""
    rows, ids = part.object_rows, part.object_ids
    if rows is None or ids is None:
        rows, ids = np.zeros(part.n_vertices, np.int64), np.zeros(1, np.int64)
    links = part.links
    if facts.geometry_type in _PATHS:
        follows = np.flatnonzero(np.diff(rows) == 0)
        links = np.stack([follows, follows + 1], axis=1)
    elif links is None:
        links = np.empty((0, 2), np.int64)
    return replace(part, object_rows=rows, object_ids=ids, links=links)


def _objects(part: Geometry) -> Any:
    """Yield the id of each object, its vertices, and its links by their numbers in it."""
    rows, ids, links = part.object_rows, part.object_ids, part.links
    assert rows is not None
    assert ids is not None
    assert links is not None
    order = np.argsort(rows, kind="stable")
    counts = np.bincount(rows, minlength=len(ids))
    first = starts_of(counts)
    place = np.empty(len(rows), np.int64)
    place[order] = np.arange(len(rows)) - first[:-1][rows[order]]
    owner = rows[links[:, 0]]
    by_owner = np.argsort(owner, kind="stable")
    bounds = starts_of(np.bincount(owner, minlength=len(ids)))
    for number, name in enumerate(ids.tolist()):
        vertices = order[first[number] : first[number + 1]]
        yield name, vertices, place[links[by_owner[bounds[number] : bounds[number + 1]]]]


def _skeletons(folder: Path, part: Geometry, factor: float) -> _Written:
    columns, about, lost, rounded = _skeleton_columns(part.vertex_attributes)
    for name, vertices, edges in _objects(part):
        data = [struct.pack("<II", len(vertices), len(edges))]
        data += [
            as_float32(part.positions[vertices]).astype("<f4").tobytes(),
            edges.astype("<u4").tobytes(),
        ]
        data += [np.ascontiguousarray(column[vertices]).tobytes() for column in columns]
        (folder / str(name)).write_bytes(b"".join(data))
    transform = np.hstack([np.eye(3) * factor, np.zeros((3, 1))]).reshape(-1)
    info = {
        "@type": "neuroglancer_skeletons",
        "transform": transform.tolist(),
        "vertex_attributes": about,
    }
    return info, [*lost, *part.link_attributes], rounded


def _skeleton_columns(
    attributes: Mapping[str, npt.NDArray[Any]],
) -> tuple[list[npt.NDArray[Any]], list[dict[str, Any]], list[str], list[str]]:
    """Return attributes in types that the format has, and what is said of them.

    Beside these, names of those that have no place, and of those whose numbers are rounded.
    """
    columns, about, lost, rounded = [], [], [], []
    for name, column in attributes.items():
        if column.dtype.kind not in "biuf":
            lost.append(name)
            continue
        rows = as_rows(column)
        wide = rows.dtype.kind == "f" or rows.dtype.itemsize == 8
        kind = "float32" if wide else "uint8" if rows.dtype.kind == "b" else rows.dtype.name
        typed = as_float32(rows) if kind == "float32" else rows
        rounded += [name] if is_rounded(rows, typed) else []
        columns.append(typed.astype(np.dtype(kind).newbyteorder("<")))
        about.append({"id": name, "data_type": kind, "num_components": rows.shape[1]})
    return columns, about, lost, rounded


def _meshes(folder: Path, part: Geometry, factor: float) -> _Written:
    for name, vertices, faces in _objects(part):
        fragment = f"{name}.mesh"
        places = as_float32(part.positions[vertices].astype(np.float64) * factor)
        data = [struct.pack("<I", len(vertices)), places.astype("<f4").tobytes()]
        data.append(triangles(faces).astype("<u4").tobytes())
        (folder / fragment).write_bytes(b"".join(data))
        (folder / f"{name}:0").write_text(json.dumps({"fragments": [fragment]}))
    lost = [*part.vertex_attributes, *part.link_attributes]
    return {"@type": "neuroglancer_legacy_mesh"}, lost, []


def _is_precomputed(path: Path) -> bool:
    """Return whether a folder is one of Neuroglancer's."""
    info = path / "info"
    if not info.is_file():
        return False
    try:
        kind = json.loads(info.read_bytes()).get("@type", "")
    except (ValueError, AttributeError):
        return False
    return str(kind).startswith("neuroglancer_")


PRECOMPUTED = VectorFormat(
    "Neuroglancer precomputed",
    (".precomputed",),
    None,
    write_precomputed,
    frozenset({"point_cloud", "line", "mesh", *_PATHS, *_NETWORKS}),
    ndim=None,
    is_folder=True,
    index="info",
    claims_folder=_is_precomputed,
)
"""The format, for the registry."""

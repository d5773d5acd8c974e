"""Points and lines as annotations of Neuroglancer, with indices by place, number and object."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from anyzarr.abc import Ragged
from anyzarr.vectors._blobs import Ints, index_ranges, starts_of
from anyzarr.vectors.formats._parts import as_rows
from anyzarr.vectors.formats._precomputed_numbers import as_float32, is_rounded
from anyzarr.vectors.formats._precomputed_shards import write_shards

__all__ = ["Annotations", "write_annotations"]

_PER_CELL: Final = 5000
_MOST_LEVELS: Final = 8
_MOST_LABELS: Final = 65_536


@dataclass(frozen=True)
class Annotations:
    """Annotations of one kind.

    Attributes
    ----------
    kind
        ``"point"`` or ``"line"``.
    ends
        Of shape ``(N, 1, D)`` or ``(N, 2, D)``.
    columns
        Attributes by name, one row for each.
    objects
        For each the id of its object, or None.
    """

    kind: str
    ends: npt.NDArray[np.float32]
    columns: Mapping[str, npt.NDArray[Any]]
    objects: npt.NDArray[np.int64] | None = None


def write_annotations(
    folder: Path, what: Annotations, dimensions: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str], list[str]]:
    """Write annotations to an empty folder.

    Parameters
    ----------
    folder
        The folder.
    what
        The annotations; they are numbered from 0.
    dimensions
        Length of a step and its unit by axis.

    Returns
    -------
    info
        The document ``info``.
    lost
        Names of attributes that have no place.
    rounded
        Names of attributes whose numbers are rounded.
    """
    properties, values, lost, rounded = _properties(what.columns)
    n, _, ndim = what.ends.shape
    flat = as_rows(what.ends).astype("<f4")
    record = np.zeros(n, _record_type(flat.shape[1], properties))
    record["geometry"] = flat
    for about, column in zip(properties, values, strict=True):
        record[about["id"]] = column
    rows = record.view(np.uint8).reshape(n, record.dtype.itemsize)
    low = what.ends.min(axis=(0, 1), initial=np.inf) if n else np.zeros(ndim)
    high = what.ends.max(axis=(0, 1), initial=-np.inf) if n else np.ones(ndim)
    info: dict[str, Any] = {
        "@type": "neuroglancer_annotations_v1",
        "dimensions": dict(dimensions),
        "lower_bound": [float(x) for x in low],
        "upper_bound": [float(x) for x in high],
        "annotation_type": what.kind,
        "properties": properties,
        "relationships": _relationships(folder, rows, what.objects),
        "by_id": {"key": "by_id", "sharding": _by_id(folder, rows, what.objects)},
        "spatial": _spatial(folder, rows, what.ends.astype(np.float64), (low, high)),
    }
    return info, lost, rounded


# ---------------------------------------------------------------------- properties


def _properties(
    columns: Mapping[str, npt.NDArray[Any]],
) -> tuple[list[dict[str, Any]], list[npt.NDArray[Any]], list[str], list[str]]:
    """Return what is said of properties, widest first as the format has it, and their values.

    Beside these, names of columns that have no place, and of those whose numbers are rounded.
    """
    found: list[tuple[dict[str, Any], npt.NDArray[Any]]] = []
    lost, rounded = [], []
    for name, column in columns.items():
        told = _property(name, column)
        if told is None:
            lost.append(name)
            continue
        found += told
        if column.dtype.kind in "iuf":
            given = as_rows(column)
            if any(is_rounded(given[:, i], pair[1]) for i, pair in enumerate(told)):
                rounded.append(name)
    taken: set[str] = set()
    for about, _ in found:
        about["id"] = _identifier(about["id"], taken)
    found.sort(key=lambda pair: -_width(pair[0]["type"]))
    return [about for about, _ in found], [values for _, values in found], lost, rounded


def _width(kind: str) -> int:
    return 1 if kind in {"rgb", "rgba"} else np.dtype(kind).itemsize


def _property(
    name: str, column: npt.NDArray[Any]
) -> list[tuple[dict[str, Any], npt.NDArray[Any]]] | None:
    kind = column.dtype.kind
    if kind in "UTO" and column.ndim == 1:
        labels, codes = np.unique(np.where(column == np.array(None), "", column).astype(str),
                                  return_inverse=True)  # fmt: skip
        if len(labels) > _MOST_LABELS:
            return None
        about = {"enum_values": list(range(len(labels))), "enum_labels": labels.tolist()}
        return [({"id": name, "type": "uint16", **about}, codes.reshape(-1).astype(np.uint16))]
    if kind not in "biuf":
        return None
    if column.ndim == 2 and column.dtype == np.uint8 and column.shape[1] in {3, 4}:
        return [({"id": name, "type": "rgb" if column.shape[1] == 3 else "rgba"}, column)]
    rows = as_rows(column)
    names = [name] if column.ndim == 1 else [f"{name}_{i}" for i in range(rows.shape[1])]
    typed = [_typed(rows[:, i]) for i in range(rows.shape[1])]
    return [({"id": n, "type": c.dtype.name}, c) for n, c in zip(names, typed, strict=True)]


def _typed(column: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a column of a type that the format has: of 32 bits at most."""
    if column.dtype.kind == "b":
        return column.astype(np.uint8)
    if column.dtype.kind == "f":
        return as_float32(column)
    if column.dtype.itemsize < 8:
        return column.astype(column.dtype.newbyteorder("="))
    for kind in (np.int32, np.uint32):
        limits = np.iinfo(kind)
        if not len(column) or (column.min() >= limits.min and column.max() <= limits.max):
            return column.astype(kind)
    return as_float32(column)


def _identifier(name: str, taken: set[str]) -> str:
    """Return a name as the format allows it, which no other property has."""
    plain = re.sub(r"[^a-zA-Z0-9_]", "_", name)
    plain = plain if plain[:1].islower() else f"p_{plain}"
    while plain in taken:
        plain += "_"
    taken.add(plain)
    return plain


def _record_type(n_numbers: int, properties: list[dict[str, Any]]) -> np.dtype[Any]:
    """Return the type of an encoded annotation, whole multiples of four bytes."""
    fields: list[Any] = [("geometry", "<f4", (n_numbers,))]
    for about in properties:
        colours = {"rgb": ("u1", (3,)), "rgba": ("u1", (4,))}.get(about["type"])
        fields.append((about["id"], *(colours or (np.dtype(about["type"]).newbyteorder("<"),))))
    size = np.dtype(fields).itemsize
    padding = -size % 4
    return np.dtype([*fields, ("", "u1", (padding,))] if padding else fields)


# ---------------------------------------------------------------------- indices


def _by_id(
    folder: Path, rows: npt.NDArray[np.uint8], objects: npt.NDArray[np.int64] | None
) -> dict[str, Any]:
    """Write each annotation under its number, behind it the objects that it belongs to."""
    n = len(rows)
    if objects is not None:
        tail = np.zeros(n, [("count", "<u4"), ("id", "<u8")])
        tail["count"], tail["id"] = 1, objects
        rows = np.hstack([rows, tail.view(np.uint8).reshape(n, 12)])
    blobs = Ragged.from_lengths(
        np.ascontiguousarray(rows).reshape(-1), np.full(n, rows.shape[1], np.int64)
    )
    return write_shards(folder / "by_id", np.arange(n, dtype=np.uint64), blobs)


def _relationships(
    folder: Path, rows: npt.NDArray[np.uint8], objects: npt.NDArray[np.int64] | None
) -> list[dict[str, Any]]:
    if objects is None:
        return []
    ids, owner = np.unique(objects, return_inverse=True)
    blobs = _lists(rows, np.arange(len(rows)), owner.reshape(-1), len(ids))
    sharding = write_shards(folder / "rel_object", ids.astype(np.uint64), blobs)
    return [{"id": "object", "key": "rel_object", "sharding": sharding}]


def _lists(rows: npt.NDArray[np.uint8], members: Ints, owner: Ints, n_lists: int) -> Ragged:
    """Return lists of annotations: how many, their records, their numbers."""
    order = np.argsort(owner, kind="stable")
    counts = np.bincount(owner, minlength=n_lists).astype(np.int64)
    members = members[order]
    n_bytes = rows.shape[1]
    lengths = 8 + counts * (n_bytes + 8)
    data = np.empty(int(lengths.sum()), np.uint8)
    start = starts_of(lengths)[:-1]
    held = np.repeat(np.arange(n_lists), counts)
    within = np.arange(len(members)) - starts_of(counts)[:-1][held]

    def put(at: Ints, values: npt.NDArray[np.uint8]) -> None:
        width = values.shape[1]
        data[index_ranges(at, np.full(len(at), width, np.int64))] = values.reshape(-1)

    put(start, counts.astype("<u8").view(np.uint8).reshape(-1, 8))
    put(start[held] + 8 + within * n_bytes, rows[members])
    numbers = members.astype("<u8").view(np.uint8).reshape(-1, 8)
    put(start[held] + 8 + counts[held] * n_bytes + within * 8, numbers)
    return Ragged.from_lengths(data, lengths)


def _spatial(
    folder: Path,
    rows: npt.NDArray[np.uint8],
    ends: npt.NDArray[np.float64],
    bounds: tuple[npt.NDArray[Any], npt.NDArray[Any]],
) -> list[dict[str, Any]]:
    """Write levels of ever smaller cells; each annotation is in one, so that any may be left out.

    A level has at most 5,000 annotations of each cell, drawn by chance, the last level the rest.
    """
    low, high = (np.asarray(corner, np.float64) for corner in bounds)
    extent = np.maximum(high - low, 1e-6)
    draw = np.random.default_rng(0).permutation(len(rows))
    left = np.arange(len(rows))[draw]
    levels: list[dict[str, Any]] = []
    grid = np.ones(len(low), np.int64)
    while True:
        is_last = len(levels) + 1 == _MOST_LEVELS or len(left) <= _PER_CELL
        size = extent / grid
        owner, member = _cells_of(ends[left], low, size, grid)
        rank = _rank_within(owner)
        allowed = np.ones(len(left), bool)
        if not is_last:
            # One that lies in several cells is kept if there is room in all of them.
            np.logical_and.at(allowed, member, rank < _PER_CELL)
        kept = allowed[member]
        most = int(np.bincount(owner[kept], minlength=1).max(initial=1))
        name = f"spatial{len(levels)}"
        _write_cells(folder / name, rows, left[member[kept]], owner[kept], grid)
        levels.append({"key": name, "grid_shape": grid.tolist(), "chunk_size": size.tolist(),
                       "limit": max(1, most)})  # fmt: skip
        left = left[~allowed]
        if is_last or not len(left):
            return levels
        # Cells stay about as long as wide.
        grid = np.where(size > size.max() / math.sqrt(2), grid * 2, grid)


def _rank_within(owner: Ints) -> Ints:
    """Return for each how many before it have the same owner."""
    order = np.argsort(owner, kind="stable")
    counts = np.bincount(owner)
    rank = np.empty(len(owner), np.int64)
    rank[order] = np.arange(len(owner)) - starts_of(counts)[:-1][owner[order]]
    return rank


def _cells_of(
    ends: npt.NDArray[np.float64], low: npt.NDArray[Any], size: npt.NDArray[Any], grid: Ints
) -> tuple[Ints, Ints]:
    """Return the cells that annotations meet, and which meets each."""
    cells = np.clip(np.floor((ends - low) / size).astype(np.int64), 0, grid - 1)
    first, last = cells.min(axis=1), cells.max(axis=1)
    shape = last - first + 1
    counts = shape.prod(axis=1)
    member = np.repeat(np.arange(len(ends)), counts)
    rest = np.arange(len(member)) - starts_of(counts)[:-1][member]
    found = np.empty((len(member), len(low)), np.int64)
    for axis in range(len(low) - 1, -1, -1):
        found[:, axis] = first[member, axis] + rest % shape[member, axis]
        rest = rest // shape[member, axis]
    if ends.shape[1] == 2:
        meets = _meets(ends[member], low + found * size, low + (found + 1) * size)
        found, member = found[meets], member[meets]
    owner = np.ravel_multi_index(tuple(found.T), tuple(grid.tolist()))
    return np.asarray(owner, np.int64), np.asarray(member, np.int64)


def _meets(
    ends: npt.NDArray[np.float64], low: npt.NDArray[Any], high: npt.NDArray[Any]
) -> npt.NDArray[np.bool_]:
    """Return which segments meet their boxes."""
    start, along = ends[:, 0], ends[:, 1] - ends[:, 0]
    margin = (high - low) * 1e-9
    with np.errstate(divide="ignore", invalid="ignore"):
        a, b = (low - margin - start) / along, (high + margin - start) / along
    inside = (start >= low - margin) & (start <= high + margin)
    still = along == 0
    enter = np.where(still, np.where(inside, -np.inf, np.inf), np.minimum(a, b)).max(axis=1)
    leave = np.where(still, np.where(inside, np.inf, -np.inf), np.maximum(a, b)).min(axis=1)
    return np.asarray(np.maximum(enter, 0) <= np.minimum(leave, 1))


def _write_cells(
    folder: Path, rows: npt.NDArray[np.uint8], members: Ints, owner: Ints, grid: Ints
) -> None:
    folder.mkdir()
    cells, place = np.unique(owner, return_inverse=True)
    blobs = _lists(rows, members, place.reshape(-1), len(cells))
    coords = np.stack(np.unravel_index(cells, tuple(grid.tolist())), axis=1)
    for cell, blob in zip(coords.tolist(), blobs.to_list(), strict=True):
        (folder / "_".join(map(str, cell))).write_bytes(blob)

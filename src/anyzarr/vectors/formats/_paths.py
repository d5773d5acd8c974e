"""Paths put together from streamlines that come one by one, and taken apart again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr.vectors._geometry import Geometry
from anyzarr.vectors.formats._parts import as_rows

__all__ = ["Streamline", "gathered", "streamlines_of"]

Column = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Streamline:
    """One path.

    Attributes
    ----------
    positions
        Of shape ``(N, 3)``.
    of_vertices
        By name, one row per vertex.
    of_path
        By name, one row.
    """

    positions: Column
    of_vertices: Mapping[str, Column] = field(default_factory=dict)
    of_path: Mapping[str, Column] = field(default_factory=dict)


def gathered(
    streamlines: Iterable[Streamline], dtype: npt.DTypeLike, n_vertices: int
) -> Iterator[Geometry]:
    """Yield parts of about so many vertices, at least one; paths are numbered from 0."""
    held: list[Streamline] = []
    first = n = 0
    for streamline in streamlines:
        held.append(streamline)
        n += len(streamline.positions)
        if n >= n_vertices:
            yield _geometry(held, dtype, first)
            first, n, held = first + len(held), 0, []
    if held or not first:
        yield _geometry(held, dtype, first)


def _geometry(held: list[Streamline], dtype: npt.DTypeLike, first: int) -> Geometry:
    counts = np.asarray([len(s.positions) for s in held], np.int64)
    none = [np.empty((0, 3), dtype)]
    positions = np.concatenate([s.positions for s in held] or none).astype(dtype, copy=False)
    names = list(held[0].of_vertices) if held else []
    of_paths = list(held[0].of_path) if held else []
    return Geometry(
        positions=positions,
        vertex_attributes={
            n: _flat(np.concatenate([s.of_vertices[n] for s in held])) for n in names
        },
        object_rows=np.repeat(np.arange(len(held), dtype=np.int64), counts),
        object_ids=np.arange(first, first + len(held), dtype=np.int64),
        object_attributes={n: _flat(np.stack([s.of_path[n] for s in held])) for n in of_paths},
    )


def _flat(rows: Column) -> Column:
    """Return rows of one number as numbers."""
    return rows[:, 0] if rows.ndim == 2 and rows.shape[1] == 1 else rows


def streamlines_of(part: Geometry) -> Iterator[Streamline]:
    """Yield the paths of a part, one by one; attributes are rows of numbers."""
    assert part.object_rows is not None
    counts = np.bincount(part.object_rows, minlength=part.n_objects)
    stops = np.cumsum(counts).tolist()
    of_vertices = {n: _rows(c) for n, c in part.vertex_attributes.items()}
    of_paths = {n: _rows(c) for n, c in part.object_attributes.items()}
    start = 0
    for number, stop in enumerate(stops):
        yield Streamline(
            part.positions[start:stop],
            {name: rows[start:stop] for name, rows in of_vertices.items()},
            {name: rows[number] for name, rows in of_paths.items()},
        )
        start = stop


def _rows(column: Column) -> Column:
    return as_rows(column)

"""Geometries that are written as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr.errors import MetadataError
from anyzarr.vectors._blobs import Ints
from anyzarr.vectors._geometry import Geometry

__all__ = ["joined", "numbered_anew"]


def numbered_anew(geometry: Geometry, stored: Ints) -> Geometry:
    """Return a geometry whose objects have the ids after those that are there."""
    ids = np.arange(geometry.n_objects, dtype=np.int64) + int(stored.max(initial=-1)) + 1
    return replace(geometry, object_ids=ids)


def joined(geometries: Sequence[Geometry], *, has_ids: bool) -> Geometry:
    """Return several geometries as one.

    Parameters
    ----------
    geometries
        At least one; all of one type, and with the same attributes.
    has_ids
        Whether an id means the same object in each. Otherwise all objects are different ones.

    Raises
    ------
    MetadataError
        Their attributes differ.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.vectors._geometry import Geometry
    >>> from anyzarr.vectors._joined import joined
    >>> one = Geometry(np.zeros((2, 2)), object_rows=np.zeros(2, int), object_ids=np.array([4]))
    >>> both = joined([one, one], has_ids=False)
    >>> both.object_ids.tolist(), both.object_rows.tolist()
    ([0, 1], [0, 0, 1, 1])
    """
    if len(geometries) == 1:
        return geometries[0]
    first = np.cumsum([0, *(geometry.n_vertices for geometry in geometries)])
    parts = [geometry.links for geometry in geometries if geometry.links is not None]
    links = None
    if parts:
        links = np.concatenate([part + n for part, n in zip(parts, first.tolist(), strict=False)])
    whole = Geometry(
        positions=np.concatenate([geometry.positions for geometry in geometries]),
        vertex_attributes=_columns("vertex", [g.vertex_attributes for g in geometries]),
        links=links,
        link_attributes=_columns("link", [g.link_attributes for g in geometries]),
    )
    if geometries[0].object_ids is None:
        return whole
    return _with_objects(whole, geometries, has_ids)


def _with_objects(whole: Geometry, geometries: Sequence[Geometry], has_ids: bool) -> Geometry:
    first = np.cumsum([0, *(geometry.n_objects for geometry in geometries)])
    rows = np.concatenate(
        [g.object_rows + n for g, n in zip(geometries, first.tolist(), strict=False)]
    )
    columns = _columns("object", [g.object_attributes for g in geometries])
    ids = np.arange(first[-1], dtype=np.int64)
    if not has_ids:
        return replace(whole, object_rows=rows, object_ids=ids, object_attributes=columns)
    every = np.concatenate([g.object_ids for g in geometries if g.object_ids is not None])
    ids, last = np.unique(every[::-1], return_index=True)
    row_of = np.searchsorted(ids, every)
    members: dict[int, list[Ints]] = {}
    for geometry in geometries:
        for number, some in geometry.groups.items():
            members.setdefault(number, []).append(some)
    rows = row_of[rows]
    # Those of the geometry that came last.
    columns = {name: column[len(every) - 1 - last] for name, column in columns.items()}
    whole = _sorted(whole, rows)
    return replace(
        whole,
        object_rows=np.sort(rows, kind="stable"),
        object_ids=ids,
        object_attributes=columns,
        groups={number: np.concatenate(some) for number, some in members.items()},
    )


def _sorted(geometry: Geometry, rows: Ints) -> Geometry:
    """Return a geometry with the vertices of an object after one another, in their order."""
    order = np.argsort(rows, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return replace(
        geometry,
        positions=geometry.positions[order],
        vertex_attributes={name: c[order] for name, c in geometry.vertex_attributes.items()},
        links=None if geometry.links is None else place[geometry.links],
    )


def _columns(
    what: str, parts: Sequence[Mapping[str, npt.NDArray[Any]]]
) -> dict[str, npt.NDArray[Any]]:
    names = list(parts[0])
    for part in parts:
        if set(part) != set(names):
            raise MetadataError(
                f"what is written together has the same {what} attributes, and "
                f"{sorted(names)} and {sorted(part)} were given",
                kind="attribute_names",
            )
    return {name: np.concatenate([part[name] for part in parts]) for name in names}

"""Points made fewer: one for each bin, and for each object in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from anyzarr.errors import MetadataError
from anyzarr.vectors._blobs import Ints
from anyzarr.vectors._geometry import Geometry
from anyzarr.vectors._grid import cells_of
from anyzarr.vectors._scatter import stable_order

__all__ = ["Rule", "coarsened", "thinned"]

Rule: TypeAlias = Literal["mean", "first", "sum", "min", "max"]

_UFUNCS = {"sum": np.add, "min": np.minimum, "max": np.maximum}


def coarsened(
    geometry: Geometry, bin_shape: Sequence[float], rules: Mapping[str, Rule]
) -> Geometry:
    """Return the points of a geometry, one for each bin and object: their mean.

    Parameters
    ----------
    geometry
        The points.
    bin_shape
        Edge lengths of a bin.
    rules
        How attributes are taken together, by name; by default floating-point numbers by their
        mean, everything else from the first point of the bin.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.vectors._coarsen import coarsened
    >>> from anyzarr.vectors._geometry import Geometry
    >>> points = Geometry(np.array([[1.0], [7.0], [3.0]]), {"i": np.array([5, 6, 7])})
    >>> fewer = coarsened(points, (5.0,), {"i": "max"})
    >>> fewer.positions.tolist(), fewer.vertex_attributes["i"].tolist()
    ([[2.0], [7.0]], [7, 6])
    """
    if not geometry.n_vertices:
        return geometry
    bins = cells_of(geometry.positions, bin_shape)
    keys = bins if geometry.object_rows is None else np.column_stack([bins, geometry.object_rows])
    _, place = np.unique(keys, axis=0, return_inverse=True)
    place = place.reshape(-1).astype(np.int64)
    order = stable_order(place)
    starts = np.flatnonzero(np.diff(place[order], prepend=-1))
    columns = {
        name: _together(name, column[order], starts, rules.get(name))
        for name, column in geometry.vertex_attributes.items()
    }
    rows = geometry.object_rows
    return replace(
        geometry,
        positions=_mean(geometry.positions[order], starts),
        vertex_attributes=columns,
        object_rows=None if rows is None else rows[order[starts]],
    )


def _mean(values: npt.NDArray[Any], starts: Ints) -> npt.NDArray[Any]:
    kind = np.complex128 if values.dtype.kind == "c" else np.float64
    totals = np.add.reduceat(values, starts, axis=0, dtype=kind)
    counts = np.diff(np.append(starts, len(values)))
    return totals / counts.reshape(-1, *(1,) * (values.ndim - 1))


def _together(
    name: str, values: npt.NDArray[Any], starts: Ints, rule: Rule | None
) -> npt.NDArray[Any]:
    rule = rule or ("mean" if values.dtype.kind in "fc" else "first")
    if rule == "first":
        return values[starts]
    if rule not in ("mean", *_UFUNCS) or values.dtype.kind not in "biufc":
        raise MetadataError(
            f"the attribute {name!r} of the type {values.dtype} cannot be taken together by the "
            f"rule {rule!r}: rules are 'first', and of numbers 'mean', 'sum', 'min' and 'max'",
            kind="attribute_rule",
        )
    if rule == "mean":
        mean = _mean(values, starts)
        whole = values.dtype.kind in "iub"
        return (np.rint(mean) if whole else mean).astype(values.dtype)
    return _UFUNCS[rule].reduceat(values, starts, axis=0).astype(values.dtype, copy=False)


def thinned(geometry: Geometry, share: float, rng: np.random.Generator) -> Geometry:
    """Return a geometry with a share of its objects, or of its vertices where it has no objects.

    At least one is kept.
    """
    ids, rows = geometry.object_ids, geometry.object_rows
    if ids is None or rows is None:
        n = geometry.n_vertices
        mask = np.zeros(n, np.bool_)
        mask[_chosen(n, share, rng)] = True
        return geometry.keep(mask)
    held = np.zeros(len(ids), np.bool_)
    held[_chosen(len(ids), share, rng)] = True
    kept = geometry.keep(held[rows])
    assert kept.object_rows is not None
    return replace(
        kept,
        object_rows=(np.cumsum(held) - 1)[kept.object_rows],
        object_ids=ids[held],
        object_attributes={name: c[held] for name, c in geometry.object_attributes.items()},
    )


def _chosen(n: int, share: float, rng: np.random.Generator) -> Ints:
    count = min(n, max(1, round(n * share)))
    return rng.permutation(n)[:count].astype(np.int64)

"""Geometries made coarser: vertices merged, the links between them, and how both are told apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from anyzarr.errors import MetadataError
from anyzarr.vectors._blobs import Ints
from anyzarr.vectors._geometry import Columns, Geometry
from anyzarr.vectors._grid import cells_of
from anyzarr.vectors._scatter import stable_order
from anyzarr.vectors._scatter_links import groups_of

__all__ = [
    "Coarse",
    "Rule",
    "Rules",
    "check_rules",
    "coarsened",
    "merged",
    "taken_together",
    "thinned",
]

Rule: TypeAlias = Literal["mean", "first", "sum", "min", "max"]
Rules: TypeAlias = Mapping[str, Rule]

_UFUNCS = {"sum": np.add, "min": np.minimum, "max": np.maximum}


@dataclass(frozen=True, eq=False)
class Coarse:
    """A coarser geometry, and what has become of the finer one.

    Attributes
    ----------
    geometry
        The coarser geometry.
    parent
        For each vertex of the finer geometry the one that it has become part of, -1 where it was
        left out, shape ``(N,)``.
    """

    geometry: Geometry
    parent: Ints

    @classmethod
    def same(cls, geometry: Geometry) -> Coarse:
        """Return a geometry as it is."""
        return cls(geometry, np.arange(geometry.n_vertices, dtype=np.int64))

    def then(self, further: Coarse) -> Coarse:
        """Return what has been made coarser once more, by what was made of its geometry."""
        return Coarse(further.geometry, followed(self.parent, further.parent))

    def kept(self, mask: npt.NDArray[np.bool_]) -> Coarse:
        """Return this with some of the coarser vertices only."""
        place = np.where(mask, np.cumsum(mask) - 1, -1)
        return Coarse(self.geometry.keep(mask), followed(self.parent, place))

    def ordered(self, order: Ints) -> Coarse:
        """Return this with the coarser vertices in another order."""
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        return Coarse(self.geometry.ordered(order), followed(self.parent, place))


def followed(first: Ints, second: Ints) -> Ints:
    """Return where what was mapped by the first goes by the second; -1 where by either nowhere."""
    found: Ints = np.append(second, -1)[first]
    return found


def check_rules(rules: Rules, names: Iterable[str]) -> None:
    """Refuse rules for attributes that are not there.

    Raises
    ------
    MetadataError
        There is one.
    """
    known = sorted(names)
    unknown = sorted({*rules} - {*known})
    if unknown:
        raise MetadataError(
            f"there is a rule for the attribute {unknown[0]!r}, and no such attribute; "
            f"there are {known}",
            kind="attribute_rule",
        )


def coarsened(geometry: Geometry, bin_shape: Sequence[float], rules: Rules) -> Coarse:
    """Return a geometry with one vertex, their mean, for those of each bin and object.

    Links join what their vertices have become. Those within one vertex are left out, and of
    those that join the same vertices one is kept.

    Parameters
    ----------
    geometry
        Points, a graph, or a mesh.
    bin_shape
        Edge lengths of a bin.
    rules
        How attributes are taken together, by name; by default floating-point numbers by their
        mean, everything else from the first vertex of the bin.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.vectors._coarsen import coarsened
    >>> from anyzarr.vectors._geometry import Geometry
    >>> points = Geometry(np.array([[1.0], [7.0], [3.0]]), {"i": np.array([5, 6, 7])})
    >>> coarse = coarsened(points, (5.0,), {"i": "max"})
    >>> fewer = coarse.geometry
    >>> fewer.positions.tolist(), fewer.vertex_attributes["i"].tolist()
    ([[2.0], [7.0]], [7, 6])
    >>> coarse.parent.tolist()
    [0, 1, 0]
    """
    if not geometry.n_vertices:
        return Coarse.same(geometry)
    bins = cells_of(geometry.positions, bin_shape)
    if geometry.object_rows is not None:
        bins = np.column_stack([bins, geometry.object_rows])
    place, _ = groups_of(bins)
    return Coarse(merged(geometry, place, rules), place)


def merged(geometry: Geometry, place: Ints, rules: Rules) -> Geometry:
    """Return a geometry whose vertices of one number have become one.

    Parameters
    ----------
    geometry
        The geometry.
    place
        For each vertex the number of what it becomes; each number from 0 on is there.
    rules
        As for :func:`coarsened`; also of the attributes of links.
    """
    order = stable_order(place)
    starts = np.flatnonzero(np.diff(place[order], prepend=-1))
    columns = {
        name: taken_together(name, column[order], starts, rules.get(name))
        for name, column in geometry.vertex_attributes.items()
    }
    rows, links = geometry.object_rows, geometry.links
    link_attributes: Columns = geometry.link_attributes
    if links is not None:
        links, link_attributes = _merged_links(links, link_attributes, place, rules)
    return replace(
        geometry,
        positions=_mean(geometry.positions[order], starts),
        vertex_attributes=columns,
        object_rows=None if rows is None else rows[order[starts]],
        links=links,
        link_attributes=link_attributes,
    )


def _merged_links(
    links: Ints, columns: Columns, place: Ints, rules: Rules
) -> tuple[Ints, dict[str, npt.NDArray[Any]]]:
    """Return links between merged vertices, each once, in the order of their first."""
    width = links.shape[1]
    rows = place[links]
    ascending = np.sort(rows, axis=1)
    distinct = 1 + np.count_nonzero(np.diff(ascending, axis=1), axis=1)
    whole = np.flatnonzero(distinct >= min(width, 3))
    if not whole.size:
        return rows[:0], {name: column[:0] for name, column in columns.items()}
    rows = rows[whole]
    group, first = groups_of(ascending[whole] if width == 2 else _turned(rows))
    rank = np.empty_like(first)
    rank[np.argsort(first)] = np.arange(len(first))
    group = rank[group]
    order = stable_order(group)
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    found = {
        name: taken_together(name, column[whole][order], starts, rules.get(name))
        for name, column in columns.items()
    }
    return rows[order[starts]], found


def _turned(faces: Ints) -> Ints:
    """Return faces that begin with their smallest vertex, with their winding."""
    width = faces.shape[1]
    turn = faces.argmin(axis=1)[:, None] + np.arange(width)
    return np.take_along_axis(faces, turn % width, axis=1)


def _mean(values: npt.NDArray[Any], starts: Ints) -> npt.NDArray[Any]:
    kind = np.complex128 if values.dtype.kind == "c" else np.float64
    totals = np.add.reduceat(values, starts, axis=0, dtype=kind)
    counts = np.diff(np.append(starts, len(values)))
    return totals / counts.reshape(-1, *(1,) * (values.ndim - 1))


def taken_together(
    name: str, values: npt.NDArray[Any], starts: Ints, rule: Rule | None
) -> npt.NDArray[Any]:
    """Return an attribute with one row for those from each start to the next, by a rule.

    Raises
    ------
    MetadataError
        The rule does not fit the attribute.
    """
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
    found = _UFUNCS[rule].reduceat(values, starts, axis=0, dtype=_wide(values.dtype, rule))
    return _narrowed(name, found, values.dtype)


def _wide(dtype: np.dtype[Any], rule: Rule) -> np.dtype[Any]:
    """Return a type in which sums of whole numbers are taken."""
    if rule != "sum" or dtype.kind not in "iu":
        return dtype
    return np.dtype(np.uint64 if dtype.kind == "u" else np.int64)


def _narrowed(name: str, values: npt.NDArray[Any], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return values in the type of their attribute, which must hold them."""
    if values.dtype != dtype:
        span = np.iinfo(dtype)
        if values.size and not (span.min <= values.min() and values.max() <= span.max):
            raise MetadataError(
                f"sums of the attribute {name!r} go beyond what its type {dtype} can hold: write "
                "it as a larger type, or take it together by another rule",
                kind="attribute_rule",
            )
    return values.astype(dtype, copy=False)


def thinned(geometry: Geometry, share: float, rng: np.random.Generator) -> Coarse:
    """Return a geometry with a share of its objects, or of its vertices where it has no objects.

    At least one is kept.
    """
    ids, rows = geometry.object_ids, geometry.object_rows
    whole = Coarse.same(geometry)
    if ids is None or rows is None:
        mask = np.zeros(geometry.n_vertices, np.bool_)
        mask[_chosen(len(mask), share, rng)] = True
        return whole.kept(mask)
    held = np.zeros(len(ids), np.bool_)
    held[_chosen(len(ids), share, rng)] = True
    kept = whole.kept(held[rows])
    assert kept.geometry.object_rows is not None
    fewer = replace(
        kept.geometry,
        object_rows=(np.cumsum(held) - 1)[kept.geometry.object_rows],
        object_ids=ids[held],
        object_attributes={name: c[held] for name, c in geometry.object_attributes.items()},
    )
    return Coarse(fewer, kept.parent)


def _chosen(n: int, share: float, rng: np.random.Generator) -> Ints:
    count = min(n, max(1, round(n * share)))
    return rng.permutation(n)[:count].astype(np.int64)

"""What every geometry becomes before it is written, and what reading it gives: columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from anyzarr.errors import MetadataError

__all__ = ["Column", "Columns", "Geometry", "as_columns", "finite_positions"]

Column: TypeAlias = npt.NDArray[Any]
Columns: TypeAlias = Mapping[str, Column]

_NONE: Columns = MappingProxyType({})


def as_columns(what: str, columns: Mapping[str, npt.ArrayLike] | None, n_rows: int) -> Columns:
    """Return attributes as arrays, after checking that each has one row per thing.

    Parameters
    ----------
    what
        What a row belongs to, in the words of the error: ``"vertex"``, ``"object"``.
    columns
        Attributes by name; a row may have any shape.
    n_rows
        How many rows each must have.

    Raises
    ------
    MetadataError
        A name is no name of an array, or an attribute has another number of rows.
    """
    found: dict[str, Column] = {}
    for name, values in (columns or {}).items():
        if not name or "/" in name or name in {".", ".."}:
            raise MetadataError(
                f"{name!r} cannot be the name of a {what} attribute: it becomes the name of an "
                "array, so it may not be empty or hold a '/'",
                kind="attribute_name",
            )
        column = np.asarray(values)
        if column.ndim == 0 or len(column) != n_rows:
            raise MetadataError(
                f"the {what} attribute {name!r} has the shape {column.shape}, and needs "
                f"{n_rows} rows: one for each {what}",
                kind="attribute_rows",
            )
        if n_rows and column[:1].nbytes == 0:
            raise MetadataError(
                f"the {what} attribute {name!r} has the shape {column.shape}, whose rows hold "
                "nothing; leave it out",
                kind="attribute_rows",
            )
        found[name] = column
    return MappingProxyType(found)


def finite_positions(values: Column, dtype: npt.DTypeLike) -> Column:
    """Return positions of a type, after checking that all of them are finite.

    Raises
    ------
    MetadataError
        A position is NaN or infinite, or too large for the type; or it is no type of positions.
    """
    kind = np.dtype(dtype)
    if kind.kind != "f":
        raise MetadataError(
            f"dtype={str(dtype)!r} cannot be the type of positions: it is a floating-point type",
            kind="dtype",
        )
    with np.errstate(over="ignore"):
        positions = values.astype(kind, copy=False)
    finite = np.isfinite(positions).all(axis=1)
    if not finite.all():
        first = int(np.flatnonzero(~finite)[0])
        raise MetadataError(
            f"{np.count_nonzero(~finite)} of {len(positions)} positions are not finite numbers of "
            f"the type {kind} (the first is number {first}: {values[first].tolist()}), and lie in "
            "no chunk; leave them out",
            kind="positions",
        )
    return positions


@dataclass(frozen=True)
class Geometry:
    """Vertices, what they belong to and what joins them, column by column.

    Whatever the geometry, writing scatters one of these over the cells of a level, and reading
    gathers one. Vertices of one object follow each other in their order where the geometry
    has an order (polylines); otherwise their order is that of the input.

    Attributes
    ----------
    positions
        Vertices, shape ``(N, D)``, floating point.
    vertex_attributes
        By name, shape ``(N, …)``.
    object_rows
        For each vertex its row in ``object_ids``, shape ``(N,)``, int64; None: there are no
        objects.
    object_ids
        Ids of the objects, shape ``(O,)``, int64, ascending and distinct; None: no objects.
    object_attributes
        By name, shape ``(O, …)``, rows as in ``object_ids``.
    groups
        Ids of objects, by the number of the group.
    group_attributes
        By name, shape ``(number of the last group + 1, …)``.
    links
        Vertices joined by each link, as rows of ``positions``, shape ``(M, width)``, int64;
        None: links are implied by the order, or there are none.
    link_attributes
        By name, shape ``(M, …)``.
    text_codes
        Of vertex attributes that are text and more of which follows: the type of the codes of a
        new array.
    """

    positions: Column
    vertex_attributes: Columns = field(default_factory=lambda: _NONE)
    object_rows: npt.NDArray[np.int64] | None = None
    object_ids: npt.NDArray[np.int64] | None = None
    object_attributes: Columns = field(default_factory=lambda: _NONE)
    groups: Mapping[int, npt.NDArray[np.int64]] = field(
        default_factory=lambda: MappingProxyType({})
    )
    group_attributes: Columns = field(default_factory=lambda: _NONE)
    links: npt.NDArray[np.int64] | None = None
    link_attributes: Columns = field(default_factory=lambda: _NONE)
    text_codes: Mapping[str, np.dtype[Any]] = field(default_factory=lambda: MappingProxyType({}))

    def keep(self, mask: npt.NDArray[np.bool_]) -> Geometry:
        """Return the geometry without some vertices, and without the links that end at them.

        Objects stay, also those that are left without a vertex.
        """
        place = np.cumsum(mask) - 1
        links, link_attributes = self.links, self.link_attributes
        if links is not None:
            whole = mask[links].all(axis=1)
            links = place[links[whole]]
            link_attributes = {name: rows[whole] for name, rows in link_attributes.items()}
        return replace(
            self,
            positions=self.positions[mask],
            vertex_attributes={name: rows[mask] for name, rows in self.vertex_attributes.items()},
            object_rows=None if self.object_rows is None else self.object_rows[mask],
            links=links,
            link_attributes=link_attributes,
        )

    def ordered(self, order: npt.NDArray[np.int64]) -> Geometry:
        """Return the geometry with its vertices in another order, a permutation of their rows."""
        links = self.links
        if links is not None:
            place = np.empty_like(order)
            place[order] = np.arange(len(order))
            links = place[links]
        return replace(
            self,
            positions=self.positions[order],
            vertex_attributes={name: rows[order] for name, rows in self.vertex_attributes.items()},
            object_rows=None if self.object_rows is None else self.object_rows[order],
            links=links,
        )

    @property
    def n_vertices(self) -> int:
        """Number of vertices."""
        return len(self.positions)

    @property
    def ndim(self) -> int:
        """Number of dimensions of the space."""
        return int(self.positions.shape[1])

    @property
    def n_objects(self) -> int:
        """Number of objects."""
        return 0 if self.object_ids is None else len(self.object_ids)

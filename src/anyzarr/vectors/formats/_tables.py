"""Points as rows of a table: which columns are coordinates, and what the others become."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr._optional import require
from anyzarr.errors import CorruptDataError, MetadataError, UnsupportedError
from anyzarr.vectors._geometry import Geometry
from anyzarr.vectors._objects_input import rows_of_objects
from anyzarr.vectors.formats._format import VectorFacts, VectorSource
from anyzarr.vectors.formats._parts import as_rows, left_out

__all__ = ["OBJECT_ID", "Roles", "arrow", "columns_of", "geometry_of", "roles_of", "write_tables"]

OBJECT_ID = "object_id"
_COORDINATES = ("x", "y", "z")


def arrow(module: str) -> Any:
    """Return a module of pyarrow."""
    return require(f"pyarrow.{module}" if module else "pyarrow", extra="tables",
                   purpose="Reading and writing tables")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Roles:
    """Which columns of a table are what; all others are attributes.

    Attributes
    ----------
    coordinates
        Columns of the coordinates, in the order of the axes.
    axes
        Names of the axes.
    object_id
        Column of the ids of objects; None: there is none.
    """

    coordinates: tuple[str, ...]
    axes: tuple[str, ...]
    object_id: str | None

    @property
    def taken(self) -> frozenset[str]:
        """All columns that have a role."""
        return frozenset({*self.coordinates, self.object_id or self.coordinates[0]})


def roles_of(names: Sequence[str], asked: Mapping[str, str], path: Path) -> Roles:
    """Return which of the columns of a table are what.

    Parameters
    ----------
    names
        The columns.
    asked
        The column of a role, where its name is not that of the role.
    path
        Of the table, for errors.

    Raises
    ------
    MetadataError
        A role is not known, or its column is not there, or there are several of that name.
    """
    unknown = sorted({*asked} - {*_COORDINATES, OBJECT_ID})
    if unknown:
        raise MetadataError(
            f"columns={dict(asked)!r}: {unknown[0]!r} is no role; roles are x, y, z and object_id",
            kind="columns",
        )
    twice = sorted({name for name in names if list(names).count(name) > 1})
    if twice:
        raise MetadataError(
            f"{str(path)!r} has several columns {twice[0]!r}; give each a name of its own",
            kind="columns",
        )
    found = {role: _column(role, names, asked, path) for role in (*_COORDINATES, OBJECT_ID)}
    axes = tuple(role for role in _COORDINATES if found[role] is not None)
    if axes[:2] != ("x", "y"):
        missing = next(role for role in "xy" if role not in axes)
        raise MetadataError(
            f"{str(path)!r} has no column {missing!r} for the coordinate {missing}: it has "
            f"{', '.join(map(repr, names)) or 'none'}; say which it is by "
            f"columns={{{missing!r}: NAME}}, or --columns {missing}=NAME",
            kind="columns",
        )
    return Roles(tuple(str(found[role]) for role in axes), axes, found[OBJECT_ID])


def _column(role: str, names: Sequence[str], asked: Mapping[str, str], path: Path) -> str | None:
    if role in asked:
        if asked[role] not in names:
            raise MetadataError(
                f"{str(path)!r} has no column {asked[role]!r}, which was to be {role}: it has "
                f"{', '.join(map(repr, names)) or 'none'}",
                kind="columns",
            )
        return asked[role]
    free = [name for name in names if name not in asked.values()]
    return next((name for name in free if name.strip().lower() == role), None)


def columns_of(batch: Any) -> dict[str, npt.NDArray[Any]]:
    """Return the columns of a record batch as arrays; missing numbers are NaN, missing text None.

    Columns of a kind that has no stored form (lists of any length, structures, bytes) are left out.
    """
    found = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if has_form(column.type):
            found[name] = _as_numpy(column)
    return found


def has_form(kind: Any) -> bool:
    """Return whether values of an Arrow type can be an attribute."""
    types = arrow("types")
    if types.is_dictionary(kind):
        return has_form(kind.value_type)
    if types.is_fixed_size_list(kind):
        return bool(types.is_integer(kind.value_type) or types.is_floating(kind.value_type))
    tests = (types.is_integer, types.is_floating, types.is_boolean, types.is_string,
             types.is_large_string, types.is_timestamp, types.is_date, types.is_null)  # fmt: skip
    return any(test(kind) for test in tests)


def _as_numpy(column: Any) -> npt.NDArray[Any]:
    pa, types = arrow(""), arrow("types")
    kind = column.type
    if types.is_dictionary(kind):
        return _as_numpy(column.cast(kind.value_type))
    if types.is_null(kind):
        return np.full(len(column), np.nan)
    if types.is_fixed_size_list(kind):
        flat = column.flatten() if not column.null_count else _filled(column)
        rows: npt.NDArray[Any] = _as_numpy(flat).reshape(len(column), kind.list_size)
        return rows
    if types.is_string(kind) or types.is_large_string(kind):
        values = column.to_numpy(zero_copy_only=False)
        text: npt.NDArray[Any] = values if column.null_count else values.astype(str)
        return text
    if types.is_date(kind):
        column = column.cast(pa.timestamp("ms"))
    if types.is_boolean(kind) and column.null_count:
        column = column.cast(pa.int8())
    values = column.to_numpy(zero_copy_only=False)
    return np.asarray(values)


def _filled(column: Any) -> Any:
    """Return the values of lists, those of missing lists as missing values."""
    pa, n = arrow(""), column.type.list_size
    rows = [row if row is not None else [None] * n for row in column.to_pylist()]
    return pa.array([v for row in rows for v in row], column.type.value_type)


def geometry_of(columns: Mapping[str, npt.NDArray[Any]], roles: Roles, path: Path) -> Geometry:
    """Return rows of a table as points.

    Raises
    ------
    CorruptDataError
        A coordinate is no number, or an id of an object is no whole number.
    """
    for name in roles.coordinates:
        if columns[name].dtype.kind not in "iuf" or columns[name].ndim != 1:
            raise CorruptDataError(
                f"the column {name!r} of {str(path)!r} is to be a coordinate, and holds "
                f"{columns[name].dtype} ({columns[name][:1].tolist()} in its first row); name "
                "another column, or take out rows that are no numbers",
                key=str(path),
                kind="columns",
            )
    kind = np.result_type(*(columns[name].dtype for name in roles.coordinates))
    kind = kind if kind.kind == "f" else np.dtype(np.float64)
    positions = np.stack([columns[n].astype(kind) for n in roles.coordinates], axis=1)
    ids = rows = None
    if roles.object_id is not None:
        ids, rows = _objects(columns[roles.object_id], roles.object_id, path)
    attributes = {name: values for name, values in columns.items() if name not in roles.taken}
    return Geometry(
        positions=positions, vertex_attributes=attributes, object_rows=rows, object_ids=ids
    )


def _objects(values: npt.NDArray[Any], name: str, path: Path) -> Any:
    if values.dtype.kind not in "iu":
        raise CorruptDataError(
            f"the column {name!r} of {str(path)!r} is to be ids of objects, and holds "
            f"{values.dtype}; ids are whole numbers, one in each row",
            key=str(path),
            kind="columns",
        )
    return rows_of_objects(values, len(values))


def write_tables(
    source: VectorSource,
    put: Callable[[Any], None],
    advance: Callable[[int], None],
    *,
    flat: bool = False,
) -> list[str]:
    """Put the points of a source as tables, one after the other.

    Parameters
    ----------
    source
        The points.
    put
        Called with each table, all of one schema.
    advance
        Called with the number of points after each.
    flat
        Whether rows of several numbers become several columns.

    Returns
    -------
    list of str
        Warnings.
    """
    facts = source.facts
    schema = None
    lost: set[str] = set()
    for part in source.batches():
        columns = dict(_columns_of(part, facts, flat=flat))
        table = arrow("").table({name: _as_arrow(name, c) for name, c in columns.items()})
        if schema is None:
            schema = _with_units(table.schema, facts)
        put(table.cast(schema))
        advance(part.n_vertices)
        lost |= {*part.object_attributes}
    return left_out(lost, "attributes of objects", "a table of points")


def _columns_of(
    part: Geometry, facts: VectorFacts, *, flat: bool
) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    names = [str(axis["name"]) for axis in facts.axes]
    taken = {*names}
    for i, name in enumerate(names):
        yield name, part.positions[:, i]
    if part.object_rows is not None and part.object_ids is not None:
        taken.add(OBJECT_ID)
        yield OBJECT_ID, part.object_ids[part.object_rows]
    for name, column in part.vertex_attributes.items():
        if name in taken:
            raise UnsupportedError(
                f"there is an attribute {name!r} and a coordinate or id of that name, and columns "
                "of a table have names of their own; rename the attribute",
                kind="columns",
            )
        if flat and column.ndim > 1:
            rows = as_rows(column)
            yield from ((f"{name}_{i}", rows[:, i]) for i in range(rows.shape[1]))
        else:
            yield name, column


def _as_arrow(name: str, column: npt.NDArray[Any]) -> Any:
    pa = arrow("")
    if column.dtype.kind == "c":
        raise UnsupportedError(
            f"the attribute {name!r} is {column.dtype}, which tables cannot hold; store real and "
            "imaginary part as two attributes",
            kind="attribute_dtype",
        )
    if column.ndim == 1:
        text = column.dtype.kind in "UTO"
        return pa.array(column.tolist(), pa.string()) if text else pa.array(column)
    rows = as_rows(column)
    flat = pa.array(np.ascontiguousarray(rows).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, rows.shape[1])


def _with_units(schema: Any, facts: VectorFacts) -> Any:
    """Return a schema that says the units of the coordinates."""
    for i, axis in enumerate(facts.axes):
        if axis.get("unit"):
            schema = schema.set(i, schema.field(i).with_metadata({"unit": str(axis["unit"])}))
    return schema

"""CSV and TSV: points, a row each, under a line of names."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from anyzarr.vectors._geometry import Geometry
from anyzarr.vectors.formats._format import FormatOptions, VectorFacts, VectorFormat, VectorSource
from anyzarr.vectors.formats._parts import FileSource, corrupt, space_axes
from anyzarr.vectors.formats._tables import (
    Roles,
    arrow,
    columns_of,
    geometry_of,
    roles_of,
    write_tables,
)

__all__ = ["CSV", "TSV", "open_csv", "write_csv"]

_BLOCK_BYTES: Final = 16 << 20
_TYPES: Final = ("int64", "uint64", "float64", "bool", "string")
"""What a column may be, the first that holds all its values."""

_HEAD_LENGTH: Final = 1 << 20

_OF_IMAGES: Final = {"", "file", "path", "filename", "row", "column", "well", "field", "fov"}
"""Columns of tables that say where files of images belong (``anyzarr.readers``)."""

_MISSING: Final = ["", "NA", "N/A", "NaN", "nan", "NULL", "null"]


def open_csv(path: Path, options: FormatOptions) -> VectorSource:
    """Open a table of text; the type of a column is one that holds all of its values.

    Missing values are NaN in columns of numbers, and None in columns of text.

    Raises
    ------
    CorruptDataError
        It is no such table, or rows have other numbers of columns than the first.
    MetadataError
        Columns of coordinates are missing.
    """
    names = _names(path)
    roles = roles_of(names, options.columns, path)
    types = _types(path, names)

    def read() -> Iterator[Geometry]:
        n = 0
        for batch in _batches(path, types):
            n += 1
            yield geometry_of(columns_of(batch), roles, path)
        if not n:
            yield _empty(types, roles)

    facts = VectorFacts("point_cloud", np.dtype(np.float64), space_axes(None, roles.axes), 0, None)
    return FileSource(path, facts, read, options)


def _empty(types: Mapping[str, str], roles: Roles) -> Geometry:
    columns: dict[str, npt.NDArray[Any]] = {
        name: np.empty(0, "U1" if kind == "string" else kind)
        for name, kind in types.items()
        if name not in roles.taken
    }
    return Geometry(np.empty((0, len(roles.axes))), vertex_attributes=columns)


def _types(path: Path, names: Sequence[str]) -> dict[str, str]:
    """Return the type of each column, found by reading the whole file as text."""
    possible = {name: list(_TYPES) for name in names}
    with_nulls: set[str] = set()
    for batch in _batches(path, dict.fromkeys(names, "string")):
        for name, column in zip(names, batch.columns, strict=True):
            if column.null_count:
                with_nulls.add(name)
            while not _is_castable(column, possible[name][0]):
                del possible[name][0]
    types = {name: left[0] for name, left in possible.items()}
    for name in with_nulls:
        types[name] = "string" if types[name] in {"bool", "string"} else "float64"
    return types


def _is_castable(column: Any, kind: str) -> bool:
    try:
        column.cast(arrow("").type_for_alias(kind))
    except arrow("").ArrowInvalid:
        return False
    return True


def _names(path: Path) -> list[str]:
    with _opened(path, {}) as reader:
        return list(reader.schema.names)


def _batches(path: Path, types: Mapping[str, str]) -> Iterator[Any]:
    """Yield blocks of rows, their columns of the types given."""
    with _opened(path, types) as reader:
        yield from reader


@contextmanager
def _opened(path: Path, types: Mapping[str, str]) -> Iterator[Any]:
    pa, csv = arrow(""), arrow("csv")
    delimiter = "\t" if path.name.lower().endswith(".tsv") else ","
    convert = csv.ConvertOptions(
        column_types={name: pa.type_for_alias(kind) for name, kind in types.items()},
        null_values=_MISSING,
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    try:
        with csv.open_csv(
            str(path),
            read_options=csv.ReadOptions(block_size=_BLOCK_BYTES),
            parse_options=csv.ParseOptions(delimiter=delimiter),
            convert_options=convert,
        ) as reader:
            yield reader
    except pa.ArrowInvalid as error:
        raise corrupt(path, f"it is no table of text, or is cut off ({error})") from error


def write_csv(
    source: VectorSource,
    path: Path,
    options: FormatOptions,
    advance: Callable[[int], None],
    *,
    delimiter: str,
) -> Sequence[str]:
    """Write points as a table of text; rows of several numbers become columns ``NAME_0`` on."""
    csv = arrow("csv")
    how = csv.WriteOptions(delimiter=delimiter)
    writers: list[Any] = []

    def put(table: Any) -> None:
        if not writers:
            writers.append(csv.CSVWriter(file, table.schema, write_options=how))
        writers[0].write_table(table)

    with path.open("wb") as file:
        warnings = write_tables(source, put, advance, flat=True)
        for writer in writers:
            writer.close()
    return warnings


def _holds_points(path: Path) -> bool:
    """Return whether a table lists points, and not files of images."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        head = re.split("[,;\t]", file.readline(_HEAD_LENGTH))
    names = {name.strip().strip('"').lower() for name in head}
    return {"x", "y"} <= names or not names & _OF_IMAGES


_WRITTEN: Final = frozenset({"point_cloud"})
CSV = VectorFormat(
    "CSV", (".csv",), open_csv, functools.partial(write_csv, delimiter=","), _WRITTEN,
    ndim=None, claims_file=_holds_points,
)  # fmt: skip
"""The format, for the registry."""

TSV = VectorFormat(
    "TSV", (".tsv",), open_csv, functools.partial(write_csv, delimiter="\t"), _WRITTEN,
    ndim=None, claims_file=_holds_points,
)  # fmt: skip
"""The format, for the registry."""

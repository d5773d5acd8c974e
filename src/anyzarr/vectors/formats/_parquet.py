"""Parquet: points, a row each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from anyzarr.vectors._geometry import Geometry
from anyzarr.vectors.formats._format import FormatOptions, VectorFacts, VectorFormat, VectorSource
from anyzarr.vectors.formats._parts import FileSource, corrupt, left_out, space_axes
from anyzarr.vectors.formats._tables import (
    arrow,
    columns_of,
    geometry_of,
    has_form,
    roles_of,
    write_tables,
)

__all__ = ["PARQUET", "open_parquet", "write_parquet"]


def open_parquet(path: Path, options: FormatOptions) -> VectorSource:
    """Open a table; it is read by groups of rows.

    Raises
    ------
    CorruptDataError
        The file is cut off, or is no Parquet.
    MetadataError
        Columns of coordinates are missing.
    """
    schema = _opened(path).schema_arrow
    roles = roles_of(schema.names, options.columns, path)
    lost = [name for name in schema.names if not has_form(schema.field(name).type)]
    wanted = [name for name in schema.names if name not in lost]

    def read() -> Iterator[Geometry]:
        n = 0
        for batch in _batches(path, options.batch_vertices, wanted):
            n += 1
            yield geometry_of(columns_of(batch), roles, path)
        if not n:
            fields = [schema.field(name) for name in wanted]
            none = [arrow("").array([], field.type) for field in fields]
            batch = arrow("").RecordBatch.from_arrays(none, wanted)
            yield geometry_of(columns_of(batch), roles, path)

    first = schema.field(roles.coordinates[0])
    unit = (first.metadata or {}).get(b"unit", b"").decode() or None
    facts = VectorFacts(
        "point_cloud",
        np.result_type(*(_dtype(schema.field(name).type) for name in roles.coordinates)),
        space_axes(unit, roles.axes),
        0,
        None,
        warnings=tuple(left_out(lost, "columns", "an attribute")),
    )
    return FileSource(path, facts, read, options)


def _dtype(kind: Any) -> Any:
    types = arrow("types")
    return np.dtype(kind.to_pandas_dtype()) if types.is_floating(kind) else np.dtype(np.float64)


def _opened(path: Path) -> Any:
    pa = arrow("")
    try:
        return arrow("parquet").ParquetFile(str(path))
    except pa.ArrowInvalid as error:
        raise corrupt(path, f"it is no Parquet, or is cut off ({error})") from error


def _batches(path: Path, n_rows: int, names: Sequence[str]) -> Iterator[Any]:
    pa = arrow("")
    with _opened(path) as file:
        try:
            yield from file.iter_batches(batch_size=n_rows, columns=list(names))
        except (pa.ArrowInvalid, OSError) as error:
            raise corrupt(path, f"a page of it cannot be decoded ({error})") from error


def write_parquet(
    source: VectorSource, path: Path, options: FormatOptions, advance: Callable[[int], None]
) -> Sequence[str]:
    """Write points as a table; rows of several numbers are lists of a fixed length."""
    parquet = arrow("parquet")
    writers: list[Any] = []

    def put(table: Any) -> None:
        if not writers:
            writers.append(parquet.ParquetWriter(file, table.schema, compression="zstd"))
        writers[0].write_table(table)

    with path.open("wb") as file:
        warnings = write_tables(source, put, advance)
        for writer in writers:
            writer.close()
    return warnings


PARQUET = VectorFormat(
    "Parquet",
    (".parquet", ".pq"),
    open_parquet,
    write_parquet,
    frozenset({"point_cloud"}),
    ndim=None,
)
"""The format, for the registry."""

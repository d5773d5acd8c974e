"""Tables of files: which well, field, channel and time point each is."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

from anyzarr._os_errors import because
from anyzarr.errors import MetadataError, NodeNotFoundError, StoreError
from anyzarr.readers._member import Member, spot_of
from anyzarr.readers._pattern import Value, value_of

__all__ = ["TABLE_SUFFIXES", "members_of_table"]

TABLE_SUFFIXES = (".csv", ".tsv")
_COLUMNS = {
    "file": "file", "path": "file", "filename": "file", "series": "series", "image": "series",
    "row": "row", "column": "column", "col": "column", "well": "well", "field": "field",
    "site": "field", "fov": "field", "position": "position", "channel": "c", "c": "c", "time": "t",
    "t": "t", "z": "z",
}  # fmt: skip
_MOST_MISSING = 5


def members_of_table(table: Path, source: Path) -> list[Member]:
    """Return the rows of a table as members of a set.

    Parameters
    ----------
    table
        Text with a line of names first: ``file`` and any of ``row``, ``column``, ``well``,
        ``field``, ``position``, ``channel``, ``time``, ``z`` and ``series`` (the number of the
        image in a file that holds several). Commas, semicolons or tabs part them.
    source
        The folder that the files are in, or the one file of all rows.

    Raises
    ------
    MetadataError
        A column is unknown, or a value is not what its column says; with the line.
    NodeNotFoundError
        Files are missing.
    """
    members = [_member(table, line, row, source) for line, row in _rows(table)]
    if not members:
        raise MetadataError(f"{str(table)!r} has no line but the names of its columns")
    missing = list(dict.fromkeys(m.path for m in members if not m.path.exists()))
    if missing:
        names = ", ".join(str(path) for path in missing[:_MOST_MISSING])
        more = f" and {len(missing) - _MOST_MISSING} more" if len(missing) > _MOST_MISSING else ""
        raise NodeNotFoundError(
            f"{str(table)!r} names files that are not there: {names}{more}; paths are those from "
            f"{str(source)!r}", key=str(missing[0])
        )  # fmt: skip
    return members


def _rows(table: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the number of each line, and its values by the name of the column."""
    try:
        text = table.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise MetadataError(f"{str(table)!r} is no text in UTF-8: {error}") from None
    except FileNotFoundError:
        raise NodeNotFoundError(
            f"there is no table at {str(table)!r}: check the path", key=str(table)
        ) from None
    except OSError as error:
        raise StoreError(
            f"cannot read the table {str(table)!r}: {because(error)}", key=str(table)
        ) from error
    lines = text.splitlines()
    head = lines[0] if lines else ""
    delimiter = max(",;\t", key=head.count)
    rows = csv.reader(lines, delimiter=delimiter)
    names = [name.strip().lower() for name in next(rows, [])]
    unknown = [name for name in names if name not in _COLUMNS]
    if unknown or not names:
        raise MetadataError(
            f"column {unknown[0] if unknown else ''!r} of {str(table)!r} is none of those known: "
            f"{', '.join(_COLUMNS)}"
        )
    known = [_COLUMNS[name] for name in names]
    if len(set(known)) != len(known):
        raise MetadataError(f"two columns of {str(table)!r} say the same: {', '.join(names)}")
    for row in rows:
        if any(cell.strip() for cell in row):
            if len(row) > len(known):
                raise _wrong(table, rows.line_num, f"it has {len(row)} values for {len(known)} "
                             "columns")  # fmt: skip
            cells = (cell.strip() for cell in row)
            yield rows.line_num, {n: v for n, v in zip(known, cells, strict=False) if v}


def _wrong(table: Path, line: int, detail: str) -> MetadataError:
    return MetadataError(f"line {line} of {str(table)!r}: {detail}")


def _member(table: Path, line: int, row: Mapping[str, str], source: Path) -> Member:
    path = source
    if "file" in row:
        path = (source.parent if source.is_file() else source) / row["file"]
    elif source.is_dir():
        raise _wrong(table, line, "it names no file; give the column 'file'")
    series = _number(table, line, row, "series") if "series" in row else None
    place: dict[str, Value] = {}
    for name in "tz":
        if name in row:
            place[name] = _number(table, line, row, name)
    if "c" in row:
        place["c"] = row["c"]
    values = {name: value_of(row[name]) for name in ("row", "column", "field") if name in row}
    if "well" in row:
        letters = row["well"].rstrip("0123456789")
        digits = row["well"][len(letters) :]
        if not (letters.isalpha() and digits) or {"row", "column"} & set(row):
            raise _wrong(table, line, f"well {row['well']!r} must be letters and a number such as "
                         "'B03', without a row and a column beside it")  # fmt: skip
        values |= {"row": letters, "column": int(digits)}
    try:
        spot = spot_of(values.get("row"), values.get("column"), values.get("field"))
    except MetadataError as error:
        raise _wrong(table, line, str(error)) from None
    position = row.get("position") or (row.get("field") if spot is None else None)
    return Member(path, series, place, spot, None if spot is not None else position)


def _number(table: Path, line: int, row: Mapping[str, str], name: str) -> int:
    value = value_of(row[name])
    if not isinstance(value, int):
        raise _wrong(table, line, f"{name} {value!r} must be a whole number of at least 0")
    return value

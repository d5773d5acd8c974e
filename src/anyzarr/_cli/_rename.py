"""``anyzarr rename-wells PLATE --csv FILE``."""

from __future__ import annotations

import csv as csv_files
from pathlib import Path

from anyzarr._cli._console import print_json, stdout
from anyzarr._cli._format import count
from anyzarr._cli._options import JsonFlag, OpenOptions, UsageError
from anyzarr.errors import MetadataError, StoreError

__all__ = ["rename_wells"]

_EXAMPLE = "two columns, old and new, as in: A/1,B/2"


def rename_wells(
    plate: str,
    /,
    *,
    csv: str,
    dry_run: bool = False,
    json: JsonFlag = False,
    opening: OpenOptions = OpenOptions(),  # noqa: B008 - immutable
) -> None:
    """Give wells of a plate other names, as a table says; swaps are possible.

    Everything is checked before anything is changed.

    Parameters
    ----------
    plate
        Path or URL of the plate.
    csv
        Table with the columns old and new (A/1,B/2), with or without a header.
    dry_run
        Check, and print what would be done.
    json
        Print JSON.
    """
    from anyzarr.ome import open_ome_zarr

    names = _read(csv)
    with open_ome_zarr(plate, layout="hcs", mode="r+", **opening.keywords()) as node:
        moves = node.rename_wells(names, dry_run=dry_run)
    if json:
        print_json({"moves": [list(move) for move in moves], "dry_run": dry_run})
        return
    console = stdout()
    for old, new in moves:
        console.print(f"{old} → {new}", markup=False)
    n = sum(old != new for old, new in names)
    done = "would be renamed" if dry_run else "renamed"
    console.print(f"{count(n, 'well')} {done}", markup=False)


def _read(file: str) -> list[tuple[str, str]]:
    """Return old and new names from a table."""
    try:
        text = Path(file).read_text("utf-8-sig")
    except OSError as error:
        raise StoreError(f"{file!r} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise MetadataError(f"{file!r} is no text in UTF-8: byte {error.start}") from error
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    rows = [
        (number, [cell.strip() for cell in row])
        for number, row in enumerate(csv_files.reader(text.splitlines(), delimiter=delimiter), 1)
        if any(cell.strip() for cell in row)
    ]
    if not rows:
        raise UsageError(f"{file!r} is empty; give it {_EXAMPLE}")
    header = [cell.casefold() for cell in rows[0][1]]
    old, new, width = 0, 1, 2
    if {"old", "new"} <= set(header):
        old, new, width = header.index("old"), header.index("new"), len(header)
        del rows[0]
    for number, row in rows:
        if len(row) != width or not row[old] or not row[new]:
            raise UsageError(f"line {number} of {file!r} is {row!r}; it needs {_EXAMPLE}")
    return [(row[old], row[new]) for _, row in rows]

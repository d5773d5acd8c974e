"""A plate drawn with characters: which wells are filled."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.text import Text

    from anyzarr._info import PlateInfo

__all__ = ["plate_map"]

_FILLED, _EMPTY, _BROKEN = "●", "·", "✗"
_ROWS_SHOWN = 64


def plate_map(facts: PlateInfo, width: int) -> Text:
    """Return rows and columns of a plate with a mark per well.

    Filled wells are ``●``, or the number of their fields of view where every position was
    looked at, ``✗`` where one could not be read. Columns are drawn as wide as their names, or
    one character each where that does not fit ``width``; columns and rows that do not fit are
    counted.
    """
    from rich.text import Text

    marks = _marks(facts)
    widest = max(len(name) for name in (*facts.columns, *marks.values(), ""))
    margin = max(len(row) for row in facts.rows[:_ROWS_SHOWN]) + 1
    narrow = margin + len(facts.columns) * (widest + 1) > width
    cell = max(map(len, marks.values())) + 1 if narrow else widest + 1
    if narrow and margin + len(facts.columns) * cell > width and cell == 2:
        cell = 1
    columns = facts.columns[: max(1, (width - margin) // cell)]
    text = Text(no_wrap=True, overflow="crop")
    for line in _header(columns, cell, upright=narrow):
        text.append(" " * margin + line.rstrip() + "\n", style="dim")
    for row in facts.rows[:_ROWS_SHOWN]:
        text.append(row.rjust(margin - 1) + " ", style="dim")
        found = (marks.get(f"{row}/{column}", _EMPTY) for column in columns)
        for style, run in itertools.groupby(found, _style):
            text.append("".join(mark.rjust(cell) for mark in run), style=style)
        text.append("\n")
    text.append(_hidden(facts, len(columns)), style="dim")
    text.rstrip()
    return text


def _marks(facts: PlateInfo) -> Mapping[str, str]:
    if facts.positions is None:
        return {well.path: _FILLED for well in facts.wells}
    broken = {"/".join(p.path.split("/")[:2]) for p in facts.positions if p.error is not None}
    return {
        well.path: _BROKEN if well.path in broken else str(well.n_fields) for well in facts.wells
    }


def _style(mark: str) -> str:
    return {_EMPTY: "dim", _BROKEN: "bold red"}.get(mark, "green")


def _header(columns: Sequence[str], cell: int, *, upright: bool) -> list[str]:
    """Return the lines that name the columns; ``upright`` writes each name downwards."""
    if not upright:
        return ["".join(name.rjust(cell) for name in columns)]
    height = max(map(len, columns))
    padded = [name.rjust(height) for name in columns]
    return ["".join(name[line].rjust(cell) for name in padded) for line in range(height)]


def _hidden(facts: PlateInfo, n_columns: int) -> str:
    parts = [
        f"{n:,} more {what}{'s' if n > 1 else ''}"
        for n, what in (
            (len(facts.columns) - n_columns, "column"),
            (len(facts.rows) - _ROWS_SHOWN, "row"),
        )
        if n > 0
    ]
    return f"… {', '.join(parts)}" if parts else ""

"""Planning how wells get other names: who waits for whom, and who has to step aside."""

from __future__ import annotations

from collections.abc import Container, Sequence

from anyzarr.errors import MetadataError, NodeExistsError, NodeNotFoundError
from anyzarr.ome._plate_layout import Spot
from anyzarr.ome._plate_model import PlateMetadata

__all__ = ["plan_renames", "well_spot"]

Moves = Sequence[tuple[str, str]]


def well_spot(path: str) -> Spot:
    """Return the place that a path of a well names.

    Raises
    ------
    MetadataError
        It is not row and column, of letters and digits.
    """
    row, slash, column = path.partition("/")
    if not slash or "/" in column:
        raise MetadataError(f"{path!r} is no path of a well: give row and column, as in 'A/1'")
    return Spot(row, column)


def plan_renames(plate: PlateMetadata, moves: Moves) -> list[Moves]:
    """Return the rounds in which wells are to be moved; in none does a target hold a well.

    One round, or two where a new name is the old one of another well (as when two wells are
    swapped): such a well steps aside in the first, to a name that says where it goes
    (``A/1toB2``).

    Parameters
    ----------
    plate
        The plate.
    moves
        Old and new path of each well; a well that keeps its name is left out.

    Raises
    ------
    NodeNotFoundError
        The plate has no such well.
    NodeExistsError
        A new name is that of a well that keeps it, or is given twice.
    MetadataError
        A well is given twice, or a new name is not possible.

    Examples
    --------
    >>> from anyzarr.ome import PlateMetadata, PlateWell
    >>> from anyzarr.ome._plate_renames import plan_renames
    >>> plate = PlateMetadata("0.5", wells=(PlateWell("A/1"), PlateWell("B/2")))
    >>> plan_renames(plate, [("A/1", "C/1")])
    [[('A/1', 'C/1')]]
    >>> for moves in plan_renames(plate, [("A/1", "B/2"), ("B/2", "A/1")]):
    ...     print(moves)
    [('A/1', 'A/1toB2'), ('B/2', 'B/2toA1')]
    [('A/1toB2', 'B/2'), ('B/2toA1', 'A/1')]
    """
    wells = {well.path for well in plate.wells}
    _check(wells, moves)
    changed = [(old, new) for old, new in moves if old != new]
    if not changed:
        return []
    free = [(old, new) for old, new in changed if new not in wells]
    blocked = [(old, new) for old, new in changed if new in wells]
    if not blocked:
        return [free]
    columns = {name.casefold() for name in plate.column_names}
    aside = {old: _aside(old, new, columns) for old, new in blocked}
    return [[*free, *aside.items()], [(aside[old], new) for old, new in blocked]]


def _check(wells: Container[str], moves: Moves) -> None:
    sources: set[str] = set()
    for old, new in moves:
        if old not in wells:
            raise NodeNotFoundError(f"the plate has no well {old!r} to be renamed", path=old)
        if old in sources:
            raise MetadataError(f"well {old!r} is to be renamed twice; give it one new name")
        sources.add(old)
        well_spot(new)
    targets: dict[str, str] = {}
    for old, new in moves:
        if new in targets:
            raise NodeExistsError(
                f"wells {targets[new]!r} and {old!r} are both to be renamed to {new!r}; give them "
                "different names",
                path=new,
            )
        if new in wells and new not in sources:
            raise NodeExistsError(
                f"{old!r} cannot be renamed to {new!r}: the plate has a well of that name; rename "
                "that one too",
                path=new,
            )
        targets[new] = old


def _aside(old: str, new: str, columns: Container[str]) -> str:
    row, _, column = old.partition("/")
    name = f"{column}to{new.replace('/', '')}"
    while name.casefold() in columns:
        name += "x"
    return f"{row}/{name}"

"""Laying out a plate: rows, columns and wells get their names and places."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

from anyzarr.errors import MetadataError, NodeExistsError, NodeNotFoundError
from anyzarr.ome._plate_model import Acquisition, PlateAxis, PlateMetadata, PlateWell

__all__ = ["Arrival", "PlateLayout", "Spot", "check_name", "column_name", "row_name"]

_NAME = re.compile(r"[A-Za-z0-9]+")
_MOST_LINES = 10_000

T = TypeVar("T")


def check_name(name: str, what: str) -> str:
    """Return a name of a row, column or field of view if it is legal.

    Raises
    ------
    MetadataError
        It is not made of letters and digits alone (OME-Zarr 0.4 and 0.5).
    """
    if not _NAME.fullmatch(name):
        raise MetadataError(
            f"{name!r} is no name for {what}: names on a plate are strings of the letters A to Z "
            "and a to z and digits, such as 'B' or '03'"
        )
    return name


def row_name(index: int) -> str:
    """Return the usual name of a row.

    >>> from anyzarr.ome._plate_layout import row_name
    >>> row_name(0), row_name(25), row_name(26), row_name(47)
    ('A', 'Z', 'AA', 'AV')
    """
    letters = ""
    number = index + 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def column_name(index: int) -> str:
    """Return the usual name of a column: counted from 1."""
    return str(index + 1)


@dataclass(frozen=True, slots=True)
class Spot:
    """Where one field of view is to be created.

    Attributes
    ----------
    row, column
        Names.
    field
        Name of the field of view; None: the well alone.
    row_index, column_index
        Places in the plate's lists; None: where the name is, else the next free one.
    acquisition
        Number of the acquisition it is of.
    """

    row: str
    column: str
    field: str | None = None
    row_index: int | None = None
    column_index: int | None = None
    acquisition: int = 0

    def __post_init__(self) -> None:
        check_name(str(self.row), "a row")
        check_name(str(self.column), "a column")
        if self.field is not None:
            check_name(str(self.field), "a field of view")
        for index in (self.row_index, self.column_index, self.acquisition):
            if type(index) not in (int, type(None)):
                raise MetadataError(f"an index of {self.path!r} must be a whole number: {index!r}")
        if self.acquisition < 0:
            raise MetadataError(f"acquisition {self.acquisition} must not be negative")

    @property
    def well(self) -> str:
        """Path of the well."""
        return f"{self.row}/{self.column}"

    @property
    def path(self) -> str:
        """Path of the field of view."""
        return self.well if self.field is None else f"{self.well}/{self.field}"


class _Lines:
    """The rows or the columns, with quick ways from name to place."""

    def __init__(self, axes: Iterable[PlateAxis], what: str, usual: Callable[[int], str]) -> None:
        self.axes = list(axes)
        self.what, self._usual = what, usual
        self.used: Counter[str] = Counter()
        self._places = {axis.name: i for i, axis in enumerate(self.axes)}
        self._folded = {axis.name.casefold(): axis.name for axis in self.axes}

    def place(self, name: str, index: int | None) -> int:
        known = self._places.get(name)
        if known is not None:
            if index not in (None, known):
                raise MetadataError(
                    f"{self.what} {name!r} is number {known} of the plate, not {index}; leave the "
                    "index out, or give that one"
                )
            return known
        return self._add(check_name(name, f"a {self.what}"), index)

    def _add(self, name: str, index: int | None) -> int:
        if index is None:
            index = len(self.axes)
        if not 0 <= index < _MOST_LINES:
            raise MetadataError(f"{self.what} index {index} must be in [0, {_MOST_LINES})")
        taken = self.axes[index].name if index < len(self.axes) else None
        if taken is not None and self.used[taken]:
            raise MetadataError(
                f"{self.what} {name!r} cannot be number {index} of the plate: that is {taken!r}, "
                "which holds wells; give another index, or none"
            )
        other = self._folded.get(name.casefold())
        if other is not None and other != taken:
            raise MetadataError(
                f"{self.what} {name!r} differs from {other!r} in upper and lower case alone, and "
                "some file systems do not tell them apart; choose another name"
            )
        if taken is not None:
            self._forget(index)
        while len(self.axes) < index:
            self._put(len(self.axes), self._free_name(len(self.axes), avoid=name))
        self._put(index, name)
        return index

    def _put(self, index: int, name: str) -> None:
        if index == len(self.axes):
            self.axes.append(PlateAxis(name))
        else:
            self.axes[index] = replace(self.axes[index], name=name)
        self._places[name] = index
        self._folded[name.casefold()] = name

    def _forget(self, index: int) -> None:
        old = self.axes[index].name
        del self._places[old]
        self._folded.pop(old.casefold(), None)

    def _free_name(self, index: int, avoid: str) -> str:
        name = self._usual(index)
        while name.casefold() in self._folded or name.casefold() == avoid.casefold():
            name = f"{self.what}{name}"
        return name

    def drop(self, name: str, newcomer: str) -> bool:
        """Remove one that is empty; return whether it was.

        It stays where one that holds wells would get another number, the newcomer excepted.
        """
        index = self._places[name]
        moved = {axis.name for axis in self.axes[index + 1 :] if self.used[axis.name]}
        if self.used[name] or moved - {newcomer} or (moved and self.used[newcomer] > 1):
            return False
        self._forget(index)
        del self.axes[index]
        self._places = {axis.name: i for i, axis in enumerate(self.axes)}
        return True


class PlateLayout:
    """The metadata of a plate while wells are added to it; each in constant time.

    Parameters
    ----------
    metadata
        What it starts from.

    Examples
    --------
    >>> from anyzarr.ome import PlateMetadata
    >>> from anyzarr.ome._plate_layout import PlateLayout, Spot
    >>> layout = PlateLayout(PlateMetadata("0.5"))
    >>> layout.add(Spot("B", "3", row_index=1)), layout.add(Spot("B", "3"))
    (True, False)
    >>> layout.metadata.row_names, layout.metadata.wells[0].row_index
    (['A', 'B'], 1)
    """

    def __init__(self, metadata: PlateMetadata) -> None:
        self._base = metadata
        self._rows = _Lines(metadata.rows, "row", row_name)
        self._columns = _Lines(metadata.columns, "column", column_name)
        self.wells: dict[str, PlateWell] = {}
        for well in metadata.wells:
            self._enter(well)
        self._acquisitions = {a.id: a for a in metadata.acquisitions}
        self._field_count = metadata.field_count

    def _enter(self, well: PlateWell) -> None:
        self.wells[well.path] = well
        self._rows.used[well.row] += 1
        self._columns.used[well.column] += 1

    def add(self, spot: Spot) -> bool:
        """Name the well of a spot, and its acquisition; return whether the well is new.

        Raises
        ------
        MetadataError
            A name or an index is not possible.
        """
        known = self.wells.get(spot.well)
        if spot.field is not None:
            self.name_acquisition(Acquisition(spot.acquisition))
        row = self._rows.place(spot.row, spot.row_index)
        column = self._columns.place(spot.column, spot.column_index)
        if known is not None:
            return False
        self._enter(PlateWell(spot.well, row, column))
        return True

    def count_fields(self, n: int) -> None:
        """Note that a well has so many fields of view."""
        if n > (self._field_count or 0):
            self._field_count = n

    def name_acquisition(self, acquisition: Acquisition) -> None:
        """Name an acquisition unless there is one of its number."""
        self._acquisitions.setdefault(acquisition.id, acquisition)

    def add_acquisition(self, acquisition: Acquisition) -> Acquisition:
        """Name an acquisition, under another number where its own is taken; return it."""
        taken = self._acquisitions.get(acquisition.id)
        if taken is not None and taken != acquisition:
            same = (a.id for a in self._acquisitions.values() if replace(acquisition, id=a.id) == a)
            number = next(same, max(self._acquisitions) + 1)
            acquisition = replace(acquisition, id=number)
        self._acquisitions[acquisition.id] = acquisition
        return acquisition

    def rename(self, old: str, new: Spot, *, keep_lines: bool = False) -> None:
        """Give a well another name, and drop the row and column it leaves empty at the end.

        Parameters
        ----------
        old, new
            Its path, and where it goes.
        keep_lines
            Leave empty rows and columns for :meth:`drop_lines`.

        Raises
        ------
        NodeNotFoundError
            There is no such well.
        NodeExistsError
            There is a well of the new name.
        """
        if old not in self.wells:
            raise NodeNotFoundError(f"the plate has no well {old!r}", path=old)
        if new.well in self.wells:
            raise NodeExistsError(
                f"the plate has a well {new.well!r} already; rename that one first", path=new.well
            )
        before = self.wells[old]
        self._rows.used[before.row] -= 1
        self._columns.used[before.column] -= 1
        renamed = replace(
            before,
            path=new.well,
            row_index=self._rows.place(new.row, new.row_index),
            column_index=self._columns.place(new.column, new.column_index),
        )
        self._rows.used[renamed.row] += 1
        self._columns.used[renamed.column] += 1
        self.wells = {
            renamed.path if path == old else path: renamed if path == old else well
            for path, well in self.wells.items()
        }
        if keep_lines:
            return
        dropped_row = self._rows.drop(before.row, renamed.row)
        dropped_column = self._columns.drop(before.column, renamed.column)
        if dropped_row or dropped_column:
            self.wells = {path: self._placed(well) for path, well in self.wells.items()}

    def drop_lines(self, rows: Iterable[str], columns: Iterable[str]) -> None:
        """Drop those rows and columns that are empty, from the end, as far as no well moves."""
        for lines, names in ((self._rows, rows), (self._columns, columns)):
            for name in sorted(set(names), key=lambda name: lines.place(name, None), reverse=True):
                lines.drop(name, "")

    def _placed(self, well: PlateWell) -> PlateWell:
        row, column = self._rows.place(well.row, None), self._columns.place(well.column, None)
        return replace(well, row_index=row, column_index=column)

    @property
    def metadata(self) -> PlateMetadata:
        """The plate as it is now."""
        return replace(
            self._base,
            rows=tuple(self._rows.axes),
            columns=tuple(self._columns.axes),
            wells=tuple(self.wells.values()),
            acquisitions=tuple(self._acquisitions.values()),
            field_count=self._field_count,
        )


@dataclass(frozen=True, slots=True)
class Arrival:
    """A field of view, or a well, that is written and that the plate is yet to name.

    Attributes
    ----------
    spot
        Where it is.
    n_fields
        How many its well has now.
    acquisition
        The one it is of, where more is known of it than its number.
    """

    spot: Spot
    n_fields: int
    acquisition: Acquisition | None = None

    def enter(self, layout: PlateLayout) -> None:
        """Name it."""
        if self.acquisition is not None:
            layout.name_acquisition(self.acquisition)
        layout.add(self.spot)
        layout.count_fields(self.n_fields)

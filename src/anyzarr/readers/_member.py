"""Files of a set: which image each belongs to, and which part of it each is."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from anyzarr.errors import MetadataError, NodeNotFoundError
from anyzarr.ome import Spot, row_name
from anyzarr.readers._pattern import Found, Pattern, Value, value_of

__all__ = ["Group", "Member", "grouped", "members_of", "spot_of", "values_in_order"]

_PLANE_AXES = "tcz"
_MOST_NAMES = 5


@dataclass(frozen=True, slots=True)
class Member:
    """An image of a file, as part of an image of the set.

    Attributes
    ----------
    path, series
        The file, and the number of its image; None: it must hold one.
    place
        Its value along each of the axes ``t``, ``c`` and ``z`` that tell members apart.
    spot
        The field of view it shows, or None.
    position
        What else tells the images of the set apart, or None.
    """

    path: Path
    series: int | None = None
    place: Mapping[str, Value] = field(default_factory=dict)
    spot: Spot | None = None
    position: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """The members that make up one image.

    Attributes
    ----------
    values
        What occurs along each of the axes that tell them apart, in their order.
    members
        By their index along these axes; what is not there is zero.
    """

    values: Mapping[str, Sequence[Value]]
    members: Mapping[tuple[int, ...], Member]

    @property
    def is_whole(self) -> bool:
        """Whether all of its parts are there."""
        return len(self.members) == math.prod(map(len, self.values.values()))

    @property
    def first(self) -> Member:
        """The member that stands for all of them."""
        return next(iter(self.members.values()))


def spot_of(row: Value | None, column: Value | None, field_name: Value | None) -> Spot | None:
    """Return a field of view by what names or tables say; numbers count from 1.

    Raises
    ------
    MetadataError
        There is a row without a column, or the other way round, or they are no names.
    """
    if row is None and column is None:
        return None
    if row is None or column is None:
        raise MetadataError(
            f"row={row!r} and column={column!r} are no well: give both of them (or the well)"
        )
    row_index = row - 1 if isinstance(row, int) else _letters(row)
    column_index = column - 1 if isinstance(column, int) else None
    if isinstance(row, int) and row < 1:
        raise MetadataError(f"row {row} of a plate: rows are letters, or numbers from 1")
    name = row_name(row - 1) if isinstance(row, int) else row.upper()
    where = "0" if field_name is None else str(field_name)
    if column_index is not None and column_index < 0:
        column_index = None
    return Spot(name, str(column), where, row_index, column_index)


def _letters(row: str) -> int | None:
    """Return the number of a row of letters, from 0, or None where it is a name of another kind."""
    if not (row.isascii() and row.isalpha() and len(row) <= 2):
        return None
    number = 0
    for letter in row.upper():
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1


def members_of(pattern: Pattern, found: Sequence[Found]) -> list[Member]:
    """Return the files that match a pattern as members of a set.

    Raises
    ------
    NodeNotFoundError
        Files are missing: those of numbers that are left out, along time or z.
    """
    for name in "tz":
        if name in pattern.names:
            _require_no_gap(name, pattern, found)
    members = []
    for one in found:
        values = {name: value_of(text) for name, text in one.values.items()}
        well = one.values.get("well")
        if well is not None:
            letters = well.rstrip("0123456789")
            values |= {"row": letters, "column": int(well[len(letters) :])}
        position = values.get("position")
        spot = spot_of(values.get("row"), values.get("column"), values.get("field", position))
        named = [str(values[n]) for n in ("position", "field") if n in values]
        members.append(
            Member(
                one.path,
                place={name: values[name] for name in _PLANE_AXES if name in values},
                spot=spot,
                position=None if spot is not None or not named else " ".join(named),
            )
        )
    _require_all(pattern, found)
    return members


def _require_no_gap(name: str, pattern: Pattern, found: Sequence[Found]) -> None:
    numbers = {int(one.values[name]) for one in found if one.values[name].isdigit()}
    if len(numbers) < 2:
        return
    low, high = min(numbers), max(numbers)
    step = math.gcd(*(number - low for number in numbers))
    n_missing = (high - low) // step + 1 - len(numbers)
    if not 0 < n_missing < len(numbers):
        return  # where most are missing, they were not counted
    missing = [number for number in range(low, high, step) if number not in numbers]
    like = found[0].values
    names = [pattern.name_of({name: number}, like) for number in missing[:_MOST_NAMES]]
    raise _missing(pattern, names, n_missing)


def _require_all(pattern: Pattern, found: Sequence[Found]) -> None:
    """Refuse a set in which an image has not all its planes."""
    outer = [name for name in _PLANE_AXES if name in pattern.names]
    images: dict[tuple[tuple[str, str], ...], dict[tuple[Value, ...], Found]] = {}
    for one in found:
        key = tuple((k, v) for k, v in one.values.items() if k not in outer)
        images.setdefault(key, {})[tuple(value_of(one.values[name]) for name in outer)] = one
    values = [_all_values(name, found) for name in outer]
    n_missing = math.prod(map(len, values)) * len(images) - sum(map(len, images.values()))
    if n_missing:
        absent = (
            pattern.name_of(dict(zip(outer, place, strict=True)), next(iter(there.values())).values)
            for there in images.values()
            for place in itertools.product(*values)
            if place not in there
        )
        raise _missing(pattern, list(itertools.islice(absent, _MOST_NAMES)), n_missing)


def _all_values(name: str, found: Sequence[Found]) -> list[Value]:
    return values_in_order([value_of(one.values[name]) for one in found])


def _missing(pattern: Pattern, names: Sequence[str], n: int) -> NodeNotFoundError:
    more = f" and {n - len(names)} more" if n > len(names) else ""
    return NodeNotFoundError(
        f"files of the set {str(pattern.path)!r} are missing: {', '.join(names)}{more}; put them "
        "there, or name the files that are to be converted in a table",
        key=str(pattern.path.parent / names[0]),
    )


def values_in_order(values: Sequence[Value]) -> list[Value]:
    """Return values once each: numbers by size, names in the order they come."""
    once = list(dict.fromkeys(values))
    if all(isinstance(value, int) for value in once):
        return sorted(once)
    return once


def grouped(members: Sequence[Member], *, sparse: bool = False) -> list[Group]:
    """Return the members of each image.

    Parameters
    ----------
    members
        Of all images.
    sparse
        Whether parts of an image may be missing.

    Raises
    ------
    MetadataError
        Two files are the same part of an image, or one has parts another lacks.
    """
    images: dict[tuple[str, str], list[Member]] = {}
    for member in members:
        key = (member.spot.path if member.spot else "", member.position or "")
        images.setdefault(key, []).append(member)
    groups = [_group(found, sparse) for found in images.values()]
    if all(group.first.spot is not None for group in groups):
        groups.sort(key=lambda group: _by_well(group.first))
    return groups


def _by_well(member: Member) -> tuple[object, ...]:
    spot = member.spot
    assert spot is not None
    value = value_of(str(spot.field))
    number = value if isinstance(value, int) else 0
    return (len(spot.row), spot.row, len(spot.column), spot.column, number, str(spot.field))


def _group(members: Sequence[Member], sparse: bool) -> Group:
    axes = [name for name in _PLANE_AXES if any(name in member.place for member in members)]
    for member in members:
        lacking = [name for name in axes if name not in member.place]
        if lacking:
            raise MetadataError(
                f"{member.path.name!r} has no {lacking[0]!r}, and {members[0].path.name!r} of the "
                "same image has: give it for all of its files"
            )
    values = {name: values_in_order([m.place[name] for m in members]) for name in axes}
    placed: dict[tuple[int, ...], Member] = {}
    for member in members:
        index = tuple(values[name].index(member.place[name]) for name in axes)
        if index in placed:
            raise MetadataError(
                f"{placed[index].path.name!r} and {member.path.name!r} are the same part of one "
                "image: name what tells them apart by a placeholder or a column, such as position"
            )
        placed[index] = member
    absent = math.prod(map(len, values.values())) - len(placed)
    if absent and not sparse:
        raise MetadataError(
            f"{absent} files of the image of {members[0].path.name!r} are missing: it has "
            + ", ".join(f"{len(found)} along {name}" for name, found in values.items())
            + f", and {len(placed)} files; name them all"
        )
    return Group(values, dict(sorted(placed.items())))

"""Positions that come from another plate, chunks and all, without decoding."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from anyzarr import crud
from anyzarr.crud._copy import copy_objects
from anyzarr.errors import MetadataError, NodeExistsError, UnsupportedError
from anyzarr.ome._documents import ome_of
from anyzarr.ome._new_fields import Make
from anyzarr.ome._plate_layout import PlateLayout, Spot
from anyzarr.ome._position import Position
from anyzarr.ome._well_model import WellMetadata
from anyzarr.stores import join

if TYPE_CHECKING:
    from anyzarr.ome._plate import Plate
    from anyzarr.ome._plate_model import Acquisition

__all__ = ["Renaming", "add_from"]

Renaming = Mapping[str, str] | Callable[[str], str] | None


def add_from(plate: Plate, other: Plate, rename: Renaming, *, replace_leftovers: bool) -> list[str]:
    """Copy the positions of another plate, well by well; return their paths on this one.

    The plate names each well once all its positions are whole.
    """
    if plate.version != other.version:
        raise UnsupportedError(
            f"positions of OME-Zarr {other.version} cannot be copied as they are to a plate of "
            f"{plate.version}; convert them first"
        )
    plate.refresh()
    moves = _moves([path for path, _ in other.positions()], rename)
    _require_absent(plate, list(moves.values()))
    numbers = _numbers(plate, other)
    for well in dict.fromkeys(path.rpartition("/")[0] for path in moves.values()):
        part = {new: old for old, new in moves.items() if new.rpartition("/")[0] == well}
        spots = [_spot(new, numbers, _acquisition(other, old)) for new, old in part.items()]
        plate._create(
            spots,
            _copier(plate, other, part),
            acquisitions={a.id: a for a in numbers.values()},
            replace_leftovers=replace_leftovers,
        )
    return list(moves.values())


def _moves(paths: Sequence[str], rename: Renaming) -> dict[str, str]:
    """Return the new path of each position by its old one."""
    moves = {path: _renamed(path, rename) for path in paths}
    if len(set(moves.values())) < len(moves):
        twice = next(new for new in moves.values() if list(moves.values()).count(new) > 1)
        raise MetadataError(f"two positions would be called {twice!r}; rename one of them")
    return moves


def _renamed(path: str, rename: Renaming) -> str:
    if rename is None:
        return path
    if callable(rename):
        return rename(path)
    well, _, name = path.rpartition("/")
    return rename.get(path) or f"{rename.get(well, well)}/{name}"


def _require_absent(plate: Plate, paths: Sequence[str]) -> None:
    taken = {path.casefold() for path, _ in plate.positions()}
    clashes = [path for path in paths if path.casefold() in taken]
    if clashes:
        more = f" and {len(clashes) - 5} more" if len(clashes) > 5 else ""
        raise NodeExistsError(
            f"the plate {plate.url!r} has positions {', '.join(clashes[:5])}{more} already; give "
            "new names with rename={'A/1': 'B/1'}, or {'A/1/0': 'A/1/7'}",
            path=clashes[0],
        )


def _numbers(plate: Plate, other: Plate) -> dict[int, Acquisition]:
    """Return the acquisitions of the other plate, as numbered on this one, by their numbers."""
    layout = PlateLayout(plate.metadata)
    return {a.id: layout.add_acquisition(a) for a in other.metadata.acquisitions}


def _acquisition(other: Plate, path: str) -> int:
    well, _, name = path.rpartition("/")
    document = crud.read_metadata(other.store, join(other.path, well))
    attributes = document.get("attributes", {})
    if "well" not in ome_of(attributes):
        return 0
    images = WellMetadata.from_attributes(attributes).images
    return next((image.acquisition or 0 for image in images if image.path == name), 0)


def _spot(path: str, numbers: Mapping[int, Acquisition], acquisition: int) -> Spot:
    parts = path.split("/")
    if len(parts) != 3:
        raise MetadataError(f"{path!r} is no path of a position: give it as in 'A/1/0'")
    known = numbers.get(acquisition)
    number = acquisition if known is None else known.id
    return Spot(parts[0], parts[1], parts[2], acquisition=number)


def _copier(plate: Plate, other: Plate, sources: Mapping[str, str]) -> Make:
    def copy(fields: Sequence[tuple[str, Spot]]) -> list[Position]:
        for path, spot in fields:
            copy_objects(other.store, join(other.path, sources[spot.path]), plate.store, path)
        return []

    return copy

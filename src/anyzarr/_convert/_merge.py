"""Several plates as one: positions with their chunks as they are."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anyzarr._convert._copy import copy_contents
from anyzarr._convert._dry_run import ConversionPlan
from anyzarr._convert._dry_run_copy import plan_of_objects
from anyzarr._convert._fingerprint import fingerprint_of_objects, require_unchanged
from anyzarr._convert._journal import Notes
from anyzarr._convert._target import ARCHIVE_SUFFIXES, Location, local_path
from anyzarr._ozx import Contents, arrange, require_root
from anyzarr._progress import Tracker
from anyzarr.abc import ObjectInfo, Store
from anyzarr.errors import NodeExistsError, UnsupportedError
from anyzarr.ome import Plate, open_ome_zarr

__all__ = ["MergeConversion", "are_hierarchies"]

_ROOTS = ("zarr.json", ".zgroup")


def are_hierarchies(values: Sequence[Any]) -> bool:
    """Return whether several sources are all Zarr, and not files of a set."""
    return bool(values) and all(map(_is_hierarchy, values))


def _is_hierarchy(value: Any) -> bool:
    path = local_path(value)
    if path is None:
        return not isinstance(value, str | os.PathLike) or "|" in str(value) or "://" in str(value)
    if path.is_dir():
        return any(Path(path, name).exists() for name in _ROOTS)
    return path.is_file() and path.name.lower().endswith(ARCHIVE_SUFFIXES)


@dataclass(frozen=True, slots=True)
class MergeConversion:
    """Plates that become one.

    Attributes
    ----------
    sources
        Their locations; the first one's names and acquisitions stay as they are.
    tracker
        Told the bytes that are done.
    """

    sources: tuple[Location, ...]
    tracker: Tracker

    def write(self, store: Store, *, notes: Notes) -> int:
        """Write the plate to an empty store; return how many positions it has.

        Raises
        ------
        UnsupportedError
            A source is no plate, or of another version than the first.
        NodeExistsError
            Two have a position of the same name.
        ConflictError
            A source changed meanwhile.
        """
        with self._opened() as (stores, plates, contents):
            self.tracker.start("merging", sum(each.total_bytes for each in contents))
            copy_contents(stores[0], contents[0], store, self.tracker)
            with open_ome_zarr(store, layout="hcs", mode="r+") as merged:
                for plate, each in zip(plates[1:], contents[1:], strict=True):
                    merged.add_from(plate)
                    self.tracker.advance(each.total_bytes)
                n_positions = sum(1 for _ in merged.positions())
        return n_positions

    def plan(self, workers: int | None) -> tuple[int, ConversionPlan]:
        """Return how many positions there would be, and what would be done.

        Parameters
        ----------
        workers
            How many threads would copy, or None.
        """
        with self._opened() as (stores, plates, contents):
            items = [(*each.documents, *each.data) for each in contents]
            plan = plan_of_objects(stores[0], items[0], workers)
            there = {item.key for item in items[0]}
            for store, plate, each in zip(stores[1:], plates[1:], items[1:], strict=True):
                added = _added(plate, each, there)
                there.update(item.key for item in added)
                plan += plan_of_objects(store, added, workers)
            return sum(1 for plate in plates for _ in plate.positions()), plan

    @contextmanager
    def _opened(self) -> Iterator[tuple[list[Store], list[Plate], list[Contents]]]:
        """Yield the plates, once they are known to make one."""
        with ExitStack() as stack:
            stores = [source.open("r") for source in self.sources]
            plates = [
                stack.enter_context(_plate(one, source))
                for one, source in zip(stores, self.sources, strict=True)
            ]
            self._require_apart(plates)
            listed = [list(one.list()) for one in stores]
            contents = [arrange(objects) for objects in listed]
            require_root(stores[0], contents[0])
            yield stores, plates, contents
            for one, objects in zip(stores, listed, strict=True):
                require_unchanged(one, fingerprint_of_objects(objects))

    def _require_apart(self, plates: Sequence[Plate]) -> None:
        """Refuse plates that cannot be one, before anything is written."""
        first: dict[str, Location] = {}
        for plate, source in zip(plates, self.sources, strict=True):
            if plate.version != plates[0].version:
                raise UnsupportedError(
                    f"{str(source)!r} is OME-Zarr {plate.version}, and {str(self.sources[0])!r} is "
                    f"{plates[0].version}: convert one of them to the other's version first"
                )
            for path, _ in plate.positions():
                other = first.setdefault(path.casefold(), source)
                if other is not source:
                    raise NodeExistsError(
                        f"{str(other)!r} and {str(source)!r} both have the position {path!r}: "
                        "rename wells of one (anyzarr rename-wells), or merge in Python by "
                        "Plate.add_from(other, rename={'A/1': 'B/1'})",
                        path=path,
                    )


def _added(plate: Plate, items: Sequence[ObjectInfo], there: Collection[str]) -> list[ObjectInfo]:
    """Return the objects that a plate adds to others: all of its positions, and their groups."""
    positions = {path for path, _ in plate.positions()}
    around = {"/".join(path.split("/")[:n]) for path in positions for n in (1, 2)}

    def is_added(key: str) -> bool:
        return "/".join(key.split("/")[:3]) in positions or key.rpartition("/")[0] in around

    return [item for item in items if item.key not in there and is_added(item.key)]


def _plate(store: Store, source: Location) -> Plate:
    found = open_ome_zarr(store)
    if not isinstance(found, Plate):
        raise UnsupportedError(
            f"{str(source)!r} is no plate, and only plates can be made one; convert the others "
            "one by one"
        )
    return found

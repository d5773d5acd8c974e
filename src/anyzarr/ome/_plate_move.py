"""Wells that get another name."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from anyzarr import crud
from anyzarr._nodes import Group
from anyzarr._os_errors import because
from anyzarr.abc import Store
from anyzarr.crud._batch import create_new_nodes, read_documents
from anyzarr.crud._copy import copy_objects, link_folder
from anyzarr.crud._nodes import node_lock_key
from anyzarr.crud._process_locks import exclusive
from anyzarr.crud._regions import require_writable
from anyzarr.errors import NodeExistsError, StoreError
from anyzarr.metadata import group_document
from anyzarr.ome._plate_layout import PlateLayout
from anyzarr.ome._plate_model import PlateMetadata
from anyzarr.ome._plate_renames import plan_renames, well_spot
from anyzarr.ome._versions import zarr_format_of
from anyzarr.stores import join

__all__ = ["rename_wells"]

Moves = Sequence[tuple[str, str]]


def rename_wells(group: Group, moves: Moves, *, dry_run: bool = False) -> list[Moves]:
    """Give wells of a plate other names; return the rounds in which they were moved.

    In each round the wells get their second names first, then the plate names them by these,
    then the first names go: at each moment the plate names wells that are whole.

    Parameters
    ----------
    group
        The plate.
    moves
        Old and new path of each well.
    dry_run
        Check everything and change nothing.
    """
    store, base = group.store, group.path
    require_writable(store, base)
    with exclusive(store, [node_lock_key(base)]):
        stored = crud.read_metadata(store, base).get("attributes", {})
        plate = PlateMetadata.from_attributes(stored)
        rounds = plan_renames(plate, moves)
        for number in range(len(rounds)):
            stored = _renamed(stored, rounds, number)
        _require_places(store, base, plate, rounds)
        for number in range(0 if dry_run else len(rounds)):
            _carry_out(store, base, rounds, number, plate.version)
    return rounds


def _renamed(stored: dict[str, Any], rounds: Sequence[Moves], number: int) -> dict[str, Any]:
    """Return a plate's attributes after one round."""
    layout = PlateLayout(PlateMetadata.from_attributes(stored))
    single = len(rounds) == len(rounds[0]) == 1
    for old, new in rounds[number]:
        layout.rename(old, well_spot(new), keep_lines=not single)
    if number == len(rounds) - 1 and not single:
        left = [old.split("/") for moves in rounds for old, _ in moves]
        layout.drop_lines((row for row, _ in left), (column for _, column in left))
    return layout.metadata.to_attributes(stored)


def _carry_out(store: Store, base: str, rounds: Sequence[Moves], number: int, version: str) -> None:
    moves = rounds[number]
    with _move(store, base, moves) as second_names:
        for row in dict.fromkeys(well_spot(new).row for _, new in moves):
            _require_row(store, join(base, row), version)
        second_names()
        crud.update_attributes(store, base, lambda stored: _renamed(stored, rounds, number))
    for row in dict.fromkeys(old.partition("/")[0] for old, _ in moves):
        _drop_empty_row(store, join(base, row))


def _require_places(store: Store, base: str, plate: PlateMetadata, rounds: Sequence[Moves]) -> None:
    """Refuse, before anything is changed, to put a well where something else is."""
    wells = {well.path for well in plate.wells}
    origins = {new: old for moves in rounds for old, new in moves}
    for new, old in origins.items():
        root = store.capabilities.local_root
        is_local = root is not None and store.spec.backend == "local"
        twin = is_local and _is_twin(Path(root or "", base, old), Path(root or "", base, new))
        if new not in wells and not twin:
            _require_free(store, join(base, new))


def _require_row(store: Store, path: str, version: str) -> None:
    if read_documents(store, [path])[0] is None:
        with contextlib.suppress(NodeExistsError):
            create_new_nodes([(path, group_document(zarr_format=zarr_format_of(version)))], store)


def _drop_empty_row(store: Store, path: str) -> None:
    level = store.list_level(f"{path}/")
    if not level.prefixes and read_documents(store, [path])[0] is not None:
        crud.delete_node(store, path)


@contextlib.contextmanager
def _move(store: Store, base: str, moves: Moves) -> Iterator[Callable[[], None]]:
    """Yield what gives wells their second names; take the first away at the end."""
    places = [(join(base, old), join(base, new)) for old, new in moves]
    root = store.capabilities.local_root
    if root is not None and store.spec.backend == "local":
        with _scratch(Path(root, base)) as scratch:
            yield lambda: _link_wells(store, Path(root), places, scratch)
            for number, (source, _) in enumerate(places):
                _rename(Path(root, source), scratch / f"old{number}")
        return
    for _, target in places:
        _require_free(store, target)
    yield lambda: _copy_wells(store, places)
    for source, _ in places:
        crud.delete_node(store, source)


def _copy_wells(store: Store, places: Moves) -> None:
    for source, target in places:
        copy_objects(store, source, store, target)


@contextlib.contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """Yield a folder that no listing of ours shows and no reader takes for a group."""
    for left in folder.glob(".anyzarr-*.tmp"):  # by a killed process: the plate's lock is held
        shutil.rmtree(left, ignore_errors=True)
    scratch = folder / f".anyzarr-{secrets.token_hex(8)}.tmp"
    try:
        scratch.mkdir()
    except OSError as error:
        raise StoreError(
            f"cannot move wells in {os.fspath(folder)!r}: {because(error)}", store=str(folder)
        ) from error
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _link_wells(store: Store, root: Path, places: Moves, scratch: Path) -> None:
    for number, (source, target) in enumerate(places):
        place = root / target
        if _is_twin(root / source, place):
            _rename(place, scratch / f"leftover{number}")
        _require_free(store, target)
        link_folder(root / source, scratch / f"new{number}")
        place.parent.mkdir(parents=True, exist_ok=True)
        _rename(scratch / f"new{number}", place)


def _is_twin(source: Path, place: Path) -> bool:
    """Whether a well has the same documents as another: left by a renaming that was cut short."""
    pairs = [(source / name, place / name) for name in ("zarr.json", ".zgroup")]
    return any(a.exists() and b.exists() and a.samefile(b) for a, b in pairs)


def _rename(source: Path, target: Path) -> None:
    try:
        source.rename(target)
    except OSError as error:
        raise StoreError(
            f"cannot move {str(source)!r} to {str(target)!r}: {because(error)}"
        ) from error


def _require_free(store: Store, path: str) -> None:
    level = store.list_level(f"{path}/")
    if level.keys or level.prefixes:
        raise NodeExistsError(
            f"there is something at {path!r} in {store.spec} that the plate does not name; "
            "delete it first, or choose another name",
            store=str(store.spec),
            path=path,
            kind="leftover",
        )

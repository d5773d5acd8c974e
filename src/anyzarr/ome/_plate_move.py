"""Wells that get another name."""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from anyzarr import crud
from anyzarr._nodes import Group
from anyzarr.abc import Store
from anyzarr.crud._batch import create_new_nodes, read_documents
from anyzarr.crud._copy import copy_objects, link_folder
from anyzarr.crud._nodes import node_lock_key
from anyzarr.crud._process_locks import exclusive
from anyzarr.crud._regions import require_writable
from anyzarr.errors import MetadataError, NodeExistsError, StoreError
from anyzarr.metadata import group_document
from anyzarr.ome._plate_layout import PlateLayout, Spot
from anyzarr.ome._plate_model import PlateMetadata
from anyzarr.ome._versions import zarr_format_of
from anyzarr.stores import join

__all__ = ["rename_well"]


def _well_spot(path: str) -> Spot:
    row, slash, column = path.partition("/")
    if not slash or "/" in column:
        raise MetadataError(f"{path!r} is no path of a well: give row and column, as in 'A/1'")
    return Spot(row, column)


def rename_well(group: Group, old: str, new: str) -> dict[str, Any]:
    """Give a well of a plate another name; return the plate's new document.

    The well gets its second name first, then the plate names it by that, then the first name
    goes: at each moment the plate names a well that is whole.
    """
    store, base = group.store, group.path
    require_writable(store, base)
    spot = _well_spot(new)

    def change(stored: dict[str, Any]) -> dict[str, Any]:
        layout = PlateLayout(PlateMetadata.from_attributes(stored))
        layout.rename(old, spot)
        return layout.metadata.to_attributes(stored)

    with exclusive(store, [node_lock_key(base)]):
        document = crud.read_metadata(store, base)
        change(document.get("attributes", {}))
        with _move(store, base, old, new) as second_name:
            version = PlateMetadata.from_attributes(document["attributes"]).version
            _require_row(store, join(base, spot.row), version)
            second_name()
            document = crud.update_attributes(store, base, change)
        _drop_empty_row(store, join(base, old.partition("/")[0]))
    return document


def _require_row(store: Store, path: str, version: str) -> None:
    if read_documents(store, [path])[0] is None:
        with contextlib.suppress(NodeExistsError):
            create_new_nodes([(path, group_document(zarr_format=zarr_format_of(version)))], store)


def _drop_empty_row(store: Store, path: str) -> None:
    level = store.list_level(f"{path}/")
    if not level.prefixes and read_documents(store, [path])[0] is not None:
        crud.delete_node(store, path)


@contextlib.contextmanager
def _move(store: Store, base: str, old: str, new: str) -> Iterator[Callable[[], None]]:
    """Yield what gives a well its second name; take the first away at the end."""
    source, target = join(base, old), join(base, new)
    root = store.capabilities.local_root
    if root is not None and store.spec.backend == "local":
        with _scratch(Path(root, base)) as scratch:
            yield lambda: _link_well(store, Path(root, source), target, scratch)
            _rename(Path(root, source), scratch / "old")
        return
    _require_free(store, target)
    yield lambda: copy_objects(store, source, store, target)
    crud.delete_node(store, source)


@contextlib.contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """Yield a folder that no listing of ours shows and no reader takes for a group."""
    for left in folder.glob(".anyzarr-*.tmp"):  # by a killed process: the plate's lock is held
        shutil.rmtree(left, ignore_errors=True)
    scratch = folder / f".anyzarr-{secrets.token_hex(8)}.tmp"
    scratch.mkdir()
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _link_well(store: Store, source: Path, target: str, scratch: Path) -> None:
    place = Path(store.capabilities.local_root or "", target)
    if _is_twin(source, place):
        _rename(place, scratch / "leftover")
    _require_free(store, target)
    link_folder(source, scratch / "new")
    place.parent.mkdir(parents=True, exist_ok=True)
    _rename(scratch / "new", place)


def _is_twin(source: Path, place: Path) -> bool:
    """Whether a well has the same documents as another: left by a renaming that was cut short."""
    pairs = [(source / name, place / name) for name in ("zarr.json", ".zgroup")]
    return any(a.exists() and b.exists() and a.samefile(b) for a, b in pairs)


def _rename(source: Path, target: Path) -> None:
    try:
        source.rename(target)
    except OSError as error:
        raise StoreError(
            f"cannot move {str(source)!r} to {str(target)!r}: {error.strerror or error}"
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

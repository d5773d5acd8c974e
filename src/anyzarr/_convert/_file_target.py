"""Files of vectors as targets: they appear whole or not at all, on this machine or in a store."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from anyzarr import _atomic
from anyzarr._convert._copy import copy_objects
from anyzarr._convert._file_source import elsewhere, file_path, named
from anyzarr._convert._target import Location
from anyzarr._progress import Tracker
from anyzarr._url import parse_location
from anyzarr.abc import ObjectInfo, Store
from anyzarr.errors import NodeExistsError, StoreError
from anyzarr.stores import LocalStore
from anyzarr.stores._open import open_object
from anyzarr.vectors.formats import VectorFormat, format_of_name

__all__ = ["file_target", "format_of_target"]


def format_of_target(target: Location) -> VectorFormat | None:
    """Return the format of the file that a location is to be; None: it is to be a store."""
    path = file_path(target)
    if path is not None:
        return format_of_name(path.name)
    kind = elsewhere(target)
    return None if kind is None or parse_location(target.value).adapters else kind


@contextmanager
def file_target(
    target: Location, kind: VectorFormat, *, overwrite: bool, tracker: Tracker
) -> Iterator[Path]:
    """Yield a free path (an empty folder where the format is one) whose content goes to the target.

    On this machine it takes the target's place in one step. Elsewhere it is in a temporary folder:
    a file is put as one object, all or nothing. Of a folder, what says what it is (``info``)
    is put last, and nothing stays if that fails.

    Raises
    ------
    NodeExistsError
        The target is there, and is not to be replaced or is of another kind.
    """
    path = file_path(target)
    if path is not None:
        with _local(path, kind, overwrite=overwrite) as staging:
            yield staging
        return
    put = _put_folder if kind.is_folder else _put_file
    with put(target, kind, overwrite, tracker) as staging:
        yield staging


@contextmanager
def _local(path: Path, kind: VectorFormat, *, overwrite: bool) -> Iterator[Path]:
    if overwrite and path.is_dir() and not _is_replaceable(path, kind):
        raise NodeExistsError(
            f"{os.fspath(path)!r} is a folder and not {kind.name}, so it is not replaced; choose "
            "another name, or remove it yourself",
            path=os.fspath(path),
        )
    with _atomic.replacing(path, overwrite=overwrite) as staging:
        if not kind.is_folder:
            yield staging
            return
        with _atomic.new_folder(staging):
            yield staging


def _is_replaceable(path: Path, kind: VectorFormat) -> bool:
    return not any(path.iterdir()) or (kind.is_folder and kind.claims_folder(path))


@contextmanager
def _staged(target: Location) -> Iterator[Path]:
    """Yield a path in a temporary folder, of the target's name."""
    name = parse_location(target.value).object_name
    with (
        tempfile.TemporaryDirectory(prefix="anyzarr-") as folder,
        named(folder, name, str(target)),
    ):
        yield Path(folder, name)


@contextmanager
def _put_file(
    target: Location, kind: VectorFormat, overwrite: bool, tracker: Tracker
) -> Iterator[Path]:
    store, key = open_object(target.value, backend=target.backend, mode="a", **target.options)

    def require_free() -> None:
        if not overwrite and store.head(key) is not None:
            raise _taken(target, store, key)

    require_free()
    with _staged(target) as path:
        yield path
        require_free()  # nobody else may have been quicker
        info = ObjectInfo(path.name, path.stat().st_size, None)
        tracker.start("storing", info.size)
        copy_objects(LocalStore(path.parent), [(info, key)], store, tracker, batched=False)


@contextmanager
def _put_folder(
    target: Location, kind: VectorFormat, overwrite: bool, tracker: Tracker
) -> Iterator[Path]:
    store = target.open("a")
    _is_taken(target, store, kind, overwrite=overwrite)
    with _staged(target) as path:
        path.mkdir()
        yield path
        is_taken = _is_taken(target, store, kind, overwrite=overwrite)
        source = LocalStore(path)
        items = list(source.list())
        tracker.start("storing", sum(item.size for item in items))
        first = [(item, item.key) for item in items if item.key != kind.index]
        last = [(item, item.key) for item in items if item.key == kind.index]
        if is_taken:
            _empty(store, kind)
        with _emptied_on_failure(store, kind):
            copy_objects(source, first, store, tracker)
            copy_objects(source, last, store, tracker, batched=False)


@contextmanager
def _emptied_on_failure(store: Store, kind: VectorFormat) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        try:
            _empty(store, kind)
        except StoreError as another:
            error.add_note(f"what was put before could not be removed: {another}")
        raise


def _empty(store: Store, kind: VectorFormat) -> None:
    """Remove all objects, what says what they are first."""
    if kind.index is not None:
        store.delete(kind.index)
    store.delete_prefix("")


def _is_taken(target: Location, store: Store, kind: VectorFormat, *, overwrite: bool) -> bool:
    """Return whether there is something at a prefix, to be replaced; refuse what is not to be."""
    level = store.list_level()
    if not (level.keys or level.prefixes):
        return False
    if not overwrite:
        raise _taken(target, store, "")
    index = None if kind.index is None else store.get(kind.index)
    with tempfile.TemporaryDirectory(prefix="anyzarr-") as folder:
        if index is not None and kind.index is not None:
            Path(folder, kind.index).write_bytes(index)
        if not kind.claims_folder(Path(folder)):
            raise NodeExistsError(
                f"{str(target)!r} is not empty and not {kind.name}, so it is not replaced; choose "
                "another location, or empty this one yourself",
                store=str(store.spec),
                path="",
            )
    return True


def _taken(target: Location, store: Store, key: str) -> NodeExistsError:
    return NodeExistsError(
        f"{str(target)!r} exists already; choose another name, or overwrite it with overwrite=True",
        store=str(store.spec),
        path=key,
    )

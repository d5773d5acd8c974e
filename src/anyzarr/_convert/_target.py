"""Where a conversion writes: a store that becomes the target when all is there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from anyzarr import _atomic, crud
from anyzarr._convert._copy import copy_contents
from anyzarr._convert._journal import JOURNAL, NOTE, keeps_work
from anyzarr._convert._staging import staged
from anyzarr._ozx import arrange
from anyzarr._url import ZarrFormat, parse_location, redact
from anyzarr.abc import Store
from anyzarr.errors import NodeExistsError, NodeNotFoundError
from anyzarr.stores import LocalStore, open_store, resolve_backend_name
from anyzarr.stores._base import told_format

__all__ = [
    "ARCHIVE_SUFFIXES",
    "Location",
    "hierarchy_target",
    "images_target",
    "local_base",
    "local_path",
    "plate_of",
    "require_replaceable",
]

ARCHIVE_SUFFIXES = (".ozx", ".zip")
"""Ends the names of targets that become archives."""


@dataclass(frozen=True, slots=True)
class Location:
    """A location with what is needed to open it.

    Attributes
    ----------
    value
        As given: a path, a URL, a live store, a dict.
    backend
        Name of the backend, or None to work it out.
    options
        Of the backend.
    """

    value: Any
    backend: str | None
    options: Mapping[str, Any]

    def open(self, mode: Literal["r", "a", "w", "w-"]) -> Store:
        """Open the store at the location."""
        return open_store(self.value, backend=self.backend, mode=mode, **self.options)

    @property
    def zarr_format(self) -> ZarrFormat | None:
        """The format that the location tells (``|zarr3:``); None if it tells none."""
        if isinstance(self.value, str | os.PathLike):
            return parse_location(self.value).zarr_format
        return told_format(self.value) if isinstance(self.value, Store) else None

    @property
    def backend_name(self) -> str:
        """The backend that opens it."""
        return resolve_backend_name(self.value, self.backend)

    def __str__(self) -> str:
        if isinstance(self.value, dict):
            return "a dict"
        if isinstance(self.value, list | tuple):
            return f"{len(self.value)} files"
        if isinstance(self.value, str | os.PathLike):
            return redact(os.fspath(self.value))
        spec = getattr(self.value, "spec", None)
        return str(spec if spec is not None else self.value)


def local_path(value: Any) -> Path | None:
    """Return the path of a location that is a local path or ``file:`` URL and nothing more.

    The format of what is there may be told (``|zarr3:``).
    """
    if not isinstance(value, str | os.PathLike):
        return None
    parsed = parse_location(value)
    if parsed.adapters or parsed.node_path:
        return None
    return local_base(value)


def local_base(value: Any) -> Path | None:
    """Return the local file or folder that a location is or lies in, or None."""
    if not isinstance(value, str | os.PathLike):
        return None
    parsed = parse_location(value)
    return Path(parsed.base) if parsed.is_local else None


def plate_of(value: str | os.PathLike[str]) -> str:
    """Return a table of files by its whole path, and a pattern of names as it is."""
    text = os.fspath(value)
    return str(Path(text).absolute()) if text.lower().endswith((".csv", ".tsv")) else text


@contextmanager
def hierarchy_target(target: Location, *, overwrite: bool) -> Iterator[Store]:
    """Yield an empty store; what is written to it is at the target on success.

    A local folder is written under another name beside the target and renamed. Elsewhere the
    objects are written in place, with the root's metadata expected last, and removed again on
    any exception; where something is to be replaced, they are gathered in a temporary folder
    first, so that the old stays until the new is complete.

    Raises
    ------
    NodeExistsError
        Something is there and ``overwrite`` is False, or it is no Zarr hierarchy.
    """
    path = local_path(target.value)
    if path is not None and target.backend_name == "local":
        if overwrite:
            _require_replaceable_path(path)
        with (
            _atomic.replacing(path, overwrite=overwrite) as staging,
            _atomic.new_folder(staging),
        ):
            yield LocalStore(staging).with_zarr_format(target.zarr_format)
        return
    store = target.open("a")
    if require_replaceable(store, overwrite=overwrite):
        with tempfile.TemporaryDirectory(prefix="anyzarr-") as folder:
            gathered = LocalStore(Path(folder)).with_zarr_format(target.zarr_format)
            yield gathered
            contents = arrange(gathered.list())
            crud.delete_node(store)
            with _emptied_on_failure(store):
                copy_contents(gathered, contents, store)
        return
    with _emptied_on_failure(store):
        yield store


@contextmanager
def images_target(
    target: Location, *, overwrite: bool, resume: bool
) -> Iterator[tuple[Store, bool]]:
    """Yield a store for images, and whether a journal in it is of use.

    A local folder is written under a fixed hidden name beside the target (:func:`staged`), so that
    an interrupted conversion can be gone on with. Elsewhere images are written in place, their
    root last; where something is to be replaced, as by :func:`hierarchy_target`.
    """
    path = local_path(target.value)
    if path is not None and target.backend_name == "local":
        if overwrite:
            _require_replaceable_path(path)
        with staged(path, overwrite=overwrite, resume=resume) as staging:
            yield staging.with_zarr_format(target.zarr_format), True
        return
    store = target.open("a")
    if not (resume and _is_unfinished(store)) and require_replaceable(store, overwrite=overwrite):
        with hierarchy_target(target, overwrite=overwrite) as gathered:
            yield gathered, False
        return
    if store.capabilities.in_process:
        with _emptied_on_failure(store):
            yield store, False
        return
    with _emptied_unless_resumable(store):
        yield store, True


def _is_unfinished(store: Store) -> bool:
    """Return whether a store holds what a conversion has left, and nothing that is whole."""
    level = store.list_level()
    roots = {"zarr.json", ".zgroup", ".zarray"}
    return f"{JOURNAL}" in level.prefixes and not roots & set(level.keys)


@contextmanager
def _emptied_unless_resumable(store: Store) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        if keeps_work(error) and next(iter(store.list(f"{JOURNAL}done/")), None) is not None:
            error.add_note(NOTE)
        else:
            crud.delete_node(store)
        raise


@contextmanager
def _emptied_on_failure(store: Store) -> Iterator[None]:
    try:
        yield
    except BaseException:
        crud.delete_node(store)
        raise


def _require_replaceable_path(path: Path) -> None:
    if path.is_dir():
        require_replaceable(LocalStore(path))
    elif os.path.lexists(path) and not path.name.lower().endswith(ARCHIVE_SUFFIXES):
        raise NodeExistsError(
            f"{os.fspath(path)!r} is a file and no Zarr hierarchy, so it is not replaced; choose "
            "another name, or remove it yourself",
            path=os.fspath(path),
        )


def require_replaceable(store: Store, *, overwrite: bool = True) -> bool:
    """Return whether a store holds a hierarchy that may be replaced; False if it is empty.

    Raises
    ------
    NodeExistsError
        It holds one and ``overwrite`` is False, or it holds something else.
    """
    level = store.list_level()
    if not (level.keys or level.prefixes):
        return False
    try:
        crud.read_metadata(store)
    except NodeNotFoundError:
        raise NodeExistsError(
            f"{store.spec} is not empty and is no Zarr hierarchy, so it is not replaced; choose "
            "another location, or empty this one yourself",
            store=str(store.spec),
            path="",
        ) from None
    if not overwrite:
        raise NodeExistsError(
            f"there is already a Zarr hierarchy at {store.spec}; choose another location, or "
            "replace it with overwrite=True",
            store=str(store.spec),
            path="",
        )
    return True

"""Files of vectors as sources: local ones as they are, others by way of a temporary folder."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from anyzarr import crud
from anyzarr._convert._copy import copy_objects
from anyzarr._convert._target import Location, local_path
from anyzarr._progress import Tracker
from anyzarr._streams import get_stream, put_stream, ranges_of
from anyzarr._url import parse_location
from anyzarr.abc import ByteRange, Level, ObjectInfo, Store
from anyzarr.errors import AnyzarrError, ConflictError, NodeNotFoundError, UnsupportedError
from anyzarr.stores import LocalStore
from anyzarr.stores._base import with_info
from anyzarr.stores._open import open_object
from anyzarr.vectors.formats import VectorFormat, format_of_name, format_of_path

__all__ = [
    "LocalFile",
    "SourceFile",
    "StoredFile",
    "StoredFolder",
    "elsewhere",
    "file_path",
    "find_file",
    "named",
]

_LONGEST_NAME: Final = 255


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file or folder on this machine.

    Attributes
    ----------
    path
        Where it is.
    kind
        Its format.
    """

    path: Path
    kind: VectorFormat

    @contextmanager
    def fetched(self, tracker: Tracker) -> Iterator[Path]:
        """Yield its path."""
        yield self.path


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that is an object of a store.

    Attributes
    ----------
    store, info
        The object.
    name
        Of the file.
    kind
        Its format.
    shown
        The location, for people.
    is_signed
        Whether the URL is signed, and may so be for reading alone: sizes are not asked for.
    """

    store: Store
    info: ObjectInfo
    name: str
    kind: VectorFormat
    shown: str
    is_signed: bool = False

    @contextmanager
    def fetched(self, tracker: Tracker) -> Iterator[Path]:
        """Yield the path of a copy, which is removed afterwards.

        Raises
        ------
        ConflictError
            The object changed while it was fetched, or since it was looked up.
        """
        with tempfile.TemporaryDirectory(prefix="anyzarr-") as folder:
            tracker.start("fetching", self.info.size)
            put_stream(LocalStore(folder), self.name, self._parts(tracker), self.info.size)
            with named(folder, self.name, self.shown):
                yield Path(folder, self.name)

    def _parts(self, tracker: Tracker) -> Iterator[bytes]:
        n_bytes = 0
        for part in self._stream() or ():
            n_bytes += len(part)
            yield part
            tracker.advance(len(part))
        if n_bytes != self.info.size:
            raise ConflictError(
                f"{self.shown} changed while it was being fetched; convert it again when nothing "
                "writes to it",
                store=str(self.store.spec),
                key=self.info.key,
            )

    def _stream(self) -> Iterator[bytes] | None:
        if not self.is_signed:
            return get_stream(self.store, self.info.key)
        return ranges_of(self.info, lambda part: with_info(self.store, [part])[0], self.shown)


@dataclass(frozen=True, slots=True)
class StoredFolder:
    """A folder of files that are objects of a store.

    Attributes
    ----------
    store
        The store, at the folder.
    name
        Of the folder.
    kind
        Its format.
    shown
        The location, for people.
    """

    store: Store
    name: str
    kind: VectorFormat
    shown: str

    @contextmanager
    def fetched(self, tracker: Tracker) -> Iterator[Path]:
        """Yield the path of a copy, which is removed afterwards."""
        items = list(self.store.list())
        with tempfile.TemporaryDirectory(prefix="anyzarr-") as folder:
            tracker.start("fetching", sum(item.size for item in items))
            target = LocalStore(Path(folder, self.name))
            copy_objects(self.store, [(item, item.key) for item in items], target, tracker)
            with named(folder, self.name, self.shown):
                yield Path(folder, self.name)


SourceFile = LocalFile | StoredFile | StoredFolder


def find_file(source: Location, *, is_told: bool) -> SourceFile | None:
    """Return the file or folder of vectors that a location is; None: it is of another kind.

    ``is_told``: the caller says that it holds vectors.

    Raises
    ------
    NodeNotFoundError
        The location, which is not on this machine, has the name of such a file, and there is none.
    """
    path = file_path(source)
    if path is not None:
        kind = format_of_path(path, is_told=is_told)
        return None if kind is None else LocalFile(path, kind)
    kind = elsewhere(source)
    if kind is None:
        return _find_folder(source)
    store, key = open_object(source.value, backend=source.backend, **source.options)
    parsed = parse_location(source.value)
    is_signed = parsed.scheme in ("http", "https") and "?" in parsed.base
    info = _look_up(store, key, is_signed=is_signed and not parsed.adapters)
    if info is None:
        _require_node(source, kind)
        return None
    return StoredFile(store, info, parsed.object_name, kind, str(source), is_signed)


def _find_folder(source: Location) -> StoredFolder | None:
    """Return the folder of files of vectors that a store is; None: it is no such folder."""
    if isinstance(source.value, list | tuple) or file_path(source) or source.zarr_format:
        return None
    store = source.open("r")
    if not store.capabilities.listable:
        return None
    with suppress(NodeNotFoundError):
        crud.read_metadata(store)
        return None
    kind = _format_of_names(store.list_level())
    name = ""
    if isinstance(source.value, str | os.PathLike):
        name = parse_location(source.value).object_name
    return None if kind is None else StoredFolder(store, name or "files", kind, str(source))


def _format_of_names(level: Level) -> VectorFormat | None:
    """Return the format of a folder by the names in it, which is what formats look at."""
    names = [*level.keys, *level.prefixes]
    if any(len(os.fsencode(name)) > _LONGEST_NAME for name in names):
        return None  # there are no such files
    with tempfile.TemporaryDirectory(prefix="anyzarr-") as folder:
        for name in level.keys:
            Path(folder, name).touch()
        for prefix in level.prefixes:
            Path(folder, prefix).mkdir(exist_ok=True)
        return format_of_path(Path(folder))


def file_path(location: Location) -> Path | None:
    """Return the path of a file or folder on this machine, None where the location is another."""
    if location.backend not in (None, "local") or location.zarr_format:
        return None
    return local_path(location.value)


def elsewhere(location: Location) -> VectorFormat | None:
    """Return the format of files of this name, of a location that is not on this machine."""
    value = location.value
    if not isinstance(value, str | os.PathLike) or file_path(location) is not None:
        return None
    if location.zarr_format or location.backend == "zip":
        return None
    name = parse_location(value).object_name
    return format_of_name(name) if name else None


def _look_up(store: Store, key: str, *, is_signed: bool) -> ObjectInfo | None:
    """Return what is known of an object; of a signed URL, by a request that reads."""
    if not is_signed:
        return store.head(key)
    found = with_info(store, [(key, ByteRange(0, 1))])[0]
    return None if found is None else found[1]


def _require_node(source: Location, kind: VectorFormat) -> None:
    """Refuse a location where there is no Zarr either."""
    try:
        crud.read_metadata(source.open("r"))
    except NodeNotFoundError:
        if kind.open is None:
            raise UnsupportedError(
                f"{kind.name} is written and not read, so {str(source)!r} cannot be a source"
            ) from None
        raise NodeNotFoundError(
            f"there is no file {str(source)!r}, nor Zarr of that name: check the location",
            store=str(source),
        ) from None


@contextmanager
def named(folder: str | os.PathLike[str], name: str, shown: str) -> Iterator[None]:
    """Have errors about a file in a temporary folder speak of where it comes from or goes to."""
    path = str(Path(folder, name))
    try:
        yield
    except AnyzarrError as error:
        error.message = error.message.replace(path, shown)
        error.args = (error.message,)
        for attribute in ("store", "key", "path"):
            value = getattr(error, attribute)
            if isinstance(value, str):
                setattr(error, attribute, value.replace(path, shown))
        raise

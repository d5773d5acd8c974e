"""What killed writers left behind in a local folder: found, and removed on request.

Nothing of it is in anyone's way: readers and listings pass it by. It takes room, no more.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import stat
import time
from collections.abc import Iterable, Iterator
from typing import Any, Final

from anyzarr._atomic import is_held
from anyzarr._os_errors import because
from anyzarr._url import parse_location
from anyzarr.errors import NodeNotFoundError, StoreError, UnsupportedError
from anyzarr.stores._debris_names import Kind, kind_of
from anyzarr.stores._keys import DOCUMENTS
from anyzarr.stores._open_files import open_files

__all__ = ["MIN_AGE_SECONDS", "Debris", "find_debris", "remove_debris"]

MIN_AGE_SECONDS: Final = 3600.0
"""How long nothing of it must have changed before it is taken for left behind."""

OpenFiles = frozenset[tuple[int, int]]


@dataclasses.dataclass(frozen=True, slots=True)
class Debris:
    """A file or folder under a name that writers give to what is not complete.

    Attributes
    ----------
    path
        Its absolute path.
    writer
        The program that makes such names: ``anyzarr``, ``zarr-python``, ``tensorstore`` or
        ``obstore``.
    what
        What it is, in a few words.
    is_folder
        Whether it is a folder.
    size_bytes
        Its size, of a folder that of all files in it.
    age_seconds
        Time since it, or anything in it, last changed.
    in_use
        Whether a process of this host is writing it still: it is open, or locked. Processes of
        other hosts, and where this process may not look, do not show; their age tells.
    only_copy
        Whether it is old content that was set aside, and nothing is at its place: rename it back.
    """

    path: str
    writer: str
    what: str
    is_folder: bool
    size_bytes: int
    age_seconds: float
    in_use: bool
    only_copy: bool = False

    def why_kept(self, min_age_seconds: float = MIN_AGE_SECONDS) -> str | None:
        """Return why :func:`remove_debris` keeps it: ``in use``, ``recent``, ``only copy``."""
        if self.in_use:
            return "in use"
        if self.only_copy:
            return "only copy"
        return "recent" if self.age_seconds < min_age_seconds else None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return dataclasses.asdict(self)


def find_debris(location: Any) -> list[Debris]:
    """Return what interrupted writers left in and beside a local location, sorted by path.

    Parameters
    ----------
    location
        Path or ``file:`` URL of a folder, searched with everything below it, or of an archive;
        or a store of a local folder. What was to become the location itself lies beside it under
        a hidden name, and is found whether or not there is anything at the location.

    Returns
    -------
    list of Debris
        What is being written at this moment is among them, with ``in_use`` set.

    Raises
    ------
    NodeNotFoundError
        There is nothing at the location or left beside it.
    UnsupportedError
        The location is not local. Object stores show nothing that is incomplete; what unfinished
        uploads hold there, a lifecycle rule of the bucket removes.
    StoreError
        A folder cannot be listed.

    Notes
    -----
    Symbolic links below the location are not followed. Of other programs, names are known that
    nothing else gives: those of zarr-python, tensorstore's files and obstore's.

    Examples
    --------
    >>> import os, tempfile
    >>> import anyzarr
    >>> from anyzarr.stores import find_debris, remove_debris
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     array = anyzarr.create_array(f"{folder}/a.zarr", data=[1, 2, 3])
    ...     with open(f"{folder}/a.zarr/.anyzarr-0123456789abcdef.tmp", "wb") as file:
    ...         _ = file.write(b"half")
    ...     found = find_debris(f"{folder}/a.zarr")
    ...     [(item.writer, item.size_bytes, item.in_use) for item in found]
    ...     len(remove_debris(found)), len(remove_debris(found, min_age_seconds=0))
    [('anyzarr', 4, False)]
    (0, 1)
    """
    base = _local_path(location)
    beside = [entry for entry in _beside(base) if _is_of(entry, os.path.basename(base))]  # noqa: PTH119
    if not beside and not os.path.lexists(base):
        raise NodeNotFoundError(
            f"there is nothing at {base!r}, and nothing that was to be there; check the path",
            store=base,
            path="",
        )
    entries = [*beside, *(_walk(base, False) if os.path.isdir(base) else ())]  # noqa: PTH112
    opened = open_files() if entries else frozenset()
    found = (_look(path, kind, opened) for path, kind in entries)
    return sorted((item for item in found if item), key=lambda item: item.path)


def remove_debris(
    found: Iterable[Debris], *, min_age_seconds: float = MIN_AGE_SECONDS
) -> list[Debris]:
    """Remove what :func:`find_debris` found; return what was removed.

    Each is looked at again just before. Kept is what a process is writing, what changed within
    the last ``min_age_seconds``, and what is the only copy of something; see
    :meth:`Debris.why_kept`.

    Parameters
    ----------
    found
        From :func:`find_debris`.
    min_age_seconds
        Less than the default is safe where no other host writes to the folder. If it was a live
        writer's after all, that writer gets an error and what was stored before stays.

    Raises
    ------
    StoreError
        Something cannot be removed.
    """
    items = list(found)
    opened = open_files() if items else frozenset()
    return [item for item in items if _remove(item, min_age_seconds, opened)]


def _local_path(location: Any) -> str:
    if isinstance(location, str | os.PathLike):
        parsed = parse_location(location)
        if parsed.is_local:
            return os.path.abspath(os.path.expanduser(parsed.base))  # noqa: PTH100, PTH111
    root = getattr(getattr(location, "capabilities", None), "local_root", None)
    if root is not None:
        return str(root)
    raise UnsupportedError(
        f"{location!s:.200} is not local, and only local folders show what is incomplete; in a "
        "bucket, a lifecycle rule that aborts incomplete multipart uploads removes what is left",
        kind="debris",
    )


def _scan(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise StoreError(
            f"cannot list {folder!r}: {because(error)}",
            store=folder,
        ) from error


def _beside(base: str) -> Iterator[tuple[str, Kind]]:
    for entry in _scan(os.path.dirname(base)):  # noqa: PTH120
        folder = entry.is_dir(follow_symlinks=False)
        kind = kind_of(entry.name, is_folder=folder, in_hierarchy=False)
        if kind is not None:
            yield entry.path, kind


def _is_of(entry: tuple[str, Kind], name: str) -> bool:
    return entry[1].writer == "anyzarr" and entry[1].target == name


def _walk(folder: str, in_hierarchy: bool) -> Iterator[tuple[str, Kind]]:
    entries = _scan(folder)
    in_hierarchy = in_hierarchy or any(entry.name in DOCUMENTS for entry in entries)
    for entry in entries:
        is_folder = entry.is_dir(follow_symlinks=False)
        kind = kind_of(entry.name, is_folder=is_folder, in_hierarchy=in_hierarchy)
        if kind is not None:
            yield entry.path, kind
        elif is_folder:
            yield from _walk(entry.path, in_hierarchy)


def _look(path: str, kind: Kind, opened: OpenFiles) -> Debris | None:
    """Return what is at a path now; None if it is gone."""
    size, changed, in_use = 0, 0.0, False
    try:
        is_folder = stat.S_ISDIR(os.lstat(path).st_mode)
        for status in _statuses(path):
            changed = max(changed, status.st_mtime)
            in_use = in_use or (status.st_dev, status.st_ino) in opened
            size += status.st_size if not stat.S_ISDIR(status.st_mode) else 0
    except FileNotFoundError:
        return None
    target = f"{os.path.dirname(path)}/{kind.target}"  # noqa: PTH120
    return Debris(
        path,
        kind.writer,
        kind.what,
        is_folder,
        size,
        max(0.0, time.time() - changed),
        in_use or is_held(path),
        kind.set_aside and not os.path.lexists(target),
    )


def _statuses(path: str) -> Iterator[os.stat_result]:
    """Iterate over a file, or a folder with all in it."""
    status = os.lstat(path)
    yield status
    if stat.S_ISDIR(status.st_mode):
        for entry in _scan(path):
            with contextlib.suppress(FileNotFoundError):
                yield from _statuses(entry.path)


def _remove(item: Debris, min_age_seconds: float, opened: OpenFiles) -> bool:
    name = os.path.basename(item.path)  # noqa: PTH119
    kind = kind_of(name, is_folder=item.is_folder, in_hierarchy=True)
    now = _look(item.path, kind, opened) if kind is not None else None
    if now is None or now.is_folder != item.is_folder or now.why_kept(min_age_seconds):
        return False
    try:
        if now.is_folder:
            shutil.rmtree(item.path)
        else:
            os.unlink(item.path)  # noqa: PTH108
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StoreError(
            f"cannot remove {item.path!r}: {because(error)}",
            store=item.path,
        ) from error
    return True

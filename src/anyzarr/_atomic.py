"""Making local files and folders appear whole or not at all.

New content is written under a hidden name beside its place and renamed when complete, so a
reader never meets half of it, and the old content stays until the new one is there.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from anyzarr.errors import NodeExistsError, StoreError

__all__ = [
    "SUFFIX",
    "make_folder",
    "new_file",
    "replacing",
    "require_free",
    "staging_path",
]

SUFFIX = ".partial"
"""Ends the names of files and folders that are being written."""


def require_free(target: Path, *, overwrite: bool) -> None:
    """Refuse a target that is there already, unless it may be overwritten or is an empty folder.

    Raises
    ------
    NodeExistsError
        Something is there and ``overwrite`` is False.
    """
    if not overwrite and os.path.lexists(target) and not _is_empty_folder(target):
        raise NodeExistsError(
            f"{os.fspath(target)!r} exists already; choose another name, or overwrite it "
            "with overwrite=True",
            path=os.fspath(target),
        )


def staging_path(target: Path) -> Path:
    """Return a free hidden name beside the target, on the same file system."""
    return target.with_name(f".{target.name}.{secrets.token_hex(6)}{SUFFIX}")


@contextmanager
def replacing(target: Path, *, overwrite: bool) -> Iterator[Path]:
    """Yield a path to write a file or folder to; it takes the target's place on success.

    On any exception, an interrupt included, what was written is removed and the target is as
    it was.

    Parameters
    ----------
    target
        Where the complete file or folder appears. Parent folders are made as needed, and
        those that were made are removed again on failure.
    overwrite
        Whether something that is there may be replaced.

    Raises
    ------
    NodeExistsError
        The target is there, before the work or by the end of it, and must not be replaced.
    StoreError
        The file system refuses.
    """
    require_free(target, overwrite=overwrite)
    staging = staging_path(target)
    made = _make_parents(target.parent)
    try:
        yield staging
        _sync(staging)
        _put_in_place(staging, target, overwrite=overwrite)
    except BaseException:
        _remove(staging)
        _remove_empty(made)
        raise


def make_folder(path: Path) -> None:
    """Make a folder that is not there.

    Raises
    ------
    StoreError
        The file system refuses.
    """
    try:
        path.mkdir()
    except OSError as error:
        raise StoreError(
            f"cannot make a folder in {os.fspath(path.parent)!r}: {error.strerror or error}; "
            "choose a place that can be written to"
        ) from error


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Yield a new file, opened for writing.

    Raises
    ------
    StoreError
        The file system refuses to make or to hold it.
    """
    try:
        file = path.open("xb")
    except OSError as error:
        raise StoreError(
            f"cannot make a file in {os.fspath(path.parent)!r}: {error.strerror or error}; "
            "choose a place that can be written to"
        ) from error
    with file:
        yield file
        try:
            file.flush()
        except OSError as error:
            raise StoreError(
                f"cannot write {os.fspath(path)!r}: {error.strerror or error}"
            ) from error


def _make_parents(folder: Path) -> list[Path]:
    """Make a folder and its parents; return those that were made, innermost first."""
    missing = [p for p in (folder, *folder.parents) if not p.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"cannot make the folder {os.fspath(folder)!r}: {error.strerror or error}; choose a "
            "place that can be written to"
        ) from error
    return missing


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()


def _put_in_place(staging: Path, target: Path, *, overwrite: bool) -> None:
    require_free(target, overwrite=overwrite)
    if not overwrite and staging.is_file() and _is_linked(staging, target):
        return
    old: Path | None = None
    try:
        # A file takes another's place in one step. A folder cannot: it moves aside first.
        if os.path.lexists(target) and (_is_folder(staging) or _is_folder(target)):
            old = staging_path(target)
            target.rename(old)
        try:
            staging.replace(target)
        except BaseException:
            if old is not None:
                old.rename(target)
            raise
    except OSError as error:
        raise StoreError(
            f"cannot put {os.fspath(target)!r} in place: {error.strerror or error}"
        ) from error
    if old is not None:
        _remove(old)


def _is_linked(staging: Path, target: Path) -> bool:
    """Give a file its place unless something is there, exactly, against every other process.

    False where something is there that may be replaced, or there are no hard links.
    """
    try:
        os.link(staging, target)
    except FileExistsError:
        require_free(target, overwrite=False)
        return False
    except OSError:
        return False
    staging.unlink()
    return True


def _is_empty_folder(path: Path) -> bool:
    return _is_folder(path) and next(path.iterdir(), None) is None


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _sync(path: Path) -> None:
    if not path.is_file():
        return
    try:
        with path.open("rb+") as file:
            os.fsync(file.fileno())
    except OSError as error:
        raise StoreError(f"cannot write {os.fspath(path)!r}: {error.strerror or error}") from error


def _remove(path: Path) -> None:
    if _is_folder(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(FileNotFoundError):
            path.unlink()

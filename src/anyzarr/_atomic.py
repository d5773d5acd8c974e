"""Making local files and folders appear whole or not at all.

New content is written under a hidden name beside its place and renamed when complete, so a
reader never meets half of it, and the old content stays until the new one is there. While it is
being written it is locked, so that what a killed process left behind can be told from it.
"""

from __future__ import annotations

import errno
import functools
import hashlib
import os
import re
import secrets
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from anyzarr._os_errors import because
from anyzarr.errors import NodeExistsError, StoreError

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows
    fcntl = None  # type: ignore[assignment]

__all__ = [
    "SET_ASIDE",
    "STAGED",
    "is_held",
    "mark_held",
    "new_file",
    "new_folder",
    "parents",
    "remove",
    "replacing",
    "require_free",
    "staging_path",
]

STAGED: Final = re.compile(r"\.(.+)\.[0-9a-f]{12}\.partial", re.DOTALL)
"""Names of files and folders that are being written; the group is the name they are to have."""

SET_ASIDE: Final = re.compile(r"\.(.+)\.[0-9a-f]{12}\.replaced", re.DOTALL)
"""Names of what is being replaced, where two names cannot be exchanged in one step."""

_AT_FDCWD: Final = -100
_HAS_LOCKS: Final[bool] = fcntl is not None
_EXCHANGE: Final = 2


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


def staging_path(target: Path, *, again: bool = False) -> Path:
    """Return a hidden name beside the target, on the same file system.

    Parameters
    ----------
    target
        Where the work goes.
    again
        Whether it is to be the same name each time, for work that can be gone on with. Otherwise
        it is free.
    """
    if not again:
        return _beside(target, "partial")
    place = hashlib.sha256(os.fsencode(os.path.realpath(target)))
    return _beside(target, "partial", place.hexdigest()[:12])


def _beside(target: Path, suffix: str, token: str | None = None) -> Path:
    return target.with_name(f".{target.name}.{token or secrets.token_hex(6)}.{suffix}")


@contextmanager
def replacing(
    target: Path,
    *,
    overwrite: bool,
    staging: Path | None = None,
    keeps: Callable[[BaseException], bool] = lambda error: False,
) -> Iterator[Path]:
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
    staging
        The path to yield; None: a free one.
    keeps
        Whether what was written stays at an exception.

    Raises
    ------
    NodeExistsError
        The target is there, before the work or by the end of it, and must not be replaced.
    StoreError
        The file system refuses.
    """
    require_free(target, overwrite=overwrite)
    staging = staging or staging_path(target)
    with parents(target):
        try:
            yield staging
            _sync(staging)
            _put_in_place(staging, target, overwrite=overwrite)
        except BaseException as error:
            if not keeps(error):
                remove(staging)
            raise


@contextmanager
def parents(path: Path) -> Iterator[None]:
    """Make the folders that a path is in; on an exception, remove again those that are empty."""
    made = _make_parents(path.parent)
    try:
        yield
    except BaseException:
        _remove_empty(made)
        raise


@contextmanager
def new_folder(path: Path) -> Iterator[None]:
    """Make a folder that is not there, and hold it within the block.

    Raises
    ------
    StoreError
        The file system refuses.
    """
    try:
        path.mkdir()
    except OSError as error:
        raise StoreError(
            f"cannot make a folder in {os.fspath(path.parent)!r}: {because(error)}",
            store=os.fspath(path),
        ) from error
    with _held(path):
        yield


def mark_held(path: Path, *, alone: bool = False) -> int | None:
    """Lock a file or folder that this process is writing, until the descriptor is closed.

    The lock ends with the process, and with those forked from it, however they end. None where
    the file system has no such locks; the age of what is written tells there.

    Parameters
    ----------
    path
        The file or folder.
    alone
        Whether nobody else may hold it.

    Raises
    ------
    BlockingIOError
        It is to be held alone, and another process holds it.
    """
    if not _HAS_LOCKS:
        return None
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        if alone:
            raise
        return None
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def is_held(path: str) -> bool:
    """Return whether a process of this host holds a file or folder; see :func:`mark_held`."""
    if not _HAS_LOCKS:
        return False
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno == errno.EWOULDBLOCK
    finally:
        os.close(descriptor)
    return False


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
            f"cannot make a file in {os.fspath(path.parent)!r}: {because(error)}",
            store=os.fspath(path),
        ) from error
    with file, _held(path):
        yield file
        try:
            file.flush()
        except OSError as error:
            raise StoreError(
                f"cannot write {os.fspath(path)!r}: {because(error)}", store=os.fspath(path)
            ) from error


@contextmanager
def _held(path: Path) -> Iterator[None]:
    descriptor = mark_held(path)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _make_parents(folder: Path) -> list[Path]:
    """Make a folder and its parents; return those that were made, innermost first."""
    missing = [p for p in (folder, *folder.parents) if not p.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"cannot make the folder {os.fspath(folder)!r}: {because(error)}",
            store=os.fspath(folder),
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
    try:
        # A file takes another's place in one step. A folder cannot: the two change names.
        if overwrite and os.path.lexists(target) and (_is_folder(staging) or _is_folder(target)):
            remove(_exchange(staging, target))
            return
        if _is_folder(target) and not _is_folder(staging):
            target.rmdir()
        staging.replace(target)
    except OSError as error:
        raise StoreError(
            f"cannot put {os.fspath(target)!r} in place: {because(error)}", store=os.fspath(target)
        ) from error


def _exchange(staging: Path, target: Path) -> Path:
    """Give the target's place to what is staged; return where the old is now.

    Where the file system cannot exchange two names in one step, a process that is killed between
    two steps leaves none at the place, and the old beside it under a name that says so.
    """
    swap = _swap()
    if swap is not None and swap(staging, target):
        # The name may be that of work which can be gone on with, and this is none.
        return staging.rename(_beside(target, "partial"))
    old = _beside(target, "replaced")
    target.rename(old)
    try:
        staging.replace(target)
    except BaseException:
        old.rename(target)
        raise
    return old


@functools.cache
def _swap() -> Callable[[Path, Path], bool] | None:
    """Return a function that exchanges two names, or None; it returns whether it could."""
    import ctypes

    name = "renamex_np" if sys.platform == "darwin" else "renameat2"
    rename = getattr(ctypes.CDLL(None), name, None) if os.name == "posix" else None
    if rename is None:
        return None
    folder = () if sys.platform == "darwin" else (_AT_FDCWD,)

    def swap(one: Path, other: Path) -> bool:
        names = (*folder, os.fsencode(one), *folder, os.fsencode(other))
        return bool(rename(*names, ctypes.c_uint(_EXCHANGE)) == 0)

    return swap


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
        raise StoreError(
            f"cannot write {os.fspath(path)!r}: {because(error)}", store=os.fspath(path)
        ) from error


def remove(path: Path) -> None:
    """Remove a file or folder; that it is not there is no error."""
    if _is_folder(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(FileNotFoundError):
            path.unlink()

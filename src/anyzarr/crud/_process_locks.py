"""Keep processes of one host apart that change the same object of a local file system.

Advisory locks on single bytes of one file per user, outside every dataset: the byte is chosen by
the object's real path, so that a symbolic link leads to the same lock. They are POSIX record
locks, which belong to a process: a forked child has none, and those of a killed process are gone.
Threads of one process are kept apart by :mod:`anyzarr.crud._locks`, whose locks are taken first.

Other hosts, other users and file systems shared between containers are not kept apart.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from anyzarr import config
from anyzarr.abc import Store
from anyzarr.crud._locks import locked
from anyzarr.errors import StoreError

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["exclusive", "lock_folder"]

_RETRY_SECONDS = 0.002


@dataclass
class _Held:
    fd: int
    depth: int = 1


_guard = threading.Lock()
_held: dict[int, _Held] = {}
_files: dict[tuple[int, int], int] = {}
"""Descriptors by device and inode. Never closed: closing one would drop the locks it holds."""


def _after_fork() -> None:
    # A child inherits descriptors but no locks, and threads that held the guard are gone.
    global _guard
    _guard = threading.Lock()
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@contextlib.contextmanager
def exclusive(store: Store, keys: Iterable[str]) -> Iterator[None]:
    """Hold the locks of these keys of a store against other threads and, of files, processes.

    On a store that is no local folder it holds them against the threads of this process only;
    there a conditional put keeps others apart, where the store has it. A thread that holds a
    key may take it again.

    Raises
    ------
    StoreError
        The file of the locks cannot be made or locked.
    """
    wanted = list(keys)
    root = store.capabilities.local_root
    with contextlib.ExitStack() as stack:
        stack.enter_context(locked(store, wanted))
        if root is not None and fcntl is not None:
            for place in sorted({_place(f"{root}/{key}") for key in wanted}):
                stack.enter_context(_locked_byte(place))
        yield


def lock_folder() -> str:
    """Return the folder of this user's locks: the setting, or a fixed place.

    Not ``$TMPDIR`` or ``$XDG_RUNTIME_DIR``: batch systems and desktops set them differently for
    each job and session, and processes must agree.
    """
    chosen = config.get("lock_folder")
    return str(chosen) if chosen else f"/tmp/anyzarr-{os.getuid()}"


def _place(path: str) -> int:
    folder, _, name = path.rpartition("/")
    real = f"{os.path.realpath(folder)}/{name}"
    digest = hashlib.blake2b(os.fsencode(real), digest_size=8).digest()
    return int.from_bytes(digest) >> 2


@contextlib.contextmanager
def _locked_byte(place: int) -> Iterator[None]:
    # Only the thread that holds the in-process lock of the same object comes here with a place.
    held = _held.get(place)
    if held is not None:
        held.depth += 1
    else:
        held = _held[place] = _Held(_acquire(place))
    try:
        yield
    finally:
        held.depth -= 1
        if held.depth == 0 and _held.get(place) is held:
            del _held[place]
            fcntl.lockf(held.fd, fcntl.LOCK_UN, 1, place)


def _acquire(place: int) -> int:
    while True:
        fd = _descriptor()
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX, 1, place)
        except OSError as error:
            # The kernel looks at processes, and sees a deadlock where other threads will go on.
            if error.errno != errno.EDEADLK:
                raise _unusable(lock_folder(), error.strerror or str(error)) from error
            time.sleep(_RETRY_SECONDS)
            continue
        if fd == _descriptor():
            return fd
        # Someone tidied the file away meanwhile: those who come now lock another one.
        fcntl.lockf(fd, fcntl.LOCK_UN, 1, place)


def _descriptor() -> int:
    """Return a descriptor of the lock file that is on disk now."""
    folder = lock_folder()
    path = f"{folder}/locks"
    with _guard:
        try:
            found = os.lstat(path)
            known = _files.get((found.st_dev, found.st_ino))
            if known is not None:
                return known
        except FileNotFoundError:
            pass
        fd = _open(folder, path)
        status = os.fstat(fd)
        return _files.setdefault((status.st_dev, status.st_ino), fd)


def _open(folder: str, path: str) -> int:
    try:
        with contextlib.suppress(FileExistsError):
            os.makedirs(folder, mode=0o700)  # noqa: PTH103
        status = os.lstat(folder)
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
            raise _unusable(folder, "it is not a folder of this user")
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        return os.open(path, flags, 0o600)
    except OSError as error:
        raise _unusable(folder, error.strerror or str(error)) from error


def _unusable(folder: str, reason: str) -> StoreError:
    return StoreError(
        f"the folder {folder!r}, whose locks keep processes apart that write to one dataset, "
        f"cannot be used: {reason}; name another with ANYZARR_LOCK_FOLDER, the same for all "
        "processes that write",
        kind="locks",
    )

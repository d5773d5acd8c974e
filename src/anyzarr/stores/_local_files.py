"""Files that appear whole or not at all when they are written, and are read at a place."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
import time
from collections.abc import Iterable
from typing import Final

from anyzarr._atomic import SET_ASIDE, STAGED

__all__ = [
    "TEMPORARY",
    "atomic_write",
    "atomic_write_parts",
    "create_file",
    "etag_of",
    "is_no_object",
    "is_temporary",
    "prune",
    "read_at",
    "write_all",
]

TEMPORARY: Final = re.compile(r"\.anyzarr-[0-9a-f]{16}\.tmp")
"""Names of objects being written; no key may end in one, and no listing shows them."""
_MAX_READ = 1 << 30


def is_temporary(name: str) -> bool:
    """Return whether a name is that of a file or folder being written, or being replaced."""
    return name.startswith(".") and any(p.fullmatch(name) for p in (TEMPORARY, STAGED, SET_ASIDE))


def read_at(fd: int, start: int, stop: int) -> bytes:
    """Return bytes ``[start, stop)`` of a file, fewer at its end, without moving its pointer."""
    data = os.pread(fd, min(stop - start, _MAX_READ), start)
    if len(data) == stop - start:
        return data
    parts = [data]
    position = start + len(data)
    while data and position < stop:
        data = os.pread(fd, min(stop - position, _MAX_READ), position)
        parts.append(data)
        position += len(data)
    return b"".join(parts)


def etag_of(status: os.stat_result) -> str:
    """Return a token that changes when the file is replaced."""
    return f"{status.st_mtime_ns:x}-{status.st_size:x}-{status.st_ino:x}"


def write_all(fd: int, value: bytes | memoryview) -> None:
    view = memoryview(value)
    while view:
        view = view[os.write(fd, view[:_MAX_READ]) :]


def atomic_write(path: str, value: bytes | memoryview, *, exclusive: bool = False) -> str:
    """Write a file so that it appears whole or not at all; return its ETag.

    The bytes go to a temporary file beside it, which is renamed over it. The temporary file
    is removed on any exception, ``KeyboardInterrupt`` included. Directories are created.

    Parameters
    ----------
    exclusive
        Raise ``FileExistsError`` if there is a file already, atomically against every process.
    """
    return atomic_write_parts(path, (value,), exclusive=exclusive)


def atomic_write_parts(
    path: str, parts: Iterable[bytes | memoryview], *, exclusive: bool = False
) -> str:
    """Do as :func:`atomic_write` with bytes that arrive in parts."""
    directory = os.path.dirname(path)  # noqa: PTH120 - keys are joined as strings
    temporary = f"{directory}/.anyzarr-{secrets.token_hex(8)}.tmp"
    fd = -1
    try:
        fd = create_file(directory, temporary)
        for part in parts:
            write_all(fd, part)
        # Set by hand: the clock behind a file's times ticks too slowly to tell two writes apart.
        now = time.time_ns()
        os.utime(fd, ns=(now, now))
        tag = etag_of(os.fstat(fd))
        closing, fd = fd, -1
        os.close(closing)
        if exclusive:
            _link(temporary, path)
        else:
            os.replace(temporary, path)  # noqa: PTH105
    except BaseException:
        if fd >= 0:
            os.close(fd)
        with contextlib.suppress(OSError):
            os.unlink(temporary)  # noqa: PTH108
        raise
    return tag


def create_file(directory: str, temporary: str) -> int:
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY
    # Another thread may remove an emptied directory between our two calls: then again.
    for _ in range(16):
        try:
            return os.open(temporary, flags, 0o666)
        except FileNotFoundError:
            os.makedirs(directory, exist_ok=True)  # noqa: PTH103
    return os.open(temporary, flags, 0o666)


def _link(temporary: str, path: str) -> None:
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}:
            raise
        # A file system without hard links: exact within this process, under the caller's lock.
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, "File exists", path) from None
        os.replace(temporary, path)  # noqa: PTH105
        return
    os.unlink(temporary)  # noqa: PTH108


def prune(root: str, key: str) -> None:
    """Remove the directories above a key that are empty now, the root excepted."""
    parent = key.rpartition("/")[0]
    while parent:
        try:
            os.rmdir(f"{root}/{parent}")  # noqa: PTH106
        except OSError:
            return
        parent = parent.rpartition("/")[0]


def is_no_object(path: str) -> bool:
    """Return whether a path is that of no file: absent, a directory, or below a file."""
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)  # noqa: PTH116
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False

"""What to do about an error of the operating system."""

from __future__ import annotations

import errno
import re
from typing import Final

__all__ = ["because", "error_number", "remedy"]

_DISK_FULL: Final = "free some space, or write elsewhere"
_PERMISSIONS: Final = "check the permissions of the directory and the file"
_IN_THE_WAY: Final = "a directory is in the way of a file: remove it, or choose another path"
_FILE_IN_THE_WAY: Final = "a file is in the way of a directory: remove it, or choose another path"
_REMEDIES: Final = {
    errno.ENOSPC: _DISK_FULL,
    errno.EDQUOT: f"the quota is used up: {_DISK_FULL}",
    errno.EFBIG: "files may not become that large here: raise the limit (ulimit -f), or write "
    "elsewhere, or in smaller chunks or shards",
    errno.EACCES: _PERMISSIONS,
    errno.EPERM: _PERMISSIONS,
    errno.EROFS: "the file system is mounted read-only: write elsewhere",
    errno.ENAMETOOLONG: "use shorter names",
    errno.EMFILE: "too many files are open: raise the limit (ulimit -n)",
    errno.ENFILE: "too many files are open on this machine: close some",
    errno.ENOTDIR: _FILE_IN_THE_WAY,
    errno.EEXIST: _FILE_IN_THE_WAY,
    errno.EISDIR: _IN_THE_WAY,
    errno.ENOTEMPTY: _IN_THE_WAY,
    errno.EIO: "the disk reported an error: check it",
    errno.ELOOP: "a symbolic link leads to itself: remove it",
}


def remedy(number: int | None, otherwise: str = "check the path") -> str:
    """Return what to do about an error number."""
    return _REMEDIES.get(number or 0, otherwise)


def error_number(text: str) -> int | None:
    """Return the error number that a library without an ``OSError`` of its own puts into words.

    As tensorstore does, and what is written in Rust.
    """
    found = re.search(r"os_error_code='(\d+)'|\(os error (\d+)\)", text)
    return int(found[1] or found[2]) if found else None


def because(error: OSError, otherwise: str = "check the path") -> str:
    """Return what the system said, and what to do about it."""
    reason = error.strerror or " ".join(str(error).split()) or type(error).__name__
    return f"{reason}; {remedy(error.errno, otherwise)}"

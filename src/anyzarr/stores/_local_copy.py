"""Copying files between local stores without taking their bytes through this process."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator

__all__ = ["copied_ranges"]

_RANGE_BYTES = 64 << 20
_NOT_HERE = frozenset(
    {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.ETXTBSY}
)
"""What the kernel says of files or file systems it cannot copy between."""


def copied_ranges(source: int, target: int, size: int) -> Iterator[int]:
    """Copy so many bytes of an open file to the end of another; yield the size of each part.

    If the file has fewer, those are copied.

    Where the file systems share blocks, none is copied. Where the kernel cannot copy between them,
    the bytes are read and written.
    """
    if sys.platform == "linux":  # for the type checker, too
        try:
            while size and (n := os.copy_file_range(source, target, min(size, _RANGE_BYTES))):
                size -= n
                yield n
            return
        except OSError as error:
            if error.errno not in _NOT_HERE:
                raise
    while part := os.read(source, min(size, 1 << 20)):
        size -= len(part)
        view = memoryview(part)
        while view:
            view = view[os.write(target, view) :]
        yield len(part)

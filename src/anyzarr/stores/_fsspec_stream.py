"""Writing one object of an fsspec file system from bytes that arrive in parts."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterable
from typing import Any, Final

__all__ = ["stream", "stream_beside"]

_LEAST_PART_BYTES: Final = 8 << 20
_MOST_PARTS: Final = 9000
"""Object stores take 10,000 parts of one upload."""


def stream(fs: Any, path: str, parts: Iterable[bytes], size_limit: int) -> None:
    """Write an object that appears when it is closed; on an exception it does not."""
    block = max(_LEAST_PART_BYTES, size_limit // _MOST_PARTS + 1)
    file = fs.open(path, "wb", block_size=block)
    try:
        for part in parts:
            file.write(part)
        file.close()
    except BaseException:
        with contextlib.suppress(Exception):
            file.discard()
        file.closed = True  # its finalizer would complete it otherwise
        raise


def stream_beside(fs: Any, path: str, parts: Iterable[bytes]) -> None:
    """Write a file under another name, which then becomes its name."""
    fs.makedirs(fs._parent(path), exist_ok=True)
    temporary = f"{path}.{secrets.token_hex(6)}.part"
    try:
        with fs.open(temporary, "wb") as file:
            for part in parts:
                file.write(part)
        if fs.exists(path):
            fs.rm_file(path)
        fs.mv(temporary, path)
    except BaseException:
        with contextlib.suppress(Exception):
            fs.rm_file(temporary)
        raise

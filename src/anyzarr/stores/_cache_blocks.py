"""Where a cache keeps what it read: blocks of objects, in memory or in a directory.

A block is named by its object, the object's ETag and its number, so a block never changes. In a
directory each is one file that appears whole, with a checksum, so several processes can share
it and a crash leaves nothing that is taken for data.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import threading
import warnings
import zlib
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

__all__ = ["BLOCK_BYTES", "Blocks", "DiskBlocks", "MemoryBlocks"]

BLOCK_BYTES: Final = 128 << 10
"""Bytes of a block; the last of an object may be shorter."""

_CHECKSUM_BYTES: Final = 4
_SWEEP_SHARE: Final = 10
_LAYOUT: Final = "anyzarr-cache-1"


class Blocks(Protocol):
    """Blocks by name; what is put may be gone later."""

    def get(self, name: str) -> bytes | None:
        """Return a block, or None."""
        ...

    def put(self, name: str, block: bytes) -> None:
        """Keep a block."""
        ...


class MemoryBlocks:
    """Blocks in memory, the most recently used ones.

    Parameters
    ----------
    max_bytes
        Bound on what they take together.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._blocks: OrderedDict[str, bytes] = OrderedDict()
        self._n_bytes = 0

    def get(self, name: str) -> bytes | None:
        """Return a block, or None."""
        with self._lock:
            block = self._blocks.get(name)
            if block is not None:
                self._blocks.move_to_end(name)
            return block

    def put(self, name: str, block: bytes) -> None:
        """Keep a block; drop those that were not used for longest."""
        if len(block) > self._max_bytes:
            return
        with self._lock:
            self._n_bytes += len(block) - len(self._blocks.pop(name, b""))
            self._blocks[name] = block
            while self._n_bytes > self._max_bytes:
                _, dropped = self._blocks.popitem(last=False)
                self._n_bytes -= len(dropped)


class DiskBlocks:
    """Blocks as files of a directory that several processes may share.

    Parameters
    ----------
    directory
        Where they are; made if it is not there.
    max_bytes
        About how much they take together. Those that were read or written longest ago are
        removed; nothing else in the directory is touched.
    """

    def __init__(self, directory: str, max_bytes: int) -> None:
        self._root = Path(directory) / _LAYOUT
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._since_sweep = 0
        self._has_warned = False

    def get(self, name: str) -> bytes | None:
        """Return a block, or None; a damaged one counts as not there."""
        path = self._path(name)
        try:
            data = path.read_bytes()
        except OSError:
            return None
        block, checksum = data[:-_CHECKSUM_BYTES], data[-_CHECKSUM_BYTES:]
        if checksum != _checksum(block):
            with suppress(OSError):
                path.unlink()
            return None
        with suppress(OSError):
            os.utime(path)
        return block

    def put(self, name: str, block: bytes) -> None:
        """Keep a block. A disk that is full or cannot be written is warned of once."""
        path = self._path(name)
        part = path.with_name(f"{path.name}.{secrets.token_hex(6)}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(block + _checksum(block))
            part.replace(path)
        except OSError as error:
            with suppress(OSError):
                part.unlink()
            self._warn(error)
            return
        self._account(len(block))

    def _path(self, name: str) -> Path:
        digest = hashlib.sha256(name.encode()).hexdigest()
        return self._root / digest[:2] / digest[2:40]

    def _warn(self, error: OSError) -> None:
        if not self._has_warned:
            self._has_warned = True
            warnings.warn(
                f"the cache {str(self._root.parent)!r} cannot be written ({error}); reading goes "
                "on without it",
                RuntimeWarning,
                stacklevel=2,
            )

    def _account(self, n_bytes: int) -> None:
        with self._lock:
            self._since_sweep += n_bytes
            if self._since_sweep * _SWEEP_SHARE < self._max_bytes:
                return
            self._since_sweep = 0
        self._sweep()

    def _sweep(self) -> None:
        """Remove the blocks used longest ago, until a tenth is free again."""
        found: list[tuple[float, int, str]] = []
        for folder, _, names in os.walk(self._root):
            for name in names:
                path = os.path.join(folder, name)  # noqa: PTH118 - a hundred thousand of them
                with suppress(OSError):
                    status = os.stat(path)  # noqa: PTH116
                    found.append((status.st_mtime, status.st_size, path))
        total = sum(size for _, size, _ in found)
        room = self._max_bytes - self._max_bytes // _SWEEP_SHARE
        for _, size, path in sorted(found):
            if total <= room:
                return
            with suppress(OSError):
                os.unlink(path)  # noqa: PTH108
            total -= size


def _checksum(block: bytes) -> bytes:
    return zlib.crc32(block).to_bytes(_CHECKSUM_BYTES, "little")

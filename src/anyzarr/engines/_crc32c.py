"""CRC-32C (Castagnoli, RFC 3720 appendix B.4) of a shard index.

``google_crc32c`` is used where it is installed (zarr-python depends on it). The fallback is
a plain table: about 60 ns per byte, 4 ms for the index of a shard of 4096 subchunks, and no
dependency. Chunk data never comes here; checksums of chunks are the engines' work.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

__all__ = ["crc32c", "crc32c_python"]

_POLYNOMIAL = 0x82F63B78


@functools.cache
def _table() -> tuple[int, ...]:
    def entry(byte: int) -> int:
        for _ in range(8):
            byte = (byte >> 1) ^ (_POLYNOMIAL if byte & 1 else 0)
        return byte

    return tuple(map(entry, range(256)))


def crc32c_python(data: bytes) -> int:
    """Return the CRC-32C of ``data``, computed in Python.

    Examples
    --------
    >>> from anyzarr.engines._crc32c import crc32c_python
    >>> hex(crc32c_python(b"123456789"))
    '0xe3069283'
    """
    table, crc = _table(), 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


@functools.cache
def _implementation() -> Callable[[bytes], int]:
    try:
        from google_crc32c import value
    except ImportError:
        return crc32c_python
    return value  # type: ignore[no-any-return]  # untyped package


def crc32c(data: bytes) -> int:
    """Return the CRC-32C of ``data`` by the fastest implementation installed."""
    return _implementation()(data)

"""The stream of LZ4 blocks that lz4-java writes, and N5 with it.

Each block has a header of 21 bytes: ``LZ4Block``, a token (kind in its high bits, the largest
size of a block in its low ones), stored and decoded size and 28 bits of the XXH32 of what it
decodes to, little-endian. One that decodes to nothing is the last.
Sources: ``LZ4BlockOutputStream`` of lz4-java; the specification of xxHash, version 0.1.1.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["decode_lz4_blocks", "xxh32"]

_HEADER = struct.Struct("<8sB3I")
_MAGIC = b"LZ4Block"
_RAW, _COMPRESSED = 0x10, 0x20
_SMALLEST_BITS = 10  # of the size of blocks, for a token of 0
_SEED = 0x9747B28C
_CHECKED = (1 << 28) - 1  # the bits of a hash that are stored

_P1, _P2, _P3, _P4, _P5 = 0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D, 0x27D4EB2F, 0x165667B1
_MASK = 0xFFFFFFFF
_STRIPE = 16


@dataclass(frozen=True, slots=True)
class _Block:
    """A block as it is stored."""

    data: memoryview
    n_bytes: int
    checksum: int
    is_raw: bool


def decode_lz4_blocks(
    data: bytes, size: int, decode_block: Callable[[memoryview, int], bytes]
) -> bytes:
    """Return what a stream of blocks decodes to.

    Parameters
    ----------
    data
        The stream.
    size
        The most bytes that it may decode to.
    decode_block
        Decodes an LZ4 block without a header to so many bytes.

    Raises
    ------
    ValueError
        It is cut off, is no such stream, is larger, or a checksum differs.
    """
    blocks = list(_blocks(data, size))
    decoded = [
        bytes(block.data) if block.is_raw else decode_block(block.data, block.n_bytes)
        for block in blocks
    ]
    for number, (block, found) in enumerate(zip(blocks, xxh32(decoded, _SEED), strict=True)):
        if found & _CHECKED != block.checksum:
            raise ValueError(
                f"the checksum of its LZ4 block {number} is {found & _CHECKED:#x}, and should be "
                f"{block.checksum:#x}"
            )
    return b"".join(decoded)


def _blocks(data: bytes, size: int) -> Iterator[_Block]:
    view = memoryview(data)
    at = total = 0
    while at < len(view):
        if len(view) - at < _HEADER.size:
            raise ValueError(f"it ends inside the header of an LZ4 block, at byte {at}")
        magic, token, stored, n_bytes, checksum = _HEADER.unpack_from(view, at)
        at += _HEADER.size
        kind, most = token & 0xF0, 1 << (_SMALLEST_BITS + (token & 0xF))
        if magic != _MAGIC or kind not in (_RAW, _COMPRESSED) or n_bytes > most:
            raise ValueError(f"there is no LZ4 block at byte {at - _HEADER.size}")
        if n_bytes == 0:
            return
        total += n_bytes
        if stored > len(view) - at or total > size or (kind == _RAW and stored != n_bytes):
            raise ValueError(
                f"an LZ4 block of {stored} bytes is to become {n_bytes}, where {len(view) - at} "
                f"are there and all are to become {size}"
            )
        yield _Block(view[at : at + stored], n_bytes, checksum, kind == _RAW)
        at += stored


def xxh32(parts: Sequence[bytes], seed: int) -> list[int]:
    """Return the XXH32 of each of some byte strings; those of one length are hashed at once.

    Examples
    --------
    >>> from anyzarr.readers._lz4_block import xxh32
    >>> [hex(value) for value in xxh32([b"", b"abc"], 0)]
    ['0x2cc5d05', '0x32d153ff']
    """
    result = [0] * len(parts)
    by_length: dict[int, list[int]] = {}
    for i, part in enumerate(parts):
        by_length.setdefault(len(part), []).append(i)
    for length, indices in by_length.items():
        whole = length // _STRIPE * _STRIPE
        lanes = _lanes([parts[i][:whole] for i in indices], seed)
        for i, state in zip(indices, lanes, strict=True):
            result[i] = _finished(state + length & _MASK, parts[i][whole:])
    return result


def _lanes(parts: Sequence[bytes], seed: int) -> list[int]:
    """Return the states after whole stripes.

    The four accumulators of all parts are 64 bits apart in one integer, so that an operation is on
    all of them: none outgrows its 64 bits before it is cut to 32.
    """
    if not parts[0]:
        return [seed + _P5 & _MASK] * len(parts)
    words = np.stack([np.frombuffer(part, "<u4").reshape(-1, 4) for part in parts], 1)
    added = (words.astype("<u8") * np.uint64(_P2) & np.uint64(_MASK)).tobytes()
    n_bytes = 8 * 4 * len(parts)
    starts = [seed + _P1 + _P2, seed + _P2, seed, seed - _P1]
    every = int.from_bytes(np.full(n_bytes // 8, _MASK, "<u8").tobytes(), "little")
    first = np.array([start & _MASK for start in starts] * len(parts), "<u8")
    state = int.from_bytes(first.tobytes(), "little")
    for at in range(0, len(added), n_bytes):
        state = (state + int.from_bytes(added[at : at + n_bytes], "little")) & every
        state <<= 13
        state = (((state & every) | ((state >> 32) & every)) * _P1) & every
    values = np.frombuffer(state.to_bytes(n_bytes, "little"), "<u8").reshape(-1, 4).tolist()
    turns = (1, 7, 12, 18)
    return [sum(map(_turned, lane, turns)) & _MASK for lane in values]


def _finished(state: int, tail: bytes) -> int:
    """Return the hash: the rest of the bytes mixed in, and every bit with every other."""
    n_words = len(tail) // 4
    for word in struct.unpack_from(f"<{n_words}I", tail):
        state = _turned(state + word * _P3 & _MASK, 17) * _P4 & _MASK
    for byte in tail[4 * n_words :]:
        state = _turned(state + byte * _P5 & _MASK, 11) * _P1 & _MASK
    state = (state ^ state >> 15) * _P2 & _MASK
    state = (state ^ state >> 13) * _P3 & _MASK
    return state ^ state >> 16


def _turned(value: int, bits: int) -> int:
    return (value << bits | value >> 32 - bits) & _MASK

"""Writes CZI files by their published layout: what pylibCZIrw cannot, pyramids and JPEG XR."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt

_PIXEL_TYPES = {
    ("u1", 1): 0, ("u2", 1): 1, ("f4", 1): 2, ("u1", 3): 3, ("u2", 3): 4, ("u1", 4): 9,
}  # fmt: skip
_JPEG, _JPEG_XR, _ZSTD, _ZSTD_WITH_HEADER = 1, 4, 5, 6
_CODES = {"none": 0, "jpeg": _JPEG, "jpegxr": _JPEG_XR, "zstd0": _ZSTD, "zstd1": _ZSTD_WITH_HEADER}
_HEADER_BYTES, _ALIGNED = 32, 32
_RGB_24 = bytes.fromhex("24C3DD6F034EFE4BB1853D77768DC90D")  # name of the format


@dataclass(frozen=True)
class Tile:
    """A tile: pixels of shape (Y, X) or (Y, X, samples), blue first, and where they lie.

    Attributes
    ----------
    at
        Its coordinates: ``X``, ``Y``, ``M`` and the others of the file.
    zoom
        Pixels of the file's coordinates for each of its own, along X and along Y.
    pyramid
        0 for none, 1 for a single tile, 2 for one of several.
    """

    pixels: npt.NDArray[Any]
    at: Mapping[str, int] = field(default_factory=dict)
    compression: str = "none"
    zoom: float = 1
    pyramid: int = 0


def write_czi(path: Path, tiles: Sequence[Tile], xml: str = "<ImageDocument />") -> None:
    """Write a file of tiles, in the order they are given."""
    file = bytearray(_segment("ZISRAWFILE", bytes(512)))
    entries = []
    for tile in tiles:
        entries.append(_entry(tile, len(file)))
        head = struct.pack("<iiq", 0, 0, len(data := _encoded(tile))) + entries[-1]
        file += _segment("ZISRAWSUBBLOCK", head.ljust(256, b"\0") + data)
    directory = len(file)
    listed = struct.pack("<i", len(entries)).ljust(128, b"\0") + b"".join(entries)
    file += _segment("ZISRAWDIRECTORY", listed)
    metadata = len(file)
    text = xml.encode()
    file += _segment("ZISRAWMETADATA", struct.pack("<ii", len(text), 0).ljust(256, b"\0") + text)
    struct.pack_into(
        "<iiii16s16siqqiq",
        file, _HEADER_BYTES, 1, 0, 0, 0, bytes(range(16)), bytes(range(16)), 0, directory, metadata,
        0, 0,
    )  # fmt: skip
    path.write_bytes(file)


def _segment(name: str, content: bytes) -> bytes:
    padded = content + bytes(-len(content) % _ALIGNED)
    return struct.pack("<16sqq", name.encode(), len(padded), len(content)) + padded


def _entry(tile: Tile, at: int) -> bytes:
    height, width = tile.pixels.shape[:2]
    samples = tile.pixels.shape[2] if tile.pixels.ndim == 3 else 1
    kind = _PIXEL_TYPES[tile.pixels.dtype.str[1:], samples]
    stored = {"X": width, "Y": height}
    names = ["X", "Y", *(name for name in tile.at if name not in "XY")]
    head = struct.pack(
        "<2siqiiB5si", b"DV", kind, at, 0, _CODES[tile.compression], tile.pyramid, b"", len(names)
    )
    for name in names:
        n = stored.get(name, 1)
        zoom = tile.zoom if name in "XY" else 1
        head += struct.pack("<4siifi", name.encode(), tile.at.get(name, 0), round(n * zoom), 0.0, n)
    return head


def _encoded(tile: Tile) -> bytes:
    pixels = np.ascontiguousarray(tile.pixels)
    if tile.compression == "jpegxr":
        return _jpegxr(pixels)
    if tile.compression == "jpeg":
        return bytes(imagecodecs.jpeg_encode(np.ascontiguousarray(pixels[..., ::-1]), level=95))
    raw = pixels.tobytes()
    if tile.compression == "zstd0":
        return bytes(imagecodecs.zstd_encode(raw))
    if tile.compression == "zstd1":
        is_split = pixels.dtype.itemsize == 2
        if is_split:  # low bytes, then high ones
            raw = pixels.view("u1").reshape(-1, 2).T.tobytes()
        return bytes((3, 1, is_split)) + bytes(imagecodecs.zstd_encode(raw))
    return raw


def _jpegxr(pixels: npt.NDArray[Any]) -> bytes:
    """Return pixels without loss, in the formats that ZEN writes: 24 bits have blue first."""
    rgb = pixels[..., ::-1] if pixels.ndim == 3 else pixels
    data = bytearray(imagecodecs.jpegxr_encode(np.ascontiguousarray(rgb), level=1.0))
    if _RGB_24 in data:
        data[data.index(_RGB_24) + 15] = 0x0C
    return bytes(data)

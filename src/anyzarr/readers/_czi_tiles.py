"""How the tiles of CZI files make planes, images and channels."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from anyzarr.errors import UnsupportedError
from anyzarr.ome import Channel
from anyzarr.readers._calibration import rgb_channels

__all__ = [
    "MERGED",
    "area_of",
    "channels_of",
    "images_apart",
    "overlaps",
    "planes_of",
    "with_stored_pixels",
]

MERGED = "RIHS"
"""Dimensions that are run together with the channels: rotation, illumination, phase, samples."""

_APART = "BV"
_WORDS = {"B": "block", "V": "view", "R": "rotation", "I": "illumination", "H": "phase"}


def images_apart(image: Any) -> Iterator[tuple[Any, str]]:
    """Return an image for each view and block of a ``czifile.CziImage``, and what it is called."""
    sizes = dict(image.sizes)
    apart = [name for name in _APART if sizes.get(name, 1) > 1]
    if not apart:
        yield image, ""
        return
    starts = (dict(zip(tile.dims, tile.start, strict=True)) for tile in image.directory_entries)
    for place in sorted({tuple(start.get(name, 0) for name in apart) for start in starts}):
        known = dict(zip(apart, place, strict=True))
        yield image(**known), " ".join(f"{_WORDS[name]} {i}" for name, i in known.items())


def channels_of(image: Any, found: tuple[Channel, ...] | None) -> tuple[Channel, ...] | None:
    """Return the channels of an image with those of a file: in its order, with all merged in it."""
    sizes = dict(image.sizes)
    merged = [name for name in image.dims if name in f"C{MERGED}" and sizes[name] > 1]
    if not set(merged) & set(MERGED):
        return found
    if merged == ["S"]:
        return rgb_channels(sizes["S"])
    is_known = found is not None and len(found) == sizes.get("C", 1)
    result = []
    for index in itertools.product(*(range(sizes[name]) for name in merged)):
        at = dict(zip(merged, index, strict=True))
        number = at.get("C", 0)
        channel = found[number] if found and is_known else Channel(str(number))
        words = [channel.label or str(number)]
        words += [f"{_WORDS[name]} {at[name]}" for name in MERGED if name in at and name != "S"]
        if "S" in at:
            sample = rgb_channels(sizes["S"])[at["S"]]
            words.append(sample.label or "")
            channel = replace(sample, window=None)
        result.append(replace(channel, label=" ".join(words)))
    return tuple(result)


def with_stored_pixels(image: Any) -> tuple[Any, tuple[float, float], list[str]]:
    """Return an image with its pixels as they are stored, how many to one, and what is to be said.

    Tiles of several resolutions are brought to that of their coordinates.
    """
    ratios = {
        tuple(tile.stored_shape[i] / max(1, tile.shape[i]) for i in map(tile.dims.index, "XY"))
        for tile in image.directory_entries
    }
    if ratios == {(1.0, 1.0)}:
        return image, (1.0, 1.0), []
    if len(ratios) > 1:
        return image, (1.0, 1.0), [
            "tiles are of several resolutions, and all are brought to that of the coordinates"
        ]  # fmt: skip
    x, y = ratios.pop()
    return image(storedsize=True), (x, y), []


def planes_of(image: Any, path: Path) -> dict[tuple[int, ...], tuple[Any, ...]]:
    """Return the tiles of each plane of an image by its coordinates, the lowest of them first."""
    found: dict[tuple[int, ...], list[Any]] = defaultdict(list)
    names = [name for name in image.dims if name not in "YXS"]
    for tile in image.directory_entries:
        start = dict(zip(tile.dims, tile.start, strict=True))
        shape = dict(zip(tile.dims, tile.shape, strict=True))
        if any(shape.get(name, 1) != 1 for name in names):
            raise UnsupportedError(
                f"{str(path)!r} holds line scans or spectra (tiles of shape {tile.shape} along "
                f"{tile.dims}), and not planes; export it with the program that wrote it"
            )
        if tile.file_part != 0:
            raise UnsupportedError(
                f"{str(path)!r} is one of several files of an image; save it as one in ZEN"
            )
        found[tuple(start.get(name, 0) for name in names)].append(tile)
    return {key: tuple(tiles) for key, tiles in found.items()}


def area_of(
    x: slice, y: slice, zoom: tuple[float, float]
) -> tuple[tuple[int, int, int, int], tuple[slice, slice]]:
    """Return the area of tiles' coordinates that covers stored pixels, and where they are in it."""
    starts, sizes, inner = [], [], []
    for part, factor in zip((x, y), zoom, strict=True):
        first = math.floor(part.start / factor)
        last = math.ceil(part.stop / factor)
        if factor != 1:
            last += math.ceil(1 / factor)  # as starts and sizes are rounded
        starts.append(first)
        sizes.append(last - first)
        offset = part.start - round(first * factor)
        inner.append(slice(offset, offset + part.stop - part.start))
    return (starts[0], starts[1], sizes[0], sizes[1]), (inner[1], inner[0])


def overlaps(tile: Any, roi: tuple[int, int, int, int]) -> bool:
    """Return whether a tile has part in an area of (X, Y, width, height)."""
    x, y = tile.dims.index("X"), tile.dims.index("Y")
    return bool(
        tile.start[x] < roi[0] + roi[2]
        and roi[0] < tile.start[x] + tile.shape[x]
        and tile.start[y] < roi[1] + roi[3]
        and roi[1] < tile.start[y] + tile.shape[y]
    )

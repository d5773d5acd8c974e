"""Leica LIF and LOF files: each image, or each tile of one, an image."""

from __future__ import annotations

import itertools
import struct
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr._optional import require
from anyzarr._pyramid import Region
from anyzarr.errors import UnsupportedError
from anyzarr.ome import Channel
from anyzarr.readers._axis_map import AxisMap, map_given, map_named
from anyzarr.readers._calibration import Calibration, add_size, described, rgb_channels
from anyzarr.readers._damage import errors_named, unreadable
from anyzarr.readers._image_list import ImageList
from anyzarr.readers._source import ImageSource, ReaderKind, SourceImage
from anyzarr.readers._well_names import spots_of_names

__all__ = ["LIF", "open_lif"]

_COLORS = {
    "red": "FF0000", "green": "00FF00", "blue": "0000FF", "cyan": "00FFFF", "magenta": "FF00FF",
    "yellow": "FFFF00", "gray": "FFFFFF", "grey": "FFFFFF",
}  # fmt: skip
_TAGS = {1: "Red", 2: "Green", 3: "Blue"}


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the elements of an image lie in the file.

    Attributes
    ----------
    path
        The file.
    offset
        Of the first element of the first channel.
    dtype
        Of elements.
    channels
        Offset of each channel from the first.
    names, sizes, steps
        Of the other axes: a letter, the length, and the bytes from one element to the next.
    """

    path: Path
    offset: int
    dtype: np.dtype[Any]
    channels: tuple[int, ...]
    names: str
    sizes: tuple[int, ...]
    steps: tuple[int, ...]

    @property
    def n_bytes(self) -> int:
        """From the first element to behind the last."""
        last = sum((n - 1) * step for n, step in zip(self.sizes, self.steps, strict=True))
        return max(self.channels) + last + self.dtype.itemsize

    def at(self, name: str, index: int) -> _Layout:
        """Return the part with one index along an axis, which stays as one of length 1."""
        i = self.names.index(name)
        sizes = (*self.sizes[:i], 1, *self.sizes[i + 1 :])
        return replace(self, offset=self.offset + index * self.steps[i], sizes=sizes)

    def read(self, region: Region) -> npt.NDArray[Any]:
        """Return a region; its first axis are the channels."""
        out = np.empty([s.stop - s.start for s in region], self.dtype)
        # Read in one go: the two axes whose elements lie closest to each other.
        outer = sorted(range(len(self.steps)), key=lambda i: -self.steps[i])[:-2]
        with self.path.open("rb", buffering=0) as file:
            for c in range(region[0].start, region[0].stop):
                ranges = (range(region[i + 1].start, region[i + 1].stop) for i in outer)
                for index in itertools.product(*ranges):
                    place: list[Any] = [slice(None)] * len(self.sizes)
                    part = list(region[1:])
                    for i, k in zip(outer, index, strict=True):
                        place[i] = slice(k - part[i].start, k - part[i].start + 1)
                        part[i] = slice(k, k + 1)
                    first = self.offset + self.channels[c]
                    out[(c - region[0].start, *place)] = self._block(file, first, part)
        return out

    def _block(self, file: Any, first: int, part: Sequence[slice]) -> npt.NDArray[Any]:
        """Read what lies from the first to the last element, and take those that are wanted."""
        lengths = [s.stop - s.start for s in part]
        pairs = list(zip(lengths, self.steps, strict=True))
        start = first + sum(s.start * step for s, step in zip(part, self.steps, strict=True))
        size = sum((n - 1) * step for n, step in pairs) + self.dtype.itemsize
        file.seek(start)
        data = bytearray()
        while len(data) < size:
            more = file.read(size - len(data))
            if not more:
                raise _broken(self.path, f"it ends {size - len(data)} bytes too early")
            data += more
        strides = [step for _, step in pairs]
        return np.ndarray(lengths, self.dtype, bytes(data), strides=strides)


@dataclass(frozen=True, slots=True)
class _Image:
    """An image, or a tile of one."""

    layout: _Layout
    axis_map: AxisMap
    description: SourceImage

    def read(self, region: Region) -> npt.NDArray[Any]:
        """Return the elements of a region, in the order of the image's axes."""
        return self.axis_map.read(region, self.layout.read, self.description.dtype)


def open_lif(path: Path, *, axes: str | None = None) -> ImageSource:
    """Open the images of a LIF or LOF file; each tile of a mosaic is an image of its own.

    Parameters
    ----------
    path
        The file.
    axes
        Names of the axes that are longer than 1, channels first and then slowest first, where those
        of the file have no counterpart (wavelengths, rotations), or are not to be what they are.

    Raises
    ------
    CorruptDataError
        It is no such file, or is cut off.
    UnsupportedError
        It holds nothing of which an image can be made.
    MetadataError
        The axes do not fit.
    MissingDependencyError
        liffile is not installed.
    """
    liffile = require("liffile", extra="lif", purpose="Reading LIF files")
    with _errors_named(path):
        opened = liffile.LifFile(path, squeeze=False)
    with _errors_named(path), opened:
        text = opened.xml_header()
        held = list(opened.images)
        plain = [image for image in held if not image.is_flim]
        images = [one for image in plain for one in _tiles(image, path, axes)]
    spots = spots_of_names([image.description.name for image in images])
    images = [
        replace(image, description=replace(image.description, spot=spot))
        for image, spot in zip(images, spots, strict=True)
    ]
    if not images:
        raise UnsupportedError(
            f"{str(path)!r} holds no image of intensities ({len(held)} of lifetimes); export one "
            "in LAS X"
        )
    if len(plain) < len(held):
        note = f"{len(held) - len(plain)} images of lifetimes (FLIM) are left out"
        first = images[0]
        notes = (*first.description.warnings, note)
        images[0] = replace(first, description=replace(first.description, warnings=notes))
    return ImageList(images, (path,), {"OME/METADATA.lif.xml": text.encode()})


def _tiles(image: Any, path: Path, axes: str | None) -> Iterator[_Image]:
    layout = _layout(image, path)
    calibration = replace(_calibration(image), name=image.path or image.name)
    if "M" not in layout.names or layout.sizes[layout.names.index("M")] == 1:
        yield _image(layout, calibration, axes)
        return
    tiles = () if image.tilescan is None else image.tilescan.tiles
    for number in range(layout.sizes[layout.names.index("M")]):
        origin = dict(calibration.origin)
        if number < len(tiles):
            place = zip("YX", _position(tiles[number]), strict=True)
            origin |= {letter: 1e6 * value for letter, value in place}
        name = f"{calibration.name} tile {number}"
        yield _image(layout.at("M", number), replace(calibration, name=name, origin=origin), axes)


def _position(tile: Any) -> tuple[float, float]:
    return float(tile["pos_y"]), float(tile["pos_x"])


def _image(layout: _Layout, calibration: Calibration, axes: str | None) -> _Image:
    shape = (len(layout.channels), *layout.sizes)
    if axes is not None:
        axis_map = map_given(axes, shape)
    else:
        named = any(channel.label for channel in calibration.channels or ())
        axis_map = map_named("c" + layout.names, shape, keep="cyx" if named else "yx")
    return _Image(layout, axis_map, described(axis_map, layout.dtype, calibration))


def _layout(image: Any, path: Path) -> _Layout:
    block = image.memory_block
    dimensions = image._dimensions
    channels = [stored for stored, _ in _ordered(image)]
    if not channels or not dimensions:
        raise ValueError(f"its image {image.path!r} has no channel or no dimension")
    layout = _Layout(
        path,
        int(block.offset),
        np.dtype(image.dtype),
        tuple(channel.bytes_inc for channel in channels),
        "".join(dimension.label for dimension in dimensions),
        tuple(dimension.number_elements for dimension in dimensions),
        tuple(dimension.bytes_inc for dimension in dimensions),
    )
    if len(layout.names) != len(layout.sizes) or min(layout.sizes) < 1 or min(layout.steps) < 0:
        raise ValueError(
            f"its image {image.path!r} has the axes {layout.names!r} of {layout.sizes} elements"
        )
    if block.offset < 0 or layout.n_bytes > block.size:
        raise ValueError(
            f"its image {image.path!r} needs {layout.n_bytes} bytes, and {block.size} are there; "
            "other images of the file can be chosen with series= in a copy without it"
        )
    if block.offset + layout.n_bytes > path.stat().st_size:
        raise ValueError(f"it ends before the pixels of its image {image.path!r}")
    return layout


def _calibration(image: Any) -> Calibration:
    sizes: dict[str, tuple[float, str | None]] = {}
    for dimension in image._dimensions:
        if dimension.number_elements < 2:
            continue
        step = abs(dimension.length) / (dimension.number_elements - 1)
        if dimension.label in "XYZ" and dimension.unit == "m":
            add_size(sizes, dimension.label, float(f"{step * 1e6:.12g}"), "micrometer")
        elif dimension.label == "T" and dimension.unit == "s":
            add_size(sizes, "T", step, "second")
    channels = tuple(channel for _, channel in _ordered(image))
    return Calibration(None, sizes, channels, channels == rgb_channels(3))


def _are_colours(channels: Sequence[Any], step: int) -> bool:
    """Return whether channels are the samples of colours: red, green and blue side by side."""
    return {one.channel_tag for one in channels} == {1, 2, 3} and all(
        one.bytes_inc < step for one in channels
    )


def _ordered(image: Any) -> list[tuple[Any, Channel]]:
    """Return the channels as they are stored and as they are called, red first."""
    stored = list(image._channels)
    step = min((d.bytes_inc for d in image._dimensions if d.number_elements > 1), default=0)
    if _are_colours(stored, step):
        stored.sort(key=lambda one: one.channel_tag)
        return list(zip(stored, rgb_channels(3), strict=True))
    # Since liffile 2026.4.11, which knows more places where names are kept.
    names = getattr(image, "_channel_names", None) or _dyes(image)
    return [
        (one, _channel(one, None if name == f"Ch{i}" else name))
        for i, (one, name) in enumerate(zip(stored, names, strict=True))
    ]


def _dyes(image: Any) -> list[str]:
    """Return the name of each channel's dye, or ``Ch0``, ``Ch1``, … ."""
    path = "./Data/Image/ImageDescription/Channels/ChannelDescription"
    found = sorted(image.xml_element.findall(path), key=lambda one: int(one.get("BytesInc")))
    dyes = [one.findtext("ChannelProperty[Key='DyeName']/Value") for one in found]
    return [dye.removeprefix("Leica/") if dye else f"Ch{i}" for i, dye in enumerate(dyes)]


def _channel(stored: Any, name: str | None) -> Channel:
    tag = _TAGS.get(stored.channel_tag, "")
    color = _COLORS.get(stored.lut_name.strip().lower()) or _COLORS.get(tag.lower())
    return Channel(name or tag or None, color)


_BROKEN = (
    ValueError, TypeError, KeyError, IndexError, EOFError, AssertionError,
    struct.error, ElementTree.ParseError, UnicodeError, OSError, ArithmeticError,
)  # fmt: skip
_errors_named = partial(errors_named, what="LIF", errors=_BROKEN)
_broken = partial(unreadable, what="LIF")

LIF = ReaderKind("LIF", (".lif", ".lof"), (), open_lif)
"""The format, for the registry."""

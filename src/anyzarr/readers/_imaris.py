"""Imaris files (``.ims``), which are HDF5: time points and channels, each a volume."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr._pyramid import Region
from anyzarr.errors import CorruptDataError, MetadataError
from anyzarr.ome import Channel, Window
from anyzarr.readers._axis_map import AxisMap, map_named
from anyzarr.readers._calibration import Calibration, add_size, described, length_unit
from anyzarr.readers._hdf5_file import read_part, require_readable
from anyzarr.readers._image_list import ImageList
from anyzarr.readers._source import ImageSource, SourceImage

__all__ = ["is_imaris", "open_imaris"]

_INFO = "DataSetInfo"
_FINEST = "DataSet/ResolutionLevel 0"


def is_imaris(root: Any) -> bool:
    """Return whether an HDF5 file was written by Imaris."""
    return _INFO in root and _FINEST in root


@dataclass(frozen=True, slots=True)
class _Volumes:
    """The volumes of the finest level as an image of time, channel and space.

    Attributes
    ----------
    data
        Data sets by time point and channel; they may be larger than the image.
    """

    data: Mapping[tuple[int, int], Any]
    path: Path
    axis_map: AxisMap
    description: SourceImage

    def read(self, region: Region) -> npt.NDArray[Any]:
        """Return the elements of a region, in the order of the image's axes."""
        return self.axis_map.read(region, self._stored, self.description.dtype)

    def _stored(self, region: Region) -> npt.NDArray[Any]:
        times, channels, *space = region
        out = np.empty([s.stop - s.start for s in region], self.description.dtype)
        steps = itertools.product(
            range(times.start, times.stop), range(channels.start, channels.stop)
        )
        for t, c in steps:
            part = read_part(self.data[t, c], tuple(space), self.path)
            out[t - times.start, c - channels.start] = part
        return out


def open_imaris(root: Any, path: Path, *, axes: str | None = None) -> ImageSource:
    """Open the image of an Imaris file.

    Parameters
    ----------
    root
        The file, open.
    path
        Its path.
    axes
        Must be None: the file names its axes.

    Raises
    ------
    CorruptDataError
        Something that the file tells of is not in it.
    MetadataError
        Axes were named.
    """
    if axes is not None:
        raise MetadataError(f"axes={axes!r}: {str(path)!r} names its axes itself; leave it out")
    info = _texts(root[_INFO + "/Image"])
    space = tuple(_length(info, letter, path) for letter in "ZYX")
    n_times = _count(root[_FINEST], "TimePoint ")
    n_channels = _count(root[f"{_FINEST}/TimePoint 0"], "Channel ") if n_times else 0
    data = {
        (t, c): _volume(root, f"{_FINEST}/TimePoint {t}/Channel {c}/Data", space, path)
        for t in range(n_times)
        for c in range(n_channels)
    }
    if not data:
        raise CorruptDataError(
            f"{str(path)!r} holds no time point or no channel; export it again", key=str(path)
        )
    channels = [_texts(root.get(f"{_INFO}/Channel {c}")) for c in range(n_channels)]
    calibration = _calibration(info, channels, space, _times(root))
    axis_map = map_named("tczyx", (n_times, n_channels, *space), keep="czyx")
    kept = {"imaris": {"image": info, "channels": channels}}
    image = described(axis_map, data[0, 0].dtype, calibration, attributes=kept)
    return ImageList([_Volumes(data, path, axis_map, image)], (path,), {}, root.close)


def _volume(root: Any, name: str, space: tuple[int, ...], path: Path) -> Any:
    data = root.get(name)
    if data is None or data.ndim != 3 or any(a < b for a, b in zip(data.shape, space, strict=True)):
        what = "is not there" if data is None else f"is of shape {data.shape}"
        raise CorruptDataError(
            f"{str(path)!r}: {name!r} {what}, and the image is of shape {space}; export it again",
            key=str(path),
        )
    require_readable(data, path)
    return data


def _count(group: Any, prefix: str) -> int:
    return sum(name.startswith(prefix) for name in group)


def _texts(group: Any) -> dict[str, str]:
    """Return the attributes of a group: Imaris stores texts as arrays of letters."""
    if group is None:
        return {}
    found: dict[str, str] = {}
    for name, value in group.attrs.items():
        letters = np.asarray(value)
        if letters.dtype.kind == "S":
            found[str(name)] = b"".join(letters.ravel().tolist()).decode("utf-8", "replace")
    return found


def _length(info: Mapping[str, str], letter: str, path: Path) -> int:
    text = info.get(letter, "")
    if not text.strip().isdigit() or int(text) < 1:
        raise CorruptDataError(
            f"{str(path)!r} says its length along {letter} is {text!r}, which must be a whole "
            "number of at least 1; export it again",
            key=str(path),
        )
    return int(text)


def _calibration(
    info: Mapping[str, str],
    channels: list[dict[str, str]],
    space: tuple[int, ...],
    interval: float | None,
) -> Calibration:
    sizes: dict[str, tuple[float, str | None]] = {}
    origin: dict[str, float] = {}
    unit = length_unit(info.get("Unit", "um"))
    for number, (letter, n) in enumerate(zip("XYZ", space[::-1], strict=True)):
        low = _number(info.get(f"ExtMin{number}"))
        high = _number(info.get(f"ExtMax{number}"))
        if low is not None and high is not None:
            add_size(sizes, letter, (high - low) / n, unit)
        if letter in sizes and low is not None:
            origin[letter] = low
    if interval is not None:
        add_size(sizes, "T", interval, "second")
    known = tuple(_channel(one) for one in channels)
    has_windows = all(channel.window is not None for channel in known)
    return Calibration(info.get("Name"), sizes, known, has_windows, origin=origin)


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _channel(texts: Mapping[str, str]) -> Channel:
    parts = [_number(part) for part in texts.get("Color", "").split()]
    levels = [round(255 * min(max(p, 0.0), 1.0)) for p in parts if p is not None]
    color = "".join(f"{level:02X}" for level in levels) if len(levels) == 3 else None
    limits = [n for n in map(_number, texts.get("ColorRange", "").split()) if n is not None]
    window = None
    if len(limits) == 2 and limits[1] > limits[0]:
        low, high = limits
        window = Window(low, high, low, high)
    return Channel(texts.get("Name") or None, color, window=window)


def _times(root: Any) -> float | None:
    """Return the seconds from one time point to the next, if the file tells when each was."""
    texts = _texts(root.get(f"{_INFO}/TimeInfo"))
    n = _count(texts, "TimePoint")
    try:
        first, last = (datetime.fromisoformat(texts[f"TimePoint{i}"].strip()) for i in (1, n))
    except (KeyError, ValueError):
        return None
    return (last - first).total_seconds() / (n - 1) if n > 1 else None

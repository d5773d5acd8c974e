"""ClearControl, what light-sheet microscopes of its kind write: a folder of volumes.

``CHANNEL.index.txt`` lists the time points, ``stacks/CHANNEL/000000.raw`` or ``.blc`` are their
volumes of uint16, ``CHANNEL.metadata.txt`` has a line of JSON for each. It writes no Zarr: what is
named ``ZarrStackSink`` in opensimview writes ``.raw``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr._pyramid import Region
from anyzarr.errors import CorruptDataError, MetadataError, NodeNotFoundError
from anyzarr.ome import Channel
from anyzarr.readers._blosc_file import BloscFiles
from anyzarr.readers._image_list import ImageList
from anyzarr.readers._planes import Plane, PlaneImage, plane_source, require_files, require_whole
from anyzarr.readers._sizes import axes_with_sizes, number_of
from anyzarr.readers._source import ImageSource, ReaderKind, SourceImage

__all__ = ["CLEARCONTROL", "open_clearcontrol"]

_INDEX = ".index.txt"
_METADATA = ".metadata.txt"
_STACKS = "stacks"
_ATTRIBUTE = "clearcontrol"
_DTYPE = np.dtype("<u2")
# Number of the time point, seconds, and width, height, depth.
_LINE = re.compile(r"\s*(\d+)\s+([-+.\deE]+)\s+(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*")


@dataclass(frozen=True, slots=True)
class _ChannelIndex:
    """What the index of a channel lists.

    Attributes
    ----------
    name
        Of the channel.
    times
        Number of each time point, in the names of the files, and its seconds.
    shape
        Of the volumes, (depth, height, width).
    """

    name: str
    times: tuple[tuple[int, float], ...]
    shape: tuple[int, int, int]


def _is_clearcontrol(path: Path) -> bool:
    return (path / _STACKS).is_dir() and bool(_index_files(path))


def _index_files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.glob(f"*{_INDEX}") if not p.name.startswith("."))


def open_clearcontrol(path: Path, *, axes: str | None = None) -> ImageSource:
    """Open a folder of ClearControl. Channels whose volumes differ in shape are images apart.

    Parameters
    ----------
    path
        The folder.
    axes
        None: they are known.

    Raises
    ------
    CorruptDataError
        An index or a volume is broken or cut off.
    NodeNotFoundError
        Volumes that an index lists are missing.
    MissingDependencyError
        imagecodecs, which volumes in .blc files need, is not installed.
    """
    if axes is not None:
        raise MetadataError(f"axes={axes!r}: those of ClearControl are known; leave it out")
    channels = [_read_index(file) for file in _index_files(path)]
    by_shape: dict[tuple[int, int, int], list[_ChannelIndex]] = {}
    for channel in channels:
        by_shape.setdefault(channel.shape, []).append(channel)
    images = [_Volumes(path, found) for found in by_shape.values()]
    raw = [image.raw() for image in images if not image.is_blosc]
    require_whole(raw)
    if len(raw) == len(images):
        return plane_source(raw, {})
    if raw:
        raise MetadataError(f"{str(path)!r} has both .raw and .blc volumes; convert them apart")
    return _blosc_source(images)


def _read_index(path: Path) -> _ChannelIndex:
    times: list[tuple[int, float]] = []
    shapes = set()
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip():
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise CorruptDataError(
                f"line {number} of {str(path)!r} is cut off or broken: {line!r} is not the number "
                "of a time point, its time, and width, height and depth",
                key=str(path),
            )
        times.append((int(match[1]), float(match[2])))
        shapes.add((int(match[5]), int(match[4]), int(match[3])))
    if len(shapes) != 1:
        raise MetadataError(
            f"{str(path)!r} lists volumes of {len(shapes)} shapes ({sorted(shapes)}); an image has "
            "one"
        )
    return _ChannelIndex(path.name.removesuffix(_INDEX), tuple(times), shapes.pop())


class _Volumes:
    """The channels of one shape."""

    def __init__(self, folder: Path, channels: Sequence[_ChannelIndex]) -> None:
        self._folder = folder
        self._channels = channels
        self._n_times = min(len(channel.times) for channel in channels)
        ending = self._ending()
        self.is_blosc = ending == ".blc"
        self.paths = {
            (t, c): folder / _STACKS / channel.name / f"{channel.times[t][0]:06}{ending}"
            for c, channel in enumerate(channels)
            for t in range(self._n_times)
        }
        require_files(self.paths.values(), "the index")
        self.description = self._described()

    def _ending(self) -> str:
        first = self._channels[0]
        stem = self._folder / _STACKS / first.name / f"{first.times[0][0]:06}"
        for ending in (".raw", ".blc"):
            if stem.with_suffix(ending).is_file():
                return ending
        raise NodeNotFoundError(
            f"the index names {stem.name!r} of the channel {first.name!r}, and there is neither "
            f"{stem.name}.raw nor {stem.name}.blc in {str(stem.parent)!r}; put it there",
            key=str(stem),
        )

    def _described(self) -> SourceImage:
        channels = self._channels
        about = [self._about(channel) for channel in channels]
        axes, scale = axes_with_sizes("tczyx", self._sizes(about[0]))
        longest = max(len(channel.times) for channel in channels)
        warnings: tuple[str, ...] = ()
        if longest > self._n_times:
            warnings = (f"only the first {self._n_times} of {longest} time points are there for "
                        "all channels",)  # fmt: skip
        first = {c.name: lines[0] for c, lines in zip(channels, about, strict=True) if lines}
        return SourceImage(
            None,
            (self._n_times, len(channels), *channels[0].shape),
            _DTYPE.newbyteorder("="),
            axes,
            scale,
            tuple(Channel(channel.name) for channel in channels),
            attributes={_ATTRIBUTE: first} if first else {},
            warnings=warnings,
        )

    def _about(self, channel: _ChannelIndex) -> list[dict[str, Any]]:
        """Return what was noted with each volume; it may be that nothing was."""
        path = self._folder / f"{channel.name}{_METADATA}"
        if not path.is_file():
            return []
        try:
            lines = [
                json.loads(line, parse_constant=str)
                for line in path.read_text().splitlines()
                if line.strip()
            ]
        except ValueError as error:
            raise CorruptDataError(
                f"{str(path)!r} is broken: {error}; get a whole copy, or remove it", key=str(path)
            ) from error
        return [line for line in lines if isinstance(line, dict)]

    def _sizes(self, lines: Sequence[Mapping[str, Any]]) -> dict[str, tuple[float | None, str]]:
        first = lines[0] if lines else {}
        stamps = [line.get("TimeStampInNanoSeconds") for line in lines[: self._n_times]]
        times = [stamp / 1e9 for stamp in stamps if isinstance(stamp, int | float)]
        if len(times) < 2:
            times = [seconds for _, seconds in self._channels[0].times[: self._n_times]]
        interval = None
        if len(times) > 1:
            interval = number_of((times[-1] - times[0]) / (len(times) - 1))
        sizes = {n: (number_of(first.get(f"VoxelDim{n.upper()}")), "micrometer") for n in "zyx"}
        return {"t": (interval, "second"), **sizes}

    @property
    def volume_bytes(self) -> int:
        """Size of a volume."""
        depth, height, width = self._channels[0].shape
        return depth * height * width * _DTYPE.itemsize

    def raw(self) -> PlaneImage:
        """Return the image of volumes that are not compressed."""
        depth, height, width = self._channels[0].shape
        size = height * width * _DTYPE.itemsize
        planes: dict[tuple[int, ...], Plane] = {
            (t, c, z): Plane(path, z * size)
            for (t, c), path in self.paths.items()
            for z in range(depth)
        }
        return PlaneImage(self.description, planes, _DTYPE)


@dataclass(frozen=True, slots=True)
class _BloscImage:
    """Volumes in ``.blc`` files."""

    paths: Mapping[tuple[int, int], Path]
    description: SourceImage
    files: BloscFiles

    def read(self, region: Region) -> npt.NDArray[Any]:
        """Return the elements of a region."""
        times, channels, planes, rows, columns = region
        height, width = self.description.shape[-2:]
        out = np.empty(tuple(s.stop - s.start for s in region), self.description.dtype)
        slab: npt.NDArray[Any] = np.empty((planes.stop - planes.start, height, width), _DTYPE)
        start = planes.start * height * width * _DTYPE.itemsize
        for t in range(times.start, times.stop):
            for c in range(channels.start, channels.stop):
                target = memoryview(slab.reshape(-1).view(np.uint8))
                self.files.read(self.paths[t, c], start, target)
                out[t - times.start, c - channels.start] = slab[:, rows, columns]
        return out


def _blosc_source(images: Sequence[_Volumes]) -> ImageList:
    files = BloscFiles()
    for image in images:
        for path in image.paths.values():
            size = files.size(path)
            if size != image.volume_bytes:
                raise CorruptDataError(
                    f"{str(path)!r} is truncated: it decodes to {size} bytes, and the index "
                    f"says {image.volume_bytes}; get a whole copy of the file",
                    key=str(path),
                )
    paths = sorted(path for image in images for path in image.paths.values())
    return ImageList([_BloscImage(i.paths, i.description, files) for i in images], paths, {})


CLEARCONTROL = ReaderKind("clearcontrol", (), (), open_clearcontrol, _is_clearcontrol)
"""The format, for the registry."""

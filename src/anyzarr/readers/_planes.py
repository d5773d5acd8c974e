"""Images of planes that lie uncompressed in files, each at a place of its own.

So Micro-Manager (both its formats) and ClearControl store them. Regions are read, not mapped:
only they take memory, and any number of threads may read at once.
"""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from anyzarr._pyramid import Region
from anyzarr.errors import CorruptDataError, NodeNotFoundError
from anyzarr.readers._image_list import ImageList
from anyzarr.readers._source import SourceImage

__all__ = ["Plane", "PlaneImage", "note_missing", "plane_source", "require_files", "require_whole"]

_MOST_NAMES = 5


class Plane(NamedTuple):
    """Where the samples of a plane begin."""

    path: Path
    offset: int


@dataclass(frozen=True, slots=True)
class PlaneImage:
    """An image, and where its planes are.

    Attributes
    ----------
    description
        What is known of it; its last two axes are y and x.
    planes
        By their index along the axes before; what is not there is zero. Of an image with several
        ``samples``, the last of these indices counts channels before they are taken apart.
    dtype
        Of the samples in the files, with their byte order.
    samples
        How many lie side by side for each pixel: each is a channel of its own.
    """

    description: SourceImage
    planes: Mapping[tuple[int, ...], Plane]
    dtype: np.dtype[Any]
    samples: int = 1

    @property
    def plane_bytes(self) -> int:
        """Size of a plane in its file."""
        height, width = self.description.shape[-2:]
        return height * width * self.samples * self.dtype.itemsize

    def read(self, region: Region) -> npt.NDArray[Any]:
        """Return the elements of a region."""
        out = np.zeros(tuple(s.stop - s.start for s in region), self.description.dtype)
        channel = self._channel_axis
        leading = [range(s.start, s.stop) for s in region[:-2]]
        if self.samples > 1:
            first, last = leading[channel].start, leading[channel].stop
            leading[channel] = range(first // self.samples, -(-last // self.samples))
        for index in itertools.product(*leading):
            plane = self.planes.get(index)
            if plane is None:
                continue
            pixels = self._read_plane(plane, region[-2], region[-1])
            for place, values in self._placed(index, pixels, region):
                out[place] = values
        return out

    @property
    def _channel_axis(self) -> int:
        names = [axis.name for axis in self.description.axes]
        return names.index("c") if "c" in names else -1

    def _placed(
        self, index: tuple[int, ...], pixels: npt.NDArray[Any], region: Region
    ) -> Iterable[tuple[tuple[int, ...], npt.NDArray[Any]]]:
        """Yield where in the region the planes of single samples go, and their values."""
        origin = [s.start for s in region[:-2]]
        if self.samples == 1:
            yield tuple(i - first for i, first in zip(index, origin, strict=True)), pixels
            return
        wanted = region[self._channel_axis]
        for sample in range(self.samples):
            channel = index[self._channel_axis] * self.samples + sample
            if wanted.start <= channel < wanted.stop:
                whole = list(index)
                whole[self._channel_axis] = channel
                place = tuple(i - first for i, first in zip(whole, origin, strict=True))
                yield place, pixels[..., sample]

    def _read_plane(self, plane: Plane, rows: slice, columns: slice) -> npt.NDArray[Any]:
        width = self.description.shape[-1]
        shape = (rows.stop - rows.start, width, self.samples)
        values: npt.NDArray[Any] = np.empty(shape, self.dtype)
        row_bytes = width * self.samples * self.dtype.itemsize
        with plane.path.open("rb", buffering=0) as file:
            file.seek(plane.offset + rows.start * row_bytes)
            rest = memoryview(values.reshape(-1).view(np.uint8))
            while rest:
                n = file.readinto(rest)
                if not n:
                    raise _cut_off(plane.path)
                rest = rest[n:]
        part = values[:, columns]
        return part if self.samples > 1 else part[..., 0]


def plane_source(images: Sequence[PlaneImage], documents: Mapping[str, bytes]) -> ImageList:
    """Return a source of such images: nothing is open between reads."""
    files = {plane.path for image in images for plane in image.planes.values()}
    return ImageList(images, sorted(files), documents)


def require_files(paths: Iterable[Path], said_by: object) -> None:
    """Refuse a set of which files are missing.

    Raises
    ------
    NodeNotFoundError
        With their names.
    """
    missing = [path for path in dict.fromkeys(paths) if not path.is_file()]
    if missing:
        names = ", ".join(path.name for path in missing[:_MOST_NAMES])
        more = f" and {len(missing) - _MOST_NAMES} more" if len(missing) > _MOST_NAMES else ""
        raise NodeNotFoundError(
            f"{said_by} names files that are not in {str(missing[0].parent)!r}: {names}{more}; a "
            "set is converted whole, so put them there",
            key=str(missing[0]),
        )


def require_whole(images: Iterable[PlaneImage]) -> None:
    """Refuse planes that reach beyond the end of their file.

    Raises
    ------
    CorruptDataError
        With the file, and how many bytes it lacks.
    """
    ends: Counter[Path] = Counter()
    for image in images:
        for plane in image.planes.values():
            ends[plane.path] = max(ends[plane.path], plane.offset + image.plane_bytes)
    for path, end in ends.items():
        size = os.stat(path).st_size  # noqa: PTH116
        if size < end:
            raise _cut_off(path, f": its planes need {end} bytes, and it has {size}")


def note_missing(image: PlaneImage) -> PlaneImage:
    """Return an image with a warning if planes of it are not there."""
    shape = image.description.shape[:-2]
    n = int(np.prod(shape)) // image.samples
    absent = n - len(image.planes)
    if not absent:
        return image
    said = f"{absent} of {n} planes were not acquired and read as zero"
    warnings = (*image.description.warnings, said)
    return replace(image, description=replace(image.description, warnings=warnings))


def _cut_off(path: Path, detail: str = "") -> CorruptDataError:
    return CorruptDataError(
        f"{str(path)!r} is truncated{detail}; get a whole copy of the file", key=str(path)
    )

"""The reader of numpy's own files, ``.npy``: one array, and nothing said about it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr._pyramid import Region
from anyzarr.errors import CorruptDataError, MetadataError
from anyzarr.ome import axes_of, default_axes
from anyzarr.readers._source import ImageSource, ReaderKind, SourceImage

__all__ = ["NPY", "NpyReader", "open_npy"]

_SUFFIX = ".npy"
_MAGIC = b"\x93NUMPY"


class NpyReader:
    """The array of a file. Regions are read, not mapped, so that only they take memory.

    Parameters
    ----------
    path
        Of the file.
    array
        The array, mapped; asked for its layout only.
    image
        What is known of it.
    order
        For each axis of the image, the number of the array's axis.
    """

    def __init__(
        self, path: Path, array: np.memmap[Any, Any], image: SourceImage, order: tuple[int, ...]
    ) -> None:
        self._path = path
        self._image = image
        # Axes of the image in the order they lie in the file, slowest first.
        self._in_file = np.argsort(order)
        if array.flags.f_contiguous and not array.flags.c_contiguous:
            self._in_file = self._in_file[::-1]
        self._shape = tuple(image.shape[i] for i in self._in_file)
        self._offset = int(array.offset)

    def __len__(self) -> int:
        """Return 1: there is one array."""
        return 1

    def image(self, index: int) -> SourceImage:
        """Return what is known of the array."""
        return self._image

    @property
    def files(self) -> Sequence[Path]:
        """The file."""
        return (self._path,)

    @property
    def documents(self) -> Mapping[str, bytes]:
        """None: such a file has no metadata."""
        return {}

    def read(self, index: int, region: Region) -> npt.NDArray[Any]:
        """Return the elements of a region, in the order of the image's axes."""
        part = [region[i] for i in self._in_file]
        values = self._read(part)
        return values.transpose(np.argsort(self._in_file))

    def _read(self, part: list[slice]) -> npt.NDArray[Any]:
        """Read a region in the order of the file, one call per run of neighbours."""
        lengths = [s.stop - s.start for s in part]
        dtype, shape = self._image.dtype, self._shape
        values: npt.NDArray[Any] = np.empty(lengths, dtype)
        # A run spans part of one axis, and all that is behind it.
        axis = len(shape) - 1
        while axis > 0 and lengths[axis] == shape[axis]:
            axis -= 1
        strides = [math.prod(shape[i + 1 :]) for i in range(len(shape))]
        runs = values.reshape(math.prod(lengths[:axis]), -1).view(np.uint8)
        with self._path.open("rb", buffering=0) as file:
            for number, index in enumerate(np.ndindex(*lengths[:axis])):
                first = [s.start + i for s, i in zip(part, (*index, 0), strict=False)]
                start = sum(a * b for a, b in zip(first, strides, strict=False))
                file.seek(self._offset + start * dtype.itemsize)
                self._fill(file, memoryview(runs[number]))
        return values

    def _fill(self, file: Any, rest: memoryview) -> None:
        while rest:
            n = file.readinto(rest)
            if not n:
                raise CorruptDataError(f"{str(self._path)!r} is cut off", key=str(self._path))
            rest = rest[n:]

    def close(self) -> None:
        """Nothing is open between reads."""


def open_npy(path: Path, *, axes: str | None = None) -> ImageSource:
    """Open the array of a ``.npy`` file.

    Parameters
    ----------
    path
        The file.
    axes
        Names of the array's axes, in its order, such as ``"czyx"``; by default ``yx``,
        ``zyx``, ``czyx`` or ``tczyx``, with a warning.

    Raises
    ------
    CorruptDataError
        The file is cut off or not what its name says.
    MetadataError
        The axes do not fit the array.
    """
    try:
        array: Any = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise CorruptDataError(
            f"{str(path)!r} cannot be read as a .npy file: {error}", key=str(path)
        ) from error
    warnings: tuple[str, ...] = ()
    if axes is None:
        named = default_axes(array.ndim)
        names = "".join(axis.name for axis in named)
        warnings = (f"a .npy file names no axes, so they were taken to be {names}; name them "
                    "with axes= if that is wrong",)  # fmt: skip
    else:
        named = axes_of(axes)
    order = _order("".join(axis.name for axis in named), array.shape)
    shape = tuple(int(array.shape[i]) for i in order)
    image = SourceImage(
        None,
        shape,
        array.dtype,
        tuple(named[i] for i in order),
        (1.0,) * len(shape),
        warnings=warnings,
    )
    return NpyReader(path, array, image, order)


def _order(names: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the numbers of the array's axes in the order of OME-Zarr."""
    if len(names) != len(shape) or set(names) - set("tczyx") or len(set(names)) != len(names):
        raise MetadataError(
            f"axes={names!r} does not name the {len(shape)} axes of an array of shape {shape}: "
            "give each one of the letters t, c, z, y, x, in its order"
        )
    return tuple(names.index(name) for name in "tczyx" if name in names)


NPY = ReaderKind("NumPy", (_SUFFIX,), (_MAGIC,), open_npy)
"""The format, for the registry."""

"""The readers of numpy's own files: ``.npy``, one array, and ``.npz``, a zip of them."""

from __future__ import annotations

import functools
import math
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from anyzarr._pyramid import Region
from anyzarr.errors import UnsupportedError
from anyzarr.ome import default_axes
from anyzarr.readers._axis_map import map_given
from anyzarr.readers._calibration import Calibration, described
from anyzarr.readers._damage import errors_named
from anyzarr.readers._image_list import ImageList, StoredImage
from anyzarr.readers._source import ImageSource, ReaderKind, SourceImage
from anyzarr.readers._stored import StoredArray, Unpacked

__all__ = ["NPY", "NPZ", "open_npy", "open_npz"]

_SUFFIX = ".npy"
_MAGIC = b"\x93NUMPY"


@dataclass(frozen=True)
class _NpyImage:
    """An array as it lies in a file; its axes are named when it is asked for.

    Attributes
    ----------
    name
        The array's name, or None.
    array
        The array as it is stored, slowest axis first.
    is_reversed
        Whether its axes are stored last first (Fortran's order).
    axes
        Names of its axes, or None.
    notes
        Warnings about the file.
    """

    name: str | None
    array: StoredArray
    is_reversed: bool
    axes: str | None
    notes: tuple[str, ...] = ()

    @property
    def description(self) -> SourceImage:
        """What is known of the array."""
        return self._image.description

    def read(self, region: Region) -> npt.NDArray[Any]:
        """Return the elements of a region, in the order of the image's axes."""
        return self._image.read(region)

    @functools.cached_property
    def _image(self) -> StoredImage:
        stored = self.array.shape
        shape = stored[::-1] if self.is_reversed else stored
        notes = self.notes
        names = self.axes
        if names is None:
            names = "".join(axis.name for axis in default_axes(len(shape)))
            notes = (f"a NumPy file names no axes, so they were taken to be {names}; name them "
                     "with axes= if that is wrong", *notes)  # fmt: skip
        axis_map = map_given(names, shape)
        if self.is_reversed:
            axis_map = axis_map.reversed()
        dtype = self.array.dtype
        known = described(axis_map, dtype, Calibration(self.name), warnings=notes)
        return StoredImage(self.array, axis_map, known)


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
    with path.open("rb") as file, _errors_named(path):
        header = _header(file)
    array = StoredArray(path, header.end, header.dtype, header.shape)
    array.require_bytes(path.stat().st_size)
    return ImageList([_NpyImage(None, array, header.is_reversed, axes)], (path,), {})


def open_npz(path: Path, *, axes: str | None = None) -> ImageSource:
    """Open the arrays of a ``.npz`` file, each an image of its name.

    What cannot be an image (numbers, lists, texts, objects) is left out, with a warning.

    Parameters
    ----------
    path
        The file.
    axes
        Names of the axes of the arrays, in their order; as for :func:`open_npy`.

    Raises
    ------
    CorruptDataError
        The file is cut off, or not what its name says.
    UnsupportedError
        It holds no array of which an image can be made.
    MetadataError
        The axes do not fit an array.
    """
    found: dict[str, _Header] = {}
    others: list[str] = []
    with _errors_named(path), zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            name = member.filename.removesuffix(_SUFFIX)
            with archive.open(member) as file:
                try:
                    found[name] = _header(file)
                except TypeError:
                    others.append(name)
    others += [name for name, header in found.items() if not 2 <= len(header.shape) <= 5]
    if len(others) == len(found.keys() | set(others)):
        raise UnsupportedError(
            f"{str(path)!r} holds no array of 2 to 5 dimensions, of which an image could be made; "
            f"it holds {', '.join(others) or 'nothing'}"
        )
    names = [name for name in found if name not in others]
    left_out = (f"{', '.join(others)} cannot be made an image of, and is left out",)
    notes = left_out if others else ()
    return _arrays_of(path, {name: found[name] for name in names}, axes, notes)


def _arrays_of(
    path: Path, headers: Mapping[str, _Header], axes: str | None, notes: tuple[str, ...]
) -> ImageSource:
    unpacked: list[Unpacked] = []
    images: list[_NpyImage] = []
    for name, header in headers.items():
        # Stored or deflated: read as a stream once, so that its checksum is looked at.
        one = Unpacked(functools.partial(_Member, path, name), header.total, path)
        array = StoredArray(path, header.end, header.dtype, header.shape, one.open)
        images.append(_NpyImage(name, array, header.is_reversed, axes, notes))
        notes = ()
        unpacked.append(one)

    def close() -> None:
        for one in unpacked:
            one.close()

    return ImageList(images, (path,), {}, close)


class _Member:
    """A member of an archive as a stream, which closes the archive with it."""

    def __init__(self, path: Path, name: str) -> None:
        self._archive = zipfile.ZipFile(path)
        self._file = self._archive.open(name + _SUFFIX)

    def read(self, n: int) -> bytes:
        return self._file.read(n)

    def __enter__(self) -> _Member:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._archive.close()


@dataclass(frozen=True, slots=True)
class _Header:
    """What the header of an array says; ``shape`` is slowest axis first."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    is_reversed: bool
    end: int

    @property
    def total(self) -> int:
        """Size of header and elements."""
        return self.end + math.prod(self.shape) * self.dtype.itemsize


def _header(file: IO[bytes]) -> _Header:
    """Read the header of an array.

    Raises
    ------
    ValueError
        It is none.
    TypeError
        Its elements are no numbers.
    """
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0
    if version != (1, 0):
        read = np.lib.format.read_array_header_2_0
    shape, is_fortran, dtype = read(file)
    if dtype.kind not in "biufc":
        raise TypeError(f"its elements are of the type {dtype}, which are no numbers")
    return _Header(shape[::-1] if is_fortran else shape, dtype, is_fortran, file.tell())


# A header is a literal of Python, which numpy has Python parse.
_BROKEN = (
    ValueError, TypeError, EOFError, SyntaxError, tokenize.TokenError, zipfile.BadZipFile,
    zlib.error, NotImplementedError, RuntimeError, ArithmeticError, OSError,
)  # fmt: skip
_errors_named = functools.partial(errors_named, what="a NumPy file", errors=_BROKEN)

NPY = ReaderKind("NumPy", (_SUFFIX,), (_MAGIC,), open_npy)
"""The format, for the registry."""
NPZ = ReaderKind("NumPy archive", (".npz",), (), open_npz)
"""Archives of it."""

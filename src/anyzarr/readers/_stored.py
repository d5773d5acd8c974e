"""Pixels that lie in a file as they are, and files that must be unpacked before they do."""

from __future__ import annotations

import errno
import gzip
import lzma
import math
import tempfile
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import numpy.typing as npt

from anyzarr._pyramid import Region
from anyzarr.errors import CorruptDataError, StoreError
from anyzarr.stores._local_files import read_at

__all__ = ["StoredArray", "Unpacked"]

_PART_BYTES = 4 << 20


class StoredArray:
    """An array that lies uncompressed in a file, slowest axis first.

    Regions are read, not mapped, so that only they take memory, and a file that becomes shorter
    is an error.

    Parameters
    ----------
    path
        Of the file, for errors and, by default, for reading.
    offset
        Of the first element.
    dtype, shape
        Of the array.
    open_file
        Opens what holds the elements, where that is not the file.
    """

    def __init__(
        self,
        path: Path,
        offset: int,
        dtype: np.dtype[Any],
        shape: tuple[int, ...],
        open_file: Callable[[], IO[bytes]] | None = None,
    ) -> None:
        self._path = path
        self._offset = offset
        self.dtype = dtype
        self.shape = shape
        self._open = open_file

    @property
    def end(self) -> int:
        """Offset of the byte behind the last element."""
        return self._offset + math.prod(self.shape) * self.dtype.itemsize

    def require_bytes(self, size: int) -> None:
        """Refuse a file of fewer bytes than the array needs.

        Raises
        ------
        CorruptDataError
            With both numbers.
        """
        if size < self.end:
            raise CorruptDataError(
                f"{str(self._path)!r} is cut off: it holds {size} bytes, and an array of shape "
                f"{self.shape} of {self.dtype} in it ends at {self.end}; get a whole copy of it",
                key=str(self._path),
            )

    def read(self, region: Region) -> npt.NDArray[Any]:
        """Return the elements of a region, one read per run of neighbours."""
        lengths = [s.stop - s.start for s in region]
        values: npt.NDArray[Any] = np.empty(lengths, self.dtype)
        # A run spans part of one axis, and all that is behind it.
        axis = len(self.shape) - 1
        while axis > 0 and lengths[axis] == self.shape[axis]:
            axis -= 1
        strides = [math.prod(self.shape[i + 1 :]) for i in range(len(self.shape))]
        runs = values.reshape(math.prod(lengths[:axis]), -1).view(np.uint8)
        with self._opened() as file:
            for number, index in enumerate(np.ndindex(*lengths[:axis])):
                first = [s.start + i for s, i in zip(region, (*index, 0), strict=False)]
                start = sum(a * b for a, b in zip(first, strides, strict=False))
                file.seek(self._offset + start * self.dtype.itemsize)
                self._fill(file, memoryview(runs[number]))
        return values

    def _opened(self) -> IO[bytes]:
        return self._path.open("rb", buffering=0) if self._open is None else self._open()

    def _fill(self, file: Any, rest: memoryview) -> None:
        while rest:
            n = file.readinto(rest)
            if not n:
                raise CorruptDataError(
                    f"{str(self._path)!r} is cut off; get a whole copy of it", key=str(self._path)
                )
            rest = rest[n:]


class Unpacked:
    """What a compressed file holds, in a temporary file, so that regions of it can be read.

    It is unpacked when it is first asked for, whole, so that its checksum is looked at before
    anything of it is used.

    Parameters
    ----------
    open_packed
        Opens it as a stream of what it holds.
    size
        The most bytes that it may hold.
    path
        Of the file, for errors.
    """

    def __init__(self, open_packed: Callable[[], Any], size: int, path: Path) -> None:
        self._open_packed = open_packed
        self._size = size
        self._path = path
        self._lock = threading.Lock()
        self._file: IO[bytes] | None = None

    def open(self) -> IO[bytes]:
        """Open what was unpacked, for reading."""
        with self._lock:
            if self._file is None:
                self._file = self._unpack()
            return cast("IO[bytes]", _Window(self._file.fileno()))

    def _unpack(self) -> IO[bytes]:
        with ExitStack() as stack:
            # It has no name, so nothing of it is left whatever becomes of this process.
            file = stack.enter_context(tempfile.TemporaryFile(prefix="anyzarr-"))
            with _errors_named(self._path), self._open_packed() as packed:
                _copy(packed, file, self._size)
            file.flush()
            stack.pop_all()
        return file

    def close(self) -> None:
        """Remove the temporary file."""
        if self._file is not None:
            self._file.close()
            self._file = None


class _Window:
    """Reads an open file by position, beside others that do so."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._position = 0

    def seek(self, position: int) -> None:
        self._position = position

    def readinto(self, out: memoryview) -> int:
        data = read_at(self._descriptor, self._position, self._position + len(out))
        out[: len(data)] = data
        self._position += len(data)
        return len(data)

    def __enter__(self) -> _Window:
        return self

    def __exit__(self, *_: object) -> None:
        """Stay open: the file is closed with the source."""


def _copy(packed: Any, file: Any, size: int) -> None:
    """Copy so many bytes, and read on to the end, where the checksum is."""
    left = size
    while part := packed.read(_PART_BYTES):
        file.write(part[:left])
        left -= min(left, len(part))
    if left:
        raise EOFError(f"it holds {size - left} bytes, and its header tells of {size}")


_BROKEN = (gzip.BadGzipFile, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError, ValueError)


@contextmanager
def _errors_named(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in {
            None,
            errno.EINVAL,
        }:  # what bz2 and gzip raise where the data are no such stream
            raise _broken(path, error) from error
        raise StoreError(
            f"cannot unpack {str(path)!r}: {error.strerror}; free some room in "
            f"{tempfile.gettempdir()}, or set TMPDIR to another folder",
            key=str(path),
        ) from error
    except _BROKEN as error:
        raise _broken(path, error) from error


def _broken(path: Path, error: Exception) -> CorruptDataError:
    return CorruptDataError(
        f"{str(path)!r} cannot be decompressed: {error}; get a whole copy of it", key=str(path)
    )

"""Values inside many blobs at once: read and written at any byte, with no loop over blobs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr.errors import CorruptDataError

__all__ = ["Origin", "index_ranges", "read_at", "starts_of", "write_at"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a batch of blobs comes from, so that an error can name the array and the cell.

    Attributes
    ----------
    path
        Path of the array in its store.
    coords
        Coordinates of the cell of each blob: ``int64``, of shape ``(n, ndim)``; none where the
        number of the blob says enough.
    """

    path: str = ""
    coords: Ints | None = None

    def refuse(self, bad: npt.NDArray[np.bool_], problem: str) -> None:
        """Raise for the first blob that is bad, if there is one.

        Raises
        ------
        CorruptDataError
            With the path of the array and the coordinates of the cell.
        """
        if not bad.any():
            return
        first = int(np.flatnonzero(bad)[0])
        cell = (first,) if self.coords is None else tuple(self.coords[first].tolist())
        raise CorruptDataError(
            f"cell {'.'.join(map(str, cell))} of {self.path or 'the array'!r} {problem}; write the "
            "cell again, or restore it from a copy",
            path=self.path,
            chunk_coords=cell,
        )


def starts_of(counts: npt.NDArray[Any]) -> Ints:
    """Return where each of several runs begins and, at last, where the last one ends.

    Parameters
    ----------
    counts
        Lengths of the runs, of shape ``(n,)``; the result has the shape ``(n + 1,)``.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.vectors._blobs import starts_of
    >>> starts_of(np.array([2, 0, 3])).tolist()
    [0, 2, 2, 5]
    """
    starts = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=starts[1:])
    return starts


def index_ranges(starts: npt.NDArray[Any], counts: npt.NDArray[Any]) -> Ints:
    """Return the numbers of all ranges ``[start, start + count)``, one range after the other.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.vectors._blobs import index_ranges
    >>> index_ranges(np.array([5, 0]), np.array([2, 3])).tolist()
    [5, 6, 0, 1, 2]
    """
    ends = np.cumsum(counts, dtype=np.int64)
    total = int(ends[-1]) if ends.size else 0
    index = np.arange(total, dtype=np.int64)
    index += np.repeat(starts - (ends - counts), counts)
    return index


def _anywhere(data: npt.NDArray[np.uint8], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return a view that holds, at index i, the value that begins at byte i."""
    n = max(data.size - dtype.itemsize + 1, 0)
    return np.ndarray((n,), dtype, buffer=data, strides=(1,))


def read_at(
    data: npt.NDArray[np.uint8], positions: npt.NDArray[Any], dtype: npt.DTypeLike
) -> npt.NDArray[Any]:
    """Return the values that begin at these bytes, aligned or not.

    Parameters
    ----------
    data
        Bytes, contiguous.
    positions
        First byte of each value, of any shape; each value must lie within ``data``.
    dtype
        Of the values as stored.
    """
    kind = np.dtype(dtype)
    if not positions.size:
        return np.empty(positions.shape, kind)
    values: npt.NDArray[Any] = _anywhere(np.ascontiguousarray(data), kind)[positions]
    return values


def write_at(
    data: npt.NDArray[np.uint8],
    positions: npt.NDArray[Any],
    values: npt.NDArray[Any],
    dtype: npt.DTypeLike,
) -> None:
    """Write values so that each begins at its byte; the inverse of :func:`read_at`, in place."""
    if positions.size:
        _anywhere(data, np.dtype(dtype))[positions] = values

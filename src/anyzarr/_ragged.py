"""Many byte strings of different lengths in two arrays: no object per element."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Ragged"]

_WIDTHS = {16: "c16", 8: "u8", 4: "u4", 2: "u2", 1: "u1"}


@dataclass(frozen=True, slots=True, eq=False)
class Ragged:
    """Elements of variable length: all their bytes, one after the other, and where each begins.

    Attributes
    ----------
    data
        The bytes of all elements: ``uint8``, of shape ``(n_bytes,)``.
    offsets
        Where each element begins in ``data``, and at last where the last one ends: ``int64``, of
        shape ``(n + 1,)``, beginning with 0, never descending, ending with ``n_bytes``.

    Examples
    --------
    >>> from anyzarr.abc import Ragged
    >>> ragged = Ragged.of([b"abc", b"", b"de"])
    >>> len(ragged), ragged.lengths.tolist()
    (3, [3, 0, 2])
    >>> ragged.take([2, 0]).to_list()
    [b'de', b'abc']
    """

    data: npt.NDArray[np.uint8]
    offsets: npt.NDArray[np.int64]

    def __post_init__(self) -> None:
        data, offsets = self.data, self.offsets
        if data.dtype != np.uint8 or data.ndim != 1:
            raise ValueError(f"data must be uint8 of one dimension, got {data.dtype} {data.shape}")
        if offsets.dtype != np.int64 or offsets.ndim != 1 or offsets.size == 0:
            raise ValueError(
                f"offsets must be int64 of one dimension, and at least one, got {offsets.dtype} "
                f"{offsets.shape}"
            )
        if offsets[0] != 0 or offsets[-1] != data.size or (offsets[1:] < offsets[:-1]).any():
            raise ValueError(
                f"offsets must ascend from 0 to the number of bytes, {data.size}; they begin with "
                f"{offsets[0]} and end with {offsets[-1]}"
            )

    @classmethod
    def of(cls, elements: Iterable[bytes | bytearray | memoryview]) -> Ragged:
        """Return the elements of an iterable of bytes."""
        parts = list(elements)
        lengths = np.fromiter(map(len, parts), np.int64, len(parts))
        return cls.from_lengths(np.frombuffer(b"".join(parts), np.uint8), lengths)

    @classmethod
    def from_lengths(cls, data: npt.NDArray[Any], lengths: npt.ArrayLike) -> Ragged:
        """Return elements that lie in ``data`` one after the other.

        Parameters
        ----------
        data
            Their bytes; an array of any dtype and shape that is contiguous in C order is viewed as
            bytes, another one is copied.
        lengths
            Of each element, in bytes.
        """
        lengths = np.asarray(lengths, np.int64)
        offsets = np.zeros(lengths.size + 1, np.int64)
        np.cumsum(lengths, out=offsets[1:])
        flat = np.ascontiguousarray(data).reshape(-1)
        return cls(flat if flat.dtype == np.uint8 else flat.view(np.uint8), offsets)

    @classmethod
    def empty(cls, n: int) -> Ragged:
        """Return ``n`` elements of no bytes."""
        return cls(np.empty(0, np.uint8), np.zeros(n + 1, np.int64))

    @classmethod
    def concatenate(cls, parts: Sequence[Ragged]) -> Ragged:
        """Return the elements of all parts, one part after the other."""
        if len(parts) == 1:
            return parts[0]
        data = [part.data for part in parts]
        lengths = [part.lengths for part in parts]
        if not parts:
            return cls.empty(0)
        return cls.from_lengths(np.concatenate(data), np.concatenate(lengths))

    def __len__(self) -> int:
        return self.offsets.size - 1

    def __getitem__(self, index: int) -> npt.NDArray[np.uint8]:
        """Return a view on the bytes of one element."""
        n = len(self)
        if not -n <= index < n:
            raise IndexError(f"there are {n} elements, none of index {index}")
        index %= n
        return self.data[self.offsets[index] : self.offsets[index + 1]]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Ragged):
            return NotImplemented
        same = np.array_equal(self.offsets, other.offsets)
        return same and np.array_equal(self.data, other.data)

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Number of bytes of each element."""
        return np.diff(self.offsets)

    def slice(self, start: int, stop: int) -> Ragged:
        """Return the elements ``[start, stop)``; their bytes are not copied."""
        offsets = self.offsets[start : stop + 1]
        return Ragged(self.data[offsets[0] : offsets[-1]], offsets - offsets[0])

    def take(self, order: npt.ArrayLike) -> Ragged:
        """Return the elements of these indices, in this order, repeated ones included.

        The bytes are copied, unless the indices are those of a slice.

        Parameters
        ----------
        order
            Indices ``[0, n)`` of one dimension.
        """
        order = np.asarray(order, np.int64).reshape(-1)
        if order.size and order[-1] - order[0] == order.size - 1 and (np.diff(order) == 1).all():
            return self.slice(int(order[0]), int(order[-1]) + 1)
        starts, lengths = self.offsets[:-1][order], self.lengths[order]
        width = self._width()
        units = lengths // width
        ends = np.cumsum(units)
        total = int(ends[-1]) if ends.size else 0
        index = np.arange(total, dtype=np.int64)
        index += np.repeat(starts // width - (ends - units), units)
        return Ragged.from_lengths(self.data.view(_WIDTHS[width])[index], lengths)

    def _width(self) -> int:
        """Return how many bytes can be moved as one: a divisor of every offset."""
        together = int(np.bitwise_or.reduce(self.offsets))
        return next(width for width in _WIDTHS if together % width == 0)

    def view(self, dtype: npt.DTypeLike) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
        """Return all elements as one array of a dtype, and where each begins in it.

        Returns
        -------
        values, offsets
            ``values[offsets[i]:offsets[i + 1]]`` is element ``i``. The bytes are not copied.

        Raises
        ------
        ValueError
            An element is no whole number of such items.

        Examples
        --------
        >>> from anyzarr.abc import Ragged
        >>> values, offsets = Ragged.of([b"abcd", b"ef"]).view("<u2")
        >>> len(values), offsets.tolist()
        (3, [0, 2, 3])
        """
        dtype = np.dtype(dtype)
        bad = np.flatnonzero(self.offsets % dtype.itemsize)
        if bad.size:
            raise ValueError(
                f"element {int(bad[0]) - 1} ends at byte {int(self.offsets[bad[0]])}, which is no "
                f"multiple of the {dtype.itemsize} bytes of {dtype}"
            )
        return np.ascontiguousarray(self.data).view(dtype), self.offsets // dtype.itemsize

    def to_list(self) -> list[bytes]:
        """Return a ``bytes`` object per element."""
        data, bounds = self.data.tobytes(), self.offsets.tolist()
        return [data[a:b] for a, b in itertools.pairwise(bounds)]

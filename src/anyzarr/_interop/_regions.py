"""The regions of an array that different writers can have without meeting."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Protocol

from anyzarr.metadata import ArrayMetadata

__all__ = ["regions"]


class Gridded(Protocol):
    """What is needed of an array."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def metadata(self) -> ArrayMetadata: ...


def regions(array: Gridded) -> Iterator[tuple[slice, ...]]:
    """Iterate over the regions of an array that are stored as one object each, in C order.

    A region is a shard, or a chunk where there are no shards, clipped to the array. Whoever writes
    whole regions never meets another writer in one object: nothing is read first, no lock is
    needed, nothing is lost, between threads, processes or hosts.

    Parameters
    ----------
    array
        An :class:`anyzarr.Array`, or a level of an image.

    Returns
    -------
    Iterator of tuple of slice
        One slice per dimension, with start and stop. Together they are the whole array, once.

    Examples
    --------
    >>> import anyzarr
    >>> array = anyzarr.create_array({}, shape=(5, 4), chunks=(1, 2), shards=(3, 4), dtype="u1")
    >>> for region in anyzarr.regions(array):
    ...     array[region] = 1
    ...     print(region)
    (slice(0, 3, None), slice(0, 4, None))
    (slice(3, 5, None), slice(0, 4, None))
    """
    grid = array.metadata.grid
    sides = []
    for dim, n in enumerate(array.shape):
        offsets = grid.offsets(dim)
        if offsets is None:
            assert grid.chunk_shape is not None
            step = grid.chunk_shape[dim]
            sides.append([slice(a, min(a + step, n)) for a in range(0, n, step)])
        else:
            pairs = itertools.pairwise(offsets)
            sides.append([slice(a, min(b, n)) for a, b in pairs if a < min(b, n)])
    return itertools.product(*sides)

"""Rows of an array by runs: by the native kernel where it is built, by numpy elsewhere."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr._optional import is_installed
from anyzarr._parallel import concurrency
from anyzarr.vectors._blobs import Ints, index_ranges

__all__ = ["take_runs"]


@functools.cache
def _native() -> Callable[..., None] | None:
    if not is_installed("anyzarr_native"):
        return None
    import anyzarr_native

    # A build of an earlier version has none.
    return getattr(anyzarr_native, "take_runs", None)


def take_runs(values: npt.NDArray[Any], starts: Ints, counts: Ints) -> npt.NDArray[Any]:
    """Return the rows ``[starts[k], starts[k] + counts[k])`` for each k, run after run.

    Parameters
    ----------
    values
        Rows of any shape and dtype; only those that are contiguous are not copied before.
    starts, counts
        Within ``values``, of shape ``(n,)``.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.vectors._take import take_runs
    >>> take_runs(np.array([5, 6, 7]), np.array([1, 0]), np.array([2, 1])).tolist()
    [6, 7, 5]
    """
    native = _native()
    if native is None or not values.size:
        taken: npt.NDArray[Any] = values[index_ranges(starts, counts)]
        return taken
    rows = np.ascontiguousarray(values)
    found = np.empty((int(counts.sum()), *values.shape[1:]), values.dtype)
    row_bytes = rows.nbytes // len(rows)
    columns = np.ascontiguousarray(starts, np.int64), np.ascontiguousarray(counts, np.int64)
    native(_bytes(rows), row_bytes, *columns, _bytes(found), concurrency())
    return found


def _bytes(rows: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    return rows.reshape(-1).view(np.uint8)

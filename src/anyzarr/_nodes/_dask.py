"""Writing lazy dask arrays, a whole stored object at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from anyzarr._interop import stored_blocks, write_dask
from anyzarr._nodes._array import Array
from anyzarr._nodes._new import create_array
from anyzarr._nodes._open import open_array
from anyzarr._optional import require
from anyzarr._progress import ProgressCallback
from anyzarr.errors import MetadataError

if TYPE_CHECKING:
    import dask.array

__all__ = ["from_dask"]


def from_dask(
    data: dask.array.Array,
    location: Any,
    *,
    compute: bool = True,
    region: Sequence[slice] | None = None,
    progress: ProgressCallback | None = None,
    **options: Any,
) -> Any:
    """Write a lazy dask array as a new array, or into a region of one that is there.

    Its blocks are merged or split into whole shards (chunks, where there are no shards), so that
    each stored object is written once, by one task: no locks, and nothing read back, on threads,
    processes or a cluster. As many blocks are in work at a time as the scheduler has threads, and
    no more than these, with what they are made of, are held.

    Parameters
    ----------
    data
        With known shape and dtype.
    location
        Where to, as for :func:`anyzarr.create_array`; with ``region``, as for
        :func:`anyzarr.open_array`.
    compute
        Whether to write now. Otherwise a ``dask.delayed.Delayed`` is returned that writes when it
        is computed and gives the array; the array is there, without data.
    region
        The part of an array that is there, one slice per dimension, of the shape of ``data``.
    progress
        Called with a :class:`~anyzarr._progress.Progress` when a block is written.
    **options
        As for :func:`anyzarr.create_array`: ``chunks``, ``shards``, ``name``, ``overwrite``, …;
        with ``region``, as for :func:`anyzarr.open_array`.

    Returns
    -------
    Array or dask.delayed.Delayed

    Raises
    ------
    MetadataError
        The shape of ``data`` is not known.
    MissingDependencyError
        dask is not installed.

    Examples
    --------
    >>> import anyzarr, dask.array as da
    >>> array = anyzarr.from_dask(da.ones((6, 6), chunks=4), {}, chunks=(3, 3))
    >>> float(array[:].sum())
    36.0
    """
    da = require("dask.array", extra="dask", purpose="from_dask")
    shape = tuple(data.shape)
    if any(n != n for n in shape):  # dask's unknown length is NaN
        raise MetadataError(
            f"the shape {shape} is not known in full; call data.compute_chunk_sizes() first"
        )
    if region is not None:
        return _into(data, location, region, options, compute=compute, progress=progress)
    array = create_array(location, shape=shape, dtype=data.dtype, **options)
    if compute:
        write_dask(data, array, progress=progress)
        return array
    if progress is not None:
        raise MetadataError(
            "progress= is told while from_dask writes; with compute=False it does not"
        )
    stored = da.store(da.rechunk(data, stored_blocks(array)), array, lock=False, compute=False)
    return require("dask", extra="dask").delayed(_after)(array, stored)


def _into(
    data: dask.array.Array,
    location: Any,
    region: Sequence[slice],
    options: dict[str, Any],
    *,
    compute: bool,
    progress: ProgressCallback | None,
) -> Array:
    """Write to a part of an array that is there."""
    if not compute:
        raise MetadataError("region= writes now; leave out compute=False")
    array = open_array(location, **{"mode": "r+", **options})
    if len(region) != array.ndim:
        raise MetadataError(
            f"region={region} must have a slice for each of {array.ndim} dimensions"
        )
    part = [slice(*s.indices(n)) for s, n in zip(region, array.shape, strict=True)]
    lengths = tuple(max(0, s.stop - s.start) for s in part)
    if lengths != tuple(data.shape) or any(s.step != 1 for s in part):
        raise MetadataError(
            f"region={region} has the shape {lengths}, and the data {tuple(data.shape)}; they must "
            "be the same, in steps of 1"
        )
    write_dask(data, array, region=part, progress=progress)
    return array


def _after(array: Array, stored: Any) -> Array:
    return array

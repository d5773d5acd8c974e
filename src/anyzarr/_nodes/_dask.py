"""Writing lazy dask arrays, a whole stored object at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anyzarr._interop import stored_blocks
from anyzarr._nodes._array import Array
from anyzarr._nodes._open import create_array
from anyzarr._optional import require

if TYPE_CHECKING:
    import dask.array

__all__ = ["from_dask"]


def from_dask(
    data: dask.array.Array, location: Any, *, compute: bool = True, **options: Any
) -> Any:
    """Write a lazy dask array as a new array.

    Its blocks are merged or split into whole shards (chunks, where there are no shards), so that
    each stored object is written once, by one task: no locks, and nothing read back, on threads,
    processes or a cluster.

    Parameters
    ----------
    data
        With known shape and dtype.
    location
        Where to, as for :func:`anyzarr.create_array`.
    compute
        Whether to write now. Otherwise a ``dask.delayed.Delayed`` is returned that writes when it
        is computed and gives the array; the array is there, without data.
    **options
        As for :func:`anyzarr.create_array`: ``chunks``, ``shards``, ``name``, ``overwrite``, …

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
        from anyzarr.errors import MetadataError

        raise MetadataError(
            f"the shape {shape} is not known in full; call data.compute_chunk_sizes() first"
        )
    array = create_array(location, shape=shape, dtype=data.dtype, **options)
    blocks = da.rechunk(data, stored_blocks(array))
    if compute:
        da.store(blocks, array, lock=False, compute=True)
        return array
    stored = da.store(blocks, array, lock=False, compute=False)
    return require("dask", extra="dask").delayed(_after)(array, stored)


def _after(array: Array, stored: Any) -> Array:
    return array

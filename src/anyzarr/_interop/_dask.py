"""Lazy dask arrays over stored arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from anyzarr._optional import require

if TYPE_CHECKING:
    import dask.array

    from anyzarr.abc import Store
    from anyzarr.metadata import ArrayMetadata

__all__ = ["to_dask"]


class Readable(Protocol):
    """What dask needs of an array: it is pickled into the tasks."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    @property
    def metadata(self) -> ArrayMetadata: ...
    @property
    def store(self) -> Store: ...
    @property
    def path(self) -> str: ...
    def __getitem__(self, selection: Any) -> Any: ...


def stored_blocks(array: Readable) -> tuple[tuple[int, ...], ...]:
    """Return dask's ``chunks`` that match the stored objects: shards, or chunks."""
    grid = array.metadata.grid
    if grid.chunk_shape is None:
        return tuple(grid.edges or ())
    return tuple(
        (size,) * (length // size) + ((length % size,) if length % size else ()) or (0,)
        for length, size in zip(array.shape, grid.chunk_shape, strict=True)
    )


def to_dask(array: Readable, chunks: Any = None) -> dask.array.Array:
    """Return a lazy dask array; see :meth:`anyzarr.Array.to_dask`."""
    da = require("dask.array", extra="dask", purpose="to_dask")
    result: dask.array.Array = da.from_array(
        array,
        chunks=stored_blocks(array) if chunks is None else chunks,
        # A fresh name: the data behind one description may change between two calls.
        name=False,
        lock=False,
        asarray=False,
        fancy=False,
        meta=_empty(array),
    )
    return result


def _empty(array: Readable) -> npt.NDArray[Any]:
    return np.empty((0,) * len(array.shape), array.dtype)

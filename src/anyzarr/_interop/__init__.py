"""Adapters over the array protocol, for libraries that compute on arrays."""

from anyzarr._interop._dask import stored_blocks, to_dask
from anyzarr._interop._dask_write import is_dask, write_dask
from anyzarr._interop._regions import regions

__all__ = ["is_dask", "regions", "stored_blocks", "to_dask", "write_dask"]

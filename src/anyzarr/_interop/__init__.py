"""Adapters over the array protocol, for libraries that compute on arrays."""

from anyzarr._interop._dask import stored_blocks, to_dask
from anyzarr._interop._regions import regions

__all__ = ["regions", "stored_blocks", "to_dask"]

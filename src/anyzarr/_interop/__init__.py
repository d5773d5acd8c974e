"""Adapters over the array protocol, for libraries that compute on arrays."""

from anyzarr._interop._dask import to_dask

__all__ = ["to_dask"]

"""The backend of xarray: ``xarray.open_dataset(location, engine="anyzarr")``."""

from anyzarr._xarray._backend import AnyzarrBackend

__all__ = ["AnyzarrBackend"]

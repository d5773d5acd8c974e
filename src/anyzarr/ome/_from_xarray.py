"""A labelled array of xarray as a whole image, pyramid included."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from anyzarr._progress import ProgressCallback
from anyzarr.ome._image import Image
from anyzarr.ome._open import open_ome_zarr

if TYPE_CHECKING:
    import xarray

__all__ = ["from_xarray"]

_NOTHING: Mapping[str, Any] = {}


def from_xarray(
    data: xarray.DataArray,
    location: Any,
    *,
    levels: int | Literal["auto"] = "auto",
    method: str = "mean",
    version: str = "0.5",
    overwrite: bool = False,
    engine: str | None = None,
    backend: str | None = None,
    backend_options: Mapping[str, Any] = _NOTHING,
    progress: ProgressCallback | None = None,
    **options: Any,
) -> Image:
    """Write a labelled array as OME-Zarr: scale, units and channels from its coordinates.

    Lazy data is computed and written in whole shards, several at a time, and no more than these
    are held; the pyramid is made afterwards.

    Parameters
    ----------
    data
        As for :meth:`anyzarr.ome.Image.write_xarray`.
    location
        Where to, as for :func:`anyzarr.open_ome_zarr`.
    levels, method
        How many levels, that of the data included (``"auto"``: until the largest spatial axis is
        256 or less), and how they are made.
    version
        Of OME-Zarr.
    overwrite
        Whether something there is replaced.
    engine, backend, backend_options
        As for :func:`anyzarr.open_ome_zarr`.
    progress
        Called with a :class:`~anyzarr._progress.Progress` at each step.
    **options
        As for :meth:`anyzarr.ome.Image.create_image`: ``chunks``, ``shards``, ``compressor``, …

    Returns
    -------
    Image
        Open for reading and writing; of an archive, closed, for it is made then.

    Raises
    ------
    NodeExistsError
        Something is there and ``overwrite`` is False.
    MetadataError
        Coordinates are not evenly spaced; a unit is unknown; an option does not fit.

    Examples
    --------
    >>> import anyzarr, numpy as np, xarray
    >>> data = xarray.DataArray(
    ...     np.zeros((2, 300, 400), "uint8"), dims=("c", "y", "x"),
    ...     coords={"c": ["DAPI", "GFP"], "y": ("y", 0.5 * np.arange(300), {"units": "um"})},
    ... )
    >>> image = anyzarr.from_xarray(data, {})
    >>> image.channel_names, image.scale, [level.shape for level in image.levels]
    (['DAPI', 'GFP'], [1.0, 0.5, 1.0], [(2, 300, 400), (2, 150, 200)])
    """
    with open_ome_zarr(
        location,
        layout="image",
        mode="w" if overwrite else "w-",
        version=version,
        engine=engine,
        backend=backend,
        **backend_options,
    ) as image:
        image.write_xarray(data, progress=progress, **options)
        if levels != 1:
            count = None if levels == "auto" else levels
            image.compute_pyramid(count, method, progress=progress)
    return image

"""An image as labelled arrays of xarray."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from anyzarr._nodes import Array
from anyzarr._progress import ProgressCallback
from anyzarr.ome import _xarray
from anyzarr.ome._axes import Axis
from anyzarr.ome._image_channels import ImageChannels
from anyzarr.ome._image_placement import ImagePlacement

if TYPE_CHECKING:
    import xarray

__all__ = ["ImageXarray"]


class ImageXarray(ImageChannels, ImagePlacement):
    """Exchange with xarray."""

    def to_xarray(self, level: int | str = 0) -> xarray.DataArray:
        """Return a level as a lazy labelled array.

        Parameters
        ----------
        level
            Its number, or the path of its array.

        Returns
        -------
        xarray.DataArray
            Over a dask array with one block per shard; nothing is read yet. Coordinates are in
            physical units, that of each in its ``attrs["units"]``; channels go by name. ``attrs``
            are those of the array that :meth:`write_xarray` wrote.

        Raises
        ------
        MissingDependencyError
            xarray or dask is not installed.
        UnsupportedError
            The image has a transformation that is no scale and translation per axis.

        Examples
        --------
        >>> import anyzarr, numpy as np
        >>> with anyzarr.open_ome_zarr({}, mode="w", axes="yx") as image:
        ...     _ = image.create_image("0", np.eye(4), scale=(0.5, 0.25))
        ...     float(image.to_xarray().sel(y=0.5, x=0.25))
        1.0
        """
        return _xarray.to_xarray(self, level)

    def to_datatree(self) -> xarray.DataTree:
        """Return all levels as a tree: ``tree["scale0"].image`` is the largest.

        Raises
        ------
        MissingDependencyError
            xarray or dask is not installed.
        """
        return _xarray.to_datatree(self)

    def write_xarray(
        self,
        data: xarray.DataArray,
        name: str = "0",
        *,
        progress: ProgressCallback | None = None,
        **options: Any,
    ) -> Array:
        """Write a labelled array: a new image, or the part of this one its coordinates name.

        Parameters
        ----------
        data
            Its dimensions are the axes (``t c z y x``, 2 to 5 of them). The coordinates of space
            and time give scale and translation, and must be evenly spaced; their
            ``attrs["units"]`` give the units; those of ``c`` name the channels. Lazy data is
            computed and written block by block.
        name
            Path of the array of a new image.
        progress
            Called with a :class:`~anyzarr._progress.Progress` as data is written.
        **options
            Of a new image, as :meth:`create_image` takes them.

        Returns
        -------
        Array
            Level 0. Levels above it are not computed anew: see :meth:`compute_pyramid`.

        Raises
        ------
        MetadataError
            Coordinates are not evenly spaced, or are none of the image's; a unit is unknown.

        Notes
        -----
        ``data.attrs`` are kept with the image and given back by :meth:`to_xarray`.

        Examples
        --------
        >>> import anyzarr, numpy as np, xarray
        >>> data = xarray.DataArray(
        ...     np.zeros((2, 3, 4)), dims=("c", "y", "x"),
        ...     coords={"c": ["DAPI", "GFP"], "y": ("y", [0, 0.5, 1], {"units": "um"})},
        ... )
        >>> with anyzarr.open_ome_zarr({}, mode="w") as image:
        ...     _ = image.write_xarray(data)
        ...     image.channel_names, image.scale, image.axes[1].unit
        (['DAPI', 'GFP'], [1.0, 0.5, 1.0], 'micrometer')
        """
        return _xarray.write_xarray(self, data, name, progress=progress, **options)

    def describe_new(self, axes: Sequence[Axis], channel_names: Sequence[str] | None) -> None:
        """Set axes and channels of an image that is still to be created."""
        self._new_axes = tuple(axes)
        self._new_channels = None if channel_names is None else list(channel_names)

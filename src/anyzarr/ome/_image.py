"""One multiscale image: the node, put together from its concerns."""

from __future__ import annotations

from anyzarr.ome._image_create import ImageCreation
from anyzarr.ome._image_labels import ImageLabels
from anyzarr.ome._image_pyramid import ImagePyramid
from anyzarr.ome._image_vectors import ImageVectors
from anyzarr.ome._image_xarray import ImageXarray

__all__ = ["Image"]


class Image(ImageCreation, ImagePyramid, ImageLabels, ImageVectors, ImageXarray):
    """A multiscale image of 2 to 5 axes. Made by :func:`anyzarr.open_ome_zarr`.

    Every write is complete when its call returns, and the metadata names a level only once
    the level is there. As a context manager it closes itself.

    Parameters
    ----------
    group
        The group that holds the image.
    version
        The OME-Zarr version to write where the group has no image yet.
    axes
        The axes of an image to be created, or None: the usual ones for its dimensions.
    channel_names
        The channels of an image to be created.
    engine
        What decodes and encodes the chunks; None: the first that can.

    Examples
    --------
    >>> import anyzarr, numpy as np
    >>> store = {}
    >>> with anyzarr.open_ome_zarr(store, mode="w", axes="cyx", channel_names=["DAPI"]) as image:
    ...     data = image.create_image("0", np.ones((1, 600, 600), "uint8"), scale=(1, 0.5, 0.5))
    ...     image.compute_pyramid()
    >>> with anyzarr.open_ome_zarr(store) as image:
    ...     [level.shape for level in image.levels], image.get_effective_scale(1)
    ([(1, 600, 600), (1, 300, 300), (1, 150, 150)], [1.0, 1.0, 1.0])
    """

"""OME-Zarr: multiscale images of microscopy, with axes, units and channels."""

from anyzarr.ome._array import ImageArray
from anyzarr.ome._axes import Axis, axes_of, check_axes, default_axes
from anyzarr.ome._channels import Channel, Omero, Window, default_channels
from anyzarr.ome._contrast import window_of
from anyzarr.ome._image import Image
from anyzarr.ome._label_model import LabelColor, LabelMetadata
from anyzarr.ome._labels import Labels
from anyzarr.ome._levels import ImageSpec, level_document, multiscale_of, plan_pyramid
from anyzarr.ome._model import ImageMetadata
from anyzarr.ome._multiscale import CoordinateSystem, Dataset, Multiscale
from anyzarr.ome._open import open_ome_zarr
from anyzarr.ome._storage import default_chunks, default_shards

__all__ = [
    "Axis",
    "Channel",
    "CoordinateSystem",
    "Dataset",
    "Image",
    "ImageArray",
    "ImageMetadata",
    "ImageSpec",
    "LabelColor",
    "LabelMetadata",
    "Labels",
    "Multiscale",
    "Omero",
    "Window",
    "axes_of",
    "check_axes",
    "default_axes",
    "default_channels",
    "default_chunks",
    "default_shards",
    "level_document",
    "multiscale_of",
    "open_ome_zarr",
    "plan_pyramid",
    "window_of",
]

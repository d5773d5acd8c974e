"""OME-Zarr: multiscale images of microscopy, and plates and series of them."""

from anyzarr.ome._array import ImageArray
from anyzarr.ome._axes import Axis, axes_of, check_axes, default_axes
from anyzarr.ome._channels import Channel, Omero, Window, default_channels
from anyzarr.ome._contrast import window_of
from anyzarr.ome._from_xarray import from_xarray
from anyzarr.ome._image import Image
from anyzarr.ome._image_vectors import VectorStores
from anyzarr.ome._label_model import LabelColor, LabelMetadata
from anyzarr.ome._labels import Labels
from anyzarr.ome._levels import ImageSpec, level_document, multiscale_of, plan_pyramid
from anyzarr.ome._model import ImageMetadata
from anyzarr.ome._multiscale import CoordinateSystem, Dataset, Multiscale
from anyzarr.ome._open import open_ome_zarr
from anyzarr.ome._plate import Plate
from anyzarr.ome._plate_layout import PlateLayout, Spot, column_name, row_name
from anyzarr.ome._plate_model import Acquisition, PlateAxis, PlateMetadata, PlateWell
from anyzarr.ome._position import Position
from anyzarr.ome._series import Bioformats2RawSeries
from anyzarr.ome._storage import SHARD_BYTES, Lengths, default_chunks, default_shards, lengths_of
from anyzarr.ome._tiled import TiledImageArray, TiledPosition
from anyzarr.ome._units import parse_size, unit_name
from anyzarr.ome._upgrade import UpgradeReport, upgrade
from anyzarr.ome._upgrade_arrays import CopyOptions
from anyzarr.ome._upgrade_attributes import is_ome
from anyzarr.ome._upgrade_copy import copy_upgraded
from anyzarr.ome._upgrade_plan import UpgradePlan, plan_upgrade
from anyzarr.ome._versions import require_writable_version, written_version, zarr_format_of
from anyzarr.ome._well import Row, Well
from anyzarr.ome._well_model import FieldOfView, SeriesMetadata, WellMetadata

__all__ = [
    "SHARD_BYTES",
    "Acquisition",
    "Axis",
    "Bioformats2RawSeries",
    "Channel",
    "CoordinateSystem",
    "CopyOptions",
    "Dataset",
    "FieldOfView",
    "Image",
    "ImageArray",
    "ImageMetadata",
    "ImageSpec",
    "LabelColor",
    "LabelMetadata",
    "Labels",
    "Lengths",
    "Multiscale",
    "Omero",
    "Plate",
    "PlateAxis",
    "PlateLayout",
    "PlateMetadata",
    "PlateWell",
    "Position",
    "Row",
    "SeriesMetadata",
    "Spot",
    "TiledImageArray",
    "TiledPosition",
    "UpgradePlan",
    "UpgradeReport",
    "VectorStores",
    "Well",
    "WellMetadata",
    "Window",
    "axes_of",
    "check_axes",
    "column_name",
    "copy_upgraded",
    "default_axes",
    "default_channels",
    "default_chunks",
    "default_shards",
    "from_xarray",
    "is_ome",
    "lengths_of",
    "level_document",
    "multiscale_of",
    "open_ome_zarr",
    "parse_size",
    "plan_pyramid",
    "plan_upgrade",
    "require_writable_version",
    "row_name",
    "unit_name",
    "upgrade",
    "window_of",
    "written_version",
    "zarr_format_of",
]

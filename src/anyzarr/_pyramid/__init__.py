"""Downsampling between arrays, region by region, with bounded memory."""

from anyzarr._pyramid._build import METHODS, Method, downsample_into, method_of
from anyzarr._pyramid._kernel import downsampled_shape, mean, nearest
from anyzarr._pyramid._plan import (
    LARGEST_TOP_LEVEL,
    PyramidLevel,
    default_factors,
    plan_levels,
)
from anyzarr._pyramid._regions import MEMORY_BYTES, Region, fill

__all__ = [
    "LARGEST_TOP_LEVEL",
    "MEMORY_BYTES",
    "METHODS",
    "Method",
    "PyramidLevel",
    "Region",
    "default_factors",
    "downsample_into",
    "downsampled_shape",
    "fill",
    "mean",
    "method_of",
    "nearest",
    "plan_levels",
]

"""Downsampling: the methods, and the levels of a pyramid made in bounded memory."""

from anyzarr._pyramid._build import downsample_into
from anyzarr._pyramid._fast import downsample
from anyzarr._pyramid._gaussian import gaussian
from anyzarr._pyramid._kernel import downsampled_shape, mean, stride
from anyzarr._pyramid._methods import METHODS, Method, method_of
from anyzarr._pyramid._order import largest, median, mode, smallest
from anyzarr._pyramid._plan import (
    LARGEST_TOP_LEVEL,
    PyramidLevel,
    default_factors,
    plan_levels,
)
from anyzarr._pyramid._regions import Region, default_memory, fill
from anyzarr._pyramid._update import update_pyramid
from anyzarr._pyramid._work import Work, build_pyramid, plan_work

__all__ = [
    "LARGEST_TOP_LEVEL",
    "METHODS",
    "Method",
    "PyramidLevel",
    "Region",
    "Work",
    "build_pyramid",
    "default_factors",
    "default_memory",
    "downsample",
    "downsample_into",
    "downsampled_shape",
    "fill",
    "gaussian",
    "largest",
    "mean",
    "median",
    "method_of",
    "mode",
    "plan_levels",
    "plan_work",
    "smallest",
    "stride",
    "update_pyramid",
]

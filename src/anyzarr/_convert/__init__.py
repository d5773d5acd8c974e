"""Conversion of images in other formats, and of hierarchies between stores and archives."""

from anyzarr._convert._dry_run import ConversionPlan
from anyzarr._convert._main import convert
from anyzarr._convert._report import ConversionReport
from anyzarr._progress import Progress, ProgressCallback

__all__ = ["ConversionPlan", "ConversionReport", "Progress", "ProgressCallback", "convert"]

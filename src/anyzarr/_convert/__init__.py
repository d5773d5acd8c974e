"""Conversion: readers of other formats, and hierarchies between stores and archives."""

from anyzarr._convert._dry_run import ConversionPlan
from anyzarr._convert._main import convert
from anyzarr._convert._npy import NPY
from anyzarr._convert._report import ConversionReport
from anyzarr._convert._source import (
    ImageSource,
    ReaderKind,
    SourceImage,
    list_readers,
    register_reader,
)
from anyzarr._convert._tiff import TIFF
from anyzarr._progress import Progress, ProgressCallback

register_reader(TIFF)
register_reader(NPY)

__all__ = [
    "NPY",
    "TIFF",
    "ConversionPlan",
    "ConversionReport",
    "ImageSource",
    "Progress",
    "ProgressCallback",
    "ReaderKind",
    "SourceImage",
    "convert",
    "list_readers",
    "register_reader",
]

"""Readers of image formats: what :func:`anyzarr.convert` takes pixels and metadata from.

One file per format. Another package adds a format by an entry point of the group
``anyzarr.readers`` that names a :class:`ReaderKind`, or by calling :func:`register_reader`.
"""

from anyzarr.readers._bioio import BIOIO
from anyzarr.readers._clearcontrol import CLEARCONTROL
from anyzarr.readers._czi import CZI
from anyzarr.readers._files import FILES, TABLE, open_plate, open_several
from anyzarr.readers._gray import GraySource
from anyzarr.readers._hdf5 import HDF5
from anyzarr.readers._lif import LIF
from anyzarr.readers._mmimages import MMIMAGES
from anyzarr.readers._mmstack import MMSTACK
from anyzarr.readers._mrc import MRC
from anyzarr.readers._n5 import is_n5, open_n5
from anyzarr.readers._nd2 import ND2
from anyzarr.readers._ndtiff import NDTIFF
from anyzarr.readers._nifti import NIFTI
from anyzarr.readers._npy import NPY, NPZ
from anyzarr.readers._photo import PHOTO
from anyzarr.readers._source import (
    ImageSource,
    ReaderKind,
    SourceImage,
    is_image_name,
    list_readers,
    reader_for,
    reader_named,
    refuse_series,
    register_reader,
    require_known,
    stem_of,
)
from anyzarr.readers._tiff import TIFF
from anyzarr.readers._zarr import open_zarr

for _kind in (
    NDTIFF,
    CLEARCONTROL,
    MMSTACK,
    MMIMAGES,
    TIFF,
    NPY,
    NPZ,
    HDF5,
    MRC,
    NIFTI,
    PHOTO,
    CZI,
    ND2,
    LIF,
    TABLE,
    FILES,
    BIOIO,
):
    register_reader(_kind)

__all__ = [
    "BIOIO",
    "CLEARCONTROL",
    "CZI",
    "FILES",
    "HDF5",
    "LIF",
    "MMIMAGES",
    "MMSTACK",
    "MRC",
    "ND2",
    "NDTIFF",
    "NIFTI",
    "NPY",
    "NPZ",
    "PHOTO",
    "TABLE",
    "TIFF",
    "GraySource",
    "ImageSource",
    "ReaderKind",
    "SourceImage",
    "is_image_name",
    "is_n5",
    "list_readers",
    "open_n5",
    "open_plate",
    "open_several",
    "open_zarr",
    "reader_for",
    "reader_named",
    "refuse_series",
    "register_reader",
    "require_known",
    "stem_of",
]

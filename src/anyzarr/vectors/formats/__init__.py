"""File formats of vectors: what :func:`anyzarr.convert` reads into vector stores, and writes.

One file per format. Another package adds a format by calling :func:`register_format`.
"""

from anyzarr.vectors.formats._csv import CSV, TSV
from anyzarr.vectors.formats._format import (
    FormatOptions,
    VectorFacts,
    VectorFormat,
    VectorSource,
    format_of_name,
    format_of_path,
    list_formats,
    register_format,
)
from anyzarr.vectors.formats._las import LAS, LAZ
from anyzarr.vectors.formats._obj import OBJ
from anyzarr.vectors.formats._parquet import PARQUET
from anyzarr.vectors.formats._ply import PLY
from anyzarr.vectors.formats._precomputed import PRECOMPUTED
from anyzarr.vectors.formats._stl import STL
from anyzarr.vectors.formats._stored import StoredSource
from anyzarr.vectors.formats._swc import SWC
from anyzarr.vectors.formats._to_store import StoreOptions, Written, write_store
from anyzarr.vectors.formats._tractograms import TCK, TRK
from anyzarr.vectors.formats._trx import TRX

for _kind in (CSV, TSV, PARQUET, SWC, TRK, TCK, TRX, PLY, OBJ, STL, LAS, LAZ, PRECOMPUTED):
    register_format(_kind)

__all__ = [
    "CSV",
    "LAS",
    "LAZ",
    "OBJ",
    "PARQUET",
    "PLY",
    "PRECOMPUTED",
    "STL",
    "SWC",
    "TCK",
    "TRK",
    "TRX",
    "TSV",
    "FormatOptions",
    "StoreOptions",
    "StoredSource",
    "VectorFacts",
    "VectorFormat",
    "VectorSource",
    "Written",
    "format_of_name",
    "format_of_path",
    "list_formats",
    "register_format",
    "write_store",
]

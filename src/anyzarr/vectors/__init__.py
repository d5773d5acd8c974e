"""Zarr vectors: points, lines, polylines, graphs, skeletons and meshes in chunked Zarr."""

from anyzarr.vectors._constants import (
    CAP_FRAGMENT_INDEX,
    CAP_MULTISCALE_LINKS,
    CAP_PRESERVED_OBJECT_IDS,
    CAP_SHARED_FRAGMENTS,
    CAP_SHARED_VERTEX_GROUPS,
    FORMAT_VERSION,
)
from anyzarr.vectors._documents import LevelMetadata, RootMetadata, is_vector_store
from anyzarr.vectors._job import WriteSummary
from anyzarr.vectors._lazy import ZVColumn, ZVLevel, ZVSelection, ZVStore, open_zv
from anyzarr.vectors._open import create_store, open_store
from anyzarr.vectors._points import Points, read_points, write_points
from anyzarr.vectors._report import VectorFinding, VectorReport
from anyzarr.vectors._validate import validate

__all__ = [
    "CAP_FRAGMENT_INDEX",
    "CAP_MULTISCALE_LINKS",
    "CAP_PRESERVED_OBJECT_IDS",
    "CAP_SHARED_FRAGMENTS",
    "CAP_SHARED_VERTEX_GROUPS",
    "FORMAT_VERSION",
    "LevelMetadata",
    "Points",
    "RootMetadata",
    "VectorFinding",
    "VectorReport",
    "WriteSummary",
    "ZVColumn",
    "ZVLevel",
    "ZVSelection",
    "ZVStore",
    "create_store",
    "is_vector_store",
    "open_store",
    "open_zv",
    "read_points",
    "validate",
    "write_points",
]

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

__all__ = [
    "CAP_FRAGMENT_INDEX",
    "CAP_MULTISCALE_LINKS",
    "CAP_PRESERVED_OBJECT_IDS",
    "CAP_SHARED_FRAGMENTS",
    "CAP_SHARED_VERTEX_GROUPS",
    "FORMAT_VERSION",
    "LevelMetadata",
    "RootMetadata",
    "is_vector_store",
]

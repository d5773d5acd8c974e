"""Zarr vectors: points, lines, polylines, graphs, skeletons and meshes in chunked Zarr."""

from anyzarr.vectors._bounds import set_bounds
from anyzarr.vectors._constants import (
    CAP_FRAGMENT_INDEX,
    CAP_MULTISCALE_LINKS,
    CAP_PRESERVED_OBJECT_IDS,
    CAP_SHARED_FRAGMENTS,
    CAP_SHARED_VERTEX_GROUPS,
    FORMAT_VERSION,
)
from anyzarr.vectors._create import create_store
from anyzarr.vectors._documents import LevelMetadata, RootMetadata, is_vector_store
from anyzarr.vectors._edit import EditSummary, delete_objects
from anyzarr.vectors._edit_attributes import set_object_attributes, set_vertex_attributes
from anyzarr.vectors._edit_fragments import (
    Fragments,
    read_fragments,
    set_fragment_attributes,
)
from anyzarr.vectors._edit_links import set_link_attributes
from anyzarr.vectors._graphs import Graph, read_graph, write_graph
from anyzarr.vectors._job import WriteSummary
from anyzarr.vectors._lazy import ZVStore, open_zv
from anyzarr.vectors._levels import remove_resolution_level
from anyzarr.vectors._lines import Lines, read_lines, write_lines
from anyzarr.vectors._linked import (
    LevelLinks,
    read_level_links,
    remove_level_links,
    write_level_links,
)
from anyzarr.vectors._meshes import Mesh, read_mesh, write_mesh
from anyzarr.vectors._open import open_store
from anyzarr.vectors._own_levels import add_resolution_level
from anyzarr.vectors._points import Points, read_points, write_points
from anyzarr.vectors._polylines import Polylines, read_polylines, write_polylines
from anyzarr.vectors._pyramid import build_pyramid
from anyzarr.vectors._rechunk import rechunk
from anyzarr.vectors._report import VectorFinding, VectorReport
from anyzarr.vectors._selection import ZVColumn, ZVLevel, ZVSelection
from anyzarr.vectors._summary import StoreInfo, VectorLevelInfo, store_info
from anyzarr.vectors._vacuum import VacuumSummary, vacuum
from anyzarr.vectors._validate import validate
from anyzarr.vectors._writer import ZVWriter

__all__ = [
    "CAP_FRAGMENT_INDEX",
    "CAP_MULTISCALE_LINKS",
    "CAP_PRESERVED_OBJECT_IDS",
    "CAP_SHARED_FRAGMENTS",
    "CAP_SHARED_VERTEX_GROUPS",
    "FORMAT_VERSION",
    "EditSummary",
    "Fragments",
    "Graph",
    "LevelLinks",
    "LevelMetadata",
    "Lines",
    "Mesh",
    "Points",
    "Polylines",
    "RootMetadata",
    "StoreInfo",
    "VacuumSummary",
    "VectorFinding",
    "VectorLevelInfo",
    "VectorReport",
    "WriteSummary",
    "ZVColumn",
    "ZVLevel",
    "ZVSelection",
    "ZVStore",
    "ZVWriter",
    "add_resolution_level",
    "build_pyramid",
    "create_store",
    "delete_objects",
    "is_vector_store",
    "open_store",
    "open_zv",
    "read_fragments",
    "read_graph",
    "read_level_links",
    "read_lines",
    "read_mesh",
    "read_points",
    "read_polylines",
    "rechunk",
    "remove_level_links",
    "remove_resolution_level",
    "set_bounds",
    "set_fragment_attributes",
    "set_link_attributes",
    "set_object_attributes",
    "set_vertex_attributes",
    "store_info",
    "vacuum",
    "validate",
    "write_graph",
    "write_level_links",
    "write_lines",
    "write_mesh",
    "write_points",
    "write_polylines",
]

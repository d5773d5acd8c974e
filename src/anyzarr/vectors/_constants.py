"""Words of the format: versions, capability tokens, kinds of arrays and conventions."""

from __future__ import annotations

from typing import Final

__all__ = [
    "CAP_FRAGMENT_INDEX",
    "CAP_MULTISCALE_LINKS",
    "CAP_PRESERVED_OBJECT_IDS",
    "CAP_SHARED_FRAGMENTS",
    "CAP_SHARED_VERTEX_GROUPS",
    "EDIT",
    "EDITION",
    "FORMAT_VERSION",
    "FRAGMENT_OWNER",
    "GEOMETRY_TYPES",
    "KNOWN_CAPABILITIES",
    "LINKS_CONVENTIONS",
]

EDIT: Final = "anyzarr_edit"
"""Name of the root's attribute that holds a change that is not completed."""

EDITION: Final = "anyzarr_edition"
"""Name of the root's attribute that another value is given by every edit."""

FORMAT_VERSION: Final = "0.9.2"
"""The version of the format that is written."""

FRAGMENT_OWNER: Final = "object_id"
"""Name of the attribute of fragments that is the id of their object."""

CAP_FRAGMENT_INDEX: Final = "fragment_index"
"""Fragments are listed in ``vertex_fragments`` arrays."""

CAP_MULTISCALE_LINKS: Final = "multiscale_links"
"""There are links between levels."""

CAP_PRESERVED_OBJECT_IDS: Final = "preserved_object_ids"
"""Objects keep their ids in coarser levels."""

CAP_SHARED_FRAGMENTS: Final = "shared_fragments"
"""One fragment may belong to several objects."""

CAP_SHARED_VERTEX_GROUPS: Final = CAP_SHARED_FRAGMENTS
"""The older word for :data:`CAP_SHARED_FRAGMENTS`."""

KNOWN_CAPABILITIES: Final = frozenset(
    {CAP_FRAGMENT_INDEX, CAP_MULTISCALE_LINKS, CAP_PRESERVED_OBJECT_IDS, CAP_SHARED_FRAGMENTS}
)

GEOMETRY_TYPES: Final = frozenset(
    {"graph", "line", "mesh", "point_cloud", "polyline", "skeleton", "streamline"}
)

LINKS_CONVENTIONS: Final = frozenset(
    {"explicit", "implicit_sequential", "implicit_sequential_with_branches"}
)

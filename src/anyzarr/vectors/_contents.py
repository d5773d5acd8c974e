"""All that a level holds, as geometries that can be written again."""

from __future__ import annotations

import numpy as np

from anyzarr.errors import UnsupportedError
from anyzarr.vectors._details import level_kind
from anyzarr.vectors._documents import RootMetadata
from anyzarr.vectors._forest import depth_first, parents_of
from anyzarr.vectors._gather import gather_cells, owners_of
from anyzarr.vectors._geometry import Geometry
from anyzarr.vectors._job import Kind
from anyzarr.vectors._level import StoredLevel
from anyzarr.vectors._points import POINTS
from anyzarr.vectors._whole import PATHS, Places, Whole, family_of, whole_level
from anyzarr.vectors._write_networks import GRAPH, MESH, SKELETON, tree_geometry
from anyzarr.vectors._write_paths import path_kind

__all__ = ["geometries_of"]

_NETWORKS = {"graph": GRAPH, "skeleton": SKELETON, "mesh": MESH}


def geometries_of(level: StoredLevel, after: RootMetadata) -> list[tuple[Kind, Whole]]:
    """Return what a level holds, to be written one after the other, and where it lies.

    Parameters
    ----------
    level
        The level.
    after
        What the root will say, by whose bins points of levels of detail are cut.

    Raises
    ------
    UnsupportedError
        The store holds several types of geometry, or vertices of no object.
    """
    name = family_of(level.metadata)
    if name == "point_cloud":
        return _points(level, after)
    whole = whole_level(level, empty=True, fragments=True)
    found = whole.geometry
    if found.n_vertices != level.level.vertex_count:
        raise UnsupportedError(
            f"level {level.number} of {level.root.url} has {level.level.vertex_count} vertices, "
            f"{found.n_vertices} of them in objects; the others cannot be written again",
            kind="objects",
        )
    kind = path_kind(name, has_ids=True) if name in PATHS else _NETWORKS[name]
    return [(kind, _tree(whole) if kind is SKELETON else whole)]


def _tree(whole: Whole) -> Whole:
    """Return a skeleton with its vertices in the order in which they are written."""
    geometry = whole.geometry
    assert geometry.links is not None
    order = depth_first(parents_of(geometry.links, geometry.n_vertices)).order
    return whole.ordered(tree_geometry(geometry), order)


def _points(level: StoredLevel, after: RootMetadata) -> list[tuple[Kind, Whole]]:
    """Return points of objects, and those of none."""
    kind = level_kind("point_cloud", after) if level.number else POINTS
    found = [(kind, whole_level(level, empty=True, fragments=True))]
    if level.objects is not None:
        gathered = gather_cells(level, level.cells, level.attribute_names())
        lonely = owners_of(level, gathered)[gathered.fragment_of_vertex] < 0
        if lonely.any():
            whole = Whole(
                Geometry(gathered.positions, gathered.attributes),
                Places.of(gathered),
                gathered.fragment_number[gathered.fragment_of_vertex],
            )
            found.append(
                (POINTS, whole.ordered(whole.geometry.keep(lonely), np.flatnonzero(lonely)))
            )
    return found

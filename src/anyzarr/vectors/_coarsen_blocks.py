"""Points made coarser block by block, so that a level of any size takes little memory."""

from __future__ import annotations

import numpy as np

from anyzarr._progress import Tracker
from anyzarr.vectors._coarsen import coarsened
from anyzarr.vectors._details import Step
from anyzarr.vectors._gather import gather_rows
from anyzarr.vectors._geometry import Geometry
from anyzarr.vectors._level import StoredLevel
from anyzarr.vectors._whole import family_of

__all__ = ["coarsened_in_blocks", "goes_in_blocks"]

_BLOCK_VERTICES = 4_000_000


def goes_in_blocks(level: StoredLevel, step: Step) -> bool:
    """Return whether a level is made coarser in blocks: many points, in bins that divide chunks."""
    if family_of(level.metadata) != "point_cloud" or (step.objects and level.objects is not None):
        return False
    if level.level.chunk_attribute_name is not None:  # a bin lies in several cells
        return False
    count = np.asarray(level.grid.chunk_shape) / np.asarray(step.bin_shape)
    divides = (np.round(count) >= 1) & (np.abs(count - np.round(count)) <= 1e-9 * count)
    return bool(divides.all()) and level.level.vertex_count > _BLOCK_VERTICES


def coarsened_in_blocks(level: StoredLevel, step: Step, tracker: Tracker) -> Geometry:
    """Return one point for each bin of a level, which lies within one cell.

    Parameters
    ----------
    level
        The level.
    step
        What is asked of the coarser one.
    tracker
        Is told of the bytes of positions that have been read.
    """
    names = level.attribute_names()
    row_bytes = level.ndim * level.dtype.itemsize
    tracker.start(f"reading level {level.number}", level.level.vertex_count * row_bytes)
    n_blocks = -(-level.level.vertex_count // _BLOCK_VERTICES)
    parts = []
    for cells in np.array_split(level.cells, min(n_blocks, len(level.cells))):
        points = Geometry(*gather_rows(level, cells, names))
        tracker.advance(points.n_vertices * row_bytes)
        parts.append(coarsened(points, step.bin_shape, step.rules).geometry)
    columns = {name: np.concatenate([part.vertex_attributes[name] for part in parts])
               for name in names}  # fmt: skip
    return Geometry(np.concatenate([part.positions for part in parts]), columns)

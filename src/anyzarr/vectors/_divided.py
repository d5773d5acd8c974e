"""Chunks divided by an attribute of vertices: one more coordinate before those of space."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from anyzarr.errors import MetadataError, UnsupportedError
from anyzarr.vectors._blobs import Ints
from anyzarr.vectors._documents import LevelMetadata, RootMetadata
from anyzarr.vectors._geometry import Geometry
from anyzarr.vectors._grid import CellGrid

__all__ = ["divided", "divided_grid"]


def divided(
    geometry: Geometry, level: LevelMetadata, metadata: RootMetadata, geometry_type: str
) -> tuple[Geometry, LevelMetadata, Ints | None]:
    """Return a geometry without the attribute that divides the chunks of a level, and its codes.

    Parameters
    ----------
    geometry
        What is written, with the attribute.
    level
        The level, which says what divides its chunks, if anything does.
    metadata
        The root.
    geometry_type
        As the root names it.

    Returns
    -------
    geometry, level
        Without the attribute; with its new values.
    codes
        For each vertex the first coordinate of its chunk; None where nothing divides chunks.

    Raises
    ------
    UnsupportedError
        It is no store of points, which alone are written so.
    MetadataError
        The attribute is missing, or holds floating-point numbers.
    """
    name = level.chunk_attribute_name
    if name is None:
        return geometry, level, None
    if geometry_type != "point_cloud":
        raise UnsupportedError(
            f"chunks are divided by the attribute {name!r}, and only points are added to such a "
            "store; write to a new one",
            kind="chunk_attribute",
        )
    columns = dict(geometry.vertex_attributes)
    column = columns.pop(name, None)
    if column is None or column.ndim != 1 or column.dtype.kind not in "biuUO":
        raise MetadataError(
            f"chunks are divided by the attribute {name!r}, so that vertices need it: one whole "
            "number, boolean or text for each",
            kind="chunk_attribute",
        )
    codes, values = _codes(column, level.chunk_attribute_values or ())
    own = level.raw.get("zarr_vectors_level", {})
    dims = [name, *(str(axis["name"]) for axis in metadata.axes)]
    raw = {**level.raw, "zarr_vectors_level": {"chunk_dims": dims, **own}}
    changed = replace(level, chunk_attribute_values=values, raw=raw)
    return replace(geometry, vertex_attributes=columns), changed, codes


def _codes(
    column: npt.NDArray[np.generic], known: tuple[object, ...]
) -> tuple[Ints, tuple[object, ...]]:
    """Return the place of each value among those that are known, and new ones after them."""
    distinct, inverse = np.unique(column, return_inverse=True)
    number = {value: code for code, value in enumerate(known)}
    codes = [number.setdefault(value, len(number)) for value in distinct.tolist()]
    return np.asarray(codes, np.int64)[inverse.reshape(-1)], tuple(number)


def divided_grid(grid: CellGrid, level: LevelMetadata) -> CellGrid:
    """Return the cells of a level whose chunks are divided by an attribute."""
    n_values = max(1, len(level.chunk_attribute_values or ()))
    return CellGrid(
        (0, *grid.origin), (n_values, *grid.shape), (1.0, *grid.chunk_shape), (1.0, *grid.bin_shape)
    )

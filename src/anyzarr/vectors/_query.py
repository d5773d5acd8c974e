"""What a read asks for, and which objects that is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from anyzarr.errors import SelectionError
from anyzarr.vectors._blobs import Ints
from anyzarr.vectors._cell_index import CellIndex, distinct_cells
from anyzarr.vectors._grid import Bounds, Coords
from anyzarr.vectors._level import BoundingBox, StoredLevel
from anyzarr.vectors._points import wanted_objects

__all__ = ["BoxMode", "Query"]

BoxMode: TypeAlias = Literal["intersects", "touches-chunk", "clip"]
_MODES: Final = ("intersects", "touches-chunk", "clip")


@dataclass(frozen=True)
class Query:
    """What a read asks for; conditions that are given hold together.

    Attributes
    ----------
    bbox
        Lower and upper corner, both included; None: everywhere.
    bbox_mode
        What of an object that meets the box is returned, and what meeting is.
    object_ids, group_ids
        Objects, and groups of them; None: all.
    chunks
        Absolute coordinates of chunks; None: all.
    """

    bbox: BoundingBox | None = None
    bbox_mode: BoxMode = "intersects"
    object_ids: npt.ArrayLike | None = None
    group_ids: npt.ArrayLike | None = None
    chunks: Iterable[Sequence[int]] | None = None

    def __post_init__(self) -> None:
        if self.chunks is not None:
            object.__setattr__(self, "chunks", tuple(self.chunks))
        if self.bbox_mode not in _MODES:
            raise SelectionError(
                f"bbox_mode={self.bbox_mode!r} is not known: use {', '.join(map(repr, _MODES))}",
                kind="bbox_mode",
            )

    def box(self, level: StoredLevel) -> Bounds | None:
        """Return the box in the space of a store."""
        return None if self.bbox is None else level.corners(self.bbox)

    @property
    def names_objects(self) -> bool:
        """Whether objects are named, by id or by group."""
        return self.object_ids is not None or self.group_ids is not None

    def object_rows(self, level: StoredLevel) -> Ints:
        """Return the rows of the objects that are named, of all where none are.

        Ids are answered in the order in which they are given, each once; those that the level has
        not are left out.
        """
        objects = level.objects
        if objects is None:
            return np.empty(0, np.int64)
        if not self.names_objects:
            return objects.present
        rows = objects.rows_of(wanted_objects(level, self.object_ids, self.group_ids))
        rows = rows[rows >= 0]
        is_whole = objects.n_present == objects.n_objects
        return rows if is_whole else rows[np.isin(rows, objects.present)]

    def cropping_cells(self, level: StoredLevel) -> Coords | None:
        """Return the cells that hold all that a cropping query returns; None: it does not crop."""
        box = self.bbox if self.bbox_mode == "clip" else None
        if box is None and self.chunks is None:
            return None
        return level.select(box, self.chunks)

    def cell_mask(self, cells: Coords) -> npt.NDArray[np.bool_]:
        """Return which cells are among the chunks that are asked for."""
        if self.chunks is None:
            return np.ones(len(cells), np.bool_)
        wanted = np.asarray(list(self.chunks), np.int64).reshape(-1, cells.shape[1])
        return CellIndex(distinct_cells(wanted)[0]).find(cells) >= 0

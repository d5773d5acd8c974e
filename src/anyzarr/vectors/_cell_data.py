"""What cells hold: rows of vertices and of their attributes, and the fragments that name rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr._parallel import map_ordered
from anyzarr.abc import Ragged
from anyzarr.vectors._attributes import row_layout
from anyzarr.vectors._blobs import Ints, Origin
from anyzarr.vectors._cells import CellArray, arrays_at_once
from anyzarr.vectors._fragments import FragmentTable, decode_fragments
from anyzarr.vectors._grid import Coords
from anyzarr.vectors._level import StoredLevel

__all__ = ["CellData", "read_cells"]

_ATTEMPTS = 3


@dataclass(frozen=True, eq=False)
class CellData:
    """What cells hold: rows of vertices and attributes, and where those of each cell begin."""

    cells: Coords
    positions: npt.NDArray[Any]
    attributes: Mapping[str, npt.NDArray[Any]]
    offsets: Ints
    attribute_offsets: Mapping[str, Ints]
    table: FragmentTable | None

    @property
    def is_consistent(self) -> bool:
        """Whether all that is named is there."""
        if self.table is None:
            return all(np.array_equal(o, self.offsets) for o in self.attribute_offsets.values())
        needed = self.table.extent()
        every = [self.offsets, *self.attribute_offsets.values()]
        return all(bool((np.diff(offsets) >= needed).all()) for offsets in every)


def read_cells(
    level: StoredLevel, cells: Coords, names: Sequence[str], with_fragments: bool
) -> CellData:
    """Return what cells hold, in one round of requests.

    Where another writer adds to the cells meanwhile, fragments may be newer than the rows that
    they name, which is seen, and read again.
    """
    for attempt in range(_ATTEMPTS):
        data = _read_once(level, cells, names, with_fragments or attempt > 0)
        if data.is_consistent:
            return data
    assert data.table is not None
    needed = data.table.extent()
    offsets = {"vertices": data.offsets}
    offsets |= {f"vertex_attributes/{n}": rows for n, rows in data.attribute_offsets.items()}
    for name, rows in offsets.items():
        origin = Origin(level.array(name).path, cells)
        origin.refuse(np.diff(rows) < needed, "has fewer rows than its fragments name")
    raise AssertionError("what is inconsistent has been named")


def _read_once(
    level: StoredLevel, cells: Coords, names: Sequence[str], with_fragments: bool
) -> CellData:
    stored = [name for name in names if name != level.level.chunk_attribute_name]
    attributes = [level.array(f"vertex_attributes/{name}") for name in stored]
    arrays: list[CellArray] = [level.vertices, *attributes]
    fragments = level.fragments if with_fragments else None
    if fragments is not None:
        arrays.append(fragments)
    limit = arrays_at_once(level.vertices.store)
    blobs = map_ordered(lambda array: array.read(cells), arrays, limit=limit)
    positions, offsets = level.vertices.as_rows(cells, blobs[0], level.dtype, (level.ndim,))
    columns, starts = {}, {}
    for name, array, found in zip(stored, attributes, blobs[1:], strict=False):
        dtype, shape = row_layout(name, array.attributes)
        if not shape:
            shape = _untold_shape(found.lengths // dtype.itemsize, np.diff(offsets))
        columns[name], starts[name] = array.as_rows(cells, found, dtype, shape)
    table = _table_of(fragments, cells, blobs[-1], offsets) if with_fragments else None
    return CellData(cells, positions, columns, offsets, starts, table)


def _untold_shape(values: Ints, rows: Ints) -> tuple[int, ...]:
    """Return the shape of rows of an attribute that says they are single values, from their number.

    The package writes rows of several values for polylines, graphs and meshes without saying so.
    """
    width = int(values.sum()) // max(1, int(rows.sum()))
    return (width,) if width > 1 and np.array_equal(values, rows * width) else ()


def _table_of(
    fragments: CellArray | None, cells: Coords, blobs: Ragged, offsets: Ints
) -> FragmentTable:
    if fragments is None:
        return FragmentTable.of_runs(np.ones(len(cells), np.int64), np.diff(offsets))
    return decode_fragments(blobs, Origin(fragments.path, cells))

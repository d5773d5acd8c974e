"""Attributes of links, as the arrays that stand beside those of the links."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr._nodes import Array, Group
from anyzarr._parallel import map_ordered
from anyzarr.abc import Ragged
from anyzarr.errors import CorruptDataError
from anyzarr.vectors._attributes import decode_column, row_layout
from anyzarr.vectors._blobs import Ints, Origin, index_ranges, starts_of
from anyzarr.vectors._cells import CellArray, arrays_at_once
from anyzarr.vectors._grid import Coords

__all__ = ["absent", "attribute_arrays", "link_column"]


def attribute_arrays(
    root: Group, base: str, links: Sequence[CellArray], settled: bool
) -> tuple[CellArray, ...]:
    """Return the arrays of an attribute that stand beside those of links."""
    paths = [f"{base}/{array.path.rpartition('/')[2]}" for array in links]
    nodes = root.get_many(paths)
    found = []
    for array, path in zip(links, paths, strict=True):
        node = nodes.get(path)
        if node is None and len(array.nonempty) and settled:
            raise CorruptDataError(
                f"the attribute of links {base!r} in {root.url} has no array {path!r}, though "
                "there are such links; write it again, or restore it from a copy",
                path=path,
            )
        # An array of no links has no attributes either; its own document stands for them.
        found.append(
            CellArray(node.metadata, node.store, node.path) if isinstance(node, Array) else array
        )
    return tuple(found)


def link_column(
    name: str,
    arrays: Sequence[CellArray],
    found: Sequence[tuple[int, Coords]],
    per_cell: Sequence[Ints],
    *,
    settled: bool,
) -> npt.NDArray[Any]:
    """Return an attribute of the links in cells of several arrays.

    Parameters
    ----------
    name
        Its name.
    arrays
        Those that hold it, in the order of the arrays of links.
    found, per_cell
        Numbers of arrays, cells of each, and how many links these have.
    settled
        Whether every link must have it; otherwise it is absent where it is not there yet.

    Raises
    ------
    CorruptDataError
        A cell has not as many rows as links, or a row cannot be decoded.
    """
    if not found:
        nowhere = np.empty((0, arrays[0].ndim), np.int64)
        return _column(name, arrays, (0, nowhere), np.empty(0, np.int64), settled=settled)
    return np.concatenate(
        map_ordered(
            lambda n: _column(name, arrays, found[n], per_cell[n], settled=settled),
            range(len(found)),
            limit=arrays_at_once(arrays[0].store),
        )
    )


def _column(
    name: str,
    arrays: Sequence[CellArray],
    part: tuple[int, Coords],
    per_cell: Ints,
    *,
    settled: bool,
) -> npt.NDArray[Any]:
    """Return an attribute of the links in cells of one array."""
    array, source = arrays[part[0]], part[1]
    about, is_there = array.attributes, array.kind == "link_attribute"
    if not is_there:
        stored = (other.attributes for other in arrays)
        about = next((a for a in stored if a.get("zv_array") == "link_attribute"), about)
    dtype, row_shape = row_layout(name, about)
    blobs = array.read(source) if is_there else Ragged.empty(len(source))
    values, starts = array.as_rows(source, blobs, dtype, row_shape)
    if settled:
        bad = np.diff(starts) != per_cell
        Origin(array.path, source).refuse(bad, "has not as many rows as there are links")
    return decode_column(name, _as_many(values, starts, per_cell), about)


def _as_many(values: npt.NDArray[Any], starts: Ints, per_cell: Ints) -> npt.NDArray[Any]:
    """Return so many rows of each cell: without those beyond, and absent ones where some lack."""
    counts = np.minimum(np.diff(starts), per_cell)
    if np.array_equal(counts, per_cell) and len(values) == int(per_cell.sum()):
        return values
    found = np.full((int(per_cell.sum()), *values.shape[1:]), absent(values.dtype), values.dtype)
    found[index_ranges(starts_of(per_cell)[:-1], counts)] = values[
        index_ranges(starts[:-1], counts)
    ]
    return found


def absent(dtype: np.dtype[Any]) -> Any:
    """Return what stands for an attribute that a link has not."""
    if dtype.kind == "f":
        return np.nan
    if dtype.kind == "i":
        return np.iinfo(dtype).min
    return np.zeros((), dtype)[()]

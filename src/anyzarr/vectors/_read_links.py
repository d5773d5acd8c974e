"""Links of a level, read for the cells that are wanted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr._nodes import Array, Group
from anyzarr._parallel import map_ordered
from anyzarr.errors import CorruptDataError
from anyzarr.vectors._attributes import decode_column, row_layout
from anyzarr.vectors._blobs import Ints, Origin
from anyzarr.vectors._cell_index import CellIndex
from anyzarr.vectors._cells import CellArray, arrays_at_once
from anyzarr.vectors._grid import Bounds, CellGrid, Coords
from anyzarr.vectors._links import LinkFamily, decode_inline, parse_offsets_name, permutations_of

__all__ = ["LinkRows", "StoredLinks"]


@dataclass(frozen=True, eq=False)
class LinkRows:
    """Links between rows of cells.

    Attributes
    ----------
    vertices
        Of shape ``(M, width)``: rows of the cells that were asked for, all one after the other.
    attributes
        By name, one row per link.
    """

    vertices: Ints
    attributes: Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, eq=False)
class StoredLinks:
    """The links of a level, as arrays by chunk offsets.

    Attributes
    ----------
    family
        What they have in common.
    offsets
        Chunk offsets of each array.
    arrays
        The arrays.
    attributes
        By name, the arrays of an attribute, in the order of ``arrays``.
    """

    family: LinkFamily
    offsets: tuple[Ints, ...]
    arrays: tuple[CellArray, ...]
    attributes: Mapping[str, tuple[CellArray, ...]]

    @classmethod
    def open(
        cls, root: Group, level: int = 0, names: Sequence[str] | None = None, *, delta: int = 0
    ) -> StoredLinks | None:
        """Return the links of a level, None if it has none.

        Parameters
        ----------
        root, level
            The root of the store, and the number of the level.
        names
            Attributes to read; all of them by default.
        delta
            Number of the level at the links' other end, less that of this one.

        Raises
        ------
        CorruptDataError
            An array does not say how its links are stored, or an attribute lacks an array.
        """
        path = f"{level}/{LinkFamily(2, 1, delta).path}"
        group = root.get_many([path]).get(path)
        if not isinstance(group, Group):
            return None
        family = LinkFamily.parse(group.metadata.attributes, group.path)
        arrays = dict(group.arrays())
        offsets = tuple(parse_offsets_name(name, family) for name in arrays)
        cells = tuple(_cell_array(array) for array in arrays.values())
        columns = {
            name: _attribute(
                root, f"{level}/link_attributes/{name}{path[path.rindex('/') :]}", cells
            )
            for name in (_attribute_names(root, level) if names is None else names)
        }
        return cls(family, offsets, cells, columns)

    def without_attributes(self) -> StoredLinks:
        """Return the links alone."""
        return replace(self, attributes={})

    @cached_property
    def across(self) -> tuple[int, ...]:
        """Numbers of the arrays whose links pass from one cell into another."""
        return tuple(k for k, offsets in enumerate(self.offsets) if offsets.any())

    def near(self, grid: CellGrid, box: Bounds) -> Coords:
        """Return the cells of all vertices of links across cells that may cross a box.

        The vertices of such a link lie in known cells, and the link within their hull.
        """
        low, high = np.floor(np.asarray(box, np.float64) / np.asarray(grid.chunk_shape))
        found = [np.empty((0, grid.ndim), np.int64)]
        for k in self.across:
            source = self.arrays[k].nonempty
            cells = self._cells(k, source)
            meets = np.all((cells.max(axis=1) >= low) & (cells.min(axis=1) <= high), axis=-1)
            found.append(cells[meets].reshape(-1, grid.ndim))
        return np.unique(np.concatenate(found), axis=0)

    def _cells(self, k: int, source: Coords) -> Ints:
        """Return the cell of each vertex of links that begin in these cells."""
        offsets = np.concatenate([np.zeros((1, self.family.ndim), np.int64), self.offsets[k]])
        cells: Ints = source[:, None, :] + offsets
        return cells

    def read(self, cells: Coords, counts: Ints) -> LinkRows:
        """Return the links all of whose vertices lie in these cells.

        Parameters
        ----------
        cells
            Absolute coordinates, of shape ``(C, ndim)``.
        counts
            Number of rows of each cell.

        Raises
        ------
        CorruptDataError
            A cell cannot be decoded, or a link names a row that a cell has not.
        """
        index = CellIndex(cells)
        first = np.concatenate([[0], np.cumsum(counts)])
        limit = arrays_at_once(self.arrays[0].store) if self.arrays else None
        parts = map_ordered(
            lambda k: self._read(k, index, first, counts),
            list(range(len(self.arrays))),
            limit=limit,
        )
        none = np.empty((0, self.family.width), np.int64)
        return LinkRows(
            np.concatenate([none, *(rows for rows, _ in parts)]),
            {
                name: np.concatenate([columns[name] for _, columns in parts])
                if parts
                else np.empty(0)
                for name in self.attributes
            },
        )

    def _read(
        self, k: int, index: CellIndex, first: Ints, counts: Ints
    ) -> tuple[Ints, dict[str, npt.NDArray[Any]]]:
        """Return the links of one array, and their attributes."""
        array = self.arrays[k]
        source = array.nonempty
        places = index.find(self._cells(k, source).reshape(-1, self.family.ndim))
        places = places.reshape(len(source), self.family.width)
        wanted = (places >= 0).all(axis=1)
        source, places = source[wanted], places[wanted]
        rows, per_cell = self._rows(k, source)
        place = np.repeat(places, per_cell, axis=0)
        order = None
        if rows.shape[1] > self.family.width:
            order, rows = permutations_of(rows[:, 0], self.family.width), rows[:, 1:]
        owner = np.repeat(np.arange(len(source)), per_cell)
        beyond = ((rows < 0) | (rows >= counts[place])).any(axis=1)
        bad = np.bincount(owner[beyond], minlength=len(source)) > 0
        Origin(array.path, source).refuse(bad, "has a link to a vertex that is not there")
        vertices = first[place] + rows
        if order is not None:
            placed, vertices = vertices, np.empty_like(vertices)
            np.put_along_axis(vertices, order, placed, axis=1)
        kept = self._once(source, places)[owner]
        columns = {
            name: self._column(name, arrays[k], source, per_cell)[kept]
            for name, arrays in self.attributes.items()
        }
        return vertices[kept], columns

    def _once(self, source: Coords, places: Ints) -> npt.NDArray[np.bool_]:
        """Return for which cells the links are to be taken, so that each is taken once."""
        if not self.family.duplicate:
            return np.ones(len(source), np.bool_)
        once: npt.NDArray[np.bool_] = (places[:, :1] <= places).all(axis=1)
        return once

    def _rows(self, k: int, source: Coords) -> tuple[Ints, Ints]:
        """Return the rows of links of one array in these cells, and how many each cell has."""
        array, offsets = self.arrays[k], self.offsets[k]
        is_intra = not offsets.any()
        has_order = array.attributes.get("has_perm", self.family.has_order(is_intra=is_intra))
        blobs = array.read(source)
        if not (is_intra and self.family.delta == 0):
            blobs = decode_inline(blobs, Origin(array.path, source))
        dtype = np.dtype(str(array.attributes.get("dtype", "int64")))
        rows, starts = array.as_rows(source, blobs, dtype, (self.family.width + bool(has_order),))
        rows = rows.astype(np.int64, copy=False)
        per_cell = np.diff(starts)
        if has_order:
            codes = rows[:, 0]
            wrong = (codes < 0) | (codes >= math.factorial(self.family.width))
            owner = np.repeat(np.arange(len(source)), per_cell)
            bad = np.bincount(owner[wrong], minlength=len(source)) > 0
            Origin(array.path, source).refuse(bad, "has a link whose vertices are in no order")
        return rows, per_cell

    def _column(
        self, name: str, array: CellArray, source: Coords, per_cell: Ints
    ) -> npt.NDArray[Any]:
        """Return an attribute of the links in these cells."""
        about = array.attributes
        if not len(source) and array.kind != "link_attribute":
            about = next(
                (a.attributes for a in self.attributes[name] if a.kind == "link_attribute"), about
            )
        dtype, row_shape = row_layout(name, about)
        values, starts = array.rows(source, dtype, row_shape)
        bad = np.diff(starts) != per_cell
        Origin(array.path, source).refuse(bad, "has not as many rows as there are links")
        return decode_column(name, values, about)


def _cell_array(array: Array) -> CellArray:
    return CellArray(array.metadata, array.store, array.path)


def _attribute_names(root: Group, level: int) -> list[str]:
    path = f"{level}/link_attributes"
    family = root.get_many([path]).get(path)
    return sorted(family.keys()) if isinstance(family, Group) else []


def _attribute(root: Group, base: str, links: Sequence[CellArray]) -> tuple[CellArray, ...]:
    """Return the arrays of an attribute that stand beside those of links."""
    paths = [f"{base}/{array.path.rpartition('/')[2]}" for array in links]
    nodes = root.get_many(paths)
    found = []
    for array, path in zip(links, paths, strict=True):
        node = nodes.get(path)
        if node is None and len(array.nonempty):
            raise CorruptDataError(
                f"the attribute of links {base!r} in {root.url} has no array {path!r}, though "
                "there are such links; write it again, or restore it from a copy",
                path=path,
            )
        # An array of no links has no attributes either; its own document stands for them.
        found.append(_cell_array(node) if isinstance(node, Array) else array)
    return tuple(found)

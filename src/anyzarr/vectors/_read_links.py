"""Links of a level, read for the cells that are wanted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from anyzarr._nodes import Array, Group
from anyzarr._parallel import map_ordered
from anyzarr.abc import Ragged
from anyzarr.errors import CorruptDataError
from anyzarr.vectors._blobs import Ints, starts_of
from anyzarr.vectors._cell_index import CellIndex, distinct_cells
from anyzarr.vectors._cells import CellArray, arrays_at_once
from anyzarr.vectors._decode_links import LinkDecoder, LinkLayout
from anyzarr.vectors._grid import Bounds, CellGrid, Coords
from anyzarr.vectors._link_attributes import attribute_arrays, link_column
from anyzarr.vectors._links import LinkFamily, parse_offsets_name

__all__ = ["LINK_NODES", "LinkPlaces", "LinkRows", "StoredLinks"]

LINK_NODES: Final = ("links/0", "link_attributes")
"""Groups below a level that tell of its links."""


@dataclass(frozen=True, eq=False)
class LinkRows:
    """Links between rows of cells.

    Attributes
    ----------
    vertices
        Of shape ``(M, width)``: rows of the cells that were asked for, all one after the other.
    attributes
        By name, one row per link.
    places
        Where they are stored.
    """

    vertices: Ints
    attributes: Mapping[str, npt.NDArray[Any]]
    places: LinkPlaces


@dataclass(frozen=True, eq=False)
class LinkPlaces:
    """Where links are stored: rows of cells of arrays, all of these one after the other.

    Attributes
    ----------
    arrays
        For each array that has any its number, and the cells in it.
    counts
        Number of links of each cell.
    kept
        The rows of the links that were returned.
    """

    arrays: tuple[tuple[int, Coords], ...]
    counts: Ints
    kept: Ints

    def parts(self) -> Iterator[tuple[int, int, Coords, Ints]]:
        """Yield the number of each array, its first row, its cells, and how many rows each has."""
        cell = row = 0
        for number, cells in self.arrays:
            counts = self.counts[cell : cell + len(cells)]
            yield number, row, cells, counts
            cell, row = cell + len(cells), row + int(counts.sum())


class _Part(NamedTuple):
    """Cells of array ``k``, and for each the places of the cells of its links' vertices."""

    k: int
    source: Coords
    places: Ints

    @classmethod
    def joined(cls, parts: Sequence[_Part]) -> _Part:
        """Return the cells of several arrays; ``k`` is that of the first."""
        sources, places = ([part[n] for part in parts] for n in (1, 2))
        return cls(parts[0].k, np.concatenate(sources), np.concatenate(places))


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
    settled
        Whether nothing has been added since the level was made. Otherwise a write may be going on,
        or have been cut off: links to vertices that are not there yet are left out, and attributes
        that are not there yet are absent.
    """

    family: LinkFamily
    offsets: tuple[Ints, ...]
    arrays: tuple[CellArray, ...]
    attributes: Mapping[str, tuple[CellArray, ...]]
    settled: bool = True

    @classmethod
    def open(
        cls,
        root: Group,
        level: int = 0,
        names: Sequence[str] | None = None,
        *,
        delta: int = 0,
        settled: bool = True,
        nodes: Mapping[str, Array | Group | None] | None = None,
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
        settled
            As the attribute.
        nodes
            What has been fetched, by path below the root.

        Raises
        ------
        CorruptDataError
            An array does not say how its links are stored, or an attribute lacks an array.
        """
        path = f"{level}/{LinkFamily(2, 1, delta).path}"
        group = _node(root, path, nodes or {})
        if not isinstance(group, Group):
            return None
        family = LinkFamily.parse(group.metadata.attributes, group.path)
        arrays = dict(group.arrays())
        offsets = tuple(parse_offsets_name(name, family) for name in arrays)
        cells = tuple(CellArray(a.metadata, a.store, a.path) for a in arrays.values())
        chosen = _attribute_names(root, level, nodes or {}) if names is None else names
        last = path[path.rindex("/") :]
        columns = map_ordered(
            lambda name: attribute_arrays(
                root, f"{level}/link_attributes/{name}{last}", cells, settled
            ),
            chosen,
            limit=arrays_at_once(root.store),
        )
        return cls(family, offsets, cells, dict(zip(chosen, columns, strict=True)), settled)

    def without_attributes(self) -> StoredLinks:
        """Return the links alone."""
        return replace(self, attributes={})

    def near(self, grid: CellGrid, box: Bounds) -> Coords:
        """Return the cells of all vertices of links across cells that may cross a box.

        The vertices of such a link lie in known cells, and the link within their hull.
        """
        low, high = np.floor(np.asarray(box, np.float64) / np.asarray(grid.chunk_shape))
        cells, _ = self._ends
        # Cells may have further coordinates before those of the space.
        ends = cells[:, :, -grid.ndim :]
        meets = np.all((ends.max(axis=1) >= low) & (ends.min(axis=1) <= high), axis=-1)
        meets &= (cells != cells[:, :1]).any(axis=(1, 2))
        return distinct_cells(cells[meets].reshape(-1, self.family.ndim))[0]

    def joined_to(self, cells: Coords) -> Coords:
        """Return cells with those at the other ends of their links."""
        ends, _ = self._ends
        held = CellIndex(cells).find(ends.reshape(-1, self.family.ndim)).reshape(ends.shape[:2])
        joined = ends[(held >= 0).any(axis=1)].reshape(-1, self.family.ndim)
        return distinct_cells(np.concatenate([cells, joined]))[0]

    @cached_property
    def _ends(self) -> tuple[Ints, Ints]:
        """The cells of the vertices of links, array after array, and where those of each begin.

        There is a row, of shape ``(width, ndim)``, for each cell of an array that holds links.
        """
        sources = [array.nonempty for array in self.arrays]
        starts = starts_of(np.asarray([len(source) for source in sources], np.int64))
        ends = np.zeros((int(starts[-1]), self.family.width, self.family.ndim), np.int64)
        if sources:
            offsets = np.stack(self.offsets)
            ends[:, 1:] = np.repeat(offsets, np.diff(starts), axis=0)
            ends += np.concatenate(sources)[:, None]
        return ends, starts

    def read(
        self, cells: Coords, counts: Ints, wanted: npt.NDArray[np.bool_] | None = None
    ) -> LinkRows:
        """Return the links all of whose vertices lie in these cells.

        Parameters
        ----------
        cells
            Absolute coordinates, of shape ``(C, ndim)``.
        counts
            Number of rows of each cell.
        wanted
            For each cell, whether its links are asked for: those with a vertex there. By default
            all are.

        Raises
        ------
        CorruptDataError
            A cell cannot be decoded, or a link names a row that a cell has not.
        """
        index = CellIndex(cells)
        first = np.concatenate([[0], np.cumsum(counts)])
        found = self._stored(index, wanted)
        decoder = LinkDecoder(self.family.width, first, counts, self.settled)
        vertices, per_cell = self._vertices(found, decoder)
        none = np.empty((0, self.family.width), np.int64)
        places = np.concatenate([none, *(part.places for part in found)])
        kept = np.repeat(self._once(places), per_cell) & (vertices >= 0).all(axis=1)
        ends = np.cumsum([0, *(len(part.source) for part in found)])
        of_parts = [per_cell[a:b] for a, b in pairwise(ends)]
        stored = tuple((part.k, part.source) for part in found)
        columns = {
            name: link_column(name, arrays, stored, of_parts, settled=self.settled)[kept]
            if arrays
            else np.empty(0)
            for name, arrays in self.attributes.items()
        }
        where = LinkPlaces(stored, per_cell, np.flatnonzero(kept))
        return LinkRows(vertices if kept.all() else vertices[kept], columns, where)

    def _stored(self, index: CellIndex, asked: npt.NDArray[np.bool_] | None) -> list[_Part]:
        """Return for each array that has any the cells whose links lie in these cells."""
        ends, starts = self._ends
        places = index.find(ends.reshape(-1, self.family.ndim)).reshape(-1, self.family.width)
        is_wanted = (places >= 0).all(axis=1)
        if asked is not None:
            is_wanted[is_wanted] = asked[places[is_wanted]].any(axis=1)
        wanted = np.flatnonzero(is_wanted)
        bounds = np.searchsorted(wanted, starts).tolist()
        parts = []
        for k, (begin, end) in enumerate(pairwise(bounds)):
            if end > begin:
                rows = wanted[begin:end]
                parts.append(_Part(k, ends[rows, 0], places[rows]))
        return parts

    def _vertices(self, found: list[_Part], decoder: LinkDecoder) -> tuple[Ints, Ints]:
        """Return the vertices of the links of all arrays, and how many each cell has.

        What is alike in layout is decoded at once.
        """
        store = self.arrays[0].store if self.arrays else None
        limit = None if store is None else arrays_at_once(store)
        blobs = map_ordered(lambda part: self.arrays[part.k].read(part.source), found, limit=limit)
        alike: dict[LinkLayout, list[tuple[int, Ragged]]] = {}
        for n, (part, blob) in enumerate(zip(found, blobs, strict=True)):
            alike.setdefault(self._layout(part.k), []).append((n, blob))
        del blobs
        none = np.empty((0, self.family.width), np.int64), np.empty(0, np.int64)
        done: list[tuple[Ints, Ints]] = [none] * len(found)
        for layout, members in alike.items():
            numbers = [n for n, _ in members]
            parts = [found[n] for n in numbers]
            own = [blob for _, blob in members]
            members.clear()
            rows, per_cell = self._together(layout, parts, own, decoder)
            if len(parts) == len(found):
                return rows, per_cell
            ends = np.cumsum([0, *(len(part.source) for part in parts)])
            starts = starts_of(per_cell)[ends]
            for number, n in enumerate(numbers):
                done[n] = (
                    rows[starts[number] : starts[number + 1]],
                    per_cell[ends[number] : ends[number + 1]],
                )
        return (
            np.concatenate([none[0], *(rows for rows, _ in done)]),
            np.concatenate([none[1], *(per_cell for _, per_cell in done)]),
        )

    def _together(
        self, layout: LinkLayout, parts: list[_Part], blobs: list[Ragged], decoder: LinkDecoder
    ) -> tuple[Ints, Ints]:
        """Return what cells of several arrays hold; only if that fails array by array.

        These are read again then, and the error names the cell: ``blobs`` is emptied, so that they
        are let go of as soon as their links are known.
        """
        joined = _Part.joined(parts)
        try:
            return decoder.decode(self.arrays[joined.k], layout, *joined[1:], blobs)
        except CorruptDataError:
            for part in parts:
                array = self.arrays[part.k]
                decoder.decode(array, layout, *part[1:], [array.read(part.source)])
            raise

    def _layout(self, k: int) -> LinkLayout:
        """Return how the links of an array are stored."""
        about, is_intra = self.arrays[k].attributes, not self.offsets[k].any()
        has_order = about.get("has_perm", self.family.has_order(is_intra=is_intra))
        is_inline = not (is_intra and self.family.delta == 0)
        return LinkLayout(is_inline, bool(has_order), str(about.get("dtype", "int64")))

    def _once(self, places: Ints) -> npt.NDArray[np.bool_]:
        """Return for which cells the links are to be taken, so that each is taken once."""
        if not self.family.duplicate:
            return np.ones(len(places), np.bool_)
        once: npt.NDArray[np.bool_] = (places[:, :1] <= places).all(axis=1)
        return once


def _node(
    root: Group, path: str, nodes: Mapping[str, Array | Group | None]
) -> Array | Group | None:
    return nodes[path] if path in nodes else root.get_many([path]).get(path)


def _attribute_names(
    root: Group, level: int, nodes: Mapping[str, Array | Group | None]
) -> list[str]:
    family = _node(root, f"{level}/link_attributes", nodes)
    return sorted(family.keys()) if isinstance(family, Group) else []

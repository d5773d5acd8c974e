"""Attributes of fragments, of a level whose vertices are cut into fragments anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from anyzarr._nodes import Group
from anyzarr.crud._nodes import put_document
from anyzarr.errors import UnsupportedError
from anyzarr.metadata import group_document
from anyzarr.stores import join
from anyzarr.vectors._attributes import StoredColumn
from anyzarr.vectors._blobs import Ints, Origin, starts_of
from anyzarr.vectors._cell_index import CellIndex
from anyzarr.vectors._constants import FRAGMENT_OWNER
from anyzarr.vectors._contents import geometries_of
from anyzarr.vectors._documents import RootMetadata
from anyzarr.vectors._edit_attributes import new_array
from anyzarr.vectors._fragment_values import blobs_of, fragment_values, spread
from anyzarr.vectors._fragments import FragmentTable, decode_fragments
from anyzarr.vectors._geometry import Geometry
from anyzarr.vectors._grid import CellGrid
from anyzarr.vectors._job import Kind, Pieces
from anyzarr.vectors._level import StoredLevel
from anyzarr.vectors._whole import PATHS, Places, Whole, family_of

__all__ = ["Recut", "refuse_mixed_bins"]

_FAMILY = "fragment_attributes"
_SHARED = -2
# What an array says of its cells and not of its rows.
_OF_CELLS = frozenset({"chunk_grid_origin", "nonempty_chunks", "zv_array"})

Parts = Sequence[tuple[Kind, Whole]]


def refuse_mixed_bins(level: StoredLevel, after: RootMetadata, grid: CellGrid) -> None:
    """Raise where fragments of a level cannot keep their attributes in other bins.

    Parameters
    ----------
    level
        The level.
    after, grid
        What the root will say, and the cells of the level.

    Raises
    ------
    UnsupportedError
        A bin, which is one fragment, would hold vertices of fragments of several kinds.
    """
    has_any = isinstance(level.node(_FAMILY), Group) and len(level.cells)
    has_bins = grid.n_bins > 1 or after.grid().n_bins > 1
    if not has_bins or not has_any or level.objects is not None:
        return
    if family_of(level.metadata) != "point_cloud":
        return
    parts = geometries_of(level, after)
    recut = Recut.of(level, parts)
    assert recut is not None
    for kind, whole in recut.apart(parts):
        kind.cut(whole.geometry, grid)


@dataclass(frozen=True, eq=False)
class Recut:
    """Which fragments vertices were part of, and the attributes of these.

    Attributes
    ----------
    level
        The level that is written anew.
    columns
        Attributes of its fragments, by name.
    source
        For each vertex its fragment, as a row of the columns; those of all parts that are written,
        one part after the other.
    owner
        For each vertex the id of its object, -1 for none.
    has_owners
        Whether the attribute ``object_id`` is the id of the object of a fragment.
    kind
        For each fragment a number, the same for those whose attributes are all equal.
    """

    level: StoredLevel
    columns: Mapping[str, StoredColumn]
    source: Ints
    owner: Ints
    has_owners: bool
    kind: Ints

    @classmethod
    def of(cls, level: StoredLevel, parts: Parts) -> Recut | None:
        """Return those of a level, of which all parts are written; None: they have none."""
        family = level.node(_FAMILY)
        if not isinstance(family, Group):
            return None
        counts = _fragments_of(level).fragments
        names = [name for name, _ in family.arrays()]
        level.fetch(f"{_FAMILY}/{name}" for name in names)
        columns = {
            name: fragment_values(name, level.array(f"{_FAMILY}/{name}"), level.cells, counts)
            for name in names
        }
        source = np.concatenate([_sources(level, whole, counts) for _, whole in parts])
        owner = np.concatenate([_owners(whole.geometry) for _, whole in parts])
        named = None if level.objects is None else columns.get(FRAGMENT_OWNER)
        has_owners = named is not None and _are_owners(named, source, owner)
        told = [c for name, c in columns.items() if not (has_owners and name == FRAGMENT_OWNER)]
        return cls(level, columns, source, owner, has_owners, _kinds(told, int(counts.sum())))

    def apart(self, parts: Parts) -> list[tuple[Kind, Whole]]:
        """Return the parts, to be cut so that no two kinds of fragments become one fragment.

        The kinds raise UnsupportedError where bins would hold vertices of several.
        """
        ends = np.cumsum([whole.geometry.n_vertices for _, whole in parts])
        kinds = np.split(self.kind[self.source], ends[:-1])
        return [
            (replace(kind, cut=_Cut(self, kind, whole, of_vertex)), whole)
            for (kind, whole), of_vertex in zip(parts, kinds, strict=True)
        ]

    def put(self, level: StoredLevel, places: Places) -> None:
        """Write the attributes of the fragments that there are now.

        Parameters
        ----------
        level
            The level as it has been written.
        places
            Where its vertices are, in the order of ``source``.
        """
        table = _fragments_of(level)
        held = np.flatnonzero(table.count)
        rows, offsets = table.rows(held)
        vertex = places.find(Places(level.cells, table.cell[held], rows[offsets[:-1]]))
        for name, column in self.columns.items():
            values = column.values[self.source[vertex]]
            if self.has_owners and name == FRAGMENT_OWNER:
                owners = np.full(len(table), -1, np.int64)
                owners[held] = self.owner[vertex]
                wide = StoredColumn(owners.astype(values.dtype), column.attributes)
            else:
                wide = spread(name, replace(column, values=values), held, len(table))
            self._put(level, name, wide, table.fragments)
        family = self.level.node(_FAMILY)
        assert family is not None
        document = group_document(attributes=dict(family.metadata.attributes))
        put_document(document, level.root.store, join(level.root.path, f"{level.number}/{_FAMILY}"))

    def _put(self, level: StoredLevel, name: str, column: StoredColumn, counts: Ints) -> None:
        about = {k: v for k, v in column.attributes.items() if k not in _OF_CELLS}
        path = f"{level.number}/{_FAMILY}/{name}"
        array = new_array(level, path, replace(column, attributes=about), "fragment_attribute")
        blobs = blobs_of(column, counts)
        held = np.flatnonzero(blobs.lengths)
        array.write(level.cells[held], blobs.take(held))
        array.listing(level.cells[held]).put()


@dataclass(frozen=True, eq=False)
class _Cut:
    """Cuts a part so that the vertices of a fragment were in fragments of one kind."""

    recut: Recut
    kind: Kind
    whole: Whole
    of_vertex: Ints

    def __call__(self, geometry: Geometry, grid: CellGrid) -> Pieces:
        pieces = self.kind.cut(geometry, grid)
        if not len(self.of_vertex) or (self.of_vertex == self.of_vertex[0]).all():
            return pieces
        if self.kind.geometry_type in PATHS:
            return _along_paths(pieces, self.of_vertex)
        has_bins = pieces.by_number and (pieces.n_pieces or grid.n_bins) > 1
        if has_bins and self.recut.level.objects is None:
            assert pieces.of_vertex is not None
            self._refuse_mixed_bins(pieces.of_vertex, geometry, grid)
            return pieces
        return _within_pieces(pieces, self.of_vertex)

    def _refuse_mixed_bins(self, bins: Ints, geometry: Geometry, grid: CellGrid) -> None:
        """Raise where a bin, which is one fragment, holds vertices of several kinds."""
        level = self.recut.level
        keys = [self.of_vertex, bins, grid.ravel(grid.cells(geometry.positions))]
        divisor = self.whole.geometry.vertex_attributes.get(level.level.chunk_attribute_name or "")
        if divisor is not None:
            keys.append(np.unique(divisor, return_inverse=True)[1].reshape(-1))
        order = np.lexsort(keys)
        changes = [np.diff(key[order]) != 0 for key in keys]
        if (changes[0] & ~np.logical_or.reduce(changes[1:])).any():
            raise UnsupportedError(
                f"the fragments of level {level.number} of {level.root.url} have attributes "
                f"({', '.join(self.recut.columns)}), and a bin of {list(grid.bin_shape)}, which "
                "is one fragment, would hold vertices of several whose attributes differ; give "
                "a bin_shape whose bins lie within those of now, or one bin to a chunk, "
                f"bin_shape={tuple(level.metadata.chunk_shape)} for these chunks, for example",
                kind="rechunk",
            )


def _along_paths(pieces: Pieces, kinds: Ints) -> Pieces:
    """Return runs of vertices of paths, each of vertices of one kind that follow each other."""
    run, path = pieces.of_vertex, pieces.object_of_piece
    assert run is not None
    assert path is not None
    begins = (np.diff(run, prepend=-1) != 0) | (np.diff(kinds, prepend=-1) != 0)
    return Pieces(np.cumsum(begins, dtype=np.int64) - 1, path[run[begins]])


def _within_pieces(pieces: Pieces, kinds: Ints) -> Pieces:
    """Return pieces each of vertices of one kind."""
    width = int(kinds.max()) + 1
    keys = kinds if pieces.of_vertex is None else pieces.of_vertex * width + kinds
    distinct, piece = np.unique(keys, return_inverse=True)
    owner = distinct // width
    objects = pieces.object_of_piece
    return Pieces(
        piece.reshape(-1).astype(np.int64, copy=False), owner if objects is None else objects[owner]
    )


def _fragments_of(level: StoredLevel) -> FragmentTable:
    """Return the fragments of all cells of a level."""
    cells, array = level.cells, level.fragments
    if array is None:
        rows = level.vertices.read(cells).lengths // (level.dtype.itemsize * level.ndim)
        return FragmentTable.of_runs(np.ones(len(cells), np.int64), rows)
    return decode_fragments(array.read(cells), Origin(array.path, cells))


def _sources(level: StoredLevel, whole: Whole, counts: Ints) -> Ints:
    """Return for each vertex its fragment, among those of all cells of the level."""
    assert whole.fragments is not None
    first = starts_of(counts)[:-1][CellIndex(level.cells).find(whole.places.cells)]
    found: Ints = first[whole.places.cell] + whole.fragments
    return found


def _owners(geometry: Geometry) -> Ints:
    if geometry.object_ids is None or geometry.object_rows is None:
        return np.full(geometry.n_vertices, -1, np.int64)
    owners: Ints = geometry.object_ids[geometry.object_rows]
    return owners


def _are_owners(column: StoredColumn, source: Ints, owner: Ints) -> bool:
    """Return whether an attribute is the id of the object, or says that there are several."""
    if column.values.ndim != 1 or column.values.dtype.kind not in "iu":
        return False
    said = column.values.astype(np.int64)[source]
    return bool(((said == owner) | (said == _SHARED)).all())


def _kinds(columns: Sequence[StoredColumn], n: int) -> Ints:
    """Return for each fragment a number, the same for those whose attributes are equal."""
    rows = [np.ascontiguousarray(column.values).reshape(n, -1).view(np.uint8) for column in columns]
    if not rows or not n:
        return np.zeros(n, np.int64)
    joined = np.concatenate(rows, axis=1)
    _, kind = np.unique(joined, axis=0, return_inverse=True)
    return kind.reshape(-1).astype(np.int64, copy=False)

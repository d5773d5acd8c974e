"""Objects of a level: their ids, their manifests, their attributes, and groups of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr import crud
from anyzarr._nodes import Array, Group
from anyzarr._parallel import map_ordered
from anyzarr.errors import CorruptDataError, SelectionError
from anyzarr.stores import join
from anyzarr.vectors._attributes import decode_column
from anyzarr.vectors._blobs import Ints, Origin
from anyzarr.vectors._cells import arrays_at_once
from anyzarr.vectors._manifests import ManifestTable, decode_manifests, manifests_of_dense
from anyzarr.vectors._scatter import Scattered, stable_order

__all__ = ["DENSE", "ObjectIndex", "manifests_of", "members", "object_paths", "read_groups"]

DENSE = "dense_manifests_v1"
_FIELDS = ("manifests", "object_ids", "manifest_spans", "manifest_blocks")


def object_paths(level: int) -> list[str]:
    """Return the paths of the nodes that tell of the objects of a level."""
    base = f"{level}/object_index"
    return [base, *(f"{base}/{name}" for name in _FIELDS), f"{level}/object_attributes"]


def manifests_of(
    scattered: Scattered,
    n_objects: int,
    object_of_piece: Ints | None = None,
    first_fragment: Ints | None = None,
) -> ManifestTable:
    """Return of which fragments each object is made.

    Parameters
    ----------
    scattered
        Vertices in cells; the fragments of an object are in the order of their pieces, and those
        of one piece in the order of the cells.
    n_objects
        Number of objects.
    object_of_piece
        Row of the object of each piece, ascending; by default a piece is an object.
    first_fragment
        Number of fragments that each cell has already.
    """
    fragments = scattered.fragments
    order = stable_order(scattered.pieces)
    piece = scattered.pieces[order]
    owner = piece if object_of_piece is None else object_of_piece[piece]
    number = fragments.number
    if first_fragment is not None:
        number = number + first_fragment[fragments.cell]
    per_object = np.bincount(owner, minlength=n_objects).astype(np.int64)
    coords = scattered.cells[fragments.cell[order]]
    return ManifestTable.of_fragments(per_object, coords, number[order])


@dataclass(frozen=True, eq=False)
class ObjectIndex:
    """The objects of a level, as stored.

    Attributes
    ----------
    root
        The root group.
    level
        Number of the level.
    group
        The group of the index.
    arrays
        Its arrays by name.
    columns
        The group of the attributes of objects; None if there is none.
    """

    root: Group
    level: int
    group: Group
    arrays: Mapping[str, Array]
    columns: Group | None = None

    @classmethod
    def of(
        cls, root: Group, level: int, nodes: Mapping[str, Array | Group | None]
    ) -> ObjectIndex | None:
        """Return the index among nodes that have been fetched; None if there is none."""
        base = f"{level}/object_index"
        group = nodes.get(base)
        if not isinstance(group, Group):
            return None
        arrays = {name: nodes.get(f"{base}/{name}") for name in _FIELDS}
        held = {name: node for name, node in arrays.items() if isinstance(node, Array)}
        columns = nodes.get(f"{level}/object_attributes")
        return cls(root, level, group, held, columns if isinstance(columns, Group) else None)

    @property
    def is_dense(self) -> bool:
        """Whether manifests are rows of arrays instead of blobs."""
        return self.group.metadata.attributes.get("layout") == DENSE

    @property
    def path(self) -> str:
        """The path of the index in the store."""
        return self.group.path

    @cached_property
    def n_objects(self) -> int:
        """Number of rows that have been committed."""
        stored = self.group.metadata.attributes.get("num_objects")
        manifests = self.arrays.get("manifest_spans" if self.is_dense else "manifests")
        if not isinstance(stored, int) or manifests is None or manifests.shape[0] < stored:
            raise CorruptDataError(
                f"the object index {self.path!r} in {self.root.store.spec} says that it has "
                f"{stored!r} objects, and has not the arrays that hold them",
                store=str(self.root.store.spec),
                path=self.path,
            )
        return stored

    @cached_property
    def present(self) -> Ints:
        """Rows of the objects that have something; the others are names of what was left out."""
        rows = np.arange(self.n_objects, dtype=np.int64)
        if self.n_present == self.n_objects:
            return rows
        held: Ints = np.flatnonzero(self.manifests(rows).blocks)
        return held

    @property
    def n_present(self) -> int:
        """Number of objects that have something, as the index says."""
        told = self.group.metadata.attributes.get("num_present")
        return told if isinstance(told, int) else self.n_objects

    @cached_property
    def ids(self) -> Ints:
        """The id of each row."""
        array = self.arrays.get("object_ids")
        if array is None:
            return np.arange(self.n_objects, dtype=np.int64)
        ids = np.asarray(array[: self.n_objects], dtype=np.int64)
        if ids.shape != (self.n_objects,):
            raise CorruptDataError(
                f"{array.path!r} in {self.root.store.spec} has the shape {array.shape}, and needs "
                f"an id for each of {self.n_objects} objects",
                store=str(self.root.store.spec),
                path=array.path,
            )
        return ids

    @cached_property
    def _sorted(self) -> tuple[Ints, Ints]:
        order = np.argsort(self.ids, kind="stable")
        return self.ids[order], order

    def rows_of(self, ids: npt.ArrayLike) -> Ints:
        """Return the row of each id; -1 where there is no such object."""
        wanted = np.asarray(ids, dtype=np.int64).reshape(-1)
        values, order = self._sorted
        place = np.searchsorted(values, wanted)
        place[place == len(values)] = 0
        rows = np.full(len(wanted), -1, np.int64)
        if len(values):
            found = values[place] == wanted
            rows[found] = order[place[found]]
        return rows

    def manifests(self, rows: Ints | None = None) -> ManifestTable:
        """Return the manifests of rows, by default of all.

        Raises
        ------
        CorruptDataError
            A manifest cannot be decoded.
        """
        if rows is None:
            rows = np.arange(self.n_objects, dtype=np.int64)
        if self.is_dense:
            return self._dense(rows)
        array = self.arrays["manifests"]
        blobs = crud.read_ragged(array.metadata, array.store, array.path, rows[:, None])
        return decode_manifests(blobs, self.sid_ndim, Origin(array.path, rows[:, None]))

    def manifests_and_ids(self, rows: Ints) -> ManifestTable:
        """Return the manifests of rows; the ids are fetched meanwhile, and kept."""
        limit = arrays_at_once(self.root.store)
        works: list[Callable[[], Any]] = [lambda: self.manifests(rows), lambda: self.ids]
        manifests: ManifestTable = map_ordered(lambda work: work(), works, limit=limit)[0]
        return manifests

    @property
    def sid_ndim(self) -> int:
        """Number of coordinates of a cell in a manifest."""
        return int(self.group.metadata.attributes.get("sid_ndim", 3))

    def _dense(self, rows: Ints) -> ManifestTable:
        spans = np.asarray(self.arrays["manifest_spans"][:], dtype=np.int64)
        blocks = np.asarray(self.arrays["manifest_blocks"][:], dtype=np.int64)
        return manifests_of_dense(spans[rows], blocks, Origin(self.path))

    def attributes(self, rows: Ints | None = None) -> dict[str, npt.NDArray[Any]]:
        """Return the attributes of objects by name, of rows or of all."""

        def column(array: Array) -> npt.NDArray[Any]:
            values = np.asarray(array[: self.n_objects])
            values = values if rows is None else values[rows]
            return decode_column(array.name, values, array.metadata.attributes)

        arrays = {} if self.columns is None else dict(self.columns.arrays())
        limit = arrays_at_once(self.root.store)
        return dict(zip(arrays, map_ordered(column, arrays.values(), limit=limit), strict=True))


def read_groups(root: Group, level: int) -> dict[int, Ints]:
    """Return the ids of the objects of each group of a level, by the group's number.

    Raises
    ------
    CorruptDataError
        A group's blob is no list of ids.
    """
    path = f"{level}/groups"
    array = root.get_many([path]).get(path)
    if not isinstance(array, Array):
        return {}
    rows = np.arange(array.shape[0], dtype=np.int64)[:, None]
    blobs = crud.read_ragged(array.metadata, array.store, array.path, rows)
    Origin(array.path, rows).refuse(blobs.lengths % 8 != 0, "holds no whole ids")
    ids, offsets = blobs.view("<i8")
    groups = {n: ids[offsets[n] : offsets[n + 1]].astype(np.int64) for n in range(len(rows))}
    for number, (start, stop) in array.metadata.attributes.get("group_ranges", {}).items():
        groups[int(number)] = np.arange(start, stop, dtype=np.int64)
    return groups


def members(root: Group, level: int, group_ids: npt.ArrayLike) -> Ints:
    """Return the ids of the objects of some groups, ascending, each once.

    Raises
    ------
    SelectionError
        There is no such group.
    """
    groups = read_groups(root, level)
    wanted = [int(number) for number in np.atleast_1d(np.asarray(group_ids))]
    missing = [number for number in wanted if number not in groups]
    if missing:
        raise SelectionError(
            f"there is no group {missing[0]}: level {level} of {root.url} has "
            f"{f'the groups 0 to {len(groups) - 1}' if groups else 'no groups'}",
            path=join(root.path, f"{level}/groups"),
        )
    parts = [groups[number] for number in wanted]
    return np.unique(np.concatenate(parts)) if parts else np.empty(0, np.int64)

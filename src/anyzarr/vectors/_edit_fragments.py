"""Fragments, the parts of objects in chunks, and their attributes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from anyzarr._nodes import Group
from anyzarr.metadata import group_document
from anyzarr.vectors._attributes import (
    StoredColumn,
    decode_column,
    encode_column,
)
from anyzarr.vectors._blobs import Ints
from anyzarr.vectors._documents import RootMetadata
from anyzarr.vectors._edit import EditSummary, open_for_edit
from anyzarr.vectors._edit_attributes import new_array
from anyzarr.vectors._fragment_values import blobs_of, fragment_values
from anyzarr.vectors._gather import gather_cells, owners_of
from anyzarr.vectors._gathered import Gathered
from anyzarr.vectors._geometry import as_columns
from anyzarr.vectors._level import StoredLevel, read_level
from anyzarr.vectors._results import Result
from anyzarr.vectors._transaction import Transaction, editing

__all__ = ["Fragments", "read_fragments", "set_fragment_attributes"]

_FAMILY = "fragment_attributes"


@dataclass(frozen=True, eq=False)
class Fragments(Result):
    """The fragments of a level, chunk after chunk: what lies in one chunk of one object or bin.

    Also answers to keys: ``fragments["vertex_counts"]``.

    Attributes
    ----------
    chunks
        Absolute coordinates of the chunk of each, shape ``(F, D)``.
    numbers
        Its number in the chunk, shape ``(F,)``.
    vertex_counts
        How many vertices it has, shape ``(F,)``.
    object_ids
        The id of the object that it is part of, -1 for none, shape ``(F,)``.
    fragment_attributes
        By name, shape ``(F, …)``; NaN, the least or greatest whole number of the type, or None for
        text, of fragments that have it not.
    """

    chunks: Ints
    numbers: Ints
    vertex_counts: Ints
    object_ids: Ints
    fragment_attributes: Mapping[str, npt.NDArray[Any]]

    _keys: ClassVar = (
        "chunks", "numbers", "vertex_counts", "object_ids", "fragment_attributes", "fragment_count",
    )  # fmt: skip

    @property
    def fragment_count(self) -> int:
        """Number of fragments."""
        return len(self.numbers)


def read_fragments(
    path: Any, *, level: int = 0, backend: str | None = None, **backend_kwargs: Any
) -> Fragments:
    """Read which fragments a level has, and their attributes.

    Parameters
    ----------
    path, backend, **backend_kwargs
        As for :func:`anyzarr.vectors.open_store`.
    level
        Number of the level; 0 is full resolution.

    Raises
    ------
    NodeNotFoundError
        There is no such store or level.
    CorruptDataError
        What is stored contradicts itself.

    Examples
    --------
    >>> from anyzarr.vectors import read_fragments, write_polylines
    >>> memory = {}
    >>> _ = write_polylines(memory, [[[1, 1], [8, 2], [14, 9]], [[3, 3], [4, 4]]],
    ...                     chunk_shape=(10, 10))
    >>> fragments = read_fragments(memory)
    >>> fragments.chunks.tolist(), fragments.object_ids.tolist()
    ([[0, 0], [0, 0], [1, 0]], [0, 1, 0])
    >>> fragments.vertex_counts.tolist()
    [2, 2, 1]
    """
    return read_level(path, level, _read, backend=backend, backend_kwargs=backend_kwargs)


def _read(level: StoredLevel) -> Fragments:
    gathered = gather_cells(level, level.cells)
    columns = {name: _column(level, gathered, name) for name in _names(level)}
    return Fragments(
        chunks=gathered.cells[gathered.fragment_cell],
        numbers=gathered.fragment_number,
        vertex_counts=np.diff(gathered.fragment_offsets),
        object_ids=owners_of(level, gathered),
        fragment_attributes=columns,
    )


def _names(level: StoredLevel) -> list[str]:
    family = level.node(_FAMILY)
    return [name for name, _ in family.arrays()] if isinstance(family, Group) else []


def _column(level: StoredLevel, gathered: Gathered, name: str) -> npt.NDArray[Any]:
    array = level.array(f"{_FAMILY}/{name}")
    column = fragment_values(name, array, gathered.cells, gathered.table.fragments)
    return decode_column(name, column.values, column.attributes)


def set_fragment_attributes(
    path: Any,
    attributes: Mapping[str, npt.ArrayLike],
    *,
    backend: str | None = None,
    **backend_kwargs: Any,
) -> EditSummary:
    """Give the fragments of level 0 other attributes, or new ones; all of them at one moment.

    Parameters
    ----------
    path, backend, **backend_kwargs
        As for :func:`anyzarr.vectors.open_store`.
    attributes
        By name, one row per fragment, in the order in which :func:`read_fragments` returns them.

    Returns
    -------
    EditSummary
        Which levels were changed. No level becomes stale: fragments of other levels are others.

    Raises
    ------
    MetadataError
        Rows do not fit the fragments, or the type of an attribute that is there.

    Examples
    --------
    >>> from anyzarr.vectors import read_fragments, set_fragment_attributes, write_points
    >>> memory = {}
    >>> _ = write_points(memory, [[1, 1], [8, 2], [14, 9]], chunk_shape=(10, 10))
    >>> counts = read_fragments(memory).vertex_counts
    >>> _ = set_fragment_attributes(memory, {"share": counts / counts.sum()})
    >>> read_fragments(memory).fragment_attributes["share"].round(2).tolist()
    [0.67, 0.33]
    """
    root, _ = open_for_edit(path, backend, backend_kwargs)
    with editing(root) as tx:
        metadata = RootMetadata.parse(root.metadata.attributes)
        level = StoredLevel.of(root, metadata, 0)
        gathered = gather_cells(level, level.cells)
        columns = as_columns("fragment", attributes, len(gathered.fragment_cell))
        for name, column in columns.items():
            _put(tx, level, gathered, name, column)
        if columns:
            present = dict.fromkeys([*level.level.arrays_present, _FAMILY])
            changed = replace(level.level, arrays_present=tuple(present))
            tx.document("0", group_document(attributes=changed.attributes()))
            tx.document(f"0/{_FAMILY}", group_document())
            tx.commit()
    return EditSummary(0, 0)


def _put(
    tx: Transaction,
    level: StoredLevel,
    gathered: Gathered,
    name: str,
    column: npt.NDArray[Any],
) -> None:
    path = f"0/{_FAMILY}/{name}"
    array = tx.cell_array(path)
    if array is not None:
        coded = encode_column(name, column, array.attributes)
    else:
        coded = _new_column(name, column)
        array = new_array(level, path, coded, "fragment_attribute")
    blobs = blobs_of(coded, gathered.table.fragments)
    tx.cells(array.with_attributes(coded.attributes), gathered.cells, blobs)


def _new_column(name: str, column: npt.NDArray[Any]) -> StoredColumn:
    """Return an attribute as it is to be stored; text with a code for none, as later fragments."""
    if column.dtype.kind not in "UTO":
        return encode_column(name, column)
    coded = encode_column(name, np.append(column.astype(object), np.asarray([None], object)))
    return replace(coded, values=coded.values[:-1])

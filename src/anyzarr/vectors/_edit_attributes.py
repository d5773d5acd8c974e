"""Attributes of objects and vertices that are there: other values, and new attributes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr._nodes import Array
from anyzarr.abc import Ragged
from anyzarr.errors import MetadataError
from anyzarr.metadata import group_document
from anyzarr.stores import join
from anyzarr.vectors._attributes import StoredColumn, encode_column
from anyzarr.vectors._blobs import Ints, starts_of
from anyzarr.vectors._cell_index import CellIndex
from anyzarr.vectors._cells import CellArray
from anyzarr.vectors._documents import RootMetadata
from anyzarr.vectors._edit import EditSummary, mark_stale, object_rows, open_for_edit
from anyzarr.vectors._gather import gather_cells, gather_objects
from anyzarr.vectors._gathered import Gathered
from anyzarr.vectors._geometry import Columns, as_columns
from anyzarr.vectors._level import StoredLevel
from anyzarr.vectors._objects_write import all_rows, object_attribute
from anyzarr.vectors._relink import padded_rows
from anyzarr.vectors._transaction import Transaction, editing

__all__ = [
    "full_column",
    "new_array",
    "put_object_columns",
    "set_object_attributes",
    "set_vertex_attributes",
]


def set_object_attributes(
    path: Any,
    attributes: Mapping[str, npt.ArrayLike],
    *,
    object_ids: npt.ArrayLike | None = None,
    backend: str | None = None,
    **backend_kwargs: Any,
) -> EditSummary:
    """Give objects other attributes, or new ones; all of them at one moment.

    Parameters
    ----------
    path, backend, **backend_kwargs
        As for :func:`anyzarr.vectors.open_store`.
    attributes
        By name, one row per object. Of an attribute that is new, other objects have none: NaN,
        or the least or greatest whole number of its type.
    object_ids
        The objects, in the order of the rows; all of them must be there. Default: all, as the
        store lists them.

    Raises
    ------
    NodeNotFoundError
        There is no such object; nothing was changed.
    MetadataError
        Rows do not fit the objects, or the type of an attribute that is there.

    Notes
    -----
    Levels of detail that have the objects are changed, too; others are marked as stale.

    Examples
    --------
    >>> from anyzarr.vectors import read_polylines, set_object_attributes, write_polylines
    >>> memory = {}
    >>> _ = write_polylines(memory, [[[1, 1], [8, 2]], [[4, 9], [5, 5]]], object_ids=[3, 7])
    >>> _ = set_object_attributes(memory, {"length": [4.1]}, object_ids=[7])
    >>> read_polylines(memory).object_attributes["length"].tolist()
    [nan, 4.1]
    """
    root, _ = open_for_edit(path, backend, backend_kwargs)
    with editing(root) as tx:
        metadata = RootMetadata.parse(root.metadata.attributes)
        first = StoredLevel.of(root, metadata, 0, objects=True)
        ids = None if first.objects is None else first.objects.ids
        wanted = ids if object_ids is None else object_ids
        ids = np.asarray([] if wanted is None else wanted, np.int64).reshape(-1)
        columns = as_columns("object", attributes, len(ids))
        changed = []
        for number in metadata.levels:
            level = StoredLevel.of(root, metadata, number, objects=True)
            rows, index = object_rows(level, ids, must=number == 0), level.objects
            if index is not None and (rows >= 0).any():
                put_object_columns(tx, level, rows, columns, index.n_objects)
                changed.append(number)
        stale = mark_stale(tx, metadata, changed) if changed else ()
        if changed:
            tx.commit()
    return EditSummary(0, len(ids), tuple(changed), stale)


def put_object_columns(
    tx: Transaction, level: StoredLevel, rows: Ints, columns: Columns, n_objects: int
) -> None:
    """Give objects, by their rows in the index, attributes; -1 stands for those not there."""
    base = f"{level.number}/object_attributes"
    known = rows >= 0
    stored = level.root.get_many([f"{base}/{name}" for name in columns])
    for name, column in columns.items():
        array = stored.get(f"{base}/{name}")
        before = array if isinstance(array, Array) else None
        if before is None:
            coded = encode_column(name, full_column(column[known], rows[known], n_objects))
            values = coded.values
        else:
            coded = encode_column(name, column[known], before.metadata.attributes)
            values = all_rows(before, coded.values, rows[known], n_objects)
        values = values.astype(values.dtype.newbyteorder("="), copy=False)
        tx.rows(f"{base}/{name}", before, values, **object_attribute(coded, values))
    if columns:
        tx.document(base, group_document())


def set_vertex_attributes(
    path: Any,
    attributes: Mapping[str, npt.ArrayLike],
    *,
    object_ids: npt.ArrayLike | None = None,
    backend: str | None = None,
    **backend_kwargs: Any,
) -> EditSummary:
    """Give vertices other attributes, or new ones; all of them at one moment.

    Parameters
    ----------
    path, backend, **backend_kwargs
        As for :func:`anyzarr.vectors.open_store`.
    attributes
        By name, one row per vertex, in the order in which reading returns them: of the whole
        store, or of the objects that are given, one after the other. Of an attribute that is
        new, other vertices have none, as :func:`set_object_attributes` describes.
    object_ids
        The objects whose vertices are meant; all of them must be there. Default: all vertices.

    Raises
    ------
    NodeNotFoundError
        There is no such object; nothing was changed.
    MetadataError
        Rows do not fit the vertices, or the type of an attribute that is there.

    Notes
    -----
    Levels of detail are marked as stale: they still show what was before.

    Examples
    --------
    >>> from anyzarr.vectors import read_points, set_vertex_attributes, write_points
    >>> memory = {}
    >>> _ = write_points(memory, [[1, 1], [8, 2], [4, 9]], vertex_attributes={"i": [1, 2, 3]})
    >>> points = read_points(memory, attribute_names=["i"])
    >>> doubled = points.vertex_attributes["i"] * 2
    >>> _ = set_vertex_attributes(memory, {"i": doubled, "x": points.positions[:, 0]})
    >>> sorted(read_points(memory, attribute_names=["i"]).vertex_attributes["i"].tolist())
    [2, 4, 6]
    """
    root, _ = open_for_edit(path, backend, backend_kwargs)
    with editing(root) as tx:
        metadata = RootMetadata.parse(root.metadata.attributes)
        level = StoredLevel.of(root, metadata, 0, objects=True)
        vertices, n_objects = _vertices(level, object_ids)
        columns = as_columns("vertex", attributes, len(vertices.positions))
        if level.level.chunk_attribute_name in columns:
            raise MetadataError(
                f"chunks are divided by the attribute {level.level.chunk_attribute_name!r}, which "
                "therefore cannot change; write the points to a new store",
                kind="chunk_attribute",
            )
        for name, column in columns.items():
            _put_vertex_column(tx, level, vertices, name, column)
        present = dict.fromkeys([*level.level.arrays_present, "vertex_attributes"])
        changed = replace(level.level, arrays_present=tuple(present))
        tx.document("0", group_document(attributes=changed.attributes()))
        tx.document("0/vertex_attributes", group_document())
        stale = mark_stale(tx, metadata, [0])
        if columns:
            tx.commit()
    return EditSummary(len(vertices.positions), n_objects, (0,), stale)


def _vertices(level: StoredLevel, object_ids: npt.ArrayLike | None) -> tuple[Gathered, int]:
    """Return vertices as reading returns them, and of how many objects they are."""
    index = level.objects
    if object_ids is not None:
        ids = np.asarray(object_ids, np.int64).reshape(-1)
        _, first = np.unique(ids, return_index=True)
        rows = object_rows(level, ids[np.sort(first)], must=True)
    elif index is None or "point_cloud" in level.metadata.geometry_types:
        return gather_cells(level, level.cells), 0
    else:
        rows = np.arange(index.n_objects, dtype=np.int64)
    assert index is not None
    return gather_objects(level, index.manifests(rows)), len(rows)


def _put_vertex_column(
    tx: Transaction, level: StoredLevel, vertices: Gathered, name: str, column: npt.NDArray[Any]
) -> None:
    path = f"{level.number}/vertex_attributes/{name}"
    array = tx.cell_array(path)
    cells = vertices.cells if array is not None else level.vertices.nonempty
    counts = level.vertices.read(cells).lengths // (level.dtype.itemsize * level.ndim)
    place = starts_of(counts)[:-1][CellIndex(cells).find(vertices.cells)][vertices.vertex_cell]
    place = place + vertices.vertex_row
    if array is None:
        coded = encode_column(name, full_column(column, place, int(counts.sum())))
        array, rows = new_array(level, path, coded), coded.values
    else:
        coded = encode_column(name, column, array.attributes)
        rows = padded_rows(array.read(cells), counts, coded.row_bytes)
        values = np.ascontiguousarray(coded.values)
        rows[place] = values.view(np.uint8).reshape(len(values), coded.row_bytes)
    blobs = Ragged.from_lengths(np.ascontiguousarray(rows), counts * coded.row_bytes)
    tx.cells(array.with_attributes(coded.attributes), cells, blobs)


def full_column(column: npt.NDArray[Any], rows: Ints, n_rows: int) -> npt.NDArray[Any]:
    """Return a column of so many rows, those given in their places, the others absent."""
    if column.dtype.kind not in "UTO":
        return all_rows(None, column, rows, n_rows)
    full = np.full(n_rows, None, object)
    full[rows] = column
    return full


def new_array(
    level: StoredLevel, path: str, coded: StoredColumn, kind: str = "attribute"
) -> CellArray:
    """Return a new array of a level, with a blob for each cell of its vertices."""
    place = join(level.root.path, path)
    array = CellArray.new(level.root.store, place, level.grid, kind, coded.attributes)
    # Stored as the vertices are, whose grid may have further coordinates before those of space.
    about = {**array.attributes, "chunk_grid_origin": level.vertices.origin.tolist()}
    document = {
        **level.vertices.metadata.document, "attributes": {**about, "nonempty_chunks": []},
    }  # fmt: skip
    return replace(array, metadata=array.metadata.with_document(**document))

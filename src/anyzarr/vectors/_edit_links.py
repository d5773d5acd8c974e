"""Attributes of links that are there: other values, and new attributes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr.abc import Ragged
from anyzarr.errors import UnsupportedError
from anyzarr.metadata import group_document
from anyzarr.stores import join
from anyzarr.vectors._attributes import StoredColumn, encode_column
from anyzarr.vectors._blobs import Ints
from anyzarr.vectors._cells import CellArray
from anyzarr.vectors._documents import RootMetadata
from anyzarr.vectors._edit import EditSummary, mark_stale, open_for_edit
from anyzarr.vectors._edit_attributes import full_column
from anyzarr.vectors._gathered import Gathered
from anyzarr.vectors._geometry import as_columns
from anyzarr.vectors._level import StoredLevel
from anyzarr.vectors._read_links import LinkPlaces, StoredLinks
from anyzarr.vectors._read_networks import network_edges
from anyzarr.vectors._relink import padded_rows
from anyzarr.vectors._transaction import Transaction, editing
from anyzarr.vectors._whole import NETWORKS, family_of, gather_whole

__all__ = ["set_link_attributes"]


def set_link_attributes(
    path: Any,
    attributes: Mapping[str, npt.ArrayLike],
    *,
    backend: str | None = None,
    **backend_kwargs: Any,
) -> EditSummary:
    """Give edges or faces other attributes, or new ones; all of them at one moment.

    Parameters
    ----------
    path, backend, **backend_kwargs
        As for :func:`anyzarr.vectors.open_store`.
    attributes
        By name, one row per edge or face, in the order in which :func:`read_graph` or
        :func:`read_mesh` returns all of them.

    Returns
    -------
    EditSummary
        Which levels were changed, and which are stale.

    Raises
    ------
    MetadataError
        Rows do not fit the links, or the type of an attribute that is there.
    UnsupportedError
        The store holds no links that can have attributes.

    Examples
    --------
    >>> from anyzarr.vectors import read_graph, set_link_attributes, write_graph
    >>> memory = {}
    >>> _ = write_graph(memory, [[1, 1], [8, 2], [4, 9]], [[0, 1], [1, 2]])
    >>> graph = read_graph(memory)
    >>> ends = graph.positions[graph.edges]
    >>> _ = set_link_attributes(memory, {"dx": ends[:, 1, 0] - ends[:, 0, 0]})
    >>> read_graph(memory).link_attributes["dx"].tolist()
    [7.0, -4.0]
    """
    root, _ = open_for_edit(path, backend, backend_kwargs)
    with editing(root) as tx:
        metadata = RootMetadata.parse(root.metadata.attributes)
        level = StoredLevel.of(root, metadata, 0, objects=True)
        links, n_links = _links(level)
        columns = as_columns("link", attributes, n_links)
        for name, column in columns.items():
            _put_column(tx, level, links, name, column)
        if columns:
            tx.document("0/link_attributes", group_document())
        stale = mark_stale(tx, metadata, [0])
        if columns:
            tx.commit()
    return EditSummary(0, 0, (0,), stale)


@dataclass(frozen=True, eq=False)
class _Links:
    """Links as they are stored, and which of those that are read each is.

    Attributes
    ----------
    stored
        The arrays.
    places
        Where the links lie that are read.
    rows, order
        Row ``rows[i]`` of the places, ascending, is the link that is read as number ``order[i]``.
    """

    stored: StoredLinks
    places: LinkPlaces
    rows: Ints
    order: Ints


def _links(level: StoredLevel) -> tuple[_Links, int]:
    """Return the links of a level, and how many are read."""
    kind = family_of(level.metadata)
    stored = StoredLinks.open(level.root, level.number, [], settled=level.level.fragments_tile)
    if kind not in NETWORKS or stored is None:
        raise UnsupportedError(
            f"{level.root.url} holds a {kind} and no stored links, and only edges and faces that "
            "are stored have attributes; write it again with link_attributes or face_attributes",
            kind="link_attributes",
        )
    if stored.family.duplicate:
        raise UnsupportedError(
            f"{level.root.url} stores links at both of their ends, which is only read; write it "
            "again, which stores each once",
            kind="link_attributes",
        )
    return _as_read(level, gather_whole(level), stored)


def _as_read(level: StoredLevel, gathered: Gathered, stored: StoredLinks) -> tuple[_Links, int]:
    read = stored.read(gathered.cells, gathered.cell_rows)
    vertices = gathered.vertices_at(read.vertices)
    whole = np.flatnonzero((vertices >= 0).all(axis=1))
    edges = network_edges(level, gathered, vertices[whole])
    order = np.arange(len(whole), dtype=np.int64)
    if edges is not None:
        order = np.searchsorted(edges[:, 0], vertices[whole, 0])
        if len(whole) != len(edges):
            raise UnsupportedError(
                f"{len(edges) - len(whole)} of {len(edges)} edges of {level.root.url} follow from "
                "the order of the vertices and are not stored, so that they cannot have "
                "attributes; write the skeleton again with link_attributes",
                kind="link_attributes",
            )
    return _Links(stored, read.places, read.places.kept[whole], order), len(whole)


def _put_column(
    tx: Transaction, level: StoredLevel, links: _Links, name: str, column: npt.NDArray[Any]
) -> None:
    delta = links.stored.family.path.partition("/")[2]
    base = f"{level.number}/link_attributes/{name}/{delta}"
    paths = [f"{base}/{array.path.rpartition('/')[2]}" for array in links.stored.arrays]
    known = [tx.cell_array(path) for path in paths]
    about = next((array.attributes for array in known if array is not None), None)
    values = column[links.order]
    if about is None:
        values = full_column(values, links.rows, int(links.places.counts.sum()))
    coded = encode_column(name, values, about)
    for k, first, cells, counts in links.places.parts():
        array = known[k] or _new_array(links.stored.arrays[k], level, paths[k], coded)
        n_rows = int(counts.sum())
        old = Ragged.empty(len(cells)) if known[k] is None else array.read(cells)
        rows = padded_rows(old, counts, coded.row_bytes)
        if about is None:
            rows = _bytes(coded, slice(first, first + n_rows))
        else:
            mine = slice(*np.searchsorted(links.rows, [first, first + n_rows]).tolist())
            rows[links.rows[mine] - first] = _bytes(coded, mine)
        blobs = Ragged.from_lengths(np.ascontiguousarray(rows), counts * coded.row_bytes)
        tx.cells(array.with_attributes(coded.attributes), cells, blobs)
    _put_groups(tx, level, links.stored, name)


def _bytes(coded: StoredColumn, rows: slice) -> npt.NDArray[np.uint8]:
    values = np.ascontiguousarray(coded.values[rows])
    return values.view(np.uint8).reshape(len(values), coded.row_bytes)


def _new_array(links: CellArray, level: StoredLevel, path: str, coded: StoredColumn) -> CellArray:
    """Return an array beside one of links, for an attribute that is new."""
    kept = ("chunk_grid_origin", "offsets")
    about = {
        **{name: links.attributes[name] for name in kept if name in links.attributes},
        "level_delta": 0,
        "nonempty_chunks": [],
        **coded.attributes,
        "zv_array": "link_attribute",
    }
    metadata = links.metadata.with_document(attributes=about)
    return replace(links, metadata=metadata, path=join(level.root.path, path))


def _put_groups(tx: Transaction, level: StoredLevel, stored: StoredLinks, name: str) -> None:
    family, base = stored.family.path, f"{level.number}/link_attributes/{name}"
    group = level.root[f"{level.number}/{family}"]
    about = {
        "zv_array": "link_attribute_family",
        "name": name,
        "num_links": int(group.metadata.attributes.get("num_links", 0)),
        "level_delta": stored.family.delta,
    }
    tx.document(base, group_document())
    tx.document(f"{base}/{family.partition('/')[2]}", group_document(attributes=about))

"""Room for cells that lie before the first one of a level's arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from anyzarr._nodes import Array, Group
from anyzarr._parallel import for_each
from anyzarr.abc import Store
from anyzarr.crud._nodes import put_document
from anyzarr.metadata import ArrayMetadata
from anyzarr.vectors._cells import CellArray
from anyzarr.vectors._grid import Coords

__all__ = ["cell_arrays", "make_room", "shifted"]

_ORIGIN = "chunk_grid_origin"


def make_room(root: Group, level: int, first: Coords) -> None:
    """Let all arrays of a level begin at or before a cell.

    Keys cannot be negative, so that all of an array's objects get other keys. They are copied,
    as they are, to keys of the other separator (``c.0.1`` beside ``c/0/1``); then the document is
    replaced, which says where the array begins and how its keys are made; then the old objects
    go. Every array is whole at every moment, and names its cells by absolute coordinates, so
    that arrays need not change at once.

    Parameters
    ----------
    root
        The store's root.
    level
        The level.
    first
        Absolute coordinates, shape ``(D,)``.
    """
    group = root.get(str(level))
    if isinstance(group, Group):
        for array in cell_arrays(group):
            _shift(CellArray(array.metadata, array.store, array.path), first)


def cell_arrays(group: Group) -> list[Array]:
    """Return the arrays below a group that have one element per cell."""
    found: list[Array] = []
    for _, node in group.members():
        if isinstance(node, Group):
            found += cell_arrays(node)
        elif _ORIGIN in node.metadata.attributes:
            found.append(node)
    return found


def shifted(array: CellArray, first: Coords) -> tuple[ArrayMetadata, Coords] | None:
    """Return the metadata of an array that begins at or before a cell, under other keys.

    Parameters
    ----------
    array
        The array.
    first
        Absolute coordinates, shape ``(D,)``.

    Returns
    -------
    metadata, objects
        And by how many objects those that are there move, along each dimension. None where the
        array begins early enough.
    """
    # An array may have further coordinates before those of the space.
    leading = array.ndim - len(first)
    missing = np.maximum(array.origin[leading:] - first, 0)
    if not missing.any():
        return None
    shape = array.metadata.grid.chunk_shape
    assert shape is not None
    edges = np.asarray(shape[leading:])
    shards = np.concatenate([np.zeros(leading, np.int64), -(-missing // edges)])
    return _moved(array, shards * np.asarray(shape)), shards


def _shift(array: CellArray, first: Coords) -> None:
    found = shifted(array, first)
    if found is None:
        return
    metadata, shards = found
    store, prefix = array.store, f"{array.path}/c"
    target = metadata.key_encoding.separator
    stored = [info.key for info in store.list(f"{array.path}/") if info.key.startswith(prefix)]
    for_each(store.delete, [key for key in stored if _separator(key, prefix) == target])
    old = [key for key in stored if _separator(key, prefix) not in (target, None)]

    def copy(key: str) -> None:
        place = np.array(key[len(prefix) + 1 :].replace(".", "/").split("/"), dtype=np.int64)
        _copy(store, key, metadata.chunk_key(array.path, tuple((place + shards).tolist())))

    for_each(copy, old)
    put_document(metadata.document, store, array.path)
    for_each(store.delete, old)


def _moved(array: CellArray, cells: Coords) -> ArrayMetadata:
    document = array.metadata.document
    separator = "/" if array.metadata.key_encoding.separator == "." else "."
    encoding = {"name": "default", "configuration": {"separator": separator}}
    attributes: dict[str, Any] = {
        **document["attributes"],
        _ORIGIN: (array.origin - cells).tolist(),
    }
    return array.metadata.with_document(
        shape=np.add(array.metadata.shape, cells).tolist(),
        chunk_key_encoding=encoding,
        attributes=attributes,
    )


def _separator(key: str, prefix: str) -> str | None:
    """Return what follows ``c`` in a chunk's key; None where it is no chunk's key."""
    found = key[len(prefix) : len(prefix) + 1]
    return found if found in ("/", ".") else None


def _copy(store: Store, key: str, to: str) -> None:
    data = store.get(key)
    if data is not None:
        store.put(to, data)

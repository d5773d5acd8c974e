"""Indices with arrays, in the three dialects, as one map per dimension."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from anyzarr.errors import SelectionError
from anyzarr.indexing._items import (
    Flag,
    Item,
    Mask,
    check_mask,
    classify,
    consumed,
    fill_ellipsis,
    in_bounds,
    integer,
    slice_indices,
)
from anyzarr.indexing._layout import assemble
from anyzarr.indexing._types import Affine, Indexed, IntArray, Map, Selection

__all__ = ["resolve_joint", "resolve_orthogonal"]


def resolve_joint(items: Sequence[Any], shape: tuple[int, ...], *, in_place: bool) -> Selection:
    """Resolve an index whose arrays are broadcast against each other.

    Parameters
    ----------
    items
        The index.
    shape
        The array's shape.
    in_place
        Whether the axes of arrays that stand side by side stay there, as in numpy; otherwise
        they always come first.
    """
    known = [classify(item) for item in items]
    filled, ellipsis = fill_ellipsis(known, len(shape))
    tables, table_shape = _broadcast(filled, shape)
    is_joint = any(isinstance(i, Flag | Mask | np.ndarray) for i in filled)
    at = _position(filled, ellipsis, in_place=in_place) if is_joint else None
    lengths: list[int] = []
    maps: list[Map | None] = [None] * len(shape)
    dim = 0
    base = 0
    for i, item in enumerate(filled):
        if i == at:
            base = len(lengths)
            lengths.extend(table_shape)
        if item is None:
            lengths.append(1)
        elif isinstance(item, slice):
            start, count, step = slice_indices(item, shape[dim], dim)
            maps[dim] = Affine(len(lengths), start, step)
            lengths.append(count)
        elif isinstance(item, int):
            maps[dim] = Affine(None, integer(item, shape[dim], dim))
        dim += consumed(item)
    if at is not None:
        for d, table in tables.items():
            maps[d] = _indexed(table, base, len(table_shape))
    return assemble(shape, tuple(lengths), [m for m in maps if m is not None])


def _broadcast(
    items: Sequence[Item], shape: tuple[int, ...]
) -> tuple[dict[int, IntArray], tuple[int, ...]]:
    """Return the index array of each dimension that has one, and their common shape."""
    tables: dict[int, IntArray] = {}
    shapes: list[tuple[int, ...]] = []
    dim = 0
    for item in items:
        if isinstance(item, Flag):
            shapes.append((int(item.value),))
        elif isinstance(item, Mask):
            check_mask(item, shape, dim)
            found = item.array.nonzero()
            tables.update({dim + j: found[j] for j in range(len(found))})
            shapes.append(found[0].shape)
        elif isinstance(item, np.ndarray):
            tables[dim] = item
            shapes.append(item.shape)
        dim += consumed(item)
    common = _common_shape(shapes)
    if 0 in common:
        # As in numpy: an index that is broadcast to nothing is never looked at.
        return {d: np.zeros(table.shape, dtype=np.intp) for d, table in tables.items()}, common
    return {d: in_bounds(table, shape[d], d) for d, table in tables.items()}, common


def _common_shape(shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError as error:
        text = ", ".join(map(str, shapes))
        raise SelectionError(
            f"index arrays of shapes {text} cannot be broadcast to one shape; give them equal "
            "lengths, or select orthogonally to combine every index with every other"
        ) from error


def _position(items: Sequence[Item], ellipsis: int | None, *, in_place: bool) -> int:
    """Return the item before which the axes of the arrays go."""
    joint = [i for i, item in enumerate(items) if not (item is None or isinstance(item, slice))]
    first, last = joint[0], joint[-1]
    split = ellipsis is not None and first < ellipsis <= last
    if in_place and last - first + 1 == len(joint) and not split:
        return first
    return 0


def _indexed(table: IntArray, base: int, ndim: int) -> Indexed:
    """Return the map of an index array, without the axes it is only broadcast along."""
    first = base + ndim - table.ndim
    axes = tuple(first + j for j, n in enumerate(table.shape) if n != 1)
    kept = tuple(n for n in table.shape if n != 1)
    return Indexed(axes, np.ascontiguousarray(table).reshape(kept))


def resolve_orthogonal(items: Sequence[Any], shape: tuple[int, ...]) -> Selection:
    """Resolve an index that combines every index of a dimension with every other's."""
    filled, _ = fill_ellipsis([classify(item) for item in items], len(shape))
    lengths: list[int] = []
    maps: list[Map] = []
    for item in filled:
        dim = len(maps)
        if item is None:
            lengths.append(1)
        elif isinstance(item, int):
            maps.append(Affine(None, integer(item, shape[dim], dim)))
        elif isinstance(item, slice):
            start, count, step = slice_indices(item, shape[dim], dim)
            maps.append(Affine(len(lengths), start, step))
            lengths.append(count)
        else:
            tables = _orthogonal_tables(item, shape, dim)
            maps.extend(Indexed((len(lengths),), table) for table in tables)
            lengths.append(tables[0].size)
    return assemble(shape, tuple(lengths), maps)


def _orthogonal_tables(
    item: Flag | Mask | IntArray, shape: tuple[int, ...], dim: int
) -> tuple[IntArray, ...]:
    if isinstance(item, Flag):
        raise SelectionError(
            f"{item.value} is no index of dimension {dim} in an orthogonal selection; give a "
            "boolean per element"
        )
    if isinstance(item, Mask):
        check_mask(item, shape, dim)
        return tuple(np.ascontiguousarray(found) for found in item.array.nonzero())
    if item.ndim != 1:
        raise SelectionError(
            f"an index array of shape {item.shape} for dimension {dim} of an orthogonal "
            "selection must have one dimension; ravel it"
        )
    return (in_bounds(item, shape[dim], dim),)

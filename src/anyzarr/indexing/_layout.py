"""From one map per dimension to a resolved selection.

Every kind of selection says, for each dimension of the array, how its index depends on the
position in the result (:class:`Affine` or :class:`Indexed`). From there on there is one way:
dimensions whose indices vary along a common result axis form one factor, every other one is
a factor of its own, and the selection is the product of its factors.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from anyzarr.abc import Box
from anyzarr.errors import SelectionError
from anyzarr.indexing._types import Affine, Indexed, IntArray, Map, Points, Selection, Span

__all__ = ["assemble"]

FULL = slice(None)
FLIPPED = slice(None, None, -1)


def assemble(
    shape: tuple[int, ...], result_shape: tuple[int, ...], maps: Sequence[Map]
) -> Selection:
    """Return the selection that these maps, all within bounds, describe."""
    simplest = tuple(_simplify(m, result_shape) for m in maps)
    simple = _separate(list(simplest), result_shape)
    if all(isinstance(m, Affine) for m in simple) and _covered(simple, result_shape):
        pass
    elif 0 in result_shape:
        return Selection(shape, result_shape, None, _maps=simplest)
    else:
        simple = _cover(simple, result_shape)
    groups = _groups(simple)
    spans = {d: _span(d, m, result_shape) for d, m in enumerate(simple) if isinstance(m, Affine)}
    points = [_points(dims, simple, result_shape) for dims in groups]
    view, order = _view(simple, groups, result_shape)
    box = None
    if not groups:
        ordered = [spans[d] for d in range(len(shape))]
        box = Box(
            tuple(s.start for s in ordered),
            tuple(s.stop for s in ordered),
            tuple(s.step for s in ordered),
        )
    factors: list[Span | Points] = [*spans.values(), *points]
    factors.sort(key=lambda f: f.dims)
    return Selection(shape, result_shape, box, view, order, tuple(factors), simplest)


def _simplify(m: Map, lengths: tuple[int, ...]) -> Map:
    """Turn a table that says no more than start and step into just that."""
    if isinstance(m, Affine):
        count = 1 if m.axis is None else lengths[m.axis]
        return m if count > 1 else Affine(m.axis, m.start if count else 0)
    if not m.axes:
        return Affine(None, int(m.array))
    array = m.array
    if array.ndim > 1:
        return m
    if array.size < 2:
        return Affine(m.axes[0], int(array[0]) if array.size else 0)
    step = int(array[1]) - int(array[0])
    if step == 0 or int(array[-1]) - int(array[0]) != step * (array.size - 1):
        return m
    if array.size > 2 and not (array[1:] - array[:-1] == step).all():
        return m
    return Affine(m.axes[0], int(array[0]), step)


def _separate(maps: list[Map], lengths: tuple[int, ...]) -> list[Map]:
    """Make tables of the affine maps that share a result axis with another map."""
    used = Counter(axis for m in maps for axis in _axes(m))
    result: list[Map] = []
    for m in maps:
        if isinstance(m, Affine) and m.axis is not None and used[m.axis] > 1:
            result.append(Affine(None, m.start) if lengths[m.axis] == 1 else _table(m, lengths))
        else:
            result.append(m)
    return result


def _axes(m: Map) -> tuple[int, ...]:
    if isinstance(m, Indexed):
        return m.axes
    return () if m.axis is None else (m.axis,)


def _table(m: Map, lengths: tuple[int, ...]) -> Indexed:
    if isinstance(m, Indexed):
        return m
    if m.axis is None:
        return Indexed((), np.asarray(m.start, dtype=np.intp))
    indices = m.start + m.step * np.arange(lengths[m.axis], dtype=np.intp)
    return Indexed((m.axis,), indices)


def _missing(maps: Sequence[Map], lengths: tuple[int, ...]) -> list[int]:
    """Return the result axes, other than those of length 1, that no map varies along."""
    used = {axis for m in maps for axis in _axes(m)}
    return [axis for axis, n in enumerate(lengths) if n != 1 and axis not in used]


def _covered(maps: Sequence[Map], lengths: tuple[int, ...]) -> bool:
    return not _missing(maps, lengths)


def _cover(maps: list[Map], lengths: tuple[int, ...]) -> list[Map]:
    """Repeat the first dimension's indices along the result axes nothing else varies along."""
    missing = _missing(maps, lengths)
    if not missing:
        return maps
    if not maps:
        raise SelectionError(
            f"an array without dimensions cannot be repeated to the shape {lengths}; "
            "select its one element, and broadcast the result",
            kind="rank_mismatch",
        )
    table = _table(maps[0], lengths)
    axes = tuple(sorted((*table.axes, *missing)))
    array = np.ascontiguousarray(_spread(table, axes, lengths))
    return [Indexed(axes, array), *maps[1:]]


def _spread(table: Indexed, axes: tuple[int, ...], lengths: tuple[int, ...]) -> IntArray:
    """Broadcast a table to all of ``axes``."""
    shape = tuple(lengths[a] if a in table.axes else 1 for a in axes)
    return np.broadcast_to(table.array.reshape(shape), tuple(lengths[a] for a in axes))


def _groups(maps: Sequence[Map]) -> list[tuple[int, ...]]:
    """Return the sets of dimensions that are indexed together, each ascending.

    Several groups are kept apart only if each is contiguous: numpy then places the axes of
    an index into a block and of an index into the result alike.
    """
    groups: list[tuple[set[int], set[int]]] = []
    for dim, m in enumerate(maps):
        if isinstance(m, Affine):
            continue
        dims, axes = {dim}, set(m.axes)
        apart = []
        for group in groups:
            if group[1] & axes:
                dims |= group[0]
                axes |= group[1]
            else:
                apart.append(group)
        groups = [*apart, (dims, axes)]
    if len(groups) > 1 and not all(max(d) - min(d) + 1 == len(d) for d, _ in groups):
        groups = [(set().union(*(d for d, _ in groups)), set())]
    return sorted(tuple(sorted(dims)) for dims, _ in groups)


def _group_axes(dims: tuple[int, ...], maps: Sequence[Map]) -> tuple[int, ...]:
    return tuple(sorted({axis for d in dims for axis in _axes(maps[d])}))


def _points(dims: tuple[int, ...], maps: Sequence[Map], lengths: tuple[int, ...]) -> Points:
    axes = _group_axes(dims, maps)
    arrays = tuple(
        np.ascontiguousarray(_spread(_table(maps[d], lengths), axes, lengths)).reshape(-1)
        for d in dims
    )
    return Points(dims, arrays, tuple(lengths[a] for a in axes))


def _span(dim: int, m: Affine, lengths: tuple[int, ...]) -> Span:
    count = 1 if m.axis is None else lengths[m.axis]
    if count == 0:
        return Span(dim, 0, 0, 1)
    last = m.start + m.step * (count - 1)
    step = abs(m.step) if count > 1 else 1
    return Span(dim, min(m.start, last), max(m.start, last) + 1, step)


def _view(
    maps: Sequence[Map], groups: list[tuple[int, ...]], lengths: tuple[int, ...]
) -> tuple[tuple[Any, ...] | None, tuple[int, ...] | None]:
    """Return the index and the transposition that give a result the internal layout."""
    layout = _inner_axes(maps, groups)
    flipped = {m.axis for m in maps if isinstance(m, Affine) and m.step < 0}
    kept = [axis for axis in range(len(lengths)) if axis in layout]
    view: list[Any] = [
        (FLIPPED if axis in flipped else FULL) if axis in layout else 0
        for axis in range(len(lengths))
    ]
    position = {axis: i for i, axis in enumerate(kept)}
    n_new = 0
    order = []
    for axis in layout:
        if axis is None:
            order.append(len(kept) + n_new)
            n_new += 1
        else:
            order.append(position[axis])
    plain = n_new == 0 and len(kept) == len(lengths) and not flipped
    # The Ellipsis keeps the result of indexing an array, not a scalar.
    index = None if plain else (*view, ..., *([None] * n_new))
    return index, None if order == sorted(order) else tuple(order)


def _inner_axes(maps: Sequence[Map], groups: list[tuple[int, ...]]) -> list[int | None]:
    """Return the result axis of each axis of the internal layout; None for a dropped one."""
    layout: list[int | None] = []
    first = {dims[0]: dims for dims in groups}
    grouped = {d for dims in groups for d in dims}
    if len(groups) == 1 and groups[0][-1] - groups[0][0] + 1 != len(groups[0]):
        # numpy moves the points of separated dimensions to the front.
        layout.extend(_group_axes(groups[0], maps))
        first = {}
    for dim, m in enumerate(maps):
        if dim in first:
            layout.extend(_group_axes(first[dim], maps))
        elif dim not in grouped and isinstance(m, Affine):
            layout.append(m.axis)
    return layout

"""ndsel messages from selections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from anyzarr.errors import SelectionError
from anyzarr.indexing._layout import FLIPPED
from anyzarr.indexing._ndsel import normalize
from anyzarr.indexing._resolve import Mode, resolve
from anyzarr.indexing._types import Affine, Indexed, Map, Selection

if TYPE_CHECKING:
    from anyzarr.metadata._model import ChunkGrid

__all__ = ["to_ndsel"]


def to_ndsel(
    selection: Any,
    shape: tuple[int, ...] | None = None,
    *,
    mode: Mode = "numpy",
    grid: ChunkGrid | None = None,
) -> dict[str, Any]:
    """Return the ndsel message of a selection, of the simplest kind that can say it.

    Parameters
    ----------
    selection
        A resolved :class:`Selection`, or anything :func:`resolve` takes.
    shape, mode, grid
        As :func:`resolve` takes them; only needed for what is not resolved yet.

    Returns
    -------
    dict
        A JSON object of kind ``point``, ``box``, ``slice``, ``points`` or ``transform``.
        Ranges keep the coordinates of the array. :func:`from_ndsel` gives the selection back.

    Raises
    ------
    SelectionError
        The selection does not fit the shape, or it is not resolved and there is no shape.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.indexing import to_ndsel
    >>> to_ndsel(np.s_[2:10, ::-2], (10, 5))
    {'kind': 'slice', 'start': [2, 4], 'stop': [10, -1], 'step': [1, -2]}
    """
    if not isinstance(selection, Selection):
        if shape is None:
            raise SelectionError(
                "a selection that is not resolved has a message for one array shape only; "
                "pass shape="
            )
        selection = resolve(selection, shape, mode=mode, grid=grid)
    maps = _maps_of(selection)
    lengths = selection.result_shape
    return (
        _point(maps, lengths)
        or _slices(maps, lengths)
        or _points(maps, lengths)
        or {
            "kind": "transform",
            **normalize({"kind": "transform", **_transform(maps, lengths)}),
        }
    )


def _maps_of(selection: Selection) -> tuple[Map, ...]:
    if selection._maps is not None:
        return selection._maps
    box = selection.box
    assert box is not None
    view = selection._view
    if view is None:
        view = (slice(None),) * len(box.start)
    maps: list[Map] = []
    axis = 0
    for entry in view:
        if entry is Ellipsis:
            break
        if entry == 0 and entry is not None:
            axis += 1
            continue
        d = len(maps)
        start, step = box.start[d], box.step[d]
        if entry is None:
            maps.append(Affine(None, start))
            continue
        if entry == FLIPPED:
            start, step = start + (selection.result_shape[axis] - 1) * step, -step
        maps.append(Affine(axis, start, step))
        axis += 1
    return tuple(maps)


def _point(maps: Sequence[Map], lengths: tuple[int, ...]) -> dict[str, Any] | None:
    if lengths or not all(isinstance(m, Affine) for m in maps):
        return None
    return {"kind": "point", "coords": [m.start for m in maps if isinstance(m, Affine)]}


def _slices(maps: Sequence[Map], lengths: tuple[int, ...]) -> dict[str, Any] | None:
    """Return a box or slice message, where each dimension has its axis, in order."""
    affine = [m for m in maps if isinstance(m, Affine)]
    if len(affine) != len(maps) or [m.axis for m in affine] != list(range(len(lengths))):
        return None
    start = [m.start for m in affine]
    if all(m.step == 1 for m in affine):
        stop = [a + n for a, n in zip(start, lengths, strict=True)]
        return {"kind": "box", "inclusive_min": start, "exclusive_max": stop}
    stop = [
        m.start + m.step * (n - 1) + (1 if m.step > 0 else -1) if n else m.start
        for m, n in zip(affine, lengths, strict=True)
    ]
    return {"kind": "slice", "start": start, "stop": stop, "step": [m.step for m in affine]}


def _points(maps: Sequence[Map], lengths: tuple[int, ...]) -> dict[str, Any] | None:
    """Return a points message, where one axis runs through points of all dimensions."""
    n_along = sum(isinstance(m, Indexed) or m.axis is not None for m in maps)
    is_table = n_along > 1 or any(isinstance(m, Indexed) for m in maps)
    if len(lengths) != 1 or lengths[0] == 0 or not is_table:
        return None
    columns = [_column(m, lengths[0]) for m in maps]
    return {"kind": "points", "coords": [list(row) for row in zip(*columns, strict=True)]}


def _column(m: Map, count: int) -> list[int]:
    if isinstance(m, Indexed):
        column: list[int] = m.array.tolist()
        return column
    step = 0 if m.axis is None else m.step
    return [m.start + step * i for i in range(count)]


def _transform(maps: Sequence[Map], lengths: tuple[int, ...]) -> dict[str, Any]:
    """Return the fields of a transform message."""
    origins = [0] * len(lengths)
    for axis in range(len(lengths)):
        users = [m for m in maps if axis in (m.axes if isinstance(m, Indexed) else (m.axis,))]
        if len(users) == 1 and isinstance(users[0], Affine):
            origins[axis] = _towards_zero(users[0].start, users[0].step)
    return {
        "input_inclusive_min": origins,
        "input_exclusive_max": [a + n for a, n in zip(origins, lengths, strict=True)],
        "output": [_output_map(m, lengths, origins) for m in maps],
    }


def _towards_zero(a: int, b: int) -> int:
    return a // b if (a < 0) == (b < 0) else -(-a // b)


def _output_map(m: Map, lengths: tuple[int, ...], origins: Sequence[int]) -> dict[str, Any]:
    if isinstance(m, Affine):
        if m.axis is None:
            return {"offset": m.start}
        offset = m.start - m.step * origins[m.axis]
        return {"offset": offset, "stride": m.step, "input_dimension": m.axis}
    if m.array.size == 0:
        # Nested lists cannot say where an empty table has its empty axis.
        axis = lengths.index(0)
        return {"offset": -origins[axis], "stride": 1, "input_dimension": axis}
    shape = tuple(n if axis in m.axes else 1 for axis, n in enumerate(lengths))
    return {"index_array": m.array.reshape(shape).tolist()}

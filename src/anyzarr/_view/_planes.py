"""From a source to the planes that are shown: which level, which slice, which channels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from anyzarr._view._source import Source
from anyzarr.errors import SelectionError

__all__ = [
    "MOST_PIXELS",
    "Slicing",
    "ZChoice",
    "choose_channels",
    "choose_level",
    "read_plane",
    "slicing",
    "stride",
]

ZChoice = Literal["middle", "max"] | int

# A projection reads planes in groups of about this size rather than the whole stack.
_PROJECTION_BYTES = 64 << 20
# Of larger planes (without a pyramid) only every so many-th pixel is kept.
MOST_PIXELS = 1 << 24


@dataclass(frozen=True)
class Slicing:
    """Which part of every axis that is not shown is taken.

    Attributes
    ----------
    index
        Axis position → index.
    projected
        Position of the axis reduced by its maximum, or None.
    label
        What was taken, for the reader: ``t 0 of 5, z 12 of 24``.
    """

    index: dict[int, int]
    projected: int | None
    label: str


def choose_level(source: Source, wanted: int | None, shape: tuple[int, int]) -> int:
    """Return the coarsest level that still has ``shape`` (height, width) pixels, or ``wanted``.

    Raises
    ------
    SelectionError
        There is no level ``wanted``.
    """
    n = len(source.levels)
    if wanted is not None:
        if not -n <= wanted < n:
            raise SelectionError(
                f"level {wanted} is out of range: the image has {n} levels, 0 to {n - 1}"
            )
        return wanted % n
    y, x = source.plane_axes
    level = 0
    for i, array in enumerate(source.levels):
        if array.shape[y] >= shape[0] and array.shape[x] >= shape[1]:
            level = i
    return level


def choose_channels(source: Source, wanted: Sequence[int | str] | None) -> list[int]:
    """Return channel indices; ``wanted`` names them or counts them.

    Raises
    ------
    SelectionError
        There is no such channel.
    """
    n = source.n_channels
    if wanted is None:
        return list(range(n))
    names = [channel.name for channel in source.channels]
    return [_channel_index(item, names, n) for item in wanted]


def slicing(source: Source, level: int, z: ZChoice, time: int) -> Slicing:
    """Return what is taken of the axes that span neither the picture nor the channels.

    Raises
    ------
    SelectionError
        ``time`` or ``z`` is out of range.
    """
    shape, index, words = source.levels[level].shape, {}, []
    projected = None
    shown = {*source.plane_axes}
    for i, (name, n) in enumerate(zip(source.axes, shape, strict=True)):
        if i in shown or name in {"c", "s"}:
            continue
        if name == "t":
            index[i] = _in_range(time, n, "time point")
        elif z == "max" and name == "z" and n > 1:
            projected = i
            words.append(f"{name}: maximum of {n}")
            continue
        elif isinstance(z, int) and name == "z":
            index[i] = _in_range(z, n, f"z slice (of level {level})")
        else:
            index[i] = n // 2
        if n > 1:
            words.append(f"{name} {index[i]} of {n}")
    return Slicing(index, projected, ", ".join(words))


def stride(source: Source, level: int) -> int:
    """Return which pixels of a level are taken: every ``stride``-th, so that memory is bounded."""
    y, x = source.plane_axes
    shape = source.levels[level].shape
    return max(1, math.ceil(math.sqrt(shape[y] * shape[x] / MOST_PIXELS)))


def read_plane(source: Source, level: int, cut: Slicing, channel: int) -> npt.NDArray[Any]:
    """Return a channel's plane ``(Y, X)``; with colour samples ``(Y, X, 3)``.

    Of a plane of more than ``MOST_PIXELS`` pixels, as one without a pyramid may be, every
    :func:`stride`-th row and column.
    """
    array = source.levels[level]
    selection: list[Any] = [slice(None)] * len(array.shape)
    for axis in source.plane_axes:
        selection[axis] = slice(None, None, stride(source, level))
    for axis, position in cut.index.items():
        selection[axis] = position
    if "c" in source.axes:
        selection[source.axes.index("c")] = channel
    if "s" in source.axes:
        selection[source.axes.index("s")] = slice(0, 3)
    if cut.projected is None:
        plane = np.asarray(array[tuple(selection)])
    else:
        plane = _maximum(array, selection, cut.projected)
    if "s" not in source.axes:
        return plane
    shown = [*source.plane_axes, source.axes.index("s")]
    return np.moveaxis(plane, sorted(shown).index(shown[-1]), -1)


def _maximum(array: Any, selection: list[Any], axis: int) -> npt.NDArray[Any]:
    n = array.shape[axis]
    plane_bytes = array.dtype.itemsize * math.prod(
        -(-size // (part.step or 1))
        for size, part in zip(array.shape, selection, strict=True)
        if isinstance(part, slice)
    )
    step = max(1, _PROJECTION_BYTES * n // max(1, plane_bytes))
    position = sum(isinstance(part, slice) for part in selection[:axis])
    result: npt.NDArray[Any] | None = None
    for start in range(0, n, step):
        selection[axis] = slice(start, min(n, start + step))
        part = np.asarray(array[tuple(selection)])
        part = np.abs(part).max(position) if part.dtype.kind == "c" else part.max(position)
        result = part if result is None else np.maximum(result, part)
    assert result is not None
    return result


def _channel_index(item: int | str, names: list[str], n: int) -> int:
    if isinstance(item, str) and item in names:
        return names.index(item)
    try:
        position = int(item)
    except ValueError:
        raise SelectionError(
            f"no channel is called {item!r}: the channels are {', '.join(names) or 'unnamed'}"
        ) from None
    return _in_range(position, n, "channel")


def _in_range(position: int, n: int, what: str) -> int:
    if not -n <= position < n:
        raise SelectionError(f"{what} {position} is out of range: there are {n}, 0 to {n - 1}")
    return position % n

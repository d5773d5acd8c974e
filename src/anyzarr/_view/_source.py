"""What a picture is made from: levels, axes and channels of an image, or of a plain array."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from anyzarr._info import ChannelInfo
from anyzarr.errors import UnsupportedError

__all__ = ["Readable", "Source", "short_unit", "source_of_array"]

_UNITS = {
    "angstrom": "Å",
    "nanometer": "nm",
    "micrometer": "µm",
    "micron": "µm",
    "millimeter": "mm",
    "centimeter": "cm",
    "meter": "m",
}


class Readable(Protocol):
    """An array as far as a preview needs it."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    def __getitem__(self, selection: Any) -> npt.NDArray[Any]: ...


@dataclass(frozen=True)
class Source:
    """An image ready to be looked at.

    Attributes
    ----------
    name
        For the title.
    axes
        One name per dimension; the last two of type space are shown, or ``y``, ``x`` and a last
        ``s`` of red, green and blue samples.
    units
        Unit per axis, as declared.
    levels
        Arrays, full resolution first.
    scales
        Extent of one element per level and axis.
    channels
        One per element of axis ``c``; empty without one.
    placement
        Where the centre of the first element lies, per level and axis; empty: at zero.
    """

    name: str
    axes: tuple[str, ...]
    units: tuple[str | None, ...]
    levels: Sequence[Readable]
    scales: Sequence[tuple[float, ...]]
    channels: tuple[ChannelInfo, ...] = ()
    placement: Sequence[tuple[float, ...]] = ()

    @property
    def shifts(self) -> Sequence[tuple[float, ...]]:
        """Where the centre of the first element lies, per level and axis."""
        return self.placement or [(0.0,) * len(self.axes) for _ in self.levels]

    @property
    def plane_axes(self) -> tuple[int, int]:
        """Positions of the two axes that span the picture."""
        spatial = [i for i, name in enumerate(self.axes) if name != "s"]
        return spatial[-2], spatial[-1]

    @property
    def n_channels(self) -> int:
        """Length of axis ``c``, or 1 without one."""
        return self.levels[0].shape[self.axes.index("c")] if "c" in self.axes else 1

    @property
    def is_rgb(self) -> bool:
        """Whether the channels are red, green and blue samples of a colour picture."""
        if "s" in self.axes:
            return True
        colors = tuple((c.color or "").upper() for c in self.channels)
        names = tuple(c.name.lower() for c in self.channels)
        plain = names in {("red", "green", "blue"), ("r", "g", "b")}
        primary = colors == ("FF0000", "00FF00", "0000FF")
        return plain and (primary or not any(colors)) and self.levels[0].dtype.kind == "u"

    def unit(self, axis: int) -> str | None:
        """Return the short form of an axis' unit (``µm``), or None."""
        return short_unit(self.units[axis])


def short_unit(unit: str | None) -> str | None:
    """Return the short form of a unit (``µm``), or None."""
    return _UNITS.get(unit, unit) if unit else None


def source_of_array(
    name: str, array: Readable, dimension_names: Sequence[str | None] | None = None
) -> Source:
    """Return the source for an array that says little or nothing about its axes.

    Dimension names are used where all are given and distinct. Else the last two dimensions are
    Y and X, with a trailing dimension of 3 or 4 bytes taken for colour samples.

    Raises
    ------
    UnsupportedError
        Fewer than two dimensions, or values that are not numbers.
    """
    shape = array.shape
    if array.dtype.kind not in "biufc":
        raise UnsupportedError(
            f"an array of {array.dtype} cannot be shown: a preview needs numbers"
        )
    if len(shape) < 2:
        raise UnsupportedError(
            f"an array of shape {shape} cannot be shown: a preview needs at least two dimensions"
        )
    axes = _axes_of(shape, array.dtype, dimension_names)
    n = len(shape)
    return Source(name, axes, (None,) * n, [array], [(1.0,) * n], _unnamed(shape, axes))


def _axes_of(
    shape: tuple[int, ...], dtype: np.dtype[Any], names: Sequence[str | None] | None
) -> tuple[str, ...]:
    if names and all(names) and len(set(names)) == len(names):
        # "s" counts as colour samples only where there are three or four of them.
        pairs = zip(names, shape, strict=True)
        return tuple("d" if name == "s" and n not in (3, 4) else str(name) for name, n in pairs)
    if len(shape) >= 3 and shape[-1] in (3, 4) and dtype == np.uint8:
        return (*(f"d{i}" for i in range(len(shape) - 3)), "y", "x", "s")
    return (*(f"d{i}" for i in range(len(shape) - 2)), "y", "x")


def _unnamed(shape: tuple[int, ...], axes: tuple[str, ...]) -> tuple[ChannelInfo, ...]:
    if "c" not in axes:
        return ()
    return tuple(ChannelInfo(f"channel {i}") for i in range(shape[axes.index("c")]))

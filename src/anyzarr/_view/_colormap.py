"""Numbers as colours: maps from dark to bright, and colours of directions and objects."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from anyzarr._view._contrast import UInt8
from anyzarr._view._overlay import palette_color

__all__ = ["DENSITY", "VALUES", "colored", "direction_colors", "object_colors"]

# Colours that grow evenly brighter, at equal distances; after matplotlib's inferno and viridis.
DENSITY: Final = "1b0c41 4a0c6b 781c6d a52c60 cf4446 ed6925 fb9b06 f7d13d fcffa4"
VALUES: Final = "472d7b 3b528b 2c728e 21918c 28ae80 5ec962 addc30 fde725"


def colored(values: npt.NDArray[Any], colors: str) -> UInt8:
    """Return the colours of numbers from 0 to 1, on a last axis of three; NaN is grey.

    Examples
    --------
    >>> import numpy as np
    >>> colored(np.array([0.0, 0.5, 1.0, np.nan]), "000000 646464")[:, 0].tolist()
    [0, 50, 100, 110]
    """
    stops = np.array([list(bytes.fromhex(color)) for color in colors.split()], np.float64)
    place = np.clip(np.nan_to_num(values, nan=0.0), 0, 1) * (len(stops) - 1)
    steps = np.arange(len(stops))
    channels = [np.interp(place, steps, stops[:, channel]) for channel in range(3)]
    found = np.rint(np.stack(channels, axis=-1))
    found[np.isnan(values)] = 110
    return found.astype(np.uint8)


def direction_colors(along: npt.NDArray[np.floating[Any]]) -> UInt8:
    """Return red, green and blue by how much vectors point along x, y and z, ``(N, 3)``."""
    length = np.sqrt(np.square(along).sum(axis=1, keepdims=True))
    share = np.abs(along) / np.where(length > 0, length, 1.0)
    return np.rint(35 + 220 * share).astype(np.uint8)


def object_colors(ids: npt.NDArray[np.int64]) -> UInt8:
    """Return the colours of objects by their ids, as labels of these numbers have."""
    values, place = np.unique(ids, return_inverse=True)
    palette = [palette_color(value)[:3] for value in values.tolist()]
    return np.array(palette, np.uint8).reshape(-1, 3)[place.reshape(-1)]

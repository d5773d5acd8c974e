"""Contrast windows from pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr._nodes import Array
from anyzarr.ome._axes import Axis
from anyzarr.ome._channels import Window

__all__ = ["window_of"]

_MOST_SAMPLES = 1 << 22


def window_of(
    array: Array,
    axes: Sequence[Axis],
    channel: int,
    percentiles: tuple[float, float],
    window: Window | None = None,
) -> Window | None:
    """Return the window between two percentiles of a channel's pixels.

    Of the middle of the axes that are neither channel nor space, and of every so many planes,
    then elements, where there are more than 4 million. Whole numbers for integers, so that at
    least this much lies within.

    Parameters
    ----------
    array
        The level to look at; a small one is enough.
    axes
        Its axes.
    channel
        The number of the channel.
    percentiles
        Between 0 and 100, the lower first.
    window
        Gives the values there can be (for integers) and further keys; None: by the dtype.

    Returns
    -------
    Window or None
        None where the pixels tell nothing: they are all equal, not finite, or no numbers.
    """
    values = _sample(array, axes, channel)
    if values.dtype.kind not in "iufb" or not values.size:
        return None
    numbers = values.view(np.uint8) if values.dtype.kind == "b" else values
    finite = numbers[np.isfinite(numbers)]
    if not finite.size:
        return None
    low, high = (float(v) for v in np.percentile(finite, percentiles))
    if not low < high:
        return None
    window = window or Window.of_dtype(values.dtype)
    if values.dtype.kind in "iub":
        low, high = math.floor(low), math.ceil(high)
    else:
        window = replace(window, min=float(finite.min()), max=float(finite.max()))
    return replace(window, start=low, end=high)


def _sample(array: Array, axes: Sequence[Axis], channel: int) -> npt.NDArray[Any]:
    selection: list[Any] = [n // 2 for n in array.shape]
    spatial = [i for i, axis in enumerate(axes) if axis.type == "space"]
    excess = -(-math.prod(array.shape[i] for i in spatial) // _MOST_SAMPLES)
    for i in spatial:
        # Whole planes are left out first; only what remains is thinned out within planes.
        in_plane = i in spatial[-2:]
        step = math.isqrt(max(0, excess - 1)) + 1 if in_plane else min(excess, array.shape[i])
        selection[i] = slice(None, None, max(1, step))
        excess = excess if in_plane else -(-excess // max(1, step))
    for i, axis in enumerate(axes):
        if axis.type == "channel":
            selection[i] = channel
    return np.asarray(array[tuple(selection)])

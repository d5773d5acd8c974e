"""From stored values to what a screen can show: contrast windows and channel colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Window", "color_of", "colorize", "composite", "percentile_window", "stretch"]

LOW_PERCENTILE = 1.0
HIGH_PERCENTILE = 99.8
_SAMPLES = 4_000_000
_PALETTE = ("00FFFF", "FF00FF", "FFFF00", "00FF00", "FF4040", "4080FF", "FF9020", "FFFFFF")

RGB = tuple[int, int, int]
UInt8 = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Window:
    """The values shown as black and as full brightness.

    Attributes
    ----------
    low, high
        Values in the units of the array; ``low < high`` unless the plane is constant.
    """

    low: float
    high: float


def percentile_window(plane: npt.NDArray[Any]) -> Window:
    """Return the 1st and 99.8th percentile of the finite values of a plane.

    Large planes are sampled on a regular grid. Where the percentiles coincide (a few bright
    points on an even background) the full range is taken.

    Examples
    --------
    >>> import numpy as np
    >>> percentile_window(np.arange(1001))
    Window(low=10.0, high=998.0)
    """
    values = _as_real(plane)
    step = max(1, int(np.sqrt(values.size / _SAMPLES)))
    values = values[tuple(slice(None, None, step) for _ in range(values.ndim))]
    values = values[np.isfinite(values)]
    if values.size == 0:
        return Window(0.0, 0.0)
    low, high = (float(v) for v in np.percentile(values, (LOW_PERCENTILE, HIGH_PERCENTILE)))
    if low == high:
        low, high = float(values.min()), float(values.max())
    return Window(low, high)


def stretch(plane: npt.NDArray[Any], window: Window) -> npt.NDArray[np.float32]:
    """Return the plane on a scale from 0 (``window.low`` and less, NaN) to 1 (``window.high``)."""
    values = _as_real(plane)
    if window.high == window.low:
        # Nothing to tell apart: mid-grey where there is a value at all, black where it is zero.
        return np.where(values != 0, np.float32(0.5), np.float32(0))
    scaled = (values - window.low) / (window.high - window.low)
    return np.clip(np.nan_to_num(scaled, nan=0.0), 0.0, 1.0).astype(np.float32)


def color_of(text: str | None, index: int, n_channels: int) -> RGB:
    """Return the colour of a channel: the six-hex ``text``, else one of a palette by ``index``.

    A single channel without a colour is white.
    """
    digits = (text or "").lstrip("#")[:6]
    if len(digits) != 6 or any(c not in "0123456789abcdefABCDEF" for c in digits):
        digits = "FFFFFF" if n_channels == 1 else _PALETTE[index % len(_PALETTE)]
    return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)


def colorize(brightness: npt.NDArray[np.float32], color: RGB) -> UInt8:
    """Return ``(Y, X)`` brightness in [0, 1] as an ``(Y, X, 3)`` picture in one colour."""
    shaded = brightness[..., None] * np.asarray(color, np.float32)
    return np.rint(shaded).astype(np.uint8)


def composite(pictures: Sequence[UInt8]) -> UInt8:
    """Return the sum of the pictures, saturating at white, as light of several colours adds."""
    total = np.zeros(pictures[0].shape, np.uint16)
    for picture in pictures:
        total += picture
    return np.minimum(total, 255).astype(np.uint8)


def _as_real(plane: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    if plane.dtype.kind == "c":
        plane = np.abs(plane)
    return plane.astype(np.float64)

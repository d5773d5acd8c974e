"""Sizes as metadata without types of its own states them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from anyzarr.ome import Axis, axes_of

__all__ = ["axes_with_sizes", "first_number", "number_of"]


def number_of(value: Any) -> float | None:
    """Return a size, if that is what a value of the metadata is: finite and more than 0."""
    try:
        number = abs(float(value))
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and number > 0 else None


def first_number(*values: Any) -> float | None:
    """Return the first of some values that is a size, or None."""
    return next((n for n in map(number_of, values) if n is not None), None)


def axes_with_sizes(
    names: str, sizes: Mapping[str, tuple[float | None, str]]
) -> tuple[tuple[Axis, ...], tuple[float, ...]]:
    """Return axes with their units, and the scale; without a size an axis has no unit.

    Parameters
    ----------
    names
        Of the axes, in their order.
    sizes
        Size and unit by the name of an axis.
    """
    axes, scale = [], []
    for axis in axes_of(names):
        size, unit = sizes.get(axis.name, (None, ""))
        axes.append(axis if size is None else Axis(axis.name, axis.type, unit))
        scale.append(1.0 if size is None else size)
    return tuple(axes), tuple(scale)

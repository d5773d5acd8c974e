"""Which levels a pyramid has: factors, shapes, scales and translations."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from anyzarr._pyramid._kernel import downsampled_shape
from anyzarr.errors import MetadataError

__all__ = ["LARGEST_TOP_LEVEL", "PyramidLevel", "default_factors", "plan_levels"]

LARGEST_TOP_LEVEL = 256
"""A pyramid ends with the level whose largest spatial axis is at most this many elements."""

_MOST_LEVELS = 64


@dataclass(frozen=True, slots=True)
class PyramidLevel:
    """One level of a pyramid.

    Attributes
    ----------
    shape
        Elements per axis.
    factors
        Downsampling factor per axis from the level before; all 1 for level 0.
    scale, translation
        Physical size of an element, and position of the centre of the first one, per axis.
    """

    shape: tuple[int, ...]
    factors: tuple[int, ...]
    scale: tuple[float, ...]
    translation: tuple[float, ...]


def default_factors(
    shape: Sequence[int],
    spatial: Sequence[int],
    voxel_size: Sequence[float],
    *,
    n_levels: int | None = None,
) -> tuple[tuple[int, ...], ...]:
    """Return the factors from each level to the next that bring voxels towards cubes.

    In-plane axes (the last two spatial ones) are halved at each level; a further one only
    once its voxel size is within a factor of √2 of the in-plane one, or below it.

    Parameters
    ----------
    shape
        Shape of level 0.
    spatial
        Indices of the spatial axes, slowest first.
    voxel_size
        Physical size of an element per axis of ``shape``; spatial ones in one unit.
    n_levels
        Number of levels with level 0, or None: until the largest spatial axis has at most
        :data:`LARGEST_TOP_LEVEL` elements. Levels end where every spatial axis is 1.

    Examples
    --------
    >>> from anyzarr._pyramid import default_factors
    >>> default_factors((64, 1024, 1024), (0, 1, 2), (2.0, 0.5, 0.5))
    ((1, 2, 2), (1, 2, 2))
    """
    current, size = tuple(shape), list(voxel_size)
    result: list[tuple[int, ...]] = []
    most = _MOST_LEVELS if n_levels is None else n_levels
    while len(result) + 1 < most:
        largest = max((current[i] for i in spatial), default=1)
        if largest <= (LARGEST_TOP_LEVEL if n_levels is None else 1):
            break
        factors = _next_factors(current, spatial, size)
        result.append(factors)
        current = downsampled_shape(current, factors)
        size = [s * f for s, f in zip(size, factors, strict=True)]
    return tuple(result)


def _next_factors(
    shape: Sequence[int], spatial: Sequence[int], size: Sequence[float]
) -> tuple[int, ...]:
    extended = [i for i in spatial if shape[i] > 1]
    in_plane = [i for i in extended if i in tuple(spatial)[-2:]] or extended
    limit = min(size[i] for i in in_plane) * math.sqrt(2) * (1 + 1e-9)
    chosen = {*in_plane, *(i for i in extended if size[i] <= limit)}
    return tuple(2 if i in chosen else 1 for i in range(len(shape)))


def plan_levels(
    shape: Sequence[int],
    scale: Sequence[float],
    translation: Sequence[float],
    factors: Sequence[Sequence[int]],
    *,
    centred: bool = True,
) -> tuple[PyramidLevel, ...]:
    """Return all levels, level 0 first, for the factors from each level to the next.

    Parameters
    ----------
    shape, scale, translation
        Of level 0.
    factors
        Per further level, one factor per axis.
    centred
        Whether an element stands for the middle of its window, as a mean does: its centre is
        then half a window from the first element's, ``(F - 1) / 2`` elements of level 0.

    Raises
    ------
    MetadataError
        A factor is not a whole number of at least 1, or there is not one per axis.
    """
    levels = [PyramidLevel(tuple(shape), (1,) * len(shape), _floats(scale), _floats(translation))]
    total = (1,) * len(shape)
    for step in factors:
        _check_factors(step, len(shape))
        total = tuple(a * int(b) for a, b in zip(total, step, strict=True))
        shift = (t + (f - 1) / 2 * s for t, f, s in zip(translation, total, scale, strict=True))
        levels.append(
            PyramidLevel(
                downsampled_shape(levels[-1].shape, step),
                tuple(int(f) for f in step),
                tuple(float(s) * f for s, f in zip(scale, total, strict=True)),
                _floats(shift if centred else translation),
            )
        )
    return tuple(levels)


def _floats(values: Iterable[float]) -> tuple[float, ...]:
    return tuple(float(v) for v in values)


def _check_factors(factors: Sequence[int], ndim: int) -> None:
    if len(factors) != ndim or any(int(f) != f or f < 1 for f in factors):
        raise MetadataError(
            f"downsampling factors {tuple(factors)!r} do not fit an image of {ndim} axes; "
            "give one whole number of at least 1 per axis for each level"
        )

"""Whether the levels of an image fit each other by what their metadata says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anyzarr._validate._levels import Level, Pyramid
from anyzarr._validate._spot import Spot

__all__ = ["check_geometry", "factors_between"]


def check_geometry(pyramid: Pyramid, omero: Any) -> None:
    """Check dtypes, scales and the number of channels against the arrays."""
    first = pyramid.levels[0]
    for number, level in enumerate(pyramid.levels[1:], 1):
        spot = pyramid.spot.at("datasets", None).at(number, None)
        if level.metadata.dtype != first.metadata.dtype:
            spot.error(
                "level-dtype",
                f"dtype {level.metadata.data_type.name}, and level 0 has "
                f"{first.metadata.data_type.name}; all levels must have one",
            )
        _check_scale(spot, pyramid, first, level)
    _check_channels(pyramid, omero)


def _check_scale(spot: Spot, pyramid: Pyramid, first: Level, level: Level) -> None:
    if first.scale is None or level.scale is None:
        return
    shape, ratio_of = level.metadata.shape, zip(first.scale, level.scale, strict=False)
    ratios = [b / a if a > 0 else 1.0 for a, b in ratio_of]
    for axis, (n, large, ratio) in enumerate(
        zip(shape, first.metadata.shape, ratios, strict=False)
    ):
        if ratio <= 0 or abs(large / ratio - n) > 1 + 1e-6:
            spot.error(
                "scale-shape",
                f"axis {axis}: elements are {ratio:g} times as large as in level 0, which has "
                f"{large}, and there are {n}; scale and shape must fit",
            )


def _check_channels(pyramid: Pyramid, omero: Any) -> None:
    channels = omero.get("channels") if isinstance(omero, Mapping) else None
    if not isinstance(channels, list) or pyramid.axes is None:
        return
    sizes = [
        n
        for n, kind in zip(pyramid.levels[0].metadata.shape, pyramid.axes, strict=False)
        if kind == "channel"
    ]
    n = sizes[0] if sizes else 1
    if len(channels) != n:
        pyramid.spot.error(
            "omero-channels-count",
            f"omero describes {len(channels)} channels, and the image has {n}; they must agree",
        )


def factors_between(fine: Level, coarse: Level) -> tuple[int, ...] | None:
    """Return how many elements of the finer level an element of the coarser one covers.

    None where the shapes do not stand in whole ratios.
    """
    factors = []
    for axis, (large, small) in enumerate(
        zip(fine.metadata.shape, coarse.metadata.shape, strict=False)
    ):
        if small == 0:
            return None
        ratio = large / small
        if fine.scale is not None and coarse.scale is not None and fine.scale[axis] > 0:
            ratio = coarse.scale[axis] / fine.scale[axis]
        factor = max(1, round(ratio))
        if abs(ratio - factor) > 0.01 or abs(large / factor - small) > 1:
            return None
        factors.append(factor)
    return tuple(factors)

"""Which regions of an array are read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Job", "jobs_for"]

Region = tuple[slice, ...]

N_CROPS = 20
N_PLANES = 5
_CROP_SIDES = {1: 65536, 2: 256}  # by the number of spatial axes; else 64


@dataclass(frozen=True, slots=True)
class Job:
    """Regions of one shape, read one after the other.

    Attributes
    ----------
    name
        For people.
    shape
        Of each region.
    regions
        Within the array.
    n_bytes
        Of all regions, decoded.
    """

    name: str
    shape: tuple[int, ...]
    regions: tuple[Region, ...]
    n_bytes: int


def jobs_for(shape: Sequence[int], itemsize: int, max_bytes: int) -> tuple[Job, ...]:
    """Return the jobs that make sense for an array.

    Each reads at most ``max_bytes``, or one element where that is more. What is read does not
    depend on anything but the arguments.

    Examples
    --------
    >>> from anyzarr._bench._jobs import jobs_for
    >>> [(job.name, job.shape, len(job.regions)) for job in jobs_for((9, 400, 500), 2, 10**6)]
    [('full read', (9, 200, 250), 1), ('crops', (9, 64, 64), 13), ('planes', (1, 400, 500), 2)]
    """
    shape = tuple(shape)
    full = _bounded(shape, shape, itemsize, max_bytes)
    jobs = [_job("full read", full, [_centre(shape, full)], itemsize)]
    if 0 in shape or not shape:
        return tuple(jobs)
    crop = _bounded(_crop_shape(shape), shape, itemsize, max_bytes)
    jobs.append(
        _job(
            "crops",
            crop,
            _random(shape, crop, _count(crop, N_CROPS, itemsize, max_bytes)),
            itemsize,
        )
    )
    plane = _bounded((1,) * (len(shape) - 2) + shape[-2:], shape, itemsize, max_bytes)
    if len(shape) > 2:
        number = _count(plane, N_PLANES, itemsize, max_bytes)
        jobs.append(_job("planes", plane, _spread(shape, plane, number), itemsize))
    return tuple(jobs)


def _job(name: str, shape: tuple[int, ...], regions: Sequence[Region], itemsize: int) -> Job:
    return Job(name, shape, tuple(regions), len(regions) * math.prod(shape) * itemsize)


def _bounded(
    wanted: tuple[int, ...], shape: tuple[int, ...], itemsize: int, max_bytes: int
) -> tuple[int, ...]:
    """Return the shape with its longest axes halved until it fits."""
    sides = list(wanted)
    while math.prod(sides) * itemsize > max_bytes and max(sides, default=1) > 1:
        longest = sides.index(max(sides))
        sides[longest] = (sides[longest] + 1) // 2
    return tuple(sides)


def _count(shape: tuple[int, ...], wanted: int, itemsize: int, max_bytes: int) -> int:
    each = math.prod(shape) * itemsize
    return max(1, min(wanted, max_bytes // max(each, 1)))


def _crop_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return a cube in the last three axes, a square in two, a piece of one."""
    n_spatial = min(3, len(shape))
    side = _CROP_SIDES.get(n_spatial, 64)
    return tuple(
        min(n, side) if axis >= len(shape) - n_spatial else 1 for axis, n in enumerate(shape)
    )


def _centre(shape: tuple[int, ...], part: tuple[int, ...]) -> Region:
    return _at([(n - side) // 2 for n, side in zip(shape, part, strict=True)], part)


def _random(shape: tuple[int, ...], part: tuple[int, ...], number: int) -> list[Region]:
    rng = np.random.default_rng(0)
    room = [n - side + 1 for n, side in zip(shape, part, strict=True)]
    return [_at(rng.integers(0, room).tolist(), part) for _ in range(number)]


def _spread(shape: tuple[int, ...], part: tuple[int, ...], number: int) -> list[Region]:
    """Return planes at even distances through all axes but the last two."""
    leading = shape[:-2]
    n_planes = math.prod(leading)
    number = min(number, n_planes)
    found = []
    for index in range(number):
        at = np.unravel_index((2 * index + 1) * n_planes // (2 * number), leading)
        tail = [(n - side) // 2 for n, side in zip(shape[-2:], part[-2:], strict=True)]
        found.append(_at([*(int(n) for n in at), *tail], part))
    return found


def _at(start: Sequence[int], part: tuple[int, ...]) -> Region:
    return tuple(slice(n, n + side) for n, side in zip(start, part, strict=True))

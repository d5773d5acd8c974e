"""Making the levels of a pyramid again where level 0 has changed, and nowhere else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

from anyzarr._progress import Tracker
from anyzarr._pyramid._build import made_from, require_fit
from anyzarr._pyramid._gaussian import reach
from anyzarr._pyramid._methods import Method, method_of
from anyzarr._pyramid._regions import Level, Region, fill, region_size

__all__ = ["update_pyramid"]


def update_pyramid(
    arrays: Sequence[Level],
    factors: Sequence[Sequence[int]],
    region: Region,
    *,
    method: str = "mean",
    memory_bytes: int | None = None,
    tracker: Tracker | None = None,
) -> None:
    """Make the elements of all levels again that a region of level 0 has part in.

    Parameters
    ----------
    arrays, factors, method, memory_bytes, tracker
        As for :func:`build_pyramid`. Levels from 1 on are complete but for the region.
    region
        What has changed of level 0: one slice with start and stop per axis, step 1.

    Notes
    -----
    Each level is read where the next one needs it: the region, widened to whole windows and by
    what a Gaussian reaches. Stored objects that are touched in part are changed in part, under
    their locks. Another writer of level 0 is not waited for: what it changes meanwhile within the
    region may or may not be in the result.
    """
    how = method_of(method)
    how.require(arrays[0].dtype)
    for finer, coarser, step in zip(arrays[:-1], arrays[1:], factors, strict=True):
        require_fit(finer, coarser, step)
    tracker = tracker or Tracker(None)
    for index, (finer, coarser, step) in enumerate(
        zip(arrays[:-1], arrays[1:], factors, strict=True), 1
    ):
        region = touched(region, coarser.shape, step, how)
        tracker.start(f"level {index}", region_size(region) * coarser.dtype.itemsize)
        fill(
            coarser,
            partial(made_from, finer, step, how),
            within=region,
            read_bytes_per_element=5 * math.prod(step) * coarser.dtype.itemsize // 2,
            memory_bytes=memory_bytes,
            tracker=tracker,
        )


def touched(region: Region, shape: Sequence[int], factors: Sequence[int], method: Method) -> Region:
    """Return the elements of the next level, of this shape, that a region has part in."""
    beyond = reach(factors) if method.kernel == "gaussian" else ((0, 0),) * len(factors)
    return tuple(
        slice(max(0, (s.start - after) // f), min(n, -(-(s.stop + before) // f)))
        if s.start < s.stop
        else slice(0, 0)
        for s, n, f, (before, after) in zip(region, shape, factors, beyond, strict=True)
    )

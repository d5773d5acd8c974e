"""Reading back what was converted, and comparing it with the source."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np

from anyzarr import _parallel
from anyzarr._convert._job import OpenJob
from anyzarr._nodes import Array
from anyzarr._progress import Tracker
from anyzarr._pyramid import Region
from anyzarr._pyramid._regions import blocks_of
from anyzarr.errors import CorruptDataError

__all__ = ["Verification", "verify"]

_BLOCK_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Verification:
    """What a comparison with the source covered; a difference raises instead.

    Attributes
    ----------
    n_images, n_blocks, n_bytes
        What was read back of level 0 and found equal, bit for bit.
    """

    n_images: int
    n_blocks: int
    n_bytes: int


def verify(opened: OpenJob, tracker: Tracker) -> Verification:
    """Compare level 0 of every image with the source.

    Raises
    ------
    CorruptDataError
        They differ; the message has the first block that does.
    """
    job = opened.job
    levels = [one.arrays(job.store, job.engine)[0] for one in job.images]
    tracker.start("verifying", sum(level.nbytes for level in levels))
    n_blocks, lock = 0, threading.Lock()

    def check(image: int, level: Array, region: Region) -> None:
        nonlocal n_blocks
        expected = np.ascontiguousarray(opened.source.read(job.images[image].index, region))
        found = np.ascontiguousarray(level[region])
        if found.tobytes() != expected.astype(found.dtype, copy=False).tobytes():
            where = ", ".join(f"{s.start}:{s.stop}" for s in region)
            raise CorruptDataError(
                f"the pixels [{where}] of {level.path!r} are not those of the source: what was "
                "written is not what was read; convert again, and check memory and disk",
                path=level.path,
            )
        tracker.advance(found.nbytes)
        with lock:
            n_blocks += 1

    for image, level in enumerate(levels):
        most = max(1, _BLOCK_BYTES // level.dtype.itemsize)
        whole = tuple(slice(0, n) for n in level.shape)
        if not level.nbytes:
            continue
        chunks = [n if isinstance(n, int) else 1 for n in level.chunks]
        _parallel.for_each(
            lambda region, image=image, level=level: check(image, level, region),  # type: ignore[misc]
            blocks_of(whole, chunks, most),
        )
    return Verification(len(levels), n_blocks, sum(level.nbytes for level in levels))

"""Reading back what was converted, and comparing it with the source."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr import _parallel
from anyzarr._convert._copy import Pair
from anyzarr._convert._job import OpenJob
from anyzarr._nodes import Array
from anyzarr._progress import Tracker
from anyzarr._pyramid import Region
from anyzarr._pyramid._regions import blocks_of
from anyzarr._streams import get_stream
from anyzarr.abc import Store
from anyzarr.errors import CorruptDataError

__all__ = ["Verification", "verify", "verify_objects"]

_BLOCK_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Verification:
    """What a comparison with the source covered; a difference raises instead.

    Attributes
    ----------
    n_images
        Images of which level 0, or arrays that were read back; of a copy, none.
    n_blocks, n_bytes
        Blocks of pixels and copied objects that were found equal, bit for bit.
    """

    n_images: int
    n_blocks: int
    n_bytes: int

    def __add__(self, other: Verification) -> Verification:
        return Verification(
            self.n_images + other.n_images,
            self.n_blocks + other.n_blocks,
            self.n_bytes + other.n_bytes,
        )


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
        if not _are_same(found, expected.astype(found.dtype, copy=False)):
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
        _parallel.for_each(partial(check, image, level), blocks_of(whole, chunks, most))
    return Verification(len(levels), n_blocks, sum(level.nbytes for level in levels))


def _are_same(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> bool:
    """Return whether elements are equal, bit for bit; what they point to, if they do."""
    if one.dtype.hasobject or one.dtype.kind == "T":
        return bool((one == other).all())
    return one.tobytes() == other.tobytes()


def verify_objects(
    source: Store, pairs: Sequence[Pair], target: Store, tracker: Tracker
) -> Verification:
    """Compare copied objects with the source, byte for byte.

    Raises
    ------
    CorruptDataError
        They differ; the message has the key of one that does.
    """
    tracker.start("verifying", sum(item.size for item, _ in pairs))

    def check(pair: Pair) -> None:
        item, key = pair
        if not _are_equal(get_stream(source, item.key), get_stream(target, key)):
            raise CorruptDataError(
                f"{key!r} is not what {item.key!r} in {source.spec} is: what was written is not "
                "what was read; convert again, and check memory and disk",
                key=key,
            )
        tracker.advance(item.size)

    _parallel.for_each(check, pairs)
    return Verification(0, len(pairs), sum(item.size for item, _ in pairs))


def _are_equal(one: Iterator[bytes] | None, other: Iterator[bytes] | None) -> bool:
    """Return whether two objects are the same; their parts may be cut elsewhere."""
    if one is None or other is None:
        return False
    rest, more = b"", b""
    while True:
        rest, more = rest or next(one, b""), more or next(other, b"")
        if not (rest and more):
            return not (rest or more)
        n = min(len(rest), len(more))
        if rest[:n] != more[:n]:
            return False
        rest, more = rest[n:], more[n:]

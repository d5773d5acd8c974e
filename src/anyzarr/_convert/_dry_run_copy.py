"""What copying or packing a hierarchy would store, and about how long reading it takes."""

from __future__ import annotations

import time
from collections.abc import Sequence

from anyzarr import _parallel
from anyzarr._convert._copy import LARGE_BYTES
from anyzarr._convert._dry_run import ConversionPlan
from anyzarr._streams import get_stream
from anyzarr.abc import ObjectInfo, Store
from anyzarr.errors import ConflictError

__all__ = ["plan_of_objects"]

_MOST_OBJECTS, _MOST_BYTES, _MOST_SECONDS = 64, 64 << 20, 2.0


def plan_of_objects(
    source: Store, items: Sequence[ObjectInfo], workers: int | None
) -> ConversionPlan:
    """Return what a copy would do; a few objects are read, nothing is written.

    Parameters
    ----------
    source, items
        What would be copied.
    workers
        How many threads would, or None.

    Raises
    ------
    ConflictError
        An object is gone.
    """
    total = sum(item.size for item in items)
    sampled, n_sampled, seconds = _sampled(source, items)
    threads = workers or _parallel.concurrency()
    # What it takes grows with bytes where objects are large, and with objects where they are small.
    factor = max(total / max(1, sampled), len(items) / max(1, n_sampled))
    return ConversionPlan(
        raw_bytes=total,
        stored_bytes=total,
        n_objects=len(items),
        chunks=(),
        shards=None,
        codecs=(),
        memory_bytes=threads * LARGE_BYTES,
        workers=threads,
        seconds=seconds * factor / threads if items else 0.0,
        sampled_bytes=sampled,
    )


def _sampled(source: Store, items: Sequence[ObjectInfo]) -> tuple[int, int, float]:
    """Read objects here and there; return how many bytes and objects, and the time it took."""
    n_bytes = n_objects = 0
    started = time.perf_counter()
    for item in items[:: max(1, len(items) // _MOST_OBJECTS)][:_MOST_OBJECTS]:
        parts = get_stream(source, item.key)
        if parts is None:
            raise ConflictError(
                f"{item.key!r} in {source.spec} was removed while it was being looked at; try "
                "again when nothing writes to the source",
                store=str(source.spec),
                key=item.key,
            )
        for part in parts:
            n_bytes += len(part)
            if n_bytes >= _MOST_BYTES or time.perf_counter() - started > _MOST_SECONDS:
                break
        n_objects += 1
        if n_bytes >= _MOST_BYTES or time.perf_counter() - started > _MOST_SECONDS:
            break
    return n_bytes, n_objects, time.perf_counter() - started

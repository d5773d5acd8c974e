"""Merge byte ranges of one object that lie close together into fewer reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from anyzarr.abc import ByteRange, Request

__all__ = ["Batch", "Span", "batches_of", "merge"]

_MAX_SPAN_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Span:
    """One read that serves several requests.

    Attributes
    ----------
    start, stop
        The bytes to read, ``[start, stop)``.
    members
        Indices of the requests it serves.
    """

    start: int
    stop: int
    members: tuple[int, ...]


def merge(
    ranges: Sequence[tuple[int, int]], *, max_gap_bytes: int, max_span_bytes: int
) -> list[Span]:
    """Merge ranges ``[start, stop)`` whose gap is small, in order of their start.

    Parameters
    ----------
    ranges
        In any order; they may overlap, repeat or be empty.
    max_gap_bytes
        Bytes nobody asked for that are cheaper to read than another round trip.
    max_span_bytes
        Merging stops where a read would grow beyond this (one request alone may be larger).
    """
    spans: list[Span] = []
    members: list[int] = []
    start = stop = 0
    for index in sorted(range(len(ranges)), key=ranges.__getitem__):
        a, b = ranges[index]
        if members and a - stop <= max_gap_bytes and max(b, stop) - start <= max_span_bytes:
            stop = max(stop, b)
            members.append(index)
            continue
        if members:
            spans.append(Span(start, stop, tuple(members)))
        start, stop, members = a, b, [index]
    if members:
        spans.append(Span(start, stop, tuple(members)))
    return spans


@dataclass(frozen=True, slots=True)
class Batch:
    """One read of one object that answers several requests.

    Attributes
    ----------
    key
        The object's key.
    byte_range
        What to read of it; None: all.
    members
        Per request its index and the bytes it gets, counted from the start of the read; None
        for all of it.
    """

    key: str
    byte_range: ByteRange | None
    members: tuple[tuple[int, slice | None], ...]

    def deliver(self, data: Any, results: list[bytes | None]) -> None:
        """Put each request's part of what was read in its place; None where it is absent."""
        if data is None:
            return
        view = memoryview(data)
        for index, part in self.members:
            # A slice ends where the object ended, which is what a range does.
            results[index] = bytes(data if part is None else view[part])


def batches_of(requests: Sequence[Request], *, max_gap_bytes: int) -> list[Batch]:
    """Return the reads that answer all requests, ranges of one object merged where they are near.

    Ranges may reach or start past the object's end: nothing is known of its size here.
    """
    bounded: dict[str, list[tuple[int, int, int]]] = {}
    batches: list[Batch] = []
    for index, (key, part) in enumerate(requests):
        if part is not None and part.stop is not None and part.start < part.stop:
            bounded.setdefault(key, []).append((part.start, part.stop, index))
        else:
            batches.append(Batch(key, part, ((index, None),)))
    for key, found in bounded.items():
        ranges = [(start, stop) for start, stop, _ in found]
        for span in merge(ranges, max_gap_bytes=max_gap_bytes, max_span_bytes=_MAX_SPAN_BYTES):
            members = tuple(
                (found[i][2], slice(found[i][0] - span.start, found[i][1] - span.start))
                for i in span.members
            )
            batches.append(Batch(key, ByteRange(span.start, span.stop), members))
    return batches

"""Merge byte ranges of one object that lie close together into fewer reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

__all__ = ["Span", "merge", "read_merged"]


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


def read_merged(
    ranges: Sequence[tuple[int, int]],
    read: Callable[[int, int], bytes],
    *,
    max_gap_bytes: int,
    max_span_bytes: int = 64 << 20,
) -> list[bytes]:
    """Return the bytes of each range through as few calls of ``read(start, stop)`` as pay."""
    results = [b""] * len(ranges)
    for span in merge(ranges, max_gap_bytes=max_gap_bytes, max_span_bytes=max_span_bytes):
        data = read(span.start, span.stop)
        if len(span.members) == 1:
            results[span.members[0]] = data
            continue
        for index in span.members:
            start, stop = ranges[index]
            results[index] = data[start - span.start : stop - span.start]
    return results

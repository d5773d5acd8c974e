"""Making all levels of a pyramid in one go through level 0, or through what it is made of."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr import _parallel
from anyzarr._progress import Tracker
from anyzarr._pyramid._build import downsample_into, require_fit
from anyzarr._pyramid._fast import downsample
from anyzarr._pyramid._methods import Method, method_of
from anyzarr._pyramid._passes import Pass, plan_passes
from anyzarr._pyramid._regions import Level, Region, default_memory, fill, region_size

__all__ = ["build_pyramid"]

Values = npt.NDArray[Any]
Producer = Callable[[Region], Values]


def build_pyramid(
    arrays: Sequence[Level],
    factors: Sequence[Sequence[int]],
    *,
    method: str = "mean",
    produce: Producer | None = None,
    memory_bytes: int | None = None,
    tracker: Tracker | None = None,
) -> None:
    """Fill the levels of a pyramid.

    Parameters
    ----------
    arrays
        The levels, level 0 first, each of the shape that the factors give it.
    factors
        From each level to the next, one per axis.
    method
        A name in :data:`METHODS`.
    produce
        Returns the values of a region of level 0, which are then written too; it is asked for
        each element once, from several threads, in regions that begin at multiples of its chunk
        shape. None: level 0 is there and is read.
    memory_bytes
        About how much memory to take; None: :func:`default_memory`. One stored object of each
        of two levels is held whatever it says.
    tracker
        Told the bytes that are done.

    Raises
    ------
    MetadataError
        Shapes or dtypes do not fit each other.
    UnsupportedError
        The method is unknown or cannot work on this dtype.

    Notes
    -----
    Every level is made of the level before, whose values are still in memory; every stored
    object is written once and whole, and level 0 is read once. The values depend neither on how
    the work is cut nor on what memory there is. A Gaussian needs neighbours, so its levels are
    read again, with an overlap.
    """
    memory_bytes = memory_bytes or default_memory()
    how = method_of(method)
    if len(arrays) > 1:
        how.require(arrays[0].dtype)
    for finer, coarser, step in zip(arrays[:-1], arrays[1:], factors, strict=True):
        require_fit(finer, coarser, step)
    tracker = tracker or Tracker(None)
    if how.kernel == "gaussian":
        _one_by_one(arrays, factors, method, produce, memory_bytes, tracker)
        return
    passes = plan_passes(
        arrays, factors, write_first=produce is not None, memory_bytes=memory_bytes
    )
    for one in passes:
        tracker.start(one.label, one.total_bytes)
        is_written = one.stages[0].is_written
        read = produce if is_written and produce is not None else one.stages[0].array.__getitem__
        _Cascade(one, how, read, memory_bytes, tracker).run()


def _one_by_one(
    arrays: Sequence[Level],
    factors: Sequence[Sequence[int]],
    method: str,
    produce: Producer | None,
    memory_bytes: int,
    tracker: Tracker,
) -> None:
    if produce is not None:
        tracker.start("level 0", arrays[0].nbytes)
        fill(arrays[0], produce, memory_bytes=memory_bytes, tracker=tracker)
    for index, step in enumerate(factors):
        finer, coarser = arrays[index], arrays[index + 1]
        tracker.start(f"level {index + 1}", coarser.nbytes)
        downsample_into(
            finer, coarser, step, method=method, memory_bytes=memory_bytes, tracker=tracker
        )


class _Budget:
    """Memory that is given out; whoever waits for some is never the only one at work."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._taken = 0
        self._at_work = 0
        self._changed = threading.Condition()

    def begin(self, n_bytes: int) -> None:
        """Begin a piece of work once its memory is there, or nobody could give any back."""
        with self._changed:
            while self._at_work and self._taken + n_bytes > self._total:
                self._changed.wait()
            self._at_work += 1
            self._taken += n_bytes

    def give_back(self, n_bytes: int) -> None:
        with self._changed:
            self._taken -= n_bytes
            self._changed.notify_all()

    def end(self, n_bytes: int) -> None:
        """End a piece of work, and give back memory."""
        with self._changed:
            self._at_work -= 1
            self._taken -= n_bytes
            self._changed.notify_all()


class _Held:
    """A unit of a level that is not complete yet."""

    __slots__ = ("missing", "region", "values")

    def __init__(self, region: Region, values: Values) -> None:
        self.region = region
        self.values = values
        self.missing = region_size(region)

    def part(self, region: Region) -> Values:
        """Return the memory of a part of it."""
        return self.values[
            tuple(
                slice(r.start - u.start, r.stop - u.start)
                for r, u in zip(region, self.region, strict=True)
            )
        ]


class _Cascade:
    """One pass at work: blocks come in, units become complete, are written and made smaller."""

    def __init__(
        self, one: Pass, method: Method, read: Producer, memory_bytes: int, tracker: Tracker
    ) -> None:
        self._pass = one
        self._stages = one.stages
        self._kernel = method.kernel
        self._read = read
        self._tracker = tracker
        self._threads = _parallel.concurrency()
        self._budget = _Budget(memory_bytes)
        self._open: dict[tuple[int, str], _Held] = {}
        self._lock = threading.Lock()
        self._announced: list[Region | None] = [None] * len(one.stages)

    def run(self) -> None:
        _parallel.for_each(self._one, self._admitted(), limit=self._threads)

    def _admitted(self) -> Iterator[tuple[Region, int]]:
        """Yield blocks, each once there is memory for it and the units that begin with it."""
        itemsize = self._stages[0].array.dtype.itemsize
        for region in self._pass.blocks():
            own = 2 * region_size(region) * itemsize
            self._budget.begin(own + self._opened_by(region))
            yield region, own

    def _opened_by(self, region: Region) -> int:
        """Return what the units take that begin with this block of the first level."""
        total = 0
        for k, stage in enumerate(self._stages):
            unit = stage.unit_of(region)
            if unit != self._announced[k]:
                self._announced[k] = unit
                total += stage.held_bytes
            region = _coarser(region, stage.factors)
        return total

    def _one(self, item: tuple[Region, int]) -> None:
        region, own = item
        try:
            values = np.asarray(self._read(region))
            self._tracker.advance(values.nbytes)
            self._arrived(region, values)
        finally:
            self._budget.end(own)

    def _arrived(self, region: Region, values: Values) -> None:
        """Put a block of the first level where it belongs, or what is made of it."""
        first = self._stages[0]
        if not first.is_written:
            region, finer = _coarser(region, first.factors), values
            held = self._place(1, region)
            downsample(finer, first.factors, self._kernel, held.part(region), self._threads)
            self._completed(1, region, held)
        elif region == first.unit_of(region):
            self._write_and_go_on(0, _Held(region, values))
        else:
            held = self._place(0, region)
            held.part(region)[...] = values
            del values
            self._completed(0, region, held)

    def _place(self, level: int, region: Region) -> _Held:
        """Return the unit that holds a region of a level."""
        stage = self._stages[level]
        unit = stage.unit_of(region)
        with self._lock:
            key = level, repr(unit)
            if key not in self._open:
                self._open[key] = _Held(unit, np.empty(_lengths(unit), stage.array.dtype))
            return self._open[key]

    def _completed(self, level: int, region: Region, held: _Held) -> None:
        """Count a part of a unit as there, and go on with what is complete."""
        with self._lock:
            held.missing -= region_size(region)
            if held.missing:
                return
            del self._open[level, repr(held.region)]
        self._write_and_go_on(level, held)

    def _write_and_go_on(self, level: int, unit: _Held) -> None:
        """Write a complete unit, and make it smaller."""
        stage = self._stages[level]
        stage.array[unit.region] = unit.values
        if level:
            self._tracker.advance(unit.values.nbytes)
        if level + 1 == len(self._stages):
            self._budget.give_back(stage.held_bytes)
            return
        region = _coarser(unit.region, stage.factors)
        held = self._place(level + 1, region)
        downsample(unit.values, stage.factors, self._kernel, held.part(region), self._threads)
        unit.values = np.empty(0)  # nobody needs it while the next level is written
        self._budget.give_back(stage.held_bytes)
        self._completed(level + 1, region, held)


def _coarser(region: Region, factors: Sequence[int]) -> Region:
    """Return the windows that a region is made into; it begins with a window."""
    return tuple(slice(s.start // f, -(-s.stop // f)) for s, f in zip(region, factors, strict=True))


def _lengths(region: Region) -> tuple[int, ...]:
    return tuple(s.stop - s.start for s in region)

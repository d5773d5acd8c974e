"""Making several levels of a pyramid in one go through the first, or what it is made of."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr import _parallel
from anyzarr._progress import Tracker
from anyzarr._pyramid._fast import downsample
from anyzarr._pyramid._methods import Method
from anyzarr._pyramid._passes import Pass
from anyzarr._pyramid._regions import Region, region_size

__all__ = ["Cascade", "Producer"]

Values = npt.NDArray[Any]
Producer = Callable[[Region], Values]


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


class Cascade:
    """One pass at work: blocks come in, units become complete, are written and made smaller.

    Parameters
    ----------
    one
        The pass.
    method
        How levels are made.
    read
        Returns the values of a region of the first level.
    memory_bytes
        What units and blocks may take.
    tracker
        Told the bytes that are done.
    done
        Called with each cell of which everything is stored, from several threads.
    """

    def __init__(
        self,
        one: Pass,
        method: Method,
        read: Producer,
        memory_bytes: int,
        tracker: Tracker,
        done: Callable[[Region], None] | None = None,
    ) -> None:
        self._pass = one
        self._stages = one.stages
        self._kernel = method.kernel
        self._read = read
        self._tracker = tracker
        self._done = done
        self._threads = _parallel.concurrency()
        self._budget = _Budget(memory_bytes)
        self._open: dict[tuple[int, str], _Held] = {}
        self._lock = threading.Lock()
        self._announced: list[Region | None] = [None] * len(one.stages)

    def run(self, cells: Iterable[Region] | None = None) -> None:
        """Make what cells are made into; None: all of them."""
        _parallel.for_each(self._one, self._admitted(cells), limit=self._threads)

    def _admitted(self, cells: Iterable[Region] | None) -> Iterator[tuple[Region, int]]:
        """Yield blocks, each once there is memory for it and the units that begin with it."""
        itemsize = self._stages[0].array.dtype.itemsize
        for region in self._pass.blocks(cells):
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
            if self._done is not None:
                self._done(self._pass.cell_of(unit.region))
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

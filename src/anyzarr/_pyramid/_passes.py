"""Which levels are made together, and in which order their parts come.

A *unit* is the part of a level that is held in memory until it is complete: whole stored objects,
and whole windows of the next level. Units are nested: a unit of a level covers whole units of the
level before, so that going through the units of the coarsest level, within each through those of
the level before, and so on, leaves no more than one unit per level incomplete.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from anyzarr._pyramid._regions import Level, Region, blocks_of, cells_of, region_size

__all__ = ["Pass", "Stage", "plan_passes"]

_BLOCK_BYTES = 16 << 20
_SHARE_OF_UNITS = 0.75  # of the memory; the rest is for the blocks that are read


@dataclass(frozen=True, slots=True)
class Stage:
    """One level in a pass.

    Attributes
    ----------
    array
        The level.
    is_written
        Whether it is filled, or only read (the first level of a pass may be).
    unit
        Elements of this level that are held until they are complete.
    span
        The same in elements of the first level of the pass.
    factors
        From this level to the next.
    """

    array: Level
    is_written: bool
    unit: tuple[int, ...]
    span: tuple[int, ...]
    factors: tuple[int, ...]

    @property
    def held_bytes(self) -> int:
        """Memory that a unit takes, with what its encoding takes at most."""
        size = math.prod(self.unit) * self.array.dtype.itemsize
        return 2 * size if self.is_written else 0

    def unit_of(self, region: Region) -> Region:
        """Return the unit that a region of this level lies in."""
        return tuple(
            slice(s.start // u * u, min((s.start // u + 1) * u, n))
            for s, u, n in zip(region, self.unit, self.array.shape, strict=True)
        )


@dataclass(frozen=True, slots=True)
class Pass:
    """Levels that are made together, reading the first of them, or its source, once.

    Attributes
    ----------
    first
        Number of the first level.
    stages
        One per level, the first included.
    block
        What is read at once of the source of the first level, if that is written; None: chunks.
    """

    first: int
    stages: tuple[Stage, ...]
    block: tuple[int, ...] | None = None

    @property
    def total_bytes(self) -> int:
        """Bytes that are read of the first level and written to the others."""
        sizes = (math.prod(s.array.shape) * s.array.dtype.itemsize for s in self.stages)
        return sum(sizes)

    @property
    def label(self) -> str:
        """What is done, for a person."""
        first = self.first if self.stages[0].is_written else self.first + 1
        last = self.first + len(self.stages) - 1
        return f"level {last}" if first == last else f"levels {first} to {last}"

    @property
    def held_bytes(self) -> int:
        """Memory that one unit of each level takes."""
        return sum(stage.held_bytes for stage in self.stages)

    def cells(self) -> list[Region]:
        """Return the parts of the first level that share nothing, in C order.

        What is made of a cell is whole stored objects of every level of the pass.
        """
        whole = tuple(slice(0, n) for n in self.stages[0].array.shape)
        return list(cells_of(whole, self.stages[-1].span)) if region_size(whole) else []

    def cell_of(self, unit: Region) -> Region:
        """Return the cell that a unit of the last level is made of."""
        last = self.stages[-1]
        return tuple(
            slice(r.start // u * s, min((r.start // u + 1) * s, n))
            for r, u, s, n in zip(
                unit, last.unit, last.span, self.stages[0].array.shape, strict=True
            )
        )

    def blocks(
        self, cells: Iterable[Region] | None = None, most_bytes: int = _BLOCK_BYTES
    ) -> Iterator[Region]:
        """Iterate over blocks of the first level, in the order that leaves least incomplete.

        Parameters
        ----------
        cells
            Those to go through; None: all.
        most_bytes
            Size of a block, unless a chunk is larger.
        """
        first = self.stages[0]
        most = max(1, most_bytes // max(1, first.array.dtype.itemsize))
        base = first.span
        if first.is_written:
            base = self.block or _chunks(first.array)
        lowest = 0 if first.is_written else 1

        def within(region: Region, level: int) -> Iterator[Region]:
            if level < lowest:
                yield from blocks_of(region, base, most)
                return
            for cell in cells_of(region, self.stages[level].span):
                yield from within(cell, level - 1)

        for cell in self.cells() if cells is None else cells:
            yield from within(cell, len(self.stages) - 1)


def plan_passes(
    arrays: Sequence[Level],
    factors: Sequence[Sequence[int]],
    *,
    write_first: bool,
    memory_bytes: int,
    least_cells: int = 1,
    block: tuple[int, ...] | None = None,
) -> list[Pass]:
    """Return the passes that make all levels: one, where memory allows.

    Parameters
    ----------
    arrays
        The levels, level 0 first.
    factors
        From each level to the next.
    write_first
        Whether level 0 is written in the first pass, or read.
    memory_bytes
        What the units of a pass and its blocks may take together. A pass makes at least one
        level, whatever it takes; the next one begins by reading the last level made.
    least_cells
        A pass has no more levels than leave it so many cells, where it has them at all.
    block
        What is read at once of the source of level 0, if that is written.
    """
    passes: list[Pass] = []
    start, written = 0, write_first
    if block is not None and math.prod(block) * arrays[0].dtype.itemsize > _most(memory_bytes):
        block = None
    while start + (not written) < len(arrays):
        budget = int(memory_bytes * _SHARE_OF_UNITS)
        stages = _stages(arrays, factors, start, written, budget, least_cells)
        passes.append(Pass(start, tuple(stages), block if written else None))
        start, written = start + len(stages) - 1, False
    return passes


def _most(memory_bytes: int) -> float:
    """Return what one block may take: it is there twice, and two threads have one each."""
    return memory_bytes * (1 - _SHARE_OF_UNITS) / 4


def _stages(
    arrays: Sequence[Level],
    factors: Sequence[Sequence[int]],
    start: int,
    is_written: bool,
    budget: int,
    least_cells: int,
) -> list[Stage]:
    """Return the stages of one pass, as many as fit."""
    best: list[Stage] = []
    # Blocks that are read are whole chunks, unless that makes the units of level 1 too large.
    for align in (False,) if is_written else (True, False):
        shape = arrays[start].shape
        total = span = (1,) * len(shape)
        stages: list[Stage] = []
        for k in range(start, len(arrays)):
            step = tuple(factors[k]) if k < len(factors) else (1,) * len(shape)
            writes = k > start or is_written
            stored = _stored(arrays[k]) if writes else _chunks(arrays[k]) if align else None
            span = _joined(shape, span, total, step, stored)
            unit = tuple(-(-s // t) for s, t in zip(span, total, strict=True))
            stage = Stage(arrays[k], writes, unit, span, step)
            needed = sum(s.held_bytes for s in (*stages, stage))
            n_cells = math.prod(-(-n // s) for n, s in zip(shape, span, strict=True))
            too_much = needed > budget or n_cells < least_cells
            if too_much and any(s.is_written for s in stages):
                break
            stages.append(stage)
            total = tuple(t * f for t, f in zip(total, step, strict=True))
        if len(stages) > len(best):
            best = stages
    return best


def _joined(
    shape: Sequence[int],
    span: Sequence[int],
    total: Sequence[int],
    step: Sequence[int],
    stored: Sequence[int] | None,
) -> tuple[int, ...]:
    """Return the least span that holds whole spans, stored objects and windows of a level."""
    result = []
    for axis, n in enumerate(shape):
        edge = math.lcm(span[axis], total[axis] * step[axis])
        if stored is not None:
            edge = math.lcm(edge, total[axis] * stored[axis])
        result.append(max(1, min(edge, n)))
    return tuple(result)


def _stored(array: Level) -> tuple[int, ...]:
    """Return the shape of a stored object."""
    return _whole_numbers(array.shards or array.chunks)


def _chunks(array: Level) -> tuple[int, ...]:
    """Return the shape of a chunk; of chunks of unequal lengths, one element."""
    if any(not isinstance(n, int) for n in array.chunks):
        return (1,) * len(array.shape)
    return _whole_numbers(array.chunks)


def _whole_numbers(lengths: Any) -> tuple[int, ...]:
    return tuple(max(1, int(n)) for n in lengths)

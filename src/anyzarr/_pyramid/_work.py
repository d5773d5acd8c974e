"""Making all levels of a pyramid: the work as a list, and doing it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from anyzarr._progress import Tracker
from anyzarr._pyramid._build import downsample_into, require_fit
from anyzarr._pyramid._cascade import Cascade, Producer
from anyzarr._pyramid._methods import Method, method_of
from anyzarr._pyramid._passes import Pass, plan_passes
from anyzarr._pyramid._regions import Level, Region, default_memory, fill, regions_of

__all__ = ["Work", "build_pyramid", "plan_work"]

Done = Callable[[Region], None]


class Work(Protocol):
    """One go through a level, in cells that share nothing: any of them, in any order, anywhere.

    Doing a cell again gives the same. All cells of a piece of work must be done before the next
    piece begins.
    """

    @property
    def label(self) -> str:
        """What is done, for a person."""
        ...

    @property
    def total_bytes(self) -> int:
        """What a tracker is told for all cells together."""
        ...

    def cells(self) -> list[Region]:
        """Return its cells, in the order they are best done."""
        ...

    def run(self, cells: Iterable[Region], tracker: Tracker, done: Done | None = None) -> None:
        """Do cells, on several threads; ``done`` is called with each that is stored."""
        ...


@dataclass(frozen=True, slots=True)
class _CascadeWork:
    """Several levels at once, each made of the one before while that is in memory."""

    plan: Pass
    method: Method
    read: Producer
    memory_bytes: int

    @property
    def label(self) -> str:
        return self.plan.label

    @property
    def total_bytes(self) -> int:
        return self.plan.total_bytes

    def cells(self) -> list[Region]:
        return self.plan.cells()

    def run(self, cells: Iterable[Region], tracker: Tracker, done: Done | None = None) -> None:
        Cascade(self.plan, self.method, self.read, self.memory_bytes, tracker, done).run(cells)


@dataclass(frozen=True, slots=True)
class _FillWork:
    """One level, in stored objects: level 0 by what it is made of, or one from the one before.

    Attributes
    ----------
    target
        The level.
    level
        Its number.
    produce
        For level 0.
    finer, factors
        For the others: the level before, and the factors from it.
    """

    target: Level
    level: int
    method: str
    memory_bytes: int
    produce: Producer | None = None
    finer: Level | None = None
    factors: tuple[int, ...] = ()

    @property
    def label(self) -> str:
        return f"level {self.level}"

    @property
    def total_bytes(self) -> int:
        return self.target.nbytes

    def cells(self) -> list[Region]:
        whole = tuple(slice(0, n) for n in self.target.shape)
        return list(regions_of(whole, self.target.shards or self.target.chunks))

    def run(self, cells: Iterable[Region], tracker: Tracker, done: Done | None = None) -> None:
        if self.finer is not None:
            downsample_into(
                self.finer, self.target, self.factors, method=self.method,
                regions=cells, done=done, memory_bytes=self.memory_bytes, tracker=tracker,
            )  # fmt: skip
        elif self.produce is not None:
            fill(
                self.target, self.produce, regions=cells, done=done,
                memory_bytes=self.memory_bytes, tracker=tracker,
            )  # fmt: skip


def plan_work(
    arrays: Sequence[Level],
    factors: Sequence[Sequence[int]],
    *,
    method: str = "mean",
    produce: Producer | None = None,
    memory_bytes: int | None = None,
    least_cells: int = 1,
    block: tuple[int, ...] | None = None,
) -> list[Work]:
    """Return the work that fills the levels of a pyramid, piece after piece.

    Parameters
    ----------
    arrays, factors, method, produce, memory_bytes
        As for :func:`build_pyramid`.
    least_cells
        Into how many cells a piece is cut at least, where its stored objects allow: for several
        processes, or to go on from after an interruption.
    block
        What ``produce`` makes at once, of which it is asked for whole ones where that can be.

    Raises
    ------
    MetadataError
        Shapes or dtypes do not fit each other.
    UnsupportedError
        The method is unknown or cannot work on this dtype.
    """
    memory_bytes = memory_bytes or default_memory()
    how = method_of(method)
    if len(arrays) > 1:
        how.require(arrays[0].dtype)
    for finer, coarser, step in zip(arrays[:-1], arrays[1:], factors, strict=True):
        require_fit(finer, coarser, step)
    if how.kernel == "gaussian":
        return _one_by_one(arrays, factors, method, produce, memory_bytes)
    passes = plan_passes(
        arrays,
        factors,
        write_first=produce is not None,
        memory_bytes=memory_bytes,
        least_cells=least_cells,
        block=block,
    )
    works: list[Work] = []
    for one in passes:
        first = one.stages[0]
        makes = first.is_written and produce is not None
        read = produce if makes and produce is not None else first.array.__getitem__
        works.append(_CascadeWork(one, how, read, memory_bytes))
    return works


def _one_by_one(
    arrays: Sequence[Level],
    factors: Sequence[Sequence[int]],
    method: str,
    produce: Producer | None,
    memory_bytes: int,
) -> list[Work]:
    works: list[Work] = []
    if produce is not None:
        works.append(_FillWork(arrays[0], 0, method, memory_bytes, produce))
    for level, step in enumerate(factors, 1):
        works.append(
            _FillWork(
                arrays[level],
                level,
                method,
                memory_bytes,
                finer=arrays[level - 1],
                factors=tuple(step),
            )
        )
    return works


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
    tracker = tracker or Tracker(None)
    for work in plan_work(
        arrays, factors, method=method, produce=produce, memory_bytes=memory_bytes
    ):
        tracker.start(work.label, work.total_bytes)
        work.run(work.cells(), tracker)

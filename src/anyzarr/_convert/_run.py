"""Doing a conversion in this process, on its threads."""

from __future__ import annotations

from collections.abc import Callable

from anyzarr import _parallel, config
from anyzarr._convert._job import OpenJob, Task
from anyzarr._progress import Tracker
from anyzarr._pyramid import Region, default_memory

__all__ = ["Done", "run_on_threads"]

Done = Callable[[Task], None]
_SMALL_BYTES = 64 << 20
_HELD = 3  # times its size: read, held until it is whole, encoded


def run_on_threads(
    opened: OpenJob,
    done: frozenset[Task],
    on_task: Done,
    on_image: Callable[[int], None],
    tracker: Tracker,
) -> None:
    """Do all images.

    Parameters
    ----------
    opened
        The job.
    done
        Tasks that are done already.
    on_task
        Called with each task when all it makes is stored, from several threads.
    on_image
        Called with each image of which all tasks are done.
    tracker
        Told what is done.
    """
    images = opened.job.images
    n = len(images)

    def one(image: int, part: Tracker) -> None:
        _run_image(opened, image, done, on_task, part)
        on_image(image)

    size = max((_size_of(opened, i) for i in range(n)), default=0)
    memory = opened.job.memory_bytes or default_memory()
    width = min(_parallel.concurrency(), memory // max(1, _HELD * size))
    if n < 2 or size > _SMALL_BYTES or width < 2:
        for image in range(n):
            part = tracker.part(f"image {image + 1} of {n}") if n > 1 else tracker
            one(image, part)
        return
    # Many small images: one per thread, so that no thread waits for another.
    tracker.start(f"{n} images", sum(_size_of(opened, i) for i in range(n)))

    def small(image: int) -> None:
        with config.scope(concurrency=1):
            one(image, Tracker(None))
        tracker.advance(_size_of(opened, image))

    _parallel.for_each(small, range(n), limit=width)


def _run_image(
    opened: OpenJob,
    image: int,
    done: frozenset[Task],
    on_task: Done,
    tracker: Tracker,
) -> None:
    for piece, work in enumerate(opened.works(image)):
        cells = work.cells()
        numbers = {repr(cell): number for number, cell in enumerate(cells)}
        pending = [c for k, c in enumerate(cells) if Task(image, piece, k) not in done]

        def stored(cell: Region, piece: int = piece, numbers: dict[str, int] = numbers) -> None:
            on_task(Task(image, piece, numbers[repr(cell)]))

        tracker.start(work.label, work.total_bytes)
        tracker.advance(work.total_bytes * (len(cells) - len(pending)) // max(1, len(cells)))
        work.run(pending, tracker, stored)


def _size_of(opened: OpenJob, image: int) -> int:
    job = opened.job
    return job.images[image].arrays(job.store, job.engine)[0].nbytes

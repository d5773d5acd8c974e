"""Doing a conversion in several processes: one task after the other is handed out."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Protocol

from anyzarr import config
from anyzarr._convert._job import Job, OpenJob, Task, opened_here
from anyzarr._convert._run import Done
from anyzarr._progress import Tracker
from anyzarr.errors import StoreError

__all__ = ["Hands", "run_in_processes", "run_tasks"]


class Hands(Protocol):
    """What does tasks elsewhere."""

    def submit(self, task: Task) -> Any:
        """Hand a task out; return what :meth:`finished` gives back when it is done."""
        ...

    def finished(self) -> Sequence[Any]:
        """Wait until something is done and return it; raise what a task has raised."""
        ...


def do_task(job: Job, task: Task, threads: int | None) -> None:
    """Do one task in this process."""
    with config.scope(concurrency=threads) if threads else config.scope():
        work = opened_here(job).works(task.image)[task.piece]
        work.run([work.cells()[task.cell]], Tracker(None))


def run_tasks(
    opened: OpenJob,
    hands: Hands,
    done: frozenset[Task],
    on_task: Done,
    on_image: Callable[[int], None],
    tracker: Tracker,
) -> None:
    """Hand all tasks out; a piece of an image begins when the piece before is complete."""
    images = range(len(opened.job.images))
    total = sum(work.total_bytes for i in images for work in opened.works(i))
    tracker.start("converting", total)
    waiting: dict[Any, Task] = {}
    left: dict[int, int] = {}
    following = {image: _pieces(opened, image, done, tracker) for image in images}

    def advance(image: int) -> None:
        for tasks in following[image]:
            if tasks:
                left[image] = len(tasks)
                waiting.update((hands.submit(task), task) for task in tasks)
                return
        on_image(image)

    for image in images:
        advance(image)
    while waiting:
        for handle in hands.finished():
            task = waiting.pop(handle)
            on_task(task)
            work = opened.works(task.image)[task.piece]
            tracker.advance(work.total_bytes // len(work.cells()))
            left[task.image] -= 1
            if not left[task.image]:
                advance(task.image)


def _pieces(
    opened: OpenJob, image: int, done: frozenset[Task], tracker: Tracker
) -> Iterator[list[Task]]:
    """Yield the tasks of each piece that are to be done."""
    for piece, work in enumerate(opened.works(image)):
        cells = len(work.cells())
        tasks = [Task(image, piece, k) for k in range(cells)]
        pending = [task for task in tasks if task not in done]
        if cells:
            tracker.advance(work.total_bytes * (cells - len(pending)) // cells)
        yield pending


_job: Job | None = None
_threads: int | None = None


def _take(job: Job, threads: int | None) -> None:
    """Keep the job of this worker process."""
    global _job, _threads
    _job, _threads = job, threads


def _do(task: Task) -> None:
    assert _job is not None  # set when the process started
    do_task(_job, task, _threads)


class _Processes:
    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool
        self._running: set[Future[None]] = set()

    def submit(self, task: Task) -> Future[None]:
        future = self._pool.submit(_do, task)
        self._running.add(future)
        return future

    def finished(self) -> Sequence[Future[None]]:
        ready, self._running = wait(self._running, return_when=FIRST_COMPLETED)
        for future in ready:
            future.result()
        return list(ready)


def run_in_processes(
    opened: OpenJob,
    done: frozenset[Task],
    on_task: Done,
    on_image: Callable[[int], None],
    tracker: Tracker,
    *,
    threads: int,
) -> None:
    """Do all images in :attr:`Job.workers` processes of this host, with so many threads each.

    Raises
    ------
    StoreError
        A process ended before its work was done: killed for memory, say.
    """
    job = opened.job
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(job.workers, context, _take, (job, threads))
    try:
        run_tasks(opened, _Processes(pool), done, on_task, on_image, tracker)
    except BrokenProcessPool as error:
        raise StoreError(
            "a worker process ended before its work was done (killed, perhaps for want of memory): "
            "give it less to hold with memory=, or use fewer workers",
            kind="worker_lost",
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)

"""How the work of a conversion is done: on threads, in processes, or on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from anyzarr import _parallel, config
from anyzarr._convert._job import ImageJob, Job, OpenJob, Reference, Task
from anyzarr._convert._run import Done, run_on_threads
from anyzarr._convert._run_apart import run_in_processes
from anyzarr._convert._run_cluster import client_of, run_on_cluster
from anyzarr._progress import Tracker
from anyzarr.abc import Store
from anyzarr.errors import MetadataError, UnsupportedError

__all__ = ["LONG_BYTES", "RunOptions", "job_of", "run_job"]

LONG_BYTES = 64 << 20
"""From here on a conversion notes what it has done, to be gone on with after an interruption."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How the work is done.

    Attributes
    ----------
    workers
        How many threads, or processes, or jobs of a batch system; None: as many as processors,
        in one process.
    processes
        Whether workers are processes of this host.
    memory_bytes
        What all of it may take on this host, or None: :func:`anyzarr._pyramid.default_memory`.
    cluster
        As for :func:`client_of`, or None.
    resume
        Whether to go on with what an interrupted conversion has left.
    verify
        Whether to read all pixels back and compare them with the source.

    Raises
    ------
    MetadataError
        ``workers`` is no number of them.
    """

    workers: int | None = None
    processes: bool = False
    memory_bytes: int | None = None
    cluster: Any = None
    resume: bool = False
    verify: bool = False

    def __post_init__(self) -> None:
        workers = self.workers
        if workers is not None and (type(workers) is not int or workers < 1):
            raise MetadataError(f"workers={workers!r} must be a whole number of at least 1")

    @property
    def n_processes(self) -> int:
        """Among how many processes the work is shared, as far as is known here."""
        return (self.workers or 2) if self.processes or self.cluster is not None else 1

    @property
    def memory_bytes_each(self) -> int | None:
        """What one process may take: all that is given, or its share on this host."""
        if self.memory_bytes is None or not self.processes:
            return self.memory_bytes
        return self.memory_bytes // self.n_processes

    @contextmanager
    def threads(self) -> Iterator[None]:
        """Have so many threads as are asked for."""
        with config.scope(concurrency=self.workers) if self.workers else nullcontext():
            yield


def job_of(
    ref: Reference,
    store: Store,
    images: Sequence[ImageJob],
    options: RunOptions,
    *,
    method: str,
    engine: str | None,
) -> Job:
    """Return the job of writing images to a store.

    Raises
    ------
    UnsupportedError
        Other processes are to do it, and cannot reach the store.
    """
    if options.n_processes > 1 and store.capabilities.in_process:
        raise UnsupportedError(
            f"{store} is in the memory of this process, where no other process can write: "
            "leave out processes= and cluster=, or convert to a folder"
        )
    memory = options.memory_bytes_each
    return Job(ref, store, tuple(images), method, engine, memory, options.n_processes)


def run_job(
    opened: OpenJob,
    options: RunOptions,
    done: frozenset[Task],
    on_task: Done,
    on_image: Callable[[int], None],
    tracker: Tracker,
) -> None:
    """Do what is left of a job; arguments as for :func:`run_on_threads`."""
    rest = (done, on_task, on_image, tracker)
    if options.cluster is not None:
        with client_of(options.cluster, options.workers) as client:
            run_on_cluster(opened, client, *rest)
    elif options.processes:
        threads = max(1, _parallel.concurrency() // options.n_processes)
        run_in_processes(opened, *rest, threads=threads)
    else:
        with options.threads():
            run_on_threads(opened, *rest)

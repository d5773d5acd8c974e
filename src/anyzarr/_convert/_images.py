"""Converting the images of a source: the plan, the work, and the metadata that makes it whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from anyzarr import _parallel, config
from anyzarr._convert._dry_run import ConversionPlan, plan_of
from anyzarr._convert._image import (
    DEFAULT_VERSION,
    ImageOptions,
    PlannedImage,
    create_arrays,
    finish_image,
    plan_image,
)
from anyzarr._convert._job import Job, OpenJob, SourceRef
from anyzarr._convert._journal import JOURNAL, Journal, fingerprint_of
from anyzarr._convert._layout import Layout
from anyzarr._convert._run import run_on_threads
from anyzarr._convert._run_apart import run_in_processes
from anyzarr._convert._run_cluster import client_of, run_on_cluster
from anyzarr._convert._verify import Verification, verify
from anyzarr._progress import Tracker
from anyzarr._pyramid import default_memory
from anyzarr.abc import Store
from anyzarr.errors import ConflictError, UnsupportedError
from anyzarr.readers import ImageSource

__all__ = ["LONG_BYTES", "ImageConversion", "RunOptions", "Written"]

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
    """

    workers: int | None = None
    processes: bool = False
    memory_bytes: int | None = None
    cluster: Any = None
    resume: bool = False
    verify: bool = False

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


@dataclass(frozen=True, slots=True)
class Written:
    """What was written.

    Attributes
    ----------
    first
        The first image.
    n_resumed
        How many tasks an earlier conversion had done.
    verification
        What reading back found, or None.
    plan
        What would be written, where nothing is.
    """

    first: PlannedImage
    n_resumed: int = 0
    verification: Verification | None = None
    plan: ConversionPlan | None = None


@dataclass(frozen=True, slots=True)
class ImageConversion:
    """The images of a source on their way into a store.

    Attributes
    ----------
    ref, source
        The source, opened, and how to open it elsewhere.
    layout
        Its images, and where they go.
    options, run_options
        How they are stored, and how the work is done.
    stem
        The name where neither options nor source give one.
    tracker
        Told what is done.
    """

    ref: SourceRef
    source: ImageSource
    layout: Layout
    options: ImageOptions
    run_options: RunOptions
    stem: str
    tracker: Tracker

    def plan(self) -> tuple[PlannedImage, ConversionPlan]:
        """Return the first image and what would be done; nothing is written."""
        planned = [plan_image(placed, self.options) for placed in self.layout.images]
        run = self.run_options
        memory = run.memory_bytes or default_memory()
        shares = run.n_processes if run.processes else 1
        facts = plan_of(planned, self.source, memory_bytes=memory // shares, workers=run.workers)
        return planned[0], facts

    def write(self, store: Store, *, is_resumable: bool) -> Written:
        """Write everything, the root last.

        Parameters
        ----------
        store
            Where to; of an interrupted conversion, what that left.
        is_resumable
            Whether to keep a journal there.

        Raises
        ------
        ConflictError
            The source changed meanwhile, or since the conversion that is gone on with.
        CorruptDataError
            The source is broken, or what was written is not what was read.
        """
        planned = [plan_image(placed, self.options) for placed in self.layout.images]
        job = self._job(store, planned)
        files = fingerprint_of(self.source.files)
        opened = OpenJob(job, self.source)
        journal = Journal(store if is_resumable and _is_long(opened) else None)
        plan = {**job.fingerprint(), "files": files}
        done = journal.begin(plan, resume=self.run_options.resume)
        version = self.options.version or DEFAULT_VERSION
        self.layout.write_groups(store, version, self.source.documents)
        for one in planned:
            create_arrays(one, store)
        self._run(opened, done, journal, planned)
        verification = self._verified(opened)
        self._require_unchanged(files)
        store.delete_prefix(JOURNAL)
        if self.layout.kind == "image":
            self._finish(planned[0], store)
        self.layout.write_root(store, version, self.options.name or self.stem)
        return Written(planned[0], len(done), verification)

    def _job(self, store: Store, planned: Sequence[PlannedImage]) -> Job:
        run = self.run_options
        if run.n_processes > 1 and store.capabilities.in_process:
            raise UnsupportedError(
                f"{store} is in the memory of this process, where no other process can write: "
                "leave out processes= and cluster=, or convert to a folder"
            )
        return Job(
            self.ref,
            store,
            tuple(one.job for one in planned),
            self.options.method,
            self.options.engine,
            run.memory_bytes_each,
            run.n_processes,
        )

    def _run(
        self,
        opened: OpenJob,
        done: frozenset[Any],
        journal: Journal,
        planned: Sequence[PlannedImage],
    ) -> None:
        store = opened.job.store

        def on_image(number: int) -> None:
            # The root is what makes the target whole: an image that is the root comes last.
            if self.layout.kind != "image":
                self._finish(planned[number], store)

        run = self.run_options
        rest = (done, journal.mark, on_image, self.tracker)
        if run.cluster is not None:
            with client_of(run.cluster, run.workers) as client:
                run_on_cluster(opened, client, *rest)
        elif run.processes:
            threads = max(1, _parallel.concurrency() // run.n_processes)
            run_in_processes(opened, *rest, threads=threads)
        else:
            with self._threads():
                run_on_threads(opened, *rest)

    @contextmanager
    def _threads(self) -> Iterator[None]:
        asked = self.run_options.workers
        with config.scope(concurrency=asked) if asked else nullcontext():
            yield

    def _finish(self, planned: PlannedImage, store: Store) -> None:
        """Write the metadata of an image; the name asked for is that of the whole."""
        alone = self.layout.kind == "image"
        options = self.options if alone else replace(self.options, name=None)
        fallback = self.stem if alone else planned.placed.path
        finish_image(planned, store, options, fallback=fallback)

    def _verified(self, opened: OpenJob) -> Verification | None:
        if not self.run_options.verify:
            return None
        with self._threads():
            return verify(opened, self.tracker)

    def _require_unchanged(self, before: list[list[Any]]) -> None:
        if fingerprint_of(self.source.files) != before:
            names = ", ".join(sorted({Path(path).name for path in self.source.files})[:3])
            raise ConflictError(
                f"the source changed while it was being converted ({names}), so the result may be "
                "neither the old nor the new; convert again when nothing writes to it",
                kind="source_changing",
            )


def _is_long(opened: OpenJob) -> bool:
    """Return whether there are parts to go on from, and doing them again would take a while."""
    job = opened.job
    size = sum(one.arrays(job.store, job.engine)[0].nbytes for one in job.images)
    return size >= LONG_BYTES and opened.n_tasks > 1

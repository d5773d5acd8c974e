"""Converting the images of a source: the plan, the work, and the metadata that makes it whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from anyzarr._convert._dry_run import ConversionPlan, plan_of
from anyzarr._convert._execute import LONG_BYTES, RunOptions, job_of, run_job
from anyzarr._convert._fingerprint import require_same
from anyzarr._convert._image import (
    DEFAULT_VERSION,
    ImageOptions,
    PlannedImage,
    create_arrays,
    finish_image,
    plan_image,
    write_image_group,
)
from anyzarr._convert._job import Job, OpenJob, SourceRef
from anyzarr._convert._journal import JOURNAL, Journal, Notes
from anyzarr._convert._layout import Layout
from anyzarr._convert._store_source import StoreRef
from anyzarr._convert._verify import Verification, verify
from anyzarr._progress import Tracker
from anyzarr._pyramid import default_memory
from anyzarr.abc import Store
from anyzarr.readers import ImageSource
from anyzarr.stores import MemoryStore

__all__ = ["LONG_BYTES", "ImageConversion", "RunOptions", "Written"]


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

    ref: SourceRef | StoreRef
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
        facts = plan_of(
            planned,
            self.source,
            n_documents=self._n_documents(planned),
            memory_bytes=memory // shares,
            workers=run.workers,
        )
        return planned[0], facts

    def _n_documents(self, planned: Sequence[PlannedImage]) -> int:
        """Return how many objects there would be beside pixels, by writing them to memory."""
        store, version = MemoryStore(), self.options.version or DEFAULT_VERSION
        self.layout.write_groups(store, version, self.source.documents)
        for one in planned:
            create_arrays(one, store)
            write_image_group(one, store, version, {"multiscales": []})
        self.layout.write_root(store, version, self.stem)
        return sum(1 for _ in store.list())

    def write(self, store: Store, *, notes: Notes) -> Written:
        """Write everything, the root last.

        Parameters
        ----------
        store
            Where to; of an interrupted conversion, what that left.
        notes
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
        files = self.ref.fingerprint(self.source)
        opened = OpenJob(job, self.source)
        journal = Journal(store if notes != "none" and _is_long(opened) else None)
        plan = {**job.fingerprint(), "files": files}
        done = journal.begin(plan, resume=self.run_options.resume)
        version = self.options.version or DEFAULT_VERSION
        self.layout.write_groups(store, version, self.source.documents)
        for one in planned:
            create_arrays(one, store)
        self._run(opened, done, journal, planned)
        verification = self._verified(opened)
        self._require_unchanged(files)
        if notes != "kept":
            store.delete_prefix(JOURNAL)
        if self.layout.kind == "image":
            self._finish(planned[0], store)
        self.layout.write_root(store, version, self.options.name or self.stem)
        return Written(planned[0], len(done), verification)

    def _job(self, store: Store, planned: Sequence[PlannedImage]) -> Job:
        return job_of(
            self.ref,
            store,
            [one.job for one in planned],
            self.run_options,
            method=self.options.method,
            engine=self.options.engine,
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

        run_job(opened, self.run_options, done, journal.mark, on_image, self.tracker)

    def _finish(self, planned: PlannedImage, store: Store) -> None:
        """Write the metadata of an image; the name asked for is that of the whole."""
        alone = self.layout.kind == "image"
        options = self.options if alone else replace(self.options, name=None)
        fallback = self.stem if alone else planned.placed.path
        finish_image(planned, store, options, fallback=fallback)

    def _verified(self, opened: OpenJob) -> Verification | None:
        if not self.run_options.verify:
            return None
        with self.run_options.threads():
            return verify(opened, self.tracker)

    def _require_unchanged(self, before: list[list[Any]]) -> None:
        now = self.ref.fingerprint(self.source)
        require_same(before, now, map(Path, self.source.files), self.ref.name)


def _is_long(opened: OpenJob) -> bool:
    """Return whether there are parts to go on from, and doing them again would take a while."""
    job = opened.job
    size = sum(one.arrays(job.store, job.engine)[0].nbytes for one in job.images)
    return size >= LONG_BYTES and opened.n_tasks > 1
